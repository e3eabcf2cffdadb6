"""What derivations call what the user left nameless."""

from __future__ import annotations

import pytest

from symbackprop import Model, derive
from symbackprop.codegen import codegen
from symbackprop.core.names import text_name
from symbackprop.derive.stable import derive_stable
from symbackprop.errors import NameProblem
from symbackprop.model import load, zoo

GATE = "dim T, N, H\ndata x: T x N x H, h[0]: N x H\nparam W: H x H\nfor t in 1..T:\n"
CASES = {  # model text, and the names of what it leaves nameless
    "gate": (f"{GATE}    i[t] = sigmoid(x[t] @ W)\n    h[t] = i[t] * h[t-1]\nloss L = sum(h[T])", ["h_T", "z_i[t]"]),
    "numbered": ("data x\nparam w\nh1 = tanh(w * x)\nloss L = h1**2", ["z1"]),
    "matrix": ("dim N, D\ndata X: N x D\nparam W: D x D\nA = relu(X @ W)\nloss L = sum(A)", ["Z_A"]),
    "composed": ("dim N, D\ndata x: N x D\nparam W: D x D\ng = silu(x @ W)\nloss L = sum(g)", ["z_g"]),
    "logits": ("dim N, D\ndata X: N x D, y: N int < D\nparam W: D x D\nloss L = mean(cross_entropy(X @ W, y))", ["z"]),
    "norm": ("dim N, D\ninput X: N x D\nparam g: D\noutput Y = g * layer_norm(X)", ["mu", "X_tilde", "v", "sigma"]),
    "beside": ("dim N, D\ninput X3: N x D\nparam sigma: D\noutput Y = sigma * rms_norm(X3)", ["v", "s"]),
    "function": ("dim N, D\ninput X: N x D\nY = layer_norm(X)\noutput Z = sigmoid(Y)", ["mu", "X_tilde", "v", "s"]),
    "attention": ("dim N, T, d\ninput P: N x T x d\noutput O = attention(P, P, P, causal=True)",
                  ["S", "S_mask", "P_att"]),
    "family": ("dim N, T, d\ninput P[1..2]: N x T x d, S[1..2]: N x T x d\n"
               "output O = attention(P[1], P[2], S[1]) + S[2]", ["S_att", "P_att"]),
    "counter": ("dim g, T\ndata x: T, h[0]\nparam a, b, c\nfor k in 1..T:\n    h[k] = exp(-h[k-1] * a * x[k])\n"
                "loss L = h[T]",
                ["m[k]"]),
}


def introduced(model: Model) -> list[str]:
    d = derive(model)
    rows = [*d.forward, *[row for body in d.bodies.values() for row in body if row.id in d.forward_ids]]
    return [d.names[row.id] for row in rows if row.args and not row.is_loop and row.name is None]


@pytest.mark.parametrize("case", CASES)
def test_rows_are_called_by_their_roles(case: str) -> None:
    text, names = CASES[case]
    assert introduced(Model.parse(text)) == names


@pytest.mark.parametrize("name", zoo.names())
def test_no_name_prints_like_another_one_and_code_has_the_same(name: str) -> None:
    model = load(name)
    d, emitted = derive(model), derive_stable(model)
    own = introduced(model)
    others = {text_name(n) for n in [*model.graph.names, *model.sizes, *model.functions]}
    assert len({*map(text_name, own)}) == len(own) and not others & {text_name(n) for n in own}
    assert all(emitted.names.get(i, n) == n for i, n in d.names.items())


def test_the_user_calls_them_otherwise() -> None:
    model = Model.parse(CASES["gate"][0])
    model.called["z_i"] = "abar"
    assert introduced(model) == ["h_T", "abar[t]"]
    assert "dabar = " in codegen(model)


@pytest.mark.parametrize(("name", "wanted", "said"), [("q", "r", "calls nothing 'q'"), ("z_i", "W", "is taken")])
@pytest.mark.parametrize("use", [derive, codegen])
def test_what_cannot_be_called_otherwise(use: object, name: str, wanted: str, said: str) -> None:
    model = Model.parse(CASES["gate"][0])
    model.called[name] = wanted
    with pytest.raises(NameProblem, match=said):
        use(model)  # type: ignore[operator]


def test_the_equations_that_a_function_is_written_out_in_are_grouped_under_its_words() -> None:
    text = derive(load("transformer-block")).text()
    assert [line.split("   ")[-1].strip() for line in text.splitlines() if ": (" in line and "let" in line] == [
        "LayerNorm: (1)–(5)", "attention: (10)–(13)", "LayerNorm: (16)–(20)", "GELU: (23)–(24)"]
