"""The command `zoo stylize`: a picture in the style of another."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import print_json
from flows.runtime import UserError

_HOME = Path("mlruns/styles")
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})


def stylize(
    content: Annotated[Path, typer.Argument(help="The picture to paint.")],
    out: Annotated[Path, typer.Option(help="The picture to write, such as painted.png.")],
    style: Annotated[
        Path | None, typer.Argument(help="The picture whose style to take.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A .keras file, a run's folder, or models:/name@champion."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of the optimisation.")] = 500,
    size: Annotated[
        int | None,
        typer.Option(min=1, help="Height of the result, pixels.", show_default="the content's"),
    ] = None,
    scales: Annotated[
        int, typer.Option(min=1, help="Work from coarse to fine, through so many sizes.")
    ] = 1,
    preserve_color: Annotated[
        str, typer.Option(metavar="none|luminance|match", help="Keep the content's colours.")
    ] = "none",
    backbone: Annotated[str, typer.Option(metavar="vgg16|vgg19", help="What judges.")] = "vgg16",
    weights: Annotated[
        str,
        typer.Option(
            metavar="imagenet|keras_applications|FILE",
            help="Its weights: of a package, downloaded by Keras, or torchvision's.",
        ),
    ] = "imagenet",
    again: Annotated[bool, typer.Option("--again", help="Paint anew what is done.")] = False,
    backend: Annotated[
        str | None, typer.Option(help="tensorflow, jax, torch or auto.", show_default="auto")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON for a machine, nothing else.")
    ] = False,
) -> None:
    """Paint a picture in the style of another.

    Without a model the pixels are optimised against STYLE; the same command goes on where an
    interrupted one stopped. A fast_style model has learnt a style and paints in one pass.
    """
    from flows.model_names import resolve_model
    from flows.runtime import choose_backend
    from flows.worker_process import run_verb

    pictures = [content, *([style] if style is not None else [])]
    _check(pictures, out, model)
    name, _ = choose_backend(backend or "auto")
    options = {"steps": steps, "size": size, "scales": scales, "preserve-color": preserve_color}
    options |= {"backbone": backbone, "weights": weights}
    options |= {"model": None if model is None else str(resolve_model(model))}
    folder = _folder(pictures, options | {"backend": name})
    arguments = [f"--{key}={value}" for key, value in options.items() if value is not None]
    arguments += ["--again"] if again else []
    with tempfile.TemporaryDirectory() as temporary:
        result = Path(temporary) / "result.json"
        arguments += [f"--out={out}", f"--folder={folder}", f"--result={result}", "--"]
        run_verb("stylize", [*arguments, *map(str, pictures)], backend=name)
        answer = json.loads(result.read_text())
    print_json(answer) if as_json else _show(answer, style, model)


def _check(pictures: list[Path], out: Path, model: str | None) -> None:
    """Raise UserError on what can be told before a worker starts."""
    if len(pictures) < 2 and model is None:
        raise UserError("STYLE is missing: name a picture, or a --model that has learnt its style")
    for picture in pictures:
        if not picture.is_file():
            raise UserError(f"{picture}: no such picture")
        if picture.resolve() == out.resolve():
            raise UserError(f"--out {out}: is one of the originals; name another picture")
    if out.suffix.lower() not in _SUFFIXES:
        raise UserError(f"--out {out}: must end in one of {', '.join(sorted(_SUFFIXES))}")


def _folder(pictures: list[Path], options: dict) -> Path:
    """Return the run folder of these pictures and options."""
    digest = hashlib.sha256(json.dumps(options, default=str).encode())
    for picture in pictures:
        digest.update(picture.read_bytes())
    names = "-".join(picture.stem for picture in pictures)
    return _HOME / f"{names}-{digest.hexdigest()[:8]}"


def _show(answer: dict, style: Path | None, model: str | None) -> None:
    from flows.console import note, show_table

    if style is not None and not answer["style_used"]:
        note(f"{model} has learnt its style; {style} was not looked at")
    if "last" in answer:
        first, last = answer["first"], answer["last"]
        names = {name: name.removeprefix("train/").replace("_", " ") for name in last}
        rows = [[names[name], first[name], last[name]] for name in names]
        show_table(["", "first step", f"step {answer['steps']}"], rows)
        note(f"intermediate pictures and losses: {answer['folder']}")
    print(answer["out"])
