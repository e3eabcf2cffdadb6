"""Numbers put into a derivation: reading them, evaluating every row, and writing them at the wanted digits.

NumPy is imported by the functions that compute, and only when numbers are asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop, body_leaf
from symbackprop.core.maths import Rounded, Values
from symbackprop.core.reverse import vjp
from symbackprop.core.scalars import PLACEHOLDERS, to_sympy
from symbackprop.derive.steps import Derivation, LoopStep
from symbackprop.errors import ModelError, UsageError, did_you_mean
from symbackprop.model.model import Model
from symbackprop.patterns import lazy
from symbackprop.render.document import Value
from symbackprop.render.factors import Factor

if TYPE_CHECKING:
    from symbackprop.verify.differences import Objective

DIGITS = 4
MAX_ENTRIES = 36  # larger arrays are not printed
MAX_BYTES = 2**30  # of a file of numbers, unpacked


# -- reading
def values_at(text: str | None, model: Model) -> dict[str, Any] | None:
    """What ``--at`` says; ``example`` are the numbers that the model carries. Raises `UsageError`."""
    if text is None or text != "example":
        return None if text is None else read_at(text)
    if not model.example:
        raise UsageError(f"{model.name} carries no example: give --at x=.5,y=1 or a .json or .npz file")
    return dict(model.example)


def read_at(text: str) -> dict[str, Any]:
    """``x=.5,W=[[1,2],[3,4]]``, or the path of a .json object or an .npz archive. Raises `UsageError`."""
    from symbackprop.model.text.expressions import read_values

    if text.endswith((".json", ".npz")):
        return _from_file(Path(text))
    named = re.sub(r"\[(\w+)\](?=\s*=)", r"\1", text).rstrip("; ")
    try:
        return read_values(_APART.sub(lambda gap: ",".ljust(len(gap.group())), named))
    except ModelError as error:
        says = "the rows of an array are lists, without semicolons" if ";" in text else error.message
        raise UsageError(f"--at {text!r:.80}: {says}; give x=.5,W=[[1,2],[3,4]] or a .json or .npz file") from error


_APART = lazy(r"(?<=[\w\])])\s*[;\s]\s*(?=[A-Za-z]\w*\s*=)")  # what stands for a comma between values


def _from_file(path: Path) -> dict[str, Any]:
    """Archives that are none, texts nested too deeply and the like raise errors of any kind."""
    if path.exists() and not path.is_file():
        raise UsageError(f"cannot read {path}: it is not a file")
    try:
        return _from_json(path) if path.suffix == ".json" else _from_npz(path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {path}: it is not text in UTF-8") from None
    except RecursionError:
        raise UsageError(f"cannot read {path}: it is nested too deeply") from None
    except Exception as error:
        raise UsageError(f"cannot read {path}: {str(error) or 'it is not what its name says'}") from error


def _from_json(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError("it is too large")
    data = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(data, dict):
        raise ValueError('it should hold an object such as {"x": 0.5, "W": [[1, 2], [3, 4]]}')
    return data


def _from_npz(path: Path) -> dict[str, Any]:
    import numpy as np

    if not is_zipfile(path):
        path.open().close()  # says what is wrong with a path
        raise ValueError("it is not an .npz archive of named arrays")
    with np.load(path, allow_pickle=False) as archive:
        if sum(member.file_size for member in archive.zip.infolist()) > MAX_BYTES:
            raise ValueError("its arrays are too large")
        return {name: _array(archive, name) for name in archive.files}


def _array(archive: Any, name: str) -> Any:
    """A member of an archive; one that is no array comes as its bytes, one of Python objects as an error."""
    try:
        value = archive[name]
    except ValueError:
        value = b""
    if isinstance(value, bytes):
        raise ValueError(f"{name!r} in it is no array of numbers")
    return value


# -- evaluating
class Numbers:
    """The value of every row of a derivation outside loops, and how it is written."""

    def __init__(
        self, derivation: Derivation, values: Mapping[str, Any], sizes: Mapping[str, int], digits: int = DIGITS
    ) -> None:
        import numpy as np

        from symbackprop.derive.stable import stable_totals
        from symbackprop.verify.interpreter import evaluate
        from symbackprop.verify.values import check_stated, infer_sizes

        derivation.model.require_definitions()
        self.derivation = derivation
        self.given = given = _by_array_name(derivation, values)
        rows = outside_loops(derivation)
        model = derivation.model
        self.sizes = infer_sizes(list(model.leaves().values()), given, sizes, model.sizes)
        self.digits = digits
        better = stable_totals(derivation)
        with np.errstate(all="ignore"):
            found = evaluate([better.get(r.id, r) for r in rows], given, self.sizes)
        for name, leaf in model.leaves().items():
            if name in given:
                check_stated(leaf, given[name])
        self.found = {r.id: v for r, v in zip(rows, found, strict=True)}

    def moved(self, values: Mapping[str, Any]) -> Numbers:
        """The same at another point: ``values`` are the arrays that are others there."""
        return Numbers(self.derivation, {**self.given, **values}, self.sizes, self.digits)

    @cached_property
    def objective(self) -> Objective:
        """The loss as a function of the arrays; of a layer, what its outputs and their upstream gradients add up to."""
        import numpy as np

        from symbackprop.verify.differences import Objective
        from symbackprop.verify.values import checked_values

        model, rows = self.derivation.model, self.derivation.model.results()
        declared = {n.id for n in model.leaves().values()}
        read = [n for n in model.graph.topological(rows) if n.id in declared]
        weights = [np.ones(())] if model.loss_row is not None else [
            self.given[row.name or ""] for row in model.upstream.values()
        ]
        return Objective(rows, weights, checked_values(read, self.given, self.sizes), self.sizes)

    def of(self, node: Node) -> Value | None:
        """The value of a row; None inside a loop."""
        return self.write(self.found[node.id]) if node.id in self.found else None

    def factor(self, factor: Factor) -> Value | None:
        """The value of a formula over rows."""
        from symbackprop.core.ops.elementwise import evaluate_expr

        if any(r.id not in self.found for r in factor.rows):
            return None
        import numpy as np

        arrays = dict(zip(PLACEHOLDERS, [np.asarray(self.found[r.id], dtype=float) for r in factor.rows], strict=False))
        with np.errstate(all="ignore"):
            return self.write(evaluate_expr(np, to_sympy(factor.form), arrays))

    def rule(self, row: Node, argument: Node, factor: Factor | None) -> None:
        """In a graph of given numbers the wires between arrays carry none."""

    def norms(self, scan: Node, place: int) -> tuple[tuple[Rounded, ...], Rounded] | None:
        """How large the Jacobian of a carried value is at every step of a loop, and over all of them."""
        from symbackprop.render.numbers import jacobian_norms

        if any(a.id not in self.found for a in scan.args):
            return None
        found = jacobian_norms(scan, place, [self.found[a.id] for a in scan.args], self.sizes)
        if not found:
            return None
        return tuple([Rounded(v, self.digits) for v in found[:-1]]), Rounded(found[-1], self.digits)

    def computed(self, row: Node) -> Value | None:
        """The value of a row that is none of the derivation's."""
        import numpy as np

        from symbackprop.verify.interpreter import evaluate

        with np.errstate(all="ignore"):
            (found,) = evaluate([row], self.given, self.sizes)
        return self.write(found)

    def write(self, value: Any) -> Value | None:
        """A number or array for reading and for JSON."""
        import numpy as np

        if isinstance(value, (list, tuple)):
            return None
        array = np.asarray(value, dtype=float)
        small = array.ndim <= 2 and 0 < array.size <= MAX_ENTRIES
        return Value(Rounded(_tuples(array.tolist()), self.digits) if small else None, array.tolist())


