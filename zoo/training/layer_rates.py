"""A learning rate of its own for chosen layers, which Keras has no way to say.

Words: a *key* names a layer by the end or a part of its path: "head", or "backbone/block_3"; a
weight belongs to the longest key among its path's names. A *multiplier* is the factor on the rate
of a key's weights; those of no key have the rate itself.
"""

import keras


class LayerRates:
    """What is put before a Keras optimizer to give layers rates of their own.

    The schedule, the clipping of gradients and the slots are the optimizer's; only the rate with
    which a weight's step is taken is multiplied. The step of SGD (with momentum), Adam and AdamW is
    linear in the rate, so a multiplier of 10 is a run at ten times the rate for that layer alone.
    Decoupled weight decay is a part of the step and takes the same rate, as PyTorch's parameter
    groups have it: a layer whose multiplier is 0 stands still.

    The multipliers in force are one of the optimizer's variables: checkpoints hold them, and they
    may change between the steps of a compiled run.

    Args:
        multipliers: factors by key, none negative.
        *args, **kwargs: of the optimizer.
    Raises: ValueError for a negative factor; when built, for a key that no weight lies under.
    """

    def __init__(self, *args, multipliers, **kwargs):
        super().__init__(*args, **kwargs)
        for key, factor in multipliers.items():
            if factor < 0:
                raise ValueError(f"multipliers must not be negative; got {factor} for {key!r}.")
        self.multipliers = dict(multipliers)
        self._keys = list(self.multipliers)
        self._held = frozenset()

    def build(self, variables):
        """Create the optimizer's variables, and the multipliers in force as the first of them."""
        if self.built:
            return
        self._key_of = [key_of(variable.path, self._keys) for variable in variables]
        if unused := [key for key in self._keys if key not in self._key_of]:
            raise ValueError(
                f"multipliers name layers without trainable weights: {', '.join(unused)}. Of the "
                f"weights, {variables[0].path} is the first and {variables[-1].path} the last."
            )
        self.factors = self.add_variable(
            (len(self._keys),),
            initializer=lambda shape, dtype: keras.ops.cast(self._factors(), dtype),
            dtype="float32",
            aggregation="only_first_replica",
            name="multipliers",
        )
        super().build(variables)

    def hold(self, keys) -> None:
        """Let the weights of these keys stand still, and all others take their own rate."""
        if unknown := sorted(set(keys) - set(self._keys)):
            raise ValueError(f"no multiplier was given for {', '.join(unknown)}.")
        self._held = frozenset(keys)
        if self.built:  # a fresh optimizer may be built as late as the first step
            self.factors.assign(self._factors())

    def _factors(self):
        return [0.0 if key in self._held else float(self.multipliers[key]) for key in self._keys]

    def update_step(self, gradient, variable, learning_rate):
        """Take one weight's step at its own rate, its decay included."""
        key = self._key_of[self._get_variable_index(variable)]
        if key is not None:
            learning_rate = learning_rate * self.factors[self._keys.index(key)]
        if self.weight_decay is not None and self._use_weight_decay(variable):
            rate = keras.ops.cast(learning_rate, variable.dtype)
            self.assign_sub(variable, variable * self.weight_decay * rate)
        super().update_step(gradient, variable, learning_rate)

    def _apply_weight_decay(self, variables):
        """Leave the decay, which Keras takes at one rate for all, to `update_step`."""

    def get_config(self):
        return super().get_config() | {"multipliers": self.multipliers}


@keras.saving.register_keras_serializable(package="zoo")
class LayerwiseSGD(LayerRates, keras.optimizers.SGD):
    """`keras.optimizers.SGD` with rates by layer."""


@keras.saving.register_keras_serializable(package="zoo")
class LayerwiseAdam(LayerRates, keras.optimizers.Adam):
    """`keras.optimizers.Adam` with rates by layer."""


@keras.saving.register_keras_serializable(package="zoo")
class LayerwiseAdamW(LayerRates, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` with rates by layer."""


def key_of(path, keys) -> str | None:
    """Return the longest key whose names stand one after another in a path; None if none does."""
    fitting = [key for key in keys if f"/{key}/" in f"/{path}/"]
    return max(fitting, key=lambda key: (key.count("/"), len(key)), default=None)
