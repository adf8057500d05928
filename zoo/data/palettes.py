"""Which class has which colour: from what a config, or a file beside the masks, says.

Words: a class that is called `void`, `unlabeled` or the like is none: its pixels belong to no
class.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.colormaps import VOID, Color, voc_colormap
from zoo.data.annotation_files import text_lines
from zoo.data.layout import MaskCode, shown

VOID_NAMES = ("void", "unlabeled", "unlabelled", "ignore")
FILES = ("classes.txt", "palette.txt", "label_colors.txt", "class_dict.csv")


@dataclass(frozen=True)
class Palette:
    """The classes of masks.

    Attributes:
        class_names: C names.
        code: how masks tell the classes.
    """

    class_names: tuple[str, ...]
    code: MaskCode

    @property
    def colors(self) -> tuple[Color, ...]:
        """Colours to paint the classes in: the data set's, else VOC's."""
        return self.code.colors or voc_colormap(len(self.class_names))


def make_palette(where: str, entries: Sequence[tuple[str, Color | None]]) -> Palette:
    """Make the palette of (name, colour) pairs in the order of the classes.

    Args:
        where: what has them, for messages.
        entries: all with a colour or, where masks hold indices, all without.
    Raises: ValueError: there are none, more than 255, names or colours are there twice, or some
        have a colour and some have not.
    """
    real = [(name, color) for name, color in entries if name.lower() not in VOID_NAMES]
    names = tuple(name for name, _ in real)
    colors = tuple(color for _, color in entries if color is not None)
    if not 1 <= len(names) <= VOID:
        raise ValueError(f"{where}: expected 1 to {VOID} classes; got {len(names)}.")
    if len(colors) not in (0, len(entries)):
        raise ValueError(f"{where}: give all classes a colour, or none.")
    for what, values in (("class", names), ("colour", colors)):
        value, count = Counter(values).most_common(1)[0] if values else (None, 0)
        if count > 1:
            raise ValueError(f"{where}: the {what} {value} is there twice. Name each once.")
    if not colors:
        return Palette(names, MaskCode(len(names)))
    own = tuple(color for _, color in real)
    return Palette(names, MaskCode(len(names), own, tuple(set(colors) - set(own))))


def palette_of(colors: Mapping[str, Sequence[int]]) -> Palette:
    """Make the palette of a config's {class name: [red, green, blue]}."""
    entries = [(str(name), _color(f"palette: {name}", color)) for name, color in colors.items()]
    return make_palette("palette", entries)


def read_palette(file: Path) -> Palette:
    """Read a list of classes: a name a line, with red, green and blue before or behind it or not.

    Blanks, tabs and commas separate; a first line of headings, as in class_dict.csv, is passed
    over.

    Raises: ValueError: a line is none of these; named with its number.
    """
    entries = []
    for number, text in text_lines(file):
        entry = _entry(f"{file}:{number}", text)
        heading = number == 1 and _words(text.lower())[-3:] == ["r", "g", "b"]
        if entry is not None and not heading:
            entries.append(entry)
    return make_palette(str(file), entries)


def find_palette(folder: Path) -> Palette | None:
    """The palette of the list that lies in a folder, if one does."""
    file = next((folder / name for name in FILES if (folder / name).is_file()), None)
    return None if file is None else read_palette(file)


def _entry(where: str, text: str) -> tuple[str, Color | None] | None:
    words = _words(text)
    if not words:
        return None
    numbers = [word.isdecimal() for word in words]
    if len(words) > 3 and all(numbers[:3]):
        return " ".join(words[3:]), _color(where, words[:3])
    if len(words) > 3 and all(numbers[-3:]):
        return " ".join(words[:-3]), _color(where, words[-3:])
    return text.strip(), None


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _color(where: str, values: Sequence) -> Color:
    try:
        red, green, blue = (int(value) for value in values)
    except (TypeError, ValueError):
        raise ValueError(
            f"{where}: a colour must be red, green, blue; got {shown(values)}."
        ) from None
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise ValueError(f"{where}: a colour must lie in 0..255; got {shown(list(values))}.")
    return red, green, blue
