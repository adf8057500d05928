"""What README.md and ARCHITECTURE.md promise is there."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_backend

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"]


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", read(page))
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_paths_in_code_spans_exist(page):
    paths = re.findall(r"`((?:zoo|flows|configs|docs|tests)/[\w./-]*)`", read(page))
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_make_targets_of_the_readme_exist():
    named = set(re.findall(r"\bmake ([a-z-]+)", read("README.md")))
    made = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
    assert named - made == set()
    assert {"demo", "test", "check"} <= named


def test_commands_of_the_readme_exist():
    from typer.main import get_command

    from flows.cli import app

    blocks = "\n".join(re.findall(r"```\n(.*?)```", read("README.md"), flags=re.DOTALL))
    named = set(re.findall(r"^zoo ([a-z-]+)", blocks, flags=re.MULTILINE))
    assert named == set(get_command(app).commands)


def test_configs_of_the_readme_exist():
    named = set(re.findall(r"configs/\w+\.yaml", read("README.md") + read("Makefile")))
    assert [config for config in named if not (ROOT / config).exists()] == []


def test_every_module_that_deviates_is_in_the_architectures_table():
    deviating = {
        str(module.relative_to(ROOT))
        for folder in ("zoo", "flows")
        for module in (ROOT / folder).rglob("*.py")
        if re.search(r"^\s*Deviation:", module.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
    listed = set(re.findall(r"^\| `([\w/]+\.py)` \|", read("ARCHITECTURE.md"), flags=re.MULTILINE))
    assert deviating == listed
