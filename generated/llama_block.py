"""llama-block: Llama block: RMS norm, rotary positions, grouped-query attention, SwiGLU

Written by symbackprop 0.1.0 from the model text MODEL; `symbackprop verify FILE` checks it, edited or not.
The code is yours: use it, change it, pass it on as you like.
PARAMS and DATA say which arrays forward takes, by name, and their shapes.
"""

# mypy: disable-error-code="no-any-return, type-arg"
# ruff: noqa: E501, E741, RUF100
import numpy as np

NAME = "llama-block"
MODEL = """\
# name: llama-block
# summary: Llama block: RMS norm, rotary positions, grouped-query attention, SwiGLU
# source: Touvron et al. 2023
# tags: architecture, attention
dim N, T, h = 2, g = 2, d = 4, F
input X: N x T x d*g*h
param r1: d*g*h, W_q: d*g*h x d*g*h, W_k: d*g*h x d*h, W_v: d*g*h x d*h, W_o: d*g*h x d*g*h
param r2: d*g*h, W: d*g*h x F, V: d*g*h x F, W2: F x d*g*h
A = r1 * rms_norm(X)
Q = rotary(transpose(reshape(A @ W_q, (N, T, g*h, d)), (0, 2, 1, 3)))
K = rotary(transpose(reshape(A @ W_k, (N, T, h, d)), (0, 2, 1, 3)))
S = transpose(reshape(A @ W_v, (N, T, h, d)), (0, 2, 1, 3))
O = grouped_attention(Q, K, S, causal=True)
X1 = X + reshape(transpose(O, (0, 2, 1, 3)), (N, T, d*g*h)) @ W_o
M = r2 * rms_norm(X1)
U = silu(M @ W) * (M @ V)
output Y = X1 + U @ W2
"""
PARAMS = {
    "r1": ("d*g*h",), "W_q": ("d*g*h", "d*g*h"), "W_k": ("d*g*h", "d*h"), "W_v": ("d*g*h", "d*h"),
    "W_o": ("d*g*h", "d*g*h"), "r2": ("d*g*h",), "W": ("d*g*h", "F"), "V": ("d*g*h", "F"),
    "W2": ("F", "d*g*h"),
}
DATA = {"X": ("N", "T", "d*g*h")}
DIMS = {"N": None, "T": None, "h": 2, "g": 2, "d": 4, "F": None}
LOSS = None
OUTPUTS = ("Y",)
INTEGERS: dict = {}
DTYPE = np.float64


