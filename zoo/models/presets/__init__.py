"""Named models: each preset is a choice of pieces."""

import difflib

from zoo.models.presets.classifier import classifier
from zoo.models.presets.fast_rcnn import fast_rcnn
from zoo.models.presets.fast_style import fast_style
from zoo.models.presets.faster_rcnn import faster_rcnn
from zoo.models.presets.fcn import fcn8s, fcn16s, fcn32s, fcn_resnet18, fcn_resnet50
from zoo.models.presets.mask_rcnn import mask_rcnn
from zoo.models.presets.rcnn import rcnn
from zoo.models.presets.ssd300_vgg16 import ssd300_vgg16
from zoo.models.presets.style_transfer import style_transfer
from zoo.models.presets.tiny_ssd import tiny_ssd
from zoo.models.presets.yolo_v1 import yolo_v1
from zoo.models.task import Task

_PRESETS = {
    "classifier": classifier,
    "fast_rcnn": fast_rcnn,
    "fast_style": fast_style,
    "faster_rcnn": faster_rcnn,
    "fcn16s": fcn16s,
    "fcn32s": fcn32s,
    "fcn8s": fcn8s,
    "fcn_resnet18": fcn_resnet18,
    "fcn_resnet50": fcn_resnet50,
    "mask_rcnn": mask_rcnn,
    "rcnn": rcnn,
    "ssd300_vgg16": ssd300_vgg16,
    "style_transfer": style_transfer,
    "tiny_ssd": tiny_ssd,
    "yolo_v1": yolo_v1,
}
_WITHOUT_CLASSES = {"fast_style", "style_transfer"}


def list_presets() -> list[str]:
    """Return the names that `create` knows."""
    return sorted(_PRESETS)


def create(preset, num_classes=None, *, class_names=None, **overrides) -> Task:
    """Build a model by name, with fresh weights.

    Args:
        preset: one of `list_presets()`.
        num_classes: C, without the background; presets of style have no classes.
        class_names: names of labels 0..C-1; None: "class_0", "class_1", ...
        **overrides: of the preset, such as `image_size` or `backbone`.
    Raises: ValueError on an unknown preset or when the two ways to give C disagree.
    Example: `zoo.create("tiny_ssd", class_names=["banana"], image_size=256)`.
    """
    if preset not in _PRESETS:
        near = difflib.get_close_matches(preset, _PRESETS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"preset must be one of {list_presets()}; got {preset!r}.{hint}")
    names = () if preset in _WITHOUT_CLASSES else _names(num_classes, class_names)
    return _PRESETS[preset](names, **overrides)


def _names(num_classes, class_names):
    if class_names is None:
        if not isinstance(num_classes, int) or num_classes < 1:
            raise ValueError(f"num_classes must be an int of at least 1; got {num_classes!r}.")
        return tuple(f"class_{label}" for label in range(num_classes))
    if num_classes not in (None, len(class_names)):
        raise ValueError(
            f"num_classes is {num_classes} but class_names holds {len(class_names)} names: "
            f"{list(class_names)}. Background is not a class of a detector."
        )
    return tuple(class_names)
