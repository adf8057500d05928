"""How long a training step takes on many devices: arithmetic, for a plan before there are any.

    step(n) = compute(pictures of a device) + what of communication(n) does not hide behind it

Synchronous data parallelism computes on n parts of a batch and adds up the gradients of all. In a
ring each device sends 2 (n - 1) / n times the gradients' bytes (Patarasuk and Yuan 2009; book
13.7), in 2 (n - 1) messages. Over nodes the sum goes in three parts: within each node, between
nodes, where all devices of a node share its network, and within each node again.

Units: seconds, bytes, bytes a second. The words are those of `zoo.training.distribution`: a
*device* is what computes on its part of a batch, a *node* a machine with several of them.
"""

import math
from dataclasses import dataclass

BACKWARD = 2 / 3  # of a step's computing: the gradients of weights and of features, and one pass


@dataclass(frozen=True)
class Link:
    """What connects devices.

    Attributes:
        bandwidth: bytes a second that one end sends while it receives as much; inf: no cost.
        latency: seconds a message.
    """

    bandwidth: float
    latency: float = 0.0

    def __post_init__(self):
        if self.bandwidth <= 0 or self.latency < 0:
            raise ValueError(
                f"a link's bandwidth must be above 0 and its latency at least 0; got {self}"
            )


@dataclass(frozen=True)
class Cluster:
    """Where a training runs.

    Attributes:
        inside: between the devices of a node, for each device.
        between: between nodes, for each node.
        per_node: devices of a node.
    """

    inside: Link
    between: Link | None = None
    per_node: int = 8


@dataclass(frozen=True)
class Work:
    """What a step has to do.

    Attributes:
        gradient_bytes: of all trainable weights.
        picture_seconds: of one device's computing, a picture.
        fixed_seconds: a step, whatever the batch: the launch of kernels, the optimizer, the input.
        overlap: the part of the backward pass behind which gradients travel, 0..1. 0 for
            `multi_worker` on TensorFlow and PyTorch, whose gradients travel as one when all are
            there.
    """

    gradient_bytes: float
    picture_seconds: float
    fixed_seconds: float = 0.0
    overlap: float = 0.0

    def __post_init__(self):
        if min(self.gradient_bytes, self.picture_seconds, self.fixed_seconds) < 0:
            raise ValueError(f"bytes and seconds must be at least 0; got {self}")
        if not 0 <= self.overlap <= 1:
            raise ValueError(f"overlap must lie in 0..1; got {self.overlap}")


def ring_bytes(devices: int, gradient_bytes: float) -> float:
    """Return what each device sends in a ring all-reduce (and receives)."""
    return 2 * (devices - 1) / devices * gradient_bytes


def ring_seconds(devices: int, gradient_bytes: float, link: Link) -> float:
    """Return the time of a ring all-reduce: alpha 2 (n - 1) + beta 2 (n - 1) / n bytes."""
    sent = ring_bytes(devices, gradient_bytes) / link.bandwidth
    return 2 * (devices - 1) * link.latency + sent


def all_reduce_seconds(devices: int, gradient_bytes: float, cluster: Cluster) -> float:
    """Return the time of an all-reduce over so many devices, node after node filled.

    Args:
        devices: of one node, or a multiple of `per_node`.

    Raises: ValueError if nodes are filled in part, or nothing connects them.
    """
    if devices <= cluster.per_node:
        return ring_seconds(devices, gradient_bytes, cluster.inside)
    nodes, left = divmod(devices, cluster.per_node)
    if left or cluster.between is None:
        raise ValueError(
            f"more than the {cluster.per_node} devices of a node must fill whole nodes, which a "
            f"link connects; got {devices} devices and {cluster.between}"
        )
    inside = ring_seconds(cluster.per_node, gradient_bytes, cluster.inside)
    return inside + ring_seconds(nodes, gradient_bytes, cluster.between)


def step_seconds(work: Work, pictures: float, devices: int, cluster: Cluster) -> float:
    """Return the time of a step in which each device has so many pictures."""
    if devices < 1:
        raise ValueError(f"devices must be at least 1; got {devices}")
    computing = pictures * work.picture_seconds
    hidden = work.overlap * BACKWARD * computing
    travelling = all_reduce_seconds(devices, work.gradient_bytes, cluster)
    return work.fixed_seconds + computing + max(travelling - hidden, 0.0)


def weak_efficiency(work: Work, pictures: float, devices: int, cluster: Cluster) -> float:
    """Return pictures a second a device over those of one device, `pictures` on each of them."""
    alone = step_seconds(work, pictures, 1, cluster)
    return alone / step_seconds(work, pictures, devices, cluster)


def strong_efficiency(work: Work, batch: float, devices: int, cluster: Cluster) -> float:
    """Return the same where all devices share one batch."""
    alone = step_seconds(work, batch, 1, cluster)
    return alone / devices / step_seconds(work, batch / devices, devices, cluster)


def fit_bandwidth(work: Work, pictures: float, devices: int, efficiency: float) -> float:
    """Return the bandwidth in one node that gives a weak efficiency without overlap or latency.

    For a measured pair: what it says of the link, if all that was lost was lost there.
    """
    if not 0 < efficiency <= 1:
        raise ValueError(f"efficiency must lie in 0..1 and be above 0; got {efficiency}")
    alone = work.fixed_seconds + pictures * work.picture_seconds
    lost = alone / efficiency - alone
    return ring_bytes(devices, work.gradient_bytes) / lost if lost else math.inf
