"""The command `zoo doctor`: what this machine has, and with --hardware, what it can do."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli_options import Json, print_json


def doctor(
    hardware: Annotated[
        bool, typer.Option("--hardware", help="Measure the machine, and a training step on it.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(metavar="PRESET|CONFIG", help="Whose step; with --hardware."),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(help="tensorflow, jax, torch or auto; with --hardware.", show_default="auto"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep hardware.json and roofline.png here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what this machine has, what is missing, and how to get it.

    With --hardware: how fast it multiplies, reads and writes; with --model also what bounds a
    training step, how near to the limit it comes, and whether it waits for pictures.
    """
    if hardware:
        _show_hardware(model, backend, out, as_json=as_json)
        return
    _refuse({"--model": model, "--backend": backend, "--out": out})
    _examine(as_json=as_json)


def _examine(*, as_json: bool) -> None:
    from flows.console import show_table, waiting
    from flows.doctor import as_json as plain
    from flows.doctor import examine
    from flows.run_folder import default_home

    with waiting("examining backends"):
        findings = examine(default_home())
    if as_json:
        print_json(plain(findings))
    else:
        rows = [[one.topic, one.state, one.value, one.remedy] for one in findings]
        show_table(["", "state", "found", "remedy"], rows)
    if any(one.state == "broken" for one in findings):
        raise typer.Exit(1)


def _refuse(options: dict[str, Any]) -> None:
    from flows.runtime import UserError

    if given := [name for name, value in options.items() if value is not None]:
        raise UserError(f"{', '.join(given)} belongs to --hardware: zoo doctor --hardware ...")


def _show_hardware(model: str | None, backend: str | None, out: Path | None, *, as_json: bool):
    import tempfile

    from flows.hardware_tables import show_report
    from flows.worker_process import run_verb

    with tempfile.TemporaryDirectory() as temporary:
        folder = _writable(out or Path(temporary))
        arguments, named = _chosen(model, backend, Path(temporary))
        run_verb("hardware", [*arguments, "--out", str(folder)], backend=backend or named)
        report = json.loads((folder / "hardware.json").read_text())
    if as_json:
        print_json(report)
        return
    show_report(report)
    if out is not None:
        print(f"\n{out / 'hardware.json'}\n{out / 'roofline.png'}")


def _chosen(model: str | None, backend: str | None, folder: Path) -> tuple[list[str], str]:
    """Return the verb's arguments for a preset or a config, and the backend that it names."""
    if model is None:
        return [], "auto"
    if not Path(model).is_file() and Path(model).suffix not in (".yaml", ".yml"):
        from flows.catalogue import require_preset

        require_preset(model)
        return ["--preset", model], "auto"
    from flows.config import dump_config, load_config

    config = load_config(model, (), backend)
    file = folder / "config.yaml"
    file.write_text(dump_config(config), encoding="utf-8")
    return ["--config", str(file)], config.backend


def _writable(folder: Path) -> Path:
    from flows.runtime import UserError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be a folder: {error.strerror}") from error
    return folder
