"""Equations beside lines of code: they are of the line that they stand at, and read as mathematics is read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from symbackprop import load
from symbackprop.codegen import codegen
from symbackprop.codegen.equations import Equation
from symbackprop.codegen.names import escape
from symbackprop.model import zoo
from symbackprop.model.text import parse
from symbackprop.targets import TARGETS
from tests.codegen.helpers import emit
from tests.sweeps import few_in_ci

ASSIGNED = re.compile(r"((?:[\w\[\], :]+ = )+)")  # h_t = h[t] = …
LEFT = re.compile(r"((?:\S+ = )+)")  # of an equation


def commented(source: str) -> Iterator[tuple[str, str]]:
    """Every line of code that has a comment, which stands beside it or above it."""
    above = ""
    for line in source[source.index("def forward") : source.index("def init_params")].splitlines():
        code, _, beside = line.strip().partition("#")
        if code.strip() and (above or beside):
            yield code.strip(), above or beside.strip()
        above = "" if code.strip() else " ".join([above, beside]).strip()


def words(found: re.Match[str] | None) -> set[str]:
    return {escape(word.strip()) for part in found[1].split(" = ") for word in part.split(",")} if found else set()


def misnamed(source: str) -> list[tuple[str, str]]:
    """Lines whose equation is called otherwise than what they assign; some have to have an equation."""
    told = [(code, equation) for code, equation in commented(source) if LEFT.match(equation)]
    assert told
    return [(code, equation) for code, equation in told if not words(LEFT.match(equation)) & assigned(code) - {""}]


def assigned(code: str) -> set[str]:
    """What a line assigns, without numbers too, which tell apart what has the same name."""
    given = words(ASSIGNED.match(code)) | {place.replace("[t]", "_t") for place in re.findall(r"out=(\w+\[t\])", code)}
    return given | {re.sub(r"_\d+$", "", word) for word in given}


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 4))
def test_an_equation_is_called_what_its_line_assigns(name: str, level: int) -> None:
    assert not misnamed(codegen(load(name), level=level))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 4))
def test_a_number_tells_apart_what_is_there(name: str, target: str) -> None:
    """A variable x_2 beside no x is what the derivation calls so, as its equation shows."""
    source = codegen(load(name), target=target)
    variables = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    numbered = {word: re.sub(r"_\d+$", "", word) for word in variables}
    alone = {word for word, bare in numbered.items() if bare not in variables}
    assert all(any(equation.startswith(f"{word} =") for _, equation in commented(source)) for word in alone)


STACKED = re.compile(r"(?:^ +|= |out=)(\w+)\[t\](?= = |\))", re.M)  # in the code of a loop
LOOPS = {
    "a function without a name": ("V: T x N, S[0]: N", "S[t] = tanh(S[t-1] * Q[t]) * V[t]", "h"),
    "the gradient of what is carried": ("V: N, S[0]: N", "S[t] = exp(Q[t] * V) * S[t-1]", "dS"),
    "a share without a name": ("V: T x N, S[0]: N x N",
                               "e[t] = V[t] - S[t-1] @ Q[t]; S[t] = S[t-1] + outer(e[t], Q[t])", "t1"),
}


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_stack_is_called_after_what_it_collects(loop: str, level: int) -> None:
    declared, equations, stack = LOOPS[loop]
    body = "".join(f"\n    {line}" for line in (*equations.split("; "), "o[t] = sin(S[t])"))
    text = f"dim T, N\nparam {declared}, Q: T x N\nfor t in 1..T:{body}\nloss L = sum(o**2)"
    source = codegen(parse(text), level=level)
    assert not misnamed(source)
    assert stack in STACKED.findall(source), source


@pytest.mark.parametrize(("expression", "comment"), [
    ("sum((sum(x * y) / N * y - 1)**2)", "dx = (2 · t2 / N) · y"),
    ("sum(x / (y * x + 1) / (x + 2))", "t1 = x / (y ⊙ x + 1) / (x + 2)"),
    ("sum(gelu_tanh(x) * y)", "u = sqrt(2/pi) · (x + 0.044715 · x³)"),
    ("sum(x) / 3 + sqrt(2) * sum(y)", "L = sum(x) / 3 + sqrt(2) · sum(y)"),
])
def test_equations_of_formulas(expression: str, comment: str) -> None:
    source = codegen(parse(f"dim N\nparam x: N, y: N\nloss L = {expression}"))
    assert comment in [equation.split("   ")[0] for _, equation in commented(source)], source


@pytest.mark.parametrize(("declared", "expression", "written"), [
    ("A: N x N, B: N x N", "sum((A @ B) * B)", "sum((A B) ⊙ B)"),
    ("A: N x N, s: N", "sum(sin(A @ A) * (A @ (A * s)))", "sum(sin(A A) ⊙ (A (A ⊙ s)))"),
    ("A: N x N, s: N", "sum(s / (A @ s))", "sum(s / (A s))"),
    ("A: N x N, s: N", "sum((A @ s) / s)", "sum(A s / s)"),
    ("A: N x N, B: N x N", "sum((A @ B @ A)**2 - 2 * (A @ B))", "sum((A B A)² − 2 · A B)"),
    ("a: N, b: N", "a @ b", "aᵀ b"),
    ("A: N x N, a: N, b: N", "a @ A @ b", "(Aᵀ a)ᵀ b"),
    ("A: T x N x D, B: T x D x N", 'sum(einsum("tij,tjk->tik", A, B)**2)', "sum((A B)²)"),
    ("A: T x N x D, B: T x N x D", 'sum(einsum("tij,tkj->tik", A, B)**2)', "sum((A Bᵀ)²)"),
    ("A: T x N x D, B: T x N x D", 'sum(einsum("tij,tik->jk", A, B)**2)', "sum(sum(Aᵀ B, axis=0)²)"),
    ("A: T x N x D x D, B: T x N x D x D", 'sum(einsum("tnij,tnjk->ik", A, B)**2)', "sum(sum(A B, axis=(0, 1))²)"),
    ("A: T x N x D, B: N x T x D", 'sum(einsum("tij,itk->tjk", A, B)**2)', "sum(einsum(abc,bad→acd, A, B)²)"),
])
def test_equations_of_products(declared: str, expression: str, written: str) -> None:
    loss = parse(f"dim T, N, D\nparam {declared}\nloss L = {expression}").loss_row
    assert loss is not None
    assert Equation().right(loss) == written


@pytest.mark.parametrize("text", ["param x\nloss L = x", "dim N, K\nparam x: N\nloss L = sum(x) / K"])
def test_a_docstring_breaks_where_it_is_full(text: str, tmp_path: Path) -> None:
    first, *_ = str(emit(text, tmp_path).forward.__doc__).splitlines()
    assert first.endswith("not as PARAMS and DATA say.")


def placed(source: str) -> list[tuple[str, str]]:
    """Lines of code that put a value only into places, none into a variable, and their equations."""
    lines = [(code, equation) for code, equation in commented(source) if LEFT.match(equation)]
    into = [(code, re.match(r"(\w+\[t\]) = |np\.\w+\(.*out=(\w+\[t\])\)$", code), equation) for code, equation in lines]
    return [(found[1] or found[2], equation) for _, found, equation in into if found]


@pytest.mark.parametrize("level", [1, 2])
def test_what_is_only_put_into_a_place_is_called_after_it(level: int) -> None:
    text = "dim T, N\nparam v: N, h[0]: N\nfor t in 1..T:\n    h[t] = v * h[t-1]\nloss L = sum(h[T]**2)"
    found = placed(codegen(parse(text), level=level))
    assert found
    assert all(equation.startswith(f"{place} = ") for place, equation in found)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", ["lstm", "neural-turing-machine", "llama-block"])
def test_what_is_joined_has_an_equation(name: str, level: int) -> None:
    found = [equation for code, equation in commented(codegen(load(name), level=level)) if "np.concatenate([" in code]
    assert all(LEFT.match(equation) for equation in found)


def test_no_equation_calls_the_next_value_and_the_one_before_the_same() -> None:
    text = "dim T, N\ndata v: T x N\nparam h[0]: N\nfor t in 1..T:\n    h[t] = v[t] * h[t-1]\nloss L = sum(h[T]**2)"
    for level in (0, 1, 2):
        source = codegen(parse(text), level=level)
        equations = [equation.partition(" = ") for _, equation in commented(source)]
        assert "dh_next ⊙ v[t]   N" in [right for _, _, right in equations]
        assert not any(re.search(rf"\b{left}\b(?!\[)", right) for left, _, right in equations if left.isidentifier())


@pytest.mark.parametrize(("shape", "note"), [("2*N x 3", "2N×3"), ("N+1 x 2", "(N + 1)×2"), ("N*K x N", "(K*N)×N")])
def test_sizes_in_comments_are_written_as_mathematics(shape: str, note: str) -> None:
    assert f"   {note}\n" in codegen(parse(f"dim N, K\nparam x: {shape}\ny = sin(x)\nloss L = sum(y**2)"))


@pytest.mark.parametrize("along", [(), ("hvp",)])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["lstm", "rnn-lm"])
def test_what_comes_from_outside_a_loop_is_not_called_as_the_whole(name: str, target: str, along: tuple[str]) -> None:
    source = codegen(load(name), target=target, along=along)
    found = [equation.partition(" = ") for _, equation in commented(source)]
    assert any("dh_out[t]" in right for _, _, right in found)
    assert not any(left.endswith("_t") and left.replace("_t", "[t]") in right for left, _, right in found)


def test_a_name_of_the_model_is_no_other_gradient() -> None:
    steps = "for t in 1..T:\n    h[t] = v * h[t-1] + dh_out"
    text = f"dim T, N\nparam v: N, h[0]: N, dh_out: N\n{steps}\nloss L = sum(h**2)"
    source = codegen(parse(text))
    assert "dh_next + dh_out1[t]" in source
