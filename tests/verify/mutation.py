"""What `verify` says of the mutants of emitted modules: caught, equivalent (nothing that the module computes is another
number, on a large sample with special points), rounded otherwise (the largest difference is that of another order of a
sum), equivalent but for infinite numbers, or survived. `scripts/mutants.py` runs them all, `test_emitted` a sample with
a fixed seed.

What does not depend on the mutant is computed once for a module: the points of a check, the slopes of the model there,
and what the right module gives."""

from __future__ import annotations

import ast
import hashlib
import signal
import warnings
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from itertools import repeat
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from symbackprop import codegen, load
from symbackprop.core.graph import INT
from symbackprop.errors import ModelError, SymbackpropError
from symbackprop.model import Model, zoo
from symbackprop.model.optimizers import OPTIMIZERS
from symbackprop.verify.calls import workspaces
from symbackprop.verify.checker import Check
from symbackprop.verify.differences import AUTO, Objective, Prober, Slopes
from symbackprop.verify.further import Situation
from symbackprop.verify.initial import initial_values
from symbackprop.verify.interpreter import Array
from symbackprop.verify.module import CallFailed, Candidate, Outcome
from symbackprop.verify.optimizers import optimizer
from symbackprop.verify.promises import SUBJECT, constants
from symbackprop.verify.rounding import DOUBLE
from symbackprop.verify.sampling import Sample, choose_sizes, draw, hidden_dims, in_single, named_values, needs_of
from tests.verify.mutate import Mutant, Mutants, name_of

CAUGHT, EQUIVALENT, ROUNDED, SURVIVED = "caught", "equivalent", "rounded otherwise", "survived"
CRASHED, INFINITE = "crashed the check", "only at infinite or no numbers"
HARMLESS = (EQUIVALENT, ROUNDED, INFINITE)
ROUNDINGS = 4096  # of the largest entry: what another order of sums does, in many layers
SIZES = {
    "elementwise-relu": {"N": 12},  # 4096 in the lecture
    "neural-turing-machine": {"T": 2, "N": 2, "I": 2, "O": 2, "H": 2, "R": 3, "W": 2},
}
FIXED = {name: {"T": 2} if "T" in sizes else sizes for name, sizes in SIZES.items()}  # the others stay different ones
OWN = ("forward", "backward", "loss_and_grads", "outputs")
START, STEP = ("init_params",), ("init_state", "update")
COMPUTING = (*OWN, "make_workspace")
CALLED = (*COMPUTING, *START, *STEP)  # what a user calls
HANDED = {"forward": ("backward",), "make_workspace": ("forward", "backward"), "init_state": ("update",)}
STATED = ("PARAMS", "DATA", "DIMS", "LOSS", "OUTPUTS", "INTEGERS", "DTYPE")
Promise = Callable[[Candidate, Sample, Outcome], Iterator[str]]
Change = Callable[[Any], Any]
LIMIT = 20.0  # seconds of a processor, for each of the stages of a mutant that does not end
ROUNDED_AGAIN = 64  # times what inputs make that are off by their rounding
ATTEMPTS = 40  # at a point where the model is finite
HOSTS = 4  # modules of different kinds that a mistake in a helper is put into, until it changes something


