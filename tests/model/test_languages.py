"""Texts of R, Julia, Matlab and Python are read in their language on all of their lines, or refused with the reason."""

from __future__ import annotations

import re
from random import Random

import pytest

from symbackprop.errors import ModelError
from symbackprop.model import Model, to_text
from symbackprop.model.text import languages, parse_alone
from symbackprop.model.text.languages import JULIA, MATLAB, PYTHON, R, Signs

HEAD = "dim N, D\ndata X: N x D, Y: N x D, y: N\nparam W: D x D, w: D, b\n"
READ = [
    # Julia
    ("loss L = sum(w .- 2 .* w ./ (1 .+ w.^2))", "loss L = sum(w - 2 * w / (1 + w^2))"),
    ("loss L = sum(y .* (X * w))", "loss L = sum(y * (X @ w))"),
    ("loss L = sum(2 * y .* (X * w .^ 2))", "loss L = sum(2 * y * (X @ w ^ 2))"),
    ("loss L = mean((y - sigmoid.(X*w)).^2)", "loss L = mean((y - sigmoid(X@w))^2)"),
    ("loss L = sum(abs2, X * w - y) + b * var(y)", "loss L = sum((X @ w - y)**2) + b * var(y, ddof=1)"),
    ("q = sum(X .* b, dims=1)\nloss L = q[1, 2] + y[1] + w[end] + sum(w[2:end-1])",
     "q = sum(X * b, axis=0, keepdims=True)\nloss L = q[0, 1] + y[0] + w[-1] + sum(w[1:-1])"),
    ("q = cumsum(X, dims=2)\nloss L = maximum(q * W) / size(X, 2)", "q = cumsum(X, axis=1)\nloss L = max(q @ W) / D"),
    ("L = 0\nfor i = 1:N\n    L = L + (y[i] - b)^2 .* y[2]\nend\nloss L = L",
     "L = 0\nfor i in 1..N:\n    L = L + (y[i] - b)^2 * y[1]\nloss L = L"),
    ("f(z) = z .* z\nloss L = sum(f.(X * w))", "f(z) = z * z\nloss L = sum(f(X @ w))"),
    # Matlab
    ("Z = X * W;\nloss L = sum(mean(Z).^2);", "Z = X @ W\nloss L = sum(mean(Z, axis=0)[None]^2)"),
    ("Z = X * W - max(X, [], 2);\nP = exp(Z) ./ sum(exp(Z), 2);\nloss L = -sum(sum(Y .* log(P))) / size(X, 1);",
     "Z = X @ W - max(X, axis=1, keepdims=True)\nP = exp(Z) / sum(exp(Z), axis=1, keepdims=True)\n"
     "loss L = -sum(sum(Y * log(P), axis=0)) / N"),
    ("loss L = w(1) + sum(X(:, 2)) + sum(w(2:end).^2) + sum(W(:).^2)",
     "loss L = w[0] + sum(X[:, 1]) + sum(w[1:]^2) + sum(flatten(W.T)^2)"),
    ("q = max(X * w, 0);\nloss L = sum(q) / numel(y) + var(y);",
     "q = maximum(X @ w, 0)\nloss L = sum(q) / N + var(y, ddof=1)"),
    ("A = w * w';\nloss L = sum(sum(A .* W)) + w' * W * w",
     "A = outer(w, w)\nloss L = sum(sum(A * W, axis=0)) + w @ W @ w"),
    ("lambda = 2 * b;\nloss L = lambda * norm(X*w - y)^2 + sum(w.^2);",
     "lam = 2 * b\nloss L = lam * norm(X @ w - y)^2 + sum(w^2)"),
    # R
    ("q <- c(1, 2, 3)\nloss L = sum(q) * b", "q = stack(1, 2, 3)\nloss L = sum(q) * b"),
    ("loss L <- -sum(dnorm(y, X %*% w, b, log = T))", "loss L = -sum(dnorm(y, X @ w, b, log=TRUE))"),
    ("f <- function(z, s = 2) {\n  u <- z * s\n  u +\n    1\n}\nloss L = sum(f(w)) + w[1]",
     "def f(z, s=2):\n    u = z * s\n    return u + 1\nloss L = sum(f(w)) + w[0]"),
    ("f <- function(z) {\n  u <- z * 2\n  v <- u + b\n}\nloss L = sum(f(w)) + w[1]",
     "def f(z):\n    u = z * 2\n    return u + b\nloss L = sum(f(w)) + w[0]"),
    ("f <- function(z) {  # of {z}\n  u <- z * 2  # }\n  return(u)\n}\nloss L = sum(f(w)) + w[1]",
     "loss L = sum(w * 2) + w[0]"),
    ("f <- function(z) {\n  if (b > 1) {\n    z\n  } else if (b > 0) {\n    z^2\n  } else {\n    z^3\n  }\n}\n"
     "loss L = sum(f(w)) + w[1]", "loss L = sum(where(b > 1, w, where(b > 0, w^2, w^3))) + w[0]"),
    ("s <- 0\nfor (t in 1:N) {\n  s <- s + (y[t] - b)^2\n}\nloss L = s",
     "s = 0\nfor t in 1..N:\n    s = s + (y[t] - b)^2\nloss L = s"),
    ("s <- 0\nfor (t in seq_len(3)) s <- s + w[t]\nloss L = s", "s = 0\nfor t in 1..3:\n    s = s + w[t]\nloss L = s"),
    ("if (b > 0) {\n  q <- b\n} else {\n  q <- 2\n}\nloss L = q", "q = where(b > 0, b, 2)\nloss L = q"),
    ("v <- cov(X)\nloss L = sum(v * W)",
     "v = (X - mean(X, axis=0, keepdims=True)).T @ (X - mean(X, axis=0, keepdims=True)) / (N - 1)\n"
     "loss L = sum(v * W)"),
    ("T <- 3\nloss L = pmax(b, T) + w[1]", "T = 3\nloss L = maximum(b, T) + w[0]"),
    ("param F: N\nconst T = 2\nloss L <- sum(pmax(F, T)) + w[1]",
     "param F: N\nconst T = 2\nloss L = sum(maximum(F, T)) + w[0]"),
    ("loss L <- sum(X %*% w) / X.shape[1] + w[1]", "loss L = sum(X @ w) / D + w[0]"),
    # of Matlab, what is no entry and no sum down columns
    ("q = X .* 2;\nloss L = sum(sum(q)) * exp(1);", "q = X * 2\nloss L = sum(sum(q, axis=0)) * exp(1)"),
    ("q = X .* 2;\nZ = q * reshape(w, D, 1);\nloss L = sum(Z);",
     "q = X * 2\nZ = q @ reshape(w, 1, D).T\nloss L = sum(Z)"),
    ("q <- w[-1] - w[-length(w)]\nloss L = sum(q^2) + w[length(w)] + sum(X[-nrow(X), ])",
     "q = w[1:] - w[:-1]\nloss L = sum(q^2) + w[D - 1] + sum(X[:-1, :])"),
    # what goes down the columns there
    ("q = diff(X);\nv = cov(X);\nloss L = sum(q(:) .* b) + sum(sum(v .* W))",
     "q = X[1:] - X[:-1]\nv = (X - mean(X, axis=0, keepdims=True)).T @ (X - mean(X, axis=0, keepdims=True)) / (N - 1)\n"
     "loss L = sum(flatten(q.T) * b) + sum(sum(v * W, axis=0))"),
    ("q = cumsum(X, 1);\nv = var(X, 1);\nloss L = sum(q(:) .* b) + sum(v .* w')",
     "q = cumsum(X, 0)\nv = var(X, axis=0)[None]\nloss L = sum(flatten(q.T) * b) + sum(v * w)"),
    ("q = reshape(X, size(X, 2), size(X, 1));\nloss L = q(1, 2) .* b",
     "q = transpose(reshape(transpose(X), (N, D)))\nloss L = q[0, 1] * b"),
    ("q <- diff(X)\nloss L = sum(q) + c(W)[2] + cumsum(X)[2]",
     "q = X[1:] - X[:-1]\nloss L = sum(q) + flatten(W.T)[1] + cumsum(flatten(X.T))[1]"),
    # powers of matrices, and products behind powers
    ("loss L = sum(w .* (W^2 * w)) + b^2 + sum(X.^2 * w)",
     "loss L = sum(w * (matrix_power(W, 2) @ w)) + b^2 + sum(X**2 @ w)"),
    ("loss L = sum(max.(0, X * w)) + sum(w[1:2:end]) + sum(w .* w[end:-1:1])",
     "loss L = sum(maximum(0, X @ w)) + sum(w[::2]) + sum(w * w[::-1])"),
    ("q = 0;\nfor i = 1:3\n  q = q + w(i)^2;\nend\nloss L = q",
     "q = 0\nfor i in 1..3:\n    q = q + w[i]^2\nloss L = q"),
    ("q = max(X, [], 2);\nloss L = sum(q .* y)", "q = max(X, axis=1, keepdims=True)\nloss L = sum(q * y[:, None])"),
    # division by a matrix
    ("A = w' / W + X / W;\nloss L = sum(A(:).^2) / b / size(X, 1);",
     "A = solve(W.T, w).T + solve(W.T, X.T).T\nloss L = sum(flatten(A.T)^2) / b / N"),
    # model text, where it is none of these
    ("q = X * b .^ 2 @ w\nloss L = sum(q)", "q = X * b^2 @ w\nloss L = sum(q)"),
    ("q = sum(X * Y .^ 2) + w[1]\nloss L = q * sum(X @ w)", "q = sum(X * Y^2) + w[1]\nloss L = q * sum(X @ w)"),
    ("# sum(X, dims=1) of Julia's\nloss L = y[1] * b", "loss L = y[1] * b"),
]


