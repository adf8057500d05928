"""Fruit drawn as shaded tubes along a bent spine.

Shape letters: K samples of the spine, h, w the drawing.
Words: t runs along the spine, 0 at the stem and 1 at the tip; v runs across it, -1 and 1 at the
outline. The arithmetic per pixel is + - * / and square root only, which every processor rounds
alike, so a drawing does not depend on the machine.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

SAMPLES = 40  # K: a step of 3 pixels along the largest fruit
MARGIN = 2  # pixels around the outline, for its soft edge
RIDGE_HALF_WIDTH = 0.07  # of the half width
FLATNESS = 0.65  # of the faces between ridges: 0 round, 1 flat
BROWN = np.array([70.0, 45.0, 20.0], np.float32)


@dataclass(frozen=True)
class Fruit:
    """What a fruit looks like, in units of its length.

    Attributes:
        bend: radians the spine turns from stem to tip.
        skew: -1..1, more of the turn near the tip (positive) or near the stem.
        profile: rows (t, radius), t rising from 0 to 1.
        colours: rows (t, red, green, blue), 0..255.
        ridges: places v of the edges between the flat faces, rising; empty: a round fruit.
        spots: number of brown spots.
        gloss: 0..1, strength of the highlight.
    """

    bend: float
    skew: float
    profile: np.ndarray
    colours: np.ndarray
    ridges: tuple[float, ...] = ()
    spots: int = 0
    gloss: float = 0.2


@dataclass(frozen=True)
class Light:
    """Where the lamp stands (unit vector, z to the viewer), and the share of ambient light."""

    direction: tuple[float, float, float]
    ambient: float


@dataclass(frozen=True)
class Drawing:
    """Colour (h, w, 3) in 0..255 and opacity (h, w) in 0..1, float32."""

    colour: np.ndarray
    opacity: np.ndarray


@dataclass(frozen=True)
class Surface:
    """Per pixel, float32 (h, w): t, v, the unit normal's three parts, opacity."""

    t: np.ndarray
    v: np.ndarray
    normal: tuple[np.ndarray, np.ndarray, np.ndarray]
    opacity: np.ndarray


def draw_fruit(
    fruit: Fruit, light: Light, rng: np.random.Generator, *, side: float, angle: float, tilt: float
) -> Drawing:
    """Draw a fruit on a canvas that just holds it.

    Args:
        rng: for spots and mottling.
        side: pixels, the longer side of the fruit's box.
        angle: radians, rotation in the picture.
        tilt: 0..1, how much of the bend shows: 1 from the side, 0 from above.
    """
    spine, radius, shape = _lay_out(fruit, side, angle, tilt)
    surface = _surface(fruit, spine, radius, shape)
    colour = _skin(fruit, surface) * _mottling(rng, shape)[..., None]
    for _ in range(fruit.spots):
        colour = _spotted(colour, surface, rng)
    diffuse, highlight = _shading(surface, light)
    colour = colour * diffuse[..., None] + (fruit.gloss * 255.0) * highlight[..., None]
    return Drawing(np.clip(colour, 0.0, 255.0).astype(np.float32), surface.opacity)


def _lay_out(fruit: Fruit, side: float, angle: float, tilt: float):
    """Spine (K, 2) xy and radius (K,) in pixels, on a canvas of the shape (h, w)."""
    places = np.arange(SAMPLES) / (SAMPLES - 1)
    radius = np.interp(places, fruit.profile[:, 0], fruit.profile[:, 1])
    spine = _turned(_bent(fruit, places), angle, tilt)
    low = (spine - radius[:, None]).min(axis=0)
    extent = (spine + radius[:, None]).max(axis=0) - low
    scale = side / max(extent)
    # 1/1024 of a pixel: sine and cosine may differ in their last bit between C libraries
    spine = np.round(((spine - low) * scale + MARGIN) * 1024.0) / 1024.0
    width, height = (math.ceil(length * scale) + 2 * MARGIN for length in extent)
    return spine.astype(np.float32), (radius * scale).astype(np.float32), (height, width)


def _bent(fruit: Fruit, places: np.ndarray) -> list[tuple[float, float]]:
    """Points of a spine of length 1, symmetric about the x axis' direction."""
    points, x, y = [], 0.0, 0.0
    for t in places:
        points.append((x, y))
        heading = fruit.bend * (t - 0.5 + fruit.skew * t * (t - 1.0))
        x += math.cos(heading) / (SAMPLES - 1)
        y += math.sin(heading) / (SAMPLES - 1)
    return points


def _turned(points: list[tuple[float, float]], angle: float, tilt: float) -> np.ndarray:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array(
        [(cosine * x - sine * tilt * y, sine * x + cosine * tilt * y) for x, y in points]
    )


