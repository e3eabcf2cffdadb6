"""What a module has beside its gradients: constants, initial values, the optimiser; a mistake is told in a sentence."""

from __future__ import annotations

import re

import numpy as np
import pytest

from symbackprop import Model, codegen, load
from symbackprop.model.optimizers import OPTIMIZERS
from symbackprop.verified import verify_source
from symbackprop.verify import Report
from symbackprop.verify.initial import rules
from symbackprop.verify.optimizers import RULES
from symbackprop.verify.sampling import choose_sizes
from tests.sweeps import few_in_ci
from tests.verify.helpers import mutant

TEXT = """
dim N, D, H, C, V, h = 2
data X: N x D, y: N int < C, i: N int < V
param W1: D x h*H, b1: h*H, gain: h*H, E: V x h*H, W2: h*H x C, s
Z = reshape(X @ W1 + b1, (N, h, H))
A = relu(Z)
B = gain * layer_norm(reshape(A, (N, h*H)) + E[i])
loss L = mean(cross_entropy(s * (B @ W2), y))
"""


def report(*changes: tuple[str, str], optimizer: str = "adamw", text: str = TEXT) -> Report:
    model = Model.parse(text, name="net")
    return verify_source(mutant(codegen(model, optimizer=optimizer, verify=False), *changes), model, trials=1)


def test_the_right_module_passes() -> None:
    assert report().problems == ()


def test_where_forward_alone_is_wrong_outputs_is_not_accused() -> None:
    model = Model.parse(TEXT, name="net")
    source = codegen(model, verify=False).replace("A = np.maximum(Z, 0)", "A = np.abs(Z)", 1)
    found = verify_source(source, model, trials=1)
    assert found.verdict == "fail" and not any(p.startswith("outputs") for p in found.problems)


CASES = [  # (what is changed, words of the sentence)
    (('"D": None, ', ""), r"DIMS: D is missing, expected None: so MODEL has it \(net.py:\d+: DIMS = "),
    (('LOSS = "L"\n', ""), "the module has no LOSS, which is 'L' by its MODEL"),
    (('LOSS = "L"', 'LOSS = "Z"'), "LOSS is 'Z', expected 'L'"),
    (('"y": "C"', '"y": "V"'), "INTEGERS: y is 'V', expected 'C'"),
    (("DTYPE = np.float64", "DTYPE = np.float16"), "DTYPE is .*, expected float32 or float64"),
    (('OPTIMIZER = "adamw"', ""), "the module has update, but no OPTIMIZER that says by which rule"),
    (("/ (D / 2) ** 0.5", "/ D ** 0.5"),
     r"init_params: W1 has standard deviation 0.\d+ over \d+ draws, expected 0.\d+, sqrt\(2/\d\) .* a ReLU .*:"),
    (('"b1": np.zeros', '"b1": np.ones'), r"init_params: b1\[0\] is 1, expected 0, a bias starts at 0 \(net.py:"),
    (('"gain": np.ones', '"gain": np.zeros'), r"init_params: gain\[0\] is 0, expected 1, a gain starts at 1 \(net.py:"),
    (("* 0.1,", "* 0.2,"), "init_params: E has standard deviation 0.\\d+ over .*, expected 0.1, the"),
    (('"E": rng.standard_normal((V, H * h))', '"E": np.ones((V, 1)) * rng.standard_normal((1, H * h))'),
     "init_params: E has .* different numbers among .* draws"),
    (('"s": rng.standard_normal()', '"s": rng.standard_normal() + 1'), "init_params: s has standard deviation 1"),
    (('"E": rng.standard_normal(', '"E": rng.uniform(-3**.5, 3**.5, '), "init_params: E has a fourth moment of 1"),
    (("(V, H * h)", "(H * h, V)"), r"init_params: E has shape \(\d+, \d+\), expected \(\d+, \d+\)"),
    (('"s": rng', '"s": np.random.default_rng()'), "init_params: two generators in the same state give different s"),
    (("default_rng(np.asarray(rng)[()] if", "default_rng(0 if"),
     "init_params: the seed 3, np.int64.3. and the 0-d array of 3"),
    ((" or size < 0:", ":"), "init_params does not refuse the size N = -1"),
    ((" or size < 0:", " or size < 1:"), "with sizes of 0, init_params raised ValueError"),
    (("raise ValueError(\n                f\"no array", "print(\n                f\"no array"),
     "init_params does not refuse h = 3, where forward computes with 2"),
    (('for name, value in params.items()}\n\n\nOPT', 'for name, value in list(params.items())[1:]}\n\n\nOPT'),
     "init_params returns no W1, which is a parameter"),
    (("eta: float = 0.001", "eta: float = 0.01"),
     r"update: eta is 0.01 where it is left out, expected 0.001 .*\(net.py:\d+: def update"),
    (('        "k": 0,', '        "k": 1,'), r"init_state: k is 1, expected 0 \(net.py:"),
    (('"m": {name: np.zeros_like', '"m": {name: np.ones_like'), r"init_state: m of W1\[0, 0\] is 1, expected 0"),
    ((" - eta * decay * w", ""), r"update: W1\[0, 0\] is \S+, expected \S+ in step 1, by Adam with .*: w_new = w"),
    (("(1 - beta2 ** k)", "(1 - beta2)"), r"update: W1\[0, 1\] is \S+, expected \S+ in step 2"),
    (("beta1 * m +", "beta1 * v +"), r"update: m of W1\[0, 1\] is \S+, expected \S+ in step 2.*: m_new = beta1"),
    (("        g = grads[name]\n", "        g = grads[name]\n        g *= 1.0\n        w *= 2.0\n"), "update"),
    (('state["k"] + 1', 'state["k"] + 2'), "update: k is 2 after step 1, expected 1"),
    (("np.asarray(w_new, dtype=w.dtype)", "np.asarray(w_new, np.float64)"), "is float32 and becomes float64"),
    (("    params = as_floats(params, DTYPE)\n    grads", "    grads"), "update"),
    (("dims.get(name, defaults[name]) for name", "dims.get(name) for name"), "init_params needs a size for h"),
    (("a.max(axis=axis, keepdims=True", "a.max(keepdims=True"), "so large that functions saturate"),
    (('"A": A, "B"', '"A": A.astype(float), "B"'), r"on float32 inputs outputs\(\) has A in float64"),
    (("            continue", "            break"), r"update: m of b1.* where W1 has no gradient in step 2, in step 2"),
]


