"""Checkpoints that lose nothing: weights, optimizer, running metrics, seeds and position.

Keras' own `BackupAndRestore` replays an epoch from its first batch while the optimizer's iterations
stand further on. Here the position is the global step alone: the data stream, the epoch and the
schedule are functions of it.
"""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np

from zoo.training.replacing import replacing


def save_checkpoint(path, task, step) -> None:
    """Write the whole training state to `path`, atomically.

    Args:
        path: a `.npz` file; what stood there is replaced only by a complete file on disk.
        task: a compiled task whose optimizer is built.
        step: training steps done so far.
    """
    header = {"step": int(step), "backend": keras.backend.backend()}
    arrays = {"header": np.frombuffer(json.dumps(header).encode(), "uint8")}
    for group, variables in _variables(task).items():
        for index, variable in enumerate(variables):
            arrays[f"{group}/{index}"] = variable.numpy()
    with replacing(Path(path)) as file:
        np.savez(file, **arrays)


def restore_checkpoint(path, task) -> int:
    """Put the state of `save_checkpoint` back into a compiled task; return the steps done.

    Raises: ValueError if the checkpoint is damaged, or of another model, optimizer or backend.
    """
    header, arrays = _read(path)
    if header["backend"] != keras.backend.backend():
        raise ValueError(
            f"{path} was written on {header['backend']}, this process runs "
            f"{keras.backend.backend()}. Resume on the same backend, or start a new run."
        )
    for group, variables in _variables(task).items():
        _assign(path, group, variables, arrays)
    return header["step"]


class Checkpointer(keras.callbacks.Callback):
    """Save a checkpoint every so many steps and at the end of each epoch.

    The last step of an epoch is saved only when the epoch's other callbacks are done, so that a run
    killed in between repeats its evaluation rather than skip it. Put this callback last.

    Args:
        path: the checkpoint file.
        every_steps: steps between checkpoints within an epoch.
        steps_per_epoch: steps of a whole epoch.
        start_step: steps done before this call of `fit`.
        report: called as report("checkpoint", step=...) after each save.
        distribution: of the task; its leader writes.
    """

    def __init__(self, path, *, every_steps, steps_per_epoch, start_step, report, distribution):
        super().__init__()
        self.path = Path(path)
        self.every_steps = every_steps
        self.steps_per_epoch = steps_per_epoch
        self.step = start_step
        self.report = report
        self.distribution = distribution

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step % self.every_steps == 0 and self.step % self.steps_per_epoch:
            # JAX trains on copies of the variables and writes them back on request.
            if keras.backend.backend() == "jax":
                self.model.jax_state_sync()
            self._save()

    def on_epoch_end(self, epoch, logs=None):
        self._save()

    def _save(self):
        self.distribution.settle(self.model)
        with self.distribution.totals(self.model):
            if self.distribution.leads:
                save_checkpoint(self.path, self.model, self.step)
        self.report("checkpoint", step=self.step)


class RestoreMetrics(keras.callbacks.Callback):
    """Give an epoch that resumes in the middle the running metrics of its first part.

    `fit` resets them when it starts an epoch; this puts the checkpoint's values back, once.
    """

    def __init__(self, path, distribution):
        super().__init__()
        self.path = path
        self.distribution = distribution

    def on_epoch_begin(self, epoch, logs=None):
        _, arrays = _read(self.path)
        _assign(self.path, "metrics", self.model.metrics_variables, arrays)
        self.distribution.take_totals(self.model)


def _read(path):
    """Return the header and the arrays of a checkpoint, having checked that it is whole."""
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        return json.loads(arrays.pop("header").tobytes()), arrays
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is damaged or no checkpoint of ours. Delete it to train from the start."
        ) from error


def _variables(task):
    return {
        "trainable": task.trainable_variables,
        "non_trainable": task.non_trainable_variables,
        "optimizer": task.optimizer.variables,
        "metrics": task.metrics_variables,
    }


def _assign(path, group, variables, arrays):
    stored = sum(name.startswith(f"{group}/") for name in arrays)
    if stored != len(variables):
        raise ValueError(
            f"{path} holds {stored} {group} variables, this model has {len(variables)}. "
            "Was the config changed since the run began?"
        )
    for index, variable in enumerate(variables):
        value = arrays[f"{group}/{index}"]
        if value.shape != tuple(variable.shape):
            raise ValueError(
                f"{path} holds {value.shape} for {variable.path}, this model has "
                f"{tuple(variable.shape)}. Was the config changed since the run began?"
            )
        variable.assign(value)
