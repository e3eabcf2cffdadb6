"""Answers as statements of NumPy and PyTorch: what grade reads has the value that the libraries compute."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from symbackprop import Model
from symbackprop.core.graph import Node
from symbackprop.grade.lines import read_lines
from symbackprop.grade.naming import Own
from symbackprop.grade.points import GENERAL, Point, Points
from symbackprop.grade.reference import Reference
from symbackprop.grade.session import Session
from symbackprop.model.copying import copied
from tests.grade.helpers import item, report

torch = pytest.importorskip("torch")

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "25"))
MODEL = Model.parse(
    "dim N, D, H\ndata X: N x D, y: N int < H\nparam W: D x H, b: H\nz = X @ W + b\nh = tanh(z)\nv = exp(b)\n"
    "loss L = mean(cross_entropy(h * v, y))"
)
SIZES = {"N": 3, "D": 2, "H": 4}
MATRIX, ROW, COLUMN = "N x H", "H", "N x 1"  # what a random expression can be


class Written(NamedTuple):
    """An expression as somebody writes it, and what the library makes of it."""

    text: str
    value: Any


class Library(NamedTuple):
    """One library's words: for sums, for indices, and its functions."""

    name: str
    make: Callable[[np.ndarray], Any]
    axis: str
    keepdims: str
    functions: dict[str, Callable[..., Any]]


NUMPY = Library("np", np.asarray, "axis", "keepdims", {
    "np.tanh({})": np.tanh, "np.exp({})": np.exp, "np.square({})": np.square,
    "np.maximum({}, 0)": lambda a: np.maximum(a, 0),
    "np.sqrt(np.abs({}))": lambda a: np.sqrt(np.abs(a)), "({} > 0).astype(float)": lambda a: (a > 0).astype(float),
    "np.where({} > 0, 1, -1)": lambda a: np.where(a > 0, 1.0, -1.0), "np.clip({}, -1, 1)": lambda a: np.clip(a, -1, 1),
})
TORCH = Library("torch", torch.as_tensor, "dim", "keepdim", {
    "torch.tanh({})": torch.tanh, "{}.exp()": torch.exp, "{}.pow(2)": torch.square, "torch.relu({})": torch.relu,
    "{}.abs().sqrt()": lambda a: a.abs().sqrt(), "({} > 0).float()": lambda a: (a > 0).double(),
    "{}.sigmoid()": torch.sigmoid, "{}.clamp(-1, 1)": lambda a: a.clamp(-1, 1), "{}.clone()": lambda a: a,
})


