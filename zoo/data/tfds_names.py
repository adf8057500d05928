"""Reader of `tensorflow_datasets`: any set of its catalogue whose objects have boxes.

    tfds:voc/2007  tfds:coco/2017@val       a name, and a config where the set has several

The set is prepared first where that has not been done, which for most means a long download. Which
of its features are pictures, objects, boxes and classes is found by their types, and by their names
where several have the type. `validation` is `val` here. Objects marked `is_difficult` (VOC) are
crowds, as in our own reader of VOC.
"""

import difflib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import requests
import tensorflow_datasets as tfds
from tensorflow_datasets import features as kinds

from zoo.data.annotation_files import why_not
from zoo.data.cache import cache_folder, lock_folder
from zoo.data.layout import FoundObject, FoundPicture, Layout, picture_id, split_names

_CLASS_FIELDS = ("label", "type", "category", "class")  # in this order where several are classes
_CROWD_FIELDS = ("is_crowd", "is_group_of", "is_difficult")
_ID_FIELDS = ("image/filename", "image/file_name", "filename", "image_id", "image/id", "id")
_DOWNLOAD_ERRORS = (
    tfds.download.DownloadError,
    tfds.download.download_manager.NonMatchingChecksumError,
)

logger = logging.getLogger(__name__)


def open_tfds(path: Path, *, tfds_dir: str | None = None) -> Layout:
    """Open a set of the catalogue.

    Args:
        path: NAME or NAME/CONFIG.
        tfds_dir: where TFDS keeps prepared sets; default: `tfds` in the cache folder.
    Raises: ValueError: there is no such set, it has no boxes, or it cannot be prepared.
    """
    name, folder = str(path), Path(tfds_dir or cache_folder() / "tfds")
    builder = _builder(name, folder)
    objects = find_objects(name, builder.info.features)
    prepare(builder, folder)
    return layout_of(builder, objects.class_names, objects.of)


@dataclass(frozen=True)
class ObjectFeatures:
    """Where a set's examples have their objects.

    Attributes:
        sequence: name of the sequence of objects.
        box, label, crowd, area: names in it, or None where there is none.
        class_names: in the order of the labels.
    """

    sequence: str
    box: str
    label: str
    crowd: str | None
    area: str | None
    class_names: tuple[str, ...]

    def of(self, example: dict) -> tuple[FoundObject, ...]:
        """The objects of an example, as NumPy has it; boxes in fractions."""
        columns = example[self.sequence]
        boxes = columns[self.box].astype(float)[:, [1, 0, 3, 2]].tolist()  # y before x there
        labels = columns[self.label].tolist()
        crowds = columns[self.crowd].tolist() if self.crowd else [0] * len(labels)
        areas = columns[self.area].astype(float).tolist() if self.area else [None] * len(labels)
        return tuple(
            FoundObject(tuple(box), self._name(label), crowd=crowd > 0, area=area)
            for box, label, crowd, area in zip(boxes, labels, crowds, areas, strict=True)
        )

    def _name(self, label: int) -> str:
        return self.class_names[label] if 0 <= label < len(self.class_names) else ""


def find_objects(name: str, features: kinds.FeaturesDict) -> ObjectFeatures:
    """Find the sequence that has boxes and classes among the features of the set `name`.

    Raises: ValueError: there is none; tells what there is.
    """
    for key, feature in features.items():
        inside = dict(getattr(feature, "feature", {})) if _is_sequence(feature) else {}
        boxes = [one for one, of in inside.items() if isinstance(of, kinds.BBoxFeature)]
        classes = {one: of for one, of in inside.items() if isinstance(of, kinds.ClassLabel)}
        if boxes and classes:
            label = next((one for one in _CLASS_FIELDS if one in classes), min(classes))
            crowd = next((one for one in _CROWD_FIELDS if one in inside), None)
            area = "area" if "area" in inside else None
            names = tuple(classes[label].names)
            return ObjectFeatures(key, boxes[0], label, crowd, area, names)
    raise ValueError(
        f"tfds:{name} must have a sequence of objects with a BBoxFeature and a ClassLabel; "
        f"it has {_described(features)}. Take a set for object detection."
    )


