"""PyTorch's modules as models: what they compute and every gradient are PyTorch's own, for another batch too."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop.codegen import codegen

torch = pytest.importorskip("torch", minversion="2.9")
pytestmark = pytest.mark.oracle

from symbackprop import Model, from_torch  # noqa: E402
from symbackprop.errors import ModelError, UsageError  # noqa: E402
from symbackprop.imported import Imported  # noqa: E402
from tests.imported.modules import MODULES, RMSNorm, WithLoss  # noqa: E402
from tests.sweeps import few_in_ci, sample  # noqa: E402

F, nn = torch.nn.functional, torch.nn


@pytest.fixture(autouse=True)
def in_float64() -> Any:
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def run(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, "module.py", "exec"), names)
    return names


def data_of(imported: Imported, args: tuple[Any, ...]) -> dict[str, Any]:
    """The data of a model with other arguments; buffers stay."""
    given = [k for k in imported.data if k not in imported.weights]
    return imported.data | {k: a.numpy() for k, a in zip(given, args, strict=True)}


def gap(ours: Any, theirs: Any) -> float:
    theirs = theirs.detach().numpy()
    assert np.shape(ours) == theirs.shape
    return float(np.max(np.abs(ours - theirs) / (1 + np.max(np.abs(theirs), initial=0)), initial=0))


def entry(arrays: Mapping[str, Any], name: str) -> Any:
    """An array, or one of those that are stacked: ``W[2]`` is the second."""
    whole, _, place = name.partition("[")
    return arrays[whole][int(place[:-1]) - 1] if place else arrays[whole]


def compare(module: Any, imported: Imported, args: tuple[Any, ...]) -> None:
    """Results and gradients of the emitted module and of PyTorch's, all of them."""
    emitted = run(codegen(imported.model))
    results, cache = emitted["forward"](imported.params, data_of(imported, args))
    results = results if isinstance(results, Mapping) else {"": results}
    theirs = [r for r in torch.utils._pytree.tree_leaves(module(*args)) if r is not None]
    for ours, their in zip(results.values(), theirs, strict=True):
        assert gap(ours, their) < 1e-10
    upstream = {name: torch.randn_like(t) for name, t in zip(results, theirs, strict=True)}
    module.zero_grad()
    torch.autograd.backward(theirs, [*upstream.values()])
    given = {name: u.numpy() for name, u in upstream.items()}
    grads = emitted["backward"](cache, given.get("", given))
    named = {ours.partition("[")[0] for ours in imported.names.values()}
    assert {ours for ours in named if ours in imported.params} == set(imported.params) == set(grads)
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            assert gap(entry(grads, imported.names[name]), parameter.grad) < 1e-10, name


@pytest.mark.parametrize("name", few_in_ci(MODULES, 3))
def test_results_and_all_gradients_are_those_of_pytorch(name: str) -> None:
    module, args = MODULES[name]()
    imported = from_torch(module, args(3))
    assert imported.model.sizes, "the batch is symbolic"
    text = imported.model.text()
    assert Model.parse(text).text() == text
    compare(module, imported, args(4))


class Of(nn.Module):  # type: ignore[misc, name-defined]
    """A function of a parameter."""

    def __init__(self, function: Callable[..., Any], *shape: int) -> None:
        super().__init__()
        self.w, self.function = nn.Parameter(torch.rand(shape) * 0.8 + 0.1), function

    def forward(self, *args: Any) -> Any:
        return self.function(self.w, *args)


@torch.no_grad()  # type: ignore[untyped-decorator]
def stopped(w: Any) -> Any:
    return w.exp() + 1


def written_over(w: Any, x: Any) -> Any:
    y = torch.zeros_like(x)
    y[:, 1:] = x[:, 1:] * w[:, :2]
    y[0] = w[0]
    y[:, -1] += w[2]
    return y


def signs() -> Any:
    return torch.tensor([[1.0, -1, 1], [-1, 1, 1], [1, -1, -1]])


