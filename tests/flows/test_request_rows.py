"""JSON requests are read as MLflow reads them; what is broken is told in a line."""

import base64
import json
import math

import numpy as np
import pytest
from mlflow.pyfunc.scoring_server import infer_and_parse_data
from served import encoded, picture

from flows.request_rows import pictures_of, rows_of
from flows.serving_request import REQUEST, read_pictures

pytestmark = pytest.mark.any_backend

PICTURE, OTHER = picture(0, 3, 4), picture(1, 3, 4)
TEXT = base64.b64encode(encoded(PICTURE)).decode()


def read(request):
    return [one for row in rows_of(json.loads(json.dumps(request))) for one in pictures_of(row)]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "request_",
    [
        {"dataframe_records": [{"image": TEXT}]},
        {"dataframe_records": [{"image": TEXT, "pixels": None}, {"pixels": PICTURE.tolist()}]},
        {"dataframe_split": {"columns": ["image"], "data": [[TEXT], [TEXT]]}},
        {"dataframe_split": {"columns": ["pixels"], "data": [[PICTURE.tolist()]]}},
        {"instances": [{"image": TEXT}]},
        {"instances": [{"pixels": PICTURE.tolist()}, {"pixels": OTHER.tolist()}]},
        {"inputs": {"pixels": PICTURE.tolist()}},
        {"inputs": {"image": [TEXT, TEXT]}},
        {"inputs": {"pixels": [PICTURE.tolist(), OTHER.tolist()]}},
    ],
)
def test_the_pictures_are_those_that_mlflow_finds(request_):
    import pandas as pd
    from mlflow.models.utils import _enforce_schema

    parsed = infer_and_parse_data(json.loads(json.dumps(request_)), REQUEST)
    if not isinstance(parsed, pd.DataFrame):
        parsed = _enforce_schema(parsed, REQUEST)
    expected = read_pictures(parsed)
    assert len(expected) > 0
    assert same(read(request_), expected)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ([], "a request must be an object with one of dataframe_records, "),
        ({}, "a request must be an object with one of"),
        ({"inputs": {}, "instances": []}, "a request must be an object with one of"),
        ({"instances": [1, 2]}, "instances must hold rows"),
        ({"inputs": "picture"}, "inputs must hold rows"),
        ({"dataframe_split": []}, "dataframe_split must be an object with the lists"),
        ({"dataframe_split": {"columns": ["image"], "data": [["a", "b"]]}}, "a list of 1"),
        ({"inputs": {}}, "either image .* or pixels .*; got neither"),
        ({"inputs": {"image": TEXT, "pixels": [[1]]}}, "got image, pixels"),
        ({"inputs": {"picture": TEXT}}, "got picture"),
        ({"inputs": {"image": "no base64!"}}, "image must be base64"),
        ({"inputs": {"image": 3}}, "image must be base64"),
        ({"inputs": {"pixels": [[0, 300]]}}, "pixels must be 0..255; got 0 to 300"),
        ({"inputs": {"pixels": [[0], [0, 1]]}}, "pixels must be a full array"),
        ({"inputs": {"pixels": "abc"}}, "pixels must be a full array"),
        ({"inputs": {"pixels": []}}, "pixels must be a full array"),
        ({"inputs": {"pixels": [[10**30]]}}, "pixels must be a full array"),
        ({"inputs": {"pixels": [[math.nan]]}}, "pixels must be 0..255"),
        ({"inputs": {"pixels": [[math.inf]]}}, "pixels must be 0..255"),
    ],
)
def test_what_is_broken_is_told_in_a_line(request_, message):
    with pytest.raises(ValueError, match=message) as caught:
        read(request_)
    assert "\n" not in str(caught.value)
