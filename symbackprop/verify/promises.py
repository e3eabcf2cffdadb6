"""What the module contract promises beside right gradients; every broken promise is one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, TypeAlias

import numpy as np

from symbackprop.apart.files import CallFailed
from symbackprop.apart.libraries import precision
from symbackprop.core.graph import INT, Node
from symbackprop.core.shapes import Dim, Shape, dim_text, evaluate_dim
from symbackprop.errors import ModelError
from symbackprop.model.model import Model
from symbackprop.verify.calls import (
    SAME,
    SAME_SINGLE,
    differences,
    independent,
    layouts,
    one_cache,
    threads,
    unchanged,
    workspaces,
)
from symbackprop.verify.initial import initial_values
from symbackprop.verify.interpreter import Sizes, Watch, magnitude
from symbackprop.verify.lines import line_of
from symbackprop.verify.module import Candidate, Outcome, as_given, call, numbers, refused, tried
from symbackprop.verify.optimizers import optimizer
from symbackprop.verify.rounding import DOUBLE, SINGLE, Rounding, of_value
from symbackprop.verify.sampling import Sample, in_single, named_values
from symbackprop.verify.single import held_in_single
from symbackprop.verify.values import checked_values, infer_sizes

# -- what a module states about itself, in constants, against its own MODEL
DTYPES = (np.float32, np.float64)


def constants(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """One sentence for each constant that is missing, or says something else than MODEL, and for missing functions."""
    module, right = candidate.module, expected(candidate.model)
    for name, value in right.items():
        if hasattr(module, name):
            yield from _compared(candidate, name, getattr(module, name), value)
        elif candidate.states_arrays:
            yield f"the module has no {name}, which is {value!r:.60} by its MODEL"
    if candidate.states_arrays:
        if candidate.has("update") and not hasattr(module, "OPTIMIZER"):
            yield "the module has update, but no OPTIMIZER that says by which rule"
        wanted = ("outputs", "init_params", *(["loss_and_grads"] if candidate.is_loss else []))
        yield from [f"the module has no function {name}" for name in wanted if not candidate.has(name)]
    dtype = getattr(module, "DTYPE", np.float64)
    if precision(dtype) not in DTYPES:
        yield f"DTYPE is {dtype!r:.60}, expected float32 or float64{line_of(module, 'DTYPE')}"


def expected(model: Model) -> dict[str, Any]:
    """The constants by name, as MODEL has them."""
    params = {n: _shape(r.shape) for n, r in model.params.items()}
    data = {n: _shape(r.shape) for n, r in model.leaves().items() if n not in params}
    bounds = {n: _dim(r.attr.below) for n, r in model.leaves().items() if r.kind == INT}
    found = {"NAME": model.name, "PARAMS": params, "DATA": data, "DIMS": dict(model.sizes), "INTEGERS": bounds}
    if model.loss_row is not None:
        return {**found, "LOSS": model.loss_row.name}
    return {**found, "LOSS": None, "OUTPUTS": tuple(model.output_rows)}


def _shape(shape: Shape) -> tuple[str | int, ...]:
    return tuple([_dim(d) for d in shape])


def _dim(d: Dim) -> str | int:
    return int(d) if d.is_Integer else dim_text(d)


def _compared(candidate: Candidate, name: str, found: Any, right: Any) -> Iterator[str]:
    if not isinstance(right, dict) or not isinstance(found, Mapping):
        if found != right:
            yield f"{name} is {found!r:.60}, expected {right!r:.60}: so MODEL has it{line_of(candidate.module, name)}"
        return
    for key in [*right, *[k for k in found if k not in right]]:
        if key not in right or key not in found or found[key] != right[key]:
            said = f"is {found[key]!r:.60}" if key in found else "is missing"
            wanted = f"expected {right[key]!r:.60}" if key in right else "which the model does not have"
            yield f"{name}: {key} {said}, {wanted}: so MODEL has it{line_of(candidate.module, name)}"
            return


Arrays: TypeAlias = Mapping[str, Any]


def broken_promises(candidate: Candidate, sample: Sample, outcome: Outcome, first: bool) -> list[str]:
    """Every broken promise on one sample, for which the module has already given ``outcome``; where this is not the
    first one, of those that other points may show to be broken."""
    found: list[str] = []
    for check in SUBJECT if first else [_intermediates]:
        try:
            found += check(candidate, sample, outcome)
        except CallFailed as failure:
            found.append(f"{SUBJECT[check]}: {failure}")
    return found


def _loss_and_grads(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    if not candidate.is_loss or not candidate.has("loss_and_grads"):
        return
    found = candidate.ask("loss_and_grads", *candidate.inputs(sample), sample)
    loss, grads = candidate.pair(found, "loss_and_grads")
    gradients = candidate.mapping("loss_and_grads", grads)
    yield from differences(candidate.named(loss), outcome.results, "loss_and_grads and forward differ in {}")
    yield from differences(gradients, outcome.gradients, "loss_and_grads and backward differ in {}")


def _intermediates(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """The first intermediate that is wrong: those after it only follow."""
    if not candidate.has("outputs"):
        return
    found = candidate.mapping("outputs", candidate.ask("outputs", *candidate.inputs(sample), sample), "a dict")
    for name, value in named_values(candidate.model, candidate.intermediates, sample).items():
        value = _once(value, found.get(name)) if name not in candidate.model.equations else value
        expected = {name: _where_finite(value, found.get(name))}
        message = "outputs()[{!r}] differs from what the model says it is"
        if any(differences(found, expected, message)):
            off = _rounded(candidate, sample, name, value, DOUBLE)
            said = list(differences(found, expected, message, max(SAME, off)))
            yield from said[:1]
            if said:
                return


def _once(value: Any, found: Any) -> Any:
    """What no step of a loop changes may stand there once."""
    once = np.ndim(value) == np.ndim(found) + 1 and len(value) and bool(np.all(value == value[0]))
    return value[0] if once else value


def _where_finite(value: Any, found: Any) -> Any:
    """What is right where the interpreter knows it: a module may compute without an overflow what it cannot."""
    ours = numbers(found)
    return value if ours is None or ours.shape != np.shape(value) else np.where(np.isfinite(value), value, ours)


def _rounded(candidate: Candidate, sample: Sample, name: str, value: Any, eps: float) -> float:
    """How far off rounding may leave an intermediate or a result, beside its size."""
    rows = {**candidate.intermediates, **{row.name or "": row for row in candidate.model.results()}}

    def run(change: Watch) -> Any:
        return named_values(candidate.model, {name: rows[name]}, sample, change)[name]

    off = of_value(run, value, Rounding(eps, np.random.default_rng(0)))
    return off / magnitude(value, np.isfinite(value))


def _plain_floats(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """Scalars may be Python floats, which a module takes to be of its own precision: all of them, or one."""
    scalars = [n for n, v in sample.values.items() if v.ndim == 0]
    for names in [scalars[:k] for k in sorted({1, len(scalars)})] if scalars else ():
        params, data = ({n: v.item() if n in names else v for n, v in x.items()} for x in candidate.inputs(sample))
        found, within = candidate.run_on(params, data, sample), _within(candidate)
        yield from differences(found.results, outcome.results, "on plain floats {} differs", within)
        yield from differences(found.gradients, outcome.gradients, "on plain floats the gradient of {} differs", within)


def _lists(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """Arrays may be lists, and integers of any size, where a module states what it takes."""
    if not candidate.states_arrays:
        return
    params, data = candidate.inputs(sample)
    dtype, values = candidate.dtype, sample.values
    lists = {n: v.tolist() for n, v in values.items()}
    small = {n: v.astype(np.int16) if v.dtype.kind == "i" else v for n, v in values.items()}
    for what, given in (("lists", lists), ("small integers", small)):
        found = candidate.run_on({n: given[n] for n in params}, {n: given[n] for n in data}, sample)
        within = _within(candidate) if what == "lists" else SAME
        yield from differences(found.results, outcome.results, f"on {what} {{}} differs", within)
        message = f"on {what} the gradient of {{}} differs"
        yield from differences(found.gradients, outcome.gradients, message, within)
        for name in [n for n in found.gradients if n in lists] if what == "lists" else ():
            if np.asarray(found.gradients[name]).dtype != dtype:
                yield f"on lists the gradient of {name} is {np.asarray(found.gradients[name]).dtype}, expected {dtype}"


def _within(candidate: Candidate) -> float:
    """How well results agree that are computed in the module's own dtype."""
    return SAME_SINGLE if candidate.dtype == np.float32 else SAME


