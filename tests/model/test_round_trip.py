"""Model to text to model: the same graph."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings

from symbackprop.core.registry import Op, Sample
from symbackprop.core.scalars import TABLE
from symbackprop.derive import derive
from symbackprop.model import Model, load, to_text, zoo
from symbackprop.model.text.write import Writer, with_text_names
from symbackprop.verified import codegen, first_difference
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import close, in_sympy
from tests.core.test_ops_registry import CASES, Call
from tests.model.helpers import described, model_texts

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "60"))


@pytest.mark.parametrize("name", zoo.names())
def test_built_in_models(name: str) -> None:
    model = load(name)
    text = to_text(model)
    again = Model.parse(text)
    assert described(again) == described(model)
    assert first_difference(model, again) is None
    assert to_text(again) == text
    assert (again.name, again.summary, again.source, again.tags, again.example, again.notes) == (
        model.name, model.summary, model.source, model.tags, model.example, model.notes
    )


@pytest.mark.parametrize("name", ["two-step-rnn", "window-lm", "max-gate"])
def test_deriving_leaves_the_text_alone(name: str) -> None:
    model = load(name)
    before = to_text(model)
    derive(model)
    assert to_text(model) == before


UNREAD = """dim T, N, K
data x: T x N, y: K x N
param w: N, k: N, h[0]: N
for t in 1..T:
    for j in 1..K:
        q[j] = k * y[j] + x[t]
        p[j] = q[j]**2
    v[t] = sum(q, axis=0)
    r[t] = k * x[t]
    h[t] = tanh(w * h[t-1] + x[t])
    s[t] = sin(h[t])
loss L = sum(h[T])
"""


@pytest.mark.parametrize("name", zoo.names())
def test_what_has_written_the_lines_for_their_names_writes_the_same_text(name: str) -> None:
    model = load(name)
    writer = Writer(model)
    named = with_text_names(model, writer)
    assert named.stacks.keys() == with_text_names(model).stacks.keys()
    assert to_text(model, writer=writer) == to_text(model)


def test_what_nothing_reads_of_a_loop_stands_where_it_was_declared() -> None:
    model = Model.parse(UNREAD, name="net")
    assert to_text(model, header=False) == UNREAD
    codegen(model)  # k is a gain by what nobody reads
    assert to_text(model, header=False) == UNREAD
    assert first_difference(model, Model.parse(UNREAD)) is None
    assert first_difference(model, Model.parse(UNREAD.replace("r[t] = k", "r[t] = w"))) == "L"


def test_loops_over_entries_in_one_another_have_counters_of_their_own() -> None:
    model = Model.parse("dim N\nparam W: N x N\ns = 0\nfor row in W:\n    for z in row: s += z**2\nloss L = s")
    assert "z[k] = row[t][k]" in to_text(model)
    assert codegen(model)


CONSTANT = """dim N, H, T
data x: N x H, z: T x N
param W: H x H
for t in 1..T:
    u[t] = tanh(x) * (x @ W)
    v[t] = z[t]**2
g[0] = zeros(N)
f[0] = zeros(N, H)
for t in 1..T:
    g[t] = g[t-1] * z[t]
    f[t] = tanh(x)
    w = sum(x)
