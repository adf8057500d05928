"""The book's functions of sections 13.3 to 13.7: boxes, anchors and what is predicted for them.

Shapes: B pictures, A anchors, M boxes, C classes; boxes are (A, 4) xyxy.
"""

from keras import ops

from zoo.ops.anchors import prior_boxes
from zoo.ops.boxes import convert_boxes, to_float32_boxes
from zoo.ops.suppression import greedy_suppression, intersection_and_union


def box_corner_to_center(boxes):
    """Convert (left, top, right, bottom) into (centre x, centre y, width, height).

    Args:
        boxes: (..., 4) float.
    Returns: (..., 4) float32.
    """
    return convert_boxes(boxes, "xyxy", "cxcywh")


def box_center_to_corner(boxes):
    """Convert (centre x, centre y, width, height) into (left, top, right, bottom).

    Args:
        boxes: (..., 4) float.
    Returns: (..., 4) float32.
    """
    return convert_boxes(boxes, "cxcywh", "xyxy")


def multibox_prior(data, sizes, ratios):
    """Make anchor boxes centred on every pixel.

    Args:
        data: (B, channels, height, width), as the book has it; only the shape is read.
        sizes, ratios: lists of numbers.
    Returns: (1, height * width * (len(sizes) + len(ratios) - 1), 4) float32 fractions.
    """
    height, width = data.shape[-2:]
    return prior_boxes(height, width, sizes, ratios)[None]


def box_iou(boxes1, boxes2):
    """Compute the IoU of all pairs.

    As the book: 0 / 0 for two empty boxes, hence NaN (`zoo.ops.pairwise_iou` gives 0).

    Args:
        boxes1: (N, 4) float; boxes2: (M, 4) float.
    Returns: (N, M) float32.
    """
    first, second = to_float32_boxes(boxes1), to_float32_boxes(boxes2)
    areas = [(b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1]) for b in (first, second)]
    first, second = first[..., :, None, :], second[..., None, :, :]
    upper_left = ops.maximum(first[..., :2], second[..., :2])
    lower_right = ops.minimum(first[..., 2:], second[..., 2:])
    sides = ops.maximum(lower_right - upper_left, 0.0)
    intersection = sides[..., 0] * sides[..., 1]
    return intersection / (areas[0][..., :, None] + areas[1][..., None, :] - intersection)


def assign_anchor_to_bbox(ground_truth, anchors, device=None, iou_threshold=0.5):
    """Assign the closest ground-truth boxes to anchors.

    As the book: every row of `ground_truth` takes an anchor, even one that overlaps nothing or is
    padding (`zoo.ops.match_anchors` never matches an IoU of 0).
    Deviation: the book finds the anchor with a float32 division, which errs beyond 2**24 pairs.

    Args:
        ground_truth: (M, 4) float; anchors: (A, 4) float.
        device: unused; the book's third argument.
        iou_threshold: an anchor takes a box it overlaps by at least so much.
    Returns: (A,) int32 index of the box, -1 for none.
    """
    return _assign(box_iou(anchors, ground_truth)[None], iou_threshold)[0]


def offset_boxes(anchors, assigned_bb, eps=1e-6):
    """Code boxes as offsets from anchors (see also `zoo.ops.encode_boxes`).

    Args:
        anchors, assigned_bb: (A, 4) float.
        eps: added to the relative size.
    Returns: (A, 4) float32.
    """
    anchors, boxes = box_corner_to_center(anchors), box_corner_to_center(assigned_bb)
    offset_xy = 10 * (boxes[..., :2] - anchors[..., :2]) / anchors[..., 2:]
    offset_wh = 5 * ops.log(eps + boxes[..., 2:] / anchors[..., 2:])
    return ops.concatenate([offset_xy, offset_wh], axis=-1)


def multibox_target(anchors, labels):
    """Label anchors with class and offset.

    As the book: a padding row (class -1) takes an anchor; its class becomes 0, background, but its
    mask is 1 and its offsets lead to the padding.

    Args:
        anchors: (1, A, 4) float.
        labels: (B, M, 5) float: class 0.., then the box.
    Returns: offsets (B, 4 A) float32, mask (B, 4 A) float32, classes (B, A) int32 with background
        0 and class c as c + 1.
    """
    anchors, labels = ops.cast(anchors, "float32")[0], ops.cast(labels, "float32")
    matches = _assign(box_iou(anchors, labels[..., 1:]), 0.5)
    positive = matches >= 0
    assigned = ops.where(positive[..., None], _pick_rows(labels, matches), 0.0)
    classes = ops.where(positive, ops.cast(assigned[..., 0], "int32") + 1, 0)
    mask = ops.repeat(ops.cast(positive, "float32"), 4, axis=1)
    offsets = offset_boxes(anchors, assigned[..., 1:])
    return ops.reshape(offsets, ops.shape(mask)) * mask, mask, classes