R, U, I = torch.randn, torch.rand, torch.randint  # noqa: E741
LOSSES: dict[str, tuple[Callable[..., Any], Callable[[], tuple[Any, ...]]]] = {
    "classes with weights": (lambda w, y, c: F.cross_entropy(w, y, weight=c), lambda: (I(3, (3,)), U(3))),
    "classes of pixels": (lambda w, y: F.cross_entropy(w.expand(2, 3, 3), y), lambda: (I(3, (2, 3)),)),
    "class that is ignored": (lambda w, y: F.cross_entropy(w, y, ignore_index=1), lambda: (torch.tensor([0, 1, 2]),)),
    "probabilities": (lambda w, y: F.cross_entropy(w, y.softmax(-1), reduction="sum"), lambda: (R(3, 3),)),
    "log likelihood": (lambda w, y: F.nll_loss(F.log_softmax(w, 1), y), lambda: (I(3, (3,)),)),
    "of chosen entries": (lambda w, y: ((w - y)[y > 0] ** 2).mean() + (w * y)[y < 0].sum(), lambda: (R(3, 3),)),
    "absolute": (lambda w, y: nn.L1Loss()(w, y), lambda: (R(3, 3),)),
    "smooth": (lambda w, y: nn.SmoothL1Loss(beta=0.5)(w, y), lambda: (R(3, 3),)),
    "huber": (lambda w, y: nn.HuberLoss(delta=0.7, reduction="sum")(w, y), lambda: (R(3, 3),)),
    "binary": (lambda w, y, c: nn.BCELoss(weight=c)(w, y), lambda: (U(3, 3), U(3))),
    "binary of logits": (lambda w, y, c: F.binary_cross_entropy_with_logits(w, y, pos_weight=c),
                         lambda: (U(3, 3), U(3))),
    "divergence": (lambda w, y: nn.KLDivLoss(reduction="batchmean")(w.log(), y), lambda: (U(3, 3),)),
    "divergence of logarithms": (lambda w, y: nn.KLDivLoss(reduction="sum", log_target=True)(w, y), lambda: (R(3, 3),)),
    "poisson": (lambda w, y: nn.PoissonNLLLoss(log_input=False)(w, y), lambda: (U(3, 3),)),
    "gaussian": (lambda w, y, v: nn.GaussianNLLLoss(full=True)(w, y, v), lambda: (R(3, 3), U(3, 1) + 0.1)),
    "ranking": (lambda w, b, y: nn.MarginRankingLoss(margin=0.2)(w, b, y), lambda: (R(3, 3), signs())),
    "hinge": (lambda w, y: nn.HingeEmbeddingLoss(margin=0.8)(w, y), lambda: (signs(),)),
    "angles": (lambda w, b, y: nn.CosineEmbeddingLoss(margin=0.1)(w, b, y), lambda: (R(3, 3), signs()[0])),
    "margin of classes": (lambda w, y: nn.MultiMarginLoss()(w, y), lambda: (I(3, (3,)),)),
    "several labels": (lambda w, y: nn.MultiLabelSoftMarginLoss()(w, y), lambda: (U(3, 3).round(),)),
    "soft margin": (lambda w, y: nn.SoftMarginLoss()(w, y), lambda: (signs(),)),
    "activations": (lambda w, x: sum(f(w * x).sum() for f in (
        F.hardtanh, F.celu, F.selu, F.mish, F.hardswish, F.logsigmoid, F.softsign, F.relu6, F.tanhshrink, F.silu,
        F.hardshrink, F.softshrink, lambda a: F.softplus(a, beta=2), lambda a: F.glu(torch.cat([a, a**2], -1)),
        lambda a: F.threshold(a, 0.1, 2.0), lambda a: F.prelu(a, torch.tensor(0.2)))), lambda: (R(3, 3),)),
    "statistics": (lambda w, x: (
        w.cumsum(1) + w.var(1, keepdim=True) + w.std(0) + w.norm(dim=1, keepdim=True) + torch.flip(w, [0])
        + torch.roll(w, 1, 0) + w.amax(1, keepdim=True) + w.prod(0) + torch.logsumexp(w, 1, keepdim=True)
        + torch.where(x > 0, w, w**2) + torch.clamp(w * x, -0.5, 0.5) + torch.tril(w)).sum(), lambda: (R(3, 3),)),
    "linear algebra": (lambda w, x: torch.linalg.solve(w @ w.T + torch.eye(3), x).sum() + torch.logdet(
        w @ w.T + 2 * torch.eye(3)) + torch.linalg.inv(w + 3 * torch.eye(3)).trace(), lambda: (R(3, 2),)),
    "images": (lambda w, x: (F.interpolate(x * w, scale_factor=2, mode="bilinear") ** 2).sum()
               + F.instance_norm(x * w).pow(3).sum() + F.pad(x * w, (1, 2)).sum(), lambda: (R(2, 3, 3, 3),)),
    "entries": (lambda w, i: w.gather(1, i).pow(2).sum() + w[i[:, 0]].pow(3).sum(), lambda: (I(3, (3, 2)),)),
    "borders": (lambda w, x: sum((F.pad(x * w, (1, 2, 0, 1), mode=m) * F.pad(x, (1, 2, 0, 1), value=2.0)).sum()
                                 for m in ("reflect", "replicate", "circular"))
                + F.pad(x * w, (1, 0, 2, 1), value=-math.inf).logsumexp((2, 3)).sum(), lambda: (R(1, 1, 3, 3),)),
    "channels": (lambda w, x: F.prelu(x, w[0]).pow(2).sum() + F.rms_norm(w, (3,)).pow(3).sum(),
                 lambda: (R(2, 3, 2, 2),)),
    "made of others": (lambda w, x: torch.hstack([w, x]).pow(2).sum() + torch.addcmul(w, x, w).sum() + F.softplus(
        w * x, 2, 5).sum() + F.cross_entropy(w, x.argmax(1), weight=x[0].abs(), label_smoothing=0.1),
        lambda: (R(3, 3),)),
    "without gradients": (lambda w, x: (w * stopped(w)).sum() + (w.detach() * w * x).sum(dim=[]), lambda: (R(3, 3),)),
    "groups of heads": (lambda w, q, m: F.scaled_dot_product_attention(
        q * w[0], w * q[:, :1], q[:, :1], attn_mask=m > 0, scale=0.3, enable_gqa=True).sum()
        + F.scaled_dot_product_attention(q[:, :, :2] * w[0], q * w, q, is_causal=True).pow(2).sum(),
        lambda: (R(2, 2, 3, 3), torch.eye(3) + 1)),
    "bags": (lambda w, i, c: F.embedding_bag(i, w, per_sample_weights=c, mode="sum").pow(2).sum()
             + F.embedding_bag(i[:, :1], w).pow(3).sum(), lambda: (I(3, (4, 2)), R(4, 2))),
    "classes with all options": (lambda w, y: F.cross_entropy(
        w, y, weight=torch.tensor([1.0, 2, 0.5]), ignore_index=1, label_smoothing=0.1),
        lambda: (torch.tensor([0, 1, 0]),)),
    "volumes": (lambda w, x: F.conv3d(x, w[None, None, :2, :2, None], padding=1, stride=(1, 2, 1)).pow(2).sum()
                + F.conv_transpose3d(x, w[None, None, :2, :2, None], stride=2).pow(2).sum()
                + F.max_pool3d(F.avg_pool3d(x * w, 2, 1), (1, 2, 1)).sum(), lambda: (R(2, 1, 2, 3, 3),)),
    "groups of channels": (lambda w, x: F.conv_transpose2d(
        x, w[:2, :2, None, None] * x[:2, :1], groups=2, stride=2, output_padding=1).pow(2).sum()
        + F.conv2d(x[0], w[None, :2, :2, None]).pow(2).sum(), lambda: (R(3, 2, 3, 3),)),
    "pooling": (lambda w, x: (F.avg_pool2d(x * w, 2, divisor_override=3) * F.max_pool2d(
        x * w, 2, dilation=1)).sum() + F.max_pool2d(x * w, 2, 1, dilation=2).sum(), lambda: (R(2, 1, 3, 3),)),
    "sizes that are rounded": (lambda w, x: F.interpolate(x * w, scale_factor=1.7, mode="bilinear").pow(2).sum()
                               + F.local_response_norm(x * w, 3).sum(), lambda: (R(2, 2, 3, 3),)),
    "writing over": (lambda w, x: written_over(w, x).pow(2).sum() + x[:, [-1]].mul(w[[-1, 0]][:, None]).sum(),
                     lambda: (R(3, 3),)),
    "order": (lambda w, x: (w * x).median(dim=1).values.pow(2).sum() + (w * x).kthvalue(2, dim=0, keepdim=True)[0].sum()
              + torch.cummax(w * x, 1)[0].sum() + torch.cummin(w, 0).values.pow(2).sum(), lambda: (R(3, 3),)),
    "pairs": (lambda w, x, y: F.bilinear(x, y, w[None].expand(2, 3, 3), w[0, :2]).pow(2).sum()
              + torch.copysign(w, x).sum(), lambda: (R(3, 3), R(3, 3))),
    "truth": (lambda w, x: (w * torch.logical_xor(x > 0, x > 1) + w * ((x > 0) & ~torch.isnan(x))
                            + w**2 * torch.logical_and(x, 3 * x) + torch.logical_or(x, -x) * w**3).pow(2).sum(),
              lambda: (R(3, 3),)),
    "sequences of several lengths": (
        lambda w, x, y, n: F.ctc_loss((x * w[0]).log_softmax(-1), y.flatten()[:3], (4, 3), (2, 1), reduction="sum")
        + F.ctc_loss((x * w[1]).log_softmax(-1), y, n, n, zero_infinity=True)
        + nn.CTCLoss()((x[:, 0] + w[0]).log_softmax(-1), y[0], n[1:], n[1:]),
        lambda: (R(4, 2, 3).mul(0.5), I(1, 3, (2, 2)), torch.tensor([1, 2]))),
    "whole numbers": (lambda w, x: (w * (x * 2).long()).sum() + (w * (x > 0).double()).sum(), lambda: (R(3, 3),)),
}


