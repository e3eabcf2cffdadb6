"""PyTorch's OpInfo: what its own tests call every function with. Values and gradients of each call that is
differentiable in float64, against those of an emitted module of the same composition."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from symbackprop.core.functions import FUNCTIONS
from tests.conformance.expressed import Differs, Session, agree
from tests.conformance.frame import Case, NotApplicable, NotExpressible, Suite
from tests.conformance.torch_calls import composition, not_applicable

MOST = 6  # calls of a variant


def _names() -> dict[str, list[Any]]:
    import torch
    from torch.testing._internal.common_methods_invocations import op_db

    found: dict[str, list[Any]] = {}
    for op in op_db:
        if op.supports_autograd and torch.float64 in op.dtypes:
            found.setdefault(op.name, []).append(op)
    return found


def _samples(ops: list[Any], limit: int | None) -> Iterator[tuple[Any, Any]]:
    """The calls of every variant; at most so many of each, evenly chosen."""
    import torch

    for op in ops:
        torch.manual_seed(0)
        random.seed(0)
        samples = list(op.sample_inputs("cpu", torch.float64, requires_grad=True))
        step = max(1.0, len(samples) / limit) if limit else 1
        yield from [(op, samples[int(k * step)].transform(_whole)) for k in range(int(len(samples) / step + 1e-9))]


def _whole(value: Any) -> Any:
    """A tensor that PyTorch's tests give in float32 beside others of float64, in float64."""
    import torch

    half = isinstance(value, torch.Tensor) and value.dtype == torch.float32
    return value.detach().double().requires_grad_(value.requires_grad) if half else value


def _tensors(value: Any) -> list[Any]:
    import torch

    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in _tensors(v)]
    if isinstance(value, dict):
        return [t for v in value.values() for t in _tensors(v)]
    return []


def _expected(op: Any, sample: Any) -> tuple[list[Any], list[np.ndarray], list[Any], list[bool]]:
    """PyTorch's outputs, upstream gradients for them, its gradients of the inputs that want one, and which outputs it
    differentiates."""
    import torch

    wanted = [t for t in _tensors([sample.input, sample.args, sample.kwargs]) if t.requires_grad]
    result = sample.output_process_fn_grad(_called(op, sample))
    shown = _shown(op, sample)
    if shown is not None:
        result = torch.where(shown, result, 0)
    outputs = [t for t in _tensors(result)]
    outputs = [part for t in outputs for part in ((t.real, t.imag) if t.is_complex() else (t,))]
    if any(t.layout != torch.strided for t in outputs):
        raise NotApplicable("sparse arrays")
    if any(t.dtype in (torch.float32, torch.float16, torch.bfloat16) for t in outputs):
        raise NotApplicable("another precision")
    outputs = [t for t in outputs if t.dtype == torch.float64]
    draw = np.random.default_rng(0)
    upstream = [np.asarray(draw.uniform(0.5, 1.5, tuple(t.shape))) for t in outputs]
    pairs = [(t, torch.from_numpy(u)) for t, u in zip(outputs, upstream, strict=True) if t.requires_grad]
    if pairs and wanted:
        grads = torch.autograd.grad([t for t, _ in pairs], wanted, [u for _, u in pairs], allow_unused=True)
    else:
        grads = [None] * len(wanted)
    full = [torch.zeros_like(t) if g is None else g for t, g in zip(wanted, grads, strict=True)]
    values = [t.detach().numpy(force=True) for t in outputs]
    return values, upstream, [g.detach().numpy(force=True) for g in full], [t.requires_grad for t in outputs]


def _called(op: Any, sample: Any) -> Any:
    """PyTorch's result, of matrices that are symmetric or triangular where it takes them to be so."""
    name = getattr(op.gradcheck_wrapper, "__name__", "")
    args = [sample.input, *sample.args]
    if name == "gradcheck_wrapper_hermitian_input":
        args[0] = args[0] + args[0].mH
    place = {"cholesky_inverse": 0, "cholesky_solve": 1}.get(op.name)
    if place is not None:
        args[place] = args[place].triu() if sample.kwargs.get("upper", False) else args[place].tril()
    if op.name == "nn.functional.ctc_loss":
        args[0] = args[0].log_softmax(2)
    return op(*args, **sample.kwargs)


def _shown(op: Any, sample: Any) -> Any:
    """Which entries of a masked function's result are defined; None where all are."""
    import torch

    options = dict(sample.kwargs)
    if op.name == "masked.logaddexp" and options.get("input_mask") is not None:
        both = torch.logical_and(options.pop("input_mask"), options.pop("other_mask"))
        return torch.masked._input_mask(sample.input, *sample.args, mask=both)
    if not op.name.startswith("masked.") or options.get("mask") is None:
        return None
    return torch.masked._output_mask(op.op, sample.input, *sample.args, **options)


