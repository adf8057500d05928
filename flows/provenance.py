"""Where a run comes from: the commit of the code and the machine it ran on."""

import getpass
import os
import platform
import subprocess
from pathlib import Path

from flows.config import Config, config_hash


def git_commit() -> str | None:
    """Return the commit of this code, `-dirty` behind it where files differ; None outside git."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return f"{commit}-dirty" if _git("status", "--porcelain", "--untracked-files=no") else commit


def origin_tags(config: Config) -> dict[str, str]:
    """Return the tags of an MLflow run that say of which config and code it is."""
    return {"config_hash": config_hash(config), "git_commit": git_commit() or "unknown"}


def machine() -> dict[str, str]:
    """Return what describes this machine."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cpu_count": str(os.cpu_count()),
        "host": platform.node(),
        "user": _user(),
    }


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


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
