"""Pictures of one class each -> batches for a classifier.

Shape letters: B batch, H, W the network's input, h, w a stored picture, C classes.
In training a crop is cut from the stored picture, at its own resolution; without one, and in
evaluation, the converter fits the picture as `classify` does. The stream is deterministic and
resumable, as `zoo.data.epochs` has it.
"""

import numpy as np
import tensorflow as tf

from zoo.data.augment import build_class_steps
from zoo.data.augment.class_policies import MIXING
from zoo.data.samples import PARALLEL_DECODES, decode_picture
from zoo.data.source import Source
from zoo.data.stream import batched_stream, check_options


def build_classification_pipeline(
    source: Source,
    split: str,
    converter,
    *,
    batch_size: int,
    training: bool,
    seed: int = 0,
    start_step: int = 0,
    share: tuple[int, int] = (0, 1),
    epochs: int = 1,
    limit: int | None = None,
    augment=(),
    cache: bool = False,
) -> tf.data.Dataset:
    """Build the stream of batches.

    Training spans all `epochs` in one dataset, each shuffled anew, and drops what does not fill a
    batch; evaluation is one pass in stored order with a last batch that may be smaller.

    Args:
        source: of pictures with one label each, as folders of classes give them.
        converter: the model's `CropConverter` or `ImageConverter`.
        seed: of the order and the augmentation.
        start_step: training: the global step (of `epochs` times `steps_per_epoch`) to begin at.
        share: (part, parts): give of each training batch the part with this number, of equal ones;
            a process of several trains on its own.
        limit: take the first N records of the split only.
        augment: what changes the pictures in training, as `build_class_steps` takes it: "light",
            or ["random_resized_crop", "flip", {"name": "mixup", "alpha": 0.4}].
        cache: hold the decoded pictures in memory, h * w * 3 bytes each.
    Returns: dataset of (images (B, H, W, 3) uint8, {"labels": (B,) int32}); where a step mixes
        pictures, labels (B, C) float32 say how much of each class a training picture shows.
    Raises: ValueError if a picture has not one label, or an option is out of range.
    """
    steps = build_class_steps(augment, converter.image_size) if training else ()
    check_options(steps, batch_size, start_step, share)
    check_one_label(source, split)
    samples, read = (_cached if cache else _streamed)(source, split, limit)
    cropped = any(step.name == "random_resized_crop" for step in steps)
    count = len(source.class_names)

    def load(sample, epoch):
        pixels, label = read(sample)
        return {
            "images": pixels if cropped else fit_picture(pixels, converter),
            "classes": tf.one_hot(label, count),
            "boxes": tf.zeros((0, 4)),  # steps that move objects find none
            "labels": tf.zeros((0,), tf.int32),
        }

    targets = _mixed_targets if any(step.name in MIXING for step in steps) else _targets
    return batched_stream(
        samples,
        load,
        steps,
        targets,
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


def check_one_label(source: Source, split: str) -> None:
    """Raise ValueError unless each picture of the split has one label."""
    found = source.inspect(split)
    if found.most_boxes > 1:
        raise ValueError(
            f"classification takes pictures of one class; {source.name}@{split} picture "
            f"{found.most_boxes_in} has {found.most_boxes} objects. Is it a detection data set?"
        )
    if found.boxes < found.size:
        raise ValueError(
            f"classification takes pictures of one class; {source.name}@{split} has "
            f"{found.size - found.boxes} without a label."
        )


def _streamed(source: Source, split: str, limit: int | None):
    """Read and decode pictures whenever they are needed.

    Returns: dataset of samples, dicts with the key "index"; and a function sample -> pixels
        (h, w, 3) uint8 and label () int32.
    """

    def to_sample(index, record):
        return {"index": index, "image": record["image"], "label": record["labels"][0]}

    def read(sample):
        return decode_picture(source, sample["image"]), sample["label"]

    return source.entries(split, limit).enumerate().map(to_sample), read


def _cached(source: Source, split: str, limit: int | None):
    """Decode all pictures now, one after another in one array; returns what `_streamed` does."""
    samples, read = _streamed(source, split, limit)
    decoded = list(samples.map(read, num_parallel_calls=PARALLEL_DECODES).as_numpy_iterator())
    shapes = np.array([pixels.shape for pixels, _ in decoded], np.int64)
    ends = np.cumsum(shapes.prod(axis=1))
    held = tf.constant(np.concatenate([pixels.ravel() for pixels, _ in decoded]))
    rows = {
        "shape": tf.constant(shapes),
        "start": tf.constant(ends - shapes.prod(axis=1)),
        "end": tf.constant(ends),
        "label": tf.constant([label for _, label in decoded], tf.int32),
    }

    def look_up(sample):
        row = {name: values[sample["index"]] for name, values in rows.items()}
        pixels = tf.reshape(held[row["start"] : row["end"]], row["shape"])
        return tf.ensure_shape(pixels, (None, None, 3)), row["label"]

    return tf.data.Dataset.range(len(decoded)).map(lambda index: {"index": index}), look_up


def fit_picture(pixels, converter):
    """Return pixels (h, w, 3) uint8 as the converter fits them, in a tf.data graph."""
    fitted = tf.numpy_function(lambda picture: converter.convert(picture)[0], [pixels], tf.uint8)
    return tf.ensure_shape(fitted, (*converter.image_size, 3))


def _targets(batch: dict):
    return batch["images"], {"labels": tf.argmax(batch["classes"], axis=-1, output_type=tf.int32)}


def _mixed_targets(batch: dict):
    return batch["images"], {"labels": batch["classes"]}
