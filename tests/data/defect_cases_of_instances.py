"""Rows for the table of broken data sets: pictures with mask pictures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.defect_cases import Case
from tests.data.tiny_sets import HEIGHT, WIDTH, picture


def write_instance_masks(folder: Path, change: Callable[[Path], object]) -> tuple[str, Path]:
    """A set with one split; the pictures `good` and `odd` have an object each."""
    for part in ("PNGImages", "PedMasks"):
        (folder / "train" / part).mkdir(parents=True)
    numbers = np.zeros((HEIGHT, WIDTH), np.uint8)
    numbers[8:24, 24:40] = 1
    for stem in ("good", "odd"):
        (folder / f"train/PNGImages/{stem}.jpg").write_bytes(picture())
        Image.fromarray(numbers).save(folder / f"train/PedMasks/{stem}_mask.png")
    change(folder / "train")
    return "instance_masks", folder


def _masks(change):
    return lambda folder: write_instance_masks(folder, change)


def _mask(pixels):
    """Put other pixels, or bytes, into the mask of `odd`."""

    def change(folder: Path):
        file = folder / "PedMasks/odd_mask.png"
        if isinstance(pixels, bytes):
            file.write_bytes(pixels)
        else:
            Image.fromarray(pixels).save(file)

    return change


INSTANCE_CASES = [
    Case(
        "picture without a mask",
        _masks(lambda folder: (folder / "PedMasks/odd_mask.png").unlink()),
        "picture_without_annotation",
        r"odd\.jpg: no mask odd_mask\.png in .*PedMasks",
    ),
    Case(
        "mask without a picture",
        _masks(lambda folder: (folder / "PNGImages/odd.jpg").unlink()),
        "annotation_without_picture",
        r"odd_mask\.png: no picture odd in .*PNGImages",
    ),
    Case(
        "mask of another size",
        _masks(_mask(np.ones((HEIGHT, WIDTH + 1), np.uint8))),
        "size_mismatch",
        r"odd_mask\.png: odd: the annotation is for 49x32 pixels, the picture has 48x32",
    ),
    Case(
        "coloured mask",
        _masks(_mask(np.ones((HEIGHT, WIDTH, 3), np.uint8))),
        "malformed_annotation",
        r"odd_mask\.png: a mask must have one channel",
    ),
    Case(
        "mask of too many numbers",
        _masks(_mask(np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH))),
        "malformed_annotation",
        r"odd_mask\.png: a mask of 1535 numbers such as 1535",
    ),
    Case("empty mask file", _masks(_mask(b"")), "empty_file", r"odd_mask\.png: an empty file"),
    Case(
        "mask that is no picture",
        _masks(_mask(b"no picture at all")),
        "not_a_picture",
        r"odd_mask\.png: no picture that can be read",
    ),
    Case(
        "truncated mask",
        _masks(_mask(picture("PNG", size=(200, 300), compress_level=0)[:5000])),
        "truncated_picture",
        r"odd_mask\.png: a PNG picture that ends before",
    ),
]
