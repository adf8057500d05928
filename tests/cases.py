"""What every layer and every task must hold, a call each; and the processes the tests start.

`check_layer` and `check_task` are contracts: they fail with the clause that is broken.
`check_loads_elsewhere` opens a published file on every backend, in processes of their own.
"""

import atexit
import functools
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from flows.runtime import installed_backends, worker_environment

ROOT = Path(__file__).resolve().parent.parent
# Of tests for which others stand where they take long: on JAX, which compiles for long, or on all
# backends but PyTorch, which does not compile at all.
_BACKEND = keras.backend.backend()
_NOTHING = pytest.mark.skipif(False, reason="a mark that does nothing")
SLOW_ON_JAX = pytest.mark.slow if _BACKEND == "jax" else _NOTHING
QUICK_ON_TORCH = _NOTHING if _BACKEND == "torch" else pytest.mark.slow


def run_python(arguments, *, backend=None, timeout=300, **variables):
    """Run the interpreter on `arguments` in a fresh process prepared for a backend; return stdout.

    Fails the test with the process' stderr if it does not exit with 0.
    """
    environment = worker_environment(backend or keras.backend.backend()) | variables
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, f"exit code {done.returncode}:\n{done.stderr[-4000:]}"
    return done.stdout


def compiled(function):
    """Compile a function of tensors on JAX, which takes seconds to run each new shape eagerly."""
    if keras.backend.backend() != "jax":
        return function
    import jax

    return jax.jit(function)


def check_layer(layer, inputs, *, shapes, trainable, non_trainable=0):
    """Check a layer's shapes, weights, configuration and mixed precision.

    Args:
        layer: not yet built; `inputs` is what it is called with.
        shapes: the expected output shape or nested shapes, as `keras.tree` has them.
        trainable, non_trainable: numbers of weights after the call.
    """
    outputs = _built(layer, inputs)(inputs)
    assert _shapes(outputs) == shapes
    assert len(layer.trainable_weights) == trainable
    assert len(layer.non_trainable_weights) == non_trainable
    twin = type(layer).from_config(layer.get_config())
    call_twin = _built(twin, inputs)
    twin.set_weights(layer.get_weights())
    _assert_equal(
        call_twin(inputs), outputs, "the layer made from its own config answers otherwise"
    )
    assert keras.saving.serialize_keras_object(layer)["registered_name"].startswith("zoo>")
    _check_mixed_precision(layer, inputs, outputs)


def _built(layer, inputs):
    layer.build(_shapes(inputs))
    # Traced at its first call, so that it sees the weights as they are then.
    return compiled(lambda values: layer(values))


def _check_mixed_precision(layer, inputs, outputs):
    config = layer.get_config() | {"dtype": "mixed_bfloat16"}
    mixed = type(layer).from_config(config)
    call = _built(mixed, inputs)
    mixed.set_weights(layer.get_weights())
    for weight in mixed.weights:
        assert weight.dtype == "float32", f"{weight.path} is held in {weight.dtype}"
    for low, full in zip(_flat(call(inputs)), _flat(outputs), strict=True):
        # bfloat16 keeps 8 bits, and each of a handful of operations rounds once: 5 % of the scale.
        limit = 0.05 * max(1.0, np.abs(full).max())
        np.testing.assert_allclose(low, full, atol=limit, rtol=0)


def check_task(task, batch, labels, *, learning_rate=0.05, fitted_later=()):
    """Check that a task trains, answers with static shapes, and keeps its meaning in a file.

    Args:
        task: fresh, not compiled.
        batch: (B, H, W, 3) pictures; labels: the dict its `compute_loss` takes.
        fitted_later: layers that no training step moves.
    """
    training = task(batch, training=True)  # eager: jit would leak the batch norms' new statistics
    answering = compiled(lambda images: task(images, training=False))(batch)
    missing = set(training) - set(answering)
    assert not missing, f"training=False must only add keys; it lacks {missing}"
    before = [np.array(weight) for weight in task.get_weights()]
    task.compile(optimizer=keras.optimizers.SGD(learning_rate))
    loss = task.train_on_batch(batch, labels, return_dict=True)["loss"]
    assert np.isfinite(loss)
    held = [weight.path for layer in fitted_later for weight in layer.weights]
    for weight, old in zip(task.weights, before, strict=True):
        if weight.path in held:
            continue
        moved = np.abs(keras.ops.convert_to_numpy(weight) - old).max()
        assert moved > 0, f"a training step left {weight.path} where it was"
    assert type(task).from_config(task.get_config()).get_config() == task.get_config()


