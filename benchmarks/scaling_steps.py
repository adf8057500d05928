"""A training of `benchmarks/scaling.py`: so many steps, timed, spread as asked.

    python benchmarks/scaling_steps.py MODEL KIND DEVICES BATCH STEPS

With the kind multi_worker it starts a process a device, each held to a core of its own, and waits
for them. The leader prints one line of JSON: the seconds of each step, the gradients' bytes, what
went over the loopback device meanwhile, and how long the sum of the gradients takes alone.
"""

import json
import os
import subprocess
import sys
import time

MODELS = ("tiny_ssd", "resnet18")
SIDES = {"tiny_ssd": 128, "resnet18": 64}
WARM_UP = 3
_SUMS = 7  # of the gradients alone


def main(arguments):
    """Train, or start the processes that do."""
    model, kind, devices, batch, steps = arguments[0], arguments[1], *map(int, arguments[2:])
    if kind == "multi_worker" and "RANK" not in os.environ:
        return start_group(arguments, devices)
    cores = sorted(os.sched_getaffinity(0))
    if kind == "multi_worker":
        os.sched_setaffinity(0, {cores[int(os.environ["RANK"]) % len(cores)]})
    else:
        os.sched_setaffinity(0, set(cores[:devices]))
    train(model, kind, devices, batch, steps)
    return 0


def start_group(arguments, devices):
    from flows.group import places

    command = [sys.executable, __file__, *arguments]
    processes = [subprocess.Popen(command, env=os.environ | place) for place in places(devices)]
    codes = [process.wait() for process in processes]
    return max(abs(code) for code in codes)


def train(model, kind, devices, batch, steps):
    from flows.runtime import prepare_process

    backend = prepare_process()
    import keras
    import numpy as np

    from zoo.training.distribution import build_distribution

    keras.utils.set_random_seed(0)  # JAX's processes have to begin alike by themselves
    of_process = None if kind in ("none", "multi_worker") else devices
    distribution = build_distribution(kind, devices=of_process)
    assert distribution.devices == devices, distribution.devices
    here = of_process or 1
    with distribution.scope():
        task, data = build(model, batch // distribution.size)
        task.compile(optimizer=keras.optimizers.SGD(1e-3))
        distribution.attach(task)
        timer = make_timer(keras, WARM_UP)
        task.fit(data, steps_per_epoch=WARM_UP + steps, shuffle=False, verbose=0, callbacks=[timer])
    size = sum(int(np.prod(v.shape)) for v in task.trainable_variables) * 4  # float32
    alone = sum_alone(distribution, size) if backend != "jax" and kind == "multi_worker" else None
    if distribution.leads:
        told = {"step_seconds": timer.seconds, "cpu_seconds": timer.cpu_seconds / here}
        told |= {"gradient_bytes": size, "sum_seconds": alone, "loopback_bytes": timer.bytes}
        print(json.dumps(told), flush=True)


def build(model, batch):
    """Return a task and a dataset of batches that this process has in memory."""
    import numpy as np
    import tensorflow as tf

    import zoo
    from zoo.losses import AnchorMeanLoss

    rng = np.random.default_rng(0)
    side = SIDES[model]
    images = rng.integers(0, 256, (batch, side, side, 3), dtype=np.uint8)
    if model == "tiny_ssd":
        corners = rng.uniform(0, 0.6, (batch, 1, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(0.2, 0.4, (batch, 1, 2))], axis=-1)
        labels = {"boxes": boxes.astype("float32"), "labels": np.zeros((batch, 1), "int32")}
        options = {"num_classes": 1, "loss": AnchorMeanLoss(), "image_size": side}
        task = zoo.create("tiny_ssd", **options, dtype="float32")
    else:
        labels = {"labels": rng.integers(0, 10, batch).astype("int32")}
        options = {"num_classes": 10, "backbone": "resnet18", "image_size": side}
        task = zoo.create("classifier", **options, dtype="float32")
    data = tf.data.Dataset.from_tensor_slices((images, labels)).repeat()
    chosen = tf.data.Options()
    chosen.autotune.enabled = False
    chosen.threading.private_threadpool_size = 1
    return task, data.batch(batch, drop_remainder=True).with_options(chosen)


def make_timer(keras, warm_up):
    class Timer(keras.callbacks.Callback):
        """The seconds of each step after the first ones; the mean of a step's computing time in
        this process, of all threads, and of what the loopback device sent."""

        seconds, cpu_seconds, bytes = (), 0.0, 0.0

        def on_train_batch_end(self, batch, logs=None):
            now = time.perf_counter()
            if batch == warm_up - 1:
                self._first = loopback_bytes(), time.process_time()
                self.seconds = []
            elif batch >= warm_up:
                self.seconds.append(now - self._last)
                sent, computed = self._first
                self.bytes = (loopback_bytes() - sent) / len(self.seconds)
                self.cpu_seconds = (time.process_time() - computed) / len(self.seconds)
            self._last = time.perf_counter()

    return Timer()


def loopback_bytes():
    """Return the bytes sent over this network namespace's loopback device."""
    with open("/proc/net/dev") as file:
        (line,) = [line for line in file if line.strip().startswith("lo:")]
    return int(line.split(":")[1].split()[8])


def sum_alone(distribution, size):
    """Return the median time of adding up so many bytes over the processes."""
    import keras

    vector = keras.ops.zeros((size // 4,), "float32")
    seconds = []
    for _ in range(_SUMS):
        start = time.perf_counter()
        keras.ops.convert_to_numpy(distribution._add(vector))
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[_SUMS // 2]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
