"""Reader of Pascal VOC's segmentation: a picture, a mask of its classes, and lists of names.

    JPEGImages/a.jpg  SegmentationClass/a.png  ImageSets/Segmentation/train.txt

A mask is a picture with VOC's palette, a picture of its colours, or one of indices, as the masks of
SegmentationClassAug are.
Deviation: outlines of objects, index 255, are void; the book counts them as background.
Reference: Dive into Deep Learning, section 13.9.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zoo.colormaps import VOC_CLASSES, VOID_COLOR, voc_colormap
from zoo.data.annotation_files import check_folder
from zoo.data.layout import (
    Defect,
    FoundPicture,
    Layout,
    MaskCode,
    MaskFile,
    picture_id,
    shown,
)
from zoo.data.palettes import Palette, palette_of
from zoo.data.voc import find_lists, find_picture, listed_names

VOC_PALETTE = Palette(VOC_CLASSES, MaskCode(len(VOC_CLASSES), voc_colormap(), (VOID_COLOR,)))


def open_voc_segmentation(
    path: Path,
    *,
    masks: str = "SegmentationClass",
    palette: Mapping[str, Sequence[int]] | None = None,
) -> Layout:
    """Open the segmentation task of a Pascal VOC folder.

    Args:
        path: the folder that holds JPEGImages, ImageSets and the masks.
        masks: name of the folder of masks.
        palette: {class name: [red, green, blue]}, for data sets of other classes in this layout.
    Raises: ValueError: a folder or the lists are missing.
    """
    path = Path(path)
    check_folder(path, f"a Pascal VOC folder with JPEGImages and {masks}")
    for part in ("JPEGImages", masks):
        check_folder(path / part, f"the {part} of a Pascal VOC folder")
    lists = find_lists(path / "ImageSets" / "Segmentation")
    if not lists:
        raise ValueError(
            f"{path}/ImageSets/Segmentation: expected a list a split, such as train.txt; found "
            "none. Without lists, open it as mask_folders?"
        )
    classes = VOC_PALETTE if palette is None else palette_of(palette)

    def pictures(split: str) -> Iterator[FoundPicture | Defect]:
        file = lists[split]
        for line, name in listed_names(file):
            image = find_picture(path / "JPEGImages", name)
            mask = find_picture(path / masks, picture_id(name), ".png")
            if image is None:
                message = f"{shown(name)} has no picture in {path / 'JPEGImages'}."
                yield Defect("missing_picture", str(file), line, message)
            elif mask is None:
                message = f"{shown(name)} has a picture, but no mask in {path / masks}."
                yield Defect("picture_without_annotation", str(file), line, message)
            else:
                yield FoundPicture(
                    image,
                    picture_id(name),
                    (),
                    str(file),
                    line,
                    segmentation=MaskFile(mask, classes.code),
                )

    return Layout(
        "voc_segmentation", classes.class_names, tuple(lists), pictures, palette=classes.colors
    )