class Host:
    """A right module, and what is computed once for all mutants of it."""

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source, self.model = name, source, load(name)
        self.tree = ast.parse(source)
        self.whole = compile(self.tree, "mutant.py", "exec")
        self.sizes = FIXED.get(name, {})
        self.right: dict[tuple[frozenset[str], bool], list[Any]] = {}

    def module(self, mistake: CodeType | None = None) -> ModuleType:
        """The module, with one mistake in it."""
        module = ModuleType("mutant")
        for code in [self.whole] if mistake is None else [self.whole, mistake]:
            exec(code, module.__dict__)  # the text is ours
        return module

    def reached(self, place: str) -> frozenset[str]:
        """The functions a user calls whose result may depend on a function or constant: those that read its name, and
        those that are given what these make."""
        found, before = {place}, set[str]()
        while found != before:
            before = set(found)
            found |= {name for name, names in self.reads.items() if names & before}
            found |= {name for made, takers in HANDED.items() if made in found for name in takers}
        return frozenset(found & set(CALLED))

    @cached_property
    def reads(self) -> dict[str, set[str]]:
        """The names that stand in each function and constant."""
        return {name_of(s): {n.id for n in ast.walk(s) if isinstance(n, ast.Name)} for s in self.tree.body}

    def fate(self, mistake: CodeType, place: str) -> str:
        """What becomes of a mutant."""
        try:
            module = self.module(mistake)
        except Exception:
            return CAUGHT  # it cannot be imported
        reached = self.reached(place)
        try:
            with limited(LIMIT):
                if self.rehearsal.fails(module, place, reached):
                    return CAUGHT
            with limited(LIMIT):
                same = self.compared(module, reached)
            with limited(LIMIT):
                if same == DIFFERS:
                    return SURVIVED if self._passes(module) else CAUGHT
        except (Endless, SymbackpropError):
            return CAUGHT
        except Exception as error:
            warnings.warn(f"{self.name}, {place}: {error!r}", stacklevel=2)
            return CRASHED
        beyond = self.compared(module, reached, infinite=True)
        return INFINITE if beyond == DIFFERS else (EQUIVALENT, ROUNDED)[max(same, beyond)]

    def compared(self, module: ModuleType, reached: frozenset[str], infinite: bool = False) -> int:
        """Whether a mutant gives what the right module gives."""
        if (reached, infinite) not in self.right:
            found = behaviour(self.module(), self.model, self.sizes, reached, infinite)
            self.right[reached, infinite] = list(found)
        right = self.right[reached, infinite]
        apart = compared(behaviour(module, self.model, self.sizes, reached, infinite), right)
        if apart != DIFFERS or infinite:
            return apart
        near = behaviour(self.module(), self.model, self.sizes, reached, moved=True)
        return compared(behaviour(module, self.model, self.sizes, reached), right, near)

    def _passes(self, module: ModuleType) -> bool:
        return Check(module, self.model, 0, None, AUTO, dict(self.sizes), lambda done, total: None).run().passed

    @cached_property
    def rehearsal(self) -> Rehearsal:
        return Rehearsal(self.module(), self.model, self.sizes)


class Subject:
    """What of a module is mutated: its functions and constants called as in ``of``, but for ``known`` statements. What
    changes nothing there is tried in the ``others``, which have it too."""

    def __init__(self, group: str, host: Host, of: Container[str], known: Container[str] = (),
                 others: Sequence[Host] = ()) -> None:
        self.group, self.name, self.hosts = group, host.name, [host, *others]
        self.mutants = Mutants(host.source, of, known)

    @property
    def key(self) -> str:
        """What stays the same in other runs as long as the mutants do."""
        text = "\n".join(f"{m.place}: {m.before} -> {m.after}" for m in self.mutants.all)
        return f"{self.group}, {self.name}, {hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def fate(self, mutant: Mutant) -> str:
        """What becomes of a mutant, in the first of the modules in which it changes anything."""
        found, mistake = EQUIVALENT, self.mutants.code(mutant)
        for host in self.hosts:
            fate = host.fate(mistake, mutant.place)
            if fate not in HARMLESS:
                return fate
            found = max(found, fate, key=HARMLESS.index)
        return found


