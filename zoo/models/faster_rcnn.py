"""Faster R-CNN: a network proposes regions, a second stage says what they are.

Letters: B images, H and W the network's input in pixels, A anchors, K proposals, M padded boxes, N
regions sampled for the second stage, C classes.
"""

import keras
from keras import ops

from zoo.layers import BoxHead, RPNHead, class_probabilities
from zoo.models.detector import Detector
from zoo.models.loss_metrics import update_loss_metrics
from zoo.ops import balanced_sample


@keras.saving.register_keras_serializable(package="zoo")
class FasterRCNN(Detector):
    """Faster R-CNN (Ren 2015), on one feature level or on a pyramid (Lin 2017).

    Args:
        backbone: a layer from (B, H, W, 3) to a list of feature maps, with `strides`.
        anchors: a `RegionAnchors` for its levels.
        rpn_encoder: a `LabelEncoder`, ground truth to the anchors' targets.
        proposal_decoder: a `ProposalDecoder`.
        region_sampler: a `RegionSampler`.
        roi_crop: a `RoICrop`, the second stage's look at the features.
        rpn_loss, roi_loss: an `RPNLoss` and a `RoILoss`.
        decoder: a `RoIDecoder`.
        rpn_samples, rpn_positive_fraction: anchors of a picture that the first stage learns from,
            and the largest share of positives among them.
        rpn_channels: of the first stage's 3x3 convolution; None: those of the features.
        head_units: of the second stage's hidden layers.
        roi_levels: how many levels, from the finest, the second stage sees; None: all.
        seed: of the random samples.
        **kwargs: of `Task`.
    """

    loss_names = ("rpn_class_loss", "rpn_box_loss", "class_loss", "box_loss")

    def __init__(
        self,
        *,
        backbone,
        anchors,
        rpn_encoder,
        proposal_decoder,
        region_sampler,
        roi_crop,
        rpn_loss,
        roi_loss,
        decoder,
        rpn_samples=256,
        rpn_positive_fraction=0.5,
        rpn_channels=None,
        head_units=1024,
        roi_levels=None,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.region_anchors = anchors
        self.rpn_encoder = rpn_encoder
        self.proposal_decoder = proposal_decoder
        self.region_sampler = region_sampler
        self.roi_crop = roi_crop
        self.rpn_loss = rpn_loss
        self.roi_loss = roi_loss
        self.decoder = decoder
        self.rpn_samples = rpn_samples
        self.rpn_positive_fraction = rpn_positive_fraction
        self.rpn_channels = rpn_channels
        self.head_units = head_units
        self.roi_levels = roi_levels
        self.seed = seed
        self.sampling_seed = keras.random.SeedGenerator(seed)
        self.rpn_head = RPNHead(
            anchors.anchors_per_cell, rpn_channels, dtype=self.dtype_policy, name="rpn_head"
        )
        self.box_head = BoxHead(
            self.num_classes, head_units, dtype=self.dtype_policy, name="box_head"
        )
        self.loss_metrics = {name: keras.metrics.Mean(name=name) for name in self.loss_names}
        self._build_stages((None, *self.image_converter.image_size, 3))

    def _build_stages(self, input_shape):
        """Build all layers; not in `build`, behind which a subclass could not add any."""
        if not self.backbone.built:
            self.backbone.build(input_shape)
        shapes = self.backbone.compute_output_shape(input_shape)
        levels = self.region_anchors(
            [shape[1:3] for shape in shapes], self.backbone.strides, input_shape[1:3]
        )
        self.anchors = ops.convert_to_numpy(ops.concatenate(levels, axis=0))
        self.level_sizes = [len(level) for level in levels]
        self.rpn_head.build(shapes)
        self.feature_channels = shapes[0][-1]
        crops = (None, None, *self.roi_crop.output_size, self.feature_channels)
        self.box_head.build(crops)
        self.built = True

    def build(self, input_shape):
        """Nothing is left to build; Keras asks when it opens a file."""

    def call(self, images, training=False):
        """Return features, anchors' answers and proposals, and detections unless training.

        Args:
            images: (B, H, W, 3), 0..255, any dtype.
        Returns: a dict of `features`, the list of levels that the second stage sees; `rpn`, what
            `RPNHead` returns; `proposals` (B, K, 4) xyxy fractions, 0 in padding; and of what
            `RoIDecoder` returns.
        """
        features = self.backbone(self.normalize(images), training=training)
        rpn = self.rpn_head(features)
        proposals = self.proposal_decoder(
            rpn["objectness"], rpn["deltas"], self.anchors, self.level_sizes, training=training
        )
        outputs = {"features": features[: self.roi_levels], "rpn": rpn, "proposals": proposals}
        if not training:
            regions = self.box_head(self.crop(self.roi_crop, outputs["features"], proposals))
            scores = class_probabilities(regions["class_logits"])
            outputs |= self.decoder(scores, regions["box_deltas"], proposals)
        return outputs

    def crop(self, roi_crop, features, rois):
        """Crop regions (B, R, 4), xyxy fractions, by a `RoICrop`."""
        return roi_crop(features, rois, image_size=self.image_converter.image_size)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Sample anchors and regions, update the training metrics and return the scalar loss.

        The second stage runs here, on the features that `call` returned: what it learns from are
        regions chosen by the labels.

        Args:
            y: a dict of `boxes` (B, M, 4) xyxy fractions and `labels` (B, M) int, -1 for padding.
            y_pred: what `call` returned.
        """
        # Held-out pictures are sampled alike each time, and leave training's random stream alone.
        seed = self.sampling_seed if training else self.seed
        losses = self._rpn_losses(y, y_pred["rpn"], seed)
        regions = self.region_sampler(y_pred["proposals"], y["boxes"], y["labels"], seed)
        losses |= self._region_losses(y, y_pred["features"], regions)
        update_loss_metrics(self.loss_metrics, losses, ops.shape(y_pred["proposals"])[0])
        return sum(losses.values())

    def _rpn_losses(self, y, rpn, seed):
        targets = self.rpn_encoder(y["boxes"], y["labels"], self.anchors)
        sampled = balanced_sample(
            targets["positives"],
            targets["negatives"],
            num_samples=self.rpn_samples,
            positive_fraction=self.rpn_positive_fraction,
            seed=seed,
        )
        return self.rpn_loss(targets, sampled, rpn)

    def _region_losses(self, y, features, regions):
        crops = self.crop(self.roi_crop, features, regions["rois"])
        return self.roi_loss(regions, self.box_head(crops))

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "backbone": serialize(self.backbone),
            "anchors": serialize(self.region_anchors),
            "rpn_encoder": serialize(self.rpn_encoder),
            "proposal_decoder": serialize(self.proposal_decoder),
            "region_sampler": serialize(self.region_sampler),
            "roi_crop": serialize(self.roi_crop),
            "rpn_loss": serialize(self.rpn_loss),
            "roi_loss": serialize(self.roi_loss),
            "decoder": serialize(self.decoder),
            "rpn_samples": self.rpn_samples,
            "rpn_positive_fraction": self.rpn_positive_fraction,
            "rpn_channels": self.rpn_channels,
            "head_units": self.head_units,
            "roi_levels": self.roi_levels,
            "seed": self.seed,
        }