@pytest.mark.parametrize(("foreign", "plain"), READ)
def test_read_in_its_language(foreign: str, plain: str) -> None:
    found, wanted = Model.parse(HEAD + foreign), Model.parse(HEAD + plain)
    assert to_text(found) == to_text(wanted)


PLAIN = [
    "loss L = mean(torch.roll(W, 1, dims=1) * W) + w[1]",
    "loss L = sum(X[1,] * np.exp(w))",
    "import numpy as np\nloss L = sum(X[1,] * exp(w))",
    "loss L = sum(X[\n    1,\n]) + w[1]",
    "loss L = sum(X[1,]**2) + w[1]", "loss L = sum(X[1,]) + w[1]",
    "abs2 = abs(w)**2\nloss L = sum(abs2) + w[1] + var(w)",
    "'''\nIt is y.*x in Matlab\n'''\nloss L = sum(W * w) + w[1]",
    "By Eq.(3), y.*x:\n```\nloss L = sum(W * w) + w[1]\n```",
    "loss L = sum(W * w) + w[1]\nprint('y.*x')",
    "# a function\nh = w\nfor l in range(3): h = tanh(h * w[1])\nloss L = sum(h)",
]


@pytest.mark.parametrize("text", PLAIN)
def test_no_other_language_is_seen(text: str) -> None:
    """In strings, in words around fences and in arguments of Python's libraries there is none."""
    assert not any("counts entries from 1" in remark for remark in Model.parse(HEAD + text).remarks)


