"""The model process of `zoo serve`: opens a model, warms it up, answers batches over its socket.

    python -m flows.serve_process MODEL.keras SOCKET SIZE...

Computes, and nothing else: no HTTP, no Prefect, no MLflow. SOCKET is the number of an open file;
`flows.serve_wire` has the messages. While a batch is computed the next one is read and decoded.
A batch is filled up to the next SIZE, so that the backend compiles these sizes only. Where a batch
fails, each of its pictures is asked by itself: one picture never costs the others their answers.
"""

import argparse
import json
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from flows import serve_wire
from flows.answer_forms import FORMS
from flows.runtime import prepare_process

if TYPE_CHECKING:
    import numpy as np

_DECODERS = 2
_WARM_SIDE = 96  # of the picture that warms up; larger than what any network takes at least

Batch = tuple[list[dict], list["np.ndarray | ValueError"]]


def main(arguments: list[str] | None = None) -> int:
    """Serve until the socket is closed; return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):  # to a group of processes: the parent decides
        signal.signal(number, signal.SIG_IGN)
    args = _parser().parse_args(arguments)
    backend = prepare_process()
    connection = socket.socket(fileno=args.socket)
    with connection, connection.makefile("rb") as stream, suppress(ConnectionError):
        try:
            model = ServedModel(args.model, args.sizes)
        except ValueError as error:
            connection.sendall(serve_wire.pack({"mistake": str(error)}))
            return 2
        model.warm_up()
        connection.sendall(serve_wire.pack({"facts": model.facts | {"backend": backend}}))
        for asked, pictures in _read_ahead(stream):
            connection.sendall(model.answer(asked, pictures))
    return 0


class ServedModel:
    """A model that answers batches.

    Args:
        file: a `.keras` file.
        sizes: of batches, ascending.

    Raises:
        ValueError: the file is no model, or one of a kind that answers nothing.
    """

    def __init__(self, file: str, sizes: Sequence[int]):
        import zoo

        self._task = zoo.load(file)
        if self._task.kind not in FORMS:
            raise ValueError(f"{file}: a {type(self._task).__name__} cannot be served")
        self._form = FORMS[self._task.kind]
        self._sizes = sizes

    @property
    def facts(self) -> dict[str, Any]:
        """What the parent tells about the model."""
        return {"kind": self._task.kind, "class_names": list(self._task.class_names)}

    def warm_up(self) -> None:
        """Answer a batch of each size, for which the backend compiles."""
        import numpy as np

        noise = np.random.default_rng(0).integers(0, 256, (_WARM_SIDE, _WARM_SIDE, 3), np.uint8)
        for size in self._sizes if self._form.in_batches else (1,):
            self._results([noise] * size)

    def answer(self, asked: list[dict], pictures: list) -> bytes:
        """Return the message that answers a batch.

        Args:
            asked: of each picture its `parameters`.
            pictures: (h, w, 3) uint8 each; one that could not be read is its ValueError.
        """
        readable = [picture for picture in pictures if not isinstance(picture, ValueError)]
        results = iter(self._ask(readable) if readable else [])
        states: list[dict] = []
        blobs = []
        for question, picture in zip(asked, pictures, strict=True):
            result = picture if isinstance(picture, ValueError) else next(results)
            try:
                blobs.append(self._body(result, question["parameters"]))
                states.append({})
            except Exception as error:
                states.append(_refusal(error))
        return serve_wire.pack({"answers": states}, blobs)

    def _body(self, result: Any, parameters: dict) -> bytes:
        if isinstance(result, Exception):
            raise result
        return json.dumps(self._form.plain(result, self._form.settle(parameters))).encode()

    def _ask(self, pictures: list) -> list:
        """Return a result a picture, or the exception in its place."""
        try:
            return self._results(pictures)
        except Exception as error:
            if len(pictures) == 1:
                return [error]
            return [result for picture in pictures for result in self._ask([picture])]

    def _results(self, pictures: list) -> list:
        if not self._form.in_batches:
            return self._form.ask(self._task, pictures)
        size = next(size for size in self._sizes if size >= len(pictures))
        return self._form.ask(self._task, pictures, batch_size=size)


def _read_ahead(stream: BinaryIO) -> Iterator[Batch]:
    """Yield batches, the next one on its way while the caller is at work on one."""
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(_DECODERS) as decoders:
        coming = reader.submit(_read_batch, stream, decoders)
        while (batch := coming.result()) is not None:
            coming = reader.submit(_read_batch, stream, decoders)
            yield batch


def _read_batch(stream: BinaryIO, decoders: ThreadPoolExecutor) -> Batch | None:
    message = serve_wire.read_message(stream)
    if message is None:
        return None
    head, blobs = message
    shapes = [question["shape"] for question in head["asked"]]
    return head["asked"], list(decoders.map(_decode, blobs, shapes))


def _decode(blob: bytes, shape: list[int] | None) -> "np.ndarray | ValueError":
    import numpy as np

    from zoo.pictures import read_picture

    try:
        array = None if shape is None else np.frombuffer(blob, np.uint8).reshape(shape)
        return read_picture(blob if array is None else array)
    except ValueError as error:
        return error


def _refusal(error: Exception) -> dict[str, Any]:
    """Tell what is the picture's fault; what is ours goes to the log."""
    if isinstance(error, ValueError):
        return {"status": 422, "reason": str(error).splitlines()[0]}
    traceback.print_exception(error)
    return {"status": 500, "reason": f"the model failed on it ({type(error).__name__})"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flows.serve_process", description=__doc__)
    parser.add_argument("model", help="a published .keras file")
    parser.add_argument("socket", type=int, help="an open file's number")
    parser.add_argument("sizes", type=int, nargs="+", help="of batches, ascending")
    return parser


if __name__ == "__main__":
    sys.exit(main())
