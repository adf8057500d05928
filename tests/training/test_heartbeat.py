"""Processes of a group hear when another one is gone; here each is a thread that tells of it."""

import socket
import time

import pytest

from zoo.training.distribution.heartbeat import Heartbeat, _listen
from zoo.training.distribution.place import Place

pytestmark = pytest.mark.any_backend
EVERY, PATIENCE = 0.05, 1.5
SOON = 20.0


class Group:
    """Heartbeats of a few places of this machine, and what each of them has lost."""

    def __init__(self, size=3, address="127.0.0.1:1"):
        self.lost = {rank: [] for rank in range(size)}
        self.numbers = []
        self.beats = [
            Heartbeat(
                Place(rank, size, rank, address),
                self.leaders,
                lost=lambda reason, rank=rank: self.hear(rank, reason),
                every=EVERY,
                patience=PATIENCE,
            )
            for rank in range(size)
        ]

    def leaders(self, numbers):
        """Give all of them the first one's numbers, which is entered first."""
        self.numbers = self.numbers or list(numbers)
        return self.numbers

    def hear(self, rank, reason):
        self.lost[rank].append(reason)

    def wait_for(self, *ranks):
        """Wait until all of these have lost somebody."""
        deadline = time.monotonic() + SOON
        while not all(self.lost[rank] for rank in ranks):
            assert time.monotonic() < deadline, f"nobody was lost: {self.lost}"
            time.sleep(0.01)

    def enter(self):
        for beat in self.beats:
            beat.__enter__()
        return self


@pytest.fixture
def group():
    made = []

    def build(**options):
        made.append(Group(**options))
        return made[-1]

    yield build
    for one in made:
        for beat in one.beats:
            if hasattr(beat, "_thread"):
                beat.__exit__(None, None, None)


def test_a_group_that_beats_and_leaves_has_lost_nobody(group):
    three = group().enter()
    time.sleep(1.5 * PATIENCE)  # they are heard, or all would be told of by now
    for beat in reversed(three.beats):
        beat.__exit__(None, None, None)
        time.sleep(2 * EVERY)  # so long the others hear that one has left
    assert not any(beat._thread.is_alive() for beat in three.beats)
    assert three.lost == {0: [], 1: [], 2: []}


def test_the_leader_may_leave_first(group):
    three = group().enter()
    time.sleep(2 * EVERY)
    for beat in three.beats:
        beat.__exit__(None, None, None)
    assert three.lost == {0: [], 1: [], 2: []}


@pytest.mark.parametrize("fails", [0, 2])
def test_one_that_fails_is_told_of_by_those_who_hear_it(group, fails):
    three = group().enter()
    time.sleep(2 * EVERY)
    three.beats[fails].__exit__(ValueError, ValueError(), None)
    hearers = [1, 2] if fails == 0 else [0]
    three.wait_for(*hearers)
    wanted = [f"process {fails} of 3 has ended before its time"]
    assert [three.lost[rank] for rank in hearers] == [wanted] * len(hearers)


def test_one_that_is_silent_is_told_of(group):
    two = group(size=2)
    leader = two.beats[0].__enter__()
    *key, port = (int(number) for number in two.numbers)
    with socket.create_connection(("127.0.0.1", port)) as silent:
        silent.sendall(b"".join(number.to_bytes(3) for number in key) + (1).to_bytes(4))
        two.wait_for(0)
    assert two.lost[0] == ["process 1 of 2 was not heard for 1.5 s: it hangs, or the link is cut"]
    assert leader._thread.is_alive()


def test_one_that_never_calls_is_told_of(group):
    two = group(size=2)
    two.beats[0].__enter__()
    two.wait_for(0)
    (reason,) = two.lost[0]
    assert reason.startswith("process 1 of 2 has not called at port ")


def test_a_stranger_at_the_port_is_nobody(group):
    two = group(size=2).enter()
    for greeting in (b"", b"GET / HTTP/1.1\r\n\r\n", bytes(13)):
        with socket.create_connection(("127.0.0.1", int(two.numbers[-1]))) as stranger:
            stranger.sendall(greeting)
            if len(greeting) >= 13:  # it is sent away
                stranger.settimeout(SOON)
                assert stranger.recv(1) == b""
    time.sleep(1.5 * PATIENCE)
    assert two.lost == {0: [], 1: []}


def test_a_leader_that_cannot_be_reached_is_told_of(group):
    two = group(size=2)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    two.numbers = [1, 2, 3, port]
    two.beats[1].__enter__()
    two.wait_for(1)
    assert f"process 0 at 127.0.0.1:{port} cannot be reached" in two.lost[1][0]


@pytest.mark.parametrize(
    ("address", "heard"),
    [
        ("127.0.0.1:1", {"127.0.0.1"}),
        ("localhost:1", {"127.0.0.1"}),
        # On Debian a machine's own name stands for 127.0.1.1, where no other machine reaches it;
        # and 192.0.2.1 is nobody's, as a service's address is none of the machine.
        (f"{socket.gethostname()}:1", {"::", "0.0.0.0"}),
        ("192.0.2.1:1", {"::", "0.0.0.0"}),
    ],
)
def test_a_leader_listens_where_the_others_can_be(address, heard):
    with _listen(Place(0, 2, 0, address)) as listener:
        assert listener.getsockname()[0] in heard
        with socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=SOON):
            pass


def test_an_ipv6_host_has_no_brackets():
    assert Place(address="[fd00::1]:29400").host == "fd00::1"
