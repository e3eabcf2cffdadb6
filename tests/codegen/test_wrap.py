"""Modules as parts of PyTorch and JAX: what these libraries' own checks say of them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symbackprop import Model
from symbackprop.codegen import codegen
from symbackprop.errors import UsageError
from symbackprop.model import zoo
from tests.codegen import targets
from tests.sweeps import ALL

LAYER = """dim N, D, M
input X: N x D
param W: D x M, b: M
output Y = tanh(X @ W + b)
"""
LOSS = """dim N, D, C
data X: N x D, y: N int < C
param W: D x C, b: C
loss L = mean(cross_entropy(tanh(X @ W) + b, y))
"""
SEVERAL = """dim N, D
input self: N x D
param dtype: D, forward: D
output A = self * dtype
output B = sum(A * forward, axis=1)
"""
LOOP = """dim T, N, H
data c: T x N x H, h[0]: N x H
param W: H x H
for t in 1..T:
    h[t] = tanh(c[t] + h[t-1] @ W)
loss L = mean(h[T]**2)
"""


def module(model: Model | str, wrap: str | None, folder: Path, name: str = "net", **options: Any) -> ModuleType:
    path = folder / f"{name}_{wrap}.py"
    found = Model.parse(model, name=name) if isinstance(model, str) else model
    path.write_text(codegen(found, wrap=wrap, **options), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = made  # as import does, which torch.compile counts on
    spec.loader.exec_module(made)
    return made


def applied(net: ModuleType) -> Any:
    """What forward_op returns but for what it keeps, of the same arguments."""
    def results(*given: Any) -> Any:
        arrays = dict(zip(net.NAMES, given, strict=True))
        return net.apply({n: arrays[n] for n in net.PARAMS}, {n: arrays[n] for n in net.DATA})
    return results


@pytest.mark.parametrize(("options", "said"), [
    ({"wrap": "jax", "target": "numpy"}, "not for 'jax' with the target numpy"),
    ({"wrap": "numpy"}, "a module is wrapped for torch or jax"),
    ({"wrap": "torch", "wrt": ["W"]}, "leave out wrt"),
])
def test_what_cannot_be_wrapped_is_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        codegen(Model.parse(LOSS), **options)


def test_sizes_that_no_argument_shows_are_refused() -> None:
    with pytest.raises(UsageError, match="no axis of an argument is K"):
        codegen(Model.parse("dim K\nparam w\noutput Y = w * ones(K)\n"), wrap="torch")


@pytest.mark.oracle
class TestPyTorch:
    @pytest.fixture(autouse=True)
    def torch(self) -> Any:
        self.t = pytest.importorskip("torch", minversion="2.9")
        self.t.manual_seed(0)

    def randn(self, *shape: int) -> Any:
        return self.t.randn(*shape, dtype=self.t.float64, requires_grad=True)

    def check(self, net: ModuleType, given: tuple[Any, ...], *upstream: Any, second: bool = False) -> None:
        """PyTorch's own checks of both operators, and of their derivatives."""
        self.check_operators(net, given, *upstream)
        assert self.t.autograd.gradcheck(net.forward_op, given)
        assert not second or self.t.autograd.gradgradcheck(applied(net), given)

    def check_operators(self, net: ModuleType, given: tuple[Any, ...], *upstream: Any) -> None:
        found = net.forward_op(*[g.detach() for g in given])
        kept = [*found[len(net.RESULTS):]] if net.KEPT else []
        for op, args in ((net.forward_op, given), (net.backward_op, (*(g.detach() for g in given), kept, *upstream))):
            assert {*self.t.library.opcheck(op, args).values()} == {"SUCCESS"}

    @pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")
    def test_a_layer(self, tmp_path: Path) -> None:
        net = module(LAYER, "torch", tmp_path, "layer_of_test")
        W, b, X = self.randn(3, 4), self.randn(4), self.randn(3, 5).T.detach().requires_grad_()
        self.check(net, (W, b, X), self.t.ones(()).expand(5, 4).double())
        whole = self.t.compile(lambda x: net.apply({"W": W, "b": b}, {"X": x}).pow(2).sum(), fullgraph=True,
                               backend="aot_eager")
        (found,) = self.t.autograd.grad(whole(X), X)
        (plain,) = self.t.autograd.grad(self.t.tanh(X @ W + b).pow(2).sum(), X)
        assert self.t.allclose(found, plain, atol=1e-12)

    def test_a_loss_twice(self, tmp_path: Path) -> None:
        net = module(LOSS, "torch", tmp_path, "loss_of_test", along=["hvp"])
        given = (self.randn(3, 4), self.randn(4), self.randn(5, 3).detach(), self.t.randint(0, 4, (5,)))
        self.check(net, given, self.t.tensor(2.0).double(), second=True)

    def test_several_results_and_names_of_python(self, tmp_path: Path) -> None:
        net = module(SEVERAL, "torch", tmp_path, "several_of_test")
        w, v, x = self.randn(3), self.randn(3), self.randn(5, 3)
        self.check(net, (w, v, x), self.randn(5, 3).detach(), self.randn(5).detach())
        _, b = net.apply({"dtype": w, "forward": v}, {"self": x})
        (found,) = self.t.autograd.grad(b.sum(), x)
        assert self.t.allclose(found, (w * v).expand(5, 3))

    def test_a_loop_keeps_what_backward_reads(self, tmp_path: Path) -> None:
        """Forward is computed once: backward has its states, and no other pass is made."""
        net, calls = module(LOOP, "torch", tmp_path, "loop_of_test", along=["hvp"]), []
        given = (self.randn(2, 2), self.randn(3, 4, 2).detach(), self.randn(4, 2).detach())
        self.check(net, given, self.t.tensor(2.0).double(), second=True)
        forward = net.forward
        net.forward = lambda *args: calls.append(1) or forward(*args)
        self.t.autograd.grad(net.forward_op(*given)[0], given[0])
        assert net.KEPT and len(calls) == 1

    @pytest.mark.parametrize("name", zoo.names() if ALL else ["svm-hinge", "window-lm"])
    def test_built_in_models(self, name: str, tmp_path: Path) -> None:
        """All of them with SWEEP=all: PyTorch's checks of both operators, and the gradients of the NumPy module."""
        given = targets.built_in(name)
        net, plain = (module(given.model, wrap, tmp_path, name.replace("-", "_")) for wrap in ("torch", None))
        arrays = {n: self.t.as_tensor(a) for n, a in {**given.params, **given.data}.items()}
        wanted = [arrays[n].requires_grad_() for n in net.SOUGHT]
        found = net.apply({n: arrays[n] for n in net.PARAMS}, {n: arrays[n] for n in net.DATA})
        results = found if isinstance(found, tuple) else (found,)
        upstream = [self.t.full_like(r, 0.5 + k) for k, r in enumerate(results)]
        grads = self.t.autograd.grad(results, wanted, upstream)
        factors = [np.asarray(u)[()] for u in upstream]
        _, cache = plain.forward(given.params, given.data)
        expected = plain.backward(cache, factors[0] if len(factors) == 1 else dict(zip(net.RESULTS, factors,
                                                                                      strict=True)))
        for n, grad in zip(net.SOUGHT, grads, strict=True):
            np.testing.assert_allclose(grad, expected[n], rtol=1e-10, atol=1e-10, err_msg=n)
        self.check_operators(net, tuple(arrays[n].detach() for n in net.NAMES), *upstream)

    def test_precisions_and_data_without_gradients(self, tmp_path: Path) -> None:
        """A gradient has its array's dtype; data have none, even where they ask."""
        net = module(LOSS, "torch", tmp_path, "precisions_of_test")
        W, b = self.randn(3, 4).detach().float().requires_grad_(), self.randn(4).detach().bfloat16().requires_grad_()
        X = self.t.randn(5, 3, requires_grad=True)
        loss = net.apply({"W": W, "b": b}, {"X": X, "y": self.t.randint(0, 4, (5,))})
        loss.backward()
        assert loss.dtype == W.grad.dtype == self.t.float32 and b.grad.dtype == self.t.bfloat16 and X.grad is None

    def test_more_arrays_than_an_operator_takes_are_refused(self) -> None:
        names = ", ".join(f"w{k}" for k in range(63))
        with pytest.raises(UsageError, match="takes 64 arguments at most"):
            codegen(Model.parse(f"param {names}\nloss L = {names.replace(', ', ' + ')}\n"), wrap="torch")

    def test_a_module_learns_in_float32(self, tmp_path: Path) -> None:
        net = module(LOSS, "torch", tmp_path, "learning_of_test").Module(1, D=3, C=4).float()
        assert {n: (*p.shape,) for n, p in net.named_parameters()} == {"W": (3, 4), "b": (4,)}
        data = {"X": self.t.randn(20, 3), "y": self.t.randint(0, 4, (20,))}
        optimizer, losses = self.t.optim.Adam(net.parameters(), lr=0.1), []
        for _ in range(30):
            optimizer.zero_grad()
            loss = net(**data)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert loss.dtype == net.W.grad.dtype == self.t.float32 and losses[-1] < 0.8 * losses[0]


