"""A model that is one file: pixels in, named results out."""

import os
import tempfile
import textwrap
import zipfile
from pathlib import Path

import keras

from zoo.layers import Normalize


class Task(keras.Model):
    """What all models share: the way in for pictures, the class names, and publishing.

    A subclass' `kind` names how it is asked, as `zoo.answers` has it.

    Args:
        image_converter: an `ImageConverter`, which fits pictures of any size to the network's
            input; None where pictures keep their size.
        class_names: the names of labels 0..C-1; () where there are none.
        normalize: a `Normalize`, pixels to what the backbone was made for; None: to 0..1.
    """

    def __init__(self, *, image_converter, class_names, normalize=None, **kwargs):
        super().__init__(**kwargs)
        self.image_converter = image_converter
        self.class_names = tuple(class_names)
        if normalize is None:
            normalize = Normalize(dtype=self.dtype_policy, name="normalize")
        self.normalize = normalize

    @property
    def num_classes(self) -> int:
        """C, without the background."""
        return len(self.class_names)

    def compile(self, *args, jit_compile="auto", **kwargs):
        """Configure training as `keras.Model.compile` does, with `jit_choice`."""
        super().compile(*args, jit_compile=jit_choice(jit_compile), **kwargs)

    def publish(self, path) -> None:
        """Write the model, uncompiled and in float32, to a `.keras` file for every backend.

        A compiled file would name the optimizer classes of its backend, and a bfloat16 one would
        give other scores where bfloat16 is computed otherwise. The file appears whole or not at
        all.

        Raises: ValueError if `path` does not end in `.keras`.
        """
        path = Path(path)
        if path.suffix != ".keras":
            raise ValueError(f"A model is published to a .keras file; got {path}.")
        published = type(self).from_config(_in_float32(self.get_config()))
        published.set_weights(self.get_weights())
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            whole = Path(folder) / "model.keras"
            published.save(whole)
            os.replace(whole, path)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "image_converter": serialize(self.image_converter),
            "class_names": list(self.class_names),
            "normalize": serialize(self.normalize),
        }

    @classmethod
    def from_config(cls, config):
        """Build a task of its pieces, each in the config as Keras serialises it."""
        return cls(**keras.saving.deserialize_keras_object(config))


def jit_choice(jit_compile):
    """Return what to hand to `keras.Model.compile` as `jit_compile`.

    With "auto", TensorFlow on a CPU runs without XLA: compiled, TinySSD's step took three times as
    long there.
    """
    if jit_compile == "auto" and keras.backend.backend() == "tensorflow" and _on_cpu():
        return False
    return jit_compile


def load(path) -> Task:
    """Open a published model for inference on the running backend.

    Raises: ValueError with one line if the file is missing, is not a zoo model, or would run code.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected a .keras model.")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: not a .keras file (no zip archive). Was the download cut short?")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise ValueError(f"{path}: cannot be opened as a model: {_reason(error)}") from error
    if not isinstance(model, Task):
        raise ValueError(
            f"{path}: holds a {type(model).__name__}, not a zoo task. Was it written by `publish`?"
        )
    return model


def _reason(error) -> str:
    """Tell in a line why Keras refused a file; it raises many types, each with a page of text."""
    lines = str(error).strip().splitlines()
    if lines and "`Lambda`" in lines[0]:
        return (
            "it holds a Lambda layer, which is code that would run here. Do you trust its author?"
        )
    return textwrap.shorten(lines[0], 150) if lines else type(error).__name__


def _on_cpu() -> bool:
    return not any(device.lower().startswith(("gpu", "tpu")) for device in _devices())


def _devices():
    return keras.distribution.list_devices()


def _in_float32(config):
    """Replace every dtype policy in a nested config by float32."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return config | {"config": {"name": "float32"}}
        return {key: _in_float32(value) for key, value in config.items()}
    if isinstance(config, list):
        return [_in_float32(value) for value in config]
    return config
