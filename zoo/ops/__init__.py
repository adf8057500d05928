"""Pure functions on `keras.ops`: boxes, anchors, suppression, RoI crops, masks, transposed maps.

They hold on every backend, compute in float32, keep static shapes, and run eagerly as well as
inside `tf.function` and `jax.jit`.
"""

from zoo.ops.anchors import prior_boxes
from zoo.ops.boxes import box_area, clip_boxes, convert_boxes
from zoo.ops.coding import decode_boxes, encode_boxes
from zoo.ops.iou import pairwise_iou
from zoo.ops.levels import assign_levels
from zoo.ops.masks import crop_masks
from zoo.ops.matching import match_anchors
from zoo.ops.roi_align import multilevel_roi_align, roi_align
from zoo.ops.roi_pool import roi_cells, roi_pool
from zoo.ops.sampling import balanced_sample, hard_negative_mask
from zoo.ops.style import gram_matrix, total_variation
from zoo.ops.suppression import batched_nms, nms
from zoo.ops.transposed import bilinear_kernel, conv_matrix, transposed_conv

__all__ = [
    "assign_levels",
    "balanced_sample",
    "batched_nms",
    "bilinear_kernel",
    "box_area",
    "clip_boxes",
    "conv_matrix",
    "convert_boxes",
    "crop_masks",
    "decode_boxes",
    "encode_boxes",
    "gram_matrix",
    "hard_negative_mask",
    "match_anchors",
    "multilevel_roi_align",
    "nms",
    "pairwise_iou",
    "prior_boxes",
    "roi_align",
    "roi_cells",
    "roi_pool",
    "total_variation",
    "transposed_conv",
]
