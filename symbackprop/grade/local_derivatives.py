"""Local derivatives as rows: ∂of/∂by between two named rows, and derivatives of functions at a place."""

from __future__ import annotations

from symbackprop.core import formula as f
from symbackprop.core.graph import Graph, Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.reverse import vjp
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import same_shape, shape_text
from symbackprop.errors import ModelError, NameProblem
from symbackprop.grade.reference import Reference


def local_derivatives(reference: Reference, of: str, by: str) -> list[Node]:
    """∂of/∂by as rows: with all other named rows held fixed, and through every path; one where both are the same.

    Defined where entry i of ``of`` depends on entry i of ``by`` alone, or where one of them is a scalar.
    """
    above, below = reference.rows[of], reference.rows[by]
    if above.shape and below.shape and not same_shape(above.shape, below.shape):
        raise ModelError(
            f"d{of}/d{by} has more axes than an array here ({shape_text(above.shape)} by {shape_text(below.shape)}): "
            "write the product with it"
        )
    if below.id not in {n.id for n in reference.graph.topological([above])}:
        raise NameProblem(f"{of} does not depend on {by}, so d{of}/d{by} is 0")
    named = frozenset(r.id for r in reference.rows.values() if r is not above)
    seed = reference.graph.full(1, above.shape)
    found = [vjp([above], [seed], [below], stop=named)[0], vjp([above], [seed], [below])[0]]
    found = [row for row in found if row.value is None or row.value != 0]
    return list({row.id: row for row in found}.values())


def derivative_of(graph: Graph, function: str, at: Node) -> Node:
    """``tanh'(a)``: the derivative of a scalar function as a row."""
    record = TABLE.get(function)
    if record is None or record.arity != 1:
        raise NameProblem(f"{function}' is no derivative that is known here")
    more = [graph.relu0] if function == "relu" else []
    value = graph.call(function, at, *more)
    partial = Kernel(f.call(function, f.Arg(0), *more)).partial(0)
    return graph.broadcast(graph.apply(_over(partial), at, value), at.shape)


def _over(form: f.Formula) -> f.Formula:
    return f.substitute(form, lambda leaf: leaf if isinstance(leaf, f.Arg) else f.Arg(1))


def activation_at(reference: Reference, at: Node) -> str:
    """The function that the model applies to a row: what f' means in f'(z)."""
    heads = {n.attr.head for n in reference.order if n.op.name == "elementwise" and n.args[0] is at and n.attr.head}
    if len(heads) != 1:
        raise NameProblem(
            f"f' is not clear: the model applies {'no function' if not heads else 'several functions'} to it"
        )
    return str(heads.pop())
