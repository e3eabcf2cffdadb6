"""All levels: losses of a probability that is a sigmoid are computed from the logit, where they cannot overflow.

−(y log σ(z) + (1 − y) log(1 − σ(z))) is softplus(z) − y·z. Only the value is computed this way: the derivation, and
with it the gradient, stays as it is printed.
"""

from __future__ import annotations

from collections.abc import Iterable

from symbackprop.codegen.rows import Rows
from symbackprop.core import formula as f
from symbackprop.core.graph import Node


def stabilise(rows: Rows, order: Iterable[Node]) -> None:
    """Substitute a stable row for every loss of a sigmoid's probability."""
    for row in order:
        if row.op.name == "elementwise" and row.attr.head == "bernoulli_loss":
            better = _from_logit(row)
            if better is not None:
                rows.replace[row.id] = better


def _from_logit(row: Node) -> Node | None:
    p, y = row.attr.form.args
    if not isinstance(p, f.Arg):
        return None
    probability = row.args[p.index]
    if probability.op.name != "elementwise" or probability.attr.head != "sigmoid":
        return None
    logit = probability.args[0]
    graph = row.graph
    target = graph.const(y.value) if isinstance(y, f.Num) else row.args[y.index]
    softplus = graph.call("softplus", logit)
    return graph.apply(f.Arg(0) - f.Arg(1) * f.Arg(2), softplus, target, logit)
