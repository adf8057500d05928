"""Optimizers and learning-rate schedules by name."""

import keras

from zoo.training.layer_rates import LayerwiseAdam, LayerwiseAdamW, LayerwiseSGD

_OPTIMIZERS = {
    "sgd": keras.optimizers.SGD,
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
}
_LAYERWISE = {"sgd": LayerwiseSGD, "adam": LayerwiseAdam, "adamw": LayerwiseAdamW}


def build_optimizer(
    name,
    *,
    learning_rate,
    total_steps,
    schedule="constant",
    warmup_steps=0,
    final_fraction=0.0,
    weight_decay=None,
    clip_norm=None,
    multipliers=None,
    **options,
):
    """Build a Keras optimizer with its schedule.

    SGD decays every weight, as PyTorch's does in the book: without momentum Keras' decoupled decay
    and PyTorch's L2 term are the same update. Adam and AdamW leave biases and batch-norm scales
    alone.

    Args:
        name: "sgd", "adam" or "adamw".
        learning_rate: the peak rate, > 0.
        total_steps: steps of the whole run; the cosine ends there.
        schedule: "constant" or "cosine".
        warmup_steps: steps of linear rise from 0 to the peak.
        final_fraction: the last rate over the peak, with "cosine".
        weight_decay, clip_norm: None for none; `clip_norm` bounds the global gradient norm.
        multipliers: factors on the rate by layer, as `LayerRates` takes them: {"head": 10}.
        **options: of the optimizer class, such as `momentum`.
    Raises: ValueError on an unknown name.
    """
    if name not in _OPTIMIZERS:
        raise ValueError(f"optimizer name must be one of {sorted(_OPTIMIZERS)}; got {name!r}.")
    if multipliers:
        options["multipliers"] = multipliers
    optimizer = (_LAYERWISE if multipliers else _OPTIMIZERS)[name](
        _schedule(schedule, learning_rate, total_steps, warmup_steps, final_fraction),
        weight_decay=weight_decay,
        global_clipnorm=clip_norm,
        **options,
    )
    if name != "sgd" and weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _schedule(name, peak, total_steps, warmup_steps, final_fraction):
    if name == "constant" and not warmup_steps:
        return peak
    warmup = {"warmup_target": peak, "warmup_steps": warmup_steps} if warmup_steps else {}
    start = 0.0 if warmup_steps else peak
    if name == "constant":
        # A cosine that ends where it starts is flat: only its warm-up shows.
        return keras.optimizers.schedules.CosineDecay(start, total_steps, alpha=1.0, **warmup)
    if name == "cosine":
        decay_steps = max(total_steps - warmup_steps, 1)
        return keras.optimizers.schedules.CosineDecay(
            start, decay_steps, alpha=final_fraction, **warmup
        )
    raise ValueError(f'schedule must be "constant" or "cosine"; got {name!r}.')
