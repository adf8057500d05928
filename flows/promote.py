"""Whether a new version becomes the champion: a pure decision, with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass

from flows.config_sections import Gate


@dataclass(frozen=True)
class Decision:
    """What was decided, and why: the conditions that failed, or those that were met."""

    promote: bool
    reasons: list[str]


def decide(
    candidate: Mapping[str, float],
    champion: Mapping[str, float] | None,
    gate: Gate | None,
    confidence: float | None = None,
) -> Decision:
    """Decide whether the candidate becomes the champion.

    Args:
        candidate: the new version's metrics.
        champion: the present champion's metrics on the same pictures, or None without a champion.
        gate: the conditions; without a gate nothing is promoted.
        confidence: how sure it is, 0..1, that the candidate is better than the champion.
    """
    if gate is None:
        return Decision(False, ["the config has no gate"])
    reached = candidate[gate.metric]
    checks = [
        (
            reached >= gate.at_least,
            f"{gate.metric} {reached:.4f} {{}} at least {gate.at_least:g}",
        )
    ]
    if champion is not None:
        ahead = reached - champion[gate.metric]
        checks.append(
            (
                ahead >= gate.beat_champion_by,
                f"{ahead:+.4f} on the champion {{}} {gate.beat_champion_by:+g} or more",
            )
        )
        sure = 0.0 if confidence is None else confidence
        checks.append(
            (
                sure >= gate.confidence,
                f"confidence {sure:.3f} that it is better {{}} {gate.confidence:g} or more",
            )
        )
    promote = all(met for met, _ in checks)
    reasons = [text.format("is" if met else "is not") for met, text in checks if met == promote]
    return Decision(promote, reasons)
