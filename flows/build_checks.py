"""What a config asks of its model and its data that only the objects themselves can refuse.

Runs in the worker, before anything is trained.
"""

from flows.config import Config
from flows.runtime import UserError
from zoo.answers import answers_of
from zoo.models import RCNN, FastStyle


def check_lesson(config: Config, task) -> None:
    """Refuse a style that is not given, and a preset that learns none."""
    if not isinstance(task, FastStyle):
        raise UserError(
            f"preset {config.model.preset} learns nothing: `zoo stylize` optimises a picture; "
            "fast_style is a network that learns a style"
        )
    if task.lesson is None:
        raise UserError(
            "model.options.style is missing: the picture whose style is learnt, as in "
            "--set model.options.style=oak.jpg"
        )
    if task.lesson.backbone_weights is None:  # others at random, in every process that scores it
        raise UserError(
            "model.options.backbone_weights is missing: of the network that judges the style, such "
            "as imagenet"
        )


def check_metrics(config: Config, task) -> None:
    """Refuse a gate, or an early stopping, by a metric that the task's answers do not have."""
    known = answers_of(task).metrics
    stopping = config.train.early_stopping
    for key, metric in (
        ("gate.metric", config.gate and config.gate.metric),
        ("train.early_stopping.metric", stopping and stopping.metric),
    ):
        if metric and metric not in known:
            raise UserError(
                f"{key} must be one of {', '.join(known)}, by which a model of preset "
                f"{config.model.preset} is scored; got {metric}"
            )


def check_masks(config: Config, source, task) -> None:
    """Refuse a data source without masks for a task that learns them."""
    if task.kind != "detection" or "masks" not in task.result_kinds:
        return
    entries = source.entries("train", config.data.limit).as_numpy_iterator()
    if not any(any(entry["masks"]) for entry in entries):
        raise UserError(
            f"preset {config.model.preset} learns masks, but {source.name}@train has none; "
            "a detector of boxes, such as faster_rcnn, can learn from it"
        )


def check_spread(config: Config, task, devices: int) -> None:
    """Refuse a task or a batch that cannot be spread over so many devices."""
    if config.distribution.kind != "none" and isinstance(task, RCNN):
        raise UserError(
            f"preset {config.model.preset} fits its machines in one process; leave distribution out"
        )
    shared = config.distribution.kind != "model_parallel"
    if shared and config.data.batch_size % devices:
        raise UserError(
            f"data.batch_size must be a multiple of the {devices} devices that share a batch; got "
            f"{config.data.batch_size}"
        )
