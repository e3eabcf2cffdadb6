"""The check itself: sample, run the module, take slopes of the interpreter, judge every gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from symbackprop.apart import GIGABYTES, SECONDS
from symbackprop.apart.files import CallFailed
from symbackprop.apart.process import CodeEnded, Process
from symbackprop.core.graph import Node
from symbackprop.core.loops import with_bodies
from symbackprop.core.shapes import evaluate_shape
from symbackprop.errors import ModelError, UsageError, mapping, whole
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from symbackprop.verify.along import Along, promised
from symbackprop.verify.blame import first_changed_line, first_wrong_line
from symbackprop.verify.calls import differences
from symbackprop.verify.cost import run_cost
from symbackprop.verify.differences import (
    AUTO,
    CENTRAL,
    COMPLEX,
    NotAnalytic,
    Objective,
    Prober,
    Slopes,
    with_entry,
)
from symbackprop.verify.everywhere import TIMES, Everywhere, Miss
from symbackprop.verify.further import Further, Situation, in_reach, said
from symbackprop.verify.hessian import wholes
from symbackprop.verify.interpreter import Array
from symbackprop.verify.kinks import Unstated
from symbackprop.verify.module import Candidate, Outcome, arrays_of, module_apart, tried
from symbackprop.verify.optimizers import unknown_rule
from symbackprop.verify.points import PLACES, Points
from symbackprop.verify.promises import broken_promises
from symbackprop.verify.report import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    GradientReport,
    ProductReport,
    Report,
    ResultReport,
    joined,
)
from symbackprop.verify.rounding import DOUBLE
from symbackprop.verify.sampling import SMALL, Sample, choose_sizes, hidden_dims, in_single
from symbackprop.verify.verdicts import (
    TOLERANCE,
    Finding,
    Flaw,
    agreeing,
    check_gradients_given,
    compare_results,
    judge,
    merged,
    wrong_entry,
)

Progress = Callable[[int, int], None]
DENSE, DENSE_AGAIN = 10_000, 300
MOST, AGAIN = 600, 6
SHOWN = 5  # wrong gradients that are told, where not all can be looked at
WORK = 1e9  # entries computed, some ten seconds
DEAR = 1e6  # entries of one run, which some hundred slopes take each


def verify_module(
    module: ModuleType,
    model: Model,
    *,
    seed: int = 0,
    trials: int | None = None,
    method: str = AUTO,
    sizes: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check a loaded module against the model it claims to be.

    At every random point the loss (or outputs) is compared with an independent interpreter of the model, every gradient
    with slopes of that interpreter (``method``: central differences, complex step, or auto), and the module's other
    promises are tried. ``progress(done, total)`` is told how far the check is. Raises `ShapeError` where no sizes fit
    and `UsageError` for another method.
    """
    if method not in (AUTO, CENTRAL, COMPLEX):
        raise UsageError(f"method is {AUTO}, {CENTRAL} or {COMPLEX}, not {method!r}")
    quiet = progress or (lambda done, total: None)
    count = None if trials is None else whole("trials", trials, 1)
    return Check(module, model, whole("the seed", seed, 0), count, method, mapping("sizes", sizes), quiet).run()


def verify_file(path: str | Path, *, relu0: Any = None, timeout: float = SECONDS, memory: float = GIGABYTES,
                **options: Any) -> Report:
    """Check an emitted, perhaps hand-edited, module by its own MODEL text; options as for `verify_module`. The file is
    executed in a process of its own, in which each call may take ``timeout`` seconds and all of it ``memory`` GiB.

    Raises `BrokenModule` where the file does not load, `ModelError` where its text is no model.
    """
    with Process(path, timeout, memory) as process:
        return verify_process(process, relu0=relu0, **options)


def verify_process(process: Process, *, relu0: Any = None, seed: int = 0, **options: Any) -> Report:
    """The same of a file whose process has been started."""
    try:
        module = module_apart(process)
    except CodeEnded as end:
        return Report(process.path.stem, (), problems=(str(end),), seed=seed)
    return verify_module(module, model_of(module, process.path, relu0), seed=seed, **options)