class Author:
    """Writes random expressions over the arrays of the model."""

    def __init__(self, library: Library, arrays: dict[str, np.ndarray], chance: random.Random) -> None:
        self.library, self.chance = library, chance
        self.arrays = {name: library.make(value) for name, value in arrays.items()}

    def written(self, kind: str, depth: int) -> Written:
        if depth == 0 or self.chance.random() < 0.15:
            return self._leaf(kind)
        forms = [self._sum_of_two, self._applied, self._scaled]
        forms += {MATRIX: [self._product, self._mixed], ROW: [self._summed], COLUMN: [self._row_sums]}[kind]
        return self.chance.choice(forms)(kind, depth - 1)

    def _leaf(self, kind: str) -> Written:
        if kind == COLUMN:
            return Written("h[:, 1:2]", self.arrays["h"][:, 1:2])
        name = self.chance.choice({MATRIX: ["h", "z"], ROW: ["b", "v"]}[kind])
        return Written(name, self.arrays[name])

    def _sum_of_two(self, kind: str, depth: int) -> Written:
        a, b = self.written(kind, depth), self.written(kind, depth)
        sign = self.chance.choice("+-*")
        value = {"+": a.value + b.value, "-": a.value - b.value, "*": a.value * b.value}[sign]
        return Written(f"({a.text} {sign} {b.text})", value)

    def _applied(self, kind: str, depth: int) -> Written:
        a = self.written(kind, depth)
        text, function = self.chance.choice(list(self.library.functions.items()))
        return Written(text.format(f"({a.text})"), function(a.value))

    def _scaled(self, kind: str, depth: int) -> Written:
        a = self.written(kind, depth)
        text, factor = self.chance.choice([("-2.5 * {}", -2.5), ("{} / X.shape[0]", 1 / 3), ("-{} / len(y)", -1 / 3)])
        return Written(f"({text.format(a.text)})", a.value * factor)

    def _mixed(self, kind: str, depth: int) -> Written:
        """Broadcasting: a column against a row."""
        a, b = self.written(COLUMN, depth), self.written(ROW, depth)
        return Written(f"({a.text} * {b.text})", a.value * b.value)

    def _product(self, kind: str, depth: int) -> Written:
        a, b = self.written(MATRIX, depth), self.written(MATRIX, depth)
        middle = self.chance.choice(["{0} @ {1}.T @ {0}", "({0}).dot(({1}).T).dot({0})"] if self.library is NUMPY else
                                    ["({0}) @ ({1}).t() @ ({0})", "torch.mm({0}, {1}.mT).matmul({0})"])
        text = middle.format(f"({a.text})", f"({b.text})")
        return Written(f"({text})", a.value @ b.value.T @ a.value)

    def _summed(self, kind: str, depth: int) -> Written:
        a, library = self.written(MATRIX, depth), self.library
        forms = [f"({a.text}).sum(0)", f"{library.name}.sum({a.text}, {library.axis}=0)",
                 f"({a.text}).sum({library.axis}=0, {library.keepdims}=True).reshape(-1)"]
        return Written(self.chance.choice(forms), a.value.sum(0))

    def _row_sums(self, kind: str, depth: int) -> Written:
        a, library = self.written(MATRIX, depth), self.library
        means = self.chance.random() < 0.5
        word, value = ("mean", a.value.mean(1)) if means else ("sum", a.value.sum(1))
        forms = [f"({a.text}).{word}({library.axis}=1, {library.keepdims}=True)", f"({a.text}).{word}(-1)[:, None]",
                 f"{library.name}.{word}({a.text}, {library.axis}=1).reshape(-1, 1)"]
        return Written(self.chance.choice(forms), value[:, None])

    def program(self) -> tuple[str, Any]:
        """Lines that give q an array of its own, and change it in place."""
        first = self.written(MATRIX, 3)
        lines, q = [f"q = {first.text} + 0"], first.value + 0
        for _ in range(self.chance.randrange(4)):
            change = self.written(MATRIX, 1)
            line, q = self.chance.choice([
                (f"q += {change.text}", q + change.value), (f"q -= {change.text}", q - change.value),
                (f"q *= {change.text}", q * change.value), ("q /= N", q / 3), ("q = q.copy()", q),
                ("q[range(N), y] -= 1", q - self._classes()), ("q[np.arange(N), y] += 0.5", q + 0.5 * self._classes()),
                (f"q[{change.text} <= 0] = 0", q * (change.value > 0)),
                ("q[h > 0] *= 2", q * (1 + (self.arrays["h"] > 0) * 1)),
            ])
            lines.append(line)
        return "\n".join(lines), q

    def _classes(self) -> Any:
        return self.library.make(np.eye(SIZES["H"])[self.arrays["y"]])


