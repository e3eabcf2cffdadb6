"""What a large model costs grows with its size, not with the square of it: twice as many terms, lines or arrays are at
most about twice as many steps. Counted, not timed, so that a loaded machine says the same."""

from __future__ import annotations

import ast
import cProfile
import pstats
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from symbackprop import Model, derive
from symbackprop.codegen import codegen
from symbackprop.core.accumulate import joined
from symbackprop.core.build import pad_axis
from symbackprop.core.graph import Graph
from symbackprop.files import computes_with
from symbackprop.model.text import tree
from symbackprop.model.text.statements import parse_statements
from symbackprop.model.text.warnings import of_first_steps
from symbackprop.render.symbols import Located, locate
from symbackprop.verified import verify_source
from symbackprop.verify.module import imports
from tests.counting import growth
from tests.sweeps import few_in_ci

SHAPES: dict[str, Callable[[int], str]] = {
    "arrays that nothing reads": lambda n: f"param {_names(n)}\nloss L = p0^2",
    "terms": lambda n: "param x\nloss L = " + " + ".join(f"exp({k} * x)" for k in range(n)),
    "logarithm of a sum": lambda n: "param x\nloss L = log(" + " + ".join(f"exp({k} * x)" for k in range(n)) + ")",
    "powers": lambda n: f"param {_names(n)}\nloss L = " + " + ".join(f"p{k}^2" for k in range(n)),
    "lines": lambda n: "param w\nh0 = w\n" + "".join(
        f"h{k + 1} = tanh(h{k} * w)\n" for k in range(n)) + f"loss L = h{n}",
    "stack": lambda n: f"param {_names(n)}\nloss L = sum(stack({_names(n)})^2)",
    "one array many times": lambda n: f"param a: 2\nloss L = sum(concat({', '.join(['a'] * n)})^2)",
    "outputs": lambda n: "param w\n" + "".join(f"output a{k} = sin(w + {k})\n" for k in range(n)),
    "dimensions": lambda n: "".join(f"dim D{k}\nparam w{k}: D{k}\n" for k in range(n)) + (
        "loss L = " + " + ".join(f"sum(w{k}^2)" for k in range(n))),
    "normalised layers": lambda n: "dim N, D\ndata H0: N x D\n" + "".join(
        f"param W{k}: D x D\nH{k + 1} = tanh(layer_norm(H{k}) @ W{k})\n" for k in range(n // 4)) + (
        f"loss L = mean(H{n // 4}^2)"),
    "loops": lambda n: "dim T\ndata x: T\n" + "".join(
        f"param w{k}\nh{k}x[0] = w{k}\nfor t in 1..T: h{k}x[t] = tanh(w{k}*h{k}x[t-1] + x[t])\n" for k in range(n // 4)
    ) + "loss L = " + " + ".join(f"h{k}x[T]" for k in range(n // 4)),
}


def _names(n: int) -> str:
    return ", ".join(f"p{k}" for k in range(n))


def _derive_and_emit(text: str) -> None:
    model = Model.parse(text, name="m")
    derive(model).text(whole=True)
    codegen(model)


@pytest.mark.parametrize("shape", few_in_ci(SHAPES, len(SHAPES)))
def test_twice_the_size_is_twice_the_work(shape: str) -> None:
    write = SHAPES[shape]
    assert growth(lambda n: partial(_derive_and_emit, write(n)), 120) < 2.4


def test_twice_as_many_lines_are_read_in_twice_the_time() -> None:
    """A line was looked for in all loops, those of all other lines: none has any."""
    assert growth(lambda n: partial(Model.parse, SHAPES["lines"](n)), 200) < 2.1


def test_twice_as_many_lines_in_a_loop_are_read_in_twice_the_time() -> None:
    """Whether a row depends on the step was asked of all that it reads, for every line."""
    def text(n: int) -> str:
        lines = "".join([f"    a{k + 1} = tanh(w*a{k} + {k})\n" for k in range(n)])
        head = "dim T\ndata x: T\nparam w\nh[0] = w\nfor t in 1..T:\n    a0 = h[t-1]*x[t]\n"
        return f"{head}{lines}    h[t] = a{n}\nloss L = h[T]"

    assert growth(lambda n: partial(Model.parse, text(n)), 100) < 2.2


def test_what_a_loop_reads_is_looked_through_once() -> None:
    """How far ahead it reads an array was looked for among all that it reads, for each of them."""
    def looked_through(n: int) -> Callable[[], object]:
        states = "".join([f"    h{k}[t] = tanh(w*h{k}[t-1])\n" for k in range(n)])
        statements, _, _ = parse_statements(f"for t in 1..T:\n{states}")
        return lambda: list(of_first_steps(statements, set()))

    assert growth(looked_through, 150) < 2.1


def test_gradients_of_entries_are_joined_in_the_time_of_their_number() -> None:
    """The part that follows another one was looked for among all parts."""
    def parts(n: int) -> Callable[[], object]:
        graph = Graph()
        pads = [pad_axis(graph.leaf(f"g{k}", (1,)), 0, k, n) for k in range(n)]
        return lambda: joined(pads[::-1])

    assert growth(parts, 100) < 2.2


def test_the_parts_of_a_nested_formula_are_gone_through_in_as_many_steps() -> None:
    """Each part was handed up through all that it stands in."""
    def all_parts(n: int) -> Callable[[], object]:
        nested: tree.Expr = tree.Name("x")
        for _ in range(n):
            nested = tree.Call("tanh", (nested,), ())
        return lambda: list(tree.all_parts(nested))

    assert growth(all_parts, 100) < 2.1


def test_the_branches_of_a_step_are_sorted_out_once() -> None:
    """Those of a sum of thousands of terms were put together anew by everything that asked for them."""
    derivation = derive(Model.parse("param w\nloss L = sin(w) + exp(w)"))
    step = next(s for s in locate(derivation.steps) if isinstance(s, Located) and len(s.step.contributions) == 2)
    first = step.groups[0]
    assert step.groups[0] is first and first.local is not None and first.local is step.groups[0].local


def test_a_sum_that_every_gradient_reads_is_written_out_once() -> None:
    """dL/dw_k = −2(y − Σw) of every w_k: a sum in as many rows as have a dozen terms each."""
    def text(n: int) -> str:
        return f"data y\nparam {_names(n)}\nloss L = (y - ({' + '.join(_names(n).split(', '))}))^2"

    assert growth(lambda n: lambda: derive(Model.parse(text(n))).text(), 400) < 2.4


@pytest.mark.slow
def test_a_module_is_called_no_more_often_for_more_arrays() -> None:
    """What is tried of one array after another is tried of a number of them: every call reads all."""
    assert _module_calls(160) < 1.1 * _module_calls(80)


def _module_calls(arrays: int) -> int:
    model = Model.parse(SHAPES["powers"](arrays), name="m")
    source = codegen(model)
    with cProfile.Profile() as profile:
        assert verify_source(source, model, trials=1).verdict == "pass"
    stats: dict[tuple[str, int, str], tuple[int, ...]] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    return sum(found[1] for (path, _, name), found in stats.items() if name == "called" and path.endswith("files.py"))


def test_no_long_module_is_parsed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree takes eighty times the memory of its text."""
    lengths, parse = list[int](), ast.parse

    def measured(source: str, *args: Any, **options: Any) -> ast.AST:
        lengths.append(len(source))
        return parse(source, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(ast, "parse", measured)
        source = codegen(Model.parse(SHAPES["lines"](800), name="m"))
        emitted = len(lengths)
        assert "numpy" in imports(source) and computes_with(source) == "numpy"
    assert max(lengths[:emitted]) < len(source) / 3
    assert emitted < len(lengths) and max(lengths[emitted:]) < len(source) * 0.6


def test_a_line_in_a_string_may_look_like_the_head_of_a_function() -> None:
    assert imports('"""\ndef f(x):\n"""\nimport jax\n\n\ndef g():\n    import torch\n') == {"jax"}
