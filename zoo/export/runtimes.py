"""Exported programs, each opened by its own runtime: NumPy in, NumPy out.

This file stands alone. It needs NumPy and the runtime of the format, and neither Keras nor zoo, so
it can be copied to where a program runs, or run as it is:

    python -P runtimes.py EXPORT INPUTS.npz OUTPUTS.npz [--threads N] [--seconds S]

which answers the first axis' rows of the inputs and, with --seconds, times single answers. It
prints a line of JSON: `milliseconds`, a list, and `peak_bytes`, the process' largest memory.
"""

import argparse
import importlib.util
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

DESCRIPTION = "zoo_export.json"


class Program:
    """An exported program.

    Args:
        export: its folder, or the program's file within it.
        threads: processor threads it may use; None: the runtime's choice.
    Raises: ValueError if there is no export.
    """

    def __init__(self, export, threads=None):
        export = Path(export)
        folder = export if (export / DESCRIPTION).is_file() else export.parent
        if not (folder / DESCRIPTION).is_file():
            raise ValueError(
                f"{export}: no export; expected a folder with {DESCRIPTION}, as `zoo export` "
                "writes it. Was the program moved without it?"
            )
        self.description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        program = folder / Path(self.description["program"]).name  # never elsewhere
        self._run = RUNTIMES[self.description["format"]](program, threads)

    def __call__(self, inputs) -> dict[str, np.ndarray]:
        """Return the outputs by name.

        Args:
            inputs: name -> array, of the description's shapes and dtypes.
        Raises: ValueError if an input is missing, or of another shape or dtype.
        """
        wanted = self.description["inputs"]
        for name, spec in wanted.items():
            _check(name, inputs.get(name), spec)
        found = self._run({name: np.ascontiguousarray(inputs[name]) for name in wanted})
        return {name: np.asarray(found[name]) for name in self.description["outputs"]}


def _check(name, array, spec):
    fits = array is not None and array.dtype == spec["dtype"] and array.ndim == len(spec["shape"])
    if not fits or any(w not in (None, s) for w, s in zip(spec["shape"], array.shape, strict=True)):
        got = "nothing" if array is None else f"{array.shape} {array.dtype}"
        shape = tuple("any" if side is None else side for side in spec["shape"])
        raise ValueError(f"{name} must be {shape} {spec['dtype']}; got {got}.")


def _saved_model(path, threads):
    import tensorflow as tf

    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]

    def run(inputs, loaded=loaded):  # who holds `serve` alone loses its variables
        found = serve(**{name: tf.constant(array) for name, array in inputs.items()})
        return {name: tensor.numpy() for name, tensor in found.items()}

    return run


def _onnx(path, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    if threads is not None:
        options.intra_op_num_threads = options.inter_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def _litert(path, threads):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    serve = interpreter.get_signature_runner("serving_default")
    return lambda inputs: serve(**inputs)


def _openvino(path, threads):
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32"}  # bfloat16 otherwise, where a processor has it
    if threads is not None:
        config["INFERENCE_NUM_THREADS"] = threads
    compiled = openvino.Core().compile_model(path, "CPU", config)

    def run(inputs):
        found = compiled(inputs)
        # An output has the names of all that was folded into it.
        return {name: found[output] for output in compiled.outputs for name in output.names}

    return run


def _torch(path, threads):
    if importlib.util.find_spec("triton") is not None:
        import triton  # noqa: F401  torch pulls it in; a TensorFlow that came first crashes
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    module = torch.export.load(path).module()

    def run(inputs):
        with torch.no_grad():
            found = module(*(torch.from_numpy(array) for array in inputs.values()))
        return {name: tensor.numpy() for name, tensor in found.items()}

    return run


RUNTIMES = {
    "saved_model": _saved_model,
    "onnx": _onnx,
    "litert": _litert,
    "openvino": _openvino,
    "torch": _torch,
}


def peak_bytes() -> int:
    """Return the most memory this process has had.

    Linux' own figure of the process: `getrusage` begins with what the parent had.
    """
    try:
        status = Path("/proc/self/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def keep_to_one_core(threads) -> None:
    """Bind the process to one processor core where one thread is asked for, where that is known."""
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def time_answers(answer, inputs, seconds) -> list[float]:
    """Return milliseconds of single answers, for some seconds, after two that warm up.

    Args:
        answer: function of one row of the inputs; inputs: a list of such rows.
    """
    for row in (inputs[0], inputs[-1]):
        answer(row)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        answer(inputs[len(times) % len(inputs)])
        times.append(1e3 * (time.perf_counter() - start))
    return times


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("export")
    parser.add_argument("inputs")
    parser.add_argument("outputs")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seconds", type=float, default=0.0)
    args = parser.parse_args()
    keep_to_one_core(args.threads)
    program = Program(args.export, args.threads)
    with np.load(args.inputs) as arrays:
        inputs = {name: arrays[name] for name in arrays.files}
    batch = program.description["inputs"]["images"]["shape"][0] or 1
    rows = len(inputs["images"]) // batch
    parts = [
        {name: array[batch * row : batch * (row + 1)] for name, array in inputs.items()}
        for row in range(rows)
    ]
    found = [program(part) for part in parts]
    np.savez(args.outputs, **{n: np.concatenate([one[n] for one in found]) for n in found[0]})
    times = time_answers(program, parts, args.seconds) if args.seconds else []
    print(json.dumps({"milliseconds": times, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
