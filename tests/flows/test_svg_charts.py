"""Charts: places of values, ticks, thinning, and text that stays text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.svg_charts import HEIGHT, LEFT, RIGHT, TOP, WIDTH, Line, histogram, line_chart, tag
from flows.svg_confusion import SHOWN, confusion_chart, most_mistaken
from flows.svg_roofline import roofline_chart
from flows.svg_scales import Scale, short, spanning

pytestmark = pytest.mark.any_backend

NUMBERS = st.floats(1e-6, 1e9)


def chart(*lines, **options):
    return line_chart(lines, title="t", x="step", y="loss", **options)


def path(html):
    """Return the first line's points as pairs of numbers."""
    return [
        tuple(map(float, pair.split())) for pair in re.search('d="M([^"]+)"', html)[1].split("L")
    ]


def test_a_scale_is_straight_or_a_logarithm():
    assert [Scale(0, 10, 100, 300)(value) for value in (0, 5, 10, 99)] == [100, 200, 300, 300]
    assert [Scale(1, 100, 0, 200, True)(value) for value in (1, 10, 100)] == [0, 100, 200]
    assert Scale(0, 1, 200, 0)(0.25) == 150  # upwards on a page is backwards


@given(low=NUMBERS, span=NUMBERS, logarithmic=st.booleans())
def test_ticks_are_few_and_within(low, span, logarithmic):
    scale = Scale(low, low + span, 0, 1, logarithmic)
    if low + span > low * (1 + 1e-6):
        ticks = scale.ticks()
        assert len(ticks) <= 12
        assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)


def test_ticks_are_round():
    assert Scale(0, 1, 0, 1).ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert Scale(1, 10000, 0, 1, True).ticks() == [1, 10, 100, 1000, 10000]
    assert Scale(0.3, 0.9, 0, 1, True).ticks() == pytest.approx([0.4, 0.6, 0.8])


def test_counts_have_no_ticks_in_between():
    assert Scale(0, 2, 0, 1, whole=True).ticks() == [0, 1, 2]
    assert Scale(0, 50, 0, 1, whole=True).ticks() == [0, 10, 20, 30, 40, 50]


def test_values_that_are_all_the_same_have_a_scale():
    assert spanning([3.0, 3.0], 0, 10)(3.0) == 5
    assert spanning([0.0], 0, 10).ticks()
    assert spanning([2.0], 0, 10, logarithmic=True).ticks()
    assert spanning([], 0, 10).ticks()


def test_numbers_are_short():
    wanted = ["0", "0.05", "2.5e-4", "1.2k", "-3M", "42"]
    assert [short(value) for value in (0, 0.05, 0.00025, 1200, -3e6, 42)] == wanted


def test_a_line_goes_through_its_points():
    drawn = path(chart(Line("a", [(0, 0), (1, 2), (2, 1)])))
    right, bottom = WIDTH - RIGHT, HEIGHT - 40
    assert drawn == [(LEFT, bottom), ((LEFT + right) / 2, TOP), (right, (TOP + bottom) / 2)]


def test_what_has_no_place_is_left_out():
    bad = [(0, float("nan")), (1, float("inf")), (2, -1.0), (3, 1.0), (4, 2.0)]
    assert len(path(chart(Line("a", bad), log_y=True))) == 2
    assert "<path" not in chart(Line("a", []))


def test_thousands_of_points_are_thinned_to_means():
    drawn = path(chart(Line("a", [(step, step % 2) for step in range(10_000)], "plain")))
    assert 200 <= len(drawn) <= 300
    assert len({y for _, y in drawn}) == 1  # each the mean of as many zeros as ones


def test_names_are_escaped_and_one_line_has_no_legend():
    hostile = "</svg><script>"
    html = chart(Line(hostile, [(0, 1), (1, 2)]), Line("b", [(0, 1), (1, 2)]))
    assert hostile not in html
    assert "&lt;/svg&gt;&lt;script&gt;" in html
    assert "figcaption" not in chart(Line("alone", [(0, 1)]))
    assert tag("a", "<", title='"') == '<a title="&#34;">&lt;</a>'


def test_bars_count_values_at_the_ends_too():
    told = re.findall(r"<title>([^<]+: \d+)</title>", histogram([0.0, 0.04, 1.0], title="t", x="x"))
    assert told == ["0.00 to 0.05: 2", "0.95 to 1.00: 1"]


def test_a_confusion_tells_counts_or_percents_of_the_row():
    cells = [[0, 0, 3], [0, 1, 1], [1, 1, 4]]
    counts = confusion_chart(["cat", "dog"], cells, counted="objects")
    assert re.findall(r'<text class="middle o\w+"[^>]*>(\d+)<', counts) == ["3", "1", "4"]
    assert "cat taken for dog: 1 objects, 25.0%" in counts
    percents = confusion_chart(["cat", "dog"], cells, counted="pixels")
    assert re.findall(r'<text class="middle o\w+"[^>]*>(\d+)<', percents) == ["75", "25", "100"]


def test_of_many_classes_those_with_the_most_mistakes_are_drawn_in_their_order():
    cells = [[one, one, 50] for one in range(80)] + [[70, 3, 9], [3, 70, 9], [5, 6, 1]]
    shown = most_mistaken(80, cells)
    assert len(shown) == SHOWN
    assert {3, 5, 6, 70} <= set(shown)
    assert shown == sorted(shown)
    assert confusion_chart([str(one) for one in range(80)], cells, counted="objects")


def test_a_roofline_has_its_ceilings_and_its_points():
    roof = {
        "dtype": "float32", "peaks": {"float32": 8e10, "bfloat16": 2e11}, "peak": 8e10,
        "bandwidth": 2e10, "intensity": 20.0, "limit": 8e10, "achieved": 2e10, "fraction": 0.25,
        "forward_intensity": 1.0, "forward_limit": 2e10,
    }  # fmt: skip
    html = roofline_chart(roof)
    for name in ("ceiling, float32", "ceiling, bfloat16", "achieved, 25 % of the limit"):
        assert name in html
    assert "achieved" not in roofline_chart(roof | {"achieved": None, "fraction": None})
