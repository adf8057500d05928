"""Which level of a feature pyramid a RoI is read from."""

from keras import ops

from zoo.ops.boxes import box_area

# Keeps a RoI of just the canonical size on the canonical level, as torchvision does.
EPSILON = 1e-6


def assign_levels(rois, *, min_level, max_level, canonical_size=224, canonical_level=4):
    """Give each RoI the pyramid level that suits its size.

    Level k = floor(canonical_level + log2(sqrt(area) / canonical_size)), between the limits. A RoI
    of the canonical size is read from the canonical level, one of half its size one level below.

    Args:
        rois: (..., 4) float xyxy, in pixels of the network's input.
        min_level, max_level: the pyramid's lowest and highest level; level k has stride 2**k.
    Returns: (...) int32, k - min_level: the place in a list of levels that begins with
        `min_level`. An empty RoI gets 0.
    Raises: ValueError if the limits are out of order.
    Reference: Lin 2017, Feature Pyramid Networks, equation 1.
    """
    if min_level > max_level:
        raise ValueError(f"min_level must be at most max_level; got {min_level} and {max_level}.")
    side = ops.sqrt(ops.stop_gradient(box_area(rois)))
    # The limits on the side, rather than the level, spare the logarithm zero and infinity.
    least, most = (
        canonical_size * 2.0 ** (level - canonical_level) for level in (min_level, max_level)
    )
    side = ops.where(side >= least, ops.minimum(side, most), least)
    level = ops.floor(canonical_level + ops.log2(side / canonical_size) + EPSILON)
    return ops.cast(level, "int32") - min_level