def test_a_column_by_a_row_is_a_matrix_where_nothing_is_declared() -> None:
    assert "data X: N x D\nparam u: N, v: D" in to_text(parse_alone("sum(sum((u * v' - X).^2))"))


def test_a_vector_on_the_side_of_a_row_is_told() -> None:
    said = Model.parse(f"{HEAD}q = W * w';\nloss L = sum(q(:));").remarks
    assert any("w is read as a row in its product with W" in remark for remark in said)
    assert not Model.parse(f"{HEAD}q <- w %*% W\nloss L <- sum(q)").remarks  # vectors of R's have no side


def test_pythons_own_signs_beside_a_place_and_a_comma_are_no_r() -> None:
    assert "q = X[1]**2" in to_text(parse_alone("q = X[1,]**2\nsum(q * w)"))
    assert "q = X[0]" in to_text(parse_alone("q = X[1,]\nsum(q * w)"))  # which is told


@pytest.mark.parametrize("call", ["max(X, [], 3)", "max(X, [], b)", "max(X, [], 2, 1)", "max(X, [])", "sum(X, [], 2)"])
def test_an_empty_list_stands_in_front_of_an_axis_alone(call: str) -> None:
    with pytest.raises(ModelError, match="there are no lists"):
        Model.parse(f"{HEAD}q = {call};\nloss L = sum(q .* y)")


def test_a_product_with_a_number_is_no_line_of_another_language() -> None:
    assert Model.parse(f"{HEAD}q = 2 * w .* w\nloss L = sum(q)").remarks == []


def test_a_letter_of_rs_truths_that_is_read_elsewhere_is_an_array() -> None:
    assert "maximum(q, T)" in to_text(parse_alone("q <- X %*% w - T\nsum(pmax(q, T))"))


