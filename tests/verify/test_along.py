"""Derivatives along a direction under verify: right ones pass, and mistakes in their lines are found.

CI takes a sample of the mistakes and of the built-in models; all of them:

    SWEEP=all python -m pytest tests/verify/test_along.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.core.graph import Node
from symbackprop.core.outputs import Outputs, convex_outputs
from symbackprop.derive import products as products_made
from symbackprop.errors import ModelError
from symbackprop.model import zoo
from symbackprop.model.text import parse
from symbackprop.verified import codegen as verified
from symbackprop.verified import verify_source
from symbackprop.verify import convexity, verify_module
from tests.codegen.helpers import ALONG
from tests.codegen.test_along import Point
from tests.codegen.test_models import ALL as MODELS
from tests.sweeps import ALL, few_in_ci, sample
from tests.verify.in_steps import TEXTS as IN_STEPS
from tests.verify.mutate import Mutants

TEXTS = {
    "tanh": "dim N, D, H\ndata X: N x D, y: N\nparam W: D x H, u: H\nloss L = mean((y - tanh(X @ W) @ u)**2)",
    "rnn": "dim T, H\ndata x: T x H\nparam U: H x H, h[0]: H\nfor t in 1..T:\n    h[t] = tanh(x[t] + h[t-1] @ U)\n"
           "loss L = sum(h[T]**2)",
    "layer": MODELS["two_outputs"],
    "kinks": "dim N, D\ndata X: N x D\nparam W: D x D, c: D\nloss L = sum(maximum(X @ W, c) ** 2) + norm(c) ** 2",
}
LIKELIHOODS = Path(__file__).parents[2] / "examples" / "likelihoods"
HIDDEN_MARKOV, COX, ORDINAL = ((LIKELIHOODS / f"{name}.sbp").read_text("utf-8")
                               for name in ("hidden_markov", "cox", "ordinal"))
NAMES = zoo.names() if ALL else ("sigmoid-circuit", "rnn-lm", "squared-norm", "max-gate", "svm-hinge")


@pytest.mark.parametrize(("name", "target"), [(n, t) for t in ("numpy", "jax") for n in (*NAMES, *MODELS)] if ALL else [
    (n, "numpy") for n in NAMES])
def test_right_ones_pass(name: str, target: str) -> None:
    if target == "jax":
        pytest.importorskip("jax")
    model = parse(MODELS[name], name=name) if name in MODELS else zoo.build(name)
    report = verify_source(codegen(model, along=ALONG, target=target), model)
    assert report.passed, report.text()
    assert {p.name.partition(":")[0] for p in report.products} == set(ALONG)


@pytest.mark.parametrize(("name", "level"), few_in_ci(  # each at one level
    [pytest.param(name, level) for k, name in enumerate(TEXTS) for level in ((1, 2) if k % 2 else (2, 1))], 2))
def test_mistakes_are_found(name: str, level: int) -> None:
    """Of all mistakes that change what is returned at some point; those that only change what is refused aside."""
    source, model = codegen(parse(TEXTS[name]), level=level, along=ALONG), parse(TEXTS[name])
    right = module_of(source)
    sizes = model.default_sizes(), dict.fromkeys(model.sizes, 2)
    points = [Point(right, some, seed) for seed, some in enumerate(sizes)]
    directions = [p.direction() for p in points]
    expected = [behaviour(right, p, v) for p, v in zip(points, directions, strict=True)]
    mutants, missed = Mutants(source, set(ALONG)), []
    for mutant in sample(mutants.all, 48):
        module = module_of(source)
        exec(mutants.code(mutant), module.__dict__)
        with np.errstate(all="ignore"):
            try:
                found = [behaviour(module, p, v) for p, v in zip(points, directions, strict=True)]
            except Exception:
                continue  # it breaks down
            if same(found, expected):
                continue
            if verify_module(module, parse(TEXTS[name])).passed:
                missed.append(str(mutant))
    assert not missed


def module_of(source: str) -> ModuleType:
    module = ModuleType("emitted")
    exec(compile(source, "emitted.py", "exec"), module.__dict__)
    return module


def behaviour(module: ModuleType, p: Point, v: dict[str, Any]) -> list[Any]:
    params, data = ({n: np.array(a) for n, a in some.items()} for some in (p.params, p.data))  # may be changed
    found = [module.jvp(params, data, v), module.hvp(params, data, v, *p.upstream)]
    return [np.array(some[n], float) for some in found for n in sorted(some)]


def same(found: list[Any], expected: list[Any]) -> bool:
    pairs = [(a, b) for one, other in zip(found, expected, strict=True) for a, b in zip(one, other, strict=False)]
    shapes = all(a.shape == b.shape for a, b in pairs) and list(map(len, found)) == list(map(len, expected))
    return shapes and all(np.allclose(a, b, 1e-7, 1e-7 * np.max(np.abs(b), initial=0)) for a, b in pairs)


SWINGING = """
data v_x: 2 x 3, v_s
param x: 2 x 3, s
r = s / (1 + x**2)
t = v_s / (1 + x**2) - 2 * v_x * r * x / (1 + x**2)
a = cos(r + 6) + cos((r / 2)**2 + 5) * r / 2
b = -(t * r / 2 * sin((r / 2)**2 + 5)) * r / 2 - t * sin(r + 6) + t * cos((r / 2)**2 + 5) / 2
output G = -2 * a * r * x / (1 + x**2)
output H = -2 * (b - 2 * v_x * a * x / (1 + x**2)) * r * x / (1 + x**2) - 2 * a * v_s * x / (1 + x**2)**2
output J = sum(b / (1 + x**2))
"""
STEEP = "param s, w\nloss L = sin(exp(w) * s**4 + s**3)"


@pytest.mark.parametrize(("text", "seed"), [
    (IN_STEPS["large scale"], 0),  # where second differences are rounding
    (HIDDEN_MARKOV, 0),  # where a deviation underflows: 0·∞ forwards, nothing backwards
    (STEEP, 1),  # which swings within a step
    (COX, 0),  # whose weights are data, drawn of any sign
    (IN_STEPS["logsumexp steps"], 0),  # whose maximum is straight in pieces
    (IN_STEPS["softmax steps"], 2),  # one entry is left of it at a point that is aimed at
    *([(IN_STEPS["softmax ce steps"], 0),  # far out, where differences of short steps are rounding
       (IN_STEPS["sinkhorn"], 11),  # far out, where the cube of what is computed is no number
       (ORDINAL, 0),  # far out, where the square of what is divided by is 0
       (SWINGING, 0)] if ALL else ()),  # far out, which swings a hundred times within the shortest step
], ids=["large", "underflow", "steep", "weights", "pieces", "one left",
        *(["softmax", "cubes", "squares", "swings"] if ALL else ())])
def test_right_ones_pass_where_differences_are_not_sure(text: str, seed: int) -> None:
    model = parse(text)
    try:
        source = codegen(model, along=ALONG)
    except ModelError:  # convex in nothing
        source = codegen(model, along=["hvp", "jvp"])
    report = verify_source(source, model, seed=seed)
    assert report.passed, report.text()


# -- Gauss–Newton
def products_of(text: str, source: str) -> dict[str, str]:
    return {p.name: p.verdict for p in verify_module(module_of(source), parse(text)).products}


@pytest.mark.parametrize(("right", "wrong", "failing"), [
    ("h_dot @ u + h @ v_u", "h_dot @ u", "ggn: W"),
    ("Gv_z = Gv_h * (1 - h ** 2)", "Gv_z = Gv_h * (1 - h)", "ggn: W"),
    ("Gv_u = da_dot", "Gv_u = 1.001 * da_dot", "ggn: u"),
    ("da_dot = 2 * ", "da_dot = 1.001 * 2 * ", "ggn: u"),  # which is symmetric still
])
def test_mistakes_in_gauss_newton_are_found(right: str, wrong: str, failing: str) -> None:
    source = codegen(parse(TEXTS["tanh"]), along=["ggn"])
    assert set(products_of(TEXTS["tanh"], source).values()) == {"pass"}
    before, line, after = source.rpartition(right)
    assert line and products_of(TEXTS["tanh"], before + wrong + after)[failing] == "fail"


CLAIMED = "dim N, D, C\ndata X: N x D, t: N, y: N int < C\nparam W: D x C, w: D\nZ = tanh(X) @ W\nr = tanh(X @ w)\n"
OUTPUTS = [
    ("mean(cross_entropy(Z, y)) + 0.1 * sum(w**2)", 0), ("mean(cross_entropy(Z, y)) + 0.1 * sum(w**2)", 1),
    ("mean((t - r)**2) + sum(exp(w))", 0),
    ("-mean(log(sigmoid(r))) + sum(W**2)", 1), ("mean(binary_cross_entropy(sigmoid(r), t)) + sum(W * W)", 1),
]


@pytest.mark.parametrize(("loss", "place", "passed_on"), few_in_ci(
    [pytest.param(*o, p) for o in OUTPUTS for p in (False, True)], 3))
def test_an_output_that_is_left_out_is_found(loss: str, place: int, passed_on: bool, monkeypatch: pytest.MonkeyPatch
                                             ) -> None:
    """Where the search itself is wrong, which a module is derived with and verify is told by: nothing then differs."""
    def broken(row: Node, wrt: Sequence[Node]) -> Outputs:
        curved, held = convex_outputs(row, wrt)
        return Outputs(curved[:place] + curved[place + 1:], held if passed_on else [*held, curved[place]])

    model = parse(f"{CLAIMED}loss L = {loss}")
    assert verify_source(codegen(model, along=["ggn"]), model).passed
    for module in (products_made, convexity):
        monkeypatch.setattr(module, "convex_outputs", broken)
    report = verify_source(codegen(parse(f"{CLAIMED}loss L = {loss}"), along=["ggn"]), model)
    assert report.verdict == "fail" and ("the curvature of " in report.text() or "⟨v, G v⟩" in report.text())


def test_a_matrix_that_is_convex_in_other_words_alone_is_refused() -> None:
    """As exp(k log(a)) it is; verify compares with what is declared."""
    with pytest.raises(ModelError, match="is not known to be a convex function of any rows"):
        codegen(parse(IN_STEPS["powers"]), along=["ggn"])


def test_what_is_not_convex_is_no_output(monkeypatch: pytest.MonkeyPatch) -> None:
    model = parse(f"{CLAIMED}loss L = mean((t - r)**2) + sum(sin(W))")
    monkeypatch.setattr(convexity, "convex_outputs", lambda row, wrt: Outputs([model.graph.names["w"]], []))
    monkeypatch.setattr(products_made, "convex_outputs", lambda row, wrt: Outputs([row.graph.names["w"]], []))
    assert "is no convex function of w" in verify_source(codegen(model, along=["ggn"]), model).text()


CONVEX = [n for n in zoo.names() if n not in {
    "cube", "jacobians", "linear-chain-graph", "ner-window", "sigmoid-circuit-gate", "sum-times-max", "sum-times-z",
} and zoo.build(n).loss_row is not None] if ALL else ["logistic-regression-batch", "vae", "rnn-lm", "window-lm"]


@pytest.mark.parametrize("name", CONVEX)
def test_gauss_newton_of_built_in_models(name: str) -> None:
    model = zoo.build(name)
    report = verify_source(codegen(model, along=["ggn"]), model)
    assert report.passed and report.products, report.text()


# -- what is said
def test_what_is_wrong_is_said() -> None:
    source = codegen(parse(TEXTS["tanh"]), along=ALONG).replace("Hv_W = ", "Hv_W = 1.01 * ", 1)
    report = verify_source(source, parse(TEXTS["tanh"]))
    assert report.verdict == "fail" and "in the module, and" in report.text() and "hvp: W[" in report.text()
    (wrong,) = [p for p in report.to_json()["products"] if p["name"] == "hvp: W"]
    assert wrong["verdict"] == "fail" and wrong["module"] == pytest.approx(1.01 * wrong["numeric"])


def test_it_is_checked_before_a_file_is_written(tmp_path: Path) -> None:
    source = verified(TEXTS["tanh"], hvp=True, jvp=True, ggn=True)
    assert all(f"def {name}(" in source for name in ("hvp", "jvp", "ggn"))
    (tmp_path / "net.sbp").write_text(TEXTS["tanh"])
    command = [sys.executable, "-m", "symbackprop"]
    run = subprocess.run([*command, "codegen", "net.sbp", "--hvp", "-o", "net.py"], cwd=tmp_path, capture_output=True)
    assert run.returncode == 0, run.stderr
    (tmp_path / "net.py").write_text((tmp_path / "net.py").read_text().replace("Hv_u = ", "Hv_u = 2 * ", 1))
    run = subprocess.run([*command, "verify", "net.py", "--json"], cwd=tmp_path, capture_output=True)
    data = json.loads(run.stdout)
    assert run.returncode == 1 and data["verdict"] == "fail"
    assert {p["name"]: p["verdict"] for p in data["products"]}["hvp: u"] == "fail"


WRONG = """

