"""Which gradient each returned array is: by keys, by the names in `--returns`, or by those in the return statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symbackprop.apart.forms import Raw
from symbackprop.apart.libraries import back
from symbackprop.apart.wire import Thing
from symbackprop.errors import UsageError, did_you_mean
from symbackprop.grade.points import Array, Point
from symbackprop.own.compare import CLOSE, RELATIVE, SINGLE_STEP, TINY, Pair, distance
from symbackprop.own.truth import SEED, Truth


@dataclass
class Returned:
    """Returned gradients by the name of the array that they belong to, in float64; their precisions; what the code
    calls them. ``extra`` has what came by words that the model does not have, with its precision; ``unnamed`` counts
    results without a name; those that are ``ordered`` were taken by their shapes, in the order of the model.
    ``unreadable`` says what came back in place of an array."""

    gradients: dict[str, Array] = field(default_factory=dict)
    precision: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    extra: dict[str, tuple[Array, str]] = field(default_factory=dict)
    unnamed: int = 0
    ordered: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, word: str, found: tuple[Array, str]) -> None:
        self.gradients[name], self.precision[name] = found
        self.words[name] = word

    def adopt(self, meant: Mapping[str, str]) -> Returned:
        """With results taken for gradients, by the words that they come by."""
        for word, name in meant.items():
            if word in self.extra and name not in self.gradients:
                self.add(name, word, self.extra.pop(word))
        return self


def returned(raw: Raw, returns: Sequence[str] | None, truth: Truth, label: str, point: Point) -> Returned:
    """The gradients in what came back. Raises `UsageError` where it cannot be told which they are."""
    found = Returned()
    named, unnamed = _items(_with_attributes(raw, truth), raw.words, returns, truth, label)
    nothing = [word for word, value in named if value is None and returns is not None]
    if nothing:
        raise UsageError(f"--returns names {', '.join(nothing)}, for which {label} returns None")
    for word, value in named:
        array, name = back(value), truth.gradient_of(word)
        if array is not None and name is not None and name not in found.gradients:
            found.add(name, word, array)
        elif array is not None:
            found.extra[word] = array
        elif value is not None and name in truth.targets:
            found.unreadable[name] = _kind(value)
    nameless = not found.gradients and returns is None and 0 < len(named) == len(found.extra) and \
        len(named) + len(unnamed) <= len(truth.targets)
    if nameless:  # names that say nothing are none
        unnamed, found.extra = list(raw.results) if unnamed else [value for _, value in named], {}
    fitting = _put_unnamed(found, unnamed, truth, point)
    found.ordered = fitting if nameless or len(truth.targets) > 1 else []
    if not found.gradients and not found.unreadable:
        raise UsageError(f"{label} returns {_kind(raw.results)}, in which no gradient of {truth.model.name} is known "
                         f"by name or shape ({', '.join(truth.targets)}); say which they are with --returns x,W")
    return found


def _put_unnamed(found: Returned, values: Sequence[Any], truth: Truth, point: Point) -> list[str]:
    """What results without a name are taken for: by their order or shape the gradients that are missing."""
    arrays = [a for value in values if (a := back(value)) is not None]
    left = [n for n in truth.targets if n not in found.gradients]
    fitting = left if _in_order(arrays, left, truth, point) else _by_shape(arrays, left, truth, point)
    if not (arrays and fitting):
        found.unnamed = len(arrays)
        return []
    for name, array in zip(fitting, arrays, strict=True):
        found.add(name, f"d{name}", array)
    return fitting


def _with_attributes(raw: Raw, truth: Truth) -> Any:
    """The results, and the gradients that an object keeps."""
    kept = {n: v for n, v in raw.attributes.items() if n not in truth.own and truth.gradient_of(n) in truth.targets}
    return (raw.results, kept | raw.gradients) if kept or raw.gradients else raw.results


def _in_order(arrays: Sequence[tuple[Array, str]], left: Sequence[str], truth: Truth, point: Point) -> bool:
    """Whether results without names are the gradients that are left in the order of the model, by their shapes."""
    shapes = [truth.right(n, point).shape for n in left]
    return len(arrays) == len(left) and (len(truth.targets) == 1 or [a.shape for a, _ in arrays] == shapes)


def _by_shape(arrays: Sequence[tuple[Array, str]], left: Sequence[str], truth: Truth, point: Point) -> list[str]:
    """The gradients that are left which alone have the shapes of the results without names; none where one is in doubt
    or they come in another order than the model's."""
    shapes = [truth.right(n, point).shape for n in left]
    given = [a.shape for a, _ in arrays]
    alone = all(s and shapes.count(s) == 1 for s in given)
    places = [shapes.index(s) for s in given] if alone else []
    return [left[k] for k in places] if places == sorted(set(places)) else []