FUNCTIONS = [
    ("nll <- function(par, x) {\n  mu <- par[1]; sigma <- exp(par[2])\n  -sum(dnorm(x, mu, sigma, log = TRUE))\n}\n"
     "fit <- optim(c(0, 0), nll, x = x)",
     "mu = par[0]\nsigma = exp(par[1])\n-sum(-((x - mu) / sigma)**2 / 2 - log(sigma) - log(2*pi)/2)"),
    ("function [J, grad] = cost(theta, X, y)\n  h = X * theta; % of all\n  J = sum((h - y).^2) / 2;\nend",
     "h = X @ theta\nJ = sum((h - y)**2) / 2\nL = J"),
]


@pytest.mark.parametrize(("text", "meant"), FUNCTIONS)
def test_functions_are_read(text: str, meant: str) -> None:
    assert to_text(parse_alone(text)) == to_text(parse_alone(meant))


@pytest.mark.parametrize(("text", "said"), [
    ("A <- (X %*% W) %o% w\nsum(A)", "einsum"),
    ("sum(dot(X * W, X) .* 2)", "of all entries in Julia"), ("sum(std(X * W) .* 2)", "of all entries in Julia"),
    ("v <- var(X %*% W)\nsum(v)", "R's var of a matrix is cov"), ("v = norm(X * W);\nsum(v.^2)", "norm of a matrix"),
    ("m = length(X * W);\nsum(w.^2) / m", "larger of its sizes"), ("sum(W[3] .* sum(X * W))", "down its columns"),
    ("sum(w .* v') + sum(v .* w)", "no other side"), ("X = X * W;\nsum(sum(X^2 .* X))", "power of a square matrix"),
    ("X = X * W;\nsum(sum(X.^2 / X))", "entries are divided by ./"),
    ("q = exp(W)\nsum(q .+ W * W)", "no function of its entries in Julia"),
    ("q = ones(3)\nsum(q' * W * w .* 1)", "n by n in Matlab"),
    ("q = sum(W .+ w', dims=1)\nsum(W * (2 .* w)' .* 2)", "no such product"),
    ("sum(w(2:end).^2 / w(2:end));", "entries are divided by ./"), ("sum(sum(1 / W(:, :) .* 2));", "divided by ./"),
])
def test_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        parse_alone(text)


def test_sums_of_pythons_own_are_told() -> None:
    said = "Python's own sum adds rows: this is the sum of all entries, as np.sum is"
    assert any(said in remark for remark in parse_alone("z = np.tanh(X @ W)\nsum(z)").remarks)
    rows = parse_alone("z = np.tanh(X @ W)\nsum(sum(z)**2)")  # which it was of all entries, squared
    assert "sum(sum(z, axis=0)**2)" in to_text(rows) and not any(said in remark for remark in rows.remarks)
    for text in ("z = np.tanh(X @ w)\nsum(z)", "sum(X @ W)", "np.sum(X @ W)"):
        assert not any(said in remark for remark in parse_alone(text).remarks)


@pytest.mark.parametrize("text", [
    "q = X .+ mean(X, dims=1)\nz = [1 for w in", "q = X .+ mean(X, dims=1)\nz = for w in X end [",
    "q <- X %*% w\nz <- sapply(w, )", "q <- X %*% w\nz <- apply(w, 1, function(", "z = end I",
])
def test_what_is_cut_off_is_refused(text: str) -> None:
    with pytest.raises(ModelError):
        parse_alone(text)


def test_a_text_without_their_words_has_no_signs() -> None:
    pieces = [*"wWA19.([)]:,;=-+*/^@'% \n", "dims", "sum(", "abs2", "function", "<-", "%*%", "%o%", "numel(", "bsxfun(",
              "np.", "jnp.", "math.", "torch", "import ", "from ", "def ", "loss "]
    signs = [x for x in vars(languages).values() if isinstance(x, Signs)]
    signs += [x.signs for x in (R, JULIA, MATLAB, PYTHON)]
    drawn, there = Random(0), set[Signs]()
    for _ in range(20_000):
        text = "".join(drawn.choices(pieces, k=8))
        for x in signs:
            found = re.search(x.pattern, text, re.VERBOSE | re.MULTILINE) is not None
            assert x.found(text) == found, (x.pattern, text)
            there |= {x} if found else set()
    assert there == {*signs}
