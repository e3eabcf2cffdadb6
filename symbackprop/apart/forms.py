"""The forms in which people have a backward pass: functions, pairs of forward and backward, classes, C.

A form is run on what a checker hands it: its parameters are filled by their names, and what it returns comes back as it
is. Nothing here knows the model or what would be right.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from symbackprop.apart.files import CallFailed, called, in_float64
from symbackprop.apart.libraries import Array, arrays_in, back, into, native, traced
from symbackprop.apart.source import libraries, limits, own_functions, returned_words
from symbackprop.errors import UsageError

CACHE = ("cache", "ctx", "saved", "res", "residuals")
SEED = "upstream"
DEVICES = ("cpu", "cuda")
NEAR = 1e-3  # what float32 and bfloat16 keep of a value


class UnknownWord(Exception):
    """A parameter whose name says nothing: (label of the function, the word)."""


@dataclass
class Given:
    """What a form is handed in one run. ``values`` has for words of its parameters a label and an array or a number;
    ``groups`` says which words stand for many at once: `params`, `data` or `dims`. ``upstream`` are the gradients of
    the outputs by name, none for a loss. ``shapes`` are those of results that are handed in to be filled. ``inner`` has
    the value of the intermediate whose gradient a word stands for, where no other word is one from above. With
    ``fresh``, a class is made anew; with ``twice``, backward is called a second time on the same cache; ``compiled``:
    JAX compiles a function as a whole."""

    values: dict[str, tuple[str, Any]]
    params: dict[str, Array]
    data: dict[str, Array]
    dims: dict[str, int]
    upstream: dict[str, Array]
    groups: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    inner: dict[str, Array] = field(default_factory=dict)
    dtype: str = "float64"
    library: str = "numpy"
    device: str = "cpu"
    fresh: bool = True
    twice: bool = False
    compiled: bool = False
    handed: list[tuple[str, Any]] = field(default_factory=list)

    def value(self, word: str) -> Any:
        """What a word stands for, as the library's own array."""
        return self.made(*self.values[word])

    def seed(self) -> Any:
        """The upstream gradient: 1 for a loss, of several outputs a dictionary."""
        if not self.upstream:
            return self.made(SEED, np.float64(1.0))
        seeds = {n: self.made(f"d{n}", v) for n, v in self.upstream.items()}
        return seeds if len(seeds) > 1 else next(iter(seeds.values()))

    def group(self, word: str) -> dict[str, Any]:
        """All parameters, or all other arrays, or all sizes, by name."""
        return {n: self.made(n, v) for n, v in getattr(self, self.groups[word]).items()}

    def made(self, label: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {n: self.made(f"d{n}", v) for n, v in value.items()}
        if not isinstance(value, (np.ndarray, np.generic)):
            return value
        array = np.asarray(value)
        with in_float64():
            given = into(self.library, array.astype(self.dtype if array.dtype.kind == "f" else np.int64), self.device)
        self.handed.append((label, given))
        return given


@dataclass
class Raw:
    """What came of a run: results as they were returned, with what the code calls them; what an object keeps,
    ``attributes`` that are arrays and ``gradients`` by name, also those that are left in ``X.grad``; the value of
    forward; the arrays of its cache before and after; the arrays that were handed in, as they are now; the results of a
    second call, or why it failed; those that are ``added`` to what stands in the buffers for them."""

    results: Any
    words: list[list[str | None]] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    gradients: dict[str, Any] = field(default_factory=dict)
    value: Any = None
    cache: tuple[list[tuple[str, Array]], list[tuple[str, Array]]] | None = None
    handed: list[tuple[str, Any]] = field(default_factory=list)
    second: Any = None
    added: list[str] = field(default_factory=list)
    second_failure: str = ""


class Form:
    """One way in which code is called. ``functions`` are those whose text tells the library and the names."""

    label = "the function"

    def functions(self) -> list[Callable[..., Any]]:
        raise NotImplementedError

    def call(self, given: Given) -> tuple[Raw, Callable[[], Any] | None]:
        """One call, and a function that calls backward again where that can be done."""
        raise NotImplementedError

    def wanted(self) -> list[str]:
        """The names of all parameters."""
        return list(dict.fromkeys(p.name for f in self.functions() for p in _parameters(f, self.label)))

    def filled(self) -> list[str]:
        """The parameters that are handed in to be filled with results."""
        return []

    def places(self) -> list[tuple[str, str]]:
        """The libraries whose arrays the code may take, the likeliest first, each with the devices."""
        found = dict.fromkeys(n for f in self.functions() for n in libraries(f))
        return [(n, d) for n in found or ["numpy"] for d in (DEVICES if n == "torch" and _has_cuda() else DEVICES[:1])]

    def limits(self) -> list[float]:
        """The numbers that the code compares with."""
        return sorted({n for f in self.functions() for n in limits(f)})

    def run(self, given: Given) -> Raw:
        """One call with all that is to be known of it; raises `CallFailed`, `UnknownWord` and `UsageError`."""
        given.handed = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw, again = self.call(given)
            raw.results = _plain(raw.results)
            left = {label: grad for label, array in given.handed if (grad := getattr(array, "grad", None)) is not None}
            raw.gradients = left | raw.gradients
            raw.handed = [(label, now) for label, array in given.handed if (now := _now(array)) is not None]
            if given.twice and again is not None:
                raw.results = _as_they_are(raw.results)
                try:
                    raw.second = _plain(again())
                except CallFailed as failure:
                    raw.second_failure = str(failure)
        return raw


def _plain(results: Any) -> Any:
    """A named tuple as a dictionary; anything else as it is."""
    return dict(zip(results._fields, results, strict=True)) if hasattr(results, "_fields") else results


def _as_they_are(results: Any) -> Any:
    """Results of which a second call, which may write into what it is handed, changes none."""
    with suppress(Exception):
        return deepcopy(results)
    return results


def _now(array: Any) -> Any:
    found = native(array)
    return np.array(found) if isinstance(found, np.ndarray) else found


def _has_cuda() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_available())


