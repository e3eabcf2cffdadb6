"""What `verify` says of the mutants of emitted modules: caught, equivalent (nothing that the module computes is another
number, on a large sample with special points), rounded otherwise (the largest difference is that of another order of a
sum), equivalent but for infinite numbers, or survived. `scripts/mutants.py` runs them all, `test_emitted` a sample with
a fixed seed."""

from __future__ import annotations

import ast
import hashlib
import signal
import warnings
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from symbackprop import codegen, load
from symbackprop.errors import SymbackpropError
from symbackprop.model import Model, zoo
from symbackprop.model.optimizers import OPTIMIZERS
from symbackprop.verify.calls import workspaces
from symbackprop.verify.checker import Check
from symbackprop.verify.differences import AUTO, Objective, Prober, Slopes
from symbackprop.verify.initial import initial_values
from symbackprop.verify.interpreter import Array
from symbackprop.verify.module import CallFailed, Candidate, Outcome
from symbackprop.verify.optimizers import optimizer
from symbackprop.verify.promises import SUBJECT, constants
from symbackprop.verify.sampling import Sample, choose_sizes, draw, hidden_dims, needs_of
from tests.verify.mutate import Mutant, Mutants

CAUGHT, EQUIVALENT, ROUNDED, SURVIVED = "caught", "equivalent", "rounded otherwise", "survived"
CRASHED, INFINITE = "crashed the check", "only at infinite numbers"
ROUNDINGS = 64  # of the largest entry: what another order of a sum does
SIZES = {
    "elementwise-relu": {"N": 12},  # 4096 in the lecture
    "neural-turing-machine": {"T": 2, "N": 2, "I": 2, "O": 2, "H": 2, "R": 3, "W": 2},
}
OWN = ("forward", "backward", "loss_and_grads", "outputs")
STATED = ("PARAMS", "DATA", "DIMS", "LOSS", "OUTPUTS", "INTEGERS", "DTYPE")
Promise = Callable[[Candidate, Sample, Outcome], Iterator[str]]
OWN_PROMISES: dict[str, Promise] = {
    "constants": constants, "initial values": initial_values, "optimisers": optimizer, "workspaces": workspaces,
}
LIMIT = 60  # seconds, for a mutant that does not end


class Subject:
    """A module and what of it is mutated."""

    def __init__(self, group: str, name: str, source: str, of: Container[str], known: Container[str] = ()) -> None:
        self.group, self.name, self.model = group, name, load(name)
        self.mutants = Mutants(source, of, known)
        self.whole = self.mutants.code(None)
        self.sizes = SIZES.get(name, {})

    @property
    def key(self) -> str:
        """What stays the same in other runs as long as the mutants do."""
        text = "\n".join(map(str, self.mutants.all))
        return f"{self.group}, {self.name}, {hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def module(self, mutant: Mutant | None = None) -> ModuleType:
        """The module, with one mistake in it."""
        module = ModuleType("mutant")
        for code in [self.whole] if mutant is None else [self.whole, self.mutants.code(mutant)]:
            exec(code, module.__dict__)  # the text is ours
        return module

    def fate(self, mutant: Mutant) -> str:
        """What becomes of a mutant."""
        try:
            module = self.module(mutant)
        except Exception:
            return CAUGHT  # it cannot be imported
        try:
            with limited(LIMIT):
                if self.rehearsal.fails(module, OWN_PROMISES.get(self.group)):
                    return CAUGHT
                same = compared(behaviour(module, self.model, self.sizes), self.right)
                if same == DIFFERS:
                    return SURVIVED if self._passes(module) else CAUGHT
        except (Endless, SymbackpropError):
            return CAUGHT
        except Exception as error:
            warnings.warn(f"{self.name}: {mutant}: {error!r}", stacklevel=2)
            return CRASHED
        beyond = compared(behaviour(module, self.model, self.sizes, infinite=True), self.right_beyond)
        return INFINITE if beyond == DIFFERS else (EQUIVALENT, ROUNDED)[max(same, beyond)]

    def _passes(self, module: ModuleType) -> bool:
        return Check(module, self.model, 0, None, AUTO, dict(self.sizes), lambda done, total: None).run().passed

    @cached_property
    def rehearsal(self) -> Rehearsal:
        return Rehearsal(self.module(), self.model, self.sizes)

    @cached_property
    def right(self) -> list[Any]:
        return list(behaviour(self.module(), self.model, self.sizes))

    @cached_property
    def right_beyond(self) -> list[Any]:
        return list(behaviour(self.module(), self.model, self.sizes, infinite=True))