def check_loads_elsewhere(task, pictures, folder, *, atol):
    """Check that the published task gives its detections on every installed backend.

    Args:
        task: any `zoo.Task` with `detect`.
        pictures: list of (h, w, 3) uint8 arrays.
        folder: an empty folder for the files.
        atol: of scores and of boxes in fractions of the picture; labels must be equal.
    """
    model = folder / "model.keras"
    task.publish(model)
    expected = [_plain(found) for found in task.detect(pictures, batch_size=len(pictures))]
    assert any(found["labels"] for found in expected), "nothing was found: nothing is compared"

    for backend, seen in open_elsewhere(model, pictures).items():
        for found, wanted, picture in zip(seen, expected, pictures, strict=True):
            assert found["labels"] == wanted["labels"], backend
            size = np.tile(picture.shape[1::-1], 2)
            np.testing.assert_allclose(found["scores"], wanted["scores"], atol=atol, rtol=0)
            boxes, wanted_boxes = (np.reshape(f["boxes"], (-1, 4)) for f in (found, wanted))
            np.testing.assert_allclose(boxes / size, wanted_boxes / size, atol=atol, rtol=0)
            assert (overlaps(boxes, wanted_boxes) > 0.999).all(), backend
            # A pixel on the edge of a mask may fall to either side: 2 % of a mask's pixels.
            np.testing.assert_allclose(found["pixels"], wanted["pixels"], rtol=0.02, atol=2)


def check_classifies_elsewhere(task, pictures, folder, *, atol):
    """Check that the published classifier gives its probabilities on every installed backend.

    Args: as `check_loads_elsewhere`; atol of the probabilities.
    """
    model = folder / "model.keras"
    task.publish(model)
    expected = np.stack([found.probabilities for found in task.classify(pictures)])
    assert np.ptp(expected, axis=1).max() > 10 * atol, "nothing is told apart: nothing is compared"
    for backend, seen in open_elsewhere(model, pictures).items():
        found = np.array([one["probabilities"] for one in seen])
        np.testing.assert_allclose(found, expected, atol=atol, rtol=0, err_msg=backend)


def check_segments_elsewhere(task, pictures, folder, *, atol):
    """Check that the published task gives its class maps on every installed backend.

    Args:
        task: any `zoo.Task` with `segment`.
        pictures: list of (h, w, 3) uint8 arrays.
        folder: an empty folder for the files.
        atol: of scores.
    """
    model = folder / "model.keras"
    task.publish(model)
    expected = task.segment(pictures)
    assert any(len(found.shares()) > 1 for found in expected), "one class: nothing is compared"
    for backend, seen in open_elsewhere(model, pictures).items():
        for found, wanted in zip(seen, expected, strict=True):
            np.testing.assert_allclose(found["scores"], wanted.scores, atol=atol, rtol=0)
            # Where two classes are equal but for rounding, either may be the first.
            ties = wanted.scores < 1 / len(wanted.class_names) + 2 * atol
            np.testing.assert_array_equal(
                np.array(found["classes"])[~ties], wanted.classes[~ties], err_msg=backend
            )


def open_elsewhere(model, pictures):
    """Return what a published file makes of pictures on each installed backend, by its name."""
    shown = model.with_name("pictures.npz")
    np.savez(shown, *pictures)
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda one: _open_on(one, model, shown), installed_backends()))
    for backend, seen in zip(installed_backends(), answers, strict=True):
        assert seen["backend"] == backend
        assert "error" not in seen, seen["error"]
    return {seen["backend"]: seen["found"] for seen in answers}


