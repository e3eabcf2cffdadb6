"""What `init_state` and `update` promise, against the published rules, which are written here by themselves.

Which rule a module has, its constant OPTIMIZER says. Several steps are taken with
hyperparameters that are all different and far from their usual values, so that each of them shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from symbackprop.apart.files import CallFailed
from symbackprop.apart.libraries import precision
from symbackprop.verify.lines import line_of
from symbackprop.verify.module import Candidate, Outcome, call, kind, numbers
from symbackprop.verify.sampling import Sample

Arrays: TypeAlias = Mapping[str, Any]
Slots: TypeAlias = dict[str, Any]
STEPS = 3
SAME, SAME_SINGLE = 1e-12, 1e-4
GIVEN = ("params", "grads", "state")


@dataclass(frozen=True)
class Rule:
    """A published rule: ``step(w, g, k, slots, …hyperparameters)`` gives the new parameter and the new slots, ``k``
    counting steps from 1; ``usual`` are the documented values of the hyperparameters."""

    title: str
    usual: dict[str, float]
    slots: tuple[str, ...]
    counts: bool
    step: Callable[..., tuple[Any, Slots]]


def _descent(w: Any, g: Any, k: int, old: Slots, eta: float) -> tuple[Any, Slots]:
    """w ← w − η g (Cauchy 1847)."""
    return w - eta * g, {}


def _momentum(w: Any, g: Any, k: int, old: Slots, eta: float, mu: float) -> tuple[Any, Slots]:
    """v ← μ v + g, w ← w − η v (Polyak 1964)."""
    velocity = g + mu * old["v"]
    return w - eta * velocity, {"v": velocity}


def _adagrad(w: Any, g: Any, k: int, old: Slots, eta: float, eps: float) -> tuple[Any, Slots]:
    """G ← G + g², w ← w − η g / (√G + ε) (Duchi, Hazan and Singer 2011)."""
    total = old["s"] + np.square(g)
    return w - np.divide(eta * g, np.sqrt(total) + eps), {"s": total}


def _adam(w: Any, g: Any, k: int, old: Slots, eta: float, beta1: float, beta2: float, eps: float) -> tuple[Any, Slots]:
    """Algorithm 1 of Kingma and Ba 2015: moments, corrected for their start at 0."""
    first = old["m"] + (1 - beta1) * (g - old["m"])
    second = old["v"] + (1 - beta2) * (np.square(g) - old["v"])
    corrected = np.sqrt(second / (1 - beta2**k))
    return w - eta / (1 - beta1**k) * first / (corrected + eps), {"m": first, "v": second}


def _adamw(w: Any, g: Any, k: int, old: Slots, decay: float, **adam: float) -> tuple[Any, Slots]:
    """Algorithm 2 of Loshchilov and Hutter 2019: the decay η λ w is not divided by the moments."""
    new, slots = _adam(w, g, k, old, **adam)
    return new - adam["eta"] * decay * w, slots


_ADAM = {"eta": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
RULES = {
    "sgd": Rule("gradient descent", {"eta": 0.01}, (), False, _descent),
    "momentum": Rule("gradient descent with momentum", {"eta": 0.01, "mu": 0.9}, ("v",), False, _momentum),
    "adagrad": Rule("Adagrad", {"eta": 0.01, "eps": 1e-10}, ("s",), False, _adagrad),
    "adam": Rule("Adam", _ADAM, ("m", "v"), True, _adam),
    "adamw": Rule("Adam with decoupled weight decay", {**_ADAM, "decay": 0.01}, ("m", "v"), True, _adamw),
}


def rule_of(candidate: Candidate) -> Rule | None:
    """The rule that the module names; None where it names none, or another one."""
    name = getattr(candidate.module, "OPTIMIZER", None)
    return RULES.get(name) if isinstance(name, str) else None


def unknown_rule(candidate: Candidate) -> str | None:
    """What to say of an update that is not checked."""
    if not candidate.has("update") or rule_of(candidate) is not None:
        return None
    name = getattr(candidate.module, "OPTIMIZER", None)
    what = "the module names no OPTIMIZER" if name is None else f"no rule {name!r:.40} is known here"
    return f"update was not checked: {what}"


def optimizer(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """One sentence for everything that init_state and update do otherwise than the rule; the first wrong step only."""
    rule = rule_of(candidate)
    if rule is None:
        return
    missing = [name for name in ("init_state", "update") if not candidate.has(name)]
    if missing:
        yield f"the module has no function {missing[0]}, which its OPTIMIZER asks for"
        return
    check = Steps(candidate, rule, sample)
    for part in (check.usual, check.start, check.steps, check.single, check.whole_numbers, check.left_out):
        said = list(part())
        yield from said
        if said:
            return


class Steps:
    """The steps of one module on one sample."""

    def __init__(self, candidate: Candidate, rule: Rule, sample: Sample) -> None:
        self.candidate, self.rule = candidate, rule
        self.params = {n: np.asarray(sample.values[n], np.float64) for n in candidate.model.params}
        rng = np.random.default_rng(0)
        self.options = {n: 0.15 + 0.7 * (k + 1) / (len(rule.usual) + 1) for k, n in enumerate(rule.usual)}
        self.grads = [{n: _some(rng, v.shape) for n, v in self.params.items()} for _ in range(STEPS)]

    def usual(self) -> Iterator[str]:
        """Hyperparameters that are left out."""
        found = {n: v for n, v in self.candidate.options("update").items() if n not in GIVEN}
        if set(found) != set(self.rule.usual):
            yield f"update takes ({', '.join(found)}), expected ({', '.join(self.rule.usual)}) by {self.rule.title}"
            return
        for name, value in self.rule.usual.items():
            if found[name] != value:
                said = f"update: {name} is {_short(found[name])} where it is left out, expected {value!r}"
                yield f"{said} ({self.rule.title}); a call may give another one{self._line(name)}"

    def start(self) -> Iterator[str]:
        for dtype in (np.float64, np.float32):
            params = _as(self.params, dtype)
            state = self._state(params)
            said = list(self._compared(state, self._zeros(params), "init_state", "", SAME))
            if self.rule.counts and state.get("k") != 0:
                said.append(f"init_state: k is {_short(state.get('k'))}, expected 0{self._at('init_state', 'k')}")
            yield from said or self._of_their_dtype(state, dtype)

    def _of_their_dtype(self, state: Slots, dtype: Any) -> Iterator[str]:
        for slot in self.rule.slots:
            for name, value in state[slot].items():
                if np.asarray(value).dtype != dtype:
                    said = f"init_state: {slot} of {name} is {np.asarray(value).dtype}"
                    yield f"{said} where {name} is {np.dtype(dtype)}{self._at('init_state', slot)}"

    def steps(self) -> Iterator[str]:
        yield from self._taken(self.params, self.grads, SAME)

    def single(self) -> Iterator[str]:
        """float32 parameters stay float32, whatever the gradients are."""
        params = _as(self.params, np.float32)
        yield from self._taken(params, [_as(g, np.float32) for g in self.grads], SAME_SINGLE, " on float32")
        new, _ = self._update(params, self.grads[0], self._state(params))
        for name, value in new.items():
            if precision(getattr(value, "dtype", None)) != np.float32:
                yield f"update: {name} is float32 and becomes {getattr(value, 'dtype', kind(value))}{self._line(name)}"

    def whole_numbers(self) -> Iterator[str]:
        """Whole numbers are taken as floats of the module's dtype, in lists too."""
        dtype = self.candidate.dtype
        whole = _as({n: np.round(3 * v) for n, v in self.params.items()}, int)
        for given in (whole, {n: v.tolist() for n, v in whole.items()}):
            floats = {n: np.asarray(v, dtype) for n, v in given.items()}
            grads = _as(self.grads[0], dtype)
            expected, _ = self._by_the_rule(floats, grads, self._zeros(floats), 1)
            new, _ = self._update(given, grads, self._state(given))
            within = SAME if dtype == np.float64 else SAME_SINGLE
            yield from self._compared({"w": new}, {"w": expected}, "update", " on whole numbers", within)

    def left_out(self) -> Iterator[str]:
        """What has no gradient in one step stays as it is, and is stepped in the next."""
        name = next(iter(self.params), None)
        second = {n: g for n, g in self.grads[1].items() if n != name}
        grads = [self.grads[0], second, self.grads[2]]
        yield from self._taken(self.params, grads, SAME, f" where {name} has no gradient in step 2,")

    # -- steps
    def _taken(self, params: Arrays, grads: list[Slots], within: float, on: str = "") -> Iterator[str]:
        state, expected, slots = self._state(params), dict(params), self._zeros(params)
        for k, given in enumerate(grads, 1):
            kept = _copied(params), _copied(given), _copied(state)
            before = params, given, state
            params, state = self._update(params, given, state)
            expected, slots = self._by_the_rule(expected, given, slots, k)
            found, right = {**state, "w": params}, {**slots, "w": expected}
            said = [*self._counted(state, k), *self._compared(found, right, "update", f"{on} in step {k}", within)]
            for what, old, new in zip(GIVEN, kept, before, strict=True):
                said += [] if _equal(old, new) else [f"update changes the {what} that it is given"]
            said += [f"update: the new {n} shares memory with what was given" for n in _shared(params, before)]
            yield from said
            if said:
                return

    def _counted(self, state: Slots, k: int) -> Iterator[str]:
        kept = {*self.rule.slots, *(["k"] if self.rule.counts else [])}
        if set(state) != kept:
            yield f"update: the state has {sorted(state)} after step {k}, expected {sorted(kept)}"
        if self.rule.counts and state.get("k") != k:
            yield f"update: k is {_short(state.get('k'))} after step {k}, expected {k}{self._at('update', 'k')}"

    def _by_the_rule(self, params: Arrays, grads: Arrays, slots: Slots, k: int) -> tuple[Slots, Slots]:
        new, kept = dict(params), {s: dict(slots[s]) for s in self.rule.slots}
        for name, g in grads.items():
            old = {s: slots[s][name] for s in slots}
            w64, g64 = np.asarray(params[name], np.float64), np.asarray(g, np.float64)
            new[name], found = self.rule.step(w64, g64, k, old, **self.options)
            for s, value in found.items():
                kept[s][name] = value
        return new, kept

    def _zeros(self, params: Arrays) -> Slots:
        return {s: {n: np.zeros(np.shape(w)) for n, w in params.items()} for s in self.rule.slots}

    def _compared(self, found: Arrays, expected: Arrays, function: str, on: str, within: float) -> Iterator[str]:
        """The first array that differs, of the slots first: parameters follow from them."""
        for slot, arrays in expected.items():
            given = found.get(slot)
            if not isinstance(given, Mapping):
                yield f"{function}: the state has no {slot} by parameter, but {_short(given)}{self._at(function, slot)}"
                return
            for name, right in arrays.items():
                said = _differs(given.get(name), right, within)
                if said:
                    what = name if slot == "w" else f"{slot} of {name}"
                    yield f"{function}: {what}{said}{on}, by {self.rule.title}{self._at(function, slot)}"
                    return

    # -- calls
    def _state(self, params: Arrays) -> Slots:
        state = call(self.candidate.module, "init_state", dict(params))
        return self.candidate.mapping("init_state", state, "a dict")

    def _update(self, params: Arrays, grads: Arrays, state: Slots) -> tuple[Slots, Slots]:
        found = call(self.candidate.module, "update", params, grads, state, **self.options)
        if not isinstance(found, tuple) or len(found) != 2:
            raise CallFailed(f"update returned {kind(found)}, expected (params, state)")
        return self.candidate.mapping("update", found[0], "a dict of parameters"), self.candidate.mapping(
            "update", found[1], "a dict, the state"
        )

    def _at(self, function: str, slot: str) -> str:
        return line_of(self.candidate.module, f"{slot}_new" if function == "update" and slot != "k" else slot, function)

    def _line(self, name: str) -> str:
        return line_of(self.candidate.module, name, "update")


