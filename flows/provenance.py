"""Where a run comes from: the commit of the code and the machine it ran on."""

import functools
import getpass
import hashlib
import os
import platform
import subprocess
from pathlib import Path

from flows.runtime import backend_version


def git_commit() -> str | None:
    """Return the commit of this code, `-dirty` behind it where files differ; None outside git."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return f"{commit}-dirty" if _git("status", "--porcelain", "--untracked-files=no") else commit


def machine() -> dict[str, str]:
    """Return what describes this machine."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cpu_count": str(os.cpu_count()),
        "host": platform.node(),
        "user": user(),
    }


def user() -> str:
    """Return who runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


@functools.cache
def code_version(backend: str) -> str:
    """Return what a training's code is: a digest of zoo's and flows' modules, Keras, the backend.

    A commit says more than that: a page of the documentation changes it, and no model.
    """
    root = Path(__file__).parents[1]
    sha = hashlib.sha256()
    for path in sorted(file for name in ("zoo", "flows") for file in (root / name).rglob("*.py")):
        content = path.read_bytes()
        sha.update(f"{path.relative_to(root).as_posix()}:{len(content)}:".encode())
        sha.update(content)
    versions = (f"{name} {backend_version(name)}" for name in ("keras", backend))
    return ", ".join([sha.hexdigest()[:12], *versions])


def _git(*arguments: str) -> str | None:
    folder = Path(__file__).parent
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()
