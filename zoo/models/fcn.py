"""Fully convolutional networks.

Letters: B images, (H, W) their pixels, L feature levels, C classes.
"""

import keras
from keras import ops

from zoo.models.loss_metrics import update_loss_metrics
from zoo.models.segmenter import Segmenter


@keras.saving.register_keras_serializable(package="zoo")
class FCN(Segmenter):
    """A backbone, and a head that scores every pixel (Long 2015; book 13.11).

    Args:
        backbone: a layer from (B, H, W, 3) to a list of L feature maps, finest first.
        head: a `SkipHead` or `FCNHead`.
        auxiliary_head: an `FCNHead` on the level before the last, whose loss helps the training of
            deep backbones (Zhao 2017, PSPNet, section 3.3); None: none.
        auxiliary_weight: factor on its loss.
        **kwargs: of `Segmenter`.
    """

    def __init__(self, *, backbone, head, auxiliary_head=None, auxiliary_weight=0.5, **kwargs):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.head = head
        self.auxiliary_head = auxiliary_head
        self.auxiliary_weight = auxiliary_weight
        names = () if auxiliary_head is None else ("pixel_loss", "auxiliary_loss")
        self.loss_metrics = {name: keras.metrics.Mean(name=name) for name in names}
        self.build((None, *self.image_converter.image_size, 3))

    def build(self, input_shape):
        if self.built:  # by `__init__`; Keras asks again when it opens a file
            return
        multiple = self.head.multiple
        sides = [-(-side // multiple) * multiple for side in input_shape[1:3]]
        shape = (None, *sides, 3)
        if not self.backbone.built:
            self.backbone.build(shape)
        levels = self.backbone.compute_output_shape(shape)
        # Those of a file's config are built already.
        if not self.head.built:
            self.head.build(levels)
        if self.auxiliary_head is not None and not self.auxiliary_head.built:
            self.auxiliary_head.build(levels[:-1])
        self.built = True

    def call(self, images, training=False):
        """Return the scores of all pixels, and their classes unless training.

        Args:
            images: (B, H, W, 3), 0..255, any dtype and any sides.
        Returns: what `answers` does and, with an auxiliary head, `auxiliary_logits` (B, H, W, C).
        """
        size = ops.shape(images)[1:3]
        pixels = self._padded(self.normalize(images), size)
        levels = self.backbone(pixels, training=training)
        logits = self.head.fit(self.head(levels, training=training), size)
        outputs = self.answers(logits, training)
        if self.auxiliary_head is not None:
            scores = self.auxiliary_head(levels[:-1], training=training)
            outputs["auxiliary_logits"] = self.auxiliary_head.fit(scores, size)
        return outputs

    def _padded(self, pixels, size):
        """Put zeros, the mean of the training pictures, below and to the right."""
        missing = [-side % self.head.multiple for side in size]
        if all(isinstance(margin, int) and margin == 0 for margin in missing):
            return pixels
        return ops.pad(pixels, [(0, 0), (0, missing[0]), (0, missing[1]), (0, 0)])

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Update the training metrics and return the scalar loss.

        Args:
            y: a dict of `segmentation` (B, H, W) int, 0..C-1, or 255 where a pixel has no class.
            y_pred: what `call` returned.
        """
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if self.auxiliary_head is None:
            return loss
        targets = ops.cast(y["segmentation"], "int32")
        auxiliary = self.segmentation_loss(targets, y_pred["auxiliary_logits"])
        losses = {"pixel_loss": loss, "auxiliary_loss": auxiliary}
        update_loss_metrics(self.loss_metrics, losses, ops.shape(targets)[0])
        return loss + self.auxiliary_weight * auxiliary

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "backbone": serialize(self.backbone),
            "head": serialize(self.head),
            "auxiliary_head": serialize(self.auxiliary_head),
            "auxiliary_weight": self.auxiliary_weight,
        }