def value(text: str, point_of: Callable[[Reference], Point]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What grade makes of the lines that define q, and the arrays of the model."""
    found = Reference(copied(MODEL, SIZES))
    session = Session(found, SIZES)
    session.run(read_lines(text))
    assert not session.unread, [(a.text, a.error) for a in session.unread]
    outcome = session.outcomes[Own("q")]
    assert outcome.given, (text, outcome.error)
    point = point_of(found)
    return np.asarray(point.value(outcome.given[0])), _arrays(found, point)


def _arrays(found: Reference, point: Point) -> dict[str, np.ndarray]:
    rows: dict[str, Node] = found.rows
    return {n: np.asarray(point.value(rows[n])) for n in ("X", "W", "b", "z", "h", "v", "y")}


def a_point(found: Reference) -> Point:
    return Points(found, {}, GENERAL, 0).first(1)[0]


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    found = Reference(copied(MODEL, SIZES))
    return _arrays(found, a_point(found))


@pytest.mark.parametrize("library", [NUMPY, TORCH], ids=lambda x: x.name)
@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_statements_have_the_value_that_the_library_computes(
    seed: int, library: Library, arrays: dict[str, np.ndarray]
) -> None:
    text, expected = Author(library, arrays, random.Random(f"{library.name}{seed}")).program()
    found, again = value(text, a_point)
    assert all(np.array_equal(arrays[n], again[n]) for n in arrays)
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-9, atol=1e-9, err_msg=text)


NETWORK = "ffnn-softmax-batch"
REST = "dU = h.T @ ds\ndz = ds @ U.T\ndz *= 1 - h**2\ndW, db = X.T @ dz, dz.sum(0)"
COURSE = '''import numpy as np

def backward(X, y, params, cache):
    """The backward pass, U = nonsense."""
    W, b, U = params["W"], params['b'], params['U']
    z, h, s, y_hat = cache
    N, D = X.shape
    n = len(X)
    dscores = y_hat.copy(); dscores[range(n), y] -= 1
    dscores /= n
    grads = {}
    grads['U'] = h.T @ dscores
    dh = dscores @ params['U'].T
    dz = np.multiply(dh, 1 - np.square(h))
    grads['W'], grads["b"] = X.T @ dz, np.sum(dz, axis=0, dtype=np.float64)
    U -= 0.1 * grads["U"]
    return grads
'''
TORCHED = """ds = (torch.softmax(s, dim=-1) - F.one_hot(y, num_classes=C).float()).div(X.size(0))
dU = h.t().mm(ds)
dz = torch.nn.functional.relu(ds @ U.mT).clone() * 0 + (ds @ U.mT) * (1 - h.pow(2))
W.grad = X.transpose(0, 1).matmul(dz).contiguous()
b.grad = dz.sum(0, keepdim=True).view(-1)
"""
LOOP = """dz = (o - F.one_hot(target, V)) / (T * N)
dW_o, db_o = np.einsum('tnh,tnv->hv', h, dz), dz.sum(axis=(0, 1))
dW_e, dW_h, db = np.zeros_like(W_e), np.zeros_like(W_h), np.zeros_like(b)
dC, dh_next = np.zeros_like(C), np.zeros_like(h[0])
for t in reversed(range(T)):
    dh = dz[t] @ W_o.T + dh_next
    da = dh * (1 - h[t] ** 2)
    dW_h += h[t-1].T @ da
    dW_e += c[t].T @ da
    db += da.sum(0)
    np.add.at(dC, words[t], da @ W_e.T)
    dh_next = da @ W_h.T
"""


LINEAR = "dim N, D, M\ninput X: N x D\nparam W: M x D, b: M\noutput Y = X @ W.T + b"
FUNCTION = """class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, X, W, b):
        ctx.save_for_backward(X, W)
        return X @ W.t() + b

    @staticmethod
    def backward(ctx, grad_output):
        X, W = ctx.saved_tensors
        grad_X = grad_W = grad_b = None
        if ctx.needs_input_grad[0]:
            grad_X = grad_output.mm(W)
        grad_W = grad_output.t().mm(X)
        grad_b = grad_output.sum(0)
        return grad_X, grad_W, grad_b
