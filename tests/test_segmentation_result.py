"""Segmentation: what it holds, refuses, and how it is drawn."""

import numpy as np
import pytest

import zoo
from zoo.colormaps import VOC_CLASSES, VOID_COLOR, voc_colormap
from zoo.draw import draw_segmentation
from zoo.results import Segmentation

pytestmark = pytest.mark.any_backend

NAMES = ("ground", "tree", "sky")
CLASSES = np.array([[0, 0, 1], [2, 2, 255], [2, 2, 1]])


def test_arrays_get_the_documented_types_and_are_read_only():
    found = Segmentation(CLASSES, scores=np.ones((3, 3)), class_names=list(NAMES))
    assert zoo.Segmentation is Segmentation
    assert (found.classes.dtype, found.scores.dtype) == ("uint8", "float32")
    assert found.class_names == NAMES
    with pytest.raises(ValueError, match="read-only"):
        found.classes[0] = 1


def test_shares_count_the_pixels_that_have_a_class():
    shares = Segmentation(CLASSES, class_names=NAMES).shares()
    assert list(shares) == [2, 0, 1]
    assert list(shares.values()) == pytest.approx([4 / 9, 2 / 9, 2 / 9])


def test_names_and_colours_default_to_numbers_and_to_vocs():
    found = Segmentation(np.array([[0, 15, 255]]))
    assert found.name(15) == "15"
    person = voc_colormap()[VOC_CLASSES.index("person")]
    np.testing.assert_array_equal(found.to_colors(), [[(0, 0, 0), person, VOID_COLOR]])


def test_colours_are_the_palettes():
    found = Segmentation(CLASSES, palette=[[9, 8, 7], [0, 200, 0], [0, 0, 250]])
    np.testing.assert_array_equal(found.to_colors()[0], [(9, 8, 7), (9, 8, 7), (0, 200, 0)])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"classes": CLASSES[None]}, r"\(h, w\) int; got \(1, 3, 3\) int64.*batch axis"),
        ({"classes": CLASSES / 2}, r"float64\. .*take scores for classes"),
        ({"classes": CLASSES, "scores": np.ones((3, 2))}, r"scores must be \(3, 3\)"),
        ({"classes": CLASSES, "class_names": NAMES[:2]}, r"0\.\.1 as class_names.*got 2"),
        ({"classes": CLASSES, "palette": [(0, 0, 0)]}, r"0\.\.0 as palette.*got 1"),
        ({"classes": -CLASSES}, r"got -1"),
    ],
)
def test_what_does_not_fit_is_told(fields, message):
    with pytest.raises(ValueError, match=message):
        Segmentation(**fields)


def test_pixels_are_tinted_and_black_classes_are_not():
    picture = np.full((3, 3, 3), 100, np.uint8)
    found = Segmentation(CLASSES, palette=[(0, 0, 0), (0, 200, 0), (200, 0, 0)])
    drawn = draw_segmentation(picture, found, opacity=0.5, legend=False)
    np.testing.assert_array_equal(drawn[0], [(100, 100, 100), (100, 100, 100), (50, 150, 50)])
    np.testing.assert_array_equal(drawn[1, 2], (np.array(VOID_COLOR) + 100) // 2)
    assert (picture == 100).all()


def test_the_legend_names_tinted_classes_the_largest_first():
    classes = np.zeros((200, 200), int)
    classes[150:, :] = 1
    classes[100:150, :] = 2
    classes[:100, 100:] = 2
    found = Segmentation(classes, class_names=NAMES, palette=[(0, 0, 0), (0, 200, 0), (200, 0, 0)])
    drawn = draw_segmentation(np.zeros((200, 200, 3), np.uint8), found)
    assert tuple(drawn[2, 1]) == (200, 0, 0)  # sky, and below it tree; ground is black
    captioned = drawn[:, 1].any(axis=-1)
    captioned[100:] = False
    assert {tuple(color) for color in drawn[captioned, 1]} == {(200, 0, 0), (0, 200, 0)}
    assert not drawn[60:100, 1].any()


def test_a_legend_without_room_is_left_out():
    found = Segmentation(np.ones((1, 1), int), class_names=NAMES)
    assert draw_segmentation(np.zeros((1, 1, 3), np.uint8), found).shape == (1, 1, 3)


def test_a_picture_of_another_size_is_told():
    with pytest.raises(ValueError, match=r"is \(3, 4\) but its classes are \(3, 3\)"):
        draw_segmentation(np.zeros((3, 4, 3), np.uint8), Segmentation(CLASSES))
