"""MixUp: two pictures through one another."""

import tensorflow as tf

from zoo.data.augment.sample import (
    Change,
    beta,
    check_probability,
    first_of,
    largest_rows,
    sometimes,
)


def mixup(*, alpha: float = 8.0, probability: float = 1.0) -> Change:
    """Blend two pictures of the same size; the objects of both stay, where they are.

    The weight of the first comes from Beta(alpha, alpha). Where both have more than M objects,
    those with the M largest boxes stay.

    Deviation: objects count in full, whatever their picture's weight; hence an alpha that keeps
    both pictures visible (nine weights of ten lie in .3..7), where Zhang has 1.5 and weighs losses.

    Args:
        alpha: of the Beta distribution; the larger, the nearer to equal parts.
        probability: of doing so; else the first picture stays as it is.

    Returns: a step that takes a group of two pictures and returns one sample.
    Reference: Zhang 2019, Bag of Freebies for Training Object Detection Neural Networks, sec. 3.1.
    """
    if alpha <= 0:
        raise ValueError(f"alpha must be greater than 0; got {alpha}.")
    check_probability(probability)

    def blend(group, seed):
        weight = beta(seed, alpha)
        first, second = tf.unstack(tf.cast(group["images"], tf.float32))
        names = [name for name in group if name != "images"]
        both = {name: tf.concat(tf.unstack(group[name]), axis=0) for name in names}
        both["images"] = tf.cast(tf.round(second + (first - second) * weight), tf.uint8)
        return largest_rows(both, group["labels"].shape[1])

    return sometimes(probability, blend, first_of)
