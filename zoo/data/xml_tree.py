"""XML of annotations as a tree whose elements know their lines."""

from dataclasses import dataclass, field
from xml.parsers import expat

_DEEPEST = 64  # elements within one another; annotations have four


@dataclass
class Element:
    """An element: its name, line, pieces of text and the elements in it."""

    tag: str
    line: int
    pieces: list[str] = field(default_factory=list)
    children: list["Element"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text directly in this element."""
        return "".join(self.pieces)

    def child(self, tag: str) -> "Element | None":
        """The first element of this name directly in this one."""
        return next((child for child in self.children if child.tag == tag), None)

    def value(self, tag: str) -> str | None:
        """The text of the first element of this name, without blanks around it; None without."""
        child = self.child(tag)
        return None if child is None else child.text.strip()


class XmlError(ValueError):
    """What is wrong with an XML file, and in which line."""

    def __init__(self, message: str, line: int):
        self.line = line
        super().__init__(message)


def parse_xml(content: bytes) -> Element:
    """Parse a document.

    Raises: XmlError: it is no well-formed XML.
    """
    top = Element("", 0)
    open_elements = [top]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag, attributes):
        element = Element(tag, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)
        if len(open_elements) > _DEEPEST:
            raise XmlError("elements nested too deeply", parser.CurrentLineNumber)

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda tag: open_elements.pop()
    parser.CharacterDataHandler = lambda data: open_elements[-1].pieces.append(data)
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise XmlError(expat.ErrorString(error.code), error.lineno) from None
    except XmlError:
        raise
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        raise XmlError(str(error), 1) from None
    return top.children[0]
