"""Whole models, emitted: against PyTorch where it is installed, against verify everywhere, and as text."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop import __version__
from symbackprop.codegen import codegen
from symbackprop.model.load import load
from symbackprop.model.text import parse
from symbackprop.model.zoo import names
from symbackprop.targets import TARGETS
from symbackprop.verified import verify_source
from tests.codegen.helpers import ALONG, body, emit
from tests.sweeps import ALL as WHOLE
from tests.sweeps import few_in_ci

MLP = """
dim N, D, H, C
data X: N x D, y: N int < C
param W1: D x H, b1: H, W2: H x C, b2: C
Z1 = X @ W1 + b1
A1 = relu(Z1)
Z2 = A1 @ W2 + b2
loss L = mean(cross_entropy(Z2, y)) + 0.01 * sum(W1**2)
"""
LOGISTIC = """
dim N, D
data X: N x D, y: N
param w: D, b
z = X @ w + b
p = sigmoid(z)
loss L = mean(binary_cross_entropy(p, y))
"""
EMBEDDED = """
dim N, T, V, E
data ids: N x T int < V, y: N x T int < V
param C: V x E, W: E x V
loss L = mean(cross_entropy(C[ids] @ W, y))
"""
RNN = """
dim T, N, E, H
data c: T x N x E
input h[0]: N x H
param W_e: E x H, W_h: H x H, b: H
for t in 1..T:
    h[t] = tanh(c[t] @ W_e + h[t-1] @ W_h + b)
loss L = mean(h[T] ** 2) + sum(h) / 10
"""
ATTENTION = """
dim B, T, D, H = 2, K
input X: B x T x D
param Wq: D x H*K, Wk: D x H*K, Wv: D x H*K, Wo: H*K x D
Q = transpose(reshape(X @ Wq, B, T, H, K), (0, 2, 1, 3))
M = transpose(reshape(X @ Wk, B, T, H, K), (0, 2, 1, 3))
V = transpose(reshape(X @ Wv, B, T, H, K), (0, 2, 1, 3))
S = where(causal_mask(T), einsum("bhtk,bhsk->bhts", Q, M) / sqrt(K), -1e30)
P = softmax(S)
output Y = X + reshape(transpose(P @ V, (0, 2, 1, 3)), B, T, H*K) @ Wo
"""
CONV = """
dim N, C = 1, K
data x: N x 8 x 8 x C, y: N int < 5
param w: 3 x 3 x C x K, b: K, W2: 9*K x 5
p = max_pool2d(relu(conv2d(x, w) + b), 2)
loss L = mean(cross_entropy(reshape(p, N, 9*K) @ W2, y))
"""
LAYERS = """
dim M, N, D
data X[0]: N x D
param W: M x D x D
for l in 1..M:
    X[l] = X[l-1] + tanh(X[l-1] @ W[l])
