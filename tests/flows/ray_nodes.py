"""A Ray cluster of two nodes on this machine's loopback, one of which can be killed."""

import os
import signal
import time
from contextlib import contextmanager

import psutil

# Read when Ray is imported: nodes on 127.0.0.1 alone, nothing listens elsewhere.
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
_NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "node_ip_address": "127.0.0.1"}


class TwoNodes:
    """A head and a second node, with a processor each.

    Args:
        cluster: of `ray.cluster_utils`.
    """

    def __init__(self, cluster):
        self.address = cluster.address
        self._cluster = cluster
        self._second = cluster.add_node(**_NODE)
        (raylet,) = self._second.all_processes["raylet"]
        self._raylet = psutil.Process(raylet.process.pid)

    def wait_for_process(self, words, seconds=300):
        """Return a process below the second node whose command line has the words."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for process in self._raylet.children(recursive=True):
                try:
                    if words in " ".join(process.cmdline()):
                        return process
                except psutil.NoSuchProcess:
                    continue
            time.sleep(0.1)
        raise AssertionError(f"no process {words!r} on the second node")

    def kill(self):
        """Kill the second node with all that runs on it, as a machine's end would."""
        family = self._raylet.children(recursive=True)
        for process in [self._raylet, *family]:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        self._cluster.remove_node(self._second, allow_graceful=False)


@contextmanager
def two_nodes(folder, monkeypatch):
    """Yield a running cluster; its files go to `folder`, whose path must be short."""
    for name, value in LOOPBACK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    os.makedirs(folder / "ray", exist_ok=True)
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=_NODE | {"include_dashboard": False})
    try:
        yield TwoNodes(cluster)
    finally:
        cluster.shutdown()
