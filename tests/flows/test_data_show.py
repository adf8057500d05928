"""`zoo data show`: a sheet of samples, drawn from the training pipeline."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from flows import worker
from tests.data.mask_sets import write_mask_folders

pytestmark = pytest.mark.any_backend

SIDE, GAP = 64, 4  # of a cell, and between cells


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """Five grey pictures of 64 x 64 in COCO's layout, a masked object each; three are equal."""
    folder = tmp_path_factory.mktemp("coco")
    (folder / "annotations").mkdir()
    (folder / "train").mkdir()
    images, annotations = [], []
    for number, grey in enumerate([40, 40, 40, 160, 220], 1):
        name = f"{number}.png"
        Image.new("RGB", (SIDE, SIDE), (grey,) * 3).save(folder / "train" / name)
        images.append({"id": number, "file_name": name, "height": SIDE, "width": SIDE})
        corners = [8, 24, 40, 24, 40, 56, 8, 56]
        annotations.append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": [8, 24, 32, 32],
             "area": 1024, "iscrowd": 0, "segmentation": [corners]}
        )  # fmt: skip
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cat"}],
    }
    (folder / "annotations" / "instances_train.json").write_text(json.dumps(content))
    return f"coco:{folder}@train"


@pytest.fixture
def show(spec, tmp_path, monkeypatch, capsys):
    """Draw a sheet; return its cells, (rows, columns, SIDE, SIDE, 3)."""
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path / "prepared"))

    def draw(augment=(), **options):
        out = tmp_path / "sheet.png"
        options = {"image-size": SIDE, "augment": json.dumps(augment), "out": out} | options
        arguments = [f"--{name}={value}" for name, value in options.items()]
        assert worker.main(["show", *arguments, spec]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"wrote": str(out)}
        return cells(np.asarray(Image.open(out)))

    return draw


def cells(sheet, side=SIDE):
    pitch = side + GAP
    rows, columns = ((length - GAP) // pitch for length in sheet.shape[:2])
    assert sheet.shape[:2] == (rows * pitch + GAP, columns * pitch + GAP)
    return np.array(
        [
            [
                sheet[r * pitch + GAP : (r + 1) * pitch, c * pitch + GAP : (c + 1) * pitch]
                for c in range(columns)
            ]
            for r in range(rows)
        ]
    )


def test_without_augmentation_each_cell_is_a_stored_picture(show):
    sheet = show(count=4)
    greys = sheet[:, :, -1, -1, 0]  # beyond the object
    assert greys.tolist() == [[40, 40, 40, 160]]


def test_objects_have_frames_names_and_masks(show):
    cell = show(count=4)[0, 0]
    colour = (230, 159, 0)  # of the first class, zoo.draw.PALETTE
    assert tuple(cell[56, 20]) == colour  # the frame's lower edge
    assert tuple(cell[40, 24]) == tuple((0.5 * 40 + 0.5 * np.array(colour)).astype(int))  # tinted
    assert (cell[12:22, 8:20] == colour).all(axis=-1).mean() > 0.3  # the caption's ground
    assert tuple(cell[2, 2]) == (40, 40, 40)


def test_rows_hold_a_picture_and_versions_of_it(show):
    """Flipping moves no grey away from its row; mirrored objects lie on the other side."""
    sheet = show(["flip"], count=20)
    assert sheet.shape[:2] == (5, 4)
    assert (sheet[:, :, 2, 2, 0] == [[40], [40], [40], [160], [220]]).all()
    right = (sheet[:, :, 40, 50] != sheet[:, :, 2, 2]).any(axis=-1)  # 8..40 mirrored is 24..56
    left = (sheet[:, :, 40, 14] != sheet[:, :, 2, 2]).any(axis=-1)
    assert (left ^ right).all()
    assert left[:, 0].all()
    assert 0 < right[:, 1:].sum() < 15


@pytest.mark.slow
def test_seed_decides_what_is_drawn(show):
    first = show(["photometric", "mixup"], count=8)
    np.testing.assert_array_equal(show(["photometric", "mixup"], count=8), first)
    assert (show(["photometric", "mixup"], count=8, seed=1) != first).any()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["coco:nowhere"], "nowhere"),
        (["--out=sheet.nonsense", "SPEC"], "--out sheet.nonsense: cannot be written: unknown file"),
    ],
)
def test_mistake_is_told(spec, arguments, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = [spec if one == "SPEC" else one for one in arguments]
    assert worker.main(["show", "--out=s.png", "--image-size=64", *arguments]) == 2
    (told,) = [json.loads(row) for row in capsys.readouterr().out.splitlines() if "mistake" in row]
    assert line in told["mistake"]


@pytest.mark.slow
def test_command_draws_in_a_process_of_its_own(spec, tmp_path):
    command = [sys.executable, "-P", "-m", "flows.cli", "data", "show", spec]
    options = ["--augment", "[flip, {name: mosaic, probability: 0.5}]", "--image-size", SIDE]
    answer = subprocess.run(
        [*command, *map(str, options), "--count", "8", "--out", "s.png"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (answer.returncode, answer.stdout) == (0, "s.png\n"), answer.stderr
    assert cells(np.asarray(Image.open(tmp_path / "s.png"))).shape[:2] == (2, 4)


def test_mistake_in_a_policy_needs_no_worker(tmp_path, capsys):
    from flows import cli

    assert cli.run(["data", "show", "bananas", "--augment", "sdd"]) == 2
    line = " ".join(capsys.readouterr().err.split())
    assert line.startswith("error: --augment: 0: name must be one of light, ssd, strong")
    assert line.endswith("did you mean ssd?")


@pytest.mark.parametrize("augment", [[], ["flip"]])
def test_classes_of_segmented_pictures_are_painted_over_them(augment, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path / "prepared"))
    _, folder = write_mask_folders(tmp_path / "set")
    arguments = [
        f"--augment={json.dumps(augment)}",
        "--image-size=128",
        f"--out={tmp_path / 'a.png'}",
    ]
    assert worker.main(["show", *arguments, f"mask_folders:{folder}"]) == 0
    sheet = cells(np.asarray(Image.open(tmp_path / "a.png")), side=128)
    assert sheet.shape[:2] == (1, 2)
    car = sheet[0, 0].astype(int) - np.array([120, 0, 0])  # three fifths of its colour
    over_dark = (np.abs(car - 16) < 8).all(axis=-1)  # the left half of the picture is of grey 40
    assert over_dark.sum() > 100
