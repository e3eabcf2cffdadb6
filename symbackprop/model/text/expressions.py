"""Tokens to expressions: recursive descent with NumPy's operators and their precedence, to a limited depth.

expression := comparison ["if" comparison "else" expression]
comparison := sum [("<" | "<=" | ">" | ">=" | "==" | "!=") sum]
sum        := product {("+" | "-") product}
product    := tight {("*" | "/" | "@" | "·" | beside | "//" | "%" | "\\") tight}
tight      := sign {("%*%" | "%o%" | "%%" | "%/%" | "%in%") sign}
sign       := {"-" | "+"} power
power      := postfix [("**" | "^") sign]
postfix    := atom {"[" items "]" | ".T" | "'" | "ᵀ" | "." name ["(" arguments ")"]}
atom       := number | name | name "(" arguments ")" | string | "(" expression {"," expression} ")" | "[" … "]"
              | "|" expression "|" | "‖" expression "‖" ["_1" | "_2" | "_F" | "_inf"]
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from inspect import signature
from typing import Any, TypeAlias

import sympy as sp

from symbackprop.core.functions import FUNCTIONS
from symbackprop.core.functions.words import ALSO
from symbackprop.core.scalars import TABLE
from symbackprop.errors import OnPaper, Place, SyntaxProblem
from symbackprop.model.text import lambdas, tree
from symbackprop.model.text.foreign import MEMBER
from symbackprop.model.text.meant_lines import (
    below_each_other,
    beside_each_other,
    combined_conditions,
    compared_twice,
    entries_from_one,
    inner_product,
    is_of_angles,
    left_out,
    with_branches,
)
from symbackprop.model.text.tokens import (
    END,
    NAME,
    NUMBER,
    PYTHON_WORDS,
    SIGN,
    STRING,
    Cursor,
    Token,
    found,
    logical_lines,
    problem,
)

MAX_DEPTH = 50
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=", "~=")
TRANSPOSES = (".T", "'", "ᵀ")
BARS = ("|", "||", "‖")
ORDERS = {"1": tree.ONE, "2": tree.Number(sp.Integer(2)), "inf": tree.Name("inf"), "F": None}
WORDS = {"True": True, "False": False, "None": None}
_LARGEST = 308
MAX_FLOAT = sp.Rational(2**1024 - 2**970)


def expression(c: Cursor) -> tree.Expr:
    """One expression; stops at the first token that cannot continue it."""
    c.depth += 1
    if c.depth > MAX_DEPTH:
        raise problem(f"the expression is nested more than {MAX_DEPTH} deep: name a part of it", c.now.line)
    first, value = c.now, _comparison(c)
    if c.now.text in _BEHIND:
        value = _conditions(c, first, value)
        if c.now.text == "if":
            value = _with_word(c, first, value)
    c.depth -= 1
    return value


# the sign that binds most first; Python's & and | come before comparisons
_COMBINES = {"&": "bitwise_and", "|": "bitwise_or", "&&": "bitwise_and", "and": "bitwise_and", "||": "bitwise_or",
             "or": "bitwise_or"}
_BEFORE_COMPARISONS = ("&", "|")
_BEHIND = ("if", *_COMBINES)
OPPOSITE = "bitwise_not"


def _conditions(c: Cursor, first: Token, value: tree.Expr, among: Collection[str] = _COMBINES) -> tree.Expr:
    """``(a > 0) & (b > 0)`` and ``a > 0 or b > 0``, combined by such signs."""
    parts, begins, signs = [value], [first], list[str]()
    while c.now.text in among and not (c.bars and c.at("|", "||")) and _may_hold(parts[-1]):
        sign = c.take()
        signs.append(sign.text)
        begins.append(c.now)
        parts.append(_comparison(c))
        if sign.text in _BEFORE_COMPARISONS and any(map(_is_bare, begins[-2:], parts[-2:])):
            raise sign.problem("brackets belong around conditions, (a > 0) & (b > 0): in Python & and | come first",
                               (combined_conditions,))
    for text, name in _COMBINES.items():
        while text in signs:
            k = signs.index(text)
            del signs[k]
            parts[k : k + 2] = [tree.Call(f"np.{name}", tuple(parts[k : k + 2]), (), place=c.since(first))]
    return parts[0]


def _is_bare(first: Token, condition: tree.Expr) -> bool:
    """Whether a condition that begins with a token has no brackets around it."""
    return first.text == "not" or (isinstance(condition, tree.Compare) and condition.place is not None
                                   and condition.place.start == first.column)


def _may_hold(condition: tree.Expr) -> bool:
    """Whether it may be a condition by its form."""
    return isinstance(condition, (tree.Compare, tree.Name, tree.Call, tree.Member, tree.Index))


def _with_word(c: Cursor, first: Token, value: tree.Expr) -> tree.Expr:
    """``a if c else b`` behind a."""
    c.take()
    condition = _conditions(c, c.now, _comparison(c))
    if c.word("else and another value, as in `a if c else b`").text != "else":
        raise c.unexpected("expected else and another value, as in `a if c else b`")
    return tree.Choice(tree.CHOICE, (condition, value, expression(c)), (), place=c.since(first))


def _comparison(c: Cursor) -> tree.Expr:
    first, left = c.now, _sum(c)
    if c.now.text == "is":
        return _asked(c, first, left)
    if c.now.text in COMPARISONS:
        sign = c.take().text.replace("~", "!")  # of Matlab
        left = tree.Compare(sign, left, _sum(c), place=c.since(first))
        if c.at(*COMPARISONS):
            raise c.unexpected("comparisons cannot be chained: multiply them, (a < b) * (b < c)", named=True,
                               instead=(compared_twice,))
    return left


def _asked(c: Cursor, first: Token, left: tree.Expr) -> tree.Expr:
    """``a is None`` and ``a is not None``, behind a."""
    signs = [c.take().text]
    if c.now.text == "not":
        signs.append(c.take().text)
    if c.now.text != "None":
        raise c.unexpected("expected None: whether something `is` another is asked of nothing else", instead=())
    c.take()
    return tree.Compare(" ".join(signs), left, tree.Word(None), place=c.since(first))


def size(c: Cursor) -> tree.Expr:
    """A size or a bound: an expression without comparison."""
    return _sum(c)


def one_formula(text: str, read: Callable[[Cursor], tree.Expr] = expression) -> tree.Expr:
    """The formula that a text is, or with `size` the size or bound."""
    lines = list(logical_lines(text))
    if len(lines) != 1:
        raise SyntaxProblem("a formula is one line")
    return formula_of(lines[0].tokens, read)


def formula_of(tokens: tuple[Token, ...], read: Callable[[Cursor], tree.Expr] = expression) -> tree.Expr:
    """The formula that the tokens of a line are."""
    cursor = Cursor(tokens)
    result = read(cursor)
    cursor.finish("the formula")
    return result


def _sum(c: Cursor) -> tree.Expr:
    start, first = c.now, _product(c)
    rest: list[tuple[str, tree.Expr]] = []
    while c.now.text in _OF_SUMS:
        rest.append((c.take().text[-1], _product(c)))
    return tree.Chain(first, tuple(rest), place=c.since(start)) if rest else first


_OF_SUMS = ("+", "-", ".+", ".-")


def _product(c: Cursor) -> tree.Expr:
    start, first = c.now, _sign(c)
    rest: list[tuple[str, tree.Expr]] = []
    last = start  # where the last factor begins
    while c.now.text in _OF_PRODUCTS or (c.now.text == "‖" and _is_factor(c, rest)):
        sign, now = "*" if c.at("‖") else c.take().text.removeprefix("."), c.now
        right = _sign(c)
        if sign in _TIGHT:
            before, factor = rest.pop() if rest else ("", first)
            factor = _TIGHT[sign](factor, right, c.since(last))
            first = first if before else factor
            rest += [(before, factor)] * bool(before)
            continue
        last = now
        if sign in _WHOLE:
            first, rest = _WHOLE[sign](_multiplied(first, rest, c.since(start)), right, c.since(start)), []
            last = start
        else:
            rest.append((sign, right))
    return _multiplied(first, rest, c.since(start)) if rest else first


def _is_factor(c: Cursor, rest: Sequence[tuple[str, tree.Expr]]) -> bool:
    """Whether bars that begin here are those of a norm that what stands in front is multiplied with: λ‖w‖², not
    1/2‖w‖², which may be divided by it."""
    return not c.bars and all(sign == "*" for sign, _ in rest[-1:])


def _multiplied_at(sign: str, a: tree.Expr, b: tree.Expr, place: Place | None) -> tree.Expr:
    """A product of which a chain of such is the first factor."""
    first, rest = (a.first, a.rest) if isinstance(a, tree.Chain) and a.rest[-1][0] == sign else (a, ())
    return _multiplied(first, (*rest, (sign, b)), place)


def _calls(function: str) -> Callable[[tree.Expr, tree.Expr, Place | None], tree.Expr]:
    return lambda a, b, place: tree.Call(function, (a, b), (), place=place)


# what ``a // b`` and ``a % b`` are; the sign in front of a belongs to it, as in Python
_WHOLE = {"//": _calls("floor_divide"), "%": _calls("remainder"), "\\": _calls("solve")}
# signs of R's, which bind more strongly than * and /
_TIGHT: dict[str, Callable[[tree.Expr, tree.Expr, Place | None], tree.Expr]] = {
    "%*%": partial(_multiplied_at, "@"), "%o%": _calls("outer"), "%%": _calls("remainder"),
    "%/%": _calls("floor_divide"), "%in%": _calls(MEMBER),
}
_OF_PRODUCTS = frozenset(("*", "/", "@", "·", tree.BESIDE, ".*", "./", tree.PRODUCT, tree.QUOTIENT, *_WHOLE, *_TIGHT))


def _multiplied(first: tree.Expr, rest: Sequence[tuple[str, tree.Expr]], place: Place | None) -> tree.Expr:
    """The product of what stands between signs."""
    if not rest:
        return first
    if isinstance(first, tree.Negative):  # -a * b is the negative of a product
        product = tree.Chain(first.body, tuple(rest), place=place)
        return tree.Negative(product, place=product.place)
    return tree.Chain(first, tuple(rest), place=place)


def _sign(c: Cursor) -> tree.Expr:
    first, negative = c.now, False
    if first.kind != SIGN:
        return _power(c)
    while c.at("-", "+"):
        negative ^= c.take().text == "-"
    body = _power(c)
    return tree.Negative(body, place=c.since(first)) if negative else body


def _power(c: Cursor) -> tree.Expr:
    first, base = c.now, _postfix(c)
    if c.now.text not in _POWERS:
        return base
    sign = c.take()
    if sign.text in _FROM_LEFT:
        return _from_left(c, first, base, sign)
    c.depth += 1
    if c.depth > MAX_DEPTH:
        raise problem(f"powers of powers are nested more than {MAX_DEPTH} deep", c.now.line)
    calls = c.now.kind == NAME and c.now.text == tree.RAISED_T.name and c.after.text == "("
    exponent = tree.Name(c.take().text) if calls else _sign(c)  # in (y - v)^T (y - v) nothing is called T
    c.depth -= 1
    if exponent == tree.RAISED_T:  # what .T would stand for
        exponent = replace(exponent, place=c.since(sign))
    return tree.Power(base, exponent, tree.POWER if sign.text == tree.POWER else "", place=c.since(first))


_SIDES = (tree.FROM_LEFT, tree.FROM_EITHER)
_FROM_LEFT = {sign + side: kind for sign, kind in ((".^", ""), (tree.POWER, tree.POWER)) for side in _SIDES}

_POWERS = frozenset(("**", "^", ".^", tree.POWER, *_FROM_LEFT))


def _from_left(c: Cursor, first: Token, base: tree.Expr, sign: Token | None) -> tree.Expr:
    """``a^b^c`` as ``(a^b)^c``, and ``a^b'`` as the transpose of the power, as in Matlab; where it may be Julia's, that
    is refused."""
    while sign is not None:
        begun, negative = c.now, False
        while c.at("-", "+"):
            negative ^= c.take().text == "-"
        exponent = _postfix(c, ())
        exponent = tree.Negative(exponent, place=c.since(begun)) if negative else exponent
        base = tree.Power(base, exponent, _FROM_LEFT[sign.text], place=c.since(first))
        if sign.text.endswith(tree.FROM_EITHER) and c.at(*TRANSPOSES, *_FROM_LEFT):
            raise c.unexpected("the power is taken before this in Matlab, and after it in Julia: write brackets",
                               named=True, instead=[partial(_bracketed, c.since(first))])
        while c.at(*TRANSPOSES):
            base = tree.Transpose(base, c.take().text, place=c.since(first))
        sign = c.accept(*_FROM_LEFT)
    return base


def _bracketed(whole: Place | None, line: str, place: Place) -> str:
    """The line with brackets around a place."""
    return line if whole is None else whole.put(line, f"({whole.cut(line)[1]})")


_BEHIND_ATOMS = frozenset(("[", ".", "(", *TRANSPOSES))


def _postfix(c: Cursor, transposes: Sequence[str] = TRANSPOSES) -> tree.Expr:
    first, body = c.now, _atom(c)
    if c.now.text not in _BEHIND_ATOMS:
        return body
    layers = 0
    while c.at("[", ".", *transposes) or (c.at("(") and (_is_layer(body) or lambdas.is_called(body))):
        layers += 1
        if layers > MAX_DEPTH:
            raise c.unexpected(f"more than {MAX_DEPTH} indices and transposes on one array", named=True)
        if c.at(*transposes):
            sign = c.take().text
            body = tree.Transpose(body, sign, place=c.since(first))
        elif c.accept("."):
            name = c.word("a name behind the dot").text
            args, options = _arguments(c, name) if c.accept("(") else (None, ())
            body = lambdas.resolved(tree.Member(body, name, args, options, place=c.since(first)))
        elif c.accept("("):
            args, options = _arguments(c, tree.FORWARD)
            forward = tree.Member(body, tree.FORWARD, args, options, place=c.since(first))
            body = forward if _is_layer(body) else lambdas.called(body, args, options, c.since(first))
        else:
            c.take()
            body = tree.Index(body, _items(c), place=c.since(first))
    return body


def _is_layer(body: tree.Expr) -> bool:
    """``nn.ReLU()``, a layer of PyTorch's that is called: what is called like a class."""
    called = body.name if isinstance(body, tree.Member) and body.args is not None else ""
    return (body.function if isinstance(body, tree.Call) else called)[:1].isupper()


