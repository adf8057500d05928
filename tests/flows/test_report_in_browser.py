"""Reports in a real browser without a network: all is seen, nothing runs, nothing is fetched."""

import pytest
from browser import open_browser, open_tab
from report_run import make_run

from flows.comparison import compare
from flows.comparison_page import comparison_page
from flows.report import write_report
from flows.run_facts import RunFacts

pytestmark = [pytest.mark.any_backend, pytest.mark.slow]

VIEWS = [(1280, False), (1280, True), (400, False), (400, True)]
BROKEN = "[...document.images].filter(one => !one.naturalWidth).length"
UNSEEN = "[...document.querySelectorAll('section')].filter(one => one.offsetHeight < 60).length"
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"
BRIGHTNESS = (
    "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).reduce((a, b) => a + +b, 0)"
)


@pytest.fixture(scope="module")
def tab():
    with open_browser() as browser, open_tab(browser) as tab:
        yield tab


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("home"))[0]


@pytest.fixture(scope="module")
def pages(run, tmp_path_factory):
    """Return the page of a run and that of a comparison."""
    facts = RunFacts.read(run)
    beside = tmp_path_factory.mktemp("pages") / "compare.html"
    beside.write_text(comparison_page(compare([facts, facts])), encoding="utf-8")
    return {"report": write_report(run), "comparison": beside}


@pytest.mark.parametrize(("width", "dark"), VIEWS)
@pytest.mark.parametrize("page", ["report", "comparison"])
def test_a_page_is_whole_and_quiet(tab, pages, page, width, dark):
    address = pages[page].as_uri()
    tab.visit(address, width=width, dark=dark)
    assert tab.evaluate(UNSEEN) == tab.evaluate(BROKEN) == 0
    assert tab.evaluate("document.querySelectorAll('section').length") >= 4
    assert not tab.evaluate(TOO_WIDE)
    assert (tab.evaluate(BRIGHTNESS) < 150) == dark
    assert tab.complaints == []
    assert {one for one in tab.requested if not one.startswith("data:image/jpeg")} <= {
        address, "data:,",
    }  # fmt: skip


def test_the_contents_lead_to_every_part_and_stay_in_sight(tab, pages):
    tab.visit(pages["report"].as_uri())
    anchors = tab.evaluate("[...document.querySelectorAll('nav a[href]')].map(one => one.hash)")
    assert len(anchors) == 10
    for anchor in anchors[1:]:
        tab.evaluate(
            f"document.documentElement.style.scrollBehavior = 'auto'; location = '{anchor}'"
        )
        assert tab.evaluate(f"document.querySelector('{anchor}').getBoundingClientRect().top") < 900
        assert tab.evaluate("document.querySelector('nav').getBoundingClientRect().top") == 0


def test_what_runs_in_a_page_is_noticed(tab, tmp_path):
    """The browser's other side: a script, a missing picture and a fetch are told."""
    page = tmp_path / "bad.html"
    page.write_text("<img src=http://nowhere.invalid/a.png><script>alert(1); undefined.x</script>")
    tab.visit(page.as_uri())
    assert tab.evaluate(BROKEN) == 1
    assert "http://nowhere.invalid/a.png" in tab.requested
    assert any("dialog: 1" in told for told in tab.complaints)
    assert any("Uncaught" in told for told in tab.complaints)


def test_the_pages_own_rules_stop_a_script_that_got_in(tab, pages, tmp_path):
    html = pages["report"].read_text(encoding="utf-8")
    page = tmp_path / "infected.html"
    page.write_text(html.replace("</main>", "<script>window.ran = 1</script></main>"))
    tab.visit(page.as_uri())
    assert tab.evaluate("window.ran") is None
    assert any("Content Security Policy" in told for told in tab.complaints)
