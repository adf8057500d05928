"""Rows of an old classifier for the classes a new one shares with it."""

import numpy as np
import pytest
from cases import small_classifier

from zoo.models import match_classes, reuse_rows
from zoo.weights import imagenet_classes

# The breeds of the Oxford-IIIT Pet data set, as its folders are called.
PETS = [
    "Abyssinian", "Bengal", "Birman", "Bombay", "British_Shorthair", "Egyptian_Mau",
    "Maine_Coon", "Persian", "Ragdoll", "Russian_Blue", "Siamese", "Sphynx",
    "american_bulldog", "american_pit_bull_terrier", "basset_hound", "beagle", "boxer",
    "chihuahua", "english_cocker_spaniel", "english_setter", "german_shorthaired",
    "great_pyrenees", "havanese", "japanese_chin", "keeshond", "leonberger",
    "miniature_pinscher", "newfoundland", "pomeranian", "pug", "saint_bernard", "samoyed",
    "scottish_terrier", "shiba_inu", "staffordshire_bull_terrier", "wheaten_terrier",
    "yorkshire_terrier",
]  # fmt: skip
SYNONYMS = {
    "Persian": "Persian cat",
    "Egyptian_Mau": "Egyptian cat",
    "german_shorthaired": "German short-haired pointer",
    "japanese_chin": "Japanese spaniel",
    "leonberger": "Leonberg",
    "wheaten_terrier": "soft-coated wheaten terrier",
}


@pytest.mark.parametrize(
    "name",
    ["hotdog", "Hot dog", "HOT_DOGS", "hot-dog", "red hot"],
)
def test_spelling_does_not_count(name):
    pairs, _ = match_classes([name], ["cheeseburger", "hotdog, hot dog, red hot"])
    assert pairs == [(0, 1)]


@pytest.mark.parametrize(
    ("target", "source"),
    [("berries", "berry"), ("torches", "torch"), ("bus", "bus"), ("glass", "glasses")],
)
def test_plurals_are_the_same_class(target, source):
    assert match_classes([target], [source])[0] == [(0, 0)]


def test_other_names_stay_apart():
    pairs, report = match_classes(["cat", "dog"], ["tiger cat", "hot dog", "dogsled"])
    assert (pairs, report.missing) == ([], ("cat", "dog"))


def test_a_name_that_two_classes_have_is_left_alone():
    _, report = match_classes(["crane", "pug"], imagenet_classes())
    assert report.ambiguous == ("crane",)
    assert report.matched == (("pug", "pug, pug-dog"),)


def test_breeds_of_pets_are_found_in_imagenet():
    _, report = match_classes(PETS, imagenet_classes())
    matched = dict(report.matched)
    assert matched["beagle"] == "beagle"
    assert matched["samoyed"] == "Samoyed, Samoyede"
    assert matched["chihuahua"] == "Chihuahua"
    assert matched["saint_bernard"] == "Saint Bernard, St Bernard"
    assert len(matched) == 19
    _, more = match_classes(PETS, imagenet_classes(), SYNONYMS)
    assert dict(more.matched)["Egyptian_Mau"] == "Egyptian cat"
    assert len(more.matched) == 25
    assert "Sphynx" in more.missing


def test_rows_are_copied_and_the_others_stay():
    task = small_classifier(class_names=["cow", "dogs", "cat"])
    before = [np.array(weight) for weight in task.head.output_layer.get_weights()]
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(len(before[0]), 2)), rng.normal(size=2)
    report = reuse_rows(task, kernel, bias, ["cat", "dog"])
    after = task.head.output_layer.get_weights()
    for old, new, rows in zip(before, after, (kernel, bias), strict=True):
        np.testing.assert_array_equal(new[..., 0], old[..., 0])
        np.testing.assert_allclose(new[..., 1:], rows[..., ::-1], rtol=1e-6)
    assert str(report).splitlines() == [
        "2 of 3 classes take their row from the old classifier:",
        "  dogs <- dog",
        "  cat <- cat",
        "fresh: cow",
    ]


def test_what_does_not_fit_is_told():
    task = small_classifier()
    with pytest.raises(ValueError, match=r"Is it the classifier of this backbone\?"):
        reuse_rows(task, np.zeros((7, 2)), np.zeros(2), ["red", "green"])
    with pytest.raises(ValueError, match="no class of the data: mauve"):
        match_classes(["red"], ["red"], {"mauve": "red"})
    with pytest.raises(ValueError, match="no class of the old classifier: rouge"):
        match_classes(["red"], ["red"], {"red": "rouge"})
