"""The kinds of mistakes, and a mistake as data: its kind, the factor it sits in, what is there and what belongs.

The kinds are part of the JSON that autograders read: names stay, new ones may come.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from symbackprop.core.graph import Node

SIGN, CONSTANT, MEAN = "sign", "constant", "mean"
MISSING_FACTOR, EXTRA_FACTOR, WRONG_FACTOR = "missing-factor", "extra-factor", "wrong-factor"
TERM, EXPONENT, WRONG_DERIVATIVE = "term", "exponent", "wrong-derivative"
SUBSTITUTION, PRE_ACTIVATION, STALE_INDEX = "substitution", "pre-activation", "stale-index"
MISSING_PATH, MISSING_SUM, SUMMED = "missing-path", "missing-sum", "summed"
ONE_HOT = "one-hot"
TRANSPOSE, ORDER, ELEMENTWISE, SHAPE = "transpose", "order", "elementwise", "shape"
FOLLOW_THROUGH, UNDEFINED, ROUNDED = "follow-through", "undefined", "rounded"
UNEXPLAINED, MISSING, UNREADABLE, UNSEEN, UNNAMED = "unexplained", "missing", "unreadable", "unseen", "unnamed"

KINDS = {
    SIGN: "a sign is wrong",
    CONSTANT: "a constant factor is wrong, as the 2 of a square or the ½ in front of one",
    MEAN: "a mean is taken as a sum, or a sum as a mean",
    MISSING_FACTOR: "a factor of the chain rule is missing",
    EXTRA_FACTOR: "there is a factor too many",
    WRONG_FACTOR: "one factor stands where another belongs",
    TERM: "a term of a factor is missing or too many",
    EXPONENT: "an exponent is wrong",
    WRONG_DERIVATIVE: "the derivative of a function is wrong",
    SUBSTITUTION: "one quantity stands where another belongs",
    PRE_ACTIVATION: "a value before the activation stands where the value after it belongs",
    STALE_INDEX: "a quantity of another layer or time step stands where the right one belongs",
    MISSING_PATH: "one of several paths (branches, time steps, terms) is missing",
    MISSING_SUM: "the sum over broadcast axes is missing",
    SUMMED: "there is a sum over axes that the gradient keeps",
    ONE_HOT: "class indices stand where their one-hot vectors belong",
    TRANSPOSE: "a transpose is missing or too many",
    ORDER: "the factors of a matrix product are in the wrong order",
    ELEMENTWISE: "a matrix product stands where an elementwise product belongs, or the reverse",
    SHAPE: "the shape is wrong",
    FOLLOW_THROUGH: "right, given an earlier answer that is wrong",
    UNDEFINED: "the formula has no finite value where the gradient has one",
    ROUNDED: "right but for a rounded number",
    UNEXPLAINED: "no single mistake explains the answer",
    MISSING: "there is no answer",
    UNREADABLE: "the answer cannot be read",
    UNSEEN: "no point was found on one side of a condition",
    UNNAMED: "it is not told by which name the gradient comes back",
}


@dataclass(frozen=True)
class Finding:
    """One explained mistake.

    ``factor`` names the local derivative (``do/da``) or the branch it sits in, ``right`` is what belongs there and
    ``wrong`` what the answer has; each may be empty. ``says`` is the sentence that tells all of it. ``also`` is the
    kind of a second mistake on top.
    """

    kind: str
    says: str
    factor: str = ""
    right: str = ""
    wrong: str = ""
    also: str = ""


def exchange(old: Node, new: Node, old_name: str, new_name: str) -> tuple[str, str]:
    """(kind, words) for writing ``new`` where ``old`` belongs."""
    words = f"{new_name} stands where {old_name} belongs"
    if is_activation_of(old, new):
        return PRE_ACTIVATION, f"{words} ({new_name} is the value before the activation)"
    roles = {getattr(n.attr, "role", "") for n in (old, new)}
    if base_name(old_name) == base_name(new_name) and "param" not in roles:
        return STALE_INDEX, f"{words} (another layer or time step)"
    return SUBSTITUTION, words


def moved_index(old: Node, new: Node, old_name: str, new_name: str) -> tuple[object, ...]:
    """What makes writing ``new`` for ``old`` the same mistake at every step.

    That is the names without their indices and how far the index moved; nothing where they have none. The value before
    an activation, and an array that the right one is made of, are patterns without indices.
    """
    if is_activation_of(old, new):
        return ("before",)
    if any(a is new for a in old.args):
        return ("made of", [a is new for a in old.args].index(True))
    places = [re.search(r"(\d+)\]?$", n) for n in (old_name, new_name)]
    if not all(places):
        return ()
    first, second = (int(p.group(1)) for p in places if p)
    return base_name(old_name), base_name(new_name), second - first


def is_initial(name: str) -> bool:
    """Whether a name is that of an initial state, ``h0`` or ``h[0]``."""
    return re.search(r"(?<!\d)0\]?$", name) is not None


def is_activation_of(after: Node, before: Node) -> bool:
    """Whether ``after`` is a function applied to ``before``, entry by entry."""
    elementwise = after.head is not None and len(after.args) == 1
    return (elementwise or after.op.distribution) and after.args[0] is before


def base_name(name: str) -> str:
    """A name without its index: ``h2`` and ``h[1]`` are both h."""
    return re.sub(r"(_?\d+|\[.*\])$", "", name)


def clipped(text: str, length: int = 100) -> str:
    """A formula short enough for a sentence."""
    return text if len(text) <= length else text[: length - 1] + "…"
