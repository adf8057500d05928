"""Fast R-CNN: one pass of the backbone, and a look at each proposal's features.

Letters: B images, H and W the network's input in pixels, P proposals, M padded boxes, C classes.
"""

import keras
from keras import ops

from zoo.layers import BoxHead, class_probabilities
from zoo.models.loss_metrics import update_loss_metrics
from zoo.models.proposal_detector import ProposalDetector


@keras.saving.register_keras_serializable(package="zoo")
class FastRCNN(ProposalDetector):
    """Fast R-CNN (Girshick 2015), whose regions come from outside the network.

    Args:
        proposer: of `ProposalDetector`.
        backbone: a layer from (B, H, W, 3) to a list of feature maps, the last of which is used.
        region_sampler: a `RegionSampler`.
        roi_crop: a `RoICrop`; the paper's pools.
        roi_loss: a `RoILoss`.
        decoder: a `RoIDecoder`.
        head_units: of the two hidden layers.
        seed: of the random samples.
        **kwargs: of `Task`.
    """

    def __init__(
        self,
        *,
        backbone,
        region_sampler,
        roi_crop,
        roi_loss,
        decoder,
        head_units=4096,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.region_sampler = region_sampler
        self.roi_crop = roi_crop
        self.roi_loss = roi_loss
        self.decoder = decoder
        self.head_units = head_units
        self.seed = seed
        self.sampling_seed = keras.random.SeedGenerator(seed)
        self.box_head = BoxHead(
            self.num_classes, head_units, dtype=self.dtype_policy, name="box_head"
        )
        self.loss_metrics = {
            name: keras.metrics.Mean(name=name) for name in ("class_loss", "box_loss")
        }
        self._build_stages((None, *self.image_converter.image_size, 3))

    def _build_stages(self, input_shape):
        if not self.backbone.built:
            self.backbone.build(input_shape)
        channels = self.backbone.compute_output_shape(input_shape)[-1][-1]
        self.box_head.build((None, None, *self.roi_crop.output_size, channels))
        self.built = True

    def call(self, inputs, training=False):
        """Return features and proposals, and detections unless training.

        Args:
            inputs: a dict of `images` (B, H, W, 3), 0..255, any dtype, and `proposals` (B, P, 4)
                xyxy fractions of the network's input, 0 in padding.
        Returns: a dict of `features` (B, h, w, channels) and `proposals`, and of what `RoIDecoder`
            returns.
        """
        features = self.backbone(self.normalize(inputs["images"]), training=training)[-1]
        proposals = ops.cast(inputs["proposals"], "float32")
        outputs = {"features": features, "proposals": proposals}
        if not training:
            regions = self.box_head(self._crop(features, proposals))
            scores = class_probabilities(regions["class_logits"])
            scores = ops.take_along_axis(scores, self._first_alike(features, proposals), axis=1)
            outputs |= self.decoder(scores, regions["box_deltas"], proposals)
        return outputs

    def _first_alike(self, features, rois):
        size = self.image_converter.image_size
        return self.roi_crop.first_alike(features, rois, image_size=size)[..., None]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Sample regions, update the training metrics and return the scalar loss.

        Args:
            y: a dict of `boxes` (B, M, 4) xyxy fractions and `labels` (B, M) int, -1 for padding.
            y_pred: what `call` returned.
        """
        # Held-out pictures are sampled alike each time, and leave training's random stream alone.
        seed = self.sampling_seed if training else self.seed
        regions = self.region_sampler(y_pred["proposals"], y["boxes"], y["labels"], seed)
        crops = self._crop(y_pred["features"], regions["rois"])
        losses = self.roi_loss(regions, self.box_head(crops))
        update_loss_metrics(self.loss_metrics, losses, ops.shape(y_pred["proposals"])[0])
        return losses["class_loss"] + losses["box_loss"]

    def _crop(self, features, rois):
        return self.roi_crop([features], rois, image_size=self.image_converter.image_size)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "backbone": serialize(self.backbone),
            "region_sampler": serialize(self.region_sampler),
            "roi_crop": serialize(self.roi_crop),
            "roi_loss": serialize(self.roi_loss),
            "decoder": serialize(self.decoder),
            "head_units": self.head_units,
            "seed": self.seed,
        }
