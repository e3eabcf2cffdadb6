"""Functions that a pasted text defines for itself, ``def relu(x):``, ``f = lambda z: …`` and ``f(z) = …``: what they
return stands in the place of every call, behind their lines where these are loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain, count, dropwhile, pairwise, takewhile

import sympy as sp

from symbackprop.core.scalars import TABLE
from symbackprop.errors import Place
from symbackprop.model.text import classes, lambdas, tree
from symbackprop.model.text.branches import MAX_NODES, RETURN, Values, decided, holds, is_word
from symbackprop.model.text.classes import Class
from symbackprop.model.text.dialect import distribution
from symbackprop.model.text.expressions import WORDS, expression, formula_of
from symbackprop.model.text.imports import imported, named
from symbackprop.model.text.in_place import changed_parameters, names_of
from symbackprop.model.text.keys import Keys, folded, is_dict
from symbackprop.model.text.meant_lines import left_out
from symbackprop.model.text.tokens import END, NAME, STRING, TEXT, Cursor, Line, Token, ended, problem
from symbackprop.model.text.writing import closing, items, letters
from symbackprop.patterns import lazy
from symbackprop.records import record

_MADE = "__init__"  # whose lines are read where they stand
_DEEPEST, _MOST_LINES = 8, 2_000  # calls in calls, and lines that all calls have
_PLAIN = (tree.Name, tree.Number, tree.Negative, tree.Word, tree.String, tree.Function, tree.Tuple, tree.Member)
_NONE = Token(END, "")
_OF_LOSS = lazy(r"loss|cost|objective|nll|likelihood|energy")  # names of functions of which a model is
_IDLE = ("print", "assert")  # what lines begin with of which nothing is read


@record(frozen=True)
class Head:
    """What a helper is called and takes, with what an argument is that is left out; and its value where the head has
    it."""

    line: int
    name: str
    parameters: Mapping[str, tree.Expr | None]
    value: tree.Expr | None
    inside: bool = False  # of another one
    changes: frozenset[str] = frozenset()  # the parameters whose numbers it changes
    body: tuple[tree.Statement, ...] = ()  # its lines, where they are more than formulas


class Helpers:
    """The helpers of a text: functions that are defined in it and called further down."""

    def __init__(self, lines: Sequence[Line], keys: Keys, is_read: Callable[[str], bool]) -> None:
        self.lines, self.depth, self.keys, self.is_read = lines, 0, keys, is_read
        self.words: dict[str, tree.Expr] = {}  # what names are that are strings, True or False, or distributions
        self.branches = 0  # around a line
        self.given_later = 0  # helpers around what is read of which it is not known yet what they are given
        self.imported = imported(lines)
        self.known: dict[str, tuple[Head, tree.Expr]] = {}
        self.values: dict[str, tree.Expr] = {}  # of those that are known, with what they call
        self.asking = set[str]()  # those of them that ask what is None
        self.opened: list[str] = []
        self.outside: list[dict[str, tuple[Head, tree.Expr]]] = []  # of each class around a line, the helpers around it
        self.assigned: dict[str, int] = {}
        self.inside: list[bool] = []  # of each class around a line, whether objects of it are made
        self.initial: Mapping[str, tree.Expr | None] = {}  # what the class that is read is made of
        self.bodies: dict[str, tuple[Class, Mapping[str, tuple[Head, tree.Expr]]]] = {}  # of classes, and methods
        self.objects: dict[str, tuple[Mapping[str, tree.Expr], Mapping[str, str]]] = {}  # what each has, and methods
        self.changing: dict[str, str] = {}  # of methods those that change what they read, and what that is
        self.changed = set[str]()  # the names whose numbers calls change that are being put in place
        self.taken = set[str]()  # by functions whose lines are read as they stand
        self.results: dict[tuple[tree.Call, Place | None], tree.Expr] = {}  # of calls on the line that is read
        self.have_loops = False  # helpers that are known
        self.free: dict[str, Iterator[str]] = {}  # the names that are left for one of a function's own
        self.lines_put = 0  # of functions, in front of lines that call these

    @cached_property
    def calls(self) -> Mapping[str, Sequence[int]]:
        """The lines on which a name is called."""
        found: dict[str, list[int]] = {}
        read = takewhile(lambda line: line.tokens[1].text != "__name__", self.lines)
        for k, line in [(k, line) for k, line in enumerate(read) if line.tokens[0].text not in _IDLE]:
            tokens = line.tokens[_begun(line) :]
            for before, a, b in zip((_NONE, *tokens), tokens, tokens[1:], strict=False):
                called = b if a.is_sign("(") else a if b.is_sign("(") else None  # in map(f) too
                if called is not None and called.kind == NAME and not (
                        before.text in lambdas.GRADIENTS and _gives_gradients(line)):
                    found.setdefault(called.text, []).append(k)
        made = [token for line in self.lines for token, equal, of in zip(line.tokens, line.tokens[1:], line.tokens[2:],
                strict=False) if equal.is_sign("=") and of.text in self.classes]
        for name in made:
            found.setdefault(tree.FORWARD, []).extend(found.get(name.text, ()))
        return {name: places for name, places in found.items() if name != _MADE}

    @cached_property
    def names(self) -> set[str]:
        """All names of a text."""
        return {token.text for line in self.lines for token in line.tokens if token.kind == NAME}

    @cached_property
    def classes(self) -> set[str]:
        """The classes of a text, whose objects compute what their forward does."""
        return {line.tokens[1].text for line in self.lines if line.tokens[0].text == "class"}

    @cached_property
    def last_heads(self) -> Mapping[str, int]:
        """The last line on which a function of that name begins."""
        return {line.tokens[_begun(line) - 1].text: k for k, line in enumerate(self.lines) if _begun(line)}

    @cached_property
    def made(self) -> set[str]:
        """The classes of which objects are made, or others."""
        return {a.text for line in self.lines if line.tokens[0].text != "class" for a, b in pairwise(line.tokens)
                if b.is_sign("(")} & self.classes | {
            token.text for line in self.lines if line.tokens[0].text == "class" for token in line.tokens[3:]}

    def open(self, name: str) -> bool:
        """Where a class begins: whether anything is read of it, as of one that is made, or where none is."""
        reads = name in self.made or self.made.isdisjoint(self.classes)
        self.outside += [dict(self.known)] * reads
        self.inside += [any(token.text == name and before.is_sign("=") for line in self.lines
                            for before, token in pairwise(line.tokens))] * reads
        return reads

    def begin(self, tokens: Sequence[Token]) -> bool:
        """Where a function begins that nothing calls: whether its lines say something. What a class is made of is kept
        where ``__init__`` does."""
        if self._is_beside_a_loss(tokens[1]):
            return False
        if tokens[1].text != _MADE:
            self.taken |= {token.text for before, token in pairwise(tokens) if before.is_sign("(", ",")}
            usual = _parameters(tokens[2:]) if any(t.kind == STRING or t.text in WORDS for t in tokens) else {}
            self.words |= {name: value for name, value in (usual or {}).items() if value and is_word(value)}
            known = tokens[1].text in TABLE or tokens[1].text == "softmax"
            return not (self.inside and self.inside[-1]) and not (known and self._is_beside_others(tokens[0].line))
        self.initial = _parameters(tokens[2:]) or {}
        return True

    def _is_beside_a_loss(self, name: Token) -> bool:
        """Whether what the model computes stands outside of a function that nothing calls, or in another one."""
        if self.inside:
            beside = next((k for k in self._classes[::-1] if self.lines[k].number < name.line), 0)
            end = self._end(beside)
            methods = {self.lines[k].tokens[1].text for k in self._heads if beside < k < end}
            uncalled = {method for method in methods if not self.calls.get(method)}
            return tree.FORWARD in uncalled and name.text in uncalled - {tree.FORWARD, _MADE}
        indent = next((self.lines[k].indent for k in self._heads if self.lines[k].number == name.line), "")
        losses = self._loss_functions.get(indent, set())
        return not self.depth and (
            indent in self._losses_outside or (len(losses) == 1 and name.text not in losses))

    @cached_property
    def _loss_functions(self) -> Mapping[str, set[str]]:
        """By how far they are indented, the functions whose names say that they are losses, and that nothing calls."""
        found: dict[str, set[str]] = {}
        for k in self._heads:
            name = self.lines[k].tokens[1].text
            if _OF_LOSS.search(name) and not self.calls.get(name):
                found.setdefault(self.lines[k].indent, set()).add(name)
        return found

    @cached_property
    def _heads(self) -> Sequence[int]:
        return [k for k, line in enumerate(self.lines) if line.tokens[0].text == "def"]

    @cached_property
    def _classes(self) -> Sequence[int]:
        return [k for k, line in enumerate(self.lines) if line.tokens[0].text == "class"]

    @cached_property
    def _losses_outside(self) -> set[str]:
        """How far lines are indented that give a loss outside of all functions."""
        inside = {k for head in self._heads for k in range(head, self._end(head))}
        return {line.indent for k, line in enumerate(self.lines) if k not in inside and line.tokens[0].text == "loss"
                and (line.tokens[1].kind == NAME or line.tokens[1].is_sign("="))}

    def _is_beside_others(self, line: int) -> bool:
        """Whether lines stand outside of the function that begins on a line."""
        place = next(k for k, other in enumerate(self.lines) if other.number == line)
        others = [*self.lines[:place], *self.lines[self._end(place) :]]
        return any(other.tokens[0].text not in ("import", "from") for other in others)

    def close(self, line: int, name: str, body: Sequence[tree.Statement], is_module: bool) -> bool:
        """What stands in a class, and what its methods return, belong to that; whether objects of it are made."""
        around = self.outside.pop()
        if not self.inside.pop():
            return False
        methods = {method: found for method, found in self.known.items() if around.get(method) is not found}
        self.known = {method: around.get(method, found) for method, found in self.known.items()
                      if method in around or method not in methods}
        self.bodies[name] = Class(line, self.initial, body, is_module, self.uses[name] > 1), methods
        self.initial = {}
        return True

    @cached_property
    def uses(self) -> Counter[str]:
        """How often each class is called."""
        return Counter(a.text for line in self.lines for a, b in pairwise(line.tokens)
                       if a.text in self.classes and b.is_sign("(") and line.tokens[0].text != "class")

    def make(self, made: Token, name: str, call: tree.Call, dims: Sequence[str]) -> Sequence[tree.Statement]:
        """An object of a class, which is called by its name, and what it consists of. Raises a `SyntaxProblem` for one
        of a class below."""
        if made.text not in self.bodies:
            raise made.problem(f"{made.text} has to be a class above")
        of, methods = self.bodies[made.text]
        given = _arguments(Head(of.line, made.text, of.parameters, None), call)
        body, own = classes.made(of, name, given, [*dims, *self.initial], self._outside(of.line))
        called = {method: f"{name}.{method}" for method in methods}
        self.objects[name] = own, called
        for method, found in methods.items():
            head, value = _changed(found, partial(classes.of_object, own=own, methods=called))
            self.known[called[method]] = replace(head, name=called[method]), value
            read = {*tree.mentioned(value)}
            changed = [attribute for attribute in own if f"self_{attribute}" in read]
            self.changing |= dict.fromkeys([called[method]] * bool(changed), "".join(changed[:1]))
        self.known |= {name: self.known[called[tree.FORWARD]]} if tree.FORWARD in called else {}
        self.values.clear()
        return body

    def head(self, place: int) -> Head | None:
        """The head of the helper that begins on a line; None where none does."""
        line, begun = self.lines[place], _begun(self.lines[place])
        tokens, name, defines = line.tokens, line.tokens[begun - 1], begun == len(("def", "f"))
        if not begun or all(place < k < self._end(place) for k in self.calls.get(name.text, ())):
            return None
        if defines:
            return self._with_parameters(line, name, tokens[2:], ":")
        if tokens[1].is_sign("="):
            return self._without_name(line, name)
        return self._with_parameters(line, name, tokens[1:], "=") if tokens[1].is_sign("(") else None

    def _end(self, place: int) -> int:
        """The first line behind the body of a function that begins on a line."""
        own, rest = self.lines[place].indent, range(place + 1, len(self.lines))
        return next((k for k in rest if len(self.lines[k].indent) <= len(own)), len(self.lines))

    def _with_parameters(self, line: Line, name: Token, tokens: Sequence[Token], sign: str) -> Head | None:
        """The head whose parameters stand in brackets; what types they are is passed over."""
        end = closing(tokens, 0)
        behind = next((k for k, token in enumerate(tokens) if k > end and token.is_sign(sign)), 0)
        if not end or not behind or (sign == "=" and behind != end + 1):
            return None
        rest = tokens[behind + 1 :]
        if rest[0].kind == END:
            value = None
        else:
            rest = rest[1:] if rest[0].text == RETURN else rest
            value = formula_of(tuple(rest))
        parameters = _parameters(tokens)
        return None if parameters is None else Head(line.number, name.text, parameters, value, self.depth > 0)

    def _without_name(self, line: Line, name: Token) -> Head | None:
        """Of ``f = lambda z: …``, perhaps in what makes another function of it."""
        function = lambdas.unwrapped(formula_of(line.tokens[2:]))
        if not isinstance(function, tree.Function):
            return None
        return Head(line.number, name.text, dict(function.parameters), function.value, self.depth > 0)

    def take(self, head: Head, body: Sequence[tree.Statement]) -> Sequence[tree.Statement]:
        """Keep a helper, and say so. Raises a `SyntaxProblem` for one that is more than formulas."""
        found = Values()
        if any(isinstance(s, tree.Equation) and s.target.name == RETURN for s in body[:-1]):
            raise problem(f"{head.name} returns before its last line: `return …` stands there alone", head.line)
        lines = tuple([s for s in body if not isinstance(s, tree.Said)])
        if any(not isinstance(s, tree.Equation) or s.target.index is not None for s in lines):
            return self._take_lines(head, lines)
        for s in lines:
            if isinstance(s, tree.Equation):
                found.give(s.target.name, s.value, s.line)
        value = named(head.value, self.imported) if head.value is not None else found.get(RETURN)
        if value is None:
            raise problem(f"{head.name} returns nothing: its last line is `return …`", head.line)
        self.known = {name: found for name, found in self.known.items() if self.depth or not found[0].inside}
        changes = changed_parameters([s for s in body if isinstance(s, tree.Equation)], head.parameters)
        head = replace(head, changes=frozenset(changes))
        self.known[head.name] = head, self.inlined(value) if self.depth else value
        self.values.clear()
        return [tree.Said(head.line, f"what {head.name} returns stands in the place of each call of it")]

    def _take_lines(self, head: Head, body: Sequence[tree.Statement]) -> Sequence[tree.Statement]:
        """Keep a helper with loops. Raises a `SyntaxProblem` for one of which something else stands in its lines."""
        last, own = body[-1], [s for s in body if not isinstance(s, (tree.Equation, tree.For))]
        returns = [e for e in tree.equations(body) if e.target.name == RETURN]
        if own or self.depth or not isinstance(last, tree.Equation) or returns != [last]:
            raise problem(f"{head.name} is more than formulas and loops: write what it computes where it is called",
                          own[0].line if own else head.line)
        self.known[head.name], self.have_loops = (replace(head, body=tuple(body[:-1])), last.value), True
        self.values.clear()
        return [tree.Said(head.line, f"the lines of {head.name} stand in front of each line that calls it")]

    def put(self, statements: Sequence[tree.Statement]) -> list[tree.Statement]:
        """The statements of a line with what helpers return in the place of their calls, behind what these compute in
        loops."""
        self.results.clear()
        return [*chain.from_iterable(map(self._put, statements))]

    def _put(self, statement: tree.Statement) -> Sequence[tree.Statement]:
        if not isinstance(statement, tree.Equation):
            return [statement]
        self.changed = set()
        value, before = self.inlined(named(statement.value, self.imported)), list[tree.Statement]()
        value = self._behind(value, before) if self.have_loops and not self.depth else value
        value = self.now(value)
        if self.changed or value is not statement.value:
            statement = replace(statement, value=value, changes=(*statement.changes, *sorted(self.changed)))
        if not self.depth:
            self.assigned[statement.target.name] = statement.line
            self.values.clear()
            return [*before, *self._with_keys(statement)]
        return [*before, statement]

    def now(self, expr: tree.Expr) -> tree.Expr:
        """An expression with the strings that names are, and with what stands under keys; in a helper as it is."""
        if self.depth:
            return expr
        expr = self.keys.under(expr)
        return decided(tree.put(expr, self.words)) if self.words else expr

    def forget(self, changed: Set[str]) -> None:
        """Names that change, and those that are made of such, stand for nothing more."""
        if self.words:
            self.words = {name: word for name, word in self.words.items()
                          if changed.isdisjoint((name, *tree.mentioned(word)))}

    def _with_keys(self, s: tree.Equation) -> Sequence[tree.Statement]:
        """An equation that gives an array a name, or those for what a dict has; of a string nothing but that."""
        name, value = s.target.name, s.value
        if s.target.index is not None or s.keyword != "let":
            return [s]
        self.forget({name})
        word = None if self.branches else value if is_word(value) else distribution(value)
        if word is not None:
            what = "word" if is_word(value) else "distribution"
            self.words[name] = word
            return [tree.Said(s.line, f"{name} is a {what}, which stands in its place")]
        if not is_dict(value) or not value.options:
            return [s]
        if not (self.is_read(name) or self.keys.are_of(name)):
            return [tree.Said(s.line, f"{name} is passed over: no formula reads it")]
        return [*chain.from_iterable(map(self._put, self.keys.given(name, value, s.line)))]

    def behind_loops(self, expr: tree.Expr) -> tuple[tree.Expr, Sequence[tree.Statement]]:
        """An expression with what helpers with loops return, and the lines that compute it."""
        before = list[tree.Statement]()
        return self._behind(expr, before), before

    def _behind(self, expr: tree.Expr, before: list[tree.Statement]) -> tree.Expr:
        expr = tree.changed(expr, lambda part: self._behind(part, before))
        match expr:
            case tree.Index(tree.Tuple(items), (tree.Number(sp.Integer() as place),)) if 0 <= place < len(items):
                return items[int(place)]
            case tree.Call(name) if name in self.known and self.known[name][0].body:
                if (expr, expr.place) not in self.results:
                    self.results[expr, expr.place] = self._lines_of(expr, before)
                return self.results[expr, expr.place]
        return expr

    def _lines_of(self, call: tree.Call, before: list[tree.Statement]) -> tree.Expr:
        """What a call returns; the lines that compute it, under names of their own, are put ``before``."""
        (head, value), line = self.known[call.function], call.place.line if call.place else 0
        if head.name in self.opened or len(self.opened) > _DEEPEST:
            raise problem(f"{head.name} calls itself: write a loop, `for t in 1..T:`", head.line)
        self.lines_put += len([*tree.flat(head.body)])
        if self.lines_put > _MOST_LINES:
            raise problem(f"{head.name} is called too often: its lines stand in front of each call, in all more than "
                          f"{_MOST_LINES}", line or head.line)
        own = dict.fromkeys([*[e.target.name for e in tree.equations(head.body)],
                             *[loop.variable for loop in tree.loops(head.body)]])
        names, values = {name: self._free(name, head) for name in own}, dict[str, tree.Expr]()
        for name, argument in _arguments(head, call).items():
            values[name] = argument
            if name in own or not isinstance(argument, _PLAIN):
                names[name] = names.get(name) or self._free(name, head)
                before.append(tree.Equation(line or head.line, "let", tree.Target(names[name]), argument))
        values |= {name: tree.Name(other) for name, other in names.items()}
        self.opened.append(head.name)
        try:
            before += chain.from_iterable([self._again(tree.called_so(s, values, names)) for s in head.body])
            returned, more = self.behind_loops(self.inlined(named(tree.put(value, values), self.imported)))
        finally:
            self.opened.pop()
        before += more
        return replace(returned, place=call.place, written=returned.written or value.place)

    def _again(self, s: tree.Statement) -> Sequence[tree.Statement]:
        """A line of a helper with what helpers return that it calls."""
        if isinstance(s, tree.For):
            return [replace(s, body=tuple(chain.from_iterable(map(self._again, s.body))))]
        return self._put(s)

    def _free(self, name: str, head: Head) -> str:
        """A name for one of a helper's own: that, where no line has it outside of the helper, and no call before."""
        if name not in self.free:
            others = (other for k in count(1) if (other := f"{name}_{letters(k)}") not in self.names)
            self.free[name] = chain([name] * (name not in self._outside(head.line)), others)
        return next(self.free[name])

    def _outside(self, number: int) -> set[str]:
        """The names that stand on lines outside of the function or class that begins on one."""
        place = next((k for k, line in enumerate(self.lines) if line.number == number), 0)
        others = (*self.lines[:place], *self.lines[self._end(place) :])
        return {token.text for line in others for before, token in pairwise((_NONE, *line.tokens))
                if token.kind == NAME and not before.is_sign(".")}

    def inlined(self, expr: tree.Expr) -> tree.Expr:
        """An expression with what helpers return in the place of their calls; in a helper, of those that are its own:
        what others are is known when it is called, as in Python."""
        if not self.last_heads:
            return expr
        expr = tree.changed(expr, self.inlined)
        match expr:
            case tree.Member(tree.Name(base), name, args, options) if base in self.objects and (
                    name in self.objects[base][args is not None]):
                own, methods = self.objects[base]
                expr = own[name] if args is None else tree.Call(methods[name], args, options, place=expr.place)
            case tree.Member(tree.Name(base), name, tuple() as args, options) if name in self.known and (
                    (base == "self" and not self.depth) or base in self.objects):
                expr = tree.Call(name, args, options, place=expr.place)
            case tree.Call(name) if name in self.objects and name not in self.known:
                raise problem(f"{name} is an object of a class without forward or __call__",
                              expr.place.line if expr.place else 0, name, expr.place)
        if not isinstance(expr, tree.Call) or not self._is_called(expr) or self.known[expr.function][0].body:
            return expr
        head, value = self._now(expr)
        arguments, uses = _arguments(head, expr), [*tree.mentioned(value)]
        self._refuse_changed(head, [a for n, a in arguments.items() if a is head.parameters[n]], expr)
        if tree.count_nodes(value) + sum(uses.count(n) * tree.count_nodes(a) for n, a in arguments.items()) > MAX_NODES:
            raise problem(f"{head.name} is called within calls of it too often: give a part of them a name",
                          expr.place.line if expr.place else head.line)
        self.changed |= {name for n in head.changes for name in names_of(arguments[n])}
        found = tree.put(value, arguments)
        found = folded(found) if self.keys.are_read else found
        found = decided(found) if head.name in self.asking and not self.given_later else found
        return replace(found, place=expr.place, written=value.written or value.place)

    def _is_called(self, call: tree.Call) -> bool:
        """Whether a helper is called here. Raises a `SyntaxProblem` for one that begins further down."""
        below = self.lines[self.last_heads[call.function]].number if call.function in self.last_heads else 0
        if call.function not in self.known and not self.depth and call.place and below > call.place.line:
            raise problem(f"{call.function} is called above line {below}, where it is defined: define it first",
                          call.place.line, call.function, call.place)
        return call.function in self.known and (not self.depth or self.known[call.function][0].inside)

    def _refuse_changed(self, head: Head, usual: Sequence[tree.Expr], call: tree.Call) -> None:
        """Refuse arguments that are left out where their names have other values by now: Python keeps the old ones."""
        names = [n for argument in usual for n in tree.mentioned(argument) if self.assigned.get(n, 0) > head.line]
        if names:
            raise problem(f"{names[0]} has another value than on line {head.line}, where {head.name} takes it for an "
                          "argument that is left out: give that", call.place.line if call.place else head.line)

    def _now(self, call: tree.Call) -> tuple[Head, tree.Expr]:
        """The helper that is called, and what it returns with what it calls by now."""
        head, value = self.known[call.function]
        if head.name in self.changing:
            raise problem(f"{head.name} changes self.{self.changing[head.name]}, which it reads: write what it "
                          "computes on lines of their own", call.place.line if call.place else head.line,
                          place=call.place)
        if head.name in self.opened:
            raise problem(f"{head.name} calls itself: write a loop, `for t in 1..T:`", head.line)
        if head.name not in self.values:
            self.opened.append(head.name)
            before, self.changed = self.changed, set()
            self.given_later += 1
            try:
                self.values[head.name] = self.inlined(value)
                asks = any(_asks(part, head) for part in tree.all_parts(self.values[head.name]))
                self.asking |= {head.name} if asks else set()
                head = replace(head, changes=head.changes | (self.changed & head.parameters.keys()))
                self.known[head.name] = head, value
            finally:
                self.opened.pop()
                self.given_later -= 1
                self.changed = before
        return head, self.values[head.name]


