"""What NumPy and PyTorch write with a dot, as model text: ``np.exp(x)``, ``X.sum(axis=0)``, ``X.shape[0]``."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeGuard

import sympy as sp

from symbackprop.core.functions.words import ALSO, IDLE_METHODS, MODULES, meant
from symbackprop.core.scalars import TABLE
from symbackprop.errors import Meant, ModelError, NameProblem, Place, SyntaxProblem, nearest, suggested
from symbackprop.model.text import tree
from symbackprop.model.text.brackets import unclosed
from symbackprop.model.text.calls import NUMPY, Callee, callee, function_names, is_numpys, refuse_impossible
from symbackprop.model.text.expressions import one_formula
from symbackprop.model.text.in_place import changes_in_place
from symbackprop.model.text.meant_lines import (
    DECLARED,
    JOINED,
    declared_instead,
    joined,
    solved_at_once,
    with_function,
    without_module,
)
from symbackprop.model.text.patterns import by_pattern
from symbackprop.model.text.spellings import (
    ALONG,
    BY_RANK,
    LAYERS,
    NO_FUNCTIONS,
    PLACES,
    SAME,
    TENSORFLOW,
    TORCH,
    WITH_PLACES,
    calls_of,
    distributions,
    is_distribution,
    is_spelled,
    spelled,
    spelled_names,
)
from symbackprop.patterns import lazy

SHAPE, SIZE, NDIM = "shape", "size", "ndim"
_RANDOM = ("rand", "randn", "randint", "randn_like", "rand_like", "normal", "randperm")
PI = "pi"
INFINITE = tree.Name("inf")
_CONSTANTS: dict[str, tree.Expr] = {name: tree.put(one_formula(text), {PI: tree.Number(sp.pi)}) for name, text in (
    ("pi", PI), ("inf", "inf"), ("newaxis", "None"), ("e", "exp(1)"), ("tau", f"2*{PI}"))}  # whatever else has the name
_INFINITIES = {tree.Call("float", (tree.String(f"{sign}inf"),), ()): value
               for sign, value in (("", sp.oo), ("-", -sp.oo))}
_NUMPY = ("np", "numpy", "jnp")
SELF = tree.Name("self")
CLASSES_SECOND = ("cross_entropy", "nll_loss")
_LIKE_ANOTHER = ("type_as",)  # which are given another array
_IDLE = ("float", "float32", "float64", "double", "dtype", "device", "cpu", "cuda")  # what idle methods are given


def plain(expr: tree.Member, names: Container[str], values: bool = False,
          tell: Callable[[str], None] = lambda text: None) -> tree.Expr:
    """The expression without the dot; ``a.shape`` and ``a.size`` stay. ``names`` are those that the model declares;
    with ``values`` those of a reduction that comes with indices are wanted; ``tell`` is told how a call is read. Raises
    a `SyntaxProblem` for what is no way of writing a formula, or may mean something else in the library that it is
    written for."""
    if expr.base == SELF and SELF.name not in names:
        if expr.name in names and expr.args is None:
            return tree.Name(expr.name, place=expr.place)
        raise NameProblem(f"self.{expr.name} belongs to a class: declare its arrays, as in `param W: H x D, b: H`, and "
                          "write what it computes, as in F.linear(x, W, b)", near=expr.name)
    module, expr = _module(expr.base, names), _with_reduction(expr)
    if module == "einops" and expr.args is not None:
        return tree.Call(expr.name, expr.args, expr.options)
    if expr.args is not None and changes_in_place(expr.name) and not is_spelled(expr.name):
        return plain(replace(expr, name=expr.name.rstrip("_")), names, values, tell)
    density = _of_distribution(expr, names) or _of_two_distributions(expr)
    if density is not None:
        read = _told(expr.name, *density, tell)
        return plain(read, names, values, tell) if _is_call(read) else read
    _refuse_declarations(expr, module)
    if expr.args is None:
        return _without_call(expr, module, names, values, tell)
    meant = _of_library(expr, module, expr.args, values, tell) if module else (
        _of_array(expr, expr.args, names, values, tell))
    return plain(meant, names, values, tell) if _is_call(meant) else meant


def _with_reduction(expr: tree.Member) -> tree.Member:
    """A loss of PyTorch's with ``reduction=`` for what that was called before, ``size_average=False``."""
    old = dict(expr.options).get(_AVERAGES)
    if not is_loss(expr.name) or not isinstance(old, tree.Word) or old.value is None:
        return expr
    rest = [option for option in expr.options if option[0] != _AVERAGES]
    return replace(expr, options=(*rest, ("reduction", tree.String("mean" if old.value else "sum"))))


