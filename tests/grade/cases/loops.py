"""Answers to loop models in many writings: all of them are right, and none is once one of its indices is moved."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

RNN = """
dim T, N, D, H
data x: T x N x D
param W: D x H, U: H x H, h[0]: N x H
for t in 1..T:
    a = x[t] @ W + h[t-1] @ U
    h[t] = tanh(a)
"""
LOSSES = {
    "last": ("loss L = sum(h[T]**2)", "2*h[T]", "0*h[T]"),
    "all": ("loss L = sum(h**2)/T", "2*h[T]/T", "2*h[t]/T"),
    "both": ("loss L = mean(h**2) + sum(h[T])", "2*h[T]/(T*N*H) + ones(N, H)", "2*h[t]/(T*N*H)"),
}


class Writing(NamedTuple):
    """A way to go back through time; ∂L/∂h[T] and the direct share of ∂L/∂h[t] are filled in."""

    name: str
    lines: str


WRITINGS = [
    Writing(
        "from the last step",
        """
dh[T] = {last}
for t in T-1..1:
    da[t+1] = dh[t+1] * (1 - h[t+1]^2)
    dh[t] = {direct} + da[t+1] @ U.T
da[1] = dh[1] * (1 - h[1]^2)
dh[0] = da[1] @ U.T
""",
    ),
    Writing(
        "with what is handed back",
        """
back[T] = {last} - ({direct_T})
for t in T..1:
    dh[t] = {direct} + back[t]
    da[t] = dh[t] * (1 - h[t]^2)
    back[t-1] = da[t] @ U.T
dh0 = back[0]
""",
    ),
    Writing(
        "fractions",
        """
∂L/∂h[T] = {last}
for t in T..2:
    ∂L/∂a[t] = ∂L/∂h[t] ⊙ (1 − h[t]²)
    ∂L/∂h[t-1] = {before} + ∂L/∂a[t] Uᵀ
∂L/∂a[1] = ∂L/∂h[1] * (1 - h[1]^2)
∂L/∂h[0] = ∂L/∂a[1] U^T
""",
    ),
    Writing(
        "subscripts",
        """
δ_{{h_T}} = {last}
for t in reversed(2..T):
    δ_aₜ = δ_hₜ ⊙ (1 − hₜ^⊙2)
    δ_hₜ₋₁ = {before} + δ_aₜ Uᵀ
δ_a[1] = δ_h[1] ⊙ (1 − h_1²)
δ_h[0] = δ_a[1] Uᵀ
""",
    ),
    Writing(
        "the whole stack",
        """
dh[T] = {last}
for t in range(T-1, 0, -1):
    dh[t] = {direct} + (dh[t+1] * (1 - h[t+1]**2)) @ U.T
da = dh * (1 - h**2)
dh0 = da[1] @ U.T
""",
    ),
]
SUMS = {
    "added up": "for t in 1..T:\n    dU += h[t-1].T @ da[t]\n    dW += x[t].T @ da[t]",
    "sum_t": "dU = sum_t(h[t-1].T @ da[t])\ndW = sum_t x[t].T @ da[t]",
    "Σ": "dU = Σ_t hₜ₋₁ᵀ δ_aₜ\ndW = Σ_{t=1}^T x_t^T da_t",
    "sum over": "dU = sum over t of h[t-1].T @ da[t]\ndW = sum(x[t].T @ da[t], t)",
    "split": "dU = h[0].T @ da[1] + Σ_{t=2}^{T} h[t-1]^T da[t]\ndW = x[T].T @ da[T] + sum_t(x[t].T @ da[t], 1, T-1)",
    "einsum": 'dU = einsum("tnh,tng->hg", concat(h0[None], h[:-1], axis=0), da)\ndW = einsum("tnd,tnh->dh", x, da)',
}
RUNNING = """
dnext = {last} - ({direct_T})
for t in range(T, 0, -1):
    dh = {direct} + dnext
    da = dh * (1 - h[t]**2)
    dU += h[t-1].T @ da
    dW += x[t].T @ da
    dnext = da @ U.T
