"""ImageConverter: pixels to the network's size and boxes both ways, exactly undone."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.layers.image_converter import ImageConverter

pytestmark = pytest.mark.any_backend

NOISE = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
SIZES = st.integers(1, 4000)


@pytest.mark.parametrize("mode", ["resize", "letterbox"])
def test_picture_of_the_right_size_passes_bit_for_bit(mode):
    pixels, frame = ImageConverter((64, 48), mode=mode).convert(NOISE)
    np.testing.assert_array_equal(pixels, NOISE)
    assert (frame.scale_y, frame.scale_x, frame.offset_y, frame.offset_x) == (1, 1, 0, 0)


def test_result_does_not_share_memory_with_the_picture():
    pixels, _ = ImageConverter((64, 48)).convert(NOISE)
    assert not np.shares_memory(pixels, NOISE)


def test_halving_averages_with_the_triangle_filter():
    # Pillow's bilinear filter at half size weighs 1/8 3/8 3/8 1/8; the border renormalises:
    # columns 0 0 | 200 200 -> left pixel (3/8 0 + 3/8 0 + 1/8 200) / (7/8) = 28.6, right 171.4
    step = np.zeros((2, 4, 3), np.uint8)
    step[:, 2:] = 200
    pixels, _ = ImageConverter((1, 2)).convert(step)
    np.testing.assert_array_equal(pixels[0, :, 0], [29, 171])


def test_resize_maps_boxes_by_the_picture_alone():
    converter = ImageConverter((256, 256))
    frame = converter.frame(100, 200)
    boxes = converter.to_network([[50, 25, 150, 100]], frame)
    np.testing.assert_allclose(boxes, [[0.25, 0.25, 0.75, 1.0]], rtol=1e-6)  # float32


def test_letterbox_centres_the_picture_between_bars():
    # 100x200 into 256x256: scale 1.28, 128 rows, (256 - 128) / 2 = 64 above and below
    picture = np.full((100, 200, 3), 200, np.uint8)
    pixels, frame = ImageConverter((256, 256), mode="letterbox", fill=7).convert(picture)
    assert pixels.shape == (256, 256, 3)
    assert (pixels[:64] == 7).all()
    assert (pixels[64:192] == 200).all()
    assert (pixels[192:] == 7).all()
    assert (frame.scale_y, frame.scale_x, frame.offset_y, frame.offset_x) == (1.28, 1.28, 64, 0)


def test_letterbox_maps_boxes_into_the_bars_frame():
    converter = ImageConverter((256, 256), mode="letterbox")
    frame = converter.frame(100, 200)
    # y: (0 * 1.28 + 64) / 256 = .25, (100 * 1.28 + 64) / 256 = .75
    boxes = converter.to_network([[0, 0, 200, 100]], frame)
    np.testing.assert_allclose(boxes, [[0, 0.25, 1, 0.75]], rtol=1e-6)  # float32


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1)])
def test_letterbox_keeps_a_line_of_the_thinnest_picture(shape):
    pixels, _ = ImageConverter((32, 32), mode="letterbox").convert(
        np.full((*shape, 3), 255, np.uint8)
    )
    assert (pixels == 255).all(axis=-1).sum() == 32


def test_boxes_outside_the_picture_are_clipped():
    converter = ImageConverter((256, 256), mode="letterbox")
    frame = converter.frame(100, 200)
    boxes = converter.to_picture([[-0.5, 0.0, 2.0, 1.0]], frame)
    np.testing.assert_array_equal(boxes, [[0, 0, 200, 100]])


def test_no_boxes_stay_no_boxes():
    converter = ImageConverter((8, 8))
    frame = converter.frame(3, 5)
    assert converter.to_network(np.zeros((0, 4)), frame).shape == (0, 4)
    assert converter.to_picture(np.zeros((0, 4)), frame).shape == (0, 4)


@settings(max_examples=200, deadline=None)
@given(
    mode=st.sampled_from(["resize", "letterbox"]),
    network=st.tuples(st.integers(1, 1024), st.integers(1, 1024)),
    picture=st.tuples(SIZES, SIZES),
    corners=st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_to_picture_undoes_to_network(mode, network, picture, corners):
    height, width = picture
    x, y = sorted(corners[:2]), sorted(corners[2:])
    box = np.array([[x[0] * width, y[0] * height, x[1] * width, y[1] * height]])
    converter = ImageConverter(network, mode=mode)
    frame = converter.frame(height, width)
    back = converter.to_picture(converter.to_network(box, frame), frame)
    # a fraction is held in float32: half a unit in its last place, 2^-25, of the network's input
    # in pixels of the picture; twice that, and the float32 of the answer
    size = np.array([network[1], network[0]] * 2)
    scale = np.array([frame.scale_x, frame.scale_y] * 2)
    tolerance = 2.0**-23 * (size / scale + np.array([width, height] * 2))
    assert (np.abs(back - box) <= tolerance).all()


@pytest.mark.parametrize("mode", ["resize", "letterbox"])
def test_marked_pixels_move_with_their_box(mode):
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[30:60, 40:120] = 255
    converter = ImageConverter((128, 64), mode=mode, fill=0)
    pixels, frame = converter.convert(picture)
    left, top, right, bottom = converter.to_network([[40, 30, 120, 60]], frame)[0]
    rows = np.flatnonzero((pixels[..., 0] > 127).any(axis=1))
    columns = np.flatnonzero((pixels[..., 0] > 127).any(axis=0))
    # an edge lies within half a pixel of where the intensity crosses the middle
    np.testing.assert_allclose([rows[0], rows[-1] + 1], np.array([top, bottom]) * 128, atol=0.51)
    np.testing.assert_allclose(
        [columns[0], columns[-1] + 1], np.array([left, right]) * 64, atol=0.51
    )


def test_converter_travels_through_its_config():
    converter = ImageConverter((300, 200), mode="letterbox", fill=3)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(converter))
    assert isinstance(again, ImageConverter)
    assert again.get_config() == converter.get_config()
    assert again.image_size == (300, 200)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": (8, 8), "mode": "crop"}, "mode must be one of resize, letterbox"),
        ({"image_size": (0, 8)}, "image_size must be"),
        ({"image_size": 256}, "image_size must be"),
        ({"image_size": (8, 8), "fill": 300}, "fill must lie in 0..255"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ImageConverter(**options)


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)]
)
def test_anything_but_rgb_bytes_is_refused(picture):
    with pytest.raises(ValueError, match=r"must be \(h, w, 3\) uint8; got"):
        ImageConverter((8, 8)).convert(picture)
