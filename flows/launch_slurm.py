"""A training on SLURM: a script for `sbatch` that starts a worker a process by `srun`.

`srun` tells each task its place and the nodes of all, which the worker reads, on every backend. A
task that dies takes the others with it; the script then starts all of them again, and SLURM itself
does where a node dies. The run goes on from its checkpoint either way.
"""

import shlex
from collections.abc import Sequence

from flows.config import dump_config
from flows.launch import MISTAKE, Launch

# `srun` answers with the highest exit code, that of a task it ended included, so the journal is
# asked too whether the user made a mistake, which another start would not change.
_SCRIPT = """\
#!/bin/bash
# The training {name}, whose folder every node sees:
#   {folder}
# `ZOO_HOME={home} zoo train CONFIG --workers 0` follows it into MLflow.
{directives}
set -u
{setup}
{exports}
run={folder}
mkdir -p "$run"
if [ ! -e "$run/config.yaml" ]; then
cat > "$run/config.yaml.part" <<'END_OF_CONFIG'
{config}END_OF_CONFIG
mv "$run/config.yaml.part" "$run/config.yaml"
fi
for start in {starts}; do
    srun --kill-on-bad-exit=1 --distribution=block --cpus-per-task={cpus} \\
        python -m flows.worker train "$run"
    code=$?
    if [ $code -eq 0 ] || [ $code -eq {mistake} ]; then break; fi
    if tail -qn 1 "$run"/journal*.jsonl 2>/dev/null | grep -q '"kind": "failed"'; then break; fi
    echo "start $start of the group ended with code $code"
done
exit $code
"""


def render_script(launch: Launch, *, setup: str = "", directives: Sequence[str] = ()) -> str:
    """Return a script for sbatch.

    Args:
        launch: the run.
        setup: shell lines that make `python` the one that has zoo.
        directives: more of sbatch's, "partition=gpu" each.
    """
    cpus = max(launch.cpus // launch.processes, 1)
    asked = [
        f"job-name={launch.name}",
        f"nodes={launch.nodes}",
        f"ntasks-per-node={launch.processes}",
        f"cpus-per-task={cpus}",
        f"mem={launch.memory}G",
        # Of a node: bound to tasks, each would see its own as the first.
        *([f"gpus-per-node={launch.gpus}"] if launch.gpus else []),
        "output=%x-%j.log",
        "open-mode=append",
        "requeue",
        *directives,
    ]
    exports = launch.settings | launch.environment
    return _SCRIPT.format(
        name=launch.name,
        folder=shlex.quote(str(launch.folder)),
        home=shlex.quote(str(launch.home)),
        directives="\n".join(f"#SBATCH --{directive}" for directive in asked),
        setup=setup,
        exports="\n".join(f"export {key}={shlex.quote(text)}" for key, text in exports.items()),
        config=dump_config(launch.config),
        starts=" ".join(str(number) for number in range(1, launch.restarts + 2)),
        cpus=cpus,
        mistake=MISTAKE,
    )
