"""A picture that plain `fit` changes: the only weight of its own model.

Letters: H and W its sides.
"""

import keras
from keras import ops

from zoo.models.loss_metrics import Latest
from zoo.models.task import jit_choice

# Book 13.12.6 and 13.12.7: Adam's rate, in units of normalised pixels, falls to .8 every 50 steps.
LEARNING_RATE, DECAY_STEPS, DECAY = 0.3, 50, 0.8
# The first gradients of the style are a hundred times the last ones. An average over 1,000 steps,
# Adam's usual, would keep the steps small after them.
BETA_1, BETA_2 = 0.95, 0.98


class SynthesizedPicture(keras.Model):
    """The picture under way (book 13.12.6, `SynthesizedImage`).

    Deviation: Adam's decay rates are .95 and .98, where the book has the usual .9 and .999; after
    500 steps the loss is an eighth lower.

    Args:
        loss: a `zoo.losses.PerceptualLoss`.
        pixels: (1, H, W, 3) float32, normalised, where it starts.
    """

    def __init__(self, loss, pixels, **kwargs):
        super().__init__(**kwargs)
        self.perceptual_loss = loss
        self.pixels = self.add_weight(shape=pixels.shape, initializer="zeros", name="pixels")
        self.pixels.assign(pixels)
        names = ("content_loss", "style_loss", "variation_loss")
        self.loss_metrics = {name: Latest(name=name) for name in names}
        self.built = True

    def compile(self, optimizer=None, jit_compile="auto", **kwargs):
        """Configure the optimisation; without an optimizer Adam by the book's schedule."""
        if optimizer is None:
            rate = keras.optimizers.schedules.ExponentialDecay(
                LEARNING_RATE, DECAY_STEPS, DECAY, staircase=True
            )
            optimizer = keras.optimizers.Adam(
                rate,
                beta_1=BETA_1,
                beta_2=BETA_2,
                epsilon=1e-8,  # PyTorch's
            )
        super().compile(optimizer, jit_compile=jit_choice(jit_compile), **kwargs)

    def call(self, targets):
        """Return a dict of scalars: how far the picture is from `targets`."""
        return self.perceptual_loss(targets, ops.convert_to_tensor(self.pixels))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Note the parts of the loss and return their sum."""
        for name, loss in y_pred.items():
            self.loss_metrics[name].update_state(loss)
        return sum(y_pred.values())


def repeated(targets):
    """Yield one and the same batch for ever, as `fit` takes it."""
    while True:
        yield (targets,)


def fit_picture(picture, targets, steps, scale):
    """Optimise a compiled picture; the default of `StyleTransfer.stylize`."""
    picture.fit(repeated(targets), steps_per_epoch=steps, shuffle=False, verbose=0)
