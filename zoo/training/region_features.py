"""What R-CNN's linear machines learn from: the features of all regions, kept in the cache.

Letters: B pictures, P proposals, M padded boxes, R = P + M regions of a picture, N real regions of
a piece, C classes, D features.
They are read in pieces, each written whole, so that a reading that was killed goes on where it was.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import keras
import numpy as np
from filelock import FileLock, Timeout
from keras import ops

from zoo.data.cache import cache_folder, lock_folder
from zoo.ops import box_area, pairwise_iou

VERSION = 1  # raise it with every change of what a piece holds
PIECE = 16  # pictures: 40 MB with 500 proposals and 1,280 features


class RegionPieces:
    """The pieces of a split, in stored order; each time they are gone through anew.

    A piece is a dict of `features` (N, D), `truths` (N,), the label of an object's own box and -1
    of a proposal, `overlaps` (N, C), the IoU with the nearest object of each class, and `offsets`
    (N, C, 4), the way to it.
    """

    def __init__(self, files: list[Path]):
        self._files = files

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        for file in self._files:
            with np.load(file) as arrays:
                yield {name: arrays[name] for name in arrays.files}


@contextmanager
def region_pieces(
    task,
    pictures: Iterable,
    digest: str,
    *,
    data_dir: str | None = None,
    progress: Callable[[str, int], None] = lambda what, done: None,
) -> Iterator[RegionPieces]:
    """Give the features of a split's regions, reading those that are not in the cache.

    While in the context nobody else reads or removes them. Those of the same pictures by other
    weights are removed, since training goes on from none of them.

    Args:
        task: an `RCNN`.
        pictures: batches of one picture, in stored order, as `build_pipeline` gives them.
        digest: of the split, such as `Source.digest`.
        data_dir: cache folder; default `ZOO_DATA_DIR` or ~/.cache/keras-vision-zoo.
        progress: called with what is under way, and how many pictures of it so far.
    """
    folder = cache_folder(data_dir) / "features" / _key_of_pictures(task, digest) / _key_of(task)
    with lock_folder(folder, "lock"):
        _remove_others(folder)
        yield RegionPieces(_read(task, iter(pictures), folder, progress))


def _read(task, pictures, folder, progress) -> list[Path]:
    reader, files, done = _RegionReader(task), [], 0
    while some := list(islice(pictures, PIECE)):
        file = folder / f"{done:08d}-{done + len(some):08d}.npz"
        if not file.exists():
            _write(file, [reader.regions_of(*picture) for picture in some])
        files.append(file)
        done += len(some)
        progress("reading features of regions", done)
    return files


class _RegionReader(keras.Model):
    """A model, so that `predict_on_batch` compiles what each backend compiles."""

    def __init__(self, task):
        super().__init__(dtype="float32", name="region_reader")
        self.task = task
        self.jit_compile = task.jit_compile
        self.built = True

    def regions_of(self, inputs, labels) -> dict[str, np.ndarray]:
        """Return the rows of a piece that one picture gives."""
        batch = {name: np.asarray(values) for name, values in {**inputs, **labels}.items()}
        rows = {name: values[0] for name, values in self.predict_on_batch(batch).items()}
        real = rows.pop("real")
        return {name: values[real] for name, values in rows.items()}

    def call(self, batch):
        boxes, labels = batch["boxes"], ops.cast(batch["labels"], "int32")
        proposals = batch["proposals"]
        rois = ops.concatenate([proposals, boxes], axis=1)
        overlaps, nearest = self._nearest(rois, boxes, labels)
        return {
            "features": self.task.region_features(batch["images"], rois),
            "truths": ops.concatenate([ops.full_like(proposals[..., 0], -1, "int32"), labels], 1),
            "overlaps": overlaps,
            "offsets": self.task.decoder.coder.encode(nearest, rois[:, :, None]),
            "real": ops.concatenate([box_area(proposals) > 0, labels >= 0], axis=1),
        }

    def _nearest(self, rois, boxes, labels):
        """Return the largest IoU (B, R, C) of each class, and that object's box (B, R, C, 4)."""
        classes = ops.arange(self.task.num_classes, dtype="int32")
        of_class = ops.equal(labels[..., None], classes)[:, None]
        iou = ops.where(of_class, pairwise_iou(rois, boxes)[..., None], 0.0)  # (B, R, M, C)
        number = rois.shape[1] * self.task.num_classes
        rows = ops.reshape(ops.cast(ops.argmax(iou, axis=2), "int32"), (-1, number, 1))
        nearest = ops.take_along_axis(boxes, rows, axis=1)
        shape = (-1, rois.shape[1], self.task.num_classes, 4)
        return ops.max(iou, axis=2), ops.reshape(nearest, shape)


def _key_of_pictures(task, digest: str) -> str:
    """Name what is looked at, and how it is cut out."""
    serialize = keras.saving.serialize_keras_object
    pieces = (task.proposer, task.image_converter, task.normalize, task.roi_crop)
    told = [serialize(piece) for piece in (*pieces, task.decoder.coder)]
    text = json.dumps([VERSION, digest, task.context, told], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _key_of(task) -> str:
    """Name the weights of the backbone."""
    digest = hashlib.sha256()
    for weights in task.backbone.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()[:16]


def _remove_others(folder: Path) -> None:
    """Remove the features by other weights, save those that another process is at."""
    for other in folder.parent.iterdir():
        if other == folder:
            continue
        try:
            with FileLock(other / "lock", timeout=0):
                shutil.rmtree(other, ignore_errors=True)
        except (Timeout, OSError):
            continue


def _write(file: Path, pictures: list[dict[str, np.ndarray]]) -> None:
    part = file.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as stream:
        joined = {name: np.concatenate([rows[name] for rows in pictures]) for name in pictures[0]}
        np.savez(stream, **joined)
    part.replace(file)
