"""The book's style transfer (section 13.12) in NumPy, float64, one picture at a time.

Pictures and features are (H, W, C), kernels (3, 3, in, out).
"""

import numpy as np

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def normalized(picture):
    return (picture / 255.0 - MEAN) / STD


def convolve(features, kernel, bias):
    """3x3, zeros around: nine shifted products."""
    height, width = features.shape[:2]
    padded = np.pad(features, ((1, 1), (1, 1), (0, 0)))
    shifts = ((i, j) for i in range(3) for j in range(3))
    return bias + sum(padded[i : i + height, j : j + width] @ kernel[i, j] for i, j in shifts)


def pool(features):
    height, width = (side // 2 * 2 for side in features.shape[:2])
    even = features[:height, :width]
    return even.reshape(height // 2, 2, width // 2, 2, -1).max(axis=(1, 3))


def features(picture, weights, stages):
    """Return what the layers give, by names such as relu1_1, and conv5_1 of the last."""
    found, here, weights = {}, normalized(picture), list(weights)
    for stage, count in enumerate(stages, start=1):
        here = pool(here) if stage > 1 else here
        for number in range(1, count + 1):
            kernel, bias, *weights = weights
            found[f"conv{stage}_{number}"] = convolve(here, kernel, bias)
            here = found[f"relu{stage}_{number}"] = np.maximum(found[f"conv{stage}_{number}"], 0)
    return found


def gram(features):
    rows = features.reshape(-1, features.shape[-1])
    return rows.T @ rows / features.size


def losses(picture, content, style, content_layers, style_layers):
    """Return (content, style, variation) with the book's weights.

    Args:
        picture, content, style: (pixels (H, W, 3) normalised, features by name) each.
    """
    pixels, seen = picture
    content_loss = sum(np.mean((seen[n] - content[1][n]) ** 2) for n in content_layers)
    style_loss = sum(np.mean((gram(seen[n]) - gram(style[1][n])) ** 2) for n in style_layers)
    down, right = (np.mean(np.abs(np.diff(pixels, axis=axis))) for axis in (0, 1))
    return content_loss, 1e4 * style_loss, 10 * 0.5 * (down + right)
