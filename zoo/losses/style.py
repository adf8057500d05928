"""How far a picture is from the content of one picture and the style of another.

Letters: B pictures, H and W their sides, h and w those of a feature map, C channels.
"""

import keras


@keras.saving.register_keras_serializable(package="zoo")
class StyleLoss:
    """Content, style and total variation, weighted (book 13.12.5; Gatys 2016, eq. 7).

    Content and style are mean squared differences of features and of Gram matrices, summed over the
    layers; total variation is half the mean difference of vertical neighbours and of horizontal.

    Args:
        content_weight, style_weight, variation_weight: of the three; the book's by default.
    """

    def __init__(self, content_weight=1.0, style_weight=1e4, variation_weight=10.0):
        self.content_weight = content_weight
        self.style_weight = style_weight
        self.variation_weight = variation_weight
        self._square = keras.losses.MeanSquaredError()
        self._absolute = keras.losses.MeanAbsoluteError()

    def __call__(self, targets, found, images):
        """Return a dict of the scalars `content_loss`, `style_loss` and `variation_loss`.

        Args:
            targets: what `zoo.backbones.StyleVGG` returned for the content's `content`, a tuple
                of (B, h, w, C), and for the style's `style`, a tuple of (B, C, C).
            found: what it returned for `images`.
            images: (B, H, W, 3) float, normalised.
        """
        content = [self._square(*pair) for pair in _pairs(targets, found, "content")]
        style = [self._square(*pair) for pair in _pairs(targets, found, "style")]
        down = self._absolute(images[:, 1:], images[:, :-1])
        right = self._absolute(images[:, :, 1:], images[:, :, :-1])
        return {
            "content_loss": self.content_weight * sum(content),
            "style_loss": self.style_weight * sum(style),
            "variation_loss": self.variation_weight * 0.5 * (down + right),
        }

    def get_config(self):
        return {
            "content_weight": self.content_weight,
            "style_weight": self.style_weight,
            "variation_weight": self.variation_weight,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _pairs(targets, found, kind):
    return zip(targets[kind], found[kind], strict=True)
