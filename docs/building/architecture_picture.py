"""Draw the picture of ARCHITECTURE.md as docs/images/architecture.svg.

    python docs/building/architecture_picture.py

Run it after a change of the picture; a test tells when the file is behind. The site shows the file,
so that a page neither loads 5 MB of JavaScript nor asks another server for it. Needs npm, which
fetches Mermaid (MIT licence), and Chromium, which runs it.
"""

import hashlib
import html
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
MERMAID = "mermaid@12.3.0"
FENCE = re.compile(r"```mermaid\n(.*?)```", flags=re.DOTALL)

# A white ground, since the site's dark colours would swallow the lines; labels as SVG text, since a
# browser shows no HTML inside a picture.
_PAGE = """<!doctype html><meta charset="utf-8">
<pre class="mermaid">{source}</pre>
<script src="{script}"></script>
<script>mermaid.initialize({{
  startOnLoad: true, theme: "neutral", htmlLabels: false, flowchart: {{htmlLabels: false}},
  fontFamily: "DejaVu Sans, Verdana, sans-serif", deterministicIds: true,
}})</script>"""
_STYLE = "<style>.edgeLabel rect, .labelBkg {opacity: 1 !important; fill: white !important}</style>"


def source() -> str:
    """Return the Mermaid text of ARCHITECTURE.md."""
    return FENCE.search((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))[1]


def digest(text: str) -> str:
    """Return what the picture says it was drawn from."""
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def main() -> None:
    """Draw the picture anew."""
    text = source()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(_PAGE.format(source=html.escape(text), script=_mermaid(Path(folder))))
        chromium = ["chromium", "--headless", "--no-sandbox", "--disable-gpu"]
        drawn = _output([*chromium, "--virtual-time-budget=10000", "--dump-dom", page.as_uri()])
    picture = re.search(r"<svg.*</svg>", drawn, flags=re.DOTALL)[0].replace("<br>", "<br/>")
    opening, rest = picture.split(">", 1)
    opening = re.sub(r'width="100%"', _size(opening), opening)
    opening = opening.replace('style="', 'style="background: white; ')
    origin = f"<desc>ARCHITECTURE.md, drawn by {MERMAID}; {digest(text)}</desc>"
    PICTURE.write_text(f"{opening}>{origin}{_STYLE}{rest}\n", encoding="utf-8")


def _mermaid(folder: Path) -> str:
    """Fetch Mermaid into the folder and return the script's path within it."""
    archive = _output(["npm", "pack", "--silent", "--pack-destination", str(folder), MERMAID])
    script = "package/dist/mermaid.min.js"
    _output(["tar", "-xzf", str(folder / archive.strip()), "-C", str(folder), script])
    return script


def _size(opening: str) -> str:
    """Return the size of the view box as attributes, which a picture in a page needs."""
    width, height = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', opening).groups()
    return f'width="{float(width):.0f}" height="{float(height):.0f}"'


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
