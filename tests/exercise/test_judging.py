"""What the page says of answers, by its own script in Node."""

from __future__ import annotations

import json

import pytest

from symbackprop.exercise.blanks import FUNCTIONS
from symbackprop.model import zoo
from tests.exercise.helpers import asked, data, needs_node, number_of, of, verdicts
from tests.sweeps import sample

pytestmark = needs_node

RIGHT = [
    ("two-weight-tanh", "da", ["do * (1 - o**2)", "(1-o²)·δ_o", "−(y − o) * (1 - o^2)", "(o-y)*(1-o)*(1+o)",
                               "dL/do * (1 - tanh(a)^2)", "∂L/∂o / (1/(1-o*o))", "do/cosh(a)^2", "do ÷ (1./(1–o⋅o))",
                               "2do*(1-o^2)/2", "np.multiply(do, 1-np.tanh(a)**2)",
                               r"\frac{\partial L}{\partial o}\left(1-o^{2}\right)", r"\delta_o \cdot (1 - \tanh(a)^2)",
                               r"\delta_{o} \odot \frac{1 - o^4}{1 + o^2}"]),
    ("two-weight-tanh", "dw1", ["do*(1-o^2)*w2*(1-h^2)*x", "db * x", "x·dL/db"]),
    ("ffnn-softmax-batch", "ds", ["(ŷ − one_hot(y, C)) / N", "softmax(s)/N - one_hot(y,C)/N"]),
    ("ffnn-softmax-batch", "dW", ["Xᵀ @ dz", "(dz.T @ X).T", "X' @ dz", 'einsum("nd,nh->dh", X, dz)', "X^T @ dz",
                                   "einsum('nd,nh->dh', X, dz)", "X⊤ @ dz", "X’ @ dz", "np.matmul(X.T, dz)",
                                   "X.T.dot(dz)", r"X^\top @ dz", r"X^{T} @ \delta_z", "X.transpose() @ dz"]),
    ("ffnn-softmax-batch", "db", ["sum(dz, axis=0)", "sum(dz, 0)", "N * mean(dz, axis=-2)", "sum(dz.T, axis=1)",
                                   "dz.sum(axis=0)", "np.sum(dz, axis=0)", "dz.sum(0)",
                                   "dz[:1].sum(0) + dz[1:].sum(0)"]),
]


def test_equal_formulas_are_right_however_they_are_written() -> None:
    typed = [(asked(name), number_of(asked(name), question), text) for name, question, texts in RIGHT for text in texts]
    assert [t for t, v in zip(typed, verdicts(typed), strict=True) if v.get("right") is not True] == []


SOME = sample([n for n in zoo.names() if n not in ("gpt", "neural-turing-machine")][5:], 15)


def test_every_answer_of_the_key_is_right() -> None:
    typed = [(made, b.number, b.text) for name in SOME for difficulty in ("easy", "hard")
             for made in [asked(name, difficulty)] for b in made.blanks]
    assert len(typed) > 15
    assert [(b, v) for (_, b, _), v in zip(typed, verdicts(typed), strict=True) if v.get("right") is not True] == []


# (model, question, what is typed, its kind, a part of the words)
WRONG = [
    ("two-weight-tanh", "do", "y - o", "sign", "the sign is wrong"),
    ("two-weight-tanh", "da", "do*(1-a^2)", "pre-activation", "a stands where o belongs"),
    ("two-weight-tanh", "da", "do*(1+o^2)", "sign", "the sign of"),
    ("two-weight-tanh", "da", "do", "missing-factor", "the factor do/da"),
    ("two-weight-tanh", "da", "2*do*(1-h^2)", "substitution", "two things: in do/da"),
    ("two-weight-tanh", "dw1", "do*(1-o^2)*(1-h^2)*x", "missing-factor", "the factor da/dh = w2 is missing"),
    ("two-weight-tanh", "dh", "da*w2*7", "unexplained", ""),
    ("two-step-rnn", "dw_h", "db*h0", "missing-path", "missing"),
    ("ffnn-softmax-batch", "ds", "y_hat - one_hot(y, C)", "mean", "the mean divides by N"),
    ("ffnn-softmax-batch", "dW", "X.T @ dh", "missing-factor", "dh/dz = 1 - h**2 is missing"),
    ("ffnn-softmax-batch", "db", "dz", None, "the sum over axis 0 is missing"),
    ("ffnn-softmax-batch", "db", "sum(dz, axis=0, keepdims=True)", None, "axis 0, whose size is 1, is too many"),
    ("ffnn-softmax-batch", "dU", "ds.T @ h", None, "it is transposed"),
]


