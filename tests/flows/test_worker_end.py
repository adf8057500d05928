"""A worker that fails ends, whatever it was about to read."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.any_backend

CRASH = """
import time
import tensorflow as tf
from flows import worker

def read(number):
    time.sleep(0.3)
    return number

def crash():
    pictures = tf.data.Dataset.range(1000).map(
        lambda number: tf.py_function(read, [number], tf.int64), num_parallel_calls=2
    )
    stream = iter(pictures.batch(2).prefetch(8))
    next(stream)
    raise RuntimeError("the disk is full")

worker.run_and_end(crash)
"""


def test_a_crash_while_pictures_are_read_ends_the_process():
    """As it stood, the interpreter waited for reads that its own end had stopped."""
    answer = subprocess.run(
        [sys.executable, "-c", CRASH], capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 1
    assert answer.stderr.rstrip().endswith("RuntimeError: the disk is full")
