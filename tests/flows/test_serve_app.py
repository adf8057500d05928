"""`zoo serve` over HTTP: what it answers, what it refuses and why, who may ask."""

import base64
import json
import os
import re
import signal
import socket
import threading

import httpx
import numpy as np
import psutil
import pytest
from cases import run_python
from prometheus_client.parser import text_string_to_metric_families
from served import Served, assert_same, encoded, picture
from test_serve_limits import as_file, png_header

import zoo

pytestmark = pytest.mark.any_backend  # test_serve_swap.py is for each of them

TOKEN = "a-token-of-the-tests"
PICTURES = [picture(seed) for seed in range(4)]
PNG, JPEG = {"Content-Type": "image/png"}, {"Content-Type": "image/jpeg"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def task():
    return zoo.create("tiny_ssd", class_names=("banana",), image_size=64)


@pytest.fixture(scope="module")
def served(task, tmp_path_factory):
    """A server of small limits, which wants a token."""
    file = tmp_path_factory.mktemp("served") / "model.keras"
    task.publish(file)
    limits = ("--batch", 2, "--megabytes", 0.5, "--megapixels", 0.5, "--queue", 8)
    server = Served(file, *limits, ZOO_TOKEN=TOKEN)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def client(served):
    return served.client


def post(client, content, headers, path="/predict", **query):
    return client.post(path, content=content, headers=headers, params=query)


def test_a_picture_in_the_body_is_answered_with_the_models_detections(client, task):
    found = task.detect(PICTURES[:2])
    answer = post(client, encoded(PICTURES[0]), PNG)
    assert len(answer.json()["boxes"]) > 0
    assert_same(answer.json(), found[0])
    assert answer.json()["names"] == ["banana"] * len(found[0])
    jpeg = encoded(PICTURES[1], "JPEG")
    assert_same(post(client, jpeg, JPEG).json(), task.detect([jpeg])[0])


def test_files_of_a_form_are_answered_in_their_order(client, task):
    files = [("any", (f"{k}.png", encoded(one), "image/png")) for k, one in enumerate(PICTURES)]
    answers = client.post("/predict", files=files).json()
    for answer, found in zip(answers, task.detect(PICTURES), strict=True):
        assert_same(answer, found)


@pytest.mark.parametrize("path", ["/predict", "/invocations"])
def test_json_is_answered_as_by_mlflow(client, task, path):
    text = base64.b64encode(encoded(PICTURES[0])).decode()
    rows = [{"image": text}, {"pixels": PICTURES[1].tolist()}]
    body = json.dumps({"instances": rows, "params": {"min_score": 0.05, "other": 1}})
    answers = post(client, body, JSON, path).json()["predictions"]
    for answer, found in zip(answers, task.detect(PICTURES[:2]), strict=True):
        assert_same(answer, found.above(0.05))
    assert post(client, json.dumps({"instances": []}), JSON, path).json() == {"predictions": []}


def test_min_score_leaves_out_what_scores_less(client, task):
    found = task.detect(PICTURES[:1])[0]
    bound = float(np.median(found.scores))
    answer = post(client, encoded(PICTURES[0]), PNG, min_score=bound).json()
    assert 0 < len(answer["scores"]) < len(found)
    assert_same(answer, found.above(bound))


def truncated(kind):
    data = encoded(PICTURES[0], kind)
    return data[: len(data) // 2]


def image(data):
    return json.dumps({"instances": [{"image": base64.b64encode(data).decode()}]})


def deep_pixels(depth):
    return b'{"inputs": {"pixels": ' + b"[" * depth + b"1" + b"]" * depth + b"}}"


REFUSED = {
    "bomb": (png_header(100_000, 100_000), PNG, 413, "megapixels"),
    "above the pixels": (png_header(1_000, 501), PNG, 413, "1000x501 pixels"),
    "above the bytes": (b"x" * (2**19 + 1), PNG, 413, "a request may have 0.5 MiB"),
    "unannounced bytes": (iter([b"x" * 2**18] * 3), PNG, 413, "a request may have 0.5 MiB"),
    "header alone": (png_header(8, 8), PNG, 422, "damaged or unsupported PNG"),
    "half a JPEG": (truncated("JPEG"), JPEG, 422, "damaged or unsupported JPEG"),
    "half a PNG": (truncated("PNG"), PNG, 422, "damaged or unsupported PNG"),
    "a GIF": (as_file("GIF"), {"Content-Type": "image/gif"}, 415, "Content-Type must be"),
    "a GIF called PNG": (as_file("GIF"), PNG, 415, "neither JPEG nor PNG"),
    "nothing": (b"", PNG, 422, "the picture: empty"),
    "no type": (b"x", {}, 415, "Content-Type must be image/jpeg, .*; got none"),
    "text": (b"x", {"Content-Type": "text/plain"}, 415, "got text/plain"),
    "compressed": (b"x", PNG | {"Content-Encoding": "gzip"}, 415, "must not be compressed"),
    "not a form": (b"x", {"Content-Type": "multipart/form-data"}, 400, "not a form"),
    "no JSON": (b"{", JSON, 400, "Expecting property name"),
    "no UTF-8": (b'{"\xff', JSON, 400, "not UTF-8"),
    "no request": (b"[]", JSON, 400, "dataframe_records"),
    "a number": (b"1", JSON, 400, "dataframe_records"),
    "deep JSON": (b"[" * 200_000, JSON, 400, "nested too deeply"),
    "deep pixels": (
        b'{"inputs": {"pixels": ' + b"[" * 90 + b"1" + b"]" * 90 + b"}}",
        JSON,
        400,
        "",
    ),
    "huge JSON": (b"[" + b"0," * 2**18, JSON, 413, "a request may have 0.5 MiB"),
    "a huge number": (b'{"inputs": ' + b"9" * 5000 + b"}", JSON, 400, "integer string"),
    "params": (b'{"inputs": {"image": ""}, "params": 3}', JSON, 400, "params must be an object"),
    "bomb in JSON": (image(png_header(60_000, 60_000)), JSON, 413, "megapixels"),
    "GIF in JSON": (image(as_file("GIF")), JSON, 415, "picture 1: neither JPEG nor PNG"),
    "half in JSON": (image(truncated("JPEG")), JSON, 422, "damaged or unsupported"),
    "many in JSON": (json.dumps({"inputs": {"image": ["AA=="] * 9}}), JSON, 413, "may have 8"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_answered_is_refused_with_status_and_reason(client, case):
    content, headers, status, reason = REFUSED[case]
    answer = post(client, content, headers)
    told = answer.json()["message"]
    assert (answer.status_code, "\n" in told) == (status, False), told
    assert re.search(reason, told), told


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"min_score": "high"}, "min_score must be a number; got 'high'"),
        ({"min_score": "nan"}, "min_score must be a number"),
        ({"top_k": "3"}, "unknown parameter top_k; this model has min_score"),
    ],
)
def test_parameters_are_checked(client, query, reason):
    answer = post(client, encoded(PICTURES[0]), PNG, **query)
    assert answer.status_code == 400
    assert reason in answer.json()["message"]


