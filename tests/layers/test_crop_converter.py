"""The middle of a picture at the network's size."""

import keras
import numpy as np
import pytest
from PIL import Image

from zoo.layers import CropConverter

pytestmark = pytest.mark.any_backend


def ramp(height, width):
    """A smooth picture: red rises to the right, green downwards."""
    rows, columns = np.mgrid[:height, :width]
    red, green = 255 * columns / (width - 1), 255 * rows / (height - 1)
    return np.stack([red, green, np.full_like(red, 90)], axis=-1).round().astype("uint8")


def test_a_picture_of_the_size_passes_whole_where_all_of_it_is_asked_for():
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype("uint8")
    pixels, _ = CropConverter((32, 48), crop_fraction=1.0).convert(picture)
    np.testing.assert_array_equal(pixels, picture)


@pytest.mark.parametrize("size", [(300, 400), (500, 375), (256, 256)])
def test_it_is_the_usual_resize_of_the_shorter_side_and_central_crop(size):
    picture = ramp(*size)
    height, width = (round(side * 256 / min(size)) for side in size)
    usual = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - 224) / 2, (height - 224) / 2
    usual = np.asarray(usual.crop((int(left), int(top), int(left) + 224, int(top) + 224)))
    pixels, _ = CropConverter((224, 224)).convert(picture)
    # Sides are rounded to whole pixels in the usual way: half a pixel of a ramp, and rounding.
    assert np.abs(pixels.astype(int) - usual).max() <= 2


def test_the_frame_maps_the_window_to_the_input():
    converter = CropConverter((100, 200), crop_fraction=0.5)
    # The largest window of 2:1 in 300x300 is 300x150; half its sides, around (150, 150).
    assert converter.window(300, 300) == (75.0, 112.5, 225.0, 187.5)
    _, frame = converter.convert(np.zeros((300, 300, 3), "uint8"))
    assert 75.0 * frame.scale_x + frame.offset_x == pytest.approx(0)
    assert 187.5 * frame.scale_y + frame.offset_y == pytest.approx(100)


def test_one_pixel_fills_the_input():
    pixels, _ = CropConverter((8, 8)).convert(np.full((1, 1, 3), 77, "uint8"))
    np.testing.assert_array_equal(pixels, 77)


def test_its_config_gives_it_back():
    converter = CropConverter((20, 30), 0.9)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(converter))
    assert again.get_config() == converter.get_config()


def test_bad_arguments_are_told():
    with pytest.raises(ValueError, match=r"crop_fraction must lie above 0, 1 at most; got 1\.5"):
        CropConverter((8, 8), 1.5)
    with pytest.raises(ValueError, match="One number for both sides"):
        CropConverter(224)
    with pytest.raises(ValueError, match=r"must be \(h, w, 3\) uint8; got \(8, 8\)"):
        CropConverter((8, 8)).convert(np.zeros((8, 8), "uint8"))
