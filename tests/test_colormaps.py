"""Colours of classes: VOC's own, and the way from coloured masks to class maps and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.colormaps import (
    VOC_CLASSES,
    VOID,
    VOID_COLOR,
    UnknownColorError,
    classes_to_colors,
    colors_to_classes,
    voc_colormap,
)

pytestmark = pytest.mark.any_backend

# as the book prints them, section 13.9.2
BOOK = {
    "background": (0, 0, 0), "aeroplane": (128, 0, 0), "bicycle": (0, 128, 0),
    "bird": (128, 128, 0), "boat": (0, 0, 128), "bottle": (128, 0, 128), "bus": (0, 128, 128),
    "car": (128, 128, 128), "cat": (64, 0, 0), "chair": (192, 0, 0), "cow": (64, 128, 0),
    "diningtable": (192, 128, 0), "dog": (64, 0, 128), "horse": (192, 0, 128),
    "motorbike": (64, 128, 128), "person": (192, 128, 128), "potted plant": (0, 64, 0),
    "sheep": (128, 64, 0), "sofa": (0, 192, 0), "train": (128, 192, 0), "tv/monitor": (0, 64, 128),
}  # fmt: skip


def test_colours_and_classes_of_voc_are_the_books():
    assert dict(zip(VOC_CLASSES, voc_colormap(), strict=True)) == BOOK
    assert tuple(BOOK) == VOC_CLASSES


def test_256_classes_have_colours_of_their_own_and_the_last_is_the_devkits_void():
    assert len(set(voc_colormap(256))) == 256
    assert voc_colormap(256)[VOID] == VOID_COLOR


@given(st.integers(1, 255), st.integers(0, 2**32 - 1))
def test_painting_and_reading_give_the_classes_back(count, seed):
    random = np.random.default_rng(seed)
    classes = random.choice([*range(count), VOID], (5, 7)).astype(np.uint8)
    painted = classes_to_colors(classes, voc_colormap(count))
    np.testing.assert_array_equal(colors_to_classes(painted, voc_colormap(count)), classes)


def test_unknown_colour_is_named_with_its_first_pixel():
    pixels = np.zeros((4, 5, 3), np.uint8)
    pixels[2, 3] = pixels[3, 0] = (1, 2, 3)
    with pytest.raises(UnknownColorError, match=r"\(1, 2, 3\) at x 3, y 2 .* 10\.0% of the pixels"):
        colors_to_classes(pixels, voc_colormap())


@pytest.mark.parametrize("label", [2, -1, 300])
def test_class_without_a_colour_is_refused(label):
    with pytest.raises(ValueError, match=rf"must be 0\.\.1 or 255; got {label}\. Is a colour"):
        classes_to_colors(np.full((2, 2), label), voc_colormap(2))


def test_odd_input_is_refused():
    with pytest.raises(ValueError, match=r"must be \(h, w, 3\) RGB; got \(4, 5\)"):
        colors_to_classes(np.zeros((4, 5), np.uint8), voc_colormap())
    with pytest.raises(ValueError, match="1 to 256 colours; got 300"):
        voc_colormap(300)