Items = tuple[list[tuple[str, Any]], list[Any]]


def _items(results: Any, read: Sequence[Sequence[str | None]], returns: Sequence[str] | None, truth: Truth, label: str
           ) -> Items:
    """(word, value) of the results that have a name, and those that have none."""
    if returns is not None:
        _require_known(returns, truth)
    if isinstance(results, Mapping):
        return _of_keys({str(k): v for k, v in results.items()}, returns, truth, label), []
    items = list(results) if isinstance(results, (tuple, list)) else [results]
    items = _apart(items, read, truth) if returns is None else items
    words = list(_words(items, read, returns, truth, label))
    named: list[tuple[str, Any]] = []
    unnamed: list[Any] = []
    for word, value in zip(words, items, strict=True):
        if isinstance(value, Mapping):
            named += [(str(k), v) for k, v in value.items()]
        elif word is not None:
            named.append((word, value))
        elif value is not None:
            unnamed.append(value)
    return named, unnamed


def _apart(items: list[Any], read: Sequence[Sequence[str | None]], truth: Truth) -> list[Any]:
    """The results with tuples of arrays in them taken apart, where the return statement has names for these, or they
    are of different shapes and so no one array."""
    nested = [isinstance(x, (tuple, list)) and all(hasattr(a, "shape") for a in x) for x in items]
    ragged = any(n and len({tuple(a.shape) for a in x}) > 1 for n, x in zip(nested, items, strict=True))
    flat = [a for n, x in zip(nested, items, strict=True) for a in (x if n else [x])]
    named = any(len(line) == len(flat) and any(w is not None and truth.gradient_of(w) for w in line) for line in read)
    return flat if ragged or (named and len(flat) > len(items)) else items


def _require_known(returns: Sequence[str], truth: Truth) -> None:
    for word in returns:
        if truth.gradient_of(word) is None and word != "_":
            raise UsageError(f"--returns: {truth.model.name} has no array {word!r}; it has {', '.join(truth.targets)}."
                             f"{did_you_mean(word, truth.targets)}")


def _of_keys(results: Mapping[str, Any], returns: Sequence[str] | None, truth: Truth, label: str
             ) -> list[tuple[str, Any]]:
    """(word, value) of what came back under keys: of all, or of those that ``returns`` names."""
    if returns is None:
        return list(results.items())
    wanted = {truth.gradient_of(word): word for word in returns if word != "_"}
    kept = [(k, v) for k, v in results.items() if truth.gradient_of(k) in wanted]
    lost = wanted.keys() - {truth.gradient_of(k) for k, _ in kept}
    if lost:
        raise UsageError(f"--returns names {', '.join(w for n, w in wanted.items() if n in lost)}, and {label} returns "
                         f"{', '.join(results) or 'nothing'}")
    return kept


def _words(items: Sequence[Any], read: Sequence[Sequence[str | None]], returns: Sequence[str] | None, truth: Truth,
           label: str) -> Sequence[str | None]:
    """A word for every item."""
    if returns is not None:
        if len(returns) != len(items):
            raise UsageError(f"{label} returns {_count(len(items))}, but --returns names {_count(len(returns))}")
        return [None if w == "_" else w for w in returns]
    fitting = [line for line in read if len(line) == len(items)]
    best = max(fitting, key=lambda line: sum(w is not None and truth.gradient_of(w) is not None for w in line),
               default=[None] * len(items))
    best = [None if _is_upstream(w, truth) else w for w in best]
    if len(items) == 1 and best[0] is None and truth.gradient_of(label) is not None:
        return [label]
    return best


