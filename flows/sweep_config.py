"""A sweep's configuration: a base config, which of its keys vary between what, and for how long.

    name: bananas_rates
    base: configs/smoke.yaml             # a file, or a whole config in its place
    set: {train.epochs: 3}               # of the base, for all trials
    space:
      train.optimizer.learning_rate: {kind: log, low: 1.0e-3, high: 1.0}
      train.optimizer.name: {kind: choice, values: [sgd, adamw]}
    metric: ap50
    trials: 8

Imports neither Keras nor Optuna. What a key may be varied to is tried on the base config, so that
no trial finds out; every mistake is told in one reading.
"""

import copy
import difflib
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from flows.config import Config, config_hash, load_config
from flows.config_errors import ConfigError, Document, explain, known_paths
from flows.config_sections import Metric, Name, Section, Values
from flows.fan_out import Resources

# What a trial's figure must not depend on, or what it is called by.
_FIXED = {
    "name": "a run's name is the sweep's to give",
    "gate": "a sweep's best is not promoted",
    "data.name": "trials are compared on the same pictures",
    "data.path": "trials are compared on the same pictures",
    "data.options": "trials are compared on the same pictures",
    "data.on_defect": "trials are compared on the same pictures",
    "data.limit": "trials are compared on the same pictures",
    "data.fold": "trials are compared on the same pictures",
    "distribution.workers": "it changes no result",
}
_FREE = ("model.options.", "data.options.")  # keys below are a preset's and a source's own
_COMBINATIONS = 1000  # of the space's corners, that are tried


class FloatRange(Section):
    """Numbers from low to high, evenly, or in steps."""

    kind: Literal["float"]
    low: float
    high: float
    step: Annotated[float, Field(gt=0)] | None = None


class LogRange(Section):
    """Numbers from low to high, each factor as likely as another."""

    kind: Literal["log"]
    low: Annotated[float, Field(gt=0)]
    high: Annotated[float, Field(gt=0)]


class IntRange(Section):
    """Whole numbers from low to high, in steps."""

    kind: Literal["int"]
    low: int
    high: int
    step: Annotated[int, Field(ge=1)] = 1


class Choice(Section):
    """One of these."""

    kind: Literal["choice"]
    values: Values


Parameter = Annotated[FloatRange | LogRange | IntRange | Choice, Field(discriminator="kind")]


class Tpe(Section):
    """Optuna's tree-structured Parzen estimator (Bergstra 2011), at random at first."""

    name: Literal["tpe"]
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    startup_trials: Annotated[int, Field(ge=1)] = 8


class Random(Section):
    """Anything, as likely as another."""

    name: Literal["random"]
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


class Median(Section):
    """Stop a trial whose best so far is worse than the median of the others at that epoch."""

    name: Literal["median"]
    startup_trials: Annotated[int, Field(ge=1)] = 4
    warmup_epochs: Annotated[int, Field(ge=0)] = 0


class Asha(Section):
    """Asynchronous successive halving (Li 2020): at each rung the best 1/reduction go on."""

    name: Literal["asha"]
    min_epochs: Annotated[int, Field(ge=1)] = 1
    reduction: Annotated[int, Field(ge=2)] = 3


class Never(Section):
    """Stop no trial."""

    name: Literal["none"]


class Sweep(Section):
    """Trainings that vary one config.

    `metric`: of the last evaluation, whose model is the one that is kept. `concurrent`: trials at
    once; None: as many as there is room for. `time_limit`: seconds after which none is begun.
    """

    name: Name
    base: Config
    space: Annotated[dict[str, Parameter], Field(min_length=1)]
    metric: Metric | Literal["loss"]
    direction: Literal["maximize", "minimize"] = "maximize"
    trials: Annotated[int, Field(ge=1)]
    concurrent: Annotated[int, Field(ge=1)] | None = None
    sampler: Annotated[Tpe | Random, Field(discriminator="name")] = Tpe(name="tpe")
    pruner: Annotated[Median | Asha | Never, Field(discriminator="name")] = Median(name="median")
    resources: Resources = Resources()
    time_limit: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _a_loss_goes_down(self) -> "Sweep":
        if self.metric == "loss" and self.direction != "minimize":
            raise ValueError("metric loss is the better the smaller: set direction: minimize")
        return self

    @model_validator(mode="after")
    def _space_fits_the_base(self) -> "Sweep":
        if mistakes := list(_mistakes(self.base, self.space)):
            raise ValueError("\n".join(mistakes))
        return self


