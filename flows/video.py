"""Frames of a video file in and out, RGB, through OpenCV.

Deviation from the file's own time base: frames are taken at its average rate, as OpenCV gives it.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np


class VideoReader:
    """Frames of a video, upright, in order.

    Args:
        path: the file.

    Raises:
        ValueError: the file is not a video that can be read.
    """

    def __init__(self, path: Path):
        self.path = path
        self._capture = cv2.VideoCapture(str(path))
        self._first: np.ndarray | None = self._read()
        if self._first is None:
            self._capture.release()
            raise ValueError(f"{path}: not a video that can be read. Is the file whole?")
        self.size = (self._first.shape[1], self._first.shape[0])
        self.rate = self._capture.get(cv2.CAP_PROP_FPS) or 25.0
        frames = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.frames = frames if frames > 0 else None

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number, (H, W, 3) uint8 RGB), numbers from 0."""
        number, picture = 0, self._first
        while picture is not None:
            yield number, np.ascontiguousarray(picture[..., ::-1])
            number, picture = number + 1, self._read()

    def _read(self) -> np.ndarray | None:
        okay, picture = self._capture.read() if self._capture.isOpened() else (False, None)
        return picture if okay else None

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_exception) -> None:
        self._capture.release()


class VideoWriter:
    """Write RGB frames to an MP4 file.

    Args:
        path: the file.
        rate: frames a second.
        size: (width, height) in pixels.

    Raises:
        ValueError: this OpenCV cannot write such a video.
    """

    def __init__(self, path: Path, rate: float, size: tuple[int, int]):
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
        if not self._writer.isOpened():
            raise ValueError(
                f"{path}: this OpenCV cannot write an MP4 video of {size[0]}x{size[1]}"
            )

    def write(self, picture: np.ndarray) -> None:
        """Append one (H, W, 3) uint8 RGB frame."""
        self._writer.write(np.ascontiguousarray(picture[..., ::-1]))

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, *_exception) -> None:
        self._writer.release()
