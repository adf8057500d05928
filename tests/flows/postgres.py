"""A PostgreSQL server of a test's own, from the system's package."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from tracking_server import free_port


def binaries() -> Path | None:
    """Return the newest folder with PostgreSQL's programs, or None."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")
    return max((path.parent for path in versions), default=None)


@contextlib.contextmanager
def postgres(*databases: str):
    """Run a server on 127.0.0.1 with these databases; yield its port. The user is zoo, trusted."""
    programs, port = binaries(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="zoo-postgres-"))  # pytest's own are for this user only
    become = []
    if os.getuid() == 0:  # it refuses to run as root
        who = pwd.getpwnam("postgres")
        os.chown(folder, who.pw_uid, who.pw_gid)
        become = ["runuser", "-u", "postgres", "--"]

    def run(program, *arguments):
        command = [*become, str(programs / program), *arguments]
        answer = subprocess.run(command, capture_output=True, text=True, cwd="/")
        assert answer.returncode == 0, answer.stdout + answer.stderr

    data, log = str(folder / "data"), str(folder / "log")
    try:
        run("initdb", "--pgdata", data, "--username", "zoo", "--auth", "trust", "--no-sync")
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder}"
        run("pg_ctl", "--pgdata", data, "--log", log, "--wait", "--options", options, "start")
        try:
            for name in databases:
                run("createdb", "--host", "127.0.0.1", "--port", str(port), "-U", "zoo", name)
            yield port
        finally:
            run("pg_ctl", "--pgdata", data, "--mode", "fast", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
