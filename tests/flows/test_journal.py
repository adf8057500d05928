"""The journal: nothing lost, nothing twice, whatever is killed."""

import json
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from flows.journal import Journal, JournalReader, last_event, read_journal

pytestmark = pytest.mark.any_backend


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def test_events_come_back_in_order_with_their_fields(path):
    with Journal(path) as journal:
        journal.append("started", backend="jax")
        journal.append("step", step=1, epoch=0, metrics={"loss": np.float32(0.5)})
    started, step = read_journal(path)
    assert (started["seq"], started["kind"], started["backend"]) == (0, "started", "jax")
    assert (step["seq"], step["step"], step["metrics"]) == (1, 1, {"loss": 0.5})


def test_a_replayed_step_is_written_once(path):
    with Journal(path) as journal:
        assert journal.append("step", step=1, metrics={"loss": 0.5})
    with Journal(path) as journal:
        assert not journal.append("step", step=1, metrics={"loss": 0.5})
        assert journal.append("epoch", step=1, metrics={"loss": 0.5})
        assert journal.append("step", step=2, metrics={"loss": 0.4})
    assert [event["seq"] for event in read_journal(path)] == [0, 1, 2]


def test_samples_of_one_step_are_told_apart_by_path(path):
    with Journal(path) as journal:
        assert journal.append("sample", step=8, path="samples/a.png")
        assert journal.append("sample", step=8, path="samples/b.png")
        assert not journal.append("sample", step=8, path="samples/a.png")


def test_attempts_are_written_each_time(path):
    with Journal(path) as journal:
        for sha256 in ("aa", "bb"):
            journal.append("resumed", step=4)
            journal.append("published", path="model.keras", sha256=sha256)
    events = read_journal(path)
    assert [event["kind"] for event in events] == ["resumed", "published"] * 2
    assert last_event(events, "published")["sha256"] == "bb"
    assert last_event(events, "finished") is None


@pytest.mark.parametrize("torn", [b'{"seq": 1, "ti', b'{"seq": 1\n', b"\0\0\0\0"])
def test_a_torn_last_line_is_dropped_and_its_number_used_again(path, torn):
    with Journal(path) as journal:
        journal.append("step", step=1)
    path.write_bytes(path.read_bytes() + torn)
    assert [event["step"] for event in read_journal(path)] == [1]
    with Journal(path) as journal:
        journal.append("step", step=2)
    assert [(event["seq"], event["step"]) for event in read_journal(path)] == [(0, 1), (1, 2)]


def test_a_damaged_line_in_the_middle_is_an_error(path):
    path.write_text('{"seq": 0, "kind": "step"}\nnonsense\n{"seq": 1, "kind": "step"}\n')
    with pytest.raises(ValueError, match="every line must be a JSON event; got b'nonsense'"):
        read_journal(path)


def test_infinite_and_missing_numbers_survive(path):
    with Journal(path) as journal:
        journal.append("step", step=1, metrics={"loss": float("nan"), "norm": float("inf")})
    metrics = read_journal(path)[0]["metrics"]
    assert np.isnan(metrics["loss"])
    assert metrics["norm"] == np.inf


def test_a_reader_sees_each_event_once_and_waits_for_a_whole_line(path):
    reader = JournalReader(path)
    assert reader.poll() == []
    with Journal(path) as journal:
        journal.append("step", step=1)
        assert [event["step"] for event in reader.poll()] == [1]
        assert reader.poll() == []
        whole = json.dumps({"seq": 1, "kind": "step", "step": 2}).encode() + b"\n"
        with path.open("ab") as file:
            file.write(whole[:9])
            file.flush()
            assert reader.poll() == []
            file.write(whole[9:])
    assert [event["step"] for event in reader.poll()] == [2]


def test_reading_after_a_number_passes_over_the_earlier_ones(path):
    with Journal(path) as journal:
        for step in range(5):
            journal.append("step", step=step)
    assert [event["step"] for event in read_journal(path, after=2)] == [3, 4]


WRITER = """
import sys
from flows.journal import Journal
journal = Journal(sys.argv[1])
for step in range(100_000):
    journal.append("step", step=step, metrics={"loss": 1 / (step + 1)})
"""


def test_writers_killed_at_random_moments_leave_every_step_once(path):
    rng = random.Random(0)
    for round_ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        before = len(read_journal(path))
        deadline = time.monotonic() + 20
        while len(read_journal(path)) < before + 20 and time.monotonic() < deadline:
            time.sleep(rng.uniform(0.0, 0.05))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        steps = [event["step"] for event in read_journal(path)]
        assert steps == list(range(len(steps))), round_
        assert len(steps) >= before + 20


def test_a_disk_that_fills_takes_no_part_of_an_event(path):
    """Past a file's limit the system does what it does on a full disk: it takes a part."""
    program = """
import resource, sys
from flows.journal import Journal
with Journal(sys.argv[1]) as journal:
    journal.append("step", step=1)
    room = journal.path.stat().st_size + 20
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        journal.append("step", step=2)
    except OSError:
        print("refused")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.append("step", step=2)
"""
    answer = subprocess.run(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True, check=True
    )
    assert answer.stdout == "refused\n"
    assert [(event["seq"], event["step"]) for event in read_journal(path)] == [(0, 1), (1, 2)]
