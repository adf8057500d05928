"""Fetching an archive: from a real server, whole or not at all, with a remedy in each message."""

import hashlib
import io
import resource
import zipfile

import pytest

from tests.data.local_server import serve
from zoo.data.download import Archive, fetch

pytestmark = pytest.mark.any_backend


def zipped(names) -> bytes:
    """A zip of files, each with its own name as content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return buffer.getvalue()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("ZOO_DATA_URL", raising=False)
    with serve() as server:
        yield server


def publish(server, content: bytes, sha1: str | None = None) -> Archive:
    server.files["/data/set.zip"] = content
    return Archive("set.zip", sha1 or hashlib.sha1(content).hexdigest(), f"{server.url}/data/")


def left_in(folder):
    """What a download left, without its lock."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_content_comes_without_the_folder_at_its_top(server, tmp_path):
    archive = publish(server, zipped(["set/a.txt", "set/b/c.txt", "__MACOSX/d"]))
    folder = fetch(archive, tmp_path)
    assert folder == tmp_path / f"set-{archive.sha1[:8]}"
    assert (folder / "b/c.txt").read_text() == "set/b/c.txt"
    assert left_in(tmp_path) == [folder.name]


def test_several_folders_at_the_top_stay(server, tmp_path):
    folder = fetch(publish(server, zipped(["train/a.txt", "val/b.txt"])), tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["train", "val"]


def test_what_was_fetched_is_not_fetched_again(server, tmp_path):
    archive = publish(server, zipped(["a.txt"]))
    assert fetch(archive, tmp_path) == fetch(archive, tmp_path)
    assert server.requests == ["/data/set.zip"]


def test_a_mirror_replaces_the_address(server, tmp_path, monkeypatch):
    archive = publish(server, zipped(["a.txt"]))
    monkeypatch.setenv("ZOO_DATA_URL", f"{server.url}/data")
    fetch(Archive("set.zip", archive.sha1, "http://nowhere.invalid/"), tmp_path)
    assert server.requests == ["/data/set.zip"]


def test_a_file_put_there_by_hand_needs_no_network(tmp_path):
    content = zipped(["a.txt"])
    (tmp_path / "set.zip").write_bytes(content)
    archive = Archive("set.zip", hashlib.sha1(content).hexdigest(), "http://127.0.0.1:9/")
    assert (fetch(archive, tmp_path, retries=0) / "a.txt").exists()


def test_another_file_is_refused_and_not_kept(server, tmp_path):
    archive = publish(server, zipped(["a.txt"]), sha1="0" * 40)
    with pytest.raises(ValueError, match=f"another sha1 than {'0' * 40}; it is not kept"):
        fetch(archive, tmp_path, retries=0)
    assert left_in(tmp_path) == []


def test_a_connection_that_breaks_off_is_tried_again(server, tmp_path):
    archive = publish(server, zipped(["a.txt"]))
    server.cut["/data/set.zip"] = 1
    assert (fetch(archive, tmp_path, retries=1) / "a.txt").exists()
    assert server.requests == ["/data/set.zip"] * 2


def test_a_connection_that_keeps_breaking_off_leaves_nothing(server, tmp_path):
    archive = publish(server, zipped(["a.txt"]))
    server.cut["/data/set.zip"] = 1
    with pytest.raises(ValueError, match=r"cannot be fetched \(the connection broke off\)"):
        fetch(archive, tmp_path, retries=0)
    assert left_in(tmp_path) == []


def test_a_file_the_server_lacks_names_the_answer(server, tmp_path):
    archive = Archive("lost.zip", "0" * 40, f"{server.url}/data/")
    with pytest.raises(ValueError, match=r"lost\.zip: the server answers 404 Not Found\. Set ZOO"):
        fetch(archive, tmp_path, retries=0)


def test_no_server_names_both_remedies(tmp_path):
    archive = Archive("set.zip", "0" * 40, "http://127.0.0.1:9/")  # nobody listens there
    with pytest.raises(ValueError, match=r"cannot be fetched \(no connection\)") as caught:
        fetch(archive, tmp_path, retries=0)
    assert f"Set ZOO_DATA_URL to a mirror, or put the file at {tmp_path}/set.zip." in str(
        caught.value
    )


@pytest.mark.parametrize("name", ["../out.txt", "set/../../out.txt", "/tmp/out.txt", r"..\out.txt"])
def test_a_name_that_leads_out_of_the_folder_is_refused(server, tmp_path, name):
    archive = publish(server, zipped(["set/a.txt", name]))
    with pytest.raises(ValueError, match="leads out of its folder"):
        fetch(archive, tmp_path / "cache")
    assert left_in(tmp_path / "cache") == ["set.zip"]
    assert left_in(tmp_path) == ["cache"]


def test_what_is_no_zip_is_told(server, tmp_path):
    with pytest.raises(ValueError, match=r"set\.zip: no zip archive that can be read"):
        fetch(publish(server, b"<html>Please log in</html>"), tmp_path)


@pytest.fixture
def no_room():
    """Let no file grow beyond 64 kB, which the system refuses as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_without_room_for_the_download_is_told(server, tmp_path, no_room):
    archive = publish(server, bytes(2**17))
    with pytest.raises(ValueError, match=r"cannot be written: file too large\. Make room"):
        fetch(archive, tmp_path, retries=0)
    assert left_in(tmp_path) == []


def test_a_disk_without_room_for_the_content_is_told(server, tmp_path, no_room):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(2**18))
    archive = publish(server, buffer.getvalue())
    with pytest.raises(ValueError, match="cannot be written: file too large"):
        fetch(archive, tmp_path, retries=0)
    assert left_in(tmp_path) == ["set.zip"]
