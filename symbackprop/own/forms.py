"""The forms in which people have a backward pass: functions, pairs of forward and backward, classes, C.

A form is run at a point: its parameters are filled by their names, and what it returns comes back as it is.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from symbackprop.errors import UsageError, did_you_mean
from symbackprop.grade.points import Array, Point
from symbackprop.own.libraries import arrays_in, back, into
from symbackprop.own.source import libraries, returned_words
from symbackprop.own.truth import GRADIENT, SEED, VALUE, Meaning, Truth
from symbackprop.verify.module import CallFailed, describe, in_float64, quiet

PARAMS, DATA = ("params", "parameters", "weights"), ("data", "inputs", "batch")
CACHE = ("cache", "ctx", "saved", "res", "residuals")
DIMS = "dims"


class Given:
    """What one run is handed, and whether it is still what it was."""

    def __init__(self, truth: Truth, point: Point, dtype: str, library: str, device: str) -> None:
        self.truth, self.point = truth, point
        self.dtype, self.library, self.device = np.dtype(dtype), library, device
        self.handed: list[tuple[str, Any, Array]] = []
        self.kept: dict[str, Array] = {}

    def value(self, meaning: Meaning) -> Any:
        """What a name stands for, as the library's own array."""
        outputs = self.truth.model.output_rows
        name = meaning.name or (next(iter(outputs)) if len(outputs) == 1 else "upstream")
        label = f"d{name}" if meaning.kind in (SEED, GRADIENT) and name != "upstream" else name
        return self._handed(label, self.truth.value(meaning, self.point))

    def _handed(self, name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {n: self._handed(f"d{n}", v) for n, v in value.items()}
        if not isinstance(value, (np.ndarray, np.generic)):
            return value
        array = np.asarray(value)
        array = array.astype(self.dtype if array.dtype.kind == "f" else np.int64)
        with in_float64():
            given = into(self.library, array, self.device)
        self.handed.append((name, given, array.astype(float)))
        return given

    def group(self, word: str) -> dict[str, Any]:
        """All parameters, or all other arrays, by name."""
        model = self.truth.model
        names = [n for n in model.leaves() if (n in model.params) == (word == "params")]
        return {n: self.value(Meaning(VALUE, n)) for n in names}

    def dims(self) -> dict[str, int]:
        return {n: self.truth.size(n, self.point) for n in self.truth.model.sizes}

    def changed(self) -> list[str]:
        """The names of handed arrays that are no longer what they were."""
        found = []
        for name, given, before in self.handed:
            now = back(given)
            if now is not None and not np.array_equal(now[0], before, equal_nan=True):
                found.append(name)
        return list(dict.fromkeys(found))


@dataclass
class Raw:
    """What came back: results as they were returned, with what the code calls them; the value and cache of forward."""

    results: Any
    words: list[list[str | None]] = field(default_factory=list)
    value: Any = None
    cache: Any = None
    again: Callable[[], Any] | None = None


class Form:
    """One way in which code is called. ``functions`` are those whose text tells the library and the names."""

    label = "the function"

    def functions(self) -> list[Callable[..., Any]]:
        raise NotImplementedError

    def run(self, given: Given) -> Raw:
        raise NotImplementedError

    def libraries(self) -> list[str]:
        found = [n for f in self.functions() for n in libraries(f)]
        return list(dict.fromkeys(found)) or ["numpy"]


def called(function: Callable[..., Any], label: str, *args: Any, **options: Any) -> Any:
    """A call of somebody's function; raises `CallFailed` with the line of its file."""
    with quiet(), in_float64(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return function(*args, **options)
        except KeyboardInterrupt:
            raise
        except UsageError:
            raise
        except BaseException as error:
            raise CallFailed(f"{label} raised {describe(error, _file_of(function))}") from error


def _file_of(function: Any) -> str | None:
    inner = inspect.unwrap(function)
    code = getattr(getattr(inner, "__func__", inner), "__code__", None)
    return getattr(code, "co_filename", None)


# -- filling parameters by their names


def bound(function: Callable[..., Any], label: str, given: Given, special: Mapping[str, Callable[[], Any]],
          spare: list[Callable[[], Any]], skip: int = 0) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call. ``special`` are words with a meaning of their own here; ``spare`` is what parameters
    that say nothing to us are handed, in order."""
    args: list[Any] = []
    options: dict[str, Any] = {}
    spare = list(spare)
    for parameter in _parameters(function, label)[skip:]:
        word = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        meaning = given.truth.argument(word)
        if word in special:
            value = special[word]()
        elif meaning is not None:
            value = given.value(meaning)
        elif parameter.default is not parameter.empty:
            continue
        elif spare:
            value = spare.pop(0)()
        else:
            raise _unknown(word, label, given.truth)
        if parameter.kind is parameter.KEYWORD_ONLY or len(args) < _place(function, word) - skip:
            options[word] = value
        else:
            args.append(value)
    return args, options


def _parameters(function: Callable[..., Any], label: str) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise UsageError(f"{label} does not say what its parameters are called") from None


def _place(function: Callable[..., Any], word: str) -> int:
    return list(inspect.signature(function).parameters).index(word)


def _unknown(word: str, label: str, truth: Truth) -> UsageError:
    known = truth.known_words()
    return UsageError(
        f"{label} has a parameter {word!r}, which is no name of {truth.model.name}: it has {', '.join(known)}."
        f"{did_you_mean(word, known)}"
    )


# -- functions, and pairs of them


class FunctionForm(Form):
    """A backward function, with the forward whose cache it reads where it has one."""

    def __init__(self, backward: Callable[..., Any], forward: Callable[..., Any] | None = None) -> None:
        self.backward, self.forward = backward, forward
        self.label = _name(backward)

    def functions(self) -> list[Callable[..., Any]]:
        return [self.backward, *([] if self.forward is None else [self.forward])]

    def run(self, given: Given) -> Raw:
        value, cache = self._forward(given)
        hidden = {w: lambda: cache for w in CACHE} if self.forward is not None else {}
        spare: list[Callable[[], Any]] = []
        if self.forward is not None:
            spare = [lambda: cache, lambda: given.value(Meaning(SEED, ""))]
        args, options = bound(self.backward, self.label, given, {**hidden, **_groups(given)}, spare)

        def again() -> Any:
            return called(self.backward, self.label, *args, **options)

        before = arrays_in(cache)
        raw = Raw(again(), returned_words(self.backward), value, (cache, before))
        raw.again = again if self.forward is not None else None
        return raw

    def _forward(self, given: Given) -> tuple[Any, Any]:
        if self.forward is None:
            return None, None
        label = _name(self.forward)
        spare = [lambda: given.group("params"), lambda: given.group("data")]
        args, options = bound(self.forward, label, given, _groups(given), spare)
        found = called(self.forward, label, *args, **options)
        if isinstance(found, tuple) and len(found) == 2:
            return found
        return (found[0], found[1:]) if isinstance(found, tuple) and found else (found, None)


def _groups(given: Given) -> dict[str, Callable[[], Any]]:
    """The words that stand for many arrays at once, where the model has no such name itself."""
    words: dict[str, Callable[[], Any]] = {w: lambda: given.group("params") for w in PARAMS}
    words |= {w: lambda: given.group("data") for w in DATA} | {DIMS: given.dims}
    return {w: value for w, value in words.items() if w not in given.truth.own and w not in given.truth.model.sizes}


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


class ClassForm(Form):
    """A class made without arguments; gradients that backward leaves in attributes count as returned."""

    def __init__(self, made: type) -> None:
        self.made, self.label = made, made.__name__
        self.instance: Any = None

    def functions(self) -> list[Callable[..., Any]]:
        return [getattr(self.made, name) for name in ("backward", "forward", "__init__")]

    def fresh(self) -> None:
        self.instance = called(self.made, self.label)

    def run(self, given: Given) -> Raw:
        if self.instance is None:
            self.fresh()
        self._set_attributes(given)
        forward, backward = self.instance.forward, self.instance.backward
        args, options = bound(forward, f"{self.label}.forward", given, _groups(given), [])
        found = called(forward, f"{self.label}.forward", *args, **options)
        value, cache = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
        hidden = {w: lambda: cache for w in CACHE}
        spare: list[Callable[[], Any]] = [lambda: given.value(Meaning(SEED, ""))]
        args, options = bound(backward, f"{self.label}.backward", given, {**hidden, **_groups(given)}, spare)
        kept = {n: v for n, v in vars(self.instance).items() if given.truth.gradient_of(n) is None or n in
                given.truth.own}
        before = arrays_in(kept)
        results = called(backward, f"{self.label}.backward", *args, **options)
        return Raw(self._with_attributes(results, given), returned_words(backward), value, (kept, before))

    def _set_attributes(self, given: Given) -> None:
        """Parameters that the object keeps itself and forward does not take."""
        taken = set(inspect.signature(self.instance.forward).parameters)
        for name in given.truth.targets:
            word = name if hasattr(self.instance, name) else name.lower()
            if word not in taken and hasattr(self.instance, word) and name in given.truth.model.params:
                setattr(self.instance, word, given.value(Meaning(VALUE, name)))

    def _with_attributes(self, results: Any, given: Given) -> Any:
        words = {n: v for n, v in vars(self.instance).items() if n not in given.truth.own
                 and given.truth.gradient_of(n) in given.truth.targets and back(v) is not None}
        for key in ("grads", "gradients"):
            words |= _mapping(getattr(self.instance, key, None))
        return (results, words) if words else results


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


class TorchForm(Form):
    """A subclass of torch.autograd.Function, applied to the arrays that its forward names."""

    def __init__(self, function: Any) -> None:
        self.function, self.label = function, function.__name__
        base = sys.modules["torch"].autograd.Function
        self.context = function.setup_context is base.setup_context  # forward takes ctx itself

    def functions(self) -> list[Callable[..., Any]]:
        return [self.function.backward, self.function.forward]

    def libraries(self) -> list[str]:
        return ["torch"]

    def run(self, given: Given) -> Raw:
        torch = sys.modules["torch"]
        label = f"{self.label}.forward"
        args, options = bound(self.function.forward, label, given, _groups(given), [], skip=int(self.context))
        args += options.values()
        words = [p.name for p in _parameters(self.function.forward, label)[int(self.context) :]][: len(args)]
        leaves = {w: a for w, a in zip(words, args, strict=False) if isinstance(a, torch.Tensor)
                  and a.is_floating_point()}
        for array in leaves.values():
            array.requires_grad_(True)
        results = called(self.function.apply, f"{self.label}.apply", *args)
        outputs = [r for r in (results if isinstance(results, tuple) else (results,)) if isinstance(r, torch.Tensor)]
        seeds = self._seeds(outputs, given)
        outputs = outputs[: len(seeds)]

        def again() -> Any:
            found = torch.autograd.grad(outputs, list(leaves.values()), seeds, retain_graph=True, allow_unused=True)
            return {w: g for w, g in zip(leaves, found, strict=True) if g is not None}

        return Raw(called(again, f"{self.label}.backward"), [], outputs[0] if outputs else None, None,
                   lambda: called(again, f"{self.label}.backward"))

    def _seeds(self, outputs: list[Any], given: Given) -> list[Any]:
        truth = given.truth
        if truth.loss:
            return [sys.modules["torch"].ones_like(o) for o in outputs[:1]]
        return [given.value(Meaning(SEED, n)) for n in truth.model.output_rows][: len(outputs)]


def form_of(found: Any, forward: Any, home: ModuleType | None) -> Form:
    """The form that a function, a class or an object is in; ``home`` is the file where a forward may stand beside."""
    torch = sys.modules.get("torch")
    if inspect.isclass(found) and torch is not None and issubclass(found, torch.autograd.Function):
        return TorchForm(found)
    if inspect.isclass(found) and callable(getattr(found, "backward", None)):
        if not callable(getattr(found, "forward", None)):
            raise UsageError(f"{found.__name__} has a backward and no forward")
        return ClassForm(found)
    if not callable(found):
        raise UsageError(f"{getattr(found, '__name__', found)!r:.60} is neither a function nor a class with "
                         "forward and backward")
    return FunctionForm(found, forward or _beside(found, home))


def _beside(function: Any, home: ModuleType | None) -> Any:
    """``affine_forward`` beside ``affine_backward``, where the latter reads a cache."""
    name = getattr(function, "__name__", "")
    names = getattr(inspect.unwrap(function), "__globals__", {}) if home is None else vars(home)
    words = [p.name for p in _parameters(function, name or "the function")]
    if not any(w in CACHE for w in words):
        return None
    other = name.replace("backward", "forward").replace("bwd", "fwd")
    return names.get(other) if other != name and callable(names.get(other)) else None
