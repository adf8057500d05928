"""A picture of any size -> the network's input, and its boxes both ways.

Shape letters: H, W the network's input; h, w the picture; N boxes.
Words: a frame is where the picture lies in the network's input, in pixels of the latter. The same
converter serves training, evaluation and `detect()`, so a model always sees the same pixels.
"""

from dataclasses import dataclass

import keras
import numpy as np
from PIL import Image

MODES = ("resize", "letterbox")


@dataclass(frozen=True)
class Frame:
    """Where a picture lies in the network's input: x_network = x_picture * scale_x + offset_x."""

    height: int
    width: int
    scale_y: float
    scale_x: float
    offset_y: float
    offset_x: float


@keras.saving.register_keras_serializable(package="zoo")
class ImageConverter:
    """Bring pictures to one size, remembering how, with Pillow's antialiased bilinear filter.

    `resize` stretches the picture over the whole input; `letterbox` keeps its aspect ratio, centres
    it and fills the rest. A picture that already has the size passes through bit for bit.

    Args:
        image_size: (H, W) of the network's input, in pixels.
        mode: "resize" or "letterbox".
        fill: 0..255, grey of the letterbox' bars.
    """

    def __init__(self, image_size, mode: str = "resize", fill: int = 114):
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}; got {mode!r}.")
        check_image_size(image_size)
        if not 0 <= fill <= 255:
            raise ValueError(f"fill must lie in 0..255; got {fill}.")
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.mode = mode
        self.fill = int(fill)

    def get_config(self) -> dict:
        return {"image_size": self.image_size, "mode": self.mode, "fill": self.fill}

    @classmethod
    def from_config(cls, config: dict) -> "ImageConverter":
        return cls(**config)

    def frame(self, height: int, width: int) -> Frame:
        """Place a picture of (height, width) pixels in the network's input."""
        (rows, columns), (top, left) = self._placement(height, width)
        return Frame(height, width, rows / height, columns / width, float(top), float(left))

    def convert(self, picture: np.ndarray) -> tuple[np.ndarray, Frame]:
        """Bring one picture to the network's size.

        Args:
            picture: (h, w, 3) uint8, RGB.
        Returns: pixels (H, W, 3) uint8, and the Frame that maps boxes.
        """
        picture = check_picture(picture)
        height, width = picture.shape[:2]
        frame = self.frame(height, width)
        (rows, columns), (top, left) = self._placement(height, width)
        resized = _resize(picture, rows, columns)
        if (rows, columns) == self.image_size:
            return resized, frame
        pixels = np.full((*self.image_size, 3), self.fill, np.uint8)
        pixels[top : top + rows, left : left + columns] = resized
        return pixels, frame

    def to_network(self, boxes, frame: Frame) -> np.ndarray:
        """Map boxes from the picture to the network.

        Args:
            boxes: (N, 4) xyxy, pixels of the picture.
            frame: what `convert` gave for the picture.
        Returns: (N, 4) float32 xyxy, fractions 0..1 of the network's input.
        """
        scale, offset, size = self._coefficients(frame)
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        return ((boxes * scale + offset) / size).astype(np.float32)

    def to_picture(self, boxes, frame: Frame, *, clip: bool = True) -> np.ndarray:
        """Map boxes from the network to the picture: the inverse of `to_network`.

        Args:
            boxes: (N, 4) xyxy, fractions 0..1 of the network's input.
            frame: what `convert` gave for the picture.
            clip: whether boxes are cut off at the picture's border; a letterbox has more than it.
        Returns: (N, 4) float32 xyxy, pixels of the picture.
        """
        scale, offset, size = self._coefficients(frame)
        boxes = (np.asarray(boxes, np.float64).reshape(-1, 4) * size - offset) / scale
        limits = np.array([frame.width, frame.height] * 2, np.float64)
        return (np.clip(boxes, 0.0, limits) if clip else boxes).astype(np.float32)

    def _placement(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows and columns the picture takes, and its top left corner."""
        if self.mode == "resize":
            return self.image_size, (0, 0)
        scale = min(self.image_size[0] / height, self.image_size[1] / width)
        rows = min(max(round(height * scale), 1), self.image_size[0])
        columns = min(max(round(width * scale), 1), self.image_size[1])
        return (rows, columns), (
            (self.image_size[0] - rows) // 2,
            (self.image_size[1] - columns) // 2,
        )

    def _coefficients(self, frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        scale = np.array([frame.scale_x, frame.scale_y] * 2, np.float64)
        offset = np.array([frame.offset_x, frame.offset_y] * 2, np.float64)
        size = np.array([self.image_size[1], self.image_size[0]] * 2, np.float64)
        return scale, offset, size


def check_image_size(image_size) -> None:
    """Raise ValueError unless the size is a height and a width."""
    if np.shape(image_size) != (2,) or min(image_size) < 1:
        raise ValueError(
            f"image_size must be (height, width), both at least 1; got {image_size}. "
            "One number for both sides?"
        )


def check_picture(picture) -> np.ndarray:
    """Return the picture as an array; raise ValueError unless it is (h, w, 3) uint8."""
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(
            f"a picture must be (h, w, 3) uint8; got {picture.shape} {picture.dtype}. "
            "Read it with zoo.pictures.read_picture?"
        )
    return picture


def _resize(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    if picture.shape[:2] == (rows, columns):
        return np.array(picture)
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((columns, rows), Image.Resampling.BILINEAR))
