"""The inner layout is invisible from outside and copies nothing on PyTorch."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.layers import layout


def test_there_and_back_is_the_identity():
    features = np.arange(24, dtype="float32").reshape(1, 2, 3, 4)
    back = layout.from_native(layout.to_native(ops.convert_to_tensor(features)))
    np.testing.assert_array_equal(ops.convert_to_numpy(back), features)


def test_shapes_and_axis_agree_with_the_layout():
    native = layout.to_native(ops.zeros((1, 2, 3, 4)))
    assert tuple(native.shape) == layout.native_shape((1, 2, 3, 4))
    assert native.shape[layout.native_channel_axis()] == 4


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="about PyTorch's memory formats")
def test_the_native_view_is_channels_last_memory():
    import torch

    features = ops.zeros((2, 4, 5, 3))
    native = layout.to_native(features)
    assert native.data_ptr() == features.data_ptr()
    assert native.is_contiguous(memory_format=torch.channels_last)