def _asks(part: tree.Expr, head: Head) -> bool:
    """Whether a condition may be known when a helper is called: of None, of a string, or of what it is given alone."""
    match part:
        case tree.Compare(_, left, right):
            return holds(part) is not None or is_word(left) or is_word(right)
        case tree.Choice(_, (tree.Name(name) | tree.Call(_, (tree.Name(name),)), *_)):
            return name in head.parameters
    return False


def _changed(found: tuple[Head, tree.Expr], change: Callable[[tree.Expr], tree.Expr]) -> tuple[Head, tree.Expr]:
    """A helper with its formulas changed."""
    head, value = found
    return replace(head, body=tree.with_formulas(head.body, change)), change(value)


def _begun(line: Line) -> int:
    """How many tokens there are up to the name of the function that begins on a line; 0 where none does."""
    tokens = line.tokens
    if tokens[0].text == "def":
        return 2 if tokens[1].kind == NAME else 0
    of_names = tokens[1].is_sign("(") and tokens[min(closing(tokens, 1) + 1, len(tokens) - 1)].is_sign("=")
    written = "lambda" in map(TEXT, tokens) and tokens[1].is_sign("=")
    without_name = written and "lambda" in map(TEXT, takewhile(_is_of_a_path, tokens[2:]))
    return int(tokens[0].kind == NAME and (of_names or without_name))


