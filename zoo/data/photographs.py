"""The photographs behind the bananas: files that scikit-image, scikit-learn and matplotlib install.

Training and validation use different photographs. Grey ones get a tint, so that colour alone
never tells a banana from its background.
"""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from zoo.pictures import read_picture

PHOTOGRAPHS = {
    "train": (
        "skimage/data/astronaut.png",
        "skimage/data/brick.png",
        "skimage/data/camera.png",
        "skimage/data/chelsea.png",
        "skimage/data/coffee.png",
        "skimage/data/grass.png",
        "skimage/data/hubble_deep_field.jpg",
        "skimage/data/ihc.png",
        "skimage/data/moon.png",
        "skimage/data/motorcycle_left.png",
        "sklearn/datasets/images/china.jpg",
    ),
    "val": (
        "skimage/data/coins.png",
        "skimage/data/gravel.png",
        "skimage/data/rocket.jpg",
        "sklearn/datasets/images/flower.jpg",
        "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    ),
}


@dataclass(frozen=True)
class Photograph:
    """Pixels (h, w, 3) uint8, and whether they are all grey."""

    pixels: np.ndarray
    grey: bool


@cache
def read_photograph(name: str) -> Photograph:
    """Read a photograph by its path inside site-packages."""
    package, _, inside = name.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"the photograph {name} needs the package {package}: pip install it.")
    pixels = read_picture(Path(spec.submodule_search_locations[0]) / inside)
    return Photograph(pixels, grey=bool((pixels == pixels[..., :1]).all()))
