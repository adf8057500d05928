"""The stream of batches: what it holds, that it can be entered anywhere, and that it repeats."""

import numpy as np
import pytest
import tensorflow as tf

from tests.data.test_sources import in_memory, record
from tests.data.tiny_sets import HEIGHT, WIDTH, picture
from zoo.data import build_pipeline, steps_per_epoch
from zoo.layers.image_converter import ImageConverter
from zoo.pictures import read_picture

pytestmark = pytest.mark.any_backend

SAME, SMALL = ImageConverter((256, 256)), ImageConverter((96, 64), mode="letterbox")


def stream(source, split="train", converter=SAME, **options):
    defaults = {"batch_size": 4, "max_boxes": 3, "training": True, "seed": 5}
    dataset = build_pipeline(source, split, converter, **(defaults | options))
    return list(dataset.as_numpy_iterator())


def assert_same_batches(left, right):
    assert len(left) == len(right)
    for (images, targets), (others, their_targets) in zip(left, right, strict=True):
        np.testing.assert_array_equal(images, others)
        for name in ("boxes", "labels"):
            np.testing.assert_array_equal(targets[name], their_targets[name])


def identities(batches):
    """The pictures' contents, in order."""
    return [pixels.tobytes() for images, _ in batches for pixels in images]


def test_batches_have_the_promised_shapes(bananas):
    dataset = build_pipeline(
        bananas, "train", SMALL, batch_size=4, max_boxes=3, training=True, augment=["flip"]
    )
    images, targets = dataset.element_spec
    assert images == tf.TensorSpec((4, 96, 64, 3), tf.uint8)
    assert targets["boxes"] == tf.TensorSpec((4, 3, 4), tf.float32)
    assert targets["labels"] == tf.TensorSpec((4, 3), tf.int32)


def test_missing_boxes_are_zeros_with_label_minus_one(bananas):
    for _, targets in stream(bananas, "val", training=False):
        assert (targets["labels"][:, 0] == 0).all()
        assert (targets["labels"][:, 1:] == -1).all()
        assert (targets["boxes"][:, 1:] == 0).all()


@pytest.mark.parametrize("converter", [SAME, SMALL])
def test_evaluation_gives_every_picture_in_stored_order(bananas, converter):
    batches = stream(bananas, "val", converter, training=False, augment=["flip"])
    assert [len(images) for images, _ in batches] == [4, 1]
    records = bananas.records("val").as_numpy_iterator()
    pixels = np.concatenate([images for images, _ in batches])
    boxes = np.concatenate([targets["boxes"] for _, targets in batches])
    for number, stored in enumerate(records):
        expected, frame = converter.convert(read_picture(stored["image"]))
        np.testing.assert_array_equal(pixels[number], expected)
        mapped = converter.to_network(stored["boxes"] * 256, frame)
        np.testing.assert_array_equal(boxes[number, :1], mapped)


def test_both_decoders_give_the_same_pixels(bananas):
    for stored in bananas.records("train").as_numpy_iterator():
        decoded = tf.io.decode_jpeg(stored["image"], dct_method="INTEGER_ACCURATE").numpy()
        np.testing.assert_array_equal(decoded, read_picture(stored["image"]))


def test_an_epoch_holds_no_picture_twice_and_the_next_has_another_order(bananas):
    batches = identities(stream(bananas, epochs=2))
    assert len(batches) == 2 * 20  # 22 pictures, batches of 4: two left out each time
    first, second = batches[:20], batches[20:]
    assert len(set(first)) == len(set(second)) == 20
    assert first != second


def test_order_depends_on_the_seed(bananas):
    assert identities(stream(bananas)) != identities(stream(bananas, seed=6))


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize("start_step", [1, 5, 14])
def test_stream_entered_at_a_step_equals_the_uninterrupted_one(bananas, start_step, cache):
    options = {"epochs": 3, "augment": ["flip"], "converter": SMALL, "cache": cache}
    whole = stream(bananas, **options)
    assert len(whole) == 15
    assert_same_batches(stream(bananas, start_step=start_step, **options), whole[start_step:])


def test_stream_entered_at_its_end_is_empty(bananas):
    assert stream(bananas, epochs=3, start_step=15) == []