_AVERAGES = "size_average"


def noise_like(expr: tree.Expr) -> tree.Expr | None:
    """What noise has the shape of, ``torch.randn_like(std)`` and ``np.random.randn(*std.shape)``; None for any other
    expression."""
    if not isinstance(expr, tree.Member) or expr.name not in _RANDOM or not expr.args:
        return None
    if expr.name.endswith("_like"):
        return expr.args[0] if _root(expr) in TORCH else None
    match expr.args:
        case (tree.Member(array, "shape", None) | tree.Member(array, "size", ()),):
            return array
    return None


def _refuse_declarations(expr: tree.Member, module: str) -> None:
    """Refuse what makes an array of random numbers, or one that has a gradient."""
    if expr.args is not None and ("random" in _path(expr) or (module and expr.name in _RANDOM)):
        raise SyntaxProblem("random numbers are no part of a model: an array is declared, as `data X: N x D` or `param "
                            "X: N x D`, with its sizes above, `dim N, D`", near=expr.name,
                            instead=[partial(declared_instead, "param")])
    later = expr.name == "requires_grad_" and not isinstance(expr.base, tree.Name)
    if later or ("requires_grad", tree.Word(True)) in expr.options:
        raise SyntaxProblem("an array with a gradient is a parameter, which is declared: `param W: N x D`",
                            near=expr.name, instead=[partial(declared_instead, "param")])


def _without_call(expr: tree.Member, module: str, names: Container[str], values: bool, tell: Callable[[str], None]
                  ) -> tree.Expr:
    """A number of a library, or what an array or a result has."""
    if module:
        if expr.name in _CONSTANTS:
            return _CONSTANTS[expr.name]
        raise _strange(expr)
    if expr.name == "values" and isinstance(expr.base, tree.Member):
        return plain(expr.base, names, True, tell)
    if expr.name == "indices" and isinstance(expr.base, tree.Member) and expr.base.name in PLACES:
        return plain(replace(expr.base, name=PLACES[expr.base.name]), names, values, tell)
    return plain(expr.base, names, values, tell) if expr.name == "real" and _is_call(expr.base) else _attribute(expr)


def _of_library(expr: tree.Member, module: str, args: tuple[tree.Expr, ...], values: bool, tell: Callable[[str], None]
                ) -> tree.Expr:
    found = _spelled_by("v" * values + _whose(expr, module), expr.name, args, expr.options)
    if found is None:
        return _as_called(expr, module, args, values)
    return _norm_of_one_kind(_told(expr.name, *found, tell), module)


def _of_array(expr: tree.Member, args: tuple[tree.Expr, ...], names: Container[str], values: bool,
              tell: Callable[[str], None]) -> tree.Expr:
    if expr.name == tree.FORWARD:
        return functional(expr)
    changed = _changed(expr, names)
    if changed is not None:
        return _told(f"at[…].{expr.name}", *changed, tell)
    found = _spelled_by("v" * values + _of_method(expr.name), expr.name, (expr.base, *args), expr.options)
    return _method(expr, args, values) if found is None else _told(expr.name, *found, tell)


def _spelled_by(whose: Sequence[str], name: str, args: tuple[tree.Expr, ...], options: Sequence[tuple[str, tree.Expr]]
                ) -> tuple[tree.Expr, str] | None:
    """What a call is by the first of these libraries that has it."""
    calls = (spelled(letter, name, args, dict(options)) for letter in whose)
    return next((call for call in calls if call is not None), None)


def _changed(expr: tree.Member, names: Container[str]) -> tuple[tree.Expr, str] | None:
    """``x.at[i].add(v)`` of JAX: what x is with other entries; None for any other call."""
    match expr:
        case tree.Member(tree.Index(tree.Member(_, "at", None) as there, items), "get", ()):
            return tree.Index(there.base, items), "a[…]"
        case tree.Member(tree.Index(tree.Member(x, "at", None), items), how, (value,)):
            if how == "set" and isinstance(items[0], tree.Compare) and len(items) == 1:
                return tree.Call("where", (items[0], value, x), ()), "where(…)"
            if _is_nowhere(items):
                return x, "the array as it is"
            parts = _in_parts(x, items, how, value)
            if parts is not None:
                return parts, "concat(…)" if isinstance(items[0], tree.Slice) else "where(…)"
            found = spelled("j", f"at.{how}", (x, items[0], value), {}) if _is_place(items) else None
            if found is not None:
                return found
            raise SyntaxProblem("entries are changed one place of the first axis at a time, x.at[0].set(v), or by "
                                "integer data, x.at[i].add(v): write where(…) or concat(…)", near="at")
    return None


