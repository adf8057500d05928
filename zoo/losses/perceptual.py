"""Losses of pictures by what a frozen network sees in them.

Letters: B pictures, H and W their sides.
"""


class PerceptualLoss:
    """A loss network and the loss on its features (Johnson 2016, section 3.2).

    A plain object, so Keras does not count the network's weights among those of a model that has
    one: they enter neither its files nor its checkpoints.

    Args:
        network: a built `zoo.backbones.StyleVGG`.
        loss: a `StyleLoss`.
    """

    def __init__(self, network, loss):
        self.network = network
        self.loss = loss

    def __call__(self, targets, images):
        """Return the dict of scalars of `loss`.

        Args:
            targets: what `network` returned for the pictures to come near, as `loss` takes it.
            images: (B, H, W, 3) float, normalised.
        """
        return self.loss(targets, self.network(images), images)
