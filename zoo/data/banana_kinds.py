"""The fruit of the bananas set: how a banana varies, and what lies about that is none.

The others share its colour (lemons, melons), its outline (carrots, cucumbers) or its gloss, so that
no single one of these gives the banana away.
"""

import math

import numpy as np

from zoo.data.fruit import Drawing, Fruit, Light, draw_fruit

ORANGE, RED, LIME, LEMON = (235, 130, 35), (190, 40, 40), (120, 165, 50), (238, 212, 70)
PLUM, MELON = (85, 40, 85), (222, 196, 84)
CUCUMBER, CARROT, PARSNIP = (70, 115, 50), (225, 115, 40), (226, 208, 150)
ROUND_COLOURS = (ORANGE, RED, LIME, LEMON, LEMON, MELON, PLUM)
LONG_COLOURS = (CUCUMBER, CARROT, RED, PARSNIP)
ROUND_SHARE = 0.6  # of the other fruit
ROUND_SIDES, LONG_SIDES = (0.12, 0.3), (0.25, 0.5)  # of the picture's side
RIPENESS = (0.0, 0.4, 1.0)
RIPENESS_COLOURS = np.array([[178.0, 190.0, 66.0], [242.0, 208.0, 58.0], [222.0, 172.0, 56.0]])
GREEN, STEM, TIP = (
    np.array(colour) for colour in ([150.0, 168.0, 62.0], [125.0, 112.0, 52.0], [58.0, 44.0, 26.0])
)


def draw_banana(light: Light, rng: np.random.Generator, *, side: float) -> Drawing:
    """Draw one banana of any ripeness, from any direction; `side` pixels is its longer side."""
    neck, first_ridge = rng.uniform(0.10, 0.16), rng.uniform(-0.75, -0.2)
    banana = Fruit(
        bend=rng.uniform(0.7, 2.1) * rng.choice([-1.0, 1.0]),
        skew=rng.uniform(-0.5, 0.5),
        profile=_banana_profile(rng, neck),
        colours=_banana_colours(rng, neck),
        ridges=(first_ridge, first_ridge + rng.uniform(0.6, 0.9)),
        spots=int(rng.integers(0, 14)) if rng.random() < 0.6 else 0,
        gloss=rng.uniform(0.05, 0.3),
    )
    angle, tilt = rng.uniform(0.0, 2.0 * math.pi), rng.uniform(0.55, 1.0)
    return draw_fruit(banana, light, rng, side=side, angle=angle, tilt=tilt)


def draw_other_fruit(light: Light, rng: np.random.Generator, picture_side: int) -> Drawing:
    """Draw something straight or round: an orange, a lemon, a carrot, a cucumber, …"""
    if rng.random() < ROUND_SHARE:
        profile, colours, sides = _ball_profile(rng), ROUND_COLOURS, ROUND_SIDES
    else:
        profile, colours, sides = _stick_profile(rng), LONG_COLOURS, LONG_SIDES
    colour = np.array(colours[rng.integers(len(colours))]) + rng.uniform(-15, 15, 3)
    fruit = Fruit(
        bend=rng.uniform(-0.12, 0.12),
        skew=0.0,
        profile=profile,
        colours=np.array([[0.0, *(0.8 * colour)], [0.2, *colour], [1.0, *colour]]),
        spots=int(rng.integers(0, 5)),
        gloss=rng.uniform(0.1, 0.5),
    )
    side, angle = rng.uniform(*sides) * picture_side, rng.uniform(0.0, 2.0 * math.pi)
    return draw_fruit(fruit, light, rng, side=side, angle=angle, tilt=1.0)


def _banana_profile(rng: np.random.Generator, neck: float) -> np.ndarray:
    """Stem, neck, body, blunt tip: rows (t, radius)."""
    stem, girth = rng.uniform(0.022, 0.032), rng.uniform(0.085, 0.125)
    body = np.array(
        [
            (neck + 0.12, 0.66), (0.42, 0.95), (0.58, 1.0), (0.76, 0.86),
            (0.89, 0.5), (0.96, 0.28), (1.0, 0.22),
        ]
    )  # fmt: skip
    ends = np.array([(0.0, 1.25), (0.03, 1.0), (neck, 1.2)])
    return np.concatenate([ends * (1.0, stem), body * (1.0, girth)])


def _banana_colours(rng: np.random.Generator, neck: float) -> np.ndarray:
    """Stem to tip, from green over yellow to brown: rows (t, red, green, blue)."""
    ripeness = rng.random()
    body = np.array([np.interp(ripeness, RIPENESS, RIPENESS_COLOURS[:, c]) for c in range(3)])
    body = body + rng.uniform(-12, 12, 3)
    throat = body + rng.uniform(0.2, 0.7) * (GREEN - body)
    stem = STEM + rng.uniform(-20, 20, 3)
    stations = [
        (0.0, stem * 0.6),
        (0.03, stem),
        (neck, throat),
        (neck + 0.16, body),
        (0.8, body),
        (0.91, body + 0.35 * (GREEN - body)),
        (0.955, TIP),
        (1.0, TIP),
    ]
    return np.array([[place, *colour] for place, colour in stations])


def _ball_profile(rng: np.random.Generator) -> np.ndarray:
    """An ellipse: oranges, plums, and lemons where it is narrow."""
    girth, places = rng.uniform(0.38, 0.5), np.arange(21) / 20
    return np.stack([places, 2.0 * girth * np.sqrt(places * (1.0 - places))], axis=-1)


def _stick_profile(rng: np.random.Generator) -> np.ndarray:
    """Straight with a blunt (cucumber) or pointed (carrot) tip."""
    girth, end = rng.uniform(0.07, 0.13), rng.uniform(0.15, 0.9)
    middle = 0.525 * (1.0 + end)
    shape = [(0.0, 0.3), (0.06, 0.85), (0.15, 1.0), (0.55, middle), (0.9, end), (0.97, 0.7 * end),
             (1.0, 0.25 * end)]  # fmt: skip
    return np.array(shape) * (1.0, girth)