@pytest.mark.oracle
class TestJax:
    @pytest.fixture(autouse=True)
    def jax(self) -> Any:
        self.j = pytest.importorskip("jax")
        with self.j.enable_x64(True):
            yield

    def test_a_loss_under_grad_jit_and_vmap(self, tmp_path: Path) -> None:
        from jax.test_util import check_grads

        net, rng = module(LOSS, "jax", tmp_path), np.random.default_rng(0)
        params = {"W": self.j.numpy.array(rng.normal(size=(3, 4))), "b": self.j.numpy.array(rng.normal(size=4))}
        arrays = {"X": rng.normal(size=(2, 5, 3)), "y": rng.integers(0, 4, (2, 5))}
        data = {k: self.j.numpy.array(a) for k, a in arrays.items()}
        one = {k: a[0] for k, a in data.items()}
        check_grads(lambda p: net.apply(p, one), (params,), order=2, modes=["rev"])
        batched = self.j.jit(self.j.vmap(net.apply, in_axes=(None, 0)))
        check_grads(lambda p: batched(p, data), (params,), order=2, modes=["rev"])
        plain = self.j.grad(lambda p: net.forward(p, one)[0])(params)
        found = self.j.jit(self.j.vmap(self.j.grad(net.apply), in_axes=(None, 0)))(params, data)
        assert all(np.allclose(found[k][0], plain[k], atol=1e-12) for k in params)
        assert not self.j.grad(net.apply, argnums=1, allow_int=True)(params, one)["X"].any()

    @pytest.mark.parametrize(("text", "order"), [(SEVERAL, 2), (LOOP, 2)])
    def test_layers_and_loops(self, text: str, order: int, tmp_path: Path) -> None:
        from jax.test_util import check_grads

        net, rng = module(text, "jax", tmp_path), np.random.default_rng(0)
        sizes = {"N": 2, "D": 3, "T": 3, "H": 2}
        params, data = ({n: self.j.numpy.array(rng.normal(size=[sizes[d] for d in s])) for n, s in table.items()}
                        for table in (net.PARAMS, net.DATA))
        check_grads(lambda p: net.apply(p, data), (params,), order=order, modes=["rev"])
        check_grads(self.j.jit(lambda p: net.apply(p, data)), (params,), order=1, modes=["rev"])
