"""Model text: what each construct means."""

from __future__ import annotations

import keyword

import pytest
import sympy as sp

from symbackprop.core import functions as F
from symbackprop.core.functions import CONSTANTS, FUNCTIONS
from symbackprop.core.scalars import TABLE
from symbackprop.errors import ModelError, NameProblem, ShapeError
from symbackprop.model import Model, parse_expression, to_text
from symbackprop.model.text.calls import KINDS, RULES, callee
from symbackprop.verify import evaluate
from tests.model.helpers import described

MLP = """
dim N, D = 3, H, C             # symbolic, or with a default size
data X: N x D                  # also X: N × D ; scalars have no colon part
data y: N int < C              # integer data (class or word indices below C)
param W1: D x H, b1: H         # what gradients are taken of
param W2: H × C, b2: C
const eps = 1e-5               # a number
Z1 = X @ W1 + b1               # every left side is a named intermediate
A1 = relu(Z1)
Z2 = A1 @ W2 + b2
loss L = mean(cross_entropy(Z2, y))     # logits and class indices, or a target distribution
"""


def formula(text: str, declarations: str = "dim N, D\nparam W: N x D, x: N, s") -> Model:
    return Model.parse(f"{declarations}\nz = {text}\nloss L = sum(z) + 0 * s")


def value(text: str, **values: object) -> object:
    """The value of a formula over scalars."""
    model = Model.parse("param a, b, c\nloss L = a")
    return evaluate([parse_expression(text, model)], {"a": 2.0, "b": 3.0, "c": 5.0, **values})[0]


def mlp_in_python() -> Model:
    m = Model("mlp")
    N, D, H, C = m.dims("N D H C", D=3)
    X, y = m.data("X", (N, D)), m.data("y", (N,), below=C)
    W1, b1 = m.param("W1", (D, H)), m.param("b1", (H,))
    W2, b2 = m.param("W2", (H, C)), m.param("b2", (C,))
    m.const("eps", 1e-5)
    A1 = m.let("A1", F.relu(m.let("Z1", X @ W1 + b1)))
    Z2 = m.let("Z2", A1 @ W2 + b2)
    m.loss("L", F.mean(F.cross_entropy(Z2, y)))
    return m


def test_sizes_that_steps_leave_are_written_to_be_read_again() -> None:
    text = ("dim N, D\ndata X: N x D\nparam w: ceil(D/2), v: N // 2\n"
            "loss L = sum(X[:, ::2] @ w) + sum(broadcast(v, (3, N // 2)))")
    model = Model.parse(text)
    assert to_text(Model.parse(to_text(model))) == to_text(model) and "w: ceil(D/2), v: floor(N/2)" in to_text(model)


def test_text_and_python_declare_the_same_graph() -> None:
    model = Model.parse(MLP)
    built = mlp_in_python()
    assert [(s.keyword, s.name) for s in model.statements] != []
    assert described(model)["arrays"] == described(built)["arrays"]
    assert model.sizes == built.sizes == {"N": None, "D": 3, "H": None, "C": None}


def test_what_is_declared() -> None:
    model = Model.parse(MLP)
    assert list(model.params) == ["W1", "b1", "W2", "b2"]
    assert list(model.data_rows) == ["X", "y"]
    assert model.data_rows["y"].kind == "int"
    assert model.constants["eps"].attr.value == sp.Rational(1, 100000)
    assert model.loss_row is not None and model.loss_row.name == "L"


