"""Which of a model's figures a person sees, and in which order: those of detectors and all others.

Metrics are a dict of numbers, with a dict a class under names that end in `_per_class`; a number
below 0 says that there was nothing to score.
"""

from collections.abc import Mapping

_BOXES = ("ap50", "ap", "ap75", "ar_100", "voc07_ap50")
_HEADLINE = (
    *_BOXES,
    *(f"mask_{name}" for name in _BOXES),
    "miou",
    "pixel_accuracy",
    "mean_accuracy",
    "top1",
    "top5",
    "style_gain",
    "content_loss",
    "style_loss",
    "variation_loss",
)
_BRIEF = (
    "ap50",
    "ap",
    "mask_ap50",
    "mask_ap",
    "miou",
    "pixel_accuracy",
    "top1",
    "top5",
    "style_gain",
)
_PER_CLASS = "_per_class"
_LOWER = ("loss", "error", "mae", "entropy", "seconds")  # how names end whose figures shall be low


def headline(metrics: Mapping) -> list[str]:
    """Return the names of the figures in a summary."""
    return [name for name in _HEADLINE if name in metrics]


def brief(metrics: Mapping, prefix: str = "") -> str:
    """Return the first figures in a line, such as `ap50 0.912, ap 0.585`.

    Args:
        prefix: of the names in `metrics`, which is not shown.
    """
    shown = brief_names(metrics, prefix)
    return ", ".join(f"{name} {metrics[f'{prefix}{name}']:.3f}" for name in shown)


def brief_names(metrics: Mapping, prefix: str = "") -> list[str]:
    """Return the names of the figures that `brief` tells, without the prefix."""
    return [name for name in _BRIEF if f"{prefix}{name}" in metrics]


def class_figures(metrics: Mapping, least: int = 2) -> dict[str, dict[str, float]]:
    """Return what is told of each class: figure -> class -> value.

    Args:
        least: of fewer classes nothing is told.
    """
    return {
        name.removesuffix(_PER_CLASS): values
        for name, values in metrics.items()
        if name.endswith(_PER_CLASS) and len(values) >= least
    }


def scalars(metrics: Mapping) -> dict[str, float]:
    """Return the numbers, those of classes as `ap_class/<name>`, without the undefined ones."""
    flat: dict[str, float] = {}
    for name, value in metrics.items():
        if name.endswith(_PER_CLASS):
            kind = name.removesuffix(_PER_CLASS)
            flat |= {f"{kind}_class/{label}": figure for label, figure in value.items()}
        elif isinstance(value, int | float):
            flat[name] = value
    return {name: value for name, value in flat.items() if value >= 0}


def lower_is_better(name: str) -> bool:
    """Return whether a figure of this name is better the lower it is."""
    return name.endswith(_LOWER)