def _atom(c: Cursor) -> tree.Expr:
    token = c.now
    if token.kind == NUMBER:
        return tree.Number(number(c.take()), place=c.since(token))
    if token.kind == STRING:
        return tree.String(c.take().text[1:-1], place=c.since(token))
    if token.kind == NAME:
        return _name(c)
    if c.accept("("):
        return _group(c)
    if c.accept("["):
        return _list(c)
    if c.at(*BARS):
        return _bars(c)
    if c.accept("{}"):
        return tree.Call(tree.DICT, (), ())
    if c.accept("{"):
        return tree.Call(tree.DICT, (), tuple(_entries(c).items()), place=c.since(token))
    if c.accept("~"):
        return _opposite(c, token, _sign(c))
    if token.text == "'":
        raise c.unexpected("a ' is a transpose and follows an array; strings take double quotes", named=True)
    raise c.unexpected("expected a value", instead=(inner_product,) if c.at("<") else ())


def _entries(c: Cursor) -> dict[str, tree.Expr]:
    """What stands in { }: values under keys, separated by commas."""
    found: dict[str, tree.Expr] = {}
    while not c.accept("}"):
        if c.now.kind != STRING:
            raise c.unexpected("a key is a string, as in {'W': W}")
        key = c.take().text[1:-1]
        c.expect(":", "and a value behind a key")
        found[key] = expression(c)
        if not c.at("}"):
            c.expect(",", "or '}' behind a value")
    return found


