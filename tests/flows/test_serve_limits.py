"""Pictures are judged by their headers: nothing large is decoded, and each refusal says why."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image
from served import encoded, picture

from flows.serve_limits import Intake, Limits, RefusedError, check_picture

pytestmark = pytest.mark.any_backend

LIMITS = Limits(megabytes=1, megapixels=0.5, pictures=4)
PICTURE = picture(0)


def png_header(width, height):
    """A PNG of one IHDR chunk, which claims a size, and an empty IDAT."""

    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def as_file(kind):
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_is_kept_encoded_and_counted_in_pixels(kind):
    data = encoded(PICTURE, kind)
    checked = check_picture(data, LIMITS, "it")
    assert (checked.data, checked.shape, checked.pixels) == (data, None, 48 * 80)


def test_an_array_keeps_its_shape():
    checked = check_picture(PICTURE, LIMITS, "it")
    assert (checked.shape, checked.pixels) == ((48, 80, 3), 48 * 80)
    np.testing.assert_array_equal(np.frombuffer(checked.data, np.uint8).reshape(48, 80, 3), PICTURE)


@pytest.mark.parametrize(
    ("given", "status", "reason"),
    [
        (png_header(100_000, 100_000), 413, "far more, above the limit of 0.5 megapixels"),
        (png_header(10_000, 10_000), 413, "10000x10000 pixels, above the limit"),
        (png_header(1_000, 501), 413, "1000x501 pixels, above the limit of 0.5 megapixels"),
        (np.zeros((501, 1000, 3), np.uint8), 413, "1000x501 pixels"),
        (b"", 422, "empty"),
        (encoded(PICTURE, "JPEG")[:20], 422, "damaged; its header cannot be read"),
        (encoded(PICTURE, "PNG")[:20], 422, "damaged; its header cannot be read"),
        (as_file("GIF"), 415, "neither JPEG nor PNG"),
        (as_file("BMP"), 415, "neither JPEG nor PNG"),
        (as_file("TIFF"), 415, "neither JPEG nor PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "neither JPEG nor PNG"),
        (np.zeros((2, 2, 2, 3), np.uint8), 422, "must be (H, W, 3) or (H, W); got (2, 2, 2, 3)"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_status_and_reason(given, status, reason):
    with pytest.raises(RefusedError) as caught:
        check_picture(given, LIMITS, "cat.png")
    assert caught.value.status == status
    assert caught.value.reason.startswith("cat.png: ")
    assert reason in caught.value.reason


def test_a_picture_at_the_limit_passes():
    assert check_picture(png_header(1_000, 500), LIMITS, "it").pixels == 500_000


def test_a_bomb_costs_no_memory():
    bomb = encoded(np.zeros((6_000, 6_000), np.uint8))  # 36 megapixels in 35 kB
    tracemalloc.start()
    with pytest.raises(RefusedError):
        check_picture(bomb, LIMITS, "it")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6


def test_the_intake_bounds_requests_and_bytes_and_frees_both():
    intake = Intake(requests=2, bytes=100, retry_after=lambda: 7)
    with intake.admit(60):
        with pytest.raises(RefusedError) as caught, intake.admit(41):
            pass
        assert (caught.value.status, caught.value.retry_after) == (429, 7)
        with intake.admit(40), pytest.raises(RefusedError), intake.admit(0):
            pass
    with pytest.raises(ZeroDivisionError), intake.admit(100):
        raise ZeroDivisionError
    with intake.admit(100):
        pass
