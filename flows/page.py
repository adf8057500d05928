"""A page that is one file: no script, nothing fetched, every text of a run escaped.

Names of classes, files and runs are foreign text. Jinja escapes them, and the page forbids itself
everything but its own style sheet and pictures within it (Content-Security-Policy).
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Figure:
    """A cell that stands out, such as the best of its row."""

    text: str
    style: str = "best"


@dataclass(frozen=True)
class Table:
    """Rows below their columns' names.

    Args:
        columns: one a column; all empty: no head.
        rows: text, `Figure`, numbers or None a cell; numbers stand to the right.
        caption: above it.
        folded: whether it is opened by a click on the caption.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""
    folded: bool = False
    block: str = field(default="table", init=False)

    def is_number(self, column: int) -> bool:
        """Whether a column stands to the right."""
        cells = [row[column] for row in self.rows if row[column] is not None]
        return bool(cells) and all(isinstance(cell, int | float | Figure) for cell in cells)


@dataclass(frozen=True)
class Charts:
    """Charts beside one another where there is room."""

    charts: Sequence[Markup]
    note: str = ""
    block: str = field(default="charts", init=False)


@dataclass(frozen=True)
class Text:
    """A paragraph, or with `listing` lines as they stand, opened by a click on the title."""

    text: str
    listing: str = ""
    block: str = field(default="text", init=False)


@dataclass(frozen=True)
class Picture:
    """A picture's panels, caption -> data URI, and what is written below them."""

    title: str
    told: str
    panels: dict[str, str]


@dataclass(frozen=True)
class Gallery:
    """Pictures below a title."""

    title: str
    pictures: Sequence[Picture]
    block: str = field(default="gallery", init=False)


Block = Table | Charts | Text | Gallery


@dataclass(frozen=True)
class Section:
    """A part of the page, which its contents list by title."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """What the contents link to."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


@dataclass(frozen=True)
class Tile:
    """A figure that the page opens with."""

    name: str
    figure: str
    note: str = ""


@dataclass(frozen=True)
class Page:
    """All of a page.

    Args:
        title: of the page.
        subtitle: a line below it.
        verdict: a word or two beside the title; "" for none.
        good: whether the verdict is a happy one.
        banner: what a reader has to know first; "" for nothing.
        links: text -> address, of pages elsewhere.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    tiles: Sequence[Tile] = ()
    verdict: str = ""
    good: bool = False
    banner: str = ""
    links: dict[str, str] = field(default_factory=dict)


def render(page: Page) -> str:
    """Return the page as HTML."""
    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = _environment().get_template("page.html")
    # The style sheet is ours, and its digest is what the page allows: it must stand as it is.
    return template.render(page=page, style=Markup(style), digest=Markup(digest))


def data_uri(picture: Path) -> str:
    """Return a JPEG or PNG as an address that holds it."""
    kind = "png" if picture.suffix == ".png" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture.read_bytes()).decode()}"


def is_web(address: str) -> bool:
    """Whether an address may be linked to: pages only, no script."""
    return address.startswith(("http://", "https://"))


def written(value: object) -> str:
    """Write a cell: numbers with four digits, a dash for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value == int(value) and abs(value) >= 1000):
        return f"{int(value):,}"
    return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"written": written}
    environment.tests |= {"web": is_web, "figure": lambda cell: isinstance(cell, Figure)}
    return environment
