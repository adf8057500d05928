"""Files of other frameworks -> named NumPy arrays, without running what a file says."""

import pickle
from pathlib import Path

import numpy as np

# A state dict as training scripts wrap it, beside the optimizer and the epoch.
_WRAPPERS = ("state_dict", "model", "model_state_dict")
# What a pickled NumPy array names, by NumPy 1 and 2.
_OF_NUMPY = {
    (module, name)
    for module, names in {
        "numpy": ("ndarray", "dtype"),
        "numpy.core.multiarray": ("_reconstruct", "scalar"),
        "numpy._core.multiarray": ("_reconstruct", "scalar"),
    }.items()
    for name in names
}


def load_state_dict(path) -> dict[str, np.ndarray]:
    """Read the weights of a PyTorch model, on any Keras backend.

    Args:
        path: a `.safetensors` file, or a `.pth` or `.pt` file, which takes torch to read. Of a
            checkpoint that also holds an optimizer, the model's part is taken.
    Returns: arrays by their PyTorch names, half precision widened to float32.
    Raises: ValueError if the file is missing, cannot be read without running code, or holds
        something else than named tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected a .safetensors, .pth or .pt file.")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix in (".pth", ".pt"):
        return _read_torch(path)
    raise ValueError(
        f"{path}: weights are read from .safetensors, .pth and .pt files; got {path.suffix!r}."
    )


def _read_safetensors(path):
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise ValueError(f"{path}: reading it takes safetensors: pip install safetensors") from None
    try:
        return {name: _widened(array) for name, array in load_file(path).items()}
    except Exception as error:  # the library's own type is no ValueError
        raise ValueError(f"{path}: not a safetensors file: {error}") from error


def _read_torch(path):
    try:
        import torch
    except ImportError:
        raise ValueError(
            f"{path}: reading it takes PyTorch: pip install torch, or save the weights as "
            ".safetensors where PyTorch is."
        ) from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of many types, by what is wrong with the file
        raise ValueError(
            f"{path}: not a file of tensors alone, so it is not opened, as it could run code. Save "
            "`model.state_dict()`, not the model."
        ) from error
    for key in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    named = isinstance(state, dict) and state
    if not named or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise ValueError(f"{path}: holds no state dict, tensors by name.")
    return {
        name: (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        for name, tensor in state.items()
    }


def load_numpy_pickle(path) -> dict[str, np.ndarray]:
    """Read a pickle of nested dicts of NumPy arrays and of nothing else.

    Returns: arrays by the keys that lead to them, joined by dots.
    Raises: ValueError if the pickle names anything but NumPy's arrays.
    """
    try:
        with open(path, "rb") as file:
            tree = _NumpyUnpickler(file).load()
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path}: not a pickle of NumPy arrays: {error}") from error
    return dict(_leaves(tree))


class _NumpyUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _OF_NUMPY:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not admitted")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _leaves(tree, prefix=""):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", np.asarray(value)


def _widened(array):
    return array.astype("float32") if array.dtype == np.float16 else array
