"""Two hosts train one run, and the link between them is cut in the middle.

Each host is a network namespace with a name, an address and a cable to a switch of its own making.
The cable is pulled out behind the switch: nothing tells either host, packets are lost.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import keras
import pytest
from cases import ROOT, run_python
from small_run import assert_same_model, event, prepare, worker

from flows.runtime import worker_environment
from zoo.training.distribution.heartbeat import LOST_PEER

BACKEND = keras.backend.backend()
NOTICED_SECONDS = 60
pytestmark = pytest.mark.slow


def _ip(*arguments):
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _why_not():
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need the command `ip` of iproute2"
    try:
        _ip("netns", "add", "zoo-probe")
        _ip("netns", "del", "zoo-probe")
    except subprocess.CalledProcessError as error:
        return f"no network namespaces here: {error.stderr.strip()}"
    return None


class Hosts:
    """Two namespaces on one switch; names and addresses end with the process' number."""

    def __init__(self):
        self.mark = f"z{os.getpid() % 100000}"
        self.switch = f"{self.mark}s"
        self.port = 29400

    def name(self, rank):
        return f"{self.mark}h{rank}"

    def cable(self, rank):
        return f"{self.mark}c{rank}"

    def address(self, rank):
        return f"10.77.0.{rank + 1}"

    def build(self):
        _ip("link", "add", self.switch, "type", "bridge")
        _ip("link", "set", self.switch, "up")
        for rank in range(2):
            host, cable = self.name(rank), self.cable(rank)
            _ip("netns", "add", host)
            _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", host)
            _ip("link", "set", cable, "up")
            _ip("-n", host, "addr", "add", f"{self.address(rank)}/24", "dev", "eth0")
            _ip("-n", host, "link", "set", "eth0", "up")
            _ip("-n", host, "link", "set", "lo", "up")
            names = [f"{self.address(other)} {self.name(other)}" for other in range(2)]
            known = Path("/etc/netns") / host / "hosts"  # the host's /etc/hosts
            known.parent.mkdir(parents=True)
            known.write_text("\n".join(["127.0.0.1 localhost", *names]) + "\n")
        self.join()

    def join(self):
        for rank in range(2):
            _ip("link", "set", self.cable(rank), "master", self.switch)

    def cut(self):
        _ip("link", "set", self.cable(1), "nomaster")

    def remove(self):
        for rank in range(2):
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "del", self.name(rank))
            shutil.rmtree(Path("/etc/netns") / self.name(rank), ignore_errors=True)
        with suppress(subprocess.CalledProcessError):
            _ip("link", "del", self.switch)

    def start(self, folder):
        """Start a worker on each host; return them, the leader first."""
        self.port += 10
        return [self._start(folder, rank) for rank in range(2)]

    def _start(self, folder, rank):
        named = ["unshare", "--uts", "sh", "-c", f'hostname {self.name(rank)} && exec "$@"', "sh"]
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name(rank), *named, sys.executable, *worker(folder)],
            env=worker_environment(BACKEND) | self._place(rank),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _place(self, rank):
        workers = [f"{self.address(one)}:{self.port + one}" for one in range(2)]
        cluster = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": rank}}
        return {
            "RANK": str(rank),
            "WORLD_SIZE": "2",
            "LOCAL_RANK": "0",
            "MASTER_ADDR": self.address(0),
            "MASTER_PORT": str(self.port),
            "CUDA_VISIBLE_DEVICES": "-1",
            "OMP_NUM_THREADS": "1",
        } | ({"TF_CONFIG": json.dumps(cluster)} if BACKEND == "tensorflow" else {})


@pytest.fixture
def hosts():
    if reason := _why_not():
        pytest.skip(reason)
    pair = Hosts()
    try:
        pair.build()
        yield pair
    finally:
        pair.remove()


def test_a_cut_link_is_noticed_and_the_run_resumes(hosts, tmp_path):
    alone = prepare(tmp_path / "alone")
    run_python(worker(alone))
    folder = prepare(tmp_path / "two", "distribution.kind=multi_worker")
    processes = hosts.start(folder)
    try:
        wait_for(folder / "checkpoint/state.npz", processes)
        hosts.cut()
        cut = time.monotonic()
        told = [process.communicate(timeout=2 * NOTICED_SECONDS)[1] for process in processes]
        noticed = time.monotonic() - cut
    finally:
        end(processes)
    assert noticed < NOTICED_SECONDS
    assert event(folder, "finished") is None
    for rank, (process, text) in enumerate(zip(processes, told, strict=True)):
        # TensorFlow has heartbeats too, which may be the first: its step fails, and that is told.
        failed = BACKEND == "tensorflow" and process.returncode == 1
        assert failed or process.returncode == LOST_PEER, text[-2000:]
        assert failed or f"process {1 - rank} of 2 was not heard for 30 s" in text
    hosts.join()
    processes = hosts.start(folder)
    try:
        told = [process.communicate(timeout=300)[1] for process in processes]
    finally:
        end(processes)
    assert [process.returncode for process in processes] == [0, 0], told
    assert event(folder, "resumed") is not None
    assert event(folder, "started")["devices"] == 2
    assert_same_model(folder, alone)


def wait_for(file, processes):
    deadline = time.monotonic() + 200
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} was not written"
        ended = [process for process in processes if process.poll() is not None]
        assert not ended, ended[0].communicate()[1][-3000:]
        time.sleep(0.01)


def end(processes):
    for process in processes:
        process.kill()
        process.communicate()
