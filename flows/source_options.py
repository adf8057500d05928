"""Options of a data source on a command line: YAML there, JSON on the way to the worker."""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from flows.runtime import UserError

OPTION = "--options"
HELP = "Of the source, YAML, as a config's data.options: '{mask_ending: _L}'."


def worker_arguments(text: str | None) -> list[str]:
    """Return what a worker's verb is told of the options that a person wrote.

    Raises:
        UserError: the text is no mapping.
    """
    if text is None:
        return []
    import yaml  # not above: `zoo --help` does not wait for it

    try:
        options = yaml.safe_load(text)
        if not isinstance(options, dict):
            raise UserError(f"{OPTION}: must be a mapping, as in '{{mask_ending: _L}}'; got {text}")
        return as_options(options)
    except (yaml.YAMLError, TypeError) as error:  # TypeError: a date, which JSON has not
        reason = str(error).splitlines()[0]
        raise UserError(f"{OPTION}: not YAML of plain values: {reason}; got {text}") from None


def add_option(parser: argparse.ArgumentParser) -> None:
    """Declare the option of a worker's verb; the parsed arguments have a dict `options`."""
    parser.add_argument(
        OPTION, type=json.loads, default={}, metavar="JSON", help="of the data source"
    )


def as_options(values: Mapping[str, Any]) -> list[str]:
    """Return the worker's argument for options that a config holds."""
    return [f"{OPTION}={json.dumps(dict(values))}"] if values else []