def forward(params: dict, data: dict, dims: dict | None = None) -> tuple[np.ndarray, dict]:
    """Computes Y, and the cache that backward reads. ValueError for arrays that are not as PARAMS and DATA say.

    dims gives what no array shows: h (else 2).
    """
    arrays, sizes, dtype, dtypes = read(params, data, dims)
    r1 = arrays["r1"]                                 # (d*g*h)
    W_q = arrays["W_q"]                               # (d*g*h)×(d*g*h)
    W_k = arrays["W_k"]                               # (d*g*h)×(d*h)
    W_v = arrays["W_v"]                               # (d*g*h)×(d*h)
    W_o = arrays["W_o"]                               # (d*g*h)×(d*g*h)
    r2 = arrays["r2"]                                 # (d*g*h)
    W = arrays["W"]                                   # (d*g*h)×F
    V = arrays["V"]                                   # (d*g*h)×F
    W2 = arrays["W2"]                                 # F×(d*g*h)
    X = arrays["X"]                                   # N×T×(d*g*h)
    N, T, h, g, d, F = sizes["N"], sizes["T"], sizes["h"], sizes["g"], sizes["d"], sizes["F"]
    t1 = np.arange(T)[:, None]                        # t1 = reshape(arange(T), (T, 1))   T×1
    # v = mean(X², axis=-1, keepdims=True) + 1e-5   N×T×1
    v = np.einsum("abc,abc->ab", X, X)[:, :, None] / (d * g * h) + 1e-05
    s = np.sqrt(v)                                    # s = sqrt(v)   N×T×1
    X_hat = X / s                                     # X_hat = X / s   N×T×(d*g*h)
    A = r1 * X_hat                                    # A = r1 ⊙ X_hat   N×T×(d*g*h)
    # a = transpose(reshape(A W_q, (N, T, g*h, d)), (0, 2, 1, 3))   N×(g*h)×T×d
    a = (A.reshape(N * T, d * g * h) @ W_q).reshape(N, T, g * h, d).transpose(0, 2, 1, 3)
    a_1 = a[:, :, :, :d // 2]                         # a_1 = a[:, :, :, :d/2]   N×(g*h)×T×(d/2)
    # angle = t1 ⊙ exp(−(2*log(10000)) · arange(d/2) / d)   T×(d/2)
    angle = t1.astype(dtype) * np.exp(-18.420680743952367 * np.arange(d // 2).astype(dtype) / d)
    cos = np.cos(angle)                               # cos = cos(angle)   T×(d/2)
    a_2 = a[:, :, :, d // 2:]                         # a_2 = a[:, :, :, d/2:]   N×(g*h)×T×(d/2)
    sin = np.sin(angle)                               # sin = sin(angle)   T×(d/2)
    t2 = a_1 * cos - a_2 * sin                        # t2 = a_1 ⊙ cos − a_2 ⊙ sin   N×(g*h)×T×(d/2)
    t3 = a_1 * sin + a_2 * cos                        # t3 = a_1 ⊙ sin + a_2 ⊙ cos   N×(g*h)×T×(d/2)
    Q = np.concatenate([t2, t3], axis=3)              # Q = concat(t2, t3, axis=-1)   N×(g*h)×T×d
    c = Q.reshape(N, h, g, T, d)                      # c = reshape(Q, (N, h, g, T, d))   N×h×g×T×d
    # b = transpose(reshape(A W_k, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    b = (A.reshape(N * T, d * g * h) @ W_k).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    b_1 = b[:, :, :, :d // 2]                         # b_1 = b[:, :, :, :d/2]   N×h×T×(d/2)
    b_2 = b[:, :, :, d // 2:]                         # b_2 = b[:, :, :, d/2:]   N×h×T×(d/2)
    t4 = b_1 * cos - b_2 * sin                        # t4 = b_1 ⊙ cos − b_2 ⊙ sin   N×h×T×(d/2)
    t5 = b_1 * sin + b_2 * cos                        # t5 = b_1 ⊙ sin + b_2 ⊙ cos   N×h×T×(d/2)
    K = np.concatenate([t4, t5], axis=3)              # K = concat(t4, t5, axis=-1)   N×h×T×d
    # S_att = einsum(abcde,abfe→abcdf, c, K) / sqrt(d)   N×h×g×T×T
    S_att = (c.reshape(N, h, T * g, d) @ K.swapaxes(-1, -2)).reshape(N, h, g, T, T) / d ** 0.5
    # S_mask = where(causal_mask(T), S_att, -inf)   N×h×g×T×T
    S_mask = np.where(t1 >= np.arange(T)[None, :], S_att, -np.inf)
    P = softmax(S_mask, axis=4)                       # P = softmax(S_mask)   N×h×g×T×T
    # S = transpose(reshape(A W_v, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    S = (A.reshape(N * T, d * g * h) @ W_v).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    # t6 = einsum(abcde,abef→abcdf, P, S)   N×h×g×T×d
    t6 = (P.reshape(N, h, T * g, T) @ S).reshape(N, h, g, T, d)
    O = t6.reshape(N, g * h, T, d)                    # O = reshape(t6, (N, g*h, T, d))   N×(g*h)×T×d
    # k = reshape(transpose(O, (0, 2, 1, 3)), (N, T, d*g*h))   N×T×(d*g*h)
    k = O.transpose(0, 2, 1, 3).reshape(N, T, d * g * h)
    X1 = X + (k.reshape(N * T, d * g * h) @ W_o).reshape(N, T, d * g * h)  # X1 = X + k W_o   N×T×(d*g*h)
    # v_2 = mean(X1², axis=-1, keepdims=True) + 1e-5   N×T×1
    v_2 = np.einsum("abc,abc->ab", X1, X1)[:, :, None] / (d * g * h) + 1e-05
    s_2 = np.sqrt(v_2)                                # s_2 = sqrt(v_2)   N×T×1
    X1_hat = X1 / s_2                                 # X1_hat = X1 / s_2   N×T×(d*g*h)
    M = r2 * X1_hat                                   # M = r2 ⊙ X1_hat   N×T×(d*g*h)
    z = (M.reshape(N * T, d * g * h) @ W).reshape(N, T, F)  # z = M W   N×T×F
    s_3 = sigmoid(z)                                  # s_3 = sigmoid(z)   N×T×F
    a_3 = gated(z, s_3)                               # a_3 = z ⊙ s_3   N×T×F
    m = (M.reshape(N * T, d * g * h) @ V).reshape(N, T, F)  # m = M V   N×T×F
    U = a_3 * m                                       # U = a_3 ⊙ m   N×T×F
    Y = X1 + (U.reshape(N * T, F) @ W2).reshape(N, T, d * g * h)  # Y = X1 + U W2   N×T×(d*g*h)
    cache = {
        "W2": W2, "a_3": a_3, "V": V, "m": m, "s_3": s_3, "W": W, "r2": r2, "M": M, "X1_hat": X1_hat,
        "s_2": s_2, "W_o": W_o, "P": P, "W_v": W_v, "S": S, "t6": t6, "c": c, "sin": sin, "cos": cos,
        "W_k": W_k, "K": K, "W_q": W_q, "r1": r1, "A": A, "X_hat": X_hat, "s": s, "k": k, "U": U, "N": N,
        "T": T, "h": h, "g": g, "d": d, "F": F, "dtype": dtype, "dtypes": dtypes,
    }
    return Y, cache


def backward(cache: dict, upstream: np.ndarray) -> dict[str, np.ndarray]:
    """The gradients with respect to every parameter and input, given upstream, the gradient of Y."""
    check_cache(cache, "dtypes")
    W2 = cache["W2"]                                  # F×(d*g*h)
    a_3 = cache["a_3"]                                # N×T×F
    V = cache["V"]                                    # (d*g*h)×F
    m = cache["m"]                                    # N×T×F
    s_3 = cache["s_3"]                                # N×T×F
    W = cache["W"]                                    # (d*g*h)×F
    r2 = cache["r2"]                                  # (d*g*h)
    M = cache["M"]                                    # N×T×(d*g*h)
    X1_hat = cache["X1_hat"]                          # N×T×(d*g*h)
    s_2 = cache["s_2"]                                # N×T×1
    W_o = cache["W_o"]                                # (d*g*h)×(d*g*h)
    P = cache["P"]                                    # N×h×g×T×T
    W_v = cache["W_v"]                                # (d*g*h)×(d*h)
    S = cache["S"]                                    # N×h×T×d
    t6 = cache["t6"]                                  # N×h×g×T×d
    c = cache["c"]                                    # N×h×g×T×d
    sin = cache["sin"]                                # T×(d/2)
    cos = cache["cos"]                                # T×(d/2)
    W_k = cache["W_k"]                                # (d*g*h)×(d*h)
    K = cache["K"]                                    # N×h×T×d
    W_q = cache["W_q"]                                # (d*g*h)×(d*g*h)
    r1 = cache["r1"]                                  # (d*g*h)
    A = cache["A"]                                    # N×T×(d*g*h)
    X_hat = cache["X_hat"]                            # N×T×(d*g*h)
    s = cache["s"]                                    # N×T×1
    k = cache["k"]                                    # N×T×(d*g*h)
    U = cache["U"]                                    # N×T×F
    N, T, h, g, d, F = cache["N"], cache["T"], cache["h"], cache["g"], cache["d"], cache["F"]
    dtype = cache["dtype"]
    dY = upstream_array("Y", upstream, (N, T, d * g * h), dtype)
    dW2 = U.reshape(N * T, F).T @ dY.reshape(N * T, d * g * h)  # dW2 = sum(Uᵀ dY, axis=0)   F×(d*g*h)
    dU = (dY.reshape(N * T, d * g * h) @ W2.T).reshape(N, T, F)  # dU = dY W2ᵀ   N×T×F
    dm = dU * a_3                                     # dm = dU ⊙ a_3   N×T×F
    dV = M.reshape(N * T, d * g * h).T @ dm.reshape(N * T, F)  # dV = sum(Mᵀ dm, axis=0)   (d*g*h)×F
    dz = dU * (m * (s_3 + limited(a_3) * (1 - s_3)))  # dz = dU ⊙ m ⊙ (s_3 + a_3 ⊙ (1 − s_3))   N×T×F
    dW = M.reshape(N * T, d * g * h).T @ dz.reshape(N * T, F)  # dW = sum(Mᵀ dz, axis=0)   (d*g*h)×F
    # dM = dm Vᵀ + dz Wᵀ   N×T×(d*g*h)
    dM = (
        (dm.reshape(N * T, F) @ V.T).reshape(N, T, d * g * h)
        + (dz.reshape(N * T, F) @ W.T).reshape(N, T, d * g * h)
    )
    dr2 = np.einsum("abc,abc->c", dM, X1_hat)         # dr2 = sum(dM ⊙ X1_hat, axis=(0, 1))   (d*g*h)
    dX1_hat = dM * r2                                 # dX1_hat = dM ⊙ r2   N×T×(d*g*h)
    # t7 = sum(dM ⊙ M, axis=-1, keepdims=True) / (d*g*h)   N×T×1
    t7 = np.einsum("abc,abc->ab", dM, M)[:, :, None] / (d * g * h)
    dX1 = dY + (dX1_hat - t7 * X1_hat) / s_2          # dX1 = dY + (dX1_hat − t7 ⊙ X1_hat) / s_2   N×T×(d*g*h)
    # dW_o = sum(kᵀ dX1, axis=0)   (d*g*h)×(d*g*h)
    dW_o = k.reshape(N * T, d * g * h).T @ dX1.reshape(N * T, d * g * h)
    dk = (dX1.reshape(N * T, d * g * h) @ W_o.T).reshape(N, T, d * g * h)  # dk = dX1 W_oᵀ   N×T×(d*g*h)
    # dO = transpose(reshape(dk, (N, T, g*h, d)), (0, 2, 1, 3))   N×(g*h)×T×d
    dO = dk.reshape(N, T, g * h, d).transpose(0, 2, 1, 3)
    # dS = einsum(abcde,abcdf→abfe, reshape(dO, (N, h, g, T, d)), P)   N×h×T×d
    dS = P.reshape(N, h, T * g, T).swapaxes(-1, -2) @ dO.reshape(N, h, T * g, d)
    # t8 = reshape(transpose(dS, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    t8 = dS.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    # dW_v = sum(Aᵀ t8, axis=0)   (d*g*h)×(d*h)
    dW_v = A.reshape(N * T, d * g * h).T @ t8.reshape(N * T, d * h)
    # dP = einsum(abcde,abfe→abcdf, reshape(dO, (N, h, g, T, d)), S)   N×h×g×T×T
    dP = (dO.reshape(N, h, T * g, d) @ S.swapaxes(-1, -2)).reshape(N, h, g, T, T)
    # t9 = P ⊙ (dP − sum(reshape(dO, (N, h, g, T, d)) ⊙ t6, axis=-1, keepdims=True)) / sqrt(d)   N×h×g×T×T
    t9 = P * (dP - np.einsum("abcde,abcde->abcd", dO.reshape(N, h, g, T, d), t6)[:, :, :, :, None]) / d ** 0.5
    # dK = einsum(abcde,abcdf→abef, t9, c)   N×h×T×d
    dK = t9.reshape(N, h, T * g, T).swapaxes(-1, -2) @ c.reshape(N, h, T * g, d)
    # db_2 = dK[:, :, :, d/2:] ⊙ cos − dK[:, :, :, :d/2] ⊙ sin   N×h×T×(d/2)
    db_2 = dK[:, :, :, d // 2:] * cos - dK[:, :, :, :d // 2] * sin
    # db_1 = dK[:, :, :, d/2:] ⊙ sin + dK[:, :, :, :d/2] ⊙ cos   N×h×T×(d/2)
    db_1 = dK[:, :, :, d // 2:] * sin + dK[:, :, :, :d // 2] * cos
    db = np.concatenate([db_1, db_2], axis=3)         # db = concat(db_1, db_2, axis=-1)   N×h×T×d
    # t10 = reshape(transpose(db, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    t10 = db.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    # dW_k = sum(Aᵀ t10, axis=0)   (d*g*h)×(d*h)
    dW_k = A.reshape(N * T, d * g * h).T @ t10.reshape(N * T, d * h)
    # dc = einsum(abcde,abef→abcdf, t9, K)   N×h×g×T×d
    dc = (t9.reshape(N, h, T * g, T) @ K).reshape(N, h, g, T, d)
    dQ = dc.reshape(N, g * h, T, d)                   # dQ = reshape(dc, (N, g*h, T, d))   N×(g*h)×T×d
    # da_2 = dQ[:, :, :, d/2:] ⊙ cos − dQ[:, :, :, :d/2] ⊙ sin   N×(g*h)×T×(d/2)
    da_2 = dQ[:, :, :, d // 2:] * cos - dQ[:, :, :, :d // 2] * sin
    # da_1 = dQ[:, :, :, d/2:] ⊙ sin + dQ[:, :, :, :d/2] ⊙ cos   N×(g*h)×T×(d/2)
    da_1 = dQ[:, :, :, d // 2:] * sin + dQ[:, :, :, :d // 2] * cos
    da = np.concatenate([da_1, da_2], axis=3)         # da = concat(da_1, da_2, axis=-1)   N×(g*h)×T×d
    # t11 = reshape(transpose(da, (0, 2, 1, 3)), (N, T, d*g*h))   N×T×(d*g*h)
    t11 = da.transpose(0, 2, 1, 3).reshape(N, T, d * g * h)
    # dW_q = sum(Aᵀ t11, axis=0)   (d*g*h)×(d*g*h)
    dW_q = A.reshape(N * T, d * g * h).T @ t11.reshape(N * T, d * g * h)
    # dA = t8 W_vᵀ + t10 W_kᵀ + t11 W_qᵀ   N×T×(d*g*h)
    dA = (
        (t8.reshape(N * T, d * h) @ W_v.T).reshape(N, T, d * g * h)
        + (t10.reshape(N * T, d * h) @ W_k.T).reshape(N, T, d * g * h)
        + (t11.reshape(N * T, d * g * h) @ W_q.T).reshape(N, T, d * g * h)
    )
    dr1 = np.einsum("abc,abc->c", dA, X_hat)          # dr1 = sum(dA ⊙ X_hat, axis=(0, 1))   (d*g*h)
    dX_hat = dA * r1                                  # dX_hat = dA ⊙ r1   N×T×(d*g*h)
    # t12 = sum(dA ⊙ A, axis=-1, keepdims=True) / (d*g*h)   N×T×1
    t12 = np.einsum("abc,abc->ab", dA, A)[:, :, None] / (d * g * h)
    dX = dX1 + (dX_hat - t12 * X_hat) / s             # dX = dX1 + (dX_hat − t12 ⊙ X_hat) / s   N×T×(d*g*h)
    grads = {
        "X": dX, "r1": dr1, "W_q": dW_q, "W_k": dW_k, "W_v": dW_v, "W_o": dW_o, "r2": dr2, "W": dW, "V": dV,
        "W2": dW2,
    }
    return returned(grads, cache["dtypes"])


def outputs(params: dict, data: dict, dims: dict | None = None) -> dict[str, np.ndarray]:
    """Every named intermediate, by its name."""
    arrays, sizes, dtype, _ = read(params, data, dims)
    r1 = arrays["r1"]                                 # (d*g*h)
    W_q = arrays["W_q"]                               # (d*g*h)×(d*g*h)
    W_k = arrays["W_k"]                               # (d*g*h)×(d*h)
    W_v = arrays["W_v"]                               # (d*g*h)×(d*h)
    W_o = arrays["W_o"]                               # (d*g*h)×(d*g*h)
    r2 = arrays["r2"]                                 # (d*g*h)
    W = arrays["W"]                                   # (d*g*h)×F
    V = arrays["V"]                                   # (d*g*h)×F
    W2 = arrays["W2"]                                 # F×(d*g*h)
    X = arrays["X"]                                   # N×T×(d*g*h)
    N, T, h, g, d, F = sizes["N"], sizes["T"], sizes["h"], sizes["g"], sizes["d"], sizes["F"]
    # v = mean(X², axis=-1, keepdims=True) + 1e-5   N×T×1
    v = np.einsum("abc,abc->ab", X, X)[:, :, None] / (d * g * h) + 1e-05
    s = np.sqrt(v)                                    # s = sqrt(v)   N×T×1
    X_hat = X / s                                     # X_hat = X / s   N×T×(d*g*h)
    A = r1 * X_hat                                    # A = r1 ⊙ X_hat   N×T×(d*g*h)
    # a = transpose(reshape(A W_q, (N, T, g*h, d)), (0, 2, 1, 3))   N×(g*h)×T×d
    a = (A.reshape(N * T, d * g * h) @ W_q).reshape(N, T, g * h, d).transpose(0, 2, 1, 3)
    a_1 = a[:, :, :, :d // 2]                         # a_1 = a[:, :, :, :d/2]   N×(g*h)×T×(d/2)
    t1 = np.arange(T)[:, None]                        # t1 = reshape(arange(T), (T, 1))   T×1
    # angle = t1 ⊙ exp(−(2*log(10000)) · arange(d/2) / d)   T×(d/2)
    angle = t1.astype(dtype) * np.exp(-18.420680743952367 * np.arange(d // 2).astype(dtype) / d)
    cos = np.cos(angle)                               # cos = cos(angle)   T×(d/2)
    a_2 = a[:, :, :, d // 2:]                         # a_2 = a[:, :, :, d/2:]   N×(g*h)×T×(d/2)
    sin = np.sin(angle)                               # sin = sin(angle)   T×(d/2)
    t2 = a_1 * cos - a_2 * sin                        # t2 = a_1 ⊙ cos − a_2 ⊙ sin   N×(g*h)×T×(d/2)
    t3 = a_1 * sin + a_2 * cos                        # t3 = a_1 ⊙ sin + a_2 ⊙ cos   N×(g*h)×T×(d/2)
    Q = np.concatenate([t2, t3], axis=3)              # Q = concat(t2, t3, axis=-1)   N×(g*h)×T×d
    # b = transpose(reshape(A W_k, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    b = (A.reshape(N * T, d * g * h) @ W_k).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    b_1 = b[:, :, :, :d // 2]                         # b_1 = b[:, :, :, :d/2]   N×h×T×(d/2)
    b_2 = b[:, :, :, d // 2:]                         # b_2 = b[:, :, :, d/2:]   N×h×T×(d/2)
    t4 = b_1 * cos - b_2 * sin                        # t4 = b_1 ⊙ cos − b_2 ⊙ sin   N×h×T×(d/2)
    t5 = b_1 * sin + b_2 * cos                        # t5 = b_1 ⊙ sin + b_2 ⊙ cos   N×h×T×(d/2)
    K = np.concatenate([t4, t5], axis=3)              # K = concat(t4, t5, axis=-1)   N×h×T×d
    # S = transpose(reshape(A W_v, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    S = (A.reshape(N * T, d * g * h) @ W_v).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    c = Q.reshape(N, h, g, T, d)                      # c = reshape(Q, (N, h, g, T, d))   N×h×g×T×d
    # S_att = einsum(abcde,abfe→abcdf, c, K) / sqrt(d)   N×h×g×T×T
    S_att = (c.reshape(N, h, T * g, d) @ K.swapaxes(-1, -2)).reshape(N, h, g, T, T) / d ** 0.5
    # S_mask = where(causal_mask(T), S_att, -inf)   N×h×g×T×T
    S_mask = np.where(t1 >= np.arange(T)[None, :], S_att, -np.inf)
    P = softmax(S_mask, axis=4)                       # P = softmax(S_mask)   N×h×g×T×T
    # O = reshape(einsum(abcde,abef→abcdf, P, S), (N, g*h, T, d))   N×(g*h)×T×d
    O = (P.reshape(N, h, T * g, T) @ S).reshape(N, g * h, T, d)
    # k = reshape(transpose(O, (0, 2, 1, 3)), (N, T, d*g*h))   N×T×(d*g*h)
    k = O.transpose(0, 2, 1, 3).reshape(N, T, d * g * h)
    X1 = X + (k.reshape(N * T, d * g * h) @ W_o).reshape(N, T, d * g * h)  # X1 = X + k W_o   N×T×(d*g*h)
    # v_2 = mean(X1², axis=-1, keepdims=True) + 1e-5   N×T×1
    v_2 = np.einsum("abc,abc->ab", X1, X1)[:, :, None] / (d * g * h) + 1e-05
    s_2 = np.sqrt(v_2)                                # s_2 = sqrt(v_2)   N×T×1
    X1_hat = X1 / s_2                                 # X1_hat = X1 / s_2   N×T×(d*g*h)
    M = r2 * X1_hat                                   # M = r2 ⊙ X1_hat   N×T×(d*g*h)
    z = (M.reshape(N * T, d * g * h) @ W).reshape(N, T, F)  # z = M W   N×T×F
    s_3 = sigmoid(z)                                  # s_3 = sigmoid(z)   N×T×F
    a_3 = gated(z, s_3)                               # a_3 = z ⊙ s_3   N×T×F
    m = (M.reshape(N * T, d * g * h) @ V).reshape(N, T, F)  # m = M V   N×T×F
    U = a_3 * m                                       # U = a_3 ⊙ m   N×T×F
    Y = X1 + (U.reshape(N * T, F) @ W2).reshape(N, T, d * g * h)  # Y = X1 + U W2   N×T×(d*g*h)
    return {"A": A, "Q": Q, "K": K, "S": S, "O": O, "X1": X1, "M": M, "U": U, "Y": Y}


def init_params(rng: np.random.Generator | int, **dims: int) -> dict[str, np.ndarray]:
    """Initial parameters drawn from a numpy.random.Generator, or a seed; sizes as in init_params(rng, D=4)."""
    h, g, d, F = chosen(dims, DIMS, ("h", "g", "d", "F"), ("h",))
    rng = generator(rng)
    params = {
        "r1": np.ones(d * g * h),
        "W_q": rng.standard_normal((d * g * h, d * g * h)) / (d * g * h) ** 0.5,
        "W_k": rng.standard_normal((d * g * h, d * h)) / (d * g * h) ** 0.5,
        "W_v": rng.standard_normal((d * g * h, d * h)) / (d * g * h) ** 0.5,
        "W_o": rng.standard_normal((d * g * h, d * g * h)) / (d * g * h) ** 0.5,
        "r2": np.ones(d * g * h),
        "W": rng.standard_normal((d * g * h, F)) / (d * g * h) ** 0.5,
        "V": rng.standard_normal((d * g * h, F)) / (d * g * h) ** 0.5,
        "W2": rng.standard_normal((F, d * g * h)) / F ** 0.5,
    }
    return {name: np.asarray(value, DTYPE)[()] for name, value in params.items()}


def read(params: dict, data: dict, dims: dict | None) -> tuple[dict, dict, np.dtype, dict]:
    """Everything given, checked: arrays by name in one dtype, sizes by dimension, that dtype, the dtypes to return.
    Sizes that no array shows come from dims, as in dims={"N": 4}, or are the defaults in DIMS."""
    global SEEN
    kinds, last = kinds_of(params, data) if dims is None else None, SEEN
    if kinds is None or kinds != last[0]:
        last = SEEN = kinds, *checked(params, data, dims)
    _, others, sizes, dtype, dtypes = last
    return typed({**params, **data}, others, sizes, dtype), sizes, dtype, dtypes


SEEN: tuple = (None,)  # what the last call was given: names, shapes and dtypes that are the same are not checked again


def checked(params: dict, data: dict, dims: dict | None) -> tuple[list, dict, np.dtype, dict]:
    """Everything but the integers checked: the arrays that are not computed with as they are, and what read returns."""
    check_names(params, PARAMS, "params")
    check_names(data, DATA, "data")
    given = {**params, **data}
    shapes = {**PARAMS, **DATA}
    arrays = {name: as_array(name, given[name]) for name in shapes}
    check_ranks(arrays, shapes)
    sizes = {"F": arrays["W"].shape[1], "N": arrays["X"].shape[0], "T": arrays["X"].shape[1]}
    if dims is not None:
        add_sizes(sizes, dims, DIMS, arrays, shapes)
    if "d" in sizes and "g" in sizes:
        sizes.setdefault("h", arrays["r1"].shape[0] // max(sizes["d"] * sizes["g"], 1))
    if "d" in sizes:
        sizes.setdefault("h", arrays["W_k"].shape[1] // max(sizes["d"], 1))
    sizes.setdefault("h", 2)
    sizes.setdefault("d", arrays["W_k"].shape[1] // max(sizes["h"], 1))
    sizes.setdefault("g", arrays["r1"].shape[0] // max(sizes["d"] * sizes["h"], 1))
    sizes["d*g*h"] = sizes["d"] * sizes["g"] * sizes["h"]
    sizes["d*h"] = sizes["d"] * sizes["h"]
    whole("d/2", sizes["d"], 2)
    check_shapes(arrays, shapes, sizes)
    dtypes = float_dtypes(given)
    dtype = computing_dtype(dtypes, DTYPE)
    dtypes = {name: dtypes.get(name, dtype) for name in arrays if name not in INTEGERS}
    others = [name for name in arrays if name in INTEGERS or in_dtype(given[name], dtype) is not given[name]]
    return others, sizes, dtype, dtypes


def typed(arrays: dict, others: list, sizes: dict, dtype: np.dtype) -> dict:
    """The arrays in that dtype; integers inside of their range, as indices."""
    for name in others:
        array = arrays[name]
        if name in INTEGERS:
            check_range(name, np.asarray(array), INTEGERS[name], sizes)
            arrays[name] = as_integers(name, np.asarray(array))[()]
        else:
            arrays[name] = in_dtype(array, dtype)
    return arrays


def check_names(given: dict, declared: dict | tuple, what: str) -> None:
    """ValueError unless given is a mapping with exactly the declared names."""
    check_mapping(given, what)
    if {*given} != {*declared}:
        missing = [name for name in declared if name not in given]
        extra = [name for name in given if name not in declared]
        wrong = f"no {missing[0]!r}" if missing else f"an unknown name {extra[0]!r}"
        raise ValueError(f"{what} has {wrong}; it needs {', '.join(declared) or 'nothing'}")


def kinds_of(params: dict, data: dict) -> tuple | None:
    """The names in two dicts, and the types, shapes and dtypes of what they hold; None where that is neither float nor
    array."""
    if type(params) is not dict or type(data) is not dict:
        return None
    given = [*params.values(), *data.values()]
    try:
        return [*params], [*data], [float if type(a) is float else (type(a), a.shape, a.dtype) for a in given]
    except AttributeError:
        return None


def check_mapping(given: object, what: str) -> None:
    """ValueError for what is no mapping, as a dict is or what np.load returns."""
    if not hasattr(given, "keys"):
        raise ValueError(f"{what} has to be a dict of arrays by name, not {type(given).__name__}")


def as_array(name: str, value: object) -> np.ndarray:
    """The value as an array of real numbers; ValueError naming it for anything else."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} is not an array of real numbers: its dtype is {array.dtype}")
    return array


def as_integers(name: str, array: np.ndarray) -> np.ndarray:
    """Integer data; an empty list is fine, floats are not."""
    if array.dtype.kind == "f" and array.size:
        raise ValueError(f"{name} has to hold integers, not {array.dtype}")
    return array.astype(np.intp, copy=False)


def in_dtype(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """An array in a dtype; one without axes as a number. What is that already stays the same."""
    ready = type(array) is dtype.type or (type(array) is np.ndarray and array.dtype == dtype and array.ndim > 0)
    return array if ready else np.asarray(array, dtype)[()]


def float_dtypes(given: dict) -> dict:
    """The precisions asked for, by name: of what has a dtype of floats; lists and plain numbers follow the others."""
    dtypes = {name: np.asarray(value).dtype for name, value in given.items() if hasattr(value, "dtype")}
    return {name: dtype for name, dtype in dtypes.items() if dtype.kind == "f"}


def computing_dtype(dtypes: dict, default: type) -> np.dtype:
    """The dtype to compute in: what the given ones have in common, at least float32, or the default."""
    kinds = set(dtypes.values())
    return np.result_type(np.float32, *kinds) if kinds else np.dtype(default)


def misfit(name: str, array: np.ndarray, shape: tuple, sizes: dict) -> ValueError:
    """The ValueError for an array of another shape than the declared one."""
    symbolic = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
    words = "".join(c if c.isalnum() or c == "_" else " " for c in symbolic).split()
    known = ", ".join(f"{d} = {sizes[d]}" for d in dict.fromkeys([*shape, *words]) if d in sizes)
    text = f"{name} has shape {array.shape}, expected {symbolic}" + (f" with {known}" if known else "")
    if array.ndim == len(shape):
        axis, wanted = next((k, sizes.get(d, d)) for k, d in enumerate(shape) if array.shape[k] != sizes.get(d, d))
        text += f": axis {axis} is {array.shape[axis]}, not {wanted}"
    return ValueError(text)


def check_ranks(arrays: dict, shapes: dict) -> None:
    """ValueError for the first array that has more or fewer axes than declared."""
    for name, shape in shapes.items():
        if arrays[name].ndim != len(shape):
            raise misfit(name, arrays[name], shape, {})


def check_shapes(arrays: dict, shapes: dict, sizes: dict) -> None:
    """ValueError for the first array whose shape is not the declared one under these sizes."""
    for name, shape in shapes.items():
        if arrays[name].shape != tuple([sizes.get(dim, dim) for dim in shape]):
            raise misfit(name, arrays[name], shape, sizes)


def check_range(name: str, array: np.ndarray, bound: str | int, sizes: dict) -> None:
    """ValueError unless 0 <= array < bound everywhere."""
    if array.size and not (array.min() >= 0 and array.max() < sizes.get(bound, bound)):
        wrong = array.min() if array.min() < 0 else array.max()
        limit = f"{bound} = {sizes[bound]}" if bound in sizes else bound
        raise ValueError(f"{name} holds {wrong}, outside 0 <= {name} < {limit}")


def generator(rng: np.random.Generator | int) -> np.random.Generator:
    """A numpy.random.Generator; a seed makes one, which may be a 0-d array."""
    if not isinstance(rng, int) and hasattr(rng, "standard_normal"):
        return rng
    try:
        return np.random.default_rng(np.asarray(rng)[()] if getattr(rng, "shape", None) == () else rng)
    except (TypeError, ValueError) as error:
        raise ValueError(f"rng has to be a numpy.random.Generator, or a whole number as a seed: {error}") from None


def named_sizes(given: dict, declared: dict) -> dict[str, int]:
    """Sizes given by name, checked; ValueError for an unknown name and for what is no size."""
    if not hasattr(given, "items"):
        raise ValueError(f"dims has to be a dict of sizes by name, as in {{'N': 4}}, not {given!r}")
    for name, size in given.items():
        if name not in declared:
            near = nearest(str(name), declared)
            known = ", ".join(declared) or "none"
            raise ValueError(f"there is no dimension {name!r}; the model has {known}" + near)
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 0:
            raise ValueError(f"the size of {name} has to be a whole number, 0 or more, not {size!r}")
    return {name: int(size) for name, size in given.items()}


def nearest(name: str, known: dict) -> str:
    """A question whether the name with the most letters in common was meant."""
    common = {k: sum(min(k.lower().count(c), name.lower().count(c)) for c in set(k.lower())) for k in known}
    best = max(known, key=lambda k: common[k] / (len(k) + len(name)), default="")
    return f". Did you mean {best!r}?" if common.get(best) else ""


def add_sizes(sizes: dict, dims: dict, defaults: dict, arrays: dict, shapes: dict) -> None:
    """Put the sizes in dims into the table; ValueError where an array shows another one."""
    told = named_sizes(dims, defaults)
    for name, shape in shapes.items():
        for axis, found in enumerate(arrays[name].shape):
            dim = shape[axis]
            if told.get(dim, found) != found:
                wrong = f"{name} has {found} entries along axis {axis} ({dim})"
                raise ValueError(f"{wrong}, but dims says {dim} = {told[dim]}")
    sizes.update(told)


def whole(size: str, top: int, bottom: int) -> int:
    """top / bottom; ValueError where it is not a whole number."""
    if bottom == 0 or top % bottom:
        raise ValueError(f"{size} has to be a whole number, but is {top}/{bottom}")
    return top // bottom


def chosen(dims: dict, defaults: dict, needed: tuple, hidden: tuple = ()) -> list[int]:
    """The sizes needed, from those given or the defaults; ValueError for a name that is unknown or missing, and for
    another size than the default where no array would show it: forward would compute with the default."""
    dims = named_sizes(dims, defaults)
    for name in hidden:
        if defaults[name] is not None and dims.get(name, defaults[name]) != defaults[name]:
            size, default = dims[name], defaults[name]
            raise ValueError(
                f"no array shows that {name} = {size}, and forward computes with {name} = {default}: leave {name} out "
                f"here, and call forward(params, data, dims={{'{name}': {size}}}) with arrays that fit"
            )
    found = {name: dims.get(name, defaults[name]) for name in needed}
    missing = [name for name, size in found.items() if size is None]
    if missing:
        raise ValueError(f"init_params needs a size for {missing[0]}, as in init_params(rng, {missing[0]}=4)")
    return list(found.values())


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^(-x)); an overflowing e^(-x) gives the right 0."""
    e = np.negative(x)
    out = e if e.ndim else None
    with np.errstate(over="ignore"):
        return np.divide(1, np.add(1, np.exp(e, out=out), out=out), out=out)


def gated(x: np.ndarray, gate: np.ndarray) -> np.ndarray:
    """x * gate, and 0 where the gate is 0, even at an infinite x."""
    product = x * gate
    return product if np.isfinite(np.vdot(product, product)) else np.where(gate == 0, 0, x) * gate


def limited(x: np.ndarray) -> np.ndarray:
    """x, no further from 0 than 1e100, 1e12 in float32: a factor beside gates such as sigmoid', which are 0 beyond."""
    square = np.vdot(x, x)
    bound = 1e100 if square.dtype == np.float64 else 1e12
    return x if square <= bound**2 else np.clip(x, -bound, bound)


def softmax(a: np.ndarray, axis: int | tuple) -> np.ndarray:
    """e^a / sum(e^a) along an axis, shifted by the largest entry so that nothing overflows; 0 where all are -inf."""
    e = a - largest(a, axis)
    np.exp(e, out=e)
    e /= unless_zero(total_of(e, axis))
    return e


def largest(a: np.ndarray, axis: int | tuple) -> np.ndarray:
    """The largest entry along an axis, which stays with size 1; 0 where that is infinite or there is none."""
    top = a.max(axis=axis, keepdims=True, initial=-np.inf)
    finite = np.isfinite(top)
    return top if finite.all() else np.where(finite, top, 0)


def total_of(e: np.ndarray, axis: int | tuple) -> np.ndarray:
    """The sum along an axis, which stays with size 1; einsum goes through rows faster than sum does."""
    return np.einsum("...a->...", e)[..., None] if axis == e.ndim - 1 else e.sum(axis=axis, keepdims=True)


def unless_zero(total: np.ndarray) -> np.ndarray:
    """The sums to divide by; 1 in place of 0, which is the sum of nothing."""
    return total if total.all() else np.where(total == 0, 1, total)


def check_cache(cache: dict, mark: str) -> None:
    """ValueError for what forward did not return."""
    if not isinstance(cache, dict) or mark not in cache:
        raise ValueError("backward takes the cache, which is the second of the two that forward returns")


def returned(arrays: dict, dtypes: dict) -> dict[str, np.ndarray]:
    """The arrays in the dtypes to return them in; those of intermediates stay as they are."""
    return {n: in_dtype(a, dtypes[n]) if n in dtypes else np.asarray(a)[()] for n, a in arrays.items()}


def upstream_array(name: str, value: object, shape: tuple, dtype: np.dtype) -> np.ndarray:
    """The upstream gradient of an output, checked against the output's shape."""
    array = as_array(f"the upstream gradient of {name}", value)
    if array.shape != shape:
        raise ValueError(f"the upstream gradient of {name} has shape {array.shape}, expected {shape}")
    return array.astype(dtype, copy=False)[()]
