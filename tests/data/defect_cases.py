"""What is wrong in data sets as they are in the wild: a table of cases, a row each.

A format adds its rows to `CASES`. What a case must lead to besides its message follows from the
table in `zoo.data.defects`: a picture left out, a box left out, or neither.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.data.tiny_sets import (
    coco_row,
    huge,
    picture,
    png,
    voc_object,
    voc_xml,
    write_coco_set,
    write_voc,
)


@dataclass(frozen=True)
class Case:
    """A broken data set.

    Args:
        name: of the case.
        write: writes the set into an empty folder; returns (format, path).
        kind: of its one defect.
        told: regular expression, to be found in the defect with its file and line.
        id: of the picture that has it; "" where what is wrong belongs to none.
    """

    name: str
    write: Callable[[Path], tuple[str, Path]]
    kind: str
    told: str
    id: str = "odd"


def _voc(*objects, **options):
    return lambda folder: write_voc(folder, *objects, **options)


def _coco(*rows, **options):
    return lambda folder: write_coco_set(folder, *rows, **options)


def _voc_then(change: Callable[[Path], object], **options):
    """Write a VOC set and change it on the disk."""

    def write(folder: Path):
        written = write_voc(folder, voc_object(), **options)
        change(folder)
        return written

    return write


def _edited(change: Callable[[dict], object]):
    return lambda folder: write_coco_set(folder, coco_row(), edit=change)


def _without(path: str):
    return lambda folder: (folder / path).unlink()


def _link(path: str):
    """Put a link that leads to itself in a file's place."""

    def change(folder: Path):
        (folder / path).unlink()
        os.symlink(folder / path, folder / path)

    return change


def _folder_instead(path: str):
    def change(folder: Path):
        (folder / path).unlink()
        (folder / path).mkdir()

    return change


def _non_utf8(folder: Path):
    """A VOC set one of whose names is Latin-1."""
    write_voc(folder, voc_object())
    odd = os.fsdecode(b"caf\xe9")
    (folder / "JPEGImages/odd.jpg").rename(folder / f"JPEGImages/{odd}.jpg")
    (folder / "Annotations/odd.xml").rename(folder / f"Annotations/{odd}.xml")
    (folder / "ImageSets/Main/train.txt").write_bytes(b"good\ncaf\xe9\n")
    return "voc", folder


def _rle(**changes):
    return coco_row(segmentation={"size": [32, 48], "counts": [200, 100, 1236]} | changes)


JPEG, PNG = picture(), picture("PNG")
XML_BOX = r"odd\.xml:3: .*"
JSON_ROW = r"instances_train\.json:7: .*"  # the third annotation, after two images and two of them
ODD_IMAGE = r"instances_train\.json:3: .*"

