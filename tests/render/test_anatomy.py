"""What a document says, in which order, at which length."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import pytest

from symbackprop.derive import derive
from symbackprop.derive.steps import Derivation
from symbackprop.errors import UsageError
from symbackprop.model import Model, zoo
from symbackprop.render.board import build_document
from symbackprop.render.document import Document
from symbackprop.render.factors import Factor
from symbackprop.render.latex import to_latex
from symbackprop.render.options import Options
from symbackprop.render.print.latex import latex
from symbackprop.render.print.text import text
from symbackprop.render.symbols import Located, locate, serving
from symbackprop.render.text import to_text
from symbackprop.render.views import VIEWS
from symbackprop.render.views.terms import Terms
from tests.counting import calls
from tests.render.helpers import build, derivation, document, said, step, text_lines
from tests.render.random_models import random_circuit, random_loop, random_model
from tests.sweeps import few_in_ci


def tanh_chain(depth: int) -> Model:
    lines = ["data x, y", *[f"param w{k}" for k in range(depth)]]
    before = "x"
    for k in range(depth):
        lines.append(f"h{k} = tanh(w{k} * {before})")
        before = f"h{k}"
    return Model.parse("\n".join([*lines, f"loss L = (y - {before})**2 / 2"]))


def perceptron(depth: int) -> Model:
    lines = ["dim N, D", "data X: N x D", *[f"param W{k}: D x D" for k in range(depth)]]
    before = "X"
    for k in range(depth):
        lines.append(f"A{k} = relu({before} @ W{k})")
        before = f"A{k}"
    return Model.parse("\n".join([*lines, f"loss L = mean({before}**2)"]))


@pytest.mark.parametrize("make", [tanh_chain, perceptron])
def test_length_grows_linearly_with_depth(make: object) -> None:
    pages = [build_document(derive(make(n)), Options(whole=True)) for n in (100, 200)]  # type: ignore[operator]
    steps, printed = ([sum(len(s.lines) for s in page.steps) for page in pages], [*map(to_text, pages)])
    assert 1.95 < steps[1] / steps[0] < 2.05
    assert len(printed[1]) / len(printed[0]) < 2.2  # three digits in a name take more room than two
    assert printed[1].count("\n") / printed[0].count("\n") < 2.2


@pytest.mark.parametrize(("declared", "loss"), [
    ("data x\nparam w\n", "loss L = {}"), ("dim N\ndata x: N\nparam w: N\n", "loss L = sum({})"),
])
def test_a_sum_of_many_different_terms_takes_no_more_calls_a_term(declared: str, loss: str) -> None:
    def printed(terms: int) -> int:
        total = " + ".join(f"tanh(w*x + {k})" for k in range(1, terms + 1))
        return calls(lambda: derive(Model.parse(declared + loss.format(total))).text(whole=True))

    _, few, many = map(printed, (10, 30, 90))  # the first fills caches
    assert many < 3.3 * few


@pytest.mark.parametrize("make", [tanh_chain, perceptron])
def test_a_layer_of_a_deep_model_takes_no_more_calls(make: Callable[[int], Model]) -> None:
    _, few, many = (calls(lambda n=n: derive(make(n)).text(whole=True)) for n in (5, 20, 60))
    assert many < 3.3 * few


def test_output_does_not_depend_on_the_hash_seed() -> None:
    code = "from symbackprop import load, derive; d = derive(load('svm-hinge'))\n"
    code += "for form in ('text', 'latex'): print(d.printed(form, view='index'))"
    outputs = {
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PATH": ""}, capture_output=True,
                       text=True, check=True).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1


def test_printing_imports_no_numpy() -> None:
    code = (
        "import sys; from symbackprop import load, derive; d = derive(load('window-lm')); "
        "d.text(); d.latex(); d.markdown(); d.to_json(); print('numpy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_printing_twice_gives_the_same() -> None:
    d = derive(zoo.build("rnn-lm"))
    assert d.text() == d.text()
    assert derive(d.model).text() == d.text()


def test_brief_keeps_the_chain_rule_and_the_result() -> None:
    full, brief = document("two-weight-tanh"), document("two-weight-tanh", detail="brief")
    assert text_lines(step(brief, "w2")) == ["dL/dw₂ = dL/do·do/da·da/dw₂", "dL/dw₂ = −(y − o)·(1 − o²)·h"]
    assert len(to_text(brief)) < len(to_text(full))
    assert text_lines(step(document("logistic-regression", detail="brief"), "z")) == ["δ_z = ∂L/∂ŷ·∂ŷ/∂z", "= ŷ − y"]


def test_auto_says_which_view_it_chose() -> None:
    headings = {n: said(document(n).heading)
                for n in ("cube", "linear-layer", "ner-window")}
    assert headings["cube"].endswith("Scalar view: every quantity is a number.")
    assert headings["linear-layer"].endswith("Matrix view: the model has arrays.")
    assert headings["ner-window"].endswith("Jacobian view: the model asks for it.")


def test_there_is_no_scalar_view_of_arrays() -> None:
    with pytest.raises(UsageError, match="has arrays"):
        document("linear-layer", view="scalar")


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3, 1))
@pytest.mark.parametrize("view", ["index", "jacobian", "matrix"])
def test_every_model_has_every_view(name: str, view: str) -> None:
    doc = document(name, view=view)
    assert doc.view == view
    assert all(s.lines for s in doc.steps)


@pytest.mark.parametrize("name", ["linear-layer", "squared-norm", "ner-window"])
def test_jacobian_layout_transposes_results(name: str) -> None:
    shapes = {r.name: text(r.shape) for r in document(name, layout="jacobian").table if r.shape is not None}
    plain = {r.name: text(r.shape) for r in document(name).table if r.shape is not None}
    for key, shape in plain.items():
        parts = shape.split("×")
        assert shapes[key] == ("×".join(reversed(parts)) if len(parts) == 2 else f"1×{shape}")


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3))
def test_conventions_are_stated_where_they_occur(name: str) -> None:
    text, latex = to_text(document(name)), to_latex(document(name))
    model = "\n".join(line.partition("#")[0] for line in zoo.text(name).splitlines())
    kinks = re.search(r"\b(relu|leaky_relu|prelu|hinge|multiclass_hinge)\(", model) is not None
    ties = re.search(r"\b(max|min|maximum|minimum|max_pool2d)\(", model) is not None
    assert "shape" in text
    assert ("ReLU′(0) = 0" in text) == (r"\operatorname{ReLU}'(0) = 0" in latex) == kinks
    assert ("max and min share" in text) == ("max and min share" in latex) == ties


def test_the_relu_convention_is_the_models() -> None:
    doc = build_document(derive(zoo.build("mlp-relu-sigmoid", relu0=1)))
    assert "ReLU′(0) = 1" in to_text(doc)
    assert "∂a₁/∂z₁ = 1[z₁ ≥ 0]" in text_lines(step(doc, "z1"))


def test_a_parameter_without_influence_is_said_to_have_gradient_zero() -> None:
    doc = build("param w, u\nloss L = w**2")
    assert [(r.name, text(r.gradient)) for r in doc.table if r.name == "u"] == [("u", "0")]
    assert "dL/du = 0: no path leads from u to L." in to_text(doc)


def test_a_gradient_asked_for_in_the_middle() -> None:
    doc = build_document(derive(zoo.build("two-weight-tanh"), ["h"]))
    assert [r.name for r in doc.table] == ["h"]
    assert step(doc, "h").role == "result"


def test_names_that_would_look_alike_do_not() -> None:
    doc = build("param c2, c_2\nloss L = c2 * c_2")
    assert len({text(d.math) for d in doc.declarations}) == 2
    assert len({latex(d.math) for d in doc.declarations}) == 2


@pytest.mark.parametrize("form", ["text", "latex", "svg"])
@pytest.mark.parametrize(("source", "names"), [
    ("dim T, K\ndata X: T x K\nparam W: K x K\nK_ = X @ W\nS = K_ @ K_.T / sqrt(K)\nloss L = sum(S)", {"K_"}),
    ("dim n2\nparam n_2: n2\nloss L = sum(n_2) / n2", {"n_2"}),
    ("param W1, W_1\nloss L = W1 * W_1", {"W_1"}),
    ("param z2, z22\nz2_2 = tanh(z2)\nloss L = z2_2 * z22", {"z2_2"}),
])
def test_names_that_would_look_alike_print_as_written(source: str, names: set[str], form: str) -> None:
    found = derive(Model.parse(source))
    shown = found.graph().svg() if form == "svg" else found.latex() if form == "latex" else found.text()
    assert all((name.replace("_", r"\_") if form == "latex" else name) in shown for name in names)


def test_later_steps_quote_a_closed_form() -> None:
    source = "data x, y\nparam w, b\no = sigmoid(w*x + b)\nloss L = -(y*log(o) + (1 - y)*log(1 - o))"
    shown = " ".join(derive(Model.parse(source)).text().split())
    assert "dL/dw = (o − y)·x" in shown and "dL/db = (o − y)·1" in shown


def test_the_legend_of_a_convolution_says_what_its_stride_and_padding_are_called() -> None:
    source = "dim N\ndata X: N x 8 x 8 x 1\nparam w: 3 x 3 x 1 x 4\na = conv2d(X, w, padding=1)\nloss L = mean(a**2)"
    shown = " ".join(derive(Model.parse(source)).text(detail="board").split())
    assert re.search(r"conv\(x, \w\).* outside is 0, stride \w, padding \w;", shown) and "1 entries" not in shown


def test_the_costs_of_a_layer() -> None:
    rows = {r.name: (text(r.cost), [text(m) for m in r.stores]) for r in document("ffnn-softmax-batch").table}
    assert rows == {"W": ("N·D·H", []), "b": ("0", []), "U": ("N·H·C", ["h"])}
    assert text(document("two-weight-tanh").total_cost) == "7"


def test_the_steps_of_a_loop_are_nested() -> None:
    doc = document("rnn-lm")
    depths = [s.depth for s in doc.steps]
    assert max(depths) == 1
    assert [e.depth for e in doc.forward if e.name.startswith("h[")] == [1]
    assert derivation("rnn-lm").bodies


@pytest.mark.parametrize("read", ["h[T]", "h[T] + h[1]"])
def test_forward_stores_the_states_that_only_steps_read(read: str) -> None:
    model = f"""
    dim T, N, H
    param s: N x H, W: H x H, v: H
    h[0] = s
    for t in 1..T:
      h[t] = tanh(h[t-1] @ W)
    loss L = sum((({read}) @ v)**2)
    """
    document = build_document(derive(Model.parse(model)))
    row = next(row for row in document.table if row.name == "W")
    for stored in (document.stored, row.stores):
        assert {"hₜ", "h"} & {text(x) for x in stored}


DERIVED: dict[str, Callable[[], Derivation]] = {
    **{name: partial(derivation, name) for name in zoo.names()},
    **{f"{make.__name__} {seed}": lambda make=make, seed=seed: derive(make(seed))  # type: ignore[misc]
       for make in (random_circuit, random_loop, random_model) for seed in (5, 10, 23, 24)}}
NOWHERE = "data x, y\nparam w, v\no = sign(w * x)\nb = o**2\nloss L = (y - v * b)**2"


def pages(d: Derivation) -> Iterator[Document]:
    """The documents of a derivation in all views that suit it."""
    yield from [build_document(d, Options(view=view)) for view in VIEWS if view != "scalar" or VIEWS[view].suits(d)]


@pytest.mark.parametrize("name", few_in_ci(DERIVED, 3))
def test_no_line_says_nothing_and_none_says_what_the_one_before_said(name: str) -> None:
    for page, printed in product(pages(DERIVED[name]()), (text, latex)):
        lines = [e.line for e in page.forward] + [line for s in page.steps for line in s.lines]
        for line, after in zip(lines, [*lines[1:], None], strict=True):
            assert line.left is None or printed(line.left) != printed(line.right), line
            goes_on = after is not None and after.left is None and after.sign == line.sign
            assert not goes_on or after is None or printed(line.right) != printed(after.right), (line, after)


def test_no_step_finds_what_nothing_comes_of() -> None:
    """sign′ = 0: the gradients of o and b lead nowhere, and that of w is 0."""
    d = derive(Model.parse(NOWHERE))
    for page in pages(d):
        assert [s.name for s in page.steps] == ["L", "v"]
        assert any("w = 0: a derivative on every path from w to L is 0." in said(note) for note in page.notes)


@pytest.mark.parametrize("name", DERIVED)
def test_every_step_of_an_intermediate_is_read_by_another_one(name: str) -> None:
    d = DERIVED[name]()
    steps, results = [x for x in locate(serving(d)) if not x.depth], {r.id for r in d.model.results()}
    read = {c.consumer.id for x in steps if isinstance(x, Located) for c in x.step.contributions
            if c.consumer is not None}
    for x in steps:
        row = x.step.target if isinstance(x, Located) else x.loop.loop
        of_loop = row.is_result and row.args[0].id in read
        assert row.id in read or of_loop or row.name in d.wrt or row.id in results, row


@pytest.mark.parametrize("factors", [
    "(w*x + 2) * (w*x + 3) * (w + 4)", "(w*x + 2) * (w*x + 3) * (w*x + 2)", "w * x * (w + x)**2", "w * (w + 1) * w**3",
    "2 * (w + x) * (w - x)", "-(w + x) * exp(w)", "(w + x) * reciprocal(w) * w", "(w + x) / (w*x + 1) * (w + 1)",
    "tanh(w) * (w + 3) * sigmoid(w)", "(w*x + 2) * k * (w + 1)",
])
def test_a_product_that_stays_prints_as_it_was_put_in(factors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model.parse(f"data x\nparam w\nk = 3\na = {factors}\nb = a * (w + 5)\nloss L = b * (x + 7)")
    shown = derive(model).text()
    monkeypatch.setattr(Terms, "is_as_put_in", lambda *args: False)
    assert derive(model).text() == shown


def test_a_product_that_stays_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    factors = " * ".join([f"(w*x + {k})" for k in range(1, 60)])
    derivation = derive(Model.parse(f"data x\nparam w\nloss L = {factors}"))
    written, tree = list[int](), Factor.tree
    monkeypatch.setattr(Factor, "tree", lambda self, r: written.append(len(self.form.children)) or tree(self, r))
    derivation.text()
    assert sum(n > 20 for n in written) == 1  # the others are single factors of the chain
