"""Each step does what its paper says: windows, grounds, colours, and which objects stay."""

import colorsys

import numpy as np
import pytest
import tensorflow as tf

from tests.data.augment_scenes import (
    ROWS,
    SIDE,
    ramp,
    run,
    sample,
    scene,
    solo,
    stacked,
    window_of,
)
from zoo.data.augment import POLICIES, STEPS, build_steps

pytestmark = pytest.mark.any_backend

PIXEL = 1.5 / SIDE  # how well `window_of` reads a window from bytes
MIDDLE = [[24, 30, 72, 66]]


def visible(box, window):
    """Part of a box that a window shows, both xyxy."""
    sides = np.minimum(box[2:], window[2:]) - np.maximum(box[:2], window[:2])
    return np.prod(np.maximum(sides, 0)) / np.prod(box[2:] - box[:2])


def iou(box, window):
    overlap = visible(box, window) * np.prod(box[2:] - box[:2])
    return overlap / (np.prod(box[2:] - box[:2]) + np.prod(window[2:] - window[:2]) - overlap)


def crops(name, boxes, count=60, **options):
    """Yield (window, labels) of crops of a ramp with these boxes; the windows in fractions."""
    before = sample(boxes, [0] * len(boxes), ramp())
    for seed in range(count):
        changed = run(name, before, seed, **options)
        yield window_of(changed["images"]) / SIDE, changed["labels"]


def test_random_resized_crop_keeps_to_scale_and_ratio():
    windows = np.array(
        [w for w, _ in crops("random_resized_crop", MIDDLE, scale=(0.4, 0.6), ratio=(0.8, 1.25))]
    )
    width, height = (windows[:, 2:] - windows[:, :2]).T
    assert ((width * height > 0.4 - 2 * PIXEL) & (width * height < 0.6 + 2 * PIXEL)).all()
    assert ((width / height > 0.8 - 3 * PIXEL) & (width / height < 1.25 + 3 * PIXEL)).all()
    assert np.ptp(width) > 0.1
    assert (windows > -PIXEL).all()
    assert (windows < 1 + PIXEL).all()


def test_random_resized_crop_keeps_what_is_visible_enough():
    box = np.array(MIDDLE[0]) / SIDE
    seen = list(crops("random_resized_crop", MIDDLE, scale=(0.2, 0.4), min_visible=0.6))
    clear = [(visible(box, w), labels[0]) for w, labels in seen]
    clear = [(part, label) for part, label in clear if abs(part - 0.6) > 0.08]  # PIXEL an edge
    assert {label for _, label in clear} == {0, -1}
    for part, label in clear:
        assert (label == 0) == (part > 0.6)


def test_iou_crop_overlaps_an_object_by_the_drawn_minimum():
    """30 of 32 ways ask for .7, of one box only; of 1,000 windows some have it."""
    boxes = [*MIDDLE, [2, 2, 12, 12]]
    fractions = np.array(boxes) / SIDE
    options = {"min_overlaps": (0.7,) * 30, "trials": 1000}
    windows = [w for w, _ in crops("iou_crop", boxes, **options)]
    best = np.array([max(iou(box, w) for box in fractions) for w in windows])
    assert (best > 0.66).mean() > 0.8


def test_iou_crop_keeps_the_objects_whose_centres_it_shows():
    boxes = [*MIDDLE, [2, 2, 12, 12], [60, 70, 90, 90]]
    centres = (np.array(boxes)[:, :2] + np.array(boxes)[:, 2:]) / 2 / SIDE
    lost = 0
    for window, labels in crops("iou_crop", boxes):
        inside = (centres > window[:2]).all(axis=1) & (centres < window[2:]).all(axis=1)
        near = np.abs(centres[:, None] - window.reshape(2, 2)).min(axis=(1, 2)) < 2 * PIXEL
        assert ((labels[:3] == 0) == inside)[~near].all()
        assert (labels >= 0).any()
        lost += (labels[:3] < 0).any()
    assert lost > 10


def test_iou_crop_leaves_a_picture_without_objects():
    before = sample([], [], ramp())
    for seed in range(5):
        np.testing.assert_array_equal(run("iou_crop", before, seed)["images"], ramp())


def test_iou_crop_leaves_the_whole_picture_as_often_as_any_other_way():
    """A box over all: every way is found, so one of 7 leaves it; 210 draws, 30 give or take 15."""
    before = sample([[0, 0, SIDE, SIDE]], [0], ramp())
    same = [(run("iou_crop", before, seed)["images"] == ramp()).all() for seed in range(210)]
    assert 15 <= sum(same) <= 45


