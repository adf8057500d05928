"""What a picture's file is: whether it decodes, its size upright and as stored.

Words: *stored* is how the pixels lie in the file; *upright* is how `read_picture` and every viewer
show them, after the EXIF orientation.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.data.annotation_files import why_not
from zoo.pictures import MAX_PIXELS, ORIENTATION_TAG, open_picture, picture_bytes

_SAME_FORMAT = {"MPO": "JPEG", "DIB": "BMP"}  # MPO: what telephones write into .jpg
_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n": "PNG",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
_DECODABLE = re.compile(r"1|L|LA|La|P|PA|RGB|RGBA|RGBa|RGBX|CMYK|YCbCr|LAB|HSV|I|I;16.*")


class PictureError(Exception):
    """Why a picture cannot be used: the kind of defect, and a line."""

    def __init__(self, kind: str, message: str):
        self.kind, self.message = kind, message
        super().__init__(message)


@dataclass(frozen=True)
class PictureFacts:
    """The size of a picture that decodes.

    Attributes:
        stored: (height, width) of the pixels in the file.
        orientation: 1..8, EXIF's; 1 is upright already.
        format: Pillow's name for it, JPEG.
    """

    stored: tuple[int, int]
    orientation: int = 1
    format: str = "JPEG"

    @property
    def upright(self) -> tuple[int, int]:
        """(height, width) as the picture is looked at."""
        return self.stored[::-1] if self.is_turned else self.stored

    @property
    def is_turned(self) -> bool:
        """Does the orientation swap height and width?"""
        return self.orientation >= 5


def read_bytes(path: Path) -> bytes:
    """Read a picture's file.

    Raises: PictureError: it is missing, empty or cannot be read.
    """
    try:
        content = picture_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        message = f"no such picture: {path}. Is the folder complete?"
        raise PictureError("annotation_without_picture", message) from None
    except OSError as error:
        raise PictureError("unreadable_file", f"cannot be read: {why_not(error)}.") from None
    except ValueError:  # a null character, or half a surrogate pair
        raise PictureError("annotation_without_picture", "no name for a file.") from None
    if not content:
        raise PictureError("empty_file", "an empty file. Was it written to its end?")
    return content


def measure_picture(encoded: bytes) -> PictureFacts:
    """Decode a picture to its end, and tell its size.

    A JPEG is decoded at an eighth of its size: that reads all of the file, and takes a third of
    the time.

    Raises: PictureError: `zoo.pictures.read_picture` would refuse it.
    """
    try:
        image = open_picture(encoded)
    except Image.DecompressionBombError:
        raise _oversized("") from None
    except Exception:  # decoders raise whatever they like on damaged headers
        raise _headless(encoded) from None
    stored = (image.height, image.width)
    if image.width * image.height > MAX_PIXELS:
        raise _oversized(f"{image.width}x{image.height} ")
    form = image.format or ""
    _decode(image)
    try:  # after decoding: a PNG would be decoded for it, and a failure be taken for bad EXIF
        orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # a broken EXIF block must not cost the picture
        orientation = 1
    known = isinstance(orientation, int) and 1 <= orientation <= 8
    return PictureFacts(stored, orientation if known else 1, _SAME_FORMAT.get(form, form))


def expected_format(path: Path) -> str | None:
    """The format that a file's suffix says; None where it says none."""
    form = Image.registered_extensions().get(path.suffix.lower())
    return _SAME_FORMAT.get(form, form)


def _decode(image: Image.Image) -> None:
    try:
        image.draft("RGB", (1, 1))
        image.load()
    except Exception as error:
        text = str(error).split("\n", 1)[0]
        cut = "truncated" in text.lower() or "unrecognized data stream" in text
        kind = "truncated_picture" if cut else "damaged_picture"
        what = "ends before its pixels do" if cut else f"cannot be decoded ({text})"
        message = f"a {image.format} picture that {what}. Copy or save it again."
        raise PictureError(kind, message) from None
    if not _DECODABLE.fullmatch(image.mode) or not _in_16_bits(image):
        message = f"{image.mode} pixels have no agreed range. Save it with 8 or 16 bits."
        raise PictureError("unsupported_picture", message)


def _in_16_bits(image: Image.Image) -> bool:
    """Of 32-bit pixels only those within 0..65535 have a meaning: 16-bit ones."""
    if image.mode != "I":
        return True
    low, high = image.getextrema()
    return low >= 0 and high <= np.iinfo(np.uint16).max


def _headless(encoded: bytes) -> PictureError:
    """What to say of a file whose header cannot be read."""
    begun = next((form for start, form in _SIGNATURES.items() if encoded.startswith(start)), None)
    if begun is None:
        return PictureError("not_a_picture", "no picture that can be read. Is it JPEG or PNG?")
    message = f"begins like {begun}, but has no whole header. Was it written to its end?"
    return PictureError("truncated_picture", message)


def _oversized(size: str) -> PictureError:
    message = f"{size}more than the {MAX_PIXELS} pixels allowed. Make it smaller first."
    return PictureError("oversized_picture", message)
