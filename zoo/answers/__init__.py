"""What each kind of model answers: how it is asked, and how its answers are scored, drawn, written.

Training, scoring and prediction are the same for all kinds; where they differ is here, an object a
kind. Answers and truths are NumPy in the original picture's pixels, of style in the network's.
"""

from zoo.answers.classification import ClassificationAnswers
from zoo.answers.detection import DetectionAnswers
from zoo.answers.segmentation import SegmentationAnswers
from zoo.answers.style import StyleAnswers

_KINDS = {
    "classification": ClassificationAnswers,
    "detection": DetectionAnswers,
    "segmentation": SegmentationAnswers,
    "style": StyleAnswers,
}


def answers_of(*tasks):
    """Return how one task, or several that are to be compared, are asked and scored.

    Args:
        tasks: of one `kind`; a detector without masks is compared by boxes alone.
    Raises: ValueError if the tasks are of different kinds, or one has no answers to score.
    """
    kinds = {task.kind for task in tasks}
    if len(kinds) > 1:
        raise ValueError(
            f"models to compare must be of one kind; got {' and '.join(sorted(kinds))}."
        )
    (kind,) = kinds
    return _KINDS[kind](tasks)


__all__ = [
    "ClassificationAnswers",
    "DetectionAnswers",
    "SegmentationAnswers",
    "StyleAnswers",
    "answers_of",
]
