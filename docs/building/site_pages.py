"""MkDocs hook: the pages that are made from what the project says elsewhere.

ARCHITECTURE.md and CHANGELOG.md are shown as they stand at the top of the project, and
`command_line.md` gets the commands as typer documents them, so none of them can be behind.
"""

import re
import subprocess
import sys
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
FROM_THE_TOP = {"ARCHITECTURE.md": "architecture.md", "CHANGELOG.md": "changelog.md"}
COMMANDS = "<!-- commands -->"
_FENCE = re.compile(r"```mermaid\n.*?```", flags=re.DOTALL)
_PICTURE = "![What starts, watches and writes what](images/architecture.svg)"
_LINK = re.compile(r"\[([^]]+)\]\((?!https?:|#)([^)#]+)[^)]*\)")
_LIST_OF_COMMANDS = re.compile(r"\*\*Commands\*\*:\n\n(?:\* .*\n)+\n")
_NAME = re.compile(r"(<a\b.*?</a>)|<code>(zoo(?:\.\w+)+)</code>", flags=re.DOTALL)
# A canonical link tells where the page itself is; `mkdocs serve` writes one.
_REMOTE = re.compile(
    r"<(?!link rel=.?canonical)(?:script|link|img|iframe)\b[^>]*"
    r"\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>"
)


def on_files(files, config):
    """Add the pages that stand at the top of the project."""
    for name, page in FROM_THE_TOP.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=as_page(text)))
    return files


def on_page_markdown(markdown, page, **kwargs):
    """Fill the page of commands."""
    if COMMANDS in markdown:
        return markdown.replace(COMMANDS, command_reference())
    return markdown


def on_page_content(html, **kwargs):
    """Lead each name of ours that stands as code to its place in the reference, if it has one."""
    return _NAME.sub(_link_to_reference, html)


def on_post_page(output, page, **kwargs):
    """Refuse a page that would load anything from another server."""
    if remote := _REMOTE.search(output):
        raise PluginError(f"{page.file.src_uri}: loads from another server: {remote[0]}")
    return output


def as_page(text: str) -> str:
    """Turn a text of the top folder into a page: links within docs/, the drawn picture."""
    return _FENCE.sub(_PICTURE, _LINK.sub(_link_from_docs, text))


def command_reference() -> str:
    """Return every command with its arguments and options as Markdown, below the first heading.

    Without typer's lists of commands, which cut the descriptions short; the headings list them.
    """
    command = [sys.executable, "-m", "typer", "flows.cli", "utils", "docs", "--name", "zoo"]
    made = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return _LIST_OF_COMMANDS.sub("", made[made.index("**Usage**") :])


def _link_to_reference(name: re.Match) -> str:
    if name[1]:  # a link already
        return name[0]
    return f'<autoref identifier="{name[2]}" optional><code>{name[2]}</code></autoref>'


def _link_from_docs(link: re.Match) -> str:
    """Lead a link to docs/ from there; what the site does not hold is named instead."""
    text, target = link.groups()
    if target.startswith("docs/") and target.endswith(".md"):
        return link[0].replace("(docs/", "(")
    return text if text == target else f"{text} (`{target}`)"
