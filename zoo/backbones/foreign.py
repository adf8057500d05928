"""Backbones of other libraries, as one layer with zoo's interface.

Letters: B images, L levels.
"""

import math

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="zoo")
class ForeignBackbone(layers.Layer):
    """Levels out of a functional Keras model, from Keras Applications, KerasHub or KerasCV.

    Args:
        model: a functional model from (B, H, W, 3) to feature maps, finest first, whose strides are
            rising powers of two.
        levels: names of the levels to give, "cK" for stride 2**K; None: those from c2 on.
        mean, std: of the pictures the model expects, in units of a picture in 0..1, red first.
        bgr: whether the model wants blue first.
        frozen_norm: whether batch norms keep their statistics and affine for good.
        freeze: N, all that leads to level c(N + 1) does not train; 0: all trains.
    Returns: on call with (B, H, W, 3), red first, a list of (B, h, w, c), one a level.
    """

    def __init__(
        self,
        model,
        *,
        levels=None,
        mean=0.0,
        std=1.0,
        bgr=False,
        frozen_norm=False,
        freeze=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.model = model
        shapes = self._model_shapes((1, 256, 256, 3))
        self.all_levels = tuple(f"c{round(math.log2(256 / shape[1]))}" for shape in shapes)
        self.levels = tuple(self._from_c2() if levels is None else levels)
        self.mean = mean
        self.std = std
        self.bgr = bgr
        self.frozen_norm = frozen_norm
        self.freeze = freeze
        self._check_arguments()
        self._hold_frozen_layers()

    def _from_c2(self):
        return [level for level in self.all_levels if level != "c1"]

    def _check_arguments(self):
        ordered = tuple(level for level in self.all_levels if level in self.levels)
        if not self.levels or ordered != self.levels:
            raise ValueError(
                f"levels of {self.name} must be some of {list(self.all_levels)}, in this order; "
                f"got {list(self.levels)}."
            )
        if self.freeze and f"c{self.freeze + 1}" not in self.all_levels:
            raise ValueError(
                f"freeze holds what leads to level c(freeze + 1), of {list(self.all_levels)}; "
                f"got {self.freeze}."
            )

    @property
    def trainable(self):
        """Whether the layer trains, save what `freeze` and `frozen_norm` hold."""
        return layers.Layer.trainable.fget(self)

    @trainable.setter
    def trainable(self, value):
        layers.Layer.trainable.fset(self, value)
        self._hold_frozen_layers()

    def _hold_frozen_layers(self):
        for layer in self._frozen_layers():
            layer.trainable = False

    def _frozen_layers(self):
        held = []
        if self.freeze:
            end = self.model.outputs[self.all_levels.index(f"c{self.freeze + 1}")]
            held += keras.Model(self.model.inputs, end).layers
        if self.frozen_norm:
            norm = layers.BatchNormalization
            held += [layer for layer in self.model.layers if isinstance(layer, norm)]
        return held

    @property
    def level_names(self) -> tuple[str, ...]:
        """The names of the levels given, finest first."""
        return self.levels

    @property
    def strides(self) -> tuple[int, ...]:
        """The stride of each level given, in pixels."""
        return tuple(2 ** int(level[1:]) for level in self.levels)

    @property
    def normalization(self) -> dict:
        """Mean and standard deviation of the pictures that the model expects."""
        return {"mean": self.mean, "std": self.std}

    def build(self, input_shape):
        self.built = True  # the model came with its weights

    def call(self, images, training=False):
        outputs = self.model(ops.flip(images, axis=-1) if self.bgr else images, training=training)
        return self._chosen(keras.tree.flatten(outputs))

    def compute_output_shape(self, input_shape):
        return self._chosen(self._model_shapes(input_shape))

    def _model_shapes(self, input_shape):
        specs = self.model.compute_output_spec(keras.KerasTensor(input_shape))
        return [tuple(spec.shape) for spec in keras.tree.flatten(specs)]

    def _chosen(self, values):
        named = dict(zip(self.all_levels, values, strict=True))
        return [named[level] for level in self.levels]

    def get_config(self):
        return super().get_config() | {
            "model": keras.saving.serialize_keras_object(self.model),
            "levels": list(self.levels),
            "mean": self.mean,
            "std": self.std,
            "bgr": self.bgr,
            "frozen_norm": self.frozen_norm,
            "freeze": self.freeze,
        }

    @classmethod
    def from_config(cls, config):
        model = keras.saving.deserialize_keras_object(config["model"])
        return cls(**config | {"model": model})
