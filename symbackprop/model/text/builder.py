"""Statements to a `Model`, in order. Literal loops are unrolled here; `loops` makes scans of the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import sympy as sp

from symbackprop.core.facts import is_repeated
from symbackprop.core.functions.calls import whole
from symbackprop.core.graph import SIMPLEX, Node
from symbackprop.core.reverse import grad
from symbackprop.core.shapes import MAX_DIM, declared, dim, dim_text
from symbackprop.errors import (
    ENOUGH,
    ChoosesEntries,
    ModelError,
    NameProblem,
    NoResult,
    NotDeclared,
    Place,
    ShapeError,
    SyntaxProblem,
    UsageError,
    did_you_mean,
    nearest,
    suggested,
)
from symbackprop.model.model import Model
from symbackprop.model.names import check_notation, python_name
from symbackprop.model.text import dialect, tree, warnings
from symbackprop.model.text.evaluate import Evaluator, evaluate
from symbackprop.model.text.expressions import one_formula
from symbackprop.model.text.known_numbers import number_of, numbered, short
from symbackprop.model.text.layers import Layers, Parameters
from symbackprop.model.text.loops import BodyScope, Carrying, runs_down, steps_read, with_counter
from symbackprop.model.text.meant_lines import with_dimension, without_output
from symbackprop.model.text.notation import ModelText
from symbackprop.model.text.scope import PI, ModelScope, Scope
from symbackprop.model.text.sides import evaluator
from symbackprop.model.text.tokens import TOO_DEEP
from symbackprop.model.text.writing import letters

MAX_STATEMENTS, MAX_UNROLLED, MAX_RANK = 50_000, 20_000, 16

_LOSSES = ("loss", "cost", "J", "nll")  # what is called so at the end of a text that says of nothing what it computes


class Builder:
    """Applies statements to a model. ``scope`` is the place where names are looked up: the model, or a loop's body.

    ``errors`` are what is wrong, a statement each; nothing more is said of statements that read names which are
    ``unknown`` because of it, such as those of lines that are ``unread``.
    """

    def __init__(self, model: Model, source: str, statements: Sequence[tree.Statement],
                 define: Mapping[str, str] | None = None, errors: Iterable[ModelError] = (),
                 unread: Iterable[str] = (), guesses: bool = False) -> None:
        self.guesses = guesses  # what is declared: a text may give it another value, as one of Python's
        self.model, self.source, self.statements, self.define = model, source, statements, define or {}
        self.loss, self.last = "", 0  # the loss that only its name tells, and its last line
        self._name_results()
        self.notations = {s.target.name: s.latex for s in statements if isinstance(s, tree.Notate)}
        self.top = ModelScope(model)
        self.top.defined_later = self._defined_later
        self.scope: ModelScope | BodyScope = self.top
        self.count = 0
        self.errors = list(errors)
        self.unknown = set(unread)
        self.layers = Layers(self._declare_layer)
        self.python = False  # whether the loop around is one of Python's
        self.handed_on = self._find_handed_on()
        self.results = {e.target.name for e in tree.equations(self.statements) if e.keyword != "let"}
        self.results |= self.results_of_loops.keys()
        self.defined = {name for s in tree.flat(self.statements) for name in tree.defined(s)}
        self.begun = dict[str, str]()  # the steps of such names
        self.unbuilt = set[int]()  # the lines of statements that were left out, and of such that failed before them

    def _name_results(self) -> None:
        """An equation is the loss, or an output, where a line such as ``loss L`` below says so; so is ``loss = …`` in a
        text that says of nothing what it computes."""
        every = [(k, s) for k, s in enumerate(self.statements) if isinstance(s, tree.Equation)]
        equations = {s.target.name: k for k, s in every if s.target.index is None and not s.is_alone}
        results = {equations[s.target.name]: s for _, s in every if s.is_alone and s.target.name in equations}
        changed = {k: replace(s, keyword=results[k].keyword) for k, s in every if k in results}
        name = "loss" if "loss" in equations else every[-1][1].target.name if every else ""
        if name in _LOSSES and name in equations and all(s.keyword == "let" for _, s in every):
            name = self._whole_loss(name, equations)
            changed = {k: replace(s, keyword="loss") for k, s in every if k == equations[name]}
            self.loss, self.last = name, max(
                e.line for e in tree.equations(self.statements) if e.target.name == name)
            first = self.statements[equations[name]].line
            self.model.remark(f"{self.source}:{first}: `{name} = …` is read as the loss of the model")
        self.statements = [changed.get(k, s) for k, s in enumerate(self.statements) if s not in results.values()]
        self._find_last_results()
        self.has_loss = any(isinstance(s, tree.Equation) and s.keyword == "loss" for s in self.statements)

    def _find_handed_on(self) -> dict[str, tree.For]:
        """What one equation gives a name that has no steps of its own, and the first loop below that hands it on."""
        given, found = Counter[str](), dict[str, tree.For]()
        indexed = {to.name for s in tree.flat(self.statements) for to in tree.targets(s) if to.index is not None}
        for s in self.statements:
            if isinstance(s, tree.For):
                names = [name for name in _handed_on(s) if given[name] == 1 and name not in indexed]
                found = dict.fromkeys(names, s) | found
            given.update(name for inner in tree.flat([s]) for name in tree.defined(inner))
        return found

    def _whole_loss(self, name: str, equations: Mapping[str, int]) -> str:
        """What adds to a loss below it, as ``total = loss + 0.1*sum(w**2)`` does, is the loss."""
        for target, k in equations.items():
            s = self.statements[k]
            if isinstance(s, tree.Equation) and k > equations[name] and tree.Name(name) in tree.terms(s.value) and (
                    target not in tree.mentioned(s.value)):
                name = target
        return name

    def _find_last_results(self) -> None:
        """Where ``loss L = …`` has ``L += …`` below, what has the name at last is the result; of what a loop gives it,
        when all is read."""
        plain = [(k, e, s is e) for k, s in enumerate(self.statements) for e in tree.flat([s])
                 if isinstance(e, tree.Equation) and e.target.index is None]
        last = {e.target.name: (k, alone) for k, e, alone in plain if e.keyword == "let"}
        given = dict[int, str]()
        self.results_of_loops = dict[str, str]()
        # names of what truth values choose, each with the error where it is read, and what has other values by now
        self.chosen = dict[str, tuple[tree.Expr, ModelError, set[str]]]()
        for k, e, _ in plain:
            end, alone = last.get(e.target.name, (-1, False))
            if e.keyword != "let" and end > k:
                given |= {k: "let", end: e.keyword} if alone else {k: "let"}
                self.results_of_loops |= {} if alone else {e.target.name: e.keyword}
        self.statements = [replace(s, keyword=given[k]) if isinstance(s, tree.Equation) and k in given else s
                           for k, s in enumerate(self.statements)]

    def run(self) -> Model:
        """All statements, then what holds of the whole."""
        for statement in self.statements:
            if len(self.errors) < ENOUGH:
                self._attempt(statement)
        self._pass_over_below()
        if not self.errors:
            try:
                with located(self.source):
                    self._finish()
            except ModelError as error:
                self.errors.append(error)
        self.errors.sort(key=lambda error: error.line)
        return self.model

    def _pass_over_below(self) -> None:
        """Nothing is wrong with a text for lines that compute with a loss of Python's what is not asked for."""
        if self.loss and self.loss not in self.unknown and all(error.line > self.last for error in self.errors):
            for error in self.errors:
                self.model.remark(f"{self.source}:{error.line}: what stands here, below {self.loss}, is passed over")
            self.errors = []

    def _attempt(self, statement: tree.Statement) -> None:
        """One statement. What is wrong with it is kept, and what reads a name that is not known for it is left out."""
        if not self.unknown or self.unknown.isdisjoint([*_reads(statement), *_calls(statement)]):
            try:
                return self.apply(statement)
            except ModelError as error:
                error.message += self._one_axis(statement) if isinstance(error, ShapeError) else ""
                self._tell(error, statement)
                self.scope = self.top
                self.top.counters.clear()
                self.top.locals.clear()
                self.python = False
        elif isinstance(statement, tree.Equation):
            self._unknown_in(statement)
        failed = self.errors[-1].line if self.errors else 0
        self.unbuilt |= {s.line for s in tree.flat([statement])} - {failed}
        graph, model, top = self.model.graph, self.model, self.top
        known = (graph.names, graph.functions, model.sizes, top.loops)
        names = {name for s in tree.flat([statement]) for name in tree.defined(s)}
        self.unknown |= {name for name in names if not any(name in those for those in known)}

    def _tell(self, error: ModelError, statement: tree.Statement) -> None:
        """Keep an error, of ``a, b = f(x)`` once and not of each name."""
        self._locate(error, statement)
        said = {(e.line, e.place, e.message) for e in self.errors}
        self.errors += [error] if (error.line, error.place, error.message) not in said else []

    def _unknown_in(self, s: tree.Equation) -> None:
        """Tell which names and functions of a line that is left out are not known for reasons of their own."""
        self.top.line = s.line
        for part in tree.operands(self.layers.put(s.value)):
            name = part.name if isinstance(part, tree.Name) else part.function
            if name not in self.unknown:
                try:
                    with located(f"{self.source}:{s.line}"):
                        evaluator(self.top).known(part)
                except ModelError as error:
                    self._tell(error.about(part.place), s)

    def _locate(self, error: ModelError, statement: tree.Statement) -> None:
        """Say on which line an error is; what is wrong with a helper there, and not where it is called each time."""
        line = error.place.line if error.place is not None else statement.line
        error.line = error.line or line
        error.where = f"{self.source}:{line}" if line < statement.line else error.where

    def _one_axis(self, statement: tree.Statement) -> str:
        """That an array which a statement reads has one axis, of a size that was written as a product of dimensions."""
        names = self.model.graph.names
        for row in [names[name] for name in dict.fromkeys(_reads(statement)) if name in names]:
            if row.is_leaf and row.ndim == 1 and row.shape[0].is_Mul and len(row.shape[0].free_symbols) > 1:
                return f"; {row.name} has one axis, of {dim_text(row.shape[0])} entries: between axes stands `x`"
        return ""

    def apply(self, statement: tree.Statement) -> None:
        """One statement; what goes wrong is located on its line."""
        self.top.line, self.count = statement.line, self.count + 1
        self.top.declares_arrays = isinstance(statement, tree.Arrays)
        self.model.place = f"{self.source}:{statement.line}"
        with located(self.model.place):
            if self.count > MAX_STATEMENTS:
                raise ModelError(f"more than {MAX_STATEMENTS} statements after unrolling: use a symbolic axis, 1..T")
            if self.scope is not self.top and not isinstance(statement, (tree.Equation, tree.For, tree.Shared)):
                raise ModelError("in a loop over a symbolic axis only equations and loops can stand")
            _RULES[type(statement)](self, statement)

    def _finish(self) -> None:
        lines = {s.target.name: s.line for s in self.statements if isinstance(s, tree.Notate)}
        for name in self.model.notation_of:
            if name not in self.top.lines:
                line = lines.get(name, 0)
                raise NameProblem(f"notation is given for {name!r}, which is not declared",
                                  f"{self.source}:{line}" if line else "", line)
        for name in self.define:
            if name not in self.model.graph.functions:
                raise UsageError(f"{self.model.name} declares no function {name!r} to define."
                                 f"{did_you_mean(name, self.model.graph.functions)}")
        for name, keyword in self.results_of_loops.items():
            row, free = self.top.name(name), name not in self.top.lines
            getattr(self.model, keyword)(self.top.claim(name if free else self.top.another(name)), row)
        if all(isinstance(s, tree.Said) for s in self.statements):
            raise ModelError("the text is empty: declare data and parameters, then `loss L = …` or `output Y = …`")
        if self.model.loss_row is None and not self.model.output_rows:
            self._no_result()
        arrays = set(self.model.graph.names) - set(self.top.loops)
        first, later = warnings.of_first_steps(self.statements, arrays), warnings.of_later_steps(self.statements)
        for line, said in (*first, *later):
            self.model.remark(f"{self.source}:{line}: {said}")
        self.model.results()
        self.model.stacks = {name: loop.stack for name, loop in self.top.loops.items() if name.isidentifier()}

    def _no_result(self) -> None:
        """Say of the last equation that nothing says what the result is, if there is one at all."""
        last = self.statements[-1]
        if isinstance(last, tree.Equation) and last.target.index is None:
            name, line = last.target.name, last.line
            self.top.line = line
            message = f"the model {self.model.name!r} has no loss and no output: add `loss L = …` or `output Y = …`"
            raise NoResult(message, f"{self.source}:{line}", line, name, Place(line, 1, 1 + len(name)),
                           ("loss …", "output …"))

    # -- declarations
    def named(self, s: tree.Named) -> None:
        for name, expr in s.items:
            if s.keyword == "dim":
                self.dim(name, expr)
            elif s.keyword == "function":
                self.function(name)
            elif expr is not None and s.keyword == "const":
                value = evaluate(expr, self.top)
                if not isinstance(value, sp.Expr):
                    raise ModelError(f"const {name} is a number that is known now, not {short(value)}")
                self.model.const(self.top.claim(name), value)

    def dim(self, name: str, expr: tree.Expr | None) -> None:
        self.top.claim(name)
        size = None if expr is None else size_of(expr, self.top)
        if size is not None and not size.is_Integer:
            raise ModelError(f"the size of dimension {name} is a whole number, not {short(size)}")
        self.model.dim(name, None if size is None else int(size))

    def function(self, name: str) -> None:
        """An abstract function, or what is put in its place."""
        self.model.check_function(name)
        self.top.claim(name)
        if name in self.define:
            self.model.graph.functions[name] = Defined(name, self.define[name], self.model)
        else:
            self.model.function(name, self.notations.get(name))

    def arrays(self, s: tree.Arrays) -> None:
        for item in s.items:
            for name in self.family(item.target):
                self.array(s.role, name, item)

    def family(self, target: tree.Target) -> Iterator[str]:
        """The names that a declared target stands for: one, or those of a range."""
        if target.index is None or target.stop is None:
            yield self.top.claim_target(target)
            return
        first, last = (self.top.index_of(i, target.name) for i in (target.index, target.stop))
        if not (first.is_Integer and last.is_Integer and 0 <= last - first < MAX_STATEMENTS):
            raise ModelError(f"the range {first}..{last} of {target.name}[…] is empty, too long or not of numbers")
        for k in range(int(first), int(last) + 1):
            yield self.top.claim(self.top.register(target.name, sp.Integer(k)))

    def array(self, role: str, name: str, item: tree.ArrayItem) -> None:
        if len(item.shape) > MAX_RANK:
            raise ModelError(f"{name} has {len(item.shape)} axes; at most {MAX_RANK} are allowed")
        shape = tuple(size_of(d, self.top) for d in item.shape)
        if item.below is not None:
            if role != "data":
                raise ModelError(f"{name} is {role} and cannot be integers: only data can",
                                 instead=(lambda line, place: re.sub(r"\w+", "data", line, count=1),))
            self.model.data(name, shape, below=size_of(item.below, self.top))
        elif item.stated == SIMPLEX and role != "data":
            raise ModelError(f"{name} is {role} and cannot be simplex: only data can, of which no gradient is taken")
        else:
            getattr(self.model, role)(name, shape, **({item.stated: True} if item.stated else {}))

    def notate(self, s: tree.Notate) -> None:
        name = s.target.name
        if s.target.index is not None:
            index = self.top.index_of(s.target.index, name)
            known = self.top.families.get(name, {})
            if index not in known:
                raise NameProblem(f"notation is given for {name}[{index}], which is not declared above")
            name = known[index]
        latex = check_notation(s.latex)
        if name not in self.define:
            self.model.notation_of[name] = latex

    def shared(self, s: tree.Shared) -> None:
        """Another value for what shares its numbers with what a line has changed."""
        row = evaluate(s.value, self.scope)
        if not isinstance(row, Node) or not (row.ndim or s.of_numbers):
            return
        if not s.is_all or not self.top.held(s.name):
            raise ModelError(f"{s.text}; write {s.name}.copy() where it is handed on")
        self.top.rename("let", s.name, row)
        self.top.remark(s.text.partition(",")[0])

    # -- equations
    def equation(self, s: tree.Equation) -> None:
        name = s.target.name
        if s.is_alone:
            says = f"no equation gives {name!r} a value; write `{s.keyword} {name} = …`"
            if s.keyword == "output" and name in self.top.families:
                says = f"{name!r} is computed step by step; write `output Y = {name}` for all of its steps"
            raise NameProblem(says).about(s.value.place)
        plain = s.target.index is None and self.scope is self.top and not self.top.locals
        if plain and self.layers.take(name, s.value):
            return
        s = self._without_chosen(s) if self.chosen else s
        like = dialect.noise_like(s.value) if plain and s.keyword == "let" else None
        if like is not None:
            self.top.draw(name, Evaluator(self.scope).row(self.layers.put(like)).shape)
            return
        if s.keyword == "output" and self.has_loss:
            raise ModelError(f"an output {name!r} beside a loss: a model has one or the other, and equations need no "
                             "`output`", instead=[without_output])
        if s.target.index is None and self._is_updated(name, s.value):
            return self.scope.rename(s.keyword, name, self._value(s))
        other = name in self.top.now and (s.keyword == "let" or name in self.top.families)
        known = s.target.index is None and self.scope is self.top and (other or name in self.top.lines)
        anew = known and (self.guesses or name in self.model.equations or name in self.top.now
                          or name in tree.mentioned(s.value))
        if known and not anew and not self.scope.locals:
            if name in self.model.sizes and evaluate(s.value, self.top) == dim(name):
                return self.top.remark(f"{name} is that dimension")  # N = X.shape[0] below X: N x D
            instead = (partial(_with_result, name, "L"),) if s.keyword == "loss" else ()
            raise NameProblem(self.top.taken(name), instead=instead)
        try:
            value = self._value(s)
        except ChoosesEntries as error:
            if not plain or s.keyword != "let" or anew or name in self.top.lines:
                raise
            self.chosen[name] = s.value, error, set()
            return self.top.remark(f"{name} stands for what truth values choose, in what is computed of it below")
        try:
            if anew:
                self.top.rename(s.keyword, name, value)
            elif plain and s.keyword == "let" and name in self.handed_on and self._begins(name, value):
                return
            else:
                self.scope.assign(s.keyword, s.target, value)
                self.scope.now.pop(name if s.keyword != "let" else "", None)
        except ShapeError as error:
            raise error.about(s.value.place) from None

    def _without_chosen(self, s: tree.Equation) -> tree.Equation:
        """An equation with what truth values choose in the place of its names. Raises the error of one of which
        something has another value by now."""
        values = {name: value for name, (value, *_) in self.chosen.items()}
        for name in sorted(values.keys() & {*tree.mentioned(s.value)}):
            _, error, changed = self.chosen[name]
            if not changed.isdisjoint(tree.mentioned(values[name])):
                raise error
        for _, _, changed in self.chosen.values():
            changed.add(s.target.name)
        return replace(s, value=tree.put(s.value, values))

    def _is_updated(self, name: str, value: tree.Expr) -> bool:
        """Whether a line in a loop gives another value to what has one in it, or around it where that is unrolled: in
        loops of Python's whatever it is, in others one that is computed of it."""
        own, held = any(name in own for own in self.scope.locals), bool(self.scope.held(name))
        if isinstance(self.scope, BodyScope):
            return held and (self.python or not own) and name not in self.scope.stepped
        anew = self.scope.locals and name not in self.top.families and name in tree.mentioned(value)
        return held and (self.python or bool(anew and not own))

    def _value(self, s: tree.Equation) -> Node:
        at, name = evaluator(self.scope), s.target.name
        row = at.row(self.layers.put(s.value))
        if s.target.index is None:
            (self.scope.lists.add if at.is_list(s.value) else self.scope.lists.discard)(name)
        return row

    def _declare_layer(self, name: str, made: str, parameters: Parameters) -> None:
        for parameter, shape in parameters.items():
            self.array("param", self.top.claim(parameter), tree.ArrayItem(tree.Target(parameter), shape))
        if not parameters:
            self.top.remark(f"{name} is nn.{made}, which is random in training: it is read as in evaluation, where it "
                            "changes nothing")
            return
        shapes = [declared(p, self.model.params[p].shape) for p in parameters]
        self.top.remark(f"{name} is nn.{made}, its parameters are read as `param {', '.join(shapes)}`")

    def _defined_later(self, name: str) -> str:
        """That a name is only defined on this line or below, for an error message."""
        for s in tree.flat(self.statements):
            if s.line >= self.top.line and name in tree.defined(s):
                if s.line == self.top.line:
                    steps = isinstance(s, tree.Equation) and s.target.index is not None
                    hint = f": {name}[0], what it is before the first step, has no value above" if steps else ""
                    return f"{name!r} is defined in terms of itself{hint}"
                return f"{name!r} is used before it is defined on line {s.line}"
        return ""

    # -- loops
    def loop(self, s: tree.For) -> None:
        if s.by and s.variable in self.top.lines and not self._is_read_below(s):
            s = with_counter(s, self.top.another(s.variable))  # which in Python hides what has its name
        if s.variable in self.top.lines or s.variable in self.top.counters or s.variable in self.top.families:
            raise NameProblem(f"the loop counter {s.variable!r} is already a name")
        if isinstance(s.start, tree.Call) and s.start.function == "range":
            raise counted_from_zero(s, s.start)
        start, stop = self._bounds(s)
        around, self.python = self.python, s.by != 0
        if isinstance(start, sp.Integer) and isinstance(stop, sp.Integer):
            self.unroll(s, int(start), int(stop))
        elif abs(s.by) > 1:
            raise ModelError(f"a loop over a symbolic axis takes every step: write one over a slice, as in w[::{s.by}]")
        else:
            self.scan(s, start, stop)
        self.python = around

    def _bounds(self, s: tree.For) -> tuple[Any, Any]:
        return numbered(evaluate(s.start, self.scope)), numbered(evaluate(s.stop, self.scope))

    def _begins(self, name: str, row: Node) -> bool:
        """Give what a loop below hands on the name of the value before its first step: ``h[0]``, where h[t] are the
        steps. A result's name is that of the last one."""
        family = self.top.another(name) if name in self.results else name
        try:
            start, stop = self._bounds(self.handed_on[name])
        except ModelError:  # which the loop tells, unless lines above it say what they are
            return False
        if not _is_of_steps(start, stop) or (place := _before(start, stop)).is_negative:
            return False
        spelled = python_name(f"{family}[{place}]")
        if spelled in self.defined and self.model.graph.names.get(spelled) is not row:
            return False
        self.begun[name] = family
        self.top.now[name] = self.top.begin(family, place, row)
        return True

    def _is_read_below(self, s: tree.For) -> bool:
        """Whether a name that a loop counts with is read below it."""
        end = max(e.line for e in tree.flat([s]))
        return any(s.variable in _reads(e) for e in tree.flat(self.statements) if e.line > end)

    def unroll(self, s: tree.For, start: int, stop: int) -> None:
        """The body once for every value of the counter; downwards when the range runs downwards."""
        step = s.by or (1 if stop >= start else -1)
        numbers = range(start, stop + (1 if step > 0 else -1), step)
        count = len(numbers) * max(1, sum(map(_least, s.body)))
        if count > MAX_UNROLLED:
            raise ModelError(f"the loop over {s.variable} is too long to unroll: it is {count} statements, of at most "
                             f"{MAX_UNROLLED}; use a symbolic axis, 1..T")
        self.top.from_zero |= {s.variable} if s.from_zero else set()
        rows, own = self._rows(s), dict[str, str]()
        for k in numbers:
            self.top.counters[s.variable] = k
            self.scope.locals.append({})
            places = "_".join(map(letters, self.top.counters.values())) if rows else ""
            others = {name: f"{name}_{places}" for name in rows if k != numbers[-1]}
            values = {name: tree.Name(other) for name, other in others.items()}
            for inner in s.body:
                self.apply(tree.called_so(inner, values, others) if others else inner)
            own = self.scope.locals.pop()
        for name, other in own.items() if s.by else ():
            self.scope.stands_for(name, other)
        self.top.counters.pop(s.variable, None)
        self.top.from_zero.discard(s.variable)
        if s.from_zero and not self.top.locals and [*sorted(numbers)] == [*range(1, len(numbers) + 1)]:
            targets = [e.target for e in tree.equations(s.body)]
            self.top.listed |= {to.name: sorted(numbers) for to in targets if to.index == tree.Name(s.variable)}

    def _rows(self, s: tree.For) -> set[str]:
        """What loops in the body of one of Python's give step by step, each step other ones."""
        inner = (e for loop in (tree.loops(s.body) if s.by else ()) for e in loop.body
                 if isinstance(e, tree.Equation) and e.target.index == tree.Name(loop.variable))
        return {e.target.name for e in inner} - self.top.families.keys() - self.top.lines.keys()

    def carried(self, s: tree.For, start: Any, stop: Any) -> tuple[tree.For, dict[str, str]]:
        """The loop with steps, h_2[t], of what it gives to a name that has a value before it and is read in it first:
        ``h = tanh(x[t] + h @ W)``; and what these are called."""
        if not _is_of_steps(start, stop):
            return s, {}
        names = [name for name in _handed_on(s) if self.scope.held(name)]
        families = {name: self.begun.get(name) or self.top.another(name) for name in names}
        up = not runs_down(start, stop)
        body = Carrying(families, tree.Name(s.variable), up, self.top.another).body(s.body)
        for name in names:
            if not self.begun.pop(name, ""):
                self.scope.begins(families[name], _before(start, stop), name)
        return replace(s, body=tuple(body)) if names else s, families

    def scan(self, s: tree.For, start: Any, stop: Any) -> None:
        """The body once, as the body of a scan."""
        outside = self.scope
        plain = dict.fromkeys(e.target.name for e in tree.equations(s.body) if e.target.index is None)
        s, carried = self.carried(s, start, stop)
        self.scope = body = BodyScope(outside, self.top, s, start, stop)
        try:
            for inner in s.body:
                self.apply(inner)
            self.scope = outside
            with located(f"{self.source}:{s.line}"):
                body.close()
            steps = {name: family for name in plain
                     if (family := carried.get(name) or body.now.get(name, name)) in outside.loops}
            for name, family in steps.items():
                self._go_on_behind(s, name, family, stop, name in carried)
        except ShapeError as error:
            error.message += body.begun_with_numbers()
            error.args = (error.message,)
            raise

    def _go_on_behind(self, s: tree.For, name: str, family: str, stop: sp.Expr, handed_on: bool) -> None:
        """What a name, whose steps are ``family``, is behind a loop: its last step where the loop hands it on and in
        Python, else all of them."""
        if s.by or handed_on:
            last = self.scope.end(name, family, stop)
            if handed_on and self.scope is self.top:
                self.model.remark(f"{self.source}:{s.line}: {name} is {family}[{s.variable}] in this loop, and {last} "
                                  "below it")
        elif family != name:
            self.scope.stands_for(name, family)


