"""Learn a handful of bananas by heart with plain Keras, and publish the model: seconds on a CPU.

Not a detector for other pictures: `zoo train configs/tiny_ssd_bananas.yaml` trains one.
"""

from pathlib import Path

from flows.runtime import prepare_process

prepare_process()  # before Keras and TensorFlow; the backend of KERAS_BACKEND, or the fastest

import keras

import zoo
from zoo.data import build_pipeline, load_source

keras.utils.set_random_seed(0)
source = load_source("bananas", train_size=4, val_size=1)  # painted on this machine, once
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
history = task.fit(batches, epochs=6, steps_per_epoch=10, shuffle=False, verbose=0)
print("loss", [round(loss, 2) for loss in history.history["loss"]])

task.publish("few_bananas.keras")  # uncompiled: opens on every backend
_, picture, truth = source.ground_truth("train", limit=1)[0]
Path("banana.jpg").write_bytes(picture)
print("wrote few_bananas.keras and banana.jpg, whose banana is at", truth.boxes[0].round().tolist())
