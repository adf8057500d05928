"""Write what torchvision's models answer with weights that are a function of their names.

    python benchmarks/torchvision_fixtures.py

Runs where torchvision is (`torch==2.14.1 torchvision==0.29.1` when the fixtures were made), which
need not be zoo's environment: only `tests/weights/pure_weights.py` is shared. The tests hold zoo's
backbones to the files it writes, a few kilobytes each.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torchvision
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.detection.backbone_utils import BackboneWithFPN

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "weights" / "fixtures"
sys.path.insert(0, str(ROOT / "tests" / "weights"))
from pure_weights import pure_pictures, pure_state, sample  # noqa: E402

HEIGHT, WIDTH = 101, 135  # odd, so that wrong padding shows


def main():
    """Write one .npz a model: its names and shapes, and samples of its levels."""
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for name, (model, levels) in models().items():
        shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
        state = pure_state(shapes)
        model.load_state_dict({key: torch.from_numpy(np.array(v)) for key, v in state.items()})
        pictures = torch.from_numpy(pure_pictures(1, HEIGHT, WIDTH)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            outputs = levels(model.eval(), pictures)
        arrays = {
            level: sample(output.permute(0, 2, 3, 1).numpy()) for level, output in outputs.items()
        }
        table = "\n".join(f"{key} {' '.join(map(str, shape))}" for key, shape in shapes.items())
        np.savez_compressed(FIXTURES / f"{name}.npz", state=np.array(table), **arrays)
        print(name, {level: array.shape for level, array in arrays.items()})


def models():
    """Return a model, and the function that gives its levels by our names, by name."""
    zoo = torchvision.models
    resnets = {f"resnet{d}": (getattr(zoo, f"resnet{d}")(), resnet) for d in (18, 34, 50, 101)}
    dilated = zoo.resnet50(replace_stride_with_dilation=[False, True, True])
    pyramid = BackboneWithFPN(
        zoo.resnet50(),
        {f"layer{n}": str(n - 1) for n in range(1, 5)},
        [256, 512, 1024, 2048],
        256,
    )
    return resnets | {
        "resnet50_dilated": (dilated, resnet),
        "resnet50_fpn": (pyramid, fpn),
        "vgg16": (zoo.vgg16(), vgg({"c1": 3, "c3": 15, "p4": 23, "c5": 29, "p5": 30})),
        "vgg19": (zoo.vgg19(), vgg({"c4": 26, "p5": 36})),
        "mobilenet_v2": (zoo.mobilenet_v2(), mobilenet),
    }


def resnet(model, pictures):
    names = {"relu": "c1"} | {f"layer{n}": f"c{n + 1}" for n in range(1, 5)}
    return IntermediateLayerGetter(model, names)(pictures)


def fpn(model, pictures):
    names = {"0": "p2", "1": "p3", "2": "p4", "3": "p5", "pool": "p6"}
    return {names[name]: level for name, level in model(pictures).items()}


def vgg(levels):
    def run(model, pictures):
        return {level: model.features[: end + 1](pictures) for level, end in levels.items()}

    return run


def mobilenet(model, pictures):
    levels = {"c1": 1, "c2": 3, "c3": 6, "c4": 13, "c5": 17, "top": 18}
    return {level: model.features[: end + 1](pictures) for level, end in levels.items()}


if __name__ == "__main__":
    main()
