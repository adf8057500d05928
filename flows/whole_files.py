"""Text that is written to a file as a whole or not at all."""

import json
import uuid
from pathlib import Path
from typing import Any


def write_whole(path: Path, text: str) -> None:
    """Put a text in the place of a file; a crash, or another writer, leaves one of both whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")  # of this call alone
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_json(path: Path, values: Any, *, indent: int | None = None) -> None:
    """Write a file that is either whole or not there."""
    write_whole(path, json.dumps(values, indent=indent) + "\n")