def _call(function: Callable[..., Any], label: str, args: Sequence[Any] = (), options: Mapping[str, Any] | None = None,
          given: Given | None = None) -> Any:
    ready = function
    if given is not None and given.compiled:
        ready = traced(function, anew=given.twice or not given.fresh)
    return called(ready, label, _home(function), args, options)


def _home(function: Any) -> str | None:
    """The file that a function stands in."""
    return getattr(getattr(_inner(function), "__code__", None), "co_filename", None)


def _inner(function: Any) -> Any:
    inner = inspect.unwrap(function)
    return getattr(inner, "__func__", inner)


# -- filling parameters by their names


def bound(function: Callable[..., Any], label: str, given: Given, special: Mapping[str, Callable[[], Any]],
          spare: list[Callable[[], Any]], skip: int = 0) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call. ``special`` are words with a meaning of their own here; ``spare`` is what parameters
    that say nothing to us are handed, in order."""
    args: list[Any] = []
    options: dict[str, Any] = {}
    spare = list(spare)
    for place, parameter in enumerate(_parameters(function, label)[skip:]):
        word = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if word in special:
            value = special[word]()
        elif word in given.values:
            value = given.value(word)
        elif word in given.groups:
            value = given.group(word)
        elif parameter.default is not parameter.empty:
            continue
        elif spare:
            value = spare.pop(0)()
        else:
            raise UnknownWord(label, word)
        if parameter.kind is parameter.KEYWORD_ONLY or len(args) < place:
            options[word] = value
        else:
            args.append(value)
    return args, options


def _parameters(function: Callable[..., Any], label: str) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise UsageError(f"{label} does not say what its parameters are called") from None


# -- functions, and pairs of them


class FunctionForm(Form):
    """A backward function, with the forward whose cache it reads where it has one."""

    def __init__(self, backward: Callable[..., Any], forward: Callable[..., Any] | None = None) -> None:
        self.backward, self.forward = backward, forward
        self.label = _name(backward)

    def functions(self) -> list[Callable[..., Any]]:
        return [self.backward, *([] if self.forward is None else [self.forward])]

    def call(self, given: Given) -> tuple[Raw, Callable[[], Any] | None]:
        value, cache = self._forward(given)
        hidden = {w: lambda: cache for w in CACHE} | _of_value(given, value) if self.forward is not None else {}
        told = any(p.name in CACHE for p in _parameters(self.backward, self.label))
        spare: list[Callable[[], Any]] = [] if self.forward is None else [lambda: cache, given.seed][told:]
        args, options = bound(self.backward, self.label, given, hidden, spare)

        def again() -> Any:
            return _call(self.backward, self.label, args, options, given)

        before = arrays_in(cache)
        raw = Raw(again(), returned_words(self.backward), value=value)
        if self.forward is None:
            return raw, None
        raw.cache = (before, arrays_in(cache))
        return raw, again

    def _forward(self, given: Given) -> tuple[Any, Any]:
        if self.forward is None:
            return None, None
        label = _name(self.forward)
        spare = [lambda: _all(given, "params"), lambda: _all(given, "data")]
        args, options = bound(self.forward, label, given, _worked_out(given, label), spare)
        found = _call(self.forward, label, args, options, given)
        if isinstance(found, tuple) and len(found) == 2:
            return found
        return (found[0], found[1:]) if isinstance(found, tuple) and found else (found, None)


def _of_value(given: Given, value: Any) -> dict[str, Callable[[], Any]]:
    """The word for the gradient of an intermediate stands for that of what forward returned, where this is another
    array, of the shape of the output: code has names of its own."""
    found, seeds = back(value), list(given.upstream.values())
    if found is None or len(seeds) != 1 or found[0].shape != seeds[0].shape:
        return {}
    return {w: given.seed for w, inner in given.inner.items()
            if inner.shape != found[0].shape or not np.allclose(inner, found[0], rtol=NEAR, atol=NEAR)}


def _worked_out(given: Given, label: str) -> dict[str, Callable[[], Any]]:
    """What a forward is handed by the name of a result of the model, which it has to work out: nothing."""
    def refuse(word: str, name: str) -> Any:
        raise UsageError(f"{label} takes {word}, and {name} is what the model works out: give the arrays of the model "
                         f"the names that they have in {label}")

    return {w: partial(refuse, w, name) for w, (name, _) in given.values.items() if name in given.upstream}


def _all(given: Given, group: str) -> dict[str, Any]:
    return {n: given.made(n, v) for n, v in getattr(given, group).items()}


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


class ClassForm(Form):
    """A class made without arguments; gradients that backward leaves in attributes count as returned."""

    def __init__(self, made: type) -> None:
        self.made, self.label = made, made.__name__
        self.instance: Any = None

    def functions(self) -> list[Callable[..., Any]]:
        return [getattr(self.made, name) for name in ("backward", "forward", "__init__")]

    def call(self, given: Given) -> tuple[Raw, Callable[[], Any] | None]:
        if self.instance is None or given.fresh:
            self.instance = _call(self.made, self.label)
        self._set_attributes(given)
        forward, backward = self.instance.forward, self.instance.backward
        label = f"{self.label}.forward"
        args, options = bound(forward, label, given, _worked_out(given, label), [])
        found = _call(forward, label, args, options)
        value, cache = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
        hidden = {w: lambda: cache for w in CACHE} | _of_value(given, value)
        args, options = bound(backward, f"{self.label}.backward", given, hidden, [given.seed])
        results = _call(backward, f"{self.label}.backward", args, options)
        attributes = {n: v for n, v in vars(self.instance).items() if back(v) is not None}
        kept = [getattr(self.instance, key, None) for key in ("grads", "gradients")]
        gradients = {n: v for words in kept if isinstance(words, Mapping) for n, v in words.items()}
        return Raw(results, returned_words(backward), attributes, gradients, value), None

    def _set_attributes(self, given: Given) -> None:
        """Parameters that the object keeps itself and forward does not take."""
        taken = set(inspect.signature(self.instance.forward).parameters)
        for name, array in given.params.items():
            word = name if hasattr(self.instance, name) else name.lower()
            if word not in taken and hasattr(self.instance, word):
                setattr(self.instance, word, given.made(name, array))


class TorchForm(Form):
    """A subclass of torch.autograd.Function, applied to the arrays that its forward names."""

    def __init__(self, function: Any) -> None:
        self.function, self.label = function, function.__name__
        base = sys.modules["torch"].autograd.Function
        self.context = function.setup_context is base.setup_context  # forward takes ctx itself

    def functions(self) -> list[Callable[..., Any]]:
        return [self.function.backward, self.function.forward]

    def wanted(self) -> list[str]:
        """Those of forward: backward gets its context and gradients by their places, whatever they are called."""
        return [p.name for p in _parameters(self.function.forward, self.label)[int(self.context) :]]

    def places(self) -> list[tuple[str, str]]:
        return [("torch", d) for d in (DEVICES if _has_cuda() else DEVICES[:1])]

    def call(self, given: Given) -> tuple[Raw, Callable[[], Any] | None]:
        torch = sys.modules["torch"]
        label = f"{self.label}.forward"
        forward, skip = self.function.forward, int(self.context)
        args, options = bound(forward, label, given, _worked_out(given, label), [], skip)
        args += options.values()
        words = [p.name for p in _parameters(forward, label)[skip:]][: len(args)]
        leaves = {w: a for w, a in zip(words, args, strict=False) if isinstance(a, torch.Tensor)
                  and a.is_floating_point()}
        for array in leaves.values():
            array.requires_grad_(True)
        results = called(self.function.apply, f"{self.label}.apply", _home(forward), args)
        outputs = [r for r in (results if isinstance(results, tuple) else (results,)) if isinstance(r, torch.Tensor)]
        seeds = [given.made(f"d{n}", v) for n, v in given.upstream.items()] if given.upstream else [
            torch.ones_like(o) for o in outputs[:1]]
        outputs, seeds = outputs[: len(seeds)], seeds[: len(outputs)]

        def again() -> Any:
            found = torch.autograd.grad(outputs, list(leaves.values()), seeds, retain_graph=True, allow_unused=True)
            return {w: g for w, g in zip(leaves, found, strict=True) if g is not None}

        def backward() -> Any:
            return called(again, f"{self.label}.backward", _home(self.function.backward))

        return Raw(backward(), value=outputs[0] if outputs else None), backward


class RuleForm(FunctionForm):
    """A function of JAX with a derivative of its own, pulled back."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.values: list[Any] = []
        super().__init__(_pulled_back(function, self.values.append))

    def call(self, given: Given) -> tuple[Raw, Callable[[], Any] | None]:
        raw, again = super().call(given)
        value = self.values.pop()
        raw.value = value[0] if isinstance(value, tuple) and value else value
        return raw, again

    def places(self) -> list[tuple[str, str]]:
        return [("jax", DEVICES[0])]


