"""What R-CNN and Fast R-CNN share: regions that are proposed from outside the network.

Letters: B images, P proposals.
"""

import keras
import numpy as np

from zoo.models.detector import Detector


class ProposalDetector(Detector):
    """A detector that is called with pictures and the proposals of each.

    Args:
        proposer: picture (h, w, 3) uint8 -> (P, 4) fractions of it, such as a `SelectiveSearch`.
        **kwargs: of `Task`.
    """

    def __init__(self, *, proposer, **kwargs):
        # Keras would cast the proposals to bfloat16 on their way in.
        super().__init__(autocast=False, **kwargs)
        self.proposer = proposer

    def build(self, input_shape):
        """Nothing is left to build; Keras asks when it opens a file."""

    def network_inputs(self, images, pictures, frames):
        """Return what `call` takes: the batch, and the proposals of its pictures."""
        proposals = np.zeros((len(images), self.proposer.count, 4), "float32")
        for row, (picture, frame) in enumerate(zip(pictures, frames, strict=True)):
            proposals[row] = fit_proposals(self.proposer, self.image_converter, picture, frame)
        return {"images": images, "proposals": proposals}

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {"proposer": serialize(self.proposer)}


def fit_proposals(proposer, converter, picture, frame) -> np.ndarray:
    """Return a picture's proposals, (P, 4) float32 xyxy fractions of the network's input.

    Args:
        proposer, converter: of the detector.
        picture: (h, w, 3) uint8; frame: what the converter gave for it.
    """
    found = proposer(picture)
    corner = np.array([frame.width, frame.height] * 2, "float32")
    moved = converter.to_network(found * corner, frame)
    return np.where(found.any(axis=1, keepdims=True), moved, np.float32(0.0))
