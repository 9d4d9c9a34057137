"""The site: it is built without a warning, asks nobody for anything, and leads to every page."""

from __future__ import annotations

import logging
import re
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import DOCS, README, ROOT

LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
"""What a browser fetches by itself; links are followed by readers."""

@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `mkdocs build --strict` builds it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from mkdocs.commands.build import build
        from mkdocs.config import load_config

    out = tmp_path_factory.mktemp("site")
    heard = Heard()
    logging.getLogger("mkdocs").addHandler(heard)
    try:
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(out), strict=True))
    finally:
        logging.getLogger("mkdocs").removeHandler(heard)
    assert heard.lines == []
    return out


class Heard(logging.Handler):
    """Keeps the warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Loads(HTMLParser):
    """What a page makes the browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "link" and named.get("rel") == "canonical":
            return
        address = named.get(LOADS.get(tag, ""))
        if address:
            self.found.append(address)


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 8
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        assert loads.found
        assert [one for one in loads.found if is_outside(one)] == [], page
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        addresses = re.findall(r"url\(['\"]?([^'\")]+)|@import ['\"]([^'\"]+)", text)
        assert [one for pair in addresses for one in pair if is_outside(one)] == [], sheet


def is_outside(address: str) -> bool:
    return re.match(r"(?:[a-z]+:)?//", address) is not None


def test_what_is_loaded_is_there(site: Path) -> None:
    for page in site.glob("*.html"):
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        for one in loads.found:
            if not one.startswith(("data:", "/")):
                assert (page.parent / one.partition("?")[0]).is_file(), f"{page.name}: {one}"


def test_every_page_is_in_the_navigation() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = list(leaves(config["nav"]))
    there = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
    assert len(listed) == len(set(listed))
    assert set(listed) - set(there) == set()
    assert set(there) - set(listed) == set(), "add it to `nav` in mkdocs.yml"


def leaves(nav: Any) -> Any:
    """The pages of a navigation."""
    if isinstance(nav, str):
        yield nav
        return
    for one in nav.values() if isinstance(nav, dict) else nav:
        yield from leaves(one)


def test_each_page_asks_one_question() -> None:
    # One heading of the first level, at the top: it is the page's title everywhere.
    for path in DOCS.rglob("*.md"):
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert text.startswith("# "), path
        assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1, path


def test_the_readmes_links_lead_somewhere() -> None:
    for address in re.findall(r"\]\(([^)#]+)[^)]*\)", README.read_text(encoding="utf-8")):
        assert is_outside(address) or (ROOT / address).exists(), address
