"""What all segmenters share: a class for every pixel of raw pictures, the loss, its metrics.

Letters: B images, (H, W) the network's input, (h, w) a picture, C classes.
"""

import keras
import numpy as np
from keras import ops

from zoo.losses import SegmentationLoss
from zoo.metrics import MeanIoU
from zoo.models.task import Task
from zoo.models.tiles import TileBlend
from zoo.pictures import read_picture
from zoo.results import Segmentation

# Batches that are read at once, so that pictures of one size can share one.
BATCHES_AHEAD = 4


class Segmenter(Task):
    """A task that gives every pixel a class; the background is a class like the others.

    A subclass' `call(images, training=False)` takes pictures of any sides and returns, with what
    else its loss needs, what `answers` does.

    Args:
        image_converter: a `PaddingConverter`.
        loss: None: `SegmentationLoss()`.
        palette: colours (red, green, blue) of the classes in 0..255; None: those of Pascal VOC.
        **kwargs: of `Task`.
    """

    kind = "segmentation"
    result_keys: tuple[str, ...] = ("classes", "scores")

    def __init__(self, *, loss=None, palette=None, **kwargs):
        super().__init__(**kwargs)
        self.segmentation_loss = SegmentationLoss() if loss is None else loss
        self.palette = None if palette is None else tuple(tuple(color) for color in palette)
        if self.palette is not None and len(self.palette) != self.num_classes:
            raise ValueError(
                f"palette must have a colour for each of {self.num_classes} classes; got "
                f"{len(self.palette)}."
            )
        self.pixel_accuracy_metric = keras.metrics.Mean(name="pixel_accuracy")
        self.miou_metric = MeanIoU(self.num_classes, self.segmentation_loss.ignore)

    def segment(self, images, batch_size=8) -> list[Segmentation]:
        """Give every pixel of pictures of any size a class.

        A picture is padded to a size that the network takes, or cut into tiles that are blended:
        see `PaddingConverter`, also for which sizes are compiled.

        Args:
            images: a path, encoded bytes, a uint8 array (H, W, 3), or a list of them.
            batch_size: pictures or tiles the network sees at once, at most.
        Returns: one `Segmentation` a picture, in its pixels.
        Raises: ValueError if a picture cannot be read.
        """
        if not isinstance(images, (list, tuple)):
            images = [images]
        results = []
        ahead = BATCHES_AHEAD * batch_size
        for start in range(0, len(images), ahead):
            pictures = [read_picture(image) for image in images[start : start + ahead]]
            results += self._segment_pictures(pictures, batch_size)
        return results

    def _segment_pictures(self, pictures, batch_size):
        by_size = {}
        results = [None] * len(pictures)
        for index, picture in enumerate(pictures):
            corners = self.image_converter.corners(*picture.shape[:2])
            if len(corners) > 1:
                results[index] = self._segment_tiles(picture, corners, batch_size)
            else:
                size = self.image_converter.padded_size(*picture.shape[:2])
                by_size.setdefault(size, []).append(index)
        for indices in by_size.values():
            for start in range(0, len(indices), batch_size):
                batch = indices[start : start + batch_size]
                seen = [self.image_converter.convert(pictures[index]) for index in batch]
                outputs = self._predict(seen, batch_size)
                for row, index in enumerate(batch):
                    height, width = pictures[index].shape[:2]
                    results[index] = self._segmentation(
                        *(outputs[key][row, :height, :width] for key in self.result_keys)
                    )
        return results

    def _segment_tiles(self, picture, corners, batch_size):
        blend = TileBlend(picture.shape[:2], self.image_converter.overlap)
        for start in range(0, len(corners), batch_size):
            batch = corners[start : start + batch_size]
            seen = [self.image_converter.convert(picture, corner) for corner in batch]
            outputs = self._predict(seen, batch_size)
            for row, corner in enumerate(batch):
                blend.add(outputs["logits"][row], corner)
        return self._segmentation(*blend.finish())

    def _predict(self, seen, batch_size):
        """Return the outputs of pictures of one size, in a batch filled up to a power of two."""
        rows = min(1 << (len(seen) - 1).bit_length(), batch_size)
        batch = np.zeros((rows, *seen[0].shape), "uint8")
        batch[: len(seen)] = seen
        return self.predict_on_batch(batch)

    def _segmentation(self, classes, scores):
        return Segmentation(classes, scores, self.class_names, self.palette)

    def answers(self, logits, training):
        """Return the outputs every segmenter has.

        Args:
            logits: (B, H, W, C) float32.
            training: whether the classes are left out.
        Returns: a dict of `logits` and, unless training, `classes` (B, H, W) int32 and `scores`
            (B, H, W) float32, the probability of each pixel's class.
        """
        outputs = {"logits": logits}
        if not training:
            outputs["classes"] = ops.cast(ops.argmax(logits, axis=-1), "int32")
            best = ops.max(logits, axis=-1, keepdims=True)
            outputs["scores"] = 1.0 / ops.sum(ops.exp(logits - best), axis=-1)
        return outputs

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Update the training metrics and return the scalar loss.

        Args:
            y: a dict of `segmentation` (B, H, W) int, 0..C-1, or 255 where a pixel has no class.
            y_pred: what `call` returned.
        """
        targets = ops.cast(y["segmentation"], "int32")
        self._update_metrics(targets, y_pred["logits"])
        return self.segmentation_loss(targets, y_pred["logits"])

    def _update_metrics(self, targets, logits):
        classes = ops.cast(ops.argmax(logits, axis=-1), "int32")
        labelled = self.segmentation_loss.labelled(targets)
        right = ops.cast(ops.equal(classes, targets), "float32")
        self.pixel_accuracy_metric.update_state(right, ops.cast(labelled, "float32"))
        self.miou_metric.update_state(targets, classes)

    def get_config(self):
        return super().get_config() | {
            "loss": keras.saving.serialize_keras_object(self.segmentation_loss),
            "palette": None if self.palette is None else [list(color) for color in self.palette],
        }