def _precisions(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """Arrays of several precisions are computed in the widest, float16 in float32; a gradient comes back in the dtype
    of its array. (Not tried on arrays of JAX: each precision is compiled anew.) What no float32 holds is infinite
    there, and not compared."""
    floats = [n for n, v in sample.values.items() if v.dtype.kind == "f"]
    of_jax = any(type(v).__module__ != "numpy" for v in outcome.gradients.values())
    if not floats or not candidate.states_arrays or of_jax:
        return
    mixed = {n: np.float64 if k else np.float32 for k, n in enumerate(floats)}
    for dtypes, wide in ((dict.fromkeys(floats, np.float16), np.float32), (mixed, max(mixed.values(), key=_bytes))):
        given = {n: v.astype(dtypes.get(n, v.dtype)) for n, v in sample.values.items()}
        found = candidate.run(Sample(sample.sizes, given, sample.upstream))
        shown = "float16" if wide is np.float32 and wide not in mixed.values() else "arrays of several precisions"
        for name, dtype in dtypes.items():
            gradient = found.gradients.get(name)
            if gradient is not None and np.asarray(gradient).dtype != dtype:
                yield f"on {shown} the gradient of {name} is {np.asarray(gradient).dtype}, {name} {np.dtype(dtype)}"
        for name, value in found.results.items():
            if np.asarray(value).dtype not in (wide, np.int64, np.bool_):
                yield f"on {shown} {name} is {np.asarray(value).dtype}, expected {np.dtype(wide)}"
        exact = {n: v.astype(np.float64) if n in dtypes else v for n, v in given.items()}
        doubles = Sample(sample.sizes, exact, sample.upstream)
        held, expected = held_in_single(candidate.model, doubles), candidate.run(doubles)
        for name in [n for n in expected.results if n in held]:
            ours, right = ({name: o.results[name]} for o in (found, expected))
            if any(differences(ours, right, "", SAME_SINGLE)):
                off = _rounded(candidate, doubles, name, right[name], SINGLE if wide is np.float32 else DOUBLE)
                yield from differences(ours, right, f"on {shown} {{}} differs", max(SAME_SINGLE, off))


def _bytes(dtype: Any) -> int:
    return int(np.dtype(dtype).itemsize)


def _whole_numbers(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """Integers where floats are declared are taken as floats of the module's dtype."""
    if not candidate.states_arrays or _within(candidate) != SAME:
        return
    whole = {n: np.round(3 * v).astype(np.int8) if v.dtype.kind == "f" else v for n, v in sample.values.items()}
    floats = {n: v.astype(np.float64) if v.dtype == np.int8 else v for n, v in whole.items()}
    try:
        right = candidate.run(Sample(sample.sizes, floats, sample.upstream))
    except CallFailed:  # on the same numbers as floats: no matter of integers, such as a matrix without an inverse
        return
    found = candidate.run(Sample(sample.sizes, whole, sample.upstream))
    yield from differences(found.results, right.results, "on integers {} is not what it is on the same floats")
    yield from differences(found.gradients, right.gradients, "on integers the gradient of {} is another one")


def _truth_values(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """True and False where integers are declared are 1 and 0."""
    bits = {n: v % 2 for n, v in sample.values.items() if v.dtype.kind == "i"}
    if not candidate.states_arrays or not bits or candidate.compiles:
        return
    kinds = ({n: v.astype(t) for n, v in bits.items()} for t in (bool, np.int64))
    found, right = (candidate.run(Sample(sample.sizes, {**sample.values, **v}, sample.upstream)) for v in kinds)
    yield from differences(found.results, right.results, "on truth values {} is not what it is on 0 and 1")
    yield from differences(found.gradients, right.gradients, "on truth values the gradient of {} is another one")


def _told_sizes(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """All sizes may be told; another one than an array shows is refused, and so is what is no size."""
    if not candidate.states_arrays or not candidate.takes_dims("forward"):
        return
    given, hidden = candidate.inputs(sample), candidate.hidden(sample)
    told = [n for n in ("forward", "outputs", "loss_and_grads", "make_workspace") if candidate.takes_dims(n)]
    for name in [n for n in told if n != "make_workspace"]:
        found, untold = (call(candidate.module, name, *given, dims=dims) for dims in (dict(sample.sizes), hidden))
        results, expected = (r if name == "outputs" else candidate.named(r[0]) for r in (found, untold))
        message = f"{name} with the sizes told that its arrays show: {{}} differs"
        yield from differences(results, {n: v for n, v in expected.items() if n in results}, message)
    if all(size == candidate.model.sizes[name] for name, size in hidden.items()):
        for dims in (None, dict([*sample.sizes.items()][:1])):
            found = call(candidate.module, "forward", *given, dims=dims)
            shown = str(dims).replace("{", "{{").replace("}", "}}")
            message = f"forward with dims={shown} and with all sizes told: {{}} differs"
            yield from differences(candidate.named(found[0]), outcome.results, message)
    for name in told:
        if not refused({"no_size"}, call, candidate.module, name, *given, dims={**hidden, "no_size": 4}):
            yield f"{name} does not refuse a size that the model does not have: its check is missing"
    for name in tried(list(sample.sizes)):
        for wrong in (*([] if name in hidden else [sample.sizes[name] + 1]), -1, 2.5):
            size_told: dict[str, Any] = {**hidden, name: wrong}
            if not refused({name}, call, candidate.module, "forward", *given, dims=size_told):
                yield f"forward does not refuse dims={size_told} with a ValueError that says so: its check is missing"
    for no_dict in ("N", 4):
        if not refused({"dims"}, call, candidate.module, "forward", *given, dims=no_dict):
            yield f"forward does not refuse dims={no_dict} with a ValueError that says so: its check is missing"


def _dtype(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """float32 in, float32 through, but for scalars: NumPy 1 computes them with scalars in float64."""
    found = candidate.run(in_single(sample))
    wide = [
        name
        for name, row in candidate.targets.items()
        if row.ndim and getattr(found.gradients.get(name), "dtype", np.float32) != np.float32
    ]
    if wide:
        yield f"on float32 inputs the gradients of {', '.join(wide)} are not float32"
    single = in_single(sample)
    if candidate.has("outputs") and any(v.dtype == np.float32 for v in single.values.values()):
        values = candidate.mapping("outputs", candidate.ask("outputs", *candidate.inputs(single), single), "a dict")
        wide = [n for n, v in values.items() if np.ndim(v) and np.asarray(v).dtype == np.float64]
        if wide:
            yield f"on float32 inputs outputs() has {', '.join(wide)} in float64"


def _refusals(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """A module that states PARAMS and DATA refuses arrays that are not as they say, by a ValueError that names one;
    right after a call that was right too, of which a module may remember what it checked."""
    if not candidate.states_arrays:
        return
    candidate.ask("forward", *candidate.inputs(sample), sample)
    taken: dict[str, list[str]] = {}
    for name, wrong, values in _misfits(candidate, sample):
        if not _refused(candidate, sample, values, name):
            taken.setdefault(wrong, []).append(name)
    for wrong, names in taken.items():
        yield f"forward does not refuse {', '.join(names)} {wrong} with a ValueError that says so: its check is missing"


def _upstream(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """So does backward refuse an upstream gradient that is none of the result."""
    if not candidate.states_arrays:
        return
    cache = candidate.pair(candidate.ask("forward", *candidate.inputs(sample), sample))[1]
    right = {candidate.results[0]: np.ones(())} if candidate.is_loss else dict(sample.upstream)
    for name, array in right.items():
        text = [] if candidate.is_loss else [("of text", np.full(array.shape, "x"))]
        for what, wrong in [("with an axis too many", np.stack([array, array])), *text]:
            given = {**right, name: wrong}
            seed = given[name] if len(right) == 1 else given
            if not refused({"upstream", name}, candidate.backward, cache, seed):
                yield f"backward does not refuse an upstream gradient of {name} {what} with a ValueError that says so"


def _misfits(candidate: Candidate, sample: Sample) -> Iterator[tuple[str, str, Arrays]]:
    """(name, what is wrong with that array, all values): one array at a time is missing, or not as declared."""
    values, leaves, known = sample.values, candidate.model.leaves(), candidate.hidden(sample)
    for name in tried(list(leaves)):
        leaf = leaves[name]
        yield name, "missing", {n: v for n, v in values.items() if n != name}
        other = next(f"{name}{'_' * k}" for k in count(1) if f"{name}{'_' * k}" not in leaves)
        yield other, "beside what the model has", {**values, other: values[name]}
        yield name, "of complex numbers", {**values, name: values[name] * 1j}
        yield name, "of text", {**values, name: np.full(np.shape(values[name]), "x")}
        yield name, "that are a word", {**values, name: "x"}
        for wrong, new in _spoiled(leaf, values[name], sample.sizes):
            given = {**values, name: new}
            try:
                checked_values(leaves.values(), given, infer_sizes(leaves.values(), given, known))
            except ModelError:
                yield name, wrong, given


def _spoiled(leaf: Node, array: Any, sizes: Sizes) -> Iterator[tuple[str, Any]]:
    """An array that may not be as its leaf declares, with what is wrong then."""
    yield "with an axis too many", array[None]
    if array.ndim:
        yield "with an axis too few", array[0]
    for axis, size in enumerate(array.shape):
        for other in (1, size + 1):
            yield f"of another size along axis {axis}", np.take(array, range(other), axis, mode="wrap")
    if leaf.kind == INT:
        yield "with fractions", array + 0.5
        for entry in (-1, evaluate_dim(leaf.attr.below, sizes)):
            yield "with an entry out of range", np.where(np.arange(array.size).reshape(array.shape) == 0, entry, array)


def _refused(candidate: Candidate, sample: Sample, values: Arrays, name: str) -> bool:
    """Whether forward raises a ValueError that names an array or a size of the model: NumPy's own names none."""
    declared = candidate.model.params
    params = {n: v for n, v in values.items() if (n if n in sample.values else n[:-1]) in declared}
    data = {n: v for n, v in values.items() if n not in params}
    given = as_given(params, params), as_given(data, data)
    return refused({name, *values, *candidate.model.sizes}, candidate.ask, "forward", *given, sample)


SUBJECT: dict[Callable[..., Any], str] = {
    unchanged: "a second call",
    one_cache: "with an upstream gradient",
    independent: "for other arrays",
    threads: "in two threads",
    layouts: "for other layouts",
    _loss_and_grads: "loss_and_grads",
    _intermediates: "outputs",
    _plain_floats: "on plain floats",
    _lists: "on lists",
    _precisions: "on several precisions",
    _whole_numbers: "on integers",
    _truth_values: "on truth values",
    _told_sizes: "with sizes told",
    _dtype: "on float32 inputs",
    workspaces: "with a workspace",
    _refusals: "for arrays that are not as declared",
    _upstream: "for an upstream gradient of another shape",
    constants: "the constants",
    initial_values: "for initial values",
    optimizer: "for a step of the optimiser",
}
