"""What `faster_rcnn.py` times: torchvision's Faster R-CNN and zoo's, doing the same.

Each function returns another that computes once: a `predict`, from pictures to one picture's
detections (boxes in pixels, scores, labels from 0), or a `train`, a step on all of them, to the
losses by zoo's names. Unless `sampled`, the losses count every anchor and region, so that they
depend on no random number. Torchvision runs in an environment of its own, zoo in its.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "weights"))
# Sides that torchvision takes as they are; it would pad 400 to 416, the next multiple of 32.
SIDES = {"predict": 800, "train": 416}
CLASSES, OBJECTS, EVERYTHING = 91, 5, 1_000_000
RATE = 1e-5


def objects(count):
    """Return boxes (B, M, 4) xyxy fractions and labels (B, M) 0..89."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 0.6, (count, OBJECTS, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.1, 0.4, corners.shape)], axis=-1)
    return boxes.astype("float32"), rng.integers(0, CLASSES - 1, (count, OBJECTS))


def torchvision_step(case, images, precision, *, sampled):
    """Return `fasterrcnn_resnet50_fpn` as a step, in "float32", "channels_last" or bfloat16."""
    import torch
    from pure_weights import pure_state
    from torchvision.models import resnet50
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
    from torchvision.ops.misc import FrozenBatchNorm2d

    # What `fasterrcnn_resnet50_fpn` builds when it has weights; nor does zoo's step resize.
    body = _resnet_fpn_extractor(resnet50(norm_layer=FrozenBatchNorm2d), 3)
    everything = {"rpn_batch_size_per_image": EVERYTHING, "box_batch_size_per_image": EVERYTHING}
    options = {} if sampled else everything | {"box_positive_fraction": 0.5}
    model = FasterRCNN(body, CLASSES, _skip_resize=True, **options)
    state = pure_state({name: value.shape for name, value in model.state_dict().items()})
    model.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    model.train(case == "train")
    images = torch.from_numpy(images).permute(0, 3, 1, 2)
    if precision == "channels_last":
        model = model.to(memory_format=torch.channels_last)
    else:
        images = images.contiguous()
    reduced = torch.autocast("cpu", torch.bfloat16, enabled=precision == "mixed_bfloat16")

    def predict():
        with torch.inference_mode(), reduced:
            (found,) = model([image.float() / 255 for image in images])
        found["labels"] = found["labels"] - 1
        return {name: value.float().numpy() for name, value in found.items()}

    if case == "predict":
        return predict
    boxes, labels = objects(len(images))
    targets = [
        {"boxes": torch.from_numpy(some * SIDES[case]), "labels": torch.from_numpy(which + 1)}
        for some, which in zip(boxes, labels, strict=True)
    ]
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(trained, RATE, momentum=0.9)

    def train():
        optimizer.zero_grad()
        with reduced:
            losses = model([image.float() / 255 for image in images], targets)
            loss = sum(losses.values())
        loss.backward()
        optimizer.step()
        names = {"loss_objectness": "rpn_class_loss", "loss_rpn_box_reg": "rpn_box_loss"}
        names |= {"loss_classifier": "class_loss", "loss_box_reg": "box_loss"}
        return {names[name]: value.item() for name, value in losses.items()}

    return train


def zoo_step(case, images, backend, precision, *, sampled):
    """Return zoo's `faster_rcnn` as a step, on a backend in a precision."""
    from flows.runtime import prepare_process

    prepare_process(backend)
    import keras

    import zoo
    from zoo.weights import convert_into

    everything = {"rpn_samples": EVERYTHING, "roi_samples": EVERYTHING}
    options = {} if sampled else everything | {"roi_positive_fraction": 0.5}
    task = zoo.create(
        "faster_rcnn",
        num_classes=CLASSES - 1,
        image_size=SIDES[case],
        frozen_norm=True,
        freeze=1,
        dtype=precision,
        **options,
    )
    convert_into(task, _state(), "torchvision:fasterrcnn_resnet50_fpn")

    def predict():
        found = task.predict_on_batch(images)
        found = {name: found[name][0][: found["num"][0]] for name in ("boxes", "scores", "labels")}
        return found | {"boxes": found["boxes"] * SIDES[case]}

    if case == "predict":
        return predict
    boxes, labels = objects(len(images))
    targets = {"boxes": boxes, "labels": labels.astype("int32")}
    task.compile(optimizer=keras.optimizers.SGD(RATE, momentum=0.9))

    def train():
        task.reset_metrics()
        losses = task.train_on_batch(images, targets, return_dict=True)
        return {name: float(value) for name, value in losses.items() if name != "loss"}

    return train


def _state():
    """Return the weights of torchvision's model: of the test's fixture, with more classes."""
    from pure_weights import pure_state, read_fixture

    few, _ = read_fixture("fasterrcnn_resnet50_fpn")
    shapes = {name: value.shape for name, value in few.items()}
    for name, shape in shapes.items():
        if "box_predictor" in name:
            shapes[name] = (shape[0] // 4 * CLASSES, *shape[1:])
    return pure_state(shapes)
