"""Registered models of every kind answer in the form of their kind, from a real file."""

import base64
import io
import json
import os

import mlflow
import numpy as np
import pytest
from cases import SLOW_ON_JAX, run_python, small_classifier, small_fcn
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from PIL import Image

import zoo
from flows import registry
from flows.promote import Decision
from flows.tracking_store import experiment_id, open_store

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
COLORS = ((10, 20, 30), (200, 100, 0))

MODELS = {
    "segmentation": lambda: small_fcn(palette=COLORS),
    "classification": small_classifier,
    "style": lambda: zoo.create("fast_style", filters=4, residual_blocks=1, image_size=32),
}
OUTPUTS = {
    "segmentation": ["class_map", "labels", "names", "shares", "colors"],
    "classification": ["labels", "names", "probabilities"],
    "style": ["picture"],
}


def opened(text):
    """The picture behind base64."""
    return Image.open(io.BytesIO(base64.b64decode(text)))


@pytest.fixture(scope="module")
def tasks():
    return {kind: create() for kind, create in MODELS.items()}


@pytest.fixture(scope="module")
def home(tasks, tmp_path_factory):
    """A home with a registered champion of each kind, called as its kind."""
    home = tmp_path_factory.mktemp("kinds") / "mlruns"
    with open_store(home):
        client = MlflowClient()
        for kind, task in tasks.items():
            assert task.kind == kind
            file = home.parent / f"{kind}.keras"
            task.publish(file)
            run = client.create_run(experiment_id(client, kind, home))
            backend = os.environ["KERAS_BACKEND"]
            version = registry.register(
                file, kind, run_id=run.info.run_id, backend=backend, kind=kind, tags={}
            )
            registry.close(kind, str(version.version), Decision(True, []), {})
    return home


@pytest.fixture(scope="module")
def models(home):
    with open_store(home):
        return {kind: mlflow.pyfunc.load_model(f"models:/{kind}@champion") for kind in MODELS}


@SLOW_ON_JAX
@pytest.mark.parametrize("kind", MODELS)
def test_the_signature_is_that_of_the_kind(models, kind):
    signature = models[kind].metadata.signature
    assert signature.inputs.input_names() == ["image", "pixels"]
    assert signature.outputs.input_names() == OUTPUTS[kind]


@SLOW_ON_JAX
def test_a_class_map_is_a_png_of_labels_in_the_colours_of_the_data(models, tasks):
    (answer,) = json.loads(json.dumps(models["segmentation"].predict({"pixels": PICTURE.tolist()})))
    (found,) = tasks["segmentation"].segment([PICTURE])
    with opened(answer["class_map"]) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), found.classes)
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), found.to_colors())
    assert dict(zip(answer["labels"], answer["shares"], strict=True)) == found.shares()
    assert answer["names"] == [found.name(label) for label in answer["labels"]]
    assert answer["colors"] == [list(COLORS[label]) for label in answer["labels"]]


@SLOW_ON_JAX
def test_classes_come_with_their_probabilities_the_best_ones_first(models, tasks):
    table = {"pixels": PICTURE.tolist()}
    (answer,) = models["classification"].predict(table)
    (found,) = tasks["classification"].classify([PICTURE])
    assert answer["names"] == [name for name, _ in found.top(5)]
    expected = [probability for _, probability in found.top(5)]
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)  # as a batch of one
    (best,) = models["classification"].predict(table, params={"top_k": 1})
    assert (best["labels"], best["names"]) == ([found.label], [found.name(found.label)])
    with pytest.raises(MlflowException, match="top_k must be at least 1; got 0"):
        models["classification"].predict(table, params={"top_k": 0})


@pytest.mark.slow
def test_a_painted_picture_is_a_png_of_the_pictures_size(home, tasks):
    """In a fresh process, as a server opens it."""
    script = f"""
import json, mlflow
mlflow.set_tracking_uri("sqlite:///{home}/mlflow.db")
model = mlflow.pyfunc.load_model("models:/style@champion")
print(json.dumps(model.predict({{"pixels": {PICTURE.tolist()}}})))
"""
    (answer,) = json.loads(run_python(["-c", script]).splitlines()[-1])
    (painted,) = tasks["style"].stylize([PICTURE])
    with opened(answer["picture"]) as image:
        assert image.format == "PNG"
        # A value near .5 may round to either side.
        assert np.abs(np.asarray(image).astype(int) - painted).max() <= 1
