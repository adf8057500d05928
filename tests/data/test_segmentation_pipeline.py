"""The stream of segmented windows: picture and map stay together; it can be entered anywhere."""

import numpy as np
import pytest
import tensorflow as tf

from tests.data.mask_sets import png
from zoo.colormaps import VOID
from zoo.data import build_segmentation_pipeline, load_source
from zoo.data.augment import build_steps

pytestmark = pytest.mark.any_backend

SIZES = ((40, 60), (20, 70), (50, 24), (1, 1), (33, 48), (10, 12), (64, 64))
CROP = (32, 48)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Pictures whose red is the class of the pixel, times 20; green and blue say where it was."""
    folder = tmp_path_factory.mktemp("masks")
    for part in ("train/images", "train/masks", "val/images", "val/masks"):
        (folder / part).mkdir(parents=True)
    for number, size in enumerate(SIZES):
        classes = np.random.default_rng(number).integers(0, 10, size, np.uint8)
        rows, columns = np.indices(size, np.uint8)
        pixels = np.stack([classes * 20, rows, columns], axis=-1)
        for split in ("train", "val"):
            (folder / split / f"images/{number}.png").write_bytes(png(pixels))
            (folder / split / f"masks/{number}.png").write_bytes(png(classes))
    return load_source(
        "mask_folders",
        path=folder,
        class_names=[f"class {number}" for number in range(10)],
        data_dir=str(folder / "cache"),
    )


def stream(source, split="train", **options):
    defaults = {"batch_size": 2, "training": True, "seed": 3, "crop": CROP, "epochs": 2}
    dataset = build_segmentation_pipeline(source, split, **(defaults | options))
    return list(dataset.as_numpy_iterator())


def windows(batches):
    """(pixels, classes) a picture."""
    for images, targets in batches:
        yield from zip(images, targets["segmentation"], strict=True)


def assert_same(left, right):
    assert len(left) == len(right)
    for (pixels, classes), (others, theirs) in zip(windows(left), windows(right), strict=True):
        np.testing.assert_array_equal(pixels, others)
        np.testing.assert_array_equal(classes, theirs)


def test_batches_have_the_promised_shapes(source):
    images, targets = build_segmentation_pipeline(
        source, "train", batch_size=2, training=True, augment=["flip"]
    ).element_spec
    assert images == tf.TensorSpec((2, 320, 480, 3), tf.uint8)
    assert targets == {"segmentation": tf.TensorSpec((2, 320, 480), tf.int32)}


@pytest.mark.parametrize("augment", [[], ["flip", "vertical_flip"]])
def test_picture_and_map_are_cut_and_mirrored_alike(source, augment):
    batches = stream(source, epochs=4, augment=augment)
    assert len(batches) == 4 * 3  # 7 pictures in pairs
    for pixels, classes in windows(batches):
        inside = classes != VOID
        assert inside.any()
        np.testing.assert_array_equal(pixels[inside][:, 0], classes[inside] * 20)
        assert (pixels[~inside] == 114).all()


def test_window_lies_in_the_picture_or_the_picture_in_it(source):
    for pixels, classes in windows(stream(source, epochs=4)):
        rows, columns = (np.flatnonzero((classes != VOID).any(axis=axis)) for axis in (1, 0))
        shown = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        sizes = [tuple(np.minimum(size, CROP)) for size in SIZES]
        assert shown.shape[:2] in sizes
        assert (np.diff(shown[..., 1].astype(int), axis=0) == 1).all()  # green counts the rows


def test_places_of_windows_are_spread_over_the_picture(source):
    starts = set()
    for pixels, classes in windows(stream(source, batch_size=1, epochs=40, limit=1)):
        assert (classes != VOID).all()  # the first picture, 40x60
        starts.add((int(pixels[0, 0, 1]), int(pixels[0, 0, 2])))
    rows, columns = map(set, zip(*starts, strict=True))
    assert (min(rows), max(rows)) == (0, 8)
    assert max(columns) <= 12
    assert len(columns) > 6


def test_evaluation_shows_the_middle_in_stored_order(source):
    batches = stream(source, "val", training=False, batch_size=4, augment=["flip"])
    assert [len(images) for images, _ in batches] == [4, 3]
    shown = list(windows(batches))
    for (_, _, truth), (_, classes) in zip(source.semantic_truth("val"), shown, strict=True):
        height, width = truth.shape
        top, left = (height - 32) // 2, (width - 48) // 2  # negative: so much is padded
        canvas = np.full((height + 128, width + 128), VOID)
        canvas[64 : 64 + height, 64 : 64 + width] = truth
        window = canvas[64 + top : 96 + top, 64 + left : 112 + left]
        np.testing.assert_array_equal(classes, window)


def test_stream_entered_at_a_step_equals_the_uninterrupted_one(source):
    options = {"augment": "light"}
    whole = stream(source, **options)
    tf.random.set_seed(11)
    for start_step in (1, 3):  # in an epoch, and at the beginning of one
        assert_same(stream(source, start_step=start_step, **options), whole[start_step:])


def test_a_share_of_a_batch_is_what_the_batch_holds_there(source):
    whole, ours = stream(source, augment="light"), stream(source, augment="light", share=(1, 2))
    last = [(images[1:], {"segmentation": y["segmentation"][1:]}) for images, y in whole]
    assert_same(ours, last)


def test_epochs_and_seeds_cut_other_windows(source):
    options = {"limit": 1, "batch_size": 1}
    (first, second), (other, _) = stream(source, **options), stream(source, seed=4, **options)
    assert (first[0] != second[0]).any()
    assert (first[0] != other[0]).any()


def test_light_and_colour_change_the_picture_alone(source):
    photometric = {"name": "photometric", "probability": 1.0}
    plain, changed = stream(source), stream(source, augment=[photometric])
    for (pixels, classes), (others, same) in zip(windows(plain), windows(changed), strict=True):
        np.testing.assert_array_equal(classes, same)
        assert (pixels != others).any()


@pytest.mark.parametrize("name", ["random_resized_crop", "expand"])
def test_zooming_moves_the_map_with_the_picture(name):
    classes = np.zeros((40, 60), np.uint8)
    classes[:25, 20:] = 1
    pixels = np.repeat(200 * classes[..., None], 3, axis=2)
    nothing = {"boxes": tf.zeros((0, 4)), "labels": tf.zeros((0,), tf.int32)}
    sample = {"images": tf.constant(pixels), "segmentation": tf.constant(classes)} | nothing
    (step,) = build_steps({"name": name, "probability": 1.0})
    for seed in range(10):
        changed = step.apply(sample, tf.constant([0, seed]))
        inside = changed["segmentation"].numpy() != VOID
        shown = changed["images"].numpy()[..., 0][inside] > 100  # half the way from 0 to 200
        assert (shown == changed["segmentation"].numpy()[inside]).mean() > 0.98  # but for outlines
        assert inside.all() == (name == "random_resized_crop")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augment": "ssd"}, "augment must name some of flip, .* for segmentation; got iou_crop"),
        ({"crop": (0, 5)}, r"crop must be \(height, width\), both at least 1; got \(0, 5\)"),
        ({"fill": 256}, r"fill must lie in 0\.\.255; got 256"),
        ({"batch_size": 8}, "batch_size must be at most the 7 records"),
    ],
)
def test_wrong_options_are_refused(source, options, message):
    with pytest.raises(ValueError, match=message):
        stream(source, **options)


def test_data_of_objects_are_refused(bananas):
    with pytest.raises(ValueError, match=r"bananas has objects, .* voc_segmentation, mask_folders"):
        stream(bananas)
