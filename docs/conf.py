"""The site: what `make site` builds from the pages of the repository, as they are, into build/site.

The root of the sources is the root of the repository, so a link that works on a code host works here too.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from kimi_profiles import __version__  # noqa: E402 - needs the line above

# Caption → pages, in the order of the side bar. Patterns are for what comes in several languages.
PAGES = {
    "For everybody": ["docs/guide", "docs/troubleshooting", "docs/doctor"],
    "Look up": [
        "docs/commands",
        "docs/reference",
        "docs/run",
        "docs/shells",
        "docs/filters",
        "docs/import",
        "docs/python",
        "docs/api",
        "CHANGELOG",
    ],
    "How it works": [
        "docs/claude-code",
        "docs/reliability",
        "docs/performance",
        "docs/architecture",
        "tests/faults/README",
    ],
    "Examples": ["examples/*/README"],
    "Other languages": ["docs/*/*"],
}

project = "kimi-profiles"
release = __version__
root_doc = "README"
extensions = ["myst_parser"]
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "docs/**.md",
    "examples/*/README.md",
    "tests/faults/README.md",
]
exclude_patterns = [".*", "build", "dist", "kimi_profiles"]
myst_heading_anchors = 4
smartquotes = False  # `--option` and "text" mean what they say
html_theme = "furo"
html_title = f"kimi-profiles {release}"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False


def prepare(_: Sphinx, page: str, source: list[str]) -> None:
    """Make a page of the repository one of the site.

    The first one gets the table of contents, which a code host would show as it stands. A link to a folder,
    which is no page here, becomes plain text.
    """
    folder = (ROOT / page).parent

    def plain(link: re.Match[str]) -> str:
        return link[1] if (folder / link[2]).is_dir() else link[0]

    source[0] = re.sub(r"\[([^\]]+)\]\(([^()#:]+)\)", plain, source[0])
    if page == root_doc:
        for caption, patterns in PAGES.items():
            found = [name for name in patterns if "*" not in name or list(ROOT.glob(f"{name}.md"))]
            if found:
                lines = "\n".join(f"/{name}" for name in found)
                source[0] += f"\n\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n\n{lines}\n```\n"


def add_start(app: Sphinx, error: Exception | None) -> None:
    """Lead from the folder to the first page."""
    if error is None and app.builder.format == "html":
        to = f'<meta charset="utf-8"><meta http-equiv="refresh" content="0; url={root_doc}.html">'
        text = f'<!doctype html>{to}<title>{project}</title><a href="{root_doc}.html">{project}</a>\n'
        Path(os.fspath(app.outdir), "index.html").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Tell Sphinx of both."""
    app.connect("source-read", prepare)
    app.connect("build-finished", add_start)
