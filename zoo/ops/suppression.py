"""Non-maximum suppression, exact and quick on every backend.

Shapes: B images, N boxes, T boxes a block, C kept boxes a chunk, K kept at most. The greedy loop of
the textbooks handles one box a turn. Here boxes sorted by score go block by block: a block is
compared with what has been kept so far, a chunk at a time, and then settles among itself, so a turn
handles T boxes and the work is N x kept, not N x N. The result is the greedy loop's, box for box.
The loop ends with the last box above the score threshold, or when K are kept.
"""

from keras import ops

from zoo.ops.boxes import to_float32_boxes

# Large enough to bury the cost of starting an operation, small enough for the caches. On one core
# eager PyTorch takes twice as long with 128; with 400 and 512 keeping 100 of 400 boxes, a
# detector's case, costs three times as much everywhere, because one block then holds them all.
BLOCK = 320
CHUNK = 512
SMALLEST_AREA = 1e-37  # below every area but that of an empty box
# Fills unused places: a box with an area, far from every other, so that nothing overlaps it.
NOWHERE = (-2e9, -2e9, -1e9, -1e9, -1.0)


def nms(boxes, scores, iou_threshold=0.5, max_output=100, score_threshold=None):
    """Keep the best-scored of boxes that overlap.

    In the order of the scores (ties: lower index first) a box is kept unless its IoU with a kept
    one is greater than `iou_threshold`.

    Args:
        boxes: (..., N, 4) float xyxy.
        scores: (..., N) float; -inf and NaN take no part (padding).
        iou_threshold: suppress where the IoU is strictly greater.
        max_output: K, the length of the result.
        score_threshold: boxes scored lower take no part: they neither stay nor suppress.
    Returns: (..., K) int32 indices into N by falling score, padded with -1.
    Raises: ValueError if the shapes do not fit.
    Reference: the book 13.4.4.
    """
    return greedy_suppression(
        boxes, scores, overlap, iou_threshold, max_output, score_threshold=score_threshold
    )


def batched_nms(boxes, scores, labels, iou_threshold=0.5, max_output=100, score_threshold=None):
    """Keep the best-scored of boxes that overlap and carry the same label.

    Boxes are compared as they are: no shift by label, which would cost the IoU its last digits.

    Args:
        boxes: (..., N, 4) float xyxy.
        scores: (..., N) float; -inf and NaN take no part (padding).
        labels: (..., N) int; boxes of different labels never suppress each other.
        iou_threshold, max_output, score_threshold: as in `nms`; K is over all labels together.
    Returns: (..., K) int32 indices into N by falling score, padded with -1.
    Raises: ValueError if the shapes do not fit.
    """
    return greedy_suppression(
        boxes,
        scores,
        _overlap_within_label,
        iou_threshold,
        max_output,
        score_threshold=score_threshold,
        labels=labels,
    )


def greedy_suppression(
    boxes, scores, overlap, threshold, max_output, *, score_threshold=None, labels=None
):
    """Run the greedy loop with any measure of overlap.

    Args:
        boxes: (..., N, 4) float xyxy; scores: (..., N) float; labels: (..., N) int or None.
        overlap: function (first, second) -> float; both are five columns (left, top, right,
            bottom, label) that broadcast against each other.
        threshold: suppress where the overlap is strictly greater.
        max_output: K; score_threshold: lowest score that takes part, or None.
    Returns: (..., K) int32, padded with -1.
    """
    boxes, scores = to_float32_boxes(boxes), ops.cast(scores, "float32")
    labels = scores * 0 if labels is None else ops.cast(labels, "float32")
    _check(boxes, scores, labels, max_output)
    number, leading = scores.shape[-1], ops.shape(scores)[:-1]
    if number == 0:
        return ops.full((*leading, max_output), -1, dtype="int32")
    scores = ops.reshape(ops.stop_gradient(scores), (-1, number))
    columns = ops.concatenate([boxes, labels[..., None]], axis=-1)
    columns = ops.transpose(ops.reshape(ops.stop_gradient(columns), (-1, number, 5)), (2, 0, 1))
    alive = scores > float("-inf")  # False for NaN as well
    if score_threshold is not None:
        alive = alive & (scores >= score_threshold)
    order = ops.argsort(ops.where(alive, -scores, float("inf")), axis=1)
    alive = ops.sum(ops.cast(alive, "int32"), axis=1)
    block = _split(number)
    columns = _pad(_gather(columns, order), block)
    kept = _keep(columns, alive, overlap, threshold, max_output, block)
    found = ops.take_along_axis(order, ops.minimum(kept, number - 1), axis=1)
    return ops.reshape(ops.where(kept < number, found, -1), (*leading, max_output))


def overlap(first, second):
    """Compute the IoU of columns of boxes; two empty boxes do not overlap."""
    intersection, union = intersection_and_union(first, second)
    # Two empty boxes: 0 / 0 would be NaN, which OpenVINO takes for greater than a threshold.
    return intersection / ops.maximum(union, SMALLEST_AREA)


