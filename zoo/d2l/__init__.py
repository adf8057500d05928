"""The functions of Dive into Deep Learning, sections 13.3 to 13.12, under their own names.

They take the book's arguments and return the book's shapes and values, on the running backend, so
that a reader can hold a cell of the book against them. That includes what the book does with odd
input; each such place says "As the book" and names the function of `zoo.ops` that is right. New
code should use `zoo.ops`.
Reference: Zhang, Lipton, Li, Smola: Dive into Deep Learning (PyTorch).
"""

from zoo.d2l.detection import (
    assign_anchor_to_bbox,
    box_center_to_corner,
    box_corner_to_center,
    box_iou,
    multibox_detection,
    multibox_prior,
    multibox_target,
    nms,
    offset_boxes,
    offset_inverse,
)
from zoo.d2l.segmentation import (
    bilinear_kernel,
    kernel2matrix,
    trans_conv,
    voc_colormap2label,
    voc_label_indices,
    voc_rand_crop,
)
from zoo.d2l.style import (
    content_loss,
    gram,
    style_loss,
    tv_loss,
)

__all__ = [
    "assign_anchor_to_bbox",
    "bilinear_kernel",
    "box_center_to_corner",
    "box_corner_to_center",
    "box_iou",
    "content_loss",
    "gram",
    "kernel2matrix",
    "multibox_detection",
    "multibox_prior",
    "multibox_target",
    "nms",
    "offset_boxes",
    "offset_inverse",
    "style_loss",
    "trans_conv",
    "tv_loss",
    "voc_colormap2label",
    "voc_label_indices",
    "voc_rand_crop",
]