def _in_parts(x: tree.Expr, items: Sequence[tree.Expr], how: str, value: tree.Expr) -> tree.Expr | None:
    """What is changed at ``x.at[1:3]``, ``x.at[:, i]`` and ``x.at[0, j]``, by changes of one place; None elsewhere."""
    first, *rest = items

    def changed(part: tree.Expr, at: Sequence[tree.Expr], to: str, new: tree.Expr) -> tree.Expr:
        return tree.Member(tree.Index(tree.Member(part, "at"), tuple(at)), to, (new,))

    def turned(part: tree.Expr) -> tree.Expr:
        return tree.Call("swapaxes", (part, tree.ZERO, tree.ONE), ())

    match first:
        case tree.Slice(None, None, None) if len(rest) == 1:
            return turned(changed(turned(x), rest, how, value))
        case tree.Number() if rest:
            return changed(x, [first], "set", changed(tree.Index(x, (first,)), rest, how, value))
        case tree.Slice(start, stop, None) if not rest and _has_entries(first):
            there = spelled("j", f"part.{how}", (tree.Index(x, (first,)), value), {})
            if there is None:
                return None
            ends = [tree.Slice(None, start, None)] * (start is not None)
            ends += [tree.Slice(stop, None, None)] * (stop is not None)
            parts: list[tree.Expr] = [tree.Index(x, (end,)) for end in ends]
            parts.insert(start is not None, there[0])
            return tree.Call("concat", tuple(parts), ())
    return None


def _is_nowhere(items: Sequence[tree.Expr]) -> bool:
    """Whether an index is a slice without entries, as 4:4."""
    part = items[0]
    return len(items) == 1 and isinstance(part, tree.Slice) and part.step is None and _has_entries(part) is False


def _has_entries(part: tree.Slice) -> bool | None:
    """Whether a slice of a long array has an entry; None where that is known by its size alone."""
    first, end = (-x.body.value if isinstance(x, tree.Negative) and isinstance(x.body, tree.Number) else
                  x.value if isinstance(x, tree.Number) else None for x in (part.start, part.stop))
    if first is None or end is None:
        return True
    return bool(first < end) if (first < 0) == (end < 0) else None


def _is_place(items: Sequence[tree.Expr]) -> bool:
    return len(items) == 1 and not isinstance(items[0], (tree.Slice, tree.Tuple, tree.Word))


def _is_call(expr: tree.Expr) -> TypeGuard[tree.Member]:
    """``a.f(b)``"""
    return isinstance(expr, tree.Member) and expr.args is not None


def _as_called(expr: tree.Member, module: str, args: tuple[tree.Expr, ...], values: bool) -> tree.Expr:
    """A function of a library by its name here, or NumPy's own where that is another one."""
    own = f"linalg.{expr.name}" if module == "linalg" else expr.name
    numpys = tree.Call(f"{NUMPY}{own}", args, expr.options) if _root(expr) in _NUMPY and is_numpys(own) else None
    if numpys is not None and own in BY_RANK:
        return numpys
    try:
        _refuse_others(expr, module, args, values)
    except (NameProblem, SyntaxProblem):
        if numpys is None:
            raise
        return numpys
    if values and len(args) == 2 and expr.name in ("max", "min"):  # max(a, 1) may compare with 1
        return _called(expr.name, args[:1], (("axis", args[1]), *expr.options), module in ("F", "functional"))
    return _called(expr.name, args, expr.options, module in ("F", "functional"))


def _of_distribution(expr: tree.Member, names: Container[str]) -> tuple[tree.Expr, str] | None:
    """``scipy.stats.norm.logpdf(x, mu)``, with however much of the path before it; None for any other call. A formula
    knows nothing of where a density is 0."""
    base: tree.Expr = expr.base
    if isinstance(base, tree.Member) and base.args is not None:  # norm(0, 1).logpdf(x), frozen
        asked = expr.args if expr.args is not None else () if is_distribution(base.name) else None  # its mean
        args = None if asked is None else (*asked, *base.args)
        given, frozen = (*expr.options, *base.options), replace(base, args=None, options=())
        expr = replace(expr, base=frozen, args=args, options=given)
        base = base.base
    while isinstance(base, tree.Member) and base.args is None:
        base = base.base
    if expr.args is None or not isinstance(base, tree.Name) or base.name in names:
        return None
    whose, of = _DISTRIBUTIONS.get(base.name, "s"), _path(expr)[1]
    found = _of_table(whose, of, expr.name, expr.args, expr.options)
    if found is None and expr.name in (*_BY_OTHERS, *_BY_NOTHING):
        raise _not_called_so(whose, of, expr.name)
    if found is None or expr.name.removeprefix("log") not in _DENSITIES:
        return found
    return found[0], f"{found[1]}, where that density is not 0"