def test_expand_draws_the_picture_on_the_ground_of_its_colour():
    white = sample([[0, 0, SIDE, SIDE]], [3])
    sides = []
    for seed in range(30):
        changed = run("expand", white, seed, fill=(10, 20, 30), probability=1.0)
        left, top, right, bottom = np.round(changed["boxes"][0] * SIDE).astype(int)
        outside = np.ones((SIDE, SIDE), bool)
        outside[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1] = False
        assert (changed["images"][outside] == (10, 20, 30)).all()
        assert (changed["images"][top + 1 : bottom - 1, left + 1 : right - 1] == 255).all()
        sides.append(SIDE / (right - left))
    assert min(sides) < 1.5
    assert 3 < max(sides) <= 4.2


def test_photometric_moves_no_object():
    before = scene(0)
    changed = run("photometric", before, 1, probability=1.0)
    assert (changed["images"] != before["images"].numpy()).any()
    for name in ("boxes", "labels", "masks"):
        np.testing.assert_array_equal(changed[name], before[name])


def colours(seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    return pixels, sample(MIDDLE, [0], pixels)


NEUTRAL = {"brightness": 0.0, "contrast": (1.0, 1.0), "saturation": (1.0, 1.0), "hue": 0.0}


def test_photometric_with_neutral_options_changes_nothing():
    pixels, before = colours()
    changed = run("photometric", before, 0, probability=1.0, **NEUTRAL)
    np.testing.assert_array_equal(changed["images"], pixels)


def test_brightness_adds_the_same_everywhere_and_is_cut_at_the_ends():
    pixels, before = colours()
    added = set()
    for seed in range(12):
        changed = run("photometric", before, seed, probability=1.0, **NEUTRAL | {"brightness": 40})
        difference = changed["images"].astype(int) - pixels
        (value,) = np.unique(difference[(pixels > 50) & (pixels < 205)])
        np.testing.assert_array_equal(changed["images"], np.clip(pixels + value, 0, 255))
        added.add(value)
    assert max(added) - min(added) > 30
    assert max(map(abs, added)) <= 40


def test_contrast_stretches_around_the_mean():
    pixels, before = colours()
    changed = run("photometric", before, 0, probability=1.0, **NEUTRAL | {"contrast": (0.5, 0.5)})
    mean = pixels.mean(axis=(0, 1))
    np.testing.assert_allclose(changed["images"], mean + (pixels - mean) / 2, atol=0.51)


@pytest.mark.parametrize("options", [{"saturation": (0.5, 0.5)}, {"hue": 30.0}])
def test_colours_are_those_of_the_standard_library(options):
    pixels, before = colours()
    changed = run("photometric", before, 4, probability=1.0, **NEUTRAL | options)["images"]
    shifts = set()
    for row, column in [(0, 0), (10, 20), (50, 90), (95, 3)]:
        hue, saturation, value = colorsys.rgb_to_hsv(*pixels[row, column] / 255)
        now = colorsys.rgb_to_hsv(*changed[row, column] / 255)
        assert now[2] == pytest.approx(value, abs=0.005)  # of a byte
        factor = 0.5 if "saturation" in options else 1.0
        assert now[1] == pytest.approx(saturation * factor, abs=0.02)
        shifts.add(round(((now[0] - hue + 0.5) % 1 - 0.5) * 360))
    assert max(shifts) - min(shifts) <= 6  # degrees; bytes of a dull colour hold no more
    assert max(map(abs, shifts)) <= (33 if "hue" in options else 3)
    assert "hue" not in options or min(map(abs, shifts)) > 1


def test_mosaic_shows_a_picture_in_each_corner_and_covers_everything():
    plain = [sample([], [], np.full((SIDE, SIDE, 3), 50 * k, np.uint8)) for k in range(1, 5)]
    for seed in range(10):
        pixels = run("mosaic", stacked(plain), seed)["images"][..., 0]
        assert pixels[[0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [50, 100, 150, 200]
        assert set(np.unique(pixels)) == {50, 100, 150, 200}
        row, column = (pixels[:, 0] == 50).sum(), (pixels[0] == 50).sum()
        assert 0.3 * SIDE - 1 <= min(row, column) <= max(row, column) <= 0.7 * SIDE + 1


def test_mosaic_keeps_the_aspect_ratio_of_its_pictures():
    square = sample([[32, 32, 64, 64]], [0])
    kept = 0
    for seed in range(20):
        changed = run("mosaic", stacked([square] * 4), seed, min_visible=1.0)
        for box in changed["boxes"][changed["labels"] >= 0]:
            width, height = box[2:] - box[:2]
            assert width == pytest.approx(height, abs=1e-3)
            kept += 1
    assert kept > 10


@pytest.mark.parametrize(("name", "pictures"), [("mosaic", 4), ("mixup", 2)])
def test_of_more_objects_than_rows_the_largest_stay(name, pictures):
    random = np.random.default_rng(0)
    starts = random.integers(0, 60, (pictures, ROWS, 2))
    boxes = np.concatenate([starts, starts + random.integers(8, 36, starts.shape)], axis=-1)
    group = stacked([sample(some, [0] * ROWS) for some in boxes])
    roomy = {name: tf.concat([value] * 4, axis=1) for name, value in group.items() if name != "x"}
    roomy["images"] = group["images"]
    empty = tf.concat([group["labels"]] + [tf.fill((pictures, ROWS), -1)] * 3, axis=1)
    (step,) = build_steps([name])
    kept = step.apply(group, tf.constant([0, 1]))
    everything = step.apply(roomy | {"labels": empty}, tf.constant([0, 1]))
    areas = [area(one)[one["labels"].numpy() >= 0] for one in (kept, everything)]
    assert len(areas[1]) > ROWS == len(areas[0])
    np.testing.assert_allclose(np.sort(areas[0]), np.sort(areas[1])[-ROWS:], rtol=1e-6)


def area(one):
    boxes = one["boxes"].numpy()
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1)


def test_mixup_blends_the_pixels_and_keeps_all_objects():
    group = stacked([solo(0, 0), solo(0, 1)])  # red on black, green on black
    for seed in range(5):
        changed = run("mixup", group, seed)
        first, second, *_ = group["boxes"].numpy()[:, 0]
        assert sorted(map(tuple, changed["boxes"][:2])) == sorted(map(tuple, [first, second]))
        red, green = changed["images"][..., 0].max(), changed["images"][..., 1].max()
        assert abs(int(red) + int(green) - 255) <= 1


def test_mixup_deviates_in_counting_objects_in_full_so_both_pictures_stay_visible():
    """Beta(8, 8) has 90 % of its mass within .30 .. .70 (scipy.stats.beta.interval)."""
    group = stacked([solo(0, 0), solo(0, 1)])
    weights = np.array([run("mixup", group, s)["images"][..., 0].max() / 255 for s in range(200)])
    assert 0.84 < ((weights > 0.3) & (weights < 0.7)).mean() < 0.96
    assert abs(weights.mean() - 0.5) < 0.03


@pytest.mark.parametrize("name", ["flip", "random_resized_crop", "expand", "mosaic", "mixup"])
def test_probability_is_kept_to(name):
    one = sample(MIDDLE, [0], ramp())
    before = {"mosaic": stacked([one] * 4), "mixup": stacked([one, scene(0)])}.get(name, one)
    same = [
        (run(name, before, seed, probability=0.3)["images"] == ramp()).all() for seed in range(150)
    ]
    assert 0.55 < np.mean(same) < 0.85  # 150 draws: .7, four standard deviations


@pytest.mark.parametrize("policy", POLICIES)
def test_policies_are_lists_of_steps(policy):
    steps = build_steps(policy)
    assert [step.name for step in steps] == [entry["name"] for entry in POLICIES[policy]]
    assert [step.name for step in build_steps([policy, "flip"])][-1] == "flip"


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ("flop", "augment must name some of light, .*, mixup; got flop. Did you mean flip"),
        (["flip", "sdd"], "got sdd. Did you mean ssd"),
        ([{"nam": "flip"}], "got None"),
        ([{"name": "flip", "probabilty": 1}], "flip has the options probability; got probabilty. "
         "Did you mean probability"),
        ([{"name": "ssd", "probability": 1}], "ssd is a policy without options; got probability"),
        ([{"name": "flip", "probability": 2}], "flip: probability must lie in 0..1; got 2"),
        ([{"name": "expand", "ratio": [0.5, 2]}], "expand: ratio must be .* within at least 1"),
        ([{"name": "expand", "fill": [1, 2]}], "expand: fill must be .red, green, blue."),
        ([{"name": "mosaic", "center": [0.9, 0.1]}], "mosaic: center must be .lowest, highest."),
        ([{"name": "mixup", "alpha": 0}], "mixup: alpha must be greater than 0; got 0"),
        ([{"name": "iou_crop", "trials": 0}], "iou_crop: trials must be at least 1; got 0"),
        ([{"name": "iou_crop", "min_overlaps": [2]}], "iou_crop: min_overlaps must lie in 0..1"),
        ([{"name": "photometric", "hue": 200}], "photometric: hue must lie in 0..180"),
        ([{"name": "random_resized_crop", "min_visible": -1}], "min_visible must lie in 0..1"),
    ],
)  # fmt: skip
def test_wrong_augmentation_is_refused(augment, message):
    with pytest.raises(ValueError, match=message):
        build_steps(augment)


def test_every_step_is_documented():
    assert all(step.__doc__ for step in STEPS.values())
