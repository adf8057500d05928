"""YOLO: one grid of cells, one look at the picture.

Letters: B images, S x S cells, Q = S * S, N boxes a cell, C classes, M padded boxes.
"""

import keras
from keras import ops

from zoo.layers.yolo_head import YOLOHead
from zoo.models.detector import Detector
from zoo.models.loss_metrics import update_loss_metrics


@keras.saving.register_keras_serializable(package="zoo")
class YOLO(Detector):
    """YOLO v1 (Redmon 2016): the cell in which an object's centre lies predicts its box.

    Args:
        backbone: a layer from (B, H, W, 3) to a list of feature maps, the last of which is used.
        coder: a `CellCoder`; the head's cells must be its grid.
        loss: a `YOLOLoss`.
        decoder: a `CellDecoder`, predictions to detections.
        boxes_per_cell: N.
        head_channels, head_strides: of `YOLOHead`.
        **kwargs: of `Task`.
    """

    def __init__(
        self,
        *,
        backbone,
        coder,
        loss,
        decoder,
        boxes_per_cell=2,
        head_channels=512,
        head_strides=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.coder = coder
        self.detection_loss = loss
        self.decoder = decoder
        self.boxes_per_cell = boxes_per_cell
        self.head_channels = head_channels
        self.head_strides = head_strides
        self.head = YOLOHead(
            self.num_classes,
            boxes_per_cell,
            head_channels,
            head_strides,
            dtype=self.dtype_policy,
            name="head",
        )
        self.loss_metrics = {
            name: keras.metrics.Mean(name=name)
            for name in ("box_loss", "confidence_loss", "class_loss")
        }
        self.build((None, *self.image_converter.image_size, 3))

    def build(self, input_shape):
        if self.built:  # by `__init__`; Keras asks again when it opens a file
            return
        if not self.backbone.built:
            self.backbone.build(input_shape)
        self.head.build(self.backbone.compute_output_shape(input_shape)[-1])
        if self.head.cells != self.coder.grid**2:
            raise ValueError(
                f"the head has {self.head.cells} cells where the grid has {self.coder.grid} x "
                f"{self.coder.grid}. Does image_size fit the backbone's stride?"
            )
        self.built = True

    def call(self, images, training=False):
        """Return what each cell says, and detections unless training.

        Args:
            images: (B, H, W, 3), 0..255, any dtype.
        Returns: a dict of what `YOLOHead` returns, and of what `CellDecoder` returns.
        """
        outputs = self.head(self.backbone(self.normalize(images), training=training)[-1])
        if not training:
            boxes = self.coder.decode(outputs["cell_boxes"])
            outputs |= self.decoder(boxes, outputs)
        return outputs

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Give the objects to their cells and return the scalar loss.

        Args:
            y: a dict of `boxes` (B, M, 4) xyxy fractions and `labels` (B, M) int, -1 for padding.
            y_pred: what `call` returned.
        """
        targets = self.coder.encode(y["boxes"], y["labels"])
        boxes = self.coder.decode(y_pred["cell_boxes"])
        losses = self.detection_loss(targets, y_pred, boxes)
        update_loss_metrics(self.loss_metrics, losses, ops.shape(boxes)[0])
        return losses["box_loss"] + losses["confidence_loss"] + losses["class_loss"]

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "backbone": serialize(self.backbone),
            "coder": serialize(self.coder),
            "loss": serialize(self.detection_loss),
            "decoder": serialize(self.decoder),
            "boxes_per_cell": self.boxes_per_cell,
            "head_channels": self.head_channels,
            "head_strides": self.head_strides,
        }
