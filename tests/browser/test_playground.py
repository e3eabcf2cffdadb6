"""The playground in a real browser. `scripts/playground.py` builds it; `scripts/test-site` does both."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from symbackprop.derive import derive
from symbackprop.model import load
from tests.browser.chromium import PATIENCE, Chromium, executable
from tests.browser.serving import served

SITE = Path(__file__).parents[2] / "build" / "playground"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="the playground is not built: scripts/playground.py"),
    pytest.mark.skipif(executable() is None, reason="no Chromium is installed"),
]
SMALL = "data x\\nparam w\\nloss L = (w*x)^2\\n"
HOSTILE = r"""# name: <script>window.got = 1</script>
# summary: "><img src=x onerror="window.got = 2">
# source: </pre></textarea><script>window.got = 3</script>
# note: <svg/onload="window.got = 4">
data onload
param w   # <img src=x onerror="window.got = 5">
loss L = (onload - w)^2
"""
CONTRAST = """
(() => {
  const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const read = (text) => text.match(/[\\d.]+/g).map(Number);
  const bright = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = read(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) { return c; }
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility({ opacityProperty: true, visibilityProperty: true })) { continue; }
    if (e.closest("#backdrop, .unseen, option, svg")) { continue; }
    const paper = behind(e), whole = e.closest(".is-stale :is(#derivation, #graph, #code, header)") || e;
    const dim = Number(getComputedStyle(whole).opacity);
    const ink = read(getComputedStyle(e).color).slice(0, 3).map((c, k) => dim * c + (1 - dim) * paper[k]);
    const [a, b] = [bright(ink), bright(paper)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) { found.push([e.tagName, e.className, e.textContent.trim().slice(0, 20), ratio]); }
  }
  return found;
})()
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(SITE) as url:
        yield url


