"""The heads of segmenters: their contracts, and how they begin."""

import keras
import numpy as np
import pytest
from cases import check_layer, compiled

from zoo.layers import FCNHead, SkipHead


def levels(*sides, channels=6):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(2, side, side + 1, channels)).astype("float32") for side in sides]


def test_the_contract_of_a_layer_holds_with_skips_and_hidden_layers():
    features = [maps[:, :, :side] for maps, side in zip(levels(8, 4, 2), (8, 4, 2), strict=True)]
    head = SkipHead(3, (8, 16, 32), hidden_channels=5, hidden_kernel=3)
    # Kernels and biases of fc6, fc7, three scores and three transposed convolutions.
    check_layer(head, features, shapes=(2, 64, 64, 3), trainable=16)


def test_the_contract_of_a_layer_holds_with_one_level():
    check_layer(SkipHead(3), levels(2), shapes=(2, 64, 96, 3), trainable=4)


def test_fcn_8s_begins_as_fcn_32s_enlarged_in_steps():
    features = [maps[:, :, :side] for maps, side in zip(levels(8, 4, 2), (8, 4, 2), strict=True)]
    head = SkipHead(3, (8, 16, 32))
    head.build([maps.shape for maps in features])
    run = compiled(lambda maps: head(maps))
    other = [np.ones_like(features[0]), np.ones_like(features[1]), features[2]]
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(run(x)) for x in (features, other)))


def test_the_last_layer_of_the_books_begins_as_bilinear_enlargement():
    head = SkipHead(2)
    features = levels(3)
    head.build([features[0].shape])
    scores = keras.ops.matmul(features[0], head.scorers[0].kernel[0, 0])
    inside = keras.ops.image.resize(
        scores, (96, 128), interpolation="bilinear", data_format="channels_last"
    )[:, 16:-16, 16:-16]
    found = head(features)[:, 16:-16, 16:-16]
    found, inside = map(keras.ops.convert_to_numpy, (found, inside))
    np.testing.assert_allclose(found, inside, atol=1e-5)


def test_the_contract_of_a_layer_holds_for_torchvisions():
    head = FCNHead(3, channels=4)
    check_layer(head, levels(5), shapes=(2, 5, 6, 3), trainable=5, non_trainable=2)


def test_levels_that_do_not_fit_are_told():
    with pytest.raises(ValueError, match=r"must double from level to level.*got \(8, 32\)"):
        SkipHead(3, (8, 32))
    with pytest.raises(ValueError, match="one a level; got 2 levels"):
        SkipHead(3).build([(None, 4, 4, 3), (None, 2, 2, 3)])
