"""Judging one analytic gradient against slopes: every entry, or sampled entries and random directions.

An entry passes when it differs from its slope by no more than ``TOLERANCE`` of its own size, by what the error estimate
of the slope allows, or by rounding: 4e-15, or what rounding is measured to make of this slope. How large a loss is says
nothing: its slope rounds as its own terms do, and 10¹² + f has that of f.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations_with_replacement
from typing import Any, TypeAlias

import numpy as np

from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import evaluate_shape, shape_text
from symbackprop.errors import did_you_mean
from symbackprop.verify.differences import NORMAL, Objective, Prober, Slopes, halved
from symbackprop.verify.interpreter import Array, Sizes, largest, magnitude
from symbackprop.verify.module import Candidate, Outcome, kind, numbers
from symbackprop.verify.report import FAIL, INCONCLUSIVE, KINK, PASS, GradientReport, ResultReport
from symbackprop.verify.rounding import DOUBLE, Rounding

TOLERANCE, USUAL, UNRESOLVED = 1e-6, 4e-15, 1e-3
NOTHING = 1e-3  # a slope that small is as good as 0
DIRECTIONS = 4


@dataclass(frozen=True)
class Evidence:
    """Analytic and numeric values of one gradient at the entries judged in one trial (kinks left out), with the leaf's
    own values there, and those of ``named`` rows that are one number, or have its shape. ``whole`` says that these are
    all entries, in order."""

    where: Array
    analytic: Array
    numeric: Array
    values: Array
    wrong: Array
    shape: tuple[int, ...]
    sizes: Sizes
    whole: bool
    named: Mapping[str, Array]


@dataclass(frozen=True)
class Finding:
    """What one trial found about one gradient; ``worst`` is a flat place."""

    verdict: str
    error: float
    worst: int | None
    analytic: float | None
    numeric: float | None
    method: str
    checked: int
    kinks: tuple[int, ...]
    evidence: Evidence


def agreeing(shape: tuple[int, ...], sizes: Sizes, method: str) -> Finding:
    """The finding on a gradient of which no entry was compared by itself, where nothing differs along directions."""
    none = np.zeros(0)
    evidence = Evidence(none.astype(int), none, none, none, none.astype(bool), shape, sizes, False, {})
    return Finding(PASS, 0.0, None, None, None, method, 0, (), evidence)


def judge(analytic: Array, slopes: Slopes, prober: Prober, sizes: Sizes) -> Finding:
    """The verdict on the entries that slopes were taken of."""
    a, n = analytic.reshape(-1)[slopes.where], slopes.values
    smooth = ~slopes.kink
    noise = np.maximum(slopes.noise, np.median(slopes.noise[smooth]) if smooth.any() else 0.0)
    rounding = _rounding(a, slopes, noise, prober)
    error = _relative(a, n, noise + rounding)
    wrong = smooth & np.isfinite(n) & ~(error <= TOLERANCE)
    unclear = smooth & ~wrong & (_unresolved(a, n, noise) | _lost(a, n, rounding))
    verdict = FAIL if wrong.any() else INCONCLUSIVE if unclear.any() else PASS if smooth.any() or not n.size else KINK
    worst = _worst(error, np.abs(a - n), wrong, unclear, smooth)
    evidence = _evidence(a, slopes, smooth, wrong, prober, sizes)
    return Finding(
        verdict,
        0.0 if worst is None else float(error[worst]),
        None if worst is None else int(slopes.where[worst]),
        None if worst is None else float(a[worst]),
        None if worst is None else float(n[worst]),
        slopes.method,
        int(smooth.sum()),
        tuple(int(i) for i in slopes.where[slopes.kink]),
        evidence,
    )


def _rounding(a: Array, slopes: Slopes, noise: Array, prober: Prober) -> Array:
    """What rounding makes of the slopes, measured where one differs by too much, from the worst on until one is wrong
    beyond that."""
    n, rounding = slopes.values, _usual(prober) / prober.scales[slopes.where]
    error = np.where(~slopes.kink & np.isfinite(n), _relative(a, n, noise + rounding), 0.0)
    for i in np.argsort(-error, kind="stable"):
        if not error[i] > TOLERANCE:
            break
        rounding[i] += prober.rounding(slopes.where[i : i + 1], np.ones(1), float(n[i]))
        if not abs(a[i] - n[i]) <= rounding[i]:
            break
    return rounding


def _usual(prober: Prober) -> float:
    """What rounding makes of slopes in models whose numbers are about 1, that is not looked at closer."""
    return USUAL * prober.objective.beside()


def _relative(a: Array, n: Array, allowed: Array) -> Array:
    """|a − n| over the entry's size, that being no smaller than what cannot be told apart from 0; inf for a NaN."""
    with np.errstate(all="ignore"):
        size = np.maximum(np.maximum(np.abs(a), np.abs(n)), (allowed + NORMAL) / TOLERANCE)
        error = np.where(a == n, 0.0, np.abs(a - n) / size)
    return np.where(np.isfinite(error), error, np.inf)


