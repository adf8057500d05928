"""The colours of one picture given to another (Gatys 2016, Preserving Color in Style Transfer).

NumPy and Pillow, no Keras. Pictures are (H, W, 3) uint8 RGB.
"""

import numpy as np
from PIL import Image

COLOR_MODES = ("none", "luminance", "match")


def keep_colors(picture, reference) -> np.ndarray:
    """Return a picture's brightness with the colours of another of its size (section 3.2).

    Args:
        picture, reference: (H, W, 3) uint8.
    Returns: (H, W, 3) uint8; Y from `picture`, Cb and Cr from `reference`.
    Raises: ValueError if the sizes differ.
    """
    if picture.shape != reference.shape:
        raise ValueError(f"pictures must have one size; got {picture.shape} and {reference.shape}.")
    brightness = Image.fromarray(picture).convert("YCbCr").getchannel("Y")
    _, blue, red = Image.fromarray(reference).convert("YCbCr").split()
    return np.asarray(Image.merge("YCbCr", (brightness, blue, red)).convert("RGB"))


def match_colors(picture, reference) -> np.ndarray:
    """Move a picture's colours so that their mean and covariance are another's (section 3.1).

    Args:
        picture: (H, W, 3) uint8; reference: (h, w, 3) uint8.
    Returns: (H, W, 3) uint8.
    """
    pixels, others = (one.reshape(-1, 3).astype(np.float64) for one in (picture, reference))
    turn = _root(others) @ np.linalg.inv(_root(pixels))
    moved = (pixels - pixels.mean(axis=0)) @ turn.T + others.mean(axis=0)
    return np.clip(np.rint(moved), 0, 255).astype(np.uint8).reshape(picture.shape)


def _root(pixels) -> np.ndarray:
    """Return the symmetric square root of the colours' covariance, (3, 3)."""
    # A grey picture has one colour axis; the ridge, a hundredth of a grey level, keeps an inverse.
    covariance = np.cov(pixels.T) + 1e-4 * np.eye(3)
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(values) @ vectors.T
