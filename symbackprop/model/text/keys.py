"""What stands under a key, ``params["W"]`` and ``self.params["W"]``, as what has that name; where other things have one
too, ``a["W"]`` and ``b["W"]``, as ``a_W`` and ``b_W``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, takewhile
from typing import TypeAlias, TypeGuard

from symbackprop.model.text import tree
from symbackprop.model.text.tokens import KIND, NAME, STRING, TEXT, Line, Token
from symbackprop.model.text.writing import closing
from symbackprop.patterns import lazy

_DICTS = ("ModuleDict", "ParameterDict")
_GRADIENTS = lazy(r"d?grads?|gradients?|\w+_grads?")
_Called: TypeAlias = Callable[[str, str, bool], str]  # what has a key in a thing; nothing where that stays as it is


class Keys:
    """The keys of a text, each with the things that have it."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.things: dict[str, set[str]] = {}
        self.own: dict[str, str] = {}  # the keys of names that stand for one in one thing
        self.set = set[tuple[str, str]]()  # what lines so far have put under keys
        self.are_read = any(STRING in map(KIND, line.tokens) or tree.DICT in map(TEXT, line.tokens) for line in lines)
        self.apart, self.handed = (_written(lines), _handed(lines)) if self.are_read else (set[str](), set[str]())
        for line in lines if self.are_read else ():
            _replaced(line, self._keep)

    def _keep(self, thing: str, key: str, is_set: bool) -> str:
        self.things.setdefault(key, set()).update([thing] * (_GRADIENTS.fullmatch(thing) is None))
        return key

    def line(self, line: Line) -> Line:
        """A line with names for what stands under keys; what a function is given stays, which has another name there,
        up to where a line gives it another value."""
        return _replaced(_bare(line), self._at_once)

    def _at_once(self, thing: str, key: str, is_set: bool) -> str:
        self.set |= {(thing, key)} if is_set else set()
        stays = thing in self.handed and (thing, key) not in self.set
        return "" if stays else self.name(thing, key)

    def name(self, thing: str, key: str) -> str:
        """What has a key in a thing."""
        if _GRADIENTS.fullmatch(thing):
            return key if key.startswith("d") else f"d{key}"
        if self.things.get(key) == {thing} and key not in self.apart and thing not in self.handed:
            return key
        self.own[f"{thing}_{key}"] = key
        return f"{thing}_{key}"

    def are_of(self, thing: str) -> bool:
        """Whether lines read what stands under keys of a thing."""
        return any(thing in things for things in self.things.values())

    def under(self, expr: tree.Expr) -> tree.Expr:
        """An expression with what stands under a key where it is written there, or else a name for it."""
        return self._named(folded(expr)) if self.are_read else expr

    def _named(self, expr: tree.Expr) -> tree.Expr:
        expr = tree.changed(expr, self._named)
        match expr:
            case tree.Member(tree.Name(thing), "get", (tree.String(key), usual)) if (thing, key) not in self.set:
                return usual
            case tree.Index(tree.Name(thing) | tree.Member(_, thing, None), (tree.String(key),)) | tree.Member(
                    tree.Name(thing), "get", (tree.String(key), *_)) if key.isidentifier():
                return tree.Name(self.name(thing, key), place=expr.place)
        return expr

    def given(self, name: str, value: tree.Call, line: int) -> Iterator[tree.Equation]:
        """What ``params = {"W": W}`` gives names."""
        for key, entry in () if _GRADIENTS.fullmatch(name) else value.options:
            self.set.add((name, key))
            yield tree.Equation(line, "let", tree.Target(self.name(name, key)), entry)

    def put(self, body: Sequence[tree.Statement]) -> Sequence[tree.Statement]:
        """The statements of a text, with the key for the name of what is alone in having it, and is given one value."""
        if not self.own:
            return body
        given = Counter(name for s in tree.flat(body) for name in self._given(s))
        used = {name for expr in tree.formulas(body) for name in tree.mentioned(expr)} | given.keys()
        having = Counter(key for name, key in self.own.items() if name in used)
        shorter = {name: key for name, key in self.own.items()
                   if name in used and having[key] == 1 and given[name] + given[key] < 2}
        keys: Mapping[str, tree.Expr] = {name: tree.Name(key) for name, key in shorter.items()}
        return tree.with_formulas([tree.called_so(s, keys, shorter) for s in body], lambda e: _calling(e, shorter))

    def _given(self, s: tree.Statement) -> Iterator[str]:
        """The names to which a statement gives a value that is not the one under its key, or what is to have it."""
        match s:
            case tree.Arrays():
                yield from tree.defined(s)
            case tree.For(variable=name):
                yield name
            case tree.Equation(target=tree.Target(name), value=value):
                same = (isinstance(value, tree.Name) and value.name in (self.own.get(name), name)) or (
                    isinstance(value, tree.Name) and self.own.get(value.name) == name)
                yield from [] if same else [name]


