"""What a machine is, read from files of the kernel and from the driver."""

import json
import os

import psutil
import pytest

from flows import machine

pytestmark = pytest.mark.any_backend


def cache(folder, core, index, **facts):
    place = folder / f"cpu{core}" / "cache" / f"index{index}"
    place.mkdir(parents=True)
    for name, value in facts.items():
        (place / name).write_text(f"{value}\n")


@pytest.fixture
def kernel(tmp_path):
    """Two cores, each with caches of its own, and one that both share."""
    for core in (0, 1):
        own = {"shared_cpu_list": core}
        cache(tmp_path, core, 0, level=1, type="Data", size="32K", **own)
        cache(tmp_path, core, 2, level=2, type="Unified", size="1024K", **own)
        cache(tmp_path, core, 3, level=3, type="Unified", size="32M", shared_cpu_list="0-1")
    return tmp_path


def test_shared_caches_count_once(kernel):
    assert machine.caches(kernel) == [
        {"level": 1, "kind": "Data", "bytes": 32 * 2**10, "count": 2},
        {"level": 2, "kind": "Unified", "bytes": 2**20, "count": 2},
        {"level": 3, "kind": "Unified", "bytes": 32 * 2**20, "count": 1},
    ]
    assert machine.last_caches(machine.caches(kernel)) == [32 * 2**20]


def test_a_cache_whose_size_is_not_told_is_left_out(kernel):
    (kernel / "cpu0/cache/index0/size").unlink()
    (kernel / "cpu1/cache/index0/size").write_text("unknown")
    assert [one["level"] for one in machine.caches(kernel)] == [2, 3]


def test_without_the_kernels_files_nothing_is_known(tmp_path):
    assert machine.caches(tmp_path) == []
    assert machine.last_caches([]) == []


def test_the_machine_is_described():
    facts = machine.describe("tensorflow")
    assert facts["cores_logical"] == psutil.cpu_count()
    assert 1 <= facts["cores_usable"] <= facts["cores_logical"]
    assert 0 < facts["memory_available"] <= psutil.virtual_memory().total
    assert json.loads(json.dumps(facts)) == facts


def test_a_containers_limit_is_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CGROUP", tmp_path / "memory.max")
    (tmp_path / "memory.max").write_text("1073741824\n")
    assert machine.memory() == 2**30
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.memory() == psutil.virtual_memory().total


def test_accelerators_are_what_the_driver_reports(tmp_path, monkeypatch):
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 'NVIDIA A100, 40960'\necho 'a line of another kind'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert machine.accelerators() == [{"name": "NVIDIA A100", "memory": 40960 * 2**20}]


def test_without_a_driver_there_are_no_accelerators(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert machine.accelerators() == []


def test_what_changes_the_rates_changes_the_fingerprint(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = machine.fingerprint("tensorflow")
    assert machine.fingerprint("tensorflow") == before
    assert machine.fingerprint("torch") != before
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert machine.fingerprint("tensorflow") != before


def test_only_what_others_take_of_our_cores_counts(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2}, raising=False)
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval, percpu: [50.0, 100.0, 10.0, 80.0])
    assert machine.busy() == pytest.approx(0.3)
