"""Steps and policies for classification, where a sample is a picture and the shares of its classes.

Shape letters: H, W the network's input, h, w the stored picture.
"""

from collections.abc import Iterable, Mapping

import tensorflow as tf

from zoo.data.augment.class_mixing import cutmix, mixup
from zoo.data.augment.crops import random_window
from zoo.data.augment.flips import flip, vertical_flip
from zoo.data.augment.photometric import photometric
from zoo.data.augment.policies import Step, Vocabulary, build_steps
from zoo.data.augment.rand_augment import rand_augment
from zoo.data.augment.sample import Change, check_range
from zoo.data.augment.view import view

MIXING = {"mixup": 2, "cutmix": 2}  # what they take: pictures of a batch

CLASS_POLICIES: dict[str, tuple[dict, ...]] = {
    "light": (
        {"name": "random_resized_crop", "scale": (0.35, 1.0)},
        {"name": "flip"},
        {"name": "photometric", "brightness": 16.0, "contrast": (0.8, 1.2),
         "saturation": (0.8, 1.2), "hue": 6.0},
    ),
    "book": (  # Zhang et al., Dive into Deep Learning, 13.2.1.1
        {"name": "random_resized_crop"},
        {"name": "flip"},
    ),
    "rand": (
        {"name": "random_resized_crop", "scale": (0.35, 1.0)},
        {"name": "flip"},
        {"name": "rand_augment"},
    ),
    "strong": (
        {"name": "random_resized_crop"},
        {"name": "flip"},
        {"name": "rand_augment"},
        {"name": "mixup", "probability": 0.5},
        {"name": "cutmix", "probability": 0.5},
    ),
}  # fmt: skip


def build_class_steps(
    augment: str | Iterable[str | Mapping], image_size: tuple[int, int]
) -> tuple[Step, ...]:
    """Return the steps that a config's `augment` names for classification.

    Args:
        augment: as `build_steps` takes it, of the names in `class_vocabulary`.
        image_size: (H, W) of the network's input, which a crop gives.
    Raises: ValueError for an unknown name or option, an option out of its range, or a crop that is
        not the first step.
    """
    steps = build_steps(augment, class_vocabulary(image_size))
    for step in steps[1:]:
        if step.name == "random_resized_crop":
            raise ValueError(
                "augment: random_resized_crop must be the first step, as it is cut from the stored "
                f"picture; got {', '.join(step.name for step in steps)}."
            )
    return steps


def class_vocabulary(image_size: tuple[int, int]) -> Vocabulary:
    """Return what `augment` may name for classification into (H, W) pixels."""
    return Vocabulary(
        steps={
            "random_resized_crop": _crop_to(image_size),
            "flip": flip,
            "vertical_flip": vertical_flip,
            "photometric": photometric,
            "rand_augment": rand_augment,
            "mixup": mixup,
            "cutmix": cutmix,
        },
        policies=CLASS_POLICIES,
        pictures=MIXING,
    )


def _crop_to(image_size):
    """The factory of the crop, which also brings a picture of any size to the network's."""

    def random_resized_crop(*, scale=(0.08, 1.0), ratio=(0.75, 4 / 3)) -> Change:
        """Cut a window out of the stored picture and bring it to the network's size.

        Args:
            scale: [lowest, highest] part of the picture's area, 0..1.
            ratio: [lowest, highest] width / height of the window over that of the network's input,
                so that 1 stretches nothing; drawn evenly in its logarithm.

        Reference: Szegedy 2015, Going deeper with convolutions, section 6.
        """
        check_range("scale", scale, 0.0, 1.0)
        check_range("ratio", ratio, 0.01, 100.0)
        if scale[0] == 0:
            raise ValueError(f"scale must begin above 0; got {list(scale)}.")

        def crop(sample, seed):
            height, width = tf.unstack(tf.cast(tf.shape(sample["images"])[:2], tf.float32))
            shape = (image_size[1] / image_size[0]) * height / width
            window = random_window(seed, scale, ratio, shape)
            seen = view(sample, window, tf.zeros((0,), tf.bool), size=image_size)
            return seen | {"images": tf.ensure_shape(seen["images"], (*image_size, 3))}

        return crop

    return random_resized_crop
