"""Whether a value that a person wrote is what a function's annotation asks for."""

import os
from collections.abc import Mapping, Sequence
from numbers import Integral
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin


def fits(value: Any, annotation: Any) -> bool:
    """Check a value, and what a list holds; what a mapping holds is for its reader to check.

    Args:
        annotation: a plain class, or a union, `Sequence` or `Mapping` of such. A string
            is no sequence of strings, and True no number.
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in inner)
    if origin is Sequence:
        return _is_sequence(value) and all(fits(one, inner[0]) for one in value)
    if origin is Mapping:
        return isinstance(value, Mapping)
    if annotation is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    return isinstance(value, annotation)


def spoken(annotation: Any) -> str:
    """Say what an annotation asks for, such as "list of str or null"."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(spoken(one) for one in inner))
    if origin is Sequence:
        return f"list of {spoken(inner[0])}"
    if origin is Mapping:
        return f"mapping of {spoken(inner[0])} to {spoken(inner[1])}"
    if annotation is NoneType:
        return "null"
    return "path" if annotation is os.PathLike else annotation.__name__


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))
