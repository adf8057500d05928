"""Folds of the training records, for cross-validation.

Words: the records of split `train` are dealt into K *folds*, as evenly as possible. A fold's source
learns from all the others and validates on its own, so that K of them validate on each record once.
Which fold a record is in depends on the seed, on its place in the split and on nothing else.
"""

import hashlib
from dataclasses import replace

import numpy as np
import tensorflow as tf

from zoo.data.inspection import Inspection
from zoo.data.source import Source


def take_fold(
    source: Source, index: int, of: int, *, seed: int = 0, limit: int | None = None
) -> Source:
    """Return a source whose `val` is one fold of the training records, and `train` the others.

    The source's own `val` is left aside; `test` stays, where there is one.

    Args:
        source: with a split `train`.
        index: of the fold, 0..of-1.
        of: how many folds there are, >= 2.
        seed: another one deals the records otherwise.
        limit: deal the first N records only.
    Raises: ValueError: there are fewer records than folds, or no such fold.
    """
    if not 0 <= index < of or of < 2:
        raise ValueError(f"a fold's index must be 0..of-1 with of >= 2; got {index} of {of}.")
    whole = source.inspect("train")
    size = whole.size if limit is None else min(limit, whole.size)
    if size < of:
        raise ValueError(f"{source.name}@train has {size} records, too few for {of} folds.")
    chosen = {"val": deal(size, of, seed) == index}
    chosen["train"] = ~chosen["val"]

    def read(split: str) -> tf.data.Dataset:
        if split not in chosen:
            return source.read(split)
        wanted = tf.constant(chosen[split])
        numbered = source.entries("train", size).enumerate()
        return numbered.filter(lambda i, _: wanted[i]).map(lambda _, entry: entry)

    def inspect(split: str) -> Inspection:
        if split not in chosen:
            return source.inspect(split)
        told = f"{whole.digest} {split} of fold {index} of {of}, seed {seed}, of {size} records"
        return replace(
            whole,
            size=int(chosen[split].sum()),
            digest=hashlib.sha256(told.encode()).hexdigest(),
        )

    test = [split for split in source.splits if split == "test"]
    return replace(
        source,
        splits=("train", "val", *test),
        read=read,
        inspect_split=inspect,
        coco_ids=None,  # of the files' splits
        read_defects=None,
    )


def deal(size: int, of: int, seed: int) -> np.ndarray:
    """Return the fold of each of `size` records, (size,) int in 0..of-1; sizes differ by one."""
    folds = np.empty(size, np.int64)
    folds[np.random.default_rng(seed).permutation(size)] = np.arange(size) % of
    return folds
