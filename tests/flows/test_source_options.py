"""Options of a data source, from a command line to the reader."""

import json
import re

import pytest
from PIL import Image

from flows import worker
from flows.runtime import UserError
from flows.source_options import worker_arguments
from zoo.data import load_source

pytestmark = pytest.mark.any_backend


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        (None, []),
        ("{}", []),
        ("{mask_ending: _L}", ['--options={"mask_ending": "_L"}']),
        ("palette: {sky: [1, 2, 3]}", ['--options={"palette": {"sky": [1, 2, 3]}}']),
    ],
)
def test_yaml_becomes_what_the_worker_reads(text, arguments):
    assert worker_arguments(text) == arguments


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("_L", r"--options: must be a mapping, as in '\{mask_ending: _L\}'; got _L"),
        ("", "--options: must be a mapping"),
        ("{a: [}", "--options: not YAML of plain values: .*; got"),
        ("{day: 2026-01-01}", "--options: not YAML of plain values: .*date"),
    ],
)
def test_a_mistake_is_told(text, message):
    with pytest.raises(UserError, match=message):
        worker_arguments(text)


@pytest.fixture
def pairs(tmp_path):
    """Pictures whose masks have an ending and colours that no file explains."""
    for folder, name in (("images", "a"), ("masks", "a_L")):
        (tmp_path / "set" / "train" / folder).mkdir(parents=True)
        picture = Image.new("RGB", (40, 40), (9, 8, 7))
        picture.save(tmp_path / "set" / "train" / folder / f"{name}.png")
    return tmp_path / "set"


def check(pairs, out, *arguments):
    return worker.main(["check", f"mask_folders:{pairs}", f"--out={out}", *arguments])


def test_a_worker_reads_a_set_that_only_its_options_explain(pairs, tmp_path, capsys):
    out = tmp_path / "report.json"
    assert check(pairs, out) == 2
    assert "Give class_names or a palette?" in capsys.readouterr().err
    options = worker_arguments("{mask_ending: _L, palette: {sky: [9, 8, 7], sea: [0, 0, 9]}}")
    assert check(pairs, out, *options) == 0
    report = json.loads(out.read_text())
    assert report["defects"] == []
    assert report["class_names"] == ["sky", "sea"]


def test_an_option_that_the_source_has_not_is_told(pairs, tmp_path, capsys):
    assert check(pairs, tmp_path / "report.json", '--options={"mask_endign": "_L"}') == 2
    told = capsys.readouterr().err
    assert told.startswith("data mask_folders has the options class_names, data_dir, images, ")
    assert told.endswith("got 'mask_endign'. Did you mean mask_ending?\n")


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("shapes", {"train_size": "x"}, "train_size must be int; got 'x'."),
        ("shapes", {"train_size": 2.5}, "train_size must be int; got 2.5."),
        ("shapes", {"seed": True}, "seed must be int; got True."),
        ("shapes", {"data_dir": 3}, "data_dir must be str or path or null; got 3."),
        ("voc", {"class_names": "cat"}, "class_names must be list of str or null; got 'cat'."),
        ("voc", {"class_names": ["cat", 3]}, "class_names must be list of str or null; got ['"),
        (
            "mask_folders",
            {"palette": [9, 8, 7]},
            "palette must be mapping of str to list of int or null; got [9, 8, 7].",
        ),
    ],
)
def test_an_option_of_another_type_is_told(name, options, told):
    path = {} if name == "shapes" else {"path": "anywhere"}
    with pytest.raises(ValueError, match=re.escape(f"data {name}: {told}")):
        load_source(name, **path, **options)
