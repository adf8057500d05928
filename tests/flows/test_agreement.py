"""Two backends found the same where their detections are the same ones."""

import numpy as np
import pytest

from flows.agreement import agreement
from zoo import Detections

pytestmark = pytest.mark.any_backend


def rows(*, shift=0.0, score=0.8, label=1, image_id=7, **more):
    box = [10.0 + shift, 20.0, 100.0, 50.0]
    return [
        {"image_id": image_id, "category_id": label, "bbox": box, "score": score, **more},
        {"image_id": image_id, "category_id": label, "bbox": [300.0, 20.0, 9.0, 9.0], "score": 0.5},
    ]


@pytest.mark.parametrize(
    ("other", "share"),
    [
        (rows(), 1.0),
        (rows()[::-1], 1.0),
        (rows(score=0.8009), 1.0),
        (rows(score=0.802), 0.5),
        # 100 x 50 pixels moved by .04: IoU 99.96 / 100.04 = .9992; by .06 .9988.
        (rows(shift=0.04), 1.0),
        (rows(shift=0.06), 0.5),
        (rows(label=2), 0.0),
        (rows(image_id=8), 0.0),
        (rows()[:1], 2 / 3),
        ([], 0.0),
    ],
)
def test_the_share_that_both_sides_have(other, share):
    assert agreement(rows(), other) == pytest.approx(share)
    assert agreement(other, rows()) == pytest.approx(share)


def test_what_scores_little_does_not_count():
    assert agreement(rows(), [*rows(), *rows(score=0.09, shift=50)[:1]]) == 1.0
    assert agreement([], []) == 1.0


def test_masks_have_to_agree_as_well():
    mask = np.zeros((1, 60, 80), bool)
    mask[0, 10:50, 20:60] = True  # 1,600 pixels
    edge, other = mask.copy(), mask.copy()
    edge[0, 10, 20:50] = False  # IoU .981
    other[0, 10, 20:60] = False  # IoU .975

    def found(masks):
        one = Detections(boxes=[[20, 10, 60, 50]], scores=[0.9], labels=[0], masks=masks)
        return one.to_coco(1)

    assert agreement(found(mask), found(edge)) == 1.0
    assert agreement(found(mask), found(other)) == 0.0