def _unresolved(a: Array, n: Array, noise: Array) -> Array:
    """Entries whose slope is too uncertain to tell a right gradient from a wrong one. Of a gradient of 0 only the noise
    of the slope is seen."""
    scale = max(largest(a), largest(n))
    vanishes = largest(a) <= UNRESOLVED * noise
    return ~np.isfinite(n) | (noise > UNRESOLVED * np.where(vanishes, max(scale, NOTHING), scale))


def _lost(a: Array, n: Array, rounding: Array) -> Array:
    """Entries of which rounding leaves too little; of a gradient that is nothing else it may leave what is small."""
    scale = max(largest(a), largest(n))
    return rounding > np.where(scale <= rounding, NOTHING, UNRESOLVED * max(scale, NOTHING))


def _worst(error: Array, distance: Array, wrong: Array, unclear: Array, smooth: Array) -> int | None:
    """The place to report: the worst of the wrong entries, else of the unclear, else of all; of those that are equally
    bad, the largest."""
    for chosen in (wrong, unclear, smooth):
        if chosen.any():
            close = chosen & (error >= 0.999 * np.max(error[chosen]))
            return int(np.argmax(np.where(close & np.isfinite(distance), distance, -1.0 * ~close)))
    return None


def _evidence(a: Array, slopes: Slopes, smooth: Array, wrong: Array, prober: Prober, sizes: Sizes) -> Evidence:
    keep = smooth & np.isfinite(slopes.values)
    where, x = slopes.where[keep], prober.x
    whole, named = len(where) == x.size, _named(prober, where) if wrong.any() else {}
    values = x.reshape(-1)[where]
    return Evidence(where, a[keep], slopes.values[keep], values, wrong[keep], x.shape, sizes, whole, named)


def _named(prober: Prober, where: Array) -> dict[str, Array]:
    base, shape = prober.objective.base, prober.x.shape
    rows = prober.objective.rows[0].graph.topological(prober.objective.rows)
    values = {r.name: np.asarray(base[r.id]) for r in rows if r.name and r.kind == FLOAT and r.id in base}
    return {n: np.broadcast_to(v, shape).reshape(-1)[where] for n, v in values.items() if v.shape in ((), shape)}


def wrong_entry(analytic: Array, prober: Prober, rng: Any) -> int | None:
    """An entry at which random directions over the whole gradient disagree with it, found by halving; None when they
    agree (or meet kinks)."""
    everywhere = np.arange(prober.x.size)
    for _ in range(DIRECTIONS):
        direction = rng.choice([-1.0, 1.0], prober.x.size) * prober.scales
        gap = partial(_gap, analytic, prober, direction)
        if gap(everywhere, known=False) > 0:
            return halved(everywhere, gap)
    return None