@pytest.mark.parametrize(("change", "words"), few_in_ci([pytest.param(*c, id=c[0][0].strip()[:30]) for c in CASES], 4))
def test_a_mistake_is_told(change: tuple[str, str], words: str) -> None:
    found = report(change)
    assert found.verdict == "fail" and any(re.search(words, p) for p in found.problems), found.text()


def test_numbers_that_two_parameters_have_in_common_are_told() -> None:
    copied = '"W1": rng.', '"W1": __import__("copy").deepcopy(rng).'
    assert any(p.startswith("init_params: E repeats the numbers of W1 (net.py:") for p in report(copied).problems)


def test_among_many_parameters_two_are_nearly_alike_by_chance() -> None:
    model = Model.parse("param a: 2, b: 2, c: 2\nloss L = sum(a * b * c)", name="net")
    numbers = iter(["[0.5, 0.7]", "[1.0, 1.400001]", "[1.0, -2.0]"])
    source = re.sub(r"np\.zeros\(2\)", lambda found: f"rng.standard_normal() * np.array({next(numbers)})",
                    codegen(model, verify=False))
    assert not [p for p in verify_source(source, model, trials=1).problems if "repeats" in p]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_has_a_rule_of_its_own_here(name: str) -> None:
    assert RULES[name].usual == OPTIMIZERS[name].hyperparameters and RULES[name].slots == OPTIMIZERS[name].state
    assert report(optimizer=name, text="param w, b\nloss L = (w * b - 1)**2").passed


def test_a_rule_that_is_not_known_is_not_checked() -> None:
    found = report(('OPTIMIZER = "adamw"', 'OPTIMIZER = "mine"'), ("eta: float = 0.001", "eta: float = 0.5"))
    assert found.passed and "update was not checked: no rule 'mine' is known here" in found.notes


@pytest.mark.parametrize(
    ("text", "name", "starts"),
    [
        ("dim D\nparam W: D x D\ndata x: D\nloss L = sum((W @ x)**2)", "W", {1 / 3}),
        ("dim V, D\nparam E: V x D\ndata i: 4 int < V\nloss L = sum((E[i] @ E.T)**2)", "E", {0.01, 1 / 4}),  # tied
        ("param w: 3 x 3 x 2 x 5\ndata x: 2 x 6 x 6 x 2\nloss L = sum(conv2d(x, w, padding=1)**2)", "w", {1 / 18}),
        ("param x: 2 x 6 x 6 x 2\ndata w: 3 x 3 x 2 x 5\nloss L = sum(conv2d(x, w)**2)", "x", {1.0}),
        ("dim T, H\nparam W: H x H\ndata h[0]: H\nfor t in 1..T:\n    h[t] = relu(h[t-1] @ W)\nloss L = sum(h[T])",
         "W", {2 / 4}),
    ],
)
def test_how_a_parameter_may_start(text: str, name: str, starts: set[float]) -> None:
    model = Model.parse(text)
    sizes = choose_sizes(model, np.random.default_rng(0), {})
    assert {round(s.deviation**2, 9) for s in rules(model, sizes)[name]} == {round(v, 9) for v in starts}
    assert verify_source(codegen(model, verify=False), model).problems == ()


@pytest.mark.parametrize("name", few_in_ci(["gpt", "neural-turing-machine", "conv-net"], 3))
def test_initial_values_in_float32(name: str) -> None:
    model = load(name)
    source = codegen(model, dtype="float32", optimizer="adam", verify=False)
    sizes = {"T": 2, "N": 2, "I": 2, "O": 2, "H": 2, "R": 3, "W": 2} if name.startswith("neural") else None
    assert verify_source(source, model, sizes=sizes, trials=1).problems == ()