_DENSITIES = ("pdf", "pmf")
_BY_OTHERS = {"pdf": ("logpdf", "exp({})"), "pmf": ("logpmf", "exp({})"), "logcdf": ("cdf", "log({})"),
              "logsf": ("sf", "log({})"), "sf": ("cdf", "1 - ({})")}  # functions of a distribution, of another one
_BY_NOTHING = ("logpdf", "logpmf", "cdf", "ppf", "isf")
_DISTRIBUTIONS = dict.fromkeys(("tf", "tfp", "tfd", "distrax"), "fs") | {"jax": "js"}  # fs: first come logits


def _of_table(whose: str, of: str, name: str, args: tuple[tree.Expr, ...], options: tuple[tuple[str, tree.Expr], ...]
              ) -> tuple[tree.Expr, str] | None:
    """A function of a distribution, as the table has it or by another that it has."""
    calls = (spelled(letter, f"{of}.{name}", args, dict(options)) for letter in whose)
    found = next((call for call in calls if call is not None), None)
    if found is not None or name not in _BY_OTHERS:
        return found
    other, formula = _BY_OTHERS[name]
    inner = _of_table(whose, of, other, args, options)
    return None if inner is None else (
        tree.put(one_formula(formula.format("f")), {"f": inner[0]}), formula.format(inner[1]))


def _not_called_so(whose: str, of: str, name: str) -> ModelError:
    """How that function of a distribution is called, or which functions of it are read."""
    forms = _forms(whose, of, name)
    if forms:
        return SyntaxProblem(f"{of}.{name}(…) is not read as it is called here: its arguments are those of {forms}",
                             near=name)
    known = [n for n in (*_BY_OTHERS, *_BY_NOTHING) if _forms(whose, of, n)]
    if known:
        said = f"of {of}, only {', '.join(known)} is known here; write the formula"
        return NameProblem(f"{of}.{name}(…): {said}", near=name)
    scipys = _scipys_word(of, name)
    said = f"no distribution {of!r} is known here; {f'SciPy calls it {scipys}' if scipys else 'write the formula'}"
    return NameProblem(f"{of}.{name}(…): {said}", near=of, instead=scipys)


def _scipys_word(of: str, name: str) -> str:
    """SciPy's shorter or longer word for a distribution, ``binom`` for ``binomial``; nothing where several fit."""
    known = {d for d in distributions(name) if len(d) > 2 and (of.startswith(d) or d.startswith(of))}
    longest = max(map(len, known), default=0)
    return next(iter(found)) if len(found := {d for d in known if len(d) == longest}) == 1 else ""


def _forms(whose: str, of: str, name: str) -> str:
    """How that function of a distribution is called, or the one that it is read by; nothing where it is unknown."""
    forms = calls_of(whose, f"{of}.{name}")
    return forms or (_forms(whose, of, _BY_OTHERS[name][0]) if name in _BY_OTHERS else "")


def distribution(expr: tree.Expr) -> tree.Expr | None:
    """``Normal(m, s)``, an object whose log_prob is read, with PyTorch's path before it if it has none; None for any
    other value."""
    name, args, options = tree.called(expr)
    if not is_distribution(name):
        return None
    torchs = tree.Member(tree.Name("torch"), "distributions")
    return tree.Member(torchs, name, args, tuple(options.items()), place=expr.place) if isinstance(
        expr, tree.Call) else expr


def is_of_distribution(expr: tree.Member) -> bool:
    """``norm.logpdf(x)``, whose first word is no array then."""
    return isinstance(expr.base, tree.Name) and expr.args is not None and bool(_forms("s", expr.base.name, expr.name))


def _of_two_distributions(expr: tree.Member) -> tuple[tree.Expr, str] | None:
    """``kl_divergence(Normal(m, s), Normal(0, 1))``; None for any other call."""
    match expr.args:
        case (tree.Member(_, name, tuple() as args, ()), tree.Member(_, other, tuple() as others, ())) if name == other:
            return spelled("s", f"{name}.{expr.name}", (*args, *others), dict(expr.options))
    return None


def infinite(expr: tree.Expr, names: Container[str]) -> sp.Expr | None:
    """What ``inf``, ``-np.inf`` and ``float("-inf")`` are; None for anything else."""
    if isinstance(expr, tree.Negative):
        inner = infinite(expr.body, names)
        return None if inner is None else -inner
    if isinstance(expr, tree.Member) and expr.args is None and expr.name == INFINITE.name:
        expr = plain(expr, names)
    if expr == INFINITE and INFINITE.name not in names:
        return sp.oo
    return _INFINITIES.get(expr) if isinstance(expr, tree.Call) else None


