"""A classifier: a backbone, and one look at its last feature map.

Letters: B images, H and W the network's input in pixels, C classes.
"""

import keras
import numpy as np
from keras import ops

from zoo.layers import ClassHead
from zoo.models.task import Task
from zoo.pictures import read_picture
from zoo.results import Classification

TOP = 5  # the second accuracy that is counted: the class is among this many


@keras.saving.register_keras_serializable(package="zoo")
class Classifier(Task):
    """A task that tells what a picture shows as a whole.

    Args:
        backbone: a layer from (B, H, W, 3) to a list of feature maps, the last of which is used.
        pooling, hidden_units, dropout: of `ClassHead`.
        label_smoothing: part of a label that is spread evenly over all classes, below 1 (Szegedy
            2016, Rethinking the Inception architecture, section 7).
        **kwargs: of `Task`.
    """

    kind = "classification"
    result_keys: tuple[str, ...] = ("probabilities",)

    def __init__(
        self,
        *,
        backbone,
        pooling="mean",
        hidden_units=(),
        dropout=0.0,
        label_smoothing=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must lie in 0..1, below 1; got {label_smoothing}.")
        self.backbone = backbone
        self.label_smoothing = label_smoothing
        self.head = ClassHead(
            self.num_classes,
            pooling=pooling,
            hidden_units=hidden_units,
            dropout=dropout,
            dtype=self.dtype_policy,
            name="head",
        )
        self.cross_entropy = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=label_smoothing
        )
        self.accuracies = {
            "top1": keras.metrics.CategoricalAccuracy(name="top1"),
            "top5": keras.metrics.TopKCategoricalAccuracy(min(TOP, self.num_classes), name="top5"),
        }
        self.build((None, *self.image_converter.image_size, 3))

    def build(self, input_shape):
        if self.built:  # by `__init__`; Keras asks again when it opens a file
            return
        if not self.backbone.built:
            self.backbone.build(input_shape)
        self.head.build(self.backbone.compute_output_shape(input_shape)[-1])
        self.built = True

    def call(self, images, training=False):
        """Return a score a class, and unless training the probabilities.

        Args:
            images: (B, H, W, 3), 0..255, any dtype.
        Returns: a dict of `logits` (B, C) float32, and of `probabilities` (B, C).
        """
        features = self.backbone(self.normalize(images), training=training)[-1]
        outputs = {"logits": self.head(features, training=training)}
        if not training:
            outputs["probabilities"] = ops.softmax(outputs["logits"])
        return outputs

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Update the training metrics and return the scalar loss, a mean over pictures.

        Args:
            y: a dict of `labels`, (B,) int, or (B, C) float that say how much of each class a
                mixed picture shows.
            y_pred: what `call` returned.
        Raises: ValueError if the labels are of another shape.
        """
        logits = y_pred["logits"]
        targets = self._shares(y["labels"])
        for accuracy in self.accuracies.values():
            accuracy.update_state(targets, logits)
        return self.cross_entropy(targets, logits)

    def _shares(self, labels):
        """Return labels of either form as (B, C) float32."""
        shape = tuple(labels.shape)
        if len(shape) == 1:
            return ops.one_hot(labels, self.num_classes, dtype="float32")
        if len(shape) != 2 or shape[1] != self.num_classes:
            raise ValueError(
                f"labels must be (B,) int or (B, {self.num_classes}) float; got {shape}. "
                "Does the model have the classes of the data?"
            )
        return ops.cast(labels, "float32")

    def classify(self, images, batch_size=8) -> list[Classification]:
        """Tell what pictures of any size show.

        Args:
            images: a path, encoded bytes, a uint8 array (H, W, 3), or a list of them.
            batch_size: pictures the network sees at once; the last batch is filled up.
        Returns: one `Classification` a picture.
        Raises: ValueError if a picture cannot be read.
        """
        if not isinstance(images, (list, tuple)):
            images = [images]
        results = []
        for start in range(0, len(images), batch_size):
            results += self._classify_batch(images[start : start + batch_size], batch_size)
        return results

    def _classify_batch(self, images, batch_size):
        batch = np.zeros((batch_size, *self.image_converter.image_size, 3), "uint8")
        for row, image in enumerate(images):
            batch[row], _ = self.image_converter.convert(read_picture(image))
        found = self.predict_on_batch(batch)["probabilities"]
        return [Classification(row, self.class_names) for row in found[: len(images)]]

    def get_config(self):
        return super().get_config() | {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "pooling": self.head.pooling,
            "hidden_units": list(self.head.hidden_units),
            "dropout": self.head.dropout,
            "label_smoothing": self.label_smoothing,
        }
