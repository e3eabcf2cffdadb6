"""Refused lines of other languages and of papers: the corrected line is read itself, and is what was meant."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from symbackprop.errors import ModelError, NoResult
from symbackprop.model import Model
from tests.core.helpers import value
from tests.model import test_complaints, test_pasted

RNG = np.random.default_rng(3)
SHAPES = {"A": (4, 3), "B": (4, 3), "S": (3, 3), "v": (3,), "u": (3,), "t": (4,), "s": (4,), "c": ()}
HEAD = "".join(f"param {n}{': ' * bool(shape)}{' x '.join(map(str, shape))}\n" for n, shape in SHAPES.items())
ARRAYS = {name: np.asarray(RNG.normal(size=shape)) for name, shape in SHAPES.items()}
ARRAYS["S"] = ARRAYS["S"] @ ARRAYS["S"].T + np.eye(3)
GIVEN: Any = SimpleNamespace(**ARRAYS)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def softmax(z: Any) -> Any:
    return np.exp(z) / np.exp(z).sum()


MEANT: list[tuple[str, Callable[[Any], Any]]] = [
    ("v(2)", lambda n: n.v[1]),
    (r"S\v", lambda n: np.linalg.solve(n.S, n.v)),
    ("[v; u]", lambda n: np.hstack([n.v, n.u])),
    ("∏ᵢ vᵢ", lambda n: n.v.prod()),
    ("Σᵢ vᵢ²", lambda n: (n.v ** 2).sum()),
    ("Σᵢ vᵢ uᵢ", lambda n: n.v @ n.u),
    ("vᵀ S v", lambda n: n.v @ n.S @ n.v),
    ("tr(SᵀS)", lambda n: np.trace(n.S.T @ n.S)),
    ("log det S", lambda n: np.linalg.slogdet(n.S)[1]),
    ("v ⊗ u", lambda n: np.outer(n.v, n.u)),
    ("S⁻¹ v", lambda n: np.linalg.solve(n.S, n.v)),
    ("σ(A v)", lambda n: sigmoid(n.A @ n.v)),
    ("½ ‖v‖²", lambda n: n.v @ n.v / 2),
    ("√(vᵀv)", lambda n: np.sqrt(n.v @ n.v)),
    ("e^{-c}", lambda n: np.exp(-n.c)),
    ("1/4 Σᵢ tᵢ", lambda n: n.t.mean()),
    (r"\frac{1}{2} v^\top S v", lambda n: n.v @ n.S @ n.v / 2),
    (r"v v^\top", lambda n: np.outer(n.v, n.v)),
    ("v^T u", lambda n: n.v @ n.u),
    (r"\frac{1}{N}\sum_{i=1}^N t_i", lambda n: n.t.mean()),
    (r"\frac{1}{4}\sum_{i=1}^{4} t_i^2", lambda n: (n.t ** 2).mean()),
    (r"\sum_{i} (t_i - s_i)^2", lambda n: ((n.t - n.s) ** 2).sum()),
    (r"\log \sum_j e^{v_j}", lambda n: np.log(np.exp(n.v).sum())),
    (r"\prod_{i} v_i", lambda n: n.v.prod()),
    (r"\lVert v - u \rVert_2^2", lambda n: ((n.v - n.u) ** 2).sum()),
    (r"\|A\|_F^2", lambda n: (n.A ** 2).sum()),
    (r"\operatorname{tr}(S)", lambda n: np.trace(n.S)),
    (r"\max(0, 1 - c)", lambda n: max(0, 1 - n.c)),
    (r"\sigma(A v)", lambda n: sigmoid(n.A @ n.v)),
    (r"\tanh(A v)", lambda n: np.tanh(n.A @ n.v)),
    (r"\frac{e^{v_k}}{\sum_j e^{v_j}}", lambda n: softmax(n.v)),
    (r"\sqrt{v^\top v}", lambda n: np.sqrt(n.v @ n.v)),
    (r"\left( v - u \right)^\top S^{-1} \left( v - u \right)", lambda n: (n.v - n.u) @ np.linalg.solve(n.S, n.v - n.u)),
    (r"-\sum_k u_k \log \operatorname{softmax}(v)_k", lambda n: -(n.u * np.log(softmax(n.v))).sum()),
    (r"v \odot u", lambda n: n.v * n.u),
    (r"v \cdot u", lambda n: n.v @ n.u),
    (r"v \circ u", lambda n: n.v * n.u),
    ("c^{2} + 3c", lambda n: n.c ** 2 + 3 * n.c),
    (r"\ln c^2", lambda n: np.log(n.c ** 2)),
    (r"\mathbf{v}^\top \mathbf{u}", lambda n: n.v @ n.u),
    (r"\lvert c \rvert", lambda n: abs(n.c)),
    (r"\begin{cases} c & c > 0 \\ 0 & \text{otherwise} \end{cases}", lambda n: max(n.c, 0)),
    (r"\min_i v_i", lambda n: n.v.min()),
    (r"\max_i v_i", lambda n: n.v.max()),
    (r"\mathbb{E}[v]", lambda n: n.v.mean()),
    (r"\exp\left(-\frac{c^2}{2}\right)", lambda n: np.exp(-n.c ** 2 / 2)),
    (r"\log\left(1 + e^{-c}\right)", lambda n: np.log(1 + np.exp(-n.c))),
    (r"\text{ReLU}(A v)", lambda n: np.maximum(n.A @ n.v, 0)),
    (r"\mathrm{softmax}(v)", lambda n: softmax(n.v)),
    (r"\langle v, u \rangle", lambda n: n.v @ n.u),
    (r"\sum_{i=1}^{4}\sum_{j=1}^{3} A_{ij}^2", lambda n: (n.A ** 2).sum()),
    (r"\sum_{i,j} A_{ij} B_{ij}", lambda n: (n.A * n.B).sum()),
]


@pytest.mark.parametrize(("typed", "meant"), MEANT)
def test_the_corrected_line_has_the_value_that_is_meant(typed: str, meant: Callable[[Any], Any]) -> None:
    lines = corrected(f"{HEAD}output Q = {typed}")
    assert lines[-1] != f"output Q = {typed}"
    found = value(Model.parse("\n".join(lines)).equations["Q"], **ARRAYS)
    np.testing.assert_allclose(found, meant(GIVEN), rtol=1e-9)


def errors_of(text: str) -> list[ModelError]:
    try:
        Model.parse(text)
    except ModelError as error:
        return [error, *error.others]
    return []


def corrected(text: str) -> list[str]:
    """The lines of a refused text with the corrected ones in their places."""
    lines = text.split("\n")
    for error in errors_of(text):
        right = error.shown[-1].removesuffix("   corrected") if error.shown else ""
        if error.place is not None and error.shown and right != error.shown[-1]:
            old = lines[error.place.line - 1]
            lines[error.place.line - 1] = old[: len(old) - len(old.lstrip())] + right
    return lines


CASES = [test_pasted.HEAD + typed for typed, right in test_pasted.CORRECTED if right]
CASES += [test_complaints.HEAD + line for line in """
Z = W @ X + b | Z = b + tnah(X @ W.T) | parm q: H | param q H x D | Z = relu(b W) | Z = 1 / 2N^2 | Z = norm(b, 1)
Z = X b2 | Z = X @ W.T + lam | Z = where(b > 0 and b < 1, b, 0) | loss Z = X @ W.T | param lambda: H
""".replace("\n", " | ").strip(" |").split(" | ")]


@pytest.mark.parametrize("text", CASES)
def test_every_corrected_line_is_read(text: str) -> None:
    lines = corrected(text)
    changed = {k for k, (old, new) in enumerate(zip(text.split("\n"), lines, strict=True), 1) if old != new}
    assert changed
    assert not [e for e in errors_of("\n".join(lines)) if e.line in changed and not isinstance(e, NoResult)]