def model_of(module: ModuleType, path: Path, relu0: Any = None) -> Model:
    """The model that a module says it came from."""
    name = getattr(module, "NAME", None)
    try:
        return parse(
            module.MODEL,
            name=name if isinstance(name, str) else None,
            path=f"{path}, MODEL",
            relu0=None if relu0 is None else float(relu0),
        )
    except ModelError as error:
        raise error.at(f"{path}, MODEL") from None


@dataclass
class Check:
    """State of one check."""

    module: ModuleType
    model: Model
    seed: int
    trials: int | None
    method: str
    given: dict[str, int]
    progress: Progress
    findings: dict[str, list[Finding]] = field(default_factory=dict)
    flaws: dict[str, Flaw] = field(default_factory=dict)
    results: dict[str, ResultReport] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    misses: list[Miss] = field(default_factory=list)
    products: dict[str, ProductReport] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    rate: float | None = None
    first: Outcome = field(default_factory=lambda: Outcome({}, {}))
    failing: tuple[Sample, Objective, float] | None = None
    sizes: list[dict[str, int]] = field(default_factory=list)
    declared: dict[str, int] = field(default_factory=dict)
    stopped: bool = False
    done: int = 0
    total: int = 0

    def run(self) -> Report:
        self.candidate = Candidate(self.module, self.model, self.given)
        self.rng = np.random.default_rng(self.seed)
        self.targets = self.candidate.targets
        first, shrunk = self._first_sizes()
        self.points = Points(self.model, self.rng, first, self.targets)
        entries = sum(prod(evaluate_shape(row.shape, first)) for row in self.targets.values())
        varied = [*(hidden_dims(self.model, first) if self.candidate.takes_dims("forward") else []), *shrunk]
        self.count, self.later = self.trials or max(trials_for(entries), 2 if varied else 1), min(entries, DENSE_AGAIN)
        unsampled = ""
        try:
            for trial in range(self.count):
                sizes = first if not trial else choose_sizes(self.model, self.rng, self.given, trial, varied)
                unsampled = self._trial(sizes, trial)
                if unsampled or self.stopped:
                    break
            self._aimed()
            if self.sizes and not self._failed() and not self.stopped:
                self._further([n for n in varied if n in first], first)
        except CodeEnded as end:
            self.problems.append(f"{end}{at_sizes(self.sizes[-1])}")
        return self._report("" if self.sizes else unsampled)

    def _first_sizes(self) -> tuple[dict[str, int], list[str]]:
        """The declared sizes; smaller ones of the dimensions returned where every slope would take long at those."""
        declared = choose_sizes(self.model, self.rng, self.given)
        if run_cost(self.model, declared) <= DEAR:
            return declared, []
        untold = [] if self.candidate.takes_dims("forward") else hidden_dims(self.model, declared)
        stay = {*untold, *self.given}
        large = [n for n, size in self.model.sizes.items() if (size or 0) > SMALL[-1] and n not in stay]
        first = choose_sizes(self.model, self.rng, self.given, 1, large)
        smaller = run_cost(self.model, first) < run_cost(self.model, declared)
        self.declared = declared if smaller else {}
        return (first, large) if smaller else (declared, [])

    def _trial(self, sizes: dict[str, int], trial: int) -> str:
        """One random point; returns why there is none."""
        found = self.points.next(sizes)
        if found is None:
            what = " and ".join(self.candidate.results)
            return f"no random inputs were found at which {what} is finite; nothing was compared"
        self._at(*found, trial)
        return ""

    def _aimed(self) -> None:
        """Points on the sides of conditions that no random one was on, as long as nothing is wrong."""
        for sizes in {str(s): s for s in self.sizes}.values():
            self._aimed_at(sizes)
        wider = self.points.wider(self.given) if self.sizes and not self._failed() else None
        if wider is not None:
            self._trial(wider, len(self.sizes))
            self._aimed_at(wider)

    def _aimed_at(self, sizes: dict[str, int]) -> None:
        if not self.stopped and not self._failed():
            for found in self.points.aimed(sizes):
                self._at(*found, len(self.sizes))
                if self.stopped or self._failed():
                    return

    def _failed(self) -> bool:
        """Whether something is wrong already."""
        found = [f.verdict for findings in self.findings.values() for f in findings]
        found += [r.verdict for r in self.results.values()] + [p.verdict for p in self.products.values()]
        return FAIL in found or bool(self.problems or self.flaws or self.misses)

    def _at(self, sample: Sample, objective: Objective, trial: int) -> None:
        """Run the module at one point and compare."""
        self.sizes.append(sample.sizes)
        try:
            with np.errstate(all="ignore"):
                outcome = self.candidate.run(sample)
        except CallFailed as failure:
            self.problems.append(str(failure))
            self.stopped = True
            return
        self.first = self.first if trial else outcome
        self._compare(sample, objective, outcome, trial)
        with np.errstate(all="ignore"):
            self.problems += broken_promises(self.candidate, sample, outcome, first=not trial)
        self._along(sample, objective, outcome, first=not trial)

    def _along(self, sample: Sample, objective: Objective, outcome: Outcome, first: bool = False, special: bool = False
               ) -> None:
        """Compare what the module gives along directions, once its gradients are right; the worst of each is kept."""
        if self._failed():
            return
        along = Along(self.candidate, sample, objective, outcome, self.rng, special)
        with np.errstate(all="ignore"):
            try:
                for found in [*along.findings(), *([] if special else wholes(along))]:
                    known = self.products.get(found.name)
                    if known is None or _worse(found, known):
                        self.products[found.name] = found
                self.problems += promised(along) if first else ()
            except CallFailed as failure:
                self.problems.append(str(failure))

    # -- beside the random points
    def _further(self, varied: Sequence[str], first: Mapping[str, int]) -> None:
        """Points of a kind, each compared in all gradients at once, as long as nothing is wrong."""
        hidden = [n for n in hidden_dims(self.model, dict(first)) if n not in varied]
        fixed = self.given | {n: first[n] for n in hidden}
        further = Further(self.model, self.rng, fixed, few=self.candidate.compiles, written=self.candidate.written,
                          compared=self.candidate.compared, declared=self.declared)
        for situation in further.situations(self.points.samples):
            if self.stopped or self._failed():
                return
            self._at_once(situation)
        self.without += [*further.without, *self._left_out(hidden)]
        if self.points.first is not None and not self._failed():
            self._at_last(self.points.first)

    def _left_out(self, hidden: Sequence[str]) -> Iterator[str]:
        """What the module or the caller keeps from being compared."""
        if self.given:
            yield f"other sizes than {said(self.given)}"
        told = [n for n in hidden if n not in self.given]
        if told:
            yield f"other sizes of {', '.join(told)}, which no array shows and forward cannot be told"
        joint = [n for n, found in self.findings.items()
                 if all(prod(f.evidence.shape) and not f.checked and not f.kinks for f in found)]
        if joint:
            yield (f"the entries of {len(joint)} of {len(self.targets)} gradients one by one: they were compared all "
                   "at once, along random directions")
        if not self.candidate.states_arrays:
            yield "what is refused: the module has no PARAMS and DATA that say what it takes"
        yield from _not_all_tried("array", list(self.model.leaves()))
        yield from _not_all_tried("size", list(self.model.sizes))
        inner = [n for n, row in self.targets.items() if not row.is_leaf]
        if inner:
            yield f"the gradients of {', '.join(inner)} at points beside the random ones, as these are no inputs"
        if self.candidate.compiles:
            yield "truth values and several precisions: for each the module would be compiled anew"

    def _at_last(self, found: tuple[Sample, Objective]) -> None:
        """The first point again, after all other calls; and how forward leaves what the gradients say of it."""
        sample, objective = found
        try:
            with np.errstate(all="ignore"):
                outcome, again = self.first, self.candidate.run(sample)
                message = "after many other calls {} is another one"
                self.problems += differences({**again.results, **again.gradients},
                                             {**outcome.results, **outcome.gradients}, message)
                self._taylor(sample, objective, again)
        except CallFailed as failure:
            self.problems.append(f"after many other calls: {failure}")

    def _taylor(self, sample: Sample, objective: Objective, outcome: Outcome) -> None:
        if any(r.op.held for r in with_bodies(self.model.graph.topological(self.model.results()))):
            self.without.append("Taylor's remainder: the model holds values constant")
            return

        def forward(moved: dict[str, Array]) -> dict[str, Any]:
            given = self.candidate.inputs(replace(sample, values={**sample.values, **moved}))
            return self.candidate.named(self.candidate.pair(self.candidate.ask("forward", *given, sample))[0])

        try:
            rates = Everywhere(objective, self.targets, self.rng).rates(forward, arrays_of(outcome.gradients))
        except (NotAnalytic, Unstated) as error:
            self.without.append(f"Taylor's remainder: {error}")
            return
        self.rate = round(rates[-1], 2) if rates else None
        if len(rates) > 2 and all(abs(r - 1) < 0.2 for r in rates[-3:]):
            self.problems.append(f"|f(x + hv) − f(x) − h⟨g, v⟩|, by forward and backward of the module, falls as "
                                 f"h^{self.rate} and not as h²: g is not the gradient of f")

    def _at_once(self, situation: Situation) -> None:
        """Run the module in a situation and compare its results and gradients with the model."""
        sample = situation.sample if situation.eps == DOUBLE else in_single(situation.sample)
        try:
            with np.errstate(all="ignore"):
                outcome = self.candidate.run(sample)
        except CallFailed as failure:
            self.problems.append(f"{situation.words}: {failure}")
            return
        everywhere = Everywhere(situation.objective, self.targets, self.rng, situation.eps, situation.exact)
        try:
            results, gradients = (
                {n: v for n, v in found.items() if n not in situation.without}
                for found in (outcome.results, arrays_of(outcome.gradients))
            )
            miss = everywhere.differs(results) or everywhere.miss(gradients, 1 if situation.brief else TIMES)
        except (NotAnalytic, Unstated) as error:
            self.without.append(f"{situation.words}: {error}")
            return
        if miss is not None:
            self.misses.append(replace(miss, words=situation.words))
            self.failing = self.failing or (sample, situation.objective, situation.eps)
        elif situation.eps == DOUBLE and not situation.brief:
            with np.errstate(all="ignore"):
                said = broken_promises(self.candidate, sample, outcome, first=False)
            self.problems += [f"{situation.words}: {s}" for s in said]
            if not self.candidate.compiles and in_reach(situation.objective, 3):  # second derivatives take cubes
                self._along(sample, situation.objective, outcome, special=True)

    def _tick(self, steps: int) -> None:
        self.done += steps
        self.total = max(self.total, self.done)
        self.progress(self.done, self.total)

    # -- comparing
    def _compare(self, sample: Sample, objective: Objective, outcome: Outcome, trial: int) -> None:
        for result in compare_results(objective, outcome):
            if result.name not in self.results or self.results[result.name].verdict == PASS:
                self.results[result.name] = result
        gradients, flaws, extra = check_gradients_given(self.candidate, outcome, sample.sizes)
        self.flaws |= {n: f for n, f in flaws.items() if n not in self.flaws}
        self.problems += extra
        alone = self.points.one_by_one(self.targets, objective)
        looked_at = {n: row for n, row in self.targets.items() if n in alone}
        where = places_of(looked_at, sample.sizes, objective.program.cost, self.rng, trial)
        self.total = self.done + sum(len(w) for w in where.values()) + self.later * max(self.count - 1 - trial, 0)
        probers = {n: self._prober(n, objective) for n in gradients if n in alone}
        slopes = {n: s for n, p in probers.items() if (s := self._slopes(n, p, where[n])) is not None}
        for name, found in slopes.items():
            finding = self._judged(gradients[name], found, probers[name], sample)
            self.findings.setdefault(name, []).append(finding)
        others = {n: g for n, g in gradients.items() if n not in alone}
        if others and not self._failed():
            self._along_all(others, sample, objective)
        if self._failed():
            self.failing = self.failing or (sample, objective, DOUBLE)

    def _along_all(self, gradients: Mapping[str, Any], sample: Sample, objective: Objective) -> None:
        """Compare gradients that are too many to be looked at one by one, along directions through all of them; the
        entry that is wrong is looked at as any other."""
        everywhere = Everywhere(objective, self.targets, self.rng)
        everywhere.method, left = CENTRAL if self.method == CENTRAL else "", dict(gradients)
        try:
            while len(left) > len(gradients) - SHOWN and (miss := everywhere.miss(left, TIMES)) is not None:
                gradient, prober = left.pop(miss.name), self._prober(miss.name, objective)
                place = np.ravel_multi_index(miss.index, np.shape(gradient)) if miss.index else 0
                found = self._judged(gradient, prober.entries(np.asarray([place])), prober, sample)
                self.findings.setdefault(miss.name, []).append(found)
                self.misses += [] if found.verdict == FAIL else [replace(miss, words="along random directions")]
        except (NotAnalytic, Unstated) as error:
            why = f"it is one of {len(gradients)}, too many to be compared one by one, and all at once: {error}"
            self.flaws |= {n: Flaw(why, fails=False) for n in left}
        for name, gradient in left.items():
            found = agreeing(np.shape(gradient), sample.sizes, everywhere.method or COMPLEX)
            self.findings.setdefault(name, []).append(found)

    def _prober(self, name: str, objective: Objective) -> Prober:
        return Prober(objective, self.targets[name], self.method, self._tick)

    def _slopes(self, name: str, prober: Prober, where: Any) -> Slopes | None:
        try:
            return prober.entries(where)
        except NotAnalytic as error:
            self.flaws[name] = Flaw(f"the complex step does not pass through this model ({error})", fails=False)
            return None

    def _judged(self, gradient: Any, slopes: Slopes, prober: Prober, sample: Sample) -> Finding:
        finding = judge(gradient, slopes, prober, sample.sizes)
        if finding.verdict == PASS and len(slopes.where) < prober.x.size:
            place = wrong_entry(gradient, prober, self.rng)
            if place is not None and place not in slopes.where:
                slopes = with_entry(slopes, prober.entries(np.asarray([place])))
                finding = judge(gradient, slopes, prober, sample.sizes)
        if finding.verdict == FAIL and slopes.method == COMPLEX:
            return self._appeal(gradient, slopes, prober, finding, sample)
        return finding

    def _appeal(self, gradient: Any, slopes: Slopes, prober: Prober, finding: Finding, sample: Sample) -> Finding:
        """A failure by the complex step has to be confirmed by central differences: along a random direction, else at a
        few of the entries, else at all of them."""
        if self._methods_agree(prober):
            return finding
        where = finding.evidence.where[finding.evidence.wrong]
        for chosen in (a_few(where), where):
            again = judge(gradient, second_opinion(slopes, chosen, prober), prober, sample.sizes)
            if int(again.evidence.wrong.sum()) == int(finding.evidence.wrong.sum()):
                return finding
        return again if again.verdict != FAIL else finding

    def _methods_agree(self, prober: Prober) -> bool:
        return methods_agree(prober, self.rng)

    # -- the report
    def _report(self, unsampled: str) -> Report:
        gradients = tuple(self._gradient(name) for name in self.targets)
        notes = [f"{n} does not reach the result: its gradient is 0" for n in self.model.unreached(self.targets)]
        notes += [
            f"the gradient of {n} is 0 at every point tried" for n in sorted(self.points.asleep) if n in self.findings
        ]
        notes += self.points.coverage.one_sided()
        notes += [said for said in (unknown_rule(self.candidate),) if said]
        if self.candidate.chosen is not None:
            what = ", ".join(self.candidate.chosen) or "nothing"
            notes.append(f"the module was emitted for the gradients of {what} (GRADIENTS); no others are promised")
        elif not self.targets:
            notes.append("the model has no parameters and no inputs: there is no gradient to check")
        return Report(
            self.model.name,
            gradients,
            tuple(self.results.values()),
            tuple(dict.fromkeys([*self.problems, *map(str, self.misses)])),
            tuple(notes),
            joined(f.method for found in self.findings.values() for f in found),
            self.seed,
            len(self.sizes),
            tuple(self.sizes),
            unsampled,
            tuple(self.points.coverage.unseen()) if self.sizes and not self._failed() else (),
            self._line(),
            tuple(dict.fromkeys(self.without)),
            self.rate,
            tuple(self.products.values()),
        )

    def _line(self) -> str:
        """The first line that is wrong, where the values of the module are."""
        first = (*self.points.first, DOUBLE) if self.points.first is not None and self.problems else None
        shown = self.failing or first
        if shown is None:
            return ""
        try:
            with np.errstate(all="ignore"):
                sample, objective, eps = shown
                within = 1e-7 if eps == DOUBLE else 3e-5
                found = first_wrong_line(self.candidate, sample, objective, within) if self.failing else ""
                return found or first_changed_line(self.candidate, sample)
        except CodeEnded:
            return ""

    def _gradient(self, name: str) -> GradientReport:
        sizes = self.sizes[0] if self.sizes else None
        return merged(self.targets[name], sizes, self.findings, self.flaws.get(name))


