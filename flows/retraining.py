"""Is there anything to train? What a scheduled run looks at before it costs anything.

A process of the worker tells what the data are; the registry tells what became of the same config,
data, code and weights. Where something has changed, the data are reported on beside those of the
champion, and too many defects end the run here.
"""

import json
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from flows import registered, registry, worker_verb
from flows.config import Config, dump_config
from flows.data_drift import Counts, DataReport
from flows.journal import last_event, read_journal
from flows.origin import Origin, origin_of
from flows.run_folder import RunFolder, newest_folder
from flows.runtime import UserError
from flows.skipped import Skipped
from flows.succession import ROLLED_BACK
from flows.whole_files import write_json

_TOLD = 20  # defects in a message
_READER = "tensorflow"  # data are read by tf.data on every backend; another one is loaded beside it


@dataclass(frozen=True)
class Changed:
    """What a training is needed for.

    Args:
        because: in words: the parts that differ from the champion's, or that there is none.
        report: on the data.
        interrupted: the last run of this config has not ended, and is to be gone on with.
    """

    because: str
    report: DataReport
    interrupted: bool

    def markdown(self) -> str:
        """Return it for a page."""
        return f"{self.because[0].upper()}{self.because[1:]}.\n\n{self.report.markdown()}"

    def write(self, folder: RunFolder) -> None:
        """Leave it in a run's folder."""
        told = {"because": self.because, **self.report.as_dict()}
        write_json(folder.data_report, told, indent=1)


def look(config: Config, home: Path) -> Skipped | Changed:
    """Find out whether a training would find out anything; the store is open.

    Args:
        config: resolved.
        home: where runs are.

    Raises:
        UserError: the data cannot be read, or have more defects than the config allows.
    """
    began = time.monotonic()
    champion = registered.find_champion(config.name)
    told = survey(config, _digest_of(champion))
    origin = origin_of(config, told["data_digest"])
    interrupted = _is_interrupted(config, told["data_digest"], home)
    settled = None if interrupted else _settled(config, origin, champion)
    if settled is not None:
        version, why = settled
        _count_skip(version)
        return Skipped(config.name, str(version.version), why, time.monotonic() - began)
    if "counts" not in told:  # the data are the champion's, and something else is not
        told = survey(config, None)
    report = DataReport(told["counts"], _counts_of(champion), told["defects"])
    _check_defects(config, report)
    return Changed(_because(origin, champion), report, interrupted)


def _is_interrupted(config: Config, digest: Mapping[str, str], home: Path) -> bool:
    """Whether the last run of this config has not come to its end, and began with these data."""
    folder = newest_folder(config, home)
    if folder is None or folder.summary.exists():
        return False
    started = last_event(read_journal(folder.journal), "started")
    return started is None or started["data_digest"] == digest


def survey(config: Config, known: Mapping[str, str] | None) -> dict[str, Any]:
    """Have a worker tell what the data of a config hold now, but for their digests only if new.

    Args:
        config: resolved.
        known: split -> digest; what has these is not counted.
    Returns: data_digest and, of data that are not known, counts and defects.
    """
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "config.yaml", Path(folder) / "survey.json"
        file.write_text(dump_config(config), encoding="utf-8")
        arguments = [str(file), "--out", str(out)]
        arguments += [] if known is None else ["--unless", json.dumps(dict(known))]
        worker_verb.run("survey", arguments, backend=_READER)
        return json.loads(out.read_text())


def _digest_of(version: ModelVersion | None) -> dict[str, str] | None:
    told = None if version is None else version.tags.get("data_digest")
    return None if told is None else json.loads(told)


def _settled(
    config: Config, origin: Origin, champion: ModelVersion | None
) -> tuple[ModelVersion, str] | None:
    """Return the version that came of the same origin, and why it settles the matter."""
    same = "the same config, data, code and weights"
    if champion is not None and champion.tags.get("origin") == origin.key:
        return champion, f"the champion, version {champion.version}, came of {same}"
    query = f"name = '{config.name}' and tags.origin = '{origin.key}'"
    for version in MlflowClient().search_model_versions(query):
        if ROLLED_BACK in version.tags:
            return version, f"version {version.version} came of {same} and was rolled back"
        if version.tags.get("gate_conditions") == registry.conditions(config):
            return version, f"version {version.version} came of {same} and of this gate"
    return None


def _count_skip(version: ModelVersion) -> None:
    """Let the version tell how often it made a training needless, and when it last did."""
    client = MlflowClient()
    count = int(version.tags.get("times_skipped", 0)) + 1
    for key, value in (
        ("times_skipped", count),
        ("last_skipped", time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())),
    ):
        client.set_model_version_tag(version.name, str(version.version), key, str(value))


def _counts_of(champion: ModelVersion | None) -> Counts | None:
    """Return what the champion's run tells of its data; None where it tells nothing."""
    if champion is None or not champion.run_id:
        return None
    expected = (MlflowException, OSError, ValueError, KeyError)  # a run of before tells nothing
    with suppress(*expected), tempfile.TemporaryDirectory() as to:
        file = MlflowClient().download_artifacts(champion.run_id, "worker.json", to)
        return json.loads(Path(file).read_text())["counts"]
    return None


def _check_defects(config: Config, report: DataReport) -> None:
    allowed = config.data.defects_at_most if config.data.on_defect == "skip" else 0.0
    if allowed is None:
        return
    for split, found in report.defects.items():
        count = sum(found["kinds"].values())
        pictures = report.now[split]["pictures"]
        if count > allowed * pictures:
            listed = found["listed"][:_TOLD]
            more = [f"and {count - len(listed)} more"] if count > len(listed) else []
            raise UserError(
                "\n".join(
                    [
                        f"data: {split} has {count} defects in {pictures} pictures, more than "
                        f"{allowed:.1%}; mend them, or raise data.defects_at_most (with "
                        "data.on_defect: skip)",
                        *listed,
                        *more,
                    ]
                )
            )


def _because(origin: Origin, champion: ModelVersion | None) -> str:
    if champion is None:
        return "there is no champion"
    changes = origin.changes(Origin(champion.tags))
    return f"changed since the champion: {', '.join(changes) or 'its origin is not known'}"
