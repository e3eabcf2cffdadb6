"""Models with something unusual about them: emitted at every level and verified as files."""

from __future__ import annotations

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.derive import derive
from symbackprop.errors import ModelError
from symbackprop.model.text import parse, to_text
from symbackprop.verified import require_verified, verify_source
from tests.sweeps import few_in_ci

MODELS = {
    "no parameters": "data x\nloss L = x**2",
    "a constant loss": "param w\nloss L = 3",
    "a loss of 0": "param w\nloss L = 0",
    "places that count from behind": "dim N = 4, D = 3\ndata x: N, edges: D\nparam b: D\n"
                                     "loss L = sum(b[searchsorted(sort(edges), x) - 1]**2)",
    "squared distances": "dim N = 4, D = 3\ndata X: N x D\nparam V: N x D\nloss L = sum(cdist(V, X)**2)",
    "a loss of sizes only": "dim N\nparam w: N\nloss L = sum(ones(N))",
    "an output that is an input": "dim N\nparam w: N\noutput Y = w",
    "outputs that are views": "dim N, M\ninput X: N x M\noutput Y = X.T\noutput Z = X",
    "truth values as output": "dim N\ninput x: N\noutput Y = x > 0",
    "a scalar and one-hot": "dim N\ndata k: N int < 5\nparam w\noutput Y = (w + one_hot(k, 5))**3",
    "a column and one-hot": "dim N\ndata k: N int < 5\nparam w: N\noutput Y = (w[:, None] + one_hot(k, 5))**3",
    "one-hot exponents": "dim N\ndata k: N int < 5\nparam w\noutput Y = w**one_hot(k, 5) + one_hot(k, 5)**w",
    "two one-hot factors": "dim N\ndata k: N int < 3, j: N int < 3\nparam w: N x 3\n"
                           "output Y = one_hot(k, 3) * one_hot(j, 3) * w**2",
    "a one-hot factor": "dim N\ndata k: N int < 5\nparam w: 5\noutput Y = one_hot(k, 5) * w",
    "a sum of integers": "dim N\ndata k: N int < 5\nparam w\nloss L = w * sum(k)",
    "integers and truth values": "dim N\ndata k: N int < 5\nparam w\nloss L = w * mean(k * k) + sum(k > 2)",
    "a trace and a diagonal": "dim N\nparam A: N x N\nloss L = trace(A) + sum(diag(A)**2)",
    "several names for one array": "dim N\nparam w: N\na = w\nb = a\nloss L = sum(a*b)",
    "one number by several names": "dim N\ndata x: N x 3\nparam W: 3 x 3\nh = zeros(N, 3)\ng = h\n"
                                   "loss L = sum((x @ W + h @ W + sin(g) @ W)^2)",
    "running sums": "dim N\nparam w: N\noutput Y = cumsum(w)",
    "maxima": "dim N, M\nparam w: N x M\nloss L = max(w) + min(w) + sum(max(w, axis=0))",
    "entries moved around": "dim N\nparam w: N\nloss L = sum(roll(w, 1, 0) * w) + sum(repeat(w, 3, 0)**2)",
    "slices": "dim N = 5\nparam w: N\nloss L = sum(w[1:4]*w[0:3]) + w[0] + w[-1]",
    "a branch": "param a, b\nloss L = where(a > b, a*b, a/b)",
    "powers": "param a\nloss L = 1e300*a*1e-300 + a**0.5 + a**-2 + 2**a + a**3 + a**4",
    "sizes as numbers": "dim N\nparam w: N\nloss L = sum(w)/sqrt(N) + norm(w)*N/(N+1)",
    "a loop without products": (
        "dim N, T\ndata x: T x N, s[0]: N\nparam w: N\n"
        "for t in 1..T:\n    s[t] = s[t-1] + w * x[t]\n"
        "loss L = sum(s[T]**2)\n"
    ),
    "standardised columns, one gradient a row of forward's": (
        "param X: 5 x 3, Y: 5 x 3\nu = X - mean(X, axis=0)\nz = u / std(u, axis=0)\nloss L = sum(z * Y)\n"
    ),
    "activations": "dim N\nparam w: N\nloss L = sum(gelu(w) + mish(w) + erf(w) + elu(w) + swish(w, 2))",
    "fractions that cancel": "dim N\nparam w: N\nloss L = sum((w/(1 + w))/(1/(1 + w)))",
    "a cross-entropy spelled out": "dim N, C\ndata y: N x C\nparam z: N x C\np = softmax(z)\nloss L = -sum(y*log(p))",
}


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("text", few_in_ci(MODELS.values(), 6), ids=MODELS)
def test_verified(text: str, level: int) -> None:
    model = parse(text, name="odd")
    with np.errstate(all="ignore"):
        if "one_hot(k, 5)**w" in text and np.isnan(np.power(0j, 1.5 + 1e-20j)):
            pytest.skip("the complex powers of 0 are NaN in this NumPy: nothing is decided")
    source = codegen(model, level=level)
    report = verify_source(source, model)
    assert report.passed, report.text()
    require_verified(source, parse(to_text(model), name="odd"))


def test_an_equation_that_reads_an_upstream_gradient_is_refused() -> None:
    model = parse("dim N\ninput x: N\nparam w\noutput Y = w * x**2")
    model.output("G", derive(model).gradients["w"])
    with pytest.raises(ModelError, match="reads dY, which is an upstream gradient, given to backward only"):
        codegen(model)
