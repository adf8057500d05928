"""Data sets that are painted on this machine, once, and kept in the cache folder.

A `tensorflow_datasets` builder keeps the records as TFRecord, one folder per generator version and
options.
"""

import logging
import os
import shutil
from abc import abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds

from zoo.data.cache import cache_folder, lock_folder

TFRECORD_FRAMING = 16  # bytes around each record: its length and two checksums
SPLITS = ("train", "val")

logger = logging.getLogger(__name__)


class PaintedSet(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Paints a set; a config is one choice of the options.

    Args:
        options: the options as a name for a folder, seed0; the sizes are appended.
        version: of the generator.
        sizes: split -> number of pictures.
        data_dir: cache folder.
    """

    code_path = None  # TFDS would look for checksums there, with a package it does not install

    def __init__(self, options: str, version: str, *, sizes: Mapping[str, int], data_dir: str):
        self.sizes = sizes
        name = "-".join([options, *(f"{split}{sizes[split]}" for split in SPLITS)])
        config = tfds.core.BuilderConfig(name=name, version=version)
        super().__init__(config=config, data_dir=data_dir)

    @abstractmethod
    def paint(self, split: str, index: int) -> dict:
        """A picture of a split in the set's features."""

    def _split_generators(self, _):
        return {split: self._generate_examples(split) for split in SPLITS}

    def _log_download_bytes(self):
        logger.info("painting %s pictures into %s", sum(self.sizes.values()), self.data_dir)

    def _log_download_done(self):
        logger.info("painted")

    def _generate_examples(self, split: str):
        with ThreadPoolExecutor(os.cpu_count()) as painters:
            for example in painters.map(
                lambda index: self.paint(split, index), range(self.sizes[split])
            ):
                yield example["image_id"], example


def open_painted(
    make: Callable[[str], PaintedSet], data_dir: str | None, finish: Callable[[dict], dict]
) -> Callable[[str], tf.data.Dataset]:
    """Open a painted set, painting it first where that has not been done yet.

    Args:
        make: cache folder -> the builder.
        data_dir: cache folder; default `ZOO_DATA_DIR` or ~/.cache/keras-vision-zoo.
        finish: an example, its picture still encoded -> a record as `Source` has it.
    Returns: split -> its records, as `Source.read` is.
    Raises: ValueError: a split has no picture, or the cache folder cannot be written.
    """
    builder = _prepared(make, cache_folder(data_dir))
    read_config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)

    def read(split: str) -> tf.data.Dataset:
        examples = builder.as_dataset(
            split=split,
            decoders={"image": tfds.decode.SkipDecoding()},
            shuffle_files=False,
            read_config=read_config,
        )
        return examples.map(finish)

    return read


def _prepared(make: Callable[[str], PaintedSet], folder: Path) -> PaintedSet:
    """The builder of a complete set; one process paints while others that need it wait."""
    builder = make(str(folder))
    for split, size in builder.sizes.items():
        if size < 1:
            raise ValueError(f"{split}_size must be at least 1; got {size}.")
    if _is_complete(builder):
        return builder
    with lock_folder(folder, f"{builder.name}.lock"):
        builder = make(str(folder))
        if not _is_complete(builder):
            _clear(Path(builder.data_dir))
            _paint(builder)
    return builder


def _is_complete(builder: PaintedSet) -> bool:
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


def _paint(builder: PaintedSet) -> None:
    tfds.disable_progress_bar()  # the log tells; bars would fill it
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            try_download_gcs=False, compute_stats=tfds.download.ComputeStatsMode.SKIP
        )
    )