def offset_inverse(anchors, offset_preds):
    """Turn predicted offsets into boxes (see also `zoo.ops.decode_boxes`).

    Args:
        anchors, offset_preds: (A, 4) float.
    Returns: (A, 4) float32.
    """
    anchors = box_corner_to_center(anchors)
    offset_preds = to_float32_boxes(offset_preds, "offset_preds")
    centre = (offset_preds[..., :2] * anchors[..., 2:] / 10) + anchors[..., :2]
    size = ops.exp(offset_preds[..., 2:] / 5) * anchors[..., 2:]
    return box_center_to_corner(ops.concatenate([centre, size], axis=-1))


def nms(boxes, scores, iou_threshold):
    """Keep the best-scored of boxes that overlap (see also `zoo.ops.nms`).

    Runs eagerly only: how many boxes it returns depends on the data.

    Args:
        boxes: (A, 4) float; scores: (A,) float.
        iou_threshold: a box stays if its IoU with every kept one is at most this.
    Returns: (kept,) int32 indices by falling score.
    """
    kept = _nms(boxes, ops.cast(scores, "float32"), iou_threshold)
    return kept[: int(ops.sum(ops.cast(kept >= 0, "int32")))]


def multibox_detection(
    cls_probs, offset_preds, anchors, nms_threshold=0.5, pos_threshold=0.009999999
):
    """Predict boxes: decode, suppress, label.

    As the book: suppression ignores the classes (`zoo.ops.batched_nms` does not), and a box below
    `pos_threshold` is reported with one minus its score.

    Args:
        cls_probs: (B, C + 1, A) float, background first.
        offset_preds: (B, 4 A) float; anchors: (1, A, 4) float.
        nms_threshold: see `nms`; pos_threshold: a lower score makes a box background.
    Returns: (B, A, 6) float32 rows (class or -1, score, box): the kept ones by falling score, then
        the suppressed ones in the anchors' order.
    """
    cls_probs = ops.cast(cls_probs, "float32")[:, 1:]
    scores, classes = ops.max(cls_probs, axis=1), ops.argmax(cls_probs, axis=1)
    number = scores.shape[1]
    offsets = ops.reshape(ops.cast(offset_preds, "float32"), (-1, number, 4))
    boxes = offset_inverse(ops.cast(anchors, "float32")[0], offsets)
    kept = _nms(boxes, scores, nms_threshold)
    order = _kept_first(kept)
    survives = kept >= 0  # the kept ones come first, so this is in the final order
    rows = ops.concatenate([ops.cast(classes, "float32")[..., None], scores[..., None], boxes], -1)
    rows = _pick_rows(rows, order)
    scores = rows[..., 1]
    below = scores < pos_threshold
    classes = ops.where(survives & ~below, rows[..., 0], -1.0)
    scores = ops.where(below, 1 - scores, scores)
    return ops.concatenate([classes[..., None], scores[..., None], rows[..., 2:]], axis=-1)


def _assign(iou, iou_threshold):
    """The book's loop for a batch: (B, A, M) IoU -> (B, A) int32 index of the box, or -1."""
    number, size = iou.shape[1:]
    undefined = ops.isnan(iou)  # the largest value to the book's argmax, but above no threshold
    iou = ops.where(undefined, float("inf"), iou)
    assigned = (ops.max(iou, axis=2) >= iou_threshold) & ~ops.any(undefined, axis=2)
    matches = ops.where(assigned, ops.cast(ops.argmax(iou, axis=2), "int32"), -1)
    anchors, boxes = ops.arange(number, dtype="int32"), ops.arange(size, dtype="int32")
    for _ in range(size):
        best = ops.cast(ops.argmax(ops.reshape(iou, (-1, number * size)), axis=1), "int32")
        box, row = (best % size)[:, None], anchors == (best // size)[:, None]
        matches = ops.where(row, box, matches)
        iou = ops.where(row[:, :, None] | (boxes == box)[:, None, :], -1.0, iou)
    return matches


def _overlap(first, second):
    """The book suppresses where not (IoU <= threshold), so also where the IoU is 0 / 0."""
    intersection, union = intersection_and_union(first, second)
    iou = intersection / union
    return ops.where(ops.isnan(iou), float("inf"), iou)


def _nms(boxes, scores, iou_threshold):
    """Suppress among all boxes -> (..., A) int32, -1 padded."""
    return greedy_suppression(boxes, scores, _overlap, iou_threshold, scores.shape[-1])


def _kept_first(kept):
    """Complete kept indices (B, A), -1 padded, by the others in rising order."""
    batch, number = ops.shape(kept)[0], kept.shape[1]
    place = ops.arange(number, dtype="int32") + kept * 0
    rows = ops.arange(batch, dtype="int32")[:, None] * number
    slot = ops.where(kept >= 0, rows + kept, batch * number)  # the last slot is a bin
    rank = ops.concatenate([ops.reshape(place + number, (-1,)), ops.zeros((1,), "int32")], axis=0)
    rank = ops.scatter_update(rank, ops.reshape(slot, (-1, 1)), ops.reshape(place, (-1,)))
    return ops.argsort(ops.reshape(rank[:-1], (-1, number)), axis=1)


def _pick_rows(rows, index):
    """Pick rows (B, N, F) by index (B, A); -1 picks some row."""
    return ops.take_along_axis(rows, ops.maximum(index, 0)[..., None], axis=1)
