"""Where a picture's bytes are: a handle is `f` and a file's path, or `b` and the bytes themselves.

An index of a million pictures, and a shuffled block of them, then hold paths.
"""

import os
from pathlib import Path

import tensorflow as tf


def path_handle(path: Path) -> bytes:
    """Return the handle of a picture in a file; its name need not be UTF-8."""
    return b"f" + os.fsencode(path)


def bytes_handle(encoded: bytes) -> bytes:
    """Return the handle of a picture that has no file of its own."""
    return b"b" + encoded


def fetch_picture(handle: tf.Tensor) -> tf.Tensor:
    """Return the encoded picture () string of a handle () string."""
    rest = tf.strings.substr(handle, 1, -1)
    in_file = tf.equal(tf.strings.substr(handle, 0, 1), b"f")
    return tf.cond(in_file, lambda: tf.io.read_file(rest), lambda: rest)
