"""Jacobian entries of the index view, which follow from what records say of entries."""

from __future__ import annotations

import re

import pytest

from symbackprop import Model, derive

LINES = [
    ("dim N, C\nparam z: N x C\ndata g: N x C\np = softmax(z)\nloss L = sum(g * p**2)",
     "∂p_nk/∂z_ij = p_nk·1[n = i]·1[k = j] − p_nk·p_nj·1[n = i]"),
    ("dim N, C\nparam s: N x C\ndata y: N int < C, g: N\na = pick(s, y)\nloss L = sum(g * a**2)",
     "∂a_n/∂s_ij = 1[n = i]·1[y_n = j]"),
    ("dim V, D, N\nparam E: V x D\ndata w: N int < V\nx = E[w]\nloss L = sum(x**2)",
     "∂x_nk/∂E_ij = 1[w_n = i]·1[k = j]"),
    ("dim N, D\nparam a: N x D\nb = a[1:]\nloss L = sum(b**3)", "∂b_kl/∂a_jp = 1[k+1 = j]·1[l = p]"),
    ("dim N, D\nparam a: N x D\nr = logsumexp(a, axis=1)\nloss L = sum(r**3)", "∂r_n/∂a_ij = exp(a_ij − r_n)·1[n = i]"),
    ("dim N, D\nparam a: N x D\nr = norm(a, axis=1)\nloss L = sum(r**3)", "∂r_n/∂a_ij = (a_ij/r_n)·1[n = i]"),
    ("dim N, H, C, K\nparam x: N x H x H x C\ndata w: 3 x 3 x C x K\ny = conv2d(x, w, padding=1)\nloss L = sum(y**2)",
     "∂y_nklm/∂x_ijpq = w[j+1−k,p+1−l,q,m]·1[n = i]"),
    ("dim N, D\nparam A: D x D\nt = diag(A)\nloss L = sum(t**2)", "∂t_k/∂A_ij = 1[k = i]·1[k = j]"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "line"), LINES, ids=[line.partition(" =")[0] for _, line in LINES])
def test_jacobian_entries(model: str, line: str) -> None:
    assert line in derive(Model.parse(model)).text(view="index")


@pytest.mark.parametrize("model", [
    "dim N, D\nparam a: N x D\nm = max(a, axis=1)\nloss L = sum(m**2)",  # equal largest entries share
    "dim N, D\nparam a: N x D, b: N x D\nc = concat(a, b)\nloss L = sum(c**2)",  # a part stands among zeros
    "dim N, D\nparam a: N x D\nc = reshape(a, (N*D,))\nloss L = sum(c**2)",
])  # fmt: skip
def test_what_has_no_short_entry_is_written_as_a_whole(model: str) -> None:
    assert re.search(r"/∂a +: δ ↦", derive(Model.parse(model)).text(view="index"))
