"""A run's journal told to MLflow: each event once, however often either side goes away.

The journal is the truth and MLflow a copy of it. A `Tracker` remembers in the run folder up to
which event the copy is complete. What was sent but not yet remembered is sent again, which changes
nothing: a metric's key, step, value and the journal's own time are its identity in the store.
"""

import time
import uuid
from pathlib import Path
from typing import Any

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from flows import provenance
from flows.journal import JournalReader
from flows.run_folder import RunFolder, home_id
from flows.tracking_events import batches, metrics_of, parameters_of, tags_of
from flows.tracking_store import (
    TrackingError,
    answering,
    end_run,
    experiment_id,
    is_passing,
    one_line,
    read_state,
    search_runs,
)
from flows.whole_files import write_json

LONGEST_PAUSE = 15.0  # seconds between two attempts to reach a store that is away
PATIENCE = 600.0  # seconds that a finished run waits for its store to come back
PARAMETERS_A_REQUEST = 100  # MLflow's limit


class Tracker:
    """Copies one run folder's journal into one MLflow run, which it opens or takes over.

    Args:
        folder: the run.
        home: the home that it belongs to.
        uri: the store.
        experiment: the MLflow experiment's name; made where missing.
        parameters: logged once, nested dicts flattened to `a.b`.
        tags: further tags of the run.

    Raises:
        TrackingError: the store does not answer.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        home: Path,
        uri: str,
        experiment: str,
        parameters: dict,
        tags: dict[str, str],
    ) -> None:
        self.folder, self.uri = folder, uri
        self.problem: Exception | None = None
        self._client = MlflowClient(tracking_uri=uri)
        self._state: dict[str, Any] = {"token": uuid.uuid4().hex, "run_id": None, "position": -1}
        self._state |= read_state(folder)
        self._remember()  # the token first: a run is found again though nothing else was written
        with answering(uri):
            run = self._adopt(home) or self._create(home, experiment, tags)
            if run.info.run_id != self._state["run_id"]:
                self._remember(run_id=run.info.run_id, position=-1)
            self._client.update_run(self.run_id, status="RUNNING")
            self._log_parameters(parameters)
        self._reader = JournalReader(folder.journal, after=self._state["position"])
        self._unsent: list[dict] = []
        self._pause, self._quiet_until = 0.0, 0.0

    @property
    def run_id(self) -> str:
        """The MLflow run."""
        return self._state["run_id"]

    @staticmethod
    def run_of(folder: RunFolder) -> str:
        """Return the MLflow run of a folder, or nothing where it has none as yet."""
        return read_state(folder).get("run_id") or ""

    def sync(self) -> bool:
        """Send what is new in the journal; False where the store is away or refuses.

        Nothing is lost then: the next call goes on where this one stopped. After a failure the
        store is left in peace for a growing while, so that following a worker stays quick.
        """
        self._unsent += self._reader.poll()
        if time.monotonic() < self._quiet_until:
            return False
        try:
            for events in batches(self._unsent):
                self._send(events)
                self._remember(position=events[-1]["seq"])
                self._unsent = self._unsent[len(events) :]
        except Exception as error:  # whatever the network, the server or the database raises
            self.problem = error
            self._pause = min(2 * self._pause + 0.5, LONGEST_PAUSE)
            self._quiet_until = time.monotonic() + self._pause
            return False
        self.problem, self._pause = None, 0.0
        return True

    def catch_up(self, patience: float = PATIENCE) -> None:
        """Wait until the store has the whole journal.

        Raises:
            TrackingError: it had not after `patience` seconds, or refuses for good.
        """
        deadline = time.monotonic() + patience
        self._quiet_until = 0.0
        while not self.sync():
            if time.monotonic() > deadline or not is_passing(self.problem):
                raise TrackingError(
                    f"{self.uri} did not take the run's events: {one_line(self.problem)}. They "
                    f"are kept in {self.folder.journal}; the same command goes on from here."
                )
            time.sleep(max(0.05, min(1.0, self._quiet_until - time.monotonic())))

    def end(self, status: str, reason: str = "") -> None:
        """End the run as FINISHED, FAILED or KILLED, and say why."""
        end_run(self._client, self.run_id, status, reason)

    def _adopt(self, home: Path) -> Run | None:
        """Return the run that this folder already has in the store, from an earlier controller."""
        token = self._state["token"]
        query = f"tags.zoo_home = '{home_id(home)}' and tags.zoo_token = '{token}'"
        return next(iter(search_runs(self._client, query)), None)

    def _create(self, home: Path, experiment: str, tags: dict[str, str]) -> Run:
        machine = provenance.machine()
        return self._client.create_run(
            experiment_id(self._client, experiment, home),
            run_name=self.folder.name,
            tags={
                "mlflow.user": machine["user"],
                "mlflow.source.type": "LOCAL",
                "mlflow.source.name": "zoo train",
                "zoo_home": home_id(home),
                "zoo_folder": self.folder.name,
                "zoo_token": self._state["token"],
                "run_folder": str(self.folder.path),
                **{f"machine.{key}": value for key, value in machine.items()},
                **tags,
            },
        )

    def _log_parameters(self, parameters: dict) -> None:
        """Log those the run does not have; a later start may change what changes no result."""
        known = self._client.get_run(self.run_id).data.params
        new = [param for param in parameters_of(parameters) if param.key not in known]
        for start in range(0, len(new), PARAMETERS_A_REQUEST):
            self._client.log_batch(self.run_id, params=new[start : start + PARAMETERS_A_REQUEST])

    def _send(self, events: list[dict]) -> None:
        metrics = [metric for event in events for metric in metrics_of(event)]
        tags = [tag for event in events for tag in tags_of(event)]
        if metrics or tags:
            self._client.log_batch(self.run_id, metrics=metrics, tags=tags)
        for event in events:
            if event["kind"] == "started":
                self._log_started(event)
            elif event["kind"] == "sample":
                self._log_picture(event["path"])
            elif event["kind"] == "hardware":
                self._log_hardware(event)

    def _log_started(self, event: dict) -> None:
        """Log what the worker found; the config's own parameters are logged under their names."""
        aside = ("seq", "time", "kind", "parameters", "pid")
        facts = {key: value for key, value in event.items() if key not in aside}
        self._log_parameters({"worker": facts})
        self._client.log_dict(self.run_id, event, "worker.json")

    def _log_hardware(self, event: dict) -> None:
        """Log the report and its picture; the figures are metrics already."""
        self._log_parameters({"hardware": event["facts"]})
        for name in (event["path"], event["picture"]):
            if (file := self.folder.path / name).exists():
                self._client.log_artifact(self.run_id, str(file))

    def _log_picture(self, path: str) -> None:
        picture = self.folder.path / path
        if picture.exists():
            self._client.log_artifact(self.run_id, str(picture), str(Path(path).parent))

    def _remember(self, **changes) -> None:
        """Write the state so that a crash leaves the old one or the new one."""
        self._state |= changes
        write_json(self.folder.tracking, self._state)