"""


@pytest.mark.parametrize(
    ("model", "lines"),
    [
        (NETWORK, COURSE),
        (LINEAR, FUNCTION),
        (NETWORK, f"y_hat[range(N), y] -= 1\ny_hat /= N\nds = y_hat\n{REST}"),
        (NETWORK, TORCHED),
        (NETWORK, f"ds = (y_hat - np.eye(C)[y]) / N\n{REST}"),
        ("rnn-lm", LOOP),
        ("rnn-lm", LOOP.replace("h[t]", "h[t+1]").replace("h[t-1]", "h[t]")),  # h holds the initial state too
        ("softmax-regression", "dz = y_hat.copy()\ndz[y] -= 1\ndW = np.outer(dz, x)\ndb = dz"),
        ("mlp-relu-sigmoid", "dz2 = a2 - y\ndW2, db2 = dz2 * a1, dz2\nmask = z1 <= 0\ndz1 = (W2 * dz2).clone()\n"
         "dz1[mask] = 0\ndW1 = torch.outer(dz1, x)\ndb1 = dz1"),
        (NETWORK, "δ_s = (y_hat - F.one_hot(y)) / N\n\\frac{\\partial L}{\\partial U} = h^\\top \\delta_s\n"
         "dz = (δ_s Uᵀ) ⊙ (1 - h²)\ndW, db = X.T @ dz, dz.sum(0)"),
    ],
)
def test_whole_programs(model: str, lines: str) -> None:
    found = report(model, lines)
    assert found.verdict == "right", found.text(2)


def test_a_mistake_before_an_update_in_place_is_explained() -> None:
    lines = f"ds = y_hat.copy()\nds[range(N), y] -= 1\nds /= N\n{REST.replace('h**2', 'z**2')}"
    assert "z stands where h belongs" in item(NETWORK, lines, "dz").hint(2)
    assert [item(NETWORK, lines, n).verdict for n in ("ds", "dU", "dW")] == ["right", "right", "follow-through"]
    unscaled = item(NETWORK, lines.replace("ds /= N\n", ""), "ds")
    assert unscaled.hint(2) == "wrong: it is N times too large: the mean divides by N"


@pytest.mark.parametrize(
    ("model", "line", "says"),
    [
        (NETWORK, "ds = (y_hat - y) / N", "the one-hot is missing: y holds class indices, one_hot(y) belongs there"),
        ("softmax-regression", "dz = softmax(z) - y", "the one-hot is missing: y holds class indices, one_hot(y) be"),
        (NETWORK, "ds = y_hat - y", "two things: the one-hot is missing"),
    ],
)
def test_a_missing_one_hot_is_named(model: str, line: str, says: str) -> None:
    found = item(model, line, line.partition(" ")[0])
    assert found.finding is not None and found.finding.kind == "one-hot"
    assert found.finding.says.startswith(says), found.finding.says


@pytest.mark.parametrize(
    ("line", "says", "mark"),
    [
        ("dU = [h for h in X]", "'for' is Python", "for"),
        ("dU = h.foo(3)", ".foo(…) cannot be read: `symbackprop ops` lists the functions", ".foo"),
        ("dU = h.b", "an array has .T, .shape and .sum(0)", ".b"),
        ("if N > 3:", "write the case that holds, or where(condition, a, b)", "if"),
        ("ds[y] += h", "write np.add.at(array, index, values)", ""),
        ("dU = h § 2", "cannot be read", "§"),
    ],
)
def test_what_is_not_understood_is_marked_and_the_rest_is_graded(line: str, says: str, mark: str) -> None:
    found = report(NETWORK, f"{line}\ndb = 0 * b\n")
    assert [i.verdict for i in found.items if i.name == "db"] == ["wrong"]
    assert says in found.unread[0].message
    told = found.unread[0].told()
    assert told[1].strip() == line.strip()
    if mark:
        assert told[2].index("^") == told[1].index(mark)
        assert found.to_json(2)["unread"][0]["column"] == line.index(mark) + 1


def test_a_name_that_nothing_defines_is_marked() -> None:
    lines = report(NETWORK, "dU = h.T @ foo\n").text(2).splitlines()
    place = next(k for k, line in enumerate(lines) if line.strip() == "dU = h.T @ foo")
    assert lines[place + 1].index("^") == lines[place].index("foo")