_RULES: dict[type, Callable[[Builder, Any], None]] = {
    tree.Arrays: Builder.arrays,
    tree.Named: Builder.named,
    tree.Notate: Builder.notate,
    tree.Equation: Builder.equation,
    tree.For: Builder.loop,
    tree.Said: lambda builder, s: builder.top.remark(s.text),
    tree.Shared: Builder.shared,
    tree.Written: lambda builder, s: setattr(builder.top, "language", s.language),
}


def _with_result(name: str, other: str, line: str, place: Place) -> str:
    """The line with another name for its result."""
    return re.sub(rf"\b{name}(?=\s*=)", other, line, count=1)


def _least(s: tree.Statement) -> int:
    """How many statements one is at least, loops unrolled."""
    if not isinstance(s, tree.For):
        return 1
    match s.start, s.stop:
        case tree.Number(first), tree.Number(last):
            return 1 + (abs(int(last - first)) + 1) * sum(map(_least, s.body))
    return 1


def _handed_on(s: tree.For) -> list[str]:
    """The names that each step of a loop reads before it gives them a value."""
    equations = [*tree.equations(s.body)]
    plain = dict.fromkeys(e.target.name for e in equations if e.target.index is None)
    read, first = set[str](), dict[str, bool]()
    for e in equations:
        read.update(tree.mentioned(e.value))
        first.setdefault(e.target.name, e.target.name in read)
    stepped = steps_read(equations, s.variable)
    return [name for name in plain if first[name] and name not in stepped]