class Endless(BaseException):
    """A mutant that took too long."""


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Endless

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Rehearsal(Check):
    """The first point of a check, found once: a module that fails there fails. Slopes are the model's, so that they are
    taken once too; the first thing that is wrong ends it."""

    def __init__(self, module: ModuleType, model: Model, sizes: dict[str, int]) -> None:
        super().__init__(module, model, 0, 1, AUTO, dict(sizes), lambda done, total: None)
        self.known: dict[str, Slopes | None] = {}
        self.points_found: tuple[Sample, Objective] | None = None
        self.run()
        assert not self.fails(module), "the right module does not fail"

    def _at(self, sample: Sample, objective: Objective, trial: int) -> None:
        self.points_found = self.points_found or (sample, objective)
        super()._at(sample, objective, trial)

    def _slopes(self, name: str, prober: Prober, where: Array) -> Slopes | None:
        if self.done and name in self.known:
            return self.known[name]
        self.known[name] = super()._slopes(name, prober, where)
        return self.known[name]

    def fails(self, module: ModuleType, likely: Promise | None = None) -> bool:
        """Whether a module fails there; the promise that is ``likely`` to be broken is tried first."""
        if self.points_found is None:
            return False
        sample, objective = self.points_found
        self.candidate = Candidate(module, self.model)
        self.findings, self.flaws, self.results, self.problems = {}, {}, {}, []
        with np.errstate(all="ignore"):
            try:
                outcome = self.candidate.run(sample)
                if likely is not None and any(True for _ in likely(self.candidate, sample, outcome)):
                    return True
                self._compare(sample, objective, outcome, 0)
                if self._failed():
                    return True
                return any(any(True for _ in promise(self.candidate, sample, outcome)) for promise in SUBJECT)
            except CallFailed:
                return True


# -- what is mutated
def subjects(names: Sequence[str] = ()) -> Iterator[Subject]:
    """Every built-in module (or these) with its constants, initial values and workspaces, every helper of another text
    once, every optimiser."""
    helpers: set[str] = set()
    for name in names or zoo.names():
        model = load(name)
        plain, fast = (codegen(model, level=level, verify=False) for level in (1, 2))
        yield Subject("forward and backward", name, plain, OWN)
        yield Subject("initial values", name, plain, ("init_params",))
        yield Subject("constants", name, plain, STATED)
        same = {ast.unparse(s) for s in ast.walk(ast.parse(plain)) if isinstance(s, ast.stmt)}
        yield Subject("workspaces", name, fast, (*OWN, "make_workspace"), same)
        for source in (plain, fast):
            new = {n: t for n, t in _helpers(source).items() if t not in helpers}
            helpers |= set(new.values())
            yield Subject("helpers", name, source, new)
    for rule in OPTIMIZERS if not names or "autoencoder" in names else ():
        source = codegen(load("autoencoder"), optimizer=rule, verify=False)
        yield Subject("optimisers", "autoencoder", source, ("init_state", "update", "as_floats"))


def _helpers(source: str) -> dict[str, str]:
    """The helper functions of a module: name → text."""
    return {n.name: ast.unparse(n) for n in ast.parse(source).body
            if isinstance(n, ast.FunctionDef) and n.name not in (*OWN, "init_params", "make_workspace")}


# -- what a module does, to the bit
def behaviour(module: ModuleType, model: Model, sizes: dict[str, int], infinite: bool = False) -> Iterator[Any]:
    """Everything that the functions of a module give on a large sample with special points, in order; ``infinite``:
    on arrays with infinite and NaN entries."""
    candidate = Candidate(module, model)
    other = None
    for number, chosen in enumerate(_sizes(model, sizes)):
        for sample in (_beyond if infinite else _samples)(model, chosen, np.random.default_rng(number)):
            yield from _calls(candidate, sample, other)
            if candidate.has("make_workspace"):
                dims = candidate.hidden(sample) or None
                made = _given(module, "make_workspace", *candidate.inputs(sample), dims=dims)
                other = made if other is None or number else other
    if not infinite:
        yield from _rest(candidate, choose_sizes(model, np.random.default_rng(0), sizes))


