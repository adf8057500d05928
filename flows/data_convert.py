"""Worker verb `convert`: a data set of any format -> COCO JSON and its pictures.

Runs in a process of its own, since reading data needs TensorFlow.
"""

import argparse
from pathlib import Path

from flows.progress import Counting, mistakes_told, tell
from flows.runtime import UserError, prepare_process
from flows.source_options import add_option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("spec", help="such as voc:data/VOC2007 or bananas@val")
    add_option(parser)
    parser.add_argument("--on-defect", choices=("stop", "skip"), default="stop")
    parser.add_argument("--limit", type=int, help="take this many pictures a split only")
    parser.add_argument("--out", required=True, type=Path, help="the folder to write")


def run(args: argparse.Namespace) -> int:
    """Write the data set; return the exit code.

    Raises:
        UserError: there is no such data set, or the folder holds one of its splits already.
    """
    with mistakes_told():
        prepare_process()
        from zoo import data

        progress = Counting()
        try:
            source, split = data.parse_spec(
                args.spec, on_defect=args.on_defect, progress=progress, **args.options
            )
            data.write_coco(
                source, args.out, split and [split], limit=args.limit, progress=progress
            )
        except (ValueError, OSError) as error:
            raise UserError(str(error)) from error
    tell(wrote=str(args.out))
    return 0