def _is_of_steps(start: Any, stop: Any) -> bool:
    """Whether bounds are those of a loop over a symbolic axis."""
    bounds = [bound for bound in (start, stop) if isinstance(bound, sp.Expr)]
    return len(bounds) == 2 and not all(bound.is_Integer for bound in bounds)


def _before(start: sp.Expr, stop: sp.Expr) -> sp.Expr:
    """The place before the first step."""
    return start + 1 if runs_down(start, stop) else start - 1


def _reads(s: tree.Statement) -> Iterator[str]:
    """The names that a statement reads, loops with all that is in them."""
    for inner in tree.flat([s]):
        if isinstance(inner, tree.Notate):
            yield inner.target.name
        yield from tree.mentioned(inner)


def _calls(s: tree.Statement) -> Iterator[str]:
    """The functions that a statement calls, loops with all that is in them."""
    whole = [part for inner in tree.flat([s]) for one in tree.parts(inner) for part in tree.all_parts(one)]
    yield from (part.function for part in whole if isinstance(part, tree.Call))


def _counts_steps(s: tree.For) -> bool:
    """Whether the counter of a loop only says which step is read, x[t]: another number would be another value."""
    parts = tree.inside(s.body)
    steps = [item for part in parts if isinstance(part, tree.Index) for item in part.items
             if tree.ahead(item, s.variable) is not None]
    return parts.count(tree.Name(s.variable)) == len(steps)


