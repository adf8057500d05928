"""`zoo serve` as a process on a free port, and pictures to ask it about."""

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image

PROJECT = Path(__file__).parents[2]
START_SECONDS = 400  # on a starved machine


class Served:
    """A running `zoo serve`.

    Args:
        model: as on the command line.
        options: of the command.
        environment: variables on top of this process's.
    """

    def __init__(self, model, *options, **environment):
        command = [sys.executable, "-m", "flows.cli", "serve", str(model), "--port", "0"]
        self.process = subprocess.Popen(
            [*command, *map(str, options)],
            env=os.environ | environment,
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._told = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.url = self._wait_for_url()
        except BaseException:
            self.kill()
            raise
        token = environment.get("ZOO_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    @property
    def told(self):
        """What it wrote to stderr."""
        return "".join(self._told)

    def model_pid(self):
        """The model process, the only one that it has."""
        (child,) = psutil.Process(self.process.pid).children()
        return child.pid

    def stop(self, number=signal.SIGTERM):
        """End it as an operator does; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(120)

    def kill(self):
        """End it whatever it does."""
        self.process.kill()
        self.process.wait()

    def _read(self):
        for line in self.process.stderr:
            self._told.append(line)

    def _wait_for_url(self):
        watchdog = threading.Timer(START_SECONDS, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            self.process.wait()
            self._reader.join(10)
            raise AssertionError(f"zoo serve ended with {self.process.returncode}: {self.told}")
        return line.split()[0]


def picture(seed, height=48, width=80):
    """Noise (height, width, 3) uint8, another for each seed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def encoded(pixels, kind="PNG"):
    """A picture as a file's bytes."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def assert_same(answer, detections):
    """An answer is what the task detects, within what a batch of another size changes."""
    np.testing.assert_allclose(answer["boxes"], detections.boxes, atol=1e-3)
    np.testing.assert_allclose(answer["scores"], detections.scores, atol=1e-5)
    assert answer["labels"] == detections.labels.tolist()
