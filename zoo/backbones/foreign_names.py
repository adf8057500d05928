"""Backbones of other libraries by name: "keras_applications:", "keras_hub:" or "keras_cv:" + name.

Nothing of them is imported before one is asked for.
"""

import difflib
import re
from contextlib import contextmanager

import keras

from zoo.backbones.backbone import IMAGENET_NORMALIZATION
from zoo.backbones.foreign import ForeignBackbone

_ZERO_TO_255 = {"mean": 0.0, "std": 1 / 255}  # the model scales pictures itself
_MINUS_ONE_TO_ONE = {"mean": 0.5, "std": 0.5}
# Blue first there, 0..255 less the mean colour of ImageNet's pictures; red first here.
_CAFFE = {
    "mean": [123.68 / 255, 116.779 / 255, 103.939 / 255],
    "std": 1 / 255,
    "bgr": True,
}
# What `preprocess_input` does for the models of Keras Applications whose names match, the first
# that does.
_APPLICATIONS = (
    (r"EfficientNet|ConvNeXt|MobileNetV3", _ZERO_TO_255),
    (r"DenseNet", IMAGENET_NORMALIZATION),
    (r"ResNet\d+$|VGG", _CAFFE),
    (r"", _MINUS_ONE_TO_ONE),
)
_RESNET = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 128, 256, 512],
    "stackwise_num_strides": [1, 2, 2, 2],
}
# Of KerasHub's presets, whose configs are downloaded with their weights: what builds them without.
_HUB_CONFIGS = {
    "resnet_18_imagenet": _RESNET
    | {"stackwise_num_blocks": [2, 2, 2, 2], "block_type": "basic_block"},
    "resnet_50_imagenet": _RESNET
    | {"stackwise_num_blocks": [3, 4, 6, 3], "block_type": "bottleneck_block"},
    "resnet_101_imagenet": _RESNET
    | {"stackwise_num_blocks": [3, 4, 23, 3], "block_type": "bottleneck_block"},
}

# KerasCV downloads the configs of its named backbones too.
_CV_CONFIGS = {
    f"ResNet{depth}Backbone": {
        "stackwise_filters": [64, 128, 256, 512],
        "stackwise_blocks": blocks,
        "stackwise_strides": [1, 2, 2, 2],
        "block_type": kind,
    }
    for depth, blocks, kind in (
        (18, [2, 2, 2, 2], "basic_block"),
        (34, [3, 4, 6, 3], "basic_block"),
        (50, [3, 4, 6, 3], "block"),
        (101, [3, 4, 23, 3], "block"),
    )
}


def create_foreign_backbone(name, *, weights=None, dtype=None, **options):
    """Build a `ForeignBackbone` by name.

    Args:
        name: "keras_applications:ResNet50", a function there; "keras_hub:resnet_50_imagenet", a
            preset or the folder of one; "keras_cv:ResNet50Backbone", a class there.
        weights: None: fresh ones; "pretrained": the library downloads its own.
        dtype: the dtype policy; None: Keras' global one.
        **options: of `ForeignBackbone`.
    Raises: ValueError on an unknown name, library or kind of weights.
    """
    library, _, model_name = name.partition(":")
    if library not in _LIBRARIES:
        raise ValueError(f"a library's backbone is one of {', '.join(_LIBRARIES)}; got {name!r}.")
    if weights not in (None, "pretrained"):
        raise ValueError(
            f'weights of {name} must be None or "pretrained", which downloads; got {weights!r}.'
        )
    with _policy(dtype):
        levels, normalization = _LIBRARIES[library](model_name, weights == "pretrained")
    model = keras.Model(levels[0], levels[1], name=_layer_name(model_name))
    return ForeignBackbone(model, **normalization, **options, dtype=dtype, name=_layer_name(name))


def _from_applications(name, pretrained):
    public = {n for n in dir(keras.applications) if n[0].isupper()}
    _check_name(name, public, "keras.applications")
    create = getattr(keras.applications, name)
    whole = create(include_top=False, weights="imagenet" if pretrained else None)
    return (whole.inputs, _last_of_each_size(whole)), application_input(name)