def _opposite(c: Cursor, first: Token, condition: tree.Expr) -> tree.Expr:
    return tree.Call(f"np.{OPPOSITE}", (condition,), (), place=c.since(first))


def _bars(c: Cursor) -> tree.Expr:
    """``|a|``, ``‖a‖``, and ``‖a‖_1`` with the order of the norm, which stands at the bars: ``‖a‖ 2`` lacks a sign."""
    first = c.take()
    c.bars += 1
    inner = (expression(c),)
    c.bars -= 1
    last = c.expect(first.text, "to close the bars")
    next_to = c.now.text.startswith("_") or c.now.column == last.column + len(last.text)
    behind = c.now.kind in (NAME, NUMBER) and next_to
    known = behind and c.now.text.removeprefix("_") in ORDERS
    if first.text == "|" and not known:
        return tree.Bars("abs", inner, (), place=c.since(first))
    order = ORDERS[c.take().text.removeprefix("_")] if known else None
    return tree.Bars("norm", inner, (("order", order),) if order else (), place=c.since(first))


def _name(c: Cursor) -> tree.Expr:
    token = c.take()
    if token.text in WORDS:
        return tree.Word(WORDS[token.text])
    if token.text in PYTHON_WORDS:
        if _begins_a_function(c, token):
            return _function(c, token)
        if token.text == "not":
            return _opposite(c, token, _conditions(c, c.now, _comparison(c), _BEFORE_COMPARISONS))
        greek = token.text == "lambda" and c.now.kind != NAME
        other, says = ((OnPaper("lam"),), ": write lam") if greek else ((with_branches,), "") if (
            token.text == "if") else ((), "")
        raise token.problem(f"{token.text!r} is Python, not model text: there are only formulas here{says}", other)
    bracket = c.accept("(")
    if bracket is None:
        _refuse_juxtaposition(c, token)
        _refuse_bare_function(c, token)
        return tree.Name(token.text, place=c.since(token))
    args, options = _arguments(c, token.text)
    return lambdas.resolved(tree.Call(token.text, args, options, _is_apart(token, bracket), place=c.since(token)))


