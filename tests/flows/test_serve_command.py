"""The command's own mistakes are told in a line, with exit code 2, before anything is loaded."""

import socket

import pytest

from flows.cli import run
from flows.serve_versions import registered_name

pytestmark = pytest.mark.any_backend


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    monkeypatch.delenv("ZOO_TOKEN", raising=False)


@pytest.fixture
def file(tmp_path):
    """Something that looks like a model from afar."""
    import zipfile

    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    return path


def mistake(capsys, *arguments):
    assert run(["serve", *map(str, arguments)]) == 2
    told = capsys.readouterr().err.splitlines()
    return next(line for line in told if line.startswith("error: "))


def test_other_machines_need_a_token(capsys, file):
    for host in ("0.0.0.0", "::", "192.0.2.7", "zoo.example"):
        told = mistake(capsys, file, "--host", host)
        assert told.startswith(f"error: --host {host}: other machines reach it")
        assert "--token-file FILE, or ZOO_TOKEN" in told


@pytest.mark.parametrize("token", ["", "short", "with a space in it", "ümlaut" * 4])
def test_a_token_that_is_none_is_refused(capsys, file, tmp_path, monkeypatch, token):
    written = tmp_path / "token"
    written.write_text(token + "\n")
    assert f"--token-file {written}: a token has" in mistake(capsys, file, "--token-file", written)
    monkeypatch.setenv("ZOO_TOKEN", token)
    assert "ZOO_TOKEN: a token has at least 16" in mistake(capsys, file)


def test_a_token_file_that_is_missing_is_named(capsys, file, tmp_path):
    told = mistake(capsys, file, "--token-file", tmp_path / "none")
    assert "none: cannot be read (No such file or directory)" in told


def test_a_port_that_is_taken_is_told_with_the_remedy(capsys, file):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = mistake(capsys, file, "--port", port)
    assert told.startswith(f"error: port {port} of 127.0.0.1: Address already in use; ")
    assert "--port" in told


def test_a_model_that_is_not_there_is_named(capsys, tmp_path):
    assert "none.keras: no such model" in mistake(capsys, tmp_path / "none.keras")


def test_a_name_of_the_registry_that_is_not_there_is_named(capsys, home):
    told = mistake(capsys, "nobody@champion", "--port", 0)
    assert told == "error: models:/nobody@champion: no such model; none is registered yet"


def test_the_registrys_prefix_may_be_left_out_where_no_file_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert registered_name("bananas@champion") == "models:/bananas@champion"
    assert registered_name("bananas/3") == "models:/bananas/3"
    assert registered_name("models:/bananas/3") == "models:/bananas/3"
    assert registered_name("model.keras") is None
    (tmp_path / "bananas" / "3").mkdir(parents=True)
    assert registered_name("bananas/3") is None