loss L = sum(x @ W)"""


@pytest.mark.parametrize("loss", ["", " + sum(u)", " + sum(f[T])", " + sum(g[T]) * sum(w)"])
def test_what_a_loop_assigns_stands_in_the_text_read_or_not_and_the_same_at_all_steps_or_not(loss: str) -> None:
    model = Model.parse(CONSTANT + loss)
    again = Model.parse(to_text(model))
    found, wanted = again.intermediates(), model.intermediates()
    assert {n: row.shape for n, row in found.items()} == {n: row.shape for n, row in wanted.items()}
    assert to_text(again) == to_text(model)


@settings(max_examples=EXAMPLES)
@given(model_texts())
def test_random_models(text: str) -> None:
    model = Model.parse(text)
    written = to_text(model)
    again = Model.parse(written)
    assert described(again) == described(model), written
    assert first_difference(model, again) is None
    assert to_text(again) == written


@pytest.mark.parametrize("loss", ["norm(A[None], axis=0)**2", "norm(A[:, None], axis=1, keepdims=True)**4",
                                  "abs(A[None])**2", "norm(A**2, axis=0)**2"])
def test_views_of_views_are_written_as_they_are_read(loss: str) -> None:
    model = Model.parse(f"dim N, D\nparam A: N x D\nloss L = sum({loss})")
    again = Model.parse(to_text(model))
    assert described(again) == described(model), to_text(model)
    assert to_text(again) == to_text(model)


@pytest.mark.parametrize("lead", ["", "B x ", "B x C x "])
@pytest.mark.parametrize("product", [
    "{x} @ {y}.mT", "{y}.mT @ {x}", "{x}.mT @ {x}", "tanh({x}).mT @ ({x} - {y})",
    "({x}.mT @ {y}).mT", "x - sum({x}.mT @ {y}, axis=0)", "einsum(\"{l}ij,{l}kj->{l}ki\", {x}, {y})",
    "einsum(\"{l}ij,{l}ik->{l}kj\", {x}, {y})", "softmax({x}.mT, axis=0) @ exp({y})",
])
def test_products_of_stacks_are_written_as_they_are_read(lead: str, product: str) -> None:
    letters = "bc"[: lead.count("x")]
    line = product.format(x="x", y="y", l=letters)
    model = Model.parse(f"dim B, C, N\nparam x: {lead}N x N, y: {lead}N x N\nt = {line}\nloss L = sum(x.mT @ t**2)")
    again = Model.parse(to_text(model))
    assert described(again) == described(model), to_text(model)
    assert to_text(again) == to_text(model)


@pytest.mark.parametrize(("old", "new", "place"), [
    ("a * x", "a * x * x", "b"), ("a * x", "x * a", None), ("+ c", "- c", "L"), ("param a", "input a", "a"),
    ("a = 1", "a = 2", None), ("N = 3", "N = 4", "conventions"), ("h[t-1]", "2 * h[t-1]", "L"),
])
def test_where_models_differ(old: str, new: str, place: str | None) -> None:
    text = (
        "# example: a = 1\ndim N = 3\ndata x\nparam a, c\nb = tanh(a * x)\nh[0] = 0\nfor t in 1..N:\n"
        "    h[t] = tanh(h[t-1] + b)\nloss L = h[N] + c\n"
    )
    assert old in text
    assert first_difference(Model.parse(text), Model.parse(text.replace(old, new))) == place


@pytest.mark.parametrize(
    "value", ["2 + var(r.T, axis=1)", "0*b", "-2*ones(D)", "ones(D)", "broadcast(2, (D,))", "broadcast(0, (D,))",
              "var(r[:, 0], axis=0)", "b[0] - b[0] + 2", "b[0] - b[0] - 1", "2"]
)
def test_an_array_of_one_number_keeps_its_kind(value: str) -> None:
    """Whether its entries are integers, which the number alone does not say."""
    model = Model.parse(f"dim D\ndata r: 1 x D\nparam b: D\nz = {value}\nloss L = sum(z*b)")
    assert described(Model.parse(to_text(model))) == described(model), to_text(model)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_every_op_can_be_written(op: Op, sample: Sample) -> None:
    """Those that only derivatives are made of as well: a gradient may be an equation of a model."""
    given, model = Call(op, sample), Model()
    shapes = enumerate(sample.shapes)
    leaves = [model.data(f"x{i}", shape, below=sample.below.get(i)) for i, shape in shapes]
    model.output("Y", model.graph.make(op.name, leaves, in_sympy(sample.attr)))
    again = Model.parse(to_text(model))
    assert described(again) == described(model)
    close(evaluate(again.results(), given.given())[0], given.value(*given.arrays))


TWINS = {record.of_log for record in TABLE.values()}  # what derivations alone have, written as what they are twins of


@pytest.mark.parametrize("name", [n for n in TABLE if n not in TWINS])
def test_every_scalar_function_can_be_written(name: str) -> None:
    model = Model()
    record = TABLE[name]
    operands = [model.data(f"x{i}", (3,)) if i < record.arity else 0 for i in range(len(record.domain))]
    model.output("Y", model.graph.call(name, *operands))
    assert described(Model.parse(to_text(model))) == described(model)