@functools.cache
def _opener(backend):
    """Start a process of a backend that opens files until this one ends; see tests/opener.py."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.opener"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=worker_environment(backend),
    )
    atexit.register(process.kill)
    return process


def _open_on(backend, model, pictures):
    """Return what a model finds on a backend, in a process of its own."""
    process = _opener(backend)
    print(
        json.dumps({"model": str(model), "pictures": str(pictures)}), file=process.stdin, flush=True
    )
    for line in process.stdout:
        if line.startswith('{"backend"'):  # not what a library prints
            return json.loads(line)
    raise AssertionError(f"the process of {backend} died with exit code {process.wait()}")


def overlaps(boxes, others):
    """IoU of each of (N, 4) boxes with its own of the others; 1 where both have no area."""
    sides = np.minimum(boxes, others)[:, 2:] - np.maximum(boxes, others)[:, :2]
    common = np.clip(sides, 0, None).prod(1)
    both = sum((b[:, 2:] - b[:, :2]).prod(1) for b in (boxes, others)) - common
    return np.where(both > 0, common / np.maximum(both, 1e-12), 1.0)


def fit_one_epoch(task, inputs, labels, *, steps):
    """Train by plain `fit`: one epoch, in which every step sees all pictures."""
    inputs, labels = keras.tree.map_structure(
        lambda values: np.concatenate([values] * steps), (inputs, labels)
    )
    size = len(labels["labels"]) // steps
    task.fit(inputs, labels, batch_size=size, epochs=1, shuffle=False, verbose=0)


def _plain(found):
    plain = {name: getattr(found, name).tolist() for name in ("boxes", "scores", "labels")}
    return plain | {"pixels": [] if found.masks is None else found.masks.sum((1, 2)).tolist()}


def small_ssd(**overrides) -> zoo.Task:
    """TinySSD of 64x64 pixels with a slim backbone: seconds where the real one takes minutes."""
    dtype = overrides.get("dtype")
    backbone = zoo.backbones.TinyCNN((8, 16, 32), (32, 32, 32), dtype=dtype, name="backbone")
    options = {"class_names": ["square"], "image_size": 64, "backbone": backbone} | overrides
    return zoo.create("tiny_ssd", **options)


def small_yolo(**overrides) -> zoo.Task:
    """YOLO of 64x64 pixels and 8x8 cells on two stages of ResNet-18."""
    backbone = zoo.backbones.ResNet(18, levels=("c3",), dtype=overrides.get("dtype"))
    options = {"class_names": ["square"], "image_size": 64, "grid": 8, "backbone": backbone}
    return zoo.create("yolo_v1", head_channels=32, **options | overrides)


def small_faster_rcnn(preset="faster_rcnn", **overrides) -> zoo.Task:
    """Faster R-CNN of 64x64 pixels on two levels of ResNet-18 and a slim pyramid."""
    options = {
        "class_names": ["square"],
        "image_size": 64,
        "backbone": "resnet18",
        "levels": ["c2", "c3"],
        "fpn": 32,
        "anchor_sizes": [[16], [24], [32]],
        "head_units": 64,
        "canonical_size": 32,
        "pre_nms": 60,
        "proposals": 40,
        "train_pre_nms": 100,
        "train_proposals": 60,
        "rpn_samples": 64,
        "roi_samples": 32,
    }
    return zoo.create(preset, **options | overrides)


def small_mask_rcnn(**overrides) -> zoo.Task:
    """`small_faster_rcnn` with a mask branch of 16 channels."""
    return small_faster_rcnn("mask_rcnn", **{"mask_channels": 16} | overrides)


def small_rcnn(**overrides) -> zoo.Task:
    """R-CNN of 64x64 pixels, regions of 32x32 and features of 64 channels."""
    backbone = zoo.backbones.ResNet(18, levels=("c2",), dtype=overrides.get("dtype"))
    options = {"class_names": ["square"], "image_size": 64, "backbone": backbone, "crop_size": 32}
    options |= {"proposals": 24, "search_side": 64, "roi_samples": 8, "regions_at_once": 10}
    return zoo.create("rcnn", **options | overrides)


def small_classifier(**overrides) -> zoo.Task:
    """A classifier of 32x32 pixels on the first two stages of ResNet-18."""
    backbone = zoo.backbones.ResNet(
        18,
        levels=("c3",),
        freeze=overrides.pop("freeze", 0),
        frozen_norm=overrides.pop("frozen_norm", False),
        dtype=overrides.get("dtype"),
        name="backbone",
    )
    options = {"class_names": ["red", "green", "blue"], "image_size": 32, "backbone": backbone}
    return zoo.create("classifier", **options | overrides)


def colours(count, *, size=32, seed=0):
    """Noisy pictures of three colours in turn, (count, size, size, 3) uint8, and their labels."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 3).astype("int32")
    images = rng.integers(0, 120, (count, size, size, 3)).astype("uint8")
    for image, label in zip(images, labels, strict=True):
        image[..., label] += 60
    return images, labels


