"""Single-shot multibox detection.

Letters: B images, H and W the network's input in pixels, L feature levels, A anchors, K detections.
"""

import keras
from keras import ops

from zoo.layers import Normalize, SSDHead
from zoo.models.detector import Detector


@keras.saving.register_keras_serializable(package="zoo")
class SSD(Detector):
    """SSD (Liu 2016; book 13.7): anchors on each feature level, classified and moved at once.

    Args:
        backbone: a layer from (B, H, W, 3) to a list of L feature maps.
        anchor_generator: an `AnchorGenerator` for L levels.
        decoder: a `Decoder`, predictions to detections.
        **kwargs: of `Detector` and `Task`.
    """

    def __init__(self, *, backbone, anchor_generator, decoder, **kwargs):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.anchor_generator = anchor_generator
        self.decoder = decoder
        self.normalize = Normalize(dtype=self.dtype_policy, name="normalize")
        self.head = SSDHead(
            self.num_classes,
            anchor_generator.anchors_per_cell,
            dtype=self.dtype_policy,
            name="head",
        )
        self.build((None, *self.image_converter.image_size, 3))

    def build(self, input_shape):
        if self.built:  # by `__init__`; Keras asks again when it opens a file
            return
        if not self.backbone.built:
            self.backbone.build(input_shape)
        level_shapes = self.backbone.compute_output_shape(input_shape)
        self.head.build(level_shapes)
        cells = [shape[1:3] for shape in level_shapes]
        self.anchors = ops.convert_to_numpy(self.anchor_generator(cells))
        self.built = True

    def call(self, images, training=False):
        """Return logits and offsets of all anchors, and detections unless training.

        Args:
            images: (B, H, W, 3), 0..255, any dtype.
        """
        features = self.backbone(self.normalize(images), training=training)
        outputs = self.head(features)
        if not training:
            outputs |= self.decoder(outputs["class_logits"], outputs["box_deltas"], self.anchors)
        return outputs

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "backbone": serialize(self.backbone),
            "anchor_generator": serialize(self.anchor_generator),
            "decoder": serialize(self.decoder),
        }

    @classmethod
    def from_config(cls, config):
        pieces = (
            "image_converter",
            "label_encoder",
            "loss",
            "backbone",
            "anchor_generator",
            "decoder",
        )
        deserialize = keras.saving.deserialize_keras_object
        return cls(**config | {piece: deserialize(config[piece]) for piece in pieces})