def _is_apart(name: Token, bracket: Token) -> bool:
    """Whether something stands between a name and a bracket, such as Julia's dot."""
    return bracket.column > name.column + len(name.text)


def _begins_a_function(c: Cursor, word: Token) -> bool:
    """Whether ``lambda`` is no letter: names and a colon follow."""
    return word.text == "lambda" and c.now.kind == NAME and any(token.is_sign(":") for token in c.tokens[c.place :])


def _function(c: Cursor, first: Token) -> tree.Function:
    """``lambda a, b: value`` behind its first word."""
    parameters = [_parameter(c)]
    while c.accept(","):
        parameters.append(_parameter(c))
    c.expect(":", "behind the names")
    return tree.Function(tuple(parameters), expression(c), place=c.since(first))


def _parameter(c: Cursor) -> tuple[str, tree.Expr | None]:
    return c.word("a name").text, expression(c) if c.accept("=") else None


def _refuse_juxtaposition(c: Cursor, before: Token) -> None:
    """``f"…"``, ``b"…"`` and two names in a row."""
    if c.now.kind == STRING and c.now.column == before.column + len(before.text):
        raise c.unexpected(f"a string cannot follow {before.text!r}: there are no f-strings", named=True)


def _refuse_bare_function(c: Cursor, function: Token) -> None:
    """``log y``, and ``sum a * b`` with all that is added; behind a colon an x between two values separates sizes."""
    if not _is_function(function.text) or not (c.begins_a_value() or c.at("|")) or function.column == 0:
        return
    if c.now.text == "x" and c.after.kind in (NAME, NUMBER) and any(t.is_sign(":") for t in c.tokens[: c.place]):
        return
    start = c.place
    (_pass_over if _reduces(function.text) else _factor)(c)
    factors = [c.typed_since(start)]
    while is_of_angles(function.text) and c.now.kind == NAME and not _is_function(c.now.text):
        start = c.place
        _factor(c)
        factors.append(c.typed_since(start))
    called = f"{function.text}({' * '.join(factors)})"
    longer = c.begins_a_value() or c.at(*_OF_PRODUCTS)
    alone = not longer and not factors[1:] and not _reduces(function.text) and function.text != "sqrt"  # √½x
    called = OnPaper(called) if alone else called
    raise problem(f"what {function.text} is of takes brackets: {called}", function.line, "", c.since(function), called)


