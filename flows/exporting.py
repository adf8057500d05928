"""Worker verb `export`: a published model -> a folder with its program in another format.

The program is written beside its place, opened by its own runtime in a fresh process, asked about
some pictures and compared with the model. Only one that answers the same is moved to its place.
"""

import argparse
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.export_check import compare
from flows.export_formats import FORMATS
from flows.opening import open_data, open_task, read_pictures
from flows.program_process import ExportError, ask_program
from flows.progress import mistakes_told, tell
from flows.runtime import UserError, prepare_process
from flows.source_options import add_option
from flows.whole_files import write_json

if TYPE_CHECKING:
    import numpy as np

    from zoo.export import Signature

PICTURES = 8  # that the program is asked about
CALIBRATION = 64  # that ranges of activations are taken from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("model", help="a published .keras file")
    parser.add_argument("--format", required=True, choices=tuple(FORMATS))
    parser.add_argument("--out", required=True, type=Path, help="the folder to write")
    parser.add_argument("--result", required=True, type=Path, help="where the answer goes, JSON")
    parser.add_argument("--data", required=True, metavar="SPEC", help="the pictures to ask about")
    add_option(parser)
    parser.add_argument("--batch", type=int, help="pictures at once; as the format has it")
    parser.add_argument("--image-size", type=int, nargs=2, metavar=("H", "W"))
    parser.add_argument("--inputs", type=Path, help="also write what was asked here, .npz")
    parser.add_argument("--int8", action="store_true", help="quantise, by pictures of the data")


def run(args: argparse.Namespace) -> int:
    """Export the model and write the answer; return the exit code.

    Raises:
        UserError: the model, the data or an option cannot be used.
        ExportError: the program cannot be written, or does not answer as the model does.
    """
    with mistakes_told():
        answer = _export(args)
    write_json(args.result, answer)
    tell(wrote=str(args.out))
    return 0


def _export(args: argparse.Namespace) -> dict[str, Any]:
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a program is no device's: none may get into it
    backend = prepare_process()
    from zoo.export import fitting_of, signature_of

    _say("opening the model")
    task = open_task(args.model)
    any_batch = FORMATS[args.format].any_batch and not args.int8
    batch = args.batch or (None if any_batch else 1)
    try:
        signature = signature_of(task, batch=batch, image_size=args.image_size)
    except ValueError as error:
        raise UserError(f"{args.model}: {error}") from error
    fitting = fitting_of(task, signature)
    _say("reading pictures")
    count = -(-PICTURES // (batch or 1)) * (batch or 1)
    inputs = _inputs(fitting, args, count)
    if args.inputs is not None:
        import numpy as np

        np.savez(args.inputs, **inputs)  # type: ignore[arg-type]
    _say("asking the model")
    expected = _ask(task, signature, inputs)
    with _beside(args.out) as folder:
        _say(f"writing {args.format}")
        source = {"file": Path(args.model).name, "sha256": _digest(args.model)}
        calibration = _calibration(fitting, args) if args.int8 else None
        _write(task, signature, args.format, folder, source=source, calibration=calibration)
        _say("opening it in a fresh process")
        found, facts = ask_program(folder, inputs)
        agreed = compare(task.kind, expected, found, fitting.image_size)
        if not args.int8 and not agreed.same:
            raise ExportError(
                f"the {args.format} program does not answer as the model does: {agreed.told}. "
                f"Nothing was written; {_others(args.format)}"
            )
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        _put(folder, args.out)
    return {
        "model": str(args.model),
        "format": args.format,
        "out": str(args.out),
        "backend": backend,
        "bytes": size,
        "peak_bytes": facts["peak_bytes"],
        "pictures": count,
        "int8": args.int8,
        "same": agreed.same,
        "compared": agreed.compared,
        "told": agreed.told,
    }


def _inputs(fitting, args: argparse.Namespace, count: int) -> "dict[str, np.ndarray]":
    """Return what the program is asked, rows of `count` pictures of the data; they may repeat."""
    import numpy as np

    rows = _rows(fitting, args.data, args.options, None, count)
    rows = [rows[index % len(rows)] for index in range(count)]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _rows(fitting, spec: str, options: dict, split: str | None, count: int) -> list[dict]:
    """Return what the program takes of each of the first pictures of a split."""
    source, named = open_data(spec, "skip", options)
    pictures = read_pictures(source, split or named, spec, count)
    try:
        rows = [fitting.inputs(picture)[0] for picture in pictures]
    except ValueError as error:
        raise UserError(f"--data {spec}: {error}") from error
    if not rows:
        raise UserError(f"--data {spec}: has no picture")
    return rows


def _ask(task, signature: "Signature", inputs: "dict[str, np.ndarray]") -> "dict[str, np.ndarray]":
    """Return the model's own outputs, by the names of the program's."""
    from zoo.export import named_outputs

    asked = inputs if len(inputs) > 1 else inputs["images"]
    return named_outputs(signature, task.predict(asked, batch_size=1, verbose=0))


def _write(task, signature: "Signature", format: str, folder: Path, **options) -> None:
    from zoo.export import write_program

    try:
        write_program(task, signature, format, folder, **options)
    except Exception as error:  # of whichever library writes the format
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else type(error).__name__
        raise ExportError(
            f"{type(task).__name__} cannot be written as {format}: {reason}; {_others(format)}"
        ) from error


def _calibration(fitting, args: argparse.Namespace) -> list[dict]:
    """Return what to quantise by: training pictures of the data, where they are."""
    source, split = open_data(args.data, "skip", args.options)
    train = "train" if "train" in source.splits else split
    return _rows(fitting, args.data, args.options, train, CALIBRATION)


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """Make a folder on the disk of `out`, gone at the end unless it was moved away."""
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put(folder: Path, out: Path) -> None:
    """Move a whole export to its place; an older one gives way."""
    folder.chmod(0o755)  # a temporary folder is its maker's alone
    if out.exists():
        old = folder.with_name(folder.name + ".old")
        out.rename(old)
        folder.rename(out)
        shutil.rmtree(old)
    else:
        folder.rename(out)


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _others(format: str) -> str:
    return f"other formats: {', '.join(name for name in FORMATS if name != format)}"


def _say(what: str) -> None:
    tell(what=what, done=0, total=None)