def compared(found: Iterator[Any], right: Sequence[Any]) -> int:
    """Whether anything differs (told as soon as it does), or is rounded otherwise."""
    with np.errstate(all="ignore"):
        count = apart = 0
        for a, b in zip(found, right, strict=False):
            count += 1
            apart = max(apart, _apart(a, b))
            if apart == DIFFERS:
                break
    return apart if count == len(right) else DIFFERS


SAME, ROUNDS, DIFFERS = 0, 1, 2


def _apart(a: Any, b: Any) -> int:
    """Whether two values are the same, but for the sign of a zero; or differ as sums in another order do."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return DIFFERS if len(a) != len(b) else max([_apart(x, y) for x, y in zip(a, b, strict=True)], default=SAME)
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        return SAME if type(a) is type(b) and a == b else DIFFERS
    if a.dtype != b.dtype or a.shape != b.shape:
        return DIFFERS
    if a.dtype.kind != "f" or np.array_equal(a, b, equal_nan=True):
        return SAME if a.dtype.kind == "f" or np.array_equal(a, b) else DIFFERS
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return DIFFERS
    scale = float(np.max(np.abs(b[finite]), initial=0.0))
    within = ROUNDINGS * float(np.finfo(a.dtype).eps) * scale
    return ROUNDS if float(np.max(np.abs(a[finite] - b[finite]), initial=0.0)) <= within else DIFFERS


def _sizes(model: Model, given: dict[str, int]) -> list[dict[str, int]]:
    """Usual sizes, two others, all free sizes 1, and larger ones."""
    found = [choose_sizes(model, np.random.default_rng(t), given, t, hidden_dims(model, choose_sizes(
        model, np.random.default_rng(0), given))) for t in range(3)]
    free = [n for n, s in model.sizes.items() if s is None and n not in given]
    for other in ({n: 1 for n in free}, {n: found[0][n] + 9 for n in free[:3]}):
        if free and needs_of(model).met({**found[0], **other}):
            found.append({**found[0], **other})
    return found


def _samples(model: Model, sizes: dict[str, int], rng: Any) -> Iterator[Sample]:
    """Random points, then special ones: ties, zeros, large numbers, single precision."""
    for attempt in range(3):
        yield draw(model, sizes, rng, attempt)
    yield from _changed(draw(model, sizes, rng), np.round, lambda v: 0 * v, lambda v: 300 * v,
                        lambda v: v.astype(np.float32))


def _beyond(model: Model, sizes: dict[str, int], rng: Any) -> Iterator[Sample]:
    yield from _changed(draw(model, sizes, rng), *[
        lambda v, number=number: np.where(rng.random(v.shape) < 0.1, number, v) for number in (np.inf, np.nan)])


def _changed(base: Sample, *changes: Callable[[Any], Any]) -> Iterator[Sample]:
    for change in changes:
        values = {n: change(v) if v.dtype.kind == "f" else v for n, v in base.values.items()}
        yield Sample(base.sizes, values, base.upstream)


def _calls(candidate: Candidate, sample: Sample, other: Any) -> Iterator[Any]:
    """Every function on one sample, with a workspace of its own, used again, and with one made for something else."""
    module, upstreams = candidate.module, (1.0, -1.75, 0.0) if candidate.is_loss else (None,)
    dims = {"dims": candidate.hidden(sample)} if candidate.hidden(sample) else {}
    options: list[dict[str, Any]] = [{}]
    if candidate.has("make_workspace"):
        made = _given(module, "make_workspace", *candidate.inputs(sample), **dims)
        options += [] if isinstance(made, str) else [{"workspace": made}, {"workspace": made}]
    for more in [*options, *([{"workspace": other}] if other is not None else [])]:
        params, data = candidate.inputs(sample)
        found = _given(module, "forward", params, data, **more, **dims)
        yield _bits(found[0] if isinstance(found, tuple) else found)
        for upstream in upstreams if isinstance(found, tuple) else ():
            seed = candidate.seed(sample, upstream)
            yield _bits(_given(module, "backward", found[1], *seed, **more))
        if isinstance(found, tuple):
            yield from [_bits(_given(module, "backward", found[1], wrong)) for wrong in _no_seeds(candidate, sample)]
        if candidate.is_loss:
            yield _bits(_given(module, "loss_and_grads", params, data, **more, **dims))
        yield _bits(params), _bits(data)
    yield _bits(_given(module, "outputs", *candidate.inputs(sample), **dims))


def _no_seeds(candidate: Candidate, sample: Sample) -> Iterator[Any]:
    """What is no upstream gradient."""
    right = {"": np.ones(())} if candidate.is_loss else sample.upstream
    for name, array in right.items():
        for wrong in (np.stack([array, array]), np.full(array.shape, "x")):
            yield wrong if len(right) == 1 else {**right, name: wrong}


def _rest(candidate: Candidate, sizes: dict[str, int]) -> Iterator[Any]:
    """Constants, initial values, the optimiser, what is refused."""
    module, model = candidate.module, candidate.model
    yield [repr(getattr(module, name, None)) for name in STATED]
    for seed in (0, 1, np.asarray(2), 1.5, "no"):
        for rng in (seed, np.random.default_rng(3)):
            yield _start(module, rng, **sizes)
    for name in sizes:
        for wrong in (-1, 0, 1, 2.5, True, sizes[name] + 1):
            yield _start(module, 0, **{**sizes, name: wrong})
        yield _start(module, 0, **{n: s for n, s in sizes.items() if n != name})
    sample = draw(model, sizes, np.random.default_rng(0))
    params, data = candidate.inputs(sample)
    given = {**params, **data}
    for name, value in given.items():
        array = np.asarray(value)
        for wrong in (None, array[None], array[..., :0] if array.ndim else array, array + 0.5, array + 1000, "x",
                      array.tolist(), array.astype(np.float16), array.astype(bool), array * 1j):
            new = {**given, name: wrong} if wrong is not None else {n: v for n, v in given.items() if n != name}
            arrays = [{n: v for n, v in new.items() if (n in params) == kind} for kind in (True, False)]
            yield _bits(_given(module, "forward", *arrays)[0])
    for dims in ({"no": 1}, {n: s + 1 for n, s in sizes.items()}, {n: -1 for n in sizes}, dict(sizes), [], None):
        yield _bits(_given(module, "forward", params, data, dims=dims)[0])
    yield from _steps(module, params)


def _start(module: ModuleType, rng: Any, **sizes: Any) -> Any:
    """Initial parameters without their signs: a normal number and its negative are as likely."""
    drawn = _bits(_given(module, "init_params", rng, **sizes))
    return [(n, np.abs(v)) for n, v in drawn] if isinstance(drawn, list) else drawn


def _steps(module: ModuleType, params: dict[str, Any]) -> Iterator[Any]:
    if not hasattr(module, "update"):
        return
    rng = np.random.default_rng(0)
    for make in (lambda v: v, lambda v: v.astype(np.float32), lambda v: np.round(v).astype(int), lambda v: v.tolist()):
        now = {n: make(np.asarray(v)) for n, v in params.items()}
        state = _given(module, "init_state", now)
        for left_out in (None, "W1", "b1", None):
            grads = {n: rng.normal(size=np.shape(v)) for n, v in now.items() if n != left_out}
            found = _given(module, "update", now, grads, state)
            yield _bits(found), _bits(grads), _bits(now)
            if isinstance(found, str):
                break
            now, state = found


def _given(module: ModuleType, name: str, *args: Any, **options: Any) -> Any:
    """What a function returns, or the name of what it raises."""
    try:
        return getattr(module, name)(*args, **options)
    except Exception as error:
        return type(error).__name__


def _bits(value: Any) -> Any:
    """A value that later calls do not change."""
    if isinstance(value, dict):
        return [(n, _bits(v)) for n, v in value.items()]
    if isinstance(value, (tuple, list)):
        return [_bits(v) for v in value]
    return repr(value) if isinstance(value, (str, int, type(None))) else np.array(value)