loss L = mean(X[M] ** 2)
"""
TWO_OUTPUTS = """
dim N, D
input X: N x D
param W: D x D, s
output Y = tanh(X @ W)
output Z = s * sum(X, axis=1)
"""
ALL = {"mlp": MLP, "logistic": LOGISTIC, "embedded": EMBEDDED, "rnn": RNN, "attention": ATTENTION, "conv": CONV,
       "layers": LAYERS, "two_outputs": TWO_OUTPUTS}


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", few_in_ci(ALL, 2))
def test_verified(name: str, level: int) -> None:
    model = parse(ALL[name], name=name)
    report = verify_source(codegen(model, level=level), model)
    assert report.passed, report.text()


# -- against PyTorch


def torch_step(loss: Any, params: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    torch = pytest.importorskip("torch")
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    value = loss(torch, leaves)
    value.backward()
    return value.item(), {k: v.grad.numpy() for k, v in leaves.items()}


def mlp_in_torch(torch: Any, p: dict[str, Any], d: dict[str, Any]) -> Any:
    hidden = torch.relu(torch.tensor(d["X"]) @ p["W1"] + p["b1"])
    logits = hidden @ p["W2"] + p["b2"]
    return torch.nn.functional.cross_entropy(logits, torch.tensor(d["y"])) + 0.01 * (p["W1"] ** 2).sum()


def logistic_in_torch(torch: Any, p: dict[str, Any], d: dict[str, Any]) -> Any:
    z = torch.tensor(d["X"]) @ p["w"] + p["b"]
    return torch.nn.functional.binary_cross_entropy_with_logits(z, torch.tensor(d["y"]))


def embedded_in_torch(torch: Any, p: dict[str, Any], d: dict[str, Any]) -> Any:
    logits = p["C"][torch.tensor(d["ids"])] @ p["W"]
    return torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), torch.tensor(d["y"]).reshape(-1))


def rnn_in_torch(torch: Any, p: dict[str, Any], d: dict[str, Any]) -> Any:
    h, total = torch.tensor(d["h0"]), 0.0
    for c in torch.tensor(d["c"]):
        h = torch.tanh(c @ p["W_e"] + h @ p["W_h"] + p["b"])
        total = total + h.sum()
    return (h**2).mean() + total / 10


RNG = np.random.default_rng(5)
AGAINST = {
    "mlp": (mlp_in_torch, {"X": RNG.normal(size=(7, 3)), "y": RNG.integers(0, 5, 7)}, {"D": 3, "H": 4, "C": 5}),
    "logistic": (logistic_in_torch, {"X": RNG.normal(size=(7, 3)), "y": RNG.uniform(size=7)}, {"D": 3}),
    "embedded": (
        embedded_in_torch,
        {"ids": RNG.integers(0, 6, (3, 4)), "y": RNG.integers(0, 6, (3, 4))},
        {"V": 6, "E": 2},
    ),
    "rnn": (rnn_in_torch, {"c": RNG.normal(size=(6, 2, 3)), "h0": RNG.normal(size=(2, 4))}, {"E": 3, "H": 4}),
}


@pytest.mark.oracle
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", AGAINST)
def test_against_torch(name: str, level: int, tmp_path: Path) -> None:
    loss, data, dims = AGAINST[name]
    module = emit(ALL[name], tmp_path, level=level)
    rng = np.random.default_rng(2)
    params = {k: rng.normal(size=np.shape(v)) for k, v in module.init_params(rng, **dims).items()}
    ours, grads = module.loss_and_grads(params, data)
    theirs, expected = torch_step(lambda torch, leaves: loss(torch, leaves, data), params)
    assert ours == pytest.approx(theirs, rel=1e-12)
    for key, value in expected.items():
        np.testing.assert_allclose(grads[key], value, rtol=1e-10, atol=1e-12)


# -- layers


def test_one_output(tmp_path: Path) -> None:
    module = emit("dim N, D, M\ninput X: N x D\nparam W: D x M\noutput Y = X @ W", tmp_path)
    assert (module.LOSS, module.OUTPUTS) == (None, ("Y",))
    assert not hasattr(module, "loss_and_grads")
    x, w, up = np.ones((2, 3)), np.arange(12.0).reshape(3, 4), np.ones((2, 4))
    y, cache = module.forward({"W": w}, {"X": x})
    grads = module.backward(cache, up)
    np.testing.assert_array_equal(y, x @ w)
    np.testing.assert_array_equal(grads["X"], up @ w.T)
    np.testing.assert_array_equal(grads["W"], x.T @ up)
    with pytest.raises(ValueError, match=r"the upstream gradient of Y has shape \(4, 2\), expected \(2, 4\)"):
        module.backward(cache, up.T)


def test_several_outputs(tmp_path: Path) -> None:
    module = emit(TWO_OUTPUTS, tmp_path)
    assert module.OUTPUTS == ("Y", "Z")
    params, data = {"W": np.eye(3), "s": 2.0}, {"X": np.ones((2, 3))}
    results, cache = module.forward(params, data)
    assert set(results) == {"Y", "Z"}
    np.testing.assert_array_equal(results["Z"], [6.0, 6.0])
    only = module.backward(cache, {"Z": np.array([1.0, 10.0])})
    assert only["s"] == 33.0
    assert not only["W"].any()
    np.testing.assert_array_equal(only["X"], [[2.0] * 3, [20.0] * 3])
    with pytest.raises(ValueError, match="upstream has to be a dict with gradients of Y, Z"):
        module.backward(cache, np.ones((2, 3)))
    with pytest.raises(ValueError, match="upstream has to be a dict with gradients of Y, Z"):
        module.backward(cache, {"W": np.ones((2, 3))})


# -- what is emitted


def test_the_backward_pass_of_an_mlp_reads_as_it_would_be_written_by_hand() -> None:
    assert body(codegen(parse(MLP)), "backward").splitlines()[9:] == [
        "    dZ2 = p / N",
        "    at = np.arange(N), y",
        "    dZ2[at] = (p[at] - 1) / N",
        "    dW2 = A1.T @ dZ2",
        "    db2 = dZ2.sum(axis=0)",
        "    dA1 = dZ2 @ W2.T",
        "    dZ1 = dA1 * (Z1 > 0)",
        "    db1 = dZ1.sum(axis=0)",
        "    dW1 = X.T @ dZ1 + W1 / 50",
        '    grads = {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}',
        '    return scaled(grads, cache["dtypes"], upstream)',
    ]


def test_lines_carry_their_equation_and_shape() -> None:
    text = codegen(parse(MLP))
    assert "# Z1 = X W1 + b1   N×H" in text
    assert "# dZ2 = (p − one_hot(y, C)) / N   N×C" in text
    assert "# dW1 = X\u1d40 dZ1 + W1 / 50   D×H" in text
    assert max(map(len, text.split('"""\n', 3)[-1].splitlines())) <= 120


