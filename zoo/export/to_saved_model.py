"""A task as TensorFlow's SavedModel, by Keras' own `ExportArchive` on the TensorFlow backend."""

from pathlib import Path

import keras

from zoo.export.signature import answer

PROGRAM = "saved_model"


def write(task, signature, folder) -> str:
    """Write the program; return its name in the folder.

    Its signature `serving_default`, as TensorFlow Serving asks for it, has the inputs and outputs
    by their names.
    """
    import tensorflow as tf

    specs = [
        tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in signature.inputs.items()
    ]

    def serve(*tensors):
        return answer(task, signature, *tensors)

    archive = keras.export.ExportArchive()
    archive.track(task)
    archive.add_endpoint("serve", serve, input_signature=specs)
    archive.write_out(str(Path(folder) / PROGRAM), verbose=False)
    return PROGRAM
