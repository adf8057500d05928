"""What `zoo evaluate` and `zoo predict` print for a person."""

from collections import Counter
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
    if figures := class_figures(metrics):
        print()
        _show_classes(figures, scores["mistaken_for"])
    if scores["confidence"] is not None:
        print(f"\nconfidence that it is the better one: {scores['confidence']:.3f}")


def _show_classes(figures: dict[str, dict[str, float]], mistaken_for: dict[str, str]) -> None:
    columns = ["class", *figures, *(["taken for"] if mistaken_for else [])]
    names = next(iter(figures.values()))
    rows = [
        [
            name,
            *("-" if figure[name] < 0 else figure[name] for figure in figures.values()),
            *([mistaken_for[name]] if mistaken_for else []),
        ]
        for name in names
    ]
    show_table(columns, rows)


def show_predictions(images: list[dict[str, Any]], out: Path) -> None:
    files: dict[str, list[str]] = {}
    for image in images:
        files.setdefault(image["file_name"], []).append(image["told"])
    shown = list(files.items())[:20]
    rows = [[name, told[0] if len(told) == 1 else _of_frames(told)] for name, told in shown]
    show_table(["file", "found"], rows)
    if len(files) > len(shown):
        print(f"... and {len(files) - len(shown)} more files")
    print(f"{len(images)} images -> {out}/")


def _of_frames(told: list[str]) -> str:
    """Return what most frames of a video tell."""
    common, count = Counter(told).most_common(1)[0]
    return f"{len(told)} frames, {count} of them: {common}"
