"""Loops of Python, made at random, against Python: what a name is below loops, in loops in loops, and given anew."""

import random
import warnings
from collections.abc import Sequence
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from symbackprop.errors import ModelError
from symbackprop.model import Model
from symbackprop.model.text.write import to_text
from tests.core.helpers import value

HEAD = "dim T, N, H\ndata X: T x H, c: N\nparam w, v, u: H, h0, b\n"
SIZES = {"T": 4, "N": 2, "H": 5}
SHAPES: dict[str, tuple[int, ...]] = {"X": (4, 5), "c": (2,), "w": (), "v": (), "u": (5,), "h0": (), "b": ()}
NAMES, BEGIN = ("h", "g", "s"), ("h0", "0", "w*v", "np.tanh(h0)", "1.5")
OVER = {"range(T)": "X[{}, 0]", "reversed(range(T))": "X[{}, 1]", "range(N)": "c[{}]", "range(3)": "u[{}]"}


class Programs:
    """Lines of Python that compute ``loss`` of names which they begin with."""

    def __init__(self, seed: int) -> None:
        self.random, self.entries = random.Random(seed), list[str]()

    def program(self) -> str:
        first = self.random.sample(NAMES, self.random.randint(1, 3))
        lines = [f"{name} = {self.random.choice(BEGIN)}" for name in first]
        given, block = self.block(first, 2)
        return "\n".join([*lines, *block, f"loss = {' + '.join(given)}"])

    def block(self, known: Sequence[str], depth: int) -> tuple[list[str], list[str]]:
        """The names known behind it, and its lines; what loops give a name first is read in them alone."""
        known, lines = [*known], list[str]()
        for _ in range(self.random.randint(1, 3)):
            if depth and self.random.random() < 0.5:
                lines += self.loop(known, depth)
                continue
            name = self.random.choice(NAMES)
            sign = self.random.choice(["=", "=", "+=", "*="]) if name in known else "="
            lines.append(f"{name} {sign} {self.formula(known, 2)}")
            known = [*dict.fromkeys([*known, name])]
        return known, lines

    def loop(self, known: Sequence[str], depth: int) -> list[str]:
        counter, over = f"i{depth}", self.random.choice([*OVER])
        self.entries.append(OVER[over].format(counter))
        _, body = self.block(known, depth - 1)
        self.entries.pop()
        return [f"for {counter} in {over}:", *[f"    {line}" for line in body]]

    def formula(self, known: Sequence[str], depth: int) -> str:
        kind = self.random.random()
        if not depth or kind < 0.3:
            return self.random.choice([*known, *self.entries, "w", "v", "h0", "u[1]", "0.5"])
        if kind < 0.6:
            return f"np.tanh({self.formula(known, depth - 1)})"
        sign = self.random.choice("+-*")
        return f"({self.formula(known, depth - 1)} {sign} {self.formula(known, depth - 1)})"


@pytest.mark.parametrize("seed", range(300))
def test_a_random_program_computes_what_python_computes(seed: int) -> None:
    program, rng = Programs(seed).program(), np.random.default_rng(seed)
    given: dict[str, Any] = {name: rng.normal(size=shape) / 2 for name, shape in SHAPES.items()}
    model = Model.parse(HEAD + program)
    assert model.loss_row is not None
    names = {**given, **SIZES, "np": np}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # squares of squares
        exec(program, names)
        found = value(model.loss_row, **{name: given[name] for name in model.leaves()})
    np.testing.assert_allclose(found, names["loss"], rtol=1e-9)