def _is_function(name: str) -> bool:
    return name in FUNCTIONS or name in TABLE or name in ALSO


def _reduces(function: str) -> bool:
    """Whether a function is of all entries where no axis is given, as sum is."""
    axis = signature(FUNCTIONS[function]).parameters.get("axis") if function in FUNCTIONS else None
    return axis is not None and axis.default is None


def _pass_over(c: Cursor) -> None:
    """All up to a comma, or to the end of the line or of the brackets around."""
    depth = 0
    while c.now.kind != END and not (depth == 0 and c.at(",", ")", "]")):
        depth += c.at("(", "[") - c.at(")", "]")
        c.take()


def _factor(c: Cursor) -> tree.Expr:
    """A value with its index and its power, and a number in front of it: 2x."""
    first = _power(c)
    if c.at("*") and not c.now.column:
        c.take()
        return _power(c)
    return first


def _option(c: Cursor) -> str:
    """``axis`` of ``axis=0``, or ``log.p`` of R's ``log.p=TRUE``, when that is taken; nothing before anything else."""
    end = c.place
    while c.tokens[end].kind == NAME and c.tokens[end + 1].is_sign("."):
        end += 2
    if c.tokens[end].kind != NAME or not c.tokens[end + 1].is_sign("="):
        return ""
    word = "".join(token.text for token in c.tokens[c.place : end + 1])
    c.go(end + 2)
    return word


