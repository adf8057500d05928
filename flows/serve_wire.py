"""Messages between `zoo serve` and its model process, over a socket that only these two have.

A message is the length of its head in four bytes, the head as JSON, and then the blobs whose
lengths the head's `blobs` tells: pictures one way, answers the other.
"""

import asyncio
import json
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

_LENGTH = struct.Struct(">I")


def pack(head: dict[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
    """Return a message as it goes over the socket."""
    text = json.dumps(head | {"blobs": [len(blob) for blob in blobs]}).encode()
    return b"".join([_LENGTH.pack(len(text)), text, *blobs])


def read_message(stream: BinaryIO) -> tuple[dict[str, Any], list[bytes]] | None:
    """Return the next message, waiting for it; None where the other side is gone."""
    length = stream.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    head = json.loads(stream.read(*_LENGTH.unpack(length)))
    blobs = [stream.read(size) for size in head["blobs"]]
    whole = [len(blob) for blob in blobs] == head["blobs"]
    return (head, blobs) if whole else None


async def receive(reader: asyncio.StreamReader) -> tuple[dict[str, Any], list[bytes]]:
    """Return the next message.

    Raises:
        asyncio.IncompleteReadError: the other side is gone.
    """
    length = await reader.readexactly(_LENGTH.size)
    head = json.loads(await reader.readexactly(*_LENGTH.unpack(length)))
    return head, [await reader.readexactly(size) for size in head["blobs"]]