dh0 = dnext
"""


class LoopAnswer(NamedTuple):
    name: str
    model: str
    lines: str


def right() -> Iterator[LoopAnswer]:
    """All writings of the gradients of the small network."""
    for loss, writing in product(LOSSES, [*WRITINGS, Writing("running", RUNNING)]):
        text, last, direct = LOSSES[loss]
        filled = writing.lines.format(
            last=last, direct=direct, direct_T=direct.replace("[t]", "[T]"), before=direct.replace("[t]", "[t-1]")
        )
        sums = {"": ""} if writing.name == "running" else SUMS
        for name, ending in sums.items():
            yield LoopAnswer(f"{loss}, {writing.name}, {name}", RNN + text, filled + _own_names(ending, filled))


def _own_names(ending: str, lines: str) -> str:
    """The same name for ∂L/∂a in the sums as above them."""
    if "δ_a" in lines:
        return ending.replace("da[", "δ_a[").replace("da_t", "δ_aₜ").replace("da)", "delta_a)")
    if "∂L/∂a" in lines:
        return ending.replace("da[", "dL/da[").replace("da_t", "dL/da[t]").replace("δ_aₜ", "dL/da[t]")
    return ending.replace("δ_aₜ", "da[t]")


MOVES = [
    ("h[t-1].T", "h[t].T"),
    ("x[t].T", "x[1].T"),
    ("h[t]^2", "h[t-1]^2"),
    ("h[t+1]^2", "h[t]^2"),
    ("h[t]**2)\n", "h[t-1]**2)\n"),
    ("dh[T] = ", "dh[3] = "),
    ("back[T] = ", "back[3] = "),
    ("/T", "/3"),
    ("T*N*H", "3*N*H"),
    ("hₜ^", "hₜ₋₁^"),
    ("hₜ₋₁ᵀ", "hₜᵀ"),
    ("1..T:\n    dU", "2..T:\n    dU"),
    ("1..T:\n    dU", "1..3:\n    dU"),
    ("Σ_{t=1}^T", "Σ_{t=1}^3"),
    ("Σ_{t=1}^T", "Σ_{t=2}^T"),
    ("2*h[T]", "2*h[3]"),
    ("da[t], 1, T-1", "da[t], 1, 2"),
    (") @ U.T", ") @ U"),
]


def wrong() -> Iterator[LoopAnswer]:
    """Every writing with one index moved, once each."""
    seen: set[tuple[str, str, str]] = set()
    for answer in right():
        loss, writing, sums = answer.name.split(", ")
        for old, new in MOVES:
            place = writing if old in answer.lines.partition("dU")[0] else sums
            if old in answer.lines and (place, old, new) not in seen and not (loss == "last" and "/" in old):
                seen.add((place, old, new))
                yield LoopAnswer(
                    f"{answer.name}: {old.strip()} as {new.strip()}", answer.model, answer.lines.replace(old, new, 1)
                )


LSTM = """
dz = (softmax(z) - one_hot(target, V))/(T*N)
dV_o = Σ_t h_t^T dz_t
db_v = sum(dz, axis=(0,1))
dhc[T] = zeros(N, H)
dsc[T] = zeros(N, H)
for t in T..1:
    dh[t] = dz[t] @ V_o.T + dhc[t]
    do[t] = dh[t] * tanh(s[t])
    ds[t] = dh[t] * o[t] * (1 - tanh(s[t])^2) + dsc[t]
    df[t] = ds[t] * s[t-1]
    di[t] = ds[t] * g[t]
    dg[t] = ds[t] * i[t]
    dsc[t-1] = ds[t] * f[t]
    zo[t] = do[t] * o[t] * (1-o[t])
    zf[t] = df[t] * f[t] * (1-f[t])
    zi[t] = di[t] * i[t] * (1-i[t])
    zg[t] = dg[t] * (1-g[t]^2)
    dhc[t-1] = zo[t] @ U_o.T + zf[t] @ U_f.T + zi[t] @ U_i.T + zg[t] @ U_g.T
    dx[t] = zo[t] @ W_o.T + zf[t] @ W_f.T + zi[t] @ W_i.T + zg[t] @ W_g.T
dh[0] = dhc[0]
ds[0] = dsc[0]
dC = scatter_add(dx, words, V)
""" + "".join(
    f"dW_{k} = sum_t x[t].T @ z{k}[t]\ndU_{k} = sum_t h[t-1].T @ z{k}[t]\ndb_{k} = sum(z{k}, axis=(0,1))\n"
    for k in "ofig"
)

GRU = (
    """
dz = (softmax(z) - one_hot(target, V))/(T*N)
dV_o = einsum("tnh,tnv->hv", h, dz)
db_v = sum(dz, axis=(0,1))
later[T] = 0*h[0]
for t in T..1:
    dh[t] = dz[t] @ V_o.T + later[t]
    dn[t] = dh[t] * (1 - u[t])
    du[t] = dh[t] * (h[t-1] - n[t])
    zn[t] = dn[t] * (1-n[t]^2)
    dr[t] = zn[t] * (h[t-1] @ U_n)
    zr[t] = dr[t]*r[t]*(1-r[t])
    zu[t] = du[t]*u[t]*(1-u[t])
    later[t-1] = dh[t]*u[t] + zr[t] @ U_r.T + zu[t] @ U_u.T + (zn[t]*r[t]) @ U_n.T
dh0 = later[0]
dU_n = Σ_{t=1}^T h_{t-1}^T (zn_t * r_t)
dC = scatter_add(zr @ W_r.T + zu @ W_u.T + zn @ W_n.T, words, V)
"""
    + "".join(f"dW_{k} = sum_t x[t].T @ z{k}[t]\ndb_{k} = sum(z{k}, axis=(0,1))\n" for k in "run")
    + "".join(f"dU_{k} = sum_t h[t-1].T @ z{k}[t]\n" for k in "ru")
)

OTHERS = [
    LoopAnswer(
        "two loops",
        """
