"""``if c:`` with lines below it, as ``where(c, a, b)`` of every name that these give a value."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import field, replace

from symbackprop.model.text import tree
from symbackprop.model.text.in_place import tied
from symbackprop.model.text.tokens import problem
from symbackprop.records import record

MAX_NODES = 20_000  # of a formula
RETURN = "return"  # the keyword and the name of what a helper gives back
RESULT = "result"  # what is called so that a text returns
CONTINUE = "continue"  # the keyword and the name of what leaves the rest of a step out


@record(frozen=True)
class Branch:
    """What names are at the end of some lines, by what they are before them."""

    values: Mapping[tree.Target, tree.Expr] = field(default_factory=dict)
    keywords: Mapping[tree.Target, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    tied: Container[str] = ()  # what is changed under several names
    raises: bool = False  # so that what is computed is what the other one says

    @property
    def returns(self) -> bool:
        return any(target.name in (RETURN, RESULT) for target in self.values)

    @property
    def skips(self) -> bool:
        return tree.Target(CONTINUE) in self.values

    def only(self, names: Container[str]) -> Branch:
        """The branch without what is read in it alone, all but these names."""
        kept = {to: value for to, value in self.values.items() if to.name in names and to.name != CONTINUE}
        return replace(self, values=kept)


def branch(body: Sequence[tree.Statement]) -> Branch:
    """The branch that some lines are. Raises a `SyntaxProblem` where they are more than equations."""
    values, keywords = dict[tree.Target, tree.Expr](), dict[tree.Target, str]()
    names, indexed = Values(), False
    for s in body:
        if isinstance(s, tree.Said):
            continue
        if not isinstance(s, tree.Equation) or (values and (indexed or s.target.index is not None)):
            raise problem("under a condition only equations of names can stand: give the parts names above it", s.line)
        indexed = s.target.index is not None
        values[s.target] = names.give(s.target.name, s.value, s.line)
        keywords[s.target] = s.keyword if s.keyword != "let" else keywords.get(s.target, "let")
    equations = [s for s in body if isinstance(s, tree.Equation)]
    together = tied(equations)
    changes = dict.fromkeys([*[name for e in equations for name in e.changes], *sorted(together)])
    return Branch(values, keywords, tuple(changes), together)


class Values(dict[str, tree.Expr]):
    """What names are, each with what it reads in the place of that, and how many parts it has."""

    def __init__(self, given: Mapping[str, tree.Expr] | None = None) -> None:
        super().__init__(given or {})
        self.sizes = {name: tree.count_nodes(value) for name, value in self.items()}

    def give(self, name: str, expr: tree.Expr, line: int) -> tree.Expr:
        """The value of a name. Raises a `SyntaxProblem` where it gets too long: a value that is read twice on each line
        doubles with it."""
        size = tree.count_nodes(expr) + sum(self.sizes[n] - 1 for n in tree.mentioned(expr) if n in self)
        if size > MAX_NODES:
            raise problem("what is computed here is too long for one formula: give a part of it a name outside", line)
        self[name], self.sizes[name] = tree.put(expr, self), size
        return self[name]


def is_word(expr: tree.Expr) -> bool:
    """Whether it is a string, or True or False."""
    return isinstance(expr, tree.String) or (isinstance(expr, tree.Word) and isinstance(expr.value, bool))


def holds(condition: tree.Expr) -> bool | None:
    """Whether a condition holds that says it by itself: ``a is None``, where a is what it stands for, ``"a" == "b"``,
    ``True``; None of any other."""
    match condition:
        case tree.Compare(sign, left, tree.Word(None)):
            return (left == tree.Word(None)) == (sign in ("is", "=="))
        case tree.Compare("==" | "!=" as sign, tree.String(a), tree.String(b)):
            return (a == b) == (sign == "==")
        case tree.Compare("==" | "!=" | "is" | "is not" as sign, tree.Word(bool() as a), tree.Word(bool() as b)):
            return (a == b) == (sign in ("==", "is"))
        case tree.Word(bool() as value):
            return value
        case tree.Call("np.bitwise_not", (inner,), ()) if (found := holds(inner)) is not None:
            return not found
    return None


def decided(expr: tree.Expr) -> tree.Expr:
    """An expression without the branches that are not taken, of conditions that hold or do not."""
    match expr:
        case tree.Choice(_, (condition, *sides), ()) if (taken := holds(condition)) is not None:
            return decided(sides[not taken])
    return tree.changed(expr, decided)


def joined(line: int, condition: tree.Expr, then: Branch, other: Branch, begins: Callable[[str], bool]
           ) -> list[tree.Equation]:
    """The equations that hold behind both branches, all at once. A name that ``begins`` in one of them is what it is
    there, where else it is nothing."""
    keywords = {**other.keywords, **then.keywords}
    if then.returns != other.returns and not (then.raises or other.raises):
        raise problem("where the condition does not hold nothing is returned: `return …` stands there too", line)

    targets = dict.fromkeys([*then.values, *other.values])
    names = {target.name for target in targets}

    def value(target: tree.Target) -> tree.Expr:
        has = [side for side in (then, other) if not side.raises and (
            target in side.values or target.index is not None or not begins(target.name))]
        sides = [side.values.get(target, _before(target)) for side in has]
        return tree.Choice(tree.CHOICE, (condition, *sides), (), place=condition.place) if sides[1:] else sides[0]

    def changes(target: tree.Target) -> tuple[str, ...]:
        """What has an equation of its own is changed there, but for what shares numbers with others."""
        return tuple([name for side in (then, other) for name in side.changes
                      if name == target.name or name not in names or name in side.tied])

    read = [to for to in targets if to.name in (RETURN, RESULT)] if then.returns else targets  # below
    return [tree.Equation(line, keywords[target], target, value(target), changes(target)) for target in read]


def _before(target: tree.Target) -> tree.Expr:
    """What stands for a target that a branch leaves as it is."""
    name = tree.Name(target.name)
    return name if target.index is None else tree.Index(name, (target.index,))
