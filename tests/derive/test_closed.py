"""Closed forms: worth what published backward passes cost, equal to what the sweep has found, and told in print."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbackprop import codegen, mean, scan, silu
from symbackprop.codegen.numpy import PRINTER
from symbackprop.codegen.planning import Builder
from symbackprop.codegen.rows import is_view
from symbackprop.core.costs import own_cost
from symbackprop.core.facts import is_simplex, is_symmetric
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.shapes import evaluate_dim, evaluate_shape, size_of
from symbackprop.derive import Derivation, derive
from symbackprop.derive import closing as closing_module
from symbackprop.derive import terms as terms_module
from symbackprop.derive.closing import closed, closed_forms
from symbackprop.derive.factoring import Product, factored, folded, joined, subtracted
from symbackprop.derive.flatten import Flattening
from symbackprop.derive.stable import derive_stable
from symbackprop.derive.term_rules import RULES, Rule, Rules
from symbackprop.derive.terms import (
    CANCELLED,
    CHOSEN,
    DIFFERENCE,
    FACTOR,
    KNOWN_PRODUCT,
    KNOWN_SUM,
    MERGED,
    OPENED,
    ORDER,
    STEPS,
    Space,
    Term,
    collected,
    is_number,
    raised,
)
from symbackprop.model import Model, zoo
from symbackprop.model.text.write import with_text_names
from symbackprop.render.board import build_document
from symbackprop.render.options import Options
from symbackprop.render.print.text import text as text_of
from symbackprop.verify.interpreter import Program
from tests.counting import calls, ends
from tests.derive.kernels import KERNELS, LOOPS, MORE, PUBLISHED, SPELLED
from tests.render.random_models import random_circuit, random_model
from tests.sweeps import few_in_ci

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "10"))
SIZES = (3, 4, 5, 2)
CHAINS = {f"{form}, {k}": text for form, texts in SPELLED.items() for k, text in enumerate(texts)}
EVERY = {name: k.text for name, k in KERNELS.items()} | MORE | LOOPS | CHAINS


# -- numbers
def sizes_of(model: Model) -> dict[str, int]:
    return {name: size or SIZES[k % 4] for k, (name, size) in enumerate(model.sizes.items())}


def drawn(rng: np.random.Generator, node: Node, sizes: Mapping[str, int], low: float = 0.2) -> Any:
    shape = evaluate_shape(node.shape, sizes)
    if node.attr.below is not None:
        return rng.integers(0, evaluate_dim(node.attr.below, sizes), shape)
    if is_simplex(node):
        return rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    values = rng.uniform(low, 0.9, shape)
    return values + values.T if is_symmetric(node) else values


def computed(rows: list[Node], model: Model, seed: int = 0, low: float = 0.2) -> dict[int, Any]:
    """The values of rows, and of all that they are computed from, at a random point."""
    rng, sizes = np.random.default_rng(seed), sizes_of(model)
    order = model.graph.topological(rows)
    leaves = [n for n in order if n.op.name == "leaf" and n.attr.value is None]
    given = {n.id: drawn(rng, n, sizes, low) for n in sorted(leaves, key=lambda n: n.id)}
    with np.errstate(all="ignore"):
        return Program(rows, sizes).run(given)


def check_equal(d: Derivation, seed: int = 0) -> None:
    short = closed(d)
    pairs = list(zip(d.gradients.values(), short.gradients.values(), strict=True))
    for low in (0.2, -0.9):
        values = computed([row for pair in pairs for row in pair], d.model, seed, low)
        for old, new in pairs:
            a, b = np.asarray(values[old.id], float), np.asarray(values[new.id], float)
            assert a.shape == b.shape
            if np.isfinite(a).all():
                assert np.max(np.abs(a - b), initial=0) <= 1e-12 * max(np.max(np.abs(a), initial=0), 1)


@pytest.mark.parametrize("name", EVERY)
def test_the_same_gradient(name: str) -> None:
    model = Model.parse(EVERY[name])
    check_equal(derive(model))
    check_equal(derive_stable(model))


@pytest.mark.parametrize("name", zoo.names())
def test_the_same_gradient_of_a_built_in_model(name: str) -> None:
    check_equal(derive(name))


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_the_same_gradient_of_a_random_model(seed: int) -> None:
    check_equal(derive(random_model(seed)), seed)
    check_equal(derive(random_circuit(seed)), seed)


# -- costs
def cost_of(builder: Builder, row: Node) -> sp.Expr:
    """The multiplications of a row; a one-hot array is not formed."""
    split = builder.rows.split(row)
    return own_cost(row if split is None else row.graph.arithmetic(split.base, row.args))


def costs(text: str) -> tuple[sp.Expr, list[Node]]:
    """The multiplications of the emitted backward pass, and the arrays that the forward pass stores for it."""
    builder = Builder(closed(derive_stable(with_text_names(Model.parse(text)))), 1, PRINTER.arrays, (), ())
    kept = [row for row in builder._kept() if row.args]
    rows = builder.rows.order(list(builder.d.gradients.values()), {row.id for row in kept})
    return sp.expand(sp.Add(*[cost_of(builder, row) for row in rows])), [row for row in kept if not is_view(row)]


def by_rank(cost: sp.Expr) -> list[Fraction]:
    """The coefficients when all sizes are one number: multiplications for every entry of an array of a rank, the
    highest first, which is the eighth."""
    n = sp.Symbol("n")
    found = {degree: c for (degree,), c in sp.Poly(cost.subs(dict.fromkeys(cost.free_symbols, n)), n).terms()}
    return [Fraction(str(found.get(degree, 0))) for degree in range(8, -1, -1)]


def entries(rows: list[Node]) -> sp.Expr:
    return sp.Add(*[size_of(row.shape) for row in rows])


def published(name: str) -> tuple[Model, set[int]]:
    """A published backward pass as a model, and the ids of what it stores."""
    forward, backward, _ = PUBLISHED[name]
    model = Model.parse(f"{forward}\n{backward}")
    lines = [line.split(" = ")[0] for line in forward.splitlines() if " = " in line]
    return model, {model.equations[row].id for row in lines}


@pytest.mark.parametrize("name", KERNELS)
def test_no_more_than_is_published(name: str) -> None:
    """Multiplications for every entry of arrays with two axes and more, and stored arrays. One more of these may be
    stored where more multiplications are saved than it has entries."""
    found, stored = costs(KERNELS[name].text)
    model, kept = published(KERNELS[name].published)
    order = model.graph.topological(model.results(), frozenset(kept))
    theirs = sp.expand(sp.Add(*[own_cost(row) for row in order if row.id not in kept]))
    read = [row for row in order if row.id in kept]
    assert by_rank(found)[:-2] <= by_rank(theirs)[:-2]
    assert len(stored) <= len(read) or by_rank(found + entries(stored)) < by_rank(theirs + entries(read))


@pytest.mark.parametrize("name", KERNELS)
def test_the_published_gradient(name: str) -> None:
    d = derive(Model.parse(KERNELS[name].text))
    model, _ = published(KERNELS[name].published)
    values = computed(list(d.gradients.values()), d.model)
    given = {f"d{n}": values[row.id] for n, row in d.model.upstream.items() if row.id in values}
    given |= {n: values[row.id] for n, row in d.model.leaves().items() if row.id in values}
    leaves = {row.id: given[n] if n in given else np.float64(0.5) for n, row in model.leaves().items()}
    theirs = Program(model.results(), sizes_of(d.model)).run(leaves)
    for n, row in d.gradients.items():
        assert np.allclose(values[row.id], theirs[model.equations[f"d{n}"].id], rtol=1e-9, atol=1e-12), n


def printed() -> str:
    """The closed forms in the derivations of the kernels."""
    found = []
    for name, kernel in KERNELS.items():
        forms = closed_lines(kernel.text)
        found += [name, *[f"  {form}" for form in forms or ["as swept"]]]
    return "\n".join(found) + "\n"


def test_printed_as_published() -> None:
    """Where a form changes for the better: write `printed()` to the file, and read the diff."""
    assert printed() == (Path(__file__).parent / "printed.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", SPELLED)
def test_what_is_spelled_out_ends_as_the_function_of_the_library_does(form: str) -> None:
    library, *chains = SPELLED[form]
    multiplications, stored = costs(library)
    for text in chains:
        last = build_document(derive(Model.parse(text)), Options()).steps[-1].lines[-1]
        assert text_of(last.right) == form
        found, kept = costs(text)
        assert (found, len(kept)) == (multiplications, len(stored))


@pytest.mark.parametrize(("name", "form"), [
    ("huber", "= where(a < 1, r, sign(r))/(N·D)"),
    ("hinge squared", "= −2h ⊙ y/N"),
    ("gaussian nll", "= ½(1 + (y − μ) ⊙ ∂L/∂μ)"),
    ("softsign", "= (∂L/∂y)/(1 + a)^⊙2"),
    ("tanh in exponentials", "= ∂L/∂y ⊙ (1 − y^⊙2)"),
    ("logistic in exponentials", "= ∂L/∂y ⊙ (1 − y) ⊙ y"),
    ("log of a determinant's size", "= A⁻ᵀ"),
    ("rayleigh of rows", "= 2(a − X ⊙ (((Σ_n b[:, n])/c) 1_Nᵀ))/(c 1_Nᵀ)"),
    ("a product divided by itself", "= n·k"),
])
def test_the_form_on_paper(name: str, form: str) -> None:
    assert form in closed_lines(EVERY[name])


@pytest.mark.parametrize(("text", "form"), [
    ("data y: N\nparam u: N\nloss L = -sum(y*log(sigmoid(u)) + (1-y)*log(sigmoid(-u)))", "σ(u) − y"),
    ("param u: N\nv = u^2 + 1\nr = sqrt(v)\nloss L = sum(v/r*u) + sum(r*v)", "3(v ⊙ u/r) + u^⊙2/r + r"),
])
def test_values_that_are_powers_or_complements_of_others_are_read_as_such(text: str, form: str) -> None:
    """σ(−u) as 1 − σ(u), what a root is of as a power of the root."""
    assert form in derive(Model.parse(f"dim N\n{text}")).text()


def test_a_trace_is_derived_without_an_identity_matrix() -> None:
    page = " ".join(derive(Model.parse(EVERY["trace"])).text().split())
    assert "δ_E = E (3): constant factor" in page and " I " not in page


@pytest.mark.parametrize(("view", "form"), [
    ("matrix", "= (softmax(Z) − p)/N"),
    ("index", "∂L/∂Z_ij = (e^Z_ij/(Σ_v e^Z_iv) − p_ij)/N"),
    ("jacobian", "∇_Z L = (softmax(Z) − p)/N"),
])
def test_a_closed_form_in_every_view(view: str, form: str) -> None:
    line = next(x for x in derive(Model.parse(MORE["soft labels"])).text(view=view).splitlines() if "closed form" in x)
    assert " ".join(line.split()).startswith(form)


def test_what_is_stated_to_be_simplex_adds_up_to_1() -> None:
    text = MORE["soft labels"]
    assert "= (softmax(Z) − p)/N" in closed_lines(text)
    assert "rows of a simplex add up to 1" in derive(Model.parse(text)).text()
    assert all("Σ_v p[:, v]" in form for form in closed_lines(text.replace(" simplex", "")))


def test_what_is_written_out_on_a_board_is_so_in_closed_form() -> None:
    model = "dim N, D, V\ndata X: N x D, t: N x V simplex\nparam W: D x V\nloss L = mean(cross_entropy(X @ W, t))"
    assert "∂L/∂W = Xᵀ (softmax(z) − t)/N" in derive(Model.parse(model)).text(detail="board")


def test_what_is_stated_to_be_symmetric_is_its_transpose() -> None:
    text = MORE["quadratic form"]
    assert closed_lines(text) == ["= S x − b"] and not closed_lines(text.replace(" symmetric", ""))


# -- loops
@pytest.mark.parametrize(("name", "form"), [
    ("norm in a loop", "(δ_xhatₜ − (m₁ 1_Dᵀ) ⊙ xhatₜ − m₂ 1_Dᵀ)/(sₜ 1_Dᵀ)"),
    ("soft labels in a loop", "softmax(zₜ) − pₜ"),
    ("gated loop", "⊙ sₜ ⊙ (1 + vₜ ⊙ (1 − sₜ))"),
    ("row norm in a loop", "(δ_nₜ − nₜ ⊙ ((Σ_k (δ_nₜ ⊙ nₜ)[:, k]) 1_Kᵀ))"),
    ("layer norm in a loop", "⊙ s₂ₜ ⊙ (1 + z_hₜ ⊙ (1 − s₂ₜ))"),
])
def test_a_step_of_a_loop_is_closed_as_outside(name: str, form: str) -> None:
    assert form in "\n".join(closed_lines(LOOPS[name]))


def test_what_steps_do_not_read_any_more_is_not_stored() -> None:
    """The gradient of q/‖q‖ reads the quotient, not q."""
    model = Model.parse(LOOPS["row norm in a loop"])

    def entering(d: Derivation) -> set[str | None]:
        scans = [n for n in d.model.graph.topological(list(d.gradients.values())) if isinstance(n.attr, Loop)]
        return {leaf.name for n in scans if n.attr.forward is not None for leaf in n.attr.sequences}

    d = derive(model)
    assert "q[t]" in entering(d) and "q[t]" not in entering(closed(d))


@pytest.mark.parametrize("name", few_in_ci(LOOPS, 3))
@pytest.mark.parametrize("level", [0, 1, 2])
def test_loops_in_closed_form_are_emitted(name: str, level: int) -> None:
    """The check before a module is written compares it with slopes."""
    assert "def backward" in codegen(Model.parse(LOOPS[name]), level=level)


def test_a_loop_in_a_loop() -> None:
    m = Model("nested")
    T, S, N, D = m.dims("T S N D")
    x, h0, W = m.data("x", (T, S, N, D)), m.data("h0", (N, D)), m.param("W", (D, D))

    def step(carry: tuple[Node, ...], element: tuple[Node, ...]) -> tuple[Node, tuple[()]]:
        (last,), _ = scan(lambda c, e: (silu(c[0] @ W + e[0]), ()), carry[0], element[0], index="s", names=["k"])
        return last, ()

    (last,), _ = scan(step, h0, x, names=["h"])
    m.loss("L", mean(last * last))
    d = derive(m)
    check_equal(d)
    assert any("common factor" in rules for rules in closed_forms(d).rules.values())
    assert "def backward" in codegen(m)


def test_the_gradient_of_a_trace_of_squares_is_found_by_its_rules_alone() -> None:
    page = derive(Model.parse(EVERY["trace"])).text()
    assert "  δ_E = E   (3)" in page and closed_lines(EVERY["trace"]) == []


def closed_lines(text: str) -> list[str]:
    """The lines of closed forms as they are printed, with what they name for short."""
    steps = build_document(derive(Model.parse(text)), Options()).steps
    lines = [line for s in steps for line in s.lines if line.kind in ("terms", "part", "closed")]
    return [f"{'' if line.left is None else text_of(line.left)} = {text_of(line.right)}".strip() for line in lines]


@pytest.mark.parametrize("name", KERNELS)
def test_the_table_writes_long_forms_as_their_steps_do(name: str) -> None:
    document = build_document(derive(Model.parse(KERNELS[name].text)), Options())
    steps = {s.anchor: s.lines for s in document.steps}
    for row in document.table:
        lines = steps[row.anchor]
        if any(line.kind == "part" for line in lines):
            assert text_of(row.gradient) == text_of(lines[-1].right)


def test_closed_forms_are_looked_for_once() -> None:
    d = derive(Model.parse(KERNELS["layer norm"].text))
    assert closed_forms(d) is closed_forms(d) and closed_forms(d, printed=True) is not closed_forms(d)
    assert not closed(d).shortest  # another derivation has forms of its own


# -- safety
@pytest.mark.parametrize("name", [name for name in KERNELS if name not in ("attention causal", "barlow twins")])
def test_single_precision_far_from_0(name: str) -> None:
    """Inputs around 300: where a form made a difference of large numbers, digits would be lost. (In Barlow Twins a sum
    is left out that is 0 as exactly as columns are standardised.)"""
    model = Model.parse(KERNELS[name].text)
    d = derive_stable(model)
    short = closed(d)
    rows = [*d.gradients.values(), *short.gradients.values()]
    rng, sizes = np.random.default_rng(0), sizes_of(model)
    order = model.graph.topological(rows)
    given = {n.id: far(rng, n, sizes) for n in order if n.op.name == "leaf" and n.attr.value is None}
    single = {i: v if v.dtype.kind == "i" else v.astype(np.float32) for i, v in given.items()}
    with np.errstate(all="ignore"):
        exact, rough = (Program(rows, sizes).run(v) for v in (given, single))
    for old, new in zip(d.gradients.values(), short.gradients.values(), strict=True):
        size = np.max(np.abs(exact[old.id])) + 1e-300
        error = [np.max(np.abs(rough[row.id] - exact[old.id])) / size for row in (old, new)]
        assert not error[1] > 3 * error[0] + 2e-6


def far(rng: np.random.Generator, node: Node, sizes: Mapping[str, int]) -> Any:
    value = drawn(rng, node, sizes)
    return value + 300 if node.attr.role in ("input", "param") and node.ndim > 1 else value


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("param x: 3\nloss L = norm(x)", [0, 0, 0]),
        ("param x: 3\nd = norm(x)\nloss L = d^3 + d^2", [0, 0, 0]),
        ("param x: 3\nloss L = sum(norm(x[None], axis=1) * norm(x[None], axis=1) + norm(x[None], axis=1))", [0, 0, 0]),
        ("param x: 3\nloss L = sum(x * sigmoid(x))", [800, -800, 40]),
        ("param x: 3\nloss L = cosine_similarity(x, 2 * x)", [0, 0, 0]),
        ("param x: 2 x 3\ns = std(exp(x) / x - x, axis=0)[None]\nz = s * x\nloss L = sum(z * sin(x))", [[1, 2, 4]] * 2),
    ],
)
def test_what_is_guarded_stays_so(text: str, at: list[Any]) -> None:
    """A reciprocal that is 0 at 0 is so in closed form too, and is no part of one that is not."""
    d = derive(Model.parse(text))
    rows = [*d.gradients.values(), *closed(d).gradients.values()]
    with np.errstate(all="ignore"):
        values = Program(rows, {}).run({d.model.graph.names["x"].id: np.array(at, float)})
    old, new = (np.asarray(values[row.id]) for row in rows)
    assert np.allclose(old, new, rtol=1e-12, atol=0, equal_nan=True)


# -- rules
def applications() -> Iterator[tuple[Rules, Rule, Term, Term]]:
    """Every use of a rule in the kernels: the term before and after."""
    found: list[tuple[Rules, Rule, Term, Term]] = []
    once = Rules._once

    def recording(rules: Rules, term: Term) -> Term | None:
        rules.alone = rules._alone(term)
        for each in RULES:
            after = each.apply(rules, term)
            if after is not None:
                found.append((rules, each, term, rules.flattening.settled(after)))
                break
        return once(rules, term)

    Rules._once = recording  # type: ignore[method-assign]
    try:
        for text in EVERY.values():
            d = derive(Model.parse(text))
            with (graph := d.model.graph).apart():
                closing_module.Closing(closing_module.whole(d), graph, Space()).forms()
                yield from found
            found.clear()
    finally:
        Rules._once = once  # type: ignore[method-assign]


def value_of(term: Term, values: Mapping[int, Any], space: Space, sizes: Mapping[str, int]) -> Any:
    """A term in numbers, with an axis for every letter that is not summed over."""
    numbers = [(k, p) for k, p in term.powers.items() if is_number(k)]
    front = space.value(term.number, numbers).subs({s: sizes[s.name] for s in _symbols(space, term)})
    rows = [(k, p) for k, p in term.powers.items() if not is_number(k)]
    letters = sorted({i for (_, index), _ in rows for i in index if i})
    whole = np.full([evaluate_dim(space.sizes[i], sizes) for i in letters], float(front))
    for (id_, index), p in rows:
        array = np.asarray(values[id_], float)
        array = array.reshape([n for n, i in zip(array.shape, index, strict=True) if i])
        own = [i for i in index if i]
        repeated = np.einsum(array, [letters.index(i) for i in own], sorted({letters.index(i) for i in own}))
        shape = [n if i in own else 1 for i, n in zip(letters, whole.shape, strict=True)]
        whole = whole * repeated.reshape(shape) ** float(p)
    return whole.sum(axis=tuple([k for k, i in enumerate(letters) if i in term.summed]))


def _symbols(space: Space, term: Term) -> set[sp.Symbol]:
    return {s for (id_, _) in term.powers if id_ < 0 for s in space.numbers[-id_].free_symbols}


def test_every_rule_is_an_identity() -> None:
    """At a random point the term before and the term after are equal, wherever a rule is used; each is used."""
    used: dict[str, int] = {}
    for rules, each, before, after in applications():
        graph = rules.flattening.graph
        ids = {id_ for t in (before, after) for id_, _ in t.powers if id_ >= 0}
        names = {s.name for n in graph.nodes.values() for d in n.shape for s in d.free_symbols}
        sizes = {name: SIZES[k % 4] for k, name in enumerate(sorted(names))}
        values = values_of([graph.nodes[i] for i in sorted(ids)], sizes)
        over = free_letters(before) | free_letters(after)
        a, b = (added_up([t], over, values, rules.space, sizes) for t in (before, after))
        assert np.isclose(a, b, rtol=1e-9, atol=1e-12), (each.name, before, after)
        used[each.name] = used.get(each.name, 0) + 1
    assert set(used) == {each.name for each in RULES}


def closings() -> Iterator[closing_module.Closing]:
    """The pass over every kernel without a loop, its table as it is in it."""
    for text in [text for name, text in EVERY.items() if name not in LOOPS]:
        d = derive(Model.parse(text))
        with (graph := d.model.graph).apart():
            each = closing_module.Closing(closing_module.whole(d), graph, Space())
            each.forms()
            yield each


def changes(each: closing_module.Closing, terms: list[Term]) -> Iterator[tuple[str, list[Term], list[Term]]]:
    """The terms of a gradient before and after each step that changes them."""
    for name, after in {
        CANCELLED: collected([*terms, *terms]), OPENED: [x for t in terms for x in each.flattening.opened_up(t)],
        KNOWN_PRODUCT: [folded(each.facts, t, {}) for t in terms], KNOWN_SUM: joined(each.facts, terms, {}),
        DIFFERENCE: subtracted(each.facts, terms, {}),
    }.items():
        before = [*terms, *terms] if name == CANCELLED else terms
        if after != before:
            yield name, before, after


def free_letters(term: Term) -> set[int]:
    return {i for _, index in term.powers for i in index if i} - term.summed


def added_up(terms: list[Term], over: set[int], values: Mapping[int, Any], space: Space, sizes: Mapping[str, int]
             ) -> float:
    """The sum of terms over the entries of all of them."""
    def times(term: Term) -> int:
        return int(np.prod([evaluate_dim(space.sizes[i], sizes) for i in over - free_letters(term)]))

    return float(sum(times(t) * value_of(t, values, space, sizes).sum() for t in terms))


def test_every_step_is_an_identity() -> None:
    """At a random point the terms before and after a step have the same sum; each is used, and says why."""
    used = {FACTOR, MERGED, ORDER, CHOSEN}
    for each in closings():
        graph = each.graph
        found = [c for _, terms in each.flattening.sums.values() if terms for c in changes(each, terms)]
        ids = {id_ for _, *pair in found for terms in pair for t in terms for id_, _ in t.powers if id_ >= 0}
        if found:
            names = {s.name for n in graph.nodes.values() for d in n.shape for s in d.free_symbols}
            sizes = {name: SIZES[k % 4] for k, name in enumerate(sorted(names))}
            values = values_of([graph.nodes[i] for i in sorted(ids)], sizes)
            for name, before, after in found:
                over = set().union(*[free_letters(t) for t in (*before, *after)])
                a, b = (added_up(terms, over, values, each.space, sizes) for terms in (before, after))
                used |= {name} if np.isclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True) else {f"{name} fails"}
    assert used == set(STEPS) and all("=" in str(each.__doc__) for each in STEPS.values())


@pytest.mark.parametrize(("name", "form"), [
    ("gram", "= z (δ_aᵀ + δ_a)"),
    ("attention of itself", "= (δ_z + δ_zᵀ) x + pᵀ (∂L/∂O)"),
    ("covariance", "= c (2Cᵀ/(N·D − D) + 2C/(N·D − D))"),
])
def test_matrix_products_with_a_common_factor_are_one(name: str, form: str) -> None:
    """That the form is equal is said by `test_the_same_gradient`."""
    assert form in closed_lines(EVERY[name])
    assert MERGED in {rule for rules in closed_forms(derive(Model.parse(EVERY[name]))).rules.values() for rule in rules}


@pytest.mark.parametrize(("text", "forms"), [
    (KERNELS["gaussian process"].text, ["= ½Pᵀ − ½Pᵀ y (P y)ᵀ"]),
    ("dim N, K\ndata y: N, z: N\nparam X: N x K\nloss L = y @ (X @ X.T) @ z", ["= y (Xᵀ z)ᵀ + z (Xᵀ y)ᵀ"]),
    ("dim N\ndata x: N x 64, W: 64 x 64\nparam A: 64 x 4, B: 4 x 64\noutput y = x @ (W + A @ B)",
     ["= xᵀ ((∂L/∂y) Bᵀ)", "= (x A)ᵀ (∂L/∂y)"]),
    ("dim N, D, R\ndata x: N x D, W: D x D\nparam A: D x R, B: R x D\noutput y = x @ (W + A @ B)", []),
    ("dim N, K\ndata B: N x K\nparam A: N x N\noutput Y = inv(A) @ B", []),
    ("dim n, k, m\ndata u: n, b: n x k\nparam v: m\nloss L = sum((v[:, None] * u) @ b)", ["= (Σ_l,j u_l·b_lj)·1_m"]),
])
def test_products_are_computed_in_the_order_that_is_never_dearer(text: str, forms: list[str]) -> None:
    """Which order is cheaper depends on sizes in two of them."""
    assert closed_lines(text) == forms
    check_equal(derive(Model.parse(text)))


def test_a_loop_is_closed_beside_products_in_another_order() -> None:
    """What stands in the place of rows of its body is handed out too, and no rule is named twice."""
    forms = closed_forms(derive(Model.parse(LOOPS["norm in a loop"] + " + g @ (W @ W.T) @ g")))
    assert ORDER in {name for names in forms.rules.values() for name in names}
    assert forms.rules.keys() <= forms.rows.keys()
    assert all(len(names) == len({*names}) for names in forms.rules.values())


@pytest.mark.parametrize("text", [
    "dim M, K\ninput A: M x K\nn = sqrt(einsum(\"mk,mk->m\", A, A))\noutput a = A / n[:, None]",
    "dim M, K\ninput A: M x K\na = A / sqrt(sum(A * A, axis=1))[:, None]\noutput y = a",
])
def test_a_normalised_row_in_any_writing(text: str) -> None:
    assert any("a ⊙ ((Σ_k (" in line for line in closed_lines(text))


@pytest.mark.parametrize("seed", range(20))
def test_common_factors_are_taken_out_of_any_sum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = {(k, ()): rng.uniform(0.5, 2) for k in range(5)}

    def value(tree: Product) -> float:
        items = [values[i] ** float(p) for i, p in tree.items.items()]  # type: ignore[index]
        return float(tree.number) * np.prod(items) * np.prod([sum(map(value, parts)) for parts in tree.sums])

    drawn_items = [{(int(k), ()): int(p) for k, p in rng.integers(1, 4, (3, 2))} for _ in range(4)]
    products = [Product(Fraction(int(rng.integers(1, 4))), items) for items in drawn_items]
    for spread in (False, True):
        assert np.isclose(value(factored(products, spread)), sum(map(value, products)), rtol=1e-12)


def values_of(rows: list[Node], sizes: Mapping[str, int]) -> dict[int, Any]:
    graph, rng = rows[0].graph, np.random.default_rng(1)
    order = graph.topological(rows)
    leaves = [n for n in order if n.op.name == "leaf" and n.attr.value is None]
    given = {n.id: drawn(rng, n, sizes) for n in leaves}
    with np.errstate(all="ignore"):
        return Program([n for n in order if n.id not in given], dict(sizes)).run(given) | given


def test_a_root_of_a_product_is_no_product_of_roots() -> None:
    """√(x²) is |x|, and √(x·y) is there where x and y are negative; a row that is a root is never negative."""
    space, half = Space(), Fraction(1, 2)
    space.roots.add(3)

    def root(**powers: int) -> Term | None:
        keys = {(int(name[1:]), ()): p for name, p in powers.items()}
        return raised(space, Term(Fraction(1), frozenset(), dict(keys)), half)

    assert root(r1=2) is None and root(r1=1, r2=1) is None and root(r1=2, r3=2) is None
    assert root(r1=1) is not None and root(r3=2) is not None and root(r1=-1) is not None


@pytest.mark.parametrize("text", [
    "param u: N\nloss L = sum(relu(u) * maximum(u, 0.4))",  # 1[u > 0.4] is 0 where relu(u) is not
    "param A: N x 5, B: K x N x M\nloss L = sum(einsum('ijk,ijk,jl->jl', B, B, A))",  # Σ b² is not (Σ b)²
    "param A: 5 x 5, B: M x N\nloss L = sum(einsum('ij,kk->ji', B, A))",  # nor a trace the sum of all entries
    """param A: M x 5, B: N x 1
