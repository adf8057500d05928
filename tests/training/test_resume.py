"""A run that was stopped anywhere ends as one that was not.

The model has what makes resuming hard: dropout (a seed that moves on), batch norm (statistics),
Adam (moments, iterations), a schedule, and metrics that run over an epoch.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from stops import StopAfter, StoppedError

from zoo import training
from zoo.training.checkpoint import restore_checkpoint, save_checkpoint

STEPS, EPOCHS, BATCH = 5, 3, 4


@keras.saving.register_keras_serializable(package="zoo_tests")
class Regressor(keras.Model):
    def __init__(self, units=6):
        super().__init__()
        self.hidden = keras.layers.Dense(units)
        self.norm = keras.layers.BatchNormalization()
        self.dropout = keras.layers.Dropout(0.5, seed=3)
        self.out = keras.layers.Dense(1)
        self.error = keras.metrics.Mean(name="error")
        self.build((None, 3))

    def build(self, shape):
        self.hidden.build(shape)
        self.norm.build((None, self.hidden.units))
        self.out.build((None, self.hidden.units))
        self.built = True

    def call(self, x, training=False):
        hidden = self.norm(self.hidden(x), training=training)
        return self.out(self.dropout(ops.relu(hidden), training=training))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        error = ops.abs(y_pred - y)
        self.error.update_state(error)
        return ops.mean(ops.square(y_pred - y))


def fresh_task(units=6):
    keras.utils.set_random_seed(1)
    task = Regressor(units)
    task.compile(
        optimizer=training.build_optimizer(
            "adamw",
            learning_rate=0.05,
            total_steps=STEPS * EPOCHS,
            schedule="cosine",
            warmup_steps=3,
            weight_decay=0.01,
        )
    )
    return task


def stream(start):
    """All batches from a global step on; the order of an epoch is its own."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(STEPS * BATCH, 3)).astype("float32")
    rows = np.concatenate(
        [np.random.default_rng(epoch).permutation(len(x)) for epoch in range(EPOCHS)]
    )[start * BATCH :]
    y = x.sum(1, keepdims=True)
    return tf.data.Dataset.from_tensor_slices((x[rows], y[rows])).batch(BATCH)


