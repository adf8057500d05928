"""Any picture a user may hand over -> (H, W, 3) uint8 RGB, upright.

Words: a picture is what the user has (a file, bytes, an array); pixels are what the models take.
"""

import errno
import io
import os
import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

MAX_PIXELS = 89_478_485  # Pillow's own limit, 256 MB decoded: beyond it a mistake or an attack
MAX_BYTES = 2**30  # of a file
# Pillow knows some forty formats; EPS starts Ghostscript to read one. These compute, and no more.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
STRIP_PIXELS = 2**20  # that are converted at once, or a row of more
BACKDROP = (255, 255, 255)  # what shows through transparent pixels: white, as on a browser's page

# Pillow's remarks on large or odd files: what matters of them `read_picture` says in one line.
# Once for the process, since warnings.catch_warnings is not safe in the pipeline's threads.
warnings.filterwarnings("ignore", module=r"PIL\.")
ORIENTATION_TAG = 0x0112


def read_picture(picture) -> np.ndarray:
    """Read a picture of any common kind as upright 8-bit RGB.

    EXIF orientation is applied. Palette, grey, CMYK and YCbCr pictures are converted; 16-bit grey
    keeps its high byte; transparent pixels show white; of an animation the first frame counts.

    Args:
        picture: path (str or PathLike) of a file, the file's bytes, or a uint8 array (H, W),
            (H, W, 1), (H, W, 3) or (H, W, 4).
    Returns: (H, W, 3) uint8, RGB.
    Raises:
        ValueError: the file is missing, damaged, not a picture or larger than `MAX_PIXELS`, or
            the array has another shape or dtype. One line that names the picture and the remedy.
    """
    if isinstance(picture, np.ndarray):
        return _from_array(picture)
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(picture), f"a picture of {len(picture)} bytes")
    if isinstance(picture, (str, os.PathLike)):
        return _from_bytes(_read_file(Path(picture)), str(picture))
    raise ValueError(
        "a picture must be a path, the bytes of a file or a uint8 array (H, W, 3); "
        f"got {type(picture).__name__}. Convert it with numpy.asarray first?"
    )


def resize_picture(picture: np.ndarray, size) -> np.ndarray:
    """Resize with Pillow's antialiased bilinear filter; a picture of that size stays as it is.

    Args:
        picture: (H, W, 3) uint8.
        size: as `proportional_size` takes it.
    Returns: (height, width, 3) uint8.
    """
    rows, columns = proportional_size(picture, size)
    if picture.shape[:2] == (rows, columns):
        return picture
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((columns, rows), Image.Resampling.BILINEAR))


def proportional_size(picture: np.ndarray, size) -> tuple[int, int]:
    """Return the (height, width) that is meant.

    Args:
        picture: (H, W, 3).
        size: (height, width); a height, which keeps the proportions; or None: as it is.
    """
    height, width = picture.shape[:2]
    if size is None:
        return height, width
    if isinstance(size, int):
        return size, max(round(width * size / height), 1)
    return tuple(size)


def picture_bytes(path: Path) -> bytes:
    """Return the bytes of a picture's file.

    Raises:
        OSError: there is none, it is no regular file (a device has no end, a pipe no beginning),
            or it is larger than `MAX_BYTES`.
        ValueError: no name for a file.
    """
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode) and not stat.S_ISDIR(facts.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if facts.st_size > MAX_BYTES:
        raise OSError(errno.EFBIG, f"more than {MAX_BYTES >> 20} MiB")
    return path.read_bytes()


def open_picture(encoded: bytes) -> Image.Image:
    """Open an encoded picture of one of `FORMATS`; its pixels are not decoded as yet.

    Raises: whatever Pillow does on what it cannot read.
    """
    return Image.open(io.BytesIO(encoded), formats=FORMATS)


def _read_file(path: Path) -> bytes:
    try:
        return picture_bytes(path)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such picture. Is the path right?") from None
    except IsADirectoryError:
        raise ValueError(f"{path}: a folder, not a picture. Name the files in it.") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{str(path)!r}: cannot be read ({reason}).") from None


def _from_bytes(encoded: bytes, name: str) -> np.ndarray:
    if not encoded:
        raise ValueError(f"{name}: empty, not a picture. Was the file written to its end?")
    image = _open(encoded, name)
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(
            f"{name}: {image.width}x{image.height} pixels, more than the {MAX_PIXELS} allowed. "
            "Make it smaller first."
        )
    try:
        return _pixels(_upright(image))
    except Exception as error:  # the same, while decoding the pixels
        raise ValueError(
            f"{name}: damaged or unsupported {image.format} picture ({_reason(error)}). "
            "Save it again as JPEG or PNG."
        ) from None


def _open(encoded: bytes, name: str) -> Image.Image:
    try:
        return open_picture(encoded)
    except Image.DecompressionBombError:
        raise ValueError(
            f"{name}: more than the {MAX_PIXELS} pixels allowed. Make it smaller first."
        ) from None
    except Exception as error:  # decoders raise whatever they like on damaged headers
        raise ValueError(
            f"{name}: not a picture that can be read ({_reason(error)}). Is it JPEG or PNG?"
        ) from None


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    try:
        orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # a broken EXIF block must not cost the picture
        return image
    if orientation != 1:
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _pixels(image: Image.Image) -> np.ndarray:
    """Copy and convert a strip at a time: of a large picture there is no second one meanwhile."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        pixels[top:bottom] = np.asarray(_to_rgb(image.crop((0, top, image.width, bottom))))
    return pixels


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_16_bit(image)
    if image.mode == "F":
        raise ValueError("float pixels have no agreed range")
    if image.has_transparency_data:
        return _composite(image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("32-bit pixels have no agreed range")
    return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")


def _composite(image: Image.Image) -> Image.Image:
    backdrop = Image.new("RGBA", image.size, (*BACKDROP, 255))
    return Image.alpha_composite(backdrop, image).convert("RGB")


def _from_array(array: np.ndarray) -> np.ndarray:
    shape = array.shape
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        hint = " Channels last, one picture at a time?" if array.ndim in (3, 4) else ""
        raise ValueError(
            f"a picture array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); got {shape}.{hint}"
        )
    if array.dtype != np.uint8:
        raise ValueError(
            f"a picture array must be uint8 in 0..255; got {array.dtype}. "
            "Scale and round it: (255 * pixels).round().astype('uint8')?"
        )
    if 0 in shape:
        raise ValueError(f"a picture array must hold pixels; got an empty one, {shape}.")
    if array.ndim == 3 and shape[2] == 4:
        return np.array(_composite(Image.fromarray(np.ascontiguousarray(array))), dtype=np.uint8)
    grey = array.ndim == 2 or shape[2] == 1
    return np.repeat(array.reshape(*shape[:2], 1), 3, axis=2) if grey else array.copy()


def _reason(error: Exception) -> str:
    """First line of an error, without the memory address of the buffer Pillow mentions."""
    text = str(error).split("\n", 1)[0] or type(error).__name__
    return "unknown format" if "cannot identify" in text else text
