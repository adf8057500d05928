"""Pictures and videos come back annotated, with COCO tables that pycocotools opens."""

import io
import json
from contextlib import redirect_stdout

import numpy as np
import pytest
from PIL import Image

from flows.annotate import Album
from flows.inputs import find_inputs

pytestmark = pytest.mark.any_backend


class TopLeftDetector:
    """Find an object in the top left quarter of everything at .9, and the whole at .3."""

    kind = "detection"
    result_kinds = ("boxes",)
    class_names = ("banana", "dog")

    def detect(self, images):
        from zoo import Detections

        return [
            Detections(
                boxes=[[0, 0, image.shape[1] / 2, image.shape[0] / 2], [0, 0, *image.shape[1::-1]]],
                scores=[0.9, 0.3],
                labels=[1, 0],
                class_names=self.class_names,
            )
            for image in images
        ]


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "in"
    folder.mkdir()
    for name, height in (("a.png", 40), ("b.jpg", 60)):
        Image.fromarray(random.integers(0, 256, (height, 80, 3), np.uint8)).save(folder / name)
    return folder


def annotate(sources, out, min_score=0.5):
    """Annotate sources; return the album and what it told its caller."""
    out.mkdir(exist_ok=True)
    album = Album(TopLeftDetector(), out, min_score=min_score)
    items = find_inputs([str(source) for source in sources], out)
    with redirect_stdout(io.StringIO()) as told:
        album.add_pictures([item for item in items if item.kind == "picture"])
        for item in items:
            if item.kind == "video":
                album.add_video(item)
        album.write()
    return album, [json.loads(line) for line in told.getvalue().splitlines()]


def write_video(path, frames=12, rate=10.0):
    from flows.video import VideoWriter

    with VideoWriter(path, rate, (64, 48)) as writer:
        for frame in range(frames):
            writer.write(np.full((48, 64, 3), (20 * frame, 100, 50), np.uint8))


def test_tables_open_in_pycocotools(folder, tmp_path):
    from pycocotools.coco import COCO

    annotate([folder], tmp_path / "out")
    with redirect_stdout(io.StringIO()):
        found = COCO(tmp_path / "out/images.json").loadRes(str(tmp_path / "out/predictions.json"))
    assert [image["file_name"] for image in found.loadImgs([1, 2])] == [
        str(folder / "a.png"),
        str(folder / "b.jpg"),
    ]
    rows = found.loadAnns(found.getAnnIds())
    assert [row["bbox"] for row in rows] == [[0, 0, 40, 20], [0, 0, 40, 30]]
    assert {found.loadCats(row["category_id"])[0]["name"] for row in rows} == {"dog"}


def test_min_score_rules_drawing_and_table(folder, tmp_path):
    annotate([folder], tmp_path / "some", min_score=0.5)
    annotate([folder], tmp_path / "all", min_score=0.1)
    rows = {
        name: json.loads((tmp_path / name / "predictions.json").read_text())
        for name in ("some", "all")
    }
    assert [len(rows["some"]), len(rows["all"])] == [2, 4]
    some, everything = (np.asarray(Image.open(tmp_path / name / "a.png")) for name in rows)
    assert not np.array_equal(some, everything)


def test_annotated_copy_differs_from_the_original_only_near_the_box(folder, tmp_path):
    annotate([folder / "a.png"], tmp_path / "out")
    original, copy = Image.open(folder / "a.png"), Image.open(tmp_path / "out/a.png")
    changed = (np.asarray(original) != np.asarray(copy)).any(axis=-1)
    assert changed[:20, :40].any()
    assert not changed[30:].any()


def test_broken_picture_costs_only_itself(folder, tmp_path):
    (folder / "aa.jpg").write_bytes(b"no picture")
    album, _ = annotate([folder], tmp_path / "out")
    (mistake,) = album.mistakes
    assert mistake.startswith(f"{folder / 'aa.jpg'}: not a picture that can be read")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a.png",
        "b.jpg",
        "images.json",
        "predictions.json",
    ]


def test_progress_ends_at_the_total(folder, tmp_path):
    _, told = annotate([folder], tmp_path / "out")
    assert told[0] == {"what": "pictures", "done": 0, "total": 2}
    assert told[-1] == {"what": "pictures", "done": 2, "total": 2}


def test_progress_ends_at_the_total_even_if_a_picture_is_broken(folder, tmp_path):
    (folder / "aa.jpg").write_bytes(b"no picture")
    _, told = annotate([folder], tmp_path / "out")
    assert told[-1] == {"what": "pictures", "done": 3, "total": 3}


def test_video_comes_back_with_every_frame(tmp_path):
    from flows.video import VideoReader

    write_video(tmp_path / "clip.mp4", frames=12)
    annotate([tmp_path / "clip.mp4"], tmp_path / "out")
    with VideoReader(tmp_path / "out/clip.mp4") as reader:
        frames = list(reader)
        assert (len(frames), reader.rate, reader.size) == (12, 10.0, (64, 48))


def test_video_frames_are_images_with_number_and_time(tmp_path):
    write_video(tmp_path / "clip.avi", frames=12, rate=10.0)
    annotate([tmp_path / "clip.avi"], tmp_path / "out")
    images = json.loads((tmp_path / "out/images.json").read_text())["images"]
    assert [image["frame"] for image in images] == list(range(12))
    assert images[11]["time"] == 1.1
    assert len({image["id"] for image in images}) == 12


def test_video_keeps_its_colours(tmp_path):
    """Red stays red: OpenCV counts blue first."""
    from flows.video import VideoReader

    write_video(tmp_path / "clip.mp4", frames=12)
    with VideoReader(tmp_path / "clip.mp4") as reader:
        *_, (_, last) = reader
    assert np.abs(last[24, 32].astype(int) - (220, 100, 50)).max() < 12  # MPEG-4 is lossy


def test_broken_video_costs_only_itself(folder, tmp_path):
    (folder / "clip.mp4").write_bytes(b"no video" * 100)
    album, _ = annotate([folder], tmp_path / "out")
    assert album.mistakes == [
        f"{folder / 'clip.mp4'}: not a video that can be read. Is the file whole?"
    ]
    assert len(album.images) == 2
