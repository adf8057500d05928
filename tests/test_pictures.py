"""read_picture: every common kind of picture becomes upright 8-bit RGB; every failure one line."""

import io
import os
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo.pictures import STRIP_PIXELS, read_picture

pytestmark = pytest.mark.any_backend

RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def encode(image, format="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_of_size(width, height) -> bytes:
    """A PNG whose header promises a size that its data does not hold."""

    def chunk(kind, content):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def error_of(picture) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        read_picture(picture)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_path_bytes_and_array_give_the_same_pixels(tmp_path):
    encoded = encode(Image.fromarray(RGB))
    path = tmp_path / "a.png"
    path.write_bytes(encoded)
    for picture in (path, str(path), encoded, bytearray(encoded), memoryview(encoded), RGB):
        pixels = read_picture(picture)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, RGB)


def test_result_is_a_writable_copy():
    picture = RGB.copy()
    read_picture(picture)[:] = 0
    np.testing.assert_array_equal(picture, RGB)
    read_picture(encode(Image.fromarray(RGB)))[:] = 0


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1)])
def test_grey_array_fills_three_channels(shape):
    grey = np.arange(24, dtype=np.uint8)
    pixels = read_picture(grey.reshape(shape))
    np.testing.assert_array_equal(pixels, np.stack([grey.reshape(4, 6)] * 3, axis=-1))


def test_grey_palette_and_one_bit_files_become_rgb():
    ramp = np.arange(24, dtype=np.uint8).reshape(4, 6)
    grey = Image.fromarray(ramp)
    np.testing.assert_array_equal(read_picture(encode(grey)), np.stack([ramp] * 3, axis=-1))
    palette = Image.fromarray(RGB).quantize(24)
    np.testing.assert_array_equal(read_picture(encode(palette)), np.array(palette.convert("RGB")))
    one_bit = Image.fromarray((ramp > 11).astype(np.uint8) * 255).convert("1")
    assert set(np.unique(read_picture(encode(one_bit)))) == {0, 255}


def test_transparent_pixels_show_white():
    # alpha 0 -> 255; alpha 255 -> the colour; alpha 128 over white: 255 - 255 * 128 / 255 = 127
    rgba = np.array([[[0, 0, 0, 0], [10, 20, 30, 255], [0, 0, 0, 128]]], np.uint8)
    expected = [[[255, 255, 255], [10, 20, 30], [127, 127, 127]]]
    np.testing.assert_array_equal(read_picture(rgba), expected)
    np.testing.assert_array_equal(read_picture(encode(Image.fromarray(rgba))), expected)


def test_transparent_palette_entry_shows_white():
    image = Image.new("P", (2, 1))
    image.putpalette([9, 8, 7, 1, 2, 3])
    image.putpixel((1, 0), 1)
    encoded = encode(image, transparency=0)
    np.testing.assert_array_equal(read_picture(encoded), [[[255, 255, 255], [1, 2, 3]]])


def test_16_bit_grey_keeps_its_high_byte():
    image = Image.fromarray(np.array([[0x0000, 0x1234, 0xFFFF]], np.uint16))
    np.testing.assert_array_equal(read_picture(encode(image))[0, :, 0], [0x00, 0x12, 0xFF])


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "I;16"])
def test_a_large_picture_is_put_together_of_its_strips(mode):
    columns = STRIP_PIXELS // 8  # two strips of eight rows, and three rows
    values = np.random.default_rng(0).integers(0, 256, (19, columns, 4), dtype=np.uint8)
    values[..., 3] = 255
    grey = np.repeat(values[..., :1], 3, axis=2)
    image = {
        "RGB": Image.fromarray(values[..., :3]),
        "L": Image.fromarray(values[..., 0]),
        "RGBA": Image.fromarray(values),
        "P": Image.fromarray(values[..., 0]).convert("P"),
        "I;16": Image.fromarray(values[..., 0].astype(np.uint16) * 256),
    }[mode]
    assert image.mode == mode
    expected = values[..., :3] if mode in ("RGB", "RGBA") else grey
    np.testing.assert_array_equal(read_picture(encode(image)), expected)


