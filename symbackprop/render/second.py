"""Second derivatives as steps of a document: an entry of each block, the block as a matrix, and what it costs.

The rows of a matrix stand one behind the other (vec), so a block of the Hessian in W is a matrix of all its entries,
and a product over the first axis and one over the second are a Kronecker product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import reduce
from itertools import chain
from typing import NamedTuple

import sympy as sp

from symbackprop.core import build, maths
from symbackprop.core import formula as f
from symbackprop.core.facts import is_symmetric
from symbackprop.core.graph import Node
from symbackprop.core.maths import Letter, Marked, Math, MatMul, Outer, Prod, Second, Sym, Transpose, shaped, turned
from symbackprop.core.names import free_name
from symbackprop.core.shapes import is_one, size_of
from symbackprop.derive.row_products import number_of, product_cost
from symbackprop.derive.structure import BLOCK_DIAGONAL, DIAGONAL, KRONECKER, Block, Part
from symbackprop.derive.terms import Exponent, Index, Key, Term, all_letters, is_number, rational
from symbackprop.render.context import Context
from symbackprop.render.document import Line, Prose, Step, Value
from symbackprop.render.entries import ONLY, Entries
from symbackprop.render.products import bound_inside
from symbackprop.render.rows import Rows

WORDS = {
    "diagonal": "diagonal", "block diagonal": "block diagonal", "kronecker": "a Kronecker product",
    "sum of kronecker": "a sum of Kronecker products", "low rank": "of rank one", "symmetric": "symmetric",
    "dense": "dense",
}
LONGEST = 240  # characters of a form that is printed
_J = Letter("j")
_TIED = maths.product(maths.Indicator(maths.equal(maths.K, _J)), maths.at(maths.A, maths.K))
DELTA: Prose = ("; δ contracts: ", maths.equal(maths.Big("sum", ("k",), _TIED), maths.at(maths.A, _J)))
_P = Letter("p")
VARIANCE = maths.total((False, maths.called("diag", _P)), (True, MatMul(_P, Transpose(_P))))
_JAC, _H = Letter("J"), Letter("H")
JHJ = MatMul(MatMul(Transpose(_JAC), _H), _JAC)
Fixed = Mapping[int, Math]


class Matrices(NamedTuple):
    """Σ number·matrix, each with its sign apart."""

    terms: tuple[tuple[bool, Math], ...]

    @property
    def tree(self) -> Math:
        return maths.total(*self.terms)


def _lettered(r: Rows, sizes: Sequence[sp.Expr], used: Iterable[str]) -> list[Letter]:
    """Letters of the document for axes, which the legend binds."""
    found = r.letters.of(sizes, {*used})
    r.letters.mention(found, sizes)
    return [Letter(x) for x in found]


class Told(Entries):
    """Entries whose letters are those of the document."""

    def bound(self, sizes: Sequence[sp.Expr]) -> list[Letter]:
        letters = _lettered(self.r, sizes, self.taken)
        self.taken |= {x.name for x in letters}
        return letters


class SecondOrder:
    """Writes blocks. ``top`` is what is differentiated twice; None where it is once, the rows of a Jacobian.
    ``outputs`` are those of a Gauss–Newton matrix."""

    def __init__(self, context: Context, blocks: Iterable[Block], top: Math | None, outputs: Sequence[Node]) -> None:
        self.context, self.r, self.blocks, self.top = context, context.rows, list(blocks), top
        self.outputs = outputs
        self.rule, self.parts = DELTA, list[tuple[Node, Sym]]()

    def steps(self, first: int, board: bool = False) -> Iterator[Step]:
        """A step for every block, numbered from ``first``."""
        self.parts = [*self._distributions()]
        with ExitStack() as names:
            for row, symbol in self.parts:
                names.enter_context(self.r.called(row, symbol))
            for k, b in enumerate(self.blocks):
                with self.r.letters.at_step():
                    yield self._step(b, first + k, board)

    def _distributions(self) -> Iterator[tuple[Node, Sym]]:
        """Probabilities without a name, which stand in several places: p, or P of several."""
        rows = {row.id: row for b in self.blocks for t in b.terms for k in t.powers
                if (row := b.algebra.row(k)) is not None and row.op.distribution and row.id not in self.r.symbols}
        for row in rows.values():
            name = free_name(self.r.letters.taken, *(("p", "q", "pi") if row.ndim < 2 else ("P", "Q", "Pi")))
            self.r.letters.taken.add(name)
            yield row, Sym(name, tuple(row.shape), row.id)

    def _step(self, b: Block, number: int, board: bool) -> Step:
        row, column = (self.context.derivation.model.graph.names[name] for name in (b.row, b.column))
        self.symbol = symbol = self._symbol(row, column)
        whole, entry = self.matrix(b), self._entry(b, row, column)
        told = (*self._structure(b), *(() if board else self._costs(b)))
        value = self._value(b)
        lines = [entry] if whole is None or not board else []
        if self.parts:
            with ExitStack() as names:
                for part, _ in self.parts:
                    names.enter_context(self._unnamed(part))
                lines = [*[Line("part", s, self.r.row(part), ("for short",)) for part, s in self.parts], *lines]
            self.parts = []
        if whole is None:
            lines[-1] = replace(entry, reason=(*entry.reason, "; ", *told), value=value)
        if b.symmetric and b.terms and row.ndim and b.structure != DIAGONAL and not board:
            lines.append(self._on_diagonal(b, row))
        if whole is not None:
            lines.append(self._as_matrix(b, row, whole, told, value))
        sizes = [size_of(n.shape) for n in (row, column) if n.ndim]
        shape = self.r.shape(tuple(sizes)) if sizes else None
        return Step(number, f"{b.row},{b.column}", f"step-{number}", self.r.bare(row), symbol, (symbol,), "second",
                    shape, tuple(lines))

    def _as_matrix(self, b: Block, row: Node, whole: Math, told: Prose, value: Value | None) -> Line:
        """The block as a matrix. One that transposes by a commutation matrix does without among symmetric matrices."""
        turns = next((x for x in maths.walk(whole) if isinstance(x, maths.Commutation)), None)
        if turns is None:
            return Line("result", self.symbol, whole, told, value=value)
        x = self.r.plain[row.id]
        meant = maths.equal(MatMul(turns, maths.called("vec", x)), maths.called("vec", Transpose(x)))
        plain: Prose = ()
        if b.row == b.column and is_symmetric(row):
            products = [p for p in maths.walk(whole) if isinstance(p, MatMul) and p.right == turns]
            plain = (" of any ", x, ": on symmetric ones it is ", maths.replaced(whole, {p: p.left for p in products}))
        return Line("result", self.symbol, whole, (meant, *plain, "; ", *told), value=value)

    @contextmanager
    def _unnamed(self, row: Node) -> Iterator[None]:
        """Inside this context a row is written out."""
        symbol = self.r.symbols.pop(row.id)
        yield
        self.r.symbols[row.id] = symbol

    # -- left sides
    def _symbol(self, row: Node, column: Node) -> Math:
        over = self.r.vec(column)
        if self.top is None:
            return maths.Derivative(self.r.vec(row), over)
        return self._twice(self.r.vec(row), Transpose(over) if column.ndim and row.ndim else over)

    def _twice(self, row: Math, column: Math) -> Math:
        """∂²top/∂row∂column, as far as it is told."""
        assert self.top is not None
        whole = Second(self.top, row, column)
        return Marked(whole, "GN") if self.outputs else whole

    def _entry(self, b: Block, row: Node, column: Node) -> Line:
        """One entry of a block, over index letters."""
        shape = [d for d in (*row.shape, *column.shape) if not is_one(d)]
        free = iter(_lettered(self.r, shape, ()))
        rows, columns = ([ONLY if is_one(d) else next(free) for d in n.shape] for n in (row, column))
        at = {i: x for i, x in zip((*b.own, *b.into), (*rows, *columns), strict=True) if i}
        ends = [Entries(self.r, ()).named(n, self.r.plain[n.id], i) if n.ndim else self.r.plain[n.id]
                for n, i in ((row, rows), (column, columns))]
        left = maths.Derivative(ends[0], ends[1]) if self.top is None else self._twice(*ends)
        terms = [self._entry_of(b, t, at, Told(self.r, [*rows, *columns])) for t in b.terms]
        right = maths.total(*terms) if terms else self.r.number(sp.S.Zero)
        return Line("chain", left, right, self._rule(row, column))

    def _on_diagonal(self, b: Block, row: Node) -> Line:
        """An entry whose column is its row, without the matrix behind it."""
        free = iter(_lettered(self.r, [d for d in row.shape if not is_one(d)], ()))
        index = [ONLY if is_one(d) else next(free) for d in row.shape]
        at = {i: x for i, x in zip(b.own, index, strict=True) if i}
        end = Entries(self.r, ()).named(row, self.r.plain[row.id], index)
        terms = [self._entry_of(b, t, at, Told(self.r, index)) for t in b.diagonal_terms]
        right = maths.total(*terms) if terms else self.r.number(sp.S.Zero)
        return Line("chain", self._twice(end, end), right, ("on the diagonal",))

    def _rule(self, row: Node, column: Node) -> Prose:
        """What is done, with its rule where that is done first: two numbers have no δ."""
        if self.outputs:
            return self._gauss_newton()
        gradient = self.r.gradients.get(row.id)
        what: Prose = ("entry by entry",) if self.top is None or gradient is None else (gradient, " once more")
        if not (row.ndim or column.ndim):
            return what
        rule, self.rule = self.rule, ()
        return (*what, *rule)

    def _gauss_newton(self) -> Prose:
        """What the matrix is, told once."""
        told, self.rule = bool(self.rule), ()
        if not told:
            return ("likewise",)
        names = [x for row in self.outputs for x in (", ", self.r.ref(row))]
        return ("Gauss–Newton, ", JHJ, ": ", _JAC, " the derivatives of ", *names[1:], ", ", _H, " the second ones of ",
                self.r.loss, " by these")

    def _entry_of(self, b: Block, t: Term, at: Mapping[int, Math], entries: Entries) -> tuple[bool, Math]:
        summed = sorted(t.summed)
        letters = entries.bound([b.space.sizes[i] for i in summed])
        called = {**at, **dict(zip(summed, letters, strict=True)), 0: ONLY}
        factors = []
        for key, p in t.powers.items():
            row = b.algebra.row(key)
            if row is not None:
                index = [called[i] for i in key[1]]
                is_tie = b.algebra.is_delta(key)
                factor = maths.Indicator(maths.equal(*index)) if is_tie else entries.ref(row, index)
                factors.append((is_tie, _powered(factor, p)))
        number = number_of(b.space, t)
        body = self.r.scaled(abs(number), *[x for _, x in sorted(factors, key=lambda x: not x[0])])
        sizes = [b.space.sizes[i] for i in summed]
        return f.is_negative(number), entries.sum(body, letters, sizes) if letters else body

    # -- right sides
    def matrix(self, b: Block) -> Math | None:
        """A block as a matrix; None where it has no short form as one."""
        if not b.terms:
            return None
        ranks = [len([i for i in index if i]) for index in (b.own, b.into)]
        if max(ranks) > 2 or max(map(len, (b.own, b.into))) > 2 or ranks == [0, 0]:
            return None
        found = self._vectors(b) if max(ranks) == 1 else self._kroneckers(b)
        return None if found is None else found.tree

    def _vectors(self, b: Block) -> Matrices | None:
        """Of vectors and numbers: every term is a chain of matrices."""
        (i,), (j,) = ([x for x in index if x] or [0] for index in (b.own, b.into))
        return self._all([self._chain(b, t, i, j, {}) for t in b.terms])

    def _all(self, terms: Sequence[tuple[bool, Math] | None]) -> Matrices | None:
        known = [t for t in terms if t is not None]
        return Matrices(tuple(known)) if len(known) == len(terms) else None

    def _kroneckers(self, b: Block) -> Matrices | None:
        """Of matrices: products over the first and over the last axis, blocks along the diagonal, sums over a batch."""
        if len(b.parts) == 1 and b.parts[0].halves and not b.parts[0].cut:
            return self._product(b, b.parts[0])
        blocks = self._tied(b, b.parts[0]) if len(b.parts) == 1 and b.parts[0].ties else None
        together = blocks or self._over_batch(b)
        if together is not None:
            return together
        found = [self._tied(b, part) if part.ties else self._split(b, part) for part in b.parts]
        known = [x for x in found if x is not None]
        return Matrices(tuple(chain(*[x.terms for x in known]))) if len(known) == len(found) else None

    def _product(self, b: Block, part: Part, fixed: Fixed = {}) -> Matrices | None:  # noqa: B006 – it is read only
        """A ⊗ B of the two halves of a part; of a crossed one times the matrix that transposes."""
        sides = list(zip(b.own, b.into, strict=False))
        if len(b.own) != 2 or len(b.into) != 2 or not all(map(all, sides)):
            return None
        ends = [(b.own[0], b.into[1]), (b.own[1], b.into[0])] if part.crossed else sides
        halves = [self._all([self._chain(b, t, *end, fixed) for t in half])
                  for half, end in zip(part.halves, ends, strict=True)]
        if any(x is None for x in halves):
            return None
        (negative, first), (other, second) = [maths.signed(False, x.tree) for x in halves if x is not None]
        whole: Math = Outer(first, second, blocks=True)
        if part.crossed:
            sizes = [b.space.sizes[i] for i in b.into]
            if sizes[0] != sizes[1]:  # what transposes is no square
                return None
            whole = MatMul(whole, self._commutation(sizes[0]))
        return Matrices(((negative != other, whole),))

    def _commutation(self, size: sp.Expr) -> Math:
        """K, which turns vec(A) into vec(Aᵀ)."""
        return maths.Commutation(free_name(self.r.letters.taken, "K", "T", "C"), size)

    def _over_batch(self, b: Block) -> Matrices | None:
        """Σ_n A_n ⊗ B_n, where all terms have one of the two in common."""
        split = ((b.own[0], b.into[0]), (b.own[1], b.into[1])) if len(b.own) == len(b.into) == 2 else ((), ())
        if not all(map(all, split)):
            return None
        found = [next(((n, h) for n in sorted(t.summed) if (h := b.halves(t, split, n)) is not None), None)
                 for t in b.terms]
        known = [x for x in found if x is not None]
        if len(known) < len(found) or len({b.space.sizes[n] for n, _ in known}) != 1:
            return None
        n = known[0][0]
        halves = [[b.algebra.renamed(x, {m: n}) for x in pair] for m, pair in known]
        for k in (0, 1):
            if len({b.key(pair[k]) for pair in halves}) == 1:
                letter = self._letter(b, n)
                one = halves[0][k]._replace(number=halves[0][1 - k].number * 0 + 1)
                others = tuple([p[1 - k]._replace(number=p[1 - k].number * p[k].number) for p in halves])
                part = Part("sum of kronecker", b.terms, {}, ((one,), others) if k == 0 else (others, (one,)), n)
                return self._summed(self._product(b, part, {n: letter}), letter, b.space.sizes[n])
        return None

    def _letter(self, b: Block, axis: int) -> Letter:
        """A letter for an axis that runs over no other one inside the rows of a block."""
        rows = {row.id: row for t in b.terms for k in t.powers if (row := b.algebra.row(k)) is not None}
        inside = {x for row in rows.values() for x in bound_inside(self.r.ref(row))}
        (letter,) = Told(self.r, [*map(Letter, sorted(inside))]).bound([b.space.sizes[axis]])
        return letter

    def _summed(self, found: Matrices | None, letter: Letter, size: sp.Expr) -> Matrices | None:
        if found is None:
            return None
        self.r.letters.mention([letter.name], [size])
        return Matrices(tuple([(s, maths.Big("sum", (letter.name,), x, (size,))) for s, x in found.terms]))

    def _split(self, b: Block, part: Part) -> Matrices | None:
        if not part.halves:
            return None
        if not part.cut:
            return self._product(b, part)
        letter = self._letter(b, part.cut)
        return self._summed(self._product(b, part, {part.cut: letter}), letter, b.space.sizes[part.cut])

    def _tied(self, b: Block, part: Part) -> Matrices | None:
        """I ⊗ M and M ⊗ I, or blocks along the diagonal, one for every place of the first axis; what is tied otherwise
        has no short form, but where rows belong to columns and columns to rows."""
        if part.structure == DIAGONAL:
            return self._diagonal(b, part)
        if part.structure not in (KRONECKER, BLOCK_DIAGONAL) or len(part.ties) != 1:
            return self._transposing(b, part)
        (i,) = part.ties.values()
        place = b.own.index(i)
        terms = [b.untied(t, part.ties) for t in part.terms]
        alone = not any(i in all_letters(t.powers) for t in terms)
        if not alone and place:
            return None
        fixed: dict[int, Math] = {}
        if not alone:
            letter = self._letter(b, i)
            fixed = {i: letter}
        found = self._all([self._chain(b, t, b.own[1 - place], b.into[1 - place], fixed) for t in terms])
        if found is None:
            return None
        if alone:
            negative, inner = maths.signed(False, found.tree)
            eye = self.r.identity(b.space.sizes[i])
            pair = (inner, eye) if place else (eye, inner)
            return Matrices(((negative, Outer(*pair, blocks=True)),))
        return None if len(found.terms) != 1 else self._blocks(found, letter, b.space.sizes[i])

    def _blocks(self, found: Matrices, letter: Letter, size: sp.Expr) -> Matrices:
        ((negative, inner),) = found.terms
        self.r.mention("blockdiag")
        self.r.letters.mention([letter.name], [size])
        number = inner.number if isinstance(inner, Prod) else sp.S.One
        rest = maths.Prod(inner.factors) if isinstance(inner, Prod) and len(inner.factors) > 1 else (
            inner.factors[0] if isinstance(inner, Prod) else inner)
        body = maths.Op("blockdiag", (maths.Array(rest, (letter.name,), (size,)),))
        return Matrices(((negative, self.r.scaled(number, body)),))

    def _transposing(self, b: Block, part: Part) -> Matrices | None:
        """diag(vec A) K, or a multiple of K, which transposes."""
        sizes = [b.space.sizes[i] for i in b.own if i]
        swapped = dict(zip(b.into[::-1], b.own, strict=False))
        if not len(sizes) == len(b.into) == 2 or part.ties != swapped or sizes[0] != sizes[1]:
            return None
        found = self._diagonal(b, part)
        if found is None:
            return None
        ((negative, tree),) = found.terms
        alone = self.r.identity(sizes[0] * sizes[1])
        turn = self._commutation(sizes[0])
        if tree == alone:
            return Matrices(((negative, turn),))
        if isinstance(tree, Prod) and tree.factors[-1] == alone:
            return Matrices(((negative, self.r.scaled(tree.number, *tree.factors[:-1], turn)),))
        return Matrices(((negative, MatMul(tree, turn)),))

    def _diagonal(self, b: Block, part: Part) -> Matrices | None:
        """diag(vec A), or a multiple of I."""
        (x,) = b.operands(part)
        own = [i for i in b.own if i]
        size = sp.Mul(*[b.space.sizes[i] for i in own])
        if not x.letters and not x.row.ndim:
            number, rest = self.r.term(x.row) if x.row.value is None else (x.row.value, None)
            factors = [] if rest is None else [rest]
            return Matrices(((f.is_negative(number), self.r.scaled(abs(number), *factors, self.r.identity(size))),))
        if len(x.letters) != len(own):
            return None
        entries = self.r.ref(x.row)
        if len(own) > 1:
            self.r.mention("vec")
            entries = maths.Op("vec", (entries,))
        return Matrices(((False, self.r.diagonal(entries)),))

    # -- chains
    def _chain(self, b: Block, term: Term, i: int, j: int, fixed: Fixed) -> tuple[bool, Math] | None:
        """A term as a product of matrices from letter i to letter j, vectors on diagonals: Xᵀ diag(d) X. Where one of
        the letters is 0, as a vector; ``fixed`` letters stand at every factor as indices."""
        edges: list[tuple[int, int, Math | None]] = []
        nodes: dict[int, list[Math]] = {}
        numbers: list[Math] = []
        for key, p in term.powers.items():
            if is_number(key):
                continue
            free = [c for c in key[1] if c and c not in fixed]
            row = b.algebra.row(key)
            assert row is not None
            if len(free) == 2 and free[0] != free[1]:
                edges.append((free[0], free[1], None if b.algebra.is_delta(key) else self._factor(row, key, p, fixed)))
            elif len(free) == 1:
                nodes.setdefault(free[0], []).append(self._factor(row, key, p, fixed))
            elif not free:
                numbers.append(self._factor(row, key, p, fixed))
            else:
                return None
        body = self._walked(b, edges, nodes, i, j)
        if body is None or nodes or edges:
            return None
        number = number_of(b.space, term)
        return f.is_negative(number), self.r.scaled(abs(number), *numbers, body)

    def _walked(self, b: Block, edges: list[tuple[int, int, Math | None]], nodes: dict[int, list[Math]], i: int, j: int
                ) -> Math | None:
        """The product along the edges from i to j; edges and nodes that stand in it are taken out."""
        if i and j and not any(i in e[:2] for e in edges) and not any(j in e[:2] for e in edges) and i != j:
            column, row = nodes.pop(i, None), nodes.pop(j, None)
            return None if column is None or row is None else MatMul(maths.product(*column),
                                                                     turned(maths.product(*row)))
        place, parts, known = i or j, list[Math](), list[Math]()
        while True:
            known = nodes.pop(place, [])
            step = next((e for e in edges if place in e[:2]), None)
            if known and (step is not None or place == j or not parts):
                if step is None and place != j:
                    break
                parts.append(self.r.diagonal(maths.product(*known)))
                known = []
            if step is None:
                break
            edges.remove(step)
            if step[2] is not None:
                parts.append(step[2] if step[0] == place else turned(step[2]))
            place = step[1] if step[0] == place else step[0]
        if i and j:
            size = b.space.sizes[i]
            return None if place != j or known else reduce(MatMul, parts) if parts else self.r.identity(size)
        if not known:
            return None
        vector = maths.product(*known)
        return reduce(MatMul, [*parts, vector])

    def _factor(self, row: Node, key: Key, p: Exponent, fixed: Fixed) -> Math:
        """A factor, its slice at the fixed letters."""
        tree = self._sliced(row, key[1], fixed)
        return shaped(_powered(tree, p), tuple([d for d, i in zip(row.shape, key[1], strict=True)
                                                if i and i not in fixed]))

    def _sliced(self, row: Node, index: Index, fixed: Fixed) -> Math:
        if not any(i in fixed for i in index) and 0 not in index:
            return self.r.ref(row)
        if row.id not in self.r.symbols and row.form is not None and row.value is None and all(
                a.shape == row.shape for a in row.args):
            return self.r.formula(row.form, [self._sliced(a, index, fixed) for a in row.args])
        at = [fixed.get(i, None) if i else ONLY for i in index]
        whole = self.r.ref(row)
        if at[0] is None and len(at) == 2:
            whole, at = turned(whole), at[::-1]
        lead = next((k for k, x in enumerate(at) if x is None), len(at))
        return maths.Entry(whole, tuple([x for x in at[:lead] if x is not None]), len(at) - lead)

    # -- words
    def _structure(self, b: Block) -> Prose:
        kinds = list(dict.fromkeys([WORDS[p.structure] for p in b.parts])) or ["0"]
        words = " plus ".join(kinds) if len(kinds) > 1 else WORDS[b.structure] if b.terms else "0"
        positive: Prose = ()
        if b.symmetric and b.definite:
            of = self.r.plain[self.context.derivation.model.graph.names[b.row].id]
            why: Prose = (", no weight is negative",)
            if any(t.number < 0 for t in b.terms):
                self.r.mention("diag")
                why = (", ", VARIANCE, " is a covariance")
            convex = () if self.outputs else (": convex in ", of)
            positive = ("; ", maths.Relation(self.symbol, "⪰", maths.Num(sp.S.Zero)), *why, *convex)
        return (words, *positive)

    def _costs(self, b: Block) -> Prose:
        """How many numbers the whole and the compressed block have, and the multiplications of a product with it."""
        if size_of(b.shape) == 1:
            return ()
        kept = sum([size_of(row.shape) for row in {x.id: x for x in b.arrays}.values()], sp.S.Zero)
        return ("; ", self.r.size(size_of(b.shape)), " numbers, ", self.r.size(kept), " compressed, a product ",
                self.r.size(product_cost(b.algebra, b.terms, b.own, b.into)), " multiplications")

    def _value(self, b: Block) -> Value | None:
        """The numbers of a block as a matrix."""
        numbers = self.context.numbers
        if numbers is None:
            return None
        sizes = [size_of(s) for s in b.shapes]
        with b.algebra.graph.apart():
            shape = [d for d, s in zip(sizes, b.shapes, strict=True) if s]
            return numbers.computed(build.reshape(b.dense, shape))


def _powered(tree: Math, p: Exponent) -> Math:
    if p == 1:
        return tree
    if p < 0:
        return maths.Frac(maths.Num(sp.S.One), _powered(tree, -p))
    return maths.Pow(tree, maths.Num(rational(p)))
