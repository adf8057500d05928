"""What style transfer measures of feature maps and pictures.

Letters: B pictures, H and W sides, C channels.
"""

from keras import ops


def gram_matrix(features):
    """Correlate the channels of feature maps: which ones answer together, wherever that is.

    Args:
        features: (B, H, W, C) float.
    Returns: (B, C, C) float32, X^T X / (H W C) with the H W cells of a picture as rows of X.
    Raises: ValueError if `features` has not four axes.
    Reference: Gatys 2016, Image Style Transfer, eq. 3; divided as in the book, 13.12.5.
    """
    _check(features, "features")
    channels = features.shape[-1]
    cells = ops.shape(features)[1] * ops.shape(features)[2]
    rows = ops.reshape(ops.cast(features, "float32"), (-1, cells, channels))
    products = ops.matmul(ops.transpose(rows, (0, 2, 1)), rows)
    return products / ops.cast(cells * channels, "float32")


def total_variation(images):
    """Sum how far neighbouring pixels lie apart, |x_ij - x_i+1,j| + |x_ij - x_i,j+1|.

    Args:
        images: (B, H, W, C), any number type.
    Returns: (B,) float32, over all pixels and channels.
    Raises: ValueError if `images` has not four axes.
    Reference: book 13.12.5; its code weighs means instead, see `zoo.d2l.tv_loss`.
    """
    _check(images, "images")
    images = ops.cast(images, "float32")
    down = ops.abs(images[:, 1:] - images[:, :-1])
    right = ops.abs(images[:, :, 1:] - images[:, :, :-1])
    return ops.sum(down, axis=(1, 2, 3)) + ops.sum(right, axis=(1, 2, 3))


def _check(tensor, name):
    if len(tensor.shape) != 4:
        raise ValueError(
            f"{name} must be (B, H, W, C); got {tuple(tensor.shape)}. Is the batch axis missing?"
        )
