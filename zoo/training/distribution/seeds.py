"""Random numbers of the devices that share a batch: others on each, and one state for all.

A model's seeds are alike in every process and replica, and so would be the units that dropout
leaves out. Here each device draws from a seed of its own, by its number, while the state that is
saved stays the same in all and does not tell how many they were.
"""

from collections.abc import Callable
from typing import Any

from keras import ops

# Apart from one another by more than the draws of a run: PyTorch adds the two numbers of a seed.
_STRIDE = 1_000_003


def draw_apart(task, number: Callable[[], Any]) -> None:
    """Let the seeds of a task's layers depend on the device.

    Args:
        number: returns the device's number, from 0, wherever a seed is drawn.
    """
    for layer in task._flatten_layers():
        for generator in layer._seed_generators:
            _draw_apart(generator, number)


def _draw_apart(generator, number) -> None:
    draw = generator.next

    def next_of_device(ordered=True):
        seed = draw(ordered)
        offset = ops.cast(ops.stack([number(), 0]), seed.dtype)
        return seed + offset * _STRIDE

    generator.next = next_of_device
