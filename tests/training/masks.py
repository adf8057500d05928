"""Train a step of a model whose weights tell which units dropout left out on each device.

    python tests/training/masks.py KIND DEVICES FOLDER

Each device sees one picture of ones; the gradient of a weight is the mean of its unit over them:
0 where both left it out, 1 where one did, 2 where none did. FOLDER gets the weights, a file a rank.
"""

import sys
from pathlib import Path

from flows.runtime import prepare_process

prepare_process()

import keras  # noqa: E402
import numpy as np  # noqa: E402

from zoo.training.distribution import build_distribution  # noqa: E402

UNITS, STEPS = 400, 2


def main(kind, devices, folder):
    distribution = build_distribution(kind, devices=devices or None)
    keras.utils.set_random_seed(7)
    with distribution.scope(), distribution.watched():
        inputs = keras.Input((UNITS,))
        outputs = keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False)(
            keras.layers.Dropout(0.5, seed=3)(inputs)
        )
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.SGD(1.0), loss=keras.losses.MeanAbsoluteError())
        distribution.attach(model)
        ones = np.ones((2 // distribution.size, UNITS), "float32")
        told = []
        for _ in range(STEPS):
            before = model.get_weights()[0][:, 0]
            # Far above what the model says: the loss falls by the answer itself.
            model.fit(ones, 1e6 * ones[:, :1], batch_size=len(ones), epochs=1, verbose=0)
            told.append(model.get_weights()[0][:, 0] - before)
        np.save(Path(folder) / f"{distribution.rank}.npy", told)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
