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


def check_options(steps: tuple[Step, ...], batch_size: int, start_step: int) -> None:
    """Raise ValueError unless batches of this size can be made of the steps, from this step on."""
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
) -> tf.data.Dataset:
    """Order the samples of a split, load them, change them in training, and batch them.

    Args:
        samples: dicts with the key "index", in stored order.
        load: (sample, epoch () int64) -> the picture that the steps change.
        steps: of the augmentation.
        finish: a batch of pictures -> what the stream gives.
        training: drops what fills no batch; see `in_order` for the rest of the arguments.
        batch_size: B.
    """
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
    batches = pictures.batch(batch_size, drop_remainder=training).map(finish)
    return batches.prefetch(PREFETCHED_BATCHES).with_options(_options())


def _options() -> tf.data.Options:
    """Keep the order, and take no more threads than decoding needs."""
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False  # two decodes and four batches are all there is to tune
    options.threading.private_threadpool_size = PARALLEL_DECODES
    options.threading.max_intra_op_parallelism = 1
    return options
