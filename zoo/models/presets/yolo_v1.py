"""YOLO v1 (Redmon 2016) on any backbone of zoo."""

from zoo.backbones import create_backbone
from zoo.layers import ImageConverter, Normalize
from zoo.layers.cell_coder import CellCoder
from zoo.layers.cell_decoder import CellDecoder
from zoo.losses.yolo import YOLOLoss
from zoo.models.presets.sizes import height_width
from zoo.models.yolo import YOLO


def yolo_v1(
    class_names,
    *,
    image_size=448,
    resize="resize",
    grid=7,
    boxes_per_cell=2,
    backbone="resnet18",
    backbone_weights=None,
    level="c5",
    freeze=0,
    head_channels=512,
    loss=None,
    dtype=None,
    **decoder,
) -> YOLO:
    """Build YOLO v1: a grid of 7x7 cells, each with two boxes and one class.

    Deviation: the backbone is one of zoo's, where the paper has a network of its own of 24
    convolutions, for which nobody publishes ImageNet weights in a form that zoo reads.

    Args:
        class_names: the names of labels 0..C-1.
        image_size: side of the network's input in pixels.
        resize: how pictures are fitted, "resize" or "letterbox".
        grid: S; the backbone's level must have S or 2 S cells a side.
        boxes_per_cell: N.
        backbone: one of `zoo.backbones.list_backbones()`, or a layer giving feature maps.
        backbone_weights: None for fresh ones, or "imagenet" where a package carries them.
        level: of the backbone; "c4", twice as fine, for small objects.
        freeze: how many of the backbone's stages do not train.
        head_channels: of the head's 3x3 convolutions.
        loss: None: `YOLOLoss`.
        dtype: the dtype policy; None: Keras' global one.
        **decoder: of `CellDecoder`, such as `score_threshold`.
    Raises: ValueError if the grid does not fit the backbone and the image size.
    """
    size = height_width(image_size)
    if isinstance(backbone, str):
        backbone = create_backbone(
            backbone, levels=(level,), weights=backbone_weights, freeze=freeze, dtype=dtype
        )
    cells = backbone.compute_output_shape((None, *size, 3))[-1][1:3]
    if set(cells) not in ({grid}, {2 * grid}):
        raise ValueError(
            f"grid must be the cells of the backbone's level or half of them; it has "
            f"{cells[0]}x{cells[1]} at {size[0]}x{size[1]} pixels; got {grid}."
        )
    return YOLO(
        backbone=backbone,
        coder=CellCoder(grid),
        loss=loss if loss is not None else YOLOLoss(),
        decoder=CellDecoder(**decoder),
        boxes_per_cell=boxes_per_cell,
        head_channels=head_channels,
        head_strides=cells[0] // grid,
        image_converter=ImageConverter(size, mode=resize),
        normalize=Normalize(**backbone.normalization, dtype=dtype, name="normalize"),
        class_names=class_names,
        dtype=dtype,
        name="yolo_v1",
    )
