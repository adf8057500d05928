"""The whole ImageNet classifier out of a package: the original's logits, and real animals' names.

The fixture is the network in plain PyTorch 2.13.0, CPU, written by
`benchmarks/efficientnet_fixture.py`.
"""

import keras
import numpy as np
import pytest
from cases import SLOW_ON_JAX, compiled
from pure_weights import FIXTURES, pure_photograph, read_fixture
from shared_data import carried_weights, shared_data

import zoo
from zoo.pictures import read_picture
from zoo.weights import convert_into, imagenet_classes


@pytest.fixture(scope="module")
def classifier():
    carried_weights("efficientnet_lite0")
    return zoo.create("classifier", class_names=imagenet_classes(), weights="imagenet")


@SLOW_ON_JAX
def test_its_logits_are_the_pytorch_originals(classifier):
    picture = pure_photograph(224)
    with np.load(FIXTURES / "efficientnet_lite0_logits.npz") as file:
        wanted = file["logits"]
    answer = compiled(lambda images: classifier(images, training=False))(picture[None])
    logits = keras.ops.convert_to_numpy(answer["logits"])[0]
    np.testing.assert_allclose(logits, wanted, atol=1e-3, rtol=0)


def test_it_names_the_animals_of_catdog(classifier):
    whole = read_picture(shared_data("pictures") / "catdog.jpg")
    # A classifier names one thing a picture: the puppy is on the left, the tabby kitten right.
    dog, cat = classifier.classify([whole[:, :400], whole[:, 400:]])
    assert dog.top(1)[0][0] == "Chihuahua"
    assert cat.top(1)[0][0] == "tabby, tabby cat"


def test_another_number_of_classes_is_refused():
    carried_weights("efficientnet_lite0")
    with pytest.raises(ValueError, match=r"mis-shaped: _fc.weight \(1000, 1280\)"):
        zoo.create("classifier", num_classes=10, weights="imagenet")


def test_a_package_of_features_alone_has_no_classifier():
    carried_weights("mobilenet_v2")
    with pytest.raises(ValueError, match="carries its features, not its classifier"):
        zoo.create("classifier", num_classes=1000, backbone="mobilenet_v2", weights="imagenet")


def test_the_thousand_names_are_in_the_order_of_the_labels():
    names = imagenet_classes()
    assert len(names) == 1000
    # As torchvision and Keras print them: 0 tench, 207 golden retriever, 285 Egyptian cat.
    assert [names[label] for label in (207, 285, 999)] == [
        "golden retriever",
        "Egyptian cat",
        "toilet tissue, toilet paper, bathroom tissue",
    ]
    assert names[0].startswith("tench")


def test_a_torchvision_classifier_brings_its_last_layer():
    state, _ = read_fixture("resnet18")
    task = zoo.create("classifier", num_classes=1000, backbone="resnet18", image_size=64)
    convert_into(task, state, "torchvision:resnet18_classifier")
    kernel, bias = task.head.get_weights()
    np.testing.assert_array_equal(kernel, state["fc.weight"].T)
    np.testing.assert_array_equal(bias, state["fc.bias"])
