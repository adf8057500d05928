"""The command line: fast to start, one line a mistake, JSON alone on stdout, exit codes 0, 1, 2."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from flows import cli
from flows.runtime import UserError
from flows.worker_process import Outcome, WorkerError

pytestmark = pytest.mark.any_backend

ZOO = [sys.executable, "-P", "-m", "flows.cli"]


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run a command line in an empty folder; return exit code, stdout and stderr's lines."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments):
        code = cli.run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err.splitlines()

    return run_command


@pytest.fixture
def worker(monkeypatch):
    """Replace the worker process by a function of (verb, arguments, backend)."""

    def replace(function):
        monkeypatch.setattr("flows.worker_process.run_verb", function)

    return replace


def write_model(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")


def test_command_line_imports_no_keras_and_no_zoo():
    program = (
        "import sys; from flows import cli, catalogue, doctor, inputs, model_names, worker_process;"
        "print({'keras', 'tensorflow', 'torch', 'jax', 'zoo', 'mlflow'} & set(sys.modules) or 0)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "0"


@pytest.mark.parametrize("command", ["list", "train", "evaluate", "predict", "doctor"])
def test_command_explains_itself(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"Usage: zoo {command}" in out


def test_version_is_the_packages(run):
    from importlib.metadata import version

    assert run("--version") == (0, version("keras-vision-zoo") + "\n", [])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["trian"], "error: No such command 'trian'. Did you mean 'train'?"),
        (["train"], "error: Missing argument 'config'."),
        (["train", "x.yaml", "--sett", "a=1"], "error: No such option: --sett (Possible options: "),
        (["train", "x.yaml"], "error: x.yaml: no such config"),
        (["evaluate", "m.keras"], "error: Missing option '--data'."),
        (["evaluate", "m.keras", "--data", "bananas"], "error: m.keras: no such model"),
        (["evaluate", "no/m.keras", "--data", "x"], "error: no/m.keras: no such model; there is"),
        (["evaluate", "text.keras", "--data", "x"], "error: text.keras: not a .keras file, or one"),
        (["evaluate", "cut.keras", "--data", "x"], "error: cut.keras: not a .keras file, or one"),
        (["evaluate", "modle.keras", "--data", "x"], "error: modle.keras: no such model; did you "
         "mean model.keras?"),
        (["evaluate", "tiny@champion", "--data", "x"], "error: tiny@champion: no such model; did "
         "you mean models:/tiny@champion?"),
        (["evaluate", "model.keras", "--data", "x", "--limit", "0"], "error: Invalid value for "
         "'--limit'"),
        (["predict", "model.keras"], "error: Missing argument 'SOURCE...'."),
        (["predict", "model.keras", "x.jpg"], "error: x.jpg: no such picture, video or folder"),
        (["predict", "x.keras", "text.keras"], "error: x.keras: no such model"),
        (["predict", "model.keras", ".", "--min-score", "2"], "error: Invalid value for "
         "'--min-score'"),
        (["evaluate", "model.keras", "--data", "x", "--backend", "theano"], "error: backend must "
         "be one of auto, jax, tensorflow, torch; got 'theano'"),
    ],
)  # fmt: skip
def test_mistake_is_one_line_and_exit_code_2(run, arguments, line):
    write_model(Path("model.keras"))
    Path("text.keras").write_text("text")
    Path("cut.keras").write_bytes(Path("model.keras").read_bytes()[:60])
    code, out, err = run(*arguments)
    assert (code, out, len(err)) == (2, "", 1), err
    assert err[0].startswith(line)


def test_every_mistake_of_a_config_is_a_line(run):
    Path("x.yaml").write_text("nam: x\nmodel: 3\ndata: 4\ntrain: 5\n")
    code, _, err = run("train", "x.yaml")
    assert code == 2
    assert sorted(err) == [
        "error: x.yaml: data: must be a mapping of `key: value`; got 4",
        "error: x.yaml: model: must be a mapping of `key: value`; got 3",
        "error: x.yaml: nam: unknown key; did you mean name?",
        "error: x.yaml: name: must be given; it is missing",
        "error: x.yaml: train: must be a mapping of `key: value`; got 5",
    ]


def test_unknown_registered_model_is_told(run, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    code, out, err = run("evaluate", "models:/nothing@champion", "--data", "bananas")
    assert (code, out) == (2, "")
    assert err[-1].startswith("error: models:/nothing@champion: no such model")


def test_crash_is_one_line_and_exit_code_1(run, worker):
    def crash(*_, **__):
        raise WorkerError("the jax worker was killed", log="line 1\nline 2")

    worker(crash)
    write_model(Path("m.keras"))
    arguments = ["evaluate", "m.keras", "--data", "bananas"]
    assert run(*arguments) == (1, "", ["error: the jax worker was killed (--debug tells more)"])
    code, _, err = run(*arguments, "--debug")
    assert code == 1
    assert err[0].startswith("Traceback")
    assert err[-2:] == ["line 1", "line 2"]


def test_workers_mistakes_become_the_users(run, worker):
    def refuse(*_, **__):
        raise UserError("m.keras: would run code")

    worker(refuse)
    write_model(Path("m.keras"))
    assert run("evaluate", "m.keras", "--data", "x") == (2, "", ["error: m.keras: would run code"])


SCORES = {
    "backend": "jax", "model": "m.keras", "data": "bananas@val", "pictures": 3, "seconds": 1.5,
    "metrics": {"ap": 0.5, "ap_small": -1.0, "ap_per_class": {"banana": 0.5}},
    "trivial": {"ap": 0.0, "ap_small": -1.0, "ap_per_class": {"banana": 0.0}},
    "mistaken_for": {},
    "against": None,
        "confidence": None,
}  # fmt: skip


def write_scores(_, arguments, *, backend):
    Path(arguments[arguments.index("--out") + 1]).write_text(json.dumps(SCORES))
    return Outcome(complete=True)


def test_json_stands_alone_on_stdout(run, worker):
    worker(write_scores)
    write_model(Path("m.keras"))
    code, out, _ = run("evaluate", "m.keras", "--data", "bananas", "--json")
    assert code == 0
    assert json.loads(out) == SCORES


def test_table_leaves_out_what_is_not_annotated(run, worker):
    worker(write_scores)
    write_model(Path("m.keras"))
    _, out, _ = run("evaluate", "m.keras", "--data", "bananas", "--out", "s.json")
    assert "m.keras on bananas@val: 3 pictures in 1.5 s on jax" in out
    assert "ap_small" not in out
    assert json.loads(Path("s.json").read_text()) == SCORES


def test_classes_stand_in_one_table_with_what_they_are_taken_for(run, worker):
    def score(_, arguments, *, backend):
        metrics = {
            "top1": 0.5,
            "accuracy_per_class": {"cat": 0.25, "dog": 0.75, "fox": -1.0},
            "precision_per_class": {"cat": 0.5, "dog": 0.6, "fox": 0.0},
        }
        told = {"metrics": metrics, "trivial": {"top1": 0.4}}
        told |= {"mistaken_for": {"cat": "dog", "dog": "", "fox": ""}}
        Path(arguments[arguments.index("--out") + 1]).write_text(json.dumps(SCORES | told))
        return Outcome(complete=True)

    worker(score)
    write_model(Path("m.keras"))
    _, out, _ = run("evaluate", "m.keras", "--data", "folder:x")
    lines = [line.replace("│", "").replace("┃", "").split() for line in out.splitlines()]
    assert ["class", "accuracy", "precision", "taken", "for"] in lines
    assert ["cat", "0.25", "0.5", "dog"] in lines
    assert ["dog", "0.75", "0.6"] in lines
    assert ["fox", "-", "0"] in lines


def test_unreadable_pictures_are_told_after_the_results(run, worker):
    def annotate(_, arguments, *, backend):
        out = Path(arguments[arguments.index("--out") + 1])
        out.mkdir()
        image = {"id": 1, "file_name": "a.png", "told": "nothing", "output": "a.png"}
        (out / "images.json").write_text(json.dumps({"images": [image], "categories": []}))
        (out / "predictions.json").write_text("[]")
        return Outcome(complete=True, mistakes=["b.png: damaged"])

    worker(annotate)
    write_model(Path("m.keras"))
    Path("a.png").touch()
    code, out, err = run("predict", "m.keras", "a.png")
    assert (code, err) == (2, ["error: b.png: damaged"])
    assert ["a.png", "nothing"] in [line.replace("│", "").split() for line in out.splitlines()]
    assert "1 images -> predictions/" in out


def test_folder_of_a_run_names_its_model(run, worker):
    seen = []

    def remember(verb, arguments, *, backend):
        seen.append((verb, arguments[0], backend))
        return write_scores(verb, arguments, backend=backend)

    worker(remember)
    Path("run").mkdir()
    write_model(Path("run/model.keras"))
    assert run("evaluate", "run", "--data", "bananas", "--backend", "jax")[0] == 0
    assert seen == [("score", "run/model.keras", "jax")]


def test_interrupt_ends_without_a_traceback(tmp_path):
    """The worker is one that never answers, so that the interrupt comes in the middle."""
    write_model(tmp_path / "m.keras")
    program = (
        "import sys, flows.worker_process as w\n"
        "sys.executable = sys.argv[1]\n"
        "from flows import cli\n"
        "sys.exit(cli.run(['evaluate', 'm.keras', '--data', 'bananas']))\n"
    )
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\necho $$ > pid\nexec sleep 60\n")
    sleeper.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", program, sleeper],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, "", "error: interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
