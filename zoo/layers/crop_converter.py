"""A picture of any size -> its middle at the network's size, as classifiers look at pictures.

Shape letters: H, W the network's input; h, w the picture.
"""

import keras
import numpy as np
from PIL import Image

from zoo.layers.image_converter import Frame, check_image_size, check_picture


@keras.saving.register_keras_serializable(package="zoo")
class CropConverter:
    """Cut out the middle of a picture and bring it to one size, without stretching it.

    The window has the network's aspect ratio and `crop_fraction` of the largest such window's
    sides. With .875 and 224 pixels that is the usual "shorter side to 256, then the middle 224", in
    one step of Pillow's antialiased bilinear filter.

    Args:
        image_size: (H, W) of the network's input, in pixels.
        crop_fraction: of the sides, above 0, 1 at most.
    """

    def __init__(self, image_size, crop_fraction: float = 0.875):
        check_image_size(image_size)
        if not 0 < crop_fraction <= 1:
            raise ValueError(f"crop_fraction must lie above 0, 1 at most; got {crop_fraction}.")
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.crop_fraction = float(crop_fraction)

    def get_config(self) -> dict:
        return {"image_size": self.image_size, "crop_fraction": self.crop_fraction}

    @classmethod
    def from_config(cls, config: dict) -> "CropConverter":
        return cls(**config)

    def window(self, height: int, width: int) -> tuple[float, float, float, float]:
        """Return what is seen of a picture of (height, width): xyxy in its pixels."""
        rows, columns = self.image_size
        pixel = min(height / rows, width / columns) * self.crop_fraction  # of the input, in ours
        high, wide = rows * pixel, columns * pixel
        left, top = (width - wide) / 2, (height - high) / 2
        return left, top, left + wide, top + high

    def convert(self, picture: np.ndarray) -> tuple[np.ndarray, Frame]:
        """Bring one picture to the network's size.

        Args:
            picture: (h, w, 3) uint8, RGB.
        Returns: pixels (H, W, 3) uint8, and the Frame that maps its pixels to the network's.
        """
        picture = check_picture(picture)
        height, width = picture.shape[:2]
        left, top, right, bottom = self.window(height, width)
        rows, columns = self.image_size
        scale_y, scale_x = rows / (bottom - top), columns / (right - left)
        frame = Frame(height, width, scale_y, scale_x, -top * scale_y, -left * scale_x)
        image = Image.fromarray(np.ascontiguousarray(picture))
        seen = image.resize(
            (columns, rows), Image.Resampling.BILINEAR, box=(left, top, right, bottom)
        )
        return np.asarray(seen), frame