def _is_upstream(word: str | None, truth: Truth) -> bool:
    """Whether a variable is called as what comes from above, which nobody returns: ``dout = dout * (x > 0)``."""
    meaning = None if word is None else truth.argument(word)
    return meaning is not None and meaning.kind == SEED


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, (tuple, list, dict)):
        return _count(len(value))
    if getattr(getattr(value, "dtype", None), "kind", "") == "c":
        return "complex numbers"
    found = back(value)
    if found is not None:
        return f"an array of the shape {found[0].shape}" if found[0].ndim else "a number"
    word = value.kind if isinstance(value, Thing) else type(value).__name__
    article = "an" if word[:1].lower() in tuple("aeiou") else "a"
    return "an array of something else than numbers" if word == "ndarray" else f"{article} {word}"


def _count(number: int) -> str:
    return f"{number} result{'s' * (number != 1)}"


# -- results by names that the model does not have, where gradients are missing: which of these they may be
Call = tuple[Point, Returned]
Compared = Callable[[str, Call, str], Pair]  # name, call, word


@dataclass
class Meant:
    """What results are ``taken`` for, by their words, with why; ``guessed`` are words of those gradients for which only
    the shape speaks. ``doubtful`` has the words that a missing gradient may come by."""

    taken: dict[str, str] = field(default_factory=dict)
    guessed: dict[str, str] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)
    doubtful: dict[str, list[str]] = field(default_factory=dict)


def meant(truth: Truth, calls: Sequence[Call], compared: Compared) -> Meant:
    """A result that is a missing gradient in its numbers is that; of the others, one that alone may be one by its shape
    is taken for it, and judged. What is a value or the gradient of a row is neither."""
    found, first = Meant(), calls[0][1]
    words = [w for w in first.extra if all(w in returned.extra for _, returned in calls)]
    missing = [n for n in truth.targets if n not in first.gradients and n not in first.unreadable]
    for w in words:
        same = next((n for n in missing if all(_agree(compared(n, call, w)) for call in calls)), None)
        if same is not None:
            missing.remove(same)
            found.taken[w] = same
            found.why.append(f"{w}, a name that the model does not have, is the gradient of {same} in its numbers")
    left = {w: names for w in words if w not in found.taken
            and (names := [n for n in missing if all(_may_be(compared(n, call, w)) for call in calls)])
            and not _is_of_a_row(truth, calls, w)}
    for w, names in left.items():
        if len(names) == 1 and sum(names[0] in some for some in left.values()) == 1:
            found.taken[w], found.guessed[names[0]] = names[0], w
            found.why.append(f"{w}, a name that the model does not have, is taken for the gradient of {names[0]}, "
                             "which is missing and has its shape")
        else:
            for n in names:
                found.doubtful.setdefault(n, []).append(w)
    return found


def _agree(pair: Pair) -> bool:
    return pair.state in (CLOSE, SINGLE_STEP)


def _may_be(pair: Pair) -> bool:
    """Whether a result may be meant as a gradient by its shape, which may be turned."""
    given, right = (sorted(n for n in a.shape if n != 1) for a in (pair.given, pair.right))
    return given == right


def _is_of_a_row(truth: Truth, calls: Sequence[Call], word: str) -> bool:
    """Whether a result is the value of a row of the model, or its gradient: code returns these too."""
    reference = truth.reference
    return any(all(_equal(returned.extra[word], point.value(row)) for point, returned in calls)
               for r in reference.order for row in (r, reference.gradient(r)))


def _equal(found: tuple[Array, str], value: Array) -> bool:
    array, precision = found
    if array.shape != np.shape(value):
        return False
    scale = max(float(np.max(np.abs(value), initial=0.0)), TINY)
    return distance(array, value, scale) <= RELATIVE.get(precision, RELATIVE["float64"])