def _by_array_name(derivation: Derivation, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names of leaves; ``h[0]`` is also ``h0``; the upstream gradient of a scalar is 1 if not given."""
    model = derivation.model
    leaves = {**model.leaves(), **{row.name or name: row for name, row in model.upstream.items()}}
    given: dict[str, Any] = {name: 1.0 for name, row in leaves.items() if row.attr.role == "upstream" and not row.shape}
    for name, value in values.items():
        plain = name if name in leaves else re.sub(r"[\[\]]", "", name)
        if plain not in leaves:
            raise ModelError(f"{model.name} has no data or parameter {name!r}.{did_you_mean(name, leaves)}")
        given[plain] = value
    missing = [name for name in leaves if name not in given]
    if missing:
        raise ModelError(f"no value is given for {', '.join(missing)}: every array of {model.name} needs one (--at, "
                         "values=)")
    return given


def outside_loops(derivation: Derivation) -> list[Node]:
    """Every row outside loops, in order."""
    model = derivation.model
    totals = [s.total for s in derivation.steps if not isinstance(s, LoopStep)]
    return model.graph.topological([*model.results(), *model.equations.values(), *totals])


def _tuples(values: Any) -> Values:
    return tuple(map(_tuples, values)) if isinstance(values, list) else float(values)


# -- how large the Jacobian of a carried value is from step to step: what vanishes and what explodes
WIDEST = 512  # entries of a carried value, per row of the batch, above which no Jacobian is formed


def jacobian_norms(scan: Node, place: int, args: list[Any], sizes: Mapping[str, int]) -> list[float] | None:
    """The spectral norm of ∂h_t/∂h_{t−1} at every step in the order of the loop, then that of ∂h_T/∂h_0; for a batch
    the largest over its rows. None for a carried value that is no vector or batch of vectors, or is too long."""
    import numpy as np

    loop: Loop = scan.attr
    leaf, row = loop.carry[place], loop.carried[place]
    start = np.asarray(args[place], dtype=float)
    if start.ndim > 2 or start.shape[-1:] > (WIDEST,):
        return None
    seed = body_leaf(scan.graph, "seed", row.shape)
    gradient = vjp([row], [seed], [leaf], stop=loop.stop)[0]
    norms, product = [], None
    for given in _steps(loop, args, sizes):
        jacobian = _jacobian(gradient, seed, loop, given, sizes, start.shape)
        norms.append(float(np.linalg.norm(jacobian, 2, axis=(-2, -1)).max()))
        product = jacobian if product is None else jacobian @ product
    if product is not None:
        norms.append(float(np.linalg.norm(product, 2, axis=(-2, -1)).max()))
    return norms


def _steps(loop: Loop, args: list[Any], sizes: Mapping[str, int]) -> list[dict[int, Any]]:
    """The values of the body's leaves at every step."""
    from symbackprop.core.shapes import evaluate_dim
    from symbackprop.verify.interpreter import Program

    n, m = len(loop.carry), len(loop.sequences)
    body = Program(loop.carried, sizes, loop.stop)
    carry, length, found = list(args[:n]), evaluate_dim(loop.length, sizes), []
    fixed = {leaf.id: a for leaf, a in zip(loop.invariants, args[n + m :], strict=True)}
    for t in reversed(range(length)) if loop.reverse else range(length):
        moving = {leaf.id: a[t] for leaf, a in zip(loop.sequences, args[n : n + m], strict=True)}
        given = {c.id: a for c, a in zip(loop.carry, carry, strict=True)} | moving | fixed
        found.append(given)
        values = body.run(given)
        carry = [values[r.id] for r in loop.carried]
    return found


def _jacobian(
    gradient: Node, seed: Node, loop: Loop, given: dict[int, Any], sizes: Mapping[str, int], shape: tuple[int, ...]
) -> Any:
    """∂(next value)/∂(carried value) of every row of the batch, one row of it per seed: batch × H × H."""
    import numpy as np

    from symbackprop.verify.interpreter import Program

    program = Program([gradient], sizes, loop.stop | {seed.id})
    width = shape[-1] if shape else 1
    rows = []
    for k in range(width):
        one = np.zeros(shape)
        one.reshape(-1, width)[:, k] = 1.0
        rows.append(np.broadcast_to(program.run({**given, seed.id: one})[gradient.id], shape).reshape(-1, width))
    return np.stack(rows, axis=1)
