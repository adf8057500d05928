"""RoI operations as loops over single numbers, from their definitions; float64, slow, plain."""

import math

import numpy as np


def interpolate(plane, y, x):
    """Value of one (H, W) plane between its cells; 0 beyond one cell outside."""
    height, width = plane.shape
    if not (-1.0 <= y <= height and -1.0 <= x <= width):
        return 0.0
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = plane[top, left] * (1 - x + left) + plane[top, right] * (x - left)
    lower = plane[bottom, left] * (1 - x + left) + plane[bottom, right] * (x - left)
    return upper * (1 - y + top) + lower * (y - top)


def align(features, rois, size, scale, samples, aligned):
    """RoIAlign of (B, H, W, C) and (B, R, 4); `samples` 0 chooses them by the RoI's size."""
    channels = features.shape[-1]
    out = np.zeros((*rois.shape[:2], *size, channels))
    for b, r in np.ndindex(*rois.shape[:2]):
        left, top, right, bottom = (float(v) * scale - (0.5 if aligned else 0) for v in rois[b, r])
        height, width = bottom - top, right - left
        if not aligned:
            height, width = max(height, 1.0), max(width, 1.0)
        rows = samples or math.ceil(height / size[0])
        columns = samples or math.ceil(width / size[1])
        for i, j, s, t in np.ndindex(*size, max(rows, 0), max(columns, 0)):
            y = top + (i + (s + 0.5) / rows) * height / size[0]
            x = left + (j + (t + 0.5) / columns) * width / size[1]
            for c in range(channels):
                out[b, r, i, j, c] += interpolate(features[b, :, :, c], y, x) / (rows * columns)
    return out


def pool(features, rois, size, scale):
    """RoI pooling of (B, H, W, C) and (B, R, 4)."""
    limits = features.shape[1:3]
    out = np.zeros((*rois.shape[:2], *size, features.shape[-1]))
    for b, r in np.ndindex(*rois.shape[:2]):
        left, top, right, bottom = (_round(np.float32(v) * np.float32(scale)) for v in rois[b, r])
        for i, j in np.ndindex(*size):
            y0, y1 = _bin(i, top, bottom, size[0], limits[0])
            x0, x1 = _bin(j, left, right, size[1], limits[1])
            if y0 < y1 and x0 < x1:
                out[b, r, i, j] = features[b, y0:y1, x0:x1].max((0, 1))
    return out


def _round(value):
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def _bin(index, low, high, bins, limit):
    length = max(high - low + 1, 1)
    start, end = index * length // bins, -(-(index + 1) * length // bins)
    return min(max(start + low, 0), limit), min(max(end + low, 0), limit)


def odd_rois(rng, batch, height, width):
    """RoIs in cells: ordinary, beyond the border, outside, empty, inverted, tiny, huge, padding."""
    corners = rng.uniform(-0.2, 0.9, (batch, 8, 2))
    sizes = rng.uniform(0.05, 0.7, (batch, 8, 2))
    ordinary = np.concatenate([corners, corners + sizes], axis=-1) * [width, height, width, height]
    special = [
        [-3 * width, -3 * height, -2 * width, -2 * height],
        [2 * width, 2 * height, 3 * width, 3 * height],
        [1.3, 2.6, 1.3, 2.6],
        [4.0, 3.0, 1.0, 1.0],
        [1.2, 1.1, 1.3, 1.25],
        [-40.0, -50.0, 60.0, 70.0],
        [0.0, 0.0, 0.0, 0.0],
        [-1.0, -1.0, -1.0, -1.0],
        [0.0, 0.0, width, height],
    ]
    rois = np.concatenate([ordinary, np.tile([special], (batch, 1, 1))], axis=1)
    return rois.astype("float32")


# What no detector should make, and training makes sooner or later.
WILD = np.float32(
    [
        [np.nan, 0, 1, 1],
        [np.nan] * 4,
        [-np.inf, -np.inf, np.inf, np.inf],
        [0, 0, np.inf, 1],
        [-1e30, -1e30, 1e30, 1e30],
        [-3e38, -3e38, 3e38, 3e38],
        [1e9, 1e9, -1e9, -1e9],
    ]
)
