"""The data sets by name, and the SPEC strings that name one on a command line."""

import difflib
from collections.abc import Callable

from zoo.data.bananas import load_bananas
from zoo.data.source import Source

SOURCES: dict[str, Callable[..., Source]] = {"bananas": load_bananas}


def list_sources() -> list[str]:
    """Names that `load_source` knows."""
    return sorted(SOURCES)


def load_source(name: str, **options) -> Source:
    """Open a data set, preparing it first where that has not been done on this machine.

    Args:
        name: one of `list_sources()`.
        **options: the source's own; bananas: seed, train_size, val_size, data_dir.
    Raises: ValueError if there is no such source.
    """
    if name not in SOURCES:
        near = difflib.get_close_matches(name, SOURCES, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Is it spelt right?"
        raise ValueError(
            f"data source must be one of {', '.join(list_sources())}; got {name!r}. {hint}"
        )
    return SOURCES[name](**options)


def parse_spec(spec: str) -> tuple[Source, str | None]:
    """Open the data set a SPEC names: `bananas` or `bananas@val`.

    Returns: the source, and the split after the @ or None.
    Raises: ValueError if the source or the split is unknown.
    """
    name, at, split = spec.partition("@")
    source = load_source(name)
    if not at:
        return source, None
    if split not in source.splits:
        raise ValueError(
            f"{name} has the splits {', '.join(source.splits)}; got {split!r} in {spec!r}."
        )
    return source, split
