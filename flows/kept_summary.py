"""The end of a story, kept as JSON in the folder that it happened in."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Self

from flows.whole_files import write_json


class KeptSummary:
    """What dataclasses of plain values inherit to be kept."""

    def write(self, path: Path) -> None:
        """Keep it; the file is there whole or not at all."""
        values = dataclasses.asdict(self)  # type: ignore[call-overload]  # a dataclass inherits it
        write_json(path, values, indent=1)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what `write` kept."""
        return cls.of(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Return the summary that has these values."""
        return cls(**values)