def test_layer_with_several_outputs() -> None:
    model = Model.parse("dim N\ninput X: N\nparam w\noutput Y = X * w\noutput Z = X + w")
    assert list(model.output_rows) == ["Y", "Z"]
    assert model.loss_row is None
    assert list(model.targets()) == ["X", "w"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * c", 17.0),
        ("a - b - c", -6.0),
        ("a / b / c", 2 / 15),
        ("a * b / c", 6 / 5),
        ("-a ** 2", -4.0),
        ("-a ^ 2", -4.0),
        ("2 ** -a", 0.25),
        ("a ** b ** 2", 512.0),
        ("-a * b", -6.0),
        ("--a", 2.0),
        ("-+-a", 2.0),
        ("a - -b", 5.0),
        ("(a + b) * c", 25.0),
        ("a < b", 1.0),
        ("a + 1 >= b", 1.0),
        ("a == b", 0.0),
        ("a != b", 1.0),
        ("where(a > b, a, b)", 3.0),
        ("where(a < b, 10, b)", 10.0),
        ("maximum(a, 2.5)", 2.5),
        ("(a < b) * (b < c)", 1.0),
        (".5 * a + 1. - 5e-1", 1.5),
        ("1e2 * a", 200.0),
        ("a'", 2.0),
        ("a.T + a'' - aᵀ", 2.0),
    ],
)
def test_operators(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, rel=1e-14)


def test_brackets_join_lines() -> None:
    assert value("(a +  # a comment inside\n  b\n)") == 5.0


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("W.T @ x", "D"),
        ("W' @ x", "D"),
        ("Wᵀ @ x", "D"),
        ("x @ W", "D"),
        ("(x[:, None] * W)[0]", "D"),
        ("W[:, 1:]", "N x D - 1"),
        ("W[0, :]", "D"),
        ("W[-1]", "D"),
        ("W[::-1, None]", "N x 1 x D"),
        ("W[..., 0]", "N"),
        ("sum(W, axis=-1, keepdims=True)", "N x 1"),
        ("sum(W, 0)", "D"),
        ("mean(W, axis=(0, 1))", ""),
        ('einsum("ij,i->j", W, x)', "D"),
        ("reshape(W, (D, N))", "D x N"),
        ("reshape(W, D, N)", "D x N"),
        ("reshape(W, -1)", "N*D"),
        ("transpose(W, (1, 0))", "D x N"),
        ("concat(W, W, axis=1)", "N x 2*D"),
        ("concat((x, x))", "2*N"),
        ("outer(x, x)", "N x N"),
        ("eye(N) @ W", "N x D"),
        ("W * causal_mask(N)[:, 0:1]", "N x D"),
        ("zeros(N, D) + ones((N, D))", "N x D"),
        ("arange(N) * x / N", "N"),
        ("broadcast(s, (D, N))", "D x N"),
        ("layer_norm(W, eps=1e-3)", "N x D"),
    ],
)
def test_shapes(text: str, shape: str) -> None:
    model = formula(text)
    found = " x ".join(str(d) for d in model.equations["z"].shape).replace("D*N", "N*D")
    assert found == shape


def test_sizes_are_arithmetic_of_dims() -> None:
    model = Model.parse("dim K, E, H\nparam W: K*E x H, V: 36 x 5, U: 2*(K + 1) x H/2\nloss L = sum(W) + sum(V)")
    K, E, H = (sp.Symbol(n, integer=True, positive=True) for n in "KEH")
    assert model.params["W"].shape == (K * E, H)
    assert model.params["V"].shape == (36, 5)
    assert model.params["U"].shape == (2 * K + 2, H / 2)


def test_a_dimension_may_be_called_x() -> None:
    model = Model.parse("dim x, N\nparam W: x x N x x\nloss L = sum(W)")
    assert [d.name for d in model.params["W"].shape] == ["x", "N", "x"]


FOREIGN = ["S", "I", "N_", "E", "O", "Q", "np", "self", "eval", "print", "x", "int", "sum", "data", "loss", "pi"]


@pytest.mark.parametrize("name", FOREIGN)
def test_names_that_mean_something_elsewhere(name: str) -> None:
    model = Model.parse(f"dim {name}D\nparam {name}: {name}D\nloss L = sum({name} ** 2)")
    assert list(model.params) == [name]
    assert described(Model.parse(to_text(model))) == described(model)


def test_dimensions_are_numbers_too() -> None:
    model = formula("x / N + 1 / (N * D)")
    found = evaluate([model.equations["z"]], {"x": [1.0, 2.0], "W": [[0.0] * 4] * 2, "s": 0.0}, {"N": 2, "D": 4})[0]
    assert list(found) == [0.625, 1.125]


