"""Single-shot multibox detection.

Letters: B images, H and W the network's input in pixels, L feature levels, M padded boxes, A
anchors, K detections.
"""

import keras
from keras import ops

from zoo.layers import SSDHead
from zoo.metrics.book import BoxMAE, ClassError
from zoo.models.detector import Detector
from zoo.models.loss_metrics import update_loss_metrics


@keras.saving.register_keras_serializable(package="zoo")
class SSD(Detector):
    """SSD (Liu 2016; book 13.7): anchors on each feature level, classified and moved at once.

    Args:
        backbone: a layer from (B, H, W, 3) to a list of L feature maps.
        anchor_generator: an `AnchorGenerator` for L levels.
        label_encoder: a `LabelEncoder`, ground truth to targets.
        loss: a `MultiBoxLoss` or `AnchorMeanLoss`.
        decoder: a `Decoder`, predictions to detections.
        **kwargs: of `Task`.
    """

    def __init__(self, *, backbone, anchor_generator, label_encoder, loss, decoder, **kwargs):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.anchor_generator = anchor_generator
        self.label_encoder = label_encoder
        self.detection_loss = loss
        self.decoder = decoder
        self.head = SSDHead(
            self.num_classes,
            anchor_generator.anchors_per_cell,
            dtype=self.dtype_policy,
            name="head",
        )
        self.loss_metrics = {
            name: keras.metrics.Mean(name=name) for name in ("class_loss", "box_loss")
        }
        self.class_error_metric = ClassError(name="class_error")
        self.box_mae_metric = BoxMAE(name="box_mae")
        self.trivial_class_error_metric = keras.metrics.Mean(name="trivial_class_error")
        self.trivial_box_mae_metric = keras.metrics.Mean(name="trivial_box_mae")
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
        Returns: a dict of `class_logits` (B, A, C + 1) and `box_deltas` (B, A, 4), and of what
            `Decoder` returns.
        """
        features = self.backbone(self.normalize(images), training=training)
        outputs = self.head(features)
        if not training:
            outputs |= self.decoder(outputs["class_logits"], outputs["box_deltas"], self.anchors)
        return outputs

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Encode the labels, update the training metrics and return the scalar loss.

        Args:
            y: a dict of `boxes` (B, M, 4) xyxy fractions and `labels` (B, M) int, -1 for padding.
            y_pred: what `call` returned.
        """
        targets = self.label_encoder(y["boxes"], y["labels"], self.anchors)
        losses = self.detection_loss(targets, y_pred)
        self._update_metrics(targets, y_pred, losses)
        return losses["class_loss"] + losses["box_loss"]

    def _update_metrics(self, targets, y_pred, losses):
        pictures = ops.shape(y_pred["class_logits"])[0]
        update_loss_metrics(self.loss_metrics, losses, pictures)
        self.class_error_metric.update_state(targets["classes"], y_pred["class_logits"])
        self.box_mae_metric.update_state(
            targets["deltas"], y_pred["box_deltas"], targets["positives"]
        )
        # What a detector that always answers "background, no offset" scores on the book's figures.
        self.trivial_class_error_metric.update_state(ops.cast(targets["positives"], "float32"))
        self.trivial_box_mae_metric.update_state(ops.abs(targets["deltas"]))

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "backbone": serialize(self.backbone),
            "anchor_generator": serialize(self.anchor_generator),
            "label_encoder": serialize(self.label_encoder),
            "loss": serialize(self.detection_loss),
            "decoder": serialize(self.decoder),
        }
