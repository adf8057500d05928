"""RandAugment's changes are Pillow's, and its draws are a function of the seed."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from zoo.data.augment import affine, tones
from zoo.data.augment.rand_augment import CHANGES, rand_augment

pytestmark = pytest.mark.any_backend


@pytest.fixture(scope="module")
def picture():
    """A smooth picture of tones 20..220, so that every change shows."""
    coarse = np.random.default_rng(0).integers(20, 221, (6, 8, 3)).astype("uint8")
    return np.asarray(Image.fromarray(coarse).resize((64, 48), Image.Resampling.BICUBIC))


def ours(change, picture, *arguments):
    return change(tf.cast(picture, tf.float32), *arguments).numpy()


ENHANCERS = {
    tones.brightened: ImageEnhance.Brightness,
    tones.coloured: ImageEnhance.Color,
    tones.contrasted: ImageEnhance.Contrast,
    tones.sharpened: ImageEnhance.Sharpness,
}


@pytest.mark.parametrize("factor", [0.1, 1.0, 1.9])
@pytest.mark.parametrize("change", ENHANCERS, ids=lambda change: change.__name__)
def test_a_blend_is_pillows(picture, change, factor):
    wanted = np.asarray(ENHANCERS[change](Image.fromarray(picture)).enhance(factor)).astype(int)
    # Pillow rounds down, and its greys are a tone off here and there: times a factor below 2.
    assert np.abs(ours(change, picture, factor) - wanted).max() <= 2


@pytest.mark.parametrize(
    ("change", "pillows", "arguments"),
    [
        (tones.posterized, ImageOps.posterize, (4,)),
        (tones.solarized, ImageOps.solarize, (128,)),
        (tones.equalized, ImageOps.equalize, ()),
        (tones.stretched, ImageOps.autocontrast, ()),
    ],
)
def test_a_table_of_tones_is_pillows(picture, change, pillows, arguments):
    wanted = np.asarray(pillows(Image.fromarray(picture), *arguments)).astype(int)
    # Pillow's autocontrast works with a rounded scale: one tone.
    limit = 1 if change is tones.stretched else 0
    assert np.abs(ours(change, picture, *arguments) - wanted).max() <= limit


@pytest.mark.parametrize("change", [tones.equalized, tones.stretched])
def test_one_tone_stays(change):
    flat = np.full((8, 8, 3), 77, "uint8")
    np.testing.assert_array_equal(ours(change, flat), flat)


def test_turning_is_pillows(picture):
    wanted = Image.fromarray(picture).rotate(
        25, Image.Resampling.BILINEAR, fillcolor=(128, 128, 128)
    )
    got = ours(affine.rotated, picture, 25.0)
    inside = (slice(12, -12), slice(16, -16))  # Pillow fills whole pixels at the edge
    assert np.abs(got - np.asarray(wanted).astype(int))[inside].max() <= 2


def test_shifting_and_shearing_move_whole_rows(picture):
    moved = ours(affine.shifted, picture, 0.25, 0.0)
    np.testing.assert_allclose(moved[:, 16:], picture[:, :-16], atol=1e-3)
    np.testing.assert_allclose(moved[:, :16], affine.GREY, atol=1e-3)
    # The top row lies 23.5 rows above the middle: at .5 a row it comes from 11.75 pixels left.
    sheared = ours(affine.sheared_x, picture, 0.5)
    row = picture[0].astype(float)
    np.testing.assert_allclose(sheared[0, 12:52], 0.75 * row[:40] + 0.25 * row[1:41], atol=1e-3)


def test_the_same_seed_makes_the_same_changes(picture):
    step = tf.function(rand_augment(count=2, magnitude=20))
    seeds = [tf.constant([3, number], tf.int32) for number in range(40)]
    results = [step({"images": tf.constant(picture)}, seed)["images"].numpy() for seed in seeds]
    again = step({"images": tf.constant(picture)}, seeds[7])["images"].numpy()
    np.testing.assert_array_equal(results[7], again)
    assert results[0].dtype == np.uint8
    # 14 changes twice, to either side: 40 draws seldom meet.
    assert len({result.tobytes() for result in results}) > 25


def test_no_magnitude_moves_nothing(picture):
    pixels = tf.cast(picture, tf.float32)
    for name in ("rotate", "shear_x", "shift_y", "brightness", "color", "posterize", "sharpness"):
        got = CHANGES[name](pixels, 0.0, 0.0).numpy()
        np.testing.assert_allclose(got, picture, atol=1e-3, err_msg=name)


def test_bad_options_are_told():
    with pytest.raises(ValueError, match="count must be at least 1; got 0"):
        rand_augment(count=0)
    with pytest.raises(ValueError, match=r"magnitude must lie in 0\.\.30; got 31"):
        rand_augment(magnitude=31)
