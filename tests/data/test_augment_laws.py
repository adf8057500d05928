"""Laws of augmentation: what holds for every step, whatever its random numbers."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from tests.data.augment_scenes import (
    COLOURS,
    GEOMETRY,
    ONE_PICTURE,
    ROWS,
    SIDE,
    run,
    sample,
    scene,
    solo,
    stacked,
)

pytestmark = pytest.mark.any_backend

laws = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 2**31 - 1)


def painted(pixels, label):
    """Where the colour of a label is more than half of what a pixel shows."""
    return ((pixels >= 128) == (COLOURS[label] >= 128)).all(axis=-1)


def frame(shown):
    """The box around the pixels, in pixels."""
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def assert_boxes_frame_their_pixels(changed):
    for box, label in zip(changed["boxes"], changed["labels"], strict=True):
        if label >= 0:
            # a pixel at the edge counts by half, and what is cut to less than one has none
            shown = painted(changed["images"], label)
            if shown.any() or (box[2:] - box[:2]).min() * SIDE > 2:
                np.testing.assert_allclose(box * SIDE, frame(shown), atol=1.0)


def assert_masks_cover_their_pixels(changed):
    for mask, label in zip(changed["masks"], changed["labels"], strict=True):
        if label >= 0:
            assert (mask ^ painted(changed["images"], label)).mean() < 0.005
        else:
            assert not mask.any()


def assert_padding_is_zeros(changed):
    assert (changed["boxes"][changed["labels"] < 0] == 0).all()
    assert not changed["masks"][changed["labels"] < 0].any()


@pytest.mark.parametrize("name", GEOMETRY)
@laws
@given(seeds)
def test_boxes_follow_pixels(name, seed):
    assert_boxes_frame_their_pixels(run(name, scene(seed), seed, **GEOMETRY[name]))


@pytest.mark.parametrize("name", GEOMETRY)
@laws
@given(seeds)
def test_masks_follow_pixels(name, seed):
    assert_masks_cover_their_pixels(run(name, scene(seed), seed, **GEOMETRY[name]))


@laws
@given(seeds)
def test_boxes_and_masks_follow_pixels_into_a_mosaic(seed):
    changed = run("mosaic", stacked([solo(seed, label) for label in range(4)]), seed)
    assert_boxes_frame_their_pixels(changed)
    assert_masks_cover_their_pixels(changed)


@pytest.mark.parametrize("name", ONE_PICTURE)
@laws
@given(seeds)
def test_a_row_keeps_its_label_or_becomes_padding(name, seed):
    before = scene(seed)
    changed = run(name, before, seed, **ONE_PICTURE[name])
    labels = before["labels"].numpy()
    assert (
        np.isin(changed["labels"] - labels, 0).all()
        or (changed["labels"][changed["labels"] != labels] == -1).all()
    )
    assert (changed["labels"][labels < 0] == -1).all()
    assert_padding_is_zeros(changed)


@pytest.mark.parametrize(("name", "pictures"), [("mosaic", 4), ("mixup", 2)])
@laws
@given(seeds)
def test_mixing_adds_no_label(name, pictures, seed):
    group = stacked([scene(seed + number) for number in range(pictures)])
    changed = run(name, group, seed)
    given_labels = group["labels"].numpy().ravel()
    for label in range(3):
        assert (changed["labels"] == label).sum() <= (given_labels == label).sum()
    assert set(changed["labels"]) <= set(given_labels)
    assert_padding_is_zeros(changed)


@pytest.mark.parametrize("name", [*ONE_PICTURE, "mosaic", "mixup"])
@laws
@given(seeds)
def test_nothing_leaves_the_picture(name, seed):
    """Boxes of any float32 within the picture, touching its edges too."""
    random = np.random.default_rng(seed)

    def wild():
        starts = random.uniform(0, 0.9, (ROWS, 2))
        ends = np.minimum(starts + random.uniform(0.01, 1, (ROWS, 2)), 1.0)
        boxes = np.hstack([starts, ends]).astype(np.float32)
        return sample([], []) | {"boxes": boxes, "labels": np.arange(ROWS, dtype=np.int32)}

    pictures = {"mosaic": 4, "mixup": 2}.get(name)
    before = wild() if pictures is None else stacked([wild() for _ in range(pictures)])
    boxes = run(name, before, seed, **ONE_PICTURE.get(name, {}))["boxes"]
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert (boxes[:, 2:] >= boxes[:, :2]).all()


@pytest.mark.parametrize("name", ["flip", "vertical_flip"])
@laws
@given(seeds)
def test_flipping_twice_is_the_identity(name, seed):
    before = scene(seed)
    twice = run(name, run(name, before, seed), seed)
    for key in ("images", "labels", "masks"):
        np.testing.assert_array_equal(twice[key], before[key])
    np.testing.assert_allclose(twice["boxes"], before["boxes"], atol=1e-7)  # 1 - x is rounded


@pytest.mark.parametrize("name", [*ONE_PICTURE, "mosaic", "mixup"])
def test_a_seed_is_all_that_a_step_depends_on(name):
    pictures = {"mosaic": 4, "mixup": 2}.get(name)
    before = scene(3) if pictures is None else stacked([scene(n) for n in range(pictures)])
    first = [run(name, before, seed)["images"].tobytes() for seed in range(12)]
    assert [run(name, before, seed)["images"].tobytes() for seed in range(12)] == first
    assert len(set(first)) > 1
