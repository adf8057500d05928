"""The sections of a run's configuration: what each key may say, and what goes together.

Imports neither Keras nor zoo. A section is frozen, and an unknown key is an error.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    model_validator,
)

from flows.config_augment import Augment, pictures_taken

Metric = Literal[
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large",
    "mask_ap", "mask_ap50", "mask_ap75", "mask_ap_small", "mask_ap_medium", "mask_ap_large",
    "mask_ar_1", "mask_ar_10", "mask_ar_100", "mask_ar_small", "mask_ar_medium", "mask_ar_large",
    "miou", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou",
    "top1", "top5", "style_gain",
]  # fmt: skip
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]


def _as_tuple(value):
    return tuple(value) if type(value) is list else value


Words = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Values = Annotated[
    tuple[bool | int | float | str | None, ...], Field(min_length=1), BeforeValidator(_as_tuple)
]


def _image_size(value):
    """Check a side or [height, width] by hand: of a union, pydantic tells each member's error."""
    sides = [value] if type(value) is int else value
    legal = isinstance(sides, list | tuple) and len(sides) == (1 if sides is not value else 2)
    if not (legal and all(type(side) is int and 32 <= side <= 4096 for side in sides)):
        raise ValueError(
            f"must be a side of 32 to 4096 pixels, or [height, width] of such; got {value!r}"
        )
    return value if type(value) is int else tuple(value)


ImageSize = Annotated[Any, PlainValidator(_image_size)]  # int or (int, int)


class Section(BaseModel):
    """A part of a configuration, checked as a whole."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True
    )


class Distribution(Section):
    """How one training is spread over devices and processes; `batch_size` is that of all together.

    `devices`: of this process; None: all accelerators, or the one CPU; on a CPU so many logical
    ones. `synchronized`: let batch norms see the statistics of the whole batch, as on JAX they
    always do. `workers`: processes that `zoo train` starts here; 0: none, it follows those that a
    cluster starts.
    """

    kind: Literal["none", "mirrored", "tpu", "data_parallel", "model_parallel", "multi_worker"] = (
        "none"
    )
    devices: Annotated[int, Field(ge=1)] | None = None
    synchronized: bool = False
    workers: Annotated[int, Field(ge=0)] = 1

    @model_validator(mode="after")
    def _workers_train_together(self) -> "Distribution":
        if self.workers != 1 and self.kind not in ("multi_worker", "data_parallel"):
            raise ValueError(
                f"workers are for kind multi_worker; got kind {self.kind}, {self.workers} workers"
            )
        return self


class ReuseRows(Section):
    """Which old classifier's rows a fresh head takes, for the classes that it shares by name.

    `weights`: the classifier of the same backbone. `synonyms`: class of the data -> its name there.
    """

    weights: Annotated[str, Field(min_length=1)] = "imagenet"
    synonyms: dict[str, str] = {}


class Model(Section):
    """Which model, for which classes; `options` go to the preset as they are.

    `weights`: a `.keras` file of the same preset to begin with, or `champion`: the present one's.
    `num_classes`: what the data must have; None: as many as they have.
    """

    preset: Annotated[str, Field(min_length=1)]
    num_classes: Annotated[int, Field(ge=1)] | None = None
    class_names: Words | None = None
    weights: str | None = None
    options: dict[str, JsonValue] = {}
    reuse_rows: ReuseRows | None = None

    @model_validator(mode="after")
    def _names_fit_the_count(self) -> "Model":
        names = self.class_names
        if names is not None and self.num_classes not in (None, len(names)):
            raise ValueError(
                f"class_names must name num_classes = {self.num_classes} classes; got {len(names)}"
            )
        if names is not None and len(set(names)) != len(names):
            raise ValueError("class_names must differ from one another")
        return self

    @model_validator(mode="after")
    def _rows_are_for_a_fresh_head(self) -> "Model":
        if self.weights is not None and self.reuse_rows is not None:
            raise ValueError("reuse_rows is for a fresh head; weights bring their own: give one")
        return self


class Fold(Section):
    """Which part of the training records is validated on, and not learnt from.

    The records, or the first `limit` of them, are dealt into `of` folds by `seed`.
    """

    index: Annotated[int, Field(ge=0)]
    of: Annotated[int, Field(ge=2)]
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _index_is_of_a_fold(self) -> "Fold":
        if self.index >= self.of:
            raise ValueError(f"index must be 0..{self.of - 1}, of {self.of}; got {self.index}")
        return self


class Data(Section):
    """Which data, and how the network sees them; `options` go to the source as they are.

    `image_size`: its input, a side or [height, width]. `max_boxes`: of one picture, for detectors.
    `on_defect`: refuse a split in which something would have to be left out, or leave it out.
    `defects_at_most`: of a split's pictures, as a share; more stop a retraining before it begins.
    `fold`: validate on a part of the training records instead of the split `val`.
    """

    name: Annotated[str, Field(min_length=1)]
    path: str | None = None
    options: dict[str, JsonValue] = {}
    on_defect: Literal["stop", "skip"] = "stop"
    defects_at_most: Annotated[float, Field(ge=0, le=1)] | None = None
    image_size: ImageSize
    max_boxes: Annotated[int, Field(ge=1, le=1000)] = 100
    batch_size: Annotated[int, Field(ge=1)]
    limit: Annotated[int, Field(ge=1)] | None = None
    fold: Fold | None = None
    augment: Augment = ()
    cache: bool = False

    @model_validator(mode="after")
    def _at_least_one_batch(self) -> "Data":
        if self.limit is not None and self.limit < self.batch_size:
            raise ValueError(
                f"limit must be at least batch_size = {self.batch_size}, or no batch is full; "
                f"got {self.limit}"
            )
        return self

    @model_validator(mode="after")
    def _a_batch_to_mix(self) -> "Data":
        pictures, name = pictures_taken(self.augment)
        if self.batch_size < pictures:
            raise ValueError(
                f"batch_size must be at least {pictures}, the pictures of a batch that {name} "
                f"mixes; got {self.batch_size}"
            )
        return self


class Optimizer(Section):
    """The update rule; `momentum` belongs to sgd, `clip_norm` is the global gradient norm.

    `head_multiplier`: factor on the rate of what stands on the backbone. `depth_decay`: factor on
    the rate from each stage of the backbone to the one below it.
    """

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    head_multiplier: Annotated[float, Field(gt=0)] = 1.0
    depth_decay: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _momentum_is_for_sgd(self) -> "Optimizer":
        if self.momentum and self.name != "sgd":
            raise ValueError(f"momentum belongs to sgd; {self.name} has its own")
        return self


class Schedule(Section):
    """The learning rate: a linear warm-up, then constant or a cosine to `final_fraction`."""

    name: Literal["constant", "cosine"] = "constant"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    final_fraction: Annotated[float, Field(ge=0, le=1)] = 0.0


class BookLoss(Section):
    """The book's loss: cross-entropy and masked L1, each a mean over every anchor."""

    name: Literal["book"]


