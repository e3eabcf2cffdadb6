"""A pattern answers what an einsum is: held against NumPy on every pattern of two small operands."""

from __future__ import annotations

import copy
import pickle
from itertools import permutations, product

import numpy as np
import pytest

from symbackprop.core.pattern import Pattern
from symbackprop.errors import ShapeError

SIZE = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 2}


def patterns() -> list[Pattern]:
    """Every pattern of two operands with up to three axes each, over a, b, c … in order of appearance."""
    words = ["".join(w) for n in range(4) for w in product("abcd", repeat=n)]
    pairs = [(a, b) for a in words for b in words if len(a + b) < 6]
    outs = ["".join(w) for n in range(4) for w in permutations("abcd", n)]
    found = [Pattern(pair, out) for pair in pairs for out in outs if {*out} <= {*pair[0], *pair[1]}]
    return [p for p in found if p.canonical() == p]


ALL = patterns()


def arrays(pattern: Pattern) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=[SIZE[c] for c in s]) for s in pattern.ins]


def test_the_matrix_product_of_a_pattern_is_its_einsum() -> None:
    found = [p for p in ALL if p.matmul() is not None]
    assert len(found) == 17
    for pattern in found:
        matrix, given = pattern.matmul(), arrays(pattern)
        assert matrix is not None
        first, second = (given[k].swapaxes(-1, -2) if flip and given[k].ndim > 1 else given[k]
                         for k, flip in zip(matrix.order, matrix.flips, strict=True))
        value = (first @ second).T if matrix.flip_out else first @ second
        np.testing.assert_allclose(value, np.einsum(str(pattern), *given), err_msg=str(pattern))


def test_every_product_of_two_matrices_or_vectors_is_found() -> None:
    plain = [p for p in ALL if all(0 < len(s) < 3 and len({*s}) == len(s) for s in p.ins)]
    for p in plain:
        shared = {*p.ins[0]} & {*p.ins[1]}
        assert (p.matmul() is not None) == (len(shared) == 1 and {*p.out} == {*p.letters} - shared), p


def test_text_and_back() -> None:
    assert all(Pattern.parse(str(p)) == p for p in ALL)
    assert str(Pattern.parse(" ij, jk -> ik ").canonical()) == "ab,bc->ac"


@pytest.mark.parametrize("text", ["", "ij", "ij->i,j", "ij->i->j", "i1->i", "é->é", "ij>i"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ShapeError, match="such as 'ij,jk->ik'"):
        Pattern.parse(text)


def test_one_more_axis_runs_the_product_for_every_place() -> None:
    for pattern in ALL[::7]:
        given = arrays(pattern)
        moving = [np.stack([given[0], 2 * given[0]]), given[1]]
        for summed in (False, True):
            steps = np.stack([np.einsum(str(pattern), a, given[1]) for a in moving[0]])
            expected = steps.sum(0) if summed else steps
            np.testing.assert_allclose(np.einsum(str(pattern.along([0], summed)), *moving), expected)


@pytest.mark.parametrize(("text", "kind"), [
    ("ab->ba", "is_transpose"), ("abc->cab", "is_transpose"), ("aa->a", "is_diagonal"), ("aa->", "is_trace"),
    ("ab->a", ""), ("aab->ba", ""), ("aa,a->a", ""), ("ab->", ""), ("aaa->a", ""),
])
def test_kinds_of_one_operand(text: str, kind: str) -> None:
    pattern = Pattern.parse(text)
    found = [k for k in ("is_transpose", "is_diagonal", "is_trace") if getattr(pattern, k)]
    assert found == ([kind] if kind else [])


def test_sizes_and_what_is_summed() -> None:
    pattern = Pattern.parse("nd,dm->nm")
    assert pattern.sizes([(2, 3), (3, 4)]) == {"n": 2, "d": 3, "m": 4} and pattern.summed == "d"
    assert Pattern.parse("a,b->ba").outer == (1, 0) and pattern.outer is None


def test_equal_patterns_are_one_object_copies_too() -> None:
    pattern = Pattern.parse("ij,jk->ik")
    assert pattern is Pattern(("ij", "jk"), "ik")
    assert copy.deepcopy(pattern) is pickle.loads(pickle.dumps(pattern)) is pattern
