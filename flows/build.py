"""From a config to the objects of a training run. Runs in the worker: Keras is imported here."""

from functools import partial
from pathlib import Path

import zoo
from flows.build_checks import check_lesson
from flows.config import Config
from flows.config_sections import MultiboxLoss
from flows.origin import FROM_CHAMPION
from flows.run_folder import RunFolder
from flows.runtime import UserError
from zoo.data import (
    build_classification_pipeline,
    build_picture_pipeline,
    build_pipeline,
    build_segmentation_pipeline,
    find_proposals,
    load_source,
    steps_per_epoch,
    take_fold,
)
from zoo.models import RCNN, reuse_rows, take_weights
from zoo.training import (
    EarlyStopping,
    FitRegionSVMs,
    UnfreezeStages,
    build_optimizer,
    depth_multipliers,
)
from zoo.weights import classifier_rows, imagenet_classes


def _untold(what: str, done: int) -> None:
    pass


def build_source(config: Config, progress=_untold):
    """Return the data source; the config may say how many classes it must have.

    Here and below `progress` is called with what is read, and how many pictures of it so far.
    """
    data = config.data
    source = load_source(
        data.name, path=data.path, on_defect=data.on_defect, progress=progress, **data.options
    )
    if data.fold is not None:
        source = take_fold(source, **data.fold.model_dump(), limit=data.limit)
    model, found = config.model, source.class_names
    wanted = model.num_classes or len(model.class_names or found)
    if wanted != len(found):
        raise UserError(
            f"model.num_classes must be {len(found)}, the classes of data "
            f"{data.name} ({', '.join(found)}); got {wanted}"
        )
    return source


def build_task(config: Config, source) -> zoo.Task:
    """Return the task with fresh weights, or with those of the file `model.weights`."""
    task = zoo.create(
        config.model.preset,
        class_names=config.model.class_names or source.class_names,
        image_size=config.data.image_size,
        dtype=config.precision,
        **_loss(config),
        **config.model.options,
    )
    if task.kind == "style":
        check_lesson(config, task)
    if task.kind == "segmentation" and "palette" not in config.model.options:
        task.palette = source.palette  # what it paints has the colours of the data
    if config.model.weights not in (None, FROM_CHAMPION):
        task.set_weights(zoo.load(config.model.weights).get_weights())
    return task


def begin_with_champion(config: Config, task, run_dir: Path) -> str | None:
    """Give the task the weights of the champion where the config asks for it; tell which."""
    file = RunFolder(run_dir).champion
    if config.model.weights != FROM_CHAMPION or not file.exists():
        return None
    return take_weights(task, zoo.load(file))


def take_rows(config: Config, task) -> str | None:
    """Give the head the rows of an old classifier that `model.reuse_rows` names; tell which."""
    wanted = config.model.reuse_rows
    if wanted is None:
        return None
    if task.kind != "classification":
        raise UserError(f"model.reuse_rows is for classifiers; {config.model.preset} is none")
    kernel, bias = classifier_rows(task.backbone.name, wanted.weights)
    return str(reuse_rows(task, kernel, bias, imagenet_classes(), synonyms=wanted.synonyms))


def build_stream(config: Config, source, task, share=(0, 1), progress=_untold):
    """Return a function from a global step to the dataset of training batches from there on.

    Args:
        share: the part of each batch that this process feeds, and the number of parts.
    """
    pipeline = _pipeline(config, source, "train", task, progress)

    def stream(start_step):
        return pipeline(
            training=True,
            epochs=config.train.epochs,
            seed=config.train.seed,
            start_step=start_step,
            share=share,
            augment=config.data.model_dump()["augment"],
        )

    return stream


def build_validation(config: Config, source, task, progress=_untold):
    """Return the validation split as a dataset of batches, in order, the last one partial.

    None for a style: the scores of its answers are the losses.
    """
    if task.kind == "style":
        return None
    return _pipeline(config, source, "val", task, progress)(training=False)


