"""Reader of folder pairs: pictures in one, their masks in another, a file of the same name each.

    images/a.jpg  masks/a.png              or  train/images/a.jpg  train/masks/a.png
    classes.txt                            or  images/train/a.jpg  masks/train/a.png

A line of `classes.txt` is a class, in the order of the labels; with red, green and blue it is the
colour of the class, as CamVid's label_colors.txt has it. Without split folders a fifth of the
pictures is `val`, as `zoo.data.class_folders.split_of` says.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.data.annotation_files import check_folder
from zoo.data.class_folders import split_of
from zoo.data.layout import (
    PICTURE_SUFFIXES,
    Defect,
    FoundPicture,
    Layout,
    MaskFile,
    picture_id,
    split_names,
)
from zoo.data.listing import sorted_files, subfolders
from zoo.data.palettes import FILES, Palette, find_palette, make_palette, palette_of
from zoo.data.voc import find_picture

_Places = dict[str, tuple[Path, Path]]  # split -> folders of its pictures and of its masks


def open_mask_folders(
    path: Path,
    *,
    images: str = "images",
    masks: str = "masks",
    mask_ending: str = "",
    class_names: Sequence[str] | None = None,
    palette: Mapping[str, Sequence[int]] | None = None,
) -> Layout:
    """Open a folder pair, or one a split.

    Args:
        path: the folder that holds both, or that of the splits.
        images, masks: names of the folders.
        mask_ending: what the mask's name has behind the picture's: `_L` in a_L.png.
        class_names: of masks of indices, in their order.
        palette: {class name: [red, green, blue]} of coloured masks, in the order of the labels.
            Where neither is given, a file in `path` has the classes.
    Raises: ValueError: the folders or the classes are missing.
    """
    path = Path(path)
    check_folder(path, f"a folder with {images} and {masks}")
    classes = _classes(path, class_names, palette)
    places = _places(path, images, masks)
    halves = not places
    if halves:
        for part in (images, masks):
            check_folder(path / part, f"the {part} of a folder pair, below a split's folder or not")
        places = dict.fromkeys(("train", "val"), (path / images, path / masks))

    def pictures(split: str) -> Iterator[FoundPicture | Defect]:
        pair = _Pair(*places[split], mask_ending, classes)
        yield from pair.found(split if halves else None)

    return Layout(
        "mask_folders", classes.class_names, tuple(places), pictures, palette=classes.colors
    )


@dataclass(frozen=True)
class _Pair:
    """A folder of pictures and that of their masks."""

    images: Path
    masks: Path
    ending: str
    classes: Palette

    def found(self, half: str | None) -> Iterator[FoundPicture | Defect]:
        """What lies in the folders, or in one of the two halves of them."""
        for _, file in sorted_files([self.images]):
            inside = os.path.relpath(file, self.images)
            if _is_picture(file) and half in (None, split_of(picture_id(inside))):
                yield self._picture(Path(file), picture_id(inside))
        for _, file in sorted_files([self.masks]):
            name = picture_id(os.path.relpath(file, self.masks)).removesuffix(self.ending)
            mine = _is_picture(file) and half in (None, split_of(name))
            if mine and find_picture(self.images, name) is None:
                message = f"a mask without a picture {name} in {self.images}."
                yield Defect("annotation_without_picture", file, None, message)

    def _picture(self, file: Path, name: str) -> FoundPicture | Defect:
        mask = find_picture(self.masks, f"{name}{self.ending}", ".png")
        if mask is None:
            message = f"a picture without a mask {name}{self.ending}.png in {self.masks}."
            return Defect("picture_without_annotation", str(file), None, message)
        segmentation = MaskFile(mask, self.classes.code)
        return FoundPicture(file, name, (), str(mask), segmentation=segmentation)


def _classes(path: Path, class_names, palette) -> Palette:
    if class_names is not None and palette is not None:
        raise ValueError(f"{path}: give class_names or a palette, which names them too; got both.")
    if palette is not None:
        return palette_of(palette)
    if class_names is not None:
        return make_palette("class_names", [(str(name), None) for name in class_names])
    found = find_palette(path)
    if found is None:
        raise ValueError(
            f"{path}: expected a list of the classes, one of {', '.join(FILES)}; found none. "
            "Give class_names or a palette?"
        )
    return found


def _places(path: Path, images: str, masks: str) -> _Places:
    """The folders of each split; {} where there are no split folders."""
    if (path / images).is_dir():
        named = {folder.name for folder in subfolders(path / images)}
        splits = split_names(named & {"train", "val", "test", *_SYNONYMS})
        return {one: (path / images / name, path / masks / name) for one, name in splits.items()}
    named = {folder.name for folder in subfolders(path) if (folder / images).is_dir()}
    return {
        one: (path / name / images, path / name / masks) for one, name in split_names(named).items()
    }


_SYNONYMS = ("training", "valid", "validation", "testing")


def _is_picture(file: str) -> bool:
    return Path(file).suffix.lower() in PICTURE_SUFFIXES
