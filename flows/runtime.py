"""Choose a backend and a precision for this machine, and set a process up for them.

Nothing here imports Keras, TensorFlow, JAX or torch: what a machine has is read from installed
files, from the kernel and from the driver. Words: a *backend* is tensorflow, jax or torch; a
*precision* is float32 or mixed_bfloat16; every choice comes with the reason it was made, so that a
run can say why.
"""

import functools
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

# By speed: TinySSD training on 2 CPU cores with AMX gave 48.6, 25.1 and 6.6 pictures a second.
BACKENDS = ("torch", "tensorflow", "jax")
PRECISIONS = ("float32", "mixed_bfloat16")

# 1.75x for torch on glibc: a third of a training step was page faults. Read at process start only.
_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
# Nothing calls home; MLflow's client gives up on a dead server in seconds instead of minutes.
_QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "GIT_PYTHON_REFRESH": "quiet",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


class UserError(Exception):
    """A mistake of the user's: shown as one line without a traceback, exit code 2."""


def installed_backends() -> list[str]:
    """Return the backends installed here, in the order `auto` prefers them on a CPU."""
    return [name for name in BACKENDS if importlib.util.find_spec(name) is not None]


def backend_version(package: str) -> str | None:
    """Return the installed version of a backend or of another package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def choose_backend(requested: str = "auto") -> tuple[str, str]:
    """Return the backend to use and the reason.

    Args:
        requested: tensorflow, jax, torch, or auto: what KERAS_BACKEND names, else the fastest.

    Raises:
        UserError: the backend is unknown, or is not installed.
    """
    installed = installed_backends()
    if requested == "auto":
        if named := os.environ.get("KERAS_BACKEND"):
            require_backend(named)
            return named, "KERAS_BACKEND names it"
        if not installed:
            raise UserError(
                "no backend is installed; pip install tensorflow, or keras-vision-zoo[torch]"
            )
        return _fastest_backend(installed)
    require_backend(requested)
    return requested, "asked for"


def require_backend(backend: str) -> None:
    """Raise UserError unless the backend is known and installed."""
    if backend not in BACKENDS:
        known = ", ".join(sorted(BACKENDS))
        raise UserError(f"backend must be one of auto, {known}; got {backend!r}")
    if backend not in installed_backends():
        remedy = {"tensorflow": "tensorflow"}.get(backend, f"'keras-vision-zoo[{backend}]'")
        have = ", ".join(installed_backends()) or "none"
        raise UserError(
            f"backend {backend} is not installed (installed: {have}); pip install {remedy}"
        )


def choose_precision(requested: str = "auto", backend: str = "torch") -> tuple[str, str]:
    """Return the precision to use and the reason.

    Args:
        requested: float32, mixed_bfloat16, or auto: bfloat16 only where the device has it.
        backend: the backend that will compute.

    Raises:
        UserError: the precision is unknown.
    """
    if requested != "auto":
        if requested not in PRECISIONS:
            raise UserError(
                f"precision must be one of auto, {', '.join(PRECISIONS)}; got {requested!r}"
            )
        return requested, "asked for"
    device = accelerator(backend)
    native, evidence = _native_bfloat16(device)
    if not native:
        return "float32", evidence
    if backend == "jax" and device == "cpu":
        # Measured: 5.8 pictures a second against 6.6 in float32.
        return "float32", f"{evidence}, but JAX is slower in bfloat16 on a CPU"
    return "mixed_bfloat16", evidence


def accelerator(backend: str) -> str:
    """Return the kind of device the backend computes on here: cpu, cuda, tpu or mps."""
    if tpu_present() and (backend == "jax" or os.environ.get("TPU_NAME")):
        return "tpu"
    if cuda_capabilities() and _built_for_cuda(backend):
        return "cuda"
    if backend == "torch" and platform.system() == "Darwin" and platform.machine() == "arm64":
        return "mps"
    return "cpu"


def bfloat16_support() -> tuple[bool, str]:
    """Return whether this machine's processor computes bfloat16 natively, and what shows it."""
    return _native_bfloat16("cpu")


