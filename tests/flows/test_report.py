"""A run's report: everything is on it, foreign text stays text, and nothing is fetched."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from report_run import NAMES, PICTURE, SCRIPT, make_run, started

from flows import cli
from flows.journal import Journal
from flows.report import write_report
from flows.run_folder import RunFolder, is_held

pytestmark = pytest.mark.any_backend

SECTIONS = ["outcome", "training", "precision-and-recall", "confusion", "classes", "pictures"]
SECTIONS += ["data", "time", "environment"]
LARGEST = 5_000_000  # bytes of a page


class Reader(HTMLParser):
    """What a browser would find: elements with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder of a run, its metrics and its page."""
    folder, metrics = make_run(tmp_path_factory.mktemp("home"))
    return folder, metrics, Reader(write_report(folder).read_text(encoding="utf-8"))


def test_every_part_has_its_place_and_its_entry_in_the_contents(run):
    page = run[2]
    assert [section["id"] for section in page.all("section")] == SECTIONS
    assert [f"#{anchor}" for anchor in SECTIONS] == [
        link["href"] for link in page.all("a") if link["href"] not in ("#top",)
    ]


def test_the_figures_are_those_of_the_scores(run):
    _, metrics, page = run
    told = " ".join(page.text)
    for name in ("ap50", "ar_100"):
        assert f"{metrics[name]:.4g}" in told
    assert "models:/hostile/3" in told
    assert "not promoted" in told


def test_foreign_text_stays_text(run):
    page = run[2]
    told = "".join(page.text)
    for name in (*NAMES, f"0{PICTURE.removesuffix('.png')}"):
        assert name in told
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "iframe", "object", "embed", "form", "base"}
    attributes = {name for _, found in page.elements for name in found}
    assert not {name for name in attributes if name.startswith("on")} | attributes & {"style"}


def test_nothing_is_fetched(run):
    page = run[2]
    html = run[0].report.read_text(encoding="utf-8")
    for tag, attributes in page.elements:
        for name in ("src", "href", "data", "srcset", "action", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/jpeg", "data:,")), tag
    assert "url(" not in html
    assert "@import" not in html
    assert "http" not in re.sub(r"http-equiv", "", html)


def test_the_page_allows_itself_its_own_style_sheet_only(run):
    html = run[0].report.read_text(encoding="utf-8")
    style = re.search(r"<style>(.*)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(
        m["content"] for m in run[2].all("meta") if "content" in m and "src" in m["content"]
    )
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_pictures_are_within_the_page_and_small(run):
    folder, _, page = run
    pictures = page.all("img")
    assert len(pictures) == 2 * 8  # four of the worst, four of the best, each annotated and found
    for picture in pictures:
        encoded = base64.b64decode(picture["src"].partition("base64,")[2])
        assert Image.open(io.BytesIO(encoded)).size == (80, 64)
    assert folder.report.stat().st_size < LARGEST


def test_the_curves_are_of_the_scored_answers(run):
    folder, metrics, _ = run
    details = json.loads((folder.report_data / "details.json").read_text())
    curves = details["curves"]["boxes"]
    assert [curve["name"] for curve in curves] == list(NAMES)
    assert np.mean([curve["ap"] for curve in curves]) == pytest.approx(metrics["ap50"])
    assert metrics["ap50"] > 0.1
    counted = details["data"]["val"]
    assert (counted["pictures"], counted["boxes"]) == (8, 24)


def test_writing_it_again_changes_nothing(run, capsys):
    before = run[0].report.read_bytes()
    assert cli.run(["report", str(run[0].path)]) == 0
    assert capsys.readouterr().out.strip() == str(run[0].report)
    assert run[0].report.read_bytes() == before


def unfinished(path, *events):
    folder = RunFolder(path)
    folder.path.mkdir()
    folder.config.write_text((path.parent / "config.yaml").read_text())
    with Journal(folder.journal) as journal:
        for kind, fields in events:
            journal.append(kind, **fields)
    return folder


@pytest.mark.parametrize(
    ("events", "banner"),
    [
        ([], "interrupted at step 0."),
        ([("step", {"step": 3, "epoch": 1, "metrics": {}})], "interrupted at step 3 of 8."),
        ([("failed", {"reason": SCRIPT})], f"failed at step 0 of 8: {SCRIPT}"),
    ],
)
def test_a_run_without_an_end_says_so(run, tmp_path, events, banner):
    (tmp_path / "config.yaml").write_text(run[0].config.read_text())
    begun = [("started", started("bb"))] if events else []
    folder = unfinished(tmp_path / "run", *begun, *events)
    page = Reader(write_report(folder).read_text(encoding="utf-8"))
    assert banner in "".join(page.text)
    assert page.all("p")[1] == {"class": "banner", "role": "alert"}
    assert not is_held(folder.worker_lock)


def test_a_half_written_file_counts_as_not_there(run, tmp_path):
    (tmp_path / "config.yaml").write_text(run[0].config.read_text())
    folder = unfinished(tmp_path / "run", ("started", started("bb")))
    folder.scores.write_text('{"metrics": {"ap50"')
    folder.report_data.mkdir()
    (folder.report_data / "details.json").write_text("")
    assert "interrupted" in write_report(folder).read_text(encoding="utf-8")


def test_what_could_not_be_worked_out_is_told(run, tmp_path):
    (tmp_path / "config.yaml").write_text(run[0].config.read_text())
    folder = unfinished(tmp_path / "run", ("started", started("bb")))
    folder.report_data.mkdir()
    (folder.report_data / "details.json").write_text(json.dumps({"problem": f"Error: {SCRIPT}"}))
    assert f"Error: {SCRIPT}" in "".join(
        Reader(write_report(folder).read_text(encoding="utf-8")).text
    )


def test_a_link_to_a_script_is_no_link(run, tmp_path):
    (tmp_path / "config.yaml").write_text(run[0].config.read_text())
    folder = unfinished(tmp_path / "run", ("started", started("bb")))
    folder.report_data.mkdir()
    links = {"MLflow run": "http://127.0.0.1:5000/#/runs/1", "trap": "javascript:alert(4)"}
    (folder.report_data / "origin.json").write_text(json.dumps({"links": links}))
    page = Reader(write_report(folder).read_text(encoding="utf-8"))
    addresses = [link["href"] for link in page.all("a")]
    assert links["MLflow run"] in addresses
    assert links["trap"] not in addresses


def test_no_such_run_is_told_with_the_nearest_name(tmp_path, monkeypatch, capsys, run):
    monkeypatch.setenv("ZOO_HOME", str(run[0].path.parents[1]))
    assert cli.run(["report", "hostle"]) == 2
    assert "no such run; did you mean hostile?" in capsys.readouterr().err
    assert cli.run(["report", "hostile", "--out", str(tmp_path / "r.html")]) == 0
    assert (tmp_path / "r.html").read_bytes() == run[0].report.read_bytes()