def test_decimals_are_exact() -> None:
    model = Model.parse("const a = 0.1, b = 1/3, c = 2 ** 0.5, d = 1e-300, e = sqrt(2 / pi)\nparam w\nloss L = w * 0.1")
    values = {n: row.attr.value for n, row in model.constants.items()}
    assert values["a"] == sp.Rational(1, 10) and values["b"] == sp.Rational(1, 3)
    assert values["c"] == sp.sqrt(2) and values["d"] == sp.Rational(1, 10**300)
    assert values["e"] == sp.sqrt(2 / sp.pi)


def test_notation_and_convention() -> None:
    model = Model.parse('convention relu0 = 1/2\nparam W1, h[0]\nnotation W1 = "W^{[1]}"\nnotation h[0] = "h_0"\n'
                        'notation L = "\\mathcal{L}"\nloss L = relu(W1) + h[0]')
    assert model.notation_of == {"W1": "W^{[1]}", "h0": "h_0", "L": "\\mathcal{L}"}
    assert model.graph.relu0 == sp.Rational(1, 2)
    assert Model.parse("param w\nloss L = relu(w)", relu0=1).graph.relu0 == 1
    assert described(Model.parse(to_text(model))) == described(model)


def test_header() -> None:
    model = Model.parse(
        "# summary: two lines\n#   source:  a book\n\n# tags: a, b-c\n# a plain comment\n"
        "# example: a=1/2, W=[[1, -2], [.5, 1e3]]\n"
        "# note: first\n# note: second\nparam a, W: 2 x 2\n# summary: too late\nloss L = a * sum(W)",
        path="some dir/my net.sbp",
    )
    assert (model.name, model.summary, model.source, model.tags) == ("my-net", "two lines", "a book", ("a", "b-c"))
    assert model.example == {"a": 0.5, "W": [[1, -2], [0.5, 1000]]}
    assert model.notes == ["first", "second"]
    assert Model.parse(to_text(model)).example == model.example