def _calling(expr: tree.Expr, names: Mapping[str, str]) -> tree.Expr:
    """An expression with calls of what is called otherwise, ``layers["enc"](x)``."""
    expr = tree.changed(expr, lambda part: _calling(part, names))
    if isinstance(expr, tree.Call) and expr.function in names:
        return replace(expr, function=names[expr.function])
    return expr


def is_dict(expr: tree.Expr) -> TypeGuard[tree.Call]:
    return isinstance(expr, tree.Call) and expr.function == tree.DICT and not expr.args


def folded(expr: tree.Expr) -> tree.Expr:
    """An expression with what stands under a key of a dict that is written there."""
    expr = tree.changed(expr, folded)
    match expr:
        case tree.Index(tree.Tuple(items), (tree.Number(place),)) if place < len(items) and any(map(is_dict, items)):
            return items[int(place)]
        case tree.Index(tree.Call(tree.DICT, (), entries), (tree.String(key),)) if key in dict(entries):
            return dict(entries)[key]
        case tree.Member(tree.Call(tree.DICT, (), entries), "get", (tree.String(key), *usual)):
            return dict(entries).get(key, usual[0] if usual else tree.Word(None))
    return expr


def _bare(line: Line) -> Line:
    """A line with the dict in ``nn.ModuleDict({…})``."""
    texts = [*map(TEXT, line.tokens)]
    found = next((k for k, word in enumerate(texts[:-3]) if word in _DICTS and texts[k + 1 : k + 3] == ["(", "{"]), 0)
    if not found or closing(line.tokens, found + 1) != len(texts) - 2:
        return line
    start = found - 2 * (texts[found - 2 : found] == ["nn", "."])
    return line._replace(tokens=(*line.tokens[:start], *line.tokens[found + 2 : -2], line.tokens[-1]))


def _replaced(line: Line, called: _Called) -> Line:
    """A line with the name W for ``params["W"]`` and ``self.params["W"]``."""
    tokens: list[Token] = []
    for token, behind in pairwise(line.tokens):
        tokens.append(token)
        if not token.is_sign("]") or len(tokens) < 4:
            continue
        base, opening, key = tokens[-4:-1]
        if base.kind != NAME or not opening.is_sign("[") or key.kind != STRING or not key.text[1:-1].isidentifier():
            continue
        start = len(tokens) - 4
        while start > 1 and tokens[start - 1].is_sign(".") and tokens[start - 2].kind == NAME:
            start -= 2
        name = called(base.text, key.text[1:-1], start == 0 and behind.is_sign("="))
        if name:
            tokens[start:] = [Token(NAME, name, key.line, key.column + bool(key.column))]
    return line._replace(tokens=(*tokens, line.tokens[-1]))


def _written(lines: Sequence[Line]) -> set[str]:
    """The keys that are written where a dict is, and those whose name a line gives to something else."""
    found = set[str]()
    for line in lines:
        words = [*map(TEXT, line.tokens)]
        in_call = any(a == tree.DICT and b == "(" for a, b in pairwise(words))
        for before, token, behind in zip(words, line.tokens[1:], words[2:], strict=False):
            found |= {token.text[1:-1]} if before in ("{", ",") and token.kind == STRING and behind == ":" else set()
            found |= {token.text} if in_call and token.kind == NAME and behind == "=" else set()
        keys = {token.text[1:-1] for token in line.tokens if token.kind == STRING}
        targets = [*takewhile(lambda word: word != "=", words)]
        found |= {*targets[::2]} - keys if len(targets) < len(words) else set()
    return found


def _handed(lines: Sequence[Line]) -> set[str]:
    """What functions take that lines call."""
    heads = [line for line in lines if line.tokens[0].text == "def"]
    called = {a.text for line in lines if line.tokens[0].text != "def" for a, b in pairwise(line.tokens)
              if b.is_sign("(")}
    return {token.text for head in heads if head.tokens[1].text in called
            for before, token in pairwise(head.tokens) if before.is_sign("(", ",")} - {"self"}
