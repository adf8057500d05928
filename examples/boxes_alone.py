"""Use the operations on boxes alone, on the backend Keras runs on: anchors, IoU, suppression."""

import numpy as np
from keras import ops

import zoo

# Anchors of a 4x4 feature map: two sizes and two ratios make three a cell, fractions of the input.
anchors = zoo.ops.prior_boxes(4, 4, sizes=[0.3, 0.5], ratios=[1, 2])
print("anchors", tuple(anchors.shape))  # (48, 4)

# How much each anchor overlaps each object, and the anchor that fits the first object best.
objects = np.array([[0.2, 0.2, 0.5, 0.55], [0.5, 0.4, 0.9, 0.8]], "float32")
overlap = zoo.ops.pairwise_iou(anchors, objects)
best = int(ops.argmax(overlap[:, 0]))
print("best anchor", best, "IoU", f"{float(overlap[best, 0]):.2f}")

# What a detector learns for that anchor, and back again.
deltas = zoo.ops.encode_boxes(objects[:1], anchors[best : best + 1])
decoded = zoo.ops.decode_boxes(deltas, anchors[best : best + 1])
print("decoded", ops.convert_to_numpy(decoded)[0])  # the object again

# Three boxes, of which the second lies on the first: indices by falling score, -1 is padding.
boxes = np.array([[0.1, 0.1, 0.4, 0.4], [0.12, 0.1, 0.4, 0.4], [0.5, 0.4, 0.9, 0.8]], "float32")
scores = np.array([0.9, 0.8, 0.7], "float32")
kept = zoo.ops.nms(boxes, scores, iou_threshold=0.5, max_output=3)
print("kept", ops.convert_to_numpy(kept).tolist())  # [0, 2, -1]
