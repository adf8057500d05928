"""The whole way of `zoo stylize`: command line, worker process, files, JSON."""

import json

import numpy as np
import pytest
from cases import SLOW_ON_JAX
from PIL import Image

import zoo
from flows import cli, styling, worker
from flows.journal import read_journal

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, size in (("content.png", (32, 48)), ("style.jpg", (40, 36)), ("dot.png", (1, 1))):
        Image.fromarray(RANDOM.integers(0, 256, (*size, 3), np.uint8)).save(name)
    (tmp_path / "text.png").write_text("no picture")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Small models of each kind, as files."""
    folder = tmp_path_factory.mktemp("models")
    layers = {"content_layers": ["relu1_2"], "style_layers": ["relu1_1"]}
    zoo.create("style_transfer", **layers).publish(folder / "judge.keras")
    pooled = {"content_layers": ["relu2_1"], "style_layers": ["relu1_1"]}
    zoo.create("style_transfer", **pooled).publish(folder / "pooled.keras")
    zoo.create("fast_style", filters=4, residual_blocks=1).publish(folder / "fast.keras")
    zoo.create("tiny_ssd", num_classes=1, image_size=64).publish(folder / "ssd.keras")
    return folder


@pytest.fixture
def run(capsys):
    """Run a command line; return its exit code, stdout and the lines of stderr."""

    def run(*arguments):
        code = cli.run(["stylize", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


@pytest.fixture
def here(monkeypatch):
    """Run the worker's verb in this process and on this backend."""
    told = []

    def run_verb(verb, arguments, *, backend):
        told.append(arguments)
        code = worker.main([verb, *arguments])
        assert code == 0

    monkeypatch.setattr("flows.worker_process.run_verb", run_verb)
    return told


@SLOW_ON_JAX
def test_a_picture_is_optimised_in_a_folder_of_its_own(run, here, models):
    arguments = ["content.png", "style.jpg", "--out", "to/painted.png", "--steps", 6, "--json"]
    arguments += ["--model", models / "judge.keras", "--size", 16]
    code, out, _ = run(*arguments)
    assert code == 0
    told = json.loads(out[out.index("{\n") :])
    assert (told["size"], told["steps"]) == ({"height": 16, "width": 24}, 6)
    assert told["style_used"]
    assert set(told["first"]) == set(told["last"]) > {"train/loss", "train/style_loss"}
    painted = np.asarray(Image.open("to/painted.png"))
    sample = np.asarray(Image.open(f"{told['folder']}/samples/scale0-00006.png"))
    np.testing.assert_array_equal(painted, sample)
    with Image.open(f"{told['folder']}/losses.png") as curves:
        assert curves.size == (640, 400)
    kinds = [event["kind"] for event in read_journal(f"{told['folder']}/journal.jsonl")]
    assert kinds == ["started", "step", "step", "step", "sample", "checkpoint", "finished"]
    again = json.loads((lambda text: text[text.index("{\n") :])(run(*arguments)[1]))
    assert again["folder"] == told["folder"]
    kinds = [event["kind"] for event in read_journal(f"{told['folder']}/journal.jsonl")]
    assert kinds[-1] == "resumed"  # and nothing was computed
    run(*arguments, "--again")
    kinds = [event["kind"] for event in read_journal(f"{told['folder']}/journal.jsonl")]
    assert kinds[:2] == ["started", "step"]


@SLOW_ON_JAX
def test_a_model_that_has_learnt_a_style_needs_none(run, here, models):
    code, out, err = run("content.png", "--out", "a.png", "--model", models / "fast.keras")
    assert (code, err) == (0, [])
    assert out.splitlines()[-1] == "a.png"
    with Image.open("a.png") as painted:
        assert painted.size == (48, 32)
    command = ["content.png", "style.jpg", "--out", "b.png", "--model", models / "fast.keras"]
    code, _, err = run(*command)
    assert code == 0
    assert err[-1].endswith("has learnt its style; style.jpg was not looked at")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["content.png", "--out", "a.png"], "STYLE is missing: name a picture, or a --model"),
        (["content.png", "no.jpg", "--out", "a.png"], "no.jpg: no such picture"),
        (["content.png", "style.jpg", "--out", "a.gif"], "--out a.gif: must end in one of .bmp"),
        (["content.png", "style.jpg", "--out", "style.jpg"], "--out style.jpg: is one of the"),
        (["content.png", "style.jpg"], "Missing option '--out'."),
        (["content.png", "style.jpg", "--out", "a.png", "--steps", 0], "Invalid value for"),
        (["content.png", "--out", "a.png", "--model", "no.keras"], "no.keras: no such model"),
    ],
)
def test_mistakes_are_told_before_a_worker_starts(run, arguments, line):
    code, out, err = run(*arguments)
    assert (code, out, len(err)) == (2, "", 1)
    assert err[0].startswith(f"error: {line}")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--model=judge.keras", "text.png", "style.jpg"], "text.png: not a picture that can be"),
        (["--model=judge.keras", "content.png", "text.png"], "text.png: not a picture that can"),
        (["--model=pooled.keras", "dot.png", "style.jpg"], "the network needs 2x2 pixels or more"),
        (["--model=fast.keras", "dot.png"], "the network needs 5x5 pixels or more; got 1x1"),
        (["--model=judge.keras", "content.png"], "STYLE is missing: name the picture"),
        (["--model=ssd.keras", "content.png"], "{}ssd.keras holds a SSD; zoo stylize needs a"),
        (["--backbone=vgg19", "content.png", "style.jpg"], "no package on PyPI is known to carry"),
    ],
)
def test_what_the_worker_finds_is_one_line_and_exit_code_2(arguments, line, models, capsys):
    arguments = [one.replace("--model=", f"--model={models}/") for one in arguments]
    places = ["--out=a.png", "--folder=run", "--result=result.json"]
    assert worker.main(["stylize", *places, "--steps=7", *arguments]) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1
    assert err[0].startswith(line.format(f"{models}/"))


def test_a_picture_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(styling.UserError, match=r"--out .*file/a.png: cannot be written"):
        styling.save_picture(tmp_path / "file" / "a.png", np.zeros((4, 4, 3), np.uint8))
