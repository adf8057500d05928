"""The choice of backend and precision on machines of several kinds, without those machines."""

import os
import subprocess
import sys

import pytest

from flows import runtime
from flows.runtime import UserError

pytestmark = pytest.mark.any_backend


@pytest.fixture
def machine(monkeypatch):
    """Pretend to be a machine: its backends, processor features and accelerators."""

    def pretend(
        *, backends=("torch", "tensorflow", "jax"), features=(), cuda=(), tpu=False, gpu_builds=()
    ):
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        monkeypatch.setattr(runtime, "installed_backends", lambda: list(backends))
        monkeypatch.setattr(runtime, "_processor_features", lambda: frozenset(features))
        monkeypatch.setattr(runtime, "cuda_capabilities", lambda: tuple(cuda))
        monkeypatch.setattr(runtime, "tpu_present", lambda: tpu)
        monkeypatch.setattr(runtime, "_built_for_cuda", lambda backend: backend in gpu_builds)
        monkeypatch.setattr(runtime.platform, "system", lambda: "Linux")

    return pretend  # fmt: skip


@pytest.mark.parametrize(
    ("backends", "chosen"),
    [
        (("torch", "tensorflow", "jax"), "torch"),
        (("tensorflow", "jax"), "tensorflow"),
        (("jax",), "jax"),
    ],
)
def test_auto_takes_the_fastest_installed_backend_on_a_cpu(machine, backends, chosen):
    machine(backends=backends)
    assert runtime.choose_backend("auto")[0] == chosen


def test_auto_prefers_a_backend_that_sees_the_gpu(machine):
    machine(cuda=[(8, 6)], gpu_builds=["jax"])
    assert runtime.choose_backend("auto") == ("jax", "it computes on this machine's CUDA")


def test_auto_takes_jax_on_a_tpu(machine):
    machine(tpu=True)
    assert runtime.choose_backend("auto")[0] == "jax"


def test_auto_takes_what_the_environment_names(machine, monkeypatch):
    machine()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert runtime.choose_backend("auto") == ("jax", "KERAS_BACKEND names it")


def test_absent_backend_is_told_with_its_remedy(machine):
    machine(backends=["tensorflow"])
    with pytest.raises(
        UserError, match=r"jax is not installed.*pip install 'keras-vision-zoo\[jax\]'"
    ):
        runtime.choose_backend("jax")


def test_unknown_backend_is_told(machine):
    machine()
    with pytest.raises(
        UserError, match="must be one of auto, jax, tensorflow, torch; got 'theano'"
    ):
        runtime.choose_backend("theano")


def test_no_backend_at_all_is_told(machine):
    machine(backends=[])
    with pytest.raises(UserError, match="no backend is installed"):
        runtime.choose_backend("auto")


@pytest.mark.parametrize(
    ("features", "precision"),
    [
        ({"amx_bf16", "avx512_bf16", "avx2"}, "mixed_bfloat16"),
        ({"avx512_bf16"}, "mixed_bfloat16"),
        ({"bf16"}, "mixed_bfloat16"),  # ARM's word
        ({"avx512f", "avx2", "fma"}, "float32"),
        (set(), "float32"),
    ],
)
def test_bfloat16_only_where_the_processor_has_it(machine, features, precision):
    machine(features=features)
    assert runtime.choose_precision("auto", "torch")[0] == precision


def test_jax_on_a_cpu_stays_in_float32(machine):
    """Measured: 5.8 pictures a second in bfloat16 against 6.6."""
    machine(features={"amx_bf16"})
    assert runtime.choose_precision("auto", "jax")[0] == "float32"


@pytest.mark.parametrize(
    ("capability", "precision"), [((7, 5), "float32"), ((8, 0), "mixed_bfloat16")]
)
def test_bfloat16_on_cuda_from_ampere_on(machine, capability, precision):
    machine(cuda=[(9, 0), capability], gpu_builds=["torch"])
    assert runtime.choose_precision("auto", "torch")[0] == precision


def test_processor_counts_for_a_backend_that_does_not_see_the_gpu(machine):
    machine(cuda=[(9, 0)], gpu_builds=["jax"], features=())
    assert runtime.choose_precision("auto", "torch")[0] == "float32"


def test_unknown_precision_is_told():
    with pytest.raises(UserError, match="must be one of auto, float32, mixed_bfloat16; got 'half'"):
        runtime.choose_precision("half", "torch")


def test_worker_environment_keeps_what_the_user_set(monkeypatch):
    monkeypatch.setenv("MALLOC_TOP_PAD_", "1")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    environment = runtime.worker_environment("jax")
    assert environment["MALLOC_TOP_PAD_"] == "1"
    assert environment["KERAS_BACKEND"] == "jax"
    assert environment["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(
    "environment", [runtime.controller_environment, lambda: runtime.worker_environment("jax")]
)
def test_nothing_calls_home(environment):
    """MLflow takes the words true literally."""
    values = environment()
    assert values["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert values["DO_NOT_TRACK"] == "true"
    assert values["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_module_imports_no_heavy_package():
    program = (
        "import sys, flows.runtime as r; r.choose_backend(); r.choose_precision('auto', 'torch');"
        "print({'keras', 'tensorflow', 'torch', 'jax', 'zoo'} & set(sys.modules) or 'none')"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "none"


def test_process_is_prepared_for_the_backend_it_names(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert runtime.prepare_process() == "tensorflow"
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
