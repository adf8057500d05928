"""The old classifier's rows for classes that the new one shares with it.

Letters: S source classes, C target classes.
Words: a *row* is what the last dense layer knows of one class, a column of its kernel and a bias; a
name may be several with commas between them, as ImageNet's are: "tabby, tabby cat".
Reference: Zhang et al., Dive into Deep Learning, 13.2, exercise 4 (the row of "hotdog").
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ReusedRows:
    """Which rows were taken.

    Attributes:
        matched: (target name, source name) pairs, in the order of the target's labels.
        ambiguous: target names that several source classes have.
        missing: target names that no source class has; like the ambiguous ones' their rows stay.
    """

    matched: tuple[tuple[str, str], ...]
    ambiguous: tuple[str, ...]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        total = len(self.matched) + len(self.ambiguous) + len(self.missing)
        lines = [f"{len(self.matched)} of {total} classes take their row from the old classifier:"]
        lines += [f"  {target} <- {source}" for target, source in self.matched]
        if self.ambiguous:
            lines.append(f"several old classes are called so: {', '.join(self.ambiguous)}")
        if self.missing:
            lines.append(f"fresh: {', '.join(self.missing)}")
        return "\n".join(lines)


def reuse_rows(task, kernel, bias, source_names, *, synonyms=None) -> ReusedRows:
    """Copy rows of another classifier into a task's last layer, by the names of the classes.

    Args:
        task: a `Classifier` whose last layer has the source's inputs.
        kernel, bias: (channels, S) and (S,), as `zoo.weights.classifier_rows` gives them.
        source_names: S names.
        synonyms: target name -> source name, where they are called otherwise.
    Returns: what matched; print it.
    Raises: ValueError if the shapes disagree, or a synonym names no class.
    Example: `print(reuse_rows(task, *classifier_rows("efficientnet_lite0", "imagenet"),
        imagenet_classes(), synonyms={"Egyptian_Mau": "Egyptian cat"}))`
    """
    new_kernel, new_bias = (np.array(weight) for weight in task.head.output_layer.get_weights())
    if kernel.shape != (len(new_kernel), len(source_names)) or bias.shape != (len(source_names),):
        raise ValueError(
            f"kernel and bias must be ({len(new_kernel)}, {len(source_names)}) and "
            f"({len(source_names)},), as the task and source_names have it; got {kernel.shape} and "
            f"{bias.shape}. Is it the classifier of this backbone?"
        )
    pairs, report = match_classes(task.class_names, source_names, synonyms)
    for target, source in pairs:
        new_kernel[:, target] = kernel[:, source]
        new_bias[target] = bias[source]
    task.head.output_layer.set_weights([new_kernel, new_bias])
    return report


def match_classes(
    target_names: Sequence[str],
    source_names: Sequence[str],
    synonyms: Mapping[str, str] | None = None,
) -> tuple[list[tuple[int, int]], ReusedRows]:
    """Pair classes of the same name: case, underscores, blanks and plurals do not count.

    Returns: (target label, source label) pairs, and the same by name.
    Raises: ValueError if a synonym is of no target class, or names no source class.
    """
    synonyms = synonyms or {}
    labels: dict[str, set[int]] = {}
    for label, name in enumerate(source_names):
        for key in _keys(name):
            labels.setdefault(key, set()).add(label)
    _check_synonyms(synonyms, target_names, labels)
    pairs, ambiguous, missing = [], [], []
    for target, name in enumerate(target_names):
        keys = _keys(synonyms.get(name, name))
        found = set().union(*(labels.get(key, set()) for key in keys))
        if len(found) == 1:
            pairs.append((target, found.pop()))
        else:
            (ambiguous if found else missing).append(name)
    matched = tuple((target_names[target], source_names[source]) for target, source in pairs)
    return pairs, ReusedRows(matched, tuple(ambiguous), tuple(missing))


def _check_synonyms(synonyms, target_names, labels) -> None:
    if strangers := [name for name in synonyms if name not in target_names]:
        raise ValueError(f"synonyms name no class of the data: {', '.join(strangers)}.")
    nowhere = [name for name in synonyms.values() if not _keys(name) & labels.keys()]
    if nowhere:
        raise ValueError(f"synonyms name no class of the old classifier: {', '.join(nowhere)}.")


def _keys(name: str) -> set[str]:
    """What the parts of a name come down to: "Hot_Dogs, red hot" -> {"hotdog", "redhot"}."""
    parts = (re.findall(r"[^\W_]+", part.casefold()) for part in name.split(","))
    return {"".join(map(_singular, words)) for words in parts if words}


def _singular(word: str) -> str:
    """Take the plural's ending off. What is no plural may lose it too: on both sides alike."""
    if word.endswith(("ss", "us", "is")) or len(word) < 4:
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word.removesuffix("s")
