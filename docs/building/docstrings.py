"""Griffe extension: our docstrings' sections as Markdown, for the API pages.

Griffe's Google parser wants a blank line above each section and an indented block below its title.
Our sections are one line where one line says it, as in `Returns: (A, 4) float32.`, and one item may
describe two arguments of one shape.
Words: a *list section* has items indented under its title, a *paragraph section* is text.
"""

import re
from collections.abc import Iterator

import griffe

_LISTS = "Args|Attributes"
_PARAGRAPHS = (
    "Returns|Raises|Yields|References?|Example|Deviation|Words|Shapes|Letters|Shape letters"
)
_TITLE = re.compile(rf"({_LISTS}|{_PARAGRAPHS}):(?: +(.*))?")
_ITEM = re.compile(r" {4}([*\w]+(?:, [*\w]+)*): (.*)")
_NEXT_ON_THE_LINE = re.compile(r"; (?=[a-z]\w*: )")


class MarkdownSections(griffe.Extension):
    """Rewrites every docstring that is loaded."""

    def on_object(self, *, obj: griffe.Object, **kwargs) -> None:
        if obj.docstring:
            obj.docstring.value = to_markdown(obj.docstring.value)


def to_markdown(docstring: str) -> str:
    """Turn sections into bold titles with lists and paragraphs; indented text becomes code."""
    blocks = []
    for title, lines in _sections(docstring.splitlines()):
        if title is None:
            blocks.append(_with_code_set_apart(lines))
        elif title in _LISTS.split("|"):
            blocks.append("\n".join([f"**{title}**", "", *_items(lines)]))
        else:
            blocks.append(f"**{title}:** {' '.join(' '.join(lines).split())}")
    return "\n\n".join(block for block in blocks if block)


def _sections(lines: list[str]) -> Iterator[tuple[str | None, list[str]]]:
    """Yield (title, lines), with None as the title of plain text."""
    title: str | None = None
    section: list[str] = []
    for line in lines:
        begins = _TITLE.fullmatch(line)
        if begins or _ends(title, section, line):
            yield title, section
            title, section = None, []
        if begins:
            title, line = begins[1], begins[2] or ""
        section.append(line)
    yield title, section


def _ends(title: str | None, section: list[str], line: str) -> bool:
    """Tell whether a line that is no title belongs to what follows the section."""
    if title is None:
        return False
    if title in _LISTS.split("|"):
        return bool(line.strip()) and not line.startswith(" ")
    return not line.strip() and any(section)


def _items(lines: list[str]) -> Iterator[str]:
    """Yield a list item for each `name, name: text`; any other line goes on with the one above."""
    items: list[str] = []
    for line in lines:
        for part in _NEXT_ON_THE_LINE.split(line):
            if named := _ITEM.fullmatch(part if part.startswith(" ") else f"    {part}"):
                items.append(f"- {_quoted(named[1])}: {named[2]}")
            elif part.strip():
                items.append(f"{items.pop()} {part.strip()}" if items else f"- {part.strip()}")
    yield from items


def _quoted(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split(", "))


def _with_code_set_apart(lines: list[str]) -> str:
    """Put a blank line where indented text begins or ends, so that Markdown takes it for code."""
    apart: list[str] = []
    for line in lines:
        above = apart[-1] if apart else ""
        if above.strip() and line.strip() and _is_code(above) != _is_code(line):
            apart.append("")
        apart.append(line)
    return "\n".join(apart).strip("\n")


def _is_code(line: str) -> bool:
    return line.startswith("    ")
