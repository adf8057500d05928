"""The report of a step whose figures are known: its arithmetic, files and tables."""

import time

import pytest
from PIL import Image

from flows import hardware_report
from flows.hardware_tables import layer_rows, machine_rows, step_rows
from zoo.hardware import LayerWork, StepWork

pytestmark = pytest.mark.any_backend

# 100 Gop/s in float32, 200 in bfloat16, 10 GB/s.
RATES = {
    "backend": "tensorflow",
    "devices": ["cpu:0"],
    "measured": time.time(),
    "busy": 0.0,
    "matrix": {
        "float32": {"operations_per_second": 1e11, "side": 512},
        "bfloat16": {"operations_per_second": 2e11, "side": 512},
        "int8": None,
    },
    "memory": {"bytes_per_second": 1e10, "working_set": 2**28},
    "copy": {"bytes_per_second": None, "bytes": 2**26},
}


def layer(name, *, operations, moved, dtype="bfloat16", passes=1):
    return LayerWork(name, "Conv2D", dtype, operations, moved, 0.0, passes)


# 3 x 8 and 1 x 1 Gop in 3 x .1 and 1 x 1 GB; .2 GB of the optimizer.
WORK = StepWork(
    pictures=4,
    layers=(
        layer("conv", operations=8e9, moved=1e8, passes=3),
        layer("norm", operations=1e9, moved=1e9),
    ),
    optimizer_bytes=2e8,
)


def report(**changes):
    known = {"seconds": 0.5, "pipeline": 20.0} | changes
    return hardware_report.describe(RATES, WORK, **known)


def test_the_figures_are_those_of_the_roofline():
    roof = report()["roofline"]
    assert (roof["peak"], roof["bandwidth"], roof["ridge"]) == (2e11, 1e10, 20.0)
    assert roof["intensity"] == pytest.approx(25e9 / 1.5e9)
    assert roof["limit"] == pytest.approx(25e9 / 1.5e9 * 1e10)
    assert roof["bound"] == "memory bandwidth"
    assert roof["achieved"] == 5e10
    assert roof["fraction"] == pytest.approx(0.3)
    assert roof["least_seconds"] == pytest.approx(0.15)
    # 24 Gop at 200 and 1 GB at 10, then the optimizer's .2 GB.
    assert roof["least_seconds_by_layers"] == pytest.approx(0.12 + 0.1 + 0.02)


def test_the_layer_that_takes_longest_comes_first():
    rows = report()["layers"]
    assert [(row["name"], row["bound"]) for row in rows] == [
        ("conv", "compute"),
        ("norm", "memory bandwidth"),
    ]
    assert [row["least_seconds"] for row in rows] == pytest.approx([0.12, 0.1])


def test_figures_of_a_run_are_metrics_and_facts():
    told = hardware_report.metrics(report())
    assert told["hardware/achieved_fraction"] == pytest.approx(0.3)
    assert told["hardware/operations_per_step"] == 25e9
    assert told["hardware/bytes_per_step"] == pytest.approx(1.5e9)
    assert told["hardware/step_pictures_per_second"] == 8.0
    assert told["hardware/pipeline_pictures_per_second"] == 20.0
    facts = hardware_report.facts(report())
    assert (facts["bound"], facts["dtype"], facts["devices"]) == ("memory bandwidth", "bfloat16", 1)
    assert facts["feeding"].startswith("fed")


def test_a_run_of_one_step_has_no_fraction():
    told = hardware_report.metrics(report(seconds=None))
    assert "hardware/achieved_fraction" not in told
    assert told["hardware/intensity"] == pytest.approx(25e9 / 1.5e9)
    assert report(seconds=None)["pipeline"]["verdict"] == "unknown"


def test_logical_devices_share_the_ceilings_of_their_cpu():
    spread = report(devices=2, logical=2)
    assert spread["roofline"]["peak"] == 1e11
    assert spread["roofline"]["bandwidth"] == 5e9
    assert spread["roofline"]["fraction"] == pytest.approx(0.6)
    assert spread["pipeline"]["step"] == 2 * 4 / 0.5  # of both


def test_a_pipeline_as_slow_as_the_step_starves_the_device():
    assert report(pipeline=8.0)["pipeline"]["verdict"].startswith("starving")


def test_report_and_picture_are_written_whole(tmp_path):
    hardware_report.write(report(), tmp_path)
    hardware_report.write_picture(report(), tmp_path, title="a step")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hardware.json", "roofline.png"]
    assert hardware_report.read(tmp_path)["roofline"]["fraction"] == pytest.approx(0.3)
    assert Image.open(tmp_path / "roofline.png").size == (800, 500)


def test_a_folder_without_a_report_has_none(tmp_path):
    assert hardware_report.read(tmp_path) is None


def test_a_person_reads_the_machine():
    shown = dict(machine_rows(report()))
    assert shown["matrices, bfloat16"] == "200 GFLOP/s (side 512)"
    assert shown["matrices, int8"] == "not done by this backend"
    assert shown["memory bandwidth"] == "10 GB/s (triad over 256 MiB)"
    assert shown["host to device"].startswith("none")
    assert "NOT IDLE" not in shown["measured"]


def test_a_person_reads_the_step():
    shown = dict(step_rows(report()))
    assert shown["operations"] == "25 GFLOP, 36 % of them forward"
    assert shown["bound by"] == "memory bandwidth (bfloat16)"
    assert shown["of the limit"] == "30.0 %"
    assert shown["the device is"].startswith("fed")
    assert layer_rows(report())[0][:4] == ["conv", "Conv2D", 3, 24.0]


def test_more_than_the_limit_is_doubted():
    assert "too low" in dict(step_rows(report(seconds=0.05)))["of the limit"]


def test_the_machine_alone_has_no_step(tmp_path):
    alone = hardware_report.describe(RATES, None, seconds=None, pipeline=None)
    assert "step" not in alone
    hardware_report.write_picture(alone, tmp_path, title="tensorflow")
    assert (tmp_path / "roofline.png").exists()