def _surface(fruit: Fruit, spine: np.ndarray, radius: np.ndarray, shape) -> Surface:
    """Coordinates, normal and opacity of every pixel, from the nearest sample of the spine."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None] + np.float32(0.5)
    columns = np.arange(shape[1], dtype=np.float32)[None] + np.float32(0.5)
    nearest = _nearest(spine, rows, columns)
    along, tangents = _frames(spine)
    tangent_x, tangent_y = tangents[nearest, 0], tangents[nearest, 1]
    dx, dy = columns - spine[nearest, 0], rows - spine[nearest, 1]
    ahead = dx * tangent_x + dy * tangent_y  # pixels past the sample, along the spine
    aside = dy * tangent_x - dx * tangent_y
    distance = along[nearest] + ahead
    r = np.interp(distance, along, radius).astype(np.float32)
    slope = np.interp(distance, along, np.gradient(radius, along)).astype(np.float32)
    v = np.clip(aside / np.maximum(r, 0.5), -1.0, 1.0)
    past_the_end = np.maximum(-distance, distance - along[-1])
    opacity = np.clip(r - np.abs(aside) + 0.5, 0, 1) * np.clip(0.5 - past_the_end, 0, 1)
    normal = _normal(_faceted(v, fruit.ridges), slope, tangent_x, tangent_y)
    t = np.clip(distance / along[-1], 0.0, 1.0)
    return Surface(t, v, normal, opacity.astype(np.float32))


def _nearest(spine: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(h, w) index of the nearest sample."""
    square_x = (columns - spine[:, :1]) ** 2  # (K, w)
    square_y = (rows.T - spine[:, 1:]) ** 2  # (K, h)
    best = square_x[0][None] + square_y[0][:, None]
    nearest = np.zeros(best.shape, np.intp)
    for k in range(1, SAMPLES):
        square = square_x[k][None] + square_y[k][:, None]
        nearest[square < best] = k
        np.minimum(best, square, out=best)
    return nearest


def _frames(spine: np.ndarray):
    """Length along the spine (K,) in pixels, and unit tangents (K, 2)."""
    forward = np.gradient(spine, axis=0)
    norms = np.sqrt(forward[:, 0] ** 2 + forward[:, 1] ** 2)
    between = np.diff(spine, axis=0)
    lengths = np.sqrt(between[:, 0] ** 2 + between[:, 1] ** 2)
    along = np.concatenate([[0.0], np.cumsum(lengths)]).astype(np.float32)
    return along, forward / norms[:, None]


def _faceted(v: np.ndarray, ridges: tuple[float, ...]) -> np.ndarray:
    """v as the shading sees it: nearly constant on a flat face, turning quickly at a ridge."""
    if not ridges:
        return v
    edges = np.array([-1.0, *ridges, 1.0])
    middles = (edges[:-1] + edges[1:]) / 2
    places, values = [-1.0], [-1.0]
    for number, ridge in enumerate(ridges):
        for side, face in ((-1, middles[number]), (1, middles[number + 1])):
            place = ridge + side * RIDGE_HALF_WIDTH
            places.append(place)
            values.append(place + FLATNESS * (face - place))
    return np.interp(v, places + [1.0], values + [1.0]).astype(np.float32)


def _normal(v, slope, tangent_x, tangent_y):
    """Unit normals of a tube whose radius changes by `slope` a pixel."""
    towards = np.sqrt(np.maximum(1.0 - v * v, 0.0))
    size = np.sqrt(1.0 + slope * slope)
    x = (-tangent_y * v - tangent_x * slope) / size
    y = (tangent_x * v - tangent_y * slope) / size
    return x, y, towards / size


def _skin(fruit: Fruit, surface: Surface) -> np.ndarray:
    """(h, w, 3) colour along the fruit, with darker ridges."""
    places = fruit.colours[:, 0]
    colour = np.stack(
        [np.interp(surface.t, places, fruit.colours[:, channel]) for channel in (1, 2, 3)], axis=-1
    )
    for ridge in fruit.ridges:
        near = np.clip(1.0 - np.abs(surface.v - ridge) / RIDGE_HALF_WIDTH, 0.0, 1.0)
        colour = colour * (1.0 - 0.16 * near[..., None])
    return colour.astype(np.float32)


def _mottling(rng: np.random.Generator, shape) -> np.ndarray:
    """(h, w) brightness around 1: soft blotches."""
    grid = rng.integers(0, 256, (2 + shape[0] // 10, 2 + shape[1] // 10), dtype=np.uint8)
    blotches = Image.fromarray(grid).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.float32(0.93) + np.asarray(blotches, np.float32) * np.float32(0.14 / 255)


def _spotted(colour: np.ndarray, surface: Surface, rng: np.random.Generator) -> np.ndarray:
    """One brown spot or streak along the fruit, 1 to 8 pixels long."""
    t, v = rng.uniform(0.08, 0.95), rng.uniform(-0.95, 0.95)
    long, wide = rng.uniform(0.006, 0.045), rng.uniform(0.04, 0.16)
    strength = rng.uniform(0.3, 0.9)
    square = ((surface.t - t) / long) ** 2 + ((surface.v - v) / wide) ** 2
    cover = (np.clip(1.5 - square, 0.0, 1.0) * strength).astype(np.float32)[..., None]
    return colour + cover * (BROWN - colour)


def _shading(surface: Surface, light: Light) -> tuple[np.ndarray, np.ndarray]:
    """Diffuse factor (h, w) and highlight (h, w): Lambert, and Phong with exponent 16."""
    x, y, z = surface.normal
    lamp_x, lamp_y, lamp_z = light.direction
    facing = np.maximum(x * lamp_x + y * lamp_y + z * lamp_z, 0.0)
    contact = 0.7 + 0.3 * z  # less light reaches the parts that turn away
    diffuse = (light.ambient + (1.0 - light.ambient) * facing) * contact * 1.15
    mirror = np.maximum(2.0 * facing * z - lamp_z, 0.0)
    for _ in range(4):
        mirror = mirror * mirror
    return diffuse, mirror
