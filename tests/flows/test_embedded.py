"""Prefect's server: the named one, or an embedded one that starts, answers and leaves nothing."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import embedded
from flows.embedded import ServerError, prefect_server

pytestmark = pytest.mark.any_backend

HOLD = """
import sys, time
from pathlib import Path
from flows.embedded import prefect_server
with prefect_server(Path(sys.argv[1])) as url:
    print(url, flush=True)
    time.sleep(600)
"""


def listens(url):
    port = int(url.rpartition(":")[2].partition("/")[0])
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_it_answers_while_it_is_needed_and_keeps_its_database_in_the_home(tmp_path):
    with prefect_server(tmp_path) as url:
        assert PREFECT_API_URL.value() == url
        assert not embedded.server_has_pages()
        with urllib.request.urlopen(f"{url}/health") as answer:
            assert json.load(answer) is True
    assert not listens(url)
    assert PREFECT_API_URL.value() is None
    assert (tmp_path / "prefect" / "prefect.db").exists()


@pytest.mark.slow
def test_it_ends_with_a_process_that_is_killed(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    url = holder.stdout.readline().strip()
    assert listens(url)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    deadline = time.monotonic() + 60
    while listens(url):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_that_cannot_start_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "_SERVER", ("-c", "raise SystemExit('no such module')"))
    with (
        pytest.raises(ServerError, match="ended with code 1: no such module") as caught,
        prefect_server(tmp_path),
    ):
        pass
    assert "PREFECT_API_URL" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_named_one_that_is_away_is_one_clear_line(tmp_path):
    url = "http://127.0.0.1:9/api"  # the discard port: nothing listens there
    with (
        temporary_settings({PREFECT_API_URL: url}),
        pytest.raises(ServerError, match=f"{url} does not answer"),
        prefect_server(tmp_path),
    ):
        pass


def test_a_named_one_is_used_and_none_is_started(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "require_answer", lambda url: None)
    url = "http://prefect.example/api"
    with temporary_settings({PREFECT_API_URL: url}), prefect_server(tmp_path) as used:
        assert used == url
        assert embedded.server_has_pages()
    assert not list(tmp_path.iterdir())


def test_requests_to_this_machine_pass_by_a_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "intern.example")
    monkeypatch.delenv("no_proxy", raising=False)
    embedded.bypass_proxies()
    assert os.environ["NO_PROXY"] == "intern.example,127.0.0.1,localhost"
    assert os.environ["no_proxy"] == "127.0.0.1,localhost"
