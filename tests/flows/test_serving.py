"""A registered detector answers pictures, as arrays and as base64, in a process and over HTTP."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest
from cases import QUICK_ON_TORCH, SLOW_ON_JAX
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from PIL import Image
from pycocotools import mask as coco_mask
from tracking_server import free_port

import zoo
from flows import registry
from flows.promote import Decision
from flows.serving import ModelServer
from flows.tracking_store import experiment_id, open_store

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (48, 80, 3), dtype=np.uint8)
SMALL = PICTURE[:32, :32]


def encode(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture(scope="module")
def task():
    return zoo.create("tiny_ssd", class_names=("banana",), image_size=64)


@pytest.fixture(scope="module")
def served_home(task, tmp_path_factory):
    """A home with a registered champion of the running backend."""
    home = tmp_path_factory.mktemp("served") / "mlruns"
    file = home.parent / "model.keras"
    task.publish(file)
    with open_store(home):
        client = MlflowClient()
        run = client.create_run(experiment_id(client, "served", home))
        backend = os.environ["KERAS_BACKEND"]
        version = registry.register(
            file, "served", run_id=run.info.run_id, backend=backend, kind="detection", tags={}
        )
        registry.close("served", str(version.version), Decision(True, []), {})
    return home


@pytest.fixture(scope="module")
def model(served_home):
    with open_store(served_home):
        return mlflow.pyfunc.load_model("models:/served@champion")


def assert_same(answer, detections):
    np.testing.assert_allclose(answer["boxes"], detections.boxes, atol=1e-3)
    np.testing.assert_allclose(answer["scores"], detections.scores, atol=1e-5)
    assert answer["labels"] == detections.labels.tolist()
    assert answer["names"] == ["banana"] * len(detections)


@SLOW_ON_JAX
def test_arrays_and_base64_in_one_table_get_the_models_detections(model, task):
    table = pd.DataFrame({"image": [encode(PICTURE), None], "pixels": [None, SMALL.tolist()]})
    first, second = model.predict(table)
    assert len(first["boxes"]) > 0
    assert_same(first, task.detect([PICTURE])[0])
    assert_same(second, task.detect([SMALL])[0])


@pytest.mark.parametrize(
    "request_",
    [
        {"image": encode(PICTURE)},
        {"pixels": PICTURE.tolist()},
        [{"image": encode(PICTURE)}],
        [{"image": "data:image/png;base64," + encode(PICTURE)}],
        pd.DataFrame({"pixels": [PICTURE]}),
        pd.DataFrame({"pixels": [PICTURE.astype("float64")]}),
        pd.DataFrame({"pixels": [PICTURE[None]]}),
    ],
    ids=["base64", "list", "records", "data-url", "uint8", "float64", "batch"],
)
@SLOW_ON_JAX
def test_every_way_to_give_a_picture_gives_the_same_answer(model, task, request_):
    (answer,) = model.predict(request_)
    assert_same(answer, task.detect([PICTURE])[0])


@SLOW_ON_JAX
def test_min_score_leaves_out_what_scores_less(model, task):
    scores = task.detect([PICTURE])[0].scores
    bound = float(np.median(scores))
    (answer,) = model.predict({"image": encode(PICTURE)}, params={"min_score": bound})
    assert 0 < len(answer["scores"]) < len(scores)
    assert min(answer["scores"]) >= bound


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": "no base64!"}, "image must be base64 of an encoded picture"),
        ({"image": base64.b64encode(b"no picture").decode()}, "picture"),
        ({"pixels": [[[0.5, 300.0, 0.0]]]}, "pixels must be 0..255; got 0.0 to 300.0"),
        ({"pixels": [[[0, 0, 0]], [[0, 0]]]}, "pixels must be a full array of numbers"),
        ({"image": encode(SMALL), "pixels": SMALL.tolist()}, "either image .* or pixels"),
    ],
)
@SLOW_ON_JAX
def test_a_picture_that_cannot_be_read_is_told_in_one_line(model, row, message):
    with pytest.raises(MlflowException, match=message) as caught:
        model.predict([row])
    assert "\n" not in str(caught.value)


@SLOW_ON_JAX
def test_the_signature_names_the_columns(model):
    signature = model.metadata.signature
    assert signature.inputs.input_names() == ["image", "pixels"]
    assert not any(column.required for column in signature.inputs)
    assert signature.outputs.input_names() == ["boxes", "scores", "labels", "names", "masks"]


@pytest.mark.any_backend
def test_masks_are_answered_as_run_lengths_that_json_takes():
    masks = np.zeros((2, 48, 80), bool)
    masks[0, 10:20, 30:60] = True
    drawn = zoo.Detections(np.zeros((2, 4)), scores=[0.9, 0.1], labels=[0, 0], masks=masks)
    server = ModelServer()
    server._task = SimpleNamespace(kind="detection", detect=lambda pictures: [drawn])
    table = pd.DataFrame({"pixels": [PICTURE]})
    (answer,) = json.loads(json.dumps(server.predict(None, table, {"min_score": 0.5})))
    (mask,) = answer["masks"]
    assert mask["size"] == [48, 80]
    np.testing.assert_array_equal(coco_mask.decode(mask), masks[0])


@pytest.fixture(scope="module")
def endpoint(served_home, tmp_path_factory):
    """`mlflow models serve`, a real server."""
    port, folder = free_port(), tmp_path_factory.mktemp("elsewhere")
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["-m", "models:/served@champion", "--port", str(port)]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{served_home}/mlflow.db",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # it runs uvicorn by name
    }
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 400
        while time.monotonic() < deadline and server.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"{url}/ping"):
                break
            time.sleep(0.2)
        else:
            raise AssertionError(log.read_text())
        yield f"{url}/invocations"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def post(url, body):
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["predictions"]


@QUICK_ON_TORCH
def test_the_server_answers_over_http_and_refuses_with_the_reason(endpoint, task):
    expected = task.detect([PICTURE])[0]
    for body in (
        {"dataframe_records": [{"image": encode(PICTURE)}]},
        {"dataframe_split": {"columns": ["pixels"], "data": [[PICTURE.tolist()]]}},
        {"instances": [{"image": encode(PICTURE)}]},
        {"inputs": {"pixels": PICTURE.tolist()}},
        {"inputs": {"image": [encode(PICTURE)]}},
    ):
        (answer,) = post(endpoint, body)
        assert_same(answer, expected)
    mixed = [{"image": encode(PICTURE), "pixels": None}, {"image": None, "pixels": SMALL.tolist()}]
    first, second = post(endpoint, {"dataframe_records": mixed, "params": {"min_score": 2.0}})
    assert (first["scores"], second["scores"]) == ([], [])
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(endpoint, {"dataframe_records": [{"image": "no base64!"}]})
    assert caught.value.code == 400
    assert "image must be base64" in caught.value.read().decode()
