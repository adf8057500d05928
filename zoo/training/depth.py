"""The stages of a backbone by depth: smaller rates below, and unfreezing from the top.

Words: a *stage* is what `freeze` counts, the stem with the first; its *keys* are its blocks' paths,
as `zoo.training.layer_rates` takes them.
"""

import keras


def stage_keys(task) -> list[tuple[str, ...]]:
    """Return the keys of each stage of a task's backbone that trains, bottom up.

    What lies behind the last stage, such as EfficientNet's 1x1 convolution, counts as one more. A
    backbone of another library, or a tiny one, is one stage.
    """
    backbone = task.backbone
    if not hasattr(backbone, "stage_levels"):
        return [(backbone.name,)]
    ends = [backbone.stage_levels(count) for count in range(1, backbone.num_stages + 1)]
    ends.append(backbone.all_levels)
    stages, below = [], set()
    for levels in ends:
        blocks = zip(backbone.blocks, backbone.block_levels, strict=True)
        stages.append(
            tuple(
                f"{backbone.name}/{block.name}"
                for block, level in blocks
                if level in levels and level not in below and block.trainable_weights
            )
        )
        below |= set(levels)
    return [keys for keys in stages if keys]


def depth_multipliers(task, decay=1.0, *, head=10.0) -> dict[str, float]:
    """Return multipliers for a task: the head's, and smaller ones the deeper a stage lies.

    The head is every layer of the task that trains but its backbone.

    Args:
        decay: factor from a stage to the one below it, and from 1 to the top one (Howard 2018,
            Universal language model fine-tuning, section 3.2, has 1 / 2.6); 1: all alike.
        head: of the head (Zhang et al., Dive into Deep Learning, 13.2, has 10).
    Example: `build_optimizer("sgd", multipliers=depth_multipliers(task, 0.5), ...)`.
    """
    layers = [layer for layer in task.layers if layer is not task.backbone]
    rates = {layer.name: float(head) for layer in layers if layer.trainable_weights}
    for depth, keys in enumerate(reversed(stage_keys(task)), start=1):
        rates |= dict.fromkeys(keys, float(decay) ** depth)
    return rates


class UnfreezeStages(keras.callbacks.Callback):
    """Train the head first, and one stage of the backbone more every so many epochs.

    A stage that waits has the multiplier 0. So the optimizer has its slots from the first step on,
    a resumed run is as one that was not interrupted, and nothing is compiled anew. What it costs:
    gradients are computed for waiting stages too, and Adam's moments see them; stages that never
    train are cheaper under `freeze`.

    Its batch norms must keep their statistics for good (`frozen_norm`): a multiplier holds weights,
    not statistics.

    Args:
        every_epochs: epochs before each stage joins, the top one first.
    Raises: ValueError when training begins, if the optimizer has no multipliers for the stages or
        a batch norm's statistics would move.
    """

    def __init__(self, every_epochs=1):
        super().__init__()
        if every_epochs < 1:
            raise ValueError(f"every_epochs must be at least 1; got {every_epochs}.")
        self.every_epochs = every_epochs

    def on_train_begin(self, logs=None):
        known = getattr(self.model.optimizer, "multipliers", {})
        keys = [key for stage in stage_keys(self.model) for key in stage]
        if missing := [key for key in keys if key not in known]:
            raise ValueError(
                f"the optimizer has no multiplier for {', '.join(missing)}. Give it those of "
                "depth_multipliers."
            )
        if moving := _moving_norm(self.model.backbone):
            raise ValueError(
                f"{moving} would move its statistics while its stage waits. Build the backbone "
                "with frozen_norm=True."
            )

    def on_epoch_begin(self, epoch, logs=None):
        stages = stage_keys(self.model)
        waiting = stages[: max(len(stages) - epoch // self.every_epochs, 0)]
        self.model.optimizer.hold([key for stage in waiting for key in stage])


def _moving_norm(backbone):
    """Return the path of a batch norm that trains, or None."""
    norms = {_parent(weight) for weight in backbone.weights if weight.name == "moving_mean"}
    training = (_parent(weight) for weight in backbone.trainable_weights)
    return next((path for path in training if path in norms), None)


def _parent(weight):
    return weight.path.rpartition("/")[0]
