"""What a config may say about augmentation: the names of steps and policies, and their options.

`augment: ssd`, or `augment: [{name: random_resized_crop, scale: [0.5, 1.0]}, flip]`.
Defaults and bounds are those of the functions in `zoo.data.augment`; tests hold the two together.
Classification takes other steps and defaults than detection and segmentation; a config holds the
options that were given, and the library, which knows the model, tells what does not belong there.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)

from flows import config_errors
from flows.config_errors import ConfigError, Document

# That a step takes from a batch; the others take one.
_PICTURES = {"mosaic": 4, "strong": 4, "mixup": 2, "cutmix": 2}

Pair = tuple[float, float]


def _listed(value: Any) -> Any:
    return tuple(value) if type(value) is list else value


def _within(low: float, high: float) -> Callable[[Pair], Pair]:
    def check(pair: Pair) -> Pair:
        if not low <= pair[0] <= pair[1] <= high:
            bounds = f"{low:g}..{high:g}" if high < float("inf") else f"{low:g} upwards"
            raise ValueError(f"must be [lowest, highest] within {bounds}; got {list(pair)}")
        return pair

    return check


Chance = Annotated[float, Field(ge=0, le=1)]
Part = Annotated[float, Field(ge=0, le=1)]
Byte = Annotated[int, Field(ge=0, le=255)]
Areas = Annotated[Pair, BeforeValidator(_listed), AfterValidator(_within(0.01, 1))]
Ratios = Annotated[Pair, BeforeValidator(_listed), AfterValidator(_within(0.01, 100))]
Sides = Annotated[Pair, BeforeValidator(_listed), AfterValidator(_within(1, 100))]
Factors = Annotated[Pair, BeforeValidator(_listed), AfterValidator(_within(0, 100))]
Centers = Annotated[Pair, BeforeValidator(_listed), AfterValidator(_within(0.05, 0.95))]
Scales = Annotated[Pair, BeforeValidator(_listed), AfterValidator(_within(0.05, 1))]


class _Step(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True
    )
    name: str


class Policy(_Step):
    """A list of steps with a name of its own; it takes no options."""

    name: Literal["light", "ssd", "strong", "book", "rand"]


class Flip(_Step):
    """Mirror left to right."""

    name: Literal["flip"]
    probability: Chance = 0.5


class VerticalFlip(_Step):
    """Turn upside down."""

    name: Literal["vertical_flip"]
    probability: Chance = 0.5


class RandomResizedCrop(_Step):
    """Enlarge a window: `scale` is its part of the area, `ratio` its width over its height."""

    name: Literal["random_resized_crop"]
    scale: Areas = (0.3, 1.0)
    ratio: Ratios = (0.75, 4 / 3)
    min_visible: Part = 0.3
    probability: Chance = 1.0


class IouCrop(_Step):
    """Enlarge a window that overlaps an object by a drawn minimum (Liu 2016, section 2.2)."""

    name: Literal["iou_crop"]
    min_overlaps: Annotated[tuple[Part, ...], BeforeValidator(_listed)] = (0.1, 0.3, 0.5, 0.7, 0.9)
    min_scale: Annotated[float, Field(ge=0.01, le=1)] = 0.3
    ratio: Ratios = (0.5, 2.0)
    trials: Annotated[int, Field(ge=1, le=1000)] = 50


class Expand(_Step):
    """Show the picture smaller, on a ground of the colour `fill` and `ratio` times its side."""

    name: Literal["expand"]
    ratio: Sides = (1.0, 4.0)
    fill: Annotated[tuple[Byte, Byte, Byte], BeforeValidator(_listed)] = (124, 116, 104)
    probability: Chance = 0.5


class Photometric(_Step):
    """Change brightness (of 255), contrast, saturation (factors) and hue (degrees)."""

    name: Literal["photometric"]
    brightness: Annotated[float, Field(ge=0, le=255)] = 32.0
    contrast: Factors = (0.5, 1.5)
    saturation: Factors = (0.5, 1.5)
    hue: Annotated[float, Field(ge=0, le=180)] = 18.0
    probability: Chance = 0.5


class Mosaic(_Step):
    """Lay parts of four pictures of the batch around a drawn center."""

    name: Literal["mosaic"]
    center: Centers = (0.3, 0.7)
    scale: Scales = (0.4, 1.0)
    min_visible: Part = 0.3
    probability: Chance = 1.0


class Mixup(_Step):
    """Blend two pictures of the batch."""

    name: Literal["mixup"]
    alpha: Annotated[float, Field(gt=0, le=1000)] = 8.0
    probability: Chance = 1.0


class Cutmix(_Step):
    """Lay a window of one picture of the batch over another; for classification."""

    name: Literal["cutmix"]
    alpha: Annotated[float, Field(gt=0, le=1000)] = 1.0
    probability: Chance = 1.0


class RandAugment(_Step):
    """Make `count` changes out of fourteen, all of one strength; for classification."""

    name: Literal["rand_augment"]
    count: Annotated[int, Field(ge=1, le=14)] = 2
    magnitude: Annotated[float, Field(ge=0, le=30)] = 9.0
    probability: Chance = 1.0


AnyStep = (
    Policy
    | Flip
    | VerticalFlip
    | RandomResizedCrop
    | IouCrop
    | Expand
    | Photometric
    | Mosaic
    | Mixup
    | Cutmix
    | RandAugment
)
NAMES = tuple(
    name for model in get_args(AnyStep) for name in get_args(model.model_fields["name"].annotation)
)


def _as_mapping(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict):
        return value
    raise ValueError(f"must be the name of a step, or a mapping with its options; got {value!r}")


def _as_name(step: AnyStep) -> AnyStep | str:
    """A step without options of its own is its name, as the file has it."""
    return step.name if step.model_fields_set == {"name"} else step


def _as_plain(step: AnyStep | str) -> dict | str:
    return step if isinstance(step, str) else step.model_dump(mode="json", exclude_unset=True)


_Written: Any = Literal[NAMES] | AnyStep  # what editors are told
Step = Annotated[
    Annotated[AnyStep, Field(discriminator="name")],
    BeforeValidator(_as_mapping, json_schema_input_type=_Written),
    AfterValidator(_as_name),
    PlainSerializer(_as_plain),
]


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, (str, dict)) else _listed(value)


Augment = Annotated[
    tuple[Step, ...],
    BeforeValidator(_as_list, json_schema_input_type=_Written | list[_Written]),
]


def pictures_taken(augment: Iterable[AnyStep | str]) -> tuple[int, str]:
    """Return how many pictures of a batch are mixed at most, and the name of the step."""
    names = [step if isinstance(step, str) else step.name for step in augment]
    return max(((_PICTURES.get(name, 1), name) for name in names), default=(1, ""))


class Given(BaseModel):
    """Augmentation on its own, as a command line gives it."""

    augment: Augment


def read_augment(text: str, *, option: str) -> tuple[dict | str, ...]:
    """Read what stands after an option: a name, or a list in YAML.

    Returns: plain data, as `zoo.data.build_pipeline` takes it.
    Raises: ConfigError: with every mistake found, a line each.
    """
    document = Document({}, option)
    document.override(f"augment={text}", option=option)
    if document.errors:
        raise ConfigError(document.errors)
    try:
        return Given.model_validate(document.values).model_dump()["augment"]
    except ValidationError as error:
        mistakes = config_errors.explain(error, Given)
        raise ConfigError([f"{document.where(loc)}: {line}" for loc, line in mistakes]) from None
