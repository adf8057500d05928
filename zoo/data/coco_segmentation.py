"""COCO's objects as the class of every pixel: a background, and the categories after it.

`zoo.data.class_maps.map_of_objects` says what lies over what, and what is void.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from zoo.colormaps import VOID, voc_colormap
from zoo.data.coco import open_coco
from zoo.data.layout import Defect, FoundPicture, Layout

BACKGROUND = "background"


def open_coco_segmentation(path: Path) -> Layout:
    """Open what `open_coco` opens, as pictures with the class of every pixel.

    A category called background is the background.

    Raises: ValueError: it is no COCO data set, or has more than 254 categories.
    """
    objects = open_coco(path)
    names = (BACKGROUND, *(name for name in objects.class_names if name != BACKGROUND))
    if len(names) > VOID:
        raise ValueError(f"{path}: expected at most {VOID - 1} categories; got {len(names) - 1}.")

    def pictures(split: str) -> Iterator[FoundPicture | Defect]:
        for found in objects.pictures(split):
            is_picture = isinstance(found, FoundPicture)
            yield replace(found, segmentation="objects") if is_picture else found

    return replace(
        objects,
        name="coco_segmentation",
        class_names=names,
        pictures=pictures,
        palette=voc_colormap(len(names)),
    )
