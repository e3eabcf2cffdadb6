"""Symbolic sizes in emitted code: as Python integers, and how every size is found from the arrays given."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial, reduce

import sympy as sp

from symbackprop.codegen.tree import Code, attribute, binary, call, constant, index, negative, string, text
from symbackprop.core.facts import is_convolution, is_part, is_unfolded
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop, with_bodies
from symbackprop.core.shapes import Dim, dim, dim_text
from symbackprop.errors import ModelError


def integer_code(size: Dim, symbol: Callable[[str], Code]) -> Code:
    """A size as Python integer arithmetic; ``symbol`` says how a dimension is called. Divisions round down."""
    if size.is_Integer:
        return constant(int(size))
    if size.is_Symbol:
        return symbol(size.name)
    if size.is_Add:
        return _add(size, symbol)
    if isinstance(size, sp.floor):
        return _quotient(*divided(size.args[0]), symbol)
    if isinstance(size, sp.ceiling):
        return negative(_quotient(*divided(-size.args[0]), symbol))
    if size.is_Mul or divided(size)[1] != 1:
        return _multiply(size, symbol)
    parts = [integer_code(a, symbol) for a in size.args]
    if size.is_Pow and size.exp.is_Integer and size.exp.is_positive:
        return binary(parts[0], ast.Pow, parts[1])
    if isinstance(size, (sp.Max, sp.Min)):
        return call("max" if isinstance(size, sp.Max) else "min", *parts)
    if isinstance(size, sp.Mod):
        return binary(parts[0], ast.Mod, parts[1])
    raise ModelError(f"the size {dim_text(size)} has no form as integer arithmetic")


def _add(size: Dim, symbol: Callable[[str], Code]) -> Code:
    """Only one term may be divided, else halves would be lost."""
    if sum(divided(term)[1] != 1 for term in size.args) > 1:
        return _quotient(*divided(size), symbol)
    return _sum(size, lambda term: integer_code(term, symbol))


def _sum(value: sp.Expr, code: Callable[[sp.Expr], Code]) -> Code:
    """Positive terms first, as a reader would write N - 1."""
    terms = sorted(value.args, key=lambda t: (t.could_extract_minus_sign(), t.is_Integer, sp.default_sort_key(t)))
    total = code(terms[0])
    for term in terms[1:]:
        minus = bool(term.could_extract_minus_sign())
        total = binary(total, ast.Sub if minus else ast.Add, code(-term if minus else term))
    return total


@cache
def divided(size: Dim) -> tuple[Dim, Dim]:
    """A size as numerator and denominator; what ``floor`` rounds is not looked into."""
    if size.is_Symbol or size.is_Integer:
        return size, sp.S.One
    top, bottom = sp.fraction(sp.together(size))
    return top, bottom


def _quotient(top: Dim, bottom: Dim, symbol: Callable[[str], Code]) -> Code:
    above = integer_code(top, symbol)
    return above if bottom == 1 else binary(above, ast.FloorDiv, integer_code(bottom, symbol))


def _multiply(size: Dim, symbol: Callable[[str], Code]) -> Code:
    top, bottom = sp.fraction(size)
    if bottom != 1:
        return _quotient(top, bottom, symbol)
    coefficient, rest = size.as_coeff_Mul()
    if coefficient == -1:
        return negative(integer_code(rest, symbol))
    return reduce(lambda left, right: binary(left, ast.Mult, right), [integer_code(a, symbol) for a in size.args])


@dataclass(frozen=True)
class Demands:
    """What sizes have to be for rows to make sense: ``whole`` ones are divisions, ``ordered`` ones (a, b) are a ≤ b."""

    whole: tuple[Dim, ...] = ()
    ordered: tuple[tuple[Dim, Dim], ...] = ()


def demands(rows: Iterable[Node]) -> Demands:
    """What the sizes that rows and the loops among them read have to be, as far as it does not hold for all sizes."""
    whole: dict[Dim, None] = {}
    ordered: dict[tuple[Dim, Dim], None] = {}
    for row in with_bodies(rows):
        parts = [row.attr.length] if isinstance(row.attr, Loop) else [*row.shape, *_sizes_in(row)]
        whole |= {d: None for d in parts if divided(d)[1] != 1}
        if is_part(row):
            ordered |= {pair: None for pair in _inside(row) if not _is_ordered(*pair)}
        ordered |= {(sp.S.Zero, n): None for n in _windows(row) if not _is_any(n)}
    return Demands(tuple(whole), tuple(ordered))


def _expanded(size: Dim) -> Dim:
    return size if size.is_Integer else sp.expand(size)


def _is_ordered(a: Dim, b: Dim) -> bool:
    """Whether a ≤ b for all sizes; numbers are not asked what else SymPy knows of them."""
    return a.p <= b.p if a.is_Integer and b.is_Integer else bool((b - a).is_nonnegative)


def _sizes_in(row: Node) -> list[Dim]:
    parts = row.attr if isinstance(row.attr, tuple) else (row.attr,)
    return [d for d in parts if isinstance(d, sp.Expr)] if not row.is_number else []


def _inside(row: Node) -> Iterator[tuple[Dim, Dim]]:
    """A slice stays inside its array, and starts there."""
    axis, start, length, step = row.attr
    last = _expanded(start + (length - 1) * step)
    first, end = (start, last) if step > 0 else (last, start)
    yield sp.S.Zero, length
    yield from ((sp.S.Zero, place) for place in dict.fromkeys([first, start]))
    yield _expanded(end + 1), row.args[0].shape[axis]


def _windows(row: Node) -> Iterator[Dim]:
    """What has to be 0 or more for there to be so many windows: an axis may be shorter than one, by less than a stride,
    and has none then."""
    if is_unfolded(row):
        axis, width, stride = row.attr
        yield _expanded(row.args[0].shape[axis] - width + stride)
    elif is_convolution(row):
        x, w = row.args
        for k, (stride, padding) in enumerate(zip(row.attr.stride, row.attr.padding, strict=True)):
            yield _expanded(x.shape[k + 1] + 2 * padding - w.shape[k] + stride)


def _is_any(size: Dim) -> bool:
    """Whether a size is 0 or more where an axis of the arrays given may have no entry."""
    empty = {s: sp.Symbol(s.name, integer=True, nonnegative=True) for s in size.free_symbols}
    return bool(size.xreplace(empty).is_nonnegative)


@dataclass
class SizePlan:
    """How the sizes are found: ``shown`` by an axis of an array (its name, the axis), ``hidden`` ones that no array
    shows, with their default sizes, and ``lines`` of code that complete the table ``sizes`` from these and from what a
    caller gives."""

    shown: dict[str, tuple[str, int]] = field(default_factory=dict)
    hidden: dict[str, int | None] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def plan_sizes(leaves: Mapping[str, Node], dims: Mapping[str, int | None], used: Iterable[str],
               asked: Demands) -> SizePlan:
    """The plan for some declared arrays; ``dims`` are all dimensions with their default sizes, ``used`` those that code
    reads, ``asked`` what they have to be."""
    plan, bounds = SizePlan(), [row.attr.below for row in leaves.values() if row.attr.below is not None]
    composite: dict[Dim, tuple[str, int]] = {}
    for name, row in leaves.items():
        for axis, d in enumerate(row.shape):
            if d.is_Symbol:
                plan.shown.setdefault(d.name, (name, axis))
            elif _composite(d):
                composite.setdefault(d, (name, axis))
    checked = [d for d in asked.whole if d not in composite and d not in bounds]
    compared = [d for pair in asked.ordered for d in pair]
    known = set(plan.shown)
    wanted = {s.name for d in [*composite, *bounds, *checked, *compared] for s in d.free_symbols} | set(used)
    while missing := [n for n in dims if n in wanted and n not in known]:
        known.add(_solve_one(missing, known, composite, plan) or _hide(missing, dims, known, composite, plan))
    for size in dict.fromkeys([*composite, *filter(_composite, bounds)]):
        plan.lines.append(f"sizes[{string(dim_text(size))}] = {_checked(size)}")
    plan.lines += map(_checked, checked)
    plan.lines += [f"at_most({_told(a)}, {_told(b)})" for a, b in asked.ordered]
    return plan


def _composite(size: Dim) -> bool:
    return not size.is_Symbol and not size.is_Integer


def _entry(name: str) -> Code:
    return index("sizes", name)


def _told(size: Dim) -> str:
    """A size as text and as code."""
    return f"{string(dim_text(size))}, {text(integer_code(size, _entry))}"


def _checked(size: Dim) -> str:
    """The code of a size, which raises where a division leaves a rest."""
    top, bottom = divided(size)
    if bottom == 1:
        return text(integer_code(size, _entry))
    return text(call("whole", dim_text(size), integer_code(top, _entry), integer_code(bottom, _entry)))


def _solve_one(missing: list[str], known: set[str], composite: dict[Dim, tuple[str, int]],
               plan: SizePlan) -> str | None:
    """A size that a composite axis determines, as K from an axis of K*E entries."""
    for size, place in composite.items():
        unknown = [s for s in size.free_symbols if s.name not in known]
        if len(unknown) == 1 and unknown[0].name in missing and (code := _solution(size, unknown[0], place)):
            plan.lines.append(f"sizes.setdefault({string(unknown[0].name)}, {code})")
            return str(unknown[0].name)
    return None


def _solution(size: Dim, unknown: sp.Symbol, place: tuple[str, int]) -> str | None:
    """The dimension for which ``size``, (a·x + b)/(c·x + d) in it, is as long as an axis: (d·n − b)/(a − c·n). Where
    that is negative it is 0, and the axis another size than wanted."""
    axis = dim("axis length")
    pairs = []
    for part in divided(size):
        slope = sp.expand(part).coeff(unknown, 1)
        rest = sp.expand(part - slope * unknown)
        if slope.has(unknown) or rest.has(unknown):
            return None
        pairs += [slope, rest]
    a, b, c, d = pairs
    top, bottom = (sp.expand(b - d * axis), c * axis - a) if c != 0 else (sp.expand(d * axis - b), a)
    if bottom == 0:
        return None
    length = index(attribute(index("arrays", place[0]), "shape"), place[1])
    above, below = (integer_code(x, lambda n: length if n == axis.name else _entry(n)) for x in (top, bottom))
    found = above if bottom == 1 else binary(above, ast.FloorDiv, below if bottom.is_Integer else call("max", below, 1))
    least = top.xreplace({axis: sp.Symbol(axis.name, integer=True, nonnegative=True)})  # an axis may be empty
    return text(found if least.is_nonnegative and bottom.is_positive else call("max", found, 0))


def _hide(missing: list[str], dims: Mapping[str, int | None], known: set[str],
          composite: dict[Dim, tuple[str, int]], plan: SizePlan) -> str:
    """A size that no array shows: the declared default unless it is given, or follows from others that are given."""
    name = next((n for n in missing if dims[n] is not None), missing[0])
    plan.hidden[name] = dims[name]
    for size, place in composite.items():
        others = {s.name for s in size.free_symbols} - known - {name}
        code = _solution(size, dim(name), place) if others and dim(name) in size.free_symbols else None
        if code:
            plan.lines.append(f"if {' and '.join(f'{string(n)} in sizes' for n in sorted(others))}:")
            plan.lines.append(f"    sizes.setdefault({string(name)}, {code})")
    default = dims[name]
    wanted = f"require(sizes, {string(name)})"
    plan.lines.append(wanted if default is None else f"sizes.setdefault({string(name)}, {default})")
    return name


# -- numbers that may contain sizes


MAX_EXACT = 2**53  # up to there every whole number is a float


def number_code(value: sp.Expr, symbol: Callable[[str], Code], module: str = "np", largest: int = MAX_EXACT,
                log: Callable[[Code], Code] | None = None) -> Code:
    """A number, which may contain dimensions, as code; ``symbol`` says how a dimension is called, ``module`` who has
    ``inf``, ``log`` what a logarithm is; whole numbers above ``largest`` are written as floats."""
    code = partial(number_code, symbol=symbol, module=module, largest=largest, log=log)
    if value.is_Symbol:
        return symbol(value.name)
    if not value.free_symbols:
        return literal(value, module, largest)
    num, den = sp.fraction(value)
    if value.is_Add:
        return _sum(value, code)
    if den != 1:
        return call("quotient", code(num), code(den)) if den.free_symbols else binary(code(num), ast.Div, code(den))
    if value.is_Mul:
        return reduce(lambda left, right: binary(left, ast.Mult, right), map(code, value.args))
    if value.is_Pow:
        return binary(code(value.base), ast.Pow, code(value.exp))
    if isinstance(value, sp.log):
        return (log or partial(call, "log"))(code(value.args[0]))
    if value.is_integer:
        return integer_code(value, symbol)
    raise ModelError(f"the number {value} has no form as code")


def literal(value: sp.Expr, module: str, largest: int) -> Code:
    """A number without dimensions: exact integers, the shortest decimal of every other number."""
    if value.is_infinite:
        infinity = attribute(module, "inf")
        return infinity if value.is_extended_positive else ast.UnaryOp(ast.USub(), infinity)
    exact = value.is_Integer and abs(value) <= largest
    return constant(int(value) if exact else to_float(value))


def to_float(value: sp.Expr) -> float:
    """The nearest float; `ModelError` where there is none."""
    try:
        number = float(value)
    except (OverflowError, TypeError) as error:
        raise ModelError(f"{value} is not a number that a float can hold") from error
    if number in (float("inf"), float("-inf")) or number != number:
        raise ModelError(f"{value} is not a number that a float can hold")
    return number