@functools.cache
def cuda_capabilities() -> tuple[tuple[int, int], ...]:
    """Return the compute capability of every visible NVIDIA device, as its driver reports them."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not shutil.which("nvidia-smi"):
        return ()
    command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple((int(a), int(b)) for a, b in re.findall(r"(\d+)\.(\d+)", answer.stdout))


def tpu_present() -> bool:
    """Return whether this host has a TPU."""
    return bool(os.environ.get("TPU_NAME")) or (
        importlib.util.find_spec("libtpu") is not None
        and (Path("/dev/accel0").exists() or Path("/dev/vfio/0").exists())
    )


def worker_environment(backend: str) -> dict[str, str]:
    """Return the whole environment of a worker process: this one's, set for the backend.

    A variable the user has set wins, except the backend, which is the caller's decision.
    """
    ours = worker_settings(platform.system())
    return ours | dict(os.environ) | {"KERAS_BACKEND": backend}


def worker_settings(system: str) -> dict[str, str]:
    """Return what a worker's process is started with on a system, "Linux" or another."""
    quiet = _QUIET | {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    return quiet | _ALLOCATOR if system == "Linux" else quiet


def controller_environment() -> dict[str, str]:
    """Return what to set before Prefect and MLflow are imported: no telemetry, short timeouts."""
    return {name: os.environ.get(name, value) for name, value in _QUIET.items()}


def prepare_process(backend: str | None = None) -> str:
    """Make this process ready for its backend; call it before Keras or TensorFlow is imported.

    Args:
        backend: tensorflow, jax or torch; by default what KERAS_BACKEND names, else the fastest.

    Returns: the backend, which KERAS_BACKEND now names.

    Raises:
        UserError: the backend is unknown or not installed.
    """
    backend, _ = choose_backend(backend or "auto")
    os.environ.update({"KERAS_BACKEND": backend} | controller_environment())
    if backend == "torch" and importlib.util.find_spec("triton") is not None:
        # torch pulls triton in, and TensorFlow feeds every backend: that one first is a segfault.
        import triton  # noqa: F401
    return backend


def _fastest_backend(installed: list[str]) -> tuple[str, str]:
    devices = {name: accelerator(name) for name in installed}
    for kind in ("tpu", "cuda"):
        on_device = [name for name in installed if devices[name] == kind]
        if on_device:
            return on_device[0], f"it computes on this machine's {kind.upper()}"
    reason = "the fastest of the installed ones on a CPU" if len(installed) > 1 else "the only one"
    return installed[0], reason


def _native_bfloat16(device: str) -> tuple[bool, str]:
    if device == "tpu":
        return True, "a TPU computes bfloat16"
    if device == "cuda":
        lowest = min(cuda_capabilities())
        name = f"CUDA compute capability {lowest[0]}.{lowest[1]}"
        return lowest >= (8, 0), name + (" has bfloat16" if lowest >= (8, 0) else " lacks bfloat16")
    if device == "mps":
        return False, "bfloat16 is not measured on this device"
    found = _processor_features() & {"amx_bf16", "avx512_bf16", "bf16"}
    if found:
        return True, f"the processor has {sorted(found)[0]}"
    return False, "the processor has no bfloat16 instructions"


@functools.cache
def _processor_features() -> frozenset[str]:
    """Return the processor's feature flags: `flags` of /proc/cpuinfo on x86, `Features` on ARM."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return _darwin_features()
    lines = re.findall(r"^(?:flags|Features)\s*:(.*)$", text, flags=re.MULTILINE)
    return frozenset(lines[0].split()) if lines else frozenset()


def _darwin_features() -> frozenset[str]:
    try:
        answer = subprocess.run(
            ["sysctl", "-n", "hw.optional.arm.FEAT_BF16"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    return frozenset({"bf16"} if answer.stdout.strip() == "1" else ())


def _built_for_cuda(backend: str) -> bool:
    """Return whether the installed build of a backend can use CUDA, read from its files."""
    if backend == "jax":
        plugins = ("jax_cuda12_plugin", "jax_cuda13_plugin")
        return any(importlib.util.find_spec(plugin) is not None for plugin in plugins)
    spec = importlib.util.find_spec(backend)
    if spec is None or spec.origin is None:
        return False
    package = Path(spec.origin).parent
    if backend == "torch":
        marker, pattern = package / "version.py", r"^cuda\b[^=]*=\s*'"
    else:
        marker, pattern = package / "python/platform/build_info.py", r"'is_cuda_build', True"
    try:
        return re.search(pattern, marker.read_text(), flags=re.MULTILINE) is not None
    except OSError:
        return False


def refuse_launcher(command: str, remedy: str = "") -> None:
    """Raise UserError in a process of a launcher: several would wait for one another's run."""
    if int(os.environ.get("WORLD_SIZE") or 1) > 1 and "RANK" in os.environ:
        raise UserError(
            f"{command} was started several times together (WORLD_SIZE says so){remedy}. What a "
            "launcher starts is `python -m flows.worker train RUN_FOLDER`"
        )
