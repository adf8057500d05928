"""`zoo serve` with a model that does not get on: queues, timeouts, and clients that hang up.

The model process is stopped (SIGSTOP), so that what waits stays where it is, whatever the machine.
"""

import re
import socket
import threading
import time

import httpx
import psutil
import pytest
from served import Served, encoded, picture

import zoo
from flows import serve_model
from flows.serve_batcher import ON_THEIR_WAY
from flows.serve_limits import Limits, RefusedError, check_picture
from flows.serve_model import ModelProcess, Question, Version

pytestmark = [pytest.mark.slow, pytest.mark.any_backend]

BODY, PNG = encoded(picture(0)), {"Content-Type": "image/png"}
QUEUE = 3
IN_THE_HOUSE = QUEUE + ON_THEIR_WAY  # in batches of one


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A model in a folder whose name no HTTP header can hold as it is."""
    file = tmp_path_factory.mktemp("modèle-模型") / "model.keras"
    zoo.create("tiny_ssd", class_names=("banana",), image_size=64).publish(file)
    return file


@pytest.fixture(scope="module")
def served(file):
    served = Served(file, "--queue", QUEUE, "--batch", 1, "--timeout", 6)
    yield served
    served.kill()


@pytest.fixture
def stopped(served):
    """The server, whose model does nothing until it is resumed."""
    model = psutil.Process(served.model_pid())
    model.suspend()
    yield served, model
    model.resume()
    wait_until(lambda: ask(served).status_code == 200)


def ask(served):
    return served.client.post("/predict", content=BODY, headers=PNG)


def metric(served, name):
    found = re.search(rf"^{name} (\S+)$", served.client.get("/metrics").text, re.M)
    return int(float(found[1]))


def waiting(served):
    return metric(served, "zoo_waiting_pictures")


def sent(served):
    return metric(served, "zoo_batch_pictures_count")


def wait_until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Asking(threading.Thread):
    """A request on its way."""

    def __init__(self, served):
        super().__init__(daemon=True)
        self.served, self.answer = served, None
        self.start()

    def run(self):
        self.answer = ask(self.served)


def fill(served):
    """Ask until there is no room, one after the other: of several at once the queue may refuse
    one before a batch has left it."""
    before, inside = sent(served), []
    for number in range(1, IN_THE_HOUSE + 1):
        inside.append(Asking(served))
        if number <= ON_THEIR_WAY:
            wait_until(lambda wanted=before + number: sent(served) == wanted)
        else:
            wait_until(lambda wanted=number - ON_THEIR_WAY: waiting(served) == wanted)
    return inside


def test_what_the_queue_has_no_room_for_is_told_to_come_again(stopped):
    served, model = stopped
    inside = fill(served)
    refused = ask(served)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert "too many pictures are waiting" in refused.json()["message"]
    assert served.client.get("/health/ready").status_code == 200
    model.resume()
    for one in inside:
        one.join(60)
    assert [one.answer.status_code for one in inside] == [200] * IN_THE_HOUSE


def test_who_waits_too_long_is_told_and_makes_room(stopped):
    served, _ = stopped
    inside = fill(served)
    for one in inside:
        one.join(60)
    assert [one.answer.status_code for one in inside] == [504] * IN_THE_HOUSE
    assert inside[0].answer.json()["message"] == "no answer within 6 s"
    assert waiting(served) == 0


def test_who_hangs_up_makes_room(stopped):
    served, _ = stopped
    clients = [httpx.Client(base_url=served.url, trust_env=False) for _ in range(IN_THE_HOUSE)]
    for client in clients:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/predict", content=BODY, headers=PNG, timeout=httpx.Timeout(60, read=0.05))
        client.close()
    wait_until(lambda: waiting(served) == 0)


def test_a_body_that_does_not_come_is_not_waited_for(served):
    head = ["POST /predict HTTP/1.1", "Host: here", "Content-Type: image/png", "Content-Length: 9"]
    with socket.create_connection(httpx.URL(served.url).netloc.decode().split(":")) as connection:
        connection.sendall("\r\n".join([*head, "", "half"]).encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_a_label_that_no_header_holds_is_quoted(served):
    answer = ask(served)
    assert answer.status_code == 200
    assert answer.headers["X-Model"].endswith("/model.keras")
    assert "模型" in served.client.get("/model").json()["model"]


def test_a_process_that_hangs_is_ended_and_its_batch_refused(file, monkeypatch):
    import asyncio

    monkeypatch.setattr(serve_model, "ANSWER_SECONDS", 1.0)
    question = Question(check_picture(BODY, Limits(), "it"), {})

    async def scenario():
        model = await ModelProcess.start(Version("it", file), backend="tensorflow", sizes=[1])
        try:
            psutil.Process(model.pid).suspend()
            with pytest.raises(RefusedError) as caught:
                await model.ask([question])
            await asyncio.wait_for(model.gone.wait(), 60)
            return caught.value.status, await model.end()
        finally:
            await model.stop()

    assert asyncio.run(scenario()) == (503, "was killed (out of memory?)")