def called(expr: tree.Call, tell: Callable[[str], None] = lambda text: None) -> tree.Expr | None:
    """A call by a name that only other libraries have, as model text; None for any other."""
    pattern = by_pattern(expr.function, expr.args, dict(expr.options))
    if pattern is not None:
        return pattern
    known = callee(expr.function)
    strings = any(isinstance(a, tree.String) for a in expr.args)  # norm(W, 'fro')
    if known is not None and not strings and known.fits(len(expr.args), dict(expr.options)):  # unlike arange(1, N)
        return None
    found = _spelled_by("nr" if known else ("",), expr.function, expr.args, expr.options)
    if found is None and known is None:
        return _of_rs(expr, tell)
    return None if found is None else _norm_of_one_kind(_told(expr.function, *found, tell), "linalg")


_TRUE = tree.Name("TRUE")


def _of_rs(expr: tree.Call, tell: Callable[[str], None]) -> tree.Expr | None:
    """``pexp(x, log.p=TRUE)`` by what it is the logarithm of; None for what is no function of R's."""
    options = tuple([x for x in expr.options if x != ("log.p", _TRUE)])
    meant = called(replace(expr, options=options), tell) if options != expr.options else None
    if meant is not None:
        return tree.Call("log", (meant,), ())
    forms = calls_of("r", expr.function)
    if not forms:
        return None
    raise SyntaxProblem(f"{expr.function} is not read as it is called here, but {forms}", near=expr.function)


def size_asked(expr: tree.Expr) -> tuple[tree.Expr, int] | None:
    """The array and the axis of ``len(a)``, ``a.shape[1]`` and ``a.size(-1)``; None for any other expression."""
    match expr:
        case tree.Call("len", (array,), ()):
            return array, 0
        case tree.Index(tree.Member(array, "shape", None) | tree.Member(array, "size", ()), (place,)) | tree.Member(
                array, "size", (place,)):
            number = place.body if isinstance(place, tree.Negative) else place
            if isinstance(number, tree.Number) and number.value.is_Integer:
                return array, int(number.value if number is place else -number.value)
    return None


def first_of_two(expr: tree.Index, names: Container[str]) -> tree.Expr | None:
    """``torch.sort(a)[0]``, the values of what PyTorch gives with indices; None for any other entry. Raises
    `SyntaxProblem` for that of a method that NumPy or PyTorch may mean."""
    inner, place = expr.base, expr.items[0] if len(expr.items) == 1 else None
    if not isinstance(inner, tree.Member) or inner.args is None or inner.name not in WITH_PLACES:
        return None
    first, second = (place == tree.Number(sp.Integer(k)) for k in (0, 1))
    torch = _root(inner) == "torch" or (
        not is_numpys(inner.name) and not _module(inner.base, names))
    along = {word for word, _ in inner.options}
    if (torch or "dim" in along) and (first or (second and inner.name in PLACES)):
        named = inner if first else replace(inner, name=PLACES[inner.name])
        return plain(named, names, values=True)
    if not first or "axis" in along or _module(inner.base, names):
        return None
    name = inner.name
    raise SyntaxProblem(f".{name}(…)[0] is all of the values in PyTorch, where their places come second, and the first "
                        f"of them in NumPy: write {name}(…) without [0], or {name}(…)[0] as a function", near=name,
                        instead=[*_as_functions(expr, name), *_as_functions(expr, name, index="[0]"),
                                 *([] if expr.place is None else [partial(_by_word, expr.place)])])


def _by_word(whole: Place, line: str, place: Place) -> str:
    """The line with ``a.max(1).values`` for ``a.max(1)[0]``, which only PyTorch has."""
    there = whole.cut(line)[1]
    return whole.put(line, f"{there.removesuffix('[0]')}.values") if there.endswith("[0]") else line


def _as_functions(expr: tree.Expr, name: str, options: Sequence[str] = ("",), index: str = "") -> list[Meant]:
    """The line with ``a.f(b)[0]`` as ``f(a, b, option)`` and another index; nothing where it is not known where that
    stands."""
    whole = expr.place

    def written(option: str, line: str, place: Place) -> str:
        assert whole is not None
        before, text, behind = whole.cut(line)
        text = text.removesuffix("[0]")
        opening = unclosed(text[:-1]) - 1
        if behind.lstrip().startswith(("[", ".")) or "," in before.partition("=")[0]:
            return line  # one of several results is taken
        base = text[:opening].rpartition(".")[0]
        args = ["" if base.rpartition(".")[2] in MODULES else base, text[opening + 1 : -1], option]
        return whole.put(line, f"{name}({', '.join(filter(None, args))}){index}")

    return [] if whole is None else [partial(written, option) for option in options]