def test_stream_does_not_depend_on_global_seeds(bananas):
    first = stream(bananas, augment=["flip"])
    tf.random.set_seed(11)
    np.random.seed(11)
    assert_same_batches(stream(bananas, augment=["flip"]), first)


def test_cached_stream_equals_the_streamed_one(bananas):
    options = {"epochs": 2, "augment": ["flip"], "converter": SMALL}
    assert_same_batches(stream(bananas, cache=True, **options), stream(bananas, **options))
    assert_same_batches(
        stream(bananas, training=False, cache=True), stream(bananas, training=False)
    )


def test_shuffling_in_several_blocks_holds_the_promises(bananas, monkeypatch):
    monkeypatch.setattr("zoo.data.epochs.SHUFFLE_BLOCK", 7)
    whole = stream(bananas, epochs=2)
    assert len(set(identities(whole[:5]))) == 20
    assert_same_batches(stream(bananas, epochs=2, start_step=7), whole[7:])


def test_limit_is_kept_to(bananas):
    assert steps_per_epoch(bananas, "train", 4, limit=9) == 2
    first = {
        read_picture(r["image"]).tobytes() for r in bananas.records("train", 9).as_numpy_iterator()
    }
    assert set(identities(stream(bananas, limit=9, epochs=3))) <= first


def test_flips_half_of_the_pictures_anew_each_epoch(bananas):
    plain = stream(bananas, epochs=4)
    flipped = stream(bananas, epochs=4, augment=["flip"])
    same = np.array([a == b for a, b in zip(identities(plain), identities(flipped), strict=True)])
    assert 0.3 < same.mean() < 0.7  # 80 draws: half, give or take 3.6 standard deviations
    for (images, targets), (others, their_targets) in zip(plain, flipped, strict=True):
        for pixels, boxes, other, theirs in zip(
            images, targets["boxes"], others, their_targets["boxes"], strict=True
        ):
            if (pixels == other).all():
                np.testing.assert_array_equal(boxes, theirs)
            else:
                np.testing.assert_array_equal(pixels[:, ::-1], other)
                left, top, right, bottom = boxes[0]
                np.testing.assert_allclose(theirs[0], [1 - right, top, 1 - left, bottom])
                assert (theirs[1:] == 0).all()


def test_crowds_are_not_learnt():
    boxes = [[0, 0, 1, 1], [0, 0, 0.5, 0.25], [0.5, 0.5, 1, 1]]
    mixed = record("market", boxes=boxes, labels=[0] * 3, crowd=[True, False, True])
    mixed |= {"image": picture(), "height": np.int32(HEIGHT), "width": np.int32(WIDTH)}
    ((_, targets),) = stream(in_memory([mixed]), "val", training=False)
    assert targets["labels"].tolist() == [[0, -1, -1]]
    np.testing.assert_allclose(targets["boxes"][0], [boxes[1], [0] * 4, [0] * 4])


def test_picture_with_too_many_boxes_is_named():
    crowded = record("street", boxes=[[0, 0, 1, 1]] * 5, labels=[0] * 5, crowd=[False] * 5)
    source = in_memory([record("field"), crowded])
    with pytest.raises(ValueError, match=r"got 3, but made up@val picture street has 5.*max_boxes"):
        stream(source, "val", training=False)
    assert source.size("val") == 2
    build_pipeline(source, "val", SAME, batch_size=1, max_boxes=3, training=False, limit=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augment": ["flop"]}, "augment must name some of light, .*; got flop. Did you mean flip"),
        ({"augment": "strong", "batch_size": 3}, "at least 4, .* mosaic mixes; got 3"),
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        ({"batch_size": 23}, "batch_size must be at most the 22 records of bananas@train; got 23"),
        ({"start_step": -1}, "start_step must not be negative; got -1"),
        ({"share": (2, 2)}, r"share must be \(part, parts\) with 0 <= part < parts; got \(2, 2\)"),
        ({"share": (0, 3)}, "batch_size must be a multiple of 3, the processes .*; got 4"),
    ],
)
def test_wrong_options_are_refused(bananas, options, message):
    with pytest.raises(ValueError, match=message):
        stream(bananas, **options)
