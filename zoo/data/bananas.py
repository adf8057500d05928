"""The bananas set: 1,000 + 100 pictures with one banana each, made on this machine.

In the spirit of the book's set (section 13.6.1): pictures of 256x256, a rendered banana in front of
a photograph. Nothing is downloaded. The pictures are made once by a `tensorflow_datasets` builder
and kept as TFRecord in a cache folder, one per generator version and options.
Deviation: the book's pictures have no other fruit and nothing in front of the banana.
"""

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from zoo.data.banana_scenes import SIZE, Scene, paint_scene
from zoo.data.painted import SPLITS, PaintedSet, open_painted
from zoo.data.photographs import encode_jpeg
from zoo.data.source import RECORD_SPEC, Source

GENERATOR_VERSION = "1.5.0"  # raise it with every change of what is painted
CLASS_NAMES = ("banana",)


class Bananas(PaintedSet):
    """Paints the set; a config is one choice of seed and sizes."""

    VERSION = tfds.core.Version(GENERATOR_VERSION)

    def __init__(self, *, seed: int, sizes: dict[str, int], data_dir: str):
        self.seed = seed
        super().__init__(f"seed{seed}", GENERATOR_VERSION, sizes=sizes, data_dir=data_dir)

    def paint(self, split: str, index: int) -> dict:
        return _record(paint_scene(self.seed, split, index), f"{split}-{index:05d}")

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
    read = open_painted(
        lambda folder: Bananas(seed=seed, sizes=sizes, data_dir=folder), data_dir, _without_masks
    )
    return Source("bananas", CLASS_NAMES, SPLITS, read, plain=True)


def _without_masks(record: dict) -> dict:
    """A record in the shape that all sources share: its objects have boxes only."""
    record |= {"masks": tf.fill(tf.shape(record["labels"]), b""), "segmentation": b""}
    return {name: record[name] for name in RECORD_SPEC}


def _record(scene: Scene, image_id: str) -> dict:
    left, top, right, bottom = scene.box
    return {
        "image": encode_jpeg(scene.pixels),
        "image_id": image_id,
        "boxes": np.array([scene.box], np.float32) / SIZE,
        "labels": np.zeros(1, np.int32),
        "crowd": np.zeros(1, bool),
        "area": np.array([(right - left) * (bottom - top) / SIZE**2], np.float32),
        "height": SIZE,
        "width": SIZE,
    }