def _told(name: str, formula: tree.Expr, text: str, tell: Callable[[str], None]) -> tree.Expr:
    if not isinstance(formula, tree.Call) or not _SIMPLE.fullmatch(text):
        tell(f"{name}(…) is read as {text}")
    elif (function := text.partition("(")[0]) != name:
        tell(f"{name} is read as {function}")
    return formula


_SIMPLE = lazy(r"\w+\([A-Za-z_=, ]*\)")


def _norm_of_one_kind(formula: tree.Expr, module: str) -> tree.Expr:
    """A norm of all of an array, which is one of its entries here, and by an order one of a matrix in ``linalg``."""
    if module != "linalg" or not isinstance(formula, tree.Call) or formula.function != "norm":
        return formula
    return formula if "axis" in dict(formula.options) else tree.Bars(formula.function, formula.args, formula.options)


def is_layer(expr: tree.Expr) -> TypeGuard[tree.Call | tree.Member]:
    """``nn.CrossEntropyLoss()``, one of PyTorch's without parameters that is not called yet."""
    if not isinstance(expr, (tree.Call, tree.Member)) or expr.args is None:
        return False
    name = expr.function if isinstance(expr, tree.Call) else expr.name
    plain = all(isinstance(a, (tree.Number, tree.Word, tree.Tuple)) for a in expr.args)
    return name in LAYERS and plain and (isinstance(expr, tree.Call) or _root(expr) in TORCH)


def is_function(expr: tree.Expr) -> TypeGuard[tree.Member]:
    """``F.silu``, a library's function that is not called yet."""
    if not isinstance(expr, tree.Member) or expr.args is not None or not _module(expr.base, ()):
        return False
    return meant(expr.name, ()) is not None or callee(expr.name) is not None or expr.name in TABLE


def made(expr: tree.Expr) -> tuple[str, tuple[tree.Expr, ...], Mapping[str, tree.Expr]]:
    """What is made by a call like that of a class of PyTorch's, ``nn.Linear(2, 3)``, and of what; no name for any other
    expression."""
    return ("", (), {}) if isinstance(expr, tree.Member) and _root(expr) not in TORCH else tree.called(expr)


def functional(expr: tree.Member) -> tree.Member:
    """``nn.ReLU()(x)`` as ``nn.functional.relu(x)``; what calls no layer as it is."""
    made, args = expr.base, expr.args
    if expr.name != tree.FORWARD or args is None or not isinstance(made, (tree.Call, tree.Member)):
        return expr
    name, own = (made.function if isinstance(made, tree.Call) else made.name), made.args or ()
    if name in NO_FUNCTIONS:
        raise SyntaxProblem(f"{name} {NO_FUNCTIONS[name]}", near=name)
    function, usual = LAYERS.get(name, ("", ()))
    if not function:
        raise NameProblem(f"there is no layer {name!r} here: `symbackprop ops` lists what there is", near=name)
    options = (*made.options, *expr.options) or (() if own else usual)
    return tree.Member(tree.Member(tree.Name("nn"), "functional"), function, (*args, *own), options, place=expr.place)


def _whose(expr: tree.Expr, module: str) -> str:
    """Whose call it is, as the table of spellings has it: a letter or more, the nearest first."""
    if "keras" in _path(expr) or (_root(expr) == "tf" and "losses" in _path(expr)):
        return "k"
    if "scipy" in _path(expr):
        return "sn"
    if _root(expr) not in TORCH:
        return {"tf": "f", "jax": "jn", "lax": "jn", "optax": "o"}.get(_root(expr), "ln" if module == "linalg" else "n")
    return "l" if module == "linalg" else "t"


_METHODS = """
    all any argmax argmin argsort choose clip compress conj cumprod cumsum diagonal dot flatten max mean median min
    nonzero prod put ravel repeat reshape round searchsorted sort squeeze std sum swapaxes take trace transpose var
"""
_OF_ARRAYS = frozenset(_METHODS.split())  # of NumPy's and JAX's, and one that pandas means otherwise than PyTorch


def _of_method(name: str) -> str:
    """Whose a method is: that of tensors alone is a function of PyTorch's too."""
    return "m" if name in _OF_ARRAYS else "mt"


def _path(expr: tree.Expr) -> list[str]:
    """The words of ``np.random.randn``."""
    words = list[str]()
    while isinstance(expr, tree.Member):
        words.append(expr.name)
        expr = expr.base
    return [*words, expr.name] if isinstance(expr, tree.Name) else words


