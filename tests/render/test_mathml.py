"""Trees as MathML that browsers and screen readers understand."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
import sympy as sp

from symbackprop.core import maths
from symbackprop.core.maths import Big, Delta, Derivative, Fill, Fn, Frac, Link, Math, Prod, Rounded, Sum, Sym
from symbackprop.render.document import Document, Prose
from symbackprop.render.print.mathml import mathml, styled
from tests.render.helpers import document

A, B, C = Sym("a"), Sym("b"), Sym("c")
N = maths.Shape((sp.Symbol("N"),))
KNOWN = {"math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "msub", "msup", "mover", "munder",
         "mtable", "mtr", "mtd", "a"}
CHILDREN = {"mfrac": 2, "msub": 2, "msup": 2, "mover": 2, "munder": 2}


def total(*terms: Math) -> Math:
    return Sum(tuple([(False, t) for t in terms]))


def own(notation: str) -> Math:
    return Sym("x", notation=notation)


@pytest.mark.parametrize(("tree", "expected"), [
    (Fn("relu", (Sym("z"),)), "<mi>ReLU</mi>"),
    (Sym("loss"), '<mi class="word">loss</mi>'),
    (Sym("w_old"), "<msub><mi>w</mi><mi>old</mi></msub>"),
    (Sym("x_hat1"), '<msub><mover accent="true"><mi>x</mi><mo stretchy="false">^</mo></mover><mn>1</mn></msub>'),
    (Fill(sp.S.One, N), "<msub><mn>𝟏</mn><mi>N</mi></msub>"),
    (own(r"\mathbb{R}"), "<mi>ℝ</mi>"),
    (own(r"\boldsymbol{x}"), "<mi>𝒙</mi>"),
    (own("W^{[1]}"), "<msup><mi>W</mi><mrow><mo>[</mo><mn>1</mn><mo>]</mo></mrow></msup>"),
    (own(r"\hat{y}_t'"), "<mo>′</mo>"),
    (maths.Transpose(A), '<msup><mi>a</mi><mi mathvariant="normal">⊤</mi></msup>'),
    (Derivative(Sym("L"), A), "<mfrac><mrow><mi>∂</mi><mi>L</mi></mrow><mrow><mi>∂</mi><mi>a</mi></mrow></mfrac>"),
    (maths.Relation(A, "<", B), "<mo>&lt;</mo>"),
    (Fn("sqrt", (A,)), "<msqrt><mi>a</mi></msqrt>"),
    (Fn("exp", (A,)), "<msup><mi>e</mi><mi>a</mi></msup>"),
    (Rounded(((1.0, 2.0), (3.0, 4.0)), 2), "<mtr><mtd><mn>3</mn></mtd><mtd><mn>4</mn></mtd></mtr>"),
    (Rounded(-1e-7, 2), "<mo>−</mo><mn>1.00</mn><mo>⋅</mo><msup><mn>10</mn><mrow><mo>−</mo><mn>7</mn></mrow></msup>"),
    (maths.Words("given"), "<mtext>given</mtext>"),
])
def test_pieces_of_mathematics(tree: Math, expected: str) -> None:
    assert expected in mathml(tree)


def test_brackets_grow_only_around_what_is_tall() -> None:
    low, tall = mathml(Prod((total(A, B), C))), mathml(Prod((total(Frac(A, B), B), C)))
    assert '<mo stretchy="false" form="prefix">(</mo>' in low and 'stretchy="true"' not in low
    assert '<mo stretchy="true" form="prefix">(</mo><mfrac>' in tall


def test_sums_say_below_what_they_run_over_in_displays_only() -> None:
    tree = Big("sum", ("n",), A)
    assert "<munder><mo>∑</mo><mi>n</mi></munder>" in mathml(tree, display=True)
    assert "<msub><mo>∑</mo><mi>n</mi></msub>" in mathml(tree)


def test_references_become_links() -> None:
    tree = Prod((Link("step-3", Derivative(Sym("L"), Sym("o"), "d")), Sym("h")))
    text = mathml(tree, {"step-3": "computed in step 3"})
    assert text.startswith('<math><mrow><mi><a href="#step-3" class="ref" title="computed in step 3"')
    assert 'aria-label="d L over d o, computed in step 3"><math><mfrac>' in text
    assert "<a " not in mathml(tree), "without a known title there is nothing to link to"
    assert 'aria-label="δ W 1, two"' in mathml(Link("x", Delta(Sym("W1"))), {"x": "two"})


def test_anchors_and_titles_are_escaped() -> None:
    text = mathml(Link('a_b%"{}', A), {'a_b%"{}': 'one "<two>"'})
    assert 'href="#a_b%&#34;{}"' in text
    ET.fromstring(text)


def test_long_formulas_become_several_with_signs_between() -> None:
    tree = Sum(((False, A), (False, B), (True, total(C, Sym("d")))))
    text = mathml(tree, display=True)
    assert text.count("<math ") == 3 and text.count("<wbr>") == 2
    assert re.findall(r'<mo form="infix">(.)</mo>', text) == ["+", "−"]
    assert mathml(tree).count("<math>") == 1


@pytest.mark.parametrize(("tree", "formulas"), [
    (total(A, B), 2),
    (Prod((total(A, B), C)), 1),
    (Frac(total(A, B), C), 1),
    (maths.Chain((A, B, C)), 3),
    (Link("x", total(A, B)), 1),
    (maths.Indicator(total(A, B)), 1),
])
def test_where_formulas_may_break(tree: Math, formulas: int) -> None:
    text = mathml(tree, {"x": "there"}, display=True)
    assert text.count("<math ") - text.count("<a ") == formulas


def test_letters_of_a_style() -> None:
    assert [styled(c, "BOLD") for c in "aA1δ%"] == ["𝐚", "𝐀", "𝟏", "𝛅", "%"]
    assert [styled(c, "DOUBLE-STRUCK") for c in "RN1"] == ["ℝ", "ℕ", "𝟙"]


def trees(value: object) -> Iterator[Math]:
    """All mathematics of a document."""
    if isinstance(value, Math):
        yield value
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from trees(v)
    elif hasattr(value, "__dataclass_fields__"):
        yield from trees(list(vars(value).values()))


def test_everything_that_documents_say_is_sound(any_model: str) -> None:
    """Well-formed, of known elements with as many children as they need, no LaTeX left, signs as operators."""
    doc: Document | Prose = document(any_model)
    titles = {a: "there" for a in document(any_model).anchors()}
    for tree in dict.fromkeys(trees(doc)):
        for part in mathml(tree, titles, display=True).split("<wbr>"):
            assert "\\" not in part
            for e in ET.fromstring(part).iter():
                assert e.tag in KNOWN and len(e) == CHILDREN.get(e.tag, len(e)), part
                assert e.tag not in ("mi", "mn", "mo", "mtext") or len(e) or e.text, part
                assert (e.text or "").strip() not in ("+", "−", "=", "⊙", "⋅", "(", ")", ",") or e.tag == "mo", part
