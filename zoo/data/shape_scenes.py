"""One picture of the shapes set: circles, squares, triangles and stars in front of a photograph.

Words: a shape is a plain figure, turned and placed at random, in a colour that says nothing of its
class, lit from one side. The class map is exact: a pixel is of the topmost shape that covers at
least half of it. Everything follows from (seed, split, index) alone.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from zoo.data.photographs import PHOTOGRAPHS, crop_photograph, develop

CLASS_NAMES = ("background", "circle", "square", "triangle", "star")
SHAPES = (1, 3)  # fewest and most in a picture
DIAMETERS = (0.3, 0.6)  # of the circle around a shape, of the picture's side
HIDDEN = 0.3  # at most this share of a shape may others hide, or it would be told by none
TRIALS = 8  # places that are tried for a shape; then it is left out
SUPERSAMPLING = 4
INNER = 0.42  # radius of a star's inner corners over its outer ones
CONTRAST = 60.0  # 0..255, least distance of a shape's colour from the ground's mean, in RGB


@dataclass(frozen=True)
class ShapeScene:
    """Pixels (size, size, 3) uint8, and the class map (size, size) uint8."""

    pixels: np.ndarray
    classes: np.ndarray


def paint_shapes(seed: int, split: str, index: int, size: int) -> ShapeScene:
    """Paint picture `index` of a split, `size` pixels high and wide."""
    rng = np.random.default_rng([seed, tuple(PHOTOGRAPHS).index(split), index])
    canvas = crop_photograph(rng, split, size)
    ground = canvas.mean(axis=(0, 1))
    owner = np.full((size, size), -1)  # number of the shape that a pixel is of
    labels, wholes = [], []
    for _ in range(rng.integers(SHAPES[0], SHAPES[1] + 1)):
        label = int(rng.integers(1, len(CLASS_NAMES)))
        cover = _place(rng, CLASS_NAMES[label], owner, wholes)
        if cover is None:
            continue
        canvas += cover[..., None] * (_surface(rng, ground, size) - canvas)
        owner[cover >= 0.5] = len(labels)
        labels.append(label)
        wholes.append(int((cover >= 0.5).sum()))
    classes = np.array([0, *labels], np.uint8)[owner + 1]
    return ShapeScene(develop(canvas, rng), classes)


def _place(rng, name: str, owner: np.ndarray, wholes: list[int]) -> np.ndarray | None:
    """The cover (size, size) float32 of a shape, at a place where it hides little of others."""
    size = len(owner)
    for _ in range(TRIALS):
        radius = rng.uniform(*DIAMETERS) / 2 * size
        centre = rng.uniform(0.8 * radius, size - 0.8 * radius, 2)  # the frame may cut it a little
        cover = _cover(_corners(name, centre, radius, rng.uniform(0.0, 2 * math.pi)), size)
        seen = np.bincount(owner[(owner >= 0) & (cover < 0.5)], minlength=len(wholes))
        if all(part >= (1 - HIDDEN) * whole for part, whole in zip(seen, wholes, strict=True)):
            return cover
    return None


def _corners(name: str, centre: np.ndarray, radius: float, angle: float):
    """Corners (x, y) of a figure in a circle, in pixels."""
    count = {"circle": 64, "square": 4, "triangle": 3, "star": 10}[name]
    corners = []
    for corner in range(count):
        reach = radius * (INNER if name == "star" and corner % 2 else 1.0)
        turn = angle + 2 * math.pi * corner / count
        point = centre[0] + reach * math.cos(turn), centre[1] + reach * math.sin(turn)
        # 1/1024 of a pixel: sine and cosine may differ in their last bit between C libraries
        corners.append(tuple(round(value * 1024) / 1024 for value in point))
    return corners


def _cover(corners, size: int) -> np.ndarray:
    """(size, size) float32 in 0..1, how much of each pixel a figure covers."""
    side = SUPERSAMPLING * size
    mask = Image.new("L", (side, side))
    scaled = [(SUPERSAMPLING * x, SUPERSAMPLING * y) for x, y in corners]
    ImageDraw.Draw(mask).polygon(scaled, fill=255)
    return np.asarray(mask.reduce(SUPERSAMPLING), np.float32) / np.float32(255)


def _surface(rng: np.random.Generator, ground: np.ndarray, size: int) -> np.ndarray:
    """(size, size, 3) float32: a colour unlike the ground's, brighter towards one side."""
    colour = rng.uniform(20, 235, 3)
    while np.linalg.norm(colour - ground) < CONTRAST:
        colour = rng.uniform(20, 235, 3)
    slope_x, slope_y = rng.uniform(-0.3, 0.3, 2)
    places = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    light = 1.0 + slope_x * places[None] + slope_y * places[:, None]
    return (light[..., None] * colour).astype(np.float32)
