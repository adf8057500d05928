"""The model process' answers: each picture its own, whatever becomes of those beside it."""

import base64
import io
import json

import numpy as np
import pytest
from cases import small_classifier
from served import encoded, picture

import zoo
from flows import serve_wire
from flows.serve_process import ServedModel, _decode
from zoo.pictures import read_picture

pytestmark = pytest.mark.any_backend


def answered(model, pictures, **parameters):
    """The states and the answers of a batch, as they come over the socket."""
    asked = [{"shape": None, "parameters": parameters}] * len(pictures)
    head, blobs = serve_wire.read_message(io.BytesIO(model.answer(asked, pictures)))
    return head["answers"], [json.loads(blob) for blob in blobs]


def test_a_message_is_read_as_it_was_written_and_not_at_all_if_cut_short():
    message = serve_wire.pack({"a": [1]}, [b"one", b"", b"three"])
    head, blobs = serve_wire.read_message(io.BytesIO(message))
    assert (head["a"], blobs) == ([1], [b"one", b"", b"three"])
    assert serve_wire.read_message(io.BytesIO(message[:-1])) is None
    assert serve_wire.read_message(io.BytesIO(b"")) is None


def test_what_a_model_cannot_take_is_refused_and_those_beside_it_are_answered(tmp_path):
    task = zoo.create("fast_style", filters=4, residual_blocks=1, image_size=32)
    task.publish(tmp_path / "model.keras")
    model = ServedModel(str(tmp_path / "model.keras"), [1, 2])
    good, small = picture(0, 24, 32), picture(1, 3, 3)
    unreadable = _decode(encoded(good)[:100], None)
    states, answers = answered(model, [small, good, unreadable])
    assert [state.get("status") for state in states] == [422, None, 422]
    assert "5x5 pixels or more; got 3x3" in states[0]["reason"]
    assert "damaged or unsupported PNG" in states[2]["reason"]
    (painted,) = task.stylize([good])
    shown = read_picture(base64.b64decode(answers[0]["picture"]))
    assert np.abs(shown.astype(int) - painted).max() <= 1  # a value near .5 rounds to either side


def test_batches_of_all_lengths_are_answered_in_order(tmp_path):
    task = small_classifier()
    task.publish(tmp_path / "model.keras")
    model = ServedModel(str(tmp_path / "model.keras"), [1, 2, 4])
    pictures = [picture(seed) for seed in range(4)]
    expected = [found.probabilities.max() for found in task.classify(pictures)]
    for count in (1, 3, 4):
        _, answers = answered(model, pictures[:count], top_k=1)
        best = [answer["probabilities"][0] for answer in answers]
        np.testing.assert_allclose(best, expected[:count], atol=1e-5)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"not a \.keras file"):
        ServedModel(str(tmp_path / "model.keras"), [1])
