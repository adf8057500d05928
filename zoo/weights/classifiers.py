"""Whole classifiers of other frameworks: their weights, and their last layers' rows.

Letters: C classes of the foreign model.
"""

import numpy as np

from zoo.weights.classifier_tables import classifier_head_table
from zoo.weights.pip_files import imagenet_weights
from zoo.weights.state_dicts import load_state_dict


def classifier_weights(backbone, weights):
    """Read the weights of a classifier, its last layers included.

    Args:
        backbone: a name of `zoo.backbones.list_backbones()`.
        weights: "imagenet", where a package carries the whole of it, or a file of torchvision's.
    Returns: arrays by their foreign names, and the architecture that `convert_into` takes.
    Raises: ValueError if the package carries features only.
    """
    state, architecture = _read(backbone, weights)
    return state, f"{architecture}_classifier"


def classifier_rows(backbone, weights):
    """Read the last dense layer of a classifier.

    Args: as `classifier_weights`.
    Returns: kernel (channels, C) and bias (C,), float32.
    """
    state, architecture = _read(backbone, weights)
    (name,) = (
        foreign
        for foreign, (path, _) in classifier_head_table(architecture).items()
        if path == "output/kernel"
    )
    return np.transpose(state[name]), state[name.removesuffix("weight") + "bias"]


def _read(backbone, weights):
    if weights == "imagenet":
        state, architecture = imagenet_weights(backbone)
    else:
        state, architecture = load_state_dict(weights), f"torchvision:{backbone}"
    if not classifier_head_table(architecture):
        raise ValueError(
            f"the package with ImageNet weights of {backbone} carries its features, not its "
            "classifier. Give a file of torchvision's, or take efficientnet_lite0."
        )
    return state, architecture
