"""The weights of a model for another of the same preset, which may have other classes."""


def take_weights(task, donor) -> str:
    """Give a task the weights of a donor, one by one in their order, where the shapes are the same.

    A head for other classes has other shapes and stays as it is.

    Args:
        task, donor: of one preset, with one backbone.
    Returns: what was taken and what stayed, in a sentence.
    Raises: ValueError if they have not as many weights: they are of different presets.
    """
    if len(task.weights) != len(donor.weights):
        raise ValueError(
            f"{donor.name} has {len(donor.weights)} weights and {task.name} {len(task.weights)}; "
            "weights are taken over between models of one preset only."
        )
    fresh = []
    for ours, theirs in zip(task.weights, donor.weights, strict=True):
        if ours.shape == theirs.shape:
            ours.assign(theirs)
        else:
            fresh.append(ours.path)
    taken = f"{len(task.weights) - len(fresh)} of {len(task.weights)} weights are taken over"
    return f"{taken}; fresh: {', '.join(fresh)}" if fresh else taken