def _gap(analytic: Array, prober: Prober, direction: Array, where: Array, known: bool = True) -> float:
    """By how much a directional derivative misses what the gradient says, beyond what is allowed. Where it is ``known``
    to be too much, what rounding makes of it is not looked at again."""
    found = prober.along(where, direction[where])
    if found.kink or not np.isfinite(found.slope):
        return 0.0
    terms = analytic.reshape(-1)[where] * direction[where]
    allowed = 1e-9 * float(np.linalg.norm(terms)) + found.noise + _usual(prober) + NORMAL
    missed = abs(float(terms.sum()) - found.slope)
    if missed > allowed and not known:
        allowed += prober.rounding(where, direction[where], found.slope)
    return missed / allowed - 1 if np.isfinite(missed) else np.inf


AGREE = 1e-8
NOWHERE = "it was compared nowhere"
_RANK = {KINK: 0, PASS: 1, INCONCLUSIVE: 2, FAIL: 3}


@dataclass(frozen=True)
class Flaw:
    """Why a gradient could not be compared; ``fails`` tells a broken module from a method that does not apply."""

    message: str
    fails: bool = True


def compare_results(objective: Objective, outcome: Outcome) -> Iterator[ResultReport]:
    """The loss or outputs that the module computes against the interpreter's."""
    for row in objective.rows:
        name = row.name or ""
        ours, theirs = np.asarray(objective.base[row.id], dtype=np.float64), numbers(outcome.results[name])
        if theirs is None or theirs.shape != ours.shape:
            yield ResultReport(name, FAIL, None)
            continue
        with np.errstate(all="ignore"):
            error = np.abs(theirs - ours) / magnitude(ours)
        error = np.where(theirs == ours, 0.0, np.where(np.isfinite(error), error, np.inf)).reshape(-1)
        worst = int(np.argmax(error)) if error.size else None
        values = (None, None) if worst is None else (float(theirs.reshape(-1)[worst]), float(ours.reshape(-1)[worst]))
        largest = float(np.max(error, initial=0.0))
        agrees = largest <= AGREE or largest <= objective.spread(row, Rounding(DOUBLE, np.random.default_rng(0)))
        yield ResultReport(name, PASS if agrees else FAIL, largest, *values)


def check_gradients_given(candidate: Candidate, outcome: Outcome, sizes: Sizes
                          ) -> tuple[dict[str, Any], dict[str, Flaw], list[str]]:
    """(gradients as arrays, flaws of those that are none, other problems)."""
    gradients, flaws = {}, {}
    unknown = [n for n in outcome.gradients if n not in candidate.targets]
    for name, row in candidate.targets.items():
        flaw = _flaw(name, row, outcome.gradients, unknown, sizes)
        if flaw is None:
            gradients[name] = numbers(outcome.gradients[name])
        else:
            flaws[name] = Flaw(flaw)
    extra = "is no parameter or input of the model" if candidate.chosen is None else "GRADIENTS does not name"
    return gradients, flaws, [f"backward returns {n!r}, which {extra}" for n in unknown]


def _flaw(name: str, row: Node, given: Mapping[str, Any], unknown: Sequence[Any], sizes: Sizes) -> str | None:
    if name not in given:
        near = did_you_mean(name, [str(n) for n in unknown])
        return f"backward returns no gradient of that name.{near}"
    array = numbers(given[name])
    if array is None:
        return f"backward returns {kind(given[name])}, not numbers"
    shape = evaluate_shape(row.shape, sizes)
    if array.shape != shape:
        expected = f"{shape_text(row.shape)} = {shape}" if shape else "a scalar"
        return f"the gradient has shape {array.shape}, expected {expected}: {shape_cause(array.shape, shape)}"
    dtype = np.asarray(given[name]).dtype
    if dtype.kind != "f" and array.ndim:
        return f"the gradient is {dtype} where the parameter is float64"
    return None