PICTURES = [
    Case(
        "truncated JPEG",
        _voc(image=picture(size=(300, 400))[:-900]),
        "truncated_picture",
        r"odd\.jpg: a JPEG .*ends",
    ),
    Case(
        "truncated PNG",
        _voc(image=picture("PNG", size=(200, 300), compress_level=0)[:5000], name="odd.png"),
        "truncated_picture",
        r"odd\.png: a PNG picture that ends before its pixels do",
    ),
    Case("zero bytes", _voc(image=b""), "empty_file", r"odd\.jpg: an empty file\. Was it written"),
    Case("text for a picture", _voc(image=b"<html>404"), "not_a_picture", r"odd\.jpg: no picture"),
    Case(
        "JPEG cut off in its header",
        _voc(image=JPEG[:20]),
        "truncated_picture",
        r"odd\.jpg: begins like JPEG, but has no whole header\. Was it written to its end\?",
    ),
    Case(
        "a PNG of nonsense",
        _voc(image=png(48, 32, b"no zlib stream"), name="odd.png"),
        "damaged_picture",
        r"odd\.png: a PNG picture that cannot be decoded \(",
    ),
    Case(
        "PNG called .jpg",
        _voc(image=PNG),
        "wrong_extension",
        r"odd\.jpg: named \.jpg, but it is PNG\. It is used; rename it\?",
    ),
    Case(
        "JPEG called .png",
        _coco(coco_row(), image=JPEG, name="odd.png"),
        "wrong_extension",
        r"odd\.png: named \.png, but it is JPEG",
    ),
    Case(
        "float pixels",
        _voc(image=picture("TIFF", "F"), name="odd.tif"),
        "unsupported_picture",
        r"odd\.tif: F pixels have no agreed range",
    ),
    Case(
        "100 megapixels",
        _voc(image=huge(10_000, 10_000), name="odd.png"),
        "oversized_picture",
        r"odd\.png: 10000x10000 more than the 89478485 pixels allowed\. Make it smaller",
    ),
    Case(
        "a decompression bomb",
        _voc(image=huge(60_000, 60_000), name="odd.png"),
        "oversized_picture",
        r"odd\.png: more than the 89478485 pixels allowed",
    ),
    Case(
        "another size, VOC",
        _voc(voc_object(), image=picture(size=(64, 96))),
        "size_mismatch",
        r"odd\.xml:1: odd: the annotation is for 48x32 pixels, the picture has 96x64\. Was it res",
    ),
    Case(
        "another size, COCO",
        _coco(coco_row(), image=picture(size=(48, 32))),
        "size_mismatch",
        ODD_IMAGE + r"for 48x32 pixels, the picture has 32x48",
    ),
    Case(
        "a link to itself",
        _voc_then(_link("JPEGImages/odd.jpg")),
        "unreadable_file",
        r"odd\.jpg: cannot be read: a loop of symbolic links",
    ),
    Case(
        "a folder called .jpg",
        _voc_then(_folder_instead("JPEGImages/odd.jpg")),
        "unreadable_file",
        r"odd\.jpg: cannot be read: is a directory",
    ),
    Case(
        "a name in Latin-1",
        _non_utf8,
        "non_utf8_path",
        r"caf\\udce9\.jpg: a name that is not UTF-8; its id is caf\\udce9\. Rename it\?",
        id="caf\\udce9",
    ),
]

FILES = [
    Case(
        "listed, annotated, no picture",
        _voc_then(_without("JPEGImages/odd.jpg")),
        "annotation_without_picture",
        r"odd\.xml: no picture odd\.jpg \(or \.png \.\.\.\) in .*JPEGImages",
    ),
    Case(
        "listed, no annotation",
        _voc_then(_without("Annotations/odd.xml")),
        "picture_without_annotation",
        r"train\.txt:2: 'odd' has a picture, but no .*odd\.xml\. Annotate it\?",
    ),
    Case(
        "listed, neither",
        _voc(listed="good\nodd\nghost\n"),
        "missing_picture",
        r"train\.txt:3: 'ghost' has neither a picture nor an annotation\. Take it off the list",
        id="ghost",
    ),
    Case(
        "listed twice",
        _voc(listed="odd\ngood\nodd\n"),
        "duplicate_id",
        r"odd\.xml:1: odd is in the split already",
        id="",
    ),
    Case(
        "no list, a picture without annotation",
        _voc_then(
            lambda folder: (
                (folder / "ImageSets/Main/train.txt").unlink(),
                (folder / "Annotations/odd.xml").unlink(),
            )
        ),
        "picture_without_annotation",
        r"odd\.jpg: a picture without .*odd\.xml",
    ),
    Case(
        "an empty annotation",
        _voc(xml=""),
        "empty_file",
        r"odd\.xml: an empty annotation file\. Was it written to its end\?",
    ),
    Case(
        "an annotation that is a folder",
        _voc_then(_folder_instead("Annotations/odd.xml")),
        "unreadable_file",
        r"odd\.xml: cannot be read: is a directory",
    ),
    Case(
        "COCO, no picture",
        lambda folder: (
            write_coco_set(folder, coco_row()),
            (folder / "train/odd.jpg").unlink(),
        )[0],
        "annotation_without_picture",
        ODD_IMAGE + r"odd: no such picture: .*train/odd\.jpg\. Is the folder complete\?",
    ),
    Case(
        "COCO, a picture that no file names",
        lambda folder: (
            write_coco_set(folder, coco_row()),
            (folder / "train/other.jpg").write_bytes(JPEG),
        )[0],
        "unlisted_picture",
        r"train/other\.jpg: a picture that instances_train\.json does not name",
    ),
    Case(
        "COCO, an annotation of no picture",
        _coco(coco_row(), coco_row(id=9, image_id=77)),
        "annotation_without_picture",
        r"json:8: expected image_id to be the id of a picture in images; it is 77",
        id="",
    ),
    Case(
        "COCO, an annotation that names no picture",
        _coco(coco_row(), coco_row(id=9, image_id=None)),
        "annotation_without_picture",
        r"json:8: expected image_id to be the id of a picture in images; it is missing",
        id="",
    ),
    Case(
        "COCO, an image_id as text",
        _coco(coco_row(), coco_row(id=9, image_id="2")),
        "annotation_without_picture",
        r"json:8: .*it is '2'",
        id="",
    ),
]

