"""The bananas set: 1,000 + 100 pictures with one banana each, made on this machine.

In the spirit of the book's set (section 13.6.1): pictures of 256x256, a rendered banana in front of
a photograph. Nothing is downloaded. The pictures are made once by a `tensorflow_datasets` builder
and kept as TFRecord in a cache folder, one per generator version and options.
Deviation: the book's pictures have no other fruit and nothing in front of the banana.
"""

import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from zoo.data.banana_scenes import SIZE, Scene, encode_scene, paint_scene
from zoo.data.cache import cache_folder, lock_folder
from zoo.data.source import RECORD_SPEC, Source

GENERATOR_VERSION = "1.5.0"  # raise it with every change of what is painted
TFRECORD_FRAMING = 16  # bytes around each record: its length and two checksums
CLASS_NAMES = ("banana",)
SPLITS = ("train", "val")

logger = logging.getLogger(__name__)


class Bananas(tfds.core.GeneratorBasedBuilder):
    """Paints the set; a config is one choice of seed and sizes."""

    VERSION = tfds.core.Version(GENERATOR_VERSION)
    code_path = None  # TFDS would look for checksums there, with a package it does not install

    def __init__(self, *, seed: int, sizes: dict[str, int], data_dir: str):
        self.seed = seed
        self.sizes = sizes
        name = f"seed{seed}-" + "-".join(f"{split}{sizes[split]}" for split in SPLITS)
        config = tfds.core.BuilderConfig(name=name, version=GENERATOR_VERSION)
        super().__init__(config=config, data_dir=data_dir)

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(SIZE, SIZE, 3), encoding_format="jpeg"),
                "image_id": tfds.features.Text(),
                "boxes": tfds.features.Tensor(shape=(None, 4), dtype=np.float32),
                "labels": tfds.features.Tensor(shape=(None,), dtype=np.int32),
                "crowd": tfds.features.Tensor(shape=(None,), dtype=np.bool_),
                "area": tfds.features.Tensor(shape=(None,), dtype=np.float32),
                "height": tfds.features.Scalar(np.int32),
                "width": tfds.features.Scalar(np.int32),
            }
        )
        return tfds.core.DatasetInfo(builder=self, features=features, description=__doc__)

    def _split_generators(self, _):
        return {split: self._generate_examples(split) for split in SPLITS}

    def _log_download_bytes(self):
        logger.info("painting %s pictures into %s", sum(self.sizes.values()), self.data_dir)

    def _log_download_done(self):
        logger.info("painted")

    def _generate_examples(self, split: str):
        def record(index: int):
            return _record(paint_scene(self.seed, split, index), f"{split}-{index:05d}")

        with ThreadPoolExecutor(os.cpu_count()) as painters:
            for example in painters.map(record, range(self.sizes[split])):
                yield example["image_id"], example


def load_bananas(
    *, seed: int = 0, train_size: int = 1000, val_size: int = 100, data_dir: str | None = None
) -> Source:
    """Open the bananas set, painting it first (some 10 s) where that has not been done yet.

    Args:
        seed: another seed gives other pictures.
        train_size, val_size: number of pictures.
        data_dir: cache folder; default `ZOO_DATA_DIR` or ~/.cache/keras-vision-zoo.
    """
    sizes = {"train": train_size, "val": val_size}
    for split, size in sizes.items():
        if size < 1:
            raise ValueError(f"{split}_size must be at least 1; got {size}.")
    builder = _prepared(seed, sizes, cache_folder(data_dir))
    read_config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)

    def read(split: str) -> tf.data.Dataset:
        records = builder.as_dataset(
            split=split,
            decoders={"image": tfds.decode.SkipDecoding()},
            shuffle_files=False,
            read_config=read_config,
        )
        return records.map(_without_masks)

    return Source("bananas", CLASS_NAMES, SPLITS, read, plain=True)


def _prepared(seed: int, sizes: dict[str, int], folder: Path) -> Bananas:
    """The builder of a complete set; one process paints while others that need it wait."""
    builder = Bananas(seed=seed, sizes=sizes, data_dir=str(folder))
    if _is_complete(builder):
        return builder
    with lock_folder(folder, "bananas.lock"):
        builder = Bananas(seed=seed, sizes=sizes, data_dir=str(folder))
        if not _is_complete(builder):
            _clear(Path(builder.data_dir))
            _paint(builder)
    return builder


def _is_complete(builder: Bananas) -> bool:
    """Does the folder hold every byte that was written? A full disk or a copy may lose some."""
    if not builder.is_prepared():
        return False
    for split in builder.info.splits.values():
        files = [Path(name) for name in split.filepaths]
        written = split.num_bytes + TFRECORD_FRAMING * split.num_examples
        if sum(file.stat().st_size for file in files if file.exists()) != written:
            return False
    return True


def _clear(target: Path) -> None:
    """Remove a damaged set, and what a killed process left: TFDS renames its folder at the end."""
    for folder in (target, *target.parent.glob(f"incomplete.*_{target.name}")):
        shutil.rmtree(folder, ignore_errors=True)


def _paint(builder: Bananas) -> None:
    tfds.disable_progress_bar()  # the log tells; bars would fill it
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            try_download_gcs=False, compute_stats=tfds.download.ComputeStatsMode.SKIP
        )
    )


def _without_masks(record: dict) -> dict:
    """A record in the shape that all sources share: its objects have boxes only."""
    record |= {"masks": tf.fill(tf.shape(record["labels"]), b""), "segmentation": b""}
    return {name: record[name] for name in RECORD_SPEC}


def _record(scene: Scene, image_id: str) -> dict:
    left, top, right, bottom = scene.box
    return {
        "image": encode_scene(scene),
        "image_id": image_id,
        "boxes": np.array([scene.box], np.float32) / SIZE,
        "labels": np.zeros(1, np.int32),
        "crowd": np.zeros(1, bool),
        "area": np.array([(right - left) * (bottom - top) / SIZE**2], np.float32),
        "height": SIZE,
        "width": SIZE,
    }
