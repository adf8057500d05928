"""The photographs behind painted objects: scikit-image, scikit-learn and matplotlib install them.

Training and validation use different photographs. Grey ones get a tint, so that colour alone
never tells an object from its background.
"""

import importlib.util
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.pictures import read_picture

JPEG_QUALITY = 93
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


def crop_photograph(rng: np.random.Generator, split: str, size: int) -> np.ndarray:
    """Return a random crop of a random photograph of a split, (size, size, 3) float32."""
    names = PHOTOGRAPHS[split]
    photograph = read_photograph(names[rng.integers(len(names))])
    height, width = photograph.pixels.shape[:2]
    side = int(rng.uniform(0.4, 1.0) * min(height, width))
    left, top = rng.integers(0, width - side + 1), rng.integers(0, height - side + 1)
    crop = Image.fromarray(photograph.pixels[top : top + side, left : left + side])
    pixels = np.asarray(crop.resize((size, size), Image.Resampling.BICUBIC), np.float32)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    return _tinted(pixels, rng) if photograph.grey else pixels.copy()


def develop(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give a painting exposure, colour of the light, contrast and grain: float -> uint8."""
    gain = rng.uniform(0.65, 1.2) * rng.uniform(0.9, 1.1, 3)
    contrast, grain = rng.uniform(0.85, 1.15), rng.uniform(0.0, 5.0)
    noise = rng.integers(-128, 128, (*canvas.shape[:2], 1), dtype=np.int8).astype(np.float32)
    pixels = canvas * (gain * contrast).astype(np.float32) + noise * np.float32(grain / 128)
    return np.clip(pixels + np.float32(118.0 * (1.0 - contrast)), 0, 255).astype(np.uint8)


def encode_jpeg(pixels: np.ndarray) -> bytes:
    """Return the JPEG of pixels, with full colour resolution, which all decoders read alike."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def _tinted(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey -> a ramp from a dark to a light colour, at most moderately saturated."""
    dark, light = rng.uniform(0, 60, 3), rng.uniform(150, 255, 3)
    return dark.astype(np.float32) + pixels * ((light - dark) / 255.0).astype(np.float32)