def _worse(one: ProductReport, other: ProductReport) -> bool:
    """Whether a finding says more: that something is wrong, or that it was compared at all."""
    rank = {INCONCLUSIVE: 0, PASS: 1, FAIL: 2}
    return (rank[one.verdict], one.max_relative_error or 0.0) > (rank[other.verdict], other.max_relative_error or 0.0)


def at_sizes(sizes: Mapping[str, int]) -> str:
    return f" (at {', '.join(f'{n} = {k}' for n, k in sizes.items())})" if sizes else ""


# -- how much to compare: every entry up to about 10⁴ in all where that is quick, else some of each gradient, and all of
# them along random directions
def trials_for(entries: int) -> int:
    """How many random points: many for a scalar graph, where one point shows one branch only."""
    return 5 if entries <= 40 else 2 if entries <= 2000 else 1


def places_of(targets: Mapping[str, Node], sizes: Mapping[str, int], cost: float, rng: Any, trial: int
              ) -> dict[str, Any]:
    """The flat places to compare in each gradient, in order. Trials after the first are there for other sizes and other
    sides of kinks: a few entries of each gradient will do."""
    counts = {n: prod(evaluate_shape(row.shape, sizes)) for n, row in targets.items()}
    total = sum(counts.values())
    if total <= (DENSE_AGAIN if trial else DENSE) and total * cost <= WORK:
        return {n: np.arange(c) for n, c in counts.items()}
    share = AGAIN if trial else int(np.clip(WORK / cost / len(counts), PLACES, MOST))
    return {n: some_places(c, share, rng) for n, c in counts.items()}


