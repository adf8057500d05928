"""One training spread over devices and processes, with the weights of a training on one.

Synchronous data parallelism (book 12.33 to 12.35 and 13.12's data-parallel training): every device
sees its part of each batch, and all take the mean of their gradients. `batch_size` is that of the
whole batch, so the number of devices changes nothing but the speed.
"""

from zoo.training.distribution.base import Distribution
from zoo.training.distribution.kinds import KINDS, build_distribution
from zoo.training.distribution.place import Place, find_place

__all__ = ["KINDS", "Distribution", "Place", "build_distribution", "find_place"]