def test_cmyk_jpeg_has_the_colours_it_was_made_of():
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # no cyan, full magenta and yellow: red
    red, green, blue = read_picture(encode(image, "JPEG", quality=95))[8, 8]
    assert red > 240
    assert green < 15
    assert blue < 15


# EXIF 2.32, tag 0x0112: how the stored rows and columns lie -> what brings them upright
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = encode(Image.fromarray(RGB), exif=exif)
    np.testing.assert_array_equal(read_picture(encoded), UPRIGHT[orientation](RGB))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_broken_exif_does_not_cost_the_picture():
    encoded = encode(Image.fromarray(RGB), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    np.testing.assert_array_equal(read_picture(encoded), RGB)


def test_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (3, 2), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    encoded = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_picture(encoded), np.full((2, 3, 3), (255, 0, 0)))


def test_missing_file_is_named(tmp_path):
    assert "nowhere.jpg: no such picture" in error_of(tmp_path / "nowhere.jpg")


def test_folder_is_named_as_such(tmp_path):
    assert "a folder, not a picture" in error_of(tmp_path)


def test_empty_file_is_named(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    assert "empty.png: empty, not a picture" in error_of(path)


def test_text_file_is_not_a_picture(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("no picture at all")
    assert "notes.jpg: not a picture that can be read (unknown format)" in error_of(path)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_truncated_file_is_damaged(tmp_path, format):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    encoded = encode(Image.fromarray(noise), format)
    path = tmp_path / "half"
    path.write_bytes(encoded[: len(encoded) // 2])
    assert "half: " in error_of(path)


@pytest.mark.parametrize("size", [(10_000, 9_000), (60_000, 60_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_decompression_bomb_is_refused_before_it_is_decoded(size):
    message = error_of(png_of_size(*size))
    assert "more than the 89478485" in message
    assert "Make it smaller first" in message


def test_float_array_is_told_to_be_scaled():
    assert "got float32. Scale and round it" in error_of(np.zeros((4, 6, 3), np.float32))


@pytest.mark.parametrize("shape", [(3,), (4, 6, 2), (3, 4, 6), (1, 4, 6, 3)])
def test_wrong_shape_is_shown(shape):
    assert f"got {shape}" in error_of(np.zeros(shape, np.uint8))


def test_empty_array_is_refused():
    assert "got an empty one, (0, 6, 3)" in error_of(np.zeros((0, 6, 3), np.uint8))


@pytest.mark.parametrize("picture", [None, 3, [RGB], Image.fromarray(RGB)])
def test_other_types_are_named(picture):
    assert type(picture).__name__ in error_of(picture)


def test_path_with_a_null_character_is_one_line():
    assert "cannot be read" in error_of("a\0b.png")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_bytes_give_a_picture_or_a_value_error(data):
    format = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "WEBP"]))
    encoded = bytearray(encode(Image.fromarray(RGB.repeat(8, axis=0)), format))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(encoded) - 1))
        encoded[place] = data.draw(st.integers(0, 255))
    try:
        pixels = read_picture(bytes(encoded))
    except ValueError as error:
        message, pixels = str(error), RGB
    else:
        message = "no error"
    assert "\n" not in message
    assert pixels.dtype == np.uint8
    assert pixels.shape[2:] == (3,)


@pytest.mark.timeout(20)
def test_a_pipe_and_a_device_are_no_pictures(tmp_path):
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(ValueError, match=r"cannot be read \(not a regular file"):
            read_picture(path)


def test_a_format_that_another_program_reads_is_refused(monkeypatch):
    def start(*arguments, **_):
        pytest.fail(f"started {arguments}")

    monkeypatch.setattr(subprocess, "Popen", start)
    eps = encode(Image.fromarray(RGB), "EPS")
    with pytest.raises(ValueError, match="not a picture that can be read"):
        read_picture(eps)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000"])
def test_common_formats_are_read(form):
    assert read_picture(encode(Image.fromarray(RGB), form)).shape == RGB.shape
