"""How the data of a retraining differ from those that the champion has learnt from.

Words: a class's *share* is its part of the split's boxes, or pixels where the pictures are
segmented; the *drift* of a split is the total variation distance between the shares then and now,
half the sum of their differences: 0 where nothing moved, 1 where no class is left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Counts = Mapping[str, Any]  # split -> {"pictures": int, "classes": {name: int}}
_NOTABLE = 0.1  # of drift, from which on it is pointed out


@dataclass(frozen=True)
class DataReport:
    """What is said of a retraining's data.

    Args:
        now: the counts of the data that there are.
        before: those of the champion's data; None: there is no champion, or it does not tell.
        defects: split -> {"kinds", "listed"}, what is left out.
    """

    now: Counts
    before: Counts | None
    defects: Mapping[str, Any]

    def new_classes(self) -> list[str]:
        """Return the classes that the champion does not know."""
        return [] if self.before is None else _missing(self.now, self.before)

    def lost_classes(self) -> list[str]:
        """Return the classes that only the champion knows."""
        return [] if self.before is None else _missing(self.before, self.now)

    def drift(self) -> dict[str, float]:
        """Return split -> drift; empty where there is nothing to compare with."""
        if self.before is None:
            return {}
        both = [split for split in self.now if split in self.before]
        return {
            split: total_variation(self.before[split]["classes"], self.now[split]["classes"])
            for split in both
        }

    def news(self) -> list[str]:
        """Return what a person should know, a sentence each; empty where all is as it was."""
        told = []
        if new := self.new_classes():
            told.append(f"new classes: {', '.join(new)}")
        if lost := self.lost_classes():
            told.append(f"classes that are gone: {', '.join(lost)}")
        for split, moved in self.drift().items():
            if moved >= _NOTABLE:
                told.append(f"{split}: the shares of the classes moved by {moved:.2f}")
        for split, found in self.defects.items():
            if count := sum(found["kinds"].values()):
                kinds = ", ".join(f"{kind} {n}" for kind, n in found["kinds"].items())
                told.append(f"{split}: {count} defects are left out ({kinds})")
        return told

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {
            "now": self.now,
            "before": self.before,
            "drift": self.drift(),
            "new_classes": self.new_classes(),
            "lost_classes": self.lost_classes(),
            "defects": self.defects,
            "news": self.news(),
        }

    def markdown(self) -> str:
        """Return a table a split, what is new above them and the defects below."""
        parts = ["\n".join(f"- {line}" for line in self.news()) or "Nothing to point out."]
        parts += [self._table(split) for split in self.now]
        for split, found in self.defects.items():
            if found["listed"]:
                lines = "\n".join(f"- {_cell(line)}" for line in found["listed"])
                parts.append(f"**{split}: the first defects**\n\n{lines}")
        return "\n\n".join(parts) + "\n"

    def _table(self, split: str) -> str:
        now = self.now[split]
        before = (self.before or {}).get(split, {"pictures": None, "classes": {}})
        moved = self.drift().get(split)
        head = f"**{split}**: {now['pictures']:,} pictures"
        if before["pictures"] is not None:
            head += f", {before['pictures']:,} before"
        if moved is not None:
            head += f", drift {moved:.3f}"
        names = [*now["classes"], *(n for n in before["classes"] if n not in now["classes"])]
        shares, earlier = _shares(now["classes"]), _shares(before["classes"])
        rows = [
            f"| {_cell(name)} | {before['classes'].get(name, '-')} | "
            f"{now['classes'].get(name, '-')} | {_percent(earlier, name)} | "
            f"{_percent(shares, name)} |"
            for name in names
        ]
        titles = ["| class | before | now | share before | share now |", "|---|---|---|---|---|"]
        return "\n".join([head, "", *titles, *rows])


def total_variation(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """Return the distance of two distributions of classes, 0..1.

    Args:
        before, now: class name -> count; where one is empty the distance is 1, where both are 0.
    """
    then, here = _shares(before), _shares(now)
    if not then or not here:
        return 0.0 if then == here else 1.0
    return sum(abs(then.get(n, 0.0) - here.get(n, 0.0)) for n in {*then, *here}) / 2


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}


def _missing(here: Counts, there: Counts) -> list[str]:
    """Classes that any split of one has, and no split of the other knows."""
    known = {name for told in there.values() for name in told["classes"]}
    return sorted({name for told in here.values() for name in told["classes"]} - known)


def _percent(shares: Mapping[str, float], name: str) -> str:
    return f"{shares[name]:.1%}" if name in shares else "-"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
