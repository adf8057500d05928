"""A task as a LiteRT program (.tflite), converted from a SavedModel on the TensorFlow backend.

Only LiteRT's own operations are allowed, so that the program runs where TensorFlow is not.
"""

import tempfile
from contextlib import contextmanager
from pathlib import Path

from keras import ops

from zoo.export import to_saved_model

PROGRAM = "model.tflite"


def write(task, signature, folder) -> str:
    """Write the program; return its name in the folder."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as temporary:
        with _plain_argmax():
            saved = to_saved_model.write(task, signature, temporary)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(Path(temporary) / saved))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        (Path(folder) / PROGRAM).write_bytes(converter.convert())
    return PROGRAM


@contextmanager
def _plain_argmax():
    """Have `keras.ops.argmax` be TensorFlow's: Keras' reads the sign of zeros, bit by bit."""
    import tensorflow as tf

    def argmax(x, axis=None, keepdims=False):
        if keepdims or axis is None:
            raise NotImplementedError("an argmax of another form than zoo's models have")
        return tf.argmax(x, axis=axis, output_type="int32")

    of_keras = ops.argmax
    ops.argmax = argmax
    try:
        yield
    finally:
        ops.argmax = of_keras