def some_places(count: int, share: int, rng: Any) -> Any:
    """The first, the last, and others at random."""
    if count <= share:
        return np.arange(count)
    return np.unique(np.concatenate([[0, count - 1], rng.integers(0, count, share - 2)]))


# -- whether the complex step is to be believed: through an op whose reference is not analytic it gives a slope that is
# wrong in silence (never one that is right by accident), so a failure by it is looked at again
def methods_agree(prober: Prober, rng: Any) -> bool:
    """Whether central differences give what the prober's method gives, along a random direction."""
    everywhere, direction = np.arange(prober.x.size), rng.choice([-1.0, 1.0], prober.x.size) * prober.scales
    ours = prober.along(everywhere, direction)
    theirs = Prober(prober.objective, prober.leaf, CENTRAL).along(everywhere, direction)
    if ours.kink or theirs.kink:
        return False
    return abs(ours.slope - theirs.slope) <= max(theirs.noise, TOLERANCE * abs(ours.slope))


def second_opinion(slopes: Slopes, where: Array, prober: Prober) -> Slopes:
    """The slopes with those at ``where`` taken again by central differences, where these are certain."""
    new = Prober(prober.objective, prober.leaf, CENTRAL, prober.tick).entries(where)
    values, noise = slopes.values.copy(), slopes.noise.copy()
    places: Array = np.searchsorted(slopes.where, where)
    sure = ~new.kink & np.isfinite(new.values)
    values[places[sure]], noise[places[sure]] = new.values[sure], new.noise[sure]
    return replace(slopes, values=values, noise=noise, method=CENTRAL)


def a_few(where: Array) -> Array:
    """Some of the places, spread evenly."""
    return where[:: max(1, len(where) // 4)]


def _not_all_tried(what: str, names: Sequence[str]) -> Iterator[str]:
    if (some := len(tried(names))) < len(names):
        yield f"what is refused of every {what}: {some} of {len(names)} were given as they may not be"
