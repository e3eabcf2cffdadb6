"""From a derivation to a program: what forward and backward compute, what passes between them, under which names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from symbackprop.codegen.arrays import Arrays
from symbackprop.codegen.blocks import whole_functions
from symbackprop.codegen.checkpoints import MOST_ACROSS, Checkpointed, Cutting, Segmented, checkpointed, said
from symbackprop.codegen.functions import Maker, finished, product_function
from symbackprop.codegen.initial import initial_values
from symbackprop.codegen.names import Scope, escape
from symbackprop.codegen.program import Block, Program, of_numbers, variable
from symbackprop.codegen.rows import Rows, softmax_key, states_before
from symbackprop.codegen.schedule import Scheduler, Variables
from symbackprop.codegen.sizes import demands
from symbackprop.codegen.tree import Expr
from symbackprop.core import formula as f
from symbackprop.core.facts import is_joined
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.loops import asked_of_loops
from symbackprop.core.shapes import same_shape
from symbackprop.derive.again import Again
from symbackprop.derive.compressed import Whole
from symbackprop.derive.products import Product
from symbackprop.derive.steps import Derivation, LoopStep
from symbackprop.errors import ModelError, UsageError
from symbackprop.model.model import Model


def build_program(derivation: Derivation, declared: Model, text: str, level: int, dtype: str, target: type[Arrays],
                  products: Sequence[Product] = (), wholes: Sequence[Whole] = (), steps: int | None = None) -> Program:
    """The program of a derivation for a target: of the ``declared`` model, ``text`` as model text, or its stable
    rows; with the functions of derivatives along a direction, and those of a ``whole`` Jacobian or Hessian; with
    checkpoints after so many ``steps`` of loops (see `checkpoints`), where there is something to save."""
    return Builder(derivation, level, target, products, wholes, steps).program(declared, text, dtype)


class Passes(NamedTuple):
    """What a program has of forward and backward: variables of what is kept, of the results and of the gradients."""

    forward: Block
    backward: Block
    kept: dict[str, Node]
    results: dict[str, str]
    gradients: dict[str, str]
    checkpoints: str


class Builder:
    """Builds one program."""

    def __init__(self, derivation: Derivation, level: int, target: type[Arrays], products: Sequence[Product],
                 wholes: Sequence[Whole], steps: int | None = None) -> None:
        self.d, self.model, self.level, self.target = derivation, derivation.model, level, target
        self.products, self.wholes = products, wholes
        self.rows = Rows(level > 0, target.marks, slices=target.slices)
        self.given = {**self.model.leaves(), **self.model.constants}
        self.leaf_names = {row.id: escape(name) for name, row in self.given.items()}
        self._free_of_arguments()
        scope = Scope([*self.leaf_names.values(), *map(escape, self.model.sizes)])
        names = {id_: name for id_, name in derivation.names.items() if id_ not in self.leaf_names}
        self.variables = Variables(names, scope)
        self.variables.given |= self.leaf_names
        self.results = self.model.results()
        if steps is None:
            self.rows.asked = asked_of_loops([*self._read()])
        self.order = self.rows.order([*self.results, *self.model.equations.values()])
        self._require_declared()
        self.scheduler = Scheduler(self.rows, self.variables, level, target)
        self.leaves = {row.id: variable(self.leaf_names[row.id], row) for row in self.given.values()}
        self.loops = any(row.is_loop for row in self.rows.order(self.results))
        self.steps, self.parts = steps, [] if steps is None else self._checkpointed(steps)

    def _read(self) -> Iterator[Node]:
        """What forward, backward and the functions of products compute."""
        yield from (*self.results, *self.model.intermediates().values(), *self.d.gradients.values())
        for product in self.products:
            yield from product.results.values()

    def _free_of_arguments(self) -> None:
        """No constant of the module is called as an argument of a function that reads it."""
        scope = Scope([*self.leaf_names.values(), *map(escape, self.model.sizes)])
        for row in self.model.constants.values():
            if self.products and self.leaf_names[row.id] == "v":
                self.leaf_names[row.id] = scope.fresh("v")

    def _require_declared(self) -> None:
        """Forward is given what the model declares; a gradient may read an upstream one, which only backward has."""
        for row in self.order:
            if row.is_declared and row.id not in self.leaf_names:
                what = "an upstream gradient, given to backward only" if row.attr.role == "upstream" else "not declared"
                raise ModelError(
                    f"an equation of {self.model.name} reads {row.name}, which is {what}: declare data of that shape "
                    "and read that, as in grad(Y, [W], seed=data)"
                )

    def program(self, declared: Model, text: str, dtype: str) -> Program:
        passes = self._passes()
        named = self.model.intermediates()
        further = [row for product in self.products for row in product.results.values()]
        rows = self.rows.order([*named.values(), *self.results, *self.d.gradients.values(), *further])
        evaluate = self.scheduler.block(list(named.values()), self.leaves)
        model, maker = self.model, Maker(self.model, self.given, self.leaf_names, self.scheduler)
        read = [*self.order, *self.rows.order([*self.d.gradients.values(), *further])]
        return Program(
            name=model.name, summary=model.summary, text=text, target=self.target, level=self.level,
            dtype=dtype, dims=dict(model.sizes), demands=demands(read), params=dict(model.params),
            data={n: r for n, r in model.leaves().items() if n not in model.params},
            constants=dict(model.constants), variables={name: self.leaf_names[r.id] for name, r in self.given.items()},
            loss=None if model.loss_row is None else model.loss_row.name, outputs=tuple(model.output_rows),
            initial=initial_values(declared), upstream=dict(model.upstream), result_rows=self._result_rows(),
            chosen=self._chosen(), unreached=tuple(model.unreached()), evaluate=evaluate,
            equations={name: evaluate.variable(row) for name, row in named.items()},
            numbers=any(of_numbers(row) for row in named.values()),
            written=dict(self.d.names), expanded=self.d.expanded, identities=self.d.identities,
            floats_are_safe=floats_are_safe(rows),
            functions=(*[product_function(p, maker) for p in self.products],
                       *whole_functions(self.wholes, self.d, maker)),
            **passes._asdict(),
        )

    def _result_rows(self) -> dict[str, Node]:
        return {row.name or "": row for row in self.results}

    def _passes(self) -> Passes:
        kept = self._kept(self.parts)
        begun = {row.id: self.variables.expr(row) for part in self.parts for row in part.kept}
        scheduler = self.scheduler.like(self.rows.like(saved=self.parts))
        forward = scheduler.block([*self.results, *[k for k in kept if k.args]], self.leaves | begun)
        results = self._result_rows()
        outgoing = self._finished(forward, results, {k.id for k in kept if not k.args})
        backward, gradients = self._backward(kept)
        keeps = {forward.variable(k): k for k in kept}
        cut = None if self.steps is None or self.loops else self._cut(forward, backward, keeps, outgoing, gradients)
        if cut is not None:
            forward, backward, keeps = cut.forward, cut.backward, cut.kept
        return Passes(
            forward, backward, keeps, dict(zip(results, outgoing, strict=True)), gradients,
            checkpoints="" if self.steps is None else said(self.parts) if cut is None else cut.says(),
        )

    def _chosen(self) -> tuple[str, ...] | None:
        return None if set(self.d.gradients) == set(self.model.targets()) else tuple(self.d.gradients)

    # -- what passes from forward to backward
    def _cut(self, forward: Block, backward: Block, kept: dict[str, Node], results: Collection[str],
             gradients: Mapping[str, str]) -> Segmented:
        """Forward and backward in segments of what is written out. Raises `ModelError` where nothing can be cut,
        `UsageError` at -O2."""
        if self.level > 1:
            raise UsageError("at -O2 the workspace keeps every array: checkpoints between blocks are for -O1")
        targets = {row.id for n, row in (self.model.intermediates() | self.given).items() if n in gradients}
        found = Cutting(self.rows, forward, backward, kept, results, gradients.values(), targets).run(self.steps or 0)
        if found is None:
            raise ModelError(
                f"{self.model.name} has no loop and no chain of blocks of which backward could compute parts again: "
                f"nowhere inside do {MOST_ACROSS} arrays or fewer hold what comes after. Leave out checkpoints"
            )
        return found

    def _checkpointed(self, steps: int) -> list[Checkpointed]:
        """The loops whose steps backward computes again."""
        if not self.loops:
            return []
        found = checkpointed(self.rows, self.results, list(self.d.gradients.values()), self._kept(), steps,
                             self.variables.scope)
        for row in [row for part in found for row in part.kept]:
            self.variables.call(row, row.name or "")
        return found

    def _kept(self, parts: Sequence[Checkpointed] = ()) -> list[Node]:
        """What forward keeps, with checkpoints in ``parts``: of products taken out of such a loop nothing."""
        again = {row.id for part in parts for row in part.computed(self.rows)}
        named = [row for row in self.order
                 if row.args and row.id in self.d.names and not row.is_loop and row.id not in again]
        order = [row for row in self.rows.order(self.results) if row.id not in again]
        kept = kept_rows(self.rows.like(again=parts), self.d.gradients.values(), Forward(order, named, again),
                         share=self.level > 0)
        return [*kept, *[row for part in parts for row in part.kept]]

    def _backward(self, kept: Sequence[Node]) -> tuple[Block, dict[str, str]]:
        given = [*kept, *self.model.upstream.values(), *self.model.constants.values()]
        known = {row.id: self.variables.expr(row) for row in given}
        roots = list(self.d.gradients.values())
        scheduler = self.scheduler.like(self.rows.like(again=self.parts))
        block = scheduler.block([*self._in_sweep_order(scheduler.rows, roots, known), *roots], known)
        finals = self._finished(block, {f"d{name}": row for name, row in self.d.gradients.items()}, known)
        return block, dict(zip(self.d.gradients, finals, strict=True))

    def _in_sweep_order(self, rows: Rows, roots: Sequence[Node], known: Mapping[int, Expr]) -> list[Node]:
        """The gradients that the roots need, in the order of the derivation's steps."""
        needed = {row.id for row in rows.order(roots, known)}
        totals = [s.total for s in self.d.steps if not isinstance(s, LoopStep)]
        return [t for t in totals if t.id in needed and t.value is None and t.args]

    def _finished(self, block: Block, results: Mapping[str, Node], known: Collection[int]) -> list[str]:
        return finished(block, results, known, self.variables.scope)


