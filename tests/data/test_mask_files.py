"""Masks of every kind give the class map that they were made of, in the upright picture."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.data.mask_sets import COLORS, class_map, coloured_png, png, voc_png
from zoo.colormaps import VOID, VOID_COLOR, voc_colormap
from zoo.data.layout import MaskCode, MaskFile
from zoo.data.mask_files import read_mask
from zoo.data.masks import upright_array
from zoo.data.picture_facts import PictureError, PictureFacts

pytestmark = pytest.mark.any_backend

CLASSES = class_map()
VOC = MaskCode(21, voc_colormap(), (VOID_COLOR,))
CAMVID = MaskCode(3, COLORS, ((0, 0, 0),))
INDICES = MaskCode(3)
BINARY = MaskCode(2, ((0, 0, 0), (255, 255, 255)))
SHUFFLED = np.random.default_rng(1).permutation(256).astype(np.uint8)


def read(encoded, code, folder, orientation=1, size=(32, 48)):
    (folder / "mask.png").write_bytes(encoded)
    return read_mask(MaskFile(folder / "mask.png", code), PictureFacts(size, orientation))


def with_alpha(encoded: bytes) -> bytes:
    image = Image.open(io.BytesIO(encoded)).convert("RGBA")
    image.putalpha(100)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def reordered(classes: np.ndarray) -> bytes:
    """A palette picture as optimisers leave it: the same colours under other indices."""
    palette = np.array(voc_colormap(256), np.uint8)
    return png(SHUFFLED[classes], palette[np.argsort(SHUFFLED)])


def grey_palette(classes: np.ndarray) -> bytes:
    return png(classes, np.repeat(np.arange(256), 3))


@pytest.mark.parametrize(
    ("encoded", "code"),
    [
        (voc_png(CLASSES), VOC),
        (png(CLASSES), VOC),
        (reordered(CLASSES), VOC),
        (grey_palette(CLASSES), VOC),
        (png(CLASSES.astype(np.uint16)), VOC),
        (coloured_png(CLASSES), CAMVID),
        (with_alpha(coloured_png(CLASSES)), CAMVID),
        (png(CLASSES), CAMVID),
        (png(CLASSES), INDICES),
        (voc_png(CLASSES), INDICES),
        (png(np.repeat(CLASSES[..., None], 3, axis=2)), INDICES),
        (png(CLASSES, form="BMP"), INDICES),
    ],
)
def test_mask_of_any_kind_gives_its_classes(encoded, code, tmp_path):
    found = read(encoded, code, tmp_path)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, CLASSES)


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "LA"])
def test_black_and_white_are_classes_where_the_palette_says_so(mode, tmp_path):
    classes = (CLASSES == 1).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(classes * 255).convert(mode).save(buffer, "PNG")
    np.testing.assert_array_equal(read(buffer.getvalue(), BINARY, tmp_path), classes)


def test_white_without_a_palette_is_void(tmp_path):
    found = read(png(np.full((32, 48), 255, np.uint8)), INDICES, tmp_path)
    assert (found == VOID).all()


@pytest.mark.parametrize("orientation", range(5, 9))
def test_mask_of_the_stored_picture_is_turned_with_it(orientation, tmp_path):
    found = read(png(CLASSES), INDICES, tmp_path, orientation)
    np.testing.assert_array_equal(found, upright_array(CLASSES, orientation))


def test_mask_of_the_upright_picture_stays(tmp_path):
    found = read(png(CLASSES.T.copy()), INDICES, tmp_path, 6)
    np.testing.assert_array_equal(found, CLASSES.T)


def test_mask_of_one_pixel_is_one(tmp_path):
    assert read(png(np.uint8([[2]])), INDICES, tmp_path, size=(1, 1)).tolist() == [[2]]


def test_16_bit_index_beyond_255_is_no_void(tmp_path):
    with pytest.raises(PictureError, match=r"the index 511 at x 0, y 0 .* 100\.0% of the pixels"):
        read(png(np.full((32, 48), 511, np.uint16)), INDICES, tmp_path)
