"""Colours of classes: from coloured masks to class maps and back; Pascal VOC's names and colours.

Shape letters: h, w a picture's height and width, C classes.
Words: a class map is (h, w), the class of every pixel, 0..C-1; `VOID` marks pixels that belong to
no class, such as VOC's outlines of objects: they are neither learnt nor scored.
Reference: Dive into Deep Learning, section 13.9.2; the colours are those of the VOC devkit.
"""

from collections.abc import Sequence

import numpy as np

VOID = 255
VOID_COLOR = (224, 224, 192)
VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa",
    "train", "tv/monitor",
)  # fmt: skip

Color = tuple[int, int, int]


class UnknownColorError(ValueError):
    """A pixel's colour is no class's."""


def voc_colormap(count: int = len(VOC_CLASSES)) -> tuple[Color, ...]:
    """Return the devkit's colours of the classes 0..count-1; the first 21 are the book's.

    The bits of a class's number, three at a time from the lowest, are the highest remaining bits of
    red, green and blue, so that any 256 classes have colours far apart.

    Args:
        count: 1..256.
    """
    if not 1 <= count <= 256:
        raise ValueError(f"a colour map has 1 to 256 colours; got {count}.")
    return tuple((_channel(one, 0), _channel(one, 1), _channel(one, 2)) for one in range(count))


def colors_to_classes(
    pixels: np.ndarray, colors: Sequence[Color], void: Sequence[Color] = (VOID_COLOR,)
) -> np.ndarray:
    """Read a coloured mask.

    Args:
        pixels: (h, w, 3) uint8, RGB.
        colors: one a class, in the order of the classes; at most 255.
        void: colours of pixels that belong to no class.
    Returns: (h, w) uint8 class map.
    Raises: UnknownColorError: a colour is in neither list; names the first pixel that has it.
    """
    pixels = np.asarray(pixels)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"a coloured mask must be (h, w, 3) RGB; got {pixels.shape}. Read as RGB?")
    known = np.array([*colors, *void], np.int64).reshape(-1, 3)
    classes = np.r_[np.arange(len(colors)), np.full(len(void), VOID)].astype(np.uint8)
    codes = _codes(known)
    order = np.argsort(codes, kind="stable")  # of equal colours the first class counts
    wanted = _codes(pixels)
    places = np.searchsorted(codes, wanted, sorter=order).clip(max=len(codes) - 1)
    found = order[places]
    unknown = codes[found] != wanted
    if unknown.any():
        row, column = np.unravel_index(unknown.argmax(), unknown.shape)
        color = tuple(pixels[row, column].tolist())
        raise UnknownColorError(
            f"the colour {color} at x {column}, y {row} is no class's; "
            f"{unknown.mean():.1%} of the pixels have such a colour."
        )
    return classes[found]


def classes_to_colors(
    classes: np.ndarray, colors: Sequence[Color], void: Color = VOID_COLOR
) -> np.ndarray:
    """Paint a class map.

    Args:
        classes: (h, w) int, 0..C-1 or `VOID`.
        colors: one a class.
        void: colour of pixels that belong to no class.
    Returns: (h, w, 3) uint8, RGB.
    """
    classes = np.asarray(classes)
    table = np.zeros((256, 3), np.uint8)
    table[: len(colors)] = colors
    table[VOID] = void
    beyond = (classes != VOID) & ((classes < 0) | (classes >= len(colors)))
    if beyond.any():
        raise ValueError(
            f"classes must be 0..{len(colors) - 1} or {VOID}; got {classes[beyond].flat[0]}. "
            "Is a colour missing?"
        )
    return table[classes]


def _channel(number: int, channel: int) -> int:
    return sum(((number >> (3 * place + channel)) & 1) << (7 - place) for place in range(3))


def _codes(colors: np.ndarray) -> np.ndarray:
    """RGB (..., 3) -> one number a colour."""
    red, green, blue = np.moveaxis(colors.astype(np.int32), -1, 0)
    return (red << 16) | (green << 8) | blue
