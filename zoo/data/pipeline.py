"""Records -> batches for a model: a deterministic, resumable tf.data stream.

Shape letters: B batch, H, W the network's input, M boxes with padding.
Everything random is a pure function of (seed, epoch, index in stored order), so a stream begun at
step s equals, bit for bit, what an uninterrupted one gives from step s on.
"""

import tensorflow as tf

from zoo.data.augment import build_steps
from zoo.data.moved_proposals import check_steps, join_proposals, split_proposals
from zoo.data.network_masks import network_masks
from zoo.data.proposals import Proposals
from zoo.data.samples import cached_samples, streamed_samples
from zoo.data.source import Source
from zoo.data.stream import batched_stream, check_options


def build_pipeline(
    source: Source,
    split: str,
    converter,
    *,
    batch_size: int,
    max_boxes: int,
    training: bool,
    seed: int = 0,
    start_step: int = 0,
    share: tuple[int, int] = (0, 1),
    epochs: int = 1,
    limit: int | None = None,
    augment=(),
    cache: bool = False,
    masks: bool = False,
    proposals: Proposals | None = None,
) -> tf.data.Dataset:
    """Build the stream of batches.

    Training spans all `epochs` in one dataset, each shuffled anew, and drops what does not fill a
    batch; evaluation is one pass in stored order with a last batch that may be smaller.

    Args:
        converter: the model's `ImageConverter`.
        max_boxes: M; rows beyond a picture's boxes hold zeros and the label -1.
        seed: of the order and the augmentation.
        start_step: training: the global step (of `epochs` times `steps_per_epoch`) to begin at.
        share: (part, parts): give of each training batch the part with this number, of equal ones;
            a process of several trains on its own.
        limit: take the first N records of the split only.
        augment: what changes the pictures in training, as `build_steps` takes it: "ssd", or
            ["flip", {"name": "random_resized_crop", "scale": [0.5, 1.0]}].
        cache: hold the decoded pictures in memory, H * W * 3 bytes each.
        masks: give the objects' masks too, M * H * W bytes a picture.
        proposals: of the split's pictures, to be given with them.
    Returns: dataset of (images (B, H, W, 3) uint8, {"boxes": (B, M, 4) float32 fractions of the
        network's input, "labels": (B, M) int32}), with "masks": (B, M, H, W) uint8, 0 or 1, where
        asked for: Keras adds up what two replicas get before their first step, and no booleans.
        With proposals the images are {"images": ..., "proposals": (B, P, 4) float32 fractions}.
    Raises: ValueError if a picture has more boxes than `max_boxes`, or an option is out of range.
    """
    steps = build_steps(augment)
    check_options(steps, batch_size, start_step, share)
    if proposals is not None:
        check_steps(steps)
    _check_box_counts(source, split, limit, max_boxes)
    prepare = cached_samples if cache else streamed_samples
    samples, read = prepare(source, split, converter, max_boxes, limit)

    def load(sample, epoch):
        return _picture(read(sample), converter, masks, proposals, sample["index"])

    def finish(batch):
        if proposals is not None:
            batch = split_proposals(batch, max_boxes)
        return _inputs_and_targets(batch)

    return batched_stream(
        samples,
        load,
        steps,
        finish,
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


def _picture(loaded: dict, converter, masks: bool, proposals: Proposals | None, index) -> dict:
    """What augmentation changes: images, boxes, labels and, where asked for, masks."""
    picture = {name: loaded[name] for name in ("images", "boxes", "labels")}
    if masks:
        picture["masks"] = network_masks(loaded["masks"], loaded["size"], converter)
    if proposals is not None:
        picture = join_proposals(picture, proposals, index, loaded["size"], converter)
    return picture


def _inputs_and_targets(batch):
    targets = {name: batch[name] for name in batch if name not in ("images", "proposals")}
    if "masks" in targets:
        targets["masks"] = tf.cast(targets["masks"], tf.uint8)
    if "proposals" not in batch:
        return batch["images"], targets
    return {name: batch[name] for name in ("images", "proposals")}, targets


def _check_box_counts(source: Source, split: str, limit: int | None, max_boxes: int) -> None:
    found = source.inspect(split)
    image_id, count = found.most_boxes_in, found.most_boxes
    if count > max_boxes and limit is not None:  # perhaps of a picture beyond the limit
        image_id, count = _most_boxes(source.entries(split, limit))
    if count > max_boxes:
        raise ValueError(
            f"max_boxes must be at least the boxes of every picture; got {max_boxes}, but "
            f"{source.name}@{split} picture {image_id} has {count}. Raise data.max_boxes."
        )


def _most_boxes(records) -> tuple[str, int]:
    """(image_id, number of boxes) of the record that has most."""
    counts = records.map(lambda record: (record["image_id"], tf.size(record["labels"])))
    image_id, count = max(counts.as_numpy_iterator(), key=lambda pair: pair[1])
    return image_id.decode(), int(count)