dim S, T, H
data x: S x H, y: T x H, h[0]: H
param W: H x H, U: H x H
for s in 1..S:
    h[s] = tanh(W @ h[s-1] + x[s])
g[0] = h[S]
for t in 1..T:
    g[t] = tanh(U @ g[t-1] + y[t])
loss L = sum(g[T]**2)/T
""",
        """
dg[T] = 2*g[T]/T
for t in T..1:
    v[t] = dg[t]*(1-g[t]^2)
    dg[t-1] = U^T v[t]
dU = sum_t v[t] g[t-1]^T
dh[S] = dg[0]
for s in S..1:
    r[s] = dh[s]*(1-h[s]^2)
    dh[s-1] = W^T r[s]
dW = Σ_s r_s h_{s-1}^T
""",
    ),
    LoopAnswer(
        "backwards",
        """
dim T, N, H
data x: T x N x H, h[T+1]: N x H
param W: H x H
for t in T..1:
    h[t] = tanh(x[t] + h[t+1] @ W)
loss L = sum(h[1]**2) + sum(h**2)
""",
        """
dh[1] = 4*h[1]
v[1] = dh[1]*(1-h[1]^2)
for t in 2..T:
    dh[t] = 2*h[t] + v[t-1] @ W.T
    v[t] = dh[t]*(1-h[t]^2)
dW = sum_t h[t+1].T @ v[t]
dh[T+1] = v[T] @ W.T
""",
    ),
    LoopAnswer(
        "two carries that begin with numbers",
        """
dim T, H
data x: T x H
param W: H x H, w: H
h[0] = zeros(H)
s[0] = ones(H)
for t in 1..T:
    h[t] = tanh(W @ h[t-1] + x[t] * s[t-1])
    s[t] = s[t-1] * w + h[t]
loss L = dot(h[T], s[T])
""",
        """
dh_T = s_T + h_T
ds_T = h_T
for t in T..1:
    v[t] = dh[t]*(1-h[t]^2)
    dW += v[t] h[t-1]^T
    dw += ds[t]*s[t-1]
    ds[t-1] = ds[t]*w + v[t]*x[t]
    back[t-1] = W^T v[t]
    for k in t-1..1:
        dh[t-1] = back[t-1] + ds[t-1]
dh0 = back[0]
""",
    ),
    LoopAnswer(
        "from the second step",
        """
dim T, H
data x: T x H, h[1]: H
param W: H x H
for t in 2..T:
    h[t] = tanh(W @ h[t-1] + x[t])
loss L = sum(h[T]**2) + dot(x[T-1], h[T])
""",
        """
dh[T] = 2*h[T] + x[T-1]
for t in T..2:
    v[t] = dh[t]*(1-h[t]^2)
    dh[t-1] = W^T v[t]
dW = Σ_{t=2}^T v[t] h[t-1]^T
""",
    ),
    LoopAnswer(
        "layers, each with its own gradient",
        """
dim K, N, D
data X[0]: N x D, y: N x D
param W: K x D x D
for l in 1..K:
    X[l] = tanh(X[l-1] @ W[l])
loss L = 1/2*sum((X[K] - y)**2)
""",
        """
dX[K] = X[K] - y
for l in K..1:
    dW[l] = X[l-1]^T (dX[l]*(1-X[l]^2))
    dX[l-1] = (dX[l]*(1-X[l]^2)) W[l]^T
""",
    ),
    LoopAnswer(
        "literal bounds",
        """
data c[1..2], h[0], y
param w_e, w_h, w_o
for t in 1..2:
    a = w_e*c[t] + w_h*h[t-1]
    h[t] = tanh(a)
o = w_o*h[2]
loss L = 1/2*(y-o)**2
""",
        """
do = o - y
dw_o = do*h[2]
dh[2] = do*w_o
for t in 2..1:
    dL/da[t] = dL/dh[t]*(1-h[t]^2)
    dL/dh[t-1] = dL/da[t]*w_h
    dw_h += dL/dh[t]*dh[t]/da[t]*da[t]/dw_h
dw_e = Σ_{t=1}^2 da_t c_t
""",
    ),
    LoopAnswer(
        "a power of T",
        "dim T\nparam w, h[0]\nfor t in 1..T:\n    h[t] = w*h[t-1]\nloss L = h[T]\n",
        "dh0 = w^T\ndw = T*w^(T-1)*h[0]",
    ),
    LoopAnswer(
        "steps with a number, counted from 1",
        RNN + LOSSES["all"][0],
        "dh[T] = 2*h[T]/T\ndh[T-1] = 2*h[T-1]/T + dh[T]*(1-h[T]^2) @ U.T\ndh[4] = 2*h[4]/T + dh[5]*(1-h[5]^2) @ U.T\n"
        "for t in T-1..5:\n    dh[t] = 2*h[t]/T + dh[t+1]*(1-h[t+1]^2) @ U.T\n",
    ),
]
