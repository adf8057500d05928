"""TinySSD, the book's detector (section 13.7)."""

from zoo.backbones import TinyCNN
from zoo.layers import AnchorGenerator, BoxCoder, Decoder, ImageConverter, LabelEncoder, Matcher
from zoo.losses import MultiBoxLoss
from zoo.models.presets.sizes import height_width
from zoo.models.ssd import SSD

# Of TinySSD's five levels (book section 13.7), fractions of the picture's side.
TINY_SSD_SIZES = ((0.2, 0.272), (0.37, 0.447), (0.54, 0.619), (0.71, 0.79), (0.88, 0.961))


def tiny_ssd(
    class_names,
    *,
    image_size=256,
    resize="resize",
    sizes=TINY_SSD_SIZES,
    ratios=(1, 2, 0.5),
    backbone=None,
    loss=None,
    dtype=None,
    **decoder,
) -> SSD:
    """Build TinySSD (book section 13.7): five blocks, 5,444 anchors at 256x256.

    Args:
        class_names: the names of labels 0..C-1.
        image_size: side of the network's input in pixels, or (height, width).
        resize: how pictures are fitted, "resize" or "letterbox".
        sizes: of the anchors, a list a feature level, fractions of the picture's side; smaller ones
            for a data set of small objects.
        ratios: of the anchors, width / height, the same for every level.
        backbone: a layer giving five feature levels; None: `TinyCNN`.
        loss: None: `MultiBoxLoss`; the book's is `AnchorMeanLoss`.
        dtype: the dtype policy; None: Keras' global one.
        **decoder: of `Decoder`, such as `score_threshold`.
    """
    coder = BoxCoder()
    return SSD(
        backbone=backbone if backbone is not None else TinyCNN(dtype=dtype, name="backbone"),
        anchor_generator=AnchorGenerator(
            sizes=[list(level) for level in sizes], ratios=[list(ratios)] * len(sizes)
        ),
        label_encoder=LabelEncoder(Matcher(0.5), coder),
        decoder=Decoder(coder, **decoder),
        loss=loss if loss is not None else MultiBoxLoss(),
        image_converter=ImageConverter(height_width(image_size), mode=resize),
        class_names=class_names,
        dtype=dtype,
        name="tiny_ssd",
    )
