"""What `zoo doctor` finds out: does this machine have what zoo needs, and how to get the rest.

Each backend is asked in a process of its own (`python -m flows.doctor BACKEND`), because a process
can have one only and a broken one may crash.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from flows.runtime import (
    BACKENDS,
    UserError,
    backend_version,
    bfloat16_support,
    choose_backend,
    choose_precision,
    installed_backends,
    prepare_process,
    worker_environment,
)

PACKAGES = (
    "keras-vision-zoo", "keras", "keras-hub", "tensorflow-datasets", "pycocotools", "numpy",
    "pillow", "opencv-python-headless", "prefect", "mlflow",
)  # fmt: skip
_PROBE_SECONDS = 180
_NEEDED_BYTES = 2 * 2**30  # the data, a checkpoint, a few runs


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Args:
        topic: what was looked at.
        state: ok, absent (an option that is not installed) or broken.
        value: what was found.
        remedy: what to do about it, or "".
    """

    topic: str
    state: str
    value: str
    remedy: str = ""


def examine(home: Path) -> list[Finding]:
    """Return everything that was found, the backends last but one, the choice last."""
    return [
        *_packages(),
        *_places(home),
        _store(home),
        *(probe(backend) for backend in BACKENDS),
        *_choice(),
    ]


def probe(backend: str) -> Finding:
    """Let a fresh process compute something on a backend."""
    if backend not in installed_backends():
        extra = backend if backend == "tensorflow" else f"'keras-vision-zoo[{backend}]'"
        return Finding(backend, "absent", "not installed", f"pip install {extra}")
    started = time.monotonic()
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-m", "flows.doctor", backend],
            env=worker_environment(backend),
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Finding(backend, "broken", f"no answer in {_PROBE_SECONDS} s", _reinstall(backend))
    lines = answer.stdout.splitlines()
    if answer.returncode or not lines:
        reason = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]
        return Finding(backend, "broken", reason, _reinstall(backend))
    seconds = time.monotonic() - started
    devices = ", ".join(json.loads(lines[-1]))
    return Finding(backend, "ok", f"{backend_version(backend)} on {devices}, up in {seconds:.1f} s")


def as_json(findings: list[Finding]) -> list[dict[str, str]]:
    """Return plain values for a machine."""
    return [asdict(finding) for finding in findings]


def _packages() -> list[Finding]:
    python = platform.python_version()
    found = [Finding("python", "ok", f"{python} on {platform.system()} {platform.machine()}")]
    for package in PACKAGES:
        version = backend_version(package)
        remedy = "" if version else f"pip install {package}"
        found.append(Finding(package, "ok" if version else "broken", version or "missing", remedy))
    return found


def _places(home: Path) -> list[Finding]:
    data = os.environ.get("ZOO_DATA_DIR") or Path.home() / ".cache" / "keras-vision-zoo"
    return [
        _place("run folders", home, "start zoo where you may write"),
        _place("data cache", Path(data), "set ZOO_DATA_DIR to a folder you may write to"),
    ]


def _place(topic: str, path: Path, remedy: str) -> Finding:
    path = path.absolute()
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        return Finding(topic, "broken", f"{path} cannot be written", remedy)
    free = shutil.disk_usage(nearest).free
    value = f"{path}, {free / 2**30:.0f} GB free"
    if free < _NEEDED_BYTES:
        return Finding(topic, "broken", value, f"free {_NEEDED_BYTES // 2**30} GB")
    return Finding(topic, "ok", value)


def _store(home: Path) -> Finding:
    from flows.tracking_store import default_tracking_uri

    uri = default_tracking_uri(home)
    if not uri.startswith(("http://", "https://")):
        return Finding("MLflow store", "ok", uri)
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(f"{uri.rstrip('/')}/health", timeout=5):
            return Finding("MLflow store", "ok", f"{uri} answers")
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Finding(
            "MLflow store", "broken", f"{uri}: {reason}", "start it, or unset MLFLOW_TRACKING_URI"
        )


def _choice() -> list[Finding]:
    native, evidence = bfloat16_support()
    found = [Finding("bfloat16", "ok" if native else "absent", evidence)]
    try:
        backend, why = choose_backend("auto")
    except UserError as error:
        return [*found, Finding("auto", "broken", str(error), "install a backend")]
    precision, because = choose_precision("auto", backend)
    return [*found, Finding("auto", "ok", f"{backend} ({why}), {precision} ({because})")]


def _reinstall(backend: str) -> str:
    return f"pip install --force-reinstall {backend}; then python -m flows.doctor {backend}"


def _compute(backend: str) -> list[str]:
    """Compute something and return the devices of the backend."""
    prepare_process(backend)
    import keras
    import numpy as np

    product = keras.ops.matmul(np.ones((2, 3), "float32"), np.ones((3, 2), "float32"))
    if not np.allclose(keras.ops.convert_to_numpy(product), 3.0):
        raise RuntimeError(f"{backend} multiplies wrongly: {product}")
    if backend == "torch":  # Keras has no distribution, and so no list of devices, on torch
        return [str(product.device)]
    return list(keras.distribution.list_devices())


if __name__ == "__main__":
    print(json.dumps(_compute(sys.argv[1])))
