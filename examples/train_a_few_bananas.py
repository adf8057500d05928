"""Learn a handful of bananas by heart with plain Keras: seconds on a CPU.

Not a detector for other pictures, which configs/tiny_ssd_bananas.yaml trains.
"""

from pathlib import Path

from flows.runtime import prepare_process

prepare_process()  # before Keras; the backend of KERAS_BACKEND, or the fastest

import keras

import zoo
from zoo.data import build_pipeline, load_source

keras.utils.set_random_seed(0)
source = load_source("bananas", train_size=4, val_size=1)  # painted here, once
task = zoo.create("tiny_ssd", class_names=source.class_names, image_size=96)
batches = build_pipeline(
    source,
    "train",
    task.image_converter,
    batch_size=4,
    max_boxes=4,
    training=True,
    epochs=60,
    cache=True,
)
task.compile(optimizer=keras.optimizers.AdamW(0.004))
history = task.fit(
    batches,
    epochs=6,
    steps_per_epoch=10,
    shuffle=False,  # the pipeline has done so
    verbose=0,
)
print("loss", [round(loss, 2) for loss in history.history["loss"]])

task.publish("few_bananas.keras")  # uncompiled: opens on every backend
_, picture, truth = next(source.ground_truth("train", limit=1))
Path("banana.jpg").write_bytes(picture)
print("banana.jpg has its banana at", truth.boxes[0].round().tolist())
