"""A JSON object read a list element at a time, each with its line.

COCO's annotation files hold lists of a million elements in one object. Here no more than a block
of the file and an element of it are in memory, and an element knows its line, for messages.
"""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BEGIN = object()  # stands for a list whose elements follow
_BLOCK = 1 << 20  # bytes read at once
_LARGEST = 1 << 26  # characters of one value: what is larger is no annotation
_BLANK = re.compile(r"[ \t\n\r]*")


def stream_object(path: Path, lists: frozenset[str]) -> Iterator[tuple[str, Any, int]]:
    """Read the JSON object in a file.

    Args:
        path: the file, UTF-8.
        lists: keys whose values are lists that are to be given an element at a time.
    Yields: (key, value, line of the value). For a key in `lists` whose value is a list: first
        `BEGIN`, then each element; for others the whole value.
    Raises: ValueError: the file cannot be read, or is no JSON object; one line with file and line.
    """
    try:
        with path.open("rb") as file:
            yield from _Reader(path, file).object(lists)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error}).") from None


class _Reader:
    """A window of the file's text from `position` on, and where it is."""

    def __init__(self, path: Path, file):
        self.path, self.file = path, file
        self.decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self.scan = json.JSONDecoder().raw_decode
        self.text, self.position, self.line = "", 0, 1
        self.ended = False

    def object(self, lists: frozenset[str]) -> Iterator[tuple[str, Any, int]]:
        if self.peek() == "":
            raise self.error("empty; expected a JSON object. Was the file written to its end?")
        self.expect("{")
        if self.peek() == "}":
            self.expect("}")
        else:
            while True:
                yield from self.member(lists)
                if self.expect(",}") == "}":
                    break
        if self.peek():
            raise self.error("malformed JSON: something follows the object's end.")

    def member(self, lists: frozenset[str]) -> Iterator[tuple[str, Any, int]]:
        self.peek()
        key = self.value()
        if not isinstance(key, str):
            raise self.error("malformed JSON: expected a key in double quotes.")
        self.expect(":")
        if self.peek() == "[" and key in lists:
            yield key, BEGIN, self.line
            for value, line in self.elements():
                yield key, value, line
        else:
            line = self.line
            yield key, self.value(), line

    def elements(self) -> Iterator[tuple[Any, int]]:
        self.expect("[")
        if self.peek() == "]":
            self.expect("]")
            return
        while True:
            self.peek()
            line = self.line
            yield self.value(), line
            if self.expect(",]") == "]":
                return

    def peek(self) -> str:
        """The next character that is not blank; "" at the file's end."""
        while True:
            self.advance(_BLANK.match(self.text, self.position).end())
            if self.position < len(self.text) or not self.more():
                return self.text[self.position : self.position + 1]

    def expect(self, characters: str) -> str:
        found = self.peek()
        if not found or found not in characters:
            wanted = " or ".join(characters)
            got = "the file's end" if not found else repr(found)
            raise self.error(f"malformed JSON: expected {wanted}; got {got}.")
        self.advance(self.position + 1)
        return found

    def value(self) -> Any:
        """The value that begins here; reads on while it may only be cut off by the window."""
        while True:
            try:
                value, end = self.scan(self.text, self.position)
            except json.JSONDecodeError as error:
                if not self.may_be_cut(error) or not self.more():
                    self.advance(max(self.position, min(error.pos, len(self.text))))
                    raise self.error(f"malformed JSON: {error.msg}.") from None
            except (RecursionError, ValueError) as error:  # nested deeply; an int of 5,000 digits
                raise self.error(f"JSON that cannot be read: {error}.") from None
            else:
                if len(self.text) - end > 4 or not self.more():  # 6.1 may go on as e-05
                    self.advance(end)
                    return value

    def may_be_cut(self, error: json.JSONDecodeError) -> bool:
        open_string = error.msg.startswith("Unterminated string")
        near = len(self.text) - error.pos < 64  # the longest token but a string: a number
        return (open_string or near) and len(self.text) - self.position < _LARGEST

    def more(self) -> bool:
        """Read another block; False at the file's end."""
        if self.ended:
            return False
        block = self.file.read(_BLOCK)
        self.ended = not block
        try:
            text = self.decode(block, final=self.ended)
        except UnicodeDecodeError:
            raise self.error("not UTF-8 text. Save the file as UTF-8.") from None
        if not text:  # the end, or the beginning of a letter of several bytes
            return self.more()
        self.text, self.position = self.text[self.position :] + text, 0
        return True

    def advance(self, position: int) -> None:
        self.line += self.text.count("\n", self.position, position)
        self.position = position

    def error(self, message: str) -> ValueError:
        return ValueError(f"{self.path}:{self.line}: {message}")
