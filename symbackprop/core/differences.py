"""Differences of logarithms without the digits that these lose far from 0: x − log Σe^z is (x − s) − log Σe^(z − s) for
the largest entry s of z, which is held constant. In float32 log Σe^z of numbers about 10⁶ is a multiple of 1/16.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

import sympy as sp

from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core.facts import is_spread, kind, plainly, unnamed, way
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.roles import Role
from symbackprop.core.shapes import Shape, is_one, same_shape


class Differences:
    """Those in a formula over rows; ``args`` grows by the rows that stand for them, ``passed`` by the rows they go
    around. Nobody looks into rows that are ``ends``."""

    def __init__(self, args: list[Node], ends: Container[int], passed: set[int]) -> None:
        self.args, self.ends, self.passed = args, ends, passed

    def apart(self, form: f.Formula) -> f.Formula:
        form = f.changed(form, self.apart)
        if not isinstance(form, f.Add):
            return form
        found = next((found for t in form.terms if (found := self._without(t, form.terms)) is not None), None)
        return form if found is None else self.apart(found)

    def _without(self, total: f.Formula, terms: Sequence[f.Formula]) -> f.Formula | None:
        """The sum of the terms with one row in the place of a total, and of what that is subtracted from."""
        c, row = self._row(total)
        if row is None or plainly(row).id in self.ends or not (is_total(row) or _adds_two(row)):
            return None
        against = {t: x for t in terms if (x := self._against(t, c)) is not None}
        for t, x in sorted(against.items(), key=lambda item: _distance(item[1], row)):
            difference = self._less(x, row, c > 0)
            if difference is not None:
                rest = [other for other in terms if other is not t and other is not total]
                if rest:
                    difference.graph.set_apart(difference)
                self.args.append(difference)
                return f.add(f.mul(f.Num(abs(c)), f.Arg(len(self.args) - 1)), *rest)
        return None

    def _row(self, term: f.Formula) -> tuple[sp.Expr, Node | None]:
        """The coefficient and the row of a term that has no more."""
        c, body = f.split_sign(term)
        return c, self.args[body.index] if isinstance(body, f.Arg) else None

    def _against(self, term: f.Formula, c: sp.Expr) -> Node | None:
        """The row of a term that a total with this coefficient is subtracted from."""
        other, row = self._row(term)
        return row if row is not None and row.kind == FLOAT and row.value is None and other == -c else None

    def _less(self, x: Node, total: Node, first: bool) -> Node | None:
        """x − total, or the total ``first``."""
        self.passed |= {row.id for end in (total, x) if is_total(end) or _adds_two(end) for row in way(end)}
        if is_total(total):
            return less_total(*self._as_given(x, total), -1 if first else 1)
        if x not in total.args:
            return None
        a, b = total.args if x is total.args[0] else total.args[::-1]
        loss = total.graph.call("softplus", b - a)
        return loss if first else -loss

    def _as_given(self, x: Node, total: Node) -> tuple[Node, Node]:
        """Both of z, where they are of u = z − max z: z_i − log Σe^z = u_i − log Σe^u, and the total takes the largest
        entry away itself."""
        u, (axes, _) = plainly(total).args[0], plainly(total).attr
        z, around = unshifted(u, axes)
        if z is u or _moved_from(x) is not _moved_from(u):
            return x, total
        self.passed |= around
        return _over(x, _moved_from(u), z), _over(total, u, z)


def is_total(row: Node) -> bool:
    """Whether a row is log Σe^z, which names and new axes may stand before, and not that of shifted entries."""
    total = plainly(row)
    return total.op.logarithm and len(total.args) == 1


def _adds_two(row: Node) -> bool:
    """Whether a row is log(e^a + e^b) of two others."""
    return row.role is Role.LOG_OF_TWO and len(row.args) == 2


def less_total(x: Node, total: Node, sign: int = 1) -> Node:
    """x − log Σe^z, or with the sign −1 log Σe^z − x: what is large is subtracted first."""
    s, log = _parts(total)
    rows, form = [x, s, log], f.Arg(0) - f.Arg(1) - f.Arg(2)
    turned = f.Arg(1) - f.Arg(0) + f.Arg(2)
    if is_total(x):
        rows[0], own = _parts(x)
        rows, form, turned = [*rows, own], form + f.Arg(3), turned - f.Arg(3)
    return x.graph.make("elementwise", rows, Kernel(form if sign > 0 else turned))


def _parts(row: Node) -> tuple[Node, Node]:
    """s and log Σe^(z − s), of log Σe^z."""
    total = plainly(row)
    z, (axes, keepdims) = total.args[0], total.attr
    s = build.shift(z, axes)
    log = build.shifted_logsumexp(z, s, axes, keepdims)
    return _like(row, build.reshape(s, total.shape)), _like(row, log)


def _like(row: Node, new: Node) -> Node:
    """What a row is, seen through names and new axes, of another row than it reads there."""
    return _over(row, plainly(row), new)


def _over(row: Node, old: Node, new: Node) -> Node:
    """What a row is of the old one, of a new one, without the names in between."""
    if row is old:
        return new
    below = _over(row.args[0], old, new)
    return below if row.form == f.Arg(0) else row.graph.again(row, (below, *row.args[1:]))


def unshifted(u: Node, axes: Sequence[int]) -> tuple[Node, set[int]]:
    """z, of u = z − max z along the axes, held constant or not, and the rows that are gone around; else u.
    softmax(u) = softmax(z), which takes the largest entry away itself."""
    row = unnamed(u)
    match row.form:
        case f.Add((f.Arg(whole), f.Neg(f.Arg(place)))) | f.Add((f.Neg(f.Arg(place)), f.Arg(whole))):
            z, shift = row.args[whole], row.args[place]
        case _:
            return u, set()
    top, around = _source(shift)
    if not top.op.chooses or unnamed(top.args[0]) is not unnamed(z) or not set(axes) <= set(top.attr[0]):
        return u, set()
    if not same_shape(z.shape, u.shape) or not is_read_along(shift, z.shape, top.attr[0]):
        return u, set()
    return z, {u.id, row.id, *around}


def _source(row: Node) -> tuple[Node, set[int]]:
    """The row that a row is, seen through names and new axes and held constant or not, and those on the way there."""
    around = {row.id}
    while is_spread(row) or row.form == f.Arg(0) or row.op.held:
        row = row.args[0]
        around.add(row.id)
    return row, around


def is_read_along(reduced: Node, shape: Shape, axes: Sequence[int]) -> bool:
    """Whether what was reduced along axes is read as broadcasting against these, which it may lack in front."""
    whole = build.reduced_shape(shape, axes, keepdims=True)
    lacks = len(shape) - reduced.ndim
    return lacks >= 0 and all(map(is_one, whole[:lacks])) and same_shape(reduced.shape, whole[lacks:])


def _distance(x: Node, total: Node) -> tuple[bool, bool]:
    """What goes best with a total: what is of the same array, then another total."""
    return all(_moved_from(x) is not _moved_from(z) for z in plainly(total).args), not is_total(x)


def _moved_from(row: Node) -> Node:
    """The array whose entries a row has, some or all of them."""
    while row.form == f.Arg(0) or kind(row).views:
        row = row.args[0]
    return row