def prepare(builder: tfds.core.DatasetBuilder, folder: Path) -> None:
    """Download and prepare a set in its `data_dir`, the folder, where that has not been done.

    Raises: ValueError: no network, no room, or a file that has to be fetched by hand.
    """
    if not builder.is_prepared():
        with lock_folder(folder, f"{builder.name}.lock"):
            if not builder.is_prepared():  # another process may have done it meanwhile
                _prepare(builder)


def _prepare(builder: tfds.core.DatasetBuilder) -> None:
    logger.info("preparing %s in %s", builder.info.full_name, builder.data_dir)
    tfds.disable_progress_bar()  # the log tells; bars would fill it
    settings = tfds.download.DownloadConfig(compute_stats=tfds.download.ComputeStatsMode.SKIP)
    try:
        builder.download_and_prepare(download_config=settings)
    except requests.RequestException as error:
        host = error.request.url if error.request is not None else "its address"
        raise ValueError(
            f"tfds:{builder.name}: {host} cannot be reached ({type(error).__name__}). "
            f"Is there a network? A set prepared elsewhere goes to {builder.data_dir}."
        ) from None
    except OSError as error:
        raise ValueError(
            f"tfds:{builder.name}: {builder.data_dir} cannot be written: {why_not(error)}."
        ) from None
    except (AssertionError, ImportError, *_DOWNLOAD_ERRORS) as error:
        reason = " ".join(str(error).split())  # files to fetch by hand, a package that is missing
        raise ValueError(f"tfds:{builder.name} cannot be prepared: {reason}") from None


def layout_of(
    builder: tfds.core.DatasetBuilder,
    class_names: tuple[str, ...],
    objects_of: Callable[[dict], tuple[FoundObject, ...]],
) -> Layout:
    """A prepared set as pictures in memory, one after another.

    Args:
        objects_of: example, a dict of NumPy values -> its objects, boxes in fractions.
    """
    splits = split_names(builder.info.splits)
    image = _image_key(builder.name, builder.info.features)
    settings = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)

    def pictures(split: str) -> Iterator[FoundPicture]:
        examples = builder.as_dataset(
            split=splits[split],
            decoders={image: tfds.decode.SkipDecoding()},
            shuffle_files=False,
            read_config=settings,
        )
        for number, example in enumerate(tfds.as_numpy(examples)):
            image_id, objects = _id_of(example, number), objects_of(example)
            file = f"tfds:{builder.info.full_name}@{splits[split]}"
            yield FoundPicture(
                example[image], image_id, objects, file, line=number + 1, unit="fractions"
            )

    return Layout("tfds", class_names, tuple(splits), pictures, (Path(builder.data_dir),))


def _builder(name: str, folder: Path) -> tfds.core.DatasetBuilder:
    try:
        return tfds.builder(name, data_dir=str(folder))
    except tfds.core.DatasetNotFoundError:
        near = difflib.get_close_matches(name.partition("/")[0], tfds.list_builders(), n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Is it spelt right?"
        raise ValueError(f"tfds:{name}: TFDS has no such set. {hint}") from None
    except Exception as error:  # a config it does not have, a package its builder needs
        reason = str(error).split("\n", 1)[0]
        raise ValueError(f"tfds:{name}: {reason}") from None


def _is_sequence(feature) -> bool:
    inner = getattr(feature, "feature", None)
    return isinstance(feature, kinds.Sequence | kinds.Dataset) and isinstance(
        inner, kinds.FeaturesDict
    )


def _image_key(name: str, features: kinds.FeaturesDict) -> str:
    keys = [key for key, feature in features.items() if isinstance(feature, kinds.Image)]
    if not keys:
        raise ValueError(f"tfds:{name} must have an Image; it has {_described(features)}.")
    return "image" if "image" in keys else keys[0]


def _described(features: kinds.FeaturesDict) -> str:
    return ", ".join(f"{key}: {type(feature).__name__}" for key, feature in features.items())


def _id_of(example: dict, number: int) -> str:
    value = next((example[key] for key in _ID_FIELDS if key in example), b"")
    if isinstance(value, bytes):
        return picture_id(value.decode("utf-8", "surrogateescape")) or f"{number:08d}"
    return str(np.asarray(value))