def _root(expr: tree.Expr) -> str:
    while isinstance(expr, tree.Member):
        expr = expr.base
    return expr.name if isinstance(expr, tree.Name) else ""


def _refuse_others(expr: tree.Member, module: str, args: tuple[tree.Expr, ...], values: bool) -> None:
    """Refuse a function that a library may mean otherwise; ``args`` with the array that a method is of."""
    name = expr.name if callee(expr.name) is not None else meant(expr.name, tuple(function_names()))
    found = callee(name) if name is not None else None
    said = f"{module}.{expr.name}" if module else f".{expr.name}(…)"
    forms = calls_of(_whose(expr, module) if module else _of_method(expr.name), expr.name)
    if expr.name in _WITH_TWO or found is None or name is None:
        raise _unknown(expr, said, forms)
    if found.name in TABLE:
        return
    given = {k for k, _ in expr.options}
    torch = module in TORCH or bool(given & {"dim", "keepdim"})
    if name in ("var", "std") and "ddof" not in given and (torch or (module not in _NUMPY and "axis" not in given)):
        by = "divides by n - 1" if torch else "divides by n in NumPy and by n - 1 in PyTorch"
        options = ("ddof=1",) if torch else ("", "ddof=1")
        raise SyntaxProblem(f"{said} {by}: write {name}(…), which divides by n, or {name}(…, ddof=1)", near=expr.name,
                            instead=_as_functions(expr, name, options))
    along = bool(given & {"axis", "dim"}) or len(args) > 1
    axis = found.signature.parameters.get("axis")
    places = name in WITH_PLACES and torch and (along or (axis is not None and axis.default is not None))
    known = TENSORFLOW if _root(expr) == "tf" else SAME
    lower = name == "median" and module not in _NUMPY  # PyTorch's is the lower of the two in the middle
    if (name not in known or lower or (name in ALONG and not along) or (places and not values)
            or (name == "norm" and len(args) > 1) or (name in ("svd", "cholesky") and module not in ("", "linalg"))
            or (is_loss(expr.name) and (len(args) > 2 or bool(given - {"reduction", "beta", "delta"})))):
        raise _ambiguous(expr, said, forms, found, places and not values)


def _unknown(expr: tree.Member, said: str, forms: str) -> ModelError:
    """What to say of what is no function here."""
    if expr.name in _WITH_TWO:
        alone = _WITH_TWO[expr.name]
        return NameProblem(f"{expr.name} gives a triangle and which it is: {alone} gives the lower one, for "
                           "cho_solve((c, True), b)", near=expr.name,
                           instead=[partial(with_function, expr.name, alone)])
    if expr.name in (*NO_FUNCTIONS, *DECLARED):
        declares = "is a declaration, `param W: N x D`"
        return SyntaxProblem(f"{expr.name} {NO_FUNCTIONS.get(expr.name, declares)}", near=expr.name,
                             instead=[partial(declared_instead, "param")] if expr.name in DECLARED else ())
    if forms:
        return SyntaxProblem(f"{said} is not read as it is called here, but {forms}", near=expr.name,
                             instead=[solved_at_once])
    refuse_impossible(expr.name)
    near = nearest(expr.name, {*function_names(), *ALSO, *spelled_names()} - {expr.name})  # another library's own
    why = "modules import NumPy alone, which has none, and " * ("special" in _path(expr))
    hint = f".{suggested(near)}" if near else f": {why}`symbackprop ops` lists what there is"
    return NameProblem(f"there is no function {expr.name!r} here, for {said}{hint}", near=expr.name, instead=near)


def _ambiguous(expr: tree.Member, said: str, forms: str, found: Callee, without_places: bool) -> SyntaxProblem:
    """What to say of a function that means something else in a library, or may do so."""
    if expr.name == "qr":
        return SyntaxProblem(f"{said} has an R whose diagonal may be negative; that of qr(a) is positive: write it "
                             "where signs do not matter", near=expr.name, instead=[partial(without_module, "qr")])
    if expr.name == "repeat":
        return SyntaxProblem(f"{said} is tile(a, sizes) in PyTorch, and repeat(a, n, axis) in NumPy: write which",
                             near=expr.name, instead=_as_functions(expr, "tile") + _as_functions(expr, "repeat"))
    read = f"; {forms} of that library is read" if forms else ""
    return SyntaxProblem(f"{said} may mean something else than {found.name} does here, which is called as "
                         f"{found.usage()}: write that{read}", near=expr.name,
                         instead=_as_functions(expr, expr.name) if without_places else ())


_WITH_TWO = {"cho_factor": "cholesky"}  # what gives an array and what that is, and what gives the array alone


