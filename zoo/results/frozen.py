"""Arrays that a result keeps for itself."""

import numpy as np


def frozen_copy(values, dtype) -> np.ndarray:
    """Return a read-only copy: freezing the caller's own array would surprise."""
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array
