"""Draw results on a picture: detections with frame, class name and score, or classes of pixels.

Sizes follow the picture, so that a thumbnail and a photograph read alike.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zoo.results import Classification, Detections, Segmentation

# Told apart on photographs and by most colour-blind eyes (seven of Okabe and Ito 2008, and three
# more); with more than ten classes the colours repeat, and the captions tell.
PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
    (148, 103, 189),
    (124, 189, 34),
    (214, 39, 40),
)
WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (32, 32, 32)


def draw_detections(
    picture: np.ndarray,
    detections: Detections,
    *,
    min_score: float = 0.0,
    ground_truth: Detections | None = None,
) -> np.ndarray:
    """Draw the detections on a copy of the picture; ground truth below them as white dashes.

    Args:
        picture: (H, W, 3) uint8 RGB.
        detections: boxes in this picture's pixels; masks, where there are any, tint their pixels.
        min_score: leave out what scores less.
        ground_truth: annotated objects to show beside the answer.
    Returns: (H, W, 3) uint8.
    Raises: ValueError if the picture is not (H, W, 3) uint8.
    """
    _check_picture(picture)
    shown = detections.above(min_score)
    shown = shown.take(np.argsort(shown.scores, kind="stable"))  # the best is drawn last, on top
    canvas = Image.fromarray(_tint(picture, shown))
    pen = ImageDraw.Draw(canvas)
    width = line_width(picture)
    for box in [] if ground_truth is None else ground_truth.boxes:
        _dashed_rectangle(pen, box, width)
    captions = [
        f"{shown.name(label)} {score:.2f}"
        for label, score in zip(shown.labels, shown.scores, strict=True)
    ]
    _frames(pen, canvas.size, shown, captions, width)
    return np.asarray(canvas)


def draw_objects(picture: np.ndarray, objects: Detections) -> np.ndarray:
    """Draw annotated objects on a copy of the picture: as detections, without scores.

    Args:
        picture: (H, W, 3) uint8 RGB.
        objects: boxes in this picture's pixels; masks, where there are any, tint their pixels.
    Returns: (H, W, 3) uint8.
    Raises: ValueError if the picture is not (H, W, 3) uint8.
    """
    _check_picture(picture)
    canvas = Image.fromarray(_tint(picture, objects))
    captions = [objects.name(label) for label in objects.labels]
    _frames(ImageDraw.Draw(canvas), canvas.size, objects, captions, line_width(picture))
    return np.asarray(canvas)


def draw_classification(
    picture: np.ndarray, found: Classification, truth: int | None = None, *, shown: int = 3
) -> np.ndarray:
    """Write the most probable classes into a copy of the picture, one below the other.

    Args:
        picture: (H, W, 3) uint8 RGB.
        found: of this picture.
        truth: the label it should have; its line has a dot, and stands last where it is none of
            those shown.
        shown: classes at most.
    Returns: (H, W, 3) uint8.
    Raises: ValueError if the picture is not (H, W, 3) uint8.
    """
    _check_picture(picture)
    best = np.argsort(-found.probabilities, kind="stable")[:shown].tolist()
    lines = best if truth is None or truth in best else [*best, truth]
    canvas = Image.fromarray(picture)
    pen, width = ImageDraw.Draw(canvas), line_width(picture)
    top = 0.0
    for label in lines:
        dot = "\u25cf " if label == truth else ""
        text = f"{dot}{found.name(label).split(',')[0]} {found.probabilities[label]:.2f}"
        corner = np.array([0.0, top, 0.0, top])
        top = _caption(pen, canvas.size, corner, text, _colour(label), width, below=True)
    return np.asarray(canvas)


def draw_segmentation(
    picture: np.ndarray,
    segmentation: Segmentation,
    *,
    opacity: float = 0.6,
    legend: bool = True,
) -> np.ndarray:
    """Tint every pixel of a copy of the picture with the colour of its class.

    A class whose colour is black, as VOC's background, leaves the picture as it is.

    Args:
        picture: (H, W, 3) uint8 RGB.
        segmentation: of this picture.
        opacity: 0..1, how much of the colour covers the picture.
        legend: whether the names of the tinted classes are written, the largest class first.
    Returns: (H, W, 3) uint8.
    Raises: ValueError if the picture is not (H, W, 3) uint8 or of another size.
    """
    _check_picture(picture)
    if picture.shape[:2] != segmentation.classes.shape:
        raise ValueError(
            f"the picture is {picture.shape[:2]} but its classes are "
            f"{segmentation.classes.shape}. Are they of another picture, or was it resized?"
        )
    colors = segmentation.to_colors()
    tinted = colors.any(axis=-1)
    canvas = picture.copy()
    canvas[tinted] = ((1 - opacity) * picture[tinted] + opacity * colors[tinted]).astype(np.uint8)
    return _with_legend(canvas, segmentation, colors) if legend else canvas


def contact_sheet(
    pictures: Sequence[np.ndarray], columns: int = 4, *, cell: int = 320
) -> np.ndarray:
    """Lay pictures out in rows on one dark sheet.

    Args:
        pictures: (H, W, 3) uint8 RGB each, of any sizes; the larger ones are scaled down.
        columns: pictures a row.
        cell: longest side of a picture on the sheet, pixels.
    Returns: (H, W, 3) uint8.
    Raises: ValueError if there is no picture.
    """
    if not pictures:
        raise ValueError("contact_sheet needs at least one picture; got none.")
    for picture in pictures:
        _check_picture(picture)
    thumbnails = [_fit(Image.fromarray(picture), cell) for picture in pictures]
    columns = min(columns, len(thumbnails))
    rows = -(-len(thumbnails) // columns)
    gap = 4
    wide = max(thumbnail.width for thumbnail in thumbnails)
    high = max(thumbnail.height for thumbnail in thumbnails)
    sheet = Image.new("RGB", (columns * (wide + gap) + gap, rows * (high + gap) + gap), GREY)
    for index, thumbnail in enumerate(thumbnails):
        row, column = divmod(index, columns)
        left = gap + column * (wide + gap) + (wide - thumbnail.width) // 2
        top = gap + row * (high + gap) + (high - thumbnail.height) // 2
        sheet.paste(thumbnail, (left, top))
    return np.asarray(sheet)


def line_width(picture: np.ndarray) -> int:
    """Return the frame's thickness: a 200th of the shorter side, at least two pixels."""
    return max(2, round(min(picture.shape[:2]) / 200))


