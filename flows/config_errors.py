"""Reading a YAML document with overrides, and saying what is wrong with it in its own words.

Words: a *loc* is the path of keys to a value, ("train", "epochs"); a *mistake* is a loc with one
line about it.
"""

import difflib
import re
import types
import typing
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from flows.config_yaml import read_yaml
from flows.runtime import UserError

Loc = tuple[str | int, ...]
_SHOWN = 20  # a file with more mistakes is another kind of file


class ConfigError(UserError):
    """Everything that is wrong with a configuration; `errors` holds a line each."""

    def __init__(self, errors: typing.Sequence[str]):
        self.errors = list(errors)
        shown = self.errors[:_SHOWN]
        if len(self.errors) > _SHOWN:
            shown.append(f"and {len(self.errors) - _SHOWN} more mistakes")
        super().__init__("\n".join(shown))


class Document:
    """The values of a YAML file under its overrides; remembers which override a value came from.

    Args:
        values: the mapping that the file holds.
        source: the file's name, as errors show it.
    """

    def __init__(self, values: dict[str, Any], source: str):
        self.values = values
        self.source = source
        self.errors: list[str] = []
        self._overridden: dict[Loc, str] = {}

    @classmethod
    def read(cls, path: str | Path) -> "Document":
        """Read a file; raise ConfigError where there is none or where it is not a YAML mapping."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError([f"{path}: no such config{_nearby(Path(path))}"]) from None
        except UnicodeDecodeError:
            raise ConfigError([f"{path}: not a text file in UTF-8"]) from None
        except OSError as error:
            raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
        try:
            values = read_yaml(text, source=str(path))
        except UserError as error:
            raise ConfigError([str(error)]) from None
        if not isinstance(values, dict):
            found = "nothing" if values is None else _kind(values)
            raise ConfigError([f"{path}: must hold `key: value` lines; found {found}"])
        return cls(values, str(path))

    def override(self, assignment: str, *, option: str) -> None:
        """Put `a.b=value` into the values; a malformed assignment joins `errors`."""
        key, equals, text = assignment.partition("=")
        loc = tuple(key.strip().split("."))
        if not equals or not all(loc):
            self.errors.append(f"{option} {assignment}: must be key=value, as in train.epochs=3")
            return
        try:
            value = read_yaml(text, source=f"{option} {assignment}")
        except UserError as error:
            self.errors.append(str(error))
            return
        parent: Any = self.values
        for part in loc[:-1]:
            if not isinstance(parent.get(part), dict):
                parent[part] = {}
            parent = parent[part]
        parent[loc[-1]] = value
        self._overridden[loc] = f"{option} {key.strip()}" if option == "--set" else option

    def where(self, loc: Loc) -> str:
        """Return how to name a value's place: by file and key, or by the option that set it."""
        name = ".".join(str(part) for part in loc)
        for length in range(len(loc), 0, -1):
            if option := self._overridden.get(loc[:length]):
                rest = ".".join(str(part) for part in loc[length:])
                return f"{option}: {rest}" if rest else option
        inside = [option for other, option in self._overridden.items() if other[: len(loc)] == loc]
        source = f"{self.source} with {', '.join(inside)}" if inside else self.source
        return f"{source}: {name}" if name else source


def explain(error: ValidationError, root: type[BaseModel]) -> list[tuple[Loc, str]]:
    """Return every mistake of a validation, a (loc, line) each."""
    mistakes = []
    for detail in error.errors(include_url=False):
        loc, siblings = _walk(detail["loc"], root)
        if detail["type"] == "extra_forbidden":
            sentence = f"unknown key; {_suggest(str(loc[-1]), siblings, root)}"
        else:
            sentence = _sentence(detail)
        mistakes.append((loc, sentence))
    return mistakes


def _walk(loc: Loc, root: type[BaseModel]) -> tuple[Loc, list[str]]:
    """Return a loc without pydantic's union tags, and the known keys beside its last part."""
    choices: dict[str | None, type[BaseModel]] = {None: root}
    clean: list[str | int] = []
    siblings: list[str] = []
    keyed = False
    for part in loc:
        if keyed:  # the key of a mapping whose values are models
            keyed = False
            clean.append(part)
            continue
        if None not in choices and part in choices:  # the tag of a discriminated union
            choices = {None: choices[str(part)]}
            continue
        clean.append(part)
        if isinstance(part, int):  # of a list, whose models are known already
            continue
        model = choices.get(None)
        siblings = list(model.model_fields) if model else []
        field = model.model_fields.get(str(part)) if model else None
        choices = _models(field.annotation) if field else {}
        keyed = field is not None and typing.get_origin(field.annotation) is dict and bool(choices)
    return tuple(clean), siblings


