"""What one picture shows as a whole.

Shape letter: C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.results.frozen import frozen_copy


@dataclass(frozen=True, eq=False)
class Classification:
    """What one picture shows as a whole; the array is copied in and read-only.

    Args:
        probabilities: (C,) float32.
        class_names: one name a class, or () where they are not known.

    Raises:
        ValueError: the shape is another, or there is not a name a class.
    """

    probabilities: np.ndarray
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        probabilities = frozen_copy(self.probabilities, np.float32)
        names = tuple(self.class_names)
        if probabilities.ndim != 1 or not len(probabilities):
            raise ValueError(
                f"probabilities must be (C,) of one picture; got {probabilities.shape}. "
                "Did you leave the batch axis in?"
            )
        if names and len(names) != len(probabilities):
            raise ValueError(
                f"class_names must hold a name for each of {len(probabilities)} probabilities; "
                f"got {len(names)}. Is the background counted as a class?"
            )
        object.__setattr__(self, "probabilities", probabilities)
        object.__setattr__(self, "class_names", names)

    @property
    def label(self) -> int:
        """The most probable class, 0..C-1; the lower one of two equal ones."""
        return int(np.argmax(self.probabilities))

    def name(self, label: int) -> str:
        """Return the class name of a label, or the label itself where names are not known."""
        return self.class_names[label] if self.class_names else str(label)

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """Return the `k` most probable classes, or all if there are fewer, as (name, probability).

        Raises: ValueError if `k` is below 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1; got {k}.")
        best = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.name(label), float(self.probabilities[label])) for label in best]
