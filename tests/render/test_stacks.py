"""Arrays that are written by their entries or by steps of a loop: an entry of one is what is written."""

from __future__ import annotations

import os
import re

import pytest

from symbackprop.derive import derive
from symbackprop.model import Model
from symbackprop.render.text import to_text
from symbackprop.render.views import VIEWS
from tests.render.claims import WRONG
from tests.render.helpers import GOLDENS, document
from tests.render.random_models import random_loop, random_model
from tests.render.test_strict import found

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "12"))
GROUP = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
TWICE = re.compile(rf"_{GROUP}(?:\^{GROUP})?_|\^{GROUP}(?:_{GROUP})?\^")  # what LaTeX refuses: "Double subscript"
SOURCES = {
    "diagonal": "dim D\nparam C: D x D\nloss L = sum(diag(C))",
    "transpose": "dim N, D, K\nparam C: N x D x K\nloss L = sum(sum(transpose(C, (2, 0, 1)), axis=1)**2)",
    "number": """
dim T
data x: T, h[0]
param u
for t in 1..T:
    h[t] = u * h[t-1] + x[t]
loss L = h[T] * u
""",
    "vectors": """
dim T, D
data x: T x D, h[0]: D
param W: D x D, b: D
for t in 1..T:
    h[t] = tanh(W @ h[t-1] + x[t] * b)
loss L = sum((W @ h[T])**2) + sum(b)
""",
    "batches": """
dim T, N, D
data x: T x N x D, h[0]: N x D
param W: D x D, b: D, c
for k in 1..T:
    h[k] = tanh(h[k-1] @ W + x[k] * b + c)
loss L = sum((h[T] @ W)**2) + sum(b) * c
""",
}


def page(source: str, form: str = "text", view: str = "matrix") -> str:
    d = derive(Model.parse(source))
    return d.latex(view=view) if form == "latex" else d.text(view=view)


def test_the_entry_of_a_diagonal_is_that_of_the_matrix() -> None:
    assert "L = Σ_d C_dd " in page(SOURCES["diagonal"])
    assert r"\sum_{d} C_{dd}" in page(SOURCES["diagonal"], "latex")


@pytest.mark.parametrize("name", SOURCES)
def test_every_equation_holds(name: str) -> None:
    assert not [x for x in found(derive(Model.parse(SOURCES[name]))) if x.verdict == WRONG]


@pytest.mark.parametrize("view", [name for name in VIEWS if name != "scalar"])
@pytest.mark.parametrize("name", SOURCES)
def test_no_script_stands_at_a_script(name: str, view: str) -> None:
    assert not TWICE.search(page(SOURCES[name], "latex", view))


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_no_script_stands_at_a_script_of_a_random_model(seed: int) -> None:
    for model in (random_loop(seed), random_model(seed)):
        for view in ("matrix", "index", "jacobian"):
            assert not TWICE.search(derive(model).latex(view=view))


def test_no_script_stands_at_a_script_of_a_golden_file() -> None:
    assert not [path.name for path in GOLDENS.glob("*.tex") if TWICE.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("number", "∂L/∂u          = Σ_t δ_hₜ^later·hₜ₋₁ + h_T "),
        ("vectors", "∂L/∂W = Σ_t δ_z_hₜ hₜ₋₁ᵀ + δ_a h_Tᵀ "),
        ("batches", "∂L/∂W = Σ_k hₖ₋₁ᵀ δ_z_hₖ + h_Tᵀ δ_a "),
    ],
)
def test_what_steps_of_a_loop_contribute_is_written_by_steps_beside_what_else_there_is(name: str, line: str) -> None:
    assert line in page(SOURCES[name])


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_a_glossary_has_letters_that_no_step_of_a_loop_has(name: str) -> None:
    conventions, _, forward = to_text(document(name)).partition("\nGiven\n")
    letters = re.findall(r"let (\w)ₜ", forward)
    assert letters
    assert not [letter for letter in letters if f"({letter})" in conventions]


def test_what_has_no_name_outside_of_a_loop_is_written_out_in_it() -> None:
    """It was ∂L/∂?, of which LaTeX and the pages ended with a KeyError."""
    d = derive(Model.parse("dim T, H\ndata x: T x H, h[0]: H\nparam w: H, v: H\nfor t in 1..T:\n"
                           "    h[t] = tanh(x[t] + h[t-1])\n    r[t] = v * h[t] + sum(w)\nloss L = sum(sin(r))\n"))
    assert "∂L/∂w = Σ_t (∂L/∂Σ_i w_i)_t" in d.text()
    assert r"\frac{\partial L}{\partial \sum_{i} w_{i}}" in d.latex()


NESTED = """
dim T, S, N
data x: T x S x N
param W: N x N, u: N, c[0]: N
for t in 1..T:
    g[0] = c[t-1]
    for s in 1..S:
        z[s] = W @ g[s-1] + u * x[t, s]
        g[s] = sigmoid(z[s]) * g[s-1]
    c[t] = sum(g, axis=0) * c[t-1]
loss L = sum(c[T])
"""


def test_a_loop_in_a_loop_leaves_the_sum_over_the_steps_of_both() -> None:
    """What the outer loop needs to compute it at once is none of the derivation's."""
    text = page(NESTED)
    assert "= Σ_t Σ_s δ_zₛ gₛ₋₁ᵀ " in text
    assert "= Σ_t Σ_s δ_zₛ ⊙ x[t,s] " in text
    assert "concat" not in text
    assert "= Σ_t Σ_s δ_zₛ[i]·gₛ₋₁[j] " in page(NESTED, view="index")


def test_a_stack_in_a_loop_is_introduced_under_the_name_of_its_steps() -> None:
    text = page(NESTED)
    assert re.search(r"h +=  ?\(h\[1\], …, h\[S\]\)", text)
    assert text.index("δ_g = ∂L/∂g") < text.index("δ_g[s]")


@pytest.mark.parametrize(("sizes", "read", "share", "whole"), [
    ("K x M x D", "U[k][m]", "(∂L/∂U[k,m])_t = ", "Σ_t ((∂L/∂Uₖ)_t for k = 1, …, K)"),
    ("M x D", "U[m]", "(∂L/∂Uₘ)_k = ", "Σ_t Σ_k ((∂L/∂Uₘ)_k for m = 1, …, M)"),
])
def test_every_step_of_an_outer_loop_adds_to_the_gradient_of_an_element(
        sizes: str, read: str, share: str, whole: str) -> None:
    """∂L/∂Uₖ would be the whole of it."""
    found = re.sub(" +", " ", page(f"""
dim T, K, M, D
data x: T x D
param U: {sizes}, h0: D
for t in 1..T:
    g[0] = x[t] + h[t-1]
    for k in 1..K:
        f[0] = g[k-1]
        for m in 1..M:
            f[m] = {read} * f[m-1]
        g[k] = f[M]
    h[t] = g[K]
loss L = sum(h[T]**2)"""))
    assert share + "δ_fₘ^later ⊙ fₘ₋₁ " in found
    assert whole in found
    assert "\n ∂L/∂U[" not in found
