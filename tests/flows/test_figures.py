"""What a person sees first of a model's figures, whatever its kind."""

import pytest

from flows.figures import brief, class_figures, headline, scalars

pytestmark = pytest.mark.any_backend

METRICS = {"miou": 0.5, "ap_small": -1.0, "iou_per_class": {"sky": 0.25, "sea": -1.0}}


def test_the_headline_comes_in_one_order_and_leaves_the_rest_out():
    assert headline({"ap": 0.1, "mask_ap50": 0.2, "other": 1.0, "ap50": 0.3}) == [
        "ap50",
        "ap",
        "mask_ap50",
    ]


def test_the_brief_line_takes_names_without_their_prefix():
    assert brief({"val/top1": 0.5, "val/loss": 2.0, "top5": 1.0}, "val/") == "top1 0.500"


def test_undefined_numbers_are_left_out_and_classes_named():
    assert scalars(METRICS) == {"miou": 0.5, "iou_class/sky": 0.25}


def test_one_class_alone_has_no_table():
    assert class_figures(METRICS) == {"iou": METRICS["iou_per_class"]}
    assert class_figures({"ap_per_class": {"cell": 0.5}}) == {}
