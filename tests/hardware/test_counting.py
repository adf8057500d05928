"""Operations and bytes of a step against hand counts, published figures and other counters."""

import keras
import numpy as np
import pytest
from cases import (
    QUICK_ON_TORCH,
    SLOW_ON_JAX,
    colours,
    small_classifier,
    small_faster_rcnn,
    small_ssd,
    small_yolo,
    squares,
)
from keras import layers

import zoo
from zoo.hardware import StepRecord, StepTimes, count_step
from zoo.hardware.operations import operations
from zoo.layers import TransposedConv
from zoo.layers.calls import watching

BACKEND = keras.backend.backend()


def step_of(task, inputs, labels, **options):
    """Train one step of a task and return what was counted."""
    task.compile(optimizer=keras.optimizers.SGD(0.01, **options))
    task.optimizer.build(task.trainable_variables)
    record = StepRecord(task, pictures=2)
    with record.recording():
        task.train_on_batch(inputs, labels)
    return record.work


def classified():
    """Two pictures and their classes."""
    images, labels = colours(2)
    return images, {"labels": labels}


def tiny_net():
    """8x8x3, a 3x3 convolution to 4, a norm, 2x2 means, a dense layer to 5."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", use_bias=False, data_format="channels_last"),
            layers.BatchNormalization(axis=-1),
            layers.AveragePooling2D(2, data_format="channels_last"),
            layers.Flatten(data_format="channels_last"),
            layers.Dense(5),
        ]
    )


def count_tiny_net(**options):
    net = tiny_net()
    net.compile(optimizer=keras.optimizers.SGD(0.01, **options), loss="mse")
    net.optimizer.build(net.trainable_variables)
    record = StepRecord(net, pictures=2)
    with record.recording():
        net.train_on_batch(np.zeros((2, 8, 8, 3), "float32"), np.zeros((2, 5), "float32"))
    return record.work


def test_a_little_net_counts_as_by_hand():
    work = count_tiny_net()
    conv = 2 * (2 * 8 * 8 * 4) * (3 * 3 * 3)
    dense = 2 * (2 * 5) * 64
    assert work.forward_operations == conv + dense == 28_928
    # Nobody asks for the pixels' gradient.
    assert work.operations == 2 * conv + 3 * dense == 59_136
    pictures, maps, pooled, answers = 2 * 192, 2 * 256, 2 * 64, 2 * 5
    moved = {
        "conv": 2 * (pictures + maps + 108),
        "norm": 3 * (maps + maps + 16),
        "pool": 2 * (maps + pooled),
        "flatten": 2 * (pooled + pooled),
        "dense": 3 * (pooled + answers + 325),
        "optimizer": 3 * (108 + 8 + 325),  # reads weight and gradient, writes the weight
    }
    assert work.bytes == 4 * sum(moved.values())
    assert work.pictures == 2


def test_slots_of_the_optimizer_are_read_and_written():
    more = count_tiny_net(momentum=0.9).bytes - count_tiny_net().bytes
    assert more == 4 * 2 * (108 + 8 + 325)


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("backbone", "macs", "dense"),
    [
        ("resnet18", 1.814e9, 0),  # torchvision's documentation, as the next two
        ("resnet50", 4.089e9, 0),
        ("mobilenet_v2", 0.301e9, 0),
        # Its classifier has three dense layers of 25088 x 4096, 4096 x 4096 and 4096 x 1000.
        ("vgg16", 15.47e9, 25088 * 4096 + 4096 * 4096 + 4096 * 1000 - 512 * 1000),
    ],
)
def test_published_networks_have_their_published_operations(backbone, macs, dense):
    task = zoo.create("classifier", num_classes=1000, backbone=backbone, image_size=224)
    with watching(task) as watch:
        task(np.zeros((1, 224, 224, 3), "uint8"), training=False)
    work = count_step(watch.calls, task, pictures=1)
    assert work.forward_operations / 2 + dense == pytest.approx(macs, rel=2e-3)
    assert work.uncounted == ()


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (layers.Conv2D(8, 3, groups=2, data_format="channels_last"), (2, 6, 6, 4), 9_216),
        (layers.DepthwiseConv2D(3, data_format="channels_last"), (2, 6, 6, 4), 2_304),
        (layers.Conv2DTranspose(8, 2, strides=2, data_format="channels_last"), (2, 3, 3, 4), 4_608),
        (TransposedConv(8, 4, strides=2, padding=1), (2, 3, 3, 4), 18_432),
        (layers.EinsumDense("abc,cd->abd", (None, 7)), (2, 3, 5), 420),
        (layers.Dense(7), (2, 3, 5), 420),
    ],
)
def test_layers_count_by_their_kernels(layer, shape, expected):
    """By hand: 2 x outputs x (3 x 3 x 4 / 2), 2 x outputs x 9, 2 x inputs x (4 x 8) and so on."""
    layer.build(shape)
    assert operations(layer, shape, tuple(layer.compute_output_shape(shape))) == expected


def test_a_layer_that_nobody_has_told_how_to_count_is_named():
    layer = layers.SeparableConv2D(4, 3)
    layer.build((2, 6, 6, 4))
    assert operations(layer, (2, 6, 6, 4), (2, 4, 4, 4)) is None


# PyTorch's FlopCounterMode counted these, as test_pytorchs_counter_agrees does anew: what three
# backends compute otherwise counts alike.
@pytest.mark.parametrize(
    ("task", "forward", "backward"),
    [
        pytest.param(small_ssd, 49_858_560, 96_178_176, marks=SLOW_ON_JAX),
        pytest.param(small_faster_rcnn, 365_139_968, 691_744_768, marks=QUICK_ON_TORCH),
    ],
)
def test_detectors_count_alike_on_every_backend(task, forward, backward):
    images, labels = squares(2)
    work = step_of(task(), images, labels)
    assert (work.forward_operations, work.operations) == (forward, forward + backward)


def test_classifiers_count_alike_on_every_backend():
    images, labels = classified()
    work = step_of(small_classifier(), images, labels)
    assert (work.forward_operations, work.operations) == (80_938_496, 233_181_696)
    assert work.bytes == 20_646_992


def test_a_frozen_backbone_has_no_backward_pass():
    images, labels = classified()
    frozen = small_classifier()
    frozen.backbone.trainable = False
    work = step_of(frozen, images, labels)
    head = 2 * 2 * 128 * 3
    assert work.operations - work.forward_operations == head  # the head's weights' gradient


@SLOW_ON_JAX
def test_mixed_precision_halves_the_bytes_of_features():
    images, labels = classified()
    whole = step_of(small_classifier(), images, labels)
    mixed = step_of(small_classifier(dtype="mixed_bfloat16"), images, labels)
    assert (whole.dtype, mixed.dtype) == ("float32", "bfloat16")
    assert mixed.operations == whole.operations
    features = [sum(one.activations for one in work.layers[2:-1]) for work in (whole, mixed)]
    assert features[1] == features[0] / 2
    assert [one.weights for one in mixed.layers] == [one.weights for one in whole.layers]


@pytest.mark.skipif(BACKEND != "torch", reason="the counter is PyTorch's")
@pytest.mark.parametrize("create", [small_ssd, small_yolo, small_classifier])
def test_pytorchs_counter_agrees(create):
    from torch.utils.flop_counter import FlopCounterMode

    task = create()
    images, labels = classified() if create is small_classifier else squares(2)
    work = step_of(task, images, labels)  # after which a step no longer builds anything
    with FlopCounterMode(display=False) as counter:
        task.train_on_batch(images, labels)
    theirs = {str(name): count for name, count in counter.get_flop_counts()["Global"].items()}
    theirs.pop("aten.bmm", 0)  # the matching of anchors
    assert work.operations == sum(theirs.values())


@pytest.mark.skipif(BACKEND != "jax", reason="the analysis is XLA's")
def test_xlas_analysis_agrees():
    import jax

    # Without padding, whose zeros XLA does not count; wide, as it counts ReLUs too.
    net = keras.Sequential(
        [keras.Input((16, 16, 16)), layers.Conv2D(32, 3, activation="relu"), layers.Conv2D(32, 3)]
    )
    net.compile(optimizer="sgd", loss="mse")
    net.optimizer.build(net.trainable_variables)
    record = StepRecord(net, pictures=2)
    images, maps = np.zeros((2, 16, 16, 16), "float32"), np.zeros((2, 12, 12, 32), "float32")
    with record.recording():
        net.train_on_batch(images, maps)

    def loss(weights, images):
        outputs, _ = net.stateless_call(weights, [], images)
        return (outputs**2).sum()

    weights = [weight.value for weight in net.trainable_variables]
    step = jax.jit(jax.value_and_grad(loss)).lower(weights, images).compile()
    assert record.work.operations == pytest.approx(step.cost_analysis()["flops"], rel=0.02)


def test_a_step_that_is_traced_twice_counts_once():
    task = small_classifier()
    images = colours(2)[0]
    with watching(task) as watch:
        for _ in range(2):
            task(images, training=False)
    assert count_step(watch.calls, task, pictures=2).forward_operations == 80_938_496
    assert "call" not in vars(task)


def test_one_watches_at_a_time_and_keras_is_left_as_it_was():
    before = layers.Layer.__call__
    with watching():
        assert layers.Layer.__call__ is not before
        with pytest.raises(RuntimeError, match="watched already"), watching():
            pass
    assert layers.Layer.__call__ is before


def test_times_are_of_the_steps_after_the_first_until_their_loss_is_known():
    ticks = iter(range(100))
    net = tiny_net()
    net.compile(optimizer="sgd", loss="mse")
    told = []
    times = StepTimes(
        StepRecord(net, 2),
        clock=lambda: float(next(ticks) ** 2),
        limit=2,
        on_epoch=lambda: told.append(len(times.seconds)),
    )
    inputs, answers = np.zeros((8, 8, 8, 3), "float32"), np.zeros((8, 5), "float32")
    net.fit(inputs, answers, batch_size=2, epochs=2, verbose=0, callbacks=[times])
    # The clock is read at 0; then at 1 and 2, 3 and 4 in squares; the limit is two.
    assert times.seconds == [4.0 - 1.0, 16.0 - 9.0]
    assert times.record.work.forward_operations == 28_928
    assert told == [2]  # once, at the first epoch's end


def test_work_of_a_device_is_that_of_its_pictures():
    work = count_tiny_net()
    one = work.of_device(1)
    assert one.operations == work.operations / 2
    weights = sum(layer.weights * layer.passes for layer in work.layers) + work.optimizer_bytes
    assert one.bytes == (work.bytes - weights) / 2 + weights
    half = work.of_device(1, weights_parts=2)
    assert half.bytes == work.bytes / 2
