"""Reader of Pascal VOC folders: a picture, an XML file with its objects, and lists of names.

    JPEGImages/a.jpg  Annotations/a.xml  ImageSets/Main/train.txt

A split is a list in ImageSets/Main; without lists all annotations are the split `all`. Objects
marked `difficult` are crowds here, so that evaluation does not count them.
Deviation: coordinates are taken as they stand; the devkit's count pixels from one, most tools'
from zero, and no file says which.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zoo.data.annotation_files import check_folder, read_annotation, text_lines
from zoo.data.layout import (
    PICTURE_SUFFIXES,
    Defect,
    FoundObject,
    FoundPicture,
    Layout,
    picture_id,
    shown,
    split_names,
)
from zoo.data.listing import sorted_files
from zoo.data.xml_tree import Element, XmlError, parse_xml

EVERYTHING = "all"  # the split of a folder without lists
_EDGES = ("xmin", "ymin", "xmax", "ymax")


def open_voc(path: Path, *, class_names: Sequence[str] | None = None) -> Layout:
    """Open a Pascal VOC folder.

    Args:
        path: the folder that holds JPEGImages and Annotations.
        class_names: in the order of the labels; default: all that the annotations name, sorted.
    Raises: ValueError: a folder is missing, or there is no annotation with a class.
    """
    path = Path(path)
    check_folder(path, "a Pascal VOC folder with JPEGImages and Annotations")
    for part in ("JPEGImages", "Annotations"):
        check_folder(path / part, f"the {part} of a Pascal VOC folder")
    files = _Files(path)
    names = tuple(class_names or sorted(files.class_names()))
    if not names:
        raise ValueError(f"{path}/Annotations: no annotation has an object with a name.")
    return Layout("voc", names, tuple(files.splits), files.pictures)


class _Files:
    """The files of a folder: lists, annotations and pictures."""

    def __init__(self, path: Path):
        self.path = path
        lists: Mapping[str, Path | None] = find_lists(path / "ImageSets" / "Main")
        self.splits = lists or {EVERYTHING: None}

    def pictures(self, split: str) -> Iterator[FoundPicture | Defect]:
        for name, file, line in self._entries(split):
            yield from self._picture(name, file, line)
        if self.splits[split] is None:
            yield from self._unannotated()

    def class_names(self) -> set[str]:
        """The names of the objects of all splits."""
        seen = set()
        for split in self.splits:
            for name, _, _ in self._entries(split):
                tree, _ = _read_tree(self._annotation(name))
                objects = [] if tree is None else _objects(tree)
                seen.update(found for one in objects if (found := one.value("name")))
        return seen

    def _entries(self, split: str) -> Iterator[tuple[str, Path, int | None]]:
        """(name of a picture, the file that has it, line) of a split."""
        listed = self.splits[split]
        if listed is None:
            folder = self.path / "Annotations"
            for _, file in sorted_files([folder]):
                if file.endswith(".xml"):
                    yield os.path.relpath(file, folder)[:-4], Path(file), None
            return
        for line, name in listed_names(listed):
            yield name, listed, line

    def _picture(self, name: str, file: Path, line: int | None):
        annotation, picture = self._annotation(name), find_picture(self.path / "JPEGImages", name)
        if not os.path.lexists(annotation):
            if picture is None:
                kind, what = "missing_picture", f"{shown(name)} has neither a picture nor an"
                yield Defect(kind, str(file), line, f"{what} annotation. Take it off the list.")
            else:
                message = f"{shown(name)} has a picture, but no {annotation}. Annotate it?"
                yield Defect("picture_without_annotation", str(file), line, message)
            return
        tree, defect = _read_tree(annotation)
        if tree is None:
            yield defect
            return
        picture = picture or self._named_inside(tree)
        if picture is None:
            message = f"no picture {name}.jpg (or .png ...) in {self.path / 'JPEGImages'}."
            yield Defect("annotation_without_picture", str(annotation), None, message)
            return
        yield from _found_picture(tree, name, picture, annotation)

    def _annotation(self, name: str) -> Path:
        return self.path / "Annotations" / f"{picture_id(name)}.xml"

    def _named_inside(self, tree: Element) -> Path | None:
        inside = tree.value("filename")
        file = self.path / "JPEGImages" / Path(inside).name if inside else None
        return file if file is not None and file.is_file() else None

    def _unannotated(self) -> Iterator[Defect]:
        folder = self.path / "JPEGImages"
        for _, file in sorted_files([folder]):
            annotation = self._annotation(os.path.relpath(file, folder))
            if Path(file).suffix.lower() in PICTURE_SUFFIXES and not os.path.lexists(annotation):
                message = f"a picture without {annotation}. Annotate it?"
                yield Defect("picture_without_annotation", file, None, message)


def find_picture(folder: Path, name: str, first: str = ".jpg") -> Path | None:
    """The picture of a name in a folder, whatever its suffix; `first` is looked for first."""
    exact = folder / name
    if exact.suffix.lower() in PICTURE_SUFFIXES and os.path.lexists(exact):
        return exact
    stem = picture_id(name)
    spelt = [end for low in sorted(PICTURE_SUFFIXES) for end in (low, low.upper())]
    ends = [first, *(end for end in spelt if end != first)]
    return next((f for end in ends if os.path.lexists(f := folder / f"{stem}{end}")), None)


def find_lists(folder: Path) -> dict[str, Path]:
    """Split -> its list; the devkit's lists of a single class (cat_train.txt) are none."""
    if not folder.is_dir():
        return {}
    files = {file.stem: file for file in sorted(folder.glob("*.txt"))}
    stems = [stem for stem in files if not ("_" in stem and stem.rpartition("_")[2] in files)]
    return {name: files[stem] for name, stem in split_names(stems).items()}