ANNOTATIONS = [
    Case(
        "XML cut off",
        _voc(xml=voc_xml(voc_object())[:60]),
        "malformed_annotation",
        r"odd\.xml:\d: malformed XML: .*Save the annotation again\?",
    ),
    Case(
        "XML with crossed tags",
        _voc(xml="<annotation>\n<object>\n</annotation></object>"),
        "malformed_annotation",
        r"odd\.xml:3: malformed XML: mismatched tag",
    ),
    Case(
        "XML of another kind",
        _voc(xml="<html>\n</html>"),
        "malformed_annotation",
        r"odd\.xml:1: expected an <annotation>; got <html>",
    ),
    Case(
        "XML in an unknown encoding",
        _voc(xml='<?xml version="1.0" encoding="klingon"?>\n<annotation/>'),
        "malformed_annotation",
        r"odd\.xml:1: malformed XML: unknown encoding",
    ),
    Case(
        "binary XML",
        _voc(xml=bytes(range(256))),
        "malformed_annotation",
        r"odd\.xml:1: malformed XML: not well-formed",
    ),
    Case(
        "XML nested without end",
        _voc(xml="<annotation>" + "<object>" * 5000),
        "malformed_annotation",
        r"odd\.xml:1: malformed XML: elements nested too deeply",
    ),
    Case(
        "XML that grows",
        _voc(
            xml='<!DOCTYPE a [<!ENTITY a "'
            + "x" * 1000
            + '">'
            + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 if n else str()};" * 10}">' for n in range(9))
            + "]><annotation>&a8;</annotation>"
        ),
        "malformed_annotation",
        r"odd\.xml:1: malformed XML: limit on input amplification factor",
    ),
    Case(
        "a size in words",
        _voc(xml=voc_xml(size="<width>wide</width><height>32</height>")),
        "malformed_annotation",
        r"odd\.xml:2: <size> must hold whole numbers; got '32' and 'wide'",
    ),
    Case(
        "a picture that is no object",
        _edited(lambda content: content["images"].append("odd2.jpg")),
        "malformed_annotation",
        r"json:4: expected a picture's object in images; got 'odd2\.jpg'",
        id="",
    ),
    Case(
        "a picture without id",
        _edited(lambda content: content["images"].append({"file_name": "other.jpg"})),
        "missing_key",
        r"json:4: a picture without id",
        id="",
    ),
    Case(
        "a picture without a file",
        _edited(lambda content: content["images"].append({"id": 3})),
        "missing_key",
        r"json:4: a picture without file_name",
        id="",
    ),
    Case(
        "a picture whose id is a list",
        _edited(lambda content: content["images"].append({"id": [3], "file_name": "other.jpg"})),
        "malformed_annotation",
        r"json:4: id must be a number; got \[3\]",
        id="",
    ),
    Case(
        "a picture's width in words",
        _edited(
            lambda content: content["images"].append(
                {"id": 3, "file_name": "good.jpg", "width": "48"}
            )
        ),
        "malformed_annotation",
        r"json:4: width must be a whole number; got '48'",
        id="",
    ),
    Case(
        "an image id twice",
        _edited(lambda content: content["images"].append({"id": 2, "file_name": "good.jpg"})),
        "duplicate_id",
        r"json:4: image id 2 is taken in line 3\. Number them anew\?",
        id="",
    ),
    Case(
        "a file under two ids",
        _edited(lambda content: content["images"].append({"id": 3, "file_name": "good.jpg"})),
        "duplicate_id",
        r"json:4: good is in the split already",
        id="",
    ),
    Case(
        "an annotation id twice",
        _coco(coco_row(id=2)),
        "duplicate_annotation_id",
        JSON_ROW + r"annotation id 2 is taken\. Number the annotations anew\?",
    ),
    Case("an annotation that is a number", _coco(7), "wrong_type", JSON_ROW + "got 7", id=""),
]

