"""One picture of the bananas set: a banana among other fruit, in front of a photograph.

Words: a scene is painted back to front: a photograph, up to three other fruit, the banana, and in
some pictures something in front of it (a fruit, or a cut-out of the same photograph).
Everything follows from (seed, split, index) alone.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from zoo.data.banana_kinds import draw_banana, draw_other_fruit
from zoo.data.fruit import Drawing, Light
from zoo.data.photographs import PHOTOGRAPHS, crop_photograph, develop

SIZE = 256  # pixels, both sides
LENGTHS = (0.18, 0.39)  # longer side of the banana's box before anything hides it, of the picture's
MOST_OTHERS = 1  # fruit behind the banana
OCCLUDED = 0.2  # share of the pictures in which hiding a part of the banana is tried
VISIBLE = (0.7, 0.95)  # share of the banana that stays visible then
SMALLEST_PART = 0.06  # of the banana: no smaller part may stick out from behind what hides it
SHADOW_REACH = 14  # pixels around a fruit that its shadow may darken


@dataclass(frozen=True)
class Scene:
    """Pixels (SIZE, SIZE, 3) uint8, box xyxy in pixels, visible share of the banana."""

    pixels: np.ndarray
    box: tuple[int, int, int, int]
    visible: float


def paint_scene(seed: int, split: str, index: int) -> Scene:
    """Paint picture `index` of a split.

    The box is the tightest one around the pixels of the banana that are seen: at least half
    covered by it and not hidden. If something in front cuts the banana in two, the box holds both
    parts, and neither is a mere crumb.
    """
    rng = np.random.default_rng([seed, tuple(PHOTOGRAPHS).index(split), index])
    photograph = crop_photograph(rng, split, SIZE)
    canvas, light = photograph.copy(), _light(rng)
    for _ in range(rng.integers(0, MOST_OTHERS + 1)):
        other = draw_other_fruit(light, rng, SIZE)
        _paint(canvas, other, _anywhere(other, rng), rng)
    banana = draw_banana(light, rng, side=rng.uniform(*LENGTHS) * SIZE)
    corner = _anywhere(banana, rng)
    _paint(canvas, banana, corner, rng)
    whole = _opacity(banana, corner) >= 0.5
    seen = whole
    if rng.random() < OCCLUDED:
        seen = _occlude(canvas, photograph, whole, light, rng)
    return Scene(develop(canvas, rng), _tight_box(seen), float(seen.sum() / whole.sum()))


def _light(rng: np.random.Generator) -> Light:
    x, y, z = rng.uniform(-0.8, 0.8), rng.uniform(-0.9, 0.3), rng.uniform(0.5, 1.2)
    norm = math.sqrt(x * x + y * y + z * z)
    return Light((x / norm, y / norm, z / norm), rng.uniform(0.25, 0.6))


def _anywhere(drawing: Drawing, rng: np.random.Generator) -> tuple[int, int]:
    """Left and top of a random place that holds the whole drawing."""
    height, width = drawing.opacity.shape
    return int(rng.integers(0, SIZE - width + 1)), int(rng.integers(0, SIZE - height + 1))


def _opacity(drawing: Drawing, corner: tuple[int, int]) -> np.ndarray:
    """A drawing's opacity on the whole picture, (SIZE, SIZE)."""
    opacity = np.zeros((SIZE, SIZE), np.float32)
    there, part = _windows(drawing.opacity.shape, corner)
    opacity[there] = drawing.opacity[part]
    return opacity


def _windows(shape, corner: tuple[int, int]):
    """Slices of the picture that a drawing covers, and slices of the drawing that are seen."""
    there, part = [], []
    for start, length in zip(corner[::-1], shape, strict=True):
        there.append(slice(max(start, 0), min(start + length, SIZE)))
        part.append(slice(max(-start, 0), min(length, SIZE - start)))
    return tuple(there), tuple(part)


def _paint(canvas: np.ndarray, drawing: Drawing, corner: tuple[int, int], rng) -> None:
    """Paint a drawing and its shadow in place."""
    _cast_shadow(canvas, drawing.opacity, corner, rng)
    there, part = _windows(drawing.opacity.shape, corner)
    behind = canvas[there]
    canvas[there] = behind + drawing.opacity[part][..., None] * (drawing.colour[part] - behind)


def _cast_shadow(canvas: np.ndarray, opacity: np.ndarray, corner: tuple[int, int], rng) -> None:
    strength, softness = rng.uniform(0.15, 0.5), rng.uniform(2.0, 6.0)
    dx, dy = rng.integers(-4, 5), rng.integers(1, 7)
    mask = np.pad((opacity * 255.0).astype(np.uint8), SHADOW_REACH)
    mask = Image.fromarray(mask).filter(ImageFilter.BoxBlur(softness))
    shadow = np.asarray(mask, np.float32) * np.float32(strength / 255.0)
    start = (int(corner[0] - SHADOW_REACH + dx), int(corner[1] - SHADOW_REACH + dy))
    there, part = _windows(shadow.shape, start)
    canvas[there] *= 1.0 - shadow[part][..., None]


def _occlude(canvas, photograph, whole: np.ndarray, light: Light, rng) -> np.ndarray:
    """Put something in front of the banana; returns where it is still seen, (SIZE, SIZE) bool."""
    left, top, right, bottom = _tight_box(whole)
    for _ in range(8):
        cover = (
            _cut_out(photograph, rng) if rng.random() < 0.5 else draw_other_fruit(light, rng, SIZE)
        )
        height, width = cover.opacity.shape
        corner = (
            int(rng.uniform(left, right) - width / 2),
            int(rng.uniform(top, bottom) - height / 2),
        )
        seen = whole & (_opacity(cover, corner) < 0.5)
        if _still_clear(seen, whole):
            _paint(canvas, cover, corner, rng)
            return seen
    return whole


def _still_clear(seen: np.ndarray, whole: np.ndarray) -> bool:
    """Is enough of the banana seen, and no crumb of it apart from the rest?"""
    total = whole.sum()
    if not VISIBLE[0] <= seen.sum() / total <= VISIBLE[1]:
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(seen.astype(np.uint8))
    return bool((stats[1:, cv2.CC_STAT_AREA] >= SMALLEST_PART * total).all())


def _cut_out(photograph: np.ndarray, rng: np.random.Generator) -> Drawing:
    """A polygon of the photograph, from another place of it."""
    side = int(rng.uniform(0.12, 0.3) * SIZE)
    left, top = rng.integers(0, SIZE - side, 2)
    corners = [
        (4 * side * (0.5 + reach * x), 4 * side * (0.5 + reach * y))
        for (x, y), reach in zip(COMPASS, rng.uniform(0.3, 0.5, len(COMPASS)), strict=True)
    ]
    mask = Image.new("L", (4 * side, 4 * side))  # four times as large, for a soft edge
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    opacity = np.asarray(mask.reduce(4), np.float32) / np.float32(255)
    return Drawing(photograph[top : top + side, left : left + side], opacity)


COMPASS = [(1, 0), (0.7, 0.7), (0, 1), (-0.7, 0.7), (-1, 0), (-0.7, -0.7), (0, -1), (0.7, -0.7)]


def _tight_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