# -- what forward keeps for backward, and what backward computes again because that is cheaper


class Forward:
    """Which rows forward computes: ``order`` for its results, and every row with a name; backward computes those in
    ``again`` itself."""

    def __init__(self, order: Iterable[Node], named: Iterable[Node], again: Collection[int]) -> None:
        self.rows = {row.id: row for row in order}
        self.again = again
        self.named = {row.id for row in named}
        keys = [softmax_key(row) for row in self.rows.values()]
        self.softmaxes = {key for key in keys if key is not None}

    def computes(self, row: Node, share: bool) -> bool:
        if row.id in self.again:
            return False
        if row.is_result:
            return row.args[0].id in self.rows
        if is_joined(row) and (states := states_before(row)) is not None:
            return states.scan.id in self.rows
        if share and row.op.distribution:
            return row.id in self.rows or softmax_key(row) in self.softmaxes
        return row.id in self.rows


def kept_rows(rows: Rows, gradients: Iterable[Node], forward: Forward, share: bool) -> list[Node]:
    """The rows that backward reads from forward, leaves included, in the order backward meets them."""
    again = Again(forward.named, rows.args)
    kept: dict[int, Node] = {}
    seen: set[int] = set()
    readers: dict[int, list[Node]] = {}
    results = dict.fromkeys(gradients)  # some of which forward has as they are
    stack = [*reversed(results)]
    while stack:
        row = stack.pop()
        if row.id in seen or row.value is not None:
            continue
        seen.add(row.id)
        computed = forward.computes(row, share) and not again.is_cheap(row)
        if computed or row.is_declared or row.id in forward.named:
            kept[row.id] = row
        else:
            stack.extend(reversed(rows.args(row)))
            for a in {a.id for a in rows.args(row)}:
                readers.setdefault(a, []).append(row)
    if share:
        read = [row if row in results else instead(row, readers.get(row.id, []), forward) for row in kept.values()]
        kept = {row.id: row for row in read}
    return [row for row in kept.values() if not row.is_declared or row.attr.role not in ("upstream", "constant")]


