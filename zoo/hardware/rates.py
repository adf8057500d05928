"""What this machine is able to do on the running backend: products, memory, the way to the device.

Every figure is the best of several tries, as STREAM has it: a ceiling is what was possible once.
What else runs on the machine lowers it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from zoo.hardware.triad import prepare_triad

DTYPES = ("float32", "bfloat16", "float16", "int8")
Clock = Callable[[], float]
_TRIES = 3  # at least
_SMALLEST, _LARGEST = 512, 16384  # sides of a product's matrices
_ROW = 1 << 14


@dataclass(frozen=True)
class MatrixRate:
    """A product of matrices.

    Args:
        operations_per_second: 2 side**3 a product.
        side: of the matrices.
    """

    operations_per_second: float
    side: int


@dataclass(frozen=True)
class MemoryRate:
    """STREAM's triad.

    Args:
        bytes_per_second: 12 a number of float32: two are read, one is written.
        working_set: bytes of the three arrays.
    """

    bytes_per_second: float
    working_set: int


@dataclass(frozen=True)
class CopyRate:
    """A NumPy array that becomes a tensor.

    Args:
        bytes_per_second: None: nothing is copied, the backend reads the array where it is.
        bytes: of the array.
    """

    bytes_per_second: float | None
    bytes: int


def best_rate(
    run: Callable[[], object], work: float, *, seconds: float, clock: Clock = time.perf_counter
) -> float:
    """Return the work a second of the quickest run.

    Args:
        run: does the work and is done when it returns.
        work: of one run, in operations or bytes.
        seconds: to go on for, once there were three runs.
    """
    run()  # compiles, and touches the memory
    best, spent, tries = float("inf"), 0.0, 0
    while tries < _TRIES or spent < seconds:
        start = clock()
        run()
        took = clock() - start
        best, spent, tries = min(best, took), spent + took, tries + 1
    return work / best


def matrix_rate(
    dtype: str, *, seconds: float, clock: Clock = time.perf_counter
) -> MatrixRate | None:
    """Measure products of square matrices, as large as are done a few times in `seconds`.

    Returns: None where the backend does not multiply the dtype.
    """
    side, found = _SMALLEST, None
    while True:
        try:
            run = _product(dtype, side)
            rate = best_rate(run, 2.0 * side**3, seconds=0.0, clock=clock)
        except Exception:  # each backend has errors of its own for "not implemented"
            return found
        if found is None or rate > found.operations_per_second:
            found = MatrixRate(rate, side)
        # The next side takes eight times as long, and runs four times.
        if side * 2 > _LARGEST or 4 * 16.0 * side**3 / rate > seconds:
            break
        side *= 2
    run = _product(dtype, found.side)
    rate = best_rate(run, 2.0 * found.side**3, seconds=seconds / 2, clock=clock)
    return MatrixRate(max(rate, found.operations_per_second), found.side)


def memory_rate(
    array_bytes: int, *, seconds: float, clock: Clock = time.perf_counter
) -> MemoryRate:
    """Measure the triad on three arrays of so many bytes each."""
    rows = max(array_bytes // (4 * _ROW), 1)
    a, b, c = (ops.full((rows, _ROW), value, dtype="float32") for value in (0.0, 1.0, 2.0))
    moved = 3 * rows * _ROW * 4
    triad = prepare_triad(a, b, c)
    return MemoryRate(best_rate(_waited(triad), moved, seconds=seconds, clock=clock), moved)


def copy_rate(array_bytes: int, *, seconds: float, clock: Clock = time.perf_counter) -> CopyRate:
    """Measure how NumPy arrays come to the device."""
    rows = max(array_bytes // (4 * _ROW), 1)
    array = np.ones((rows, _ROW), "float32")
    if _shares_memory(array):
        return CopyRate(None, array.nbytes)
    run = _waited(lambda: ops.convert_to_tensor(array))
    return CopyRate(best_rate(run, array.nbytes, seconds=seconds, clock=clock), array.nbytes)


def devices() -> list[str]:
    """Return the devices of the running backend in this process."""
    if keras.backend.backend() == "torch":  # Keras has no list of them on torch
        return [str(ops.zeros(1).device)]
    return list(keras.distribution.list_devices())


def array_bytes(caches: Sequence[int], available: int) -> int:
    """Return how large an array of the triad has to be: STREAM's rule, four times all last caches.

    Args:
        caches: bytes of each last-level cache; empty: unknown, 64 MB are taken for it.
        available: bytes of memory, of which the three arrays take a quarter at most.
    """
    wanted = 4 * (sum(caches) or 64 * 2**20)
    return max(min(wanted, available // 12), 2**20)


def _product(dtype, side):
    values = np.random.default_rng(0).integers(-4, 5, (2, side, side)).astype("float32")
    left, right = (ops.cast(ops.convert_to_tensor(one), dtype) for one in values)
    return _waited(lambda: ops.matmul(left, right))


def _waited(compute):
    """Return a function that computes and waits: a number of the result is fetched."""
    return lambda: ops.convert_to_numpy(ops.cast(compute()[:1, :1], "float32"))


def _shares_memory(array) -> bool:
    """Whether a tensor made of an array changes with it."""
    tensor = ops.convert_to_tensor(array)
    ops.convert_to_numpy(tensor[:1, :1])
    array[0, 0] += 1.0
    shared = float(ops.convert_to_numpy(tensor[:1, :1])[0, 0]) == float(array[0, 0])
    array[0, 0] -= 1.0
    return shared
