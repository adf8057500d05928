"""Loops whose length depends on data, as one operation of an exported PyTorch program.

Keras' `while_loop` is Python's on PyTorch: a trace would have to know when it ends. PyTorch's own
needs all that its functions read as arguments. Its public face has Dynamo find that out, which
loses its way in Keras; so tensors that the functions capture are looked up here.
"""

from contextlib import contextmanager
from types import CellType, FunctionType

from keras import ops


@contextmanager
def loops_in_the_graph():
    """Have `keras.ops.while_loop` put PyTorch's `while_loop` operation into what is traced."""
    eager = ops.while_loop
    ops.while_loop = _while_loop
    try:
        with _filling():
            yield
    finally:
        ops.while_loop = eager


def _filling():
    """Return a mode in which a number becomes a tensor by an operation.

    As a constant of a loop's body it would be an attribute, which neither .pt2 nor ONNX can hold.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class Filling(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if function is torch.as_tensor and isinstance(args[0], (bool, int, float)):
                return torch.full((), *args, **kwargs)
            return function(*args, **(kwargs or {}))

    return Filling()


def _while_loop(cond, body, loop_vars, maximum_iterations=None):
    import torch
    from torch._higher_order_ops.while_loop import while_loop_op

    if maximum_iterations is not None:
        raise NotImplementedError("a limit of turns has no place in the operation")
    loop_vars = tuple(ops.convert_to_tensor(value) for value in loop_vars)
    captured: dict[int, torch.Tensor] = {}
    _find_tensors((cond, body), captured)

    def with_arguments(function):
        def run(*arguments):
            values, others = arguments[: len(loop_vars)], arguments[len(loop_vars) :]
            replaced = _replace_tensors(function, dict(zip(captured, others, strict=True)))
            with _filling():  # the operation traces its functions without the modes around it
                return replaced(*values)

        return run

    def turn(*arguments):
        # The operation's results may not be its inputs.
        return tuple(torch.clone(value) for value in with_arguments(body)(*arguments))

    # None of the arguments may be a view of another.
    loop_vars, others = (tuple(map(torch.clone, v)) for v in (loop_vars, captured.values()))
    return while_loop_op(with_arguments(cond), turn, loop_vars, others)


def _find_tensors(value, found) -> None:
    """Add the tensors that functions capture to `found`, by identity."""
    import torch

    if isinstance(value, torch.Tensor):
        found[id(value)] = value
    elif isinstance(value, (list, tuple)):
        for part in value:
            _find_tensors(part, found)
    elif isinstance(value, FunctionType):
        for cell in value.__closure__ or ():
            _find_tensors(cell.cell_contents, found)


def _replace_tensors(value, by_identity):
    """Return the same functions with other tensors captured."""
    import torch

    if isinstance(value, torch.Tensor):
        return by_identity.get(id(value), value)
    if isinstance(value, (list, tuple)):
        return type(value)(_replace_tensors(part, by_identity) for part in value)
    if isinstance(value, FunctionType) and value.__closure__:
        cells = (
            CellType(_replace_tensors(cell.cell_contents, by_identity))
            for cell in value.__closure__
        )
        return FunctionType(
            value.__code__, value.__globals__, value.__name__, value.__defaults__, tuple(cells)
        )
    return value
