"""VGG as style transfer reads it: content features and Gram matrices.

Letters: B pictures, h and w the sides of a feature map, C its channels.
Words: "relu3_1" is what stage 3's first convolution gives behind its ReLU, "conv3_1" before it.
"""

import re

import keras
from keras import layers

from zoo.backbones.backbone import IMAGENET_NORMALIZATION
from zoo.backbones.blocks import build_chain
from zoo.backbones.vgg import DEPTHS, VGG
from zoo.layers.layout import from_native, native_shape, to_native
from zoo.ops import gram_matrix

_NAME = re.compile(r"(relu|conv)([1-5])_([1-4])")


@keras.saving.register_keras_serializable(package="zoo")
class StyleVGG(layers.Layer):
    """VGG that ends behind the last layer asked for, and never trains (book 13.12.4).

    Args:
        depth: 16 or 19.
        content: names of the layers whose features are compared.
        style: names of the layers whose Gram matrices are compared. Only the deepest layer of all
            may be a "conv": the next layer of each other one is its ReLU.
    Returns: on call with (B, H, W, 3), normalised, a dict of tuples, an entry a layer: `content` of
        (B, h, w, C) and `style` of (B, C, C).
    Raises: ValueError for layers that VGG does not have, or a "conv" before the deepest.
    """

    def __init__(self, depth=16, *, content, style, **kwargs):
        super().__init__(**kwargs)
        self.depth = depth
        self.content = tuple(content)
        self.style = tuple(style)
        deepest = _deepest(depth, self.content + self.style)
        self.blocks = _blocks_until(depth, deepest, self.dtype_policy)
        self.trainable = False

    @property
    def normalization(self) -> dict:
        """Mean and standard deviation of the pictures that ImageNet weights expect."""
        return IMAGENET_NORMALIZATION

    @property
    def smallest_side(self) -> int:
        """The least side of a picture, in pixels, of which each pooling leaves something."""
        return 2 ** sum(block.name.startswith("pool") for block in self.blocks)

    def build(self, input_shape):
        build_chain(self.blocks, native_shape(input_shape))
        self.built = True
        self.trainable = False  # Keras creates a layer's weights as trainable ones

    def call(self, images):
        maps = self._maps(images, {*self.content, *self.style})
        return {
            "content": tuple(maps[name] for name in self.content),
            "style": tuple(gram_matrix(maps[name]) for name in self.style),
        }

    def content_of(self, images):
        """Return the entry `content` alone; what lies deeper is not computed.

        Args:
            images: (B, H, W, 3), normalised.
        """
        maps = self._maps(images, {*self.content})
        return tuple(maps[name] for name in self.content)

    def _maps(self, images, names) -> dict:
        """Return the feature maps (B, h, w, C) of layers, computed as far as the deepest."""
        places = {name[4:]: name for name in names}
        features, maps = to_native(images), {}
        for block in self.blocks:
            if len(maps) == len(names):
                break
            features = block(features)
            name = places.get(block.name.removeprefix("conv"))
            if name is not None:
                maps[name] = from_native(features)
        return maps

    def get_config(self):
        return super().get_config() | {
            "depth": self.depth,
            "content": list(self.content),
            "style": list(self.style),
        }


def _deepest(depth, names) -> str:
    """Return the layer where the network ends."""
    places = {name: _place(depth, name) for name in names}
    deepest = max(places, key=lambda name: (places[name], name))
    early = [name for name in places if name.startswith("conv") and name != deepest]
    if early:
        raise ValueError(
            f"only the deepest layer, here {deepest}, may be taken before its ReLU; got "
            f"{', '.join(early)}. Is relu meant?"
        )
    return deepest


def _place(depth, name) -> tuple[int, int]:
    """Return (stage, convolution) of a layer's name."""
    if depth not in DEPTHS:
        raise ValueError(f"depth must be one of {list(DEPTHS)}; got {depth}.")
    match = _NAME.fullmatch(name)
    stage, number = (int(match[2]), int(match[3])) if match else (1, 99)
    if number > DEPTHS[depth][stage - 1]:
        last = ", ".join(f"relu{k}_{count}" for k, count in enumerate(DEPTHS[depth], start=1))
        raise ValueError(
            f"VGG-{depth} has no layer {name!r}. A stage's layers count from 1, as in relu1_1; "
            f"the last ones are {last}."
        )
    return stage, number


def _blocks_until(depth, name, dtype):
    """Return new blocks of VGG that lead from the picture to a layer."""
    blocks = VGG(depth, levels=(f"c{name[4]}",), dtype=dtype).blocks
    end = [block.name for block in blocks].index(f"conv{name[4:]}") + 1
    if name.startswith("conv"):
        blocks[end - 1].activation = keras.activations.linear
    return blocks[:end]