def test_only_what_backward_reads_is_kept(tmp_path: Path) -> None:
    module = emit(LOGISTIC, tmp_path)
    _, cache = module.forward({"w": np.ones(2), "b": 0.0}, {"X": np.ones((3, 2)), "y": np.ones(3)})
    assert set(cache) == {"p", "y", "X", "N", "dtypes"}


def test_the_loop_over_time_is_a_loop() -> None:
    text = codegen(parse(RNN))
    assert body(text, "forward").count("for t in range(T):") == 1
    assert body(text, "backward").count("for t in reversed(range(T)):") == 1
    assert body(text, "backward").count("c.reshape(N * T, E).T @ dz_h.reshape(N * T, H)") == 1
    assert "range(" not in text.replace("range(T)", "").replace("arange(", "").replace("check_range(", "")


def test_products_that_nothing_carried_enters_are_taken_out_of_the_loop() -> None:
    forward = body(codegen(parse(RNN)), "forward").splitlines()
    assert "    t1 = (c.reshape(N * T, E) @ W_e).reshape(T, N, H)" in forward
    assert "        z_h_t = t1[t] + h_prev @ W_h + b" in forward
    backward = body(codegen(parse(RNN)), "backward").splitlines()
    assert backward.index("    W_h_T = W_h.T.copy()") < backward.index("    for t in reversed(range(T)):")
    assert "        dh_next = dz_h_t @ W_h_T" in backward
    assert "        z_h_t = c[t] @ W_e + h_prev @ W_h + b" in body(codegen(parse(RNN), level=0), "forward").splitlines()


def test_the_states_before_each_step_are_not_stored_twice() -> None:
    forward = body(codegen(parse(RNN)), "forward")
    assert "h_before, h = h_states[:-1], h_states[1:]" in forward
    assert forward.count("np.empty(") == 1


def test_loops_of_no_and_of_one_step(tmp_path: Path) -> None:
    module = emit(RNN, tmp_path)
    rng = np.random.default_rng(0)
    params = module.init_params(rng, E=2, H=3)
    h0 = rng.normal(size=(1, 3))
    loss, grads = module.loss_and_grads(params, {"c": np.zeros((0, 1, 2)), "h0": h0})
    assert loss == pytest.approx(np.mean(h0**2))
    np.testing.assert_allclose(grads["h0"], 2 * h0 / 3)
    assert not grads["W_h"].any()
    loss, grads = module.loss_and_grads(params, {"c": np.ones((1, 1, 2)), "h0": h0})
    assert np.isfinite(loss) and grads["W_h"].any()


def test_a_parameter_that_the_loss_does_not_reach_has_gradient_zero(tmp_path: Path) -> None:
    text = codegen(parse("dim N\nparam x: N, z: N\nloss L = sum(x**2)"))
    assert "L does not depend on z" in text
    module = emit("dim N\nparam x: N, z: N\nloss L = sum(x**2)", tmp_path)
    grads = module.loss_and_grads({"x": np.ones(3), "z": np.ones(3)}, {})[1]
    np.testing.assert_array_equal(grads["z"], np.zeros(3))


def test_gradients_of_chosen_names(tmp_path: Path) -> None:
    module = emit(MLP, tmp_path, wrt=["W2", "A1"])
    rng = np.random.default_rng(0)
    params = module.init_params(rng, D=3, H=4, C=5)
    grads = module.loss_and_grads(params, {"X": rng.normal(size=(2, 3)), "y": [0, 1]})[1]
    assert {k: v.shape for k, v in grads.items()} == {"W2": (4, 5), "A1": (2, 4)}


@pytest.mark.parametrize("target", TARGETS)
def test_the_head_says_who_wrote_it_and_whose_it_is(target: str) -> None:
    lines = codegen(parse(MLP), target=target).splitlines()[:6]
    assert lines[2].startswith(f"Written by symbackprop {__version__} from the model text MODEL;")
    assert lines[3] == "The code is yours: use it, change it, pass it on as you like."