def test_known_mistakes_are_named() -> None:
    typed = [(asked(name), number_of(asked(name), question), text) for name, question, text, _, _ in WRONG]
    for case, verdict in zip(WRONG, verdicts(typed), strict=True):
        assert (verdict["right"], verdict.get("kind")) == (False, case[3]), (case, verdict)
        assert case[4] in verdict["why"] and len(verdict["where"]) > 10, (case, verdict)


# (what is typed, the message, the part that is marked)
REFUSED = [
    ("h.T @ dss", "there is no dss here", "dss"),
    ("H.T @ ds", "", "H.T"),
    ("dz", "dz is found further down only", "dz"),
    ("dU * 2", "dU is found here only", "dU"),
    ("h @ ds", "@: the inner sizes H and N differ: N x H by N x C", "h @ ds"),
    ("h.T @ (ds - y)", "y holds class indices, whose vectors are one_hot(y, C)", "(ds - y)"),
    ("h ds", "a product is written with * or @", "ds"),
    ("(h.T @ ds", "expected a closing bracket", ""),
    ("h.T @", "the formula ends too early", ""),
    ("h.T @ ds)", "the formula should end here", ")"),
    ("foo(h)", "there is no function foo here", "foo"),
    ("constructor", "there is no constructor here", "constructor"),
    ("toString(h)", "there is no function toString here", "toString"),
    ("sum(h, axis=7)", "has no axis 7", "sum(h, axis=7)"),
    ("h # ds", "this sign is not read here", "#"),
    ("einsum(h, ds)", "einsum is written", "einsum(h, ds)"),
    ("exp()", "exp needs an argument", "exp()"),
    ("(h, ds)", "this is no formula", "(h, ds)"),
    (r"h^T \foo ds", "this LaTeX is not read here", r"\foo"),
    ("h.foo(ds)", "there is no function foo here", ".foo"),
    ("h[:, :, 1].T @ ds", "has only 2 axes", "h[:, :, 1]"),
    ("(" * 99, "nested too deeply", "("),
    ("-" * 99999 + "h", "nested too deeply", "-"),
    ("broadcast(1, (1e5, 1e5))", "that array is too large", "broadcast(1, (1e5, 1e5))"),
    ("broadcast(1, (-1,))", "a size is a whole number", "broadcast(1, (-1,))"),
]


def test_what_cannot_be_read_is_marked_at_its_place() -> None:
    made = asked("ffnn-softmax-batch")
    found = verdicts([(made, number_of(made, "dU"), text) for text, _, _ in REFUSED])
    for (text, message, part), verdict in zip(REFUSED, found, strict=True):
        if message:
            assert message in verdict["problem"], (text, verdict)
            assert text[verdict["at"]: verdict["end"]] == part, (text, verdict)
        else:
            assert verdict.get("right") is False or "problem" in verdict


def test_the_page_computes_the_functions_that_questions_are_chosen_by() -> None:
    (verdict,) = verdicts([(asked("two-weight-tanh"), 1, "y")])
    assert set(verdict["functions"]) == FUNCTIONS


