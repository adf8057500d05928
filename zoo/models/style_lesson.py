"""What a feed-forward network learns of style: the picture, and who judges what it paints.

Letters: B pictures, H and W their sides in pixels.
"""

import base64
import io

import keras
from keras import ops
from PIL import Image

from zoo.layers.calls import without_gradient
from zoo.losses import PerceptualLoss
from zoo.models.loss_network import build_loss_network
from zoo.pictures import read_picture


@keras.saving.register_keras_serializable(package="zoo")
class StyleLesson:
    """A style and the loss network that tells how near a picture is to it (Johnson 2016, 3.2).

    A model's file holds the lesson: the picture, and the loss network by the name of its weights.
    The weights themselves, 30 MB that never change, are read anew where `judge` needs them.

    Args:
        style: (H, W, 3) uint8, or base64 of such a picture's file.
        backbone, backbone_weights: of the loss network, as `build_loss_network` takes them.
        content_layers, style_layers: names of its layers.
        loss: a `zoo.losses.StyleLoss`.
    """

    def __init__(self, style, *, backbone, backbone_weights, content_layers, style_layers, loss):
        self.style = read_picture(base64.b64decode(style) if isinstance(style, str) else style)
        self.backbone = backbone
        self.backbone_weights = None if backbone_weights is None else str(backbone_weights)
        self.content_layers = tuple(content_layers)
        self.style_layers = tuple(style_layers)
        self.loss = loss

    def judge(self, normalize, dtype=None) -> "StyleJudge":
        """Build the loss network and look at the style.

        Args:
            normalize: a `Normalize`, pixels to what the network was made for.
            dtype: the dtype policy.
        Raises: ValueError if the network's weights cannot be had.
        """
        try:
            network = build_loss_network(
                self.backbone,
                self.backbone_weights,
                content=self.content_layers,
                style=self.style_layers,
                dtype=dtype,
            )
        except ValueError as error:
            raise ValueError(
                f"the loss network, which judges the style and is in no model's file, cannot be "
                f"had: {error}"
            ) from error
        return StyleJudge(PerceptualLoss(network, self.loss), normalize, self.style)

    def get_config(self):
        stream = io.BytesIO()
        Image.fromarray(self.style).save(stream, "PNG")
        return {
            "style": base64.b64encode(stream.getvalue()).decode("ascii"),
            "backbone": self.backbone,
            "backbone_weights": self.backbone_weights,
            "content_layers": list(self.content_layers),
            "style_layers": list(self.style_layers),
            "loss": keras.saving.serialize_keras_object(self.loss),
        }

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))


class StyleJudge:
    """Tells how far painted pictures are from a style and from what they show.

    A plain object, as `PerceptualLoss`: Keras counts its weights among nobody's.

    Args:
        loss: a `PerceptualLoss`.
        normalize: a `Normalize`.
        style: (H, W, 3) uint8.
    """

    def __init__(self, loss, normalize, style):
        self.loss = loss
        self.normalize = normalize
        seen = loss.network(normalize(style[None]))["style"]
        self.style_grams = [ops.convert_to_numpy(gram) for gram in seen]

    def losses(self, images, painted):
        """Return the dict of scalars of `StyleLoss`.

        Args:
            images: (B, H, W, 3), 0..255, what there is to see.
            painted: (B, H, W, 3), 0..255.
        """
        with without_gradient():
            content = self.loss.network.content_of(self.normalize(images))
        targets = self._targets(content, ops.shape(images)[0])
        return self.loss(targets, self.normalize(painted))

    def compare(self, picture, painted) -> tuple[dict[str, float], dict[str, float]]:
        """Return the losses of a painted picture, and those of leaving it as it is.

        Args:
            picture, painted: (H, W, 3) uint8.
        """
        pixels = self.normalize(picture[None])
        seen = self.loss.network(pixels)
        targets = self._targets(seen["content"], 1)
        rivals = (
            self.loss(targets, self.normalize(painted[None])),
            self.loss.loss(targets, seen, pixels),
        )
        told = [{key: float(ops.convert_to_numpy(one)) for key, one in r.items()} for r in rivals]
        return told[0], told[1]

    def _targets(self, content, pictures):
        return {
            "content": tuple(ops.stop_gradient(features) for features in content),
            "style": tuple(ops.repeat(gram, pictures, axis=0) for gram in self.style_grams),
        }