class Endless(BaseException):
    """A mutant that took too long."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """`Endless` after so many seconds of the processor: others may keep it busy."""
    def stop(*_: Any) -> None:
        raise Endless

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class Rehearsal(Check):
    """A check of the right module, and then of its mutants at the same points. Slopes are the model's, so that they are
    taken once; where a mutant gives what the right module gives, to the bit, it is right; the first thing that is wrong
    ends it."""

    def __init__(self, module: ModuleType, model: Model, sizes: dict[str, int]) -> None:
        super().__init__(module, model, 0, None, AUTO, dict(sizes), lambda done, total: None)
        self.visited: list[tuple[Sample, Objective, int, Given]] = []
        self.met: list[tuple[Situation, Given]] = []
        self.known: dict[tuple[int, str], tuple[Prober, Slopes | None]] = {}
        self.agree: dict[int, bool] = {}
        self.learns = True
        assert self.run().passed, "the right module passes"
        self.learns = False

    def _at(self, sample: Sample, objective: Objective, trial: int) -> None:
        super()._at(sample, objective, trial)
        if self.learns:
            self.visited.append((sample, objective, trial, self._given(sample)))

    def _at_once(self, situation: Situation) -> None:
        super()._at_once(situation)
        if self.learns:
            self.met.append((situation, self._given(_sample_of(situation))))

    def _given(self, sample: Sample) -> Given:
        """What the module gives: results and gradients, and all intermediates."""
        return self.candidate.run(sample), self.candidate.ask("outputs", *self.candidate.inputs(sample), sample)

    def _slopes(self, name: str, prober: Prober, where: Array) -> Slopes | None:
        key = id(prober.objective), name
        if key not in self.known:
            self.known[key] = prober, super()._slopes(name, prober, where)
        return self.known[key][1]

    def _prober(self, name: str, objective: Objective) -> Prober:
        key = id(objective), name
        return self.known[key][0] if key in self.known else super()._prober(name, objective)

    def _methods_agree(self, prober: Prober) -> bool:
        if id(prober) not in self.agree:
            self.agree[id(prober)] = super()._methods_agree(prober)
        return self.agree[id(prober)]

    # -- a mutant
    @np.errstate(all="ignore")
    def fails(self, module: ModuleType, place: str, reached: Collection[str]) -> bool:
        """Whether a module fails at one of the points, with a mistake in ``place``, which may change what the functions
        ``reached`` give."""
        self.candidate = Candidate(module, self.model, self.given)
        self.findings, self.flaws, self.results, self.problems, self.misses = {}, {}, {}, [], []
        try:
            return any(True for _ in self._wrong(place, reached))
        except CallFailed:
            return True

    def _wrong(self, place: str, reached: Collection[str]) -> Iterator[str]:
        """What is wrong, what is likely and what is soon found first."""
        sample, objective, _, right = self.visited[0]
        computes = bool(set(reached) - {*START, *STEP, "outputs"})
        outcome = self.candidate.run(sample) if computes else right[0]
        yield from self._compared(sample, objective, outcome, 0, right[0])
        for promise in sorted(_promises(reached), key=lambda promise: place not in FIRST.get(promise, ())):
            if promise is not intermediates or self._intermediates_differ(sample, right[1], reached):
                yield from promise(self.candidate, sample, outcome)
        for sample, objective, trial, right in self.visited[1:]:
            if computes:
                yield from self._compared(sample, objective, self.candidate.run(sample), trial, right[0])
            if self._intermediates_differ(sample, right[1], reached):
                yield from intermediates(self.candidate, sample, right[0])
        for situation, right in self.met:
            sample = _sample_of(situation)
            if (computes and not _same(self.candidate.run(sample), right[0])) or (
                    situation.eps == DOUBLE and self._intermediates_differ(sample, right[1], reached)):
                self._at_once(situation)
                yield from ["another number"] if self._failed() else []

    def _compared(self, sample: Sample, objective: Objective, outcome: Outcome, trial: int, right: Outcome
                  ) -> Iterator[str]:
        if not _same(outcome, right):
            self._compare(sample, objective, outcome, trial)
            yield from ["another number"] if self._failed() else []

    def _intermediates_differ(self, sample: Sample, right: Mapping[str, Any], reached: Collection[str]) -> bool:
        return "outputs" in reached and not _equal(
            self.candidate.ask("outputs", *self.candidate.inputs(sample), sample), right)


Given = tuple[Outcome, Mapping[str, Any]]
intermediates = next(promise for promise, subject in SUBJECT.items() if subject == "outputs")
FIRST: dict[Promise, Collection[str]] = {  # where a mistake stands, and by what it is likely to be seen
    intermediates: ("outputs",), constants: STATED, workspaces: ("make_workspace", "forward", "backward"),
    **{promise: ("loss_and_grads",) for promise, subject in SUBJECT.items() if subject == "loss_and_grads"},
}


def _promises(reached: Collection[str]) -> list[Promise]:
    """The promises about functions that a mistake reaches."""
    about: dict[Promise, Collection[str]] = {initial_values: START, optimizer: STEP, constants: CALLED}
    return [p for p in SUBJECT if not reached or set(about.get(p, COMPUTING)) & set(reached)]


def _sample_of(situation: Situation) -> Sample:
    """What the module is given there."""
    return situation.sample if situation.eps == DOUBLE else in_single(situation.sample)


def _same(found: Outcome, right: Outcome) -> bool:
    return _equal(found.results, right.results) and _equal(found.gradients, right.gradients)


def _equal(found: Any, right: Mapping[str, Any]) -> bool:
    """Whether the same arrays are given, to the bit."""
    return isinstance(found, Mapping) and list(found) == list(right) and all(
        _apart(np.asarray(found[n]), np.asarray(right[n])) == SAME for n in right)


# -- what is mutated
def subjects(names: Sequence[str] = ()) -> Iterator[Subject]:
    """Every built-in module (or these) with its constants, initial values and workspaces, every helper of another text
    once, every optimiser."""
    hosts = [Host(n, codegen(load(n), level=level, verify=False)) for n in names or zoo.names() for level in (1, 2)]
    for plain, fast in zip(hosts[::2], hosts[1::2], strict=True):
        yield Subject("forward and backward", plain, OWN)
        yield Subject("initial values", plain, START)
        yield Subject("constants", plain, STATED)
        yield Subject("workspaces", fast, COMPUTING, _statements(plain.tree))
    yield from _of_helpers(hosts)
    for rule in OPTIMIZERS if not names or "autoencoder" in names else ():
        host = Host("autoencoder", codegen(load("autoencoder"), optimizer=rule, verify=False))
        yield Subject("optimisers", host, (*STEP, "as_floats"))


def _of_helpers(hosts: Sequence[Host]) -> Iterator[Subject]:
    """Every helper of another text once. `read`, which has the sizes of its module in it, stands in every module: those
    of its statements that it has in an earlier module of the same kind are left out."""
    having: dict[tuple[str, str], dict[Kind, Host]] = {}
    known: dict[Kind, set[str]] = {}
    for host in hosts:
        for name, text in _helpers(host.tree).items():
            if name == "read":
                yield Subject("helpers", host, ("read",), frozenset(known.setdefault(_kind(host), set())))
                known[_kind(host)] |= _statements(ast.parse(text))
            else:
                having.setdefault((name, text), {}).setdefault(_kind(host), host)
    for (name, _), alike in having.items():
        first, *others = list(alike.values())[:HOSTS]
        yield Subject("helpers", first, (name,), (), others)


Kind = tuple[bool, ...]


def _kind(host: Host) -> Kind:
    """What decides which checks of its inputs a module needs."""
    model = host.model
    hidden = hidden_dims(model, choose_sizes(model, np.random.default_rng(0), host.sizes))
    return any(row.kind == INT for row in model.leaves().values()), bool(hidden), model.loss_row is not None


def _statements(tree: ast.AST) -> set[str]:
    return {ast.unparse(s) for s in ast.walk(tree) if isinstance(s, ast.stmt)}


def _helpers(tree: ast.Module) -> dict[str, str]:
    """The helper functions of a module: name → text."""
    return {n.name: ast.unparse(n) for n in tree.body if isinstance(n, ast.FunctionDef) and n.name not in
            set(CALLED) - set(STEP)}


# -- what a module does, to the bit
def behaviour(module: ModuleType, model: Model, sizes: dict[str, int], reached: Collection[str], infinite: bool = False,
              moved: bool = False) -> Iterator[Any]:
    """Everything that the functions ``reached`` of a module give on a large sample with special points, in order;
    ``infinite``: on arrays with infinite and NaN entries, or that make the model so, and with none; ``moved``: by as
    much as numbers round."""
    candidate = Candidate(module, model)
    other = None
    for number, chosen in enumerate(_sizes(model, sizes) if set(reached) & set(COMPUTING) else ()):
        samples = (_beyond if infinite else _samples)(model, tuple(chosen.items()), number)
        for k, sample in enumerate(_moved(samples) if moved else samples):
            yield from _calls(candidate, sample, other, reached, every=not k)
            if candidate.has("make_workspace"):
                dims = candidate.hidden(sample) or None
                made = _given(module, "make_workspace", *candidate.inputs(sample), dims=dims)
                other = made if other is None or number else other
    chosen = choose_sizes(model, np.random.default_rng(0), sizes)
    sample = draw(model, chosen, np.random.default_rng(0))
    if infinite:
        yield from _refused(candidate, sample, EMPTY) if "forward" in reached else ()
    else:
        yield from _rest(candidate, sample, reached)


def compared(found: Iterator[Any], right: Sequence[Any], near: Iterator[Any] | None = None) -> int:
    """Whether anything differs (told as soon as it does), or is rounded otherwise; ``near`` is what inputs give that
    are rounded otherwise: where a row has no variance, its norm makes that large."""
    with np.errstate(all="ignore"):
        count = apart = 0
        for a, b, c in zip(found, right, near or repeat(None), strict=False):
            count += 1
            apart = max(apart, _apart(a, b, c))
            if apart == DIFFERS:
                break
    return apart if count == len(right) else DIFFERS


SAME, ROUNDS, DIFFERS = 0, 1, 2


def _apart(a: Any, b: Any, near: Any = None) -> int:
    """Whether two values are the same, but for the sign of a zero; or differ as sums in another order do."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        beside = near if isinstance(near, (list, tuple)) and len(near) == len(b) else [None] * len(b)
        parts = [_apart(*three) for three in zip(a, b, beside, strict=False)]
        return DIFFERS if len(a) != len(b) else max(parts, default=SAME)
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
    if isinstance(near, np.ndarray) and near.shape == b.shape:
        within = max(within, ROUNDED_AGAIN * float(np.max(np.abs(near[finite] - b[finite]), initial=0.0)))
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


