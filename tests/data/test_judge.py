"""Pictures of all kinds are measured as they are read, and boxes follow their pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.data.tiny_sets import BOX, HEIGHT, WIDTH, picture
from zoo.data.judge import JudgedPicture, judge_picture
from zoo.data.layout import FoundObject, FoundPicture
from zoo.data.picture_facts import PictureError, measure_picture
from zoo.pictures import read_picture
from zoo.run_lengths import decode_mask

pytestmark = pytest.mark.any_backend

KINDS = {
    "JPEG": picture(),
    "progressive JPEG": picture(progressive=True),
    "grey JPEG": picture(mode="L"),
    "CMYK JPEG": picture(mode="CMYK"),
    "PNG": picture("PNG"),
    "palette PNG": picture("PNG", "P"),
    "1-bit PNG": picture("PNG", "1"),
    "grey and alpha PNG": picture("PNG", "LA"),
    "alpha PNG": picture("PNG", "RGBA"),
    "16-bit PNG": picture("PNG", "I;16"),
    "32-bit TIFF of 16-bit values": picture("TIFF", "I"),
    "CMYK TIFF": picture("TIFF", "CMYK"),
    "GIF": picture("GIF", "P"),
    "BMP": picture("BMP"),
    "WebP": picture("WEBP"),
    "one pixel": picture("PNG", size=(1, 1)),
    "a row": picture("PNG", size=(1, 300)),
}


def found(image, *objects, **options):
    return FoundPicture(image, "a", objects, "a.xml", 1, **options)


def judge(image, *objects, **options):
    judged = judge_picture(found(image, *objects, **options), {"cat": 0})
    assert isinstance(judged, JudgedPicture), judged
    return judged


@pytest.mark.parametrize("image", KINDS.values(), ids=KINDS)
def test_every_kind_of_picture_is_usable_and_measured_as_it_is_read(image):
    judged = judge(image)
    assert judged.defects == ()
    assert judged.size == read_picture(image).shape[:2]
    assert judged.encoded == image


@pytest.mark.parametrize("image", KINDS.values(), ids=KINDS)
def test_what_is_cut_off_is_refused_exactly_where_reading_refuses_it(image):
    for length in {*range(0, len(image), 1 + len(image) // 40), len(image) - 1}:
        assert usable(measure_picture, image[:length]) == usable(read_picture, image[:length])


def usable(read, encoded):
    try:
        read(encoded)
    except (PictureError, ValueError):
        return False
    return True


def marked(orientation):
    """A PNG with a white rectangle at `BOX` of the stored pixels."""
    stored = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    left, top, right, bottom = BOX
    stored[top:bottom, left:right] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "PNG", exif=exif.tobytes())
    return buffer.getvalue()


def white_box(pixels):
    rows, columns = np.nonzero(pixels[..., 0] == 255)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_box_and_mask_of_the_upright_picture_lie_on_its_pixels(orientation):
    image = marked(orientation)
    upright = read_picture(image)
    height, width = upright.shape[:2]
    left, top, right, bottom = white_box(upright)
    polygon = [[left, top, right, top, right, bottom, left, bottom]]
    polygon = [[int(value) for value in polygon[0]]]
    thing = FoundObject((left, top, right, bottom), "cat", segmentation=polygon)
    check_on_pixels(judge(image, thing, size=(height, width)), upright)


@pytest.mark.parametrize("orientation", range(5, 9))
def test_box_and_mask_of_the_stored_picture_are_turned_with_it(orientation):
    image = marked(orientation)
    left, top, right, bottom = BOX
    polygon = [[left, top, right, top, right, bottom, left, bottom]]
    thing = FoundObject(BOX, "cat", segmentation=polygon)
    judged = judge(image, thing, size=(HEIGHT, WIDTH))
    check_on_pixels(judged, read_picture(image))
    assert judged.size == (WIDTH, HEIGHT)


def check_on_pixels(judged, upright):
    height, width = judged.size
    (thing,) = judged.objects
    expected = white_box(upright)
    sides = np.array([width, height] * 2)
    np.testing.assert_allclose(np.array(thing.box) * sides, expected, atol=1e-9)  # float64
    np.testing.assert_array_equal(decode_mask(thing.mask, judged.size), upright[..., 0] == 255)
    assert thing.area == pytest.approx((upright[..., 0] == 255).mean())


def test_area_of_the_annotation_is_kept_as_a_share_of_the_picture():
    (thing,) = judge(picture(), FoundObject(BOX, "cat", area=96.0)).objects
    assert thing.area == 96 / (HEIGHT * WIDTH)


def test_box_within_half_a_pixel_of_the_edge_is_clipped_without_a_word():
    judged = judge(picture(), FoundObject((-0.4, 0.0, WIDTH + 0.5, HEIGHT), "cat"))
    assert judged.defects == ()
    assert judged.objects[0].box == (0.0, 0.0, 1.0, 1.0)


def test_box_partly_outside_keeps_the_part_inside():
    judged = judge(picture(), FoundObject((-16.0, 8.0, 24.0, 99.0), "cat"))
    assert [defect.kind for defect in judged.defects] == ["box_partly_outside"]
    assert judged.objects[0].box == (0.0, 0.25, 0.5, 1.0)
    assert judged.objects[0].area == 0.375  # of the part


def test_fractions_are_judged_like_pixels():
    thing = FoundObject((0.5, 0.5, 1.5, 1.0), "cat")
    judged = judge(picture(), thing, FoundObject((2, 2, 3, 3), "cat"), unit="fractions")
    assert [defect.kind for defect in judged.defects] == ["box_partly_outside", "box_outside"]
    assert [thing.box for thing in judged.objects] == [(0.5, 0.5, 1.0, 1.0)]