BOXES = [
    Case(
        "no width, VOC",
        _voc(voc_object((4, 6, 4, 30))),
        "degenerate_box",
        XML_BOX + r"a box of no width or height, \(4, 6, 4, 30\)",
    ),
    Case(
        "a point, VOC",
        _voc(voc_object((4, 6, 4, 6))),
        "degenerate_box",
        XML_BOX + r"a box of no width or height",
    ),
    Case(
        "no height, COCO",
        _coco(coco_row((4, 6, 10, 0))),
        "degenerate_box",
        JSON_ROW + r"\(4, 6, 14, 6\)",
    ),
    Case(
        "less than float32 can tell",
        _coco(coco_row((4, 6, 1e-9, 10))),
        "degenerate_box",
        JSON_ROW + r"no width",
    ),
    Case(
        "inverted, VOC",
        _voc(voc_object((20, 6, 4, 30))),
        "inverted_box",
        XML_BOX + r"must be left, top, right, bottom; got \(20, 6, 4, 30\)\. Swapped corners\?",
    ),
    Case(
        "upside down, VOC",
        _voc(voc_object((4, 30, 20, 6))),
        "inverted_box",
        XML_BOX + r"Swapped corners\?",
    ),
    Case(
        "a negative width, COCO",
        _coco(coco_row((20, 6, -16, 24))),
        "inverted_box",
        JSON_ROW + r"got \(20, 6, 4, 30\)",
    ),
    Case(
        "outside to the right",
        _voc(voc_object((48, 6, 60, 30))),
        "box_outside",
        XML_BOX + r"\(48, 6, 60, 30\) lies outside the picture of 48x32 pixels",
    ),
    Case(
        "outside to the left",
        _coco(coco_row((-30, 6, 20, 24))),
        "box_outside",
        JSON_ROW + r"\(-30, 6, -10, 30\) lies outside",
    ),
    Case(
        "outside below",
        _voc(voc_object((4, 40, 20, 60))),
        "box_outside",
        XML_BOX + r"lies outside the picture",
    ),
    Case(
        "partly outside, VOC",
        _voc(voc_object((-5, 6, 20, 30))),
        "box_partly_outside",
        XML_BOX + r"\(-5, 6, 20, 30\) leaves the picture of 48x32 pixels; it is clipped",
    ),
    Case(
        "partly outside, COCO",
        _coco(coco_row((40, 20, 100, 100))),
        "box_partly_outside",
        JSON_ROW + r"\(40, 20, 140, 120\) leaves the picture",
    ),
    Case(
        "NaN, VOC",
        _voc(voc_object(("nan", 6, 20, 30))),
        "nonfinite_box",
        XML_BOX + r"finite coordinates; got \(nan, 6, 20, 30\)",
    ),
    Case(
        "infinite, VOC",
        _voc(voc_object((4, 6, "1e999", 30))),
        "nonfinite_box",
        XML_BOX + r"got \(4, 6, inf, 30\)",
    ),
    Case("NaN, COCO", _coco(coco_row((float("nan"), 6, 9, 9))), "nonfinite_box", JSON_ROW + "nan"),
    Case(
        "a number of 400 digits",
        _coco(coco_row((10**400, 6, 9, 9))),
        "nonfinite_box",
        JSON_ROW + r"got \(inf, 6, inf, 15\)",
    ),
    Case(
        "words, VOC",
        _voc(voc_object(("four", 6, 20, 30))),
        "wrong_type",
        r"odd\.xml:6: <xmin> must be a number; got 'four'",
    ),
    Case(
        "an edge too few, VOC",
        _voc(voc_object().replace("<xmax>20</xmax>", "")),
        "missing_box",
        r"odd\.xml:5: a <bndbox> without <xmax>",
    ),
    Case(
        "no box, VOC",
        _voc("<object><name>cat</name></object>"),
        "missing_box",
        XML_BOX + r"an object without <bndbox>",
    ),
    Case("no box, COCO", _coco(coco_row(bbox=None)), "missing_box", JSON_ROW + "without bbox"),
    Case(
        "three numbers, COCO",
        _coco(coco_row((4, 6, 16))),
        "wrong_type",
        JSON_ROW + r"bbox must be \[left, top, width, height\]; got \[4, 6, 16\]",
    ),
    Case(
        "numbers as text, COCO",
        _coco(coco_row(("4", "6", "16", "24"))),
        "wrong_type",
        JSON_ROW + r"got \['4', '6', '16', '24'\]",
    ),
    Case(
        "true for a number, COCO",
        _coco(coco_row((True, 6, 16, 24))),
        "wrong_type",
        JSON_ROW + r"got \[True, 6, 16, 24\]",
    ),
]

