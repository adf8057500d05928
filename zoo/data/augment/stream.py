"""Steps over a stream of samples, a seed each: the same wherever the stream is entered.

Shape letters: B batch, K the pictures a step mixes.
Words: a key says which sample this is, {"epoch", "index"}, and so which random numbers are its own.
"""

import itertools
from collections.abc import Callable, Sequence

import tensorflow as tf

from zoo.data.augment.policies import Step


def augmented(
    samples: tf.data.Dataset,
    steps: Sequence[Step],
    seed_of: Callable[..., tf.Tensor],
    *,
    batch_size: int,
    parallel: int,
) -> tf.data.Dataset:
    """Apply the steps in order.

    A step that mixes pictures takes the partners from the same batch, in an order drawn for that
    batch, so a stream entered at a batch equals the one that ran until there.

    Args:
        samples: (sample, key) in the order of the epochs, whole batches each.
        seed_of: (epoch, index, number of the step) -> stateless seed (2,).
        batch_size: B, at least K.
        parallel: samples worked on at once.
    Returns: dataset of samples.
    """
    numbered = list(enumerate(steps))
    for mixes, group in itertools.groupby(numbered, key=lambda pair: pair[1].pictures > 1):
        run = list(group)
        for number, step in run if mixes else []:
            samples = _grouped(samples, step.pictures, seed_of, number, batch_size)
            samples = samples.map(_applied([(number, step)], seed_of), num_parallel_calls=parallel)
        if not mixes:
            samples = samples.map(_applied(run, seed_of), num_parallel_calls=parallel)
    return samples.map(lambda sample, key: sample)


def _applied(numbered, seed_of):
    def apply(sample, key):
        for number, step in numbered:
            sample = step.apply(sample, seed_of(key["epoch"], key["index"], number))
        return sample, key

    return apply


def _grouped(samples, pictures, seed_of, number, batch_size) -> tf.data.Dataset:
    """Give each sample of a batch its partners: the next K - 1 in a drawn order of the batch."""

    def partners(batch, keys):
        seed = seed_of(keys["epoch"][0], keys["index"][0], number)
        order = tf.argsort(tf.random.stateless_uniform((batch_size,), tf.random.fold_in(seed, 0)))
        place = tf.argsort(order)

        def group(index):
            rows = tf.gather(order, (place[index] + tf.range(pictures)) % batch_size)
            mixed = {name: tf.gather(values, rows) for name, values in batch.items()}
            return mixed, {name: values[index] for name, values in keys.items()}

        return tf.data.Dataset.range(batch_size).map(group)

    return samples.batch(batch_size, drop_remainder=True).flat_map(partners)
