"""Lines to statements: declarations, equations, loops."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from heapq import heapify, heappop, heappush
from itertools import accumulate, chain, count, pairwise, takewhile
from typing import TypeVar

import sympy as sp

from symbackprop.core.functions import FUNCTIONS
from symbackprop.core.graph import STATED
from symbackprop.core.scalars import TABLE
from symbackprop.errors import Meant, ModelError, Place, nearest, suggested
from symbackprop.model.text import branches, in_place, tree
from symbackprop.model.text.appended import refuse_unfinished, with_appended, with_layers
from symbackprop.model.text.backwards import filled_from_the_front
from symbackprop.model.text.branches import RESULT, RETURN, Branch, branch, holds, joined
from symbackprop.model.text.bundles import with_tuples, without_bundles
from symbackprop.model.text.calls_of_loops import with_loops
from symbackprop.model.text.characters import plain_latex, readable
from symbackprop.model.text.classes import as_declaration
from symbackprop.model.text.comprehensions import of_rows, written_out
from symbackprop.model.text.expressions import COMPARISONS, expression, formula_of, size
from symbackprop.model.text.filling import filled, rows_apart
from symbackprop.model.text.helpers import Helpers
from symbackprop.model.text.imports import is_import
from symbackprop.model.text.keys import Keys
from symbackprop.model.text.lambdas import GRADIENTS
from symbackprop.model.text.languages import as_read, language, with_its_signs, with_methods
from symbackprop.model.text.listed import with_lists
from symbackprop.model.text.lists_of_self import with_counts
from symbackprop.model.text.made_keys import with_made_keys
from symbackprop.model.text.mapped import mapped
from symbackprop.model.text.meant_lines import (
    OF_AXES,
    declared_instead,
    declared_so,
    in_reals,
    int_behind,
    left_out,
    loop_of_matlab,
    shape_behind,
    with_a_name,
    with_colon,
    with_x,
    without_prose,
    without_values,
)
from symbackprop.model.text.python_loops import BACKWARDS, NO_ENTRIES, NO_KEYS, counted_from_one
from symbackprop.model.text.tokens import (
    END,
    KIND,
    NAME,
    NUMBER,
    PYTHON_WORDS,
    SIGN,
    STRING,
    TEXT,
    TOO_DEEP,
    Cursor,
    Line,
    Token,
    ended,
    found,
    logical_lines,
    notes_on_lines,
    physical_lines,
    problem,
)
from symbackprop.model.text.wrapped import with_wrapped
from symbackprop.model.text.writing import closing, depths_of, given_names, words
from symbackprop.patterns import lazy

KEYWORDS = ("dim", "function", "data", "input", "param", "const", "convention", "loss", "output", "notation", "for")
_ALIASES = {
    "dims": "dim", "dimension": "dim", "dimensions": "dim", "functions": "function", "inputs": "input",
    "params": "param", "parameter": "param", "parameters": "param", "weight": "param", "weights": "param",
    "constant": "const", "constants": "const", "consts": "const", "size": "dim", "sizes": "dim",
}
_FLOATS = ("float", "float32", "float64", "double", "real", "scalar", "number")
_APART = "sizes are separated by x, and names by commas"
Item = TypeVar("Item")
MAX_NESTING = 8
_FOREIGN = {
    "let": "equations need no keyword: NAME = formula",
    "import": "nothing is imported: every function is at hand",
    "from": "nothing is imported: every function is at hand",
    "def": "functions cannot be defined here; declare the model in Python for that",
    "class": "there are no classes: write what forward computes, line by line, and `param W: …` for each weight; of "
             "PyTorch's `symbackprop import FILE.py:NAME` reads them",
    "while": "loops are written `for t in 1..T:`",
    **dict.fromkeys(("if", "elif", "else"), "there are no branches: write NAME = a if c else b"),
    "print": "nothing is executed; a line is a declaration or an equation",
}


def parse_statements(text: str) -> tuple[tuple[tree.Statement, ...], list[ModelError], set[str]]:
    """All statements of a text, what is wrong with lines of it that are none, and the names that these would give to
    something. A text that is indented as a whole is read as if it were not."""
    errors: list[ModelError] = []
    typed = physical_lines(text)
    lines = list(logical_lines(text, errors))
    with_its_signs(lines, language(text))
    try:
        reader = Reader(lines, errors)
    except ModelError as error:  # of how lines belong together
        return (), [*errors, error], set()
    if errors:
        reader.unread.update(*[_names_on_the_left(typed[error.line - 1]) for error in errors])
    first = reader.lines[0].indent if reader.lines else ""
    body = reader.block(first, 0)
    if reader.place < len(reader.lines):
        errors.append(problem("the indentation matches no line above", reader.lines[reader.place].number))
    notes = [tree.Said(line, told) for line, told in notes_on_lines(text).items()]
    try:
        return (*notes, *reader.notes, *counted(reader.keys.put(body), text)), errors, reader.unread
    except ModelError as error:
        return (), [*errors, error], reader.unread


def counted(body: Sequence[tree.Statement], text: str) -> tuple[tree.Statement, ...]:
    """The statements of a text with loops that count from 1, and entries that count from 0, whatever language they are
    in; in front of them what is told of what they change in place."""
    body = [*with_methods(in_place.with_shared(body, text), text)]
    body = counted_from_one([_without_itself(s) if isinstance(s, tree.Equation) else s for s in body])
    spoken = language(text)
    return body if spoken is None else as_read(body, spoken)


def _without_itself(s: tree.Equation) -> tree.Statement:
    """``W1 = params["W1"]`` and ``loss = None``, which say nothing, as what is told of it."""
    if _is_kept(s.value):
        return tree.Said(s.line, _KEPT.format(first=s.target.name))
    if s.value == _NOTHING:
        return tree.Said(s.line, _NONE.format(first=s.target.name))
    if not isinstance(s.value, tree.Name) or s.keyword != "let" or s.value != tree.Name(s.target.name):
        return s
    return tree.Said(s.line, _ITSELF.format(first=s.target.name))


def _is_kept(value: tree.Expr) -> bool:
    """Whether it is that one of several values which a function only keeps for its backward pass."""
    match value:
        case tree.Index(tree.Tuple(items), (tree.Number(sp.Integer() as place),)) if place < len(items):
            return items[int(place)] == _NOTHING or _is_kept(items[int(place)])
        case tree.Tuple((_, *_) as items):
            return all(map(_is_kept, items))
    return False


class Reader:
    """Reads blocks of equally indented lines."""

    def __init__(self, lines: list[Line], errors: list[ModelError]) -> None:
        self.lines, self.place, self.errors = lines, 0, errors
        self.notes: list[tree.Said] = []
        self.notes += [tree.Said(number, _WRAPPED) for number in with_wrapped(self.lines)]
        self.notes += [tree.Said(number, _BUNDLES) for number in without_bundles(self.lines)]
        mapped(self.lines)
        with_counts(self.lines)
        grow = {line.tokens[0].text for line in self.lines if [*map(TEXT, line.tokens[1:4])] == [".", "append", "("]}
        self.lines[:] = [line._replace(tokens=tuple(of_rows(line.tokens, grow))) for line in lines] if grow else lines
        if grow:
            refuse_unfinished(self.lines, grow)
        appended = [*with_layers(self.lines), *with_appended(self.lines)]
        listed = with_lists(self.lines)
        if listed and (more := with_appended(self.lines)):  # in the steps of loops over lists
            appended, listed = appended + more, listed + with_lists(self.lines)
        made = with_made_keys(self.lines)
        self._read_keys()
        self.notes += [tree.Said(number, _APPENDED) for number in appended]
        self.notes += [tree.Said(number, _ENTRIES) for number in listed]
        self.notes += [tree.Said(number, _STEPS) for number in made]
        self.notes += [tree.Said(number, _LOOPS) for number in with_loops(self.lines)]
        with_tuples(self.lines)
        self.notes += [tree.Said(number, _FRONT) for number in filled_from_the_front(self.lines)]
        self.notes += [tree.Said(number, _LISTS) for number in written_out(self.lines)]
        rows_apart(self.lines)
        self.notes += [tree.Said(number, _FILLED) for number in filled(self.lines)]
        self.unread: set[str] = set()
        self.given: dict[str, str] = {}  # the names so far, with the keywords of their lines
        self.members = set[str]()  # of these the names with an index, h[0] = x
        self.attributes = set[str]()  # of self, which the helper that is read has given values
        self.gradients = set[str]()  # what lines that are passed over make of functions
        self.kept = set[str]()  # what several things are called that are only returned
        self.counters: list[str] = []  # of the loops around the line that is read
        self.ranges: dict[str, tree.Expr] = {}  # of the loops around the line that is read, their last steps
        self.grows = set[str]()  # the lists that lines so far append to
        self.conditions = 0  # around the line that is read, in its loop
        self.helpers = Helpers(self.lines, self.keys, lambda name: name in self._computed_with)

    def _read_keys(self) -> None:
        """Put names in the place of ``params["W"]``, and say so once."""
        self.keys = Keys(self.lines)
        for k in [k for k, line in enumerate(self.lines) if STRING in map(KIND, line.tokens)]:
            line, self.lines[k] = self.lines[k], self.keys.line(self.lines[k])
            if self.lines[k] != line and not self.notes:
                self.notes.append(tree.Said(line.number, _KEYS))

    def block(self, indent: str, nesting: int) -> tuple[tree.Statement, ...]:
        body: list[tree.Statement] = []
        while self.place < len(self.lines) and (self.lines[self.place].indent == indent or self._goes_deeper(indent)):
            start = self.place
            try:
                read = self.statement(indent, nesting)
            except (ModelError, RecursionError) as error:
                deep = problem(TOO_DEEP, self.lines[start].number)
                self.errors.append(error if isinstance(error, ModelError) else deep)
                self._pass_over(indent)
                self.unread.update(*map(_names_given, self.lines[start : self.place]))
            else:
                body += read
        return tuple(body)

    def statement(self, indent: str, nesting: int) -> Sequence[tree.Statement]:
        """The next statement, with what helpers return in the place of their calls."""
        read = [_of_kinds(s, self.given) for s in self._next(indent, nesting)]
        self.given |= {name: keyword for s in read for name, keyword in _given_by(s)}
        self.members |= {target.name for s in read for target in tree.targets(s) if target.index is not None}
        return read

    def _next(self, indent: str, nesting: int) -> Sequence[tree.Statement]:
        line, self.place = self.lines[self.place], self.place + 1
        if line.indent != indent:
            raise problem("unexpected indentation: only the body of a loop is indented", line.number)
        head = self.helpers.head(self.place - 1)
        if head is None:
            read = self.helpers.put(self._statement(line, indent, nesting))
            return read if self.helpers.inside else [*chain.from_iterable(map(as_declaration, read))]
        _refuse_deep("functions", line.number, nesting)
        known = len(self.errors)
        self.helpers.depth += 1
        self.attributes = set()
        body = self._below(indent, nesting) if head.value is None else ()
        self.helpers.depth -= 1
        if len(self.errors) > known:  # nothing more is said of what it would return
            self.unread.add(head.name)
            return []
        return self.helpers.take(head, body)

    def _below(self, indent: str, nesting: int) -> tuple[tree.Statement, ...]:
        """The block that is indented below a line; nothing where there is none."""
        return self.block(self.lines[self.place].indent, nesting + 1) if self._goes_deeper(indent) else ()

    def _statement(self, line: Line, indent: str, nesting: int) -> Sequence[tree.Statement]:
        c = Cursor(self._with_attributes(_without_type(line.tokens)))
        first, second = c.now, c.after
        keyword = _ALIASES.get(first.text, first.text) if second.kind == NAME else first.text
        if first.kind == NAME and keyword in KEYWORDS and not second.is_sign("=", "[", ".", ",", *UPDATES) and not (
                second.kind == END and first.text in self.given):
            c.take()
            if keyword != "for":
                return [simple(c, keyword)]
            return self._of_training_loop(line.number, indent, nesting) or [self.loop(c, indent, nesting)]
        told = says_nothing(c) or self._of_gradients(c) or self._done_outside(c) or self._kept(c) or (
            self._is_decorator(c) * _DECORATOR)
        if told:
            self.gradients |= {*given_names(line)} if told == _GRADIENT else set()
            return [tree.Said(c.now.line, told.format(first=first.text, second=second.text))]
        c = _with_target(c)
        others = self.python(c, indent, nesting) or self._skipped(c) or self._collected(c)
        if not others and c.after.is_sign("["):
            others = changed_entries(c, self.counters, self._is_of_array(c))
        return others or equations(c)

    def _with_attributes(self, tokens: tuple[Token, ...]) -> tuple[Token, ...]:
        """The tokens of ``self.a = …`` in a class as those of ``a = …``; of a helper it is a name of its own."""
        if "self" not in map(TEXT, tokens):
            return tokens
        if not self.helpers.depth:
            return _without_self(tokens)
        before, self.attributes = self.attributes, self.attributes | _attributes(tokens)
        plain = [*tokens]
        for k in range(len(tokens) - 4, -1, -1):
            match [token.text for token in plain[k : k + 4]]:
                case "self", ".", name, "(" if name in before:
                    raise plain[k + 2].problem(f"self.{name} is given a value above and called: write what it computes")
                case "self", ".", name, behind if name in self.attributes and behind != "(":
                    plain[k : k + 3] = [plain[k + 2]._replace(text=f"self_{name}")]
        return tuple(plain)

    def _of_training_loop(self, line: int, indent: str, nesting: int) -> Sequence[tree.Statement]:
        """What is read of a loop that trains, which is what one step of it computes, or of one in which nothing is;
        nothing of any other."""
        lines = [self.lines[k].tokens for k in range(self.place, self._below_ends(indent))]
        if lines and all(says_nothing(Cursor(tokens)) for tokens in lines):
            self._pass_over_deeper(indent)
            return [tree.Said(line, _COMMAND.format(first="for"))]
        steps = [any(word.text == "backward" for word in tokens) for tokens in lines if _trains(tokens)]
        if not steps or not (any(steps) or any(tokens[0].text in _LOSSES for tokens in lines)):
            return []
        _refuse_deep("loops", line, nesting)
        return [tree.Said(line, "of a loop that trains one step is read"), *self._below(indent, nesting)]

    def _below_ends(self, indent: str) -> int:
        """The place of the first line that is not indented more."""
        return next((k for k in range(self.place, len(self.lines)) if len(self.lines[k].indent) <= len(indent)),
                    len(self.lines))

    def _is_of_array(self, c: Cursor) -> bool:
        """Whether ``z[0] = …`` changes an entry of what has a value, rather than says what step 0 of z is."""
        place = [token for token in c.tokens[2:5] if not token.is_sign("-")]
        number = place[0].kind == NUMBER and place[1].is_sign("]")
        return number and c.now.text in self.given and c.now.text not in self._in_steps | self.members

    @cached_property
    def _in_steps(self) -> set[str]:
        """The names that begin without entries, or of which entries are set at what is no number."""
        heads = [line.tokens for line in self.lines if len(line.tokens) > 3]
        empty = {t[0].text for t in heads if t[1].is_sign("=") and t[2].text in _BEGIN_EMPTY}
        return empty | {t[0].text for t in heads if t[1].is_sign("[") and (
            not {NUMBER, SIGN}.issuperset(map(KIND, t[2:4])))}

    def _collected(self, c: Cursor) -> Sequence[tree.Equation]:
        """``hs = []`` and ``h, hs = 0, {}``, which hold nothing yet, and ``hs.append(h)``, which is ``hs[t] = h``."""
        line, words = c.now.line, [*map(TEXT, c.tokens)]
        equal = words.index("=") if "=" in words else 0
        values = " ".join(words[equal + 1 : -1]).split(" , ")
        if not _EMPTY.keys().isdisjoint(values):
            names = " ".join(words[:equal]).split(" , ")
            known = {value: expr for value in values if (expr := _EMPTY.get(value) or _number(value)) is not None}
            if len(names) == len(values) and len(known) == len({*values}) and all(map(str.isidentifier, names)):
                return [tree.Equation(line, "let", tree.Target(name), known[value])
                        for name, value in zip(names, values, strict=True)]
        if words[1:4] != [".", "append", "("]:
            return []
        if not self.counters:
            raise c.after.problem(_GROWS.format(name=words[0]))
        name = c.declared("a name")
        self.grows.add(name)
        c.go(c.place + len(("append", ".")) + 1)
        value = expression(c)
        c.expect(")", "behind what is appended")
        c.finish("the formula")
        return [tree.Equation(line, "let", tree.Target(name, tree.Name(self.counters[-1])), value)]

    def _of_gradients(self, c: Cursor) -> str:
        """What is told of a line that calls what a line above made a function of gradients."""
        called = any(a.text in self.gradients and b.is_sign("(") for a, b in pairwise(c.tokens))
        return _GRADIENT if called and any(token.is_sign("=") for token in c.tokens) else ""

    def _done_outside(self, c: Cursor) -> str:
        """What is told of a line that only shows what is known, or of one of training whose name none but such lines
        below it read; nothing of any other."""
        word, second = c.now.text, c.after
        if (second.kind == END or second.is_sign(".")) and word in self.given:
            return _SHOWN if all(t.kind in (NAME, END) or t.is_sign(".") for t in c.tokens) else ""
        told = self._of_training(c.tokens)
        return told if told and self._last_read.get(word, 0) < self.place else ""

    def _kept(self, c: Cursor) -> str:
        """What is told of ``cache = (x, w, b)``, several things under a name that is only returned, or taken apart."""
        name, value = c.now, c.tokens[2:-1]
        listed = c.after.is_sign("=") and len(value) > 2 and (value[1].is_sign(",") or value[0].is_sign("(", "{")) and (
            all(t.kind in (NAME, STRING) or t.is_sign(*_LISTING) for t in value) and any(t.is_sign(",") for t in value))
        if not listed or name.kind != NAME or name.text in self._computed_with or self.keys.are_of(name.text):
            return ""
        self.kept.add(name.text)
        return _KEPT

    @cached_property
    def _computed_with(self) -> set[str]:
        """The names that are read, other than to be returned, or taken apart."""
        found = set[str]()
        for line in self.lines:
            returns = line.tokens[0].text == RETURN
            equal = 0 if returns else next((k for k, t in enumerate(line.tokens) if t.is_sign("=")), 0)
            near = zip(line.tokens[equal:], line.tokens[equal + 1 :], line.tokens[equal + 2 :], strict=False)
            found |= {t.text for before, t, behind in near if t.kind == NAME and not (
                (before.is_sign("=", ",") or before.text == RETURN) and (behind.kind == END or behind.is_sign(",")))}
        return found

    @cached_property
    def _last_read(self) -> dict[str, int]:
        """The place of the last line, none of training, that reads a name; first asked for below the loss."""
        read = [(k, line.tokens) for k, line in enumerate(self.lines)
                if not self._of_training(line.tokens) and not says_nothing(Cursor(line.tokens))]
        return {token.text: k for k, tokens in read for token in tokens[1:]}

    def _of_training(self, tokens: Sequence[Token]) -> str:
        """What is told of a line below the loss that computes a gradient or takes a step with it; nothing of others."""
        word, second = tokens[0].text, tokens[1]
        if not second.is_sign("=", "[", *UPDATES):
            return ""
        steps = self.given.get(word) == "param" and second.is_sign("-=", "+=")
        of = re.fullmatch(r"(?:d_?|grad_)(\w+)|(\w+)_grad", word)
        told = _STEP if steps else _GRADIENT if of is not None and (of[1] or of[2]) in self.given else ""
        return told if told and ("loss" in self.given or "loss" in self.given.values()) else ""

    def _is_decorator(self, c: Cursor) -> bool:
        """Whether a line stands above the head of a function, as ``@jax.jit``."""
        return c.at("@") and c.after.kind == NAME and self.place < len(self.lines) and (
            self.lines[self.place].tokens[0].text in ("def", "@"))

    def python(self, c: Cursor, indent: str, nesting: int) -> Sequence[tree.Statement]:
        """Lines around formulas that are pasted: the head of a function or of a context, what is returned."""
        word, second = c.now.text, c.after
        heads = {"def": self._function, "class": self._class, "with": self._context}
        if word in heads and second.kind == NAME and self._goes_deeper(indent) and (
                word != "def" or c.tokens[-2].is_sign(":")):
            return heads[word](c, indent, nesting)
        if second.is_sign("=") and c.tokens[2].text in self.helpers.classes and c.tokens[3].is_sign("("):
            return self._object(c)
        if word == RETURN and second.kind != END and not second.is_sign("=", "["):
            return self._returned(c)
        if word == "if" and not second.is_sign("=", "[", ".", *UPDATES):
            return self._branches(c, indent, nesting)
        return []

    def _function(self, c: Cursor, indent: str, nesting: int) -> Sequence[tree.Statement]:
        line, name = c.now.line, c.after.text
        if not self.helpers.begin(c.tokens):
            self._pass_over(indent)
            return [tree.Said(line, f"nothing calls {name}: it is passed over")]
        told = self._told(line, f"the lines of {name} are read as they stand, and what it takes by its names")
        _refuse_deep("functions", line, nesting)
        return [*told, *self._below(indent, nesting)]

    def _class(self, c: Cursor, indent: str, nesting: int) -> Sequence[tree.Statement]:
        line, name = c.now.line, c.after.text
        _refuse_deep("classes", line, nesting)
        if not self.helpers.open(name):
            self._pass_over(indent)
            return [tree.Said(line, f"nothing makes a {name}: it is passed over")]
        self._name_calls(range(self.place, self._below_ends(indent)))
        body = self._below(indent, nesting)
        is_module = "Module" in map(TEXT, c.tokens)
        if self.helpers.close(line, name, body, is_module):
            return [tree.Said(line, f"what {name} makes stands where an object is made")]
        makes = chain.from_iterable(as_declaration(s, not is_module) for s in body)
        return [tree.Said(line, f"the lines of {name} are read as they stand"), *makes]

    def _name_calls(self, places: range) -> None:
        """Call what an object computes that is called forward, where its class calls it otherwise."""
        heads = {self.lines[k].tokens[1].text: k for k in places if self.lines[k].tokens[0].text == "def"}
        place = next((heads[name] for name in _CALLED if name in heads), None)
        if place is not None and tree.FORWARD not in heads:
            line = self.lines[place]
            first, name, *rest = line.tokens
            self.lines[place] = line._replace(tokens=(first, name._replace(text=tree.FORWARD), *rest))

    def _object(self, c: Cursor) -> Sequence[tree.Statement]:
        """``net = Net(…)``, also with ``.to(device)`` behind it."""
        line, word, call = c.now.line, c.now.text, expression(Cursor(c.tokens[2:]))
        while isinstance(call, tree.Member) and call.name != tree.FORWARD:
            call = call.base
        if not isinstance(call, tree.Call):
            raise c.tokens[2].problem("an object gets a name on a line of its own, net = Net(…)")
        makes = self.helpers.make(c.tokens[2], word, call, [n for n, kind in self.given.items() if kind == "dim"])
        return [*self._told(line, f"what {tree.FORWARD} returns stands in the place of each call of {word}"), *makes]

    def _told(self, line: int, told: str) -> Sequence[tree.Statement]:
        """What is told of a line outside of helpers."""
        return [] if self.helpers.inside else [tree.Said(line, told)]

    def _context(self, c: Cursor, indent: str, nesting: int) -> Sequence[tree.Statement]:
        line = c.now.line
        _refuse_deep("blocks", line, nesting)
        body = self._below(indent, nesting)
        if "no_grad" in map(TEXT, c.tokens):
            told = "what is computed under no_grad is read as stop_gradient(…)"
            return [tree.Said(line, told), *map(_stopped, body)]
        return [tree.Said(line, f"the lines below `with {c.after.text}…` are read as they stand"), *body]

    def _branches(self, c: Cursor, indent: str, nesting: int) -> Sequence[tree.Statement]:
        """``if c:`` and what stands below it, up to the last else; behind a branch that returns all the rest is one."""
        line, place = c.take().line, self.place - 1
        if c.now.text == "__name__":
            self._pass_over(indent)
            return [tree.Said(line, _COMMAND.format(first="if"))]
        _refuse_deep("branches", line, nesting)
        condition = self.helpers.now(expression(c))
        taken = None if self.helpers.depth else holds(condition)
        if taken is not None:
            return self._decided(c, taken, indent, nesting)
        then = self._under(c, indent, nesting)
        behind = self._other(indent)
        if then.skips and (behind is not None or self.conditions or c.tokens[0].text != "if"):
            raise problem(_CONTINUES, line)
        known = {*self.given} if then.skips else set[str]()
        if behind is None:
            other = branch(self.block(indent, nesting + 1) if then.returns or then.skips else ())
        elif behind.now.text == "elif":
            other = branch(self._branches(behind, indent, nesting + 1))
        else:
            behind.take()
            other = self._under(behind, indent, nesting)
            if other.skips:
                raise problem(_CONTINUES, line)
        if then.skips:
            then, other = then.only(known), other.only(known)
        self._refuse_to_grow(then, other, line)
        given = _one_by_one(joined(line, condition, then, other, lambda name: self._begins_below(name, place)))
        told = [tree.Said(line, "what stands under the condition is read as where(…)")] * (not nesting)
        return [*told, *given] or [tree.Said(line, "no value stands under the condition")]

    def _refuse_to_grow(self, then: Branch, other: Branch, line: int) -> None:
        """Refuse what appends to a list under a condition alone: it would have an entry in each step."""
        alone = () if then.raises or other.raises else then.values.keys() ^ other.values.keys()
        for name in sorted(target.name for target in alone if target.index is not None and target.name in self.grows):
            raise problem(_GROWS.format(name=name), line)

    def _begins_below(self, name: str, place: int) -> bool:
        """Whether a name first stands below a line, and no step of a loop before can have given it a value."""
        return not self.counters and self._first_places.get(name, 0) > place

    @cached_property
    def _first_places(self) -> Mapping[str, int]:
        """The first line on which a name stands."""
        return {token.text: k for k in range(len(self.lines) - 1, -1, -1) for token in self.lines[k].tokens}

    def _decided(self, c: Cursor, taken: bool, indent: str, nesting: int) -> Sequence[tree.Statement]:
        """What is read of ``if y is None:`` and its else, where it is known whether that holds."""
        told = tree.Said(c.tokens[0].line, _DECIDED)
        if taken:
            read = self._lines_under(c, indent, nesting)
            self._pass_over(indent)
            return [told, *read]
        self._pass_over_deeper(indent)
        other = self._other(indent)
        if other is None or other.now.text == "elif":
            return [told, *(self._branches(other, indent, nesting) if other is not None else ())]
        other.take()
        return [told, *self._lines_under(other, indent, nesting)]

    def _other(self, indent: str) -> Cursor | None:
        """The line of the next branch, if there is one."""
        if not self._goes_on(indent):
            return None
        self.place += 1
        return Cursor(self.lines[self.place - 1].tokens)

    def _under(self, c: Cursor, indent: str, nesting: int) -> Branch:
        """The branch behind a colon, or below it; nothing is computed where something is raised."""
        first = c.after if c.at(":") and c.after.kind != END else self.lines[self.place].tokens[0] if (
            self._goes_deeper(indent)) else c.now
        if first.text == "raise":
            self._pass_over_deeper(indent)
            return Branch(raises=True)
        self.conditions += 1
        self.helpers.branches += 1
        try:
            return branch(self._lines_under(c, indent, nesting))
        finally:
            self.conditions -= 1
            self.helpers.branches -= 1

    def _lines_under(self, c: Cursor, indent: str, nesting: int) -> Sequence[tree.Statement]:
        if not c.accept(":"):
            raise c.unexpected("expected ':' behind the condition, which is one of numbers", instead=(with_colon,))
        if c.now.kind == END:
            return self._below(indent, nesting)
        return self._returned(c) if c.now.text == RETURN else self._skipped(c) or equations(c)

    def _skipped(self, c: Cursor) -> Sequence[tree.Equation]:
        """``continue``, behind which nothing of a step is read."""
        if not self.counters or c.now.text != branches.CONTINUE or c.after.kind != END:
            return []
        if not self.conditions:
            raise c.now.problem(_CONTINUES)
        return [tree.Equation(c.now.line, branches.CONTINUE, tree.Target(branches.CONTINUE), tree.ONE)]

    def _returned(self, c: Cursor) -> Sequence[tree.Statement]:
        """``return formula``: of a helper its value, or several, else an output."""
        line = c.take().line
        first, value = c.now, expression(c)
        if c.accept(",") and c.now.kind != END:
            value = tree.Tuple((value, *_separated(c, expression)), place=c.since(first))
        c.finish("the formula")
        if isinstance(value, tree.Tuple):
            kept = [isinstance(e, tree.Name) and e.name in self.kept for e in value.items]
            items = [_NOTHING if passed else e for e, passed in zip(value.items, kept, strict=True)]
            value = value if all(kept) else replace(value, items=tuple(items))
        if self.helpers.depth:
            return [tree.Equation(line, RETURN, tree.Target(RETURN), value)]
        several = tuple([e for e in value.items if e != _NOTHING]) if isinstance(value, tree.Tuple) else (value,)
        if tree.Name("loss") in several or any(s.tokens[0].text == "loss" and s.tokens[1].kind == NAME
                                               for s in self.lines):
            return [tree.Said(line, "what is returned is the loss")]
        names = [_name_of(e, k) for k, e in enumerate(several, 1)] if several[1:] else [RESULT]
        return [tree.Said(line, f"return is read as `{'; '.join(f'output {name} = …' for name in names)}`"),
                *[tree.Equation(line, "output", tree.Target(n), e) for n, e in zip(names, several, strict=True)]]

    def _not_indented(self, line: int, counter: str) -> ModelError:
        """The error of a loop without a body, about the line behind it if that counts with it."""
        said = "the body of the loop is missing: indent the lines that belong to it"
        behind = [*chain.from_iterable(line.tokens for line in self.lines[self.place : self.place + 1])]
        return behind[0].problem(said, ("    …",)) if counter in map(TEXT, behind) else problem(said, line)

    def loop(self, c: Cursor, indent: str, nesting: int) -> tree.For:
        line = c.now.line
        _refuse_deep("loops", line, nesting)
        names = _loop_names(c)
        self.helpers.forget({*names})
        if c.now.text != "in":
            raise c.unexpected("expected 'in', as in `for t in 1..T:`",
                               instead=("in", loop_of_matlab) if c.at("=") else ())
        c.take()
        first, start = c.now, size(c)
        (start, from_one), known = _numbered(start), set[str]()
        entries = _entries(names, start) if c.at(":") else []
        unnamed = names[0] == UNNAMED or (bool(entries) and entries[0][0] == names[0])
        variable = self._counter() if unnamed else names[0]
        step: tree.Expr = tree.Name(variable)
        if entries:
            stop = _length(max([array for _, array in entries], key=_cut))
            start = tree.Call("range", (tree.ONE, tree.Chain(stop, (("+", tree.ONE),))) if from_one else (stop,), ())
            step = tree.Chain(step, (("-", tree.ONE),)) if from_one else step
        else:
            whole = self._whole(start, variable)
            known = {*self.given} if whole is not None else known
            start, stop = _range(c, first, start)
        c.expect(":", "after the range")
        if c.now.kind == END and not self._goes_deeper(indent):
            raise self._not_indented(line, variable)
        body = self._repeated(c, variable, stop, indent, nesting)
        if not entries and whole is not None and all(map(_is_plain, body)):
            stop, body = whole[0], _without_steps(body, whole[1], line, known)
            start = tree.Call("range", (stop,), (), place=start.place)
        given = [tree.Equation(line, "let", tree.Target(name), tree.Index(array, (step,), place=array.place))
                 for name, array in entries if name != UNNAMED]
        return tree.For(line, variable, start, stop, (*given, *body))

    def _whole(self, steps: tree.Expr, counter: str) -> tuple[tree.Expr, tree.Expr] | None:
        """How many steps there are in all where some go from the counter of a loop around on, ``range(i + 1, n)``, or
        up to it, and the condition under which one is none of these; None of others, and where that has numbers."""
        match steps:
            case tree.Call("range", (first, last), ()) if self._around(first, first) is not None and (
                    {*self.counters}.isdisjoint(tree.mentioned(last))):
                return last, tree.Compare("<", tree.Name(counter), first)
            case tree.Call("range", (last,), ()) if (whole := self._around(last, tree.ONE)) is not None:
                return whole, tree.Compare(">=", tree.Name(counter), last)
        return None

    def _around(self, bound: tree.Expr, most: tree.Expr) -> tree.Expr | None:
        """How often the loop goes around whose counter a bound is, or the counter and ``most``; None for any other."""
        match bound:
            case tree.Name(name):
                stop = self.ranges.get(name)
            case tree.Chain(tree.Name(name), (("+", tree.Number() as more),)) if most in (more, bound):
                stop = self.ranges.get(name)
            case _:
                return None
        return None if isinstance(stop, (tree.Number, tree.Word)) else stop

    def _repeated(self, c: Cursor, variable: str, stop: tree.Expr, indent: str, nesting: int
                  ) -> tuple[tree.Statement, ...]:
        """What stands behind the colon of a loop, or below it. Raises a `SyntaxProblem` where that gives its counter
        another value."""
        if variable in self.counters:
            raise problem(_COUNTS_TWICE.format(variable), c.now.line, variable)
        self.counters.append(variable)
        around = self.conditions, self.ranges
        self.conditions, self.ranges = 0, {**self.ranges, variable: stop}
        try:
            here = Cursor(c.tokens[c.place :])
            self.helpers.forget(self._changed_below(here, indent))
            body = self._below(indent, nesting) if c.now.kind == END else tuple(
                self.helpers.put(self._collected(here) or equations(here)))
        finally:
            self.counters.pop()
            self.conditions, self.ranges = around
        again = next((e for e in tree.equations(body) if e.target == tree.Target(variable)), None)
        if again is not None:
            raise problem(_COUNTS_ELSE.format(variable), again.line, variable)
        return body

    def _changed_below(self, here: Cursor, indent: str) -> set[str]:
        """The names that the lines of a loop give values: in its second step they are others than above it."""
        below = takewhile(lambda line: len(line.indent) > len(indent), self.lines[self.place :])
        body = below if here.now.kind == END else [Line(here.now.line, indent, here.tokens)]
        return {*chain.from_iterable(map(given_names, body))}

    def _counter(self) -> str:
        """A name for the counter of a loop over entries, which has none."""
        free = chain("tkijlmn", map("step{}".format, count(1)))
        return next(name for name in free if name not in self.helpers.names and name not in self.counters)

    def _pass_over(self, indent: str) -> None:
        """The lines that would belong to a statement which is none."""
        while self._goes_deeper(indent) or self._goes_on(indent):
            self.place += 1

    def _pass_over_deeper(self, indent: str) -> None:
        while self._goes_deeper(indent):
            self.place += 1

    def _goes_on(self, indent: str) -> bool:
        """Whether the next line is another branch of what begins above."""
        line = self.lines[self.place] if self.place < len(self.lines) else None
        return line is not None and line.indent == indent and line.tokens[0].text in ("elif", "else")

    def _goes_deeper(self, indent: str) -> bool:
        """Whether the next line is indented more."""
        own = self.lines[self.place].indent if self.place < len(self.lines) else ""
        return own.startswith(indent) and len(own) > len(indent)


def _name_of(expr: tree.Expr, number: int) -> str:
    """What an output is called that is one of several which are returned."""
    return expr.name if isinstance(expr, tree.Name) else f"{RESULT}_{number}"


def _refuse_deep(what: str, line: int, nesting: int) -> None:
    """Refuse what begins on a line inside too many others."""
    if nesting >= MAX_NESTING:
        raise problem(f"{what} are nested more than {MAX_NESTING} deep", line)


_CALLED = ("__call__", "call")  # of Python's and Keras' objects
_EXECUTED = ("backward", "zero_grad", "retain_grad", "requires_grad_", "step", "train", "eval", "show", "seed",
             "manual_seed", "set_printoptions")
_OBJECTS = ("optim", "optimizers", "device", "default_rng", "RandomState", "PRNGKey", "Generator", "subplots")
_LOSSES = ("loss", "cost", "J", "L", "l", "E", "error")
_OF_TRAINING = {*_OBJECTS, *GRADIENTS}
_NUMPY = ("np", "numpy", "jnp")  # whose gradient is one of numbers
_IMPORT = "the line `{first} …` says whose functions are meant: every one is at hand"
_END = "`{first}` says nothing here: the lines of a loop are indented"
_STEP = "the line `{first} {second} …` says nothing here: steps of an optimizer are taken outside of the model"
_COMMAND = "the line `{first} …` says nothing here: nothing is executed"
_GRADIENT = "the line `{first} = …` says nothing here: gradients are derived"
_SHOWN = "the line `{first}` says nothing here: nothing is shown"
_KEYS = "what stands under a name, as in params['W'], is read as what has that name"
_GROWS = ("a list grows by an entry in each step of a loop, or on lines in front of all loops and conditions, and is "
          "read behind these: write {name} = [a, b]")
_APPENDED = "what lines append to a list one by one is read as that list, written out"
_ENTRIES = "a loop over a list that is written out is read entry by entry"
_STEPS = "a loop whose counter is in keys is read step by step, each with its own: what stands under `\"W1\"` is W1"
_FILLED = "an array that loops fill place by place is read as one that they fill row by row"
_BUNDLES = "what is handed on as one, as in w, b = params, is what has these names"
_WRAPPED = "what is made of a function, as jax.vmap(f), stands where it is called"
_COUNTS_TWICE = "{0} counts the steps of a loop around this one: give it another name here"
_COUNTS_ELSE = "{0} counts the steps of the loop: give what is computed of it another name"
_FRONT = "what a loop reads from the end, or puts in front of a list, is read in the order that it is in"
_LISTS = "a list with a loop in it is read as what lines above collect"
_LOOPS = "what counts, or goes from step to step, is read as a loop, `for … in …:`"
_ITSELF = "the line `{first} = …` says nothing here: {first} is what it is"
_NONE = "the line `{first} = None` says nothing here: {first} is what it gets below"
_KEPT = "{first} is passed over: no formula reads it"
_DECIDED = "what is compared with None is given: the lines for it are read, and no others"
_CONTINUES = "`continue` stands alone under an if of the loop, which has no else: write where(…) for the others"
_DECORATOR = "the decorator @{second} says nothing here: nothing is executed"


def _is_executed(c: Cursor) -> bool:
    """Whether a line is the call of something that does, and computes nothing: ``loss.backward()``, ``plt.plot(…)``."""
    path = [*takewhile(lambda token: not token.is_sign("(", "="), c.tokens)]
    called = path[-1].text in _EXECUTED or path[-1].text.startswith("clip_grad") or path[0].text == "plt" or (
        "init" in map(TEXT, path[:-1]))
    return called and len(path) < len(c.tokens) and c.tokens[len(path)].is_sign("(")


def _trains(tokens: Sequence[Token]) -> bool:
    """Whether a line takes a step against a gradient: ``loss.backward()``, ``w -= lr * dw``, ``w = w - lr * dw``."""
    words = [*map(TEXT, tokens)]
    if any(words[k - 1 : k + 2] == [".", "backward", "("] for k, word in enumerate(words) if word == "backward"):
        return True
    steps = tokens[0].kind == NAME and (words[1] == "-=" or words[1:4] == ["=", words[0], "-"])
    gradient = rf"(?:d|grad|g)_?{words[0]}|{words[0]}_grad"
    return steps and any(re.fullmatch(gradient, word) for word in words)


def says_nothing(c: Cursor) -> str:
    """What is told of a line that is passed over; nothing for any other."""
    word, second = c.now.text, c.after
    if word in ("end", "endfor") and second.kind == END:
        return _END
    if word in _CLEARS and second.kind in (NAME, END) and not any(t.is_sign("=", *UPDATES) for t in c.tokens):
        return _CLEARED
    if second.is_sign(".") and c.tokens[2].text in ("grad", "data") and c.tokens[3].is_sign("=", ".", *UPDATES):
        return _STEP
    trains = not _OF_TRAINING.isdisjoint(map(TEXT, c.tokens))
    reads_grad = trains and "grad" in map(TEXT, c.tokens) and second.is_sign("=", *UPDATES)
    if reads_grad and any(a.text == word and b.is_sign(".") and d.text == "grad" for a, b, d in zip(
            c.tokens[1:], c.tokens[2:], c.tokens[3:], strict=False)):
        return _STEP
    if is_import(c.tokens):
        return _IMPORT
    calls = (second.is_sign(".") and _is_executed(c)) or (word in _SHOWS and second.is_sign("("))
    if calls or (word == "assert" and not second.is_sign("=", "[")):
        return _COMMAND
    if not trains:
        return ""
    value = next((c.tokens[k:] for k, t in enumerate(c.tokens) if t.is_sign("=")), ())
    if any(name.text in _OBJECTS for name in takewhile(lambda token: not token.is_sign("("), value)):
        return _COMMAND
    asks = any(dot.is_sign(".") and name.text in GRADIENTS and opens.is_sign("(") and root.text not in _NUMPY
               for root, dot, name, opens in zip(value, value[1:], value[2:], value[3:], strict=False))
    return _GRADIENT if asks else ""


_SHOWS = ("print", "super", "disp", "fprintf", "println", "library", "require")
_CLEARS = ("clear", "close", "clc", "using")
_CLEARED = "the line `{first} …` says nothing here"


_LISTING = ("(", ")", "{", "}", "[", "]", ",", ":", ".")
_EMPTY: dict[str, tree.Expr] = {"[ ]": NO_ENTRIES, "{}": NO_KEYS, "list ( )": NO_ENTRIES, "dict ( )": NO_KEYS}


def _number(word: str) -> tree.Expr | None:
    """What a word says that is a number, or None; nothing of any other."""
    return _NOTHING if word == "None" else tree.Number(sp.Rational(word)) if _NUMBER.fullmatch(word) else None


_NUMBER = lazy(r"\d{1,9}(?:\.\d{0,9})?")
_TYPES = ("ndarray", "NDArray", "Array", "ArrayLike", "Tensor", "float", "Float", "int", "Int", "list", "List", "dict",
          "Dict")


def _without_type(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """The tokens of an equation without the type that Python states behind its name, ``z: np.ndarray = …``."""
    if not tokens[1].is_sign(":"):
        return tokens
    equal = next((k for k, token in enumerate(tokens) if token.is_sign("=")), 0)
    return (tokens[0], *tokens[equal:]) if any(t.text in _TYPES for t in tokens[2:equal]) else tokens


def _without_self(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """The tokens of ``self.a, self.b = …`` in a class as those of ``a, b = …``, and of ``self.register_buffer("m", c)``
    as those of ``m = c``."""
    if [t.text for t in tokens[:4]] == ["self", ".", "register_buffer", "("] and tokens[4].kind == STRING:
        name = tokens[4]._replace(kind=NAME, text=tokens[4].text[1:-1])
        return (name, tokens[5]._replace(text="="), *tokens[6:-2], tokens[-1])
    if not _attributes(tokens):
        return tokens
    end = next(k for k, token in enumerate(tokens) if token.is_sign("=", *UPDATES))
    return (*[t for t in tokens[:end] if t.text != "self" and not t.is_sign(".")], *tokens[end:])


def _attributes(tokens: Sequence[Token]) -> set[str]:
    """The names that ``self.a, self.b = …`` gives values."""
    end = next((k for k, token in enumerate(tokens) if token.is_sign("=", *UPDATES)), 0)
    names = "".join(map(TEXT, tokens[:end]))
    return {*re.findall(r"self\.(\w+)", names)} if re.fullmatch(r"self\.\w+(?:,(?:self\.)?\w+)*", names) else set()


def _stopped(statement: tree.Statement) -> tree.Statement:
    """An equation whose value has no gradient, but for another name of what has one."""
    if not isinstance(statement, tree.Equation) or isinstance(statement.value, tree.Name):
        return statement
    value = statement.value
    return replace(statement, value=tree.Call("stop_gradient", (value,), (), place=value.place))


def simple(c: Cursor, keyword: str) -> tree.Statement:
    """A statement of one line, behind its keyword."""
    line = c.tokens[0].line
    result = _RULES[keyword](c, keyword, line)
    c.finish("the formula" if isinstance(result, tree.Equation) else f"this {keyword} line")
    return result


def _range(c: Cursor, first: Token, start: tree.Expr) -> tuple[tree.Expr, tree.Expr]:
    """(start, stop) of what a counter runs through, whose ``start`` was read, from ``first`` on."""
    start = _backwards(start)
    if isinstance(start, tree.Call) and start.function == "range":
        return replace(start, place=c.since(first)), _last_counted(start.args)
    if c.at(":"):
        raise c.unexpected("expected '..' in the range, as in `for t in 1..T:`", instead=("..",))
    c.expect("..", "in the range, as in `for t in 1..T:`")
    return start, size(c)


_LAST = tree.Negative(tree.ONE)


def _numbered(over: tree.Expr) -> tuple[tree.Expr, bool]:
    """What is counted, and whether from 1, ``enumerate(x, 1)``."""
    match over:
        case tree.Call("enumerate", (array, tree.Number(sp.S.One)), ()) | tree.Call(
                "enumerate", (array,), (("start", tree.Number(sp.S.One)),)):
            return replace(over, args=(array,), options=()), True
    return over, False


def _loop_names(c: Cursor) -> list[str]:
    """The names that a loop gives, as ``i, (x, y)``."""
    names = list[str]()
    while not names or c.accept(","):
        c.accept("(")
        unnamed = c.now.text == UNNAMED and c.take()
        names.append(UNNAMED if unnamed else c.declared("the loop variable, as in `for t in 1..T:`"))
        c.accept(")")
    return names


def _is_plain(s: tree.Statement) -> bool:
    """Whether a statement gives a name a value, or says nothing."""
    return isinstance(s, tree.Said) or (isinstance(s, tree.Equation) and s.target.index is None)


def _without_steps(body: Sequence[tree.Statement], left_out: tree.Expr, line: int, known: Container[str]
                   ) -> tuple[tree.Statement, ...]:
    """The body of a loop that does nothing at steps of a condition."""
    notes = [s for s in body if isinstance(s, tree.Said)]
    return (*notes, *_one_by_one(joined(line, left_out, Branch(), branch(body).only(known), lambda name: False)))


def _backwards(over: tree.Expr) -> tree.Expr:
    """``reversed(range(T))`` and ``range(T - 1, -1, -1)`` as ``range(T, backwards=True)``; any other as it is."""
    match over:
        case tree.Call("reversed", (tree.Call("range", (last,), ()),), ()) | tree.Call(
                "range", (tree.Chain(last, (("-", tree.Number(sp.S.One)),)), tree.Negative(), tree.Negative()), ()) if (
                over.function == "reversed" or over.args[1:] == (_LAST, _LAST)):
            return tree.Call("range", (last,), ((BACKWARDS, tree.Word(True)),), place=over.place)
    return over


def _last_counted(args: tuple[tree.Expr, ...]) -> tree.Expr:
    """The last step of ``range(T)`` and ``range(1, T + 1)`` where loops count from 1; None, as a word, of any other."""
    first, stop = (tree.ZERO, *args)[-2:] if len(args) in (1, 2) else (None, None)
    match first, stop:
        case tree.Number(sp.S.Zero), _ if stop is not None:
            return stop
        case tree.Number(sp.S.One), tree.Chain(tree.Name() as last, (("+", tree.Number(sp.S.One)),)):
            return last
        case tree.Number(value), tree.Number(last) if value > 0:
            return tree.Number(last - 1)
        case tree.Number(value), _ if stop is not None and value > 0:
            return tree.Chain(stop, (("-", tree.ONE),))
    return tree.Word(None)


def _entries(names: Sequence[str], over: tree.Expr) -> Sequence[tuple[str, tree.Expr]]:
    """The names of a loop over entries with the arrays that these are of: ``for x in X``, ``for a, b in zip(A, B)``,
    with the counter before them ``for t, x in enumerate(X)``; nothing for any other loop."""
    match over:
        case tree.Call("enumerate", (tree.Call("zip", arrays, ()),), ()) | tree.Call("enumerate", arrays, ()):
            names = names[1:]
        case tree.Call("zip", arrays, ()):
            pass
        case tree.Name() | tree.Member() | tree.Index() | tree.Transpose():
            arrays = (over,)
        case _:
            return []
    return [*zip(names, arrays, strict=True)] if len(names) == len(arrays) else []


def _cut(array: tree.Expr) -> int:
    """How many entries less than an array ``w[1:]`` has, whose last is the last of a zip."""
    match array:
        case tree.Index(_, (tree.Slice(tree.Number(sp.Integer() as first), None, None), *_)):
            return int(first)
        case tree.Index(_, (tree.Slice(None, tree.Negative(tree.Number(sp.Integer() as last)), None), *_)):
            return int(last)
    return 0


def _length(array: tree.Expr) -> tree.Expr:
    """How many entries there are along the first axis."""
    return tree.Index(tree.Member(array, "shape"), (tree.ZERO,))


def _given_by(statement: tree.Statement) -> Sequence[tuple[str, str]]:
    """The names that a statement gives to something, with its keyword."""
    match statement:
        case tree.Equation(keyword=branches.CONTINUE):
            return []
        case tree.Named(keyword=keyword, items=names):
            return [(name, keyword) for name, _ in names]
        case tree.Arrays(role=keyword) | tree.Equation(keyword=keyword):
            return [(target.name, keyword) for target in tree.targets(statement)]
    return []


def _names_given(line: Line) -> set[str]:
    """The names on a line that stand left of its =, and left of its shape."""
    before = list(takewhile(lambda token: not token.is_sign("=", *UPDATES), line.tokens))
    listed: set[str] = set()
    if line.tokens[0].text in KEYWORDS:
        listed = {b.text for a, b in pairwise(before) if a.is_sign(",") and b.kind == NAME}  # b of W: D x 3x, b: D
        before = list(takewhile(lambda token: not token.is_sign(":") and token.text not in PYTHON_WORDS, before))
    depths = accumulate(token.is_sign("(") - token.is_sign(")") for token in before)  # J(w) = … names J
    return listed | {token.text for token, depth in zip(before, depths, strict=True)
                     if token.kind == NAME and token.text not in KEYWORDS and not depth}


def _names_on_the_left(line: str) -> set[str]:
    """The names that a line which cannot be read would give to something."""
    typed = readable(line[:200])
    plain = plain_latex(in_reals(typed, Place(0, 0, 0)))
    left, sign, _ = plain.partition("=")
    declared = re.match(r"\s*(?:\w+)\s+([A-Za-z][\w,\s]*?)\s*:", plain)
    words = re.findall(r"[A-Za-z]\w*", declared[1] if declared is not None else left if sign else "")
    words += re.findall(r",\s*([A-Za-z]\w*)\s*:", plain) if declared is not None else []
    return {word for whole in words for word in (whole, whole.partition("_")[0]) if word not in KEYWORDS}


def _separated(c: Cursor, read: Callable[[Cursor], Item], spaced: bool = False) -> tuple[Item, ...]:
    """Items with commas between them, or where ``spaced`` names with nothing."""
    items = [read(c)]
    while c.accept(",") or (spaced and c.now.kind == NAME and c.now.text != "x"):
        if c.now.kind == END and c.before.is_sign(","):
            raise c.before.problem("nothing stands behind the last comma", (left_out,))
        items.append(read(c))
    return tuple(items)


def _dims(c: Cursor, keyword: str, line: int) -> tree.Statement:
    def dim(c: Cursor) -> tuple[str, tree.Expr | None]:
        name = c.declared("the name of a dimension")
        if c.at(":"):
            raise c.unexpected(f"a size stands behind =, as in `dim {name} = 3`", instead=(" =",))
        return name, size(c) if c.accept("=") else None

    return tree.Named(line, keyword, _separated(c, dim, spaced=True))


def _functions(c: Cursor, keyword: str, line: int) -> tree.Statement:
    def function(c: Cursor) -> tuple[str, tree.Expr | None]:
        return c.declared("the name of a function, as in `function f`"), None

    return tree.Named(line, keyword, _separated(c, function, spaced=True))


def _constants(c: Cursor, keyword: str, line: int) -> tree.Statement:
    def constant(c: Cursor) -> tuple[str, tree.Expr | None]:
        name = c.declared("a name")
        c.expect("=", f"and a number, as in `{keyword} {name} = 0.5`")
        return name, expression(c)

    return tree.Named(line, keyword, _separated(c, constant))


def _arrays(c: Cursor, keyword: str, line: int) -> tree.Statement:
    if c.at(":"):
        raise c.unexpected(f"names stand behind {keyword}, as in `{keyword} W: N x D`", instead=(declared_so,))
    items = _separated(c, _array)
    if c.at("="):
        raise c.unexpected(f"{keyword} only declares: values are given when a module is called, and `const` names a "
                           "number", named=True, instead=(without_values, partial(declared_instead, keyword)))
    return tree.Arrays(line, keyword, items)


def _array(c: Cursor) -> tree.ArrayItem:
    if c.before.is_sign(",") and (c.now.kind == NUMBER or (c.now.text == "int" and c.after.is_sign("<"))):
        raise c.now.problem(_APART if c.now.kind == NUMBER else "no comma stands before int", (with_x,))
    if c.now.kind == NAME and c.after.is_sign("[", "(") and (c.after.is_sign("(") or _lists(c)):
        raise c.now.problem("a shape stands behind a colon, as in `W: N x D`", (shape_behind,))
    name = target(c)
    if c.now.kind == NAME:
        raise c.before.problem(f"a shape stands behind a colon, as in `{name.name}: N x D`, and names are separated by "
                               "commas", (declared_so, "…:", "…,"))
    if c.now.kind == NUMBER:
        raise c.before.problem(f"a shape stands behind a colon, as in `{name.name}: N x D`", (declared_so,))
    if not c.accept(":"):
        return tree.ArrayItem(name, ())
    if OF_AXES.fullmatch(c.now.text):
        raise c.now.problem(f"a shape is sizes, as in `{name.name}: N x D`, and none for a number", (declared_so,))
    shape = () if _at_int(c) else _shape(c)
    if c.at("<"):
        raise c.now.problem("data with a bound is integers", "int <")
    if not _at_int(c):
        return tree.ArrayItem(name, shape, stated=_stated(c))
    c.take()
    if c.now.kind == NAME:  # int C, int N < C
        raise c.before.problem("integer data needs a bound behind int, as in `y: N int < C`",
                               ("int <",) if shape else (int_behind,))
    c.expect("<", "after int: integer data needs a bound, as in `y: N int < C`")
    return tree.ArrayItem(name, shape, True, size(c))


def _of_kinds(s: tree.Statement, given: Container[str]) -> tree.Statement:
    """Arrays as numbers where ``x: float`` says no more, and no dimension is called so."""
    if not isinstance(s, tree.Arrays):
        return s
    words = [i.shape[0].name if len(i.shape) == 1 and isinstance(i.shape[0], tree.Name) else "" for i in s.items]
    floats = {word for word in words if word in _FLOATS and word not in given}
    return s if not floats else replace(s, items=tuple([
        replace(i, shape=()) if word in floats else i for i, word in zip(s.items, words, strict=True)]))


def _lists(c: Cursor) -> bool:
    """Whether there is a comma in the brackets that begin behind a name."""
    inside = takewhile(lambda token: not token.is_sign("]"), c.tokens[c.place :])
    return any(token.is_sign(",") for token in inside)


def _stated(c: Cursor) -> str:
    """What is stated of an array behind its shape; a word much like one of these is taken for it."""
    if c.now.kind == NUMBER:
        raise c.before.problem(_APART, (declared_so, "… x", "…,"))
    if c.now.kind != NAME:
        return ""
    if c.now.text in ("bool", "boolean"):
        raise c.now.problem("truth values are integers, 0 and 1", "int < 2")
    if c.now.text in _FLOATS:  # as all arrays are that are not int
        c.take()
        return ""
    near = nearest(c.now.text, STATED)
    if c.now.text not in STATED and near:
        raise c.now.problem(f"{c.now.text!r} is nothing that can be stated of an array.{suggested(near)}", near)
    if c.now.text not in STATED:
        raise c.before.problem(_APART, (declared_so, "… x", "…,"))
    return c.take().text


def _at_int(c: Cursor) -> bool:
    return c.now.kind == NAME and c.now.text == "int"


def _shape(c: Cursor) -> tuple[tree.Expr, ...]:
    """``N x D``, or in brackets as in Python."""
    sizes = [size(c)]
    while c.at("×") or (c.now.kind == NAME and c.now.text == "x"):
        c.take()
        sizes.append(size(c))
    return sizes[0].items if isinstance(sizes[0], tree.Tuple) and len(sizes) == 1 else tuple(sizes)


def _notation(c: Cursor, keyword: str, line: int) -> tree.Statement:
    name = target(c)
    c.expect("=", 'and a string, as in `notation W1 = "W^{[1]}"`')
    if c.now.kind != STRING:
        raise c.unexpected('expected a string in double quotes, as in `notation W1 = "W^{[1]}"`', instead=('"…"',))
    return tree.Notate(line, name, c.take().text[1:-1])


def _result(c: Cursor, keyword: str, line: int) -> tree.Statement:
    if c.at(":"):
        raise c.now.problem(f"a {keyword} is an equation: {keyword} L = …", (without_prose, " L ="))
    first, name = c.now, target(c)
    if c.now.kind == END and name.index is None:
        return tree.Equation(line, keyword, name, tree.Name(name.name, place=c.since(first)))
    if not c.at("="):
        missing = ("= …",) * (c.now.kind in (NAME, NUMBER) and name.name not in FUNCTIONS and name.name not in TABLE)
        instead: Sequence[Meant] = (
            (without_prose, "=") if c.at("==", ":") else (*missing, partial(with_a_name, keyword)))
        raise c.unexpected(f"expected '=' and a formula, as in `{keyword} {name.name} = …`", instead=instead)
    c.take()
    return tree.Equation(line, keyword, name, expression(c))


_RULES: dict[str, Callable[[Cursor, str, int], tree.Statement]] = {
    "dim": _dims, "function": _functions, "data": _arrays, "input": _arrays, "param": _arrays, "const": _constants,
    "convention": _constants, "notation": _notation, "loss": _result, "output": _result,
}


def target(c: Cursor) -> tree.Target:
    """A name that is declared or assigned: ``h``, ``h[t]``, ``W[1..12]``."""
    name = c.declared("a name")
    if not c.accept("["):
        return tree.Target(name)
    index = None if c.at(":") else size(c)
    if c.at(",", ":", *COMPARISONS):
        raise c.unexpected("entries that a loop counts are not changed: write h[t] = …, all of a step", named=True)
    stop = size(c) if c.accept("..") else None
    c.expect("]", "after the index")
    return tree.Target(name, index, stop)


_HOW = {"=": "set", "+=": "add", "-=": "add", "*=": "multiply"}  # what is done to entries, as JAX calls it


def _with_target(c: Cursor) -> Cursor:
    """The line ``h.add_(x)``, ``h[0].mul_(2)`` or ``F.relu_(h)`` as ``h = h.add_(x)``; any other as it is."""
    if not c.after.is_sign(".", "["):
        return c
    tokens, depths = c.tokens, depths_of(c.tokens)
    called = [k + 1 for k, token in enumerate(tokens) if token.is_sign(".") and not depths[k]]
    if not called or not all(in_place.changes_in_place(tokens[k].text) and tokens[k + 1].is_sign("(") for k in called):
        return c
    of_library = in_place.is_library(tree.Name(tokens[0].text))
    target = tokens[4:5] if of_library else tokens[: called[0] - 1]
    is_whole = tokens[5].is_sign(",", ")") if of_library else not target[1:] or (
        target[1].is_sign("[") and closing(tokens, 1) == len(target) - 1)
    if target[0].kind != NAME or not is_whole or closing(tokens, called[-1] + 1) != len(tokens) - 2:
        return c
    return Cursor((*target, *words("=", target[0].line), *tokens))


def changed_entries(c: Cursor, counters: Sequence[str], of_array: bool) -> Sequence[tree.Statement]:
    """``A[A < 0] = 0``, ``A[:, 0] += b`` and ``p[arange(N), y] -= 1`` as other values of A and p; nothing for any other
    line, nor where entries are counted by a loop. ``of_array``: those of an array are where one place stands."""
    end = next((k for k, token in enumerate(c.tokens) if token.is_sign("=", *UPDATES)), 0)
    signs = [token for token in c.tokens[:end] if token.is_sign(",", ":", "]", *COMPARISONS)]
    if not end or not c.tokens[end - 1].is_sign("]") or (len(signs) < 2 and not of_array):
        return []
    left, sign, value = formula_of(ended(c.tokens[:end])), c.tokens[end].text, formula_of(c.tokens[end + 1 :])
    if not isinstance(left, tree.Index) or sign not in _HOW:
        return []
    match left.base:
        case tree.Name(name) if {*tree.mentioned(tree.Tuple(left.items))}.isdisjoint(counters):
            to = tree.Target(name)
        case tree.Index(tree.Name(name), (step,)):
            to = tree.Target(name, step)
        case _:
            return []
    line, place = c.now.line, c.since(c.now)
    found = _with_entries(left.base, left.items, sign, value)
    told = f"what is changed of {name} is read as another value of it"
    return [tree.Said(line, told), tree.Equation(line, "let", to, replace(found, place=place), (name,))]


def _with_entries(array: tree.Expr, items: tuple[tree.Expr, ...], sign: str, value: tree.Expr) -> tree.Expr:
    """An array with other values where an index is: with a condition, or a place in each row, those that hold it."""
    rows = tree.called(items[0])[0] in _ROWS
    mask = items[0] if len(items) == 1 and isinstance(items[0], tree.Compare) else None
    if rows and len(items) == 2 and isinstance(value, (tree.Number, tree.Negative)):
        columns = tree.Index(tree.Member(array, "shape"), (tree.ONE,))
        mask = tree.Compare(">", tree.Call("one_hot", (items[1], columns), ()), tree.ZERO)
    if mask is None:
        value = tree.Negative(value) if sign == "-=" else value
        return tree.Member(tree.Index(tree.Member(array, "at"), items), _HOW[sign], (value,))
    value = tree.whole(value, items)
    return tree.Call("where", (mask, value if sign == "=" else tree.Chain(array, ((sign[0], value),)), array), ())


_ROWS = ("range", "arange")
_BEGIN_EMPTY = ("[", "{}", "{", "list", "dict")
_OBJECTIVES = ("minimize", "minimise", "min", "objective", "cost")
UPDATES = ("+=", "-=", "*=", "/=", "@=")


def equations(c: Cursor) -> Sequence[tree.Equation]:
    """``NAME = formula``, ``NAME += formula`` and ``NAME, NAME = formula, formula``, or a formula of several values."""
    first = c.now
    if first.kind != NAME and not (c.at("(") and c.after.kind == NAME):
        raise c.unexpected("a line is a declaration or an equation NAME = formula")
    stands = c.after.kind in (NAME, STRING, NUMBER) or (c.after.kind == SIGN and c.after.text in "(:")
    if first.kind == NAME and stands:
        raise first.problem(*_not_a_statement(first.text, found(c.after)))
    names, paths = zip(*_targets(c), strict=True)
    while all(len(path) > 1 and path[0] == 0 for path in paths):  # (a, b) = …
        paths = tuple([path[1:] for path in paths])
    if c.at("=="):
        raise c.unexpected("an equation has one =", named=True, instead=("=",))
    changes: tuple[str, ...] = ()
    if len(names) == 1 and c.at(*UPDATES):
        changes = (names[0].name,)
        values: Sequence[tree.Expr] = [_updated(names[0], c.take().text[0], expression(c))]
    else:
        c.expect("=", "and a formula: a line is a declaration or an equation NAME = formula")
        if len(names) == 1 and c.now.kind == NAME and c.after.is_sign("="):  # z = x = formula
            inner = equations(c)
            return [*inner, tree.Equation(first.line, "let", names[0], tree.Name(inner[-1].target.name))]
        values = _values(c, len(names)) if all(len(path) == 1 for path in paths) else _nested_values(c, paths)
    c.finish("the formula")
    return _one_by_one([tree.Equation(first.line, "let", n, value, changes)
                        for n, value in zip(names, values, strict=True) if n.name != UNNAMED])


def _one_by_one(equations: Sequence[tree.Equation]) -> Sequence[tree.Equation]:
    """Equations that hold at once, ``a, b = b, a + b``, in an order in which none reads the value that another one
    gives. Where there is none, the value of the first is computed under another name until the others are."""
    if len(equations) < 2:
        return equations
    targets, reads = [e.target for e in equations], [{*tree.mentioned(e.value)} for e in equations]
    given, readers = defaultdict[str, list[int]](list), defaultdict[str, set[int]](set)
    for k, to in enumerate(targets):
        given[to.name].append(k)
    for k, read in enumerate(reads):
        for name in read & given.keys():
            readers[name].add(k)

    def free(places: Iterable[int]) -> list[tuple[bool, int]]:
        return [(targets[k].index is None, k) for k in places if targets[k].index is not None or all(
            targets[other] == targets[k] for other in readers[targets[k].name])]

    left, done, last = dict.fromkeys(range(len(equations))), list[tree.Equation](), list[tree.Equation]()
    ready = free(left)
    heapify(ready)
    while left:
        is_free = bool(ready)
        k = heappop(ready)[1] if is_free else next(iter(left))
        if k not in left:
            continue
        now = equations[k]
        if is_free:
            done.append(now)
        else:
            other = tree.Target(f"{now.target.name}_new_{now.line}")
            last.append(replace(now, value=tree.Name(other.name)))
            done.append(replace(now, target=other))
        del left[k]
        for name in reads[k] & given.keys():
            readers[name].discard(k)
            for ready_now in free(n for n in given[name] if n in left):
                heappush(ready, ready_now)
    return done + last


_NOTHING = tree.Word(None)
UNNAMED = "_"  # what stands for a value that is not wanted


def _target_or_none(c: Cursor) -> tree.Target:
    """A target, or, of several, `_`."""
    several = c.after.is_sign(",") or c.before.is_sign(",")
    return tree.Target(c.take().text) if c.now.text == UNNAMED and several else target(c)


def _targets(c: Cursor, path: tuple[int, ...] = ()) -> Sequence[tuple[tree.Target, tuple[int, ...]]]:
    """What stands left of =, each with its place, ``out, (h, c)``."""
    found: list[tuple[tree.Target, tuple[int, ...]]] = []
    for k in count():
        if c.accept("("):
            found += _targets(c, (*path, k))
            c.expect(")", "behind the names")
        else:
            found.append((_target_or_none(c), (*path, k)))
        if not c.accept(","):
            return found
    raise AssertionError


def _nested_values(c: Cursor, paths: Sequence[tuple[int, ...]]) -> Sequence[tree.Expr]:
    """What each place is of several values, or of one that has them."""
    first, values = c.now, _separated(c, expression)
    if len(values) not in (1, paths[-1][0] + 1):
        raise first.problem(f"{len(values)} formulas for {paths[-1][0] + 1} names")
    found = list[tree.Expr]()
    for path in paths:
        value, rest = (values[0], path) if len(values) == 1 else (values[path[0]], path[1:])
        for k in rest:
            value = tree.Index(value, (tree.Number(sp.Integer(k)),), place=value.place)
        found.append(value)
    return found


def _updated(name: tree.Target, sign: str, value: tree.Expr) -> tree.Expr:
    """What ``NAME += value`` gives the name."""
    before: tree.Expr = tree.Name(name.name)
    before = before if name.index is None else tree.Index(before, (name.index,))
    return tree.Chain(before, ((sign, value),), place=value.place)


def _values(c: Cursor, count: int) -> Sequence[tree.Expr]:
    """As many values as there are names: formulas with commas between them, or entries of one."""
    first = c.now
    values = _separated(c, expression)
    if len(values) == 1 and count > 1:
        return [tree.Index(values[0], (tree.Number(sp.Integer(k)),), place=values[0].place) for k in range(count)]
    if len(values) != count:
        raise first.problem(f"{len(values)} formulas for {count} name{'s' * (count > 1)}")
    return values


def _without_arguments(keyword: str, line: str, place: Place) -> str:
    """``J(w) = …`` as an equation for J."""
    left, name, rest = place.cut(line)
    return left + re.sub(r"^\w+\s*\([^()=]*\)\s*(?==(?!=))", f"{keyword}{name} ", name + rest)


WITHOUT_ARGUMENTS = (partial(_without_arguments, "loss "), partial(_without_arguments, ""))


def _not_a_statement(word: str, after: str) -> tuple[str, str | Sequence[Meant]]:
    """What is wrong with a line that begins so, and the word that may be meant."""
    if word in _FOREIGN:
        return _FOREIGN[word], [without_prose, declared_so] if word == "let" else ""
    if word.lower() in _OBJECTIVES:
        return "what is minimized is the loss: loss L = …", ["loss", partial(with_a_name, "loss")]
    shown = word if len(word) <= 30 else word[:30] + "…"
    near = nearest(word, KEYWORDS) if len(word) <= 30 else ""
    if after == "'('":
        return (f"{shown!r} followed by {after} begins neither a declaration nor an equation: a name has no arguments "
                f"left of =, as in loss {shown} = …",
                WITHOUT_ARGUMENTS)
    return (f"{shown!r} followed by {after} begins neither a declaration nor an equation: arrays are declared by data "
            f"and param.{suggested(near)}", [without_prose, *[near] * bool(near), declared_so])
