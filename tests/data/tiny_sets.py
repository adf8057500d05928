"""Data sets of two pictures for tests: `good` is as it should be, `odd` is what a test makes of it.

Each writer returns what `load_source` takes: (format, path). Pictures are 48 wide and 32 high, the
classes cat and dog. Every picture has a good object, COMPANION, beside those a test gives.
"""

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 32, 48
BOX = (4, 6, 20, 30)  # left, top, right, bottom
COMPANION = (24, 8, 40, 24)


def picture(form: str = "JPEG", mode: str = "RGB", size=(HEIGHT, WIDTH), **options) -> bytes:
    """Encode a picture whose left half is dark and right half bright, in a mode of Pillow's."""
    pixels = np.full((*size, 3), 40, np.uint8)
    pixels[:, size[1] // 2 :] = 200
    image = Image.fromarray(pixels)
    image = image.convert("L").convert(mode) if mode.startswith("I") else image.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def turned(orientation: int, **options) -> bytes:
    """Encode a picture with an EXIF orientation; its stored size is that of the others."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return picture(exif=exif.tobytes(), **options)


def png(width: int, height: int, data: bytes) -> bytes:
    """A 1-bit PNG whose header claims a size, whatever the data behind it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def huge(width: int, height: int) -> bytes:
    """A PNG that claims a size, with hardly any pixels behind it."""
    return png(width, height, zlib.compress(b"\0"))


def voc_object(box=BOX, name: str | None = "cat", extra: str = "") -> str:
    """The XML of an object, a line each for its parts."""
    edges = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    named = "" if name is None else f"<name>{name}</name>"
    inside = "".join(f"<{edge}>{value}</{edge}>" for edge, value in edges)
    return f"<object>\n{named}\n{extra}<bndbox>\n{inside}</bndbox>\n</object>\n"


def voc_xml(*objects: str, size: str | None = f"<width>{WIDTH}</width><height>{HEIGHT}</height>"):
    """An annotation; the objects begin in line 3."""
    sized = "" if size is None else f"<size>{size}</size>"
    return f"<annotation>\n{sized}\n{''.join(objects)}{voc_object(COMPANION)}</annotation>\n"


def write_voc(
    folder: Path,
    *objects: str,
    xml: str | bytes | None = None,
    image: bytes | None = None,
    name: str = "odd.jpg",
    listed: str = "good\nodd\n",
) -> tuple[str, Path]:
    """Write a Pascal VOC folder with one split, train."""
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / part).mkdir(parents=True)
    (folder / "ImageSets/Main/train.txt").write_text(listed)
    (folder / "JPEGImages/good.jpg").write_bytes(picture())
    (folder / "Annotations/good.xml").write_text(voc_xml(voc_object(name="dog")))
    (folder / "JPEGImages" / name).write_bytes(picture() if image is None else image)
    content = voc_xml(*objects) if xml is None else xml
    content = content.encode() if isinstance(content, str) else content
    (folder / "Annotations" / f"{Path(name).stem}.xml").write_bytes(content)
    return "voc", folder


def coco_row(box=(4, 6, 16, 24), **changes) -> dict:
    """An annotation of the odd picture; None takes a key away."""
    row = {"id": 3, "image_id": 2, "category_id": 1, "bbox": list(box), "iscrowd": 0} | changes
    return {key: value for key, value in row.items() if value is not None}


def write_coco_set(
    folder: Path,
    *rows,
    image: bytes | None = None,
    name: str = "odd.jpg",
    edit=lambda content: None,
) -> tuple[str, Path]:
    """Write a COCO folder with one split, train; an element of its lists stands in a line."""
    (folder / "annotations").mkdir(parents=True)
    (folder / "train").mkdir()
    (folder / "train/good.jpg").write_bytes(picture())
    (folder / "train" / name).write_bytes(picture() if image is None else image)
    size = {"height": HEIGHT, "width": WIDTH}
    companion = {"category_id": 2, "bbox": [24, 8, 16, 16], "iscrowd": 0}
    content = {
        "images": [
            {"id": 1, "file_name": "good.jpg", **size},
            {"id": 2, "file_name": name, **size},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, **companion},
            {"id": 2, "image_id": 2, **companion},
            *rows,
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    edit(content)
    (folder / "annotations/instances_train.json").write_text(coco_text(content))
    return "coco", folder


def coco_text(content: dict) -> str:
    """JSON with each element of the lists in a line of its own: images from line 2 on."""

    def value(part) -> str:
        if not isinstance(part, list):
            return json.dumps(part)
        return "[\n" + ",\n".join(map(json.dumps, part)) + "]"

    return "{" + ",\n".join(f'"{key}": {value(part)}' for key, part in content.items()) + "}\n"