def _gives_gradients(line: Line) -> bool:
    """Whether what a line gives names is a gradient and nothing else, ``g = jax.grad(f)(w)``."""
    value = [*dropwhile(lambda token: not token.is_sign("="), line.tokens)][1:]
    return not {*map(TEXT, takewhile(_is_of_a_path, value))}.isdisjoint(lambdas.GRADIENTS)


def _is_of_a_path(token: Token) -> bool:
    """Whether a token may stand in front of a function, as in ``np.vectorize(lambda …``."""
    return token.kind == NAME or token.is_sign(".", "(")


def _arguments(head: Head, call: tree.Call) -> dict[str, tree.Expr]:
    """What a call gives the parameters. Raises a `SyntaxProblem` for too few, too many or others."""
    given = dict(zip(head.parameters, call.args, strict=False)) | dict(call.options)
    found = {name: given.get(name, usual) for name, usual in head.parameters.items()}
    arguments = {name: argument for name, argument in found.items() if argument is not None}
    fits = len(call.args) <= len(head.parameters) and given.keys() <= head.parameters.keys()
    if not fits or arguments.keys() != found.keys():
        raise problem(f"{head.name} is defined on line {head.line} with ({', '.join(head.parameters)})",
                      call.place.line if call.place else head.line, head.name, call.place)
    return arguments


def _parameters(tokens: Sequence[Token]) -> Mapping[str, tree.Expr | None] | None:
    """The parameters between the brackets that open first, with their defaults; None where they are something else."""
    found: dict[str, tree.Expr | None] = {}
    for part in items(tokens[: closing(tokens, 0) + 1]):
        if not found and [token.text for token in part] in (["self"], ["cls"]):
            continue
        if [token.text for token in part] in (["*"], ["/"]):  # how what stands around it may be given
            continue
        typed = next((k for k, token in enumerate(part) if token.is_sign(":")), len(part))
        usual = next((k for k, token in enumerate(part) if token.is_sign("=")), len(part))
        if part[0].is_sign("*", "**"):
            raise part[0].problem("a function takes what its parameters name, and no more", (left_out,))
        if part[0].kind != NAME or min(typed, usual) != 1:
            return None
        found[part[0].text] = expression(Cursor(ended(part[usual + 1 :]))) if usual < len(part) else None
    return found
