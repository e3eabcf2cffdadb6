"""Lines as they may be meant, for the corrected line of an error: what stands at a place in other words.

Each of these takes a line and a place in it, and gives the line as it is where nothing of its kind stands there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from itertools import accumulate, chain

from sympy.functions.elementary.trigonometric import TrigonometricFunction

from symbackprop.core.functions import FUNCTIONS
from symbackprop.core.names import GREEK
from symbackprop.core.scalars import TABLE
from symbackprop.errors import Meant, Place
from symbackprop.model.names import sounds_like_data
from symbackprop.model.text.brackets import unclosed, unopened
from symbackprop.model.text.characters import BESIDE_BARS, INDEX, POSITIVE
from symbackprop.model.text.tree import BESIDE
from symbackprop.patterns import lazy


def around(line: str, place: Place) -> tuple[int, int]:
    """Where the brackets, or the right side, begin and end in which a place stands."""
    before, _, rest = place.cut(line)
    start = unclosed(before, lambda k: before[k] == "," or before[max(k - 1, 0) : k + 1] in _RIGHT_SIDES)
    return start, len(line) - len(rest) + unopened(rest, lambda k: rest[k] in ",;")


_RIGHT_SIDES = ("= ", " =", "<-")

_SIGNS_OF_CONDITIONS = lazy(r"\b(?:and|or)\b|\.?&&?|\.?\|\|?")


def combined_conditions(line: str, place: Place) -> str:
    """The line with ``(a) & (b)`` for ``a and b`` and ``a & b``, and ``maximum(a, b)`` for ``a or b``, however many are
    combined."""
    sign = _SIGNS_OF_CONDITIONS.match(line, place.start - 1)
    if sign is None:
        return line
    start, end = around(line, place._replace(end=sign.end() + 1))
    head = _BRANCH.match(line)
    start, end = (start, end) if head is None or start else head.span(1)
    chosen = _CHOSEN.match(line, start, end)  # a if c else b
    start, end = (start, end) if chosen is None else chosen.span(1)
    return f"{line[:start]}{_combined(line[start:end])}{line[end:]}"


_BRANCH = lazy(r"\s*(?:el)?if\s+(.*):")
_CHOSEN = lazy(r".*?\bif\s+(.*?)(?=\s+else\b)")


def _combined(text: str) -> str:
    """Conditions in the words of model text; ``or`` binds less than ``and``."""
    text = _bare(text.strip())
    either, both = _sides(text, ("or", "|", "||")), _sides(text, ("and", "&", "&&"))
    if len(either) > 1:
        return reduce(lambda found, side: f"maximum({_combined(side)}, {found})", either[-2::-1], _combined(either[-1]))
    return " & ".join([f"({_combined(side)})" for side in both]) if len(both) > 1 else text


def _sides(text: str, signs: Sequence[str]) -> list[str]:
    """What stands between signs outside of all brackets; the text alone where they are none between conditions, as the
    bars of ``|a| > 1``."""
    depths = [*accumulate((c in "([") - (c in ")]") for c in text)]
    found = [m for m in _SIGNS_OF_CONDITIONS.finditer(text) if m[0].removeprefix(".") in signs]
    cuts = [m.span() for m in found if not depths[m.start()]]
    edges = [0, *chain(*cuts), len(text)]
    sides = [text[a:b].strip() for a, b in zip(edges[::2], edges[1::2], strict=True)]
    conditions = any(re.search("[<>=!]", side) for side in sides) or all(map(str.isidentifier, sides))  # not 2 |a|
    return sides if conditions and all(side and side[0] not in "<>=!" for side in sides) else [text]


def _bare(text: str) -> str:
    """Text without brackets around all of it."""
    depths = [*accumulate((c == "(") - (c == ")") for c in text)]
    return text[1:-1] if text.startswith("(") and text.endswith(")") and 0 not in depths[:-1] else text


_NOT = lazy(r"\bnot\s+([^()\[\],=<>!]*(?:[<>]=?|[=!]=)[^()\[\],]*?)(?=\s+(?:else|and|or|if)\b|[)\],]|\s*$)")
_OPPOSITE = lazy(r"(?:[~!]|\bnot\b)\s*(\w+(?:\[[^\[\]]*\])?(?!\s*[\w.(\[])|\((?:[^()]|\([^()]*\))*\))")


def opposite(line: str, place: Place) -> str:
    """The line with ``(1 - a)`` for ``~a``, ``!a`` and ``not a``."""
    found = _NOT.match(line, place.start - 1)
    if found is not None:  # which Python has behind comparisons
        return f"{line[: found.start()]}(1 - ({found[1]})){line[found.end() :]}"
    found = _OPPOSITE.match(line, place.start - 1)
    return f"{line[: found.start()]}(1 - {found[1]}){line[found.end() :]}" if found is not None else line


def rewritten(pattern: str | re.Pattern[str], new: str | Callable[[re.Match[str]], str]) -> Callable[[str, Place], str]:
    """What a pattern finds anywhere in a line, otherwise."""
    found = lazy(pattern) if isinstance(pattern, str) else pattern
    return lambda line, place: found.sub(new, line)


printed = rewritten(r"(?<![\w.])print\((.*)\)\s*;?\s*$", r"\1")
factorial = rewritten(r"(\w+|\([^()]*\))!(?!=)", r"factorial(\1)")
_RIGHT_BEFORE = r"([A-Za-z][^\Wᵀ]*|\([^()]*\))⁻¹"  # S alone of xᵀS⁻¹
inverse = rewritten(rf"{_RIGHT_BEFORE}[ ]*(?=([\w(])?)",  # K⁻¹w
                    lambda found: f"inv({found[1].strip('()')})" + (" @ " if found[2] else " "))
reciprocal = rewritten(_RIGHT_BEFORE, r"(1/\1)")
conditional = rewritten(r"((?:=|<-)\s*)([^=?]*?[<>=!]=?[^?]*?)\s*\?\s*([^:?]+?)\s*:\s*(.+?)(?=;?\s*$)",  # c ? a : b
                        r"\1\3 if \2 else \4")
_KNOWN = "|".join([*FUNCTIONS, *TABLE])
_COMMAND = r"[A-Za-z]{2,}(?=\s*[\w(\\])"  # of LaTeX, a sign between what stands around it: a \otimes b
solved = rewritten(  # A \ b
    rf"(\w+|\([^()]*\))\s*\\(?!(?:{_KNOWN})\b|{_COMMAND})\s*(\w+|\([^()]*\))", r"solve(\1, \2)")
solved_at_once = rewritten(  # cho_solve(cho_factor(K), b)
    r"(?:\w+\.)*cho_solve\(\s*(?:\w+\.)*cho_factor\((\w+)(?:,[^()]*)?\)\s*,", r"solve(\1,")
log_of_det = rewritten(r"\blog\s*\(?det\s+([A-Za-z]\w*)\)?", r"logdet(\1)")
_IN_PRODUCT = r"(?=\s+[a-z]\w*(?:\^T|\.T|ᵀ)\s*[\w(])"  # what stands there is a number
product_with_turned = rewritten(  # v vᵀ of vectors, unless a sign or a function in front may be of the first alone
    rf"(?<![\w./^])(?<![/^] )(?:({_KNOWN})\s+)?(?!(?:{_KNOWN}|(?:{'|'.join(GREEK)}){_IN_PRODUCT})\b)"
    r"([a-z]\w*)\s+([a-z]\w*)(?:\^T\b|\.T\b|ᵀ)",
    lambda found: found[0] if found[1] else f"outer({found[2]}, {found[3]})")
outer_product = rewritten(r"(\w+)\s*⊗\s*(\w+)", r"outer(\1, \2)")
inner_product = rewritten(r"[⟨<]([^,⟨⟩<>]*),\s*([^,⟨⟩<>]*)[⟩>]", r"sum(\1 * \2)")
negated = rewritten(r"¬\s*(\w+|\([^()]*\))", r"(1 - \1)")
raised_inverse = rewritten(r"\b([A-Z]\w*|\([^()]*\))\s*\^\s*(?:-1|\(-1\)|\{-1\})\s*(?=([\w(])?)",  # S^-1 w
                           lambda found: f"inv({found[1].strip('()')})" + (" @ " if found[2] else " "))
beside_each_other = rewritten(r"\[(\w+(?:[ ]+\w+)+)\]",  # [x y]
                              lambda found: f"column_stack(({', '.join(found[1].split())}))")
below_each_other = rewritten(r"\[(\w+(?:\s*;\s*\w+)+)\]",  # [x; y]
                             lambda found: f"concat({', '.join(re.split(r' *; *', found[1]))})")
_BELOW = lazy(r"/\s*(?!\d+\s*$)[\w.]+\s*$")  # what is divided by, perhaps with what stands behind it
times_bars = rewritten(  # lam |w|
    BESIDE_BARS, lambda found: found[0] if _BELOW.search(found.string[: found.start()]) else f" * {found[1]}")
positive = rewritten(POSITIVE, lambda found: f"relu({found[1] or found[2][1:-1]})")  # [x]_+
expected = rewritten(rf"\bE\s*{INDEX}", r"mean(\1)")  # E[a]
_WORD_OF_PROSE = "(?:" + (  # a word that says nothing of what is computed
    "the an? our its this we let now then so and or with where here given define denote set put write have get use is "
    "are as be by compute consider suppose assume first next finally hence thus therefore final total training model "
    "network following that which loss cost objective function error equation formula predictions? output hidden layer "
    "state minimi[sz]e energy").replace(" ", "|") + r")\b[,:]?\s+"
_PROSE = lazy(rf"^(\s*)(?!an?\s+\w+\s*=)((?:{_WORD_OF_PROSE})+)(?=[^\W\d]\w*(?:\[[^\[\]]*\])?\s*=(?!=))",
                    re.IGNORECASE)
_OF_A_LOSS = lazy(r"\b(?:loss|cost|objective|energy|minimi[sz]e)\b", re.IGNORECASE)


def without_prose(line: str, place: Place) -> str:
    """The line without words in front of its equation, as ``The loss is L = …``, which of a loss say that it is one."""
    def said(words: re.Match[str]) -> str:
        return words[1] + "loss " * (_OF_A_LOSS.search(words[2]) is not None)

    return _PROSE.sub(said, line)


without_output = rewritten(r"\boutput\s+(?=\w+\s*=)", "")  # equations for what the line calls outputs
without_values = rewritten(r"\s*=\s*-?[\d.]+(?:[eE][-+]?\d+)?(?=\s*(?:,|$))", "")  # w: D = 0.1, b = 0
loop_of_matlab = rewritten(  # for t = 1:T
    r"^(\s*for\s+\w+)\s*=\s*([^:]+?)\s*:\s*([^:,]+?)\s*[,:]?\s*$", r"\1 in \2..\3:")
shape_behind = rewritten(  # W[N, D] and W(N, D)
    r"(\w+)\s*[\[(]([\w\s,]+)[\])]",
    lambda found: f"{found[1]}: {' x '.join(re.split(r'[, ]+', found[2].strip()))}")
in_reals = rewritten(  # W: R^{D x H} and W in R^(D x H)
    r"\s*(?::|\bin\b|\\in\b)\s*(?:R|\\mathbb\s*\{\s*R\s*\})\s*\^\s*(?:[({]([^(){}]*)[)}]|(\w+))",
    lambda found: f": {re.sub(_TIMES, ' x ', found[1] or found[2])}")
_TIMES = r"\s*(?:\\times|×|\*|,)\s*"


_POWER = r"\1matrix_power(\2, \3)"
_RAISED_BESIDE = lazy(r"(\.T )?(?<!\w)([A-Z]\w*)\s*(?:\^|\*\*)\s*(\d+)(?![\w.])(?(1)|(?=\s+[A-Za-z(]))")
_DIVIDED = lazy(r"/\s*\w+\s*(?:\^\s*T\b|ᵀ|'|\.T\b)\s*\w")


def of_paper(line: str, place: Place) -> str:
    """The line with ``0.5 * x.T @ A @ x`` for ``0.5 x^T A x``: what stands side by side is multiplied, if nothing is
    divided by it."""
    if _DIVIDED.search(line):
        return line
    line = raised_inverse(inverse(log_of_det(line, place), place), place)
    line = re.sub(r"\s*(?:\^\s*T\b|ᵀ|'|\.T\b)\s*", ".T ", line)
    line = re.sub(r"(\(\d+/\d+\))\s*(?=[A-Za-z(])", r"\1 * ", line)
    line = re.sub(r"\)\(", ") (", _RAISED_BESIDE.sub(_POWER, line))
    line = re.sub(r"(?<![\w.^*])(\d+(?:\.\d+)?)\s+(?=[A-Za-z(])", r"\1 * ", line)
    line = re.sub(r"(?<=\w)(?<!\bparam)(?<!\bloss)(?<!\boutput)\s+(?=\()", f" {BESIDE} ", line)  # may be a number's
    line = re.sub(r"(?<=[\w)])(?<!\bparam)(?<!\bloss)(?<!\boutput)\s+(?=[A-Za-z(])", " @ ", line)
    return re.sub(r"\.T (?=[^\s@])", ".T", line).rstrip()


def times_below(column: int, line: str, place: Place) -> str:
    """The line with brackets around what stands side by side below a line of division, from a column on."""
    before, last, behind = place.cut(line)
    return f"{before[: column - 1]}({before[column - 1 :].rstrip()} {BESIDE} {last}){behind}"


def with_sign(sign: str, line: str, place: Place) -> str:
    """The line with a sign for what stands beside the last factor of a product."""
    there = place.cut(line)[1]
    behind = place.start - 1 + unclosed(there, lambda k: there[k] == BESIDE)
    return f"{line[: behind - 1].rstrip()} {sign} {line[behind:].lstrip()}" if behind >= place.start else line


_RAISED = lazy(r"(?<![^\W\d])([A-Za-z]\w*)\s*(?:\^|\*\*)\s*(\d+)\s*$")

# what sin^2 x is of; sin^2 x y may be of both
_BARE = lazy(rf"(?!(?:{_KNOWN})\b)[A-Za-z]\w*\b(?!\s*(?:\^|\*\*|[\w(\[.]))")


_ANGLES = lazy(rf"(?!(?:{_KNOWN})\b)[A-Za-z]\w*(?:\s+(?!(?:{_KNOWN})\b)[A-Za-z]\w*)+\b(?!\s*(?:\^|\*\*|[\w(\[.]))")


def power_behind(line: str, place: Place) -> str:
    """The line with ``sin^2(x)`` or ``sin^2 x`` before a place as ``sin(x)^2``; as it is where nothing like it stands
    there."""
    before, rest = line[: place.start - 1], line[place.start - 1 :]
    found, bare = _RAISED.search(before), _BARE.match(rest)
    if found is not None and bare is not None and found[1] in TABLE:
        rest = f"({bare[0]}){rest[bare.end() :]}"
    found = found if rest.startswith("(") else None
    end = unopened(rest[1:]) + 2
    closed = found is not None and end <= len(rest)
    return f"{before[: found.start()]}{found[1]}{rest[:end]}^{found[2]}{rest[end:]}" if found and closed else line


def power_of_angles(line: str, place: Place) -> str:
    """The line with ``sin(x * y)^2`` for ``sin^2 x y``, whose angle is all that stands behind."""
    before, rest = line[: place.start - 1], line[place.start - 1 :]
    found, angle = _RAISED.search(before), _ANGLES.match(rest)
    if found is None or angle is None or not is_of_angles(found[1]):
        return line
    return f"{before[: found.start()]}{found[1]}({' * '.join(angle[0].split())})^{found[2]}{rest[angle.end() :]}"


def is_of_angles(name: str) -> bool:
    """Whether a function is of all that stands behind it, side by side: sin 2 x."""
    head = TABLE[name].head if name in TABLE else None
    return isinstance(head, type) and issubclass(head, TrigonometricFunction)


def product_of_matrices(line: str, place: Place) -> str:
    """The line with a product of matrices before a place; what is raised beside it is a power of such, as in S^2 v."""
    before, rest = line[: place.start - 1].rstrip(), line[place.start - 1 :]
    power = r"matrix_power(\1, \2)"
    return f"{_RAISED.sub(power, before)} @ {_RAISED_FIRST.sub(power, rest, count=1)}"


_RAISED_FIRST = lazy(r"^([A-Za-z]\w*)\s*(?:\^|\*\*)\s*(\d+)(?![\w.])")
_SUM_OF_A_LIST = r"((?:\b\w+\.)*)\bsum\(\s*[\[(]((?:[^\[\]()]|\([^()]*\)|\[[^\[\]]*\])*)[\])]\s*\)"
sums_of_lists: Sequence[Meant] = (  # sum([a, b]) of Python and of NumPy
    rewritten(_SUM_OF_A_LIST, lambda found: f"sum(stack({found[2]}){'' if found[1] else ', axis=0'})"),
    rewritten(_SUM_OF_A_LIST, r"sum(stack(\2))"))


def named_sizes(sizes: Mapping[str, int | None]) -> list[Meant]:
    """What is meant by ``ones(4)`` beside arrays of N entries, where N is 4 unless another size is given."""
    usual = {name: size for name, size in sizes.items() if size is not None}
    return [partial(_with_names, some) for some in [*[{name: size} for name, size in usual.items()], usual]]


def _with_names(sizes: Mapping[str, int], line: str, place: Place) -> str:
    """The line with dimensions for the sizes that stand alone in brackets or between commas."""
    for name, size in sizes.items():
        line = re.sub(rf"(?<=[(,=\[])(\s*){size}(?=\s*[,)\]])", rf"\g<1>{name}", line)
    return line


def left_out(line: str, place: Place) -> str:
    return place.put(line, "")


def with_point(line: str, place: Place) -> str:
    """0,5 as 0.5; 1,000, which may be a thousand, as it is."""
    before, _, behind = place.cut(line)
    return line if re.match(r"\d{3}(?!\d)", behind) and not before.endswith("0") else f"{before}.{behind}"


_BOTH = lazy(r"\s*(.+?)\s*([<>]=?)\s*([^<>]+?)\s*([<>]=?)\s*(.+?)\s*")


def compared_twice(line: str, place: Place) -> str:
    """The line with ``(a < b) * (b < c)`` for ``a < b < c``."""
    start, end = around(line, place)
    found = _BOTH.fullmatch(line[start:end])
    if found is None:
        return line
    low, sign, middle, other, high = found.groups()
    return f"{line[:start]}({low} {sign} {middle}) * ({middle} {other} {high}){line[end:]}"


def entries_from_one(line: str, place: Place) -> str:
    """The line with ``X[:, 0]`` for ``X(:, 1)`` around a place, or behind it, as Matlab counts."""
    found = next((m for m in _OF_MATLAB.finditer(line) if m.start() < place.end - 1 <= m.end()), None)
    if found is None:
        return line
    items = [_END.sub(_counted, item.strip()) if "end" in item else _ONE.sub(lambda n: str(int(n[0]) - 1), item.strip())
             for item in found[2].split(",")]
    return f"{line[: found.start()]}{found[1]}[{', '.join(items)}]{line[found.end() :]}"


_OF_MATLAB = lazy(r"(\w+)\(((?:\s*(?::|[1-9]\d*|[a-z]|(?:[1-9]\d*:)?(?:\d+|end(?:\s*-\s*\d+)?))\s*,?)+)\)")

_ONE = lazy(r"^[1-9]\d*(?=$|:)")  # the first of a range is counted from 0, its end is left out


def with_a_name(keyword: str, line: str, place: Place) -> str:
    """The line with a name for its result, for ``loss mean(…)`` and ``minimize mean(…)``."""
    return re.sub(r"^(\s*)\w+\s+(?=[\w(|‖])", rf"\1{keyword} {'L' if keyword == 'loss' else 'Y'} = ", line)


def with_colon(line: str, place: Place) -> str:
    return f"{line.rstrip()}:"


def with_x(line: str, place: Place) -> str:
    """The line with ``N x 3`` for ``N, 3``, and without a comma before int."""
    before, after = line[: place.start - 1], line[place.start - 1 :]
    if re.match(r"int\s*<", after):
        return f"{before.rstrip().rstrip(',')} {after}"
    return f"{before.rstrip().rstrip(',')} x {after}"


_END = lazy(r"(?:(\d+|end(?:\s*-\s*\d+)?)\s*:\s*)?\bend\b(?:\s*-\s*(\d+))?")


def from_the_end(line: str, place: Place) -> str:
    """The line with ``a[1:]`` for ``a[2:end]`` and ``a[-1]`` for ``a[end]``, as Julia and Matlab count."""
    return re.sub(r"\[[^\[\]]*\]", lambda index: _END.sub(_counted, index[0]), line)


def _counted(found: re.Match[str]) -> str:
    start, less = found[1], int(found[2] or 0)
    if start is None:
        return f"-{less + 1}"
    back = re.sub(r"end\W*", "", start)
    begin = f"-{int(back or 0) + 1}" if "end" in start else "" if start == "1" else str(int(start) - 1)
    return f"{begin}:{f'-{less}' if less else ''}"


_LEARNT = lazy("requires_grad(?:=True|_)")

DECLARED = ("Parameter", "Variable")

_BEGUN = lazy(r"\s*(?:(?:param|data|input)\s+)?([A-Za-z]\w*)\s*=(?!=)\s*(.+?)\s*")

_WRAPPED = lazy(r"(?:\w+\.)*(?:Parameter|Variable)\((.*)\)")

_FILLED = lazy(r"(?:[-+\w./ ]+\*\s*)?(?:\w+\.)*(?:(?:rand\w*|normal|uniform|zeros|ones|empty)\(|tensor\(-?[\d.]+)"
                     r"(?:key,\s*|0,\s*1,\s*)?(?:size\s*=\s*|shape\s*=\s*)?[(\[]?((?:\s*\w+\s*,?)*)[)\]]?"
                     r"(?:,\s*\w+=[\w.]+)*\)"
                     r"(?:\.\w+\(\))*(?:\s*[*/]\s*[-\w.()/* ]+)?")


def declared_instead(role: str, line: str, place: Place) -> str:
    """The line as a declaration, for one that fills an array with numbers to begin with: ``W = 0.1 * randn(D, H)``."""
    equation = _BEGUN.fullmatch(line)
    wrapped = _WRAPPED.fullmatch(equation[2]) if equation is not None else None
    value = "" if equation is None else equation[2] if wrapped is None else wrapped[1]
    filled = _FILLED.fullmatch(value)
    if equation is None or filled is None:
        return line
    sizes = [size for size in re.split(r"[\s,]+", filled[1]) if size]
    learnt = wrapped is not None or _LEARNT.search(re.sub(r"\s", "", value)) is not None
    role = "data" if role == "param" and not learnt and sounds_like_data(equation[1]) else role
    return f"{role} {equation[1]}" + (f": {' x '.join(sizes)}" if sizes else "")


_KIND = r"(?:[Vv]ector|[Mm]atrix|[Aa]rray|[Tt]ensor|ndarray|scalar|real|number|float|double)"
_ROLE = rf"(?:data|inputs?|features?|targets?|labels?|param(?:eter)?s?|weights?|var(?:iable)?s?|let|{_KIND})"
_A_SIZE = r"(?!(?:x|by|a|an|of|in|is|size|shape)\b)\w+"
_LIKE_DECLARED = lazy(
    rf"(?:(?P<role>{_ROLE})\b\s*:?\s*(?=[A-Za-z]))?(?P<name>(?!int\b)[A-Za-z]\w*)\s*"
    rf"(?P<sign>[:~=]|\bin\b|\bis\b)?\s*(?:an?\s+)?(?P<kind>{_KIND}\b)?\s*(?:of\s+)?(?:(?:size|shape)\s+)?"
    rf"(?P<bracket>[(\[{{<])?\s*(?P<sizes>{_A_SIZE}(?:(?:\s*[,×*]\s*|\s+(?:x|by)\s+|\s+){_A_SIZE})*)?\s*[)\]}}>]?\s*")
_LISTED = lazy(rf"\s*({_ROLE})\s*:\s*([A-Za-z]\w*(?:\s*,\s*[A-Za-z]\w*)*)\s*")


def declared_so(line: str, place: Place) -> str:
    """The line with ``data x: 3 x 4`` for ``x: 3, 4``, ``x is a matrix 3 by 4`` and the like."""
    start = line.rfind(";", 0, place.start) + 1
    end = min([k for k in (line.find(";", start), line.find("#", start)) if k >= 0], default=len(line))
    said, listed = line[start:end], _LISTED.fullmatch(line, start, end)
    if listed is not None:
        return f"{line[:start]}{_role(listed[1], listed[2])} {listed[2]}{line[end:]}"
    found = _LIKE_DECLARED.fullmatch(" ".join(said.split()))  # runs of blanks would be parted in all ways
    sizes = re.findall(rf"\b{_A_SIZE}", (found["sizes"] or "") if found is not None else "")
    if found is None or (found["sign"] == "=" and not (found["kind"] or " x " in said or " by " in said)) or (
            not sizes and OF_AXES.fullmatch(found["kind"] or "")) or not (
            found["sign"] or found["kind"] or found["bracket"] or all(map(str.isdigit, sizes))):
        return line
    shape = f": {' x '.join(sizes)}" if sizes else ""
    indent = said[: len(said) - len(said.lstrip())]
    return f"{line[:start]}{indent}{_role(found['role'], found['name'])} {found['name']}{shape}{line[end:]}"


def _role(word: str | None, name: str) -> str:
    """The keyword that is meant by a word in front of a name, or by the name."""
    if word and re.fullmatch("param.*|weights?", word):
        return "param"
    return "data" if (word or "").rstrip("s") in _OF_DATA or sounds_like_data(name) else "param"


OF_AXES = lazy("[Vv]ector|[Mm]atrix|(?:nd)?[Aa]rray|[Tt]ensor")  # which say how many there are, or not even that
_OF_DATA = ("data", "input", "feature", "target", "label")


def number_behind(line: str, place: Place) -> str:
    """The line with ``w2`` for ``2w``, which is no name."""
    before, first, behind = place.cut(line)
    found = re.match(r"[A-Za-z]\w*", behind)
    return line if found is None else f"{before}{found[0]}{first}{behind[found.end() :]}"


def int_behind(line: str, place: Place) -> str:
    """The line with ``N int < C`` for ``int N < C``."""
    return re.sub(r"\bint\s+(\w+(?:\s+x\s+\w+)*)\s*(?=<)", r"\1 int ", line)


def with_branches(line: str, place: Place) -> str:
    """The line with ``a if c else b`` for ``if c then a else b``."""
    return re.sub(r"\bif\b(.+?)\bthen\b(.+?)\belse\b(.+)$",
                  lambda found: f"{found[2].strip()} if {found[1].strip()} else {found[3].strip()}", line)


def without_module(name: str, line: str, place: Place) -> str:
    """The line with ``f(`` for ``np.linalg.f(``."""
    return re.sub(rf"\b(?:[A-Za-z]\w*\.)+{name}\(", f"{name}(", line)


def with_function(name: str, other: str, line: str, place: Place) -> str:
    """The line with another function of one array, and with one name for what it gives."""
    return re.sub(rf"(?:,\s*\w+\s*(?==))?(.*?)(?:\b[A-Za-z]\w*\.)*\b{name}\(", rf"\1{other}(", line, count=1)


def axis_of_julia(kept: bool) -> Callable[[str, Place], str]:
    """The line with ``axis=0, keepdims=True`` for ``dims=1``; ``kept``: whether the function may leave the axis out."""
    return rewritten(r"\bdims\s*=\s*([1-9])\b", lambda found: f"axis={int(found[1]) - 1}{', keepdims=True' * kept}")


def without_option(name: str, line: str, place: Place) -> str:
    """The line without ``, name=…``."""
    return re.sub(rf",\s*{name}\s*=\s*(?:[^,()\[\]]|\([^()]*\)|\[[^\[\]]*\])+", "", line)


def of_pytorch(has_it: Callable[[str], bool], line: str, place: Place) -> str:
    """The line with ``F.cross_entropy(…)``, which has the option at this place: it is PyTorch's."""
    calls = re.finditer(r"(?<![\w.])(?=([a-z]\w*)\()", place.cut(line)[0])
    begins = [found.start() for found in calls if has_it(found[1])]
    return f"{line[: begins[-1]]}F.{line[begins[-1] :]}" if begins else line


JOINED = {"c_": "column_stack", "r_": "hstack"}


def joined(name: str, line: str, place: Place) -> str:
    """The line with ``np.column_stack((a, b))`` for ``np.c_[a, b]``."""
    return re.sub(rf"\b{name}\[((?:[^\[\]]|\[[^\[\]]*\])*)\]", rf"{JOINED[name]}((\1))", line)


def sum_of_products(first: Place, second: Place, line: str, place: Place) -> str:
    """The line with ``sum(a * b)`` for ``dot(a, b)``."""
    (before, a, _), (_, b, behind) = first.cut(line), second.cut(line)
    called = unclosed(before) - 1
    begin = called - len(re.search(r"[\w.]*$", line[:called])[0])  # type: ignore[index]
    return f"{line[:begin]}sum({a} * {b}){behind[unopened(behind) + 1 :]}"


def its_size(function: str, array: str, line: str, place: Place) -> str:
    """The line with ``eye(A.shape[-1])`` for ``eye(A)``, and with ``zeros_like(A)`` for ``zeros(A)``."""
    meant = f"{function}_like({array}" if f"{function}_like" in FUNCTIONS else f"{function}({array}.shape[-1]"
    return re.sub(rf"\b{function}\({array}\b(?!\.)", meant, line)


def reordered(places: Sequence[Place], order: Sequence[int], line: str, place: Place) -> str:
    """The line with arguments in another order: ``where(c, a, b)`` for ``where(a, b, c)``."""
    texts = [there.cut(line)[1] for there in places]
    for there, k in sorted(zip(places, order, strict=True), reverse=True):
        line = there.put(line, texts[k])
    return line


def of_last_axes(there: Place, line: str, place: Place) -> str:
    """The line with ``A.mT`` for ``A.T``."""
    return there.put(line, re.sub(r"(?:\.T|'|ᵀ)$", ".mT", there.cut(line)[1]))


def indexed(index: str, line: str, place: Place) -> str:
    """The line with another index at the end of a place."""
    there, bracket, _ = place.cut(line)[1].rpartition("[")
    return place.put(line, f"{there}[{index}]") if bracket else line


def commented(line: str, place: Place) -> str:
    """The line with ``# …`` for a comment of another language: ``// …``, ``% …``, ``-- …``, ``/* … */``."""
    found = re.search(r"(?://+|%+(?!\w*%)|--|/\*)\s*(.*?)\s*(?:\*/)?\s*$", line)
    return f"{line[: found.start()]}# {found[1]}" if found is not None else line


def with_dimension(name: str, line: str, place: Place) -> str:
    """The line with a dimension that is declared in front of it; as it is for what may be no size, as in R^(N x D)."""
    if "^" in line:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}dim {name}; {line.lstrip()}"


def with_parameter(name: str, shape: Sequence[str], line: str, place: Place) -> str:
    """The line with a parameter that is declared in front of it."""
    return f"param {name}{': ' * bool(shape)}{' x '.join(shape)}; {line.lstrip()}"
