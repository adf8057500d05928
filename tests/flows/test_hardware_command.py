"""`zoo doctor --hardware` from a shell: a config, a preset, and what cannot be measured."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from PIL import Image

from flows.runtime import worker_environment

ROOT = Path(__file__).parents[2]
BACKEND = keras.backend.backend()


def zoo(*arguments, cwd):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", "doctor", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        cwd=cwd,
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The report of the smallest config on the running backend."""
    place = tmp_path_factory.mktemp("hardware")
    config = str(ROOT / "configs" / "smoke.yaml")
    options = ["--hardware", "--model", config, "--backend", BACKEND, "--out", "report", "--json"]
    done = zoo(*options, cwd=place)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), place / "report"


@pytest.mark.slow
def test_the_report_holds_together(measured):
    report, _ = measured
    step, roof = report["step"], report["roofline"]
    assert report["rates"]["backend"] == BACKEND
    assert (step["pictures"], step["dtype"]) == (8, "float32")
    # TinySSD of 64x64 pixels: the same on every backend.
    assert (step["forward_operations"], step["operations"]) == (977_043_456, 2_902_818_816)
    assert roof["intensity"] == pytest.approx(step["operations"] / step["bytes"])
    assert roof["achieved"] == pytest.approx(step["operations"] / step["seconds"])
    assert roof["fraction"] == pytest.approx(roof["achieved"] / roof["limit"])
    assert report["pipeline"]["step"] == pytest.approx(8 / step["seconds"])
    assert report["pipeline"]["alone"] > 0
    assert {"float32", "bfloat16"} <= set(report["rates"]["matrix"])


@pytest.mark.slow
def test_the_files_are_kept_where_asked(measured):
    report, folder = measured
    assert json.loads((folder / "hardware.json").read_text()) == report
    assert Image.open(folder / "roofline.png").size == (800, 500)


@pytest.mark.slow
@pytest.mark.any_backend
@pytest.mark.parametrize("preset", ["classifier", "fcn_resnet18", "mask_rcnn", "fast_style"])
def test_presets_of_every_kind_have_a_step(preset, tmp_path):
    from flows.worker_process import run_verb

    run_verb("hardware", ["--preset", preset, "--out", str(tmp_path)], backend="torch")
    report = json.loads((tmp_path / "hardware.json").read_text())
    assert report["step"]["operations"] > 1e9
    assert report["step"]["uncounted"] == []


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hardware", "--model", "tiny_sd"], "'tiny_sd' is none; did you mean tiny_ssd?"),
        (["--hardware", "--model", "no.yaml"], "no.yaml: no such config"),
        (["--hardware", "--out", "taken"], "--out taken: cannot be a folder"),
        (["--hardware", "--backend", "theano"], "backend must be one of auto"),
        (["--model", "tiny_ssd"], "--model belongs to --hardware"),
    ],
)
@pytest.mark.slow
def test_the_users_mistakes_are_a_line_and_exit_code_2(options, message, tmp_path):
    (tmp_path / "taken").touch()
    done = zoo(*options, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert message in lines[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.any_backend
def test_a_preset_without_a_training_step_is_refused(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "flows.worker", "hardware", "--preset", "style_transfer"]
        + ["--out", str(tmp_path)],
        env=worker_environment("tensorflow") | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("preset style_transfer has no training step")
