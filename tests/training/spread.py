"""Train small tasks, spread as asked; write their weights and what was reported.

    python tests/training/spread.py FOLDER KIND DEVICES CASE...

Run by test_distribution.py, a process or several at once: what a backend has is fixed when it
starts. Without dropout and draws, every kind has to end with the weights of one device.
"""

import json
import os
import sys
from pathlib import Path

from flows.runtime import prepare_process

BACKEND = prepare_process()
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from cases import (  # noqa: E402
    colours,
    small_classifier,
    small_fcn,
    small_ssd,
    square_classes,
    squares,
)
from stops import StopAfter, StoppedError  # noqa: E402

import zoo  # noqa: E402
from zoo import training  # noqa: E402
from zoo.training.distribution import build_distribution, find_place  # noqa: E402

STEPS, PICTURES = 5, 8
SHARE = json.loads(os.environ.get("SPREAD_SHARE", "null"))  # [part, parts], not the group's


def noisy_squares():
    """Without noise the largest of four equal cells is chosen by rounding."""
    images, labels = squares(PICTURES * STEPS, seed=4)
    noise = np.random.default_rng(0).integers(0, 40, images.shape)
    return np.clip(images + noise, 0, 255).astype("uint8"), labels


def objects():
    """Pictures that differ in their positives: every third has none."""
    images, labels = noisy_squares()
    labels["labels"][::3] = -1
    return images, labels


def classes():
    """The same, half of them with pixels of no class."""
    images, labels = noisy_squares()
    maps = square_classes(labels)
    maps[::2, :40] = 255
    return images, {"segmentation": maps}


def classified():
    images, labels = colours(PICTURES * STEPS)
    return images, {"labels": labels}


def smooth_ssd(dtype="float32"):
    """Mines no negatives: where rounding differs a little, others would be mined."""
    return small_ssd(loss=zoo.losses.AnchorMeanLoss(), dtype=dtype)


def frozen_ssd():
    task = small_ssd(loss=zoo.losses.MultiBoxLoss(smooth=True), dtype="float32")
    for block in task.backbone.base_blocks + task.backbone.level_blocks:
        for norm in block.norms:
            norm.trainable = False
    return task


# TinySSD's batch norms over few cells are chaotic: at a rate of .1, weights that differ by 1e-7 at
# the start differ by 4e-4 after five steps on one device. Hence the small rates.
# name -> task, its data, rate, whether batch norms are synchronized, clipping
CASES = {
    "ssd": (frozen_ssd, objects, 0.1, False, None),
    "ssd_clipped": (frozen_ssd, objects, 0.1, False, 0.5),
    "ssd_bfloat16": (lambda: smooth_ssd("mixed_bfloat16"), objects, 2e-4, True, None),
    "ssd_norm": (smooth_ssd, objects, 2e-4, True, None),
    "classifier": (lambda: small_classifier(dtype="float32"), classified, 2e-4, True, None),
    "classifier_parts": (
        lambda: small_classifier(dtype="float32"),
        classified,
        2e-4,
        False,
        None,
    ),
    "fcn": (lambda: small_fcn(frozen_norm=True, dtype="float32"), classes, 0.02, False, None),
}


def run(name, folder, distribution, given):
    create, data, rate, synchronized, clip = CASES[name]
    # All begin as the leader does; JAX wants the same everywhere.
    keras.utils.set_random_seed(3 if BACKEND == "jax" else 3 + distribution.rank)
    events = []
    with distribution.scope():
        task = create()
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, global_clipnorm=clip)
        task.compile(optimizer=optimizer)
        distribution.attach(task, synchronized=synchronized)
        start = folder / f"{name}.start.npz"
        if given:
            with np.load(start) as file:
                task.set_weights([file[key] for key in file.files])
        elif distribution.leads:
            np.savez(start, *task.get_weights())
        x, y = data()
        part, parts = SHARE or distribution.share
        size = PICTURES // parts

        def stream(first):
            dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(PICTURES).skip(first)
            return dataset.map(
                lambda *batch: tf.nest.map_structure(
                    lambda values: values[part * size : (part + 1) * size], batch
                )
            )

        def callbacks(first):
            progress = training.ReportProgress(
                lambda kind, **fields: events.append([kind, fields["step"], fields["metrics"]]),
                batch_size=PICTURES,
                steps_per_epoch=STEPS,
                start_step=first,
                log_steps=1,
                distribution=distribution,
            )
            return [progress, Asks(distribution, x[:3]), *stops]

        stops = [StopAfter(3)] if len(sys.argv) > 5 and sys.argv[5] == "stop" else []
        try:
            training.fit(
                task,
                stream,
                steps_per_epoch=STEPS,
                epochs=1,
                checkpoint=folder / f"{name}.checkpoint.npz",
                checkpoint_steps=2,
                callbacks=callbacks,
                report=lambda *args, **fields: None,
                distribution=distribution,
            )
        except StoppedError:
            return
    np.savez(folder / f"{name}.{distribution.rank}.npz", *task.get_weights())
    if distribution.leads:
        (folder / f"{name}.json").write_text(json.dumps(events))


class Asks(keras.callbacks.Callback):
    """The leader asks a model on one device, with a number of pictures that nothing divides."""

    def __init__(self, distribution, images):
        super().__init__()
        self.distribution = distribution
        self.images = images

    def on_epoch_end(self, epoch, logs=None):
        def ask(model):
            answer = model(self.images, training=False)
            assert all(np.isfinite(keras.ops.convert_to_numpy(v)).all() for v in answer.values())

        self.distribution.settle(self.model)
        self.distribution.on_leader(self.model, ask)


if __name__ == "__main__":
    folder, kind, devices = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    names = sys.argv[4].split(",")
    # Before the processes have joined: what one of them writes the other has not been given.
    given = [(folder / f"{name}.start.npz").exists() for name in names]
    spread = build_distribution(kind, devices=devices or None)
    for name, has_start in zip(names, given, strict=True):
        run(name, folder, spread, has_start)
    print(json.dumps({"devices": spread.devices, "place": find_place().rank}))
