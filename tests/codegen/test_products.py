"""Matrix products for every einsum of two operands, against NumPy's einsum."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.core.functions import einsum
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from tests.codegen.helpers import body, emit

SIZE = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 2, "f": 3}


def layer(spec: str) -> Model:
    model = Model("product")
    dims = dict(zip("abcdef", model.dims("A B C D E F"), strict=True))
    left = spec.split("->")[0]
    rows = [model.input(f"x{i}", [dims[c] for c in letters]) for i, letters in enumerate(left.split(","))]
    model.output("Y", einsum(spec, *rows))
    return model


def operands(spec: str) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=[SIZE[c] for c in s]) for s in spec.split("->")[0].split(",")]


def patterns() -> list[str]:
    """Every way of writing a few products: axes of the operands and of the result in every order."""
    found = ["ab,ab->", "a,b->ab", "a,b->ba", "a,a->", "ab,ab->ab", "ab,ab->a", "abc,abc->a", "ab,bc,cd->ad", "ab,c->a",
             "abc,bc->a", "abc,c->ab", "ab,abc->c", "abc,abd->cd", "abc,abd->dc", "abc,cd->abd", "abc,dc->abd",
             "a,bc->abc", "acb,cd->abd", "abc,adc->abd", "abcd,abed->abce", "abcd,acbe->abde",
             "ab,abc->ac", "abcde,abfe->abcdf", "abcde,abcdf->abfe", "abc,bdea->cde", "abc,adce->bde",
             "a,ab->", "ab,ca->a", "abc,bcd,ade->be", "ab,ab,ab->b", "a,b,c->cab", "abcd,aefd->bcef", "abcd,bd->abc",
             "bd,dabc->bac"]
    for a, b, out in (("ab", "bc", "ac"), ("ab", "b", "a")):
        found += [
            f"{''.join(p)},{''.join(q)}->{''.join(r)}"
            for p in permutations(a)
            for q in permutations(b)
            for r in permutations(out)
        ]
    found += [f"{''.join(p)},bcd->{''.join(r)}" for p in permutations("abc") for r in permutations("ad")]
    found += [f"{''.join(p)},acd->{''.join(r)}" for p in permutations("abc") for r in permutations("abd")]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("spec", patterns())
def test_products(spec: str, tmp_path: Path) -> None:
    module = emit(layer(spec), tmp_path)
    arrays = operands(spec)
    y, cache = module.forward({}, {f"x{i}": a for i, a in enumerate(arrays)})
    np.testing.assert_allclose(y, np.einsum(spec, *arrays), rtol=1e-13, atol=1e-14)
    up = np.random.default_rng(1).normal(size=np.shape(y))
    grads = module.backward(cache, up)
    left, out = spec.split("->")
    ins = left.split(",")
    for i, letters in enumerate(ins):
        others = [(s, a) for k, (s, a) in enumerate(zip(ins, arrays, strict=True)) if k != i]
        missing = [c for c in letters if c not in out + "".join(s for s, _ in others)]
        ones = [(c, np.ones(SIZE[c])) for c in missing]
        pattern = ",".join([out, *[s for s, _ in others], *[s for s, _ in ones]]) + "->" + letters
        expected = np.einsum(pattern, up, *[a for _, a in others], *[a for _, a in ones])
        np.testing.assert_allclose(grads[f"x{i}"], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("spec", "code"), [
    ("ab,bc->ac", "Y = x0 @ x1"), ("ab,cb->ac", "Y = x0 @ x1.T"), ("ba,bc->ac", "Y = x0.T @ x1"),
    ("ab,bc->ca", "Y = x1.T @ x0.T"), ("ab,b->a", "Y = x0 @ x1"), ("ab,a->b", "Y = x1 @ x0"), ("a,a->", "Y = x0 @ x1"),
    ("abc,cd->abd", "Y = (x0.reshape(A * B, C) @ x1).reshape(A, B, D)"),
    ("abc,abd->cd", "Y = x0.reshape(A * B, C).T @ x1.reshape(A * B, D)"),
    ("abc,adc->abd", "Y = x0 @ x1.swapaxes(-1, -2)"),
    ("ab,bc,cd->ad", "Y = x0 @ x1 @ x2"), ("ab,bc,c->a", "Y = x0 @ (x1 @ x2)"),
    ("ab,ac->abc", "Y = x0[:, :, None] * x1[:, None, :]"),
    ("ab,bcd->acd", "Y = (x0 @ x1.reshape(B, C * D)).reshape(A, C, D)"),
    ("ab,cad->bcd", "Y = np.tensordot(x0, x1, ((0,), (1,)))"), ("ab,abc->ac", "Y = (x0[:, None] @ x1)[:, 0]"),
    ("ab,acb->ac", "Y = (x1 @ x0[:, :, None])[:, :, 0]"),
    ("ab,ab->a", 'Y = np.einsum("ab,ab->a", x0, x1)'), ("ab,c->a", "Y = x0.sum(axis=1) * x1.sum(axis=0)"),
])
def test_code(spec: str, code: str) -> None:
    assert f"    {code}" in body(codegen(layer(spec)), "forward").splitlines()


@pytest.mark.parametrize("target", ["jax", "torch"])
def test_a_diagonal_and_the_kinds_of_products_elsewhere(target: str, tmp_path: Path) -> None:
    pytest.importorskip(target)
    for spec in ("aab,bc->ac", "ab,cad->bcd", "abcde,abfe->abcdf", "abc,ac->ab", "ab,c->a", "ab,bc,ad->cd"):
        module = emit(layer(spec), tmp_path, target=target)
        arrays = [a.astype("float32") for a in operands(spec)]
        y, _ = module.forward({}, {f"x{i}": a for i, a in enumerate(arrays)})
        np.testing.assert_allclose(np.asarray(y), np.einsum(spec, *arrays), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("spec", ["ab->ba", "abc->cab", "aa->a", "aa->", "abc->b", "abc->ca", "ab->"])
@pytest.mark.parametrize("level", [0, 1])
def test_one_operand(spec: str, level: int, tmp_path: Path) -> None:
    module = emit(layer(spec), tmp_path, level=level)
    (x,) = operands(spec)
    y, cache = module.forward({}, {"x0": x})
    np.testing.assert_allclose(y, np.einsum(spec, x), rtol=1e-14)
    up = np.random.default_rng(1).normal(size=np.shape(y))
    place = np.zeros_like(x)
    place.flat[1] = 1e-3
    slope = np.sum(up * (np.einsum(spec, x + place) - np.einsum(spec, x - place))) / 2e-3
    assert module.backward(cache, up)["x0"].flat[1] == pytest.approx(slope, rel=1e-9, abs=1e-12)


SUMS = {
    "cumsum(x, axis=1)": lambda x: np.cumsum(x, 1), "cumsum(x)": lambda x: np.cumsum(x, 0),
    "causal_mask(N) @ x": lambda x: np.cumsum(x, 0), "x @ causal_mask(D).T": lambda x: np.cumsum(x, 1),
    "causal_mask(N).T @ x": lambda x: np.cumsum(x[::-1], 0)[::-1],
    "x @ causal_mask(D)": lambda x: np.cumsum(x[:, ::-1], 1)[:, ::-1],
}
OTHERS = ["x.T @ causal_mask(N)[:, :2]", "(arange(N)[:, None] >= arange(D)) @ x.T",
          "(arange(N)[:, None] > arange(N)) @ x", "(arange(N)[:, None] <= arange(N)) @ x",
          "causal_mask(N) @ causal_mask(N)"]


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("text", SUMS)
def test_products_with_a_triangle_of_ones_are_running_sums(text: str, level: int, tmp_path: Path) -> None:
    """Which take no memory for the triangle, and have no 0·∞ in them."""
    model = parse(f"dim N, D\nparam x: N x D\na = {text}\nloss L = sum(a^3)")
    source = codegen(model, level=level)
    assert "np.cumsum(" in source and "arange" not in source[source.index("def forward"):source.index("def outputs")]
    x = np.array([[1.0, -2, 3], [np.inf, 1, 2]])
    np.testing.assert_array_equal(emit(model, tmp_path, level=level).outputs({"x": x}, {})["a"], SUMS[text](x))


@pytest.mark.parametrize("text", OTHERS)
def test_products_with_other_masks_are_products(text: str) -> None:
    model = parse(f"dim N = 3, D = 4\nparam x: N x D\na = {text}\nloss L = sum(a^3) + sum(x)")
    assert "np.cumsum(" not in codegen(model)