def counted_from_zero(s: tree.For, steps: tree.Call) -> SyntaxProblem:
    up = not steps.options and (len(steps.args) == 1 or steps.args[:1] == (tree.ONE,))  # others have other steps
    last = {tree.Number: "value", tree.Name: "name"}.get(type(s.stop), "") if up and _counts_steps(s) else ""
    return SyntaxProblem("range counts from 0 and leaves its last number out; a loop is written `for t in 1..T:`, "
                         "and h[t-1] is the value before", place=steps.place,
                         instead=f"1..{getattr(s.stop, last)}" if last else "")


@contextmanager
def located(where: str) -> Iterator[None]:
    """Errors raised inside are the user's, at this place."""
    try:
        yield
    except ModelError as error:
        raise error.at(where) from None
    except (ZeroDivisionError, OverflowError) as error:
        raise ModelError(str(error), where) from None
    except RecursionError:
        raise ModelError(TOO_DEEP, where) from None


def conventions(statements: Sequence[tree.Statement], where: str, errors: list[ModelError]) -> Mapping[str, sp.Expr]:
    """What ``convention NAME = number`` lines set; they hold for the whole text. What is wrong is added to errors."""
    found: dict[str, sp.Expr] = {}
    for s in tree.flat(statements):
        if isinstance(s, tree.Named) and s.keyword == "convention":
            for name, expr in s.items:
                assert expr is not None
                try:
                    found[name] = _convention(name, expr)
                except ModelError as error:
                    error.line = s.line
                    errors.append(error.at(f"{where}:{s.line}"))
    return found