def _module(expr: tree.Expr, names: Container[str]) -> str:
    """The last word of ``torch.nn.functional``; nothing where that is no library."""
    if isinstance(expr, tree.Member):
        return expr.name if expr.args is None and expr.name in MODULES and _module(expr.base, names) else ""
    return expr.name if isinstance(expr, tree.Name) and expr.name in MODULES and expr.name not in names else ""


def _called(name: str, args: tuple[tree.Expr, ...], options: tuple[tuple[str, tree.Expr], ...],
            functional: bool) -> tree.Expr:
    """A function of a library; a loss of PyTorch's with the reduction that it has."""
    given = dict(options)
    reduction = given.pop("reduction", tree.String("mean"))
    call = tree.Call(name, args, tuple(given.items()))
    reduced = functional and is_loss(name) and isinstance(reduction, tree.String) and reduction.value in ("mean", "sum")
    return tree.Call(str(reduction.value), (call,), ()) if reduced else call  # type: ignore[union-attr]


def is_loss(name: str) -> bool:
    """Whether PyTorch's function of that name is reduced unless it is told otherwise."""
    return name.endswith(("_loss", "_entropy", "_with_logits", "kl_div"))


def _attribute(expr: tree.Member) -> tree.Expr:
    if expr.name in ("mT", "mH"):  # the conjugate of what is real is itself
        return tree.Call("swapaxes", (expr.base, tree.Number(sp.Integer(-1)), tree.Number(sp.Integer(-2))), ())
    if expr.name in (SHAPE, SIZE, NDIM):
        return expr
    if expr.name in _WITHOUT_DOT:
        return tree.Call(_WITHOUT_DOT[expr.name], (expr.base,), ()) if _WITHOUT_DOT[expr.name] else expr.base
    if expr.name in _RESULTS and isinstance(expr.base, (tree.Call, tree.Member)):
        return tree.Index(expr.base, (tree.Number(sp.Integer(_RESULTS[expr.name])),))
    raise _strange(expr)


def is_of_arrays(name: str) -> bool:
    """Whether arrays, or what functions give, have something of that name."""
    return name in (SHAPE, SIZE, NDIM, "mT", "mH", "grad", "at", "values", "dtype", "device", *_WITHOUT_DOT, *_RESULTS)


_WITHOUT_DOT = {"data": "stop_gradient", "real": ""}  # what an array has: its numbers, and all of it
# which of several results has a name in NumPy or PyTorch
_RESULTS = {"statistic": 0, "correlation": 0, "sign": 0, "logabsdet": 1, "eigenvalues": 0, "eigenvectors": 1, "Q": 0,
            "R": 1, "U": 0, "S": 1, "Vh": 2, "solution": 0}


def _method(expr: tree.Member, args: tuple[tree.Expr, ...], values: bool) -> tree.Expr:
    """``a.f(b)`` is f(a, b)."""
    name = expr.name
    if name in IDLE_METHODS and (name in _LIKE_ANOTHER or all(map(is_idle, args))):
        return expr.base
    if name == "t":
        return tree.Transpose(expr.base)
    if name == SIZE:
        sizes = tree.Member(expr.base, SHAPE)
        return tree.Index(sizes, args) if args else sizes
    name = {"transpose": "swapaxes" if len(args) == 2 else "permute" if args else "transpose",
            "detach": "stop_gradient"}.get(name, name)
    _refuse_others(replace(expr, name=name), "", (expr.base, *args), values)
    found = callee(name)
    if found is not None and len(args) == 1 and [p.name for p in found.parameters][1:2] == ["axis"]:
        return tree.Call(name, (expr.base,), (("axis", args[0]), *expr.options))  # max(a, 1) may compare with 1
    return tree.Call(name, (expr.base, *args), expr.options)


def is_idle(arg: tree.Expr) -> bool:
    """Whether it is a type of floats or a device."""
    word = arg.value if isinstance(arg, tree.String) else arg.name if isinstance(arg, (tree.Name, tree.Member)) else ""
    return word in _IDLE or arg == tree.Word(True)


def _strange(expr: tree.Member) -> SyntaxProblem:
    if expr.name == "grad":
        return SyntaxProblem("gradients are derived: no line reads one", near=expr.name)
    if expr.name in JOINED:
        return SyntaxProblem(f"{expr.name}[…] of NumPy is {JOINED[expr.name]}((…))", near=expr.name,
                             instead=[partial(joined, expr.name)])
    return SyntaxProblem("a dot is only used in numbers, in ranges 1..T, in .T and for functions of an array, as in "
                         f"X.sum(axis=0); there are no attributes, and {expr.name!r} is none", near=expr.name,
                         instead=[f"{expr.name}()"])
