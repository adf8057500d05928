"""Neural style transfer by optimisation: the pixels themselves are fitted.

Letters: B pictures, H and W their sides in pixels.
Words: a *scale* is one of the sizes that a picture grows through; *network pixels* are float32,
normalised, (1, H, W, 3).
"""

import keras
import numpy as np
from PIL import Image

from zoo.colors import COLOR_MODES, keep_colors, match_colors
from zoo.losses import PerceptualLoss
from zoo.models.synthesized_picture import SynthesizedPicture, fit_picture
from zoo.models.task import Task
from zoo.pictures import proportional_size, read_picture, resize_picture


@keras.saving.register_keras_serializable(package="zoo")
class StyleTransfer(Task):
    """Gatys' style transfer (Gatys 2016; book 13.12).

    Args:
        network: a `zoo.backbones.StyleVGG`.
        loss: a `zoo.losses.StyleLoss`.
        **kwargs: of `Task`.
    """

    kind = "style"

    def __init__(self, *, network, loss, **kwargs):
        super().__init__(**kwargs)
        self.network = network
        self.style_loss = loss
        self.build((None, None, None, 3))

    def build(self, input_shape):
        if self.built:  # by `__init__`; Keras asks again when it opens a file
            return
        if not self.network.built:
            self.network.build(input_shape)
        self.built = True

    def call(self, images, training=False):
        """Return what `network` sees: a dict of tuples `content` and `style`, an entry a layer.

        Args:
            images: (B, H, W, 3), 0..255, any dtype.
        """
        return self.network(self.normalize(images))

    def stylize(
        self,
        content,
        style,
        *,
        size=None,
        steps=500,
        scales=1,
        preserve_color="none",
        fit=fit_picture,
    ) -> np.ndarray:
        """Paint one picture in the style of another.

        Args:
            content, style: a path, encoded bytes or a uint8 array (H, W, 3).
            size: height of the result in pixels, or (height, width); None: the content's. With a
                height both pictures keep their proportions, and the style gets the result's number
                of pixels; with a pair both are stretched to it, as in the book.
            steps: of all scales together.
            scales: sizes to work through; each is half the next one.
            preserve_color: "none"; "luminance": the result has the content's colours; "match": the
                style's colours are first moved to the content's, see `zoo.colors`.
            fit: optimises a compiled `SynthesizedPicture`, called once a scale, coarsest first, as
                fit(picture, targets, steps, scale).
        Returns: (H, W, 3) uint8.
        Raises: ValueError if a picture cannot be read or is too small, or an option is unknown.
        """
        content, style = read_picture(content), read_picture(style)
        if preserve_color not in COLOR_MODES:
            raise ValueError(f"preserve_color must be one of {COLOR_MODES}; got {preserve_color!r}")
        sizes = _sizes(content, size, scales)
        content = resize_picture(content, sizes[-1])
        if preserve_color == "match":
            style = match_colors(style, content)
        pixels = None
        for scale, here in enumerate(sizes):
            seen = resize_picture(content, here)
            shown = resize_picture(style, here if _is_pair(size) else _same_area(style, seen))
            self._check_size("content", seen, scale, scales)
            self._check_size("style", shown, scale, scales)
            start = self.network_pixels(seen) if pixels is None else _enlarged(pixels, here)
            picture = SynthesizedPicture(PerceptualLoss(self.network, self.style_loss), start)
            picture.compile()
            fit(picture, self.targets(seen, shown), _steps(steps, scales, scale), scale)
            pixels = keras.ops.convert_to_numpy(picture.pixels)
        result = self.picture(pixels)
        return keep_colors(result, content) if preserve_color == "luminance" else result

    def targets(self, content, style) -> dict:
        """Return what the losses compare with: the content's features, the style's Gram matrices.

        Args:
            content, style: (H, W, 3) uint8; their sizes may differ.
        """
        return {
            "content": self.predict_on_batch(content[None])["content"],
            "style": self.predict_on_batch(style[None])["style"],
        }

    def network_pixels(self, picture) -> np.ndarray:
        """Normalise a picture (H, W, 3) uint8."""
        return keras.ops.convert_to_numpy(self.normalize(picture[None]))

    def picture(self, pixels) -> np.ndarray:
        """Turn network pixels into a picture, (H, W, 3) uint8."""
        pixels = pixels[0] * np.asarray(self.normalize.std) + np.asarray(self.normalize.mean)
        return np.clip(np.rint(255 * pixels), 0, 255).astype(np.uint8)

    def _check_size(self, name, picture, scale, scales):
        least = self.network.smallest_side
        rows, columns = picture.shape[:2]
        if min(rows, columns) < least:
            raise ValueError(
                f"the network needs {least}x{least} pixels or more; the {name} has "
                f"{rows}x{columns} at scale {scale + 1} of {scales}. Larger, or fewer scales?"
            )

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "network": serialize(self.network),
            "loss": serialize(self.style_loss),
        }


def _is_pair(size) -> bool:
    return size is not None and not isinstance(size, int)


def _sizes(content, size, scales) -> list[tuple[int, int]]:
    """Return (height, width) of each scale, coarsest first."""
    height, width = proportional_size(content, size)
    if scales < 1:
        raise ValueError(f"scales must be at least 1; got {scales}.")
    factors = [2**scale for scale in reversed(range(scales))]
    return [tuple(max(round(side / factor), 1) for side in (height, width)) for factor in factors]


def _steps(steps, scales, scale) -> int:
    """Share the steps among the scales; the finest gets what is left over."""
    share = steps // scales
    if share < 1:
        raise ValueError(f"steps must be at least 1 a scale; got {steps} for {scales} scales.")
    return share if scale < scales - 1 else steps - share * (scales - 1)


def _same_area(picture, other) -> tuple[int, int]:
    """Return the size with a picture's proportions and as many pixels as another picture."""
    factor = np.sqrt(np.prod(other.shape[:2]) / np.prod(picture.shape[:2]))
    return tuple(max(round(side * factor), 1) for side in picture.shape[:2])


def _enlarged(pixels, size) -> np.ndarray:
    """Resize network pixels, each channel a picture of floats."""
    channels = [Image.fromarray(channel) for channel in np.moveaxis(pixels[0], -1, 0)]
    resized = [one.resize((size[1], size[0]), Image.Resampling.BILINEAR) for one in channels]
    return np.stack([np.asarray(one) for one in resized], axis=-1)[None]
