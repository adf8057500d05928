"""A short run of a worker, for comparing what became of it."""

import keras
import numpy as np

import zoo
from flows.config import dump_config, load_config
from flows.journal import last_event, read_journal

BACKEND = keras.backend.backend()
CHANGES = [
    "train.optimizer={name: sgd, learning_rate: 1.0e-4, momentum: 0.9}",
    "distribution.synchronized=true",
]


def prepare(folder, *changes):
    """Make the folder of a run that one worker or several may train."""
    folder.mkdir()
    config = load_config("configs/smoke.yaml", [*CHANGES, *changes], backend=BACKEND)
    (folder / "config.yaml").write_text(dump_config(config))
    return folder


def worker(folder):
    """Return the interpreter's arguments."""
    return ["-m", "flows.worker", "train", str(folder)]


def event(folder, kind):
    """Return the last event of a kind in a run's journal, or None."""
    return last_event(read_journal(folder / "journal.jsonl"), kind)


def assert_same_model(folder, other):
    """Compare the published weights of two runs."""
    ours, theirs = (zoo.load(one / "model.keras").get_weights() for one in (folder, other))
    for got, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(got, wanted, atol=2e-5)
