"""Feature extractors: pictures in, a list of feature maps out, finest first."""

from zoo.backbones.tiny_cnn import TinyCNN

__all__ = ["TinyCNN"]
