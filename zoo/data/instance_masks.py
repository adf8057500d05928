"""Reader of mask pictures, as Penn-Fudan has them: a mask's pixel is the number of its object.

    PNGImages/FudanPed00001.png  PedMasks/FudanPed00001_mask.png
    classes.txt                  or, with splits,  train/PNGImages/...  train/PedMasks/...

Zero is the background; an object's box and area are those of its pixels. All objects are of one
class, whose name stands in `classes.txt`, or `object`. Without split folders a fifth of the
pictures is `val`, as `zoo.data.class_folders.split_of` says.
"""

import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.data.annotation_files import check_folder, text_lines
from zoo.data.class_folders import split_of
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
from zoo.data.listing import sorted_files, subfolders
from zoo.data.picture_facts import PictureError, measure_picture, read_bytes
from zoo.run_lengths import encode_mask

PICTURES = ("PNGImages", "JPEGImages", "images")  # names of the folder of the pictures
MASKS = ("PedMasks", "masks")
ENDINGS = ("_mask", "")  # of a mask's name, behind the picture's
_SPELT = sorted(end for low in PICTURE_SUFFIXES for end in (low, low.upper()))
_MOST = 1000  # objects of a mask: more are no numbers of objects


def open_instance_masks(path: Path) -> Layout:
    """Open a folder that holds pictures and masks, or such a folder for each split.

    Raises: ValueError: there are no such folders, or `classes.txt` does not name one class.
    """
    path = Path(path)
    check_folder(path, f"a folder with pictures in {PICTURES[0]} and masks in {MASKS[0]}")
    whole = _pair(path) is not None
    if whole:
        places = dict.fromkeys(("train", "val"), _Pair(path))
    else:
        parts = [folder.name for folder in subfolders(path) if _pair(folder) is not None]
        places = {split: _Pair(path / name) for split, name in split_names(parts).items()}
    if not places:
        raise ValueError(
            f"{path}: expected pictures in {' or '.join(PICTURES)} beside masks in "
            f"{' or '.join(MASKS)}, or split folders that hold both; found none."
        )
    name = _class_name(path / "classes.txt")

    def pictures(split: str) -> Iterator[FoundPicture | Defect]:
        for image_id, found in places[split].pictures(name):
            if not whole or split_of(image_id) == split:
                yield found()

    return Layout("instance_masks", (name,), tuple(places), pictures)


def _pair(folder: Path) -> tuple[Path, Path] | None:
    """The folders of pictures and of masks in a folder."""
    pictures = [folder / name for name in PICTURES if (folder / name).is_dir()]
    masks = [folder / name for name in MASKS if (folder / name).is_dir()]
    return (pictures[0], masks[0]) if pictures and masks else None


def _class_name(file: Path) -> str:
    if not file.is_file():
        return "object"
    names = [line.strip() for _, line in text_lines(file) if line.strip()]
    if len(names) != 1:
        raise ValueError(
            f"{file}: expected the name of one class; got {len(names)}. Masks of several classes "
            "can be told as COCO's RLE."
        )
    return names[0]


class _Pair:
    """A folder of pictures and its folder of masks."""

    def __init__(self, folder: Path):
        self.images, self.masks = _pair(folder)

    def pictures(self, name: str) -> Iterator[tuple[str, Callable[[], FoundPicture | Defect]]]:
        """Yield the id of each picture, and a function that reads its mask: objects of a class."""
        for stem, file in sorted_files([self.images], picture_id):
            image_id = _inside(stem, self.images)
            yield image_id, partial(self._picture, Path(file), image_id, name)
        for stem, file in sorted_files([self.masks], picture_id):
            image_id = _inside(stem, self.masks).removesuffix(ENDINGS[0])
            if not any((self.images / f"{image_id}{ending}").exists() for ending in _SPELT):
                message = f"no picture {image_id} in {self.images}. Is the folder complete?"
                yield image_id, partial(Defect, "annotation_without_picture", file, None, message)

    def _picture(self, file: Path, image_id: str, name: str) -> FoundPicture | Defect:
        mask = self._mask(image_id)
        if mask is None:
            message = f"no mask {image_id}{ENDINGS[0]}.png in {self.masks}."
            return Defect("picture_without_annotation", str(file), None, message)
        try:
            numbers = _read_numbers(mask)
            objects = tuple(_objects(numbers, name))
        except PictureError as flaw:
            return Defect(flaw.kind, str(mask), None, flaw.message)
        return FoundPicture(file, image_id, objects, str(mask), size=numbers.shape)

    def _mask(self, image_id: str) -> Path | None:
        places = [self.masks / f"{image_id}{ending}.png" for ending in ENDINGS]
        return next((place for place in places if place.exists()), None)


def _inside(stem: str, folder: Path) -> str:
    return Path(stem).relative_to(folder).as_posix()


def _read_numbers(mask: Path) -> np.ndarray:
    """Return the numbers (h, w) of a mask picture's pixels; of a palette's, not its colours."""
    encoded = read_bytes(mask)
    measure_picture(encoded)
    numbers = np.asarray(Image.open(io.BytesIO(encoded)))
    if numbers.ndim != 2:
        message = "a mask must have one channel, the number of the object; got colours."
        raise PictureError("malformed_annotation", message)
    return numbers


def _objects(numbers: np.ndarray, name: str) -> Iterator[FoundObject]:
    present = np.unique(numbers)
    present = present[present != 0]
    if len(present) > _MOST:
        message = f"a mask of {len(present)} numbers such as {shown(int(present[-1]))}. A photo?"
        raise PictureError("malformed_annotation", message)
    for number in present:
        pixels = numbers == number
        rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
        lengths = {"size": list(pixels.shape), "counts": encode_mask(pixels).decode("ascii")}
        yield FoundObject(
            box=(float(columns[0]), float(rows[0]), columns[-1] + 1.0, rows[-1] + 1.0),
            name=name,
            area=float(pixels.sum()),
            segmentation=lengths,
        )
