"""Matching: which object an anchor answers for.

Shapes: B images, A anchors, M boxes (padded). Words: -1 is background, -2 is ignored (neither
object nor background); the bipartite step gives every object the anchor that suits it best, even
below the threshold.
"""

from keras import ops

BACKGROUND = -1
IGNORED = -2
# Equal overlaps, as those of all anchors inside one box, differ by so much in float32 fractions.
TIE = 1 - 1e-5


def match_anchors(
    iou,
    valid,
    *,
    positive_threshold=0.5,
    negative_threshold=None,
    bipartite=True,
    low_quality=False,
):
    """Assign to every anchor the index of an object, background or "ignored".

    An anchor takes the box it overlaps most, if by at least `positive_threshold`. Where
    `negative_threshold` is given, an anchor between the thresholds is ignored. Then, if
    `bipartite`, the largest IoU of all gives its anchor to its box and both leave; again, until
    every box has an anchor or nothing overlaps what is left. If `low_quality`, an anchor that no
    other surpasses in overlapping some box takes the box it overlaps most, whatever the IoU.

    Args:
        iou: (B, A, M) float.
        valid: (B, M) bool; padding rows are False and match nothing.
        positive_threshold: in 0..1.
        negative_threshold: in 0..positive_threshold, or None for no ignored anchors.
        bipartite: whether every object gets at least one anchor.
        low_quality: whether the best anchors of every object, ties included, are positive (Ren
            2015, section 3.1.2, case i).
    Returns: (B, A) int32: the box's index, -1 background, -2 ignored.
    Raises: ValueError if the shapes do not fit or the thresholds are out of order.
    Deviation: the book's assign_anchor_to_bbox lets a padding row, and a box that no anchor
        overlaps, take the first anchor left; here an IoU of 0 never makes a match.
    Reference: the book 13.4.3; Liu 2016, SSD, section 2.2; Ren 2015, Faster R-CNN, section 3.1.2.
    """
    iou, valid = ops.cast(iou, "float32"), ops.cast(valid, "bool")
    _check(iou, valid, positive_threshold, negative_threshold)
    # (B, M, A): a search along the last axis is several times quicker on every backend.
    by_box = ops.where(valid[:, :, None], ops.transpose(ops.stop_gradient(iou), (0, 2, 1)), 0.0)
    best = ops.max(by_box, axis=1)
    matches = ops.cast(ops.argmax(by_box, axis=1), "int32")
    negative = positive_threshold if negative_threshold is None else negative_threshold
    rest = ops.where((best < negative) | (best <= 0), BACKGROUND, IGNORED)
    positive = best >= positive_threshold
    if low_quality:
        positive = positive | _unsurpassed(by_box)
    matches = ops.where(positive & (best > 0), matches, rest)
    if not bipartite:
        return matches
    forced = _bipartite(by_box)
    return ops.where(forced >= 0, forced, matches)


def _check(iou, valid, positive_threshold, negative_threshold):
    if len(iou.shape) != 3 or len(valid.shape) != 2 or iou.shape[2] != valid.shape[1]:
        raise ValueError(
            f"iou must be (B, A, M) and valid (B, M); got {tuple(iou.shape)} and "
            f"{tuple(valid.shape)}. Are the anchors the last axis of iou?"
        )
    low = positive_threshold if negative_threshold is None else negative_threshold
    if not 0 <= low <= positive_threshold <= 1:
        raise ValueError(
            "thresholds must be 0 <= negative <= positive <= 1; got "
            f"negative {negative_threshold}, positive {positive_threshold}."
        )


def _unsurpassed(by_box):
    """Mark the anchors (B, A) that share some box's largest IoU, of by_box (B, M, A)."""
    highest = ops.max(by_box, axis=2, keepdims=True)
    return ops.any((by_box >= highest * TIE) & (highest > 0), axis=1)


def _bipartite(by_box):
    """Greedy one-to-one matching by the largest IoU; ties go to the lower anchor, then box.

    A pair that is the best of its anchor and of its box among what is left will be taken by the
    greedy loop whatever happens elsewhere. So all such pairs are taken at once, and a round or two
    replace one round per box; each round takes at least the largest pair of all.

    Args:
        by_box: (B, M, A) float32, 0 where nothing may match.
    Returns: (B, A) int32 index of the box, -1 none.
    """
    batch, (number, anchors) = ops.shape(by_box)[0], by_box.shape[1:]
    boxes = ops.arange(number, dtype="int32")
    rows = ops.arange(batch, dtype="int32")[:, None] * anchors

    def unfinished(done, matches):
        return ops.any(~done)

    def take_best_of_the_rest(done, matches):
        taken = ops.reshape(matches[:-1], (-1, 1, anchors)) >= 0
        return take_best(ops.where(taken | done[:, :, None], 0.0, by_box), done, matches)

    def take_best(left, done, matches):
        anchor = ops.cast(ops.argmax(left, axis=2), "int32")
        around = ops.take_along_axis(left, anchor[:, None, :] + boxes[:, None] * 0, axis=2)
        value = ops.max(ops.where(boxes[:, None] == boxes, around, 0.0), axis=1)
        rival = ops.cast(ops.argmax(around, axis=1), "int32")  # the box that anchor suits best
        wins = (rival == boxes) & (value > 0)
        slot = ops.where(wins, rows + anchor, batch * anchors)  # the last slot is a bin
        values = ops.reshape(boxes + anchor * 0, (-1,))
        matches = ops.scatter_update(matches, ops.reshape(slot, (-1, 1)), values)
        return done | wins | (value <= 0), matches

    matches = ops.full((batch * anchors + 1,), BACKGROUND, dtype="int32")
    state = take_best(by_box, ops.zeros_like(by_box[:, :, 0], dtype="bool"), matches)
    matches = ops.while_loop(unfinished, take_best_of_the_rest, state)[1]
    return ops.reshape(matches[:-1], (-1, anchors))
