"""torchvision's FCN: the same scores of every pixel with the weights of their names.

The fixture is that of `benchmarks/torchvision_fixtures.py`, as in `test_torchvision_backbones.py`;
four classes, one of them the background.
"""

import keras
import numpy as np
import pytest
from cases import SLOW_ON_JAX, compiled
from pure_weights import pure_pictures, read_fixture, sample

import zoo
from zoo.weights import convert_into

NAME = "torchvision:fcn_resnet50"


@pytest.fixture(scope="module")
def fixture():
    return read_fixture("fcn_resnet50")


def answers(task):
    """What the network makes of pictures that are normalised already, at odd sizes."""
    size = (101, 135)

    def run(pixels):
        levels = task.backbone(pixels, training=False)
        logits = task.head.fit(task.head(levels), size)
        auxiliary = task.auxiliary_head
        outputs = {"auxiliary_logits": auxiliary.fit(auxiliary(levels[:-1]), size)}
        return outputs | task.answers(logits, training=False)

    outputs = compiled(run)(pure_pictures(1, *size))
    return {name: keras.ops.convert_to_numpy(values) for name, values in outputs.items()}


@SLOW_ON_JAX
def test_it_gives_what_torchvisions_gives(fixture):
    state, wanted = fixture
    task = zoo.create("fcn_resnet50", num_classes=4, image_size=64, auxiliary=True)
    convert_into(task, state, NAME)
    found = answers(task)
    assert found["logits"].shape == (1, 101, 135, 4)
    for name in ("logits", "auxiliary_logits"):
        # Float32 sums in another order; fifty layers carry it to some 1e-5 of the scale.
        limit = 2e-4 * np.abs(wanted[name]).max()
        np.testing.assert_allclose(sample(found[name], 12), wanted[name], atol=limit, rtol=0)
    best = np.sort(found["logits"], axis=-1)
    clear = best[..., -1] - best[..., -2] > 1e-3 * np.abs(best).max()  # no tie but for rounding
    assert clear.mean() > 0.98
    np.testing.assert_array_equal(found["classes"][clear], wanted["classes"][clear])


def test_without_an_auxiliary_head_its_weights_are_left_out(fixture):
    state, _ = fixture
    task = zoo.create("fcn_resnet50", num_classes=4, image_size=64)
    convert_into(task, state, NAME)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(task.head.predictor.bias), state["classifier.4.bias"]
    )
    with pytest.raises(ValueError, match=r"surplus: aux_classifier\.9\.weight"):
        convert_into(task, state | {"aux_classifier.9.weight": np.zeros(1)}, NAME)


def test_a_file_without_auxiliary_weights_does_not_fit_one_with(fixture):
    state = {name: value for name, value in fixture[0].items() if "aux" not in name}
    task = zoo.create("fcn_resnet50", num_classes=4, image_size=64, auxiliary=True)
    with pytest.raises(ValueError, match=r"missing: aux_classifier\.0\.weight"):
        convert_into(task, state, NAME)
