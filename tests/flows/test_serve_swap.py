"""The model behind `zoo serve` is replaced, dies, or does not start, under steady requests."""

import os
import threading
import time

import psutil
import pytest
from mlflow.tracking import MlflowClient
from served import Served, assert_same, encoded, picture

import zoo
from flows import registry
from flows.promote import Decision
from flows.tracking_store import experiment_id, open_store

pytestmark = pytest.mark.slow

PICTURES = [picture(seed) for seed in range(8)]
BODIES = [encoded(one) for one in PICTURES]
NAME = "swapped"


class Registry:
    """A home's registry, and what each version of the model detects."""

    def __init__(self, home):
        self.home, self.detected = home, {}

    def register(self, *, broken=False):
        """Register a fresh model, whose weights are others than before, as the champion."""
        task = zoo.create("tiny_ssd", class_names=("banana",), image_size=64)
        file = self.home.parent / f"{len(self.detected)}.keras"
        task.publish(file)
        if broken:
            file.write_bytes(file.read_bytes()[:1000])
        with open_store(self.home):
            client = MlflowClient()
            run = client.create_run(experiment_id(client, NAME, self.home))
            version = registry.register(
                file,
                NAME,
                run_id=run.info.run_id,
                backend=os.environ["KERAS_BACKEND"],
                kind="detection",
                tags={},
            )
            registry.close(NAME, str(version.version), Decision(True, []), {})
        label = f"models:/{NAME}/{version.version}"
        self.detected[label] = task.detect(PICTURES)
        return label


class Requests(threading.Thread):
    """Ask one picture after another; keep what came back, statuses and models, in order."""

    def __init__(self, served, pictures):
        super().__init__(daemon=True)
        self.served, self.pictures = served, pictures
        self.answers, self.ending = [], threading.Event()

    def run(self):
        while not self.ending.is_set():
            number = self.pictures[len(self.answers) % len(self.pictures)]
            answer = self.served.client.post(
                "/predict", content=BODIES[number], headers={"Content-Type": "image/png"}
            )
            self.answers.append((number, answer))

    def wait_until(self, condition, seconds=240):
        """Return when an answer is such; for what is being waited for takes a process' start."""
        deadline = time.monotonic() + seconds
        while not any(condition(answer) for _, answer in self.answers[-20:]):
            assert time.monotonic() < deadline, self.served.told
            assert self.is_alive()
            time.sleep(0.05)

    def end(self):
        self.ending.set()
        self.join(60)


@pytest.fixture
def versions(home):
    return Registry(home)


@pytest.fixture
def serve(home):
    running = []

    def start(*options):
        running.append(Served(f"{NAME}@champion", *options, ZOO_HOME=str(home)))
        return running[-1]

    yield start
    for served in running:
        served.kill()


def assert_right(answers, detected):
    """Each answer is what its model detects on its picture."""
    for number, answer in answers:
        assert_same(answer.json(), detected[answer.headers["X-Model"]][number])


def test_a_moved_alias_takes_over_without_losing_a_request(versions, serve):
    first = versions.register()
    served = serve("--poll", 0.2, "--batch", 4)
    old = psutil.Process(served.model_pid())
    asking = [Requests(served, part) for part in ([0, 1, 2], [3, 4], [5, 6], [7, 0])]
    for one in asking:
        one.start()
    asking[0].wait_until(lambda answer: answer.headers.get("X-Model") == first)
    second = versions.register()
    for one in asking:
        one.wait_until(lambda answer: answer.headers.get("X-Model") == second)
        one.end()
    answers = [pair for one in asking for pair in one.answers]
    assert {answer.status_code for _, answer in answers} == {200}
    assert_right(answers, versions.detected)
    for one in asking:  # one after another, each got the new one once and for all
        labels = [answer.headers["X-Model"] for _, answer in one.answers]
        assert labels == sorted(labels)
        assert {first, second} == set(labels)
    old.wait(60)
    assert served.client.get("/model").json()["model"] == second
    assert "zoo_model_swaps_total 1.0" in served.client.get("/metrics").text


def test_a_version_that_does_not_start_changes_nothing(versions, serve):
    first = versions.register()
    served = serve("--poll", 0.2, "--batch", 1)
    pid = served.model_pid()
    versions.register(broken=True)
    deadline = time.monotonic() + 120
    while "does not start" not in served.told:
        assert time.monotonic() < deadline, served.told
        time.sleep(0.05)
    assert f"{first} stays" in served.told
    assert served.client.get("/model").json()["model"] == first
    assert served.model_pid() == pid
    assert served.told.count("does not start") == 1  # it is not tried at every look


def test_a_killed_model_is_answered_503_and_comes_back_by_itself(versions, serve):
    versions.register()
    served = serve("--batch", 2)
    first = served.model_pid()
    asking = Requests(served, [0, 1, 2])
    asking.start()
    asking.wait_until(lambda answer: answer.status_code == 200)
    psutil.Process(first).kill()
    asking.wait_until(lambda answer: answer.status_code == 503)
    assert served.client.get("/health/ready").status_code == 503
    assert served.client.get("/health/live").status_code == 200
    asking.wait_until(lambda answer: answer.status_code == 200)
    asking.end()
    statuses = {answer.status_code for _, answer in asking.answers}
    assert statuses == {200, 503}
    lost = [answer for _, answer in asking.answers if answer.status_code == 503]
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in lost)
    assert_right([pair for pair in asking.answers if pair[1].is_success], versions.detected)
    assert served.model_pid() != first
    assert "was killed" in served.told
    assert "zoo_model_restarts_total 1.0" in served.client.get("/metrics").text


def test_the_model_process_ends_with_a_server_that_is_killed(versions, serve):
    versions.register()
    served = serve("--batch", 1)
    child = psutil.Process(served.model_pid())
    served.kill()
    child.wait(60)
