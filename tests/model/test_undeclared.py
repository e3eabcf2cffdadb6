"""What a text declares nowhere stands in the corrected line, as it would be guessed of an expression alone."""

from __future__ import annotations

import pytest

from symbackprop import verify
from symbackprop.errors import ModelError
from symbackprop.model.text import parse

TEXTS = {
    "nothing declared": (
        "h = tanh(x @ W1 + b1)\nz = h @ W2 + b2\np = softmax(z)\nloss L = -mean(log(p[arange(N), y]))",
        "dim N, D, H, K; data x: N x D, y: N int < K; param W1: D x H, b1: H, W2: H x K, b2: K; "),
    "some of it": (
        "dim N, D\ndata X: N x D\nloss L = mean((X @ w + b - y)^2)", "data y: N; param w: D, b; "),
    "a size alone": ("data X: N x D, y: N\nparam w: D\nloss L = sum((X @ w - y)^2)", "dim N, D; "),
    "a product of sizes": (
        "dim d\ndata x: 3*d\nloss L = sum(tanh(W @ x + b)^2)", "dim N; param W: N x 3*d, b: N; "),
    "beside a size that is computed": (
        "data x: 2^3 x D\nloss L = sum(tanh(x @ w)^2)", "dim D; param w: D; "),
    "beside a loop over some entries": (
        "dim D\ndata x: 5 x D, z: 3 x D\nparam w: D\nh[0] = 0\nfor t in 1..3:\n    h[t] = tanh(w @ x[t])\n"
        "loss L = sum((a @ z)^2) + h[3]", "param a: 3; "),
    "in a function": (
        "def f(W, b, x, y):\n    h = np.tanh(x @ W + b)\n    return np.mean((h - y)**2)",
        "dim N, D; data x: N, y: D; param W: N x D, b: D; "),
    "in a loop": (
        "h[0] = h0\nfor t in 1..T:\n    h[t] = tanh(W @ x[t] + U @ h[t-1])\nloss L = sum((V @ h[T] - y)^2)",
        "dim T, N, D, H; data x: T x D, y: H; param h0: N, W: N x D, U: N x N, V: H x N; "),
    "of layers": (
        "fc = nn.Linear(D, 3)\nloss L = mean(cross_entropy(fc(X), y))", "dim D, N; data X: N x D, y: N int < 3; "),
    "of a library's loss": (
        "loss = F.mse_loss(x.view(-1, 784) @ W, y)", "dim N, D; data x: N x 784, y: N x D; param W: 784 x D; "),
}


@pytest.mark.parametrize("case", TEXTS)
def test_the_corrected_line_declares_what_is_missing(case: str) -> None:
    text, declared = TEXTS[case]
    with pytest.raises(ModelError) as caught:
        parse(text)
    error, lines = caught.value, text.splitlines()
    right = error.shown[-1].removesuffix("   corrected")
    assert right == declared + lines[error.line - 1].strip()
    lines[error.line - 1] = lines[error.line - 1].replace(lines[error.line - 1].strip(), right)
    assert verify(parse("\n".join(lines)), seed=1).verdict == "pass"


@pytest.mark.parametrize("last", ["h[1] + h[3]", "sum((a @ x)^2) + h[3]"])
def test_no_line_of_a_loop_declares_anything(last: str) -> None:
    """A parameter would be another one at each step."""
    with pytest.raises(ModelError) as caught:
        parse(f"dim D\ndata x: 5 x D\nfor t in 1..3:\n    h[t] = tanh(w @ x[t])\nloss L = {last}")
    assert "corrected" not in caught.value.shown[-1]


def test_nothing_is_guessed_beside_names_by_steps() -> None:
    """W[2] would be taken as a row of W."""
    with pytest.raises(ModelError) as caught:
        parse("dim D\nparam W[1]: D x D, W[2]: D x D\ndata x: D\nh = W[1] @ x + b\nloss L = sum((W[2] @ h - y)^2)")
    assert "data" not in caught.value.shown[-1]


def test_a_name_much_like_another_is_that() -> None:
    with pytest.raises(ModelError, match="Did you mean 'weight'") as caught:
        parse("dim D\ndata x: D\nparam weight: D\nloss L = (wieght @ x)^2")
    assert caught.value.shown[-1] == "loss L = (weight @ x)^2   corrected"


def test_what_is_much_like_a_name_is_not_declared_beside_others() -> None:
    text = "dim N\ndata ys: N\nparam us: N\nz = ys * uss\nloss L = mean(z) + lam * sum(us**2)"
    with pytest.raises(ModelError) as caught:
        parse(text)
    corrected = [error.shown[-1] for error in (caught.value, *caught.value.others)]
    assert corrected == ["z = ys * us   corrected", "param lam; loss L = mean(z) + lam * sum(us**2)   corrected"]


def test_a_method_of_what_is_not_declared_is_no_function_of_numpy() -> None:
    with pytest.raises(ModelError) as caught:
        parse("loss L = sum(x.view(-1, 784)^2)")
    assert "np.view" not in "".join(caught.value.shown)