CLASSES = [
    Case(
        "no class, VOC",
        _voc(voc_object(name=None)),
        "missing_class",
        XML_BOX + r"an object without a class",
    ),
    Case("a blank class, VOC", _voc(voc_object(name="  ")), "missing_class", XML_BOX + "without"),
    Case(
        "no class, COCO",
        _coco(coco_row(category_id=None)),
        "missing_class",
        JSON_ROW + r"an annotation without category_id",
    ),
    Case(
        "an unknown class, COCO",
        _coco(coco_row(category_id=7)),
        "unknown_class",
        JSON_ROW + r"category_id 7 is not among the categories",
    ),
    Case(
        "a class that is a list, COCO",
        _coco(coco_row(category_id=[1])),
        "unknown_class",
        JSON_ROW + r"category_id \[1\] is not among",
    ),
]

MASKS = [
    Case(
        "a polygon of two points",
        _coco(coco_row(segmentation=[[4, 6, 20, 30]])),
        "bad_mask",
        JSON_ROW + r"at least three points\. The box is kept without a mask",
    ),
    Case(
        "an odd number of values",
        _coco(coco_row(segmentation=[[4, 6, 20, 30, 4, 6, 7]])),
        "bad_mask",
        JSON_ROW + r"a polygon must be \[x, y, x, y, \.\.\.\]",
    ),
    Case(
        "a polygon with NaN",
        _coco(coco_row(segmentation=[[4, 6, 20, 30, float("nan"), 6]])),
        "bad_mask",
        JSON_ROW + r"coordinates must be finite",
    ),
    Case(
        "a polygon beyond all bounds",
        _coco(coco_row(segmentation=[[4, 6, 20, 30, 10**8, 6]])),
        "bad_mask",
        JSON_ROW + r"a polygon lies far outside its picture",
    ),
    Case(
        "a polygon without a pixel",
        _coco(coco_row(segmentation=[[4, 6, 4, 6, 4, 6]])),
        "bad_mask",
        JSON_ROW + r"a mask without a pixel",
    ),
    Case(
        "a segmentation in words",
        _coco(coco_row(segmentation="all of it")),
        "bad_mask",
        JSON_ROW + r"expected polygons or an RLE; got str",
    ),
    Case(
        "RLE of another size",
        _coco(_rle(size=[64, 64])),
        "bad_mask",
        JSON_ROW + r"an RLE's size must be the picture's \[32, 48\]; got \[64, 64\]",
    ),
    Case(
        "RLE beyond the picture",
        _coco(_rle(counts=[200, 100000])),
        "bad_mask",
        JSON_ROW + r"an RLE's counts must add up to 1536; got 100200",
    ),
    Case(
        "RLE with a negative run",
        _coco(_rle(counts=[1600, -64])),
        "bad_mask",
        JSON_ROW + r"an RLE's counts must be lengths of runs",
    ),
    Case(
        "compressed RLE of nonsense", _coco(_rle(counts="zzzz")), "bad_mask", JSON_ROW + "an RLE's"
    ),
    Case(
        "compressed RLE that adds up to another size",
        _coco(_rle(counts="0100")),
        "bad_mask",
        JSON_ROW + r"an RLE's counts must add up to 1536; got ",
    ),
    Case(
        "a negative area",
        _coco(coco_row(area=-4.0)),
        "bad_area",
        JSON_ROW + r"an area must be positive; got -4\.0\. The box's is taken",
    ),
    Case("an area in words", _coco(coco_row(area="big")), "bad_area", JSON_ROW + "got nan"),
]

CASES = [*PICTURES, *FILES, *ANNOTATIONS, *BOXES, *CLASSES, *MASKS]
