"""Worker verb `import`: a foreign checkpoint -> a published model.

Runs in a process of its own with Keras. What a checkpoint needs beside its weights is written down
in `_BUILDERS`: the preset, and the options under which the weights mean what they meant.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.progress import mistakes_told, tell
from flows.runtime import UserError, prepare_process

if TYPE_CHECKING:
    from zoo import Task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("architecture", help="such as torchvision:fasterrcnn_resnet50_fpn")
    parser.add_argument("file", type=Path, help="a .pth, .pt or .safetensors file")
    parser.add_argument("--out", required=True, type=Path, help="the .keras file to write")
    parser.add_argument("--classes", type=Path, help="a text file, a class name a line")
    parser.add_argument("--image-size", type=int, help="side of the network's input, pixels")
    parser.add_argument("--norm-epsilon", type=float, help="of the batch norms")


def run(args: argparse.Namespace) -> int:
    """Convert the checkpoint and write the model; return the exit code.

    Raises:
        UserError: the file, the architecture or the names do not fit.
    """
    with mistakes_told():
        prepare_process()
        from zoo import weights

        try:
            create, classes_in, known_names = _builder(args.architecture)
            state = weights.load_state_dict(args.file)
            names = _class_names(args.classes, classes_in(state), known_names())
            task = create(names, args)
            weights.convert_into(task, state, args.architecture)
            task.publish(args.out)
        except (ValueError, OSError) as error:
            raise UserError(str(error)) from error
    tell(wrote=str(args.out))
    return 0


def _builder(architecture: str) -> Any:
    if architecture not in _BUILDERS:
        raise UserError(
            f"a model can be imported from {', '.join(_BUILDERS)}; got {architecture!r}. Weights "
            "of a backbone are read by zoo.weights.convert_into."
        )
    return _BUILDERS[architecture]


def _class_names(path: Path | None, count: int, known: list[str]) -> list[str]:
    """Return the names of a file or, without one, the known ones where their number is right."""
    if path is None:
        return known if count == len(known) else [f"class_{label}" for label in range(count)]
    lines = path.read_text(encoding="utf-8").splitlines()
    names = [line.strip() for line in lines if line.strip()]
    if len(names) != count:
        raise UserError(
            f"{path} holds {len(names)} names; the weights are for {count} classes. The background "
            "is a class of a segmenter, and none of a detector."
        )
    return names


def _coco_names() -> list[str]:
    """Name what the published detectors were trained on."""
    from flows.coco_names import COCO_NAMES

    return list(COCO_NAMES)


def _voc_names() -> list[str]:
    """Name what the published segmenters were trained on."""
    from zoo.colormaps import VOC_CLASSES

    return list(VOC_CLASSES)


def _two_stage(preset: str) -> Any:
    def create(names: list[str], args: argparse.Namespace) -> "Task":
        import zoo
        from zoo.backbones import FPN, ResNet

        # torchvision sets the batch norms of what it publishes to epsilon 0.
        epsilon = 0.0 if args.norm_epsilon is None else args.norm_epsilon
        body = ResNet(50, frozen_norm=True, norm_epsilon=epsilon, name="resnet50")
        size = args.image_size or 800
        backbone = FPN(body, name="resnet50_fpn")
        return zoo.create(preset, class_names=names, backbone=backbone, image_size=size)

    return create


def _ssd300(names: list[str], args: argparse.Namespace) -> "Task":
    import zoo

    if args.norm_epsilon is not None:
        raise UserError("ssd300_vgg16 has no batch norms: leave out --norm-epsilon.")
    size = args.image_size or 300
    return zoo.create("ssd300_vgg16", class_names=names, image_size=size, caffe_pixels=True)


def _fcn_resnet50(names: list[str], args: argparse.Namespace) -> "Task":
    import zoo

    if args.norm_epsilon is not None:
        raise UserError("fcn_resnet50 is published with epsilon 1e-5: leave out --norm-epsilon.")
    return zoo.create("fcn_resnet50", class_names=names, image_size=args.image_size or 480)


def _rows(key: str, per_class: int, background: int = 1) -> Any:
    """Count classes by the rows of a tensor that has `per_class` a class and the background.

    Args:
        background: 0 where it is a class like the others.
    """

    def count(state: dict[str, Any]) -> int:
        if key not in state:
            raise UserError(f"the file has no {key}. Is it of another architecture?")
        return len(state[key]) // per_class - background

    return count


_SCORES = "roi_heads.box_predictor.cls_score.bias"
_BUILDERS = {
    "torchvision:ssd300_vgg16": (
        _ssd300,
        _rows("head.classification_head.module_list.0.bias", 4),  # anchors on a cell
        _coco_names,
    ),
    "torchvision:fasterrcnn_resnet50_fpn": (
        _two_stage("faster_rcnn"),
        _rows(_SCORES, 1),
        _coco_names,
    ),
    "torchvision:maskrcnn_resnet50_fpn": (
        _two_stage("mask_rcnn"),
        _rows(_SCORES, 1),
        _coco_names,
    ),
    "torchvision:fcn_resnet50": (
        _fcn_resnet50,
        _rows("classifier.4.bias", 1, background=0),
        _voc_names,
    ),
}
