"""What goes wrong when Keras alone spreads a training, and does not with a `Distribution`.

One step of least squares from zero weights moves them by the rate times the mean of 2 y x: that is
worked out here by hand. Where a test finds that Keras is right now, our own way may be too much.
"""

import json

import keras
import numpy as np
import pytest
from cases import run_python
from groups import start_group
from training.one_step import RATE, X, Y

BACKEND = keras.backend.backend()
PROGRAM = "tests/training/one_step.py"
WHOLE = (RATE * 2 * Y * X).mean(0)
HALVES = [(RATE * 2 * Y[half] * X[half]).mean(0) for half in (slice(0, 2), slice(2, 4))]
on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="a strategy of TensorFlow's")
on_torch = pytest.mark.skipif(BACKEND != "torch", reason="a group of PyTorch's")


def together(way):
    """Return what each of two processes printed; one that waits for the other is ended."""
    processes = start_group([PROGRAM, way], BACKEND)
    try:
        answers = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert all(out for out, _ in answers), answers[0][1][-2000:]
    return [json.loads(out.splitlines()[-1]) for out, _ in answers]


@on_tensorflow
def test_two_replicas_double_a_loss_reduced_by_hand_and_none_of_keras():
    answer = run_python([PROGRAM, "replicas"], CUDA_VISIBLE_DEVICES="-1").splitlines()[-1]
    np.testing.assert_allclose(json.loads(answer)["by hand"], 2 * WHOLE, rtol=1e-6)
    np.testing.assert_allclose(json.loads(answer)["by keras"], WHOLE, rtol=1e-6)


@pytest.mark.slow
@on_tensorflow
def test_fit_fails_under_tensorflow_s_strategy_of_workers():
    for answer in together("strategy"):
        assert isinstance(answer, str), f"Keras' fit works there now: {answer}"


@pytest.mark.slow
@on_torch
def test_processes_train_apart_under_fit_without_a_word():
    for answer, half in zip(together("apart"), HALVES, strict=True):
        np.testing.assert_allclose(answer, half, rtol=1e-6)


@pytest.mark.slow  # test_distribution.py has it quick
@pytest.mark.skipif(BACKEND == "jax", reason="JAX computes on the whole batch by itself")
def test_attached_processes_train_as_one_under_fit():
    for answer in together("attached"):
        np.testing.assert_allclose(answer, WHOLE, rtol=1e-6)