def build_fits(config: Config, source, task, progress=_untold) -> list:
    """Return the callbacks that fit what no gradient does; they come before scoring and saving."""
    if not isinstance(task, RCNN):
        return []
    pictures = _pipeline(config, source, "train", task, progress)(
        training=False, batch_size=1, cache=False
    )
    digest, epochs = source.digest("train"), config.train.epochs
    return [FitRegionSVMs(pictures, digest, epochs=epochs, progress=progress)]


def build_unfreezing(config: Config) -> list:
    """Return the callback that lets the backbone join stage by stage, where the config says so."""
    every = config.train.unfreeze_every
    return [] if every is None else [UnfreezeStages(every)]


def build_stopping(config: Config, task, folder, steps: int, report, distribution):
    """Return the early stopping that the config asks for, or None.

    Args:
        folder: of its files.
        steps: of an epoch.
    """
    chosen = config.train.early_stopping
    if chosen is None:
        return None
    if isinstance(task, RCNN):
        raise UserError(
            f"preset {config.model.preset} fits its machines after the last epoch; leave "
            "train.early_stopping out"
        )
    return EarlyStopping(
        folder,
        metric=chosen.metric or config.gate.metric,  # type: ignore[union-attr]  # Config has one
        patience=chosen.patience,
        min_delta=chosen.min_delta,
        steps_per_epoch=steps,
        report=report,
        distribution=distribution,
    )


def build_run_optimizer(config: Config, source, task):
    """Return the optimizer, its schedule spread over the steps of the whole run."""
    rule, schedule = config.train.optimizer, config.train.schedule
    options = {"momentum": rule.momentum} if rule.name == "sgd" else {}
    no_decay = 0.0 if rule.name == "adamw" else None  # AdamW refuses None
    return build_optimizer(
        rule.name,
        learning_rate=rule.learning_rate,
        total_steps=config.train.epochs * epoch_steps(config, source),
        schedule=schedule.name,
        warmup_steps=schedule.warmup_steps,
        final_fraction=schedule.final_fraction,
        weight_decay=rule.weight_decay or no_decay,
        clip_norm=rule.clip_norm,
        multipliers=_multipliers(config, task),
        **options,
    )


def _multipliers(config, task):
    """Rates by layer, where they differ or will."""
    rule = config.train.optimizer
    alike = rule.head_multiplier == rule.depth_decay == 1.0
    if alike and config.train.unfreeze_every is None:
        return None
    return depth_multipliers(task, rule.depth_decay, head=rule.head_multiplier)


def epoch_steps(config: Config, source) -> int:
    """Return the training steps of an epoch."""
    return steps_per_epoch(source, "train", config.data.batch_size, config.data.limit)


def _pipeline(config, source, split, task, progress):
    """Return the pipeline of the task's kind, to be called with what remains to be said."""
    data = config.data
    common = {"batch_size": data.batch_size, "limit": data.limit}
    if task.kind == "segmentation":
        size = task.image_converter.image_size
        return partial(build_segmentation_pipeline, source, split, crop=size, **common)
    if task.kind == "style":
        return partial(build_picture_pipeline, source, split, task.image_converter, **common)
    if task.kind == "classification":
        converter = task.image_converter
        return partial(
            build_classification_pipeline, source, split, converter, cache=data.cache, **common
        )
    proposals = None
    if task.proposer is not None:
        proposals = find_proposals(
            source, split, task.proposer, limit=data.limit, progress=progress
        )
    return partial(
        build_pipeline,
        source,
        split,
        task.image_converter,
        masks="masks" in task.result_kinds,
        max_boxes=data.max_boxes,
        cache=data.cache,
        proposals=proposals,
        **common,
    )


def _loss(config):
    chosen = config.train.loss
    if chosen is None:
        return {}
    if isinstance(chosen, MultiboxLoss):
        return {"loss": zoo.losses.MultiBoxLoss(**chosen.model_dump(exclude={"name"}))}
    return {"loss": zoo.losses.AnchorMeanLoss()}
