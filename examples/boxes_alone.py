"""Use the operations on boxes alone, on the backend that Keras runs on."""

import numpy as np
from keras import ops

import zoo

# Anchors of a 4x4 feature map: two sizes and two ratios make three a cell.
anchors = zoo.ops.prior_boxes(4, 4, sizes=[0.3, 0.5], ratios=[1, 2])
print("anchors", tuple(anchors.shape))  # (48, 4), fractions of the input

# How much each overlaps each object, and which fits the first object best.
objects = np.float32([[0.2, 0.2, 0.5, 0.55], [0.5, 0.4, 0.9, 0.8]])
overlap = zoo.ops.pairwise_iou(anchors, objects)
best = int(ops.argmax(overlap[:, 0]))
print("best anchor", best, "IoU", f"{float(overlap[best, 0]):.2f}")

# What a detector learns for that anchor, and the object again.
anchor = anchors[best : best + 1]
deltas = zoo.ops.encode_boxes(objects[:1], anchor)
decoded = zoo.ops.decode_boxes(deltas, anchor)
print("decoded", ops.convert_to_numpy(decoded)[0])

# The second box lies on the first: indices by falling score, -1 is padding.
boxes = np.float32(
    [[0.1, 0.1, 0.4, 0.4], [0.12, 0.1, 0.4, 0.4], [0.5, 0.4, 0.9, 0.8]],
)
scores = np.float32([0.9, 0.8, 0.7])
kept = zoo.ops.nms(boxes, scores, iou_threshold=0.5, max_output=3)
print("kept", ops.convert_to_numpy(kept).tolist())  # [0, 2, -1]
