"""What `zoo serve` takes in: how much at a time, and which pictures; looked at, never decoded.

A picture's format and size are read from its header, so a small file that would be a gigabyte of
pixels costs nothing. Every refusal has an HTTP status and one line that says why.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image

FORMATS = ("JPEG", "PNG")
# Pillow warns of large pictures; here they are refused.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class RefusedError(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP.
        reason: one line for whoever asked.
        retry_after: seconds after which it may go better.
    """

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None):
        self.status, self.reason, self.retry_after = status, reason, retry_after
        super().__init__(reason)


@dataclass(frozen=True)
class Limits:
    """What one request may hold.

    Args:
        megabytes: of its body.
        megapixels: of a picture.
        pictures: how many.
    """

    megabytes: float = 16.0
    megapixels: float = 25.0
    pictures: int = 64

    @property
    def bytes(self) -> int:
        """Of a body."""
        return int(self.megabytes * 2**20)

    @property
    def pixels(self) -> int:
        """Of a picture."""
        return int(self.megapixels * 1e6)


@dataclass(frozen=True)
class Picture:
    """A picture on its way to the model.

    Args:
        data: an encoded file, or the pixels of an array.
        shape: of the array, uint8; None where it is a file.
        pixels: how many there are, decoded.
    """

    data: bytes
    shape: tuple[int, ...] | None
    pixels: int


def check_picture(given: bytes | np.ndarray, limits: Limits, name: str) -> Picture:
    """Look at a picture's header, or at an array's shape.

    Args:
        given: an encoded file, or uint8 pixels.
        limits: what is allowed.
        name: for the reason.

    Raises:
        RefusedError: 413 it is too large, 415 it is neither JPEG nor PNG, 422 it has no such shape.
    """
    if isinstance(given, bytes):
        width, height = _size_of_file(given, limits, name)
        picture = Picture(given, None, width * height)
    else:
        if given.ndim not in (2, 3):
            raise RefusedError(422, f"{name}: must be (H, W, 3) or (H, W); got {given.shape}")
        height, width = given.shape[:2]
        picture = Picture(given.tobytes(), given.shape, width * height)
    if picture.pixels > limits.pixels:
        raise _too_many_pixels(name, f"{width}x{height} pixels", limits)
    return picture


def _size_of_file(encoded: bytes, limits: Limits, name: str) -> tuple[int, int]:
    if not encoded:
        raise RefusedError(422, f"{name}: empty")
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            return image.size
    except Image.DecompressionBombError:
        raise _too_many_pixels(name, "far more", limits) from None
    except Exception:  # a damaged header makes Pillow raise whatever it likes
        if encoded.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
            raise RefusedError(422, f"{name}: damaged; its header cannot be read") from None
        raise RefusedError(415, f"{name}: neither JPEG nor PNG") from None


def _too_many_pixels(name: str, size: str, limits: Limits) -> RefusedError:
    allowed = f"the limit of {limits.megapixels:g} megapixels"
    return RefusedError(413, f"{name}: {size}, above {allowed}. Make it smaller first.")


class Intake:
    """Counts the requests that are being read or answered, and their bytes, and bounds both.

    Args:
        requests: at once.
        bytes: of all their bodies.
        retry_after: seconds after which a refused one may come again.
    """

    def __init__(self, requests: int, bytes: int, retry_after: Callable[[], int]):
        self._requests, self._bytes = requests, bytes
        self._retry_after = retry_after

    @contextmanager
    def admit(self, size: int) -> Iterator[None]:
        """Count a request of so many bytes in, and out again.

        Raises:
            RefusedError: 429, there is no room.
        """
        if self._requests < 1 or self._bytes < size:
            raise busy(self._retry_after())
        self._requests -= 1
        self._bytes -= size
        try:
            yield
        finally:
            self._requests += 1
            self._bytes += size


def busy(retry_after: int) -> RefusedError:
    """Return the refusal of a server that has enough to do."""
    return RefusedError(
        429, "too many pictures are waiting; try again later", retry_after=retry_after
    )
