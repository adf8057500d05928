"""What a model answers for one picture, and what the ground truth says about it.

Plain NumPy without Keras, in pixels of the original picture: all that metrics, drawing and files
need.
"""

from zoo.results.classification import Classification
from zoo.results.detections import Detections, xywh
from zoo.results.segmentation import Segmentation

__all__ = ["Classification", "Detections", "Segmentation", "xywh"]
