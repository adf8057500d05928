"""What there is to choose from: presets and data sources of zoo, and the configs of a folder.

Only a process that has imported Keras knows the names, which takes seconds; so they are asked for
once and kept in the user's cache until a file of zoo changes.
"""

import difflib
import hashlib
import json
import subprocess
import sys
from pathlib import Path

from flows.config import Config, ConfigError, load_config
from flows.console import waiting
from flows.machine import cache_folder
from flows.runtime import UserError, choose_backend, worker_environment
from flows.whole_files import write_json

_QUESTION = """
from flows.runtime import prepare_process
prepare_process()
import json, zoo, zoo.data
print(json.dumps({"presets": zoo.list_presets(), "data": zoo.data.list_sources()}))
"""


def names() -> dict[str, list[str]]:
    """Return the names of zoo: {"presets": [...], "data": [...]}."""
    kept = _kept()
    if kept.exists():
        return json.loads(kept.read_text())
    backend, _ = choose_backend("auto")
    with waiting("asking zoo for its presets and data"):
        answer = subprocess.run(
            [sys.executable, "-P", "-c", _QUESTION],
            env=worker_environment(backend),
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(answer.stdout.splitlines()[-1])
    write_json(kept, found)
    return found


def check_preset(config: Config) -> None:
    """Raise UserError on a preset that is known not to exist: before a worker has been started.

    Where the names are not in the cache this asks nobody, and the worker finds out.
    """
    kept = _kept()
    if not kept.exists():
        return
    _require(config.model.preset, json.loads(kept.read_text())["presets"], "model.preset: ")


def require_preset(preset: str) -> None:
    """Raise UserError on a preset that does not exist; ask zoo where its names are not known."""
    _require(preset, names()["presets"], "preset or config file: ")


def _require(preset: str, presets: list[str], where: str) -> None:
    if preset not in presets:
        near = difflib.get_close_matches(preset, presets, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(presets)}"
        raise UserError(f"{where}{preset!r} is none; {hint}")


def configs(folder: Path) -> list[tuple[Path, Config | ConfigError]]:
    """Return the configs of a folder by name, each read or with what is wrong with it."""
    found: list[tuple[Path, Config | ConfigError]] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            found.append((path, load_config(path)))
        except ConfigError as error:
            found.append((path, error))
    return found


def _kept() -> Path:
    return cache_folder() / f"names-{_fingerprint()}.json"


def _fingerprint() -> str:
    """Return a digest of the sizes and times of zoo's source files."""
    zoo = Path(__file__).parents[1] / "zoo"
    digest = hashlib.sha256()
    for path in sorted(zoo.rglob("*.py")):
        status = path.stat()
        digest.update(f"{path}:{status.st_size}:{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