@pytest.mark.parametrize(("lines", "written"), [
    ("s = w\nfor t in range(T):\n    s = tanh(s*X[t, 0])\nloss L = s**2",
     "s[0] = w\nfor t in 1..T:\n    s[t] = tanh(s[t-1] * X[t][0])\nloss L = s[T]**2\n"),
    ("h = h0\nfor t in 1..T:\n    h = tanh(h*X[t, 0])\nloss L = h**2",
     "for t in 1..T:\n    h[t] = tanh(h[t-1] * X[t][0])\nloss L = h[T]**2\n"),
    ("h = w\nfor t in reversed(range(T)):\n    h = h*X[t, 0]\nh = tanh(h)\nloss L = h**2",
     "h[T + 1] = w\nfor t in T..1:\n    h[t] = h[t+1] * X[t][0]\nh_2 = tanh(h[1])\nloss L = h_2**2\n"),
    ("g = w\ng = g*v\nfor t in range(T):\n    g = g*X[t, 0]\nloss L = g**2",
     "g = w\ng_2 = g * v\ng_3[0] = g_2\nfor t in 1..T:\n    g_3[t] = g_3[t-1] * X[t][0]\nloss L = g_3[T]**2\n"),
    ("h = u\nfor t in range(T):\n    h = h*X[t]\nloss L = h[0] + sum(h)",  # of which h0 is another
     "h = u\nh_2[0] = h\nfor t in 1..T:\n    h_2[t] = h_2[t-1] * X[t]\nloss L = h_2[T][0] + sum(h_2[T])\n"),
    ("z = u\nfor t in range(T):\n    z = z*X[t]\nloss L = z[0] + sum(z)",  # its first entry, not its first step
     "z[0] = u\nfor t in 1..T:\n    z[t] = z[t-1] * X[t]\nloss L = z[T][0] + sum(z[T])\n"),
    ("s = w\nconst K = 2\nfor t in 1..K:\n    s = s*X[t, 0]\nloss L = s",  # a bound that is said below the name
     "s = w\nconst K = 2\ns_2 = s * X[0][0]\ns_3 = s_2 * X[1][0]\nloss L = s_3\n"),
    ("loss = 0\nfor t in range(T):\n    loss += X[t, 0]*w\nloss = loss/T",
     "loss_2[0] = 0\nfor t in 1..T:\n    loss_2[t] = loss_2[t-1] + X[t][0] * w\nloss loss = loss_2[T] / T\n"),
    ("for t in range(T):\n    for i in range(N):\n        z = X[t, 0]*c[i]*w\nloss L = z**2",
     "for t in 1..T:\n    for i in 1..N:\n        z[i] = X[t][0] * c[i] * w\n    t1[t] = z[N]\nloss L = t1[T]**2\n"),
    ("for t in range(T):\n    z = 2*w\nloss L = z**2", "loss L = (2 * w)**2\nz = broadcast(2 * w, (T,))\n"),
    ("for t in range(T):\n    for i in range(N):\n        z = w*c[i]\n    s = X[t, 0]*w\nloss L = s**2",
     "for t in 1..T:\n    s[t] = X[t][0] * w\nloss L = s[T]**2\n"),
    ("q = u\nfor t in range(T):\n    q = q*X[t]\noutput q = q*w\noutput z = q*2",  # the second q, not the last step
     "q_2[0] = u\nfor t in 1..T:\n    q_2[t] = q_2[t-1] * X[t]\noutput q = q_2[T] * w\noutput z = 2 * q\n"),
])
def test_steps_have_the_name_that_a_loop_hands_on(lines: str, written: str) -> None:
    model = Model.parse(HEAD + lines)
    text = to_text(model).split("\n", 4)[-1]
    assert text.removeprefix("param w, v, u: H, h0, b\n").removeprefix("h0, b\n") == written
    assert to_text(Model.parse(to_text(model))) == to_text(model)


ENTRIES = {
    "an entry of an array in a loop": "q = u * 1.0\nfor x in X:\n    q = q * w\n    q[1] += x[0]\nloss = np.sum(q * a)",
    "in a loop in it": """
        q = u * 1.0
        for t in range(T):
            for i in range(N):
                q = q * 0.5
                q[-1] = X[t, 0] * c[i]
        loss = np.sum(q * a)""",
    "what is filled": "A = np.zeros(T)\nfor t in reversed(range(T)):\n    A[t] += X[t, 0] * w\nloss = np.sum(A**2)",
    "under a condition": """
        A = np.zeros(T)
        for t in range(T):
            if X[t, 0] > 0:
                A[t] += w
        loss = np.sum(A**2)""",
    "lists that are begun anew in each step": """
        hs, loss = [], 0.0
        for t in range(T):
            hs = []
            for i in range(N):
                hs.append(w * X[t, 0] * c[i])
            loss += np.sum(np.array(hs)**2)""",
    "sums with loops in them under conditions": """
        s = v
        if w > 0.1:
            s = sum(x**2 for x in u) * w
        elif v > 0:
            s += np.sum([x * v for x in a])
        else:
            s = s - sum(x for x in a)
        for r in X:
            if r[0] > 0:
                s = s + sum(np.tanh(x) for x in r)
        loss = s**2""",
    "numbers and arrays under one condition": """
        s = 0.0
        q = np.ones(H)
        if w > 0.1:
            s += v
        else:
            q *= u
        loss = s + np.sum(q)""",
    "that turned copies keep": "q = np.flip(u).copy()\nif w > 0:\n    q += a\nloss = np.sum(q * u)",
}


