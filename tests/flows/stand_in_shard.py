"""The worker verb `shard` without Keras: pictures are names, and some of them kill it.

It notes each of its lives as a line of the file LIVES.
"""

import json
import os
import signal
import sys
from pathlib import Path

from flows.progress import tell


def main():
    todo, out = Path(sys.argv[3]), Path(sys.argv[5])
    alone, rejected = json.loads(sys.argv[7]), json.loads(sys.argv[9])
    with open(os.environ["LIVES"], "a") as lives:
        lives.write("life\n")
    names = [name for name, _ in json.loads(todo.read_text())]
    if names == ["mistake"]:
        tell(mistake="no model")
        return 2
    if names == ["killer-at-start"]:
        os.kill(os.getpid(), signal.SIGKILL)
    asked = [name for name in names if name not in rejected]
    batches = [[name] for name in asked if name in alone]
    batches.append([name for name in asked if name not in alone])
    for batch in batches:
        tell(at=batch)
        if "killer" in batch:
            os.kill(os.getpid(), signal.SIGKILL)
    lines = [
        {"key": name} | ({"reason": rejected[name]} if name in rejected else {}) for name in names
    ]
    out.write_text("".join(f"{json.dumps(line)}\n" for line in [{"classes": []}, *lines]))
    tell(wrote=str(out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
