"""From samples to batches: what the pipelines of all kinds of data have in common.

Shape letters: B batch.
"""

from collections.abc import Callable

import tensorflow as tf

from zoo.data.augment import Step
from zoo.data.augment.stream import augmented
from zoo.data.epochs import AUGMENTING, fold, in_order
from zoo.data.samples import PARALLEL_DECODES
from zoo.data.source import Source

PREFETCHED_BATCHES = 4


def check_options(
    steps: tuple[Step, ...], batch_size: int, start_step: int, share: tuple[int, int]
) -> None:
    """Raise ValueError unless batches of this size can be made of the steps, from this step on."""
    part, parts = share
    if not 0 <= part < parts:
        raise ValueError(f"share must be (part, parts) with 0 <= part < parts; got {share}.")
    if batch_size % parts:
        raise ValueError(
            f"batch_size must be a multiple of {parts}, the processes that share a batch; got "
            f"{batch_size}."
        )
    for step in steps:
        if step.pictures > batch_size:
            raise ValueError(
                f"batch_size must be at least {step.pictures}, the pictures of a batch that "
                f"{step.name} mixes; got {batch_size}."
            )
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}.")
    if start_step < 0:
        raise ValueError(f"start_step must not be negative; got {start_step}.")


def batched_stream(
    samples: tf.data.Dataset,
    load: Callable[[dict, tf.Tensor], dict],
    steps: tuple[Step, ...],
    finish: Callable[[dict], object],
    source: Source,
    split: str,
    *,
    training: bool,
    batch_size: int,
    seed: int,
    epochs: int,
    start_step: int,
    limit: int | None,
    share: tuple[int, int],
) -> tf.data.Dataset:
    """Order the samples of a split, load them, change them in training, and batch them.

    A share of a batch holds what the whole batch holds there, bit for bit. Only where a step mixes
    pictures is the rest of the batch loaded too.

    Args:
        samples: dicts with the key "index", in stored order.
        load: (sample, epoch () int64) -> the picture that the steps change.
        steps: of the augmentation.
        finish: a batch of pictures -> what the stream gives.
        training: drops what fills no batch; see `in_order` for the rest of the arguments.
        batch_size: B.
        share: (part, parts): in training, give of each batch the part with this number, of equal
            ones.
    """
    parts = share[1] if training else 1
    mixes = training and any(step.pictures > 1 for step in steps)
    ordered = in_order(
        samples,
        source,
        split,
        training=training,
        batch_size=batch_size,
        seed=seed,
        epochs=epochs,
        start_step=start_step,
        limit=limit,
    )
    if parts > 1 and not mixes:
        ordered, batch_size = _part_of_batches(ordered, batch_size, share), batch_size // parts
    pictures = augmented(
        ordered.map(
            lambda sample, epoch: (
                load(sample, epoch),
                {"epoch": epoch, "index": sample["index"]},
            ),
            num_parallel_calls=PARALLEL_DECODES,
        ),
        steps if training else (),
        lambda *numbers: fold((seed, AUGMENTING), *numbers),
        batch_size=batch_size,
        parallel=PARALLEL_DECODES,
    )
    if parts > 1 and mixes:
        pictures = _part_of_batches(pictures, batch_size, share)
        batch_size //= parts
    batches = pictures.batch(batch_size, drop_remainder=training).map(finish)
    return batches.prefetch(PREFETCHED_BATCHES).with_options(_options())


def _part_of_batches(
    samples: tf.data.Dataset, batch_size: int, share: tuple[int, int]
) -> tf.data.Dataset:
    """Keep the samples of one part of every batch."""
    part, parts = share
    size = batch_size // parts
    numbered = samples.enumerate().filter(lambda n, sample: n % batch_size // size == part)
    return numbered.map(lambda n, sample: sample)


def _options() -> tf.data.Options:
    """Keep the order, and take no more threads than decoding needs."""
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False  # two decodes and four batches are all there is to tune
    options.threading.private_threadpool_size = PARALLEL_DECODES
    options.threading.max_intra_op_parallelism = 1
    return options
