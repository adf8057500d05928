"""Prior boxes: the grid of anchors behind one feature map.

Shapes: S sizes, R ratios, S + R - 1 anchors a cell. Anchors are constants of the model: they are
computed once in NumPy, in the book's order of operations, so that they carry its bits.
"""

import numpy as np
from keras import ops


def prior_boxes(height, width, sizes, ratios):
    """Make the anchors of a feature map, in fractions of the network's input.

    The anchors of a cell are (s1, r1) (s2, r1) ... (s1, r2) (s1, r3) ...; cells go row by row, and
    their centres lie at ((column + 0.5) / width, (row + 0.5) / height). An anchor of size s and
    ratio r is s * sqrt(r) * height / width wide and s / sqrt(r) high: s is a fraction of the
    *height* and r the ratio in cells, so anchors of a wide map keep their shape.

    Args:
        height, width: of the feature map, in cells.
        sizes: S numbers > 0, fractions of the input.
        ratios: R numbers > 0, width / height.
    Returns: (height * width * (S + R - 1), 4) float32 xyxy; anchors may reach beyond 0..1.
    Raises: ValueError if a number is not positive.
    Reference: the book 13.4.1, multibox_prior.
    """
    sizes, ratios = np.float32(sizes), np.float32(ratios)
    _check(height=height, width=width, sizes=sizes, ratios=ratios)
    widths = np.concatenate([sizes * np.sqrt(ratios[0]), sizes[0] * np.sqrt(ratios[1:])])
    # 1 / sqrt first: that is what PyTorch makes of the book's "number / tensor".
    heights = np.concatenate([sizes / np.sqrt(ratios[0]), sizes[0] * (1 / np.sqrt(ratios[1:]))])
    widths = widths * np.float32(height) / np.float32(width)
    corners = np.stack([-widths, -heights, widths, heights], axis=1) / np.float32(2)
    x = (np.arange(width, dtype="float32") + np.float32(0.5)) * np.float32(1.0 / width)
    y = (np.arange(height, dtype="float32") + np.float32(0.5)) * np.float32(1.0 / height)
    y, x = np.meshgrid(y, x, indexing="ij")
    centres = np.stack([x, y, x, y], axis=-1)  # (height, width, 4)
    return ops.convert_to_tensor((centres[:, :, None] + corners).reshape(-1, 4))


def _check(**numbers):
    for name, value in numbers.items():
        if np.size(value) == 0 or not np.all(np.asarray(value) > 0):
            raise ValueError(f"{name} must be positive, at least one number; got {value!r}.")
