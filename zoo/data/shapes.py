"""The shapes set: 1,000 + 200 small pictures with the class of every pixel, made on this machine.

Circles, squares, triangles and stars in front of photographs, of other ones in validation; nothing
is downloaded. Class 0 is the background. The pictures are made once and kept in a cache folder.
"""

import tensorflow as tf
import tensorflow_datasets as tfds

from zoo.colormaps import voc_colormap
from zoo.data.class_maps import encode_class_map
from zoo.data.painted import SPLITS, PaintedSet, open_painted
from zoo.data.photographs import encode_jpeg
from zoo.data.shape_scenes import CLASS_NAMES, paint_shapes
from zoo.data.source import RECORD_SPEC, Source

GENERATOR_VERSION = "1.0.0"  # raise it with every change of what is painted
SMALLEST = 32  # pixels: smaller, a star is a blot


class Shapes(PaintedSet):
    """Paints the set; a config is one choice of seed and sizes."""

    VERSION = tfds.core.Version(GENERATOR_VERSION)

    def __init__(self, *, seed: int, size: int, sizes: dict[str, int], data_dir: str):
        self.seed, self.size = seed, size
        super().__init__(
            f"seed{seed}-size{size}", GENERATOR_VERSION, sizes=sizes, data_dir=data_dir
        )

    def paint(self, split: str, index: int) -> dict:
        scene = paint_shapes(self.seed, split, index, self.size)
        return {
            "image": encode_jpeg(scene.pixels),
            "image_id": f"{split}-{index:05d}",
            "segmentation": encode_class_map(scene.classes),
        }

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(
                    shape=(self.size, self.size, 3), encoding_format="jpeg"
                ),
                "image_id": tfds.features.Text(),
                "segmentation": tfds.features.Tensor(shape=(), dtype=tf.string),
            }
        )
        return tfds.core.DatasetInfo(builder=self, features=features, description=__doc__)


def load_shapes(
    *,
    seed: int = 0,
    picture_size: int = 96,
    train_size: int = 1000,
    val_size: int = 200,
    data_dir: str | None = None,
) -> Source:
    """Open the shapes set, painting it first (some 5 s) where that has not been done yet.

    Args:
        seed: another seed gives other pictures.
        picture_size: height and width, pixels.
        train_size, val_size: number of pictures.
        data_dir: cache folder; default `ZOO_DATA_DIR` or ~/.cache/keras-vision-zoo.
    """
    if not SMALLEST <= picture_size <= 1024:
        raise ValueError(f"picture_size must lie in {SMALLEST}..1024; got {picture_size}.")
    sizes = dict(zip(SPLITS, (train_size, val_size), strict=True))

    def finish(record: dict) -> dict:
        nothing = {name: tf.zeros([0, *spec.shape[1:]], spec.dtype) for name, spec in _OBJECTS}
        sides = {"height": tf.constant(picture_size), "width": tf.constant(picture_size)}
        return record | nothing | sides

    read = open_painted(
        lambda folder: Shapes(seed=seed, size=picture_size, sizes=sizes, data_dir=folder),
        data_dir,
        finish,
    )
    palette = voc_colormap(len(CLASS_NAMES))
    return Source("shapes", CLASS_NAMES, SPLITS, read, plain=True, palette=palette)


_OBJECTS = tuple((name, spec) for name, spec in RECORD_SPEC.items() if spec.shape.rank)
