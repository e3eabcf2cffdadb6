"""Symbolic sizes in emitted code: as Python integers, and how every size is found from the arrays given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.notation import ATOM, POWER, PRODUCT, SUM, Text, wrap
from symbackprop.core.shapes import Dim, dim_text
from symbackprop.errors import ModelError


def integer_code(size: Dim, symbol: Callable[[str], str]) -> Text:
    """A size as Python integer arithmetic; ``symbol`` says how a dimension is called. Divisions round down."""
    if size.is_Integer:
        return Text(str(size), ATOM if size >= 0 else SUM)
    if size.is_Symbol:
        return Text(symbol(size.name))
    if size.is_Add:
        return _add(size, symbol)
    if isinstance(size, sp.floor):
        return _floor(size.args[0], symbol)
    if isinstance(size, sp.ceiling):
        return Text("-" + wrap(_floor(-size.args[0], symbol), PRODUCT + 1), SUM)
    parts = [integer_code(a, symbol) for a in size.args if not a.is_Rational or a.is_Integer]
    if size.is_Mul:
        return _multiply(size, parts)
    if size.is_Pow and size.exp.is_Integer and size.exp.is_positive:
        return Text(f"{wrap(parts[0], POWER + 1)} ** {parts[1].text}", POWER)
    if isinstance(size, (sp.Max, sp.Min)):
        return Text(f"{'max' if isinstance(size, sp.Max) else 'min'}({', '.join(p.text for p in parts)})")
    if isinstance(size, sp.Mod):
        return Text(f"{wrap(parts[0], PRODUCT)} % {wrap(parts[1], PRODUCT + 1)}", PRODUCT)
    raise ModelError(f"the size {dim_text(size)} has no form as integer arithmetic")


def _add(size: Dim, symbol: Callable[[str], str]) -> Text:
    """Positive terms first, as a reader would write N - 1."""
    terms = sorted(size.args, key=lambda t: (t.could_extract_minus_sign(), t.is_Integer, sp.default_sort_key(t)))
    text = ""
    for term in terms:
        minus = bool(term.could_extract_minus_sign())
        part = wrap(integer_code(-term if minus else term, symbol), PRODUCT)
        sign = "-" if minus else "+"
        text += f" {sign} {part}" if text else ("-" if minus else "") + part
    return Text(text, SUM)


def _multiply(size: Dim, parts: list[Text]) -> Text:
    coefficient = size.as_coeff_Mul()[0]
    if coefficient.is_Integer:
        negative = coefficient.is_negative
        parts = parts[1:] if negative and coefficient == -1 else parts
        text = " * ".join(wrap(p, PRODUCT + 1 if k else PRODUCT) for k, p in enumerate(parts))
        return Text("-" + text if negative and coefficient == -1 else text, SUM if negative else PRODUCT)
    top = " * ".join(wrap(p, PRODUCT + 1 if k else PRODUCT) for k, p in enumerate(parts))
    top = top if coefficient.p == 1 else f"{coefficient.p} * {top}"
    return Text(f"{top} // {coefficient.q}", PRODUCT)


def _floor(inside: sp.Expr, symbol: Callable[[str], str]) -> Text:
    num, den = sp.fraction(sp.together(inside))
    if den == 1:
        return integer_code(num, symbol)
    top, bottom = integer_code(num, symbol), integer_code(den, symbol)
    return Text(f"{wrap(top, PRODUCT)} // {wrap(bottom, PRODUCT + 1)}", PRODUCT)


@dataclass
class SizePlan:
    """How the sizes are found: ``shown`` by an axis of an array (its name, the axis), ``fixed`` ones that no array
    shows, and ``lines`` of code that complete the table ``sizes`` from these."""

    shown: dict[str, tuple[str, int]] = field(default_factory=dict)
    fixed: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def plan_sizes(leaves: Mapping[str, Node], dims: Mapping[str, int | None], used: Iterable[str]) -> SizePlan:
    """The plan for some declared arrays; ``dims`` are all dimensions with their default sizes, ``used`` those that code
    reads. `ModelError` where one cannot be found."""
    plan = SizePlan()
    composite: dict[Dim, tuple[str, int]] = {}
    for name, row in leaves.items():
        for axis, d in enumerate(row.shape):
            if d.is_Symbol:
                plan.shown.setdefault(d.name, (name, axis))
            elif _composite(d):
                composite.setdefault(d, (name, axis))
    known = set(plan.shown)
    bounds = [row.attr.below for row in leaves.values() if row.attr.below is not None]
    wanted = {s.name for d in [*composite, *bounds] for s in d.free_symbols} | set(used)
    while missing := [n for n in dims if n in wanted and n not in known]:
        known.add(_solve_one(missing, known, composite, plan) or _default(missing, dims, plan))
    for size in dict.fromkeys([*composite, *filter(_composite, bounds)]):
        plan.lines.append(f"sizes[{dim_text(size)!r}] = {integer_code(size, _entry).text}")
    plan.lines = [line.replace("'", '"') for line in plan.lines]
    return plan


def _composite(size: Dim) -> bool:
    return not size.is_Symbol and not size.is_Integer


def _entry(name: str) -> str:
    return f"sizes[{name!r}]"


def _solve_one(missing: list[str], known: set[str], composite: dict[Dim, tuple[str, int]],
               plan: SizePlan) -> str | None:  # fmt: skip
    """A size that a composite axis determines, as K from an axis of K*E entries."""
    for size, (array, axis) in composite.items():
        unknown = [s for s in size.free_symbols if s.name not in known]
        if len(unknown) == 1 and unknown[0].name in missing:
            slope = sp.expand(size).coeff(unknown[0], 1)
            rest = sp.expand(size - slope * unknown[0])
            if slope != 0 and not (slope.has(unknown[0]) or rest.has(unknown[0])):
                plan.lines.append(_solution(unknown[0].name, slope, rest, array, axis))
                return str(unknown[0].name)
    return None


def _solution(name: str, slope: sp.Expr, rest: sp.Expr, array: str, axis: int) -> str:
    total = f"arrays[{array!r}].shape[{axis}]"
    if rest != 0:
        total = f"({total} - {wrap(integer_code(rest, _entry), PRODUCT)})"
    divisor = integer_code(slope, _entry)
    if slope.is_Integer:
        return f"sizes[{name!r}] = {total}" + (f" // {divisor.text}" if slope != 1 else "")
    return f"sizes[{name!r}] = {total} // max({divisor.text}, 1)"


def _default(missing: list[str], dims: Mapping[str, int | None], plan: SizePlan) -> str:
    """A size that no array shows: the declared default."""
    for name in missing:
        size = dims[name]
        if size is not None:
            plan.fixed[name] = size
            return name
    raise ModelError(
        f"no array shows how large the dimension {missing[0]} is: give it a default size, as in `dim {missing[0]} = 4`"
    )
