"""Worker verb `stylize`: a picture in the style of another, by optimisation or by a model.

An optimisation has a run folder: journal.jsonl with the losses (see `flows.journal`), losses.png
with their curves, checkpoint/ from which the same command goes on, samples/ with what the picture
looked like meanwhile. The answer is a JSON file: out, size, backend, seconds, style_used and, of an
optimisation, steps, folder, first and last, the losses of its first and its last step.
"""

import argparse
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from flows.journal import Journal, read_journal
from flows.progress import mistakes_told, tell
from flows.runtime import UserError, backend_version, prepare_process
from flows.whole_files import write_json

if TYPE_CHECKING:
    import numpy as np

    from zoo import Task
    from zoo.models import StyleTransfer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("content", help="the picture to paint")
    parser.add_argument("style", nargs="?", help="the picture whose style to take")
    parser.add_argument("--out", required=True, type=Path, help="the picture to write")
    parser.add_argument("--result", required=True, type=Path, help="where the answer goes, JSON")
    parser.add_argument("--folder", required=True, type=Path, help="of the optimisation")
    parser.add_argument("--again", action="store_true", help="optimise anew what is done")
    parser.add_argument("--model", help="a published .keras file instead of ImageNet's VGG")
    parser.add_argument("--backbone", default="vgg16", help="vgg16 or vgg19")
    parser.add_argument("--weights", default="imagenet", help="or a file of torchvision's")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--size", type=int, help="height of the result in pixels")
    parser.add_argument("--scales", type=int, default=1, help="sizes to work through")
    parser.add_argument("--preserve-color", default="none")


def run(args: argparse.Namespace) -> int:
    """Paint the picture and write it; return the exit code.

    Raises:
        UserError: a picture, an option or the model cannot be used.
    """
    with mistakes_told():
        backend = prepare_process()
        started = time.monotonic()
        from zoo.models import FastStyle

        try:
            task = _task(args)
            if isinstance(task, FastStyle):
                painted, told = _one_pass(task, args), {"style_used": False}
            else:
                painted, told = _optimised(task, args, backend)
        except ValueError as error:
            raise UserError(str(error)) from error
        save_picture(args.out, painted)
        size = {"height": painted.shape[0], "width": painted.shape[1]}
        seconds = round(time.monotonic() - started, 3)
        answer = {"out": str(args.out), "size": size, "backend": backend, "seconds": seconds}
        write_json(args.result, answer | told)
    tell(wrote=str(args.out))
    return 0


def save_picture(path: Path, pixels: "np.ndarray") -> None:
    """Write a picture in the format of the file's name.

    Raises:
        UserError: it cannot be written.
    """
    from PIL import Image

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=95)  # JPEG's; PNG does not look at it
    except (OSError, ValueError) as error:  # ValueError: a suffix that Pillow does not know
        raise UserError(f"--out {path}: cannot be written: {error}") from error


def _task(args: argparse.Namespace) -> "Task":
    import zoo
    from zoo.models import FastStyle, StyleTransfer

    if args.model is None:
        weights = {"backbone": args.backbone, "backbone_weights": args.weights}
        return zoo.create("style_transfer", **weights)
    task = zoo.load(args.model)
    if not isinstance(task, (FastStyle, StyleTransfer)):
        raise UserError(
            f"{args.model} holds a {type(task).__name__}; zoo stylize needs a fast_style or "
            "style_transfer model"
        )
    return task


def _one_pass(task: Any, args: argparse.Namespace) -> "np.ndarray":
    from zoo.pictures import read_picture, resize_picture

    return task.stylize(resize_picture(read_picture(args.content), args.size))[0]


def _optimised(task: "StyleTransfer", args: argparse.Namespace, backend: str) -> Any:
    if args.style is None:
        raise UserError("STYLE is missing: name the picture whose style to take")
    args.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(args.folder / "worker.lock", timeout=0):
            if args.again:
                _forget(args.folder)
            with Journal(args.folder / "journal.jsonl") as journal:
                painted = _optimise(task, args, backend, journal)
    except Timeout:
        raise UserError(f"{args.folder}: another worker is painting this picture") from None
    events = read_journal(args.folder / "journal.jsonl")
    # By step: what was done again after an interruption counts once.
    losses = {event["step"]: event["metrics"] for event in events if event["kind"] == "step"}
    _draw_losses(args.folder / "losses.png", losses)
    told = {"steps": args.steps, "folder": str(args.folder), "first": losses[min(losses)]}
    return painted, told | {"last": losses[max(losses)], "style_used": True}


def _draw_losses(path: Path, losses: dict[int, dict[str, float]]) -> None:
    from zoo.draw_curves import draw_curves

    names = next(iter(losses.values()))
    curves = {
        name.removeprefix("train/").replace("_", " "): [step[name] for step in losses.values()]
        for name in names
    }
    save_picture(path, draw_curves(list(losses), curves))


def _optimise(
    task: "StyleTransfer", args: argparse.Namespace, backend: str, journal: Journal
) -> "np.ndarray":
    from zoo.training import ResumableSynthesis

    started = time.monotonic()

    def report(kind: str, **fields: Any) -> None:
        journal.append(kind, **fields)
        if kind == "step":
            loss = f"loss {fields['metrics']['train/loss']:.3g}"
            tell(what="painting", done=fields["step"], total=args.steps, detail=loss)

    versions = {name: backend_version(name) for name in ("keras", backend)}
    parameters = {name: _plain(value) for name, value in vars(args).items() if name != "run"}
    journal.append("started", backend=backend, versions=versions, parameters=parameters)
    painted = task.stylize(
        args.content,
        args.style,
        size=args.size,
        steps=args.steps,
        scales=args.scales,
        preserve_color=args.preserve_color,
        fit=ResumableSynthesis(task, args.folder, report, log_steps=5),
    )
    seconds = {"worker_seconds": time.monotonic() - started}
    journal.append("finished", step=args.steps, metrics={}, timings=seconds)
    return painted


def _forget(folder: Path) -> None:
    for name in ("checkpoint", "samples"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "journal.jsonl").unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
