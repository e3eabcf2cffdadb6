"""LaTeX as MathML that browsers and screen readers understand."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from symbackprop.render.document import BREAK, LINK_CLOSE, LINK_MID, LINK_OPEN, Math
from symbackprop.render.mathml import breakable, mathml, styled
from tests.render.helpers import document

pytest.importorskip("latex2mathml")


def made(latex: str, display: bool = False, titles: dict[str, str] | None = None) -> str:
    return str(mathml(Math("", latex), titles, display))


def link(anchor: str, latex: str) -> str:
    return f"{LINK_OPEN}{anchor}{LINK_MID}{latex}{LINK_CLOSE}"


@pytest.mark.parametrize(("latex", "expected"), [
    (r"\operatorname{ReLU}(z)", "<mi>ReLU</mi>"),
    (r"\mathit{loss}", '<mi class="word">loss</mi>'),
    (r"\mathrm{old}", "<mi>old</mi>"),
    (r"\mathbf{1}", "<mn>𝟏</mn>"),
    (r"\mathbb{R}", "<mi>ℝ</mi>"),
    (r"\boldsymbol{\delta}", "<mi>𝜹</mi>"),
    (r"W^{\top}", '<mi mathvariant="normal">⊤</mi>'),
    (r"\partial L", "<mi>∂</mi><mi>L</mi>"),
    (r"a \! b", '<mspace width="-0.167em"></mspace>'),
    (r"\lfloor x \rfloor", '<mo stretchy="false">⌊</mo>'),
    (r"a < b", "<mo>&lt;</mo>"),
    (r"\sqrt{x}", "<msqrt>"),
    (r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}", "<mtd><mn>4</mn></mtd>"),
])  # fmt: skip
def test_pieces_of_mathematics(latex: str, expected: str) -> None:
    assert expected in made(latex)


def test_sums_say_below_what_they_run_over_in_displays_only() -> None:
    assert "<munder><mo>∑</mo>" in made(r"\sum_{n} x", display=True)
    assert "<msub><mo>∑</mo>" in made(r"\sum_{n} x")


def test_references_become_links() -> None:
    text = made(link("step-3", r"\frac{dL}{do}") + " h", titles={"step-3": "computed in step 3"})
    assert text.startswith('<math><mrow><mrow><mi><a href="#step-3" class="ref" title="computed in step 3"')
    assert 'aria-label="d L over d o, computed in step 3"><math><mrow><mfrac>' in text
    assert "<a " not in made(link("step-3", "x")), "without a known title there is nothing to link to"


def test_references_inside_references_and_odd_anchors() -> None:
    text = made(link("a_b%{}", "x" + link("c", "y")), titles={"a_b%{}": "one", "c": "two"})
    assert 'href="#a_b%{}"' in text and 'href="#c"' in text
    ET.fromstring(text)


def test_long_formulas_become_several_with_signs_between() -> None:
    text = made(f"a{BREAK} + b{BREAK} - (c{BREAK} + d)", display=True)
    assert text.count("<math ") == 3 and text.count("<wbr>") == 2
    assert re.findall(r'<mo form="infix">(.)</mo>', text) == ["+", "−"]
    assert made(f"a{BREAK} + b").count("<math>") == 1


@pytest.mark.parametrize(("marked", "parts"), [
    (f"a{BREAK}+b", ["a", "+b"]),
    (f"\\left(a{BREAK}+b\\right){BREAK}c", ["\\left(a+b\\right)", "c"]),
    (f"\\frac{{a{BREAK}b}}{{c}}", ["\\frac{ab}{c}"]),
    (f"(a{BREAK}b)[c{BREAK}d]", ["(ab)[cd]"]),
    (f"\\leftarrow a{BREAK}b", ["\\leftarrow a", "b"]),
    (f"\\{{a{BREAK}b", ["\\{a", "b"]),
    (link("x", f"a{BREAK}b"), [link("x", "ab")]),
])  # fmt: skip
def test_where_formulas_may_break(marked: str, parts: list[str]) -> None:
    assert breakable(marked) == parts


def test_letters_of_a_style() -> None:
    assert [styled(c, "BOLD") for c in "aA1δ%"] == ["𝐚", "𝐀", "𝟏", "𝛅", "%"]
    assert [styled(c, "DOUBLE-STRUCK") for c in "RN1"] == ["ℝ", "ℕ", "𝟙"]


def test_everything_that_documents_say_is_converted(any_model: str) -> None:
    """No backslash is left, no variant that browsers do not know, all of it well-formed."""
    for step in document(any_model).steps:
        for line in step.lines:
            text = made(line.right.marked, display=True)
            assert "\\" not in text
            assert set(re.findall(r'mathvariant="(\w+)"', text)) <= {"normal"}
            for part in text.split("<wbr>"):
                ET.fromstring(part)
