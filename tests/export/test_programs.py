"""Programs answer as their models do, in a fresh process of their own runtime."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from cases import (
    small_classifier,
    small_fast_rcnn,
    small_faster_rcnn,
    small_fcn,
    small_mask_rcnn,
    small_rcnn,
    small_ssd,
    small_yolo,
    squares,
)

import zoo
from flows.export_check import compare
from flows.export_formats import DESCRIPTION, FORMATS
from flows.program_process import ExportError, ask_program
from zoo.export import FORMATS as WRITERS
from zoo.export import (
    fitting_of,
    named_outputs,
    open_exported,
    runtimes,
    signature_of,
    write_program,
)

BACKEND = keras.backend.backend()
HERE = [name for name, one in FORMATS.items() if one.backend == BACKEND]
PICTURES = list(squares(4, seed=7)[0])


def undecided_ssd():
    """A detector whose scores are all the same: which boxes it keeps is a matter of their order."""
    task = small_ssd()
    for weight in task.trainable_weights:
        if "class" in weight.path:
            weight.assign(np.zeros(weight.shape))
    return task


MODELS = {
    "classifier": small_classifier,
    "ssd": small_ssd,
    "undecided_ssd": undecided_ssd,
    "yolo": lambda: small_yolo(score_threshold=0.0),
    "fcn": small_fcn,
    "faster_rcnn": small_faster_rcnn,
    "mask_rcnn": small_mask_rcnn,
    "rcnn": small_rcnn,
    "fast_rcnn": small_fast_rcnn,
    "fast_style": lambda: zoo.create(
        "fast_style", filters=4, residual_blocks=1, image_size=64, style=None
    ),
}
QUICK = {("torch", "classifier"), ("litert", "classifier")}


def cases():
    for format in HERE:
        for model in MODELS:
            slow = () if (format, model) in QUICK else pytest.mark.slow
            yield pytest.param(format, model, marks=slow)


def write(task, format, folder, **options):
    """Write a program; return its signature and what it is asked about `PICTURES`."""
    for module in FORMATS[format].modules:
        pytest.importorskip(module)
    signature = signature_of(task)
    write_program(task, signature, format, folder, source={}, **options)
    fitting = fitting_of(task, signature)
    rows = [fitting.inputs(picture)[0] for picture in PICTURES]
    return signature, {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def ask(task, signature, inputs):
    outputs = task.predict_on_batch(inputs if len(inputs) > 1 else inputs["images"])
    return named_outputs(signature, outputs)


@pytest.mark.parametrize(("format", "model"), cases())
def test_a_program_answers_as_its_model_does(format, model, tmp_path):
    keras.utils.set_random_seed(1)
    task = MODELS[model]()
    signature, inputs = write(task, format, tmp_path)
    found, _ = ask_program(tmp_path, inputs)
    size = signature.inputs["images"].shape[1:3]
    agreed = compare(task.kind, ask(task, signature, inputs), found, size)
    assert agreed.same, agreed.told
    assert agreed.compared


@pytest.mark.skipif(not HERE, reason="no format is written on this backend")
def test_an_exported_program_is_asked_like_a_task(tmp_path):
    format = "torch" if BACKEND == "torch" else "saved_model"
    keras.utils.set_random_seed(1)
    task = small_classifier()
    write(task, format, tmp_path)
    exported = open_exported(tmp_path)
    pictures = [np.zeros((20, 30, 3), np.uint8), *PICTURES]
    for found, wanted in zip(exported.classify(pictures), task.classify(pictures), strict=True):
        np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-5)
    with pytest.raises(ValueError, match="a program of classification"):
        exported.detect(pictures)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "torch", reason="a format of PyTorch's")
def test_detections_come_back_in_the_pictures_own_pixels(tmp_path):
    keras.utils.set_random_seed(1)
    task = small_mask_rcnn(resize="letterbox")
    write(task, "torch", tmp_path)
    picture = np.random.default_rng(0).integers(0, 255, (90, 50, 3), np.uint8)
    (found,), (wanted,) = open_exported(tmp_path).detect(picture), task.detect(picture)
    assert len(wanted)
    np.testing.assert_allclose(found.boxes, wanted.boxes, atol=1e-2)
    np.testing.assert_array_equal(found.labels, wanted.labels)
    assert (found.masks == wanted.masks).mean() > 0.99


@pytest.mark.any_backend
def test_opening_a_program_imports_no_keras():
    """Its file alone, as a copy of it would be."""
    program = (
        "import sys, importlib.util as u; s = u.spec_from_file_location('r', sys.argv[1]);"
        "m = u.module_from_spec(s); s.loader.exec_module(m); m.RUNTIMES;"
        "print(sorted({'keras', 'zoo', 'tensorflow', 'torch'} & set(sys.modules)))"
    )
    command = [sys.executable, "-P", "-c", program, runtimes.__file__]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.any_backend
def test_a_program_without_its_description_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no export; expected a folder with zoo_export\.json"):
        open_exported(tmp_path / "model.onnx")


@pytest.mark.any_backend
def test_a_broken_program_is_told_in_a_line(tmp_path):
    pytest.importorskip("onnxruntime")
    description = {"format": "onnx", "program": "model.onnx"}
    (tmp_path / DESCRIPTION).write_text(json.dumps(description))
    (tmp_path / "model.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(ExportError, match=r"its runtime cannot run the program \(exit code 1\): "):
        ask_program(tmp_path, {"images": np.zeros((1, 8, 8, 3), np.uint8)})


@pytest.mark.any_backend
def test_both_sides_know_the_same_formats():
    assert list(FORMATS) == list(WRITERS)
    assert set(FORMATS) == set(runtimes.RUNTIMES)
    assert {name: one.int8 for name, one in FORMATS.items()} == {
        name: one.int8 for name, one in WRITERS.items()
    }
    assert DESCRIPTION == runtimes.DESCRIPTION


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "torch", reason="a format of PyTorch's worker")
@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_a_quantised_program_is_smaller_and_finds_nearly_the_same(format, tmp_path):
    keras.utils.set_random_seed(1)
    task = small_classifier()
    rows = [{"images": picture[:32, :32]} for picture in PICTURES]
    for name, calibration in (("float32", None), ("int8", rows)):
        (tmp_path / name).mkdir()
        signature, inputs = write(task, format, tmp_path / name, calibration=calibration)
    sizes = {
        name: sum(file.stat().st_size for file in (tmp_path / name).iterdir())
        for name in ("float32", "int8")
    }
    assert sizes["int8"] < sizes["float32"] / 2
    found, _ = ask_program(tmp_path / "int8", inputs)
    wanted = ask(task, signature, inputs)
    difference = np.abs(found["probabilities"] - wanted["probabilities"]).max()
    assert 1e-5 < difference < 0.1  # eight bits, and not those of float32
