"""Functions of arrays that are known, tril(ones(T, T)) of a causal mask: their definitions are printed as any other."""

from __future__ import annotations

import pytest

from symbackprop import Model, codegen, derive
from symbackprop.core.functions import FUNCTIONS
from symbackprop.errors import ModelError
from tests.sweeps import few_in_ci

GIVEN = ("ones(T, T)", "ones(T)", "2", "ones(T, T), ones(T, T)", "ones(T), ones(T)", "2, 3", "ones(T, T), 1",
         "ones(T, T), ones(T, T), ones(T, T)")


def model(call: str) -> Model | None:
    """w² times 1 and the square of a call's sum; None where the function is not called so."""
    try:
        return Model.parse(f"dim T\nparam w: T\nloss L = sum(w**2) * (1 + sum({call}) ** 2)")
    except ModelError:
        return None


@pytest.mark.parametrize("name", few_in_ci(sorted(FUNCTIONS), 3))
def test_a_function_of_known_arrays_is_derived(name: str) -> None:
    for known in filter(None, [model(f"{name}({given})") for given in GIVEN]):
        assert "∂L/∂w" in derive(known).text() and "dw = " in codegen(known, verify=False)


def test_what_is_told_of_a_mask() -> None:
    known = model("softmax(tril(ones(T, T)) * w)")
    assert known is not None and "tril(u) = where(" in derive(known).text()


def test_a_number_is_one_in_a_definition() -> None:
    known = model("xlog1py(w, 3)")
    assert known is not None and "xlog1py(x, 3) = log(1 + 3)·x" in derive(known).text()


@pytest.mark.parametrize("wrong", ["ceil(2, 3)", "floor_divide(2)", "remainder(2)"])
def test_numbers_in_other_places_than_a_function_has_are_refused(wrong: str) -> None:
    with pytest.raises(ModelError, match="it is called as"):
        Model.parse(f"param w\nloss L = w * {wrong}")


def test_one_array_alone_says_nothing_of_several_that_are_joined() -> None:
    for parts in ("ones(T)", "ones(T), ones(T)"):
        known = model(f"concat({parts})")
        assert known is not None and "∂L/∂w" in derive(known).text(view="index")