def _arguments(c: Cursor, function: str) -> tuple[tuple[tree.Expr, ...], tuple[tuple[str, tree.Expr], ...]]:
    args: list[tree.Expr] = []
    options: dict[str, tree.Expr] = {}
    while not c.accept(")"):
        if c.at(":"):
            raise c.unexpected("entries stand in square brackets and are counted from 0", instead=(entries_from_one,))
        if args and c.at("[") and c.after.is_sign("]"):
            return tuple(args), _axis_of_matlab(c, function)
        key = _option(c)
        if key in options:
            raise problem(f"{function}(…) gets {key}= twice", c.now.line)
        if key:
            options[key] = expression(c)
        elif options:
            raise c.unexpected(f"{function}(…) has a plain argument after a named one")
        else:
            args.append(_spread(c) if c.at("*") else expression(c))
        if c.now.kind == NAME and c.now.text == "for":
            raise c.unexpected(_CHOSEN)
        if c.at(":"):
            raise c.unexpected("entries stand in square brackets and are counted from 0", instead=(entries_from_one,))
        if not c.at(")"):
            c.expect(",", f"or ')' in the arguments of {function}(…)")
    return tuple(args), tuple(options.items())


def _axis_of_matlab(c: Cursor, function: str) -> tuple[tuple[str, tree.Expr], ...]:
    """The axis that ``max(X, [], 2)`` goes along, up to the bracket."""
    first = c.take()
    c.take()
    known = function in ("max", "min", "var", "std") and c.accept(",") and c.now.text in ("1", "2")
    if not known or not c.after.is_sign(")"):
        raise first.problem(_NO_LISTS)
    down = c.take().text == "1"
    c.take()
    return (("axis", tree.String("down" if down else "across")), ("keepdims", tree.Word(True)))


