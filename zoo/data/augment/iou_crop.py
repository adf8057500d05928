"""SSD's crop: a window that overlaps an object by a drawn minimum.

Shape letters: T windows tried, M boxes with padding, O minimal overlaps.
"""

import tensorflow as tf

from zoo.data.augment.sample import Change, check_range, seeds, uniform
from zoo.data.augment.view import view

MIN_OVERLAPS = (0.1, 0.3, 0.5, 0.7, 0.9)


def iou_crop(
    *, min_overlaps=MIN_OVERLAPS, min_scale: float = 0.3, ratio=(0.5, 2.0), trials: int = 50
) -> Change:
    """Leave the picture, cut a window that overlaps an object enough, or cut any window.

    Each way for which a window is found is as likely as any other. A window shows the centre of an
    object at least, and the objects whose centres it shows stay. A picture without objects stays.

    Args:
        min_overlaps: the least IoU of the window with an object, 0..1, one a way.
        min_scale: the window's least side before its ratio, a fraction of the picture's. The .1 "of
            the original image size" in the paper is an area; .3 is the side in the authors' code.
        ratio: [lowest, highest] width / height of the window over that of the picture.
        trials: windows tried.

    Reference: Liu 2016, SSD, section 2.2, "Data augmentation".
    """
    if not all(0 <= overlap <= 1 for overlap in min_overlaps):
        raise ValueError(f"min_overlaps must lie in 0..1; got {list(min_overlaps)}.")
    if not 0 < min_scale <= 1:
        raise ValueError(f"min_scale must lie in 0..1, above 0; got {min_scale}.")
    check_range("ratio", ratio, 0.01, 100.0)
    if trials < 1:
        raise ValueError(f"trials must be at least 1; got {trials}.")
    wanted = tf.constant([0.0, *min_overlaps], tf.float32)

    def step(sample, seed):
        windows_seed, choice_seed = seeds(seed, 2)
        windows = _windows(windows_seed, min_scale, ratio, trials)
        centred = _centres_inside(windows, sample)  # (T, M)
        overlap = tf.reduce_max(_iou(windows, sample["boxes"]), axis=1)  # (T,); padding is empty
        enough = (overlap >= wanted[:, None]) & tf.reduce_any(centred, axis=1)  # (1 + O, T)
        found = tf.concat([[True], tf.reduce_any(enough, axis=1)], axis=0)
        chances = uniform(choice_seed, count=len(min_overlaps) + 2)
        way = tf.argmax(tf.where(found, chances, -1.0))
        first = tf.argmax(enough[tf.maximum(way - 1, 0)])
        return tf.cond(
            way > 0, lambda: view(sample, windows[first], centred[first]), lambda: sample
        )

    return step


def _windows(seed, min_scale, ratio, trials):
    """(T, 4), all inside the picture: a size admits only the ratios that fit."""
    size_seed, ratio_seed, place_seed = seeds(seed, 3)
    sizes = uniform(size_seed, min_scale, 1.0, trials)
    low, high = tf.maximum(ratio[0], sizes**2), tf.minimum(ratio[1], sizes**-2)
    roots = tf.sqrt(low + (high - low) * uniform(ratio_seed, count=trials))
    sides = tf.minimum(tf.stack([sizes * roots, sizes / roots], axis=-1), 1.0)
    corners = tf.random.stateless_uniform((trials, 2), place_seed) * (1.0 - sides)
    return tf.concat([corners, corners + sides], axis=-1)


def _centres_inside(windows, sample):
    centres = (sample["boxes"][:, :2] + sample["boxes"][:, 2:]) / 2
    inside = (centres > windows[:, None, :2]) & (centres < windows[:, None, 2:])
    return tf.reduce_all(inside, axis=-1) & (sample["labels"] >= 0)


def _iou(windows, boxes):
    """(T, 4), (M, 4) -> (T, M)."""
    corner = tf.maximum(windows[:, None, :2], boxes[:, :2])
    sides = tf.maximum(tf.minimum(windows[:, None, 2:], boxes[:, 2:]) - corner, 0.0)
    overlap = sides[..., 0] * sides[..., 1]
    window_areas, box_areas = (
        (some[:, 2] - some[:, 0]) * (some[:, 3] - some[:, 1]) for some in (windows, boxes)
    )
    return overlap / (window_areas[:, None] + box_areas - overlap)