def _convention(name: str, expr: tree.Expr) -> sp.Expr:
    if name != "relu0":
        raise NameProblem(f"there is no convention {name[:40]!r}, only relu0, the derivative of relu at 0",
                          near=name, instead="relu0")
    value = evaluate(expr, ModelScope(Model()))
    if value not in (0, 1, sp.Rational(1, 2)):
        raise ModelError(f"relu0 is 0, 1 or 0.5, not {short(value)}")
    return value


def size_of(expr: tree.Expr, scope: Scope) -> sp.Expr:
    """A size: a positive whole number, which may have a name, or an expression in dimensions."""
    others = [n for n in tree.mentioned(expr) if n not in scope.model.sizes and n not in scope.counters]
    rows = {name: row for name in others if (row := scope.own(name)) is not None}
    numbers = {name: tree.Number(number) for name, row in rows.items() if (number := number_of(row)) is not None}
    for name in others:
        if name not in numbers:
            raise _not_a_dimension(name, scope).about(expr.place)
    value = evaluate(tree.put(expr, numbers) if numbers else expr, scope)
    if not isinstance(value, sp.Expr) or (value.is_integer is False and not value.free_symbols):
        raise ModelError(f"a size is a whole number or made of dimensions, not {short(value)}")
    if value.is_positive is False:
        raise ModelError(f"a size has to be positive, not {short(value)}")
    if value.is_Integer and value > MAX_DIM:
        raise ModelError(f"the size {short(value)} is larger than {MAX_DIM}")
    return value


