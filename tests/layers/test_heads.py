"""SSDHead joins the maps of all levels as the book's concat_preds does."""

import keras
import numpy as np
import pytest
from cases import check_layer, compiled
from keras import ops

from zoo.layers import SSDHead


def maps(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [ops.convert_to_tensor(rng.normal(size=s).astype("float32")) for s in shapes]


def answer(head, features):
    head.build([level.shape for level in features])
    return compiled(lambda levels: head(levels))(features)


def test_the_books_two_maps_join_to_25300_class_scores():
    # Book 13.7: predictors of 5 and 3 anchors and 10 classes (11 scores) on maps of (2, 8, 20, 20)
    # and (2, 16, 10, 10): 20 * 20 * 55 + 10 * 10 * 33 = 25300 numbers a picture.
    outputs = answer(SSDHead(10, [5, 3]), maps((2, 20, 20, 8), (2, 10, 10, 16)))
    assert ops.reshape(outputs["class_logits"], (2, -1)).shape == (2, 25300)
    assert outputs["class_logits"].shape == (2, 20 * 20 * 5 + 10 * 10 * 3, 11)


def test_tiny_ssd_has_32_times_5444_predictions():
    # Book 13.7: class scores (32, 5444, 2) and offsets (32, 21776).
    levels = [(32, side, side, 2) for side in (32, 16, 8, 4, 1)]
    outputs = answer(SSDHead(1, [4] * 5), maps(*levels))
    assert outputs["class_logits"].shape == (32, 5444, 2)
    assert ops.reshape(outputs["box_deltas"], (32, -1)).shape == (32, 21776)


def test_the_contract_of_a_layer_holds():
    check_layer(
        SSDHead(2, [2, 3]),
        maps((2, 4, 3, 5), (2, 2, 1, 6)),
        shapes={"class_logits": (2, 4 * 3 * 2 + 2 * 3, 3), "box_deltas": (2, 30, 4)},
        trainable=8,  # kernel and bias of two predictors on two levels
    )


def test_rows_follow_level_row_column_anchor():
    features = maps((1, 3, 2, 4), (1, 1, 2, 4))
    head = SSDHead(2, [2, 3])
    outputs = answer(head, features)
    for name, predictors in (
        ("class_logits", head.class_predictors),
        ("box_deltas", head.box_predictors),
    ):
        got = ops.convert_to_numpy(outputs[name])[0]
        rows = []
        for predictor, level in zip(predictors, features, strict=True):
            values = convolve(ops.convert_to_numpy(level)[0], *predictor.get_weights())
            rows += [cell.reshape(-1, got.shape[-1]) for row in values for cell in row]
        # float32 sums of 36 products in another order
        np.testing.assert_allclose(got, np.concatenate(rows), atol=1e-5)


def convolve(level, kernel, bias):
    """3x3 convolution with zero padding, by the definition: (H, W, c) -> (H, W, filters)."""
    height, width, _ = level.shape
    padded = np.pad(level, ((1, 1), (1, 1), (0, 0)))
    values = np.zeros((height, width, kernel.shape[-1]))
    for i in range(height):
        for j in range(width):
            window = padded[i : i + 3, j : j + 3]
            values[i, j] = np.tensordot(window, kernel, axes=3) + bias
    return values


def test_predictions_are_float32_under_bfloat16():
    outputs = SSDHead(1, [2], dtype="mixed_bfloat16")(maps((1, 2, 2, 3)))
    assert {keras.backend.standardize_dtype(o.dtype) for o in outputs.values()} == {"float32"}


def test_kernels_start_as_pytorch_starts_them():
    head = SSDHead(9, [20])
    head(maps((1, 2, 2, 100)))
    kernel = ops.convert_to_numpy(head.class_predictors[0].kernel)
    # nn.Conv2d: U(-b, b), b = 1 / sqrt(fan_in) = 1 / 30; 180,000 draws reach within 1 % of b.
    assert np.abs(kernel).max() <= 1 / 30
    assert np.abs(kernel).max() > 0.99 / 30
    assert np.std(kernel) == pytest.approx(1 / 30 / 3**0.5, rel=0.01)
