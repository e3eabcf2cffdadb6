"""A page of exercises in a real browser: typed into, checked, hinted at, kept, saved, printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from symbackprop.exercise import exercise
from symbackprop.model import load
from tests.browser.chromium import Chromium
from tests.browser.test_playground import CONTRAST


@pytest.fixture
def page(browser: Chromium, tmp_path: Path) -> Chromium:
    (tmp_path / "page.html").write_text(exercise(load("two-weight-tanh"), difficulty="hard").html(), encoding="utf-8")
    browser.open(tmp_path / "page.html")
    return browser


def answer(page: Chromium, number: int, text: str) -> str:
    """Types an answer, presses Enter, and gives what is said."""
    page.js(f"(() => {{ const f = document.getElementById('answer-{number}'); f.focus(); f.value = ''; }})()")
    page.call("Input.insertText", text=text)
    page.press("Enter", 13, "\r")
    return said(page, number)


def said(page: Chromium, number: int) -> str:
    return str(page.js(f"document.getElementById('said-{number}').textContent"))


def seen(page: Chromium) -> int:
    return int(page.js("[...document.querySelectorAll('.asks')].filter(c => c.checkVisibility()).length"))


def test_a_question_after_the_other_with_hints_kept_until_the_next_visit(page: Chromium, tmp_path: Path) -> None:
    assert seen(page) == 1
    assert answer(page, 1, "-(y - o)") == "Right."
    assert seen(page) == 2, "what follows appears"
    assert "There is no q here.do * q\n     ^" in answer(page, 2, "do * q")
    assert answer(page, 2, "do * (1 - a^2)") == "Not yet right."
    page.click("[data-question='2'] [data-hint=where]")
    page.click("[data-question='2'] [data-hint=why]")
    assert said(page, 2).endswith("a stands where o belongs (a is the value before the activation): you have 1 - a**2.")
    page.open(tmp_path / "page.html")
    assert page.js("document.getElementById('progress').textContent") == "1 of 6 right"
    assert page.js("document.getElementById('answer-2').value") == "do * (1 - a^2)"
    assert all(url.startswith("file:") for url in page.requests)
    page.click("#again")
    assert seen(page) == 1


def test_what_is_saved_is_what_grade_reads(page: Chromium, tmp_path: Path) -> None:
    page.js("localStorage.clear()")
    page.click("#again")
    answer(page, 1, "o - y")
    page.js("(() => { const f = document.getElementById('student'); f.value = 'Ada L.';"
            "f.dispatchEvent(new Event('change')); })()")
    page.js("URL.createObjectURL = (blob) => { window.saved = blob.text(); return 'data:,'; };"
            "HTMLAnchorElement.prototype.click = function () { window.file = this.download; }")
    page.click("#save")
    assert page.js("window.file") == "two-weight-tanh-ada-l-.json"
    found = json.loads(str(page.js("window.saved")))
    assert (found["format"], found["student"]) == ("symbackprop-exercise", "Ada L.")
    assert found["answers"][0] == {"name": "do", "given": "o - y", "verdict": "right", "tries": 1, "hints": 0}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_read_in_light_and_dark_and_on_a_phone(page: Chromium, scheme: str) -> None:
    page.prefer(scheme)
    page.click("#again")
    answer(page, 1, "y - o")
    page.click("[data-question='1'] [data-hint=where]")
    assert page.js(CONTRAST) == []
    page.resize(390, 800)
    assert page.js("document.documentElement.scrollWidth") <= 390


def test_on_paper_all_questions_have_their_lines(page: Chromium) -> None:
    page.click("#again")
    page.call("Emulation.setEmulatedMedia", media="print")
    lines = page.js("[...document.querySelectorAll('.paper-line')].filter(e => e.checkVisibility()).length")
    page.call("Emulation.setEmulatedMedia", media="")
    assert lines == 6
