"""An HTTP request to `zoo serve` -> its pictures, its parameters, and the form of its answer.

image/jpeg, image/png     the body is a picture         the answer
multipart/form-data       each file is a picture        a list of answers
application/json          as `mlflow models serve`      {"predictions": a list of answers}

Parameters stand in the query (`?min_score=0.5`), in JSON also in `params`.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive

from flows.answer_forms import AnswerForm
from flows.request_rows import pictures_of, rows_of
from flows.serve_limits import Limits, Picture, RefusedError, check_picture
from flows.serve_model import Question

ACCEPTED = "image/jpeg, image/png, multipart/form-data or application/json"
# One request at a time: parsed, JSON takes ten times its size in memory.
_PARSER = ThreadPoolExecutor(1, thread_name_prefix="parse-json")


@dataclass(frozen=True)
class Asked:
    """What a request wants.

    Args:
        questions: its pictures.
        joined: puts the answers into one body, all of them JSON.
    """

    questions: list[Question]
    joined: Callable[[Sequence[bytes]], bytes]


def announced_size(headers: Headers, limits: Limits) -> int:
    """Return how many bytes a request's body has, or may have where it does not say.

    Raises:
        RefusedError: 400, 413, 415: nobody has to read this body.
    """
    if headers.get("content-encoding", "identity") != "identity":
        raise RefusedError(415, "a body must not be compressed; leave Content-Encoding out")
    text = headers.get("content-length")
    if text is None:
        return limits.bytes
    if not text.isdecimal():
        raise RefusedError(400, f"Content-Length must be a number; got {text!r}")
    if int(text) > limits.bytes:
        raise _too_long(limits)
    return int(text)


async def read_request(request: Request, form: AnswerForm, limits: Limits) -> Asked:
    """Read a request and look at everything in it; nothing is decoded.

    Args:
        request: not read yet.
        form: of the model's answers, which tells the parameters.
        limits: what is allowed.

    Raises:
        RefusedError: it cannot be answered.
    """
    request = Request(request.scope, _bounded(request.receive, limits))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    parameters = _query_parameters(request.query_params, form)
    if kind in ("image/jpeg", "image/png", "image/jpg"):
        picture = check_picture(await request.body(), limits, "the picture")
        return Asked([Question(picture, parameters)], lambda bodies: bodies[0])
    if kind == "multipart/form-data":
        pictures = await _uploads(request, limits)
        return Asked([Question(one, parameters) for one in pictures], _as_list)
    if kind == "application/json":
        body = await request.body()
        loop = asyncio.get_running_loop()
        pictures, more = await loop.run_in_executor(_PARSER, _read_json, body, limits)
        settled = _settle(form, parameters | more)
        return Asked([Question(one, settled) for one in pictures], _as_predictions)
    raise RefusedError(415, f"Content-Type must be {ACCEPTED}; got {kind or 'none'}")


def _bounded(receive: Receive, limits: Limits) -> Receive:
    """Stop a body that is longer than allowed, whatever its head said."""
    length = 0

    async def bounded() -> Message:
        nonlocal length
        message = await receive()
        length += len(message.get("body", b""))
        if length > limits.bytes:
            raise _too_long(limits)
        return message

    return bounded


def _too_long(limits: Limits) -> RefusedError:
    return RefusedError(413, f"a request may have {limits.megabytes:g} MiB; this one has more")


def _query_parameters(query: Mapping[str, str], form: AnswerForm) -> dict[str, Any]:
    unknown = sorted(set(query) - set(form.defaults))
    if unknown:
        known = ", ".join(form.defaults) or "none"
        raise RefusedError(400, f"unknown parameter {', '.join(unknown)}; this model has {known}")
    return _settle(form, {name: _number(text) for name, text in query.items()})


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _settle(form: AnswerForm, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return form.settle(given)
    except ValueError as error:
        raise RefusedError(400, str(error)) from None


async def _uploads(request: Request, limits: Limits) -> list[Picture]:
    try:
        fields = await request.form(max_files=limits.pictures, max_fields=limits.pictures)
    except HTTPException as error:
        raise RefusedError(400, f"not a form that can be read: {error.detail}") from None
    try:
        files = [part for _, part in fields.multi_items() if isinstance(part, UploadFile)]
        if not files:
            raise RefusedError(400, "the form has no file: send each picture as a file's field")
        return [
            check_picture(await file.read(), limits, file.filename or f"picture {number}")
            for number, file in enumerate(files, start=1)
        ]
    finally:
        await fields.close()


def _read_json(body: bytes, limits: Limits) -> tuple[list[Picture], dict[str, Any]]:
    """Return the pictures of a request and its parameters; MLflow's clients may name others too."""
    try:
        request = json.loads(body)
        rows = rows_of(request)
        given = [picture for row in rows for picture in pictures_of(row)]
    except RecursionError:
        raise RefusedError(400, "the JSON is nested too deeply") from None
    except UnicodeDecodeError:
        raise RefusedError(400, "the JSON is not UTF-8") from None
    except ValueError as error:
        raise RefusedError(400, str(error).splitlines()[0]) from None
    parameters = request.get("params") or {}
    if not isinstance(parameters, dict):
        raise RefusedError(400, "params must be an object")
    if len(given) > limits.pictures:
        raise RefusedError(413, f"a request may have {limits.pictures} pictures; got {len(given)}")
    return [_checked(one, limits, number) for number, one in enumerate(given, 1)], parameters


def _checked(given: bytes | np.ndarray, limits: Limits, number: int) -> Picture:
    return check_picture(given, limits, f"picture {number}")


def _as_list(bodies: Sequence[bytes]) -> bytes:
    return b"[" + b", ".join(bodies) + b"]"


def _as_predictions(bodies: Sequence[bytes]) -> bytes:
    return b'{"predictions": ' + _as_list(bodies) + b"}"
