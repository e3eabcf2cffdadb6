"""What stands beside the lines of the matrix view is true, and what stands in them is introduced."""

from __future__ import annotations

import pytest

from symbackprop.core import maths as m
from symbackprop.core.names import text_name
from symbackprop.core.ops import OPS
from symbackprop.derive import derive
from symbackprop.model import Model, zoo
from symbackprop.render.board import build_document
from symbackprop.render.document import Document
from symbackprop.render.options import Options
from symbackprop.render.print.text import text
from tests.render.helpers import document, said
from tests.sweeps import few_in_ci

LOOPS = {
    "states": "data x: T x N x D\nparam W: D x H, U: H x H, b: H, h[0]: N x H\n"
              "for t in 1..T:\n    h[t] = tanh(x[t] @ W + h[t-1] @ U + b)\nloss L = sum(h[T]**2) / 2",
    "outputs": "data y: T\nparam a, s[0]\n"
               "for t in 1..T:\n    s[t] = a * y[t] + (1 - a) * s[t-1]\n    e[t] = (y[t] - s[t-1])**2\n"
               "loss L = mean(e)",
    "both": "param A: N x N, b: N, s[0]: N\nfor t in 1..T:\n    s[t] = A @ s[t-1] + b\nloss L = sum(s**3)",
    "a weight twice": "param A: N x N, b: N, s[0]: N\n"
                      "for t in 1..T:\n    s[t] = A @ tanh(A @ s[t-1]) + b\nloss L = sum(s**3)",
}
ENTERS = {
    "states": {"δ_hₜ^later": "from the later steps"},
    "outputs": {"δ_sₜ^later": "from the later steps", "δ_e[t]": "from what reads it outside the loop"},
    "both": {"δ_sₜ^later + δ_s[t]": "from the later steps, and from what reads it outside the loop"},
    "a weight twice": {"δ_sₜ^later + δ_s[t]": "from the later steps, and from what reads it outside the loop"},
}
SUMS = {
    "states": {"Σ_t xₜᵀ δ_z_hₜ": True, "Σ_t hₜ₋₁ᵀ δ_z_hₜ": True, "Σ_t Σ_n δ_z_hₜ[n]": False},
    "outputs": {"Σ_t δ_sₜ^later·(yₜ − sₜ₋₁)": False},
    "both": {"Σ_t δ_sₜ sₜ₋₁ᵀ": True, "Σ_t δ_sₜ": False},
    "a weight twice": {"Σ_t (δ_sₜ hₜᵀ + δ_zₜ sₜ₋₁ᵀ)": False, "Σ_t δ_sₜ": False},
}


def page(name: str) -> Document:
    return build_document(derive(Model.parse(f"dim T, N, D, H\n{LOOPS[name]}")))


def spoken(name: str) -> dict[str, str]:
    """The right sides of the steps' lines with what is said of them."""
    return {text(line.right): said(line.reason) for s in page(name).steps for line in s.lines}


@pytest.mark.parametrize("name", LOOPS)
def test_where_it_comes_from_what_enters_a_step(name: str) -> None:
    assert ENTERS[name].items() <= spoken(name).items()


@pytest.mark.parametrize("name", LOOPS)
def test_a_product_over_all_steps_is_one(name: str) -> None:
    words = {True: "one product over all steps", False: "put together"}
    assert {right: words[one] for right, one in SUMS[name].items()}.items() <= spoken(name).items()


NUMBERS_ABOVE = {  # where the upstream gradient is a number
    "inner product": "param a: N, W: N x N\nh = sin(W @ a)\nH = a.T @ h\nloss L = H + sum(a)",
    "mean": "param a: N, W: N x N\nh = W @ a\nR = mean(h**2 - a * h)\nloss L = 3 * R + sum(exp(a))",
    "norm": "param a: N, W: N x N\nh = norm(W @ a)\nloss L = h - trace(W)",
}


def undefined(found: Document) -> list[str]:
    """The local derivatives in chain rules that no line of their step has on its left."""
    return [text(x) for s in found.steps for line in s.lines if line.kind == "chain" for whole in m.walk(line.right)
            if isinstance(whole, m.Chain) for x in whole.factors[1:]
            if m.within(x) not in [m.within(other.left) for other in s.lines if other.left]]


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 4))
def test_every_factor_of_a_chain_has_a_line(name: str) -> None:
    assert not undefined(document(name, view="matrix"))


@pytest.mark.parametrize("name", NUMBERS_ABOVE)
def test_a_local_derivative_is_told_beside_a_number(name: str) -> None:
    found = build_document(derive(Model.parse(f"dim N\n{NUMBERS_ABOVE[name]}")), Options(view="matrix"))
    assert not undefined(found)


@pytest.mark.parametrize("name", ["llama-block", "neural-turing-machine", "gpt", "transformer-block"])
def test_arrays_by_their_entries_are_told_with_letters_of_the_page(name: str) -> None:
    found = document(name)
    (line,) = [line for line in found.glossary if "is the array with the entry" in said(line)]
    letters = {x.name for tree in line if isinstance(tree, m.Math) for x in m.walk(tree) if isinstance(x, m.Letter)}
    assert all(len(text_name(x)) == 1 for x in letters)


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if isinstance(op.means, str) and op.means])
def test_words_of_the_glossary_hold_no_letter_that_the_page_may_use(name: str) -> None:
    """Mathematics in a meaning goes by other letters than those of the page; a letter among words would not."""
    words = [word.strip(",;:") for word in str(OPS[name].means).split()]
    assert not [word for word in words if len(word) == 1 and word.isalpha() and word != "a"]


def test_letters_of_the_glossary_are_none_of_the_legend_and_no_names() -> None:
    """Numbered ones too: i₃ ran over channels in what conv3d means, over the places of a window in the legend."""
    source = ("dim N, C, O\ndata x: N x 6 x 6 x 6 x C\nparam W: 3 x 3 x 3 x C x O, b: O\n"
              "h = relu(conv3d(x, W) + b)\nq = max_pool3d(avg_pool3d(h, 2), 2)\nloss L = mean(q**2)")
    found = build_document(derive(Model.parse(source)), Options(detail="board")).glossary
    (means,) = [line for line in found if said(line).startswith("conv3d(")]
    trees = [x for tree in means if isinstance(tree, m.Math) for x in m.walk(tree)]
    own = {text_name(x.name) for x in trees if isinstance(x, m.Letter)}
    runs = [tree for line in found if " over " in said(line) for tree in line if isinstance(tree, m.Math)]
    legend = {text_name(x.name) for tree in runs for x in m.walk(tree) if isinstance(x, m.Letter)}
    assert len(own) == 9
    assert len(legend) > 9
    assert not own & legend
    assert not own & {text_name(x.name) for x in trees if isinstance(x, m.Sym)}