def _spread(c: Cursor) -> tree.Expr:
    """``*x.shape``, which is the shape where sizes are asked for."""
    star = c.take()
    sizes = expression(c)
    if not isinstance(sizes, tree.Member) or sizes.name not in ("shape", "size"):
        raise star.problem("what is given with a star is a shape, as in zeros(*x.shape)", (left_out,))
    return sizes


_CHOSEN = "entries that a list chooses, or two loops in it: multiply them by the condition, or write the loops on lines"
_NO_LISTS = "there are no lists: what a loop gives h in all its steps is the stack h"


def _group(c: Cursor) -> tree.Expr:
    first = c.before
    if c.accept(")"):
        return tree.Tuple(())
    items = [expression(c)]
    comma = False
    while c.accept(","):
        comma = True
        if c.at(")"):
            break
        items.append(expression(c))
    c.expect(")", "to close the bracket")
    return tree.Tuple(tuple(items), place=c.since(first)) if comma else items[0]


def _list(c: Cursor) -> tree.Expr:
    """``[a, b]``, as people write the arrays that are joined."""
    if c.at("]"):
        raise c.unexpected(_NO_LISTS, named=True)
    items = [expression(c)]
    while c.accept(",") and not c.at("]"):
        items.append(expression(c))
    if not c.accept("]"):
        raise c.unexpected(_CHOSEN if c.now.text == "for" else "there are no lists: write stack(a, b) or concat(a, b)",
                           named=True, instead=(below_each_other, beside_each_other))
    return tree.Tuple(tuple(items))


def _items(c: Cursor) -> tuple[tree.Expr, ...]:
    """What stands in [ ]: values, slices, None and … , separated by commas."""
    several = c.at("(")  # x[(0, 1)] is x[0, 1]
    items = [_item(c)]
    while c.accept(","):
        items.append(_item(c))
    c.expect("]", "to close the index")
    return items[0].items if several and len(items) == 1 and isinstance(items[0], tree.Tuple) else tuple(items)


def _item(c: Cursor) -> tree.Expr:
    if c.at(",") or (c.at("]") and c.before.is_sign(",")):  # X[, 1] and X[1, ] of R
        return tree.Slice(None, None, None)
    if c.accept("..."):
        return tree.Word(Ellipsis)
    first, parts = c.now, list[tree.Expr | None]([None if c.at(":") else expression(c)])
    if parts[0] is not None and c.at(".."):
        raise _range_of_steps(c, first, parts[0])
    while len(parts) < 3 and c.accept(":"):
        parts.append(None if c.at(":", ",", "]") else expression(c))
    if len(parts) == 1:
        assert parts[0] is not None
        return parts[0]
    return tree.Slice(parts[0], parts[1], parts[2] if len(parts) == 3 else None)


def _range_of_steps(c: Cursor, first: Token, start: tree.Expr) -> SyntaxProblem:
    """Of ``h[1..T]``, entries by the steps of a loop: that a slice is written ``h[:T]``."""
    before = "".join(token.text for token in c.tokens[c.tokens.index(first) : c.place])
    begin = str(start.value - 1) if isinstance(start, tree.Number) else f"{before} - 1"
    c.take()
    at = c.place
    expression(c)
    stop = "".join(token.text for token in c.tokens[at : c.place])
    return problem("steps of loops count from 1; entries of an array are a slice, which counts from 0", first.line,
                   place=c.since(first), instead=f"{'' if begin == '0' else begin}:{stop}")


