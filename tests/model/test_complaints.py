"""Errors in model text as their writer sees them: all of them, each at its place, with the line that would be right."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from symbackprop.errors import ModelError
from symbackprop.model import Model, to_text
from tests.counting import growth

HEAD = "dim N, D, H\ndata X: N x D\nparam W: H x D, b: H\n"


def told(text: str) -> list[str]:
    with pytest.raises(ModelError) as caught:
        Model.parse(HEAD + text, path="net.sbp")
    return caught.value.told().splitlines()


@pytest.mark.parametrize(
    ("line", "mark", "right"),
    [
        ("Z = W @ X + b", "    ^^^^^", "Z = X @ W.T + b"),
        ("Z = b + tnah(X @ W.T)", "        ^^^^", "Z = b + tanh(X @ W.T)"),
        ("Z = relu(X @ w.T)", "             ^", "Z = relu(X @ W.T)"),
        ("parm q: H", "^^^^", "param q: H"),
        ("data q: Nn", "        ^^", "data q: N"),
        ("data q: H symetric", "          ^^^^^^^^", None),  # what would be meant needs a square
        ("param q H x D", "      ^", "param q: H x D"),
        ("param q r", "      ^", "param q, r"),
        ("param q: H D", "         ^", "param q: H x D"),
        ("param q: H r", "         ^", "param q: H, r"),
        ("param q: H 3", "         ^", "param q: H x 3"),
        ("param p: 3x4, q: 3x4, r: 2", "         ^^^", "param p: 3 x 4, q: 3 x 4, r: 2"),
        ("param q: 3x4", "         ^^^", "param q: 3 x 4"),
        ("param q: HxD", "         ^^^", "param q: H x D"),
        ("param q: 3xD", "         ^^^", "param q: 3 x D"),
        ("Z = 1 / 2N^2", "        ^^^^", "Z = 1 / (2*N^2)"),
        ("Z = X / 2N", "        ^^", "Z = X / (2*N)"),
        ("Z = norm(b, 1)", "    ^^^^^^^^^^", "Z = norm(b, order=1)"),
        ("param lambda: H", "      ^^^^^^", "param lambda_: H"),
        ("Z = X + b", "    ^^^^^", None),
        ("Z = sum(X, axsi=1)", "           ^^^^", "Z = sum(X, axis=1)"),
        ("Z = X b2", "      ^^", "param b2; Z = X * b2"),
        ("Z = W b", "      ^", None),
        ("Z = b b", "      ^", "Z = b * b"),
        ("Z = 2^-1 @ b", "    ^^^^^^^^", "Z = 2^-1 * b"),  # an error from within
        ("loss Z = X @ W.T", "         ^^^^^^^", "loss Z = mean(X @ W.T)"),
        ("Z = X & b", "    ^^^^^", None),
        ("Z = where(b > 0 & b < 1, b, 0)", "                ^", "Z = where((b > 0) & (b < 1), b, 0)"),
        ("Z = where((b > 0) & b < 1, b, 0)", "                  ^", "Z = where((b > 0) & (b < 1), b, 0)"),
        ("Z = where((b > 0) & (b < 1) == 0, b, 0)", "                  ^", "Z = where((b > 0) & ((b < 1) == 0), b, 0)"),
        ("Z = where(not b > 0 & (b < 1), b, 0)", "                    ^", "Z = where((not b > 0) & (b < 1), b, 0)"),
        ("Z = adj(W)", "    ^^^", None),  # nothing known is near
        ("Z = X @ V", "        ^", "dim K; param V: D x K; Z = X @ V"),
        ("Z = X @ W.T + lam", "              ^^^", "param lam; Z = X @ W.T + lam"),
        ("Z = X @ W.T @ V @ W", "              ^", "param V: H x H; Z = X @ W.T @ V @ W"),
        ("Z = lambda * b", "    ^^^^^^", "param lam; Z = lam * b"),
    ],
)
def test_the_place_and_the_right_line(line: str, mark: str, right: str | None) -> None:
    message, *rest = told(f"{line}\nloss L = sum(X)" if "loss" not in line else line)
    assert message.startswith("net.sbp:4: ")
    assert rest == [f"    {line}", f"    {mark}", *([f"    {right}   corrected"] if right else [])]


@pytest.mark.parametrize("head", ["dim T\n", ""])
@pytest.mark.parametrize("line", ["Z = X @ W^T", "Z = X @ W**T"])
def test_an_array_to_the_power_of_t_is_no_guess(head: str, line: str) -> None:
    """The transpose on paper is a power where T is a dimension, and in Python."""
    if "^" in line and not head:
        assert Model.parse(f"{HEAD}{line}\nloss L = sum(Z)").remarks == ["<text>:4: is read as Z = X @ W.T"]
        return
    message, *rest = told(f"{head}{line}\nloss L = sum(Z)")
    assert "W.T" in message and ("pow(W, T)" in message) == bool(head)
    assert rest[-1] == "    Z = X @ W.T   corrected"


def test_powers_of_the_dimension_t_are_written_to_be_read_again() -> None:
    model = Model.parse("dim T\nparam w, x: T\nloss L = w^T + sum(pow(x, T))")
    assert Model.parse(to_text(model)).loss is not None and "pow(x, T)" in to_text(model)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("param p, q\nloss L = -p log q r", ["param r; loss L = -p * log(q) * r"]),
        ("param q:(M,) r\nloss L = sum(q)", ["dim M; param q:(M,), r"]),
        ("param p, q\nloss L = pq", ["loss L = p * q"]),
        ("param S: D x D\nloss L = -slogdet(S)", ["loss L = -slogdet(S)[1]"]),
        ("param p: H, q: H\nloss L = pq", ["loss L = p @ q"]),
        ("loss L = sum(np.interp([b, b]))", []),
        ("dim T\nparam p: T\nloss L = sum(p[1..T])", ["loss L = sum(p[:T])"]),
        ("dim T\nparam p: T x 3\nloss L = sum(p[2..T, 1])", ["loss L = sum(p[1:T, 1])"]),
    ],
)
def test_a_corrected_line_is_right_as_it_stands(text: str, right: list[str]) -> None:
    assert [line.strip().removesuffix("   corrected") for line in told(text) if line.endswith("corrected")] == right


@pytest.mark.parametrize(("line", "mark", "right"), [
    ("param q: N int < D", "^" * 18, "data q: N int < D"), ("data q: N, D", "           ^", "data q: N x D"),
    ("dim Q = 2.5", "^" * 11, None), ('notation q = "x"', "         ^", None), ("function f, X", "            ^", None),
    ("notation b = c", "             ^", 'notation b = "c"'), ("Z == X @ W.T", "  ^^", "Z = X @ W.T"),
    ("Z = where(b, 2*b, b > 0)", "    " + "^" * 20, "Z = where(b > 0, b, 2*b)"),
    ("Z = relu[X]", "    ^^^^", "Z = relu(X)"), ("loss L = b @ b * 0,5", "                  ^", "loss L = b @ b * 0.5"),
    ("Z = 1e-3X", "    ^^", "Z = 1e-3*X"), ("Z = (0 < X < 1) * 2", "           ^", "Z = ((0 < X) * (X < 1)) * 2"),
    ("Z = e^X", "    ^", "Z = exp(X)"),
    ("Z = tanh(relu(X", "             ^", "Z = tanh(relu(X))"),
    ("loss b = sum(X)", "     ^", "loss L = sum(X)"), ("h[0] = X[0, 0].shape[0]", "       ^^^^^^^^^^^^^^^^", None),
])
def test_every_mistake_has_its_mark(line: str, mark: str, right: str | None) -> None:
    shown = told(f"{line}\n" + "loss L = sum(X)" * (not line.startswith("loss")))[1:]
    assert shown[1][4:] == mark
    assert shown[2:3] == ([f"    {right}   corrected"] if right else [])


def test_a_mask_of_whole_numbers_may_choose_a_condition() -> None:
    assert Model.parse("dim N\ndata m: N int < 2\nparam v, w: N\nloss L = sum(where(m, v*w, w > 0))").remarks == []


@pytest.mark.parametrize(("head", "right"), [("for k = 1..2:", "for k in 1..2:"), ("for k in 1:2:", "for k in 1..2:")])
def test_heads_of_loops_of_other_languages(head: str, right: str) -> None:
    assert told(f"{head}\n    Z = X\nloss L = sum(X)")[3] == f"    {right}   corrected"


def test_a_line_in_a_loop_keeps_its_caret() -> None:
    assert told("for k in 1..2:\n    Z = X @ w.T\nloss L = sum(X)")[1:] == [
        "    Z = X @ w.T", "            ^", "    Z = X @ W.T   corrected"]


def test_the_colon_of_a_loop() -> None:
    assert told("for k in 1..2\n    Z = X @ W.T\nloss L = sum(X)")[3] == "    for k in 1..2:   corrected"


def test_all_errors_at_once_and_none_that_follows_from_another() -> None:
    lines = told("Z = W @ X\nA = relu(Z) + Y\nparam q: M\nB = A * Z\nC = q + 1\nE = sum(X, axis=7)\nloss L = (C")
    said = [line.removeprefix("error: ").split(": ")[:2] for line in lines if not line.startswith(" ")]
    assert said == [["net.sbp:4", "shape error"], ["net.sbp:5", "name error"], ["net.sbp:6", "name error"],
                    ["net.sbp:9", "shape error"], ["net.sbp:10", "syntax error"]]


def test_what_is_unknown_on_a_line_that_is_left_out_is_told_too() -> None:
    lines = told("Z = X @ Wq\nr = Z - yy\nq = tanhh(r) + F.relu(Z) + len(Z) + where(Z > 0, Z, inf) + Z.T + Z^T\n"
                 "E = cross_entrpy(q, Z) + mse(Z, r)\nloss L = sum(E)")
    assert [line.rpartition("error: ")[2] for line in lines if "error: " in line] == [
        "'Wq' is not declared.", "'yy' is not declared.", "no function 'tanhh'. Did you mean 'tanh'?",
        "no function 'cross_entrpy'. Did you mean 'cross_entropy'?"]
    assert [line.split("net.sbp:")[1][0] for line in lines if "net.sbp:" in line] == ["4", "5", "6", "7"]


def test_nothing_is_said_of_what_reads_a_name_that_an_unread_line_would_give() -> None:
    lines = told("param q, r: H +\nfor k in 1..2\n    Z = X @ r\nA = q * Z + r\nE = X @ (W\nB = A + E\nloss L = sum(B)")
    assert [line.split("net.sbp:")[1][0] for line in lines if "net.sbp:" in line] == ["4", "5", "8"]


@pytest.mark.parametrize("declared", ["param None, q", "param import, q: H", "param r: D x !, q: H"])
def test_nothing_is_said_of_names_behind_what_is_wrong_with_a_declaration(declared: str) -> None:
    assert sum("error: " in line for line in told(f"{declared}\nloss L = sum(q * b)")) == 1


@pytest.mark.parametrize("body", ["W @ h[t-1] + b", "b + h[t-1]"])
def test_a_state_that_begins_as_a_number_is_named(body: str) -> None:
    said = told(f"dim T\nh[0] = 0\nfor t in 1..T:\n    h[t] = {body}\nloss L = sum(h)")
    assert "; h[0] is one number: write h[0] = zeros(…)" in said[0] and not any("family" in line for line in said)


def test_a_line_that_the_one_above_mends_is_not_its_own_correction() -> None:
    lines = told("Z = q * b\nA = q + 1\nloss L = sum(A)")
    assert sum("'q' is not declared" in line for line in lines) == 2
    assert [line for line in lines if line.endswith("corrected")] == ["    param q: H; Z = q * b   corrected"]


@pytest.mark.parametrize(("typed", "right"), [
    ("param 2q: H\nZ = q2 * b\nA = q2 + 1\nloss L = sum(A)", "param q2: H"),
    ("data q: N, H\nloss L = sum(q @ b)", "data q: N x H"), ("parm q: H\nloss L = sum(q * b)", "param q: H"),
    ("q = <b, b>\nr = q**2\nloss L = r", "q = sum(b * b)"),
])
def test_nothing_is_said_of_a_line_that_the_corrected_one_mends(typed: str, right: str) -> None:
    assert [line for line in told(typed) if "error: " in line or line.endswith("corrected")][1:] == [
        f"    {right}   corrected"]


def test_of_a_line_with_two_mistakes_that_is_told_which_is_left() -> None:
    lines = told("param 2q: H\nZ = q2 * c\nloss L = sum(Z)")
    assert [line.rpartition("error: ")[2] for line in lines if "error: " in line][1:] == ["'c' is not declared."]
    assert lines[-1] == "    param c; Z = q2 * c   corrected"


@pytest.mark.parametrize("typed", ["param 2: H", "param 3, q: H"])
def test_a_number_is_no_name_in_part(typed: str) -> None:
    assert not any(line.endswith("corrected") for line in told(f"{typed}\nloss L = sum(b)"))


def test_a_size_is_said_where_a_dimension_is_declared() -> None:
    assert "its size, if it is known, stands there: dim N = 4" in told("N = 5\nloss L = sum(b)")[0]


def test_many_errors_are_counted() -> None:
    lines = told("".join(f"Z{k} = Y\n" for k in range(15)))
    assert sum("is not declared" in line for line in lines) == 10 and lines[-1] == "… and 5 more"


@pytest.mark.parametrize("line", ["a{0} = q{0}", "a{0} = a{1} + q{0}", "a = = {0}", "a{0} = ln(b)", "b2 = b2 + 1"])
def test_thousands_of_lines_that_are_mended_or_wrong_take_no_longer_than_others(line: str) -> None:
    def reading(n: int) -> Callable[[], None]:
        lines = [line.format(k, k + 1) for k in range(n)]
        return lambda: _read("\n".join([HEAD + "b2 = b", *lines, "loss L = sum(b)"]))

    assert growth(reading, 1000) < 2.1


def _read(text: str) -> None:
    with suppress(ModelError):
        Model.parse(text)


def test_a_caret_stays_in_sight_of_a_long_line() -> None:
    shown, mark = told(f"Z = {' + '.join(['b'] * 80)} + missing + b")[1:3]
    assert len(shown) < 120 and shown[mark.index("^") :][: mark.count("^")] == "missing"


def test_words_that_are_only_a_little_alike_are_not_suggested() -> None:
    assert not any("Did you mean" in line for name in ("inv", "det") for line in told(f"loss L = {name}(W)"))


def test_what_is_wrong_with_a_value_for_two_names_is_told_once() -> None:
    with pytest.raises(ModelError) as caught:
        Model.parse("data x\nparam w\na, b = tanh(w * x)\nloss L = a + b")
    assert not caught.value.others
