"""Every printed gradient is right when it is given as an answer: derivations print what grade reads, line for line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from symbackprop import Model, scan, tanh
from symbackprop import sum as total
from symbackprop.core import maths as m
from symbackprop.core.graph import Node
from symbackprop.derive import derive
from symbackprop.grade import grade
from symbackprop.grade.lines import read_lines
from symbackprop.grade.naming import Gradient
from symbackprop.grade.reference import Reference
from symbackprop.grade.session import Session
from symbackprop.model.copying import copied, loop_counters, loop_dimensions
from symbackprop.model.text import parse
from symbackprop.model.zoo import build, names
from symbackprop.render.document import Document, Line, Step
from symbackprop.render.formats import printed
from symbackprop.render.print.latex import latex
from symbackprop.render.print.text import text
from tests.render.helpers import derivation, document
from tests.render.random_models import random_loop
from tests.sweeps import ALL, few_in_ci, sample

Syntax = Callable[[m.Math], str]
SYNTAXES = {"text": text, "latex": latex}


def answers(doc: Document, syntax: Syntax = text) -> list[str]:
    """The gradients of a document as a person would hand them in, after what the document calls the parts of loops."""
    named = ["    " * e.depth + _equation(e.line, syntax) for e in doc.forward if e.introduced and e.depth]
    heads = ["for t = 1..T:"] if named else []
    return [*heads, *named, *[line for s in doc.steps for line in _step(s, syntax)]]


def _step(s: Step, syntax: Syntax) -> Iterator[str]:
    if s.role == "loop":  # what enters at the last step stands before the loop
        entering = [_equation(x, syntax) for x in s.lines if x.kind == "definition"]
        yield from (x.replace("ₜ^", "[T]^").replace("_{t}}^{", "_{T}}^{") for x in entering)
        yield "for t = T..1:"
        return
    left: m.Math | None = None
    for line in s.lines:
        left = line.left if line.left is not None else left
        if line.kind in ("result", "layout") and line.sign == "=" and left is not None and not _is_stack(line.right):
            yield "    " * s.depth + f"{syntax(left)} = {syntax(line.right)}"


def _is_stack(tree: m.Math) -> bool:
    """Whether a line only says that a gradient is the stack of those of all steps."""
    return isinstance(tree, m.AtStep) and isinstance(tree.steps, m.Range)


def _equation(line: Line, syntax: Syntax) -> str:
    assert line.left is not None
    return f"{syntax(line.left)} = {syntax(line.right)}"


LARGE = "neural-turing-machine"  # half a minute to judge: it is read and evaluated below
LONG = {LARGE, "gpt"} if not ALL else set()
PRINTED = [(n, s) for s, every in {"text": 3, "latex": 5}.items() for n in sample(names(), every) if n not in LONG]


@pytest.mark.parametrize("view", ["auto", "matrix"])
@pytest.mark.parametrize(("name", "syntax"), PRINTED)
def test_every_printed_gradient_is_right(name: str, syntax: str, view: str) -> None:
    doc = document(name, view=view)
    if view == "matrix" and doc.view == document(name).view:
        return
    report = grade(build(name), "\n".join(answers(doc, SYNTAXES[syntax])))
    assert not report.unread, report.unread
    given = [item for item in report.items if item.given]
    assert not [(i.given, i.read_as, i.finding and i.finding.says) for i in given if i.verdict != "right"]
    assert not [item.name for item in report.required if not item.given]


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_what_the_largest_model_prints_is_read(syntax: Syntax) -> None:
    model = build(LARGE)
    fixed = dict.fromkeys(loop_dimensions(model), 2)
    session = Session(Reference(copied(model, fixed), loop_counters(model)), fixed)
    session.run(read_lines("\n".join(answers(document(LARGE), syntax))))
    assert not [(a.text, a.error) for a in session.unread]
    assert not [(str(key), o.error) for key, o in session.outcomes.items() if o.error is not None]
    assert {Gradient(n) for n in session.reference.targets} <= session.outcomes.keys()


FORMS = ("text", "latex", "markdown")
EVERY = [(name, form) for name in names() if name != LARGE for form in FORMS]
DOCUMENTS = [*((name, form) for name in ("two-weight-tanh", "rnn-lm") for form in FORMS), ("cube", "text"),
             ("window-lm", "markdown"), ("vae", "latex"), ("elementwise-relu", "text")]


BOARDS = [("two-step-rnn", "markdown"), ("gru", "text"), ("rnn-lm", "latex"), ("jacobians", "text"),
          ("max-gate", "text"), ("residual-block", "latex")]


@pytest.mark.parametrize(("name", "form", "detail"), [
    *((*case, "full") for case in (EVERY if ALL else DOCUMENTS)),
    *((*case, "board") for case in (EVERY if ALL else BOARDS)),
    ("ffnn-softmax-batch", "latex", "index"), ("rnn-lm", "text", "index"), ("window-lm", "text", "index"),
    ("mlp-relu-sigmoid", "latex", "index"),
])
def test_a_printed_document_is_right(name: str, form: str, detail: str) -> None:
    options = {"view": detail} if detail == "index" else {"detail": detail}
    report = grade(build(name), printed(derivation(name), form, **options))
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items} == {"right"}, report.text(2)


def test_a_document_with_steps_of_its_own_is_read_as_any_other() -> None:
    text = "# Backward pass\n\n**Step 1.** the logits\n\nds = (softmax(s) - onehot(y)) / N\ndU = h.T @ ds\n"
    report = grade(build("ffnn-softmax-batch"), text)
    assert {i.name: i.verdict for i in report.items if i.given} == {"ds": "right", "dU": "right"}


NORMALISED = """dim N, D, K
data x: N x D, y: N x K
param W: D x K
s = sqrt(mean((x @ W)**2, axis=1, keepdims=True) + 1)
z = x @ W / s
c = reshape(z, (N * K,))
loss L = sum(z * y) + sum(c**3)
"""


def test_entries_of_axes_of_size_1_and_at_places_that_are_computed_are_read() -> None:
    text = ("dc[j] = 3*c[j]**2\ndz_ik = y_ik + dc[K*i + k]\nds_i = -sum_k2 dz[i,k2] z[i,k2] / s_i\n"
            "dW_dk = sum_i x_id (dz_ik / s_i + ds_i (sum_m x_im W_mk) / (K s_i))")
    report = grade(parse(NORMALISED), text)
    assert {i.name: i.verdict for i in report.items if i.given} == dict.fromkeys(("dc", "dz", "ds", "dW"), "right"), \
        report.text(2)
    wrong = grade(parse(NORMALISED), text.replace("K*i + k", "K*i + k + 1"))
    assert next(i.verdict for i in wrong.items if i.name == "dz") == "wrong"


HEADS = """dim N, h, d
data x: N x h*d, y: h x N x d
param W: h*d x h*d
E = x @ W
Q = transpose(reshape(E, (N, h, d)), (1, 0, 2))
loss L = sum(exp(Q) * y)
"""


def test_heads_are_read_by_quotients_and_remainders_of_places() -> None:
    text = "dQ_jik = e^Q_jik y_jik\ndW_uv = Σ_n x_nu dQ[⌊v/d⌋, n, v mod d]"
    report = grade(parse(HEADS), text)
    assert {i.name: i.verdict for i in report.items if i.given} == {"dQ": "right", "dW": "right"}, report.text(2)
    wrong = grade(parse(HEADS), text.replace("mod d", "mod h"))
    assert next(i.verdict for i in wrong.items if i.name == "dW") == "wrong"
    listed = grade(parse(HEADS), "dQ = [e^Q[j,i,k] y[j,i,k]][j,i,k]\ndW = x.T @ reshape_N×(h·d)([dQ[j,i,k]][i,j,k])")
    assert {i.verdict for i in listed.items if i.given} == {"right"}, listed.text(2)


SMALL = {  # of which some printed line was wrong to grade, or unreadable
    "a letter that the entry lacks": "param a: N x D x H\nY = sum(a, axis=1)",
    "an index behind brackets": "param a: N x D x H\nY = std(a, axis=(0, 2), keepdims=True)",
    "a mask with an index": "param a: N x D x H\nY = cummax(a, axis=1)",
    "a comparison as a condition": "param a: N x D x H\nY = logsumexp(a, axis=(0, 2))",
    "places along an axis": "param a: N x D\nY = sort(a, axis=0)",
    "an axis of size 1": "param a: N x D\nY = tile(a, 3)",
    "fractions": "param a: N x D, b: H x D\nY = cdist(a, b, 3)",
    "rounded up": "param a: N x D\nY = quantile(a, 1/3, axis=1)",
    "the identity": "param a: D x D\nY = trace(a)",
    "a turned inverse": "param a: D x D\nY = inv(a)",
    "entries of an inverse": "param a: N x D x D\nY = det(a)",
    "letters in the order of the rows": "param a: N x N + D\nY = qr(a.T)[0]**2",
    "a line that is broken behind a comma": "param a: N x D\nY = a[arange(N), argmin(a, axis=1)]",
    "broken within an index": "param a: N, b: D\nY = atan2(a[:, None], b)",
    "a block of an exponential": "param a: D x D\nY = matrix_exp(a)",
    "windows of averages": "param a: N x 4 x 4 x 2\nY = avg_pool2d(a, 2)",
    "windows that overlap": "param a: N x 6 x 2\nY = avg_pool1d(a, 3, stride=1)",
    "channels of their own": "param a: N x 3 x 3 x D, k: 2 x 2 x 1 x D\nY = conv2d(a, k, groups=D)",
    "letters for comparisons": "param a: N x D\nY = a - max(a, axis=1, keepdims=True)",
    "the larger of each number and another": "param a: N x D\nY = a * maximum(2*arange(D) - 1, 0)",
}


@pytest.mark.parametrize("form", ["text", "latex", "board", "index"])
@pytest.mark.parametrize("lines", SMALL.values(), ids=SMALL)
def test_what_prints_of_a_function_is_right(lines: str, form: str) -> None:
    model = parse(f"dim N, D, H\n{lines}\nloss L = sum(Y**2) / 2 + sum(Y)")
    options = {"board": {"detail": "board"}, "index": {"view": "index"}}.get(form, {})
    report = grade(model, printed(derive(model), "latex" if form == "latex" else "text", **options))
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items} == {"right"}, report.text(2)


def test_a_board_by_entries_goes_on_below_letters_with_a_tilde() -> None:
    """ã_ij = b ⏎ + c ⏎ = d: the second row is below b, whose column a tilde does not move."""
    model = parse("dim N, D\ndata x: N x D, y: N x D\nparam W: D x D\nz = layer_norm(x @ W)*y\n"
                  "loss L = sum(z**3) + sum(exp(x @ W))")
    page = printed(derive(model), "text", view="index", detail="board")
    assert "\n             = δ_â[i,j]/σ_i + 2(δ_v[i]/D)·ã_ij" in page
    assert {item.verdict for item in grade(model, page).items if item.given} == {"right"}


@pytest.mark.parametrize("detail", ["full", "board"])
@pytest.mark.parametrize("form", FORMS)
def test_a_gradient_of_zero_is_right(form: str, detail: str) -> None:
    """It has no step: the notes give it, with the reason."""
    model = parse("dim N\nparam x: N, u: N, b\nz = 2*x\nloss L = sum(z*stop_gradient(x)) + sum(sign(u))")
    report = grade(model, printed(derive(model), form, detail=detail))
    assert {item.name: item.verdict for item in report.required} == dict.fromkeys(("dx", "du", "db"), "right")


def test_a_sum_over_steps_of_loops_with_other_bounds_needs_its_own() -> None:
    """Two loops count by t, from 1 and from 2 on: Σ_t alone may be either."""
    loops = "h[0] = w\nfor t in 1..T:\n    h[t] = w*h[t-1]\ng[1] = v\nfor t in 2..T:\n    g[t] = v*g[t-1] + x[t]\n"
    model = parse(f"dim T\ndata x: T\nparam w, v\n{loops}loss L = h[T] + g[T]")
    found = {item.name: item for item in grade(model, "dv = sum_t x[t]\ndw = (T + 1) w^T").items}
    assert found["dv"].finding and "needs its bounds" in found["dv"].finding.says


def test_a_letter_of_an_axis_is_no_counter_that_a_sum_over_steps_binds() -> None:
    """Σ_i (∂L/∂g[i])_i"""
    model = parse("dim N\ndata x: N\nparam g_in: N\nfor i in 1..N:\n    h[i] = tanh(g_in*x[i])\nloss L = sum(h**2)")
    page = printed(derive(model), "text", view="index")
    assert "∂L/∂g_in[j] = Σ_i (∂L/∂g_in[j])_i" in page
    assert {item.verdict for item in grade(model, page).items if item.given} == {"right"}


BEGINS = {
    "one state": "param h[0]: N\nfor t in 1..T:\n    h[t] = tanh(w*h[t-1] + x[t])\nloss L = sum(h[T]**2)",
    "two states": "param c[0]: N, h[0]: N\nfor t in 1..T:\n    c[t] = c[t-1]*sigmoid(w*h[t-1]) + x[t]\n"
                  "    h[t] = tanh(w*h[t-1] + c[t])\nloss L = sum(h[T]**2)",
    "all steps": "param h[0]: N\nfor t in 1..T:\n    h[t] = tanh(w*h[t-1] + x[t])\nloss L = sum(h[T]**2) + sum(h**3)",
    "computed": "param b: N\nh[0] = b**2\nfor t in 1..T:\n    h[t] = tanh(w*h[t-1] + x[t])\nloss L = sum(h[T]**2)",
    "backwards": "param h[T+1]: N\nfor t in T..1:\n    h[t] = tanh(w*h[t+1] + x[t])\nloss L = sum(h[1]**2)",
    "from step 2": "param h[1]: N\nfor t in 2..T:\n    h[t] = tanh(w*h[t-1] + x[t])\nloss L = sum(h[T]**2)",
}


WRITTEN = ("text t", "latex t", "text i", "latex k", "markdown k", "text q", "latex q")
HANDED = [pytest.param(lines, *written.split(), detail, id=f"{begins} {written} {detail}")
          for begins, lines in BEGINS.items() for written in WRITTEN for detail in ("full", "board")]


@pytest.mark.parametrize(("lines", "form", "counter", "detail"), few_in_ci(HANDED, 5))
def test_what_a_loop_hands_to_what_it_begins_with_is_right(lines: str, form: str, counter: str, detail: str) -> None:
    """(δ_hₜ₋₁^later)_t=1, and on a board what enters at t = T, written out."""
    steps = re.sub(r"\bt\b", counter, lines)
    model = parse(f"dim T, N\ndata x: T x N\nparam w: N\n{steps}")
    report = grade(model, printed(derive(model), form, detail=detail))
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items} == {"right"}, report.text(2)
    assert all(item.given for item in report.required)


LOOPS = {
    2: "names that are taken for gradients only as others are",
    1: "states without a name in the model, what a state was before, what no step reads",
    6: "what is left of a loop backwards is c_{0,1} in LaTeX, beside the gradient of all steps",
    10: "loops of which nothing has a name, letters outside of a loop",
    14: "what a line calls c at step 1 is not the model's c1",
    17: "a reason has a = where it goes on",
    20: "a reason that goes on with the numbers of equations is not the end of the forward pass",
    25: "a name that equals another gradient for some numbers of steps",
    28: "the last state and all of them are read: each of both is a part of the gradient of the last",
    30: "the entries of a stack have the counter among their letters",
    60: "a loop backwards ends with c₀[1], not c₀₁; a gradient of ones lacks a letter",
    85: "what a loop does with a sequence is to stack it again",
    94: "the last state of a loop backwards is that before another one",
    142: "what comes after the last step, by entries",
}
EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "0"))
PAGES: dict[str, dict[str, Any]] = {
    "text": {}, "latex": {}, "board": {"detail": "board"}, "index": {"view": "index"}, "matrix": {"view": "matrix"},
}
HANDED_ON = [pytest.param(seed, form, id=f"{seed} {form}") for seed in sorted({*LOOPS, *range(EXAMPLES)})
             for form in PAGES]


@pytest.mark.parametrize(("seed", "form"), HANDED_ON if EXAMPLES else few_in_ci(HANDED_ON, 4))
def test_what_prints_of_a_random_loop_is_right(seed: int, form: str) -> None:
    model = random_loop(seed)
    report = grade(model, printed(derive(model), "latex" if form == "latex" else "text", **PAGES[form]))
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items if item.given} == {"right"}, report.text(2)


@pytest.mark.parametrize("form", ["text", "latex", "board"])
@pytest.mark.parametrize("place", ["T", "1", "2"])
def test_a_step_read_outside_of_its_loop_has_the_number_that_the_loop_gives_it(place: str, form: str) -> None:
    """z[T] of z = (z[1], …, z[T]): counted as entries are, from 0, it would be the step before."""
    model = parse("dim T, N\ndata x: T x N, y: N, h[0]: N\nparam w: N\nfor t in 1..T:\n    z[t] = w*h[t-1] + x[t]\n"
                  f"    h[t] = tanh(z[t])\nloss L = sum(y*z[{place}]*h[T])")
    options = {"detail": "board"} if form == "board" else {}
    page = printed(derive(model), "text" if form == "board" else form, **options)
    assert f"z[{place}]" in page
    report = grade(model, page)
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items if item.given} == {"right"}, report.text(2)


@pytest.mark.parametrize("form", ["text", "latex"])
@pytest.mark.parametrize("shape", ["N", "N x M"])
def test_the_norm_that_a_gradient_prints_is_read(shape: str, form: str) -> None:
    """w/‖w‖, of a matrix with the root of the squares of all entries."""
    model = parse(f"dim N, M\nparam w: {shape}\nloss L = norm(w) + sum(w**3)")
    page = printed(derive(model), form)
    assert {"text": "/‖w‖", "latex": r"\lVert w"}[form] in page
    report = grade(model, page)
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items} == {"right"}, report.text(2)


BY_ENTRIES = {
    "the last state": "c0[0] = s\nfor t in 1..T:\n    c0[t] = tanh(x[t]) * c0[t-1]\n"
                      "loss L = sum(sin(c0[T])) + sum(tanh(c0)**2)",
    "what no step hands on": "c0[0] = s\nfor t in 1..T:\n    c0[t] = tanh(x[t]*s)\n"
                             "loss L = sum(sin(c0[T])) + sum(c0**3)",
}


@pytest.mark.parametrize("detail", ["full", "board"])
@pytest.mark.parametrize("lines", BY_ENTRIES.values(), ids=BY_ENTRIES)
def test_entries_of_what_a_loop_comes_to_are_read(lines: str, detail: str) -> None:
    """∂L/∂c₀_T[i,j], and those of a stack that a line introduces, by other letters."""
    model = parse(f"dim T, N, H\ndata x: T x N x H\nparam s: N x H\n{lines}")
    report = grade(model, printed(derive(model), "text", view="index", detail=detail))
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items} == {"right"}, report.text(2)


@pytest.mark.parametrize("form", ["text", "latex"])
def test_the_stack_of_a_loop_backwards_is_without_what_it_begins_with(form: str) -> None:
    model = Model("loop")
    T, N = model.dims("T N")
    x, s, w = model.data("x", (T, N)), model.param("s", (N,)), model.param("w", (N,))

    def body(states: tuple[Node, ...], elements: tuple[Node, ...]) -> Any:
        new = tanh(w * states[0] + elements[0])
        return (new,), new

    last, stacks = scan(body, (s,), x, reverse=True, index="t")
    model.loss("L", total(last[0] ** 2) + total(tanh(stacks[0]) ** 2))
    report = grade(model, printed(derive(model), form))
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items} == {"right"}, report.text(2)


def test_letters_of_ones_own_array_are_those_of_its_right_side() -> None:
    model = parse("dim N\ndata x: N\nparam w: N, b_in\nloss L = sum(tanh(w*x)**2) * b_in")
    said = "a_j = tanh(w_j x_j)\ng_in = 2 b_in\ndw_k = g_in a_k (1 - a_k^2) x_k\ndb_in = sum(tanh(w*x)**2)"
    assert {i.verdict for i in grade(model, said).items if i.given} == {"right"}, grade(model, said).text(2)


def test_entries_are_those_of_the_array_that_is_written() -> None:
    """X_ij is no x_ij, and (∂L/∂g_in)_i an entry where i counts no steps."""
    matrix = parse("dim N, D\ndata X: N x D\nparam x_ij: N x D\nloss L = sum(x_ij*X)")
    assert grade(matrix, "∂L/∂x_ij = X_ij").verdict == "right"
    assert grade(matrix, "∂L/∂x_ij = 2 X_ij").verdict != "right"
    vector = parse("dim N\ndata x: N\nparam g_in: N\nloss L = sum(tanh(g_in*x)**2)")
    said = "_i = 2 tanh(g_in[i] x_i) (1 - tanh(g_in[i] x_i)^2) x_i"
    assert all(grade(vector, left + said).verdict == "right" for left in ("(∂L/∂g_in)", "(dL/dg_in)"))
    assert grade(vector, "(∂L/∂g_in)" + said.replace("2 tanh", "tanh")).verdict == "wrong"


LAST_STATES = """dim T, D, H
data x: T x D, y: H
param W: D x H, U: H x H
h = zeros(H)
c = zeros(H)
for t in 1..T:
    c = 0.5 * c + tanh(x[t] @ W + h @ U)
    h = c * sigmoid(c)
