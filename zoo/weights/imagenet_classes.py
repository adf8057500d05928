"""The thousand classes of ImageNet's challenge, by label.

`imagenet_classes.txt` holds a class a line, the names of its WordNet synset with commas between
them, in the order of the labels that all published classifiers have: `synset_words.txt` of ILSVRC
2012 (Russakovsky 2015), as the package `imagenet-classes` 0.2.1 (MIT) has it.
"""

from functools import cache
from importlib import resources


@cache
def imagenet_classes() -> tuple[str, ...]:
    """Return the 1,000 names; one may be several with commas: "tabby, tabby cat".

    Two classes are called "crane", a bird (134) and a machine (517).
    """
    text = resources.files("zoo.weights").joinpath("imagenet_classes.txt").read_text("ascii")
    return tuple(text.splitlines())
