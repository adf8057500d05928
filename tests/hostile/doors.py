"""Hand every hostile file of a kind to its door: doors.py KIND FOLDER, prints what came of each.

An audit hook watches: whoever starts a process, connects to somebody, or changes a file outside the
folder (or the process's own caches) is told by name. The output is a JSON line.
"""

import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path

KIND, FOLDER = sys.argv[1], Path(sys.argv[2])
_STARTS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "os.startfile")
_CHANGES = (
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
)
_seen: list[str] = []
_watching = False


def watch(event, arguments):
    if not _watching:
        return
    if event in _STARTS or event == "socket.connect":
        _seen.append(f"{event} {arguments!r}"[:300])
    elif event in _CHANGES or (event == "open" and _writes(arguments)):
        path = Path(os.fsdecode(arguments[0])).absolute()
        if not path.is_relative_to(FOLDER) and path.parts[:2] != ("/", "dev"):
            _seen.append(f"{event} {path}"[:300])


def _writes(arguments):
    path, mode, flags = arguments
    by_flags = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    return isinstance(path, str | bytes) and bool(by_flags or (mode and set(mode) & set("wax+")))


def read_request(path):
    """Read a request as a served model does, JSON and all."""
    import pandas as pd

    from flows.serving_request import read_pictures
    from zoo.pictures import read_picture

    records = json.loads(path.read_bytes())["dataframe_records"]
    for one in read_pictures(pd.DataFrame(records)):
        read_picture(one)


def check_data(path):
    """Look at a data set as `zoo data check` does; defects are an answer."""
    from zoo import data

    form = path.name.partition("-")[0]
    source = data.load_source(form, path=path, on_defect="skip", data_dir=str(FOLDER / "cache"))
    data.check_source(source)


def doors():
    """Return the door of the kind, and what it may refuse with."""
    if KIND == "pictures":
        from zoo.pictures import read_picture

        return read_picture, ValueError
    if KIND == "annotations":
        return check_data, ValueError
    if KIND == "configs":
        from flows.config import load_config
        from flows.runtime import UserError

        return load_config, UserError
    if KIND == "models":
        import zoo

        return zoo.load, ValueError
    if KIND == "checkpoints":
        from zoo.weights import load_state_dict

        return load_state_dict, ValueError
    # MLflow itself answers 400 where the body is not JSON or not records.
    return read_request, (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def peak() -> int:
    """Bytes that this process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    global _watching
    own = FOLDER / "tmp"
    own.mkdir()
    os.environ["TMPDIR"] = str(own)  # TensorFlow writes what it generates there
    warnings.simplefilter("ignore")
    from flows.runtime import prepare_process

    prepare_process("torch" if KIND in ("models", "checkpoints") else "tensorflow")
    from tests.hostile.corpus import corpus

    if KIND == "models":
        import zoo

        zoo.create("tiny_ssd", num_classes=1, image_size=64).publish(FOLDER.parent / "valid.keras")
    items = list(corpus(KIND, FOLDER))
    door, refusals = doors()
    before, told = peak(), []
    sys.addaudithook(watch)
    for name, path in items:
        _seen.clear()
        _watching, began, outcome = True, time.monotonic(), "accepted"
        try:
            door(path)
        except refusals as error:
            outcome = f"refused: {error}"
        except BaseException as error:
            outcome = f"CRASHED: {type(error).__name__}: {error}"
        _watching = False
        seconds = time.monotonic() - began
        told.append(
            {"name": name, "outcome": outcome[:300], "seen": list(_seen), "seconds": seconds}
        )
    report = {"items": told, "before": before, "peak": peak()}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
