"""What all steps share: chances, numbers from seeds, and rows that become padding.

Shape letters: H, W the network's input, M boxes with padding, K the pictures a step mixes.
A sample is a dict of tensors:
    images  (H, W, 3) uint8
    boxes   (M, 4) float32 xyxy, fractions 0..1 of the picture; zeros where padded
    labels  (M,) int32, -1 marks padding
    masks   (M, H, W) bool, only where the data have them
    segmentation  (H, W) uint8, the class of every pixel or 255, only where the data have it; M is
            0 then, and steps that choose by boxes or mix pictures are refused
A group is the same dict with a leading axis K: a picture and the partners it is mixed with.
"""

from collections.abc import Callable

import tensorflow as tf

Sample = dict[str, tf.Tensor]
Change = Callable[[Sample, tf.Tensor], Sample]


def uniform(seed, low: float = 0.0, high: float = 1.0, count: int | None = None) -> tf.Tensor:
    """Draw one number, or `count` of them, from low..high."""
    shape = () if count is None else (count,)
    return tf.random.stateless_uniform(shape, seed, low, high)


def seeds(seed, count: int) -> list[tf.Tensor]:
    """Make `count` seeds of one."""
    return [tf.random.fold_in(seed, number) for number in range(1, count + 1)]


def beta(seed, alpha: float) -> tf.Tensor:
    """Draw from Beta(alpha, alpha): X / (X + Y) of two gammas."""
    first, second = (
        tf.random.stateless_gamma((), one, alpha, dtype=tf.float32) for one in seeds(seed, 2)
    )
    return tf.math.divide_no_nan(first, first + second)


def unchanged(sample: Sample) -> Sample:
    """Give a sample back as it is."""
    return sample


def first_of(group: Sample) -> Sample:
    """Give back the picture that the others of a group are the partners of."""
    return {name: values[0] for name, values in group.items()}


def sometimes(
    probability: float, change: Change, otherwise: Callable[[Sample], Sample] = unchanged
) -> Change:
    """Return the step that makes the change with a probability, or else does the other thing."""

    def step(sample, seed):
        (inner,) = seeds(seed, 1)
        return tf.cond(
            uniform(seed) < probability, lambda: change(sample, inner), lambda: otherwise(sample)
        )

    return step


def keep_rows(sample: Sample, keep: tf.Tensor) -> Sample:
    """Turn the rows that are not kept into padding, where they stand.

    Args:
        keep: (M,) bool.
    """
    kept = {
        "boxes": tf.where(keep[:, None], sample["boxes"], 0.0),
        "labels": tf.where(keep, sample["labels"], -1),
    }
    if "masks" in sample:
        kept["masks"] = sample["masks"] & keep[:, None, None]
    return sample | kept


def largest_rows(sample: Sample, count: int) -> Sample:
    """Keep the `count` rows with the largest boxes; padding comes last.

    Args:
        sample: of any number of rows, at least `count`.
    """
    left, top, right, bottom = tf.unstack(sample["boxes"], axis=-1)
    areas = tf.where(sample["labels"] >= 0, (right - left) * (bottom - top), -1.0)
    rows = tf.math.top_k(areas, count).indices
    names = [name for name in ("boxes", "labels", "masks") if name in sample]
    return sample | {name: tf.gather(sample[name], rows) for name in names}


def check_probability(value: float) -> None:
    """Raise ValueError unless the value lies in 0..1."""
    if not 0 <= value <= 1:
        raise ValueError(f"probability must lie in 0..1; got {value}.")


def check_range(name: str, values, low: float, high: float = float("inf")) -> None:
    """Raise ValueError unless the values are two numbers, in order, within low..high."""
    if len(values) != 2 or not low <= values[0] <= values[1] <= high:
        bounds = f"{low:g}..{high:g}" if high < float("inf") else f"at least {low:g}"
        raise ValueError(f"{name} must be [lowest, highest] within {bounds}; got {list(values)}.")
