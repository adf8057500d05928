"""Opening the files of a data set: what is not there or cannot be read is told in one line."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from zoo.data.layout import Defect


def check_folder(path: Path, what: str) -> None:
    """Raise ValueError unless this is a folder; `what` it should be is told."""
    if path.is_dir():
        return
    state = "is a file" if path.is_file() else "there is none"
    raise ValueError(f"{path}: expected {what}; {state}. Is the path right?")


def why_not(error: OSError) -> str:
    """Say in a few words why the system refuses a file."""
    if error.errno == errno.ELOOP:
        return "a loop of symbolic links"
    return (error.strerror or str(error) or type(error).__name__).lower()


def read_annotation(file: Path) -> bytes | Defect:
    """Read an annotation file, or say why not."""
    try:
        content = file.read_bytes()
    except OSError as error:
        return Defect("unreadable_file", str(file), None, f"cannot be read: {why_not(error)}.")
    except ValueError:  # a null character in the name
        return Defect("unreadable_file", str(file), None, "no name for a file.")
    if not content.strip():
        message = "an empty annotation file. Was it written to its end?"
        return Defect("empty_file", str(file), None, message)
    return content


def text_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Read (line number, line) of a list; bytes that are not UTF-8 stay what names of files hold.

    Raises: ValueError: the file cannot be read.
    """
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                yield number, os.fsdecode(line.removeprefix(b"\xef\xbb\xbf")).rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {why_not(error)}.") from None
