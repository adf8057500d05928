"""Which foreign tensor becomes which of our weights.

A table maps a foreign name to (path, axes): the weight's path below its layer, and the order in
which its axes are taken, or a function where an order is not enough; the path None marks a tensor
that has no place here, such as a classifier.
Tables are data, independent of any model, and may be put under a prefix.
"""

CONV = (2, 3, 1, 0)  # PyTorch's (out, in, h, w) -> (h, w, in, out)
DEPTHWISE = (2, 3, 0, 1)  # (channels, 1, h, w) -> (h, w, channels, 1)
DENSE = (1, 0)  # (out, in) -> (in, out)
AS_IS = None

UNUSED = (None, AS_IS)

# PyTorch's names of a batch norm's weights, and Keras'.
NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def prefixed(table, prefix):
    """Put the foreign names of a table under a prefix."""
    return {f"{prefix}{name}": entry for name, entry in table.items()}


def conv_table(source, target):
    """A convolution or dense layer's kernel and bias; `target` is the Keras layer's path."""
    return {
        f"{source}.weight": (f"{target}/kernel", CONV),
        f"{source}.bias": (f"{target}/bias", AS_IS),
    }


def dense_table(source, target):
    """Map a dense layer's kernel and bias to the layer at `target`."""
    return {
        f"{source}.weight": (f"{target}/kernel", DENSE),
        f"{source}.bias": (f"{target}/bias", AS_IS),
    }


def conv_norm_table(conv, norm, target, axes=CONV):
    """Map a convolution without bias and its batch norm to the `ConvNorm` at `target`."""
    return {f"{conv}.weight": (f"{target}/conv/kernel", axes)} | {
        f"{norm}.{theirs}": (f"{target}/norm/{ours}", AS_IS) for theirs, ours in NORM.items()
    }