def _colour(label: int) -> tuple[int, int, int]:
    return PALETTE[label % len(PALETTE)]


def _tint(picture: np.ndarray, detections: Detections) -> np.ndarray:
    masks = detections.masks
    if masks is None:
        return picture
    tinted = picture.copy()
    for mask, label in zip(masks, detections.labels, strict=True):
        tinted[mask] = (0.5 * tinted[mask] + 0.5 * np.array(_colour(label))).astype(np.uint8)
    return tinted


def _with_legend(picture: np.ndarray, segmentation: Segmentation, colors: np.ndarray) -> np.ndarray:
    """Write names in the corner, one below the other, as long as there is room."""
    canvas = Image.fromarray(picture)
    pen = ImageDraw.Draw(canvas)
    bottom = 0.0
    for label in segmentation.shares():
        color = tuple(colors[segmentation.classes == label][0].tolist())
        if color == BLACK:
            continue
        height = _caption_size(pen, canvas.size, segmentation.name(label), line_width(picture))[1]
        if bottom + height > canvas.height:
            break
        bottom += height
        box = np.array([0, bottom, 0, bottom])
        _caption(pen, canvas.size, box, segmentation.name(label), color, line_width(picture))
    return np.asarray(canvas)


def _frames(pen, canvas_size, objects: Detections, captions: list[str], width: int) -> None:
    for box, label in zip(objects.boxes, objects.labels, strict=True):
        _rectangle(pen, box, _colour(label), width)
    for box, label, caption in zip(objects.boxes, objects.labels, captions, strict=True):
        _caption(pen, canvas_size, box, caption, _colour(label), width)


def _rectangle(pen: ImageDraw.ImageDraw, box: np.ndarray, colour, width: int) -> None:
    x1, y1, x2, y2 = _ordered(box)
    pen.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=BLACK)  # a dark rim, for pale grounds
    pen.rectangle((x1, y1, x2, y2), outline=colour, width=width)


def _dashed_rectangle(pen: ImageDraw.ImageDraw, box: np.ndarray, width: int) -> None:
    x1, y1, x2, y2 = _ordered(box)
    dash = 4 * width + 4
    for colour, extra in ((BLACK, 2), (WHITE, 0)):
        for x in np.arange(x1, x2, 2 * dash):
            for y in (y1, y2):
                pen.line((x, y, min(x + dash, x2), y), fill=colour, width=width + extra)
        for y in np.arange(y1, y2, 2 * dash):
            for x in (x1, x2):
                pen.line((x, y, x, min(y + dash, y2)), fill=colour, width=width + extra)


def _caption(
    pen, canvas_size, box: np.ndarray, text: str, colour, width: int, *, below: bool = False
) -> float:
    """Write above the frame's top left corner, or inside it where the picture ends or `below`.

    Returns: where the caption ends, pixels from the top.
    """
    font = _font(max(10, min(canvas_size) // 30))
    left, top, _, _ = pen.textbbox((0, 0), text, font=font)
    pad = width + 1
    wide, high = _caption_size(pen, canvas_size, text, width)
    x1, y1, _, _ = _ordered(box)
    x = max(0.0, min(x1, canvas_size[0] - wide))
    above = y1 >= high and not below
    y = y1 - high if above else max(0.0, min(y1, canvas_size[1] - high))
    pen.rectangle((x, y, x + wide, y + high), fill=colour)
    pen.text((x + pad - left, y + pad - top), text, font=font, fill=_ink(colour))
    return y + high


def _caption_size(pen, canvas_size, text: str, width: int) -> tuple[float, float]:
    font = _font(max(10, min(canvas_size) // 30))
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    return right - left + 2 * (width + 1), bottom - top + 2 * (width + 1)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans as matplotlib ships it: Pillow's own font has no letters beyond ASCII."""
    import matplotlib

    return ImageFont.truetype(
        os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size
    )


def _ink(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return black on light colours and white on dark ones (luma of ITU-R BT.601)."""
    red, green, blue = colour
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else WHITE


def _ordered(box: np.ndarray) -> tuple[float, float, float, float]:
    """Return the corners in order: Pillow refuses x2 < x1, which degenerate boxes have."""
    x1, y1, x2, y2 = (float(value) for value in box)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _fit(picture: Image.Image, cell: int) -> Image.Image:
    scale = min(1.0, cell / max(picture.size))
    if scale == 1.0:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _check_picture(picture: np.ndarray) -> None:
    shape, dtype = np.shape(picture), getattr(picture, "dtype", type(picture).__name__)
    if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8:
        raise ValueError(
            f"picture must be (H, W, 3) uint8 RGB; got {shape} {dtype}. "
            "Read it with zoo.pictures.read_picture."
        )
