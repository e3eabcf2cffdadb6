"""Jacobian entries of the index view, which follow from what records say of entries."""

from __future__ import annotations

import re

import pytest

from symbackprop import Model, derive, load
from symbackprop.core.maths import Math
from symbackprop.core.ops import OPS
from symbackprop.render.glossary import meaning
from symbackprop.render.print.text import text
from tests.render.claims import WRONG, verdicts

LINES = [
    ("dim N, C\nparam z: N x C\ndata g: N x C\np = softmax(z)\nloss L = sum(g * p**2)",
     "= p_nk·1[n = i]·1[k = j] − p_nk·p_nj·1[n = i]"),
    ("dim N, C\nparam s: N x C\ndata y: N int < C, g: N\na = pick(s, y)\nloss L = sum(g * a**2)",
     "∂a_n/∂s_ij = 1[n = i]·1[y_n = j]"),
    ("dim V, D, N\nparam E: V x D\ndata w: N int < V\nx = E[w]\nloss L = sum(x**2)",
     "∂x_nk/∂E_ij = 1[w_n = i]·1[k = j]"),
    ("dim N, D\nparam a: N x D\nb = a[1:]\nloss L = sum(b**3)", "∂b_kl/∂a_ij = 1[k+1 = i]·1[l = j]"),
    ("dim N, D\nparam a: N x D\nr = logsumexp(a, axis=1)\nloss L = sum(r**3)", "= exp(a_ij − r_n)·1[n = i]"),
    ("dim N, D\nparam a: N x D\nr = norm(a, axis=1)\nloss L = sum(r**3)", "∂r_n/∂a_ij = (a_nj/r_n)·1[n = i]"),
    ("dim N, H, C, K\nparam x: N x H x H x C\ndata w: 3 x 3 x C x K\ny = conv2d(x, w, padding=1)\nloss L = sum(y**2)",
     "= w[j+1−k,p+1−l,q,m]·1[n = i]"),
    ("dim N, D\nparam A: D x D\nt = diag(A)\nloss L = sum(t**2)", "∂t_k/∂A_ij = 1[k = i]·1[k = j]"),
]


@pytest.mark.parametrize(("model", "line"), LINES, ids=[line.partition(" =")[0] for _, line in LINES])
def test_jacobian_entries(model: str, line: str) -> None:
    assert line in derive(Model.parse(model)).text(view="index")


@pytest.mark.parametrize("model", [
    "dim N, D\nparam a: N x D\nm = max(a, axis=1)\nloss L = sum(m**2)",  # equal largest entries share
])
def test_what_has_no_short_entry_is_written_as_a_whole(model: str) -> None:
    assert re.search(r"/∂a +: δ ↦", derive(Model.parse(model)).text(view="index"))


KRON = """
dim m, n, p, q
param A: m x n, B: p x q
K = reshape(einsum("ij,kl->ikjl", A, B), (m*p, n*q))
loss L = sum(K**3)
"""
PROOFS = [
    ("ner-window", ["z_i = Σ_j W_ij·x_j + b_i", "∂z_k/∂W_ij = Σ_l x_l·1[k = i]·1[l = j]", "= x_j·1[k = i]",
                    "∂s/∂W_ij   = Σ_k δ_z[k]·x_j·1[k = i]", "= δ_z[i]·x_j", "∂s/∂W      = δ_z xᵀ"]),
    ("rnn-lm", ["let z_hₜ[n,i] = Σ_e cₜ_ne·W_e[e,i] + Σ_j hₜ₋₁[n,j]·W_h[j,i] + b_i",
                "o_inj           = e^z_inj/(Σ_v e^z_inv)", "∂z_hₜ[n,k]/∂W_e[i,j] = Σ_e cₜ_ne·1[e = i]·1[k = j]",
                "(∂L/∂W_e[i,j])_t     = Σ_n,k δ_z_hₜ[n,k]·cₜ_ni·1[k = j]",
                "∂L/∂W_e[i,j] = Σ_t (∂L/∂W_e[i,j])_t", "= Σ_t Σ_q δ_z_hₜ[q,j]·cₜ_qi", "∂L/∂c_tqj = ∂L/∂cₜ_qj"]),
    (KRON, ["K_ij = A[⌊i/p⌋,⌊j/q⌋]·B[i mod p,j mod q]", "∂K_kl/∂A_ij = B[k mod p,l mod q]·1[⌊k/p⌋ = i]·1[⌊l/q⌋ = j]",
            "= Σ_s,v δ_K[p·i + s,q·j + v]·B_sv"]),
    ("dim N, D\nparam a: N x D, b: N x D\nc = concat(a, b)\nloss L = sum(c**3)",
     ["∂c_kl/∂b_ij = 1[k−N = i]·1[l = j]", "= δ_c[i+N,j]", "∂L/∂b       = δ_c[N:]"]),
]


@pytest.mark.parametrize(("model", "lines"), PROOFS, ids=["product", "loop", "digits", "parts"])
def test_the_index_view_proves_rules_for_matrices(model: str, lines: list[str]) -> None:
    d = derive(Model.parse(model) if "\n" in model else load(model))
    page = d.text(view="index")
    assert not [line for line in lines if line not in page]
    assert "↦" not in page
    assert not [x for x in verdicts(d, "index") if x.verdict == WRONG]


def test_numbers_of_a_whole_array_stand_beside_its_entry() -> None:
    d = derive(Model.parse("data x: 3\nparam W: 2 x 3\nz = W @ x\nloss L = sum(z**2)"))
    page = d.text(view="index", values={"x": [1, 2, 3], "W": [[1, 0, 1], [0, 1, 0]]})
    assert "z_i = Σ_j W_ij·x_j" in page and "(2)   z = [4, 2]" in page and "Σ_i z_i² = 20" in page


TOLD = {
    "scatter_add": "scatter(g, i)[k] = Σ_m 1[i_m = k]·g_m", "unfold": "unfold(a)[o,k] = a[s·o + k]",
    "fold": "fold(g)[m] = Σ_o,k 1[s·o + k = m]·g_ok",
    "conv2d": "conv(x, w)[n,o,q,k] = Σ_i,j,c x[n,s·o + i − p,s·q + j − p,c]·w_ijck",
    "conv2d_input": "convInput(δ, w)[n,a,b,c] = Σ_i,j,k δ[n,(a + p − i)/s,(b + p − j)/s,k]·w_ijck",
    "conv2d_kernel": "convKernel(x, δ)[i,j,c,k] = Σ_n,o,q x[n,s·o + i − p,s·q + j − p,c]·δ_noqk",
}


def test_a_glossary_tells_entry_forms() -> None:
    spelled = {name: meaning(name)[0] for name, op in OPS.items() if op.spelled is not None}
    assert {name: text(m) for name, m in spelled.items() if isinstance(m, Math)} == TOLD
