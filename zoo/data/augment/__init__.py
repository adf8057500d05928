"""Augmentation: changes to a training picture, its boxes and its masks, by name.

A step is a factory with keyword-only options that returns a pure function (sample, stateless seed)
-> sample (`zoo.data.augment.sample` says what a sample is); a policy is a list of steps. All that
is random comes from the seed, so a stream entered anywhere repeats the uninterrupted one.

Around objects, crops cut the picture at the network's size, not the stored one (for classification
they cut the stored one, `zoo.data.classification_pipeline`). So one picture serves every epoch,
in memory where the stream is cached, and a model meets pixels of one converter only. What it costs:
a crop is enlarged, and so blurred, twice at most by `random_resized_crop` as it stands, up to five
times by `iou_crop`; where fine detail decides, raise `image_size`.

Keras' own layers were tried for this (3.15, `keras.layers.Random*`, `MixUp`, `CutMix`):
- Their random numbers come from a `SeedGenerator`'s state, which no resumed stream can be put back
  to, and their pure `transform_images` raises NotImplementedError inside tf.data on torch and jax
  unless a private backend switch is thrown.
- RandomFlip moves padding rows; RandomCrop has neither scale nor ratio, RandomZoom no boxes; MixUp
  joins the labels of a batch along the wrong axis; CutMix refuses boxes.
- RandomSaturation with its default value_range of 0..255 leaves it: -127 came out.
RandomBrightness and RandomContrast compute the same as one line of TensorFlow. So all steps are
TensorFlow's stateless functions, which tf.data runs the same under every backend.
"""

from zoo.data.augment.class_policies import CLASS_POLICIES, build_class_steps, class_vocabulary
from zoo.data.augment.policies import POLICIES, STEPS, Step, build_steps

__all__ = [
    "CLASS_POLICIES",
    "POLICIES",
    "STEPS",
    "Step",
    "build_class_steps",
    "build_steps",
    "class_vocabulary",
]
