"""VGG's ImageNet weights as keras.applications downloads them, for RGB pictures normalised as ours.

Those networks take blue first, 0..255, less ImageNet's mean colour. Only the first convolution
sees that: its kernel and bias are rewritten, and every feature is the same.
Deviation: around a picture their zeros are that mean colour and ours the mean we subtract, which
differ by half a grey level at most.
"""

import keras
import numpy as np

CAFFE_MEAN = np.float32([123.68, 116.779, 103.939])  # red, green, blue; Keras' `caffe` mode
_MODELS = {"vgg16": keras.applications.VGG16, "vgg19": keras.applications.VGG19}


def keras_vgg_weights(name, mean, std):
    """Download the weights, or take them from Keras' cache.

    Args:
        name: "vgg16" or "vgg19".
        mean, std: (3,) of fractions 0..1, red first: how pictures are normalised.
    Returns: arrays by their foreign names, and the architecture that `convert_into` takes.
    Raises: ValueError if they cannot be downloaded.
    """
    try:
        model = _MODELS[name](include_top=False, weights="imagenet")
    except Exception as error:  # Keras raises a plain Exception, urllib several kinds
        raise ValueError(
            f"keras.applications' weights of {name} cannot be downloaded: {error}"
        ) from error
    return vgg_state(model, mean, std), f"keras_applications:{name}"


def vgg_state(model, mean, std) -> dict[str, np.ndarray]:
    """Return the weights of a VGG of keras.applications for other pictures than its own.

    Args: model: the network; mean, std: as in `keras_vgg_weights`.
    """
    layers = [layer for layer in model.layers if layer.weights]
    state = {
        f"{layer.name}/{part}": np.asarray(array)
        for layer in layers
        for part, array in zip(("kernel", "bias"), layer.get_weights(), strict=True)
    }
    kernel = state["block1_conv1/kernel"][:, :, ::-1]  # red first
    scale, shift = 255 * np.float32(std), 255 * np.float32(mean) - CAFFE_MEAN
    state["block1_conv1/bias"] = state["block1_conv1/bias"] + np.einsum("hwio,i->o", kernel, shift)
    state["block1_conv1/kernel"] = kernel * scale[:, None]
    return state
