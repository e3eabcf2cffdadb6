"""The page of a derivation in a real browser: it opens without a complaint, and everything on it works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.conftest import MODELS

ESCAPE, TAB, ENTER = 27, 9, 13
REF = "#step-4 li.kind-cached a.ref"  # ∂L/∂a in the step for w₂, found in step 3


@pytest.fixture
def page(browser: Chromium, site: Path) -> Chromium:
    browser.open(site / "two-weight-tanh.html")
    return browser


@pytest.mark.parametrize("name", [*MODELS, "index"])
def test_opens_without_network_or_complaint(browser: Chromium, site: Path, name: str) -> None:
    browser.open(site / f"{name}.html")
    assert browser.js("document.title.length") > 10
    assert all(url.startswith("file:") for url in browser.requests)
    assert len(browser.requests) == 1


@pytest.mark.parametrize("name", MODELS)
def test_every_link_leads_somewhere(browser: Chromium, site: Path, name: str) -> None:
    browser.open(site / f"{name}.html")
    links = browser.js("[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))")
    ids = browser.js("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(links) > 10
    assert set(links) <= set(ids)
    assert len(set(ids)) == len(ids)


def test_mathematics_is_laid_out(page: Chromium) -> None:
    assert page.js("document.querySelectorAll('math').length") > 60
    shown = "[...document.querySelectorAll('.right > math')].filter(m => m.checkVisibility())"
    boxes = page.js(f"{shown}.map(m => m.getBoundingClientRect().height)")
    assert min(boxes) > 5
    fraction = page.js("document.querySelector('.steps mfrac').getBoundingClientRect().height")
    letter = page.js("document.querySelector('.steps mfrac mi').getBoundingClientRect().height")
    assert fraction > 1.5 * letter, "a fraction stands on two lines"
    assert page.js("document.querySelectorAll('merror').length") == 0


def test_a_link_inside_mathematics_is_followed_by_a_click(page: Chromium) -> None:
    page.click(REF)
    page.wait("location.hash === '#step-3'")
    page.wait("document.getElementById('step-3').getBoundingClientRect().top < 300")


def test_hover_marks_where_a_factor_was_computed(page: Chromium) -> None:
    page.hover(REF)
    page.wait("document.getElementById('step-3').classList.contains('is-source')")
    assert page.js("document.querySelector('a.g-node[data-step=\"step-3\"]').classList.contains('is-same')")
    page.hover("h1")
    page.wait("document.querySelectorAll('.is-source, .is-same').length === 0")


def test_focus_marks_it_too_and_escape_ends_it(page: Chromium) -> None:
    page.js(f"document.querySelector('{REF}').focus()")
    page.wait("document.getElementById('step-3').classList.contains('is-source')")
    page.press("Escape", ESCAPE)
    page.wait("document.querySelectorAll('.is-source').length === 0")


def test_a_place_out_of_sight_is_shown_beside_the_reference(page: Chromium) -> None:
    last = "#step-7 a.ref[href='#eq-1']"
    page.js(f"document.querySelector(\"{last}\").focus()")
    page.wait("!document.getElementById('peek').hidden")
    assert page.js("document.querySelector('#peek math') !== null")
    assert page.js("document.querySelector('#peek .peek-label').textContent") == "(1)"
    assert page.js("document.querySelectorAll('#peek a[href]').length") == 0
    page.js("document.activeElement.blur()")
    page.wait("document.getElementById('peek').hidden")


def test_the_graph_links_to_the_lines(page: Chromium) -> None:
    assert page.js("document.querySelectorAll('.graph a.g-node').length") == 9
    shape = ".graph a.g-node[href='#eq-3'] .g-shape"
    page.hover(shape)
    page.wait("document.getElementById('eq-3').classList.contains('is-source')")
    assert page.js("document.getElementById('step-3').classList.contains('is-source')"), "its gradient is marked too"
    page.click(shape)
    page.wait("location.hash === '#eq-3'")


def test_a_large_graph_scrolls_and_can_be_seen_whole(browser: Chromium, site: Path) -> None:
    browser.resize(1500)  # where it stands beside the text
    browser.open(site / "transformer-block.html")
    overflow = "document.querySelector('.canvas').scrollWidth - document.querySelector('.canvas').clientWidth"
    assert browser.js(overflow) > 100
    assert browser.js("document.querySelector('.canvas').scrollLeft") > 30, "its middle is in sight"
    browser.click("#fit")
    browser.wait(f"{overflow} <= 0")
    browser.click("#fit")
    browser.wait(f"{overflow} > 100")
    browser.resize(1300)


@pytest.mark.parametrize("fragment", ["#%", "#%E0%A4%A", "#step-99"])
def test_a_fragment_that_is_no_anchor_leads_nowhere(page: Chromium, fragment: str) -> None:
    page.js(f"location.hash = {json.dumps(fragment)}")
    page.js("location.hash = '#step-5'")
    page.wait("document.getElementById('step-5').open")


WIDE = "[...document.querySelectorAll('.body, .right')].find(e => e.scrollWidth > e.clientWidth)"


def test_what_scrolls_sideways_is_reached_by_the_keyboard(browser: Chromium, site: Path) -> None:
    browser.resize(300)
    browser.open(site / "transformer-block.html")
    browser.js(f"{WIDE}.scrollIntoView()")
    browser.wait(f"{WIDE}.tabIndex === 0")
    assert browser.js("document.querySelector('.left').tabIndex") == -1


def test_steps_close_and_open_by_mouse_and_keyboard(page: Chromium) -> None:
    open_steps = "document.querySelectorAll('details.step[open]').length"
    count = page.js(open_steps)
    page.click("#step-2 > summary .step-number")
    page.wait(f"{open_steps} === {count - 1}")
    page.js("document.querySelector('#step-2 > summary').focus()")
    page.press("Enter", ENTER, "\r")
    page.wait(f"{open_steps} === {count}")
    page.click("#close-all")
    page.wait(f"{open_steps} === 0")
    page.js("location.hash = '#step-5'")
    page.wait("document.getElementById('step-5').open")
    page.click("#open-all")
    page.wait(f"{open_steps} === {count}")


def test_dark_is_a_switch_and_is_remembered(page: Chromium, site: Path) -> None:
    def colour() -> str:
        return str(page.js("getComputedStyle(document.body).backgroundColor"))

    light = colour()
    assert page.js("document.getElementById('theme').getAttribute('aria-pressed')") == "false"
    page.click("#theme")
    page.wait("document.getElementById('theme').getAttribute('aria-pressed') === 'true'")
    dark = colour()
    assert dark != light
    page.open(site / "squared-norm.html")
    assert colour() == dark
    page.click("#theme")
    assert colour() == light
    page.js("localStorage.clear()")


def test_dark_follows_the_system(page: Chromium) -> None:
    light = page.js("getComputedStyle(document.body).backgroundColor")
    page.prefer("dark")
    page.wait(f"getComputedStyle(document.body).backgroundColor !== '{light}'")
    page.wait("document.getElementById('theme').getAttribute('aria-pressed') === 'true'")  # told a frame later


def test_latex_is_copied(page: Chromium) -> None:
    page.js("navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve(); }")
    page.click("#step-4 button.copy")
    page.wait("document.getElementById('said').textContent === 'LaTeX copied'")
    copied = page.js("window.copied")
    assert copied.startswith(r"\begin{align*}")
    assert r"\frac{dL}{dw_{2}}" in copied


def test_works_where_the_clipboard_is_closed(page: Chromium) -> None:
    page.js("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))")
    page.click("#eq-1 button.copy")
    page.wait("document.getElementById('said').textContent !== ''")


@pytest.mark.parametrize("name", [*MODELS, "index"])
@pytest.mark.parametrize("width", [360, 760, 1400])
def test_nothing_sticks_out(browser: Chromium, site: Path, width: int, name: str) -> None:
    browser.resize(width)
    browser.open(site / f"{name}.html")
    assert browser.js("document.documentElement.scrollWidth") <= width


def test_keyboard_reaches_everything(page: Chromium) -> None:
    page.js("document.activeElement.blur(); window.scrollTo(0, 0)")
    seen = set()
    for _ in range(12):
        page.press("Tab", TAB)
        seen.add(page.js("document.activeElement.id || document.activeElement.getAttribute('class') || ''"))
    assert {"skip", "open-all", "close-all", "theme"} <= seen
    page.js("document.querySelector('.graph a.g-node').focus()")
    page.wait("document.querySelectorAll('.is-source').length > 0")


def test_readers_of_the_page_by_ear_find_names(page: Chromium) -> None:
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    named: dict[str, list[str]] = {}
    for node in nodes:
        named.setdefault(node.get("role", {}).get("value", ""), []).append(node.get("name", {}).get("value", ""))
    assert {"two-weight-tanh", "Graph", "Given", "Forward pass", "Step 4: dL/dw₂"} <= set(named["heading"])
    assert "Step 4: dL/dw₂" in named["DisclosureTriangle"]
    assert all(named["button"]), "every button has a name"
    assert all(named["link"]), "every link has a name"
    assert "d L over d a, computed in step 3" in named["link"], "references say what and where from"
    assert any("b = w₁·x" in name for name in named["link"]), "boxes of the graph are read as equations"
    assert any(name.startswith("local gradient ∂b/∂w₁ = ") for name in named["image"])
    assert len(named["MathMLMath"]) > 60


def test_contrast_is_sufficient_in_light_and_dark(page: Chromium) -> None:
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        for selector in ("body", ".source", ".reason", ".number", ".ref", "h2", ".g-value", ".g-gradient", ".g-local",
                         ".g-note"):
            assert page.js(CONTRAST.replace("SELECTOR", selector)) >= 4.5, f"{selector} in {scheme}"


@pytest.mark.parametrize("name", MODELS)
def test_local_gradients_lie_on_nothing_else(browser: Chromium, site: Path, name: str) -> None:
    browser.open(site / f"{name}.html")
    assert browser.js(OVERLAPS) == []


OVERLAPS = """(() => {
  const boxes = [...document.querySelectorAll(".graph text:not(.g-note), .graph .g-node .g-shape")]
    .map(e => [e, e.getBoundingClientRect()]);
  const apart = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
  return boxes.filter(([e]) => e.closest("g[role=img]")).flatMap(([e, a]) =>
    boxes.filter(([other, b]) => other !== e && !apart(a, b)).map(([other]) => e.textContent + other.textContent));
})()"""

CONTRAST = """(() => {
  const luminance = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const e = document.querySelector("SELECTOR"), style = getComputedStyle(e);
  let under = e; const clear = c => c === "transparent" || c === "rgba(0, 0, 0, 0)";
  while (under.parentElement && clear(getComputedStyle(under).backgroundColor)) under = under.parentElement;
  const ink = luminance(e.closest("svg") ? style.fill : style.color);
  const paper = luminance(getComputedStyle(under).backgroundColor);
  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
})()"""


def test_without_script_everything_is_there(browser: Chromium, site: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.call("Page.navigate", url=(site / "two-weight-tanh.html").as_uri())
        browser.wait("document.readyState === 'complete' && document.querySelector('.step')")
        assert browser.js("document.querySelectorAll('details.step:not([open])').length") == 0
        assert browser.js("getComputedStyle(document.querySelector('.tools')).display") == "none"
        assert browser.js("document.querySelector('#step-4 a.ref').getAttribute('href')").startswith("#")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_paper_shows_every_step(page: Chromium) -> None:
    page.click("#close-all")
    page.wait("document.querySelectorAll('details.step[open]').length === 0")
    page.js("window.opened = 0; window.addEventListener('beforeprint', () => {"
            "window.opened = document.querySelectorAll('details.step[open]').length; })")
    assert len(page.call("Page.printToPDF")["data"]) > 10_000
    page.wait("window.opened === document.querySelectorAll('details.step').length")
    page.wait("document.querySelectorAll('details.step[open]').length === 0")


def test_text_of_a_model_stays_text(browser: Chromium, site: Path) -> None:
    browser.open(site / "hostile.html")
    assert browser.js("document.querySelector('h1').textContent") == "<script>alert(1)</script>"
    assert "onerror=alert(2)" in browser.js("document.querySelector('.summary').textContent")
    assert "{{ 7 * 7 }}" in browser.js("document.querySelector('.notes').textContent")
    assert browser.js("document.querySelectorAll('img, b, svg[onload]').length") == 0


def test_foreign_script_would_not_run(browser: Chromium, site: Path) -> None:
    """The page's policy allows its own script and nothing else, should escaping ever fail."""
    broken = site / "broken.html"
    text = (site / "squared-norm.html").read_text(encoding="utf-8")
    broken.write_text(text.replace("<main>", "<main><script>window.foreign = 1</script>"), encoding="utf-8")
    browser.open(broken)
    assert browser.js("window.foreign") is None
    assert any("Content Security Policy" in problem for problem in browser.problems)
    browser.problems.clear()


def test_the_index_leads_to_the_pages(browser: Chromium, site: Path) -> None:
    browser.open(site / "index.html")
    assert browser.js("document.querySelectorAll('a.card').length") == len(MODELS)
    browser.click("a.card[href='squared-norm.html'] strong")
    browser.wait("location.pathname.endsWith('/squared-norm.html') && document.readyState === 'complete'")
    assert browser.js("document.querySelector('h1').textContent") == "squared-norm"


def test_how_much_is_shown_is_chosen_with_the_keyboard(page: Chromium) -> None:
    """Board, brief, full: one of them at a time, without a script."""
    board, steps = (f"document.querySelector('{x}').checkVisibility()" for x in (".board", ".steps"))
    local = "[...document.querySelectorAll('.kind-local')].some(m => m.checkVisibility())"
    assert not page.js(board) and page.js(steps) and page.js(local)
    page.js("document.getElementById('as-board').click()")
    assert page.js(board) and not page.js(steps)
    page.js("document.getElementById('as-brief').click()")
    assert not page.js(board) and page.js(steps) and not page.js(local)
