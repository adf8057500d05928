"""`srun` for tests: starts a step's tasks here, with the variables that SLURM 22.05 gives them.

It takes the place of sbatch too: STAND_IN_NODES and STAND_IN_TASKS say what the script asked for.
Nodes are addresses of this machine. With --kill-on-bad-exit the first task that ends badly takes
the others with it, and the answer is the highest exit code of all, 128 and its number for a signal.
"""

import os
import signal
import subprocess
import sys
import time


def main(arguments):
    command = [word for word in arguments if not word.startswith("--")]
    options = [word for word in arguments if word.startswith("--")]
    assert command[0] == "python"
    assert "--kill-on-bad-exit=1" in options
    nodes, each = int(os.environ["STAND_IN_NODES"]), int(os.environ["STAND_IN_TASKS"])
    tasks = [
        subprocess.Popen(command, env=os.environ | step(node, local, nodes, each))
        for node in range(nodes)
        for local in range(each)
    ]
    while any(task.poll() is None for task in tasks):
        if any(task.poll() for task in tasks):
            for task in tasks:
                task.send_signal(signal.SIGTERM)
            break
        time.sleep(0.02)
    codes = [task.wait() for task in tasks]
    return max(128 - code if code < 0 else code for code in codes)


def step(node, local, nodes, each):
    return {
        "SLURM_JOB_ID": os.environ.get("SLURM_JOB_ID", "7"),
        "SLURM_PROCID": str(node * each + local),
        "SLURM_LOCALID": str(local),
        "SLURM_NODEID": str(node),
        "SLURM_NTASKS": str(nodes * each),
        "SLURM_STEP_NODELIST": f"127.0.0.[1-{nodes}]" if nodes > 1 else "127.0.0.1",
        "SLURM_STEP_NUM_TASKS": str(nodes * each),
        "SLURM_STEP_TASKS_PER_NODE": f"{each}(x{nodes})" if nodes > 1 else str(each),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
