"""The order of a stream: epochs, each shuffled anew, entered at any step.

Everything random is a pure function of (seed, epoch, index in stored order). An epoch's order comes
from shuffling whole blocks of samples; entering it in the middle decodes no picture before that.
"""

import tensorflow as tf

from zoo.data.source import Source

SHUFFLE_BLOCK = 4096  # encoded samples held in memory at once; smaller splits shuffle as a whole
SHUFFLING, AUGMENTING, CROPPING = range(3)  # streams of random numbers that must not meet


def steps_per_epoch(source: Source, split: str, batch_size: int, limit: int | None = None) -> int:
    """Whole training batches in one epoch; what does not fill a batch is dropped that epoch."""
    size = split_size(source, split, limit)
    if size < batch_size:
        raise ValueError(
            f"batch_size must be at most the {size} records of {source.name}@{split}; "
            f"got {batch_size}. Lower batch_size or raise limit."
        )
    return size // batch_size


def in_order(
    samples,
    source: Source,
    split: str,
    *,
    training: bool,
    batch_size: int,
    seed: int,
    epochs: int,
    start_step: int,
    limit: int | None,
) -> tf.data.Dataset:
    """Put a split's samples, dicts with the key "index", in the order of a stream.

    Args:
        training: epochs, each shuffled anew, without what fills no batch; else one pass in stored
            order, of which the arguments below say nothing.
        seed: of the order.
        epochs: how many in all.
        start_step: the global step to begin at.
        limit: of the samples.
    Returns: dataset of (sample, epoch () int64).
    """
    if not training:
        return samples.map(lambda sample: (sample, tf.constant(0, tf.int64)))
    per_epoch = steps_per_epoch(source, split, batch_size, limit)
    first_epoch, first_step = divmod(start_step, per_epoch)

    def one_epoch(epoch):
        skipped = tf.where(epoch == first_epoch, first_step * batch_size, 0)
        ordered = _shuffled(samples, fold((seed, SHUFFLING), epoch))
        ordered = ordered.take(per_epoch * batch_size).skip(tf.cast(skipped, tf.int64))
        return ordered.map(lambda sample: (sample, epoch))

    return tf.data.Dataset.range(first_epoch, epochs).flat_map(one_epoch)


def _shuffled(samples, seed) -> tf.data.Dataset:
    """Shuffle within blocks of `SHUFFLE_BLOCK`; Dataset.shuffle would obey TF's global seed."""

    def permute(number, block):
        size = tf.shape(block["index"])[0]
        keys = tf.random.stateless_uniform(
            (size,), tf.random.fold_in(seed, number), minval=None, maxval=None, dtype=tf.int64
        )
        order = tf.argsort(keys, stable=True)
        return {name: tf.gather(values, order) for name, values in block.items()}

    return samples.batch(SHUFFLE_BLOCK).enumerate().map(permute).unbatch()


def fold(seed, *numbers):
    """Make a stateless seed (2,) int32 of a pair of numbers and any others."""
    folded = tf.constant([seed[0] & 0x7FFFFFFF, seed[1]], tf.int32)
    for number in numbers:
        folded = tf.random.fold_in(folded, number)
    return folded


def split_size(source: Source, split: str, limit: int | None) -> int:
    """Records of a split, at most the limit."""
    size = source.size(split)
    return size if limit is None else min(size, limit)
