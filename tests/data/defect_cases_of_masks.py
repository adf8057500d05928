"""What is wrong in data sets of pictures and masks: cases as in `defect_cases`."""

import numpy as np

from tests.data.defect_cases import Case
from tests.data.mask_sets import (
    COLORS,
    class_map,
    coloured_png,
    png,
    voc_png,
    write_mask_folders,
    write_voc_masks,
)
from zoo.colormaps import classes_to_colors, voc_colormap


def _voc(*given, **options):
    return lambda folder: write_voc_masks(folder, *given, **options)


def _folders(*given, **options):
    return lambda folder: write_mask_folders(folder, *given, **options)


def _without(write, name):
    def then(folder):
        written = write(folder)
        (folder / name).unlink()
        return written

    return then


INDICES = class_map()
INDICES[3, 5] = INDICES[20:, 30] = 21
STAINED = classes_to_colors(class_map(), COLORS, (0, 0, 0))
STAINED[7, 9] = STAINED[8, 0] = (1, 2, 3)
LOSSY = classes_to_colors(class_map(), voc_colormap())

MASK_CASES = [
    Case(
        "a mask of another size",
        _voc(voc_png(class_map((32, 40)))),
        "size_mismatch",
        r"SegmentationClass/odd\.png: a mask of 40x32 pixels, its picture has 48x32\. Was one",
    ),
    Case(
        "a colour of no class",
        _folders(png(STAINED)),
        "unknown_color",
        r"masks/odd\.png: the colour \(1, 2, 3\) at x 9, y 7 is no class's; 0\.1% .* palette\?",
    ),
    Case(
        "a mask saved as JPEG",
        _voc(png(LOSSY, form="JPEG")),
        "unknown_color",
        r"odd\.png: the colour .* is no class's; .* Was it saved as JPEG\?",
    ),
    Case(
        "colours without a palette",
        _folders(coloured_png(class_map()), classes="sky\ncar\ntree\n", good=png(class_map())),
        "unknown_color",
        r"odd\.png: a mask of colours, but the classes have none\.",
    ),
    Case(
        "an index beyond the classes",
        _voc(png(INDICES)),
        "unknown_index",
        r"odd\.png: the index 21 at x 5, y 3 is none of the classes 0\.\.20; 0\.8% of the pixels",
    ),
    Case(
        "a picture without a mask",
        _without(_voc(), "SegmentationClass/odd.png"),
        "picture_without_annotation",
        r"train\.txt:2: 'odd' has a picture, but no mask in .*SegmentationClass\.",
    ),
    Case(
        "a name without a picture",
        _without(_voc(), "JPEGImages/odd.jpg"),
        "missing_picture",
        r"train\.txt:2: 'odd' has no picture in ",
    ),
    Case(
        "a picture without a mask beside it",
        _without(_folders(), "train/masks/odd.png"),
        "picture_without_annotation",
        r"images/odd\.jpg: a picture without a mask odd\.png in ",
    ),
    Case(
        "a mask without a picture",
        _without(_folders(), "train/images/odd.jpg"),
        "annotation_without_picture",
        r"masks/odd\.png: a mask without a picture odd in ",
    ),
    Case(
        "a mask that is text",
        _voc(b"no mask"),
        "not_a_picture",
        r"SegmentationClass/odd\.png: no picture that can be read",
    ),
    Case(
        "a mask cut off",
        _folders(coloured_png(np.random.default_rng(0).integers(0, 3, (32, 48), np.uint8))[:300]),
        "truncated_picture",
        r"masks/odd\.png: a PNG picture that ends before its pixels do",
    ),
    Case(
        "an empty mask",
        _folders(b""),
        "empty_file",
        r"masks/odd\.png: an empty file",
    ),
]
