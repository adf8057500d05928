"""A run's configuration: YAML file + command-line overrides -> one frozen, checked `Config`.

Imports neither Keras nor zoo. Every mistake is found in one reading and told in the words of the
file: `configs/x.yaml: train.epohcs: unknown key; did you mean epochs?`.
`Config.model_json_schema()` is the schema for editors.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError, model_validator

from flows import config_errors
from flows.config_errors import ConfigError, Document
from flows.config_sections import Data, Distribution, Gate, Model, Name, Section, Train
from flows.runtime import choose_backend, choose_precision

# What a run's result does not depend on; everything else is hashed, future fields included.
_NOT_IN_RESULT: dict[str, Any] = {
    "name": True,
    "gate": True,
    "data": {"cache", "defects_at_most"},
    "train": {"log_steps", "checkpoint_steps"},
    "distribution": {"workers"},  # a run may go on with more of them, or with fewer
}


class Config(Section):
    """One reproducible run."""

    name: Name
    backend: Literal["auto", "tensorflow", "jax", "torch"] = "auto"
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    distribution: Distribution = Distribution()
    model: Model
    data: Data
    train: Train
    gate: Gate | None = None

    @model_validator(mode="after")
    def _stops_by_a_metric(self) -> "Config":
        stopping = self.train.early_stopping
        if stopping is not None and stopping.metric is None and self.gate is None:
            raise ValueError("train.early_stopping needs a metric, its own or that of a gate")
        return self


def load_config(
    path: str | Path, overrides: Sequence[str] = (), backend: str | None = None
) -> Config:
    """Read, override and check a configuration.

    Args:
        path: a YAML file.
        overrides: "train.epochs=3" each; the value is YAML, `{}` and `[]` included.
        backend: stands for the file's `backend`.

    Raises:
        ConfigError: with every mistake found, a line each.
    """
    document = Document.read(path)
    for override in overrides:
        document.override(override, option="--set")
    if backend is not None:
        document.override(f"backend={backend}", option="--backend")
    try:
        config = Config.model_validate(document.values)
    except ValidationError as error:
        mistakes = config_errors.explain(error, Config)
        raise ConfigError(
            [*document.errors, *(f"{document.where(loc)}: {text}" for loc, text in mistakes)]
        ) from None
    if document.errors:
        raise ConfigError(document.errors)
    return config


def resolve_config(config: Config) -> Config:
    """Return the config with `auto` replaced by what this machine gives.

    Raises:
        UserError: the backend is not installed.
    """
    backend, _ = choose_backend(config.backend)
    precision, _ = choose_precision(config.precision, backend)
    return config.model_copy(update={"backend": backend, "precision": precision})


def config_hash(config: Config) -> str:
    """Return 12 hex digits over everything that changes the result, `auto` resolved here first."""
    values = resolve_config(config).model_dump(mode="json", exclude=_NOT_IN_RESULT)
    if values["data"]["fold"] is None:  # as before there were folds
        del values["data"]["fold"]
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def dump_config(config: Config) -> str:
    """Return the config as YAML that `load_config` reads back to an equal config."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
