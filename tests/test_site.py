"""The pages that are made from the program are current, the site builds, and every link leads somewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from pages import DOCS, anchors, read
from support import ROOT, unavailable

from kimi_profiles import __all__
from kimi_profiles.arguments import COMMANDS, all_parsers

if TYPE_CHECKING:
    from pathlib import Path

# Pages that are made


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = load(ROOT / "docs" / "generate.py")


@pytest.mark.parametrize("name", GENERATE.PAGES)
def test_a_page_that_is_made_is_current(name: str) -> None:
    assert read(ROOT / "docs" / name) == GENERATE.PAGES[name](), "run: python docs/generate.py"


def test_the_command_reference_leaves_nothing_out() -> None:
    parsers, page = all_parsers(), GENERATE.commands_page()
    shared = {flag for action in parsers.common._actions for flag in action.option_strings}
    head, *sections = re.split(r"^## (.*)\n", page, flags=re.MULTILINE)
    told = dict(zip(sections[::2], sections[1::2], strict=True))
    assert told.keys() == {"Options of every command", *COMMANDS}
    assert {flag for flag in shared if f"`{flag}" not in told["Options of every command"]} == set()
    for name, (_, parser) in parsers.commands.items():
        assert f"[`{name}`](#{name})" in head
        flags = {flag for action in parser._actions for flag in action.option_strings} - shared
        assert {flag for flag in flags if not re.search(rf"`{re.escape(flag)}[ `]", told[name])} == set()


def test_the_api_reference_has_every_public_name() -> None:
    page = GENERATE.api_page()
    assert [name for name in __all__ if f"\n## {name}\n" not in page] == ["__version__"]
    for name in ("ClaudeCode.apply", "ProfileStore.open", "Record.from_json", "Plan.changed"):
        assert f"\n### {name}\n" in page


# The site


class Page(HTMLParser):
    """What one page of the site links to, loads, and can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.feed(read(path))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        elif tag == "link" and given.get("rel") in {"stylesheet", "icon", "preload"}:
            self.loads.add(given["href"])
        elif "src" in given:
            self.loads.add(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built."""
    for package in ("sphinx", "myst_parser", "furo"):
        if importlib.util.find_spec(package) is None:
            unavailable(f"{package} is not installed")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [ROOT / ".ci" / "site", folder],
        env=os.environ | {"PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.once
def test_the_site_has_every_page_and_every_link_leads_somewhere(site: Path) -> None:
    paths = [path for path in site.rglob("*.html") if path.name not in {"genindex.html", "search.html"}]
    names = {path.relative_to(site).with_suffix("").as_posix() for path in paths}
    assert {page.relative_to(ROOT).with_suffix("").as_posix() for page in DOCS} <= names
    pages = {path.resolve(): Page(path) for path in paths}
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or not (parts.path or parts.fragment):
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert there.exists(), f"{path}: {link}"
            if parts.fragment and there in pages:
                assert unquote(parts.fragment) in pages[there].ids, f"{path}: {link}"


@pytest.mark.once
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        for source in Page(path).loads:
            parts = urlsplit(source)
            assert not parts.scheme, source
            assert not parts.netloc, source
            assert (path.parent / unquote(parts.path)).is_file(), source


@pytest.mark.once
def test_the_site_begins_with_the_readme(site: Path) -> None:
    assert "url=README.html" in read(site / "index.html")
    contents = Page(site / "README.html").links
    assert {f"{page.relative_to(ROOT).with_suffix('').as_posix()}.html" for page in DOCS} - {
        "README.html"
    } <= contents


# Links


LINKS = [(page, link) for page in DOCS for link in re.findall(r"\]\(([^)\s]+)\)", read(page))]


@pytest.mark.parametrize(
    ("page", "link"), LINKS, ids=[f"{page.relative_to(ROOT)}: {link}" for page, link in LINKS]
)
def test_a_relative_link_leads_somewhere(page: Path, link: str) -> None:
    if link.startswith("https://"):
        parts = urlsplit(link)
        assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", parts.netloc)
        assert re.fullmatch(r"[\w/.~%$-]*", parts.path)
        return
    target, _, anchor = link.partition("#")
    there = (page.parent / target).resolve() if target else page
    assert there.exists()
    assert there.is_relative_to(ROOT)
    if anchor:
        assert anchor in anchors(there)
