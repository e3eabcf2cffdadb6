"""The site as it is built, in a real browser. `scripts/site` builds it; `scripts/test-site` does both."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from symbackprop.model import zoo
from tests.browser.chromium import Chromium
from tests.browser.serving import served
from tests.browser.test_playground import CONTRAST

SITE = Path(__file__).parents[2] / "build" / "site"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SITE / "search").exists(), reason="the site is not built: scripts/site"),
]
LSTM, LOOKED_UP = "docs/derivations/lstm/", "docs/gallery/layer-norm/"
PAGES = ["", LSTM, LOOKED_UP, "docs/models/"]


# -- links
class Links(HTMLParser):
    """What a page leads to and loads, and the anchors that it has."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links, self.anchors = set[str](), {""}
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links |= {link for key in ("href", "src") if (link := found.get(key))}
        self.anchors |= {anchor for key in ("id", "name") if (anchor := found.get(key))}


def test_every_link_leads_to_a_file_and_an_anchor_of_the_site() -> None:
    pages = {page: Links(page) for page in SITE.rglob("*.html") if page.name != "404.html"}
    assert len(pages) > 2 * len(list(zoo.names()))
    dead = [f"{page.relative_to(SITE)}: {link}" for page, found in pages.items() for link in found.links
            if not urlsplit(link).scheme and not leads(page, link, pages)]
    assert dead == []


def leads(page: Path, link: str, pages: dict[Path, Links]) -> bool:
    path, anchor = urldefrag(link)
    file = (page.parent / unquote(path)).resolve() if path else page
    file = file / "index.html" if file.is_dir() else file
    return file.exists() and (file not in pages or unquote(anchor) in pages[file].anchors or anchor.startswith("m="))


@pytest.mark.parametrize("name", zoo.names())
def test_a_built_in_model_has_everything_on_its_page(name: str) -> None:
    page = (SITE / "docs" / "derivations" / name / "index.html").read_text(encoding="utf-8")
    for part in ("<svg", '<div class="board">', '<div class="steps">', "<math", "multiplications", f"{name}.html"):
        assert part in page
    assert page.count("tabbed-block") >= 3


# -- in the browser
@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(SITE) as url:
        yield url


@pytest.fixture
def own(address: str, browser: Chromium) -> Iterator[Chromium]:
    """The browser, which may ask for nothing elsewhere."""
    yield browser
    assert [url for url in browser.requests if not url.startswith((address, "data:", "blob:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PAGES)
def test_text_stands_out_and_a_phone_scrolls_down_only(own: Chromium, address: str, place: str, scheme: str) -> None:
    own.prefer(scheme)
    own.visit(address + place)
    assert own.js(CONTRAST) == []
    own.resize(390, 800)
    assert own.js("document.documentElement.scrollWidth") <= 390


def test_search_finds_a_page(own: Chromium, address: str) -> None:
    own.visit(address)
    own.click("[data-md-component=search-query]")
    own.js("(() => { const q = document.querySelector('[data-md-component=search-query]'); q.focus(); q.value = 'lstm';"
           "q.dispatchEvent(new Event('keyup')); q.dispatchEvent(new Event('input', {bubbles: true})); })()")
    own.wait(f"document.querySelector('.md-search-result__item a[href*=\"{LSTM}\"]')")


def test_a_model_is_shown_on_the_board_or_in_full_and_its_graph_leads_to_steps(own: Chromium, address: str) -> None:
    own.visit(address + LSTM)
    seen = "['.board', '.steps'].map(s => document.querySelector(s).checkVisibility())"
    assert own.js(seen) == [False, True]
    own.click("label[for=as-board]")
    assert own.js(seen) == [True, False]
    assert own.js("document.querySelectorAll('.derived a[href^=\"#step-\"], .derived a[href^=\"#eq-\"]').length") > 10
    own.click(".tabbed-labels label:nth-child(3)")
    block = "[...document.querySelectorAll('.tabbed-block')].find(b => b.checkVisibility())"
    own.wait(f"{block}?.textContent.includes('import torch')")


@pytest.mark.skipif(not (SITE / "playground").exists(), reason="built without the playground")
def test_a_link_opens_the_model_in_the_playground(own: Chromium, address: str) -> None:
    own.visit(address + LSTM)
    own.visit(own.js("document.querySelector('a[href*=\"playground/#m=\"]').href"))
    own.wait("document.getElementById('name')?.textContent === 'lstm'")
