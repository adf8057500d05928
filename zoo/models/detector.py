"""What all detectors share: finding objects in raw pictures.

Letters: B images, K detections.
"""

import numpy as np

from zoo.models.task import Task
from zoo.pictures import read_picture
from zoo.results import Detections


class Detector(Task):
    """A task that finds boxes.

    A subclass' `call(images, training=False)` returns, with what its loss needs, `boxes` (B, K, 4)
    xyxy fractions of the network's input, `scores` (B, K), `labels` (B, K) and `num` (B,), best
    score first.
    """

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
        pictures = [read_picture(image) for image in images]
        converted = [self.image_converter.convert(picture) for picture in pictures]
        frames = [frame for _, frame in converted]
        batch = np.zeros((batch_size, *self.image_converter.image_size, 3), "uint8")
        for row, (pixels, _) in enumerate(converted):
            batch[row] = pixels
        outputs = self.predict_on_batch(self.network_inputs(batch, pictures, frames))
        return [
            self._detections({key: outputs[key][row] for key in self.result_keys}, frame)
            for row, frame in enumerate(frames)
        ]

    def network_inputs(self, images, pictures, frames):
        """Return what `call` takes; here the images alone.

        Args:
            images: (B, H, W, 3) uint8, the last rows perhaps empty.
            pictures: list of those that fill it, (h, w, 3) uint8; frames: of each.
        """
        return images

    kind = "detection"
    # What `_detections` reads of `call`'s answer, and what its answer is scored by.
    result_keys: tuple[str, ...] = ("boxes", "scores", "labels", "num")
    result_kinds: tuple[str, ...] = ("boxes",)
    # Finds regions in a picture, for a model that does not propose them itself.
    proposer = None

    def _detections(self, outputs, frame):
        """Return one picture's `Detections`, from its rows of the outputs `result_keys`."""
        num = int(outputs["num"])
        return Detections(
            boxes=self.image_converter.to_picture(outputs["boxes"][:num], frame),
            scores=outputs["scores"][:num],
            labels=outputs["labels"][:num],
            class_names=self.class_names,
        )
