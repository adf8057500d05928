"""Shards: what is done is not done twice, each picture counts once, poison is set aside."""

import json
import os
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows import predict_shard, shard_task
from flows.runtime import UserError
from flows.shard_results import merge
from flows.shard_task import answer_shard
from flows.shards import cut, find_done, list_pictures, recipe
from flows.worker_process import WorkerError

pytestmark = pytest.mark.any_backend
HERE = Path(__file__).parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Seven files called pictures, two of them in a folder inside, and a note."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("b.png", "a.jpg", "c.png", "d.png", "e.png", "deep/a.jpg", "deep/z.png"):
        (tmp_path / "in" / name).write_bytes(name.encode())
    (tmp_path / "in" / "note.md").write_text("no picture")
    return tmp_path


def paths(pictures):
    return [picture.path for picture in pictures]


def test_folders_are_listed_with_those_inside_and_each_picture_once(folder):
    found = paths(list_pictures(["in/c.png", "in", "in/*.png"], folder / "out"))
    assert found == [
        *("in/c.png", "in/a.jpg", "in/b.png", "in/d.png", "in/e.png"),
        *("in/deep/a.jpg", "in/deep/z.png"),
    ]
    assert "in/deep/a.jpg" not in paths(list_pictures(["in"], folder / "in" / "deep"))


def test_a_manifest_names_pictures_relative_to_itself(folder):
    (folder / "in" / "list.txt").write_text("b.png\n\n deep/z.png \ngone.png\n")
    assert paths(list_pictures(["in/list.txt"], folder / "out")) == [
        *("in/b.png", "in/deep/z.png", "in/gone.png"),
    ]


@pytest.mark.parametrize(("source", "said"), [("none", "no such"), ("in/*.gif", "matches")])
def test_a_source_that_names_nothing_is_told(folder, source, said):
    with pytest.raises(UserError, match=said):
        list_pictures(["in", source], folder / "out")


def test_a_picture_that_was_replaced_is_another_one(folder):
    first = list_pictures(["in/a.jpg"], folder / "out")
    assert list_pictures(["in/a.jpg"], folder / "out") == first
    os.utime("in/a.jpg", ns=(1, 1))
    assert list_pictures(["in/a.jpg"], folder / "out") != first


def test_the_recipe_is_the_models_bytes_and_what_is_asked(folder):
    model = folder / "m.keras"
    model.write_bytes(b"one")
    first = recipe(model, 0.5)
    assert recipe(model, 0.25) != first
    model.write_bytes(b"two")
    assert recipe(model, 0.5) != first


def answer(shard, kept, rejected=()):
    """Write the file of a shard as the worker does."""
    head = {"classes": ["cat", "dog"], "kind": "detection", "backend": "torch", "seconds": 1.0}
    lines = [head]
    for picture in shard.pictures:
        named = {"key": picture.key, "file_name": picture.path}
        if picture.path in rejected:
            lines.append(named | {"reason": "unwell"})
            continue
        row = {"image_id": 0, "category_id": 1, "score": 0.5, "bbox": [0.0, 1.0, 2.0, 3.0]}
        rows = [row] * (len(picture.path) % 3)
        lines.append(named | {"width": 8, "height": 6, "rows": rows})
    predict_shard._write_once(kept / f"{shard.name}.jsonl", lines)


def test_what_is_missing_is_all_that_is_cut_and_each_picture_counts_once(folder):
    pictures = list_pictures(["in"], folder / "out")
    kept = folder / "out" / "shards"
    first, *others = cut(pictures, 3, "recipe")
    answer(first, kept)
    done = find_done(kept)
    missing = [picture for picture in pictures if picture.key not in done]
    assert missing == [picture for shard in others for picture in shard.pictures]
    # Of another size, so that two files hold some of the pictures: a lost node that was not lost.
    for shard in [*cut(missing, 2, "recipe"), *cut(pictures[4:6], 2, "recipe")]:
        answer(shard, kept, rejected=["in/e.png"])
    counts = merge(pictures, find_done(kept), folder / "out")
    images = json.loads((folder / "out" / "images.json").read_text())
    rows = json.loads((folder / "out" / "predictions.json").read_text())
    names = [image["file_name"] for image in images["images"]]
    assert names == [path for path in paths(pictures) if path != "in/e.png"]
    assert [image["id"] for image in images["images"]] == [1, 2, 3, 4, 5, 6]
    assert counts == {"pictures": 6, "rejected": 1, "rows": sum(len(name) % 3 for name in names)}
    counted = [(image["id"], image["detections"]) for image in images["images"]]
    assert [row["image_id"] for row in rows] == [id for id, count in counted for _ in range(count)]
    assert len(rows) == counts["rows"]
    assert images["categories"] == [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]
    assert json.loads((folder / "out" / "rejected.json").read_text()) == [
        {"file_name": "in/e.png", "reason": "unwell"}
    ]
    table = pq.read_table(folder / "out" / "predictions.parquet").to_pylist()
    assert [(row["image_id"], row["bbox"]) for row in table] == [
        (row["image_id"], row["bbox"]) for row in rows
    ]
    assert {row["category"] for row in table} == {"dog"}


def test_results_of_nothing_but_rejected_pictures_are_lists_all_the_same(folder):
    (picture,) = pictures = list_pictures(["in/a.jpg"], folder / "out")
    answer(cut(pictures, 1, "recipe")[0], folder / "shards", rejected=[picture.path])
    merge(pictures, find_done(folder / "shards"), folder)
    assert json.loads((folder / "predictions.json").read_text()) == []
    assert json.loads((folder / "images.json").read_text())["images"] == []


def test_a_shard_that_is_answered_twice_is_written_once(folder):
    (shard,) = cut(list_pictures(["in"], folder / "out"), 9, "recipe")
    answer(shard, folder)
    before = (folder / f"{shard.name}.jsonl").read_bytes()
    answer(shard, folder, rejected=["in/a.jpg"])
    assert (folder / f"{shard.name}.jsonl").read_bytes() == before
    assert [path.name for path in folder.glob("*.part")] == []


@pytest.fixture
def stand_in(monkeypatch, folder):
    """Answer by a process without Keras that dies at pictures called killer; count its lives."""
    worker = (sys.executable, str(HERE / "stand_in_shard.py"))
    monkeypatch.setattr(shard_task, "WORKER", worker)
    monkeypatch.setenv("LIVES", str(folder / "lives"))

    def answered(*names):
        todo = folder / "todo"
        todo.write_text(json.dumps([[name, name] for name in names]))
        arguments = ["m.keras", str(todo), "--out", str(folder / "out.jsonl")]
        answer_shard(arguments, "tensorflow")
        lines = (folder / "out.jsonl").read_text().splitlines()
        return {line["key"]: line.get("reason") for line in map(json.loads, lines[1:])}

    return answered


def test_a_picture_that_kills_the_process_is_set_aside_and_no_other(stand_in, folder):
    found = stand_in("a", "b", "killer", "c")
    assert found.pop("killer") == "the process was killed (out of memory?) at it, 2 times"
    assert found == {"a": None, "b": None, "c": None}
    # Once with all of them, twice alone with the one, once without it.
    assert (folder / "lives").read_text().count("\n") == 4


def test_a_process_that_dies_before_any_picture_is_given_up(stand_in):
    with pytest.raises(WorkerError, match="was killed"):
        stand_in("killer-at-start")


def test_a_model_that_cannot_be_used_is_the_users_mistake(stand_in):
    with pytest.raises(UserError, match="no model"):
        stand_in("mistake")
