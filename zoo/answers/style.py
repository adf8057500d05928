"""A painted picture, (H, W, 3) uint8 each, scored by the losses that it was learnt with.

No labels are needed: the truth of a picture is the picture itself, at the size that the network was
trained on. There its losses mean what they meant in training, and one size is compiled.
Words: the *gain* is the part of the loss that painting takes away, 1 - L(painted) / L(untouched),
with L the loss summed over the pictures, limited to 0..1: 0 is a picture left as it is (no loss of
content, all of style), 1 would be a style without any loss.
"""

import numpy as np

from zoo.answers.details import Details
from zoo.metrics.bootstrap import share_of_wins
from zoo.models import FastStyle
from zoo.pictures import read_picture

GAIN = "style_gain"


class StyleAnswers:
    """How networks that have learnt a style are asked.

    Args:
        tasks: the networks; the style of the first is what all of them are judged by.
    Raises: ValueError if one paints by optimisation.
    """

    metric = GAIN  # by which two models are compared where nothing else is named
    metrics = (GAIN,)  # by which they can be

    def __init__(self, tasks):
        for task in tasks:
            if not isinstance(task, FastStyle):
                raise ValueError(
                    f"a {type(task).__name__} has no answers to score; `zoo stylize` runs a "
                    "model, and `stylize` of `zoo.export.open_exported` an export."
                )
        self.teacher = tasks[0]

    def ask(self, task, pictures) -> list[np.ndarray]:
        """Return each picture painted."""
        return task.stylize(pictures)

    def truths(self, source, split, limit=None):
        """Iterate over (image id, picture, picture) of a split, fitted to the network's input."""
        for record in source.records(split, limit).as_numpy_iterator():
            picture, _ = self.teacher.image_converter.convert(read_picture(record["image"]))
            yield record["image_id"].decode(), picture, picture

    def scores(self, class_names) -> "StyleScores":
        """Return an empty score sheet.

        Raises: ValueError if the first network has no style to judge by, or no loss network.
        """
        return StyleScores(self.teacher.open_judge())

    def certain(self, answer, min_score) -> np.ndarray:
        """Return the answer."""
        return answer

    def draw(self, picture, answer, truth=None) -> np.ndarray:
        """Return the painted picture; beside the picture itself where there is a truth."""
        return answer if truth is None else np.concatenate([truth, answer], axis=1)

    def panels(self, picture, answer, truth) -> dict[str, np.ndarray]:
        """Return the picture as the network sees it, and painted."""
        return {"picture": truth, "painted": answer}

    def told(self, answer) -> str:
        """Return what was done, in a line."""
        height, width = answer.shape[:2]
        return f"painted, {width}x{height}"

    def rows(self, answer, image_id) -> list[dict]:
        """Return nothing: a painted picture finds no objects."""
        return []

    def renamed(self, answer, labels, names) -> np.ndarray:
        """Return the answer: it has no classes."""
        return answer


class StyleScores:
    """The losses of a split's pictures, painted and untouched.

    Args:
        judge: a `zoo.models.style_lesson.StyleJudge`.
    """

    def __init__(self, judge):
        self.judge = judge
        self.painted: list[dict[str, float]] = []
        self.untouched: list[dict[str, float]] = []

    def add(self, truth: np.ndarray, answer: np.ndarray) -> None:
        """Note one picture and how it was painted."""
        painted, untouched = self.judge.compare(truth, answer)
        self.painted.append(painted)
        self.untouched.append(untouched)

    def metrics(self) -> dict:
        """Return the gain and the losses, which are means over the pictures."""
        return self._figures(self.painted)

    def trivial(self) -> dict:
        """Return what leaving the pictures as they are scores."""
        return self._figures(self.untouched)

    def confidence(self, rival: "StyleScores", metric: str) -> float:
        """Return how sure it is, 0..1, that these answers are better than the rival's.

        Raises: ValueError for an unknown metric.
        """
        if metric not in self.metrics():
            raise ValueError(f"metric must be one of {', '.join(self.metrics())}; got {metric!r}.")
        return share_of_wins(self._score(metric), rival._score(metric), len(self.painted))

    def details(self) -> Details:
        """Return the gain of each picture."""
        pairs = zip(_totals(self.painted), _totals(self.untouched), strict=True)
        return Details(
            quality="style_gain of the picture",
            qualities=np.array([_gain(painted, untouched) for painted, untouched in pairs]),
        )

    def mistaken_for(self) -> dict[str, str]:
        """There are no classes."""
        return {}

    def picture(self) -> None:
        """There is no picture of the whole split."""

    def _figures(self, losses) -> dict:
        parts = {name: float(np.mean([one[name] for one in losses])) for name in losses[0]}
        gain = _gain(_totals(losses).sum(), _totals(self.untouched).sum())
        return {GAIN: gain, "loss": sum(parts.values())} | parts

    def _score(self, metric):
        """Return a function of weights (I,) int, how often each picture counts: more is better."""
        painted, untouched = _totals(self.painted), _totals(self.untouched)
        if metric == GAIN:
            return lambda weights: _gain(weights @ painted, weights @ untouched)
        values = painted if metric == "loss" else np.array([one[metric] for one in self.painted])
        return lambda weights: -float(weights @ values)


def _totals(losses) -> np.ndarray:
    """(I,) float, the loss of each picture."""
    return np.array([sum(parts.values()) for parts in losses])


def _gain(painted, untouched) -> float:
    return float(np.clip(1.0 - painted / untouched, 0.0, 1.0)) if untouched > 0 else 0.0
