"""Named models: each preset is a choice of pieces."""

import difflib

from zoo.backbones import TinyCNN
from zoo.layers import AnchorGenerator, BoxCoder, Decoder, ImageConverter, LabelEncoder, Matcher
from zoo.losses import MultiBoxLoss
from zoo.models.ssd import SSD
from zoo.models.task import Task

# Of TinySSD's five levels (book section 13.7), fractions of the picture's side.
TINY_SSD_SIZES = ((0.2, 0.272), (0.37, 0.447), (0.54, 0.619), (0.71, 0.79), (0.88, 0.961))


def tiny_ssd(
    class_names,
    *,
    image_size=256,
    resize="resize",
    sizes=TINY_SSD_SIZES,
    ratios=(1, 2, 0.5),
    backbone=None,
    loss=None,
    dtype=None,
    **decoder,
) -> SSD:
    """Build TinySSD (book section 13.7): five blocks, 5,444 anchors at 256x256.

    Args:
        class_names: the names of labels 0..C-1.
        image_size: side of the network's input in pixels, or (height, width).
        resize: how pictures are fitted, "resize" or "letterbox".
        sizes: of the anchors, a list a feature level, fractions of the picture's side; smaller ones
            for a data set of small objects.
        ratios: of the anchors, width / height, the same for every level.
        backbone: a layer giving five feature levels; None: `TinyCNN`.
        loss: None: `MultiBoxLoss`; the book's is `AnchorMeanLoss`.
        dtype: the dtype policy; None: Keras' global one.
        **decoder: of `Decoder`, such as `score_threshold`.
    """
    coder = BoxCoder()
    return SSD(
        backbone=backbone if backbone is not None else TinyCNN(dtype=dtype, name="backbone"),
        anchor_generator=AnchorGenerator(
            sizes=[list(level) for level in sizes], ratios=[list(ratios)] * len(sizes)
        ),
        label_encoder=LabelEncoder(Matcher(0.5), coder),
        decoder=Decoder(coder, **decoder),
        loss=loss if loss is not None else MultiBoxLoss(),
        image_converter=ImageConverter(_height_width(image_size), mode=resize),
        class_names=class_names,
        dtype=dtype,
        name="tiny_ssd",
    )


_PRESETS = {"tiny_ssd": tiny_ssd}


def list_presets() -> list[str]:
    """Return the names that `create` knows."""
    return sorted(_PRESETS)


def create(preset, num_classes=None, *, class_names=None, **overrides) -> Task:
    """Build a model by name, with fresh weights.

    Args:
        preset: one of `list_presets()`.
        num_classes: C, without the background.
        class_names: names of labels 0..C-1; None: "class_0", "class_1", ...
        **overrides: of the preset, such as `image_size` or `backbone`.
    Raises: ValueError on an unknown preset or when the two ways to give C disagree.
    Example: `zoo.create("tiny_ssd", class_names=["banana"], image_size=256)`.
    """
    if preset not in _PRESETS:
        near = difflib.get_close_matches(preset, _PRESETS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"preset must be one of {list_presets()}; got {preset!r}.{hint}")
    return _PRESETS[preset](_names(num_classes, class_names), **overrides)


def _names(num_classes, class_names):
    if class_names is None:
        if not isinstance(num_classes, int) or num_classes < 1:
            raise ValueError(f"num_classes must be an int of at least 1; got {num_classes!r}.")
        return tuple(f"class_{label}" for label in range(num_classes))
    if num_classes not in (None, len(class_names)):
        raise ValueError(
            f"num_classes is {num_classes} but class_names holds {len(class_names)} names: "
            f"{list(class_names)}. Background is not a class here."
        )
    return tuple(class_names)


def _height_width(image_size):
    return (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
