"""What zoo's own convolutional backbones share: levels, freezing, and the doors of the layout.

Letters: B images, H and W the picture's sides in pixels.
Words: a *level* is a named feature map: cK has stride 2**K; the *stem* is what comes before the
first stage.
"""

from keras import layers

from zoo.backbones.blocks import build_chain
from zoo.layers.layout import from_native, native_shape, public_shape, to_native

# Of ImageNet's training pictures, in units of a picture in 0..1, as torchvision publishes them.
IMAGENET_NORMALIZATION = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


class Backbone(layers.Layer):
    """A row of blocks, some of whose outputs are levels.

    A subclass names its levels in `all_levels`, their blocks in `blocks_of`, and calls
    `create_blocks` when its arguments are set. Only what the chosen levels need is built.

    Args:
        levels: names of the levels to give, finest first; None: `default_levels`.
        frozen_norm: whether batch norms keep their statistics and affine for good.
        norm_epsilon: of the batch norms.
        freeze: how many stages do not train, the stem with the first of them; 0: all train.
    Returns: on call with (B, H, W, 3), a list of (B, h, w, c), one a level.
    Raises: ValueError for unknown levels, or more stages to freeze than there are.
    """

    all_levels: tuple[str, ...] = ()
    default_levels: tuple[str, ...] = ()
    num_stages: int = 0
    norm_momentum = 0.9

    def __init__(self, *, levels=None, frozen_norm=False, norm_epsilon=1e-5, freeze=0, **kwargs):
        super().__init__(**kwargs)
        self.levels = tuple(self.default_levels if levels is None else levels)
        self.frozen_norm = frozen_norm
        self.norm_epsilon = norm_epsilon
        self.freeze = freeze
        self._check_arguments()

    def _check_arguments(self):
        ordered = tuple(level for level in self.all_levels if level in self.levels)
        if not self.levels or ordered != self.levels:
            raise ValueError(
                f"levels of {type(self).__name__} must be some of {list(self.all_levels)}, in "
                f"this order; got {list(self.levels)}."
            )
        if not 0 <= self.freeze <= self.num_stages:
            raise ValueError(
                f"freeze must lie in 0..{self.num_stages}, the stages of {type(self).__name__}; "
                f"got {self.freeze}."
            )

    @property
    def norm_options(self) -> dict:
        """The keywords of `create_norm`."""
        return {
            "frozen": self.frozen_norm,
            "epsilon": self.norm_epsilon,
            "momentum": self.norm_momentum,
        }

    def create_blocks(self) -> None:
        """Create the blocks of all levels down to the deepest chosen; the end of `__init__`."""
        deepest = self.all_levels.index(self.levels[-1])
        self.blocks = []
        self.block_levels = []
        for level in self.all_levels[: deepest + 1]:
            blocks = self.blocks_of(level)
            self.blocks += blocks
            self.block_levels += [level] * len(blocks)

    def blocks_of(self, level) -> list[layers.Layer]:
        """Return new blocks that lead from the level before, or the picture, to `level`."""
        raise NotImplementedError(f"{type(self).__name__} must say what leads to {level}")

    def stage_levels(self, count) -> tuple[str, ...]:
        """Return the levels of the first `count` stages; here the stem's and one a stage."""
        return self.all_levels[: count + 1] if count else ()

    @property
    def trainable(self):
        """Whether the layer trains, save what `freeze` holds."""
        return layers.Layer.trainable.fget(self)

    @trainable.setter
    def trainable(self, value):
        layers.Layer.trainable.fset(self, value)
        self._hold_frozen_levels()

    def _hold_frozen_levels(self):
        held = self.stage_levels(self.freeze)
        for block, level in zip(self.blocks, self.block_levels, strict=True):
            if level in held:
                block.trainable = False

    @property
    def level_names(self) -> tuple[str, ...]:
        """The names of the levels given, finest first."""
        return self.levels

    @property
    def strides(self) -> tuple[int, ...]:
        """The stride of each level given, in pixels."""
        shapes = self.compute_output_shape((None, 256, 256, 3))
        return tuple(256 // shape[1] for shape in shapes)

    @property
    def normalization(self) -> dict:
        """Mean and standard deviation of the pictures that ImageNet weights expect."""
        return IMAGENET_NORMALIZATION

    def build(self, input_shape):
        build_chain(self.blocks, native_shape(input_shape))
        self.built = True
        # Keras creates the weights of a layer that is not trainable as trainable ones.
        self._hold_frozen_levels()

    def call(self, images, training=False):
        features = to_native(images)
        outputs = {}
        for block, level in zip(self.blocks, self.block_levels, strict=True):
            features = block(features)  # Keras hands `training` on
            outputs[level] = features
        return [from_native(outputs[level]) for level in self.levels]

    def compute_output_shape(self, input_shape):
        shape = native_shape(input_shape)
        shapes = {}
        for block, level in zip(self.blocks, self.block_levels, strict=True):
            shape = block.compute_output_shape(shape)
            shapes[level] = shape
        return [public_shape(shapes[level]) for level in self.levels]

    def get_config(self):
        return super().get_config() | {
            "levels": list(self.levels),
            "frozen_norm": self.frozen_norm,
            "norm_epsilon": self.norm_epsilon,
            "freeze": self.freeze,
        }
