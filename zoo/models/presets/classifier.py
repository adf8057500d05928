"""A picture's class, on any backbone of zoo or another library."""

from zoo.backbones import create_backbone
from zoo.layers import CropConverter, ImageConverter, Normalize
from zoo.layers.image_converter import MODES
from zoo.models.classifier import Classifier
from zoo.models.presets.sizes import height_width
from zoo.weights import classifier_weights, convert_into

# Where the last feature map is not the backbone's own choice: behind the 1x1 convolution that
# belongs to the classifier, and behind the last pooling.
_LAST_LEVELS = {"mobilenet_v2": "top", "efficientnet_lite0": "top", "vgg16": "p5", "vgg19": "p5"}
# Heads of torchvision's VGG: each cell of 7x7 counts.
_VGG_HEAD = {"pooling": "flatten", "hidden_units": (4096, 4096)}
_MEAN_HEAD = {"pooling": "mean", "hidden_units": ()}


def classifier(
    class_names,
    *,
    image_size=224,
    resize="crop",
    crop_fraction=0.875,
    backbone="efficientnet_lite0",
    backbone_weights=None,
    weights=None,
    freeze=0,
    frozen_norm=False,
    pooling=None,
    hidden_units=None,
    dropout=0.0,
    label_smoothing=0.0,
    dtype=None,
) -> Classifier:
    """Build a classifier: a backbone, a mean over its last feature map, one dense layer.

    Fine-tuning (Zhang et al., Dive into Deep Learning, 13.2) is `backbone_weights="imagenet"`: the
    feature extractor is copied, the output layer is fresh.

    Args:
        class_names: the names of labels 0..C-1.
        image_size: side of the network's input in pixels, or (height, width).
        resize: how pictures are fitted: "crop", the middle of it; "resize", stretched; "letterbox".
        crop_fraction: of the largest window's sides, with "crop".
        backbone: a name, as `create_backbone` takes it, or a layer giving feature maps.
        backbone_weights: None for fresh ones, or "imagenet" where a package carries them.
        weights: of the whole classifier, backbone and head: "imagenet", or a file of torchvision's,
            of which the classes must be `class_names`. None: the head is fresh.
        freeze: how many of the backbone's stages do not train, their batch norms' statistics
            included.
        frozen_norm: whether all its batch norms keep their statistics and affine for good.
        pooling, hidden_units, dropout: of `ClassHead`; None: "mean" and none, but with `weights`
            what the foreign classifier has.
        label_smoothing: of `Classifier`.
        dtype: the dtype policy; None: Keras' global one.
    Raises: ValueError if options exclude each other, or the weights are of other classes.
    Example: `create("classifier", class_names=imagenet_classes(), weights="imagenet")`.
    """
    size = height_width(image_size)
    name = backbone if isinstance(backbone, str) else None
    if weights is not None and (backbone_weights is not None or name is None):
        raise ValueError(
            f"weights={weights!r} are a whole classifier's: give the backbone by name, and leave "
            "backbone_weights out."
        )
    if weights is not None:
        state, architecture = classifier_weights(name, weights)
    if name is not None:
        level = _LAST_LEVELS.get(name)
        backbone = create_backbone(
            name,
            levels=None if level is None else (level,),
            weights=backbone_weights,
            freeze=freeze,
            frozen_norm=frozen_norm,
            dtype=dtype,
        )
    head = _VGG_HEAD if weights is not None and name.startswith("vgg") else _MEAN_HEAD
    pixels = getattr(backbone, "normalization", {})  # none: fractions 0..1
    task = Classifier(
        backbone=backbone,
        pooling=pooling or head["pooling"],
        hidden_units=head["hidden_units"] if hidden_units is None else hidden_units,
        dropout=dropout,
        label_smoothing=label_smoothing,
        image_converter=_converter(size, resize, crop_fraction),
        normalize=Normalize(**pixels, dtype=dtype, name="normalize"),
        class_names=class_names,
        dtype=dtype,
        name="classifier",
    )
    if weights is not None:
        convert_into(task, state, architecture)
    return task


def _converter(size, resize, crop_fraction):
    if resize == "crop":
        return CropConverter(size, crop_fraction)
    if resize in MODES:
        return ImageConverter(size, mode=resize)
    raise ValueError(f"resize must be one of crop, {', '.join(MODES)}; got {resize!r}.")
