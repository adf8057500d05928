"""A file is the old one or the new one, whatever happens while it is written."""

from pathlib import Path

import pytest

from flows.whole_files import write_whole

pytestmark = pytest.mark.any_backend


def test_it_makes_the_folder_and_leaves_nothing_beside_the_file(tmp_path):
    write_whole(tmp_path / "a/b.json", "first")
    write_whole(tmp_path / "a/b.json", "second é")
    assert (tmp_path / "a/b.json").read_text(encoding="utf-8") == "second é"
    assert [path.name for path in tmp_path.rglob("*.*")] == ["b.json"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    file = tmp_path / "b.json"
    write_whole(file, "first")

    def full(self, text, **options):
        self.touch()
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space left"):
        write_whole(file, "second")
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]
