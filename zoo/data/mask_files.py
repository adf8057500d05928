"""Files of masks -> class maps: colours or indices, palette pictures or plain ones.

What a mask's pixels mean follows from the mask and the data set's `MaskCode`:
    three channels     colours of the palette
    with a palette     its colours, where the code knows all that are used, else its indices
    one channel        indices; colours only where the code's own are all grey, as 0 and 255 are
"""

import io

import numpy as np
from PIL import Image

from zoo.colormaps import VOID, UnknownColorError, colors_to_classes
from zoo.data.layout import MaskCode, MaskFile
from zoo.data.masks import upright_array
from zoo.data.picture_facts import PictureError, PictureFacts, measure_picture, read_bytes


def read_mask(mask: MaskFile, picture: PictureFacts) -> np.ndarray:
    """Return the class map of a picture.

    A mask of the stored picture is turned as the picture is.

    Args:
        mask: the file, and how to read it.
        picture: facts of the picture it belongs to.
    Returns: (height, width) uint8 of the upright picture.
    Raises: PictureError: it is missing or damaged, has another size than the picture, a colour or
        an index that is no class's.
    """
    encoded = read_bytes(mask.path)
    facts = measure_picture(encoded)
    turned = picture.is_turned and facts.upright == picture.stored
    if not turned and facts.upright != picture.upright:
        mine, its = (f"{width}x{height}" for height, width in (facts.upright, picture.upright))
        message = f"a mask of {mine} pixels, its picture has {its}. Was one of them resized?"
        raise PictureError("size_mismatch", message)
    try:
        classes = _classes(Image.open(io.BytesIO(encoded)), mask.code)
    except UnknownColorError as error:
        lossy = facts.format in ("JPEG", "WebP")
        remedy = f"Was it saved as {facts.format}?" if lossy else "Add it to the palette?"
        raise PictureError("unknown_color", f"{error} {remedy}") from None
    classes = upright_array(classes, facts.orientation)
    return upright_array(classes, picture.orientation) if turned else classes


def _classes(image: Image.Image, code: MaskCode) -> np.ndarray:
    """(h, w) uint8, as the mask is stored."""
    if image.mode == "P":
        return _of_palette(image, code)
    if image.mode == "1" or image.mode.startswith(("L", "I")):
        return _of_grey(image, code)
    colors = np.asarray(image.convert("RGB"))  # of a transparent pixel its colour
    if code.colors:
        return colors_to_classes(colors, code.colors, code.void)
    if (colors == colors[..., :1]).all():
        return _checked(colors[..., 0], code)
    raise UnknownColorError("a mask of colours, but the classes have none.")


def _of_palette(image: Image.Image, code: MaskCode) -> np.ndarray:
    indices = np.asarray(image)
    table = np.zeros((256, 3), np.uint8)
    entries = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    table[: len(entries)] = entries
    used = np.unique(indices)
    colors = set(map(tuple, table[used].tolist()))
    if not code.colors or not colors <= {*code.colors, *code.void}:
        return _checked(indices, code)
    class_of = np.zeros(256, np.uint8)
    class_of[used] = colors_to_classes(table[used][None], code.colors, code.void)[0]
    return class_of[indices]


def _of_grey(image: Image.Image, code: MaskCode) -> np.ndarray:
    grey_code = code.colors and all(len(set(color)) == 1 for color in code.colors)
    if grey_code and image.mode == "1":
        image = image.convert("L")
    values = np.asarray(image)
    values = values[..., 0] if values.ndim == 3 else values  # without its transparency
    if grey_code and values.max() <= 255:
        grey = np.repeat(values.astype(np.uint8)[..., None], 3, axis=2)
        return colors_to_classes(grey, code.colors, code.void)
    return _checked(values, code)


def _checked(indices: np.ndarray, code: MaskCode) -> np.ndarray:
    """The indices as a class map, where all are classes or void."""
    wrong = (indices >= code.count) & (indices != VOID)
    if wrong.any():
        row, column = np.unravel_index(wrong.argmax(), wrong.shape)
        message = (
            f"the index {indices[row, column]} at x {column}, y {row} is none of the classes "
            f"0..{code.count - 1}; {wrong.mean():.1%} of the pixels have such an index. "
            "Is a class missing, or a palette?"
        )
        raise PictureError("unknown_index", message)
    return np.asarray(indices).astype(np.uint8)