loss L = sum((h - y)**2)
"""
ONE_PLACE = """dim T
data x: T, y: T
param w, u
h[0] = 0
for t in 1..T: h[t] = tanh(w * x[t] + u * h[t-1])
loss L = (h[T] - y[0])**2 + mean((h - y)**2)
"""
DIAGONAL = """dim D
param M: D x D, A: D x D
data d: D
loss L = trace(M @ diag(exp(d)) @ A.T) + sum(M**3)
"""
DEPTHWISE = """dim N, C
data X: N x 8 x 8 x C
param w: 3 x 3 x 1 x C
loss L = mean(relu(conv2d(X, w, padding=1, groups=C))**2)
"""
FAMILIES = """dim T, H
data h[0]: H, x: T x H
param W: H x H
for t in 1..T:
    h_2[t] = tanh(W @ h[t-1])
    h[t] = h_2[t] * x[t]
loss L = sum(h[T])
"""
BELOW = {"states": LAST_STATES, "place": ONE_PLACE, "I": DIAGONAL, "letters": DEPTHWISE, "families": FAMILIES}


@pytest.mark.parametrize(("name", "form", "view"), few_in_ci(
    [pytest.param(*case) for case in product(BELOW, FORMS, ["auto", "index"])], 5))
def test_numbers_below_names_letters_and_sums_are_read_as_they_print(name: str, form: str, view: str) -> None:
    """h₂ₜ of h_2, y₀ of the array y, I_ij beside an index i, i₁ in a legend, hₜ = cₜ·aₜ that is no other name,
    h₂ₜ beside h₂ of h."""
    text = BELOW[name]
    report = grade(parse(text), printed(derive(parse(text)), form, view=view))
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items} == {"right"}, report.text(2)


WHOLE = {
    "a diagonal": "dim N, D\nparam Z: N x D\nC = Z.T @ Z/N\nd = diagonal(C)\nloss L = sum((C - diag(d))**2)/D",
    "half a trace": "dim N, D\ndata X: N x D\nparam A: D x D, m: D\nS = A @ A.T + eye(D)\nR = X - m\n"
                    "loss L = N*logdet(S)/2 + trace(R @ solve(S, R.T))/2",
    "δ is the model's": "dim T, D\ndata x: T x D, y: T x D\nparam A: D\ndelta = softplus(x)\nh[0] = zeros(D)\n"
                        "for t in 1..T:\n    h[t] = exp(-delta[t]*A)*h[t-1] + delta[t]*x[t]\nloss L = mean((h - y)**2)",
    "stack from step 2": "dim T, d, k\ndata X: T x d, y: T x k\nparam E: d x k, W: k x k\nZ = X @ E\n"
                         "h[1] = tanh(Z[0])\nfor t in 2..T:\n    h[t] = tanh(Z[t] + h[t-1] @ W)\n"
                         "loss L = sum((h - y[1:])**2)",
    "a constant before a step": "dim T\ndata y: T\nparam a, b\nS[0] = 1\nfor t in 1..T:\n    S[t] = a*S[t-1] + b\n"
                                "    l[t] = log(2*pi*S[t])/2 + y[t]**2/S[t]\nloss L = sum(l)",
    "weights of classes": "dim N, C\ndata y: N int < C, w: C\nparam Z: N x C\n"
                          "loss L = sum(w[y]*cross_entropy(Z, y))/sum(w[y])",
    "entries of steps": "dim T\ndata y: T x 2\nparam a, Wd: 2\nu[0] = Wd\nfor t in 1..T:\n    m = u[t-1]*a\n"
                        "    u[t] = u[t-1] + stack(m[0]*m[1], a*m[0])\nloss L = sum((u - y)**2)",
    "computed classes": "dim N, D\ndata x: 2*N x D\nparam W: D x D\nz = x @ W\nS = where(eye(2*N) > 0, -inf, z @ z.T)\n"
                        "loss L = mean(cross_entropy(S, concat(arange(N) + N, arange(N))))",
}


@pytest.mark.parametrize("form", ["text", "index", "latex", "board"])
@pytest.mark.parametrize("name", WHOLE)
def test_whole_pages(name: str, form: str) -> None:
    model = parse(WHOLE[name])
    options = {"index": {"view": "index"}, "board": {"detail": "board"}}.get(form, {})
    report = grade(model, printed(derive(model), "latex" if form == "latex" else "text", **options))
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items} == {"right"}, report.text(2)


def test_boards_by_entries_say_the_chain_rule_in_a_line() -> None:
    model = parse("dim N, D\ndata X: N x D, y: N\nparam w: D, b, An: N x N\ng = exp(b)\nu = X @ w*g\nA = An*An\n"
                  "s[0] = 1\nfor t in 1..3:\n    s[t] = b*s[t-1]\nloss L = sum((An @ A @ u - y)**2) + b**2 + s[3]")
    page = printed(derive(model), "text", view="index", detail="board")
    assert "(∂L/∂b)_direct" in page and "A_n[n,i]" in page
    report = grade(model, page)
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items} == {"right"}, report.text(2)


def test_boards_by_entries_add_up_what_steps_from_the_second_contribute() -> None:
    model = parse("dim T\ndata r: T\nparam la, lb\nal = sigmoid(la)\nbe = sigmoid(lb)*(1 - al)\ns[1] = 0.1\n"
                  "for t in 2..T:\n    s[t] = al*r[t-1]**2 + be*s[t-1]\nloss L = sum(log(s))/2")
    page = printed(derive(model), "text", view="index", detail="board")
    assert "((∂L/∂al)_t for t = 2" in page
    report = grade(model, page)
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items} == {"right"}, report.text(2)


def test_an_e_of_the_model_is_no_base_of_exponentials() -> None:
    model = parse("dim T\ndata y: T\nparam ls\ne = y - ls\nloss L = sum(e**2)/exp(2*ls)")
    assert r"c &= \exp(b)" in printed(derive(model), "latex")
    assert "c = exp(b)" in printed(derive(model), "text")


FROM_2 = "e[1] = y[0]\nfor t in 2..T:\n    e[t] = y[t] - phi*y[t-1] - theta*e[t-1]\n"


@pytest.mark.parametrize("form", ["text", "index", "latex", "board"])
def test_pages_of_loops_from_the_second_step(form: str) -> None:
    model = parse(f"dim T\ndata y: T\nparam phi, theta, ls\n{FROM_2}loss L = sum(e**2)/(2*exp(2*ls)) + T*ls")
    options = {"index": {"view": "index"}, "board": {"detail": "board"}}.get(form, {})
    report = grade(model, printed(derive(model), "latex" if form == "latex" else "text", **options))
    assert not report.unread, report.unread
    assert {item.verdict for item in report.items} == {"right"}, report.text(2)