def application_input(name) -> dict:
    """Return what a model of Keras Applications expects: mean, std, and whether blue is first."""
    return next(kind for pattern, kind in _APPLICATIONS if re.match(pattern, name))


def _last_of_each_size(model):
    """Return the last map of each size; a block that halves may begin with its expansion there."""
    tensors = [layer.output for layer in model.layers]
    probe = keras.Model(model.inputs, tensors)
    specs = probe.compute_output_spec(keras.KerasTensor((1, 256, 256, 3)))
    last = {}
    for tensor, spec in zip(tensors, specs, strict=True):
        if len(spec.shape) == 4 and spec.shape[1] in (128, 64, 32, 16, 8):
            last[spec.shape[1]] = tensor
    return list(last.values())


def _from_hub(name, pretrained):
    import keras_hub

    if pretrained or "/" in name or name.startswith("."):
        whole = keras_hub.models.Backbone.from_preset(name)
        normalization = _hub_normalization(keras_hub, name)
    else:
        if name not in _HUB_CONFIGS:
            raise ValueError(
                f"without its weights, keras_hub:{name} is not known here, only "
                f'{", ".join(_HUB_CONFIGS)}. weights="pretrained" downloads any preset.'
            )
        whole = keras_hub.models.ResNetBackbone(**_HUB_CONFIGS[name])
        normalization = IMAGENET_NORMALIZATION
    pyramid = getattr(whole, "pyramid_outputs", None)
    if not pyramid:
        raise ValueError(
            f"keras_hub:{name} is a {type(whole).__name__}, which gives no feature pyramid. Is it "
            "a convolutional backbone for pictures?"
        )
    return (whole.inputs, [pyramid[level] for level in sorted(pyramid)]), normalization


def _hub_normalization(keras_hub, name):
    """Read scale and offset of a preset's image converter, x * scale + offset on 0..255."""
    try:
        converter = keras_hub.layers.ImageConverter.from_preset(name)
    except ValueError:  # a folder that holds the backbone alone
        return IMAGENET_NORMALIZATION
    scale = 1.0 if converter.scale is None else converter.scale
    offset = 0.0 if converter.offset is None else converter.offset
    scales, offsets = (
        list(v) if isinstance(v, (list, tuple)) else [v] * 3 for v in (scale, offset)
    )
    return {
        "mean": [-o / s / 255 for o, s in zip(offsets, scales, strict=True)],
        "std": [1 / (255 * s) for s in scales],
    }


def _from_cv(name, pretrained):
    try:
        import keras_cv
    except ImportError:
        raise ValueError(
            f"keras_cv:{name} takes KerasCV: pip install 'keras-vision-zoo[keras-cv]'"
        ) from None
    public = {n for n in dir(keras_cv.models) if n.endswith("Backbone")}
    _check_name(name, public, "keras_cv.models")
    create = getattr(keras_cv.models, name)
    if pretrained:
        if not create.presets_with_weights:
            raise ValueError(f"keras_cv has no weights for {name}.")
        whole = create.from_preset(next(iter(create.presets_with_weights)))
    elif name in _CV_CONFIGS:
        whole = keras_cv.models.ResNetBackbone(**_CV_CONFIGS[name], include_rescaling=True)
    else:
        raise ValueError(
            f"without its weights, keras_cv:{name} is not known here, only "
            f'{", ".join(_CV_CONFIGS)}. weights="pretrained" downloads.'
        )
    pyramid = whole.pyramid_level_inputs
    tensors = [whole.get_layer(pyramid[level]).output for level in sorted(pyramid)]
    return (whole.inputs, tensors), _ZERO_TO_255


def _check_name(name, public, module):
    if name in public:
        return
    near = difflib.get_close_matches(name, public, n=3)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise ValueError(f"{module} has no {name!r}.{hint}")


def _layer_name(name):
    return re.sub(r"\W+", "_", name).strip("_")


@contextmanager
def _policy(dtype):
    """Let models that take no dtype be built under one."""
    before = keras.config.dtype_policy()
    try:
        if dtype is not None:
            keras.config.set_dtype_policy(dtype)
        yield
    finally:
        keras.config.set_dtype_policy(before)


_LIBRARIES = {
    "keras_applications": _from_applications,
    "keras_hub": _from_hub,
    "keras_cv": _from_cv,
}
