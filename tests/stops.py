"""A training that ends in the middle, without ending its process."""

import keras


class StoppedError(Exception):
    """Stands for whatever ends a process."""


class StopAfter(keras.callbacks.Callback):
    """Stop a training after so many batches."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise StoppedError