def _models(annotation: Any) -> dict[str | None, type[BaseModel]]:
    """Return the models in an annotation: {None: model}, or {tag: model} for a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {None: annotation}
    if typing.get_origin(annotation) in (typing.Annotated, tuple):
        return _models(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) is dict:
        return _models(typing.get_args(annotation)[1])
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return {}
    found = [m for arg in typing.get_args(annotation) for m in _models(arg).values()]
    if len(found) == 1:
        return {None: found[0]}
    return {tag: model for model in found for tag in _tags(model)}


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    return next(
        typing.get_args(field.annotation)
        for field in model.model_fields.values()
        if typing.get_origin(field.annotation) is Literal
    )


def _sentence(detail: ErrorDetails) -> str:
    kind, got, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "missing":
        return "must be given; it is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        return f"must be {_one_of(known)}; got {_shown(got)}{_near(got, known)}"
    if kind == "union_tag_invalid":
        known = re.findall(r"'([^']*)'", context["expected_tags"])
        tag, key = context["tag"], context["discriminator"].strip("'")
        return f"{key} must be {_one_of(known)}; got {_shown(tag)}{_near(tag, known)}"
    if kind == "union_tag_not_found":
        return f"{context['discriminator'].strip(chr(39))} must be given; it is missing"
    if kind == "string_pattern_mismatch":
        return f"must be letters, digits, `_`, `.` and `-`; got {_shown(got)}"
    if wanted := _WANTED.get(kind):
        return f"must be {wanted}; got {_shown(got)}"
    if bound := _BOUNDS.get(kind):
        (limit,) = (value for name, value in context.items() if name in ("gt", "ge", "lt", "le"))
        return f"must be {bound} {limit:g}; got {_shown(got)}"
    return f"{detail['msg'][0].lower()}{detail['msg'][1:]}; got {_shown(got)}"


_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of `key: value`",
    "model_type": "a mapping of `key: value`",
    "model_attributes_type": "a mapping of `key: value`",
    "string_too_short": "text of at least one character",
}
_BOUNDS = {
    "greater_than": "greater than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
}


def _suggest(name: str, known: list[str], root: type[BaseModel]) -> str:
    """Return a near name beside the key, else one from elsewhere, else what is known."""
    if near := difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6):
        return f"did you mean {near[0]}?"
    elsewhere = {path.rpartition(".")[2]: path for path in known_paths(root)}
    if near := difflib.get_close_matches(name.lower(), list(elsewhere), n=1, cutoff=0.8):
        return f"did you mean {elsewhere[near[0]]}?"
    return f"known here: {', '.join(known)}" if known else "none is expected here"


def known_paths(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted path of every key of a model and of the models in it."""
    found = []
    for name, field in model.model_fields.items():
        found.append(prefix + name)
        if typing.get_origin(field.annotation) in (tuple, dict):  # a key of some element has none
            continue
        for inner in _models(field.annotation).values():
            found += known_paths(inner, f"{prefix}{name}.")
    return found


def _near(got: Any, known: list[str]) -> str:
    near = difflib.get_close_matches(str(got).lower(), known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _one_of(known: list[str]) -> str:
    return f"one of {', '.join(known)}" if len(known) > 1 else known[0]


def _kind(value: Any) -> str:
    names = {str: "text", bool: "true/false", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "a mapping" if isinstance(value, dict) else "nothing")


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    if isinstance(value, str):
        text += " (text)"
    if isinstance(value, (bool,)):
        text = str(value).lower()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _nearby(path: Path) -> str:
    """Return a hint at configs beside the missing one, or nothing."""
    folder = path.parent if path.parent.is_dir() else Path("configs")
    known = sorted(found.name for found in folder.glob("*.yaml"))
    near = difflib.get_close_matches(path.name, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {folder / near[0]}?"
    return f"; {folder} has {', '.join(known)}" if known else ""
