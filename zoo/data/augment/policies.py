"""Steps by name, policies by name, and from what a config says to functions."""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from zoo.data.augment.crops import random_resized_crop
from zoo.data.augment.expand import expand
from zoo.data.augment.flips import flip, vertical_flip
from zoo.data.augment.iou_crop import iou_crop
from zoo.data.augment.mixup import mixup
from zoo.data.augment.mosaic import mosaic
from zoo.data.augment.photometric import photometric
from zoo.data.augment.sample import Change

STEPS: dict[str, Callable[..., Change]] = {
    "flip": flip,
    "vertical_flip": vertical_flip,
    "random_resized_crop": random_resized_crop,
    "iou_crop": iou_crop,
    "expand": expand,
    "photometric": photometric,
    "mosaic": mosaic,
    "mixup": mixup,
}
# Steps that keep each row in its place, and do not choose by what the boxes are.
BLIND_TO_BOXES = ("flip", "vertical_flip", "photometric", "expand", "random_resized_crop")
PICTURES = {"mosaic": 4, "mixup": 2}  # what a step takes; one where it is not named

POLICIES: dict[str, tuple[dict, ...]] = {
    "light": (
        {"name": "photometric", "brightness": 16.0, "contrast": (0.8, 1.2),
         "saturation": (0.8, 1.2), "hue": 6.0},
        {"name": "random_resized_crop", "scale": (0.6, 1.0), "min_visible": 0.5,
         "probability": 0.5},
        {"name": "flip"},
    ),
    "ssd": (  # Liu 2016, in the order of the authors' code
        {"name": "photometric"},
        {"name": "expand"},
        {"name": "iou_crop"},
        {"name": "flip"},
    ),
    "strong": (
        {"name": "photometric"},
        {"name": "mosaic", "probability": 0.7},
        {"name": "mixup", "probability": 0.2},
        {"name": "random_resized_crop", "scale": (0.4, 1.0), "probability": 0.7},
        {"name": "flip"},
    ),
}  # fmt: skip


class Step(NamedTuple):
    """A step with its options.

    Attributes:
        name: as configs have it.
        apply: (sample, seed (2,)) -> sample; a group of pictures where it takes several.
        pictures: how many it takes.
    """

    name: str
    apply: Change
    pictures: int


class Vocabulary(NamedTuple):
    """What may be named.

    Attributes:
        steps: name -> factory of the step.
        policies: name -> its steps.
        pictures: name -> how many pictures a step takes, where it is not one.
    """

    steps: Mapping[str, Callable[..., Change]]
    policies: Mapping[str, tuple[dict, ...]]
    pictures: Mapping[str, int]


OF_OBJECTS = Vocabulary(STEPS, POLICIES, PICTURES)


def build_steps(
    augment: str | Iterable[str | Mapping], vocabulary: Vocabulary = OF_OBJECTS
) -> tuple[Step, ...]:
    """Return the steps that a config's `augment` names.

    Args:
        augment: the name of a policy or a step, or a list of them; a step with options is a
            mapping: {"name": "random_resized_crop", "scale": [0.5, 1.0]}.
        vocabulary: what may be named; by default what moves objects with their picture.
    Raises: ValueError for an unknown name or option, or an option out of its range.
    """
    entries = [augment] if isinstance(augment, (str, Mapping)) else augment
    return tuple(
        _step(entry, vocabulary) for given in entries for entry in _expanded(given, vocabulary)
    )


def _expanded(given, vocabulary: Vocabulary) -> tuple[dict, ...]:
    entry = {"name": given} if isinstance(given, str) else dict(given)
    name = entry.get("name")
    if name not in vocabulary.policies:
        return (entry,)
    if options := sorted(set(entry) - {"name"}):
        raise ValueError(f"augment: {name} is a policy without options; got {', '.join(options)}.")
    return vocabulary.policies[name]


def _step(entry: Mapping, vocabulary: Vocabulary) -> Step:
    name = entry.get("name")
    if name not in vocabulary.steps:
        known = [*vocabulary.policies, *vocabulary.steps]
        raise ValueError(
            f"augment must name some of {', '.join(known)}; got {name}.{_near(str(name), known)}"
        )
    options = {key: value for key, value in entry.items() if key != "name"}
    factory = vocabulary.steps[name]
    known = list(inspect.signature(factory).parameters)
    for key in options:
        if key not in known:
            raise ValueError(
                f"augment: {name} has the options {', '.join(known)}; got {key}.{_near(key, known)}"
            )
    try:
        return Step(name, factory(**options), vocabulary.pictures.get(name, 1))
    except ValueError as error:
        raise ValueError(f"augment: {name}: {error}") from None


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]}?" if near else ""
