"""Files, folders and globs become inputs; wrong names are told before a model is loaded."""

from pathlib import Path

import pytest

from flows.inputs import find_inputs
from flows.runtime import UserError

pytestmark = pytest.mark.any_backend


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.jpg", "a.PNG", "clip.mp4", "notes.txt", "deep/c.jpeg", "deep/a.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Path("in")


def names(sources, out="out"):
    return [str(item.path) for item in find_inputs(sources, Path(out))]


def test_folder_gives_its_pictures_and_videos_by_name(folder):
    assert names(["in"]) == ["in/a.PNG", "in/b.jpg", "in/clip.mp4"]


def test_kind_follows_the_suffix(folder):
    assert [item.kind for item in find_inputs(["in"], Path("out"))] == ["picture"] * 2 + ["video"]


def test_glob_gives_what_matches_even_below(folder):
    assert names(["in/**/*.p*g"]) == ["in/deep/a.png"]
    assert names(["in/*.jpg"]) == ["in/b.jpg"]


def test_file_is_taken_whatever_its_suffix(folder):
    assert names(["in/notes.txt"]) == ["in/notes.txt"]


def test_file_with_glob_characters_in_its_name_is_taken(folder):
    Path("in/[1].jpg").touch()
    assert names(["in/[1].jpg"]) == ["in/[1].jpg"]


def test_file_named_twice_is_taken_once(folder):
    assert names(["in/b.jpg", "in"]) == ["in/b.jpg", "in/a.PNG", "in/clip.mp4"]


def test_outputs_differ_where_stems_agree(folder):
    items = find_inputs(["in", "in/deep"], Path("out"))
    assert [item.output for item in items] == ["a.png", "b.jpg", "clip.mp4", "a-2.png", "c.jpg"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("in/x.jpg", "in/x.jpg: no such picture, video or folder"),
        ("in/*.webp", r"in/\*.webp: no picture or video matches"),
        ("empty", "empty: no pictures or videos in this folder"),
    ],
)
def test_source_that_gives_nothing_is_told(folder, source, message):
    Path("empty").mkdir()
    with pytest.raises(UserError, match=message):
        find_inputs([source], Path("out"))


def test_copy_never_replaces_an_original(folder):
    with pytest.raises(UserError, match=r"b\.jpg is one of the originals there"):
        find_inputs(["in/b.jpg"], folder)
