"""The heads of the two stages and of the masks."""

import numpy as np
from cases import check_layer, compiled
from keras import ops

from zoo.layers import BoxHead, MaskHead, RPNHead


def features(*shape, seed=0):
    values = np.random.default_rng(seed).normal(size=shape).astype("float32")
    return ops.convert_to_tensor(values)


def test_the_rpn_head_keeps_the_contract_of_a_layer():
    levels = [features(2, 4, 3, 5), features(2, 2, 2, 5)]
    anchors = (4 * 3 + 2 * 2) * 3
    check_layer(
        RPNHead(3),
        levels,
        shapes={"objectness": (2, anchors), "deltas": (2, anchors, 4)},
        trainable=6,  # kernel and bias of three convolutions, whatever the number of levels
    )


def test_the_box_head_keeps_the_contract_of_a_layer():
    check_layer(
        BoxHead(2, units=8),
        features(2, 6, 7, 7, 3),
        shapes={"class_logits": (2, 6, 3), "box_deltas": (2, 6, 2, 4)},
        trainable=8,
    )


def test_the_mask_head_keeps_the_contract_of_a_layer():
    layer = MaskHead(2, channels=4, depth=2)
    check_layer(layer, features(2, 3, 7, 5, 3), shapes=(2, 3, 14, 10, 2), trainable=8)


def test_rpn_rows_follow_level_row_column_anchor():
    levels = [features(1, 2, 3, 4), features(1, 1, 2, 4, seed=1)]
    head = RPNHead(2, channels=32)  # some are above 0 everywhere
    head.build([level.shape for level in levels])
    together = compiled(lambda maps: head(maps))(levels)
    alone = compiled(lambda maps: head(maps))(levels[1:])
    for name in ("objectness", "deltas"):
        got, wanted = (ops.convert_to_numpy(out[name]) for out in (together, alone))
        np.testing.assert_allclose(got[:, 2 * 3 * 2 :], wanted, atol=1e-6)
    # A cell's answer depends on its neighbours only: the last column does not see (0, 0).
    moved = [levels[0] + np.eye(1, 6).reshape(1, 2, 3, 1), levels[1]]
    change = np.abs(
        ops.convert_to_numpy(compiled(lambda maps: head(maps))(moved)["objectness"])
        - ops.convert_to_numpy(together["objectness"])
    )[0, :12].reshape(2, 3, 2)
    assert change[0, 0].max() > 0
    assert change[:, 2].max() < 1e-6


def test_regions_do_not_see_each_other():
    crops = features(1, 3, 2, 2, 4)
    for head in (BoxHead(1, units=8), MaskHead(1, channels=4)):
        head.build(crops.shape)
        call = compiled(lambda values, head=head: head(values))
        whole, part = call(crops), call(crops[:, 1:])
        if isinstance(whole, dict):
            whole, part = whole["box_deltas"], part["box_deltas"]
        np.testing.assert_allclose(
            ops.convert_to_numpy(whole)[:, 1:], ops.convert_to_numpy(part), atol=1e-6
        )