_right = {name}

def {name}(*args, **options):
    return {{n: np.asarray(1.00003 * a).astype(a.dtype)[()] for n, a in _right(*args, **options).items()}}
"""


@pytest.mark.parametrize("power", [6, 12, 16])
@pytest.mark.parametrize("name", ["hvp", "jvp"])
def test_a_mistake_beside_a_large_constant_does_not_pass(name: str, power: int) -> None:
    model = parse(f"dim N\ndata x: N\nparam w: N\nloss L = 10**{power} + sum(x * w**2)")
    source = codegen(model, along=(name,))
    assert verify_source(source, model).passed
    report = verify_source(source + WRONG.format(name=name), model)
    assert report.verdict == "fail" and not report.problems, report.text()


@pytest.mark.parametrize("loss", ["logsumexp(x * w + 10**6)", "norm(softmax(w + 10**8))", "mean(x * w**2)"])
def test_what_float32_does_not_resolve_is_no_mistake(loss: str) -> None:
    model = parse(f"dim N\ndata x: N\nparam w: N\nloss L = {loss}")
    assert (report := verify_source(codegen(model, along=("hvp", "jvp")), model)).passed, report.text()


@pytest.mark.parametrize("name", ["hvp", "jvp"])
def test_a_mistake_in_float32_alone_does_not_pass(name: str) -> None:
    model = parse("dim N\ndata x: N\nparam w: N\nloss L = mean(x * tanh(w))")
    wrong = WRONG.format(name=name).replace("1.00003", "(1.1 if np.asarray(a).dtype == np.float32 else 1)")
    report = verify_source(codegen(model, along=(name,)) + wrong, model)
    assert [p.partition(" ")[0] for p in report.problems] == [name], report.text()


BY_ITSELF = """

_right = {name}

def {name}(*args, **options):
    found = dict(_right(*args, **options))
    found["w"] = found["w"] * np.where(np.arange(len(found["w"])) == 0, 1.01, 1).astype(found["w"].dtype)
    return found
"""


@pytest.mark.parametrize("power", [7, 12, 16])
@pytest.mark.parametrize("loss", ["sum(sin(w)) + {}*sum(exp(w[1:]))", "sum(sin(w)) + {}*sum(exp(v))"])
def test_one_entry_does_not_hide_beside_others_of_another_size(loss: str, power: int) -> None:
    model = parse(f"dim N\nparam w: N, v: N\nloss L = {loss.format(f'10**{power}')} + sum(v**2)")
    source = codegen(model, along=("hvp",))
    assert verify_source(source, model).passed
    for method in ("auto", "central"):
        report = verify_source(source + BY_ITSELF.format(name="hvp"), model, method=method)
        assert [p.name for p in report.products if p.verdict == "fail"], report.text()