v = einsum("ij,kl->kl", A, B)
loss L = sum(einsum("ij,kl,kl->i", B, A, A)) + sum(v^2)""",
    "param a: N, b: K\nloss L = einsum('a,b,c,d,e,f,g,h->', a, b, a, b, a, b, a, b)",  # too many to be put in order
])
def test_what_looks_alike_is_told_apart(text: str) -> None:
    check_equal(derive(Model.parse("dim N, K, M\n" + text)))


@pytest.mark.parametrize("text", [
    "param b: N\nQ = gelu(b)[:, None] * ones(N, N)\nloss L = sum(Q * 0.5)",
    "param b: 4\nh[0] = zeros(4)\nfor t in 1..K:\n    q = gelu(b)\n    h[t] = h[t-1] + q\nloss L = sum(q * 0.5)",
])
def test_what_repeats_entries_of_a_row_is_not_what_the_row_is_read_from(text: str) -> None:
    check_equal(derive(Model.parse("dim N, K\n" + text)))


# -- what is left alone
def test_what_is_short_stays_as_it_was_swept() -> None:
    for name in ("two-step-rnn", "ner-window", "rnn-lm", "two-weight-tanh"):
        assert "closed form" not in derive(name).text()


def test_the_table_stays_as_it_is() -> None:
    d = derive(Model.parse(KERNELS["layer norm"].text))
    before = dict(d.model.graph.nodes)
    assert closed_forms(d).rules
    assert d.model.graph.nodes == before


def normalised_layers(depth: int) -> Derivation:
    """A chain of normalised layers; each has rows to close."""
    lines = [f"x{k + 1} = layer_norm(x{k} @ W)" for k in range(depth)]
    text = "\n".join(["dim N, D", "data x0: N x D", "param W: D x D", *lines, f"loss L = sum(x{depth}^2)"])
    return derive(Model.parse(text))


def test_a_layer_of_a_deep_model_takes_no_more_calls() -> None:
    _, few, many = [calls(partial(closed_forms, normalised_layers(n))) for n in (5, 20, 80)]
    assert many < 4.4 * few


def test_layers_that_are_alike_are_solved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[object] = []
    best = closing_module.Closing._best
    monkeypatch.setattr(closing_module.Closing, "_best", lambda self, region: solved.append(0) or best(self, region))

    def count(depth: int) -> int:
        solved.clear()
        check_equal(normalised_layers(depth))
        return len(solved)

    assert count(12) == count(8)


def test_what_surely_costs_more_is_not_factored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums over entries alone cost more than the sweep: no common factor is looked for in dozens of terms."""
    trials: list[closing_module.Trial] = []
    trial = closing_module.Closing._trial
    monkeypatch.setattr(closing_module.Closing, "_trial",
                        lambda self, *given: trials.append(trial(self, *given)) or trials[-1])
    closed_forms(derive(zoo.build("neural-turing-machine")))
    assert max(t.degree for t in trials if t.trees) < (80, 0) < max(t.degree for t in trials)


