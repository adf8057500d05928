"""Records -> samples, and samples -> pixels and padded boxes at the network's size.

Shape letters: H, W the network's input, M boxes with padding, N pictures of the split.
Words: a sample is what the pipeline puts in order before any picture is decoded: the encoded
picture with its padded boxes or, where all are held in memory, its index alone.
"""

import numpy as np
import tensorflow as tf

from zoo.data.source import Source
from zoo.pictures import read_picture

PARALLEL_DECODES = 2  # one core decodes 1,000 pictures/s of 256x256; a step takes some 50 a second


def decode_picture(source: Source, image):
    """Return the pixels (h, w, 3) uint8 behind an entry's `image` () string, in a tf.data graph."""
    encoded = source.load_picture(image)
    if source.plain:
        # Pillow's inverse DCT; the default of TensorFlow is a faster, coarser one
        pixels = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")
    else:
        pixels = tf.numpy_function(read_picture, [encoded], tf.uint8)
    return tf.ensure_shape(pixels, (None, None, 3))


def streamed_samples(source: Source, split: str, converter, max_boxes: int, limit: int | None):
    """Read and decode pictures whenever they are needed.

    Returns: dataset of samples, dicts with the key "index" () int64; and a function
        sample -> {"images": (H, W, 3) uint8, "boxes": (M, 4) float32 fractions, "labels": (M,)
        int32, "masks": (M,) string run lengths, "size": (2,) int32 of the stored picture}.
    """

    def to_sample(index, record):
        return {"index": index, "image": record["image"], **_padded(record, max_boxes)}

    samples = source.entries(split, limit).enumerate().map(to_sample)
    return samples, _decoder(source, converter)


def cached_samples(source: Source, split: str, converter, max_boxes: int, limit: int | None):
    """Decode all pictures now and hold them in memory; returns what `streamed_samples` does."""
    samples, load = streamed_samples(source, split, converter, max_boxes, limit)
    size = source.size(split) if limit is None else min(source.size(split), limit)
    decoded = samples.map(load, num_parallel_calls=PARALLEL_DECODES).batch(size)
    held = decoded.get_single_element()

    def look_up(sample):
        return {name: tf.gather(values, sample["index"]) for name, values in held.items()}

    return tf.data.Dataset.range(size).map(lambda index: {"index": index}), look_up


def _padded(record: dict, max_boxes: int) -> dict:
    """The single objects of a record: a crowd's box fits none, so nothing is learnt from it."""
    single = ~record["crowd"]
    objects = {name: record[name][single] for name in ("boxes", "labels", "masks")}
    missing = max_boxes - tf.shape(objects["labels"])[0]
    boxes = tf.pad(objects["boxes"], [[0, missing], [0, 0]])
    labels = tf.pad(objects["labels"], [[0, missing]], constant_values=-1)
    return {
        "boxes": tf.ensure_shape(boxes, (max_boxes, 4)),
        "labels": tf.ensure_shape(labels, (max_boxes,)),
        "masks": tf.ensure_shape(tf.pad(objects["masks"], [[0, missing]]), (max_boxes,)),
        "size": tf.stack([record["height"], record["width"]]),
    }


def _decoder(source: Source, converter):
    """The function that decodes a sample; Pillow's pixels on either way."""
    height, width = converter.image_size

    def convert(encoded, boxes, labels):
        picture = read_picture(encoded)
        pixels, frame = converter.convert(picture)
        corner = np.array([picture.shape[1], picture.shape[0]] * 2, np.float32)
        mapped = converter.to_network(boxes * corner, frame)
        return pixels, np.where(labels[:, None] >= 0, mapped, boxes)

    def through_pillow(sample):
        parts = [sample["image"], sample["boxes"], sample["labels"]]
        pixels, boxes = tf.numpy_function(convert, parts, (tf.uint8, tf.float32))
        return pixels, boxes

    def through_tensorflow(sample):
        # Pillow's inverse DCT; the default of TensorFlow is a faster, coarser one
        pixels = tf.io.decode_jpeg(sample["image"], channels=3, dct_method="INTEGER_ACCURATE")
        return pixels, sample["boxes"]

    def load(sample):
        sample = sample | {"image": source.load_picture(sample["image"])}
        ready = source.plain & tf.reduce_all(sample["size"] == [height, width])
        pixels, boxes = tf.cond(
            ready, lambda: through_tensorflow(sample), lambda: through_pillow(sample)
        )
        return {
            "images": tf.ensure_shape(pixels, (height, width, 3)),
            "boxes": tf.ensure_shape(boxes, sample["boxes"].shape),
            **{name: sample[name] for name in ("labels", "masks", "size")},
        }

    return load
