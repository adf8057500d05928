"""`zoo export` and `zoo benchmark` from the command line: files, figures, mistakes, exit codes."""

import json

import keras
import pytest
from cases import colours, small_classifier
from PIL import Image

from flows import cli, export_check
from flows.export_formats import DESCRIPTION
from flows.export_pictures import pictures_of

BACKEND = keras.backend.backend()
# What the backend's own package suffices to write; on JAX another worker does.
FORMAT = "torch" if BACKEND == "torch" else "saved_model"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("models") / "model.keras"
    small_classifier().publish(path)
    return path


@pytest.fixture
def pictures(tmp_path):
    """A folder of pictures of three classes, as a SPEC."""
    images, labels = colours(12)
    for split in ("train", "val"):
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            folder = tmp_path / "data" / split / ("red", "green", "blue")[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number}.png")
    return f"folder:{tmp_path / 'data'}"


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run a command line in an empty folder; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments):
        code = cli.run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return run_command


@pytest.mark.slow
def test_an_export_is_written_checked_scored_and_drawn(run, model, pictures, tmp_path):
    out = tmp_path / "exported"
    code, told, err = run(
        "export", model, "--format", FORMAT, "--out", out, "--data", pictures, "--json"
    )
    assert code == 0, err
    answer = json.loads(told)
    assert answer["same"]
    assert answer["compared"]
    assert answer["bytes"] > 1000
    description = json.loads((out / DESCRIPTION).read_text())
    assert description["class_names"] == ["red", "green", "blue"]
    assert len(description["source"]["sha256"]) == 64
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    scores = []
    for asked in (model, out):
        code, told, err = run("evaluate", asked, "--data", pictures, "--json")
        assert code == 0, err
        scores.append(json.loads(told)["metrics"])
    assert scores[0].pop("cross_entropy") == pytest.approx(scores[1].pop("cross_entropy"), abs=1e-4)
    assert scores[0] == scores[1]

    picture = next((tmp_path / "data" / "val").rglob("*.png"))
    code, told, err = run("predict", out, picture, "--json")
    assert code == 0, err
    assert json.loads(told)["predictions"]


@pytest.mark.slow
@pytest.mark.skipif(BACKEND == "jax", reason="no format is written on JAX")
def test_what_does_not_answer_the_same_is_not_kept(model, pictures, tmp_path, monkeypatch, capfd):
    from flows import exporting, worker

    monkeypatch.setattr(export_check, "SAME_PROBABILITY", -1.0)  # no two answers are so alike
    arguments = ["export", f"--format={FORMAT}", f"--out={tmp_path / 'x'}", f"--data={pictures}"]
    with pytest.raises(exporting.ExportError, match="does not answer as the model does"):
        worker.main([*arguments, f"--result={tmp_path / 'r.json'}", "--", str(model)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


@pytest.mark.slow
@pytest.mark.any_backend
def test_a_benchmark_has_a_row_a_format_and_backend(run, model, pictures):
    code, told, err = run(
        *("benchmark", model, "--data", pictures, "--formats", "saved_model"),
        *("--seconds", "0.1", "--json"),
    )
    assert code == 0, err
    rows = json.loads(told)["rows"]
    names = [row["name"] for row in rows]
    assert names[-1] == "saved_model"
    assert "keras tensorflow" in names
    for row in rows:
        assert 0 < row["1 thread"]["median_ms"] <= row["1 thread"]["p90_ms"]
        assert row["all threads"]["peak_bytes"] > 10e6
    assert len({row["metrics"]["top1"] for row in rows}) == 1


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "coreml"], "--format must be one of saved_model, onnx, litert"),
        (["--format", "litert", "--int8"], "--int8 is for the formats onnx, openvino; got litert"),
        (["--format", "saved_model", "--image-size", "big"], "--image-size must be a side or HxW"),
        (["--format", "saved_model", "--out", "."], "is a folder of other things"),
    ],
)
def test_mistakes_are_a_line_each(run, model, tmp_path, arguments, message):
    (tmp_path / "precious.txt").write_text("mine")
    code, _, err = run("export", model, *arguments)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert message in err
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.mark.any_backend
def test_an_export_is_no_model_to_export(run, tmp_path):
    (tmp_path / DESCRIPTION).write_text("{}")
    code, _, err = run("export", tmp_path, "--format", "saved_model")
    assert code == 2
    assert "is an export; name the .keras file that it was made of" in err


@pytest.mark.any_backend
def test_a_runs_own_data_are_what_its_export_is_tried_on(tmp_path):
    from pathlib import Path

    text = Path(__file__).parents[2].joinpath("configs/smoke.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text)
    assert pictures_of(str(tmp_path), None, None) == ("bananas", [])
    assert pictures_of(str(tmp_path), "shapes@val", None) == ("shapes@val", [])
    assert pictures_of(str(tmp_path / "model.keras"), None, None) == (None, [])
