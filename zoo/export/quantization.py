"""An ONNX program in eight bits, after training: weights and activations.

ONNX Runtime measures the activations on some pictures and writes pairs that quantise and
dequantise around convolutions and products of matrices; all else, the decoder above all, stays in
float32. OpenVINO reads the same file.
"""

import tempfile
from pathlib import Path

QUANTIZED = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def quantize(onnx_file, quantized_file, rows) -> None:
    """Write an ONNX program anew, quantised.

    Args:
        onnx_file: of one picture at a time.
        quantized_file: the file to write.
        rows: what the program takes of each picture to measure on: dicts of arrays without the
            batch axis.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Rows(quantization.CalibrationDataReader):
        def __init__(self):
            self.left = iter(rows)

        def get_next(self):
            row = next(self.left, None)
            return None if row is None else {name: array[None] for name, array in row.items()}

    with tempfile.TemporaryDirectory() as temporary:
        # Folds what is made of weights alone, so that weights are seen as weights.
        folded = Path(temporary) / "folded.onnx"
        quant_pre_process(onnx_file, folded, skip_symbolic_shape=True)
        quantization.quantize_static(
            folded,
            quantized_file,
            Rows(),
            op_types_to_quantize=list(QUANTIZED),
            per_channel=True,
        )