Sizes = tuple[tuple[str, int], ...]


def _samples(model: Model, sizes: Sizes, seed: int) -> list[Sample]:
    """Random points, then special ones: ties, zeros, large numbers, single precision."""
    return [sample for sample, finite in _drawn(model, sizes, seed) if finite]


@cache
def _drawn(model: Model, sizes: Sizes, seed: int) -> list[tuple[Sample, bool]]:
    """These, and whether the model is finite there: the Turing machine is not where all numbers are large."""
    rng = np.random.default_rng(seed)
    points = [_finite(model, sizes, rng, attempt) for attempt in (0, 1, 2, 0)]
    points += _changed(points.pop(), np.round, lambda v: 0 * v, lambda v: 300 * v, lambda v: v.astype(np.float32))
    return [(sample, _is_finite(model, sample)) for sample in points]


def _finite(model: Model, sizes: Sizes, rng: Any, first: int) -> Sample:
    """A random point at which the model is finite, where one is soon found."""
    for attempt in range(first, first + ATTEMPTS):
        sample = draw(model, dict(sizes), rng, attempt)
        if _is_finite(model, sample):
            break
    return sample


def _is_finite(model: Model, sample: Sample) -> bool:
    rows = {row.name or "": row for row in model.results()}
    try:
        return all(np.all(np.isfinite(v)) for v in named_values(model, rows, sample).values())
    except ModelError:  # a matrix without an inverse
        return False