def listed_names(file: Path) -> Iterator[tuple[int, str]]:
    """(line, name of a picture) of a list, without the devkit's flags."""
    for line, text in text_lines(file):
        if text.strip():
            yield line, text.split()[0] if _has_flag(text) else text.strip()


def _has_flag(text: str) -> bool:
    """Is this a line of the devkit's `name 1` or `name -1`?"""
    words = text.split()
    return len(words) == 2 and words[1] in ("-1", "0", "1")


def _read_tree(file: Path) -> tuple[Element | None, Defect | None]:
    content = read_annotation(file)
    if isinstance(content, Defect):
        return None, content
    try:
        tree = parse_xml(content)
    except XmlError as error:
        message = f"malformed XML: {error}. Save the annotation again?"
        return None, Defect("malformed_annotation", str(file), error.line, message)
    if tree.tag != "annotation":
        message = f"expected an <annotation>; got <{shown(tree.tag)[1:-1]}>."
        return None, Defect("malformed_annotation", str(file), tree.line, message)
    return tree, None


def _objects(tree: Element) -> list[Element]:
    return [child for child in tree.children if child.tag == "object"]


def _found_picture(tree: Element, name: str, picture: Path, file: Path):
    objects = []
    for element in _objects(tree):
        found = _found_object(element, file)
        if isinstance(found, Defect):
            yield found
        else:
            objects.append(found)
    size = _size(tree, file)
    if isinstance(size, Defect):
        yield size
    else:
        yield FoundPicture(
            picture, picture_id(name), tuple(objects), str(file), line=tree.line, size=size
        )


def _size(tree: Element, file: Path) -> tuple[int, int] | Defect | None:
    """(height, width); None where there is none or, as some tools write it, 0."""
    size = tree.child("size")
    if size is None:
        return None
    texts = [size.value("height"), size.value("width")]
    try:
        height, width = (int(float(text or 0)) for text in texts)
    except (ValueError, OverflowError):
        message = f"<size> must hold whole numbers; got {' and '.join(map(shown, texts))}."
        return Defect("malformed_annotation", str(file), size.line, message)
    return (height, width) if height > 0 and width > 0 else None


def _found_object(element: Element, file: Path) -> FoundObject | Defect:
    box = element.child("bndbox")
    if box is None:
        return Defect("missing_box", str(file), element.line, "an object without <bndbox>.")
    edges = []
    for edge in _EDGES:
        child = box.child(edge)
        if child is None:
            return Defect("missing_box", str(file), box.line, f"a <bndbox> without <{edge}>.")
        try:
            edges.append(float(child.text))
        except ValueError:
            message = f"<{edge}> must be a number; got {shown(child.text.strip())}."
            return Defect("wrong_type", str(file), child.line, message)
    return FoundObject(
        box=tuple(edges),
        name=element.value("name") or "",
        crowd=element.value("difficult") == "1",
        line=element.line,
    )
