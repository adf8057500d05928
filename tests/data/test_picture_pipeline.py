"""Pictures alone: any source gives them, in an order that can be entered anywhere."""

import numpy as np
import pytest

from zoo.data import build_picture_pipeline, load_source
from zoo.layers import CropConverter

pytestmark = pytest.mark.any_backend

CONVERTER = CropConverter((24, 32), crop_fraction=1.0)


@pytest.fixture(scope="module")
def bananas():
    return load_source("bananas")


def stream(source, start_step=0, **options):
    dataset = build_picture_pipeline(
        source, "train", CONVERTER, batch_size=2, training=True, epochs=2, limit=6, seed=3,
        start_step=start_step, **options,
    )  # fmt: skip
    return list(dataset.as_numpy_iterator())


def test_a_stream_entered_anywhere_equals_the_whole_one(bananas):
    augment = [{"name": "random_resized_crop", "ratio": [1, 1]}, "flip"]
    whole = stream(bananas, augment=augment)
    assert [batch.shape for batch in whole] == [(2, 24, 32, 3)] * 6
    assert whole[0].dtype == np.uint8
    for batch, wanted in zip(stream(bananas, 4, augment=augment), whole[4:], strict=True):
        np.testing.assert_array_equal(batch, wanted)


def test_a_share_of_a_batch_is_what_the_batch_holds_there(bananas):
    options = {"augment": ["random_resized_crop", "flip"]}
    ours = stream(bananas, share=(1, 2), **options)
    for batch, part in zip(stream(bananas, **options), ours, strict=True):
        np.testing.assert_array_equal(part, batch[1:])


def test_an_epoch_shows_every_picture_once_fitted_as_the_converter_does(bananas):
    expected = [CONVERTER.convert(picture)[0] for picture in stored(bananas)]
    for epoch in (stream(bananas)[:3], stream(bananas)[3:]):
        shown = np.concatenate(epoch)
        assert sorted(one.tobytes() for one in shown) == sorted(one.tobytes() for one in expected)


def test_evaluation_is_one_pass_in_stored_order(bananas):
    dataset = build_picture_pipeline(
        bananas, "train", CONVERTER, batch_size=4, training=False, limit=6, augment="flip"
    )
    batches = list(dataset.as_numpy_iterator())
    assert [len(batch) for batch in batches] == [4, 2]
    expected = [CONVERTER.convert(picture)[0] for picture in stored(bananas)]
    np.testing.assert_array_equal(np.concatenate(batches), expected)


def test_a_source_of_segmented_pictures_will_do():
    assert stream(load_source("shapes"))[0].shape == (2, 24, 32, 3)


def test_a_step_that_mixes_pictures_is_refused(bananas):
    with pytest.raises(ValueError, match=r"must change single pictures.*; got mixup"):
        stream(bananas, augment=["mixup"])


def stored(source):
    from zoo.pictures import read_picture

    return [read_picture(r["image"]) for r in source.records("train", 6).as_numpy_iterator()]