def _some(rng: Any, shape: tuple[int, ...]) -> Any:
    """Numbers of either sign, the first of them 0."""
    drawn = np.asarray(rng.normal(size=shape))
    drawn.reshape(-1)[:1] *= drawn.size == 1
    return drawn


def _as(arrays: Arrays, dtype: Any) -> Slots:
    return {n: np.asarray(v).astype(dtype) for n, v in arrays.items()}


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {n: _copied(v) for n, v in value.items()}
    return np.array(value)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and set(a) == set(b) and all(_equal(a[n], b[n]) for n in a)
    return np.array_equal(a, np.asarray(b))


def _shared(new: Arrays, given: tuple[Arrays, ...]) -> list[str]:
    """The new parameters that are arrays of what was given."""
    old = [v for arrays in given[:2] for v in arrays.values() if isinstance(v, np.ndarray) and v.ndim]
    return [n for n, v in new.items() if isinstance(v, np.ndarray) and any(np.shares_memory(v, o) for o in old)]


def _differs(found: Any, right: Any, within: float) -> str:
    """``[0, 1] is 0.5, expected 0.25``; nothing where two arrays agree."""
    value = numbers(found)
    if value is None:
        return f" is {_short(found)}, expected numbers"
    if value.shape != right.shape:
        return f" has shape {value.shape}, expected {right.shape}"
    wrong = np.argwhere(~(np.abs(value - right) <= within * np.maximum(np.abs(right), 1)))
    if not len(wrong):
        return ""
    at = tuple(int(i) for i in wrong[0])
    return f"{list(at) or ''} is {value[at]:.10g}, expected {right[at]:.10g}"


def _short(value: Any) -> str:
    return f"{value!r:.60}"
