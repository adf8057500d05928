"""The memory layout in which this backend convolves fastest, hidden behind channels-last doors.

Every public tensor of zoo is channels last, (B, H, W, C). PyTorch's convolutions want (B, C, H, W)
*shapes* over channels-last *memory*: the permuted view of a channels-last tensor is exactly that,
so `to_native` and `from_native` copy nothing there. Kernels are (h, w, in, out) in either format,
so a weight file means the same whatever the layout.
"""

import keras
from keras import ops


def native_data_format() -> str:
    """Return the `data_format` that zoo's inner layers use on the running backend."""
    return "channels_first" if keras.backend.backend() == "torch" else "channels_last"


def native_channel_axis() -> int:
    """Return the axis of the channels inside zoo's blocks, 1 or 3."""
    return 1 if native_data_format() == "channels_first" else 3


def to_native(features):
    """View (B, H, W, C) in the layout of the inner layers."""
    return ops.transpose(features, (0, 3, 1, 2)) if native_channel_axis() == 1 else features


def from_native(features):
    """View a tensor of the inner layers as (B, H, W, C)."""
    return ops.transpose(features, (0, 2, 3, 1)) if native_channel_axis() == 1 else features


def native_shape(shape):
    """Return the shape that a (B, H, W, C) tensor of shape `shape` has inside."""
    batch, height, width, channels = shape
    if native_channel_axis() == 1:
        return (batch, channels, height, width)
    return (batch, height, width, channels)


def public_shape(shape):
    """Return the (B, H, W, C) shape of a tensor that has `shape` inside."""
    if native_channel_axis() == 1:
        batch, channels, height, width = shape
        return (batch, height, width, channels)
    return tuple(shape)
