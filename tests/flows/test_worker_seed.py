"""What a worker draws is a function of its seed, whatever reading the data drew before."""

import random

import keras
import pytest

from flows import build, worker
from flows.config import dump_config, load_config
from flows.runtime import UserError

pytestmark = pytest.mark.any_backend


def first_draw(folder, monkeypatch, reads):
    """Return the number from which the first layer's seed would be made; `reads` draws before."""
    folder.mkdir()
    config = load_config("configs/smoke.yaml", backend=keras.backend.backend())
    (folder / "config.yaml").write_text(dump_config(config))
    drawn = []

    def build_source(*_):
        for _ in range(reads):
            random.random()

    def build_task(*_):
        drawn.append(random.random())
        raise UserError("enough")

    monkeypatch.setattr(build, "build_source", build_source)
    monkeypatch.setattr(build, "build_task", build_task)
    assert worker.main(["train", str(folder)]) == 2
    return drawn


def test_weights_do_not_depend_on_whether_the_data_were_made_or_found(tmp_path, monkeypatch):
    """Of two processes one paints the data, and JAX's have to begin with the same weights."""
    found = first_draw(tmp_path / "found", monkeypatch, reads=0)
    assert first_draw(tmp_path / "made", monkeypatch, reads=3) == found
