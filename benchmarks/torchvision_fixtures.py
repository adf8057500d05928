"""Write what torchvision's models answer with weights that are a function of their names.

    python benchmarks/torchvision_fixtures.py [NAME ...]

Runs where torchvision is (`torch==2.14.1 torchvision==0.29.1` when the fixtures were made), which
need not be zoo's environment: only `tests/weights/pure_weights.py` is shared. The tests hold zoo's
backbones, detectors and segmenters to the files it writes, a few kilobytes each. Without names it
writes all.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torchvision
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.image_list import ImageList

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "weights"))
from pure_weights import (  # noqa: E402
    FIXTURES,
    pure_photograph,
    pure_pictures,
    pure_rois,
    pure_state,
    sample,
)

HEIGHT, WIDTH = 101, 135  # odd, so that wrong padding shows
SIDE = 128  # of two-stage detectors; a multiple of 32, which torchvision would pad to
PROPOSALS = 200  # in place of 1,000, which take their time in the tests
MASK_STEP = 4  # of a found mask's pixels, every so many are kept


def main():
    """Write one .npz a model: its names and shapes, and samples of what it computes."""
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for name, (model, levels) in wanted(models()):
        outputs = answer(model, levels, (HEIGHT, WIDTH))
        arrays = {
            level: sample(output.permute(0, 2, 3, 1).numpy()) for level, output in outputs.items()
        }
        write(name, model, arrays)
    for name, (model, stages, side) in wanted(detectors()):
        write(name, model, answer(model, stages, (side, side)))
    for name, model in wanted(segmenters()):
        write(name, model, answer(model, pixels, (HEIGHT, WIDTH)))


def wanted(choice):
    """Return the (name, model) pairs that the command line names, or all."""
    return [pair for pair in choice.items() if pair[0] in sys.argv[1:] or not sys.argv[1:]]


def answer(model, stages, size):
    """Run the stages of a model on pictures of a size, with the weights of its names."""
    shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    state = pure_state(shapes)
    model.load_state_dict({key: torch.from_numpy(np.array(v)) for key, v in state.items()})
    pictures = torch.from_numpy(pure_pictures(1, *size)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return stages(model.eval(), pictures)


def write(name, model, arrays):
    rows = [(key, *tensor.shape) for key, tensor in model.state_dict().items()]
    table = "\n".join(" ".join(map(str, row)) for row in rows)
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


def detectors():
    """Return a detector, the function that gives samples of its stages, and a side, by name."""
    make = torchvision.models.detection
    fresh = {"num_classes": 4, "weights": None, "weights_backbone": None}
    small = {"min_size": SIDE, "max_size": SIDE, "rpn_post_nms_top_n_test": PROPOSALS}
    return {
        "ssd300_vgg16": (make.ssd300_vgg16(**fresh), single_shot, 300),
        "fasterrcnn_resnet50_fpn": (
            make.fasterrcnn_resnet50_fpn(**fresh, **small),
            two_stages,
            SIDE,
        ),
        "maskrcnn_resnet50_fpn": (make.maskrcnn_resnet50_fpn(**fresh, **small), two_stages, SIDE),
    }


def segmenters():
    """Return a segmenter by name, with the auxiliary head that published files have."""
    make = torchvision.models.segmentation
    options = {"weights": None, "weights_backbone": None, "aux_loss": True}
    return {"fcn_resnet50": make.fcn_resnet50(num_classes=4, **options)}


def pixels(model, pictures):
    outputs = {name: maps.permute(0, 2, 3, 1).numpy() for name, maps in model(pictures).items()}
    return {
        "logits": sample(outputs["out"], 12),
        "auxiliary_logits": sample(outputs["aux"], 12),
        "classes": outputs["out"].argmax(-1).astype("uint8"),
    }


def single_shot(model, pictures):
    features = list(model.backbone(pictures).values())
    outputs = model.head(features)
    (anchors,) = model.anchor_generator(ImageList(pictures, [tuple(pictures.shape[2:])]), features)
    arrays = {
        "anchors": anchors.numpy()[::97] / pictures.shape[2],
        "class_logits": outputs["cls_logits"].numpy()[:, ::97],
        "box_deltas": outputs["bbox_regression"].numpy()[:, ::97],
    }
    return arrays | detections(model, pure_photograph(pictures.shape[2]))


def two_stages(model, pictures):
    side = pictures.shape[2]
    levels = model.backbone(pictures)
    features = list(levels.values())
    objectness, deltas = model.rpn.head(features)
    (anchors,) = model.rpn.anchor_generator(ImageList(pictures, [(side, side)]), features)
    rois = [torch.from_numpy(pure_rois()[0] * side)]
    heads = model.roi_heads
    crops = heads.box_roi_pool(levels, rois, [(side, side)])
    logits, boxes = heads.box_predictor(heads.box_head(crops))
    arrays = {
        "anchors": anchors.numpy()[::31] / side,
        "objectness": torch.cat([rows(level, 1) for level in objectness], 1).numpy()[:, ::31, 0],
        "deltas": torch.cat([rows(level, 4) for level in deltas], 1).numpy()[:, ::31],
        "class_logits": logits.numpy(),
        "box_deltas": boxes.numpy().reshape(len(boxes), -1, 4)[:, 1:],
    }
    arrays |= detections(model, pure_photograph(side))
    if heads.has_mask():
        crops = heads.mask_roi_pool(levels, rois, [(side, side)])
        masks = heads.mask_predictor(heads.mask_head(crops)).permute(0, 2, 3, 1).numpy()
        arrays["mask_logits"] = masks[:, ::9, ::9, 1:]
    return arrays


def detections(model, picture):
    """Detect on a picture that needs no resizing: what is found, as (K, 6), and its masks."""
    (found,) = model([torch.from_numpy(picture).permute(2, 0, 1).float() / 255])
    found = {name: value.numpy() for name, value in found.items()}
    columns = [found["boxes"], found["scores"][:, None], found["labels"][:, None] - 1]
    arrays = {"detections": np.concatenate(columns, axis=1).astype("float32")}
    if "masks" in found:
        masks = found["masks"][:, 0] > 0.5
        arrays["mask_areas"] = masks.sum((1, 2)).astype("int32")
        arrays["mask_pixels"] = np.packbits(masks[:, ::MASK_STEP, ::MASK_STEP])
    return arrays


def rows(level, depth):
    """Return (B, anchors * depth, H, W) as (B, H * W * anchors, depth)."""
    batch, channels, height, width = level.shape
    split = level.reshape(batch, channels // depth, depth, height, width)
    return split.permute(0, 3, 4, 1, 2).reshape(batch, -1, depth)


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
