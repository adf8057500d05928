"""Mask R-CNN: Faster R-CNN that also draws what it finds.

Letters: B images, M padded boxes, (H, W) the network's input, P regions that may be positive, K
detections, (m, m) a predicted mask, C classes.
"""

from dataclasses import replace

import keras
from keras import ops

from zoo.layers import MaskHead
from zoo.mask_paste import paste_masks
from zoo.models.faster_rcnn import FasterRCNN
from zoo.ops import crop_masks


@keras.saving.register_keras_serializable(package="zoo")
class MaskRCNN(FasterRCNN):
    """Mask R-CNN (He 2017): a third branch predicts a mask of each class on each region.

    It learns on positive regions only and, at inference, looks at the final detections.

    Args:
        mask_crop: a `RoICrop`, finer than the boxes'.
        mask_loss: a `MaskLoss`.
        mask_channels, mask_depth: the branch's convolutions.
        **kwargs: of `FasterRCNN`.
    """

    loss_names = (*FasterRCNN.loss_names, "mask_loss")
    result_keys = (*FasterRCNN.result_keys, "masks")
    result_kinds = ("boxes", "masks")

    def __init__(self, *, mask_crop, mask_loss, mask_channels=256, mask_depth=4, **kwargs):
        super().__init__(**kwargs)
        self.mask_crop = mask_crop
        self.mask_loss = mask_loss
        self.mask_channels = mask_channels
        self.mask_depth = mask_depth
        self.mask_head = MaskHead(
            self.num_classes, mask_channels, mask_depth, dtype=self.dtype_policy, name="mask_head"
        )
        self.mask_head.build((None, None, *mask_crop.output_size, self.feature_channels))

    def call(self, images, training=False):
        """Return what `FasterRCNN` does and, unless training, `masks` (B, K, m, m) in 0..1."""
        outputs = super().call(images, training=training)
        if not training:
            logits = self._masks(outputs["features"], outputs["boxes"], outputs["labels"])
            outputs["masks"] = ops.sigmoid(logits)
        return outputs

    def _masks(self, features, rois, labels):
        """Return the logits (B, R, m, m) of the masks of the regions' own classes."""
        logits = self.mask_head(self.crop(self.mask_crop, features, rois))
        labels = ops.maximum(labels, 0)[:, :, None, None, None]
        return ops.take_along_axis(logits, labels, axis=-1)[..., 0]

    def _region_losses(self, y, features, regions):
        losses = super()._region_losses(y, features, regions)
        first = slice(self.region_sampler.max_positives)  # the others are background
        regions = {name: values[:, first] for name, values in regions.items()}
        logits = self._masks(features, regions["rois"], regions["classes"] - 1)
        targets = crop_masks(y["masks"], regions["rois"], regions["rows"], logits.shape[2:])
        drawn = ops.any(ops.cast(y["masks"], "bool"), axis=(2, 3))  # not every object has a mask
        drawn = ops.take_along_axis(drawn, regions["rows"], axis=1)
        positives = ops.logical_and(regions["positives"], drawn)
        return losses | self.mask_loss(targets, logits, positives)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the scalar loss of all branches, as `FasterRCNN` does.

        Args:
            y: what `FasterRCNN` takes, and `masks` (B, M, H, W) uint8 or bool, empty where an
                object has none; uint8 for several replicas.
            y_pred: what `call` returned.
        Raises: ValueError if there are no masks.
        """
        if "masks" not in y:
            raise ValueError(
                f"labels must hold boxes, labels and masks (B, M, H, W); got {sorted(y)}. "
                "Was the pipeline built with masks=True?"
            )
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def _detections(self, outputs, frame):
        found = super()._detections(outputs, frame)
        boxes = self.image_converter.to_picture(outputs["boxes"][: len(found)], frame, clip=False)
        size = (frame.height, frame.width)
        return replace(found, masks=paste_masks(outputs["masks"][: len(found)], boxes, size))

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "mask_crop": serialize(self.mask_crop),
            "mask_loss": serialize(self.mask_loss),
            "mask_channels": self.mask_channels,
            "mask_depth": self.mask_depth,
        }
