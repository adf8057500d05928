"""Worker verb `check`: a data set looked at from all sides -> report.json.

Runs in a process of its own, since reading data needs TensorFlow.
"""

import argparse
from pathlib import Path

from flows.progress import Counting, mistakes_told, tell
from flows.runtime import UserError, prepare_process
from flows.source_options import add_option
from flows.whole_files import write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("spec", help="such as voc:data/VOC2007 or bananas@val")
    add_option(parser)
    parser.add_argument("--out", required=True, type=Path, help="where the report goes, JSON")


def run(args: argparse.Namespace) -> int:
    """Check the data set and write the report; return the exit code.

    Raises:
        UserError: there is no such data set, or it cannot be read at all.
    """
    with mistakes_told():
        prepare_process()
        from zoo import data

        progress = Counting()
        try:
            source, split = data.parse_spec(
                args.spec, on_defect="skip", progress=progress, **args.options
            )
            report = data.check_source(source, split and [split], progress=progress)
        except ValueError as error:
            raise UserError(str(error)) from error
    write_json(args.out, report, indent=1)
    tell(wrote=str(args.out))
    return 0