ROOT = Path(__file__).resolve().parents[2]
LINTED = [("window-lm", 2, "numpy"), ("gru", 1, "jax"), ("conv-net", 0, "numpy"), ("lstm", 1, "numpy")]
LINTED += [(name, level, target) for name in names() for target in TARGETS for level in (0, 1, 2) if WHOLE]
FURTHER: list[dict[str, Any]] = [
    {"whole": ["hessian"]}, {"whole": ["hessian_diagonal"], "dtype": "float32"}, {"whole": ["jacobian"]},
    {"along": ["ggn"]}, {"target": "torch", "wrap": "torch", "along": ["hvp"]},
    {"target": "jax", "wrap": "jax"}, {"target": "jax", "shard": {"N": "data"}},
]
BOUNDS = """dim T, N, H
data m: T x N int < 2, words: T x N int < H
param h[0]: N x H, E: H x H
for t in 1..T:
    h[t] = tanh(where(m[t][:, None] > 0, E[words[t]], h[t-1]))
loss L = mean(h[T]**2)
"""  # integers below a number and below a dimension
UNREAD = """dim T, N
data x: T x N, z: T+1 x N, h[0]: N
param w: N
for t in 1..T:
    u[t] = tanh(z[t+1]) * w
    h[t] = tanh(h[t-1] * w + x[t])
loss L = sum(h[T]**2)
"""  # nothing reads u, and nothing else reads z[1:]
CARRIED = """dim T, N
data x: T x N, h[0]: N
param w: N
for t in 1..T:
    h[t] = tanh(x[t] * w)
loss L = sum(h[T]**2)
"""  # no step reads the one before it: nothing reads what hvp would carry back
CAREFUL = "E,F,W,I,B,UP,SIM,C4,PIE"  # rules of ruff that people choose


def test_every_module_passes_ruff_and_strict_mypy_as_it_comes(tmp_path: Path) -> None:
    """Modules of all levels, targets, with an optimiser and products; ruff and mypy of the package take those in
    generated/."""
    for name, level, target in LINTED:
        if level < 2 or target == "numpy":
            more = {"optimizer": "adam" if level else "sgd", "along": ALONG}
            module = codegen(load(name), level=level, target=target, **more)
            (tmp_path / f"{name.replace('-', '_')}_{level}_{target}.py").write_text(module, encoding="utf-8")
    for k, options in enumerate(FURTHER):
        module = codegen(load("logistic-regression-batch"), **options)
        (tmp_path / f"further_{k}_{options.get('target', 'numpy')}.py").write_text(module, encoding="utf-8")
    for word, text in (("bounds", BOUNDS), ("unread", UNREAD)):
        for level in (0, 1, 2):
            (tmp_path / f"{word}_{level}_numpy.py").write_text(codegen(parse(text), level=level), encoding="utf-8")
    (tmp_path / "carried_numpy.py").write_text(codegen(parse(CARRIED), along=["hvp"]), encoding="utf-8")
    for target in ("jax", "torch"):
        (tmp_path / f"unread_{target}.py").write_text(codegen(parse(UNREAD), target=target), encoding="utf-8")
    typed = [str(path) for path in tmp_path.glob("*.py" if WHOLE else "*_numpy.py")]  # JAX is a long read for mypy
    mypy = ["mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'mypy'}", *typed]
    ruff = ["ruff", "check", "--isolated", "--target-version=py310", "--quiet", str(ROOT / "generated"), str(tmp_path)]
    for tool in (ruff, [*ruff, f"--select={CAREFUL}"], [*ruff, f"--select={CAREFUL},RUF100"], mypy):
        run = subprocess.run([sys.executable, "-m", *tool], capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_no_line_is_wider_than_120(target: str) -> None:
    """Of code, docstrings and comments; the model text stands as its author wrote it."""
    for name in ("two-step-rnn", "window-lm", "activations") if not WHOLE else names():
        model = load(name)
        whole = ["jacobian" if model.loss_row is None else "hessian"]
        module = codegen(model, target=target, optimizer="adamw", whole=whole)
        head, _, rest = module.partition('MODEL = """')
        wide = [line for line in [*head.splitlines(), *rest.partition('"""')[2].splitlines()] if len(line) > 120]
        assert not wide, "\n".join([name, *wide])


def test_a_line_of_sizes_reads_as_one_writes_it() -> None:
    source = codegen(parse("dim n\ndata y: n\nparam w: n\nloss L = sum((y - w)^2)/(n - 1)"))
    assert "w = arrays[\"w\"]" in source and "/ (n - 1)" in source
    for path in sorted((ROOT / "generated").glob("*.py")):
        clumsy = re.search(r"\(-\d+\) \+|[=(] ?-\d+ \+|/ (\w+) / \1\b", path.read_text(encoding="utf-8"))
        assert not clumsy, f"{path.name}: {clumsy}"
