"""Data sets of two segmented pictures for tests: `good` is right, `odd` is what a test makes of it.

Each writer returns what `load_source` takes: (format, path). Pictures are 48 wide and 32 high.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.tiny_sets import HEIGHT, WIDTH, picture
from zoo.colormaps import VOID, classes_to_colors, voc_colormap

PALETTE = "sky 10 20 30\ncar 200 0 0\ntree 0 200 0\nvoid 0 0 0\n"
COLORS = ((10, 20, 30), (200, 0, 0), (0, 200, 0))
NAMES = ("sky", "car", "tree")


def class_map(size=(HEIGHT, WIDTH)) -> np.ndarray:
    """A class map of three classes and void, no two quarters alike."""
    height, width = size
    classes = np.zeros(size, np.uint8)
    classes[height // 2 :, : width // 3] = 1
    classes[: height // 4, width // 2 :] = 2
    classes[-2:] = VOID
    return classes


def png(pixels: np.ndarray, palette=None, form: str = "PNG", **options) -> bytes:
    """Encode pixels (h, w) or (h, w, 3), with a palette of colours if given."""
    image = Image.fromarray(pixels)
    if palette is not None:
        image = image.convert("L").convert("P")
        image.frombytes(np.ascontiguousarray(pixels).tobytes())
        image.putpalette(np.array(palette, np.uint8).ravel().tolist())
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def voc_png(classes: np.ndarray) -> bytes:
    """A mask as the devkit's are: indices, with VOC's palette."""
    return png(classes, voc_colormap(256))


def coloured_png(classes: np.ndarray, colors=COLORS) -> bytes:
    """A mask in colours; void is black."""
    return png(classes_to_colors(classes, colors, (0, 0, 0)))


def write_voc_masks(
    folder: Path,
    mask: bytes | None = None,
    image: bytes | None = None,
    listed: str = "good\nodd\n",
) -> tuple[str, Path]:
    """Write VOC's segmentation task with one split, train."""
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / part).mkdir(parents=True)
    (folder / "ImageSets/Segmentation/train.txt").write_text(listed)
    for name, encoded, colours in (("good", None, None), ("odd", image, mask)):
        (folder / f"JPEGImages/{name}.jpg").write_bytes(encoded or picture())
        content = voc_png(class_map()) if colours is None else colours
        (folder / f"SegmentationClass/{name}.png").write_bytes(content)
    return "voc_segmentation", folder


def write_mask_folders(
    folder: Path,
    mask: bytes | None = None,
    image: bytes | None = None,
    classes: str | None = PALETTE,
    good: bytes | None = None,
) -> tuple[str, Path]:
    """Write a folder pair with one split, train, and a list of classes."""
    for part in ("train/images", "train/masks"):
        (folder / part).mkdir(parents=True)
    if classes is not None:
        (folder / "classes.txt").write_text(classes)
    for name, encoded, colours in (("good", None, good), ("odd", image, mask)):
        (folder / f"train/images/{name}.jpg").write_bytes(encoded or picture())
        content = coloured_png(class_map()) if colours is None else colours
        (folder / f"train/masks/{name}.png").write_bytes(content)
    return "mask_folders", folder
