"""The page of `zoo serve` in a real browser: a picture goes in, what the model says is seen."""

import base64
import json

import numpy as np
import pytest
from browser import open_browser, open_tab
from cases import small_classifier, small_fcn
from served import Served, encoded, picture

import zoo

pytestmark = [pytest.mark.slow, pytest.mark.any_backend]

TOKEN = "a-token-of-the-tests"
PICTURE = picture(0, 96, 128)
COLORS = ((10, 20, 30), (200, 100, 0))
MASKS = np.zeros((2, 96, 128), bool)
MASKS[0, 10:50, 20:60] = True
MASKS[1, 60:90, 3:9] = True  # a run at the very left, and one that ends low

MODELS = {
    "detection": lambda: zoo.create("tiny_ssd", class_names=("banana",), image_size=64),
    "segmentation": lambda: small_fcn(palette=COLORS),
    "classification": small_classifier,
    "style": lambda: zoo.create("fast_style", filters=4, residual_blocks=1, image_size=32),
}


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser):
    with open_tab(browser) as tab:
        yield tab.page
        assert tab.complaints == []


@pytest.fixture
def serve(tmp_path):
    running = []

    def start(task, **environment):
        task.publish(tmp_path / "model.keras")
        running.append(Served(tmp_path / "model.keras", "--batch", 1, **environment))
        return running[-1]

    yield start
    for served in running:
        served.kill()


def give(page, content, name="cat.png"):
    """Choose a file as a person does, and wait for what comes of it."""
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": content})
    page.wait_for_selector("#main[data-state=done], #main[data-state=mistake]")


def rows(page):
    return [row.locator("td").all_text_contents() for row in page.locator("#rows tr").all()]


def pixels(page):
    """What the canvas shows, (h, w, 3) uint8."""
    url = page.evaluate("document.getElementById('canvas').toDataURL('image/png')")
    from zoo.pictures import read_picture

    return read_picture(base64.b64decode(url.partition(",")[2]))


def slide(page, which, value):
    page.locator(which).fill(str(value))


def test_a_detectors_boxes_are_drawn_listed_and_chosen_by_score(page, serve):
    task = MODELS["detection"]()
    page.goto(serve(task).url)
    give(page, encoded(PICTURE))
    found = task.detect([PICTURE])[0]
    for percent in (0, 8):
        slide(page, "#score", percent)
        kept = found.above(percent / 100)
        assert len(kept) > 0
        assert page.locator("caption").text_content() == f"{len(kept)} of {len(found)} objects"
        told = rows(page)
        assert [float(row[1]) for row in told] == pytest.approx(kept.scores, abs=6e-4)
        boxes = [[int(value) for value in row[2].split(", ")] for row in told]
        np.testing.assert_allclose(boxes, kept.boxes, atol=0.51)
    assert page.get_attribute("#canvas", "aria-label") == f"The picture: {len(kept)} banana"
    assert (pixels(page) != PICTURE).any()
    slide(page, "#score", 100)
    assert rows(page) == []
    np.testing.assert_array_equal(pixels(page), PICTURE)


def test_masks_lie_where_pycocotools_has_them(page, serve):
    """The page is given the answer of a Mask R-CNN, with masks that are known."""
    served = serve(MODELS["detection"]())
    drawn = zoo.Detections(
        [[20, 10, 60, 50], [3, 60, 9, 90]], [0.9, 0.8], [0, 1], masks=MASKS, class_names=("a", "b")
    )
    answer = {name: getattr(drawn, name).tolist() for name in ("boxes", "scores", "labels")}
    answer |= {"names": ["a", "b"], "masks": [row["segmentation"] for row in drawn.to_coco(0)]}
    page.route("**/predict", lambda route: route.fulfill(json=answer))
    page.goto(served.url)
    give(page, encoded(PICTURE))
    page.unroute("**/predict")
    slide(page, "#strength", 100)
    # Boxes and their names cover some of it; what they leave is compared.
    shown = pixels(page)
    for number, mask in enumerate(MASKS):
        color = page.evaluate(f"rgb({number})")
        same = (shown == color).all(axis=2)
        left, top, right, bottom = drawn.boxes[number].astype(int)
        inside = np.zeros_like(mask)
        inside[top + 18 : bottom - 2, left + 2 : right - 2] = True
        assert inside.sum() > 10
        np.testing.assert_array_equal((same & inside), (mask & inside))
    outside = ~MASKS.any(axis=0)
    outside[:, :70] = False  # where boxes and their names are
    np.testing.assert_array_equal(shown[outside], PICTURE[outside])


def test_a_class_map_is_seen_in_the_colours_of_the_data(page, serve):
    task = MODELS["segmentation"]()
    page.goto(serve(task).url)
    give(page, encoded(PICTURE))
    (found,) = task.segment([PICTURE])
    slide(page, "#strength", 100)
    np.testing.assert_array_equal(pixels(page), found.to_colors())
    expected = [[found.name(k), f"{100 * share:.1f} %"] for k, share in found.shares().items()]
    assert rows(page) == expected
    slide(page, "#strength", 0)
    np.testing.assert_array_equal(pixels(page), PICTURE)


def test_the_most_probable_classes_are_listed(page, serve):
    task = MODELS["classification"]()
    page.goto(serve(task).url)
    give(page, encoded(PICTURE))
    (found,) = task.classify([PICTURE])
    told = rows(page)
    assert [row[0] for row in told] == [name for name, _ in found.top(5)]
    assert [float(row[1].rstrip(" %")) / 100 for row in told] == pytest.approx(
        [probability for _, probability in found.top(5)], abs=6e-4
    )
    np.testing.assert_array_equal(pixels(page), PICTURE)


def test_a_painting_is_seen(page, serve):
    task = MODELS["style"]()
    page.goto(serve(task).url)
    give(page, encoded(PICTURE))
    (painted,) = task.stylize([PICTURE])
    # A value near .5 may round to either side.
    assert np.abs(pixels(page).astype(int) - painted).max() <= 1


def test_a_mistake_is_told_and_a_token_asked_for(browser, serve):
    served = serve(MODELS["detection"](), ZOO_TOKEN=TOKEN)
    with open_tab(browser) as tab:
        page = tab.page
        page.goto(served.url)
        page.fill("#token", "not-the-token-of-it")
        page.click("#ask button")
        page.wait_for_selector("#status.mistake")
        assert "a token is needed" in page.locator("#status").text_content()
        page.fill("#token", TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("#ask", state="hidden")
        assert "detection" in page.locator("#model").text_content()
        give(page, encoded(PICTURE)[:200])
        assert page.locator("#status").text_content().startswith("No answer: ")
        assert not page.locator("#result").is_visible()
        give(page, encoded(PICTURE))
        assert page.locator("#result").is_visible()
        assert page.evaluate("JSON.stringify([localStorage, sessionStorage])") == json.dumps(
            [{}, {}], separators=(",", ":")
        )
    assert all("the server responded with a status of 4" in line for line in tab.complaints)


def test_every_control_has_a_name_and_the_keyboard_reaches_it(page, serve):
    page.goto(serve(MODELS["detection"]()).url)
    give(page, encoded(PICTURE))
    reached = set()
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"file", "score"} <= reached
    nameless = """[...document.querySelectorAll("input, button, canvas")].filter(
        one => !one.ariaLabel && !(one.labels && one.labels[0]) && !one.textContent).length"""
    assert page.evaluate(nameless) == 0
    assert page.get_attribute("html", "lang") == "en"