def instead(row: Node, readers: Sequence[Node], forward: Forward) -> Node:
    """What is kept in place of a row that backward reads for one other row only, which forward computes and which is
    as large: (x - mu)/sigma rather than x - mu."""
    if len(readers) != 1 or row.is_declared or not row.ndim or row.kind != FLOAT:
        return row
    (reader,) = readers
    fits = reader.form is not None and reader.kind == FLOAT and same_shape(reader.shape, row.shape)
    return reader if fits and forward.computes(reader, share=True) else row


# -- scalars: Python floats are computed with as they are, which is faster, where that is safe


def floats_are_safe(order: Iterable[Node]) -> bool:
    """Whether no row, arguments first, has a quotient or a power of Python floats."""
    plain: set[int] = set()
    for row in order:
        if row.is_loop or (row.form is not None and _raises(row.form, row, plain)):
            return False
        if _is_plain_row(row, plain):
            plain.add(row.id)
    return True


def _is_plain_row(row: Node, plain: set[int]) -> bool:
    """Whether a row's value is a Python float. Functions give NumPy's."""
    if row.is_leaf or row.value is not None:
        return True
    return row.form is not None and _is_plain(row.form, row, plain)


def _is_plain(form: f.Formula, row: Node, plain: set[int]) -> bool:
    if isinstance(form, f.Arg):
        return row.args[form.index].id in plain
    return not isinstance(form, f.Call) and all(_is_plain(c, row, plain) for c in form.children)


def _raises(form: f.Formula, row: Node, plain: set[int]) -> bool:
    quotient = isinstance(form, f.Div) and not isinstance(form.den, f.Num)
    if (quotient or isinstance(form, f.Pow)) and _is_plain(form, row, plain):
        return True
    return any(_raises(c, row, plain) for c in form.children)