def _moved(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Each number off by the rounding of numbers of its size, or of 1."""
    rng = np.random.default_rng(0)
    for sample in samples:
        yield from _changed(sample, lambda v: (v + np.finfo(v.dtype).eps * rng.choice([-1, 1], v.shape) * (1 + abs(v))
                                               ).astype(v.dtype))


def _beyond(model: Model, sizes: Sizes, seed: int) -> Iterator[Sample]:
    """Points with infinite and NaN entries, and those at which the model is not finite."""
    rng = np.random.default_rng(seed)
    yield from _changed(draw(model, dict(sizes), rng), *[
        lambda v, number=number: np.where(rng.random(v.shape) < 0.1, number, v) for number in (np.inf, np.nan)])
    yield from [sample for sample, finite in _drawn(model, sizes, seed) if not finite]


def _changed(base: Sample, *changes: Change) -> Iterator[Sample]:
    for change in changes:
        values = {n: change(v) if v.dtype.kind == "f" else v for n, v in base.values.items()}
        yield Sample(base.sizes, values, base.upstream)


def _calls(candidate: Candidate, sample: Sample, other: Any, reached: Collection[str], every: bool) -> Iterator[Any]:
    """Every function on one sample, with a workspace of its own, used again, and with one made for something else;
    ``every``: with several upstream gradients, and some that are none."""
    module, upstreams = candidate.module, ((1.0, -1.75, 0.0) if every else (-1.75,)) if candidate.is_loss else (None,)
    dims = {"dims": candidate.hidden(sample)} if candidate.hidden(sample) else {}
    options: list[dict[str, Any]] = [{}]
    if candidate.has("make_workspace"):
        made = _given(module, "make_workspace", *candidate.inputs(sample), **dims)
        options += [] if isinstance(made, str) else [{"workspace": made}, {"workspace": made}]
    for more in [*options, *([{"workspace": other}] if other is not None else [])] if "backward" in reached else ():
        params, data = candidate.inputs(sample)
        found = _given(module, "forward", params, data, **more, **dims)
        yield _bits(found[0] if isinstance(found, tuple) else found)
        for upstream in upstreams if isinstance(found, tuple) else ():
            seed = candidate.seed(sample, upstream)
            yield _bits(_given(module, "backward", found[1], *seed, **more))
        for wrong in _no_seeds(candidate, sample) if isinstance(found, tuple) and every else ():
            yield _bits(_given(module, "backward", found[1], wrong))
        if candidate.is_loss and "loss_and_grads" in reached:
            yield _bits(_given(module, "loss_and_grads", params, data, **more, **dims))
        yield _bits(params), _bits(data)
    if candidate.is_loss and "loss_and_grads" in reached and "backward" not in reached:
        yield _bits(_given(module, "loss_and_grads", *candidate.inputs(sample), **dims))
    if "outputs" in reached:
        yield _bits(_given(module, "outputs", *candidate.inputs(sample), **dims))


def _no_seeds(candidate: Candidate, sample: Sample) -> Iterator[Any]:
    """What is no upstream gradient."""
    right = {"": np.ones(())} if candidate.is_loss else sample.upstream
    for name, array in right.items():
        for wrong in (np.stack([array, array]), np.full(array.shape, "x")):
            yield wrong if len(right) == 1 else {**right, name: wrong}


def _rest(candidate: Candidate, sample: Sample, reached: Collection[str]) -> Iterator[Any]:
    """Constants, initial values, the optimiser, what is refused."""
    module, sizes = candidate.module, sample.sizes
    yield [repr(getattr(module, name, None)) for name in STATED]
    yield from _starts(module, sizes) if "init_params" in reached else ()
    yield from _refused(candidate, sample, WRONG) if "forward" in reached else ()
    yield from _steps(module, candidate.inputs(sample)[0]) if "update" in reached else ()


def _starts(module: ModuleType, sizes: dict[str, int]) -> Iterator[Any]:
    for seed in (0, 1, np.asarray(2), 1.5, "no"):
        for rng in (seed, np.random.default_rng(3)):
            yield _start(module, rng, **sizes)
    for name in sizes:
        for wrong in (-1, 0, 1, 2.5, True, sizes[name] + 1):
            yield _start(module, 0, **{**sizes, name: wrong})
        yield _start(module, 0, **{n: s for n, s in sizes.items() if n != name})


EMPTY: tuple[Change, ...] = (lambda a: a[..., :0] if a.ndim else a,)
WRONG: tuple[Change, ...] = (
    lambda a: a[None], lambda a: a + 0.5, lambda a: a + 1000, lambda a: "x", lambda a: a.tolist(),
    lambda a: a.astype(np.float16), lambda a: a.astype(bool), lambda a: a * 1j,
)


def _refused(candidate: Candidate, sample: Sample, changes: Sequence[Change]) -> Iterator[Any]:
    """What forward says to arrays and sizes, one of which is not as declared."""
    module, sizes = candidate.module, sample.sizes
    params, data = candidate.inputs(sample)
    given = {**params, **data}
    for name, value in given.items():
        for wrong in (None, *[change(np.asarray(value)) for change in changes]):
            new = {**given, name: wrong} if wrong is not None else {n: v for n, v in given.items() if n != name}
            arrays = [{n: v for n, v in new.items() if (n in params) == kind} for kind in (True, False)]
            yield _bits(_given(module, "forward", *arrays)[0])
    for dims in ({"no": 1}, {n: s + 1 for n, s in sizes.items()}, {n: -1 for n in sizes}, dict(sizes), [], None):
        yield _bits(_given(module, "forward", params, data, dims=dims)[0])


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
