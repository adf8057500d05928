"""The stream of classified pictures: its labels, its crops, and that it can be entered anywhere."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.data.test_sources import in_memory, record
from zoo.data import build_classification_pipeline, load_source
from zoo.data.augment import CLASS_POLICIES, build_class_steps
from zoo.layers import CropConverter
from zoo.pictures import read_picture

pytestmark = pytest.mark.any_backend

SIZE = (24, 32)
CONVERTER = CropConverter(SIZE)
COLOURS = {"blue": (20, 30, 200), "green": (20, 200, 30), "red": (200, 30, 20)}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Folders of three colours, four pictures each, no two of one size, one of them a PNG."""
    folder = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        for number in range(4):
            noise = rng.integers(-15, 16, (40 + 7 * number, 60 - 5 * number, 3))
            path = folder / "train" / name / f"{number}.{'png' if number == 3 else 'jpg'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((colour + noise).clip(0, 255).astype("uint8")).save(path)
    return load_source("folder", path=folder)


def stream(source, split="train", **options):
    defaults = {"batch_size": 4, "training": True, "seed": 5}
    dataset = build_classification_pipeline(source, split, CONVERTER, **(defaults | options))
    return list(dataset.as_numpy_iterator())


def assert_same_batches(left, right):
    assert len(left) == len(right)
    for (images, targets), (others, their_targets) in zip(left, right, strict=True):
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(targets["labels"], their_targets["labels"])


def nearest_colour(images):
    """The label of each picture's mean colour."""
    means = images.mean(axis=(1, 2))
    return np.abs(means[:, None] - np.array(list(COLOURS.values()))).sum(-1).argmin(1)


def test_evaluation_is_what_classify_sees(source):
    batches = stream(source, training=False, batch_size=5, augment="strong")
    assert [len(images) for images, _ in batches] == [5, 5, 2]
    pixels = np.concatenate([images for images, _ in batches])
    for row, found in zip(pixels, source.records("train").as_numpy_iterator(), strict=True):
        wanted, _ = CONVERTER.convert(read_picture(found["image"]))
        np.testing.assert_array_equal(row, wanted)
    labels = np.concatenate([targets["labels"] for _, targets in batches])
    np.testing.assert_array_equal(labels, np.repeat([0, 1, 2], 4))
    assert labels.dtype == np.int32


@pytest.mark.parametrize("augment", [(), "light", "book"])
def test_labels_stay_with_their_pictures(source, augment):
    for images, targets in stream(source, augment=augment):
        assert images.shape == (4, *SIZE, 3)
        np.testing.assert_array_equal(targets["labels"], nearest_colour(images))


@pytest.mark.parametrize("augment", CLASS_POLICIES)
def test_a_stream_entered_at_a_step_equals_the_uninterrupted_one(source, augment):
    whole = stream(source, epochs=2, augment=augment)
    assert len(whole) == 6
    assert_same_batches(stream(source, epochs=2, augment=augment, start_step=4), whole[4:])
    if augment == "strong":  # from the middle of the first epoch, and from memory
        options = {"epochs": 2, "augment": augment, "start_step": 1, "cache": True}
        assert_same_batches(stream(source, **options), whole[1:])


@pytest.mark.parametrize("augment", ["book", "strong"])
def test_a_share_of_a_batch_is_what_the_batch_holds_there(source, augment):
    whole = stream(source, epochs=2, augment=augment)
    parts = stream(source, epochs=2, augment=augment, share=(1, 2))
    for (images, targets), (ours, our_targets) in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(ours, images[2:])
        np.testing.assert_array_equal(our_targets["labels"], targets["labels"][2:])


def test_epochs_and_seeds_differ(source):
    first = stream(source, epochs=2, augment="book")
    other = stream(source, epochs=2, augment="book", seed=6)
    pictures = [images.tobytes() for images, _ in first + other]
    assert len(set(pictures)) == len(pictures)


def test_a_crop_keeps_the_networks_proportions():
    """Of a wide picture the largest square is shown, as many pixels across as down."""
    rows, columns = np.mgrid[:200, :400]
    picture = np.stack([columns * 255 / 399, rows * 255 / 199, 0 * rows], -1).astype("uint8")
    crop = {"name": "random_resized_crop", "scale": [1.0, 1.0], "ratio": [1.0, 1.0]}
    (step,) = build_class_steps([crop], (50, 50))
    sample = {
        "images": tf.constant(picture),
        "boxes": tf.zeros((0, 4)),
        "labels": tf.zeros((0,), tf.int32),
    }
    seen = step.apply(sample, tf.constant([1, 2]))["images"].numpy().astype(float)
    across = (seen[25, 45, 0] - seen[25, 5, 0]) / 40 * 399 / 255
    down = (seen[45, 25, 1] - seen[5, 25, 1]) / 40 * 199 / 255
    # 200 pixels on 50; a tone of rounding on 40 of them is .04.
    assert (across, down) == pytest.approx((4, 4), abs=0.1)


def test_mixing_gives_shares_of_classes(source):
    mix = [{"name": "mixup", "alpha": 1.0}]
    for images, targets in stream(source, epochs=2, augment=mix):
        shares = targets["labels"]
        assert shares.shape == (4, 3)
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
        wanted = shares @ np.array(list(COLOURS.values()), np.float32)
        # The mean of a picture's noise is off by a tone or two.
        np.testing.assert_allclose(images.mean((1, 2)), wanted, atol=4)


def test_a_pasted_window_counts_by_its_area(source):
    mixed = 0
    for images, targets in stream(source, epochs=3, augment=["cutmix"]):
        wanted = targets["labels"] @ np.array(list(COLOURS.values()), np.float32)
        np.testing.assert_allclose(images.mean((1, 2)), wanted, atol=4)
        mixed += int((targets["labels"].max(1) < 0.999).sum())
    assert mixed > 5


def test_a_picture_without_one_label_is_refused():
    two = in_memory([record(boxes=((0, 0, 1, 1), (0, 0, 1, 1)), labels=(0, 1), crowd=(0, 0))])
    with pytest.raises(ValueError, match=r"picture a has 2 objects. Is it a detection data set\?"):
        stream(two, "val")
    none = in_memory([record(boxes=(), labels=(), crowd=())])
    with pytest.raises(ValueError, match="val has 1 without a label"):
        stream(none, "val")


def test_bad_steps_are_told(source):
    with pytest.raises(ValueError, match="must be the first step"):
        stream(source, augment=["flip", "random_resized_crop"])
    with pytest.raises(ValueError, match=r"must name some of light.*got mosaic"):
        stream(source, augment=["mosaic"])
    with pytest.raises(ValueError, match="alpha must be greater than 0"):
        stream(source, augment=[{"name": "mixup", "alpha": 0}])
    with pytest.raises(ValueError, match="pictures of a batch that mixup mixes; got 1"):
        stream(source, augment=["mixup"], batch_size=1)
