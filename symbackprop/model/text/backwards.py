"""Lists that loops fill from the front, ``for r in reversed(x):`` with ``returns.insert(0, g)``, as those that are
filled place by place, or that are turned round behind the loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symbackprop.model.text.tokens import TEXT, Line, Token, body_of, ended
from symbackprop.model.text.writing import FreeNames, closing, items, words

_FRONT = (["insert", "(", "0", ","], ["appendleft", "("])
_EMPTY = (["=", "[", "]"], ["=", "deque", "(", ")"], ["=", "collections", ".", "deque", "(", ")"])
_TURNED = "[ : : - 1 ]"


def filled_from_the_front(lines: list[Line]) -> list[int]:
    """Put lines that fill lists at their end in the place of those that fill them from the front, and entries in their
    order for ``reversed(x)``; the numbers of the loops."""
    changed = list[int]()
    for k in reversed([k for k, line in enumerate(lines) if line.tokens[0].text == "for"]):
        head = lines[k]
        lines[k] = _in_order(head)
        end = k + 1 + len(body_of(lines, k))
        filled = [*dict.fromkeys(name for line in lines[k + 1 : end] if (name := _from_the_front(line)))]
        done = [name for name in filled if _rewritten(lines, k, end, name)]
        changed += [head.number] * (bool(done) or lines[k] != head)
    return changed


def _in_order(head: Line) -> Line:
    """``for r in x[::-1]:`` for ``for r in reversed(x):``, where that is no range."""
    texts = [*map(TEXT, head.tokens)]
    at = next((k for k, word in enumerate(texts) if word == "reversed"), 0)
    end = closing(head.tokens, at + 1) if at else 0
    if not end or texts[at + 2] in ("range", "list", "zip", "enumerate"):
        return head
    turned = [*head.tokens[at + 2 : end], *words(_TURNED, head.number)]
    return head._replace(tokens=(*head.tokens[:at], *turned, *head.tokens[end + 1 :]))


def _from_the_front(line: Line) -> str:
    """The list that a line puts something in front of."""
    texts = [*map(TEXT, line.tokens)]
    put = texts[1] == "." and any(texts[2 : 2 + len(front)] == front for front in _FRONT)
    return texts[0] if put else ""


def _rewritten(lines: list[Line], k: int, end: int, name: str) -> bool:
    """Whether all lines of the loop from k on up to an end, and the one where the list begins, could be changed: of
    what else reads the list there it is not known what it would read."""
    begin = next((j for j in range(k - 1, -1, -1) if lines[j].tokens[0].text == name), None)
    inside = [j for j in range(k + 1, end) if name in map(TEXT, lines[j].tokens)]
    if begin is None or [*map(TEXT, lines[begin].tokens[1:-1])] not in _EMPTY or len(inside) != 1 or (
            lines[begin].indent != lines[k].indent):
        return False
    put, head = lines[inside[0]], lines[k]
    first = next(j for j, token in enumerate(put.tokens) if token.is_sign("("))
    value = put.tokens[first + 1 + 2 * (put.tokens[2].text == "insert") : closing(put.tokens, first)]
    count = _count(head)
    if count is not None:
        lines[begin] = _line(lines[begin], name, "= zeros (", count, ")")
        lines[inside[0]] = _line(put, name, "[", [head.tokens[1]], "] =", value)
        return True
    if "range" in map(TEXT, head.tokens):
        return False
    other = FreeNames(token.text for line in lines for token in line.tokens).free("each")
    lines[begin] = _line(lines[begin], other, "= [ ]")
    lines[inside[0]] = _line(put, other, ". append (", value, ")")
    lines.insert(end, _line(head, name, "=", other, _TURNED))
    return True


def _count(head: Line) -> Sequence[Token] | None:
    """How many steps ``reversed(range(T))`` and ``range(T - 1, -1, -1)`` have; None of any other loop."""
    texts = [*map(TEXT, head.tokens)]
    if texts[2] != "in":
        return None
    if texts[3:7] == ["reversed", "(", "range", "("]:
        parts = items(head.tokens[6 : closing(head.tokens, 6) + 1])
        return parts[0] if len(parts) == 1 else None
    parts = items(head.tokens[4 : closing(head.tokens, 4) + 1]) if texts[3:5] == ["range", "("] else []
    down = [[*map(TEXT, part)] for part in parts]
    return parts[0][:-2] if down[1:] == [["-", "1"]] * 2 and down[0][-2:] == ["-", "1"] else None


def _line(near: Line, *parts: str | Sequence[Token]) -> Line:
    """A line near another one, of text with blanks and tokens."""
    return near._replace(tokens=tuple(ended([*_tokens(near.number, parts)])))


def _tokens(line: int, parts: Sequence[str | Sequence[Token]]) -> Iterator[Token]:
    for part in parts:
        yield from words(part, line) if isinstance(part, str) else part