def intersection_and_union(first, second):
    """Compute both areas of columns of boxes; where they do not meet, the first may be below 0."""
    width = ops.minimum(first[2], second[2]) - ops.maximum(first[0], second[0])
    height = ops.minimum(first[3], second[3]) - ops.maximum(first[1], second[1])
    intersection = ops.maximum(width, 0.0) * height
    return intersection, _area(first) + _area(second) - intersection


def _overlap_within_label(first, second):
    return ops.where(first[4] == second[4], overlap(first, second), 0.0)


def _area(box):
    return ops.maximum(box[2] - box[0], 0.0) * ops.maximum(box[3] - box[1], 0.0)


def _check(boxes, scores, labels, max_output):
    shapes = tuple(boxes.shape[:-1]), tuple(scores.shape), tuple(labels.shape)
    if len(set(shapes)) > 1 or not shapes[0]:
        raise ValueError(
            "boxes must be (..., N, 4), scores and labels (..., N); got "
            f"{tuple(boxes.shape)}, {shapes[1]} and {shapes[2]}. "
            "Do the scores still carry their class axis?"
        )
    if max_output < 1:
        raise ValueError(f"max_output must be at least 1; got {max_output}.")


def _gather(columns, index):
    """Pick `index` (B, T) from columns (5, B, N) -> (5, B, T)."""
    number = columns.shape[2]
    rows = ops.arange(ops.shape(index)[0], dtype="int32")[:, None] * number
    return ops.take(ops.reshape(columns, (5, -1)), rows + index, axis=1)


def _split(number):
    """Size of equal blocks for N boxes, at most BLOCK."""
    return -(-number // -(-number // BLOCK))


def _pad(columns, block):
    """Fill columns (5, B, N) up to whole blocks and one place more with boxes that are nowhere."""
    missing = -columns.shape[2] % block + 1
    nowhere = ops.reshape(ops.convert_to_tensor(NOWHERE, "float32"), (5, 1, 1))
    nowhere = ops.broadcast_to(nowhere, (5, ops.shape(columns)[1], missing))
    return ops.concatenate([columns, nowhere], axis=2)


def _keep(columns, alive, overlap, threshold, max_output, block):
    """Select among boxes sorted by score.

    Args:
        columns: (5, B, P) float32, padded; alive: (B,) int32, how many of each row take part.
    Returns: (B, max_output) int32 places in the sorted order; P - 1 fills up.
    """
    padded, batch = columns.shape[2], ops.shape(alive)[0]
    chunk = min(CHUNK, max_output)
    width = -(-max_output // chunk) * chunk
    rows = ops.arange(batch, dtype="int32")[:, None] * width
    within = ops.arange(block, dtype="int32")

    def unfinished(start, count, kept):
        return ops.any((start < alive) & (count < max_output))

    def take_block(start, count, kept):
        boxes = ops.take(columns, start + within, axis=2)
        second = [boxes[i][:, None, :] for i in range(5)]

        def more(place, hit):
            return place < ops.max(count)

        def compare(place, hit):
            chosen = ops.take(
                ops.reshape(kept[:-1], (-1, width)), place + ops.arange(chunk), axis=1
            )
            earlier = _gather(columns, chosen)
            first = [earlier[i][:, :, None] for i in range(5)]
            worst = ops.max(overlap(first, second), axis=1)
            return place + chunk, hit | (worst > threshold)

        hit = second[0][:, 0, :] > float("inf")
        hit = ops.while_loop(more, compare, (0, hit))[1]
        first = [boxes[i][:, :, None] for i in range(5)]
        eligible = (start + within < alive[:, None]) & ~hit
        stay = _stay(overlap(first, second) > threshold, eligible)
        rank = ops.cumsum(ops.cast(stay, "int32"), axis=1)
        place = count[:, None] + rank - 1
        slot = ops.where(stay & (place < max_output), rows + place, batch * width)
        values = ops.broadcast_to(start + within, ops.shape(slot))
        kept = ops.scatter_update(kept, ops.reshape(slot, (-1, 1)), ops.reshape(values, (-1,)))
        return start + block, ops.minimum(count + rank[:, -1], max_output), kept

    kept = ops.full((batch * width + 1,), padded - 1, dtype="int32")  # the last slot is a bin
    kept = ops.while_loop(unfinished, take_block, (0, alive * 0, kept))[2]
    return ops.reshape(kept[:-1], (-1, width))[:, :max_output]


def _stay(suppresses, eligible):
    """Settle the greedy loop among T boxes sorted by score.

    A box stays if nobody before it who stays suppresses it. Starting from "all stay", each pass
    makes at least one more leading decision final; it ends when nothing changes.

    Args:
        suppresses: (B, T, T) bool, row suppresses column; eligible: (B, T) bool.
    Returns: (B, T) bool.
    """
    place = ops.arange(suppresses.shape[1], dtype="int32")
    earlier = ops.cast(suppresses & (place[:, None] < place), "float32")

    def changing(stay, before):
        return ops.any(stay != before)

    def decide(stay, before):
        # A product of matrices counts the suppressors; it is the quickest "any" there is.
        hits = ops.matmul(ops.cast(stay[:, None, :], "float32"), earlier)[:, 0, :]
        return eligible & (hits == 0), stay

    return ops.while_loop(changing, decide, (eligible, ~eligible))[0]
