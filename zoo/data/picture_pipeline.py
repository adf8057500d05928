"""Pictures of any source, without what is known of them -> batches for a network that paints.

Shape letters: B batch, H, W the network's input, h, w a stored picture.
As for classification, a crop is cut from the stored picture, at its own resolution; without one,
and in evaluation, the converter fits the picture. Pictures are decoded whenever they are needed.
The stream is deterministic and resumable, as `zoo.data.epochs` has it.
"""

import tensorflow as tf

from zoo.data.augment import build_class_steps
from zoo.data.augment.class_policies import MIXING
from zoo.data.classification_pipeline import fit_picture
from zoo.data.samples import decode_picture
from zoo.data.source import Source
from zoo.data.stream import batched_stream, check_options


def build_picture_pipeline(
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
) -> tf.data.Dataset:
    """Build the stream of batches.

    Training spans all `epochs` in one dataset, each shuffled anew, and drops what does not fill a
    batch; evaluation is one pass in stored order with a last batch that may be smaller.

    Args:
        source: any.
        converter: the model's `CropConverter` or `ImageConverter`.
        seed: of the order and the augmentation.
        start_step: training: the global step (of `epochs` times `steps_per_epoch`) to begin at.
        share: (part, parts): give of each training batch the part with this number, of equal ones;
            a process of several trains on its own.
        limit: take the first N records of the split only.
        augment: what changes the pictures in training, as `build_class_steps` takes it, such as
            [{"name": "random_resized_crop", "ratio": [1, 1]}, "flip"]; not what mixes pictures.
    Returns: dataset of images (B, H, W, 3) uint8.
    Raises: ValueError if an option is out of range, or a step mixes pictures.
    """
    steps = build_class_steps(augment, converter.image_size) if training else ()
    check_options(steps, batch_size, start_step, share)
    _check_whole(steps)
    samples = source.entries(split, limit).enumerate().map(_sample)
    cropped = any(step.name == "random_resized_crop" for step in steps)

    def load(sample, epoch):
        pixels = decode_picture(source, sample["image"])
        return {
            "images": pixels if cropped else fit_picture(pixels, converter),
            "boxes": tf.zeros((0, 4)),  # steps that move objects find none
            "labels": tf.zeros((0,), tf.int32),
        }

    return batched_stream(
        samples,
        load,
        steps,
        lambda batch: batch["images"],
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
    return {"index": index, "image": record["image"]}


def _check_whole(steps) -> None:
    for step in steps:
        if step.name in MIXING:
            raise ValueError(
                f"augment must change single pictures where a style is learnt; got {step.name}."
            )