@pytest.mark.parametrize("name", sample(LOSSES, 4))
def test_losses_with_their_options(name: str) -> None:
    function, arguments = LOSSES[name]
    module, args = Of(function, 3, 3), arguments()
    compare(module, from_torch(module, args), args)


def net() -> Any:
    return WithLoss(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), nn.CrossEntropyLoss())


class InAnyOrder(nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(R(3))

    def forward(self, x: Any) -> Any:
        a = torch.tanh(self.w * x)
        b = torch.sin(a)
        c = a * b
        return c, a, b, a, c.exp()


def test_results_stand_as_they_are_returned() -> None:
    module, args = InAnyOrder(), (R(2, 3),)
    compare(module, from_torch(module, args), args)


def test_arguments_that_a_module_does_not_take_are_told() -> None:
    with pytest.raises(UsageError, match="Linear is not called with the 2 arguments that are given: too many"):
        from_torch(nn.Linear(3, 2), (R(4, 3), R(2)))


def test_axes_have_the_users_names() -> None:
    batch = {0: torch.export.Dim("batch")}
    imported = from_torch(net(), (R(5, 4), I(3, (5,))), dynamic_shapes={"x": batch, "y": batch})
    assert [*imported.model.sizes] == ["batch"]


def test_parameters_have_short_names_or_those_asked_for() -> None:
    imported = from_torch(net(), (R(5, 4), I(3, (5,))), rename={"net.0.weight": "A"})
    assert imported.names == {"net.0.weight": "A", "net.0.bias": "b1", "net.2.weight": "W2", "net.2.bias": "b2"}
    assert imported.params.keys() == {"A", "b1", "W2", "b2"} and imported.data.keys() == {"x", "y"}
    assert np.array_equal(imported.weights["A"], imported.params["A"])


class Named(nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 2)

    def forward(self, t: Any) -> Any:
        return self.rnn(t)[0].diagonal(dim1=0, dim2=1)


def test_a_sequence_may_have_the_name_of_a_counter() -> None:
    module, args = Named(), (R(4, 4, 3),)
    imported = from_torch(module, args)
    assert "for t1 in 1..T:" in imported.model.text() or "for t1 in 1..4:" in imported.model.text()
    compare(module, imported, args)


def test_the_example_says_that_all_gradients_are_pytorchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples"))
    assert importlib.import_module("import_gpt").main() is True


def test_axes_that_have_to_be_alike_share_a_dimension() -> None:
    module = Of(lambda w, x, i: (x @ w).gather(1, i[:, None]).squeeze(1).pow(2).sum() + i.sum() * 0, 3, 3)
    imported = from_torch(module, (R(5, 3), I(3, (5,))))
    assert [*imported.model.sizes] == ["N"]


def test_a_tied_weight_is_one_parameter() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    module[2].weight = module[0].weight
    imported = from_torch(module, R(5, 4))
    assert imported.names == {"0.weight": "W1", "0.bias": "b1", "2.bias": "b2"} and len(imported.params) == 3


def test_a_parameter_that_is_frozen_is_data() -> None:
    module = nn.Sequential(nn.Linear(4, 3), RMSNorm(3))
    module[0].weight.requires_grad_(False)
    imported = from_torch(module, R(5, 4))
    assert imported.params.keys() == {"b1", "g2"} and "W1" in imported.data


class Refused(nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        h = F.rrelu(self.fc(x), training=True)
        return h + torch.fft.rfft(self.fc(x)).abs().sum()


def test_all_that_is_refused_is_told_with_operator_line_and_what_to_write() -> None:
    with pytest.raises(ModelError) as found:
        from_torch(Refused(), R(5, 4))
    told = found.value.told().splitlines()
    line = Refused.forward.__code__.co_firstlineno
    assert len(told) == 2
    assert f"test_torch.py:{line + 1}: model error: aten.rrelu.default: it is random" in told[0]
    assert f"test_torch.py:{line + 2}: model error: aten.fft_rfft.default: there are no complex numbers" in told[1]


REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "a mask of values": (lambda w, x: torch.sort((x * w)[x > 0])[0].sum(), r"write where\(.*, 0\)"),
    "places of values": (lambda w, x: torch.nonzero(x).sum() * w, "nonzero.*: what it gives depends on values"),
    "a decision": (lambda w, x: w if x.sum() > 0 else x, "values decide here: write torch.where"),
    "a number": (lambda w, x: w * x.max().item(), "a number that values decide.*: leave it an array"),
    "an array of NumPy's": (lambda w, x: w * torch.from_numpy(x.numpy()), "write it with torch's functions"),
    "complex numbers": (lambda w, x: torch.view_as_complex(x.view(-1, 2)).abs() * w.sum(), "real and imaginary parts"),
    "sparse arrays": (lambda w, x: torch.sparse.mm(x.to_sparse(), w), "arrays are dense here"),
    "bits": (lambda w, x: w[torch.bitwise_and((x > 0).long(), 1)], "bits of integers are none here"),
    "places that count from below 0": (lambda w, x, i: w[i], "i_0 holds -1.*|.* holds -1, and integers count from 0"),
    "labels that end where data says": (lambda w, x, i: F.ctc_loss(w[:, None, None].log_softmax(-1), i, i[:1], i[:1]),
                                        "give ctc_loss a row of targets for every sequence"),
    "packed sequences": (lambda w, x, i: nn.utils.rnn.pack_padded_sequence(x * w, i, batch_first=True).data,
                         "packed sequences cannot be read: give padded arrays, and a mask"),
    "gradients by how often": (lambda w, x, i: F.embedding(i, w, scale_grad_by_freq=True), "scale_grad_by_freq"),
    "a table that changes": (lambda w, x, i: F.embedding(i + 1, w, max_norm=1.0), "scale its rows in forward"),
    "a bag without a row": (lambda w, x, i: F.embedding_bag(i[None], w, padding_idx=0), "a bag with padding_idx"),
    "numbers that are no places": (lambda w, x: w + torch.tensor([-2, -1, 0, 1]), "holds -2, and integers count"),
    "such that are computed": (lambda w, x: w[:, None] + (torch.arange(-4, 0).double() * 1.5).long(), "holds -6, and"),
    "bits turned": (lambda w, x, i: w * ~i, "bits of integers are none here"),
    "bags of unequal sizes": (lambda w, x, i: F.embedding_bag(i + 1, w, torch.tensor([0, 2])), "bags of unequal sizes"),
}


@pytest.mark.parametrize("name", sample(REFUSED, 4))
def test_what_cannot_be_read_is_refused_with_what_to_write(name: str) -> None:
    function, says = REFUSED[name]
    module = Of(function, 4, 4)
    arguments = (R(4, 4), torch.tensor([2, 1, 1, -1 if "below" in name else 1]))
    taken = arguments[: function.__code__.co_argcount - 1]
    with pytest.raises(ModelError, match=says):
        from_torch(module, taken)


class Straight(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.sign()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad


class OwnBackward(nn.Module):  # type: ignore[misc, name-defined]
    def forward(self, x: Any) -> Any:
        return Straight.apply(x)


def test_a_backward_pass_of_ones_own_is_refused() -> None:
    line = OwnBackward.forward.__code__.co_firstlineno + 1
    with pytest.raises(ModelError, match=rf"test_torch.py:{line}: .*Straight is a torch.autograd.Function"):
        from_torch(OwnBackward(), R(5, 4))


class Decides(nn.Module):  # type: ignore[misc, name-defined]
    def forward(self, x: Any) -> Any:
        return x if x.sum() > 0 else -x


def test_what_cannot_be_exported_is_told_with_its_line(capfd: pytest.CaptureFixture[str]) -> None:
    line = Decides.forward.__code__.co_firstlineno + 1
    with pytest.raises(ModelError, match=rf"test_torch.py:{line}: .*write torch.where"):
        from_torch(Decides(), R(5, 4))
    assert capfd.readouterr() == ("", "")


def test_dropout_in_training_is_refused() -> None:
    with pytest.raises(ModelError, match=r"dropout is random: call .eval\(\) on the module"):
        from_torch(nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)), R(5, 4))
