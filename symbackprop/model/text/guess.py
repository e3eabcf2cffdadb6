"""An expression with nothing declared as statements of model text: what stands in it is read as it is meant on paper,
and what it reads is declared, as is guessed.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import dropwhile, pairwise

from sympy.functions.elementary.trigonometric import TrigonometricFunction

from symbackprop.core.functions.words import MODULES
from symbackprop.core.scalars import TABLE
from symbackprop.errors import ModelError, NameProblem, OnPaper, ShapeError
from symbackprop.model.model import Model
from symbackprop.model.names import RESULT, result_name, sounds_like_data
from symbackprop.model.text import dialect, tree
from symbackprop.model.text.characters import SUM_OVER
from symbackprop.model.text.classes import drawn
from symbackprop.model.text.evaluate import Evaluator
from symbackprop.model.text.expressions import formula_of
from symbackprop.model.text.guessed_shapes import Known, Shapes, needs_arrays
from symbackprop.model.text.lambdas import GRADIENTS
from symbackprop.model.text.languages import language, with_its_signs
from symbackprop.model.text.meant_lines import printed
from symbackprop.model.text.scope import ModelScope
from symbackprop.model.text.statements import KEYWORDS, UPDATES, Reader, counted, says_nothing
from symbackprop.model.text.tokens import NAME, TEXT, Cursor, Line, Token, logical_lines, problem
from symbackprop.model.text.undeclared import declared, read_first, sized, without_layers
from symbackprop.model.text.writing import closing
from symbackprop.patterns import lazy

_IDENTITY = "I"
_ELEMENTARY = ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sigmoid", "relu", "softplus", "erf")
_MASK = lazy(r"(\w+_)?masks?")
_PI_IMPORTED = lazy(r"\bimport\b.*(?:\bpi\b|\*)")
_EULER, _EXPECTATION = tree.Name("e"), tree.Name("E")


def guessed(text: str, numbers: Collection[str] = ()) -> tuple[list[tree.Statement], str]:
    """The statements of one line that is an expression or an equation, with equations in front of it perhaps, ``;``
    between them, of which ``numbers`` are no arrays; and what more to tell. Places are those of the line. Raises a
    `ModelError`."""
    body, taken, counts = _statements(text)
    if not _PI_IMPORTED.search(text):
        _refuse_pi(body, taken)
    body, note = _natural(_with_masks(_with_arrays(body, counts)), taken)
    _refuse_raised(body)
    body, said = _without_tuples(body, taken)
    note += said
    last = next((s for s in reversed(body) if not isinstance(s, tree.Said)), None)
    if not isinstance(last, tree.Equation):
        raise problem("there is no expression at the end: the last line is the result, as in (y - w*x)^2",
                      body[-1].line if body else 1, instead=[printed])
    names = tree.given(body)
    body, sizes = _named_sizes(body)
    plain, known = without_layers(body)
    leaves = [n for n in read_first(plain, taken) if n not in known and n not in _ELEMENTARY]
    for name in filter(SUM_OVER.fullmatch, leaves):
        raise NameProblem(f"{name} is a sum over an index: of arrays that is sum(…)", line=last.line, near=name)
    shapes = _shapes(plain, leaves, known, sizes, numbers)
    leaves, again = [n for n in leaves if n not in shapes.again], shapes.other_names()
    body = tree.with_formulas(body, partial(tree.put, found={n: sized(size) for n, size in again.items()}))
    last = next(s for s in reversed(body) if isinstance(s, tree.Equation))
    identity, more = _identity(leaves, shapes)
    has_axes = bool(shapes.values[last.target.name])
    role, free = "output" if has_axes else "loss", result_name({*leaves, *names}, has_axes)
    target = tree.Target(free) if last.target.name == RESULT else last.target
    keyword = role if last.keyword == "let" or last.target.name == RESULT else last.keyword
    declarations = declared([n for n in leaves if n != _IDENTITY or not identity], shapes, learnt=bool(known))
    result = replace(last, keyword=keyword, target=target)
    return [*declarations, *identity, *[result if s is last else s for s in body]], note + more


def _without_tuples(body: Sequence[tree.Statement], taken: Container[str]) -> tuple[Sequence[tree.Statement], str]:
    """The equations without ``W, b = params`` of what has no value above and is read nowhere else, where W or b is an
    array; numbers are the entries of one. And what to tell."""
    reads = Counter(n for e in tree.equations(body) for n in tree.mentioned(e.value))
    given = tree.given(body)
    parts = defaultdict[tuple[str, int], list[tree.Equation]](list)
    for e in body:
        thing = _unpacked(e.value) if isinstance(e, tree.Equation) and e.target.index is None else ""
        if isinstance(e, tree.Equation) and thing and thing not in given:
            parts[thing, e.line].append(e)
    tuples = {thing: found for (thing, _), found in parts.items() if 1 < len(found) == reads[thing]}
    if not tuples:
        return body, ""
    arrays = _arrays(_unless_in(body, tuples), taken)
    tuples = {thing: found for thing, found in tuples.items() if any(e.target.name in arrays for e in found)}
    told = [f"; {thing} is read as {', '.join(e.target.name for e in found)}" for thing, found in tuples.items()]
    return _unless_in(body, tuples), "".join(told)


def _unless_in(body: Sequence[tree.Statement], tuples: Mapping[str, Sequence[tree.Equation]]) -> list[tree.Statement]:
    left_out = {id(e) for found in tuples.values() for e in found}
    return [s for s in body if id(s) not in left_out]


def _unpacked(value: tree.Expr) -> str:
    """The name of what a value is a part of by its number, ``params[0]`` and ``params[0][1]``; nothing of others."""
    match value:
        case tree.Index(tree.Name(name), (tree.Number(),)):
            return name
        case tree.Index(inner, (tree.Number(),)):
            return _unpacked(inner)
    return ""


def _arrays(body: Sequence[tree.Statement], taken: Container[str]) -> set[str]:
    """What is declared nowhere and is an array, as far as the statements show."""
    body, sizes = _named_sizes(body)
    try:
        plain, known = without_layers(body)
        leaves = [n for n in read_first(plain, taken) if n not in known and n not in _ELEMENTARY]
        return {n for n, shape in _shapes(plain, leaves, known, sizes, ()).leaves.items() if shape}
    except ModelError:  # which is told where they are read
        return set()


def _with_arrays(body: Sequence[tree.Statement], counts: bool) -> Sequence[tree.Statement]:
    """The statements with declarations for arrays of random numbers and for those that have a gradient, and without the
    numbers that sizes of them are; where a loop ``counts`` with such names they are these numbers in shapes too."""
    found = [drawn(s) for s in body]
    if any(found):  # b = zeros(H) beside W = randn(D, H)
        found = [drawn(s, begun=True) if isinstance(s, tree.Equation) and _BIAS.fullmatch(s.target.name) else array
                 for s, array in zip(body, found, strict=True)]
    sizes = {n for item, _ in filter(None, found) for size in _sizes_of(item) for n in tree.mentioned(size)}
    given = Counter(e.target.name for e in tree.equations(body))
    numbers = {name: value for name, value in _numbers(body).items() if name in sizes}
    rest = list[tree.Statement]()
    for s, array in zip(body, found, strict=True):
        if isinstance(s, tree.Equation) and array is not None and given[s.target.name] == 1:
            item = _in_numbers(array[0], numbers) if counts else array[0]
            data = item.integer or sounds_like_data(s.target.name) or _NOISE.fullmatch(s.target.name) is not None
            role = "data" if data and not array[1] else "param"
            rest += [tree.Said(s.line, _ARRAY.format(s.target.name)), tree.Arrays(s.line, role, (item,))]
        elif counts or not (isinstance(s, tree.Equation) and s.target.name in numbers):
            rest.append(s)
    return rest


def _sizes_of(item: tree.ArrayItem) -> tuple[tree.Expr, ...]:
    return item.shape if item.below is None else (*item.shape, item.below)


def _in_numbers(item: tree.ArrayItem, numbers: Mapping[str, tree.Expr]) -> tree.ArrayItem:
    """The array with numbers for the names of its sizes that are these."""
    below = None if item.below is None else tree.put(item.below, numbers)
    return replace(item, shape=tuple([tree.put(size, numbers) for size in item.shape]), below=below)


_DERIVED = "gradients are derived: what the function gives whose gradient is asked for is the result"
_ARRAY = "{0} is read as an array of its shape, whose values here say nothing"
_BIAS = lazy(r"b\d*|b_\w+|(.*_)?bias\d*")
_NOISE = lazy(r"(.*_)?(noise|eps|epsilon|z)(_.*)?")


def _with_masks(body: Sequence[tree.Statement]) -> Sequence[tree.Statement]:
    """The equations with ``mask > 0`` for an index that is called a mask, and is given no value."""
    names = {n for part in tree.inside(body) if isinstance(part, tree.Index) for n in tree.mentioned(
        tree.Tuple(part.items), inside=False) if _MASK.fullmatch(n)} - tree.given(body)
    masks = {n: tree.Compare(">", tree.Name(n), tree.ZERO) for n in names}

    def of_masks(expr: tree.Expr) -> tree.Expr:
        expr = tree.changed(expr, of_masks)
        if not isinstance(expr, tree.Index):
            return expr
        items = tuple([tree.put(item, masks) for item in expr.items])
        return expr if items == expr.items else replace(expr, items=items)

    return tree.with_values(body, of_masks) if masks else body


def _shapes(body: Sequence[tree.Statement], leaves: Sequence[str], known: Known, sizes: dict[str, tuple[str, int]],
            numbers: Collection[str]) -> Shapes:
    """The shapes of what is not declared. Raises a `ModelError`; of a function that there is none of this is told, not
    what its value would have to be."""
    try:
        return Shapes(_with_numbers(body), leaves, known, sizes, numbers)
    except ShapeError:
        for call in [part for part in tree.inside(body) if isinstance(part, tree.Call)]:
            try:
                Evaluator(ModelScope(Model())).known(call)
            except NameProblem as error:
                raise error.about(call.place) from None
        raise


def _with_numbers(body: Sequence[tree.Statement]) -> Sequence[tree.Statement]:
    """The equations with whole numbers for the names that are given these once, as of ``stride = 2``."""
    numbers = {name: value for name, value in _numbers(body).items() if value.value.is_Integer}
    return tree.with_values(body, lambda expr: tree.put(expr, numbers)) if numbers else body


def _numbers(body: Sequence[tree.Statement]) -> dict[str, tree.Number]:
    """The names that are given a number, and that alone."""
    given = Counter(e.target.name for e in tree.equations(body))
    return {s.target.name: s.value for s in body if isinstance(s, tree.Equation) and s.target.index is None
            and isinstance(s.value, tree.Number) and given[s.target.name] == 1}


def _named_sizes(body: Sequence[tree.Statement]) -> tuple[Sequence[tree.Statement], dict[str, tuple[str, int]]]:
    """The statements without ``N, D = X.shape`` of what has no value above, whose sizes these names are."""
    sizes: dict[str, tuple[str, int]] = {}
    rest, given = list[tree.Statement](), set[str]()
    for s in body:
        asked = dialect.size_asked(s.value) if isinstance(s, tree.Equation) and s.target.index is None else None
        match asked:
            case tree.Name(array), place if array not in given:
                sizes[s.target.name] = array, place  # type: ignore[union-attr]
            case _:
                rest.append(s)
        given |= tree.given([s])
    return rest, {n: size for n, size in sizes.items() if n not in tree.given(rest)}


def _identity(leaves: Sequence[str], shapes: Shapes) -> tuple[list[tree.Equation], str]:
    """``I`` as the identity matrix where it is a square one, of a size that others have too; and that it is told."""
    rows, *more = (shapes.named(_IDENTITY) if _IDENTITY in leaves else []) or [0]
    if more != [rows] or not any(rows in shapes.named(n) for n in leaves if n != _IDENTITY):
        return [], ""
    identity = tree.Call("eye", (sized(rows),), ())
    return [tree.Equation(1, "let", tree.Target(_IDENTITY), identity)], f"; {_IDENTITY} is the identity matrix"


def _statements(text: str) -> tuple[Sequence[tree.Statement], Container[str], bool]:
    """What stands on lines and between ``;``, in its place; an expression at the end is an equation for the result.
    What functions take whose lines these are; whether a loop counts with names."""
    lines = list(logical_lines(text))
    if not lines:
        raise problem("there is no expression: give one, as in (y - w*x)^2", 1)
    with_its_signs(lines, language(text))
    counts = any(map(_counts_with_names, lines))
    typed, lines[-1] = lines[-1], _differentiated(lines)
    asked = [tree.Said(typed.number, _DERIVED)] * (lines[-1] != typed)
    reader = Reader(lines, [])
    found: list[tree.Statement] = [*reader.notes, *asked]
    while reader.place < len(lines) - 1 or (reader.place < len(lines) and _gives_a_name(lines[-1])):
        place = reader.place
        for statement in reader.statement(lines[0].indent, 0):
            first, computes = lines[place].tokens[0], isinstance(statement, (tree.Equation, tree.For, tree.Said))
            if first.text in KEYWORDS and not computes:
                raise first.problem("with an expression alone nothing is declared: write a model text")
            found.append(statement)
    if reader.errors:
        raise reader.errors[0]
    last = next((s for s in reversed(found) if not isinstance(s, tree.Said)), None)
    if reader.place >= len(lines) and isinstance(last, tree.For) and isinstance(last.body[-1], tree.Equation) and (
            last.body[-1].target.index is None):  # what is summed up
        found.append(tree.Equation(lines[-1].number, "let", tree.Target(RESULT), tree.Name(last.body[-1].target.name)))
    if reader.place < len(lines):
        value, before = reader.helpers.behind_loops(reader.helpers.inlined(formula_of(_without_head(lines[-1].tokens))))
        found += before
        found.append(tree.Equation(lines[-1].number, "let", tree.Target(RESULT), reader.helpers.now(value)))
    return counted(with_own_names(reader.keys.put(found), text), text), reader.helpers.taken, counts


def _differentiated(lines: Sequence[Line]) -> Line:
    """The last line, ``f(w, x)`` for ``g = jax.grad(f)(w, x)`` and for ``df(w, x)`` behind ``df = jax.grad(f)``."""
    known = {line.tokens[1].text for line in lines if line.tokens[0].text == "def"}
    made = {line.tokens[0].text: of for line in lines[:-1] if (of := _of_gradient(line, known))}
    last = lines[-1]
    for k, token in enumerate(last.tokens):
        of = _of_gradient(last, known) if token.text in GRADIENTS else ""
        end = closing(last.tokens, k + 1) + 1 if of else k + 1
        of = of or made.get(token.text, "")
        if of and last.tokens[end].is_sign("(") and _is_all(last.tokens, k, behind := closing(last.tokens, end) + 1):
            return last._replace(tokens=(token._replace(text=of), *last.tokens[end:behind], last.tokens[-1]))
    return last


def _is_all(tokens: Sequence[Token], k: int, behind: int) -> bool:
    """Whether a call, perhaps printed, is all that a line computes: of ``f(w) + sum(grad(f)(w)**2)`` it is a part."""
    while k > 1 and tokens[k - 1].is_sign("."):
        k -= 2
    if [*map(TEXT, tokens[:2])] == ["print", "("] and tokens[behind].is_sign(")"):
        k, behind = k - 2, behind + 1
    return (k == 0 or tokens[k - 1].is_sign("=")) and behind == len(tokens) - 1


def _of_gradient(line: Line, known: Container[str]) -> str:
    """The function of which a line makes the gradient, ``jax.value_and_grad(f, argnums=0)``, one that is ``known``."""
    triples = zip(line.tokens, line.tokens[1:], line.tokens[2:], strict=False)
    return next((of.text for word, bracket, of in triples
                 if word.text in GRADIENTS and bracket.is_sign("(") and of.text in known), "")


def _counts_with_names(line: Line) -> bool:
    """Whether there is a loop, or a list with one in it, whose steps are no numbers alone."""
    loops = [k for k, token in enumerate(line.tokens) if token.text == "for"]
    over = line.tokens[loops[0] :] if loops else ()
    behind = dropwhile(lambda token: token.text != "in", over)
    return any(token.kind == NAME and not after.is_sign("(") for token, after in pairwise([*behind][1:]))


def _without_head(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """What ``lambda x: …`` is of x."""
    behind = next((k + 1 for k, token in enumerate(tokens) if token.is_sign(":")), 0)
    return tokens[behind:] if tokens[0].text == "lambda" and behind and len(tokens) > behind + 1 else tokens


def _gives_a_name(line: Line) -> bool:
    """Whether there is an = outside brackets, a result, or what says nothing, so that the line is a statement."""
    depth = 0
    for token in line.tokens:
        depth += token.is_sign("(", "[") - token.is_sign(")", "]")
        if not depth and token.is_sign("=", *UPDATES):
            return True
    return line.tokens[0].text == "return" or bool(says_nothing(Cursor(line.tokens)))


def _natural(body: Sequence[tree.Statement], taken: Container[str]) -> tuple[Sequence[tree.Statement], str]:
    """The equations with exp(x) for e^x where e is nothing else, and with the mean for E[x²]; and what to tell."""
    body, note = _expected(body)
    parts = tree.inside(body)
    powers = [part for part in parts if isinstance(part, tree.Power) and part.base == _EULER]
    given = _EULER.name in taken or _EULER.name in tree.given(body)
    if not powers or parts.count(_EULER) > len(powers) or given:
        return body, note
    return tree.with_values(body, _exponential), f"{note}; e is Euler's number"


def _expected(body: Sequence[tree.Statement]) -> tuple[Sequence[tree.Statement], str]:
    """The equations with mean(a) for E[a], where no index can be meant, and what to tell of that."""
    parts = tree.inside(body)
    means = [*filter(_is_expectation, parts)]
    if not means or parts.count(_EXPECTATION) > len(means):
        return body, ""
    return tree.with_values(body, _mean), "; E[…] is the mean"


def _is_expectation(expr: tree.Expr) -> bool:
    """Whether E has behind it what no index is: a power, a function, a product, a difference of two names."""
    if not isinstance(expr, tree.Index) or expr.base != _EXPECTATION or len(expr.items) > 1:
        return False
    inside = expr.items[0]
    numbers = isinstance(inside, tree.Chain) and any(isinstance(part, tree.Number) for part in tree.parts(inside))
    return isinstance(inside, (tree.Power, tree.Call, tree.Bars, tree.Chain)) and not numbers


def _mean(expr: tree.Expr) -> tree.Expr:
    expr = tree.changed(expr, _mean)
    if not _is_expectation(expr):
        return expr
    return tree.Call("mean", expr.items, (), place=expr.place)  # type: ignore[union-attr]


def _refuse_raised(body: Sequence[tree.Statement]) -> None:
    """Refuse ``x^T`` beside what makes sense of arrays alone: it is the transpose there."""
    parts = tree.inside(body)
    raised = [part for part in parts if isinstance(part, tree.Power) and part.exponent == tree.RAISED_T]
    on_paper = any(isinstance(part, tree.Chain) and any(sign == tree.BESIDE for sign, _ in part.rest) for part in parts)
    if raised and parts.count(tree.RAISED_T) == len(raised) and (on_paper or any(map(needs_arrays, parts))):
        raise NameProblem("what is raised to T is transposed here: that is written .T", instead=OnPaper(".T"),
                          place=raised[0].exponent.place)


def _refuse_pi(body: Sequence[tree.Statement], taken: Container[str]) -> None:
    """Refuse pi in a program that imports none, but beside a number and in an angle: it may be an array there."""
    parts, pi = tree.inside(body), tree.Name("pi")
    mine = pi.name in taken or pi.name in tree.given(body)
    of_library = any(isinstance(part, tree.Member) and isinstance(part.base, tree.Name) and part.base.name in MODULES
                     for part in parts)
    if mine or not of_library:
        return
    known = {id(part) for whole in parts if _is_of_pi(whole) for part in tree.all_parts(whole)}
    for part in parts:
        if part == pi and id(part) not in known:
            raise NameProblem("pi may be the number or an array: write np.pi, or call the array otherwise",
                              near=pi.name, place=part.place)


def _is_of_pi(expr: tree.Expr) -> bool:
    """Whether pi is the number in it: a product with another number, a power, an angle."""
    if isinstance(expr, tree.Power):
        return isinstance(expr.exponent, tree.Number)
    if isinstance(expr, tree.Chain):
        return all(sign in "*/" for sign, _ in expr.rest) and any(
            isinstance(part, tree.Number) for part in tree.parts(expr))
    head = TABLE[name].head if (name := tree.called(expr)[0]) in TABLE else None
    return isinstance(head, type) and issubclass(head, TrigonometricFunction)


def _exponential(expr: tree.Expr) -> tree.Expr:
    expr = tree.changed(expr, _exponential)
    raised = isinstance(expr, tree.Power) and expr.base == _EULER
    return tree.Call("exp", (expr.exponent,), (), place=expr.place) if raised else expr  # type: ignore[union-attr]


# -- what a text reads of objects that it does not make, ``self.W`` and ``config.width``, as what has the last name
_TOLD = "what {0} has, as {0}.{1}, is read under its own name"
_GIVEN = lazy(r"^\s*self\.register_buffer\(\s*[\"'](\w+)|"
                    r"^\s*((?:self\.\w+\s*,\s*)*self\.\w+)\s*=(?!=)", re.MULTILINE)
_ITS_OWN = lazy(r"\bself\.(\w+)\b")


def with_own_names(body: Sequence[tree.Statement], text: str) -> Sequence[tree.Statement]:
    """The statements with W for ``self.W`` and width for ``config.width``; what else has that name is another thing if
    it is no line of the object that gives it that."""
    if not any(isinstance(part, tree.Member) for part in _all_in(body)):
        return body
    own = {name for buffer, names in _GIVEN.findall(text) for name in (buffer, *_ITS_OWN.findall(names))}
    given = tree.given(body)
    body = _without(body, dialect.SELF.name, _read_behind(body) - own)
    for name in _records(body, given):
        body = _without(body, name, set())
    return body


def _read_behind(body: Sequence[tree.Statement]) -> set[str]:
    """What is read of self below a line that gives another thing that name."""
    given, found = set[str](), set[str]()
    for s in tree.flat(body):
        read = [part for part in _all_in([s]) if isinstance(part, tree.Member) and part.base == dialect.SELF]
        found |= {part.name for part in read} & given
        given |= tree.given([s])
    return found


def _without(body: Sequence[tree.Statement], record: str, others: Container[str]) -> Sequence[tree.Statement]:
    """The statements with names for what they read of a record, longer ones for what others have."""
    read = [part for part in _all_in(body) if isinstance(part, tree.Member) and _is_read_of(part, record)]
    if not read:
        return body

    def own(expr: tree.Expr) -> tree.Expr:
        if isinstance(expr, tree.Member) and _is_read_of(expr, record):
            return tree.Name(f"{record}_{expr.name}" if expr.name in others else expr.name, place=expr.place)
        return tree.changed(expr, own)

    first = read[0]
    told = tree.Said(first.place.line if first.place else 1, _TOLD.format(record, first.name))
    return [told, *tree.with_formulas(body, own)]


def _all_in(body: Sequence[tree.Statement]) -> list[tree.Expr]:
    return [part for expr in tree.formulas(body) for part in tree.all_parts(expr)]


def _records(body: Sequence[tree.Statement], given: Container[str]) -> list[str]:
    """The names of which nothing is read but what has a name there, as no array has it."""
    parts = _all_in(body)
    names = Counter(part.name for part in parts if isinstance(part, tree.Name))
    bases = [(part, part.base.name) for part in parts if isinstance(part, tree.Member)
             and isinstance(part.base, tree.Name)]
    read = Counter(name for part, name in bases if _is_read_of(part, name))
    return [name for name in read if read[name] == names[name] and name not in given and name not in MODULES]


def _is_read_of(part: tree.Expr, record: str) -> bool:
    """Whether it is ``record.name``, where that is no part of an array."""
    return (isinstance(part, tree.Member) and part.args is None and part.base == tree.Name(record)
            and not dialect.is_of_arrays(part.name))
