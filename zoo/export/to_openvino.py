"""A task as OpenVINO's IR (.xml and .bin), read by OpenVINO from ONNX."""

import tempfile
from pathlib import Path

from zoo.export import to_onnx

PROGRAM = "model.xml"


def write(task, signature, folder, calibration=None) -> str:
    """Write the program; return the name of its .xml in the folder, beside which is its .bin.

    Args:
        calibration: as `to_onnx.write` takes it.
    """
    import openvino

    with tempfile.TemporaryDirectory() as temporary:
        program = to_onnx.write(task, signature, temporary, calibration)
        model = openvino.Core().read_model(Path(temporary) / program)
        _keep_order_of_equals(model)
        # Its default would store the weights in float16.
        openvino.save_model(model, Path(folder) / PROGRAM, compress_to_fp16=False)
    return PROGRAM


def _keep_order_of_equals(model) -> None:
    """Let sorting put the first of equals first, as in ONNX: OpenVINO reads it as any order.

    Sorting is its selection of all there are. Where fewer are selected it may stay as it is, twice
    as quick: `zoo.ops.ranking` selects by keys of which no two are alike.
    """
    for operation in model.get_ops():
        if operation.get_type_name() != "TopK":
            continue
        if operation.get_input_partial_shape(0) == operation.get_output_partial_shape(0):
            operation.set_attribute("stable", True)
