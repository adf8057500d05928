"""Which pictures an export is tried on."""

from pathlib import Path

from flows.source_options import as_options, worker_arguments


def pictures_of(model: str, data: str | None, options: str | None) -> tuple[str | None, list[str]]:
    """Return a SPEC and the worker's arguments for its source's options.

    Args:
        model: as on the command line: of a run's folder, its data are taken.
        data, options: what the user named, or None.
    Returns: also None, where nobody names any.
    """
    if data is not None:
        return data, worker_arguments(options)
    written = Path(model) / "config.yaml"
    if not written.is_file():
        return None, []
    from flows.config import load_config

    config = load_config(written).data
    spec = config.name if config.path is None else f"{config.name}:{config.path}"
    return spec, as_options(config.options)
