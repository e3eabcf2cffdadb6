"""Ways of writing the same steps: with derivatives of scalars, entry by entry, with Jacobians, with matrices.

Each is one function here, which makes the object that writes the lines of a step; `--view`, `Options` and the tests
read `VIEWS`. What a view needs is imported when it writes, since the command line asks for the names alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from symbackprop.errors import UsageError

if TYPE_CHECKING:
    from symbackprop.derive.steps import Derivation
    from symbackprop.render.context import Context, Writer

Make = Callable[["Context"], "Writer"]
BOARD = ("result", "part", "closed", "layout")  # the kinds of lines of whole gradients on a board


class View(NamedTuple):
    """``make`` gives the writer. ``--view auto`` takes the first view that ``suits`` a derivation, and says ``why``.
    In a view with ``rows`` the derivative of the loss in a vector is a row, the transposed gradient; one by ``entries``
    writes the forward pass entry by entry too, one of ``numbers`` has no arrays. On a board stand the lines of the
    kinds ``board``."""

    make: Make
    suits: Callable[[Derivation], bool]
    why: str
    rows: bool = False
    entries: bool = False
    numbers: bool = False
    board: tuple[str, ...] = BOARD

    @property
    def plain(self) -> bool:
        """Whether whole gradients are written, so that one may go into another."""
        return not self.rows and not self.entries


VIEWS: dict[str, View] = {}


def view(name: str, suits: Callable[[Derivation], bool], why: str = "", **facts: Any) -> Callable[[Make], Make]:
    """Makes a function a view; ``facts`` are those of `View`."""

    def register(make: Make) -> Make:
        VIEWS[name] = View(make, suits, why, **facts)
        return make

    return register


def all_scalar(derivation: Derivation) -> bool:
    """Whether every row of the model is a number computed by elementwise formulas, or held constant."""
    from symbackprop.core.graph import reached
    from symbackprop.core.kernel import Kernel

    rows = reached([*derivation.model.results(), *derivation.model.equations.values()])
    return all(not r.shape and (r.is_leaf or isinstance(r.attr, Kernel) or r.op.held) for r in rows)


@view("scalar", all_scalar, "every quantity is a number", numbers=True, board=("chain", "result", "part", "closed"))
def _scalar(context: Context) -> Writer:
    from symbackprop.render.views.scalar import ScalarView

    return ScalarView(context)


@view("index", lambda derivation: False, entries=True,
      board=("chain", "substitution", "result", "element", "closed"))
def _index(context: Context) -> Writer:
    from symbackprop.render.views.index import IndexView

    return IndexView(context)


@view("jacobian", lambda derivation: "jacobian" in derivation.model.tags, "the model asks for it", rows=True,
      board=("local", "substitution", "result", "closed", "layout"))
def _jacobian(context: Context) -> Writer:
    from symbackprop.render.views.jacobian import JacobianView

    return JacobianView(context)


@view("matrix", lambda derivation: True, "the model has arrays")
def _matrix(context: Context) -> Writer:
    from symbackprop.render.views.matrix import MatrixView

    return MatrixView(context)


def choose_view(derivation: Derivation, wanted: str) -> tuple[str, str]:
    """The name of the view, and why it is the one."""
    if wanted == "auto":
        return next((name, view.why) for name, view in VIEWS.items() if view.suits(derivation))
    if VIEWS[wanted].numbers and not all_scalar(derivation):
        raise UsageError(f"{derivation.model.name} has arrays, so it has no {wanted} view; try --view index or matrix")
    return wanted, "as asked for"