def test_one_bad_file_of_a_form_is_named(client):
    files = [("a", ("good.png", encoded(PICTURES[0]))), ("b", ("bad.png", as_file("GIF")))]
    answer = client.post("/predict", files=files)
    assert (answer.status_code, answer.json()["message"]) == (
        415,
        "bad.png: neither JPEG nor PNG",
    )


def test_a_bad_picture_costs_those_beside_it_nothing(client, task):
    """In one batch, since both wait while others are computed."""
    contents = [encoded(PICTURES[0]), truncated("PNG")] * 2
    answers = [None] * len(contents)

    def ask(number):
        answers[number] = post(client, contents[number], PNG)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(len(contents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 422, 200, 422]
    assert_same(answers[2].json(), task.detect(PICTURES[:1])[0])


@pytest.mark.parametrize(
    "given", [None, "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer é"]
)
def test_without_the_token_only_health_and_the_page_are_open(served, given):
    headers = {} if given is None else {"Authorization": given.encode()}
    with httpx.Client(base_url=served.url, headers=headers, trust_env=False) as stranger:
        for path in ("/predict", "/invocations"):
            answer = post(stranger, encoded(PICTURES[0]), PNG, path)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert [stranger.get(path).status_code for path in ("/model", "/metrics")] == [401, 401]
        for path in ("/", "/health/live", "/health/ready", "/ping", "/health", "/version"):
            assert stranger.get(path).status_code == 200


def test_metrics_count_what_happened(client):
    def read():
        families = text_string_to_metric_families(client.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return {(one.name, *sorted(one.labels.values())): one.value for one in samples}

    before = read()
    post(client, encoded(PICTURES[0]), PNG)
    post(client, b"", PNG)
    after = read()

    def gained(*name):
        return after[name] - before.get(name, 0.0)

    assert gained("zoo_requests_total", "/predict", "200") == 1
    assert gained("zoo_requests_total", "/predict", "422") == 1
    assert gained("zoo_batch_pictures_count") == 1
    assert gained("zoo_request_seconds_count", "/predict") == 2
    assert after["zoo_model_ready",] == 1
    assert after["zoo_waiting_pictures",] == 0
    assert after["zoo_model_resident_bytes",] > 5e7


def test_the_model_tells_its_name_and_its_limits(client):
    told = client.get("/model").json()
    assert told["model"].endswith("model.keras")
    assert (told["kind"], told["class_names"]) == ("detection", ["banana"])
    assert told["backend"] == os.environ["KERAS_BACKEND"]
    assert told["limits"] == {"megabytes": 0.5, "megapixels": 0.5, "pictures": 8}


def test_the_page_may_load_nothing_from_elsewhere(client):
    page = client.get("/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_the_server_itself_imports_no_keras_and_the_model_process_no_mlflow():
    asked = "import sys; import {}; print([name for name in {} if name in sys.modules])"
    heavy = ["keras", "zoo", "tensorflow", "jax", "torch", "mlflow", "prefect"]
    server = run_python(["-c", asked.format("flows.serve, flows.serve_versions", heavy)])
    model = run_python(["-c", asked.format("flows.serve_process", ["mlflow", "prefect"])])
    assert (server.strip(), model.strip()) == ("[]", "[]")


def accepts_connections(url):
    try:
        return httpx.get(f"{url}/health/live", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_what_was_accepted_is_answered_before_the_end(served, task):
    """The last test: it ends the server, by SIGTERM to all its processes as systemd sends it."""
    child, body = served.model_pid(), encoded(PICTURES[0])
    head = (
        "POST /predict HTTP/1.1", "Host: here", f"Authorization: Bearer {TOKEN}",
        "Content-Type: image/png", f"Content-Length: {len(body)}", "Expect: 100-continue",
    )  # fmt: skip
    with socket.create_connection(httpx.URL(served.url).netloc.decode().split(":")) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # it is taken in
        for pid in (child, served.process.pid):
            os.kill(pid, signal.SIGTERM)
        while accepts_connections(served.url):
            pass
        connection.sendall(body)
        answer = b"".join(iter(lambda: connection.recv(2**16), b""))
    answered, _, content = answer.partition(b"\r\n\r\n")
    assert answered.startswith(b"HTTP/1.1 200 ")
    assert_same(json.loads(content), task.detect(PICTURES[:1])[0])
    assert served.process.wait(60) == 0
    assert not psutil.pid_exists(child)