def merged(row: Node, sizes: Sizes | None, found: Mapping[str, Sequence[Finding]], flaw: Flaw | None
           ) -> GradientReport:
    """One report on a gradient from what all trials ``found`` of every one: the worst verdict counts, and within it the
    worst entry."""
    findings = found.get(row.name or "", ())
    name, dims = row.name or "", shape_text(row.shape)
    if flaw is not None or not findings:
        shape = () if sizes is None else evaluate_shape(row.shape, sizes)
        verdict = FAIL if flaw is not None and flaw.fails else INCONCLUSIVE
        return GradientReport(name, shape, verdict, cause=NOWHERE if flaw is None else flaw.message, dims=dims)
    worst = max(findings, key=lambda f: (_RANK[f.verdict], f.error))
    own = worst.evidence.shape
    return GradientReport(
        name, own, worst.verdict, worst.error, _index(worst.worst, own), worst.analytic, worst.numeric,
        _cause(worst.verdict, name, found), worst.method, worst.checked, int(np.prod(own, dtype=int)),
        tuple(i for f in findings for k in f.kinks if (i := _index(k, f.evidence.shape)) is not None),
        dims,
    )


def _cause(verdict: str, name: str, found: Mapping[str, Sequence[Finding]]) -> str:
    if verdict == FAIL:
        seen = {n: [f.evidence for f in findings] for n, findings in found.items()}
        return _of_another(seen.pop(name), seen) or likely_cause([f.evidence for f in found[name]])
    if verdict == INCONCLUSIVE:
        return "the numeric slope is too uncertain to tell"
    return ""


