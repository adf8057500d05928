"""What all detectors share: training on padded boxes and detecting on raw pictures.

Letters: B images, M padded boxes, A anchors, K detections, C classes.
"""

import keras
import numpy as np
from keras import ops

from zoo.metrics.book import BoxMAE, ClassError
from zoo.models.task import Task
from zoo.pictures import read_picture
from zoo.results import Detections


class Detector(Task):
    """A task that finds boxes.

    A subclass sets `anchors` (A, 4) and its `call` returns `class_logits` (B, A, C + 1) and
    `box_deltas` (B, A, 4), and with `training=False` also `boxes` (B, K, 4), `scores`, `labels`
    and `num`.

    Args:
        label_encoder: a `LabelEncoder`, ground truth to targets.
        loss: a `MultiBoxLoss` or `AnchorMeanLoss`.
        **kwargs: of `Task`.
    """

    def __init__(self, *, label_encoder, loss, **kwargs):
        super().__init__(**kwargs)
        self.label_encoder = label_encoder
        self.detection_loss = loss
        self.class_loss_metric = keras.metrics.Mean(name="class_loss")
        self.box_loss_metric = keras.metrics.Mean(name="box_loss")
        self.class_error_metric = ClassError(name="class_error")
        self.box_mae_metric = BoxMAE(name="box_mae")
        self.trivial_class_error_metric = keras.metrics.Mean(name="trivial_class_error")
        self.trivial_box_mae_metric = keras.metrics.Mean(name="trivial_box_mae")

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
        # A mean over pictures, as Keras' own `loss`: the last batch of a pass may be smaller. Under
        # TensorFlow replicas a Keras loss is one replica's share; the loss of ones tells its size.
        share = keras.losses.MeanAbsoluteError()(ops.ones((1, 1)), ops.zeros((1, 1)))
        pictures = ops.shape(y_pred["class_logits"])[0]
        self.class_loss_metric.update_state(losses["class_loss"] / share, pictures)
        self.box_loss_metric.update_state(losses["box_loss"] / share, pictures)
        self.class_error_metric.update_state(targets["classes"], y_pred["class_logits"])
        self.box_mae_metric.update_state(
            targets["deltas"], y_pred["box_deltas"], targets["positives"]
        )
        # What a detector that always answers "background, no offset" scores on the book's figures.
        self.trivial_class_error_metric.update_state(ops.cast(targets["positives"], "float32"))
        self.trivial_box_mae_metric.update_state(ops.abs(targets["deltas"]))

    def detect(self, images, batch_size=8) -> list[Detections]:
        """Find objects in pictures of any size.

        Args:
            images: a path, encoded bytes, a uint8 array (H, W, 3), or a list of them.
            batch_size: pictures the network sees at once; the last batch is filled up.
        Returns: one `Detections` a picture, boxes in its pixels, best score first.
        Raises: ValueError if a picture cannot be read.
        """
        if not isinstance(images, (list, tuple)):
            images = [images]
        results = []
        for start in range(0, len(images), batch_size):
            results += self._detect_batch(images[start : start + batch_size], batch_size)
        return results

    def _detect_batch(self, images, batch_size):
        converted = [self.image_converter.convert(read_picture(image)) for image in images]
        batch = np.zeros((batch_size, *self.image_converter.image_size, 3), "uint8")
        for row, (pixels, _) in enumerate(converted):
            batch[row] = pixels
        outputs = self.predict_on_batch(batch)
        return [
            self._detections({key: outputs[key][row] for key in _RESULT_KEYS}, frame)
            for row, (_, frame) in enumerate(converted)
        ]

    def _detections(self, outputs, frame):
        num = int(outputs["num"])
        return Detections(
            boxes=self.image_converter.to_picture(outputs["boxes"][:num], frame),
            scores=outputs["scores"][:num],
            labels=outputs["labels"][:num],
            class_names=self.class_names,
        )

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "label_encoder": serialize(self.label_encoder),
            "loss": serialize(self.detection_loss),
        }


_RESULT_KEYS = ("boxes", "scores", "labels", "num")
