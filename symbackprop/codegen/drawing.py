"""The code of init_params: how every parameter is drawn."""

from __future__ import annotations

from symbackprop.codegen.helpers import identifiers
from symbackprop.codegen.initial import ONE, ZERO, Initial
from symbackprop.codegen.layout import Line, layout
from symbackprop.codegen.literals import shape_like, string
from symbackprop.codegen.names import escape
from symbackprop.codegen.numbers import number_code
from symbackprop.codegen.numpy import NumpyNotation
from symbackprop.codegen.program import Program
from symbackprop.codegen.sizes import divided
from symbackprop.core.notation import ATOM, wrap
from symbackprop.core.shapes import Shape, dim_text


def initial_lines(program: Program, p: NumpyNotation, hidden: list[str]) -> list[str]:
    """The sizes needed, then a dict of drawn arrays. No array will show the sizes in ``hidden``."""
    drawn = {n: _drawn(program.initial[n], r.shape, p) for n, r in program.params.items()}
    names = identifiers("\n".join(drawn.values()))
    dims = [d for d in program.dims if escape(d) in names]
    call = f"chosen(dims, DIMS, {shape_like([string(d) for d in dims])}"
    call += f", {shape_like([string(d) for d in hidden])})" if hidden else ")"
    variables = ", ".join(map(escape, dims)) + "," * (len(dims) == 1)
    whole = [divided(d) for d in dict.fromkeys(d for r in program.params.values() for d in r.shape)]
    checks = [f"whole({string(dim_text(a / b))}, {p.dim(a).text}, {p.dim(b).text})" for a, b in whole if b != 1]
    opening = layout([Line(f"{variables} = {call}" if dims else call), *map(Line, checks)])
    return [*opening, "    params = {", *[f"        {string(n)}: {code}," for n, code in drawn.items()], "    }"]


def _drawn(initial: Initial, shape: Shape, p: NumpyNotation) -> str:
    """One parameter."""
    size = p.shape(shape)
    if initial.kind in (ZERO, ONE):
        return f"np.{'zeros' if initial.kind == ZERO else 'ones'}({size})"
    normal = f"rng.standard_normal({size if shape else ''})"
    variance = initial.gain / initial.fan_in
    if not shape or variance == 1:
        return normal
    if not variance.free_symbols:
        return f"{normal} * {round(float(variance) ** 0.5, 6)!r}"
    return f"{normal} * {wrap(number_code(variance, escape), ATOM)} ** 0.5"
