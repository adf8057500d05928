"""Mutated annotation files end in defects or one-line errors, never in a traceback."""

import random
import traceback
import warnings

import pytest
from pycocotools import mask as coco_mask

from tests.data.tiny_sets import HEIGHT, WIDTH, coco_row, voc_object, write_coco_set, write_voc
from tests.data.write_layouts import generate, write_layout
from zoo.data.indexed import open_layout
from zoo.data.judge import judge_objects
from zoo.data.layout import FoundPicture
from zoo.data.picture_facts import PictureFacts
from zoo.data.sources import FORMATS

pytestmark = pytest.mark.any_backend

RUNS = {"size": [HEIGHT, WIDTH], "counts": [200, 100, 1236]}
COUNTS = coco_mask.frPyObjects(RUNS, HEIGHT, WIDTH)["counts"].decode()
MUTATIONS = 600  # of each format, 2,400 in all
TOKENS = [
    b"nan", b"-1", b"1e999", b"9" * 400, b"9" * 5000, b"<", b">", b"&", b"]", b"[", b"{", b"}",
    b'"', b":", b",", b"\n", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"null", b"true", b"[[[[",
    b"\\ud800", b"-", b"- ", b"!!python/object:os.system", b"&a *a", b"1.5", b" ", b"\t",
    b"../../..", "é".encode(), b'"counts": "', b"<object>", b"</annotation>", b"[]", b"{}", b'""',
]  # fmt: skip


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Change one to four places."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(content) + 1)
        until = min(len(content), at + rng.choice((0, 1, 1, 3, 20)))
        piece = content[at:until]
        swapped = bytes(rng.randrange(256) for _ in piece)
        new = rng.choice((b"", rng.choice(TOKENS), swapped, piece + piece, piece[::-1]))
        content = content[:at] + new + content[until:]
        if rng.random() < 0.05:
            content = content[: rng.randrange(len(content) + 1)]
    return content


def voc(folder):
    objects = [voc_object(), voc_object((1, 2, 3, 4), "dog", "<difficult>1</difficult>")]
    write_voc(folder, *objects)
    return folder, [folder / "Annotations/odd.xml", folder / "ImageSets/Main/train.txt"]


def coco(folder):
    polygon = coco_row(id=4, segmentation=[[4, 6, 20, 6, 20, 30]], area=9.5)
    runs = coco_row(id=5, segmentation=RUNS, iscrowd=1)
    text = coco_row(id=6, segmentation={"size": [32, 48], "counts": COUNTS})
    write_coco_set(folder, coco_row(), polygon, runs, text)
    return folder, [folder / "annotations/instances_train.json"]


def yolo(folder):
    path = write_layout(
        "yolo", folder, generate(0, sizes=((HEIGHT, WIDTH),), splits=(("train", 3),))
    )
    return path, [path, *sorted(folder.glob("labels/train/*.txt"))]


def csv(folder):
    path = write_layout(
        "csv", folder, generate(0, sizes=((HEIGHT, WIDTH),), splits=(("train", 3),))
    )
    return path, [folder / "set_train/label.csv", folder / "classes.txt"]


def read_all(form, path):
    """Open, read and judge everything but the pictures' pixels; returns the defects."""
    layout = open_layout(FORMATS[form], path)
    label_of = {name: label for label, name in enumerate(layout.class_names)}
    facts = PictureFacts((HEIGHT, WIDTH))
    defects = []
    for split in layout.splits:
        for found in layout.pictures(split):
            if isinstance(found, FoundPicture):
                defects += judge_objects(found, facts, facts.upright, label_of)[1]
            else:
                defects.append(found)
    return defects


@pytest.mark.parametrize("write", [voc, coco, yolo, csv], ids=lambda write: write.__name__)
def test_mutated_annotations_never_give_a_traceback(write, tmp_path):
    path, files = write(tmp_path / "set")
    originals = {file: file.read_bytes() for file in files}
    assert read_all(write.__name__, path) == []
    rng, outcomes = random.Random(write.__name__), {"read": 0, "defects": 0, "refused": 0}
    for number in range(MUTATIONS):
        file = rng.choice(files)
        mutant = mutate(originals[file], rng)
        file.write_bytes(mutant)
        outcome = outcome_of(write.__name__, path)
        assert outcome in outcomes, f"mutation {number} of {file.name}, {mutant!r}: {outcome}"
        outcomes[outcome] += 1
        file.write_bytes(originals[file])
    assert outcomes["defects"] + outcomes["refused"] > MUTATIONS // 3, outcomes  # they do harm


def outcome_of(form, path) -> str:
    """`read`, `defects`, `refused` in one line, or what went wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            defects = read_all(form, path)
    except ValueError as error:
        return "refused" if type(error) is ValueError and str(error).isprintable() else repr(error)
    except Exception:
        return traceback.format_exc()
    lines = [str(defect) for defect in defects]
    assert all(line.isprintable() for line in lines), lines
    return "defects" if defects else "read"