class StopInEvaluation(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise StoppedError


def run(folder, *extra, every=2):
    """Train in fresh objects until the end or a stop; return the task and what was reported."""
    events = []

    def report(kind, **fields):
        events.append((kind, fields))

    def callbacks(start):
        progress = training.ReportProgress(
            report, batch_size=BATCH, steps_per_epoch=STEPS, start_step=start, log_steps=1
        )
        return [progress, *extra]

    task = fresh_task()
    try:
        training.fit(
            task,
            stream,
            steps_per_epoch=STEPS,
            epochs=EPOCHS,
            checkpoint=folder / "state.npz",
            checkpoint_steps=every,
            callbacks=callbacks,
            report=report,
        )
    except StoppedError:
        events.append(("stopped", {}))
    return task, events


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return run(tmp_path_factory.mktemp("uninterrupted"))


def assert_same_state(task, expected):
    for got, wanted in zip(task.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(got, wanted)
    for got, wanted in zip(task.optimizer.variables, expected.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(got), ops.convert_to_numpy(wanted))


def figures(events, kind):
    """{step: metrics} without the speed, the last report of a step winning."""
    reports = [fields for name, fields in events if name == kind]
    return {
        fields["step"]: {k: v for k, v in fields["metrics"].items() if "per_second" not in k}
        for fields in reports
    }


def test_it_trains_every_step_once(uninterrupted):
    task, events = uninterrupted
    assert int(task.optimizer.iterations) == STEPS * EPOCHS
    assert list(figures(events, "step")) == list(range(1, STEPS * EPOCHS + 1))
    assert list(figures(events, "epoch")) == [5, 10, 15]


def test_the_stream_is_consumed_from_its_first_batch():
    # A trainer that peeked at a batch to build itself would shift the rest.
    seen = []

    class Watch(Regressor):
        def compute_loss(self, x=None, *args, **kwargs):
            seen.append(np.array(ops.convert_to_numpy(x)))
            return super().compute_loss(x, *args, **kwargs)

    task = Watch()
    task.compile(optimizer="sgd", run_eagerly=True)
    task.fit(stream(2), steps_per_epoch=3, epochs=1, verbose=0)
    expected = [batch.numpy() for batch, _ in stream(2).take(3)]
    np.testing.assert_array_equal(seen[-3:], expected)


# Steps are counted in each process. With checkpoints after steps 2, 4 and each epoch these stops
# fall: before the first checkpoint, behind one by a step, right on one, at an epoch's end (whose
# step is not saved before its callbacks are done), and in a later epoch.
@pytest.mark.parametrize("stops", [[2], [5], [1, 3, 4]], ids=str)
def test_a_stopped_run_ends_with_the_same_weights_bit_for_bit(stops, uninterrupted, tmp_path):
    events = []
    for batches in stops:
        _, told = run(tmp_path, StopAfter(batches))
        assert told[-1] == ("stopped", {})
        events += told
    task, told = run(tmp_path)
    expected, expected_events = uninterrupted
    # Observed on TensorFlow, JAX and PyTorch on CPUs alike: not one bit differs.
    assert_same_state(task, expected)
    for kind in ("step", "epoch"):
        got, wanted = figures(events + told, kind), figures(expected_events, kind)
        assert sorted(got) == list(wanted)
        for step, metrics in wanted.items():
            # A step's loss is a difference of running sums in float32.
            assert got[step] == pytest.approx(metrics, rel=1e-5, abs=1e-6), (kind, step)


def test_a_run_stopped_in_an_epochs_evaluation_repeats_it(uninterrupted, tmp_path):
    run(tmp_path, StopInEvaluation())
    task, events = run(tmp_path)
    assert events[0] == ("resumed", {"step": 4})
    assert 5 in figures(events, "epoch")
    assert_same_state(task, uninterrupted[0])


def test_a_finished_run_trains_no_more(tmp_path):
    task, _ = run(tmp_path)
    again, events = run(tmp_path)
    assert events == [("resumed", {"step": STEPS * EPOCHS})]
    assert_same_state(again, task)


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint after two steps, and the task as it was then."""
    run(tmp_path, StopAfter(3))
    task = fresh_task()
    task.optimizer.build(task.trainable_variables)
    path = tmp_path / "state.npz"
    assert restore_checkpoint(path, task) == 2
    return path, task


def restored(path, task=None):
    task = task or fresh_task()
    task.optimizer.build(task.trainable_variables)
    return restore_checkpoint(path, task), task


def test_a_write_that_dies_leaves_the_checkpoint_before(checkpoint, monkeypatch):
    path, task = checkpoint
    whole = np.savez

    def dies_half_way(file, **arrays):
        whole(file, **dict(list(arrays.items())[:3]))
        raise OSError("killed")

    monkeypatch.setattr(np, "savez", dies_half_way)
    with pytest.raises(OSError, match="killed"):
        save_checkpoint(path, task, step=7)
    step, twin = restored(path)
    assert step == 2
    assert_same_state(twin, task)


def test_a_partial_file_is_never_read(checkpoint):
    path, _ = checkpoint
    path.with_suffix(".partial").write_bytes(b"torn")
    assert restored(path)[0] == 2


@pytest.mark.parametrize("content", [b"", b"no archive", None], ids=["empty", "text", "truncated"])
def test_a_damaged_checkpoint_is_refused(checkpoint, content):
    path, _ = checkpoint
    path.write_bytes(path.read_bytes()[:-600] if content is None else content)
    with pytest.raises(ValueError, match=r"state\.npz.*is damaged.*[Dd]elete it"):
        restored(path)


def test_a_checkpoint_without_our_header_is_refused(checkpoint):
    path, _ = checkpoint
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(ValueError, match="is damaged"):
        restored(path)


def test_a_checkpoint_of_another_backend_is_refused(checkpoint, monkeypatch):
    path, _ = checkpoint
    mine = keras.backend.backend()
    monkeypatch.setattr(keras.backend, "backend", lambda: "abacus")
    with pytest.raises(ValueError, match=f"written on {mine}, this process runs abacus"):
        restored(path)


def test_a_checkpoint_of_other_shapes_is_refused(checkpoint):
    with pytest.raises(ValueError, match=r"\(3, 6\).*\(3, 9\).*config changed"):
        restored(checkpoint[0], fresh_task(units=9))


def test_a_checkpoint_of_another_optimizer_is_refused(checkpoint):
    task = Regressor()
    task.compile(optimizer="sgd")
    with pytest.raises(ValueError, match=r"optimizer variables.*config changed"):
        restored(checkpoint[0], task)
