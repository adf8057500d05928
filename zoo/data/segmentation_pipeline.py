"""Segmented pictures -> batches for a model: windows of the stored pictures, and their class maps.

Shape letters: B batch, H, W the window, h, w a picture.
A window is cut at the picture's own resolution, so nothing is resampled and no outline is lost. In
training its place is drawn; in evaluation it is the middle. Whole pictures, to score a model on,
are `Source.semantic_truth`'s.
Deviation: where the picture is smaller than the window, the rest is `fill` in the picture and void
in the map; the book leaves such pictures out.
The stream is deterministic and resumable, as `zoo.data.pipeline` has it.
"""

import tensorflow as tf

from zoo.colormaps import VOID
from zoo.data.augment import Step, build_steps
from zoo.data.augment.policies import BLIND_TO_BOXES
from zoo.data.augment.sample import uniform
from zoo.data.epochs import CROPPING, fold
from zoo.data.samples import decode_picture
from zoo.data.source import Source
from zoo.data.stream import batched_stream, check_options

BOOK_CROP = (320, 480)  # section 13.9.2.3


def build_segmentation_pipeline(
    source: Source,
    split: str,
    *,
    batch_size: int,
    training: bool,
    crop: tuple[int, int] = BOOK_CROP,
    seed: int = 0,
    start_step: int = 0,
    share: tuple[int, int] = (0, 1),
    epochs: int = 1,
    limit: int | None = None,
    augment=(),
    fill: int = 114,
) -> tf.data.Dataset:
    """Build the stream of batches.

    Training spans all `epochs` in one dataset, each shuffled anew, and drops what does not fill a
    batch; evaluation is one pass in stored order with a last batch that may be smaller.

    Args:
        source: of segmented pictures.
        crop: (H, W) of the window, pixels.
        seed: of the order, the windows and the augmentation.
        start_step: training: the global step (of `epochs` times `steps_per_epoch`) to begin at.
        share: (part, parts): give of each training batch the part with this number, of equal ones;
            a process of several trains on its own.
        limit: take the first N records of the split only.
        augment: what changes the windows in training, as `build_steps` takes it: "light", or
            ["flip", {"name": "photometric", "hue": 6.0}]; steps that choose by boxes or mix
            pictures are refused.
        fill: 0..255, grey of what lies beyond a picture.
    Returns: dataset of (images (B, H, W, 3) uint8, {"segmentation": (B, H, W) int32}), the class
        0..C-1 of every pixel, or 255 where it has none.
    Raises: ValueError if the source has objects instead, or an option is out of range.
    """
    source.check_segmented()
    steps = build_steps(augment)
    check_options(steps, batch_size, start_step, share)
    _check_windows(steps, crop, fill)
    samples = source.entries(split, limit).enumerate().map(_sample)

    def load(sample, epoch):
        picture, classes = _decoded(source, sample)
        room = tf.shape(classes) - crop  # negative where the picture is smaller
        place_seed = fold((seed, CROPPING), epoch, sample["index"])
        corner = _anywhere(room, place_seed) if training else room // 2
        return _window(picture, classes, corner, crop, fill)

    return batched_stream(
        samples,
        load,
        steps,
        _inputs_and_targets,
        source,
        split,
        training=training,
        batch_size=batch_size,
        seed=seed,
        epochs=epochs,
        start_step=start_step,
        limit=limit,
        share=share,
    )


def _sample(index, record) -> dict:
    return {"index": index, "image": record["image"], "segmentation": record["segmentation"]}


def _decoded(source: Source, sample: dict):
    """Pixels (h, w, 3) and classes (h, w), uint8."""
    classes = tf.io.decode_png(sample["segmentation"], channels=1)
    return decode_picture(source, sample["image"]), classes[..., 0]


def _anywhere(room, seed):
    """(2,) int32: any corner at which the window lies in the picture, or the picture in it."""
    low, high = tf.minimum(room, 0), tf.maximum(room, 0)
    drawn = tf.cast(uniform(seed, count=2) * tf.cast(high - low + 1, tf.float32), tf.int32)
    return tf.minimum(low + drawn, high)


def _window(picture, classes, corner, crop, fill: int) -> dict:
    """What a window shows, as the sample that augmentation takes: it has no objects."""
    start, stop = tf.maximum(corner, 0), tf.minimum(corner + crop, tf.shape(classes))
    before = tf.maximum(-corner, 0)
    margins = tf.stack([before, crop - before - (stop - start)], axis=-1)  # (2, 2)

    def cut(pixels):
        return pixels[start[0] : stop[0], start[1] : stop[1]]

    images = tf.pad(cut(picture), tf.pad(margins, [[0, 1], [0, 0]]), constant_values=fill)
    segmentation = tf.pad(cut(classes), margins, constant_values=VOID)
    return {
        "images": tf.ensure_shape(images, (*crop, 3)),
        "segmentation": tf.ensure_shape(segmentation, crop),
        "boxes": tf.zeros((0, 4)),
        "labels": tf.zeros((0,), tf.int32),
    }


def _inputs_and_targets(batch: dict):
    return batch["images"], {"segmentation": tf.cast(batch["segmentation"], tf.int32)}


def _check_windows(steps: tuple[Step, ...], crop, fill: int) -> None:
    for step in steps:
        if step.name not in BLIND_TO_BOXES:
            raise ValueError(
                f"augment must name some of {', '.join(BLIND_TO_BOXES)} for segmentation; "
                f"got {step.name}."
            )
    if len(crop) != 2 or min(crop) < 1:
        raise ValueError(f"crop must be (height, width), both at least 1; got {crop}.")
    if not 0 <= fill <= 255:
        raise ValueError(f"fill must lie in 0..255; got {fill}.")
