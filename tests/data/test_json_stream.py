"""JSON read an element at a time: the same values as json.loads, with lines, in little memory."""

import json
import random
import tracemalloc

import pytest

from zoo.data import json_stream
from zoo.data.json_stream import BEGIN, stream_object

pytestmark = pytest.mark.any_backend

LISTS = frozenset({"images"})


def read(path, text, **options):
    path.write_bytes(text if isinstance(text, bytes) else text.encode(**options))
    return list(stream_object(path, LISTS))


def test_elements_come_one_by_one_with_their_lines(tmp_path):
    text = '{"info": {"a": [1]},\n "images": [\n {"id": 1},\n\n 7.5, "x"], "n": null}\n'
    assert read(tmp_path / "a", text) == [
        ("info", {"a": [1]}, 1),
        ("images", BEGIN, 2),
        ("images", {"id": 1}, 3),
        ("images", 7.5, 5),
        ("images", "x", 5),
        ("n", None, 5),
    ]


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
def test_values_do_not_depend_on_where_the_file_is_cut(block, tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "_BLOCK", block)
    rng = random.Random(block)
    values = [
        rng.choice(
            [rng.randrange(10**9), rng.random() * 1e-9, 'é\n"', None, True, [], {"k": [[1]]}]
        )
        for _ in range(60)
    ]
    text = json.dumps({"images": values, "empty": [], "n": -1.25e-3}, ensure_ascii=block > 2)
    found = read(tmp_path / "a", text)
    assert [value for key, value, _ in found if key == "images"] == [BEGIN, *values]
    assert found[-1] == ("n", -1.25e-3, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r":1: empty; expected a JSON object\. Was the file written to its end\?"),
        (" \n ", r":2: empty"),
        ("[]", r":1: malformed JSON: expected \{; got '\['"),
        ('{"images": [\n1,\n2', r":3: malformed JSON: expected , or \]; got the file's end"),
        ('{"images": [\n1,\n]}', r":3: malformed JSON: Expecting value"),
        ('{"images": [\n{"id": 1 "x": 2}]}', r":2: malformed JSON: Expecting ',' delimiter"),
        ('{"a": "\n', r":1: malformed JSON: (Invalid control|Unterminated string)"),
        ('{"a": 1}\n{}', r":2: malformed JSON: something follows the object's end"),
        ("{1: 2}", r":1: malformed JSON: expected a key in double quotes"),
        ('{"a" 1}', r":1: malformed JSON: expected :; got '1'"),
        ('{"a": ' + "[" * 100_000, r":1: JSON that cannot be read: maximum recursion depth"),
        ('{"a": ' + "9" * 5000 + "}", r":1: JSON that cannot be read: Exceeds the limit"),
        (b'{"a": "\xff"}', r":1: not UTF-8 text\. Save the file as UTF-8"),
    ],
)
def test_what_is_no_json_object_is_told_with_its_line(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "a", text)


def test_byte_order_mark_is_passed_over(tmp_path):
    assert read(tmp_path / "a", '{"a": 1}', encoding="utf-8-sig") == [("a", 1, 1)]


def test_memory_does_not_grow_with_the_file(tmp_path):
    element = json.dumps({"file_name": "a" * 300})

    def peak(count):
        path = tmp_path / str(count)
        path.write_text('{"images": [' + ", ".join([element] * count) + "]}")
        tracemalloc.start()
        total = sum(1 for _ in stream_object(path, LISTS))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert total == count + 1
        return most

    # 3 MB and 12 MB of text; what is held is a block of 1 MB, as text and as bytes
    assert peak(40_000) < peak(10_000) + 500_000
