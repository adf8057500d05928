"""Whether a new version becomes the champion: a pure decision, with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass

from flows.config_sections import Gate

# The figure a class that stands behind a metric; a metric that is none of these has no classes.
_CLASS_FIGURES = {
    "mask_": "mask_ap_per_class",
    "ap": "ap_per_class",
    "ar": "ap_per_class",
    "top": "accuracy_per_class",
    "miou": "iou_per_class",
    "pixel": "iou_per_class",
    "mean_accuracy": "iou_per_class",
    "frequency": "iou_per_class",
}

_ROUNDING = 1e-9  # .8 - .75 is a hair more than .05


@dataclass(frozen=True)
class Check:
    """One condition of a gate.

    Args:
        condition: in a word or two.
        champion, challenger: the figures that were looked at, as they are shown.
        wanted: what the condition asks for.
        met: whether it is so.
        reason: a sentence for it or against it.
    """

    condition: str
    champion: str
    challenger: str
    wanted: str
    met: bool
    reason: str


@dataclass(frozen=True)
class Decision:
    """What was decided, and why: the conditions that failed, or those that were met."""

    promote: bool
    reasons: list[str]
    checks: tuple[Check, ...] = ()


def decide(
    candidate: Mapping,
    champion: Mapping | None,
    gate: Gate | None,
    confidence: float | None = None,
) -> Decision:
    """Decide whether the candidate becomes the champion.

    Args:
        candidate: the new version's metrics, those a class included.
        champion: the present champion's metrics on the same pictures, or None without a champion.
        gate: the conditions; without a gate nothing is promoted.
        confidence: how sure it is, 0..1, that the candidate is better than the champion.
    """
    if gate is None:
        return Decision(False, ["the config has no gate"])
    checks = [_floor(candidate, champion, gate)]
    if champion is not None:
        checks += [_margin(candidate, champion, gate), _confidence(confidence, gate)]
        if gate.no_class_worse_by is not None:
            checks.append(_worst_class(candidate, champion, gate.metric, gate.no_class_worse_by))
    promote = all(check.met for check in checks)
    reasons = [check.reason for check in checks if check.met == promote]
    return Decision(promote, reasons, tuple(checks))


def _floor(candidate: Mapping, champion: Mapping | None, gate: Gate) -> Check:
    reached = candidate[gate.metric]
    met = reached >= gate.at_least
    return Check(
        condition=gate.metric,
        champion="-" if champion is None else f"{champion[gate.metric]:.4f}",
        challenger=f"{reached:.4f}",
        wanted=f"at least {gate.at_least:g}",
        met=met,
        reason=f"{gate.metric} {reached:.4f} {_is(met)} at least {gate.at_least:g}",
    )


def _margin(candidate: Mapping, champion: Mapping, gate: Gate) -> Check:
    ahead = candidate[gate.metric] - champion[gate.metric]
    met = ahead >= gate.beat_champion_by
    return Check(
        condition=f"{gate.metric} ahead",
        champion="",
        challenger=f"{ahead:+.4f}",
        wanted=f"{gate.beat_champion_by:+g} or more",
        met=met,
        reason=f"{ahead:+.4f} on the champion {_is(met)} {gate.beat_champion_by:+g} or more",
    )


def _confidence(confidence: float | None, gate: Gate) -> Check:
    sure = 0.0 if confidence is None else confidence
    met = sure >= gate.confidence
    return Check(
        condition="confidence that it is better",
        champion="",
        challenger=f"{sure:.3f}",
        wanted=f"{gate.confidence:g} or more",
        met=met,
        reason=f"confidence {sure:.3f} that it is better {_is(met)} {gate.confidence:g} or more",
    )


def _worst_class(candidate: Mapping, champion: Mapping, metric: str, allowed: float) -> Check:
    """Compare the class that lost most with what a class may lose.

    Only classes of which the champion has a figure count: a new class has nothing to lose.
    """
    key = next((key for start, key in _CLASS_FIGURES.items() if metric.startswith(start)), "")
    before, now = champion.get(key), candidate.get(key)
    scored = {name: value for name, value in (before or {}).items() if value >= 0}
    if not scored or now is None:
        reason = f"no class worse by {allowed:g} cannot be told: {metric} has no figures a class"
        return Check("no class worse", "-", "-", f"by at most {allowed:g}", False, reason)
    losses = {name: value - max(0.0, now.get(name, 0.0)) for name, value in scored.items()}
    worst = max(losses, key=lambda name: losses[name])
    met = losses[worst] <= allowed + _ROUNDING
    figure = f"{key.removesuffix('_per_class')} of {worst}"
    return Check(
        condition=f"no class worse: {figure}",
        champion=f"{scored[worst]:.4f}",
        challenger=f"{scored[worst] - losses[worst]:.4f}",
        wanted=f"worse by at most {allowed:g}",
        met=met,
        reason=f"{figure}, {-losses[worst]:+.4f}, {_is(met)} worse by {allowed:g} at most",
    )


def _is(met: bool) -> str:
    return "is" if met else "is not"
