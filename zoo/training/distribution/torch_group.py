"""PyTorch's process group: a sum over processes, which gradients go through."""

import torch
import torch.distributed

from zoo.training.distribution.place import Place


def open_group(place: Place):
    """Join the group; return a function: tensor -> its sum over the processes, differentiable."""
    on_cuda = torch.cuda.is_available()
    if on_cuda:
        torch.cuda.set_device(place.local_rank)
    torch.distributed.init_process_group(
        "nccl" if on_cuda else "gloo",
        init_method=f"tcp://{place.address}",
        rank=place.rank,
        world_size=place.size,
    )
    return _Sum.apply


class _Sum(torch.autograd.Function):
    """The sum over processes; each one's gradient is the sum of all that comes back."""

    @staticmethod
    def forward(_, tensor):
        total = tensor.detach().clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_, gradient):
        return _Sum.forward(_, gradient)