class MultiboxLoss(Section):
    """SSD's loss: over the positives, the hardest negatives only (Liu 2016, section 2.2)."""

    name: Literal["multibox"]
    negative_ratio: Annotated[float, Field(gt=0)] = 3.0
    minimum_negatives: Annotated[int, Field(ge=0)] = 0
    box_weight: Annotated[float, Field(gt=0)] = 1.0
    smooth: bool = False


class EarlyStopping(Section):
    """End a training after `patience` evaluations in a row that were not the best.

    The model of the best one is published. `metric`: the gate's, if it is left out. `min_delta`:
    only what is better by more than this is better.
    """

    patience: Annotated[int, Field(ge=1)]
    metric: Metric | None = None
    min_delta: Annotated[float, Field(ge=0)] = 0.0


class Train(Section):
    """How long and by which rule.

    `evaluate_every` counts epochs, `checkpoint_steps` and `log_steps` count steps.
    `unfreeze_every`: train the head first, and a stage of the backbone more every so many epochs.
    """

    epochs: Annotated[int, Field(ge=1)]
    optimizer: Optimizer
    schedule: Schedule = Schedule()
    loss: Annotated[BookLoss | MultiboxLoss, Field(discriminator="name")] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    unfreeze_every: Annotated[int, Field(ge=1)] | None = None
    early_stopping: EarlyStopping | None = None
    evaluate_every: Annotated[int, Field(ge=1)] = 1
    checkpoint_steps: Annotated[int, Field(ge=1)] = 100
    log_steps: Annotated[int, Field(ge=1)] = 10


class Gate(Section):
    """What a version must reach to become the champion.

    `no_class_worse_by`: what each class that the champion knows may lose at most, of its AP, IoU or
    accuracy; None: classes are not looked at.
    """

    metric: Metric
    at_least: Annotated[float, Field(ge=0, le=1)] = 0.0
    beat_champion_by: Annotated[float, Field(ge=-1, le=1)] = 0.0
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.95
    no_class_worse_by: Annotated[float, Field(ge=0, le=1)] | None = None