@pytest.fixture(scope="module")
def running(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser with the page open, and Python running in it."""
    browser = Chromium(tmp_path_factory.mktemp("playground"))
    browser.visit(address)
    ready(browser)
    yield browser
    browser.close()


@pytest.fixture
def page(running: Chromium) -> Iterator[Chromium]:
    """The page with a small model in it; whatever the console complains about fails the test."""
    running.problems.clear()
    running.prefer("light")
    running.resize(1300)
    running.click("#tab-derivation")
    typed(running, SMALL)
    shown(running, "model")
    yield running
    running.js("1")
    assert running.problems == []


def ready(browser: Chromium) -> None:
    browser.wait("document.getElementById('state')?.textContent === ''")


def typed(browser: Chromium, text: str) -> None:
    """Put a text into the field as somebody who pastes it; it is written as in JavaScript, between double quotes."""
    browser.js(f'(() => {{ const field = document.getElementById("text"); field.value = "{text}";'
               'field.dispatchEvent(new Event("input")); })()')


def shown(browser: Chromium, name: str) -> None:
    browser.wait(f"document.getElementById('name').textContent === {json.dumps(name)}"
                 " && !document.querySelector('.is-stale') && !document.getElementById('problem').textContent")


def example(browser: Chromium, name: str) -> None:
    browser.js(f"(() => {{ const list = document.getElementById('examples'); list.value = {json.dumps(name)};"
               "list.dispatchEvent(new Event('change')); })()")
    shown(browser, name)


LINKED = """
(async () => {
  const letters = atob(location.hash.slice("#m=".length).replaceAll("-", "+").replaceAll("_", "/"));
  const packed = new Blob([Uint8Array.from(letters, (letter) => letter.charCodeAt(0))]).stream();
  const text = await new Response(packed.pipeThrough(new DecompressionStream("deflate-raw"))).text();
  return text === document.getElementById("text").value;
})().catch(() => false)
"""


def linked(browser: Chromium) -> None:
    """Wait until the address carries what stands in the field."""
    deadline = time.monotonic() + PATIENCE
    while not browser.js(LINKED):
        assert time.monotonic() < deadline, "the address never carries the model"
        time.sleep(0.05)


def content(browser: Chromium, identity: str) -> str:
    return str(browser.js(f"document.getElementById({json.dumps(identity)}).textContent"))


def test_a_typed_model_is_derived(page: Chromium) -> None:
    assert page.js("document.querySelectorAll('#derivation math').length") > 10
    typed(page, "# name: other\\n" + SMALL.replace("^2", "^3"))
    shown(page, "other")
    assert "3" in content(page, "derivation")


def test_what_is_typed_before_python_is_there_is_derived_when_it_is(page: Chromium, address: str) -> None:
    page.visit(address)
    typed(page, "# name: early\\n" + SMALL)
    shown(page, "early")


def test_nothing_is_asked_of_another_place(page: Chromium, address: str) -> None:
    example(page, "lstm")
    asked = [url for url in page.requests if not url.startswith(("data:", "blob:"))]
    assert len(asked) > 4 and all(url.startswith(address) for url in asked)


WORKER = """
new Promise((done) => {
  const code = `fetch("ELSEWHERE").then(() => postMessage("loaded"), () => postMessage("refused"))`;
  new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" }))).onmessage = (e) => done(e.data);
})
"""


def test_another_place_cannot_be_asked(page: Chromium) -> None:
    """Neither by the page nor by a worker, which has its content security policy."""
    with served(SITE) as elsewhere:
        fetched = f"fetch({json.dumps(elsewhere)}, {{mode: 'no-cors'}}).then(() => 'loaded', () => 'refused')"
        assert page.js(fetched) == "refused"
        assert page.js(WORKER.replace("ELSEWHERE", elsewhere)) == "refused"
    assert all("Content Security Policy" in problem for problem in page.problems)
    page.problems.clear()


def test_an_error_is_marked_at_its_line_and_the_last_derivation_stays(page: Chromium) -> None:
    before = content(page, "derivation")
    typed(page, SMALL.replace("w*x", "w*xx"))
    page.wait("document.getElementById('problem').textContent.startsWith('Line 3: name error')")
    assert page.js("document.querySelector('.gutter b').textContent") == "3"
    assert page.js("document.querySelector('#backdrop mark').textContent") == "xx"
    assert page.js("document.getElementById('text').getAttribute('aria-invalid')") == "true"
    page.wait("document.querySelector('.is-stale')")
    assert content(page, "derivation") == before
    typed(page, SMALL)
    shown(page, "model")
    assert page.js("document.querySelectorAll('.gutter b, #backdrop mark').length") == 0


def test_the_newest_text_counts(page: Chromium) -> None:
    for k in range(5):
        typed(page, f"# name: m{k}\\n" + SMALL)
    shown(page, "m4")


@pytest.mark.parametrize(("detail", "there"), [("board", ".board"), ("brief", ".steps"), ("full", ".steps")])
def test_three_lengths(page: Chromium, detail: str, there: str) -> None:
    page.click(f"label[for=as-{detail}]")
    page.wait(f"document.querySelector('#derivation {there}')?.checkVisibility()")
    page.click("label[for=as-full]")
    page.wait("document.querySelector('#derivation .steps')")


def test_graph_and_code_of_what_is_typed(page: Chromium) -> None:
    example(page, "mlp-relu-sigmoid")
    page.click("#tab-graph")
    page.wait("document.querySelectorAll('#graph .g-shape').length > 6")
    page.click("#tab-code")
    page.wait("document.getElementById('code').textContent.includes('NAME = \"mlp-relu-sigmoid\"')")
    assert content(page, "file") == "mlp_relu_sigmoid.py"
    page.js("(() => { const s = document.getElementById('target'); s.value = 'torch';"
            "s.dispatchEvent(new Event('change')); })()")
    page.wait("document.getElementById('code').textContent.includes('import torch')")
    page.js("(() => { const s = document.getElementById('target'); s.value = 'numpy';"
            "s.dispatchEvent(new Event('change')); })()")
    page.wait("document.getElementById('code').textContent.includes('import numpy')")


def numbers(browser: Chromium, kind: str) -> list[str]:
    return list(browser.js(f"[...document.querySelectorAll('#graph .g-node .{kind}')].filter(e =>"
                           "e.checkVisibility({visibilityProperty: true})).map(e => e.textContent)"))


def test_numbers_move_in_a_circuit(page: Chromium) -> None:
    example(page, "sum-times-max")
    page.click("#tab-graph")
    page.wait("document.getElementById('told').textContent.endsWith('= 5')")
    assert sorted(numbers(page, "g-value")) == ["0", "1", "2", "2", "3", "6"]
    page.js("document.querySelector('#leaves [type=range][data-leaf=z]').focus()")
    page.press("End", 35)
    page.wait("document.querySelector('#leaf-z').value === '3'")
    page.wait("document.getElementById('told').textContent.endsWith('3 · 1 + 3 · 0 = 3')")
    assert sorted(numbers(page, "g-value")) == ["1", "2", "3", "3", "3", "9"]
    page.js("(() => { const f = document.getElementById('leaf-x'); f.value = '-0.5';"
            "f.dispatchEvent(new Event('input')); })()")
    page.wait("document.querySelector('#graph').textContent.includes('4.5000')")


def test_the_sweep_is_gone_through_by_keys(page: Chromium) -> None:
    example(page, "sum-times-max")
    page.click("#tab-graph")
    page.wait("document.getElementById('told').textContent.endsWith('= 5')")
    page.js("document.getElementById('sweep').focus()")
    page.press("Home", 36)
    page.wait("document.getElementById('told').textContent === 'the numbers that are given'")
    assert numbers(page, "g-value") == ["1", "2", "0"] and numbers(page, "g-gradient") == []
    page.press("ArrowRight", 39)
    page.wait("document.getElementById('told').textContent === 'forward: a = x + y = 3'")
    assert page.js("document.querySelector('#graph .is-now').dataset.key") == "a"
    page.press("End", 35)
    page.press("ArrowLeft", 37)
    page.wait("document.getElementById('told').textContent.startsWith('backward: ∂f/∂x')")
    assert len(numbers(page, "g-gradient")) == 5
    assert "8 of 9" in str(page.js("document.getElementById('sweep').getAttribute('aria-valuetext')"))


def test_numbers_move_in_arrays(page: Chromium) -> None:
    page.click("#tab-graph")
    typed(page, "# name: arrays\\ndim N\\ndata x: N\\nparam w: N\\nh = w * x\\nloss L = sum(h^2)\\n")
    shown(page, "arrays")
    page.wait("document.getElementById('sizes').textContent === 'N = 2'")
    page.js("(() => { const f = document.getElementById('leaf-w-1'); f.focus(); f.value = '3';"
            "f.dispatchEvent(new Event('input')); })()")
    page.wait("document.getElementById('told').textContent.startsWith('backward: ∂L/∂w = ')")
    page.wait("[...document.querySelectorAll('#graph .g-value')].some(e => e.textContent.includes('3'))")
    slider = "document.querySelector('#leaves .slides input')"
    assert page.js(f"{slider}.getAttribute('aria-label')") == "w[2], slider"
    page.js(f"{slider}.focus()")
    page.press("Home", 36)
    page.wait("document.getElementById('leaf-w-1').value === '-3'")
    assert page.js("document.getElementById('leaf-w-0').value") != "-3"
    page.press("End", 35)
    page.wait("document.getElementById('leaf-w-1').value === '3'")


def test_numbers_come_and_go_by_a_button(page: Chromium) -> None:
    example(page, "lstm")
    page.click("#tab-graph")
    page.wait("document.querySelector('#graph .g-frame')")
    assert not page.js("document.getElementById('numbers').checkVisibility()")
    page.click("#with-numbers")
    page.wait("document.getElementById('numbers').checkVisibility()")
    assert page.js("document.getElementById('leaf-words-0').max") == "2"
    page.click("#with-numbers")
    page.wait("!document.getElementById('numbers').checkVisibility() && document.querySelector('#graph .g-frame')")


def test_where_arrays_are_too_large_it_is_said(page: Chromium) -> None:
    typed(page, "# name: large\\ndata x: 50\\nparam w\\nloss L = w * sum(x)\\n")
    shown(page, "large")
    page.click("#tab-graph")
    page.click("#with-numbers")
    page.wait("document.getElementById('no-numbers').checkVisibility()")
    assert not page.js("document.getElementById('numbers').checkVisibility()")


def test_an_abstract_function_is_defined_for_the_module(page: Chromium) -> None:
    typed(page, "# name: abstract\\nfunction f\\n" + SMALL.replace("(w*x)", "f(w*x)"))
    shown(page, "abstract")
    page.click("#tab-code")
    page.wait("document.querySelector('#functions input')?.checkVisibility()")
    page.js("(() => { const f = document.querySelector('#functions input'); f.value = 'tanh';"
            "f.dispatchEvent(new Event('input')); })()")
    page.wait("document.getElementById('code').textContent.includes('np.tanh')")


def test_what_is_copied_is_what_the_command_line_prints(page: Chromium) -> None:
    example(page, "two-weight-tanh")
    page.js("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    for form in ("latex", "text", "markdown"):
        page.click(f"[data-copies={form}]")
        page.wait("window.copied")
        assert page.js("window.copied") == derive(load("two-weight-tanh")).printed(form)
        page.js("window.copied = ''")


def test_a_link_carries_the_model(page: Chromium, address: str) -> None:
    typed(page, "# name: sent\\n" + SMALL.replace("w*x", "w·x"))
    shown(page, "sent")
    linked(page)
    link = str(page.js("location.href"))
    page.visit(address)
    page.wait("document.getElementById('name').textContent === 'two-weight-tanh'")
    page.js(f"location.href = {json.dumps(link)}")
    ready(page)
    shown(page, "sent")
    assert "w·x" in str(page.js("document.getElementById('text').value"))


@pytest.mark.parametrize("fragment", ["#m=@@", "#m=AAAA", "#step-1", "#%", "#%E0%A4%A"])
def test_a_broken_link_is_no_model(page: Chromium, fragment: str) -> None:
    page.js(f"location.hash = {json.dumps(fragment)}")
    typed(page, "# name: after\\n" + SMALL)
    shown(page, "after")


def test_what_is_typed_is_newer_than_a_link(page: Chromium) -> None:
    """The address changes to that of the text before, and only then the page is told of the link."""
    linked(page)
    page.js("window.old = location.hash")
    page.js("(() => { location.hash = '#m=@@'; history.replaceState(null, '', window.old); })()")
    typed(page, "# name: after\\n" + SMALL)
    shown(page, "after")
    page.js("new Promise(done => setTimeout(done, 300))")
    assert str(page.js("document.getElementById('text').value")).startswith("# name: after")


def test_what_a_model_says_stays_text(page: Chromium) -> None:
    typed(page, json.dumps(HOSTILE)[1:-1])
    page.wait("document.getElementById('source').textContent.includes('textarea')")
    for name in ("graph", "code", "derivation"):
        page.click(f"#tab-{name}")
    page.wait("document.getElementById('code').textContent.includes('onload')")
    foreign = "#shown script, #shown img, #shown [onload], #shown [onerror]"
    assert page.js(f"document.querySelectorAll({json.dumps(foreign)}).length") == 0
    assert page.js("window.got === undefined")


def test_links_lead_to_their_line_and_leave_the_address(page: Chromium) -> None:
    linked(page)
    before = page.js("location.hash")
    page.click("#derivation a.ref[href^='#eq-']")
    page.wait("document.activeElement.id.startsWith('eq-')")
    assert page.js("location.hash") == before


def test_everything_is_reached_by_the_keyboard(page: Chromium) -> None:
    page.js("document.getElementById('tab-derivation').focus()")
    page.press("ArrowRight", 39)
    page.wait("document.activeElement.id === 'tab-graph' && document.getElementById('panel-graph').checkVisibility()")
    page.press("End", 35)
    page.wait("document.activeElement.id === 'tab-code'")
    page.press("Home", 36)
    page.wait("document.activeElement.id === 'tab-derivation'")
    page.js("document.getElementById('text').focus()")
    page.press("Escape", 27)
    page.press("Tab", 9)
    page.wait("document.activeElement.id !== 'text'")
    unnamed = ("[...document.querySelectorAll('button, select, textarea, input')].filter(e =>"
               "!(e.textContent.trim() || e.labels?.length || e.getAttribute('aria-label'))).length")
    assert page.js(unnamed) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", ["derivation", "graph", "code"])
def test_text_stands_out(page: Chromium, scheme: str, tab: str) -> None:
    page.prefer(scheme)
    page.click(f"#tab-{tab}")
    assert page.js(CONTRAST) == []
    typed(page, "loss L = (")
    page.wait("document.getElementById('problem').textContent")
    assert page.js(CONTRAST) == []


@pytest.mark.parametrize("tab", ["model", "derivation", "graph", "code"])
def test_a_phone_scrolls_down_only(page: Chromium, tab: str) -> None:
    example(page, "lstm")
    page.resize(390, 800)
    page.click(f"#tab-{tab}")
    page.wait(f"document.getElementById('panel-{tab}').checkVisibility()")
    assert page.js("document.documentElement.scrollWidth") <= 390
    others = page.js("[...document.querySelectorAll('.panel')].filter(p => p.checkVisibility()).length")
    assert others == 1, "one thing at a time"


def test_what_takes_too_long_is_given_up_and_the_next_is_derived(page: Chromium) -> None:
    typed(page, "data x\\nparam w\\nh[0] = x\\nfor t in 1..19000:\\n    h[t] = tanh(w * h[t-1])\\nloss L = h[19000]\\n")
    page.wait("document.getElementById('problem').textContent.startsWith('too large')")
    typed(page, "# name: small\\n" + SMALL)
    page.wait("document.getElementById('name').textContent === 'small'")


WORKERS = """
(() => {
  const Known = Worker, end = Known.prototype.terminate;
  window.begun = window.ended = 0;
  window.Worker = class extends Known { constructor(...all) { super(...all); window.begun++; } };
  Known.prototype.terminate = function () { window.ended++; end.call(this); };
})()
"""
RUNAWAY = "data x\\nparam w\\nh[0] = x\\nfor t in 1..9000:\\n    h[t] = tanh(w * h[t-1])\\nloss L = h[9000]\\n"


def test_a_spare_worker_takes_the_place_of_one_whose_answer_nobody_waits_for(page: Chromium) -> None:
    page.js(WORKERS)
    typed(page, RUNAWAY)
    page.wait("window.begun === 1")  # the spare one
    assert page.js("window.ended") == 0
    typed(page, "# name: small\\n" + SMALL)
    shown(page, "small")
    assert page.js("window.ended") >= 1


def test_what_takes_long_leaves_typing_usable(page: Chromium) -> None:
    long = "".join(f"a{k} = w{'*x' * 40}\\n" for k in range(400))
    total = "+".join(f"a{k}" for k in range(400))
    typed(page, f"# name: long\\ndim N\\ndata x: N\\nparam w: N\\n{long}loss L = sum({total})")
    page.js("document.getElementById('text').focus()")
    page.press("x", 88, "x")
    page.wait("document.getElementById('text').value.includes('x# name') || "
              "document.getElementById('text').value.endsWith('x')")
    typed(page, "# name: small\\n" + SMALL)
    page.wait("document.getElementById('name').textContent === 'small'")


def test_without_a_network_after_one_visit(tmp_path: Path) -> None:
    with served(SITE) as address:
        browser = Chromium(tmp_path / "profile")
        browser.visit(address)
        ready(browser)
        browser.wait("navigator.serviceWorker.ready.then(() => navigator.serviceWorker.controller !== null)")
    try:  # the server is gone
        browser.js("void (window.isOld = true, location.reload())")
        browser.wait("!window.isOld && document.readyState === 'complete'")
        ready(browser)
        typed(browser, "# name: alone\\n" + SMALL)
        shown(browser, "alone")
        assert browser.problems == []
    finally:
        browser.close()


def test_on_paper_there_is_the_model_and_what_is_shown(page: Chromium) -> None:
    page.call("Emulation.setEmulatedMedia", media="print")
    seen = page.js("['#text-on-paper', '#derivation', '#text', '.tabs', '#print', '.bar'].map(s =>"
                   "document.querySelector(s).checkVisibility())")
    page.call("Emulation.setEmulatedMedia", media="")
    assert seen == [True, True, False, False, False, False]