def number(token: Token) -> sp.Rational:
    """The exact number that a literal writes: 0.1 is one tenth."""
    if token.text.isdecimal():  # of few digits: tokens are short
        return sp.Integer(token.text)
    mantissa, _, exponent = token.text.lower().partition("e")
    digits = len(mantissa.partition(".")[0].lstrip("0"))
    beyond = len(exponent) > 6 or abs(int(exponent or 0) + digits) > _LARGEST + 1
    value = sp.S.Zero if beyond else sp.Rational(token.text)
    if beyond or value > MAX_FLOAT:
        raise token.problem(f"{token.text} is beyond what a float can hold")
    return value


# -- numbers by name: a=3, b=-.5, W=[[1, 2], [3, 4]]
Values: TypeAlias = "int | float | list[Values]"
MAX_NESTING = 16


def read_values(text: str) -> dict[str, object]:
    """Values by name: an int, a float, or nested lists of them. Raises a `SyntaxProblem`."""
    values: dict[str, object] = {}
    for line in logical_lines(text):
        c = Cursor(line.tokens)
        while True:
            name = c.word("a name").text
            if name in values:
                raise c.unexpected(f"{name} is given twice", named=True)
            c.expect("=", f"and a value for {name}")
            values[name] = _value(c, 0)
            if not c.accept(","):
                break
        c.finish("the values")
    return values


def _value(c: Cursor, nesting: int) -> Values:
    if nesting > MAX_NESTING:
        raise c.unexpected(f"lists are nested more than {MAX_NESTING} deep", named=True)
    if not c.accept("["):
        return _number(c)
    items: list[Values] = []
    while not c.accept("]"):
        items.append(_value(c, nesting + 1))
        if not c.at("]"):
            c.expect(",", "or ']' in a list")
    return items


def _number(c: Cursor) -> int | float:
    """A decimal, a fraction p/q, ``pi/2`` or ``sqrt(2)``, perhaps with a sign."""
    first = c.now
    if first.kind not in (NAME, NUMBER) and not c.at("-", "+", "("):
        raise c.unexpected(_EXPECTED)
    written = _product(c)  # no sum: [1 -2] may be two numbers
    try:
        value = _constant(written)
        near = math.nan if value is None else float(value)
    except (ArithmeticError, ValueError):
        near = math.inf
    if math.isnan(near):
        raise first.problem(f"{_EXPECTED}, found {found(first)} at column {first.column}")
    if math.isinf(near):
        raise first.problem(f"what stands at column {first.column} has no value, or one beyond what a float can hold")
    return int(value) if isinstance(value, Fraction) and value.denominator == 1 else near


_EXPECTED = "expected a number or a list such as [1, 2]"
_CONSTANTS = {"pi": math.pi, "e": math.e}
_OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def _constant(expr: tree.Expr) -> Fraction | float | None:
    """The number that an expression of numbers is; None for any other. Raises what arithmetic raises."""
    match expr:
        case tree.Number(value):
            return Fraction(int(value.p), int(value.q))
        case tree.Name(name):
            return _CONSTANTS.get(name)
        case tree.Negative(body):
            inner = _constant(body)
            return None if inner is None else -inner
        case tree.Power(base, exponent):
            return _combined(math.pow, _constant(base), _constant(exponent))
        case tree.Call("sqrt", (argument,), ()):
            inner = _constant(argument)
            return None if inner is None else math.sqrt(inner)
        case tree.Chain(first, rest) if all(sign in _OPERATORS for sign, _ in rest):
            total = _constant(first)
            for sign, part in rest:
                total = _combined(_OPERATORS[sign], total, _constant(part))
            return total
    return None


def _combined(function: Callable[[Any, Any], Fraction | float], a: Fraction | float | None, b: Fraction | float | None
              ) -> Fraction | float | None:
    return None if a is None or b is None else function(a, b)