def _has_own_rule(found: Any) -> bool:
    """Whether this is a function of JAX with a derivative of its own, perhaps under ``jax.jit``."""
    jax = sys.modules.get("jax")
    kinds = tuple(k for n in ("custom_vjp", "custom_jvp") if (k := getattr(jax, n, None)) is not None)
    return any(isinstance(f, kinds) for f in (found, getattr(found, "__wrapped__", None)))


def _pulled_back(function: Callable[..., Any], keep: Callable[[Any], None]) -> Callable[..., Any]:
    """The backward pass of a function with a derivative of its own, as JAX runs it: gradients of all its arrays of
    floats by the names of its parameters. The value is told to ``keep``."""
    jax, signature = sys.modules["jax"], inspect.signature(function)

    @wraps(function)
    def backward(upstream: Any, **given: Any) -> Any:
        floats = {w: a for w, a in given.items() if isinstance(a, jax.Array) and a.dtype.kind == "f"}

        def forward(some: Mapping[str, Any]) -> Any:
            call = signature.bind(**{**given, **some})
            return function(*call.args, **call.kwargs)

        value, pull = jax.vjp(forward, floats)
        keep(value)
        seeds = tuple(upstream.values()) if isinstance(value, tuple) and isinstance(upstream, dict) else upstream
        return pull(jax.tree_util.tree_map(lambda v, u: jax.numpy.asarray(u, v.dtype), value, seeds))[0]

    by_name = [p.replace(kind=p.KEYWORD_ONLY) for p in signature.parameters.values()]
    seed = inspect.Parameter(SEED, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    backward.__signature__ = signature.replace(parameters=[seed, *by_name])  # type: ignore[attr-defined]
    return backward


def form_of(found: Any, forward: Any, home: ModuleType | None) -> Form:
    """The form that a function, a class or an object is in; ``home`` is the file where a forward may stand beside. Of a
    module it is its ``backward``. Raises `UsageError` for what is none."""
    if isinstance(found, ModuleType):
        return _form_of_module(found, forward)
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
    if _has_own_rule(found):
        return RuleForm(found)
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


def _form_of_module(found: ModuleType, forward: Any) -> Form:
    backward = getattr(found, "backward", None)
    if callable(backward):
        return form_of(backward, forward or getattr(found, "forward", None), found)
    names = list(own_functions(found)) + [n for n, v in vars(found).items() if isinstance(v, type)
                                          and v.__module__ == found.__name__]
    hint = f" It has {', '.join(names)}: write FILE.py:NAME." if names else ""
    raise UsageError(f"{Path(found.__file__ or found.__name__).name} has no function backward.{hint}")
