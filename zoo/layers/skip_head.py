"""The head of Long's FCN: scores of several levels, enlarged and added.

Letters: B images, L levels, (h, w) cells of a level, C classes.
"""

from itertools import pairwise

import keras
from keras import layers, ops

from zoo.layers.layout import from_native, native_data_format, native_shape, to_native
from zoo.layers.transposed_conv import BilinearInitializer, TransposedConv


@keras.saving.register_keras_serializable(package="zoo")
class SkipHead(layers.Layer):
    """Score the coarsest level, and refine it by finer ones (Long 2015, section 4.2).

    Every level is scored by a 1x1 convolution. The coarsest scores are doubled by a transposed
    convolution, those of the next level are added, and so on; a last transposed convolution brings
    them to the pixels. All of them begin as bilinear interpolation. Scores of finer levels begin
    as zero, so FCN-8s begins as FCN-32s. With one level it is the head of the book's 13.11.

    Deviation: the coarsest scores begin Glorot uniform as in the book, where the paper has zeros
    and finds no difference (section 4.1).
    Deviation: the last transposed convolution trains, as in the book; the paper holds it.

    Args:
        num_classes: C.
        strides: of the L levels in pixels, finest first, each half of the next.
        hidden_channels: of two convolutions on the coarsest level, the paper's fc6 and fc7 of
            4,096 channels each; 0: none, as in the book.
        hidden_kernel: side of the first one's kernel; the second one's is 1.
        dropout: behind both.
    Returns: on call with a list of (B, h, w, channels), the scores (B, h * strides[0],
        w * strides[0], C) float32 of the finest level's h and w.
    """

    def __init__(
        self,
        num_classes,
        strides=(32,),
        hidden_channels=0,
        hidden_kernel=7,
        dropout=0.5,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.strides = tuple(strides)
        if any(2 * fine != coarse for fine, coarse in pairwise(strides)):
            raise ValueError(
                f"strides must double from level to level, finest first; got {self.strides}."
            )
        self.hidden_channels = hidden_channels
        self.hidden_kernel = hidden_kernel
        self.dropout = dropout
        self.hidden = self._hidden_layers() if hidden_channels else []
        last = len(self.strides) - 1
        self.scorers = [
            self._conv(
                num_classes,
                1,
                kernel_initializer="glorot_uniform" if level == last else "zeros",
                name=f"score_{level}",
            )
            for level in range(last + 1)
        ]
        self.doublers = [self._upsampler(2, f"double_{level}") for level in range(last)]
        self.enlarger = self._upsampler(self.strides[0], "enlarge")

    def _hidden_layers(self):
        relu = {"activation": "relu", "kernel_initializer": "he_normal"}
        return [
            self._conv(self.hidden_channels, self.hidden_kernel, name="fc6", **relu),
            layers.Dropout(self.dropout, dtype=self.dtype_policy, name="dropout6"),
            self._conv(self.hidden_channels, 1, name="fc7", **relu),
            layers.Dropout(self.dropout, dtype=self.dtype_policy, name="dropout7"),
        ]

    def _conv(self, filters, kernel_size, **options):
        return layers.Conv2D(
            filters,
            kernel_size,
            padding="same",
            data_format=native_data_format(),
            dtype=self.dtype_policy,
            **options,
        )

    def _upsampler(self, factor, name):
        return TransposedConv(
            self.num_classes,
            2 * factor,
            strides=factor,
            padding=factor // 2,
            kernel_initializer=BilinearInitializer(),
            dtype=self.dtype_policy,
            name=name,
        )

    @property
    def multiple(self) -> int:
        """Of which a picture's sides must be multiples, so that the levels fit each other."""
        return self.strides[-1]

    def build(self, level_shapes):
        if len(level_shapes) != len(self.strides):
            raise ValueError(
                f"the head has strides {self.strides}, one a level; got {len(level_shapes)} levels."
            )
        *shapes, shape = map(native_shape, level_shapes)
        for layer in self.hidden:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        for scorer, scored in zip(self.scorers, [*shapes, shape], strict=True):
            scorer.build(scored)
        scores = (None, None, None, self.num_classes)
        for layer in (*self.doublers, self.enlarger):
            layer.build(scores)
        self.built = True

    def call(self, levels, training=False):
        coarsest = to_native(levels[-1])
        for layer in self.hidden:
            coarsest = layer(coarsest)  # Keras hands `training` on
        scores = from_native(self.scorers[-1](coarsest))
        for number in range(len(levels) - 2, -1, -1):
            finer = from_native(self.scorers[number](to_native(levels[number])))
            scores = self.doublers[number](scores) + finer
        return ops.cast(self.enlarger(scores), "float32")

    def fit(self, scores, size):
        """Bring scores to the picture's (height, width): cut off what was padded."""
        return scores[:, : size[0], : size[1]]

    def compute_output_shape(self, level_shapes):
        batch, height, width, _ = level_shapes[0]
        sides = [None if side is None else side * self.strides[0] for side in (height, width)]
        return (batch, *sides, self.num_classes)

    def get_config(self):
        return super().get_config() | {
            "num_classes": self.num_classes,
            "strides": list(self.strides),
            "hidden_channels": self.hidden_channels,
            "hidden_kernel": self.hidden_kernel,
            "dropout": self.dropout,
        }
