"""Foreign arrays into our weights: all of them, or none and a list of what does not fit."""

import numpy as np

from zoo.weights.architectures import parts_of
from zoo.weights.detector_tables import modern_names

# PyTorch counts the batches a batch norm has seen, which nothing here depends on.
_COUNTER = "num_batches_tracked"


def convert_into(layer, state, architecture) -> None:
    """Give a built layer the weights of a foreign model.

    Args:
        layer: a backbone, a pyramid or a task, built; of a backbone's foreign weights only those of
            the levels it has are taken.
        state: arrays by their foreign names, as `load_state_dict` gives them.
        architecture: one of `list_architectures()`.
    Raises: ValueError that lists every missing, surplus and mis-shaped tensor; the layer is then as
        it was.
    Example: `convert_into(backbone, load_state_dict("resnet50.pth"), "torchvision:resnet50")`.
    """
    if not layer.built:
        raise ValueError(f"{layer.name} has no weights yet: build it first, as by calling it once.")
    parts = parts_of(layer, architecture)
    state = modern_names(state)
    pairs, problems = _pair(parts, state)
    known = {name for _, table in parts for name in table}
    surplus = [name for name in state if name not in known and not name.endswith(_COUNTER)]
    problems += [f"surplus: {name} {np.shape(state[name])}" for name in surplus]
    sourced = {id(weight) for weight, _ in pairs}
    if not problems:
        problems = [
            f"no source: {weight.path} {tuple(weight.shape)}"
            for weight in layer.weights
            if id(weight) not in sourced
        ]
    if problems:
        raise ValueError(
            f"the weights are not those of {architecture} for {layer.name}:\n  "
            + "\n  ".join(problems)
        )
    for weight, array in pairs:
        weight.assign(array)


def _pair(parts, state):
    """Return (weight, array in its layout) pairs, and what is missing or mis-shaped."""
    pairs, problems = [], []
    for part, table in parts:
        weights = _named_weights(part)
        for name, (path, axes) in table.items():
            weight = weights.get(path)
            if weight is None:  # of a level that is not built, or of no use here
                continue
            if name not in state:
                problems.append(f"missing: {name}, for {path} {tuple(weight.shape)}")
                continue
            array = _in_our_layout(np.asarray(state[name]), axes)
            if array is None or array.shape != tuple(weight.shape):
                problems.append(
                    f"mis-shaped: {name} {np.shape(state[name])}, for {path} {tuple(weight.shape)}"
                )
            else:
                pairs.append((weight, array))
    return pairs, problems


def _in_our_layout(array, axes):
    """Return the array as Keras has it; None if its shape does not allow that."""
    try:
        if callable(axes):
            return axes(array)
        return array if axes is None else np.transpose(array, axes)
    except (ValueError, KeyError):
        return None


def _named_weights(layer):
    """Return a layer's weights by their path below it."""
    prefix = f"{layer.path}/"
    return {
        weight.path.removeprefix(prefix): weight
        for weight in layer.weights
        if weight.path.startswith(prefix)
    }
