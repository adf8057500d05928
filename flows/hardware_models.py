"""What the hardware report trains for a few steps: a config's model, or a preset on embedded data.

Worker side. A config is taken as a run would take it, on one device. A preset gets its default
size, 2 to 8 pictures a step, and data that any machine has.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from flows import build, build_checks
from flows.config import Config, resolve_config
from flows.runtime import UserError

_BATCH = 8
_FEWER = {"fast_rcnn": 2, "faster_rcnn": 2, "mask_rcnn": 2, "rcnn": 2}  # large pictures
_BATCHES = 9  # the pipeline's rate is of so many
_EPOCHS = 1000  # the stream is read to no end
_SIDE = 256  # pixels of a painted picture


@contextmanager
def of_config(config: Config) -> Iterator[tuple[Config, Any, Any]]:
    """Give the config as it is resolved here, its source and its task."""
    config = resolve_config(config)
    source = build.build_source(config)
    task = build.build_task(config, source)
    build_checks.check_masks(config, source, task)
    build.take_rows(config, task)
    yield config, source, task


@contextmanager
def of_preset(preset: str) -> Iterator[tuple[Config, Any, Any]]:
    """Give a config made up for the preset, its source and its task.

    Raises:
        UserError: the preset learns nothing.
        ValueError: there is no such preset.
    """
    import zoo

    sketch = zoo.create(preset, **({} if "style" in preset else {"num_classes": 1}))
    if sketch.kind == "style" and not hasattr(sketch, "lesson"):
        raise UserError(
            f"preset {preset} has no training step: `zoo stylize` optimises a picture; fast_style "
            "is a network that learns a style"
        )
    with tempfile.TemporaryDirectory() as folder:
        config = _config(preset, _data(sketch, Path(folder)), sketch.image_converter.image_size)
        source = build.build_source(config)
        options = {"class_names": source.class_names}
        if sketch.kind == "style":
            options = {"style": _picture(np.random.default_rng(0))}
        yield config, source, zoo.create(preset, dtype=config.precision, **options)


def _config(preset: str, data: dict[str, Any], size) -> Config:
    batch = _FEWER.get(preset, _BATCH)
    data |= {"image_size": list(size), "batch_size": batch, "limit": _BATCHES * batch}
    optimizer = {"name": "sgd", "learning_rate": 1e-4, "momentum": 0.9}
    return resolve_config(
        Config.model_validate(
            {
                "name": "hardware",
                "model": {"preset": preset},
                "data": data,
                "train": {"epochs": _EPOCHS, "optimizer": optimizer},
            }
        )
    )


def _data(sketch, folder: Path) -> dict[str, Any]:
    """Return the data of a task's kind; what is not embedded is painted into the folder."""
    if sketch.kind == "classification":
        _paint_classes(folder)
        return {"name": "folder", "path": str(folder)}
    if "masks" in getattr(sketch, "result_kinds", ()):
        _paint_masks(folder)
        return {"name": "instance_masks", "path": str(folder)}
    return {"name": "bananas" if sketch.kind == "detection" else "shapes"}


def _paint_classes(folder: Path) -> None:
    random = np.random.default_rng(0)
    for split, count in (("train", _BATCHES * _BATCH // 2), ("val", 1)):
        for name in ("first", "second"):
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(_picture(random)).save(place / f"{number}.jpg")


def _paint_masks(folder: Path) -> None:
    random = np.random.default_rng(0)
    mask = np.zeros((_SIDE, _SIDE), "uint8")
    mask[20:120, 30:160], mask[130:240, 90:230] = 1, 2
    for split, count in (("train", _BATCHES * _FEWER["mask_rcnn"]), ("val", 1)):
        for name in ("PNGImages", "PedMasks"):
            (folder / split / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(_picture(random)).save(folder / split / f"PNGImages/{number}.jpg")
            Image.fromarray(mask).save(folder / split / f"PedMasks/{number}_mask.png")


def _picture(random) -> np.ndarray:
    return random.integers(0, 256, (_SIDE, _SIDE, 3), "uint8")
