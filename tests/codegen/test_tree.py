"""Lines on the page."""

from __future__ import annotations

import ast

import pytest

from symbackprop.codegen.tree import (
    WIDTH,
    Line,
    broken,
    doc_text,
    layout,
    listed,
    model_literal,
    pieces,
    statement,
    string,
    text,
    without_unread,
)


def parsed(code: str) -> ast.stmt:
    return ast.parse(code).body[0]


def test_a_comment_stands_beside_short_code_and_above_long_code() -> None:
    (line,) = layout([Line(parsed("a = b"), "a = b   N")])
    assert line == "    a = b".ljust(52) + "  # a = b   N"
    above, code = layout([Line(parsed("a = " + "b + " * 20 + "c"), "what it means, at length")])
    assert above == "    # what it means, at length" and code.startswith("    a = b")


def test_long_comments_are_wrapped() -> None:
    lines = layout([Line(parsed("a = b"), "word " * 60)])
    assert len(lines) > 3
    assert all(len(line) <= WIDTH and (line.startswith("    #") or line == "    a = b") for line in lines)


@pytest.mark.parametrize("sign", [" + ", " - ", " * ", " @ "])
def test_long_code_is_broken_where_it_binds_least(sign: str) -> None:
    code = "total = " + sign.join(f"function_{k}(x + y, [1, 2])" for k in range(9))
    lines = broken(parsed(code), "    ")
    assert all(len(line) <= WIDTH for line in lines)
    joined = "\n".join(line[4:] for line in lines)
    assert ast.dump(ast.parse(joined)) == ast.dump(ast.parse(code))


def test_brackets_are_not_cut() -> None:
    (code,) = ast.parse("a + f(b + c) - d").body
    assert isinstance(code, ast.Expr)
    assert isinstance(code.value, ast.BinOp)
    assert [head + text(part, level) for head, part, level in pieces(code.value)] == ["a", "+ f(b + c)", "- d"]


@pytest.mark.parametrize("code", [
    "-(a * b) ** 2", "(-a) ** 2", "a - (b - c)", "a / (b * c)", "a * (b / c) * d", "x[:, None, ..., 0]",
    "x[1:n:2, ::-1]",
    "f(a, *b, k=-1)[i]", "(a, b)", "(a,)", "[a, (b,)]", "(a + b).T", "2 ** -n", "(2 ** a) ** b", "a > b + c",
    "(a > b) * c", "-(a + b)", "-a @ b", "a % b // c", "x[(a + b):]", '{"k": (1, 2)}', "g()[()]",
    "(a @ b).reshape(n, -1)",
])
def test_the_printer_says_what_was_meant(code: str) -> None:
    (tree,) = ast.parse(f"y = {code}").body
    assert isinstance(tree, ast.Assign)
    assert ast.dump(ast.parse(statement(tree))) == ast.dump(ast.parse(f"y = {code}"))
    assert ast.dump(ast.parse(text(tree.value))) == ast.dump(ast.parse(code))


def test_lists_are_wrapped() -> None:
    assert listed("x = {", ["a", "b"], "}") == ["    x = {a, b}"]
    long = listed("x = {", [f'"name_{k}": {k}' for k in range(40)], "}")
    assert all(len(line) <= WIDTH for line in long)
    assert ast.literal_eval("\n".join(long).split("=", 1)[1].strip()) == {f"name_{k}": k for k in range(40)}


@pytest.mark.parametrize("text", ["plain", 'say "no"', "back\\slash", "\n\t\0", "\u202e", "𝐱", "\U000e0001", "'''"])
def test_strings_come_back(text: str) -> None:
    assert ast.literal_eval(string(text)) == text
    assert ast.literal_eval(model_literal(f"first\n{text}\n")) == f"first\n{text}\n".rstrip("\n") + "\n"
    assert string(text).isprintable()


@pytest.mark.parametrize("text", ['"""', "a\\", "a\nb", "\u202e"])
def test_docstrings_cannot_be_left(text: str) -> None:
    tree = ast.parse(f'"""{doc_text(text)}\n"""\n')
    assert len(tree.body) == 1


def test_what_nothing_is_made_of_goes_with_what_only_it_needs() -> None:
    """A carry that is read by nothing, two that only read each other, and the loop that is empty then; not what is
    computed where it is stored."""
    code = """a = w
b = c = w
for t in range(T):
    a, b, c, x[t] = b, c, b, w
    y = f(w, out=z[t])
for k in range(K):
    for j in range(k):
        b = c
return x"""
    depth = {line: (len(line) - len(line.lstrip())) // 4 for line in code.splitlines()}
    heads = [line.strip() + (" pass" if line.endswith(":") else "") for line in depth]
    lines = [Line(parsed(head), depth=deep) for head, deep in zip(heads, depth.values(), strict=True)]
    left = ["for t in range(T):", "x[t] = w", "f(w, out=z[t])", "return x"]
    assert [statement(line.code) for line in without_unread(lines)] == left
    assert len(without_unread(lines, ["b"])) == len(lines) - 1