def _rows(session: Session, value: Any) -> Any:
    """The arguments with rows for tensors."""
    import torch

    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided:
            raise NotApplicable("sparse arrays")
        if value.is_complex():
            raise NotApplicable("complex numbers")
        return session.leaf(value.detach().numpy(), value.requires_grad)
    if isinstance(value, (list, tuple)):
        return type(value)(_rows(session, v) for v in value) if type(value) in (list, tuple) else value
    if isinstance(value, dict):
        return {k: _rows(session, v) for k, v in value.items()}
    return value


def _flat(result: Any) -> list[Any]:
    if isinstance(result, (list, tuple)):
        return [r for part in result for r in _flat(part)]
    return [] if result is None else [result]


def check(op: Any, sample: Any, target: str = "numpy") -> None:
    """Values and gradients of one call. Raises `Differs`, or what the frame knows."""
    call = composition(op, sample)
    wanted = [t.requires_grad for t in _tensors([sample.input, sample.args, sample.kwargs])]
    session = Session()
    session.name, session.process = f"{op.name}.{op.variant_test_name}", sample.output_process_fn_grad.__name__
    input_, args, options = (_rows(session, v) for v in (sample.input, sample.args, sample.kwargs))
    values, upstream, grads, sloped = _expected(op, sample)
    names = [n for n, w in zip(session.arrays, wanted, strict=True) if w]
    outputs = _flat(call(session, input_, *args, **options))
    shown = _shown(op, sample)
    if shown is not None:
        outputs = [FUNCTIONS["where"](session.given(shown.numpy()), y, 0) for y in outputs]
    if not outputs and not values:
        return
    if len(outputs) != len(values):
        raise Differs(f"{len(outputs)} results, not {len(values)}")
    graph = session.model.graph
    rows = [graph.lift(y) for y in outputs]
    held = [y if differs or y.kind != "float" else FUNCTIONS["stop_gradient"](y)
            for y, differs in zip(rows, sloped, strict=True)]
    ours, slopes = session.run(held, upstream, target)
    for k, (y, expected) in enumerate(zip(ours, values, strict=True)):
        agree(f"value {k}", y, expected)
    for n, expected in zip(names, grads, strict=True):
        agree(f"gradient of {n}", slopes[n], expected)


def _said(sample: Any) -> str:
    """The arguments of a call, tensors by their shapes."""
    def said(value: Any) -> str:
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(map(said, value))}]"
        return str(tuple(value.shape)) if _tensors(value) else str(value)

    options = [f"{k}={said(v)}" for k, v in sample.kwargs.items()]
    return ", ".join([said(sample.input), *map(said, sample.args), *options])


def _of_name(name: str, ops: list[Any], most: int) -> Case:
    """All calls of a function as one check: at most ``most`` of each of its variants, evenly chosen."""
    def check_all() -> str:
        if why := not_applicable(name):
            raise NotApplicable(why)
        passed, skipped = 0, dict[str, int]()
        kinds: dict[str, type[Exception]] = {}
        for op, sample in _samples(ops, most):
            try:
                check(op, sample)
                passed += 1
            except (NotApplicable, NotExpressible) as reason:
                kinds[str(reason)] = type(reason)
                skipped[str(reason)] = skipped.get(str(reason), 0) + 1
            except Exception as error:
                raise Differs(f"{op.variant_test_name} {_said(sample)}: {type(error).__name__}: {error}") from error
        if not passed:
            reason = next(iter(skipped))
            raise kinds[reason](reason)
        return "; ".join([f"some calls not {'expressible' if kinds[r] is NotExpressible else 'applicable'}: {r}"
                          for r in skipped])

    return Case(name, check_all)


def cases(most: int = MOST) -> list[Case]:
    """A check for every function that PyTorch differentiates."""
    return [_of_name(name, ops, most) for name, ops in _names().items()]


SUITE = Suite(
    title="PyTorch: OpInfo",
    source=(
        "Every function of `torch.testing._internal.common_methods_invocations.op_db` that PyTorch differentiates in "
        "float64, called as its own tests call it (at most "
        f"{MOST} calls of each variant, evenly chosen); values and gradients of an emitted module of the same "
        "composition against PyTorch's. What PyTorch does not differentiate is held constant; matrices are symmetric "
        "or triangular where PyTorch takes them to be so; what masks and lengths choose is given as integer data."
    ),
    cases=cases,
    sample=4,
    needs=("torch", "expecttest"),
)
