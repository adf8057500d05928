"""What `zoo evaluate` and `zoo predict` print for a person."""

from pathlib import Path
from typing import Any

from flows.console import show_table
from flows.figures import class_figures


def show_scores(scores: dict[str, Any]) -> None:
    metrics, trivial = scores["metrics"], scores["trivial"]
    title = (
        f"{scores['model']} on {scores['data']}: {scores['pictures']} pictures "
        f"in {scores['seconds']:.1f} s on {scores['backend']}"
    )
    against = scores["against"]
    others = [trivial] if against is None else [against["metrics"], trivial]
    rows = [
        [name, value, *(other[name] for other in others)]
        for name, value in metrics.items()
        if not isinstance(value, dict) and value >= 0
    ]
    columns = ["answering nothing"] if against is None else ["against", "answering nothing"]
    show_table(["metric", "model", *columns], rows, title=title)
    for figure, classes in class_figures(metrics).items():
        print()
        show_table(["class", figure], list(classes.items()))
    if scores["confidence"] is not None:
        print(f"\nconfidence that it is the better one: {scores['confidence']:.3f}")


def show_predictions(images: list[dict[str, Any]], out: Path) -> None:
    totals: dict[str, list[int]] = {}
    for image in images:
        count = totals.setdefault(image["file_name"], [0, 0])
        count[0] += 1
        count[1] += image["detections"]
    shown = list(totals.items())[:20]
    show_table(["file", "images", "objects"], [[name, *count] for name, count in shown])
    if len(totals) > len(shown):
        print(f"... and {len(totals) - len(shown)} more files")
    objects = sum(image["detections"] for image in images)
    print(f"{objects} objects in {len(images)} images -> {out}/")
