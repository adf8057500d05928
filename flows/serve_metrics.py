"""The figures of `zoo serve` for Prometheus, and the layer of the application that counts requests.

Whatever can be read when somebody asks is read then; only requests and batches are counted.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

import psutil
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.serve_batcher import Batcher
from flows.serve_keeper import ModelKeeper

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """What is counted, and the text of it.

    Args:
        sizes: of batches, the bounds of their histogram.
    """

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, sizes: Sequence[int]):
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "zoo_requests", "Answered requests.", ["path", "code"], registry=self._registry
        )
        self._seconds = Histogram(
            "zoo_request_seconds",
            "From a request's head to the end of its answer.",
            ["path"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batches = Histogram(
            "zoo_batch_pictures",
            "Pictures of the batches that were sent to the model.",
            buckets=sizes,
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)

    def count_request(self, path: str, code: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(path, str(code)).inc()
        self._seconds.labels(path).observe(seconds)

    def count_batch(self, size: int) -> None:
        """Count a batch of so many pictures."""
        self._batches.observe(size)

    def read(self, keeper: ModelKeeper, batcher: Batcher) -> None:
        """Also tell how these two are, whenever somebody asks."""
        self._registry.register(_State(keeper, batcher))

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)


class _State:
    def __init__(self, keeper: ModelKeeper, batcher: Batcher):
        self._keeper, self._batcher = keeper, batcher

    def collect(self) -> Iterator[Metric]:
        events, model = self._keeper.events, self._keeper.current
        ready = float(self._keeper.ready)
        yield GaugeMetricFamily("zoo_model_ready", "Whether a model answers.", ready)
        yield GaugeMetricFamily("zoo_waiting_pictures", "In the queue.", len(self._batcher))
        yield CounterMetricFamily(
            "zoo_model_restarts", "After the end of a model process.", events.restarts
        )
        yield CounterMetricFamily("zoo_model_swaps", "One version for another.", events.swaps)
        yield CounterMetricFamily(
            "zoo_model_swap_failures", "Versions that did not start.", events.failed_swaps
        )
        yield CounterMetricFamily(
            "zoo_registry_failures", "Looks at the registry that failed.", events.failed_looks
        )
        if model is None:
            return
        info = GaugeMetricFamily(
            "zoo_model_info", "The model that answers.", labels=["model", "kind", "backend"]
        )
        facts = model.facts
        info.add_metric([model.version.label, facts["kind"], facts["backend"]], 1.0)
        yield info
        with suppress(psutil.Error):
            memory = psutil.Process(model.pid).memory_info().rss
            yield GaugeMetricFamily(
                "zoo_model_resident_bytes", "Memory of the model process.", memory
            )


class Counted:
    """An application whose requests are counted.

    Args:
        app: the application.
        metrics: where they are counted.
        paths: that count by name; all others are one.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Sequence[str]):
        self._app, self._metrics, self._paths = app, metrics, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began, code = time.perf_counter(), 500

        async def note(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.count_request(path, code, time.perf_counter() - began)