def _index(place: int | None, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    return None if place is None else tuple(int(i) for i in np.unravel_index(place, shape))


# -- what a wrong gradient looks like
Trials: TypeAlias = Sequence[Evidence]
CLOSE = 1e-5


def likely_cause(trials: Trials) -> str:
    """One sentence on how the gradient differs from the numeric one, and the mistake that does this."""
    seen = [t for t in trials if t.where.size]
    if not any(t.wrong.any() for t in seen):
        return "the values differ"
    for rule in RULES:
        said = rule(seen)
        if said:
            return said
    return f"{_counted(seen)} entries differ, the others are right: what these alone depend on is wrong"


def _of_another(trials: Trials, others: Mapping[str, Trials]) -> str | None:
    """The gradient of another parameter under this name."""
    for name, theirs in others.items():
        pairs = list(zip(trials, theirs, strict=False)) if len(theirs) == len(trials) else []
        alike = bool(pairs) and all(t.shape == o.shape and np.array_equal(t.where, o.where) for t, o in pairs)
        if alike and all(np.any(t.analytic) and _close(t.analytic, o.numeric) for t, o in pairs):
            return f"it is the gradient of {name}"
    return None


def shape_cause(found: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """The mistake behind a gradient of the wrong shape."""
    if found == expected[::-1]:
        return "it is transposed"
    if len(found) > len(expected) and found[len(found) - len(expected) :] == expected:
        return "a sum over the leading axis is missing: it was broadcast in forward"
    if len(found) == len(expected) and all(e in (1, f) for e, f in zip(expected, found, strict=True)):
        return "a sum over a broadcast axis is missing"
    if len(found) < len(expected):
        return "it was summed over too many axes, or not broadcast back"
    return "a gradient has the shape of its variable"


def _counted(trials: Trials) -> str:
    return f"{sum(int(t.wrong.sum()) for t in trials)} of {sum(t.where.size for t in trials)}"


def _matches(trials: Trials, predicted: Callable[[Evidence], Array]) -> bool:
    return all(_close(t.analytic, predicted(t)) for t in trials)


def _close(a: Array, b: Array, share: float = 1.0) -> bool:
    return bool(np.max(np.abs(a - b), initial=0.0) <= share * CLOSE * np.max(np.abs(b), initial=0.0))


def _not_finite(trials: Trials) -> str | None:
    bad = sum(int((~np.isfinite(t.analytic)).sum()) for t in trials)
    if not bad:
        return None
    total = sum(t.where.size for t in trials)
    return f"{bad} of {total} entries are not finite: an overflow, or 0/0 or log 0 on the way"


def _zero(trials: Trials) -> str | None:
    if any(np.any(t.analytic) for t in trials):
        return None
    return "it is zero: a branch that reaches the result is missing"


def _factor(trials: Trials) -> str | None:
    """A constant ratio: the sign, a square's 2, a mean's N."""
    for text, factor in _factors(trials[0].sizes):
        if _matches(trials, lambda t, factor=factor: factor(t.sizes) * t.numeric):  # type: ignore[misc]
            return text
    ratios = [_ratio(t) for t in trials]
    share = min(100 * abs(ratios[0] - 1), 1.0)  # beside a factor near 1, what is left has to be smaller still
    constant = sum(t.where.size for t in trials) > 1 and np.ptp(ratios) <= share * CLOSE * abs(ratios[0])
    if constant and all(_close(t.analytic, _ratio(t) * t.numeric, share) for t in trials):
        return f"every entry is off by the same factor {ratios[0]:.{6 if share == 1 else 12}g}"
    return None


def _ratio(t: Evidence) -> float:
    below = float(t.numeric @ t.numeric)
    return float(t.analytic @ t.numeric) / below if below else 0.0


def _factors(sizes: Sizes) -> Iterator[tuple[str, Callable[[Sizes], float]]]:
    """Factors that mistakes make, with what they mean, the likelier ones first."""
    yield "the sign is flipped: ratio -1", lambda s: -1.0
    yield "twice too large (ratio 2): a factor 1/2 is missing, or a term counts twice", lambda s: 2.0
    yield "half of what it should be (ratio 1/2): the factor 2 of a square is missing", lambda s: 0.5
    yield "ratio -2: the sign is flipped and a factor 1/2 is missing", lambda s: -2.0
    yield "ratio -1/2: the sign is flipped and a factor 2 is missing", lambda s: -0.5
    for count in (1, 2, 3):
        for names in combinations_with_replacement(sizes, count):
            yield from _by_dimensions("*".join(names), names)


def _by_dimensions(shown: str, names: Sequence[str]) -> Iterator[tuple[str, Callable[[Sizes], float]]]:
    def size(sizes: Sizes) -> float:
        return float(np.prod([sizes[n] for n in names]))

    if len(names) > 1:
        shown = f"({shown})"
    yield f"{shown} times too large (ratio {shown}): the 1/{shown} of a mean is missing", size
    yield f"{shown} times too small (ratio 1/{shown}): divided by {shown} once too often", lambda s: 1 / size(s)
    yield f"ratio -{shown}: the sign is flipped and the 1/{shown} of a mean is missing", lambda s: -size(s)
    yield f"ratio -1/{shown}: the sign is flipped, and divided by {shown} once too often", lambda s: -1 / size(s)


def _transposed(trials: Trials) -> str | None:
    square = all(t.whole and len(t.shape) == 2 and t.shape[0] == t.shape[1] for t in trials)
    if square and _matches(trials, lambda t: t.numeric.reshape(t.shape).T.reshape(-1)):
        return "it is transposed"
    return None


def _single(trials: Trials) -> str | None:
    wrong = max(int(t.wrong.sum()) for t in trials)
    if wrong > 1 or min(t.where.size for t in trials) < 4:
        return None
    return "a single entry differs, the others are right"


def _size_written_out(trials: Trials) -> str | None:
    """Right at some sizes, off by a constant factor at others."""
    right, wrong = [t for t in trials if not t.wrong.any()], [t for t in trials if t.wrong.any()]
    scaled = all(t.wrong.sum() > 1 and _close(t.analytic, _ratio(t) * t.numeric) for t in wrong)
    if not right or not scaled or any(t.sizes == right[0].sizes for t in wrong):
        return None
    at = ", ".join(f"{n} = {s}" for n, s in right[0].sizes.items() if any(t.sizes[n] != s for t in wrong))
    return f"right at {at}, off by a constant factor at other sizes: a number stands where a dimension belongs"


def _own_value(trials: Trials) -> str | None:
    """The difference is a multiple of the parameter: weight decay."""
    if sum(t.where.size for t in trials) < 3:
        return None
    missing = [t.numeric - t.analytic for t in trials]
    norms = [float(t.values @ t.values) for t in trials]
    if not all(norms):
        return None
    factors = [float(d @ t.values) / n for d, t, n in zip(missing, trials, norms, strict=True)]
    fits = all(_close(d, c * t.values) for d, c, t in zip(missing, factors, trials, strict=True))
    if fits and np.ptp(factors) <= CLOSE * abs(factors[0]):
        return f"off by {factors[0]:.6g} times the parameter itself: a regulariser's term is missing or wrong"
    return None


def _is_named(trials: Trials) -> str | None:
    """A multiple of a value: what else the gradient is made of is left out."""
    for name, values in _enough(trials):
        norms = [float(v @ v) for v in values]
        factors = [float(t.analytic @ v) / n for t, v, n in zip(trials, values, norms, strict=True) if n]
        alike = len(factors) == len(trials) and np.ptp(factors) <= CLOSE * abs(factors[0])
        if alike and all(_close(t.analytic, factors[0] * v) for t, v in zip(trials, values, strict=True)):
            times = "" if abs(factors[0] - 1) <= CLOSE else f"{factors[0]:.6g} times "
            return f"it is {times}{name} itself: the other factors or terms are missing"
    return None


def _factor_of_a_name(trials: Trials) -> str | None:
    """A value that is missing among the factors, or stands there once more."""
    for name, values in _enough(trials):
        if all(_close(t.analytic * v, t.numeric) for t, v in zip(trials, values, strict=True)):
            return f"the factor {name} is missing"
        if all(_close(t.analytic, t.numeric * v) for t, v in zip(trials, values, strict=True)):
            return f"the factor {name} stands there once too often"
    return None


def _enough(trials: Trials) -> Iterator[tuple[str, list[Array]]]:
    """The names of which there are values in all trials, where these are not so few that they agree by chance."""
    for name in trials[0].named if sum(t.where.size for t in trials) > 2 else ():
        if all(name in t.named for t in trials):
            yield name, [t.named[name] for t in trials]


def _zeros_inside(trials: Trials) -> str | None:
    """Where it is not zero it is right."""
    if any(np.any(t.analytic[t.wrong]) for t in trials):
        return None
    return f"{_counted(trials)} entries are zero and should not be, the others are right: a part is left out"


def _not_masked(trials: Trials) -> str | None:
    """Where it should not be zero it is right."""
    if any(np.any(t.numeric[t.wrong]) for t in trials):
        return None
    return f"{_counted(trials)} entries should be zero, the others are right: a mask or a condition is missing"


def _some_parts(trials: Trials) -> str | None:
    """Whole rows are wrong and whole rows are right, or whole columns."""
    if not all(t.whole and len(t.shape) > 1 for t in trials):
        return None
    axes = range(len(trials[0].shape))
    for axis in axes:
        inside = tuple(k for k in axes if k != axis)
        wrong = np.concatenate([t.wrong.reshape(t.shape).any(axis=inside) for t in trials if t.wrong.any()])
        if 2 * wrong.sum() <= wrong.size:
            parts = ("rows", "columns")[axis] if len(axes) == 2 else f"parts along axis {axis}"
            return (f"{wrong.sum()} of {wrong.size} {parts} differ, the others are right: do the contributions of "
                    "repeated indices add up?")
    return None


def _per_entry(trials: Trials) -> str | None:
    """Every entry is wrong, each in its own way."""
    ratios = np.concatenate([t.analytic[t.numeric != 0] / t.numeric[t.numeric != 0] for t in trials])
    if ratios.size < 2 or any(np.any(~t.wrong & (t.numeric != 0)) for t in trials):
        return None
    if not (np.all(ratios > 0) or np.all(ratios < 0)):
        return "all entries differ, by no common factor: a local derivative or a term of a sum is wrong"
    low, high = np.min(np.abs(ratios)), np.max(np.abs(ratios))
    sign = "the sign is flipped and " if ratios[0] < 0 else ""
    own = f"every entry is off by a factor of its own ({low:.3g} to {high:.3g})"
    return f"{sign}{own}: a local derivative is missing or wrong"


RULES = (
    _not_finite, _zero, _factor, _size_written_out, _transposed, _single, _own_value, _is_named, _factor_of_a_name,
    _zeros_inside, _not_masked, _some_parts, _per_entry,
)
