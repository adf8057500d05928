"""Worker verb `survey`: what the data of a config hold now -> survey.json.

Digests, counts and defects come with a data set's index, so a survey of data that have not changed
reads no picture. With `--unless` it ends at the digests where they are the ones that are given.
"""

import argparse
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.progress import Counting, mistakes_told, tell
from flows.runtime import UserError, prepare_process
from flows.whole_files import write_json

if TYPE_CHECKING:
    from zoo.data import Source

SPLITS = ("train", "val")  # that a version's origin is told by
_LISTED = 50  # defects of a split


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("config", type=Path, help="a run's configuration")
    parser.add_argument("--unless", type=json.loads, help="digests by split, JSON")
    parser.add_argument("--out", required=True, type=Path, help="where the survey goes, JSON")


def run(args: argparse.Namespace) -> int:
    """Look at the data and write the survey; return the exit code.

    Raises:
        UserError: there are no such data, or they cannot be read at all.
    """
    with mistakes_told():
        prepare_process()
        from flows import build
        from flows.config import load_config

        # Defects are told by the survey, all of them, and not by the first that stops a reader.
        config = load_config(args.config, ["data.on_defect=skip"])
        try:
            source = build.build_source(config, Counting())
            survey: dict[str, Any] = {"data_digest": digests(source)}
            if survey["data_digest"] != args.unless:
                survey |= {"counts": counts(source), "defects": _defects(source)}
        except ValueError as error:
            raise UserError(str(error)) from error
    write_json(args.out, survey, indent=1)
    tell(wrote=str(args.out))
    return 0


def digests(source: "Source") -> dict[str, str]:
    """Return split -> digest, of all that a version's data are known by."""
    return {split: source.digest(split) for split in SPLITS}


def counts(source: "Source", splits: Sequence[str] = SPLITS) -> dict[str, dict[str, Any]]:
    """Return of each split its `pictures` and `classes`: name -> boxes, or pixels."""
    told = {split: source.inspect(split) for split in splits}
    return {
        split: {
            "pictures": found.size,
            "classes": {
                name: found.label_counts.get(label, 0)
                for label, name in enumerate(source.class_names)
            },
        }
        for split, found in told.items()
    }


def _defects(source: "Source") -> dict[str, dict[str, Any]]:
    """Return of each split the defects because of which something is left out.

    `kinds` counts them all, `listed` has the first of them in words.
    """
    from zoo.data.defects import is_left_out

    told = {}
    for split in SPLITS:
        kinds = {kind: n for kind, n in source.skipped(split).items() if is_left_out(kind)}
        found = (defect for defect in source.defects(split) if is_left_out(defect.kind))
        told[split] = {"kinds": kinds, "listed": [str(one) for one in islice(found, _LISTED)]}
    return told