@pytest.mark.parametrize("lines", ENTRIES.values(), ids=ENTRIES)
def test_what_lines_change_has_the_value_that_python_gives_it(lines: str) -> None:
    rng = np.random.default_rng(5)
    given: dict[str, Any] = {name: rng.normal(size=shape) / 2 for name, shape in {**SHAPES, "a": (5,)}.items()}
    model = Model.parse(f"{HEAD}param a: H\n{dedent(lines)}")
    assert model.loss_row is not None
    names = {**given, **SIZES, "np": np}
    exec(dedent(lines), names)
    found = value(model.loss_row, **{name: given[name] for name in model.leaves()})
    np.testing.assert_allclose(found, names["loss"], rtol=1e-12)


@pytest.mark.parametrize(("lines", "name"), [
    ("p = np.flip(u)\np += 1\nloss = np.sum(u * p)", "u is changed here with p"),
    ("p = v * u\nif w > 0:\n    p = u\np += 1\nloss = np.sum(u * p)", "u is changed here with p"),
    ("p = v * u\nif w > 0:\n    p = u[::-1]\n    p *= 2\nloss = np.sum(u * p)", "u is changed here"),
    ("h = v * u\ng = 2 * u\nif w > 0:\n    g = h\n    h += 1\nloss = np.sum(g * h)", "h is changed here"),
    ("p = v * u\nif w > 0:\n    p += 1\nelse:\n    p = u[::-1]\np += 1\nloss = np.sum(u * p)",
     "u is changed here with p"),
    ("p = u if w > 0 else v * u\np += 1\nloss = np.sum(u * p)", "u is changed here with p"),
    ("def f(m):\n    q = -m\n    if w > 0:\n        q = m\n    return q\np = f(u)\np += 1\nloss = sum(u * p)",
     "u is changed here with p"),
])
def test_what_is_changed_under_another_name_is_refused(lines: str, name: str) -> None:
    with pytest.raises(ModelError, match=name):
        Model.parse(HEAD + lines)


@pytest.mark.parametrize("loops", [
    "for i in range(3):\n    for j in range(3):\n        hs.append(w*i + v*j)",
    "for i in range(3):\n    for j in range(N):\n        hs.append(w*i + v*c[j])",
    "for i in range(T):\n    hs.append(X[i, 0])\nfor i in range(T):\n    hs.append(w)",
    "for i in range(N):\n    for j in range(3):\n        hs.append(w)\n    hs.append(v)",
    "for i in range(T):\n    hs.append(w)\n    hs.append(X[i, 0])",
])
def test_a_list_that_is_filled_in_several_places_is_refused(loops: str) -> None:
    """The last of them alone was what the list held."""
    with pytest.raises(ModelError, match=r"<text>:\d+: syntax error: a list is filled in one loop, an entry a step"):
        Model.parse(f"{HEAD}hs = []\n{loops}\nloss = np.sum(hs)")


@pytest.mark.parametrize(("line", "why"), [
    ("if c[i] > 0:\n        hs.append(w * c[i])", "a list grows by an entry in each step"),
    ("hs.append(hs[i] + w)", r"hs\[i\] is used before it is assigned"),
])
def test_a_list_has_no_entries_of_steps_that_append_none(line: str, why: str) -> None:
    """Entries that nothing gives were 0, as those of zeros(N) are, and the mean was that of N."""
    with pytest.raises(ModelError, match=why):
        Model.parse(f"{HEAD}hs = []\nfor i in range(N):\n    {line}\nloss = np.mean(hs)")


@pytest.mark.parametrize("lines", [
    "z = w\nif v > 0:\n    z = u\nloss = np.sum(z)",  # of 5 entries, or of one
    "z = u if v > 0 else w\nloss = np.sum(z)",
    "def f(m):\n    if v > 0:\n        return u\n    return m\nloss = np.sum(f(w))",
    "loss = np.mean(u[:2] if v > 0 else u[:1])",
])
def test_both_sides_of_a_condition_have_one_shape(lines: str) -> None:
    with pytest.raises(ModelError, match="make both of one shape"):
        Model.parse(HEAD + lines)
    program = lines.replace("else w", "else u * 0").replace("z = w", "z = u * w").replace("f(w)", "f(2 * u)")
    assert Model.parse(HEAD + program.replace("u[:1]", "u[1:3]"))
