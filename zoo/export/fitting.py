"""Pictures to a program's inputs, and its outputs to results in the pictures' pixels.

A class a kind of model; each is made of a task, or of the plain dict that an export carries, and
works without the task. Letters: (H, W) the network's input, (h, w) a picture.
"""

from abc import ABC, abstractmethod

import numpy as np

from zoo.layers import CropConverter, ImageConverter, PaddingConverter, SelectiveSearch
from zoo.mask_paste import paste_masks
from zoo.models.proposal_detector import fit_proposals
from zoo.results import Classification, Detections, Segmentation

# By name, so that a description makes nothing but these.
_PIECES = {
    piece.__name__: piece
    for piece in (CropConverter, ImageConverter, PaddingConverter, SelectiveSearch)
}


class Fitting(ABC):
    """What stands before and behind a program.

    Args:
        class_names: C names, or ().
        image_size: (H, W) of the program.
        converter: the task's image converter.
        proposer: finds regions for a program that takes proposals; None: it takes none.
        palette: colours of the classes, or None.
    """

    def __init__(self, class_names, image_size, converter, proposer=None, palette=None):
        self.class_names = tuple(class_names)
        self.image_size = tuple(image_size)
        self.converter = converter
        self.proposer = proposer
        self.palette = palette

    @abstractmethod
    def inputs(self, picture):
        """Return what the program takes of a picture, without the batch axis, and its frame.

        Args:
            picture: (h, w, 3) uint8, RGB.
        """

    @abstractmethod
    def result(self, outputs, frame):
        """Return the answer on a picture from its rows of the outputs, by name, and its frame."""

    def get_config(self) -> dict:
        """Return a plain dict of which `fitting_from` makes the same again.

        Raises: ValueError for a converter or proposer that is not zoo's.
        """
        return {
            "image_size": list(self.image_size),
            "converter": _plain(self.converter),
            "proposer": None if self.proposer is None else _plain(self.proposer),
            "palette": self.palette,
        }


class DetectionFitting(Fitting):
    """Boxes and perhaps masks; the frame is the converter's."""

    def inputs(self, picture):
        pixels, frame = self.converter.convert(picture)
        inputs = {"images": pixels}
        if self.proposer is not None:
            inputs["proposals"] = fit_proposals(self.proposer, self.converter, picture, frame)
        return inputs, frame

    def result(self, outputs, frame) -> Detections:
        num = int(outputs["num"])
        boxes, masks = outputs["boxes"][:num], None
        if "masks" in outputs:
            placed = self.converter.to_picture(boxes, frame, clip=False)
            masks = paste_masks(outputs["masks"][:num], placed, (frame.height, frame.width))
        return Detections(
            boxes=self.converter.to_picture(boxes, frame),
            scores=outputs["scores"][:num],
            labels=outputs["labels"][:num],
            masks=masks,
            class_names=self.class_names,
        )


class SegmentationFitting(Fitting):
    """A class for every pixel; the frame is the picture's size, which stands top left."""

    def inputs(self, picture):
        size = picture.shape[:2]
        if any(side > most for side, most in zip(size, self.image_size, strict=True)):
            raise ValueError(
                f"the program sees {_sides(self.image_size)} pixels at once; got a picture of "
                f"{_sides(size)}. Export it with --image-size {max(size)}?"
            )
        pixels = np.full((*self.image_size, 3), self.converter.fill, np.uint8)
        pixels[: size[0], : size[1]] = picture
        return {"images": pixels}, size

    def result(self, outputs, frame) -> Segmentation:
        classes, scores = (outputs[name][: frame[0], : frame[1]] for name in ("classes", "scores"))
        return Segmentation(classes, scores, self.class_names, self.palette)


class ClassificationFitting(Fitting):
    """Probabilities of the classes; nothing has to be remembered."""

    def inputs(self, picture):
        return {"images": self.converter.convert(picture)[0]}, None

    def result(self, outputs, frame) -> Classification:
        return Classification(outputs["probabilities"], self.class_names)


class StyleFitting(Fitting):
    """A picture at the program's size, painted."""

    def inputs(self, picture):
        config = self.converter.get_config() | {"image_size": self.image_size}
        converter = type(self.converter).from_config(config)
        return {"images": converter.convert(picture)[0]}, None

    def result(self, outputs, frame) -> np.ndarray:
        return np.clip(np.rint(outputs["painted"]), 0, 255).astype(np.uint8)


_KINDS = {
    "detection": DetectionFitting,
    "segmentation": SegmentationFitting,
    "classification": ClassificationFitting,
    "style": StyleFitting,
}


def fitting_of(task, signature) -> Fitting:
    """Return what stands before and behind the program of a task."""
    return _KINDS[task.kind](
        task.class_names,
        signature.inputs["images"].shape[1:3],
        task.image_converter,
        getattr(task, "proposer", None),
        getattr(task, "palette", None),
    )


def fitting_from(kind, class_names, config) -> Fitting:
    """Return what `get_config` described.

    Raises: ValueError if it is not understood.
    """
    try:
        parts = {name: _piece(config[name]) for name in ("converter", "proposer")}
        return _KINDS[kind](class_names, config["image_size"], palette=config["palette"], **parts)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the export's description is not understood: {error!r}.") from error


def _plain(piece) -> dict:
    if _PIECES.get(type(piece).__name__) is not type(piece):
        raise ValueError(
            f"an export describes {', '.join(sorted(_PIECES))}; got a {type(piece).__name__}."
        )
    return {"name": type(piece).__name__} | piece.get_config()


def _piece(config):
    if config is None:
        return None
    options = dict(config)
    return _PIECES[options.pop("name")].from_config(options)


def _sides(size) -> str:
    return f"{size[0]}x{size[1]}"
