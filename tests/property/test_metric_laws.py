"""Laws that average precision obeys whatever the boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.metrics import COCO_METRICS, detection_metrics
from zoo.results import Detections

pytestmark = pytest.mark.any_backend

quick = settings(max_examples=25, deadline=None)


@st.composite
def splits(draw):
    """Ground truth and answers of up to 5 pictures; whole coordinates, all scores different."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pictures = draw(st.integers(1, 5))
    scores = rng.permutation(np.arange(1, 101)) / 128  # exact in float32
    truth, answers = [], []
    for _ in range(pictures):
        boxes, labels = random_boxes(rng, rng.integers(0, 4))
        wrong, wrong_labels = random_boxes(rng, rng.integers(0, 4))
        found = np.concatenate([boxes + rng.integers(0, 3, boxes.shape), wrong])
        truth.append(Detections.ground_truth(boxes, labels))
        taken, scores = scores[: len(found)], scores[len(found) :]
        answers.append(
            Detections(boxes=found, scores=taken, labels=np.concatenate([labels, wrong_labels]))
        )
    return truth, answers


def random_boxes(rng, count):
    corners = rng.integers(0, 200, (count, 2))
    return np.concatenate([corners, corners + rng.integers(4, 120, (count, 2))], 1), rng.integers(
        0, 2, count
    )


@quick
@given(splits())
def test_every_number_is_a_share_or_absent(split):
    metrics = detection_metrics(*split)
    numbers = [metrics[name] for name in (*COCO_METRICS, "voc07_ap50")]
    assert all(number == -1 or 0 <= number <= 1 for number in numbers)


@quick
@given(splits(), st.randoms(use_true_random=False))
def test_the_order_of_the_pictures_does_not_matter(split, random):
    order = list(range(len(split[0])))
    random.shuffle(order)
    shuffled = [[pictures[index] for index in order] for pictures in split]
    before, after = detection_metrics(*split), detection_metrics(*shuffled)
    # 1e-12: the sums run in another order.
    assert after.pop("ap_per_class") == pytest.approx(before.pop("ap_per_class"), abs=1e-12)
    assert after == pytest.approx(before, abs=1e-12)


@quick
@given(splits(), st.sampled_from([0.5, 2.0, 4.0]))
def test_the_scale_of_the_picture_does_not_matter_to_ap(split, scale):
    scaled = [[zoom(picture, scale) for picture in pictures] for pictures in split]
    before, after = detection_metrics(*split), detection_metrics(*scaled)
    for name in ("ap", "ap50", "ap75", "ar_1", "ar_10", "ar_100", "voc07_ap50"):
        assert after[name] == before[name]


@quick
@given(splits())
def test_a_false_detection_below_all_others_costs_nothing(split):
    truth, answers = split
    more = [with_false_detection(answer) for answer in answers]
    before, after = detection_metrics(truth, answers), detection_metrics(truth, more)
    for name in ("ap", "ap50", "ap75", "ar_100", "voc07_ap50"):
        assert after[name] == before[name]


def zoom(detections, scale):
    return Detections(
        boxes=detections.boxes * scale, scores=detections.scores, labels=detections.labels
    )


def with_false_detection(detections):
    return Detections(
        boxes=np.concatenate([detections.boxes, [[900, 900, 950, 950]]]),
        scores=np.concatenate([detections.scores, [0.001]]),
        labels=np.concatenate([detections.labels, [0]]),
    )