def test_a_text_indented_as_a_whole() -> None:
    assert list(Model.parse("\n    param w\n    loss L = w ** 2\n").params) == ["w"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_endings_tabs_and_byte_order_mark(ending: str, mark: str) -> None:
    text = mark + ending.join(["param\tw", "for t in 1..2:", "\tz[t] = w * t", "loss L = z[1] + z[2]\t# ½, →"])
    assert list(Model.parse(text).equations) == ["z1", "z2", "L"]


def test_a_parameter_that_the_loss_does_not_reach_is_allowed_and_said() -> None:
    model = Model.parse("param w, u\nloss L = w ** 2")
    assert model.warnings() == ["the loss L does not depend on u: its gradient is zero"]


def test_a_model_without_parameters_is_allowed_and_said() -> None:
    model = Model.parse("data w\nloss L = w ** 2")
    assert model.warnings() == ["the model has no parameters and no inputs: there is nothing to take gradients of"]


def test_integers_as_numbers() -> None:
    model = Model.parse("dim N\ndata k: N int < 5\nparam w\nloss L = sum(k * w + tanh(k))")
    found = evaluate([model.results()[0]], {"k": [0, 2], "w": 0.5})[0]
    assert found == pytest.approx(1.9640275800758169)


# -- functions -------------------------------------------------------------------------------------------------------


def test_every_function_can_be_called() -> None:
    """Every parameter of every library function has an annotation that model text knows how to read."""
    known = {*KINDS, *RULES, "Stride", "Any"}
    for name in [*FUNCTIONS, *CONSTANTS, *TABLE]:
        found = callee(name)
        assert found is not None, name
        for p in found.signature.parameters.values():
            assert str(p.annotation) in known, f"{name}: {p}"


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_scalar_function_has_a_spelling(name: str) -> None:
    found = callee(name)
    assert found is not None
    names = ["a", "b", "c", "d"][: len(found.signature.parameters)]
    model = Model.parse("param a, b, c, d\nloss L = a + b + c + d")
    row = parse_expression(f"{name}({', '.join(names)})", model)
    assert row.shape == ()


def test_numbers_alone_stay_numbers() -> None:
    model = Model.parse("dim N\nconst a = exp(1) * sqrt(N) + tanh(0.5)\nparam w\nloss L = a * w")
    N = sp.Symbol("N", integer=True, positive=True)
    assert model.constants["a"].attr.value == sp.exp(1) * sp.sqrt(N) + sp.tanh(sp.Rational(1, 2))
    assert described(Model.parse(to_text(model))) == described(model)


def test_infinite_branches() -> None:
    text = "dim N\nparam x: N x N\nz = softmax(where(causal_mask(N), x, -inf))\nloss L = sum(z[0])"
    model = Model.parse(text)
    assert described(Model.parse(to_text(model))) == described(model)
    assert evaluate([model.equations["z"]], {"x": [[1.0, 2.0], [3.0, 3.0]]})[0].tolist() == [[1, 0], [0.5, 0.5]]


def test_formula_over_a_model() -> None:
    model = Model.parse("param a\nb = a ** 2\nloss L = b")
    extra = model.graph.names["a"] * 3
    assert evaluate([parse_expression("delta + b", model, {"delta": extra})], {"a": 2.0})[0] == 10.0
    with pytest.raises(ModelError, match="'q' is not declared"):
        parse_expression("q", model)


def test_ten_thousand_lines() -> None:
    lines = ["param w, x", "h0 = x", *[f"h{k} = tanh(w * h{k - 1})" for k in range(1, 10_000)], "loss L = h9999"]
    model = Model.parse("\n".join(lines))
    assert len(model.equations) == 10_001
    assert to_text(model).count("\n") == 10_003


DECLARING = [
    "dim {}", "data x, {}: 3", "input {}", "param W: 2 x 3, {}: 3", "param {}[1..3]", "loss {} = w",
    'notation {} = "q"', "const k = 2, {} = 1/2", "output {} = w", "{} = w + 1", "{}[2] = w", "for {} in 1..3: z = w",
]


@pytest.mark.parametrize("line", DECLARING)
def test_a_keyword_is_refused_where_it_is_declared_and_the_line_is_corrected(line: str) -> None:
    for name in keyword.kwlist:
        with pytest.raises(NameProblem) as caught:
            Model.parse(f"param w\n{line.format(name)}\nloss L = w * {name}", path="net.sbp")
        head = f"net.sbp:2: name error: {name!r} is a Python keyword and cannot be a name; try {name + '_'!r}"
        assert str(caught.value) == f"{head} (column {line.index('{') + 1}): {line.format(name + '_')}"


def test_declarations_as_people_write_them() -> None:
    """Longer words, sizes in brackets, dimensions with spaces between them, a loss that is called so."""
    text = "dims N D\ninputs X: (N, D)\nweights W: [D, 3], b: (3)\nparameter c: (3,)\nloss = sum(X @ W + b * c)"
    written = Model.parse(text)
    plain = Model.parse("dim N, D\ninput X: N x D\nparam W: D x 3, b: 3\nparam c: 3\nloss loss = sum(X @ W + b * c)")
    assert to_text(written) == to_text(plain)
    assert written.remarks[0].endswith(":5: `loss = …` is read as the loss of the model") and not plain.remarks
    alone = Model.parse(text.replace("loss = ", "J = ") + "\nloss J")
    assert to_text(alone) == to_text(Model.parse(text.replace("loss = ", "loss J = ")))
    with pytest.raises(NameProblem, match="3: name error: no equation gives 'K' a value; write `output K = …`"):
        Model.parse("param w\nloss J = w\noutput K")
    with pytest.raises(ShapeError, match=r"indices for X .*; X has one axis, of D\*N entries: between axes stands `x`"):
        Model.parse("dim N, D\nparam X: N*D\nloss J = sum(X[:, 0])")
    taken = "data x\nparam params\nweights = params * x\nloss L = weights\n"
    assert to_text(Model.parse(taken)).endswith(taken)


def test_an_output_by_the_name_of_steps_is_told_how_to_write_it() -> None:
    with pytest.raises(NameProblem, match="'h' is computed step by step; write `output Y = h` for all of its steps"):
        Model.parse("dim T\ndata x: T, h[0]\nparam w\nfor t in 1..T:\n    h[t] = tanh(h[t-1] * w + x[t])\noutput h")