def test_what_has_no_sum_as_a_factor_is_not_looked_at_multiplied_out(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    forms = closing_module.Closing._forms
    monkeypatch.setattr(closing_module.Closing, "_forms", lambda self, region, **given: opened.append(given)
                        or forms(self, region, **given))
    closed_forms(derive(zoo.build("softmax-regression")))
    assert opened and not any(opened)


def test_rows_that_read_no_new_cut_are_not_flattened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    flattened: list[int] = []
    whole = Flattening.whole
    monkeypatch.setattr(Flattening, "whole", lambda self, node, index: flattened.append(node.id)
                        or whole(self, node, index))
    closing = closing_module.Closing
    parts = closing._parts
    again: list[tuple[int, int]] = []

    def counted(self: Any, region: Any) -> Any:
        before = len(flattened)
        found = parts(self, region)
        again.append((len(flattened) - before, len(region.inside)))
        return found

    monkeypatch.setattr(closing, "_parts", counted)
    closed_forms(derive(zoo.build("neural-turing-machine")))
    assert 2 * sum([few for few, _ in again]) < sum([of for _, of in again])


def test_past_the_limit_gradients_stay_as_they_were_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms_module, "MAX_WORK", 300)
    d = normalised_layers(6)
    assert 0 < len(closed_forms(d).rules) < 6
    check_equal(d)


