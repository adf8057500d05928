"""The book's functions of section 13.12: the losses of neural style.

As the book: pictures and features are (1, channels, height, width), and a loss is one number.
"""

from keras import ops


def content_loss(Y_hat, Y):  # noqa: N803  the book's names
    """Compute the mean squared difference of features (see also `zoo.losses.StyleLoss`).

    Args:
        Y_hat, Y: float, the same shape; no gradient reaches Y.
    Returns: a float32 scalar.
    """
    difference = ops.cast(Y_hat, "float32") - ops.stop_gradient(ops.cast(Y, "float32"))
    return ops.mean(ops.square(difference))


def gram(X):  # noqa: N803
    """Correlate the channels of a feature map (see also `zoo.ops.gram_matrix`).

    As the book: of more pictures than one it mixes pictures and channels.

    Args:
        X: (1, channels, height, width) float.
    Returns: (channels, channels) float32, divided by channels * height * width.
    """
    channels = X.shape[1]
    rows = ops.reshape(ops.cast(X, "float32"), (channels, -1))
    return ops.matmul(rows, ops.transpose(rows)) / (channels * rows.shape[1])


def style_loss(Y_hat, gram_Y):  # noqa: N803
    """Compute the mean squared difference of a feature map's Gram matrix from another one.

    Args:
        Y_hat: (1, channels, height, width) float; gram_Y: (channels, channels) float.
    Returns: a float32 scalar.
    """
    return content_loss(gram(Y_hat), gram_Y)


def tv_loss(Y_hat):  # noqa: N803
    """Compute half the sum of the mean vertical and the mean horizontal difference of neighbours.

    Args:
        Y_hat: (1, channels, height, width) float.
    Returns: a float32 scalar (`zoo.ops.total_variation` is the sum of the book's formula).
    """
    picture = ops.cast(Y_hat, "float32")
    down = ops.mean(ops.abs(picture[:, :, 1:] - picture[:, :, :-1]))
    right = ops.mean(ops.abs(picture[..., 1:] - picture[..., :-1]))
    return 0.5 * (down + right)
