"""RoI crops of one feature map or of a pyramid."""

import math

import keras
from keras import ops

from zoo.ops import assign_levels, multilevel_roi_align, roi_align, roi_cells, roi_pool


@keras.saving.register_keras_serializable(package="zoo")
class RoICrop(keras.layers.Layer):
    """Crop regions of interest from features, each to the same size.

    With several levels each RoI is read from the one that suits its size (Lin 2017, eq. 1). A
    level's stride is the power of two nearest to picture size / map size.

    Args:
        output_size: (h, w), or one int for both.
        kind: "align" (He 2017, Mask R-CNN) or "pool" (Girshick 2015, Fast R-CNN; one level only).
        sampling_ratio, aligned: of RoIAlign.
        canonical_size: side in pixels of the RoIs that are read from the level of stride 16.
    """

    def __init__(
        self,
        output_size,
        kind="align",
        sampling_ratio=2,
        aligned=True,
        canonical_size=224,
        **kwargs,
    ):
        # RoIs must not lose bits to bfloat16; features come in the dtype that the crops shall have.
        super().__init__(autocast=False, **kwargs)
        if kind not in ("align", "pool"):
            raise ValueError(f"kind must be 'align' or 'pool'; got {kind!r}.")
        self.output_size = (
            (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
        )
        self.kind = kind
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned
        self.canonical_size = canonical_size

    def call(self, features, rois, *, image_size):
        """Return (B, R, h, w, C).

        Args:
            features: (B, H, W, C), or a list of them by rising stride.
            rois: (B, R, 4) xyxy fractions of the network's input.
            image_size: (H, W) of the network's input, ints.
        """
        levels = list(features) if isinstance(features, (list, tuple)) else [features]
        rois = _in_pixels(rois, image_size)
        strides = [_stride(image_size[0], level.shape[1]) for level in levels]
        if self.kind == "pool":
            if len(levels) > 1:
                raise ValueError(
                    f"RoI pooling reads one level; got {len(levels)}. For a pyramid: kind='align'."
                )
            return roi_pool(levels[0], rois, self.output_size, 1 / strides[0])
        options = {"sampling_ratio": self.sampling_ratio, "aligned": self.aligned}
        if len(levels) == 1:
            return roi_align(levels[0], rois, self.output_size, 1 / strides[0], **options)
        chosen = assign_levels(
            rois,
            min_level=int(math.log2(strides[0])),
            max_level=int(math.log2(strides[-1])),
            canonical_size=self.canonical_size,
        )
        scales = [1 / stride for stride in strides]
        return multilevel_roi_align(
            levels, rois, self.output_size, spatial_scales=scales, levels=chosen, **options
        )

    def first_alike(self, features, rois, *, image_size):
        """Return (B, R) int32: of each RoI, the first one that is cropped to the same values.

        RoI pooling sees whole cells only, so that neighbours often look the same. A product of
        matrices rounds equal rows differently; whoever ranks regions reads the first one's figures.

        Args:
            features, rois, image_size: as `call` takes them, of one level.
        """
        if self.kind != "pool":
            return ops.arange(rois.shape[1], dtype="int32") + ops.zeros_like(rois[..., 0], "int32")
        stride = _stride(image_size[0], features.shape[1])
        cells = roi_cells(_in_pixels(rois, image_size), 1 / stride)
        alike = ops.all(cells[:, :, None] == cells[:, None], axis=-1)
        return ops.cast(ops.argmax(ops.cast(alike, "int32"), axis=-1), "int32")

    def compute_output_spec(self, features, rois, *, image_size):
        # Keras would trace `image_size` too, and it must be numbers.
        level = features[0] if isinstance(features, (list, tuple)) else features
        shape = (*rois.shape[:2], *self.output_size, level.shape[-1])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        return super().get_config() | {
            "output_size": list(self.output_size),
            "kind": self.kind,
            "sampling_ratio": self.sampling_ratio,
            "aligned": self.aligned,
            "canonical_size": self.canonical_size,
        }


def _in_pixels(rois, image_size):
    height, width = image_size
    scale = ops.convert_to_tensor([width, height, width, height], dtype="float32")
    return ops.cast(rois, "float32") * scale


def _stride(pixels, cells):
    return 2 ** round(math.log2(pixels / cells))
