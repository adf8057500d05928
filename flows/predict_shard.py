"""Worker verb `shard`: the pictures of a shard -> one file of results, whole or not at all.

The file has a line for the whole, {"classes", "kind", "backend", "seconds"}, and one a picture:
{"key", "file_name", "width", "height", "rows"}, rows as in a COCO results file, or {"key",
"file_name", "reason"} where it could not be answered.

On stdout it tells which pictures it is at, so that a picture that kills the process is known.
"""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from flows.progress import mistakes_told, tell
from flows.runtime import UserError, prepare_process

_BATCH = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("model", help="a published .keras file")
    parser.add_argument("todo", type=Path, help='JSON: [["key", "path"], ...]')
    parser.add_argument("--out", required=True, type=Path, help="the file of results")
    parser.add_argument("--min-score", type=float, default=0.25, help="of a detector's objects")
    parser.add_argument("--alone", type=json.loads, default=[], help="ask these by themselves")
    parser.add_argument("--rejected", type=json.loads, default={}, help="do not ask: key -> reason")


def run(args: argparse.Namespace) -> int:
    """Answer the pictures; return the exit code.

    Raises:
        UserError: the model cannot be used.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with mistakes_told():
        _answer(args)
    return 0


def _end_with_parent() -> None:
    """Our stdin ends when whoever started us does, however that ends."""
    sys.stdin.read()
    os._exit(1)


def _answer(args: argparse.Namespace) -> None:
    backend = prepare_process()
    import zoo
    from zoo.answers import answers_of

    try:
        task = zoo.load(args.model)
        answers = answers_of(task)
    except ValueError as error:
        raise UserError(str(error)) from error
    if task.kind == "style":
        raise UserError(f"{args.model}: paints pictures; `zoo predict` does so")
    todo = [tuple(one) for one in json.loads(args.todo.read_text(encoding="utf-8"))]
    began = time.monotonic()
    lines = list(_lines(task, answers, todo, args))
    head = {"classes": list(task.class_names), "kind": task.kind, "backend": backend}
    _write_once(args.out, [head | {"seconds": time.monotonic() - began}, *lines])
    tell(wrote=str(args.out))


def _lines(task: Any, answers: Any, todo: list, args: argparse.Namespace) -> Iterator[dict]:
    batch: list[tuple[str, str, Any]] = []
    for key, path in todo:
        named = {"key": key, "file_name": path}
        if key in args.rejected:
            yield named | {"reason": args.rejected[key]}
            continue
        tell(at=[key])
        pixels = _read(path)
        if isinstance(pixels, str):
            yield named | {"reason": pixels}
            continue
        if key in args.alone:
            yield from _ask(task, answers, [(key, path, pixels)], args.min_score)
            continue
        batch.append((key, path, pixels))
        if len(batch) == _BATCH:
            yield from _ask(task, answers, batch, args.min_score)
            batch = []
    if batch:
        yield from _ask(task, answers, batch, args.min_score)


def _read(path: str) -> Any:
    """Return the picture, or in a line why it cannot be read."""
    from zoo.pictures import read_picture

    try:
        return read_picture(path)
    except (ValueError, OSError) as error:
        return " ".join(str(error).split()).removeprefix(f"{path}: ")


def _ask(task: Any, answers: Any, batch: list, min_score: float) -> Iterator[dict]:
    tell(at=[key for key, _, _ in batch])
    found = answers.ask(task, [pixels for _, _, pixels in batch])
    for (key, path, pixels), answer in zip(batch, found, strict=True):
        kept = answers.certain(answer, min_score)
        height, width = pixels.shape[:2]
        size = {"width": width, "height": height}
        yield {"key": key, "file_name": path, **size, "rows": answers.rows(kept, 0)}


def _write_once(path: Path, lines: list[dict]) -> None:
    """Write the file unless another process has: the same shard may be answered twice at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    with suppress(FileExistsError):
        os.link(part, path)
    part.unlink()