def small_fcn(**overrides) -> zoo.Task:
    """FCN of 64x64 pixels with a skip, on two stages of ResNet-18."""
    options = {"class_names": ["ground", "square"], "image_size": 64, "strides": (4, 8)}
    options |= {"frozen_norm": False} | overrides
    frozen_norm, dtype = options.pop("frozen_norm"), options.get("dtype")
    if "backbone" not in options:
        options["backbone"] = zoo.backbones.ResNet(
            18, levels=("c2", "c3"), frozen_norm=frozen_norm, dtype=dtype
        )
    return zoo.create("fcn8s", **options)


def small_fast_rcnn(**overrides) -> zoo.Task:
    """Fast R-CNN of 64x64 pixels, regions pooled from 8x8 cells."""
    backbone = zoo.backbones.ResNet(18, levels=("c3",), dtype=overrides.get("dtype"))
    options = {"class_names": ["square"], "image_size": 64, "backbone": backbone}
    options |= {"proposals": 48, "search_side": 64, "head_units": 32, "roi_samples": 16}
    return zoo.create("fast_rcnn", **options | overrides)


def random_vgg16(folder) -> Path:
    """Write torchvision's VGG-16 of random numbers, up to the first layer of its second stage."""
    save_file = pytest.importorskip("safetensors.numpy").save_file
    random = np.random.default_rng(0)
    tensors = {}
    for layer, (channels, filters) in {0: (3, 64), 2: (64, 64), 5: (64, 128)}.items():
        scale = np.sqrt(2 / (9 * channels))  # He's, so that features keep their size
        kernel = random.normal(scale=scale, size=(filters, channels, 3, 3)).astype("float32")
        tensors[f"features.{layer}.weight"] = kernel
        tensors[f"features.{layer}.bias"] = np.zeros(filters, "float32")
    path = folder / "vgg16.safetensors"
    save_file(tensors, path)
    return path


def with_proposals(task, images):
    """What an R-CNN takes: the pictures and the proposals of each."""
    return {"images": images, "proposals": np.stack([task.proposer(image) for image in images])}


def square_masks(labels, *, size=64):
    """The masks (count, max_boxes, size, size) bool of what `squares` draws: full boxes."""
    edges = np.round(labels["boxes"] * size).astype(int)[..., None, None]
    rows, columns = np.mgrid[:size, :size]
    inside = (edges[:, :, 0] <= columns) & (columns < edges[:, :, 2])
    return inside & (edges[:, :, 1] <= rows) & (rows < edges[:, :, 3])


def square_classes(labels, *, size=64):
    """The class maps (count, size, size) int32 of what `squares` draws: 0 ground, 1 square."""
    present = labels["labels"][..., None, None] >= 0
    return (square_masks(labels, size=size) & present).any(axis=1).astype("int32")


def squares(count, *, size=64, seed=0, max_boxes=3):
    """Pictures of one bright square each on a dim noisy ground, and their padded labels.

    Returns: (count, size, size, 3) uint8 and a dict of boxes (count, max_boxes, 4) float32 xyxy
        fractions and labels (count, max_boxes) int32.
    """
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, size, size, 3)).astype("uint8")
    boxes = np.zeros((count, max_boxes, 4), "float32")
    labels = np.full((count, max_boxes), -1, "int32")
    labels[:, 0] = 0
    for image, rows in zip(images, boxes, strict=True):
        side = int(rng.integers(size // 4, size // 2))
        left, top = rng.integers(0, size - side, 2)
        image[top : top + side, left : left + side] = (230, 210, 40)
        rows[0] = np.array([left, top, left + side, top + side]) / size
    return images, {"boxes": boxes, "labels": labels}


def _flat(structure):
    return [
        np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(leaf, "float32")))
        for leaf in keras.tree.flatten(structure)
    ]


def _shapes(structure):
    if isinstance(structure, dict):
        return {name: _shapes(value) for name, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [_shapes(value) for value in structure]
    return tuple(structure.shape)


def _assert_equal(outputs, expected, message):
    for got, wanted in zip(_flat(outputs), _flat(expected), strict=True):
        np.testing.assert_array_equal(got, wanted, err_msg=message)


def vgg_file(path):
    """Write random weights of VGG's first two convolutions, as torchvision names them."""
    import torch

    rng, state = np.random.default_rng(0), {}
    for place, inputs in (("features.0", 3), ("features.2", 64)):
        kernel = rng.normal(0, 0.1, (64, inputs, 3, 3)).astype("float32")
        state |= {f"{place}.weight": torch.from_numpy(kernel), f"{place}.bias": torch.zeros(64)}
    torch.save(state, path)
    return path
