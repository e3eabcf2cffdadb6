"""The code of init_params: how every parameter is drawn."""

from __future__ import annotations

import ast

from symbackprop.codegen.arrays import Arrays
from symbackprop.codegen.initial import ONE, ZERO, Initial
from symbackprop.codegen.layout import Line, layout
from symbackprop.codegen.literals import string
from symbackprop.codegen.names import escape
from symbackprop.codegen.program import Program
from symbackprop.codegen.sizes import divided
from symbackprop.codegen.tree import Code, as_code, assign, binary, call, method, name, names_read, text
from symbackprop.core.shapes import Shape, dim_text


def initial_lines(program: Program, p: Arrays, hidden: list[str]) -> list[str]:
    """The sizes needed, then a dict of drawn arrays. No array will show the sizes in ``hidden``."""
    drawn = {n: _drawn(program.initial[n], r.shape, p) for n, r in program.params.items()}
    names = names_read(drawn.values())
    dims = [d for d in program.dims if escape(d) in names]
    found = call("chosen", name("dims"), name("DIMS"), tuple(dims), *([tuple(hidden)] if hidden else []))
    whole = [divided(d) for d in dict.fromkeys(d for r in program.params.values() for d in r.shape)]
    checks = [call("whole", dim_text(a / b), p.dim(a), p.dim(b)) for a, b in whole if b != 1]
    opening = assign([as_code(tuple(name(escape(d)) for d in dims))], found) if dims else ast.Expr(found)
    seeded = [assign("rng", call("generator", name("rng")))] if "rng" in names else []
    entries = [f"        {string(n)}: {text(code)}," for n, code in drawn.items()]
    return [*layout(map(Line, [opening, *map(ast.Expr, checks), *seeded])), "    params = {", *entries, "    }"]


def _drawn(initial: Initial, shape: Shape, p: Arrays) -> Code:
    """One parameter."""
    size = p.sizes(shape)
    if initial.kind in (ZERO, ONE):
        return p.np("zeros" if initial.kind == ZERO else "ones", size)
    normal = method(name("rng"), "standard_normal", *([size] if shape else []))
    variance = initial.gain / initial.fan_in
    if not shape or variance == 1:
        return normal
    if not variance.free_symbols:
        return binary(normal, ast.Mult, as_code(round(float(variance) ** 0.5, 6)))
    return binary(normal, ast.Div, binary(p.num(1 / variance), ast.Pow, as_code(0.5)))