ARRAYS = "dim N, D, H\ndata X: N x D, B: D\nparam W: D x H\nloss L = sum(X @ W) + sum(B)"
VALUES = {  # formulas that are X again, by one function each
    "X": ["transpose(transpose(X))", "reshape(X, (N, D))", "where(X > 0, X, X)", "maximum(X, X)", "log(exp(X))",
          "minimum(X, X)", "sqrt(X*X) * ((X > 0) - (X < 0))", "abs(X)*((X >= 0) - (X < 0))", "relu(X) - relu(-X)",
          "X * (sin(X)**2 + cos(X)**2)", "softplus(X) - softplus(-X)", "X * (sigmoid(X) + sigmoid(-X))",
          "X + broadcast(0, (N, D))", "X * sum(softmax(X), axis=1, keepdims=True)", "tanh(X)/tanh(X)*X",
          "X + max(X, axis=0) - max(X, axis=0)", "X - min(X) + min(X.T)", "X + dot(B, B) - sum(B*B)",
          "X + outer(sum(X, axis=1), B) - reshape(X @ (0*B + 1), (N, 1)) * B",
          "pad(X[:1], 0, 0, N) + pad(X[1:], 0, 1, N)", "X * (normal_cdf(X) + normal_cdf(-X))", "multiply(X, 1)",
          "X * normal_pdf(X) / exp(-square(X)/2) * sqrt(2*pi)",
          "X[:, :] + 0", "(causal_mask(N) - causal_mask(N).T) @ X * 0 + X"],
}


def test_functions_compute_what_numpy_does() -> None:
    """Of a layer whose gradient in W is Xᵀ 1: its row sums tell of X entry by entry."""
    made = of(ARRAYS, steps="W")
    texts = [f'einsum("nd,nh->dh", {text}, broadcast(1, (N, H)))' for text in VALUES["X"]]
    found = verdicts([(made, 1, text) for text in texts])
    assert [(t, v) for t, v in zip(texts, found, strict=True) if v.get("right") is not True] == []


GREEK = """data x, y
param theta, sigma
mu = sigmoid(theta*x)
eta = mu*sigma
loss L = (eta - y)^2
"""


def test_names_are_read_as_they_print() -> None:
    made = of(GREEK)
    texts = {"deta": ["2*(η − y)"], "dmu": ["δ_η·σ", "δη*σ", "∂L/∂η · σ", "dη*sigma", "delta_eta*σ"],
             "dtheta": []}
    typed = [(made, number_of(made, name), text) for name, found in texts.items() for text in found]
    assert [(t[2], v) for t, v in zip(typed, verdicts(typed), strict=True) if v.get("right") is not True] == []


def test_a_gradient_whose_name_is_taken_is_not_asked() -> None:
    made = of("data x, y\nparam d, dd\na = d*x + dd*y\nb = a^2\nloss L = b^2\n")
    assert "dd" not in [b.name for b in made.blanks]
    typed = [(made, b.number, b.text) for b in made.blanks]
    assert all(v.get("right") for v in verdicts(typed))


def test_targets_of_a_cross_entropy_sum_to_one() -> None:
    made = of("dim C, D\ndata x: D, t: C\nparam W: C x D\nz = W @ x\nloss L = cross_entropy(z, t)", steps="z")
    assert [v["right"] for v in verdicts([(made, 1, "softmax(z) - t"), (made, 1, "t - softmax(z)")])] == [True, False]


@pytest.mark.parametrize("name", ["two-weight-tanh", "ffnn-softmax-batch", "svm-hinge"])
def test_no_known_mistake_is_taken_for_right(name: str) -> None:
    made = json.loads(data(asked(name)))
    for question in made["questions"]:
        assert all(x["says"] and x["kind"] in made["kinds"] for x in question["mistakes"])
        assert len({tuple(x["marks"]) for x in question["mistakes"]}) == len(question["mistakes"])
    assert sum(len(q["mistakes"]) for q in made["questions"]) > 20
