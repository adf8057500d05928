"""Colours of one picture given to another."""

import numpy as np
import pytest

from zoo.colors import keep_colors, match_colors

pytestmark = pytest.mark.any_backend

RANDOM = np.random.default_rng(0)
# Correlated colours away from 0 and 255, so that nothing is cut off.
MIX = np.array([[20, 5, 0], [0, 15, 5], [5, 0, 10]])
PICTURE = (RANDOM.normal(size=(40, 50, 3)) @ MIX + (120, 110, 130)).round().astype("uint8")
OTHER = (RANDOM.normal(size=(30, 20, 3)) @ MIX.T / 2 + (90, 140, 100)).round().astype("uint8")


def statistics(picture):
    pixels = picture.reshape(-1, 3).astype(float)
    return pixels.mean(axis=0), np.cov(pixels.T)


def test_matched_colours_have_the_mean_and_covariance_of_the_reference():
    (mean, covariance), (wanted, wanted_covariance) = map(
        statistics, (match_colors(PICTURE, OTHER), OTHER)
    )
    np.testing.assert_allclose(mean, wanted, atol=0.1)
    # Rounding to whole grey levels adds 1 / 12 to each variance.
    np.testing.assert_allclose(covariance, wanted_covariance, atol=0.5)


def test_a_picture_matched_to_itself_stays():
    assert np.abs(match_colors(PICTURE, PICTURE).astype(int) - PICTURE).max() <= 1


def test_a_picture_of_one_colour_takes_the_mean_of_the_reference():
    flat = np.full((4, 4, 3), 77, np.uint8)
    mean = statistics(OTHER)[0]
    np.testing.assert_allclose(match_colors(flat, OTHER)[0, 0], mean, atol=0.51)


def test_kept_colours_leave_the_brightness():
    grey = np.repeat(RANDOM.integers(60, 200, (8, 8, 1), np.uint8), 3, axis=2)
    reference = np.full((8, 8, 3), (140, 120, 110), np.uint8)
    kept = keep_colors(grey, reference).astype(float)
    # BT.601, as JPEG has it; two roundings to whole numbers a channel.
    np.testing.assert_allclose(kept @ (0.299, 0.587, 0.114), grey[..., 0], atol=2)
    assert (kept[..., 0] - kept[..., 2]).mean() == pytest.approx(30, abs=1.5)


def test_kept_colours_need_one_size():
    with pytest.raises(ValueError, match="must have one size"):
        keep_colors(PICTURE, OTHER)