def _not_a_dimension(name: str, scope: Scope) -> NameProblem:
    if name in scope.graph.names:
        return NameProblem(f"{name!r} is an array, not a dimension")
    parts = name.split("x")
    if len(parts) > 1 and all(part.isdigit() or part in scope.model.sizes for part in parts):
        return NameProblem(f"{name!r} is one word: sizes are written apart", instead=" x ".join(parts))
    near = nearest(name[:40], scope.model.sizes)
    says = f"the dimension {name[:40]!r} is not declared; write `dim {name[:40]}` above.{suggested(near)}"
    unknown = name.isidentifier() and isinstance(scope, ModelScope) and not scope.defined_later(name)
    return NotDeclared(says, instead=[near] if near else [partial(with_dimension, name)] if unknown else ())


class Defined:
    """The function of one number that is put in the place of an abstract one: ``tanh``, or a formula over one name such
    as ``x*sigmoid(x)``. Raises `UsageError` for what is none, or works on more than one entry."""

    def __init__(self, name: str, text: str, model: Model) -> None:
        self.model = model
        try:
            found = one_formula(text)
            found = tree.Call(found.name, (tree.Name("x"),), ()) if isinstance(found, tree.Name) else found
            names = [n for n in dict.fromkeys(tree.mentioned(found)) if n != PI]
            if len(names) != 1:
                raise ModelError("it is a function or a formula over one name, as in f=tanh or f=x*sigmoid(x)")
            self.argument = names[0]
            self.formulas: list[tree.Expr] = [found]
            self._check(*self._trial((2, 3)))
        except ModelError as error:
            raise UsageError(f"define {name}={text}: {error.message}") from None

    def __call__(self, x: Any, order: int = 0) -> Node:
        """The derivative of that order at ``x``, which is computed once."""
        while len(self.formulas) <= order:
            argument, row = self._trial(())
            self.formulas.append(one_formula(ModelText({}).right(grad(row, [argument])[0])))
        scope = ModelScope(self.model, {self.argument: whole(self.model.graph.lift(x))})
        return Evaluator(scope).row(self.formulas[order])

    def _trial(self, shape: tuple[int, ...]) -> tuple[Node, Node]:
        """The last formula that is known, alone in a model: its argument and its value."""
        alone = Model(relu0=self.model.graph.relu0)
        argument = alone.data(self.argument, shape)
        return argument, Evaluator(ModelScope(alone)).row(self.formulas[-1])

    def _check(self, argument: Node, value: Node) -> None:
        rows = value.graph.topological([value])
        entrywise = all(r.is_leaf or r.value is not None or r.form is not None or is_repeated(r) for r in rows)
        if value.shape != argument.shape or not entrywise:
            raise ModelError("a function of every entry by itself is expected")
