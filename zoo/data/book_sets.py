"""The book's own data sets, from their public addresses: bananas to detect, hot dogs to classify.

Each is a `tensorflow_datasets` builder, so that `tfds.load("banana_detection")` works as well once
this module is imported. TFDS checks downloads by sha256; the book publishes sha1, so
`zoo.data.download` fetches and checks.
Reference: Dive into Deep Learning, sections 13.6.1 and 13.2.1.
"""

import logging
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets import features

from zoo.data.book_csv import open_csv
from zoo.data.cache import cache_folder
from zoo.data.class_folders import WHOLE, open_folder
from zoo.data.download import Archive, fetch
from zoo.data.indexed import open_indexed
from zoo.data.layout import Defect, FoundObject, FoundPicture, Layout
from zoo.data.source import Source
from zoo.data.tfds_names import find_objects, layout_of, prepare

D2L = "http://d2l-data.s3-accelerate.amazonaws.com/"
HOMEPAGE = "https://d2l.ai"
_PICTURE = {"image": features.Image(), "image/filename": features.Text()}

logger = logging.getLogger(__name__)


class BookSet(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A set of the book: fetched, unpacked, and read by the reader of its layout."""

    VERSION = tfds.core.Version("1.0.0")
    code_path = None  # TFDS would look for its own checksums there
    archive: Archive
    class_names: tuple[str, ...]

    @abstractmethod
    def open(self, folder: Path) -> Layout:
        """The layout of the unpacked archive."""

    @abstractmethod
    def example(self, found: FoundPicture) -> dict:
        """A picture in the set's features."""

    @abstractmethod
    def objects_of(self, example: dict) -> tuple[FoundObject, ...]:
        """The objects of an example."""

    def _split_generators(self, dl_manager):
        layout = self.open(fetch(self.archive, Path(dl_manager.download_dir)))
        return {split: self._generate_examples(layout, split) for split in layout.splits}

    def _generate_examples(self, layout: Layout, split: str) -> Iterator[tuple[str, dict]]:
        for found in layout.pictures(split):
            if isinstance(found, Defect):
                logger.warning("%s: %s", self.archive.file, found)
            else:
                yield found.image_id, self.example(found)


class BananaDetection(BookSet):
    """1,000 + 100 pictures of 256x256 with a banana each (section 13.6.1)."""

    archive = Archive("banana-detection.zip", "5de26c8fce5ccdea9f91267273464dc968d20d72", D2L)
    class_names = ("banana",)

    def open(self, folder: Path) -> Layout:
        return open_csv(folder, class_names=self.class_names)

    def example(self, found: FoundPicture) -> dict:
        with Image.open(found.image) as picture:
            sides = picture.size * 2
        return _named(found) | {
            "objects": [
                {"bbox": _fractions(thing, sides), "label": thing.name} for thing in found.objects
            ]
        }

    def objects_of(self, example: dict) -> tuple[FoundObject, ...]:
        return find_objects(self.name, self.info.features).of(example)

    def _info(self) -> tfds.core.DatasetInfo:
        thing = {"bbox": features.BBoxFeature(), "label": features.ClassLabel(names=["banana"])}
        return tfds.core.DatasetInfo(
            builder=self,
            features=features.FeaturesDict(_PICTURE | {"objects": features.Sequence(thing)}),
            description=self.__doc__,
            homepage=HOMEPAGE,
        )


class Hotdog(BookSet):
    """1,400 pictures with a hot dog and as many without; 1,000 of each are to train on (13.2.1)."""

    archive = Archive("hotdog.zip", "fba480ffa8aa7e0febbb511d181409f899b9baa5", D2L)
    class_names = ("hotdog", "not-hotdog")

    def open(self, folder: Path) -> Layout:
        return open_folder(folder)

    def example(self, found: FoundPicture) -> dict:
        return _named(found) | {"label": found.objects[0].name}

    def objects_of(self, example: dict) -> tuple[FoundObject, ...]:
        return (FoundObject(WHOLE, self.class_names[example["label"]]),)

    def _info(self) -> tfds.core.DatasetInfo:
        label = features.ClassLabel(names=list(self.class_names))
        return tfds.core.DatasetInfo(
            builder=self,
            features=features.FeaturesDict(_PICTURE | {"label": label}),
            description=self.__doc__,
            homepage=HOMEPAGE,
        )


def load_book_set(
    builder_class: type[BookSet], *, data_dir: str | None = None, **options
) -> Source:
    """Open a set of the book, fetching it first where that has not been done on this machine.

    Args:
        data_dir: cache folder; default `ZOO_DATA_DIR` or ~/.cache/keras-vision-zoo.
        **options: of `open_indexed`: on_defect, progress.
    Raises: ValueError: it cannot be fetched; the message names the remedy.
    """
    folder = cache_folder(data_dir) / "tfds"
    builder = builder_class(data_dir=str(folder))

    def opener(_) -> Layout:
        prepare(builder, folder)
        return layout_of(builder, builder.class_names, builder.objects_of)

    source = open_indexed(builder.name, opener, builder.data_dir, data_dir=data_dir, **options)
    return replace(source, name=builder.name)


def _named(found: FoundPicture) -> dict:
    return {"image": str(found.image), "image/filename": found.image_id}


def _fractions(thing: FoundObject, sides: tuple[int, ...]) -> features.BBox:
    """A box in pixels as TFDS has them."""
    left, top, right, bottom = (edge / side for edge, side in zip(thing.box, sides, strict=True))
    return features.BBox(ymin=top, xmin=left, ymax=bottom, xmax=right)