def test_past_the_limit_while_forms_are_compared() -> None:
    """Some hundred factors, each a sum that a product is multiplied out of."""
    d = derive(Model.parse(f"data x\nparam w\nloss L = {'*'.join(f'(w*x + {k})' for k in range(2, 212))}"))
    assert not closed_forms(d).rules


def test_formulas_are_elementwise() -> None:
    """What is written is arithmetic and sums: no op comes in that the sweep does not use."""
    short = closed(derive(Model.parse(KERNELS["soft ce spelled"].text)))
    order = short.model.graph.topological(list(short.gradients.values()))
    written = [n for n in order if n.id not in short.forward_ids and n.args]
    assert all(n.form is not None or n.op.name in ("sum", "broadcast", "reshape") for n in written)


def test_a_power_of_a_known_product_is_found_at_once() -> None:
    """One factor after the other, the seventieth Fibonacci number of them was never done."""
    lines = "".join([f"a{k + 2} = a{k}*a{k + 1}\n" for k in range(70)])
    d = derive(Model.parse(f"data x\nparam w\na0 = w*x\na1 = w + x\n{lines}loss L = a71^2"))
    with ends(60):
        assert f"Step {len(d.steps)}." in d.text()


def test_a_contrastive_loss_begins_without_sums_of_the_identity_matrix() -> None:
    """Its first line was −I/N + ((Σ_i I[:, i]) 1_Nᵀ) ⊙ softmax(S)/N."""
    model = Model.parse("dim N\nparam S: N x N\nloss L = -mean(diagonal(log_softmax(S)))")
    assert "∂L/∂S = (softmax(S) − I)/N" in derive(model).text()
