"""R-CNN: each proposal's pixels, warped to one size, go through the backbone.

Letters: B images, H and W the network's input in pixels, P proposals, R regions, s the side of a
crop, M padded boxes, C classes, D features of a region.
"""

import keras
from keras import layers, ops

from zoo.layers import class_probabilities
from zoo.losses.sampled import sample_weights
from zoo.models.proposal_detector import ProposalDetector


@keras.saving.register_keras_serializable(package="zoo")
class RCNN(ProposalDetector):
    """R-CNN (Girshick 2014): a classifier of regions, whose features linear machines read.

    `fit` trains backbone and `classifier`, a softmax over classes and background. On the features
    learnt so, `zoo.training.FitRegionSVMs` fits `svm`, a linear support vector machine a class,
    and `regressor`, a linear map to offsets a class. Until then both are 0, a region scores its
    softmax, and its box is the proposal.

    Args:
        proposer: of `ProposalDetector`.
        backbone: a layer from pictures to a list of feature maps; the mean of the last over its
            cells is a region's features.
        region_sampler: a `RegionSampler`, which chooses what `fit` learns from.
        roi_crop: a `RoICrop` of s x s pixels; what lies outside the picture is its mean.
        decoder: a `RoIDecoder`.
        context: what a crop shows around its region, on each side, in the region's sides.
        regions_at_once: crops of a picture that are held at a time, at inference.
        seed: of the random samples.
        **kwargs: of `Task`.

    Deviation: features are the mean of a map's cells, where the paper takes the answer of a fully
    connected layer, and the boxes' regression its last pooled map.
    """

    def __init__(
        self,
        *,
        backbone,
        region_sampler,
        roi_crop,
        decoder,
        context=16 / 195,
        regions_at_once=64,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.region_sampler = region_sampler
        self.roi_crop = roi_crop
        self.decoder = decoder
        self.context = context
        self.regions_at_once = regions_at_once
        self.seed = seed
        self.sampling_seed = keras.random.SeedGenerator(seed)
        self.classifier = layers.Dense(
            self.num_classes + 1,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            dtype=self.dtype_policy,
            name="classifier",
        )
        self.svm = _machine(self.num_classes, "svm")
        self.regressor = _machine(4 * self.num_classes, "regressor")
        self._class_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._build_stages((None, *self.roi_crop.output_size, 3))

    def _build_stages(self, crop_shape):
        if not self.backbone.built:
            self.backbone.build(crop_shape)
        self.feature_size = self.backbone.compute_output_shape(crop_shape)[-1][-1]
        for layer in (self.classifier, self.svm, self.regressor):
            layer.build((None, None, self.feature_size))
        # No gradient step moves them. Before `build` the flag would not reach their weights.
        self.svm.trainable = self.regressor.trainable = False
        self.built = True

    def call(self, inputs, training=False):
        """Return the proposals, and detections unless training.

        Args:
            inputs: a dict of `images` (B, H, W, 3), 0..255, any dtype, and `proposals` (B, P, 4)
                xyxy fractions of the network's input, 0 in padding.
        Returns: a dict of `proposals`, and of what `RoIDecoder` returns.
        """
        proposals = ops.cast(inputs["proposals"], "float32")
        outputs = {"proposals": proposals}
        if not training:
            features = self.region_features(inputs["images"], proposals)
            deltas = ops.reshape(
                self.regressor(features), (-1, proposals.shape[1], self.num_classes, 4)
            )
            outputs |= self.decoder(self._scores(features), deltas, proposals)
        return outputs

    def region_features(self, images, rois):
        """Return the features (B, R, D) float32 of regions, a few crops at a time.

        Args:
            images: (B, H, W, 3), 0..255, any dtype.
            rois: (B, R, 4) xyxy fractions of the network's input.
        """
        images, number = self.normalize(images), rois.shape[1]
        few = min(self.regions_at_once, number)
        steps = -(-number // few)
        rois = ops.pad(rois, [[0, 0], [0, steps * few - number], [0, 0]])
        parts = ops.transpose(ops.reshape(rois, (-1, steps, few, 4)), (1, 0, 2, 3))
        parts = ops.map(lambda part: self._features(images, part, training=False), parts)
        features = ops.transpose(parts, (1, 0, 2, 3))
        return ops.reshape(features, (-1, steps * few, self.feature_size))[:, :number]

    def _features(self, images, rois, *, training):
        """Crop normalised images; return the features (B, R, D)."""
        size = self.image_converter.image_size
        crops = self.roi_crop(images, _widened(rois, self.context), image_size=size)
        maps = self.backbone(ops.reshape(crops, (-1, *crops.shape[2:])), training=training)[-1]
        means = ops.mean(ops.cast(maps, "float32"), axis=(1, 2))
        return ops.reshape(means, (-1, rois.shape[1], self.feature_size))

    def _scores(self, features):
        """Return (B, R, C): how sure the machines are, or the softmax while they are not fitted."""
        fitted = ops.any(ops.not_equal(self.svm.kernel, 0.0))
        softmax = class_probabilities(self.classifier(features))
        return ops.where(fitted, ops.sigmoid(self.svm(features)), softmax)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Sample regions, look at their pixels and return the scalar loss.

        The backbone runs here: only the labels tell which regions are worth it.

        Args:
            x: what `call` takes.
            y: a dict of `boxes` (B, M, 4) xyxy fractions and `labels` (B, M) int, -1 for padding.
            y_pred: what `call` returned.
        """
        # Held-out pictures are sampled alike each time, and leave training's random stream alone.
        seed = self.sampling_seed if training else self.seed
        regions = self.region_sampler(y_pred["proposals"], y["boxes"], y["labels"], seed)
        images = self.normalize(x["images"])
        logits = self.classifier(self._features(images, regions["rois"], training=training))
        weights = sample_weights(regions["sampled"], regions["sampled"])
        return self._class_loss(regions["classes"], ops.cast(logits, "float32"), weights)

    def detect(self, images, batch_size=1):
        """Find objects as `Detector.detect` does; a picture's proposals are a batch already."""
        return super().detect(images, batch_size)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "backbone": serialize(self.backbone),
            "region_sampler": serialize(self.region_sampler),
            "roi_crop": serialize(self.roi_crop),
            "decoder": serialize(self.decoder),
            "context": self.context,
            "regions_at_once": self.regions_at_once,
            "seed": self.seed,
        }


def _machine(units, name):
    """Return a linear layer of zeros, in float32 as it is fitted."""
    return layers.Dense(units, kernel_initializer="zeros", dtype="float32", name=name)


def _widened(rois, context):
    """Move the edges of (B, R, 4) boxes outwards by a share of their sides."""
    margin = context * (rois[..., 2:] - rois[..., :2])
    return ops.concatenate([rois[..., :2] - margin, rois[..., 2:] + margin], axis=-1)