def load_sweep(path: str | Path, overrides: Sequence[str] = (), **given: Any) -> Sweep:
    """Read, override and check a sweep.

    Args:
        path: a YAML file.
        overrides: "trials=4" or "base.train.epochs=3" each.
        **given: stand for the file's keys, those that are None left out; `backend` for the base's.

    Raises:
        ConfigError: with every mistake found, a line each.
    """
    document = Document.read(path)
    base = document.values.get("base")
    if isinstance(base, str):
        document.values["base"] = load_config(base).model_dump(mode="json")
    for key, value in _settings(document, path).items():
        document.override(f"base.{key}={json.dumps(value)}", option=f"{path}: set {key}")
    for override in overrides:
        document.override(override, option="--set")
    for name, value in given.items():
        if value is not None:
            key = f"base.{name}" if name == "backend" else name
            document.override(f"{key}={value}", option=f"--{name}")
    try:
        sweep = Sweep.model_validate(document.values)
    except ValidationError as error:
        told = [
            f"{document.where(loc)}: {line}"
            for loc, text in explain(error, Sweep)
            for line in text.splitlines()
        ]
        raise ConfigError([*document.errors, *told]) from None
    if document.errors:
        raise ConfigError(document.errors)
    return sweep


def _settings(document: Document, path: str | Path) -> dict[str, Any]:
    """Take the file's own overrides of the base out of it."""
    settings = document.values.pop("set", None) or {}
    if not isinstance(settings, dict):
        raise ConfigError([f"{path}: set: must be a mapping, as in {{train.epochs: 3}}"])
    return settings


def trial_config(base: Config, parameters: Mapping[str, Any]) -> Config:
    """Return the base with some keys at other values.

    Raises:
        ValidationError: they do not go together.
    """
    values = base.model_dump(mode="json")
    for key, value in parameters.items():
        section = values
        *parents, last = key.split(".")
        for parent in parents:
            if not isinstance(section.get(parent), dict):
                section[parent] = {}
            section = section[parent]
        section[last] = copy.deepcopy(value)
    return Config.model_validate(values)


def sweep_hash(sweep: Sweep) -> str:
    """Return 12 hex digits over all that says what a trial is: more trials go on with the study."""
    aside = {"name", "base", "trials", "concurrent", "resources", "time_limit"}
    values = sweep.model_dump(mode="json", exclude=aside) | {"base": config_hash(sweep.base)}
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def dump_sweep(sweep: Sweep) -> str:
    """Return the sweep as YAML that `load_sweep` reads back to an equal one."""
    return yaml.safe_dump(sweep.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _mistakes(base: Config, space: Mapping[str, Any]) -> Iterator[str]:
    """Yield, a line each, what is wrong with a search space."""
    found = [(key, text) for key, one in space.items() for text in _mistakes_of(base, key, one)]
    yield from (f"space: {key}: {text}" for key, text in found)
    if found:
        return
    corners = itertools.product(*(_ends(one) for one in space.values()))
    for values in itertools.islice(corners, _COMBINATIONS):
        parameters = dict(zip(space, values, strict=True))
        if text := _refusal(base, parameters):
            shown = ", ".join(f"{key} = {value}" for key, value in parameters.items())
            yield f"space: {shown} do not go together: {text}"
            return


def _mistakes_of(base: Config, key: str, parameter: Any) -> Iterator[str]:
    paths = known_paths(Config)
    fixed = next((one for one in _FIXED if key == one or key.startswith(f"{one}.")), None)
    if fixed is not None:
        yield f"cannot be varied: {_FIXED[fixed]}"
    elif key not in paths and not key.startswith(_FREE):
        last = {path.rpartition(".")[2]: path for path in paths}
        near = difflib.get_close_matches(key, paths, n=1, cutoff=0.6)
        near = near or [last[one] for one in difflib.get_close_matches(key, last, n=1)]
        yield f"unknown key; did you mean {near[0]}?" if near else "no key of a config"
    elif not isinstance(parameter, Choice) and not parameter.low < parameter.high:
        yield f"low must be less than high; got {parameter.low} and {parameter.high}"
    else:
        for value in _ends(parameter):
            if text := _refusal(base, {key: value}, only=key):
                yield f"{value!r}: {text}"


def _ends(parameter: Any) -> tuple:
    """Return the values that stand for all: where the ends of a range are legal, so is it."""
    return parameter.values if isinstance(parameter, Choice) else (parameter.low, parameter.high)


def _refusal(base: Config, parameters: Mapping[str, Any], *, only: str | None = None) -> str | None:
    """Return why a config refuses the parameters; `only`: what it says of this key itself."""
    try:
        trial_config(base, parameters)
    except ValidationError as error:
        for loc, text in explain(error, Config):
            place = ".".join(map(str, loc))
            if only is None or place == only:
                return text if only else f"{place}: {text}"
    return None


def is_better(value: float, than: float, direction: str) -> bool:
    """Return whether a figure is the better one; what is no number never is."""
    if math.isnan(value):
        return False
    return value > than if direction == "maximize" else value < than
