"""`check`: somebody's own backward, run at points, held against the right gradients, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symbackprop.apart import GIGABYTES, SECONDS
from symbackprop.apart.files import CallFailed
from symbackprop.apart.forms import Form, Given, Raw, UnknownWord, form_of
from symbackprop.apart.libraries import back
from symbackprop.apart.process import CodeEnded, Process, RemoteForm
from symbackprop.apart.source import loaded, member, split_target
from symbackprop.core.shapes import declared
from symbackprop.derive.record import Edge
from symbackprop.errors import BrokenModule, ModelError, NameProblem, UsageError, did_you_mean, mapping, whole
from symbackprop.grade.mistakes import UNEXPLAINED, UNNAMED, UNREADABLE, Finding
from symbackprop.grade.points import Array, Point
from symbackprop.model.load import as_model
from symbackprop.model.model import Model
from symbackprop.model.names import listed
from symbackprop.own.c_function import CForm
from symbackprop.own.compare import CLOSE, OFF, SHAPE, SINGLE_STEP, Pair, all_close, distance, pair
from symbackprop.own.handing import changed, handed
from symbackprop.own.report import FAIL, INCONCLUSIVE, MAX_SAYS, PASS, Gradient, Report
from symbackprop.own.results import Meant, Returned, meant, returned
from symbackprop.own.smallest import smallest
from symbackprop.own.truth import STEPS, Truth, has_kink, is_large, row_of

if TYPE_CHECKING:
    from symbackprop.grade.derivation_mistakes import Candidate

DTYPES = ("float64", "float32")
TRIALS, MAX_FORMULA, FAINT = 3, 160, 1e-2
LEAST_LIMIT, MOST_LIMIT, LIMITS, GROSS = 1.5, 1e4, 3, 1e-2
NEARLY = 1e-3  # where all numbers are small a mask tells, and what rounding leaves does not
RUNS_AWAY = {"MemoryError", "RecursionError", "SystemExit", "KeyboardInterrupt",
             "RuntimeError: can't start new thread"}


def check(
    model: Model | str | Path,
    backward: Any,
    *,
    forward: Any = None,
    returns: Iterable[str] | str | None = None,
    dtype: str = "float64",
    tolerance: float | None = None,
    dims: Mapping[str, int] | None = None,
    seed: int = 0,
    trials: int = TRIALS,
    signature: str | None = None,
    timeout: float = SECONDS,
    memory: float = GIGABYTES,
) -> Report:
    """Check anybody's own backward pass against a model; the report is true in a condition when all of it is right.

    ``backward`` is a function whose parameters are names of the model (declared arrays, named intermediates, sizes;
    ``upstream``, ``dout`` or ``d`` and an output's name for the upstream gradient), a subclass of
    ``torch.autograd.Function``, a class with ``forward`` and ``backward``, a module or a path ``FILE.py[:NAME]`` with
    them, or a function of a C library with its ``signature``. ``forward`` makes the ``cache`` that it reads.
    ``returns`` names its results; else their names are read off its return statement. ``tolerance`` is relative to the
    largest entry of a gradient; ``dims`` fixes sizes. A path is executed in a process of its own (`check_file`), an
    object called here. Raises `UsageError` where it cannot be told what to hand it or what it returns.
    """
    declared = as_model(model)
    declared.require_definitions()
    if isinstance(backward, (str, Path)):
        return check_file(declared, str(backward), forward=forward, returns=returns, dtype=dtype,
                          tolerance=tolerance, dims=dims, seed=seed, trials=trials, timeout=timeout, memory=memory)
    form = CForm(backward, signature) if signature is not None else form_of(backward, forward, None)
    names = None if returns is None else listed(returns)
    return Checker(declared, form, names, dtype, tolerance, mapping("dims", dims), seed, trials).report()


def check_file(model: Model, target: str, *, forward: Any = None, timeout: float = SECONDS,
               memory: float = GIGABYTES, **options: Any) -> Report:
    """The same for ``FILE.py`` or ``FILE.py:NAME``, with options as for `check`. The file is executed in a process of
    its own, in which each call may take ``timeout`` seconds and all of it ``memory`` GiB; here where a ``forward`` of
    this process belongs to it."""
    path, name = split_target(target)
    if forward is None:
        with Process(path, timeout, memory) as process:
            return check_process(model, process, name, **options)
    with loaded(path) as module:
        return check(model, module if name is None else member(module, name, path), forward=forward, **options)


def check_process(model: Model, process: Process, name: str | None, *, returns: Iterable[str] | str | None = None,
                  dtype: str = "float64", tolerance: float | None = None, dims: Mapping[str, int] | None = None,
                  seed: int = 0, trials: int = TRIALS) -> Report:
    """The same of a file whose process has been started, and of NAME in it."""
    model.require_definitions()
    try:
        form = RemoteForm(process, name)
    except CodeEnded as end:
        return Report(model.name, name or process.path.name, broken=[str(end)], dtype=dtype, seed=seed)
    names = None if returns is None else listed(returns)
    return Checker(model, form, names, dtype, tolerance, mapping("dims", dims), seed, trials).report()


@dataclass
class Run:
    """One call at a point: the gradients by name, and what came back with them."""

    point: Point
    returned: Returned
    raw: Raw
    given: Given


class Checker:
    """One check: runs the code, compares, explains."""

    def __init__(self, model: Model, form: Form, returns: Sequence[str] | None, dtype: str,
                 tolerance: float | None, dims: Mapping[str, int], seed: int, trials: int) -> None:
        if dtype not in DTYPES:
            raise UsageError(f"dtype is float64 or float32, not {dtype!r}.{did_you_mean(dtype, DTYPES)}")
        if tolerance is not None and not (hasattr(tolerance, "__float__") and tolerance > 0):
            raise UsageError(f"the tolerance has to be positive, not {tolerance}")
        whole("trials", trials, 1), whole("the seed", seed, 0)
        for name in dims:
            if name not in model.sizes:
                raise NameProblem(f"{model.name} has no dimension {name!r}; it has {', '.join(model.sizes) or 'none'}."
                                  f"{did_you_mean(name, model.sizes)}")
        self.model, self.form, self.returns, self.dtype = model, form, returns, dtype
        self.tolerance, self.dims, self.seed, self.trials = tolerance, dims, seed, trials
        self.truth = Truth(model, dims, seed)
        untold = {} if "dims" in form.wanted() else self.truth.untold(form.wanted())
        if untold:  # nobody can tell what the model takes for granted as well
            self.truth = Truth(model, {**untold, **dims}, seed)
        self.places = form.places()
        self.sizes = ""
        self.another_function = ""
        self.meant = Meant()
        self.changed = ""
        self.report_ = Report(model.name, self.form.label, dtype=dtype, seed=seed)

    # -- running the code
    def run(self, point: Point, truth: Truth | None = None, fresh: bool = True, twice: bool = False) -> Run:
        """One call; the first one finds out which library's arrays the code takes, and where they have to be."""
        truth = truth or self.truth
        self.sizes = _sizes(truth, point)
        given = handed(truth, point, self.form.wanted(), self.form.filled())
        given = replace(given, dtype=self.dtype, fresh=fresh, twice=twice)
        failures: list[CallFailed] = []
        for library, device in self.places:
            given = replace(given, library=library, device=device)
            try:
                raw = self.form.run(given)
            except CallFailed as failure:
                failures.append(failure)
                continue
            except UnknownWord as unknown:
                label, word = unknown.args
                raise _unknown(label, word, truth) from None
            self.places = [(library, device)]
            found = returned(raw, self.returns, truth, self.form.label, point).adopt(self.meant.taken)
            return Run(point, found, raw, given)
        raise failures[0]

    def _tried(self, point: Point | None, truth: Truth | None = None) -> Run | None:
        """A call at a further point, where there is one and the code can be called there."""
        with suppress(CallFailed, ModelError, UsageError):
            return None if point is None else self.run(self.prepared(point, truth), truth)
        return None

    def prepared(self, point: Point, truth: Truth | None = None) -> Point:
        return (truth or self.truth).single(point) if self.dtype == "float32" else point

    # -- the whole
    def report(self) -> Report:
        try:
            return self._report()
        except CodeEnded as end:
            self.report_.broken.append(f"{end} (at {self.sizes})" if self.sizes else str(end))
            return self.report_

    def _report(self) -> Report:
        usual = list(self.truth.points(self.trials))
        points = [self.prepared(p) for p in usual]
        try:
            first = self.run(points[0], twice=True)
        except CallFailed as failure:
            return self._only_equal(failure)
        steady = self._promises(first)
        runs = [first]
        for point in points[1:] if steady else ():
            try:
                runs.append(self.run(point))
            except CallFailed as failure:
                self.report_.broken.append(f"at other sizes ({_sizes(self.truth, point)}) it fails: {failure}")
                break
        runs += self._other_sides(usual) if steady else ()
        self._adopt(runs)
        self.judge(runs, self.truth)
        if self.report_.verdict == PASS:
            self._longer()
        if self.report_.verdict == PASS:
            self._kinks(runs[0])
            for run in runs:
                self._near_kinks(run)
            for number in [n for n in self.form.limits() if LEAST_LIMIT < n < MOST_LIMIT][:LIMITS]:
                self._beyond(runs[0], number)
        return self.report_

    def _other_sides(self, usual: Sequence[Point]) -> Iterator[Run]:
        """Calls on the sides of conditions that the usual points miss, where the code does not overflow."""
        for point in self.truth.other_sides(usual):
            with suppress(CallFailed):
                run = self.run(self.prepared(point))
                if all(np.all(np.isfinite(g)) for g in run.returned.gradients.values()):
                    yield run

    def _only_equal(self, failure: CallFailed) -> Report:
        """Code that fails at unequal sizes: it may run where all are equal, and is told apart there. What takes all
        that there is, or leaves, is wrong."""
        says = f"{failure} (at {self.sizes})" if self.sizes else str(failure)
        if not RUNS_AWAY.isdisjoint((*failure.kinds, failure.says)):
            self.report_.broken.append(says)
            return self.report_
        for size in () if self.dims else (3, 4):
            try:
                truth = Truth(self.model, dict.fromkeys(self.model.sizes, size), self.seed, numeric=True)
                runs = [self.run(self.prepared(p, truth), truth) for p in truth.points(2)]
            except (CallFailed, ModelError):
                continue
            self.report_.broken.append(f"it runs only where all sizes are equal: otherwise {failure}")
            self.judge(runs, truth)
            return self.report_
        raise BrokenModule(says)

    def _adopt(self, runs: Sequence[Run]) -> None:
        """Take results by names that the model does not have for what they may be meant as."""
        if not runs[0].returned.extra:
            return
        calls = [(r.point, r.returned) for r in runs]
        self.meant = meant(self.truth, calls, lambda name, call, word: pair(
            self.truth, name, call[0], *call[1].extra[word], self.tolerance))
        for run in runs:
            run.returned.adopt(self.meant.taken)
        self.report_.notes += self.meant.why

    # -- verdicts
    def judge(self, runs: Sequence[Run], truth: Truth) -> None:
        """A verdict on every gradient that all runs returned."""
        names = [n for n in runs[0].returned.gradients if all(n in r.returned.gradients for r in runs)]
        pairs = {n: [self._pair(truth, n, r) for r in runs] for n in names}
        self._notes(runs, pairs, truth)
        points = [r.point for r in runs]
        off = [n for n in names if not all_close(pairs[n])]
        hard = self._with_hard_targets(runs, truth) if off else []
        wrong = [n for n in off if not self._hard(n, hard, truth)]
        steps = [n for n in wrong if n not in truth.targets and not self._is_meant(n, pairs[n], points, truth)]
        right = [n for n in names if n in truth.targets and n not in wrong]
        every = len(steps) == len(wrong)
        after = {n: right if every else [t for t in right if _leads_to(truth, t, n)] for n in steps}
        for n in (n for n in steps if after[n]):
            which = "the gradients after it are" if every else f"d{after[n][0]} after it is"
            self.report_.notes.append(f"d{n} is another intermediate than ∂{truth.reference.loss_word}/∂{n}; "
                                      f"{which} right")
        names, wrong = ([n for n in some if not after.get(n)] for some in (names, wrong))
        findings = self._explained(wrong, self._sharper(wrong, pairs, points, truth), points, truth)
        if self.dtype == "float32" and any(f.kind == UNEXPLAINED for f in findings.values()):
            findings = _explained_by_either(findings, self._explained(wrong, pairs, points, truth))
        self._note_masks(wrong, runs, truth)
        nearest = next((n for n, f in findings.items() if f.kind == UNEXPLAINED), "")
        for name in sorted(names, key=lambda n: _order(truth, n)):
            self.report_.gradients.append(self._gradient(name, pairs[name], findings.get(name), runs, name == nearest))
        unreadable = {n: what for r in runs for n, what in r.returned.unreadable.items() if n not in names}
        for name, what in unreadable.items():
            says = f"it is no array of real numbers: what came back is {what}"
            self.report_.gradients.append(Gradient(name, FAIL, says, UNREADABLE, formula=self._formula(name)))
        self.report_.gradients += [self._undecided(n, words) for n, words in self.meant.doubtful.items()]
        self.report_.missing = [n for n in truth.targets if n not in names and n not in unreadable]

    def _is_meant(self, name: str, pairs: Sequence[Pair], points: Sequence[Point], truth: Truth) -> bool:
        """Whether a result by the name of an array of the model can be nothing but its gradient: it was asked for, or
        is that of no step. Code has steps of its own by the names of intermediates, and calls a step's gradient dy."""
        if self.returns is not None and name in map(truth.gradient_of, self.returns):
            return True
        leaf, reference = self.model.leaves().get(name), truth.reference
        others = (r for r in reference.order if leaf is not None and not r.is_leaf and r.shape == leaf.shape)
        return leaf is not None and not any(
            all(pair.agrees(p.value(reference.gradient(r))) for pair, p in zip(pairs, points, strict=True))
            for r in others)

    def _pair(self, truth: Truth, name: str, run: Run) -> Pair:
        """The comparison of a gradient at a point; what comes of float32 inputs is no better for coming in float64."""
        found = run.returned
        kept = self.dtype == "float32" and found.precision[name] == "float64"
        precision = self.dtype if kept else found.precision[name]
        return pair(truth, name, run.point, found.gradients[name], precision, self.tolerance)

    def _with_hard_targets(self, runs: Sequence[Run], truth: Truth) -> list[Run]:
        """The same runs with targets that are 0 or 1; none where they are or where that fails."""
        again: list[Run] = []
        for run in runs[:2]:
            point = truth.hard(run.point)
            if all(np.array_equal(point.value(r), run.point.value(r)) for r in truth.sources[truth.style].leaves):
                return []
            try:
                again.append(self.run(point, truth))
            except CallFailed:
                return []
        return again

    def _note_masks(self, wrong: Sequence[str], runs: Sequence[Run], truth: Truth) -> None:
        """Data at which wrong gradients are right where they are 0 or 1, as masks are: the model may say so."""
        for mask, row in truth.numbers.items() if wrong else ():
            tried = [r for run in runs[:2] if (r := self._tried(truth.chosen(run.point, mask), truth)) is not None]
            right = [n for n in wrong if len(tried) > 1 and all(
                n in r.returned.gradients and all_close([self._pair(truth, n, r)]) for r in tried)]
            if right:
                self.report_.notes.append(
                    f"where {mask} is 0 or 1, {', '.join(f'd{n}' for n in right)} {'are' if len(right) > 1 else 'is'} "
                    f"right: if {mask} is a mask, declare data {declared(mask, row.shape, 'int < 2')}")

    def _hard(self, name: str, again: Sequence[Run], truth: Truth) -> bool:
        """Whether a gradient is right for targets that are 0 or 1, as a case distinction on them takes for granted."""
        if not again or any(name not in r.returned.gradients or not all_close([self._pair(truth, name, r)])
                            for r in again):
            return False
        note = "it holds for targets that are 0 or 1"
        if note not in self.report_.notes:
            self.report_.notes.append(note)
        return True

    def _sharper(self, wrong: Sequence[str], pairs: Mapping[str, list[Pair]], points: Sequence[Point], truth: Truth
                 ) -> dict[str, list[Pair]]:
        """What is wrong with float32 inputs, as it is with float64 ones: rounding hides the cause."""
        sharp = dict(pairs)
        if not wrong or self.dtype == "float64":
            return sharp
        given, self.dtype = self.dtype, "float64"
        try:
            runs = [self.run(point, truth) for point in points]
            for name in pairs:
                found = [self._pair(truth, name, r) for r in runs if name in r.returned.gradients]
                if len(found) == len(runs) and not (name in wrong and all_close(found)):
                    sharp[name] = found
        except (CallFailed, UsageError):
            pass
        finally:
            self.dtype = given
        return sharp

    def _explained(self, wrong: Sequence[str], pairs: Mapping[str, Sequence[Pair]], points: Sequence[Point],
                   truth: Truth) -> dict[str, Finding]:
        """The mistake in each wrong gradient. Where a step may be computed in float32, that is allowed for."""
        if not wrong:
            return {}
        states = {p.state for n in pairs for p in pairs[n]}
        loose = {n: [p.loosened() for p in pairs[n]] for n in pairs}
        found = self._mistakes(wrong, pairs, points, truth)
        single = SINGLE_STEP in states or (CLOSE not in states and not is_large(truth.reference))
        allowed = single and any(p.loose for n in wrong for p in pairs[n])
        if not allowed or all(f.kind != UNEXPLAINED for f in found.values()):
            return found
        return _explained_by_either(found, self._mistakes(wrong, loose, points, truth))

    def _mistakes(self, wrong: Sequence[str], pairs: Mapping[str, Sequence[Pair]], points: Sequence[Point],
                  truth: Truth) -> dict[str, Finding]:
        """The mistake in each wrong gradient, those nearest to the results first; last what is hardly off, which only
        feels a mistake from afar."""
        from symbackprop.own.diagnosis import Diagnosis  # all that explains, which what is right does without

        found: dict[str, Finding] = {}
        earlier: list[Candidate] = []
        pool: dict[int, list[Candidate]] = {}
        others = {n: [truth.right(n, p) for p in points] for n in truth.targets}
        right = [n for n in pairs if n not in wrong and all_close(pairs[n])]
        off = {n: max(p.distance() for p in pairs[n]) for n in wrong}
        faint = FAINT * max(off.values(), default=0.0)
        for name in sorted(wrong, key=lambda n: (off[n] < faint, len(truth.reference.downstream(row_of(truth, n))))):
            nearer = next((n for n, f in found.items() if f.kind == UNEXPLAINED), None)
            diagnosis = Diagnosis(truth, name, points, pairs[name], others, right, wrong, earlier,
                                  nearer is None, pool)
            finding = found[name] = diagnosis.finding()
            if finding.kind == UNEXPLAINED and nearer is not None:
                says = f"{finding.says}; d{nearer}, which is nearer to the loss, is wrong already"
                found[name] = replace(finding, says=says)
            earlier += [c for c in diagnosis.found if c not in earlier]
        return found

    def _gradient(self, name: str, pairs: Sequence[Pair], finding: Finding | None, runs: Sequence[Run], shrink: bool
                  ) -> Gradient:
        errors = [p.distance() for p in pairs]
        worst = int(np.argmax(errors))
        if finding is None:
            return Gradient(name, PASS, max_relative_error=max(errors))
        if finding.kind == UNEXPLAINED and name in self.meant.guessed:
            return self._undecided(name, [self.meant.guessed[name]])
        chosen = next((p for p in pairs if p.state == OFF), pairs[worst])
        place = chosen.worst() if chosen.state != SHAPE else ()
        says = finding.says + (f"; or it comes of {self.changed}, which is changed before" if self.changed else "")
        if finding.kind == UNEXPLAINED and self.another_function:
            says += f"; {self.another_function}, so that it may be right for that one"
        elif shrink:
            smallest_input = self._smallest(name)
            says += smallest_input if len(says + smallest_input) <= MAX_SAYS else ""
        yours, right = (chosen.given[place], chosen.right[place]) if chosen.state != SHAPE else (None, None)
        return Gradient(name, FAIL, says if len(says) <= MAX_SAYS else says[: MAX_SAYS - 1] + "…", finding.kind,
                        max(errors), list(place) if chosen.state != SHAPE else None,
                        None if yours is None else float(yours), None if right is None else float(right),
                        self._formula(name), runs[0].returned.words.get(name, ""))

    def _undecided(self, name: str, words: Sequence[str]) -> Gradient:
        return Gradient(name, INCONCLUSIVE, f"none comes back by this name; {' or '.join(words)}, which the model does "
                        "not have, may be meant and is another array: name it as the model does, or with --returns",
                        UNNAMED)

    def _formula(self, name: str) -> str:
        """The right gradient as the derivation writes it, over the gradients above it."""
        lines = self.truth.reference.solution(name)
        return lines[-1] if lines and len(lines[-1]) <= MAX_FORMULA else ""

    def _smallest(self, name: str) -> str:
        text = "" if is_large(self.truth.reference) else smallest(self.truth, name, self._off)
        return f"; {text}" if text else ""

    def _off(self, name: str, point: Point) -> tuple[Array, Array] | None:
        """The returned and the right gradient at a point where they differ."""
        run = self._tried(point)
        if run is None or name not in run.returned.gradients:
            return None
        found = self._pair(self.truth, name, run)
        wrong = found.state in (OFF, SHAPE) and np.all(np.isfinite(found.right)) and np.all(np.isfinite(found.given))
        return (found.given, found.right) if wrong else None

    # -- what is not about a gradient's values
    def _promises(self, run: Run) -> bool:
        """Whether a second call gives the same; changed inputs and caches."""
        report, label = self.report_, self.form.label
        names = changed(run.given, run.raw)
        self.changed = " and ".join(names)
        report.broken += [f"{label} changes its input {name}" for name in names]
        if run.raw.cache is not None:
            before, now = run.raw.cache[0], dict(run.raw.cache[1])
            touched = [w for w, a in before if w in now and not np.array_equal(now[w], a, equal_nan=True)]
            if touched:
                report.broken.append(f"{label} changes its cache ({', '.join(dict.fromkeys(touched))})")
        if run.raw.added:
            report.notes.append(f"it adds to what stands in {', '.join(run.raw.added)}: set that to 0 before each call")
        different = self._differing(run)
        if different:
            report.broken.append(f"a second call of {label} gives another result ({', '.join(different)}): a buffer is "
                                 "not reset, or it is random")
        return not different

    def _differing(self, run: Run) -> list[str]:
        raw = run.raw
        if raw.second_failure:
            self.report_.broken.append(f"a second call fails: {raw.second_failure}")
            return []
        if raw.second is not None and not changed(run.given, raw):
            second = Raw(raw.second, raw.words)
            twice = returned(second, self.returns, self.truth, self.form.label, run.point)
            different = _different(run.returned, twice)
            if different:
                return different
        try:
            return _different(run.returned, self.run(run.point, fresh=False).returned)
        except CallFailed as failure:
            self.report_.broken.append(f"a second call fails: {failure}")
            return []

    def _notes(self, runs: Sequence[Run], pairs: Mapping[str, Sequence[Pair]], truth: Truth) -> None:
        notes, found = self.report_.notes, runs[0].returned
        extra = [w for w in found.extra if w not in truth.model.sizes]
        if extra:
            notes.append(f"it also returns {', '.join(extra)}, which is not compared")
        if found.ordered:
            notes.append("results without a name are taken by their shapes, in the order of the model: "
                         f"{', '.join(found.ordered)}")
        if found.unnamed:
            notes.append(f"{_count(found.unnamed)} without a name and not compared; --returns gives names")
        self._precision_note(found, [n for n in pairs if not all_close(pairs[n])])
        for name, compared in pairs.items():
            if all_close(compared) and any(p.state == SINGLE_STEP for p in compared):
                notes.append(f"{found.words[name]} agrees to the precision of float32 only: a step is computed in it")
            given = runs[0].returned.gradients[name].shape
            if compared[0].state in (CLOSE, SINGLE_STEP) and given != compared[0].right.shape:
                notes.append(f"{found.words[name]} comes back in the shape {given}, "
                             f"{name} has {compared[0].right.shape}")
        self._forward_note(runs[0], truth)

    def _precision_note(self, found: Returned, off: Sequence[str]) -> None:
        """Results in another precision than the inputs; whole numbers where they are wrong, as they lose fractions."""
        other = {n: p for n, p in found.precision.items() if p != self.dtype
                 and (p.startswith(("float", "bf")) or n in off)}
        for precision in dict.fromkeys(other.values()):
            kept = [found.words[n] for n, p in other.items() if p == precision]
            said = f"{', '.join(kept)} {'comes' if len(kept) == 1 else 'come'} back in"
            if self.dtype == "float64" or not precision.startswith(("float", "bf")):
                self.report_.notes.append(f"{said} {precision} for {self.dtype} inputs")
            else:
                how = "it keeps float64" if precision == "float64" else f"it works in {precision}"
                self.report_.notes.append(f"{how}: {said} it for float32 inputs")

    def _forward_note(self, run: Run, truth: Truth) -> None:
        """Whether the code's own forward computes what the model says."""
        results = truth.reference.results
        value = None if run.raw.value is None or len(results) > 1 else back(run.raw.value)
        if value is None:
            return
        right = np.asarray(run.point.value(results[0]))
        loose = 1e-3 if value[1] != "float64" or self.dtype != "float64" else 1e-6
        scale = max(float(np.max(np.abs(right), initial=0.0)), 1e-6)
        if value[0].size != right.size or distance(value[0].reshape(right.shape), right, scale) > loose:
            name = truth.reference.name(results[0])
            self.another_function = f"its forward computes another {name} than the model"
            self.report_.notes.append(f"{self.another_function}: what follows may be the gradient of another function")

    def _longer(self) -> None:
        """What is right for a few steps of a loop is right for more."""
        if not self.truth.fixed or all(n in self.dims for n in self.truth.fixed):
            return
        longer = Truth(self.model, self.dims, self.seed, STEPS + 2)
        try:
            run = self.run(self.prepared(next(iter(longer.points(1))), longer), longer)
        except CallFailed as failure:
            self.report_.broken.append(f"with {STEPS + 2} steps of the loop it fails: {failure}")
            return
        for gradient in self.report_.gradients:
            if gradient.name in run.returned.gradients:
                compared = self._pair(longer, gradient.name, run)
                if compared.state in (OFF, SHAPE):
                    gradient.verdict, gradient.kind = FAIL, "stale-index"
                    steps = " and ".join(f"{n} = {k}" for n, k in self.truth.fixed.items())
                    gradient.says = f"it is right for {steps}, not for more steps"

    def _kinks(self, run: Run) -> None:
        """Where entries tie or arguments are 0, another convention than the model's is told and allowed."""
        tied = self._tried(self.truth.tied(run.point))
        if tied is None:
            return
        for name in tied.returned.gradients:
            compared = self._pair(self.truth, name, tied)
            if compared.state == OFF and name in {g.name for g in self.report_.gradients}:
                place = compared.worst()
                index = f"[{', '.join(map(str, place))}]" if place else ""
                self.report_.notes.append(
                    "where entries tie or an argument is at a kink, another convention than the model's: "
                    f"d{name}{index} is {compared.given[place]:.6g}, by the model {compared.right[place]:.6g}")
                return

    def _near_kinks(self, run: Run) -> None:
        """A mask whose threshold is not the kink is wrong however rarely an entry is between them."""
        reference = self.truth.reference
        kinks = [e for row in reference.order for e in reference.edges(row) if has_kink(e)]
        near = self._tried(self.truth.near_kinks(run.point) if kinks else None)
        if near is None:
            return
        for gradient in self.report_.gradients:
            finding = self._displaced(gradient.name, near, kinks)
            if finding is not None:
                gradient.verdict, gradient.kind, gradient.says = FAIL, finding.kind, finding.says

    def _beyond(self, usual: Run, number: float) -> None:
        """What the code does on the other side of a number that it compares with, where it is finite there."""
        far = self._tried(self.truth.as_large_as(usual.point, number))
        if far is None:
            return
        for gradient in [g for g in self.report_.gradients if g.verdict == PASS]:  # of the least number is told
            given, right = far.returned.gradients.get(gradient.name), self.truth.right(gradient.name, far.point)
            moderate = self.truth.right(gradient.name, usual.point)
            if given is not None and _is_far_off(given, right, moderate):
                at = np.unravel_index(int(np.argmax(np.abs(given - right))), right.shape)
                gradient.verdict, gradient.kind, gradient.says = FAIL, UNEXPLAINED, (
                    f"it is right for moderate values, not for those beyond {number:g}, which the code compares with: "
                    f"there an entry is {given[at]:.6g}, right is {right[at]:.6g}")

    def _displaced(self, name: str, near: Run, kinks: Sequence[Edge]) -> Finding | None:
        """The mask beside its kink that makes a gradient what it is where all numbers are small."""
        right = self.truth.right(name, near.point)
        size, given = float(np.max(np.abs(right), initial=0.0)), near.returned.gradients.get(name)
        if size == 0 or given is None or given.shape != right.shape:
            return None
        compared = Pair(given / size, right / size, NEARLY)
        if compared.agrees(compared.right):
            return None
        from symbackprop.grade.derivation_mistakes import Place, repeated  # as above
        from symbackprop.own.array_mistakes import displaced_masks
        from symbackprop.own.other_values import Sweep

        sweep = Sweep(self.truth.reference, near.point, row_of(self.truth, name))
        found = [c for e in kinks for c in displaced_masks(Place(self.truth.reference, e, sweep.target, ()))]
        masks = (c for c in (*found, *repeated(found)) if compared.agrees(sweep.gradient(c.swaps) / size))
        return next((c.tell() for c in masks), None)


def _unknown(label: str, word: str, truth: Truth) -> UsageError:
    known = truth.known_words()
    return UsageError(
        f"{label} has a parameter {word!r}, which is no name of {truth.model.name}: it has {', '.join(known)}."
        f"{did_you_mean(word, known)}"
    )


def _explained_by_either(first: Mapping[str, Finding], second: Mapping[str, Finding]) -> dict[str, Finding]:
    return {n: second[n] if f.kind == UNEXPLAINED else f for n, f in first.items()}


def _count(number: int) -> str:
    return f"{number} results are" if number > 1 else "one result is"


def _is_far_off(given: Array, right: Array, moderate: Array) -> bool:
    """Whether a gradient at large values is another one; what vanishes there may do so as rounding has it."""
    if given.shape != right.shape or not np.all(np.isfinite(given)):
        return False
    size = max(float(np.max(np.abs(a), initial=0.0)) for a in (right, moderate))
    return bool(np.max(np.abs(given - right), initial=0.0) > GROSS * size)


def _leads_to(truth: Truth, name: str, inner: str) -> bool:
    """Whether the gradient of an array is worked out from that of an intermediate."""
    return row_of(truth, inner) in truth.reference.downstream(row_of(truth, name))


def _order(truth: Truth, name: str) -> int:
    names = list(truth.model.leaves())
    return names.index(name) if name in names else len(names)


def _sizes(truth: Truth, point: Point) -> str:
    return ", ".join(f"{n} = {k}" for n, k in {**truth.fixed, **point.sizes}.items())


def _different(first: Returned, second: Returned) -> list[str]:
    """The results that two calls do not give alike."""
    return [first.words[n] for n, a in first.gradients.items() if n in second.gradients
            and not np.allclose(a, second.gradients[n], rtol=1e-4, atol=1e-7, equal_nan=True)]
