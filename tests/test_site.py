"""The pages of docs/ name what exists, and what is made for them is made right."""

import importlib.util
import math
import pkgutil
import re
from pathlib import Path

import pytest
import yaml
from mkdocs.exceptions import PluginError
from typer.main import get_command

from flows.cli import app

pytestmark = pytest.mark.any_backend

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def load(name):
    """Import a module of docs/building, which is no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "building" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


site_pages, docstrings, architecture_picture = map(
    load, ["site_pages", "docstrings", "architecture_picture"]
)
MADE = set(site_pages.FROM_THE_TOP.values())
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def read(page):
    return (DOCS / page).read_text(encoding="utf-8")


def nav_pages(entry):
    """The files of a nav of mkdocs.yml, however deep."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in nav_pages(part)]


def test_the_nav_holds_every_page_once():
    named = nav_pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert sorted(named) == sorted([*PAGES, *MADE])


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_pages(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", read(page))
    files = {target: (DOCS / page).parent.joinpath(target).resolve() for target in targets}
    made = {DOCS / name for name in MADE}
    assert [
        target for target, file in files.items() if not file.exists() and file not in made
    ] == []


@pytest.mark.parametrize("page", PAGES)
def test_what_is_included_exists(page):
    for included in re.findall(r'^--8<-- "(.+)"$', read(page), flags=re.MULTILINE):
        path, _, section = included.partition(":")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not section or f"[start:{section}]" in text, included


def test_every_example_is_shown_and_run():
    examples = {path.name for path in (ROOT / "examples").glob("*.py")}
    tests = (ROOT / "tests" / "test_examples.py").read_text()
    assert set(re.findall(r'--8<-- "examples/(\w+\.py)"', read("examples.md"))) == examples
    assert {name for name in examples if f'run("{name}"' in tests} == examples


def commands(group, prefix):
    """Every command below a group as (its name in full, the command)."""
    for name, command in group.commands.items():
        yield f"{prefix} {name}", command
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")


def test_the_page_of_commands_has_every_command_and_option():
    text = site_pages.on_page_markdown(read("command_line.md"), page=None)
    sections = dict(re.findall(r"^#+ `(zoo [^`]+)`\n(.*?)(?=^#+ |\Z)", text, re.M | re.S))
    known = dict(commands(get_command(app), "zoo"))
    assert sections.keys() == known.keys()
    for name, command in known.items():
        for parameter in command.params:
            is_option = parameter.param_type_name == "option"
            shown = parameter.opts if is_option else [parameter.metavar or parameter.name]
            for word in shown:
                assert re.search(rf"^\* `{re.escape(word)}[ `]", sections[name], re.M), (name, word)


def test_the_picture_is_that_of_the_architecture():
    drawn_from = architecture_picture.digest(architecture_picture.source())
    assert drawn_from in architecture_picture.PICTURE.read_text(), (
        "ARCHITECTURE.md's picture has changed: python docs/building/architecture_picture.py"
    )


def test_a_text_of_the_top_folder_becomes_a_page():
    text = "[one](docs/adr/1.md), [two](LICENSE), [it](https://x.org)\n```mermaid\na --> b\n```\n"
    page = site_pages.as_page(text)
    assert page.startswith("[one](adr/1.md), two (`LICENSE`), [it](https://x.org)\n![")
    assert "mermaid" not in page


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://unpkg.com/mermaid.js"></script>',
        '<link rel="stylesheet" href="//fonts.googleapis.com/css">',
        "<img alt='' src='http://x.org/badge.svg'>",
    ],
)
def test_a_page_that_would_load_from_another_server_is_refused(tag):
    page = type("Page", (), {"file": type("File", (), {"src_uri": "a.md"})})
    with pytest.raises(PluginError, match=r"a\.md: loads from another server"):
        site_pages.on_post_page(f"<p>{tag}</p>", page)
    kept = (
        '<a href="https://keras.io">Keras</a><img src="pictures/a.svg">'
        '<link rel="canonical" href="http://127.0.0.1:8000/a.html">'
    )
    assert site_pages.on_post_page(kept, page) == kept


def test_names_of_ours_lead_to_the_reference_unless_they_are_links():
    linked = site_pages.on_page_content("<code>zoo.ops.nms</code> <code>zoo train</code>")
    assert linked.startswith('<autoref identifier="zoo.ops.nms" optional><code>zoo.ops.nms</code>')
    assert linked.endswith("<code>zoo train</code>")
    link = '<a href="x.html"><code>zoo.ops</code></a>'
    assert site_pages.on_page_content(link) == link


def test_sections_of_docstrings_become_markdown():
    docstring = """Do it.

As told:
    a  b
Args:
    first, second: (N, 4) float,
        of one shape; third: any.
    **options: of `it`.
Returns: (N,) float
    and more.
Raises:
    ValueError: never.
Deviation: it is
not so.

More."""
    assert docstrings.to_markdown(docstring).split("\n\n") == [
        "Do it.",
        "As told:",
        "    a  b",
        "**Args**",
        "- `first`, `second`: (N, 4) float, of one shape\n- `third`: any.\n- `**options`: of `it`.",
        "**Returns:** (N,) float and more.",
        "**Raises:** ValueError: never.",
        "**Deviation:** it is not so.",
        "More.",
    ]


def exists(name):
    """Whether a dotted name leads to a module, or to something within one."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def names_in(text):
    return re.findall(r"`(zoo(?:\.\w+)+)`", text)


@pytest.mark.parametrize("page", PAGES)
def test_names_of_the_library_exist_and_planned_ones_do_not(page):
    lines = read(page).splitlines()
    planned = [line for line in lines if line.endswith("| planned |")]
    assert [name for line in planned for name in names_in(line) if exists(name)] == []
    built = [line for line in lines if line not in planned]
    assert [name for line in built for name in names_in(line) if not exists(name)] == []


@pytest.mark.parametrize("page", PAGES)
def test_presets_and_data_sources_exist_and_planned_presets_do_not(page):
    import zoo
    from zoo.data import list_sources

    lines = read(page).splitlines()
    planned = {line for line in lines if line.endswith("| planned |")}
    for line in lines:
        presets = set(re.findall(r"the preset `(\w+)`", line))
        assert presets & set(zoo.list_presets()) == (set() if line in planned else presets)
        assert set(re.findall(r"the data source `(\w+)`", line)) <= set(list_sources())


def test_every_function_of_the_book_stands_in_its_table():
    import zoo

    assert {f"zoo.d2l.{name}" for name in zoo.d2l.__all__} <= set(names_in(read("book_to_zoo.md")))


def test_the_figures_of_the_tiny_ssd_page_are_the_models():
    import zoo

    task, page = zoo.create("tiny_ssd", num_classes=1), read("models/tiny_ssd.md")
    weights = sum(math.prod(weight.shape) for weight in task.trainable_weights)
    assert f"{len(task.anchors):,} anchors and, for one class, {weights:,} trainable" in page
    shapes = task.backbone.compute_output_shape((None, 256, 256, 3))
    for level, (_, height, width, channels) in enumerate(shapes, start=1):
        level_sizes = task.anchor_generator.sizes[level - 1]
        sizes = ", ".join(f"{size:g}".lstrip("0") for size in level_sizes)
        anchors = 4 * height * width
        row = rf"\| {level} \| .+ \| {height}x{width} \| {channels} \| {sizes} \| {anchors:,} \|"
        assert re.search(row, page), row
