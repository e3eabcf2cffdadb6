"""transformer-block: transformer block: multi-head causal attention and a GELU network, each behind a layer norm,
with residuals

Written by symbackprop 0.1.0 from the model text MODEL; `symbackprop verify FILE` checks it, edited or not.
The code is yours: use it, change it, pass it on as you like.
PARAMS and DATA say which arrays forward takes, by name, and their shapes.
"""

# mypy: disable-error-code="no-any-return, type-arg"
# ruff: noqa: E501, E741, RUF100
import numpy as np

NAME = "transformer-block"
MODEL = """\
# name: transformer-block
# summary: transformer block: multi-head causal attention and a GELU network, each behind a layer norm, with residuals
# source: named in Stanford CS224N and UMass CS685; Vaswani et al. 2017
# tags: architecture, attention
dim N, T, h = 2, d = 4, F
input X: N x T x d*h
param g1: d*h, c1: d*h, W_q: d*h x d*h, W_k: d*h x d*h, W_v: d*h x d*h, W_o: d*h x d*h, g2: d*h
param c2: d*h, W1: d*h x F, b1: F, W2: F x d*h, b2: d*h
A = g1 * layer_norm(X) + c1
Q = transpose(reshape(A @ W_q, (N, T, h, d)), (0, 2, 1, 3))
K = transpose(reshape(A @ W_k, (N, T, h, d)), (0, 2, 1, 3))
V = transpose(reshape(A @ W_v, (N, T, h, d)), (0, 2, 1, 3))
O = attention(Q, K, V, causal=True)
X1 = X + reshape(transpose(O, (0, 2, 1, 3)), (N, T, d*h)) @ W_o
M = g2 * layer_norm(X1) + c2
U = M @ W1 + b1
G = gelu(U)
output Y = X1 + G @ W2 + b2
"""
PARAMS = {
    "g1": ("d*h",), "c1": ("d*h",), "W_q": ("d*h", "d*h"), "W_k": ("d*h", "d*h"), "W_v": ("d*h", "d*h"),
    "W_o": ("d*h", "d*h"), "g2": ("d*h",), "c2": ("d*h",), "W1": ("d*h", "F"), "b1": ("F",),
    "W2": ("F", "d*h"), "b2": ("d*h",),
}
DATA = {"X": ("N", "T", "d*h")}
DIMS = {"N": None, "T": None, "h": 2, "d": 4, "F": None}
LOSS = None
OUTPUTS = ("Y",)
INTEGERS: dict = {}
DTYPE = np.float64


def forward(params: dict, data: dict, dims: dict | None = None) -> tuple[np.ndarray, dict]:
    """Computes Y, and the cache that backward reads. ValueError for arrays that are not as PARAMS and DATA say.

    dims gives what no array shows: h (else 2).
    """
    arrays, sizes, dtype, dtypes = read(params, data, dims)
    g1 = arrays["g1"]                                 # (d*h)
    c1 = arrays["c1"]                                 # (d*h)
    W_q = arrays["W_q"]                               # (d*h)×(d*h)
    W_k = arrays["W_k"]                               # (d*h)×(d*h)
    W_v = arrays["W_v"]                               # (d*h)×(d*h)
    W_o = arrays["W_o"]                               # (d*h)×(d*h)
    g2 = arrays["g2"]                                 # (d*h)
    c2 = arrays["c2"]                                 # (d*h)
    W1 = arrays["W1"]                                 # (d*h)×F
    b1 = arrays["b1"]                                 # F
    W2 = arrays["W2"]                                 # F×(d*h)
    b2 = arrays["b2"]                                 # (d*h)
    X = arrays["X"]                                   # N×T×(d*h)
    N, T, h, d, F = sizes["N"], sizes["T"], sizes["h"], sizes["d"], sizes["F"]
    t1 = np.arange(T)[:, None] >= np.arange(T)[None, :]  # t1 = causal_mask(T)   T×T
    mu = X.sum(axis=2, keepdims=True) / (d * h)       # mu = mean(X, axis=-1, keepdims=True)   N×T×1
    X_tilde = X - mu                                  # X_tilde = X − mu   N×T×(d*h)
    # v = mean(X_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v = np.einsum("abc,abc->ab", X_tilde, X_tilde)[:, :, None] / (d * h) + 1e-05
    sigma = np.sqrt(v)                                # sigma = sqrt(v)   N×T×1
    X_hat = X_tilde / sigma                           # X_hat = X_tilde / sigma   N×T×(d*h)
    A = g1 * X_hat + c1                               # A = g1 ⊙ X_hat + c1   N×T×(d*h)
    # Q = transpose(reshape(A W_q, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    Q = (A.reshape(N * T, d * h) @ W_q).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    # K = transpose(reshape(A W_k, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    K = (A.reshape(N * T, d * h) @ W_k).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    S = Q @ K.swapaxes(-1, -2) / d ** 0.5             # S = Q Kᵀ / sqrt(d)   N×h×T×T
    S_mask = np.where(t1, S, -np.inf)                 # S_mask = where(t1, S, -inf)   N×h×T×T
    P = softmax(S_mask, axis=3)                       # P = softmax(S_mask)   N×h×T×T
    # V = transpose(reshape(A W_v, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    V = (A.reshape(N * T, d * h) @ W_v).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    O = P @ V                                         # O = P V   N×h×T×d
    # a = reshape(transpose(O, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    a = O.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    X1 = X + (a.reshape(N * T, d * h) @ W_o).reshape(N, T, d * h)  # X1 = X + a W_o   N×T×(d*h)
    mu_2 = X1.sum(axis=2, keepdims=True) / (d * h)    # mu_2 = mean(X1, axis=-1, keepdims=True)   N×T×1
    X1_tilde = X1 - mu_2                              # X1_tilde = X1 − mu_2   N×T×(d*h)
    # v_2 = mean(X1_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v_2 = np.einsum("abc,abc->ab", X1_tilde, X1_tilde)[:, :, None] / (d * h) + 1e-05
    sigma_2 = np.sqrt(v_2)                            # sigma_2 = sqrt(v_2)   N×T×1
    X1_hat = X1_tilde / sigma_2                       # X1_hat = X1_tilde / sigma_2   N×T×(d*h)
    M = g2 * X1_hat + c2                              # M = g2 ⊙ X1_hat + c2   N×T×(d*h)
    U = (M.reshape(N * T, d * h) @ W1).reshape(N, T, F) + b1  # U = M W1 + b1   N×T×F
    p = normal_cdf(U)                                 # p = normal_cdf(U)   N×T×F
    G = gated(U, p)                                   # G = U ⊙ p   N×T×F
    Y = X1 + (G.reshape(N * T, F) @ W2).reshape(N, T, d * h) + b2  # Y = X1 + G W2 + b2   N×T×(d*h)
    cache = {
        "W2": W2, "p": p, "U": U, "W1": W1, "g2": g2, "X1_hat": X1_hat, "sigma_2": sigma_2, "W_o": W_o,
        "P": P, "W_v": W_v, "V": V, "O": O, "Q": Q, "W_k": W_k, "K": K, "W_q": W_q, "g1": g1, "X_hat": X_hat,
        "sigma": sigma, "A": A, "a": a, "M": M, "G": G, "N": N, "T": T, "h": h, "d": d, "F": F,
        "dtype": dtype, "dtypes": dtypes,
    }
    return Y, cache


def backward(cache: dict, upstream: np.ndarray) -> dict[str, np.ndarray]:
    """The gradients with respect to every parameter and input, given upstream, the gradient of Y."""
    check_cache(cache, "dtypes")
    W2 = cache["W2"]                                  # F×(d*h)
    p = cache["p"]                                    # N×T×F
    U = cache["U"]                                    # N×T×F
    W1 = cache["W1"]                                  # (d*h)×F
    g2 = cache["g2"]                                  # (d*h)
    X1_hat = cache["X1_hat"]                          # N×T×(d*h)
    sigma_2 = cache["sigma_2"]                        # N×T×1
    W_o = cache["W_o"]                                # (d*h)×(d*h)
    P = cache["P"]                                    # N×h×T×T
    W_v = cache["W_v"]                                # (d*h)×(d*h)
    V = cache["V"]                                    # N×h×T×d
    O = cache["O"]                                    # N×h×T×d
    Q = cache["Q"]                                    # N×h×T×d
    W_k = cache["W_k"]                                # (d*h)×(d*h)
    K = cache["K"]                                    # N×h×T×d
    W_q = cache["W_q"]                                # (d*h)×(d*h)
    g1 = cache["g1"]                                  # (d*h)
    X_hat = cache["X_hat"]                            # N×T×(d*h)
    sigma = cache["sigma"]                            # N×T×1
    A = cache["A"]                                    # N×T×(d*h)
    a = cache["a"]                                    # N×T×(d*h)
    M = cache["M"]                                    # N×T×(d*h)
    G = cache["G"]                                    # N×T×F
    N, T, h, d, F, dtype = cache["N"], cache["T"], cache["h"], cache["d"], cache["F"], cache["dtype"]
    dY = upstream_array("Y", upstream, (N, T, d * h), dtype)
    dW2 = G.reshape(N * T, F).T @ dY.reshape(N * T, d * h)  # dW2 = sum(Gᵀ dY, axis=0)   F×(d*h)
    db2 = dY.sum(axis=(0, 1))                         # db2 = sum(dY, axis=(0, 1))   (d*h)
    dG = (dY.reshape(N * T, d * h) @ W2.T).reshape(N, T, F)  # dG = dY W2ᵀ   N×T×F
    dU = dG * (p + limited(U) * normal_pdf(U))        # dU = dG ⊙ (p + U ⊙ normal_pdf(U))   N×T×F
    dW1 = M.reshape(N * T, d * h).T @ dU.reshape(N * T, F)  # dW1 = sum(Mᵀ dU, axis=0)   (d*h)×F
    db1 = dU.sum(axis=(0, 1))                         # db1 = sum(dU, axis=(0, 1))   F
    dM = (dU.reshape(N * T, F) @ W1.T).reshape(N, T, d * h)  # dM = dU W1ᵀ   N×T×(d*h)
    dg2 = np.einsum("abc,abc->c", dM, X1_hat)         # dg2 = sum(dM ⊙ X1_hat, axis=(0, 1))   (d*h)
    dc2 = dM.sum(axis=(0, 1))                         # dc2 = sum(dM, axis=(0, 1))   (d*h)
    dX1_hat = dM * g2                                 # dX1_hat = dM ⊙ g2   N×T×(d*h)
    # t2 = sum(dX1_hat ⊙ X1_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t2 = np.einsum("abc,abc->ab", dX1_hat, X1_hat)[:, :, None] / (d * h)
    # t3 = sum(dX1_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t3 = dX1_hat.sum(axis=2, keepdims=True) / (d * h)
    # dX1 = dY + (dX1_hat − t2 ⊙ X1_hat − t3) / sigma_2   N×T×(d*h)
    dX1 = dY + (dX1_hat - t2 * X1_hat - t3) / sigma_2
    dW_o = a.reshape(N * T, d * h).T @ dX1.reshape(N * T, d * h)  # dW_o = sum(aᵀ dX1, axis=0)   (d*h)×(d*h)
    da = (dX1.reshape(N * T, d * h) @ W_o.T).reshape(N, T, d * h)  # da = dX1 W_oᵀ   N×T×(d*h)
    # dO = transpose(reshape(da, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    dO = da.reshape(N, T, h, d).transpose(0, 2, 1, 3)
    dV = P.swapaxes(-1, -2) @ dO                      # dV = Pᵀ dO   N×h×T×d
    # t4 = reshape(transpose(dV, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    t4 = dV.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    dW_v = A.reshape(N * T, d * h).T @ t4.reshape(N * T, d * h)  # dW_v = sum(Aᵀ t4, axis=0)   (d*h)×(d*h)
    dP = dO @ V.swapaxes(-1, -2)                      # dP = dO Vᵀ   N×h×T×T
    # t5 = P ⊙ (dP − sum(dO ⊙ O, axis=-1, keepdims=True)) / sqrt(d)   N×h×T×T
    t5 = P * (dP - np.einsum("abcd,abcd->abc", dO, O)[:, :, :, None]) / d ** 0.5
    dK = t5.swapaxes(-1, -2) @ Q                      # dK = t5ᵀ Q   N×h×T×d
    # t6 = reshape(transpose(dK, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    t6 = dK.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    dW_k = A.reshape(N * T, d * h).T @ t6.reshape(N * T, d * h)  # dW_k = sum(Aᵀ t6, axis=0)   (d*h)×(d*h)
    dQ = t5 @ K                                       # dQ = t5 K   N×h×T×d
    # t7 = reshape(transpose(dQ, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    t7 = dQ.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    dW_q = A.reshape(N * T, d * h).T @ t7.reshape(N * T, d * h)  # dW_q = sum(Aᵀ t7, axis=0)   (d*h)×(d*h)
    # dA = t4 W_vᵀ + t6 W_kᵀ + t7 W_qᵀ   N×T×(d*h)
    dA = (
        (t4.reshape(N * T, d * h) @ W_v.T).reshape(N, T, d * h)
        + (t6.reshape(N * T, d * h) @ W_k.T).reshape(N, T, d * h)
        + (t7.reshape(N * T, d * h) @ W_q.T).reshape(N, T, d * h)
    )
    dg1 = np.einsum("abc,abc->c", dA, X_hat)          # dg1 = sum(dA ⊙ X_hat, axis=(0, 1))   (d*h)
    dc1 = dA.sum(axis=(0, 1))                         # dc1 = sum(dA, axis=(0, 1))   (d*h)
    dX_hat = dA * g1                                  # dX_hat = dA ⊙ g1   N×T×(d*h)
    # t8 = sum(dX_hat ⊙ X_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t8 = np.einsum("abc,abc->ab", dX_hat, X_hat)[:, :, None] / (d * h)
    # t9 = sum(dX_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t9 = dX_hat.sum(axis=2, keepdims=True) / (d * h)
    # dX = dX1 + (dX_hat − t8 ⊙ X_hat − t9) / sigma   N×T×(d*h)
    dX = dX1 + (dX_hat - t8 * X_hat - t9) / sigma
    grads = {
        "X": dX, "g1": dg1, "c1": dc1, "W_q": dW_q, "W_k": dW_k, "W_v": dW_v, "W_o": dW_o, "g2": dg2,
        "c2": dc2, "W1": dW1, "b1": db1, "W2": dW2, "b2": db2,
    }
    return returned(grads, cache["dtypes"])


def outputs(params: dict, data: dict, dims: dict | None = None) -> dict[str, np.ndarray]:
    """Every named intermediate, by its name."""
    arrays, sizes, _, _ = read(params, data, dims)
    g1 = arrays["g1"]                                 # (d*h)
    c1 = arrays["c1"]                                 # (d*h)
    W_q = arrays["W_q"]                               # (d*h)×(d*h)
    W_k = arrays["W_k"]                               # (d*h)×(d*h)
    W_v = arrays["W_v"]                               # (d*h)×(d*h)
    W_o = arrays["W_o"]                               # (d*h)×(d*h)
    g2 = arrays["g2"]                                 # (d*h)
    c2 = arrays["c2"]                                 # (d*h)
    W1 = arrays["W1"]                                 # (d*h)×F
    b1 = arrays["b1"]                                 # F
    W2 = arrays["W2"]                                 # F×(d*h)
    b2 = arrays["b2"]                                 # (d*h)
    X = arrays["X"]                                   # N×T×(d*h)
    N, T, h, d, F = sizes["N"], sizes["T"], sizes["h"], sizes["d"], sizes["F"]
    mu = X.sum(axis=2, keepdims=True) / (d * h)       # mu = mean(X, axis=-1, keepdims=True)   N×T×1
    X_tilde = X - mu                                  # X_tilde = X − mu   N×T×(d*h)
    # v = mean(X_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v = np.einsum("abc,abc->ab", X_tilde, X_tilde)[:, :, None] / (d * h) + 1e-05
    sigma = np.sqrt(v)                                # sigma = sqrt(v)   N×T×1
    X_hat = X_tilde / sigma                           # X_hat = X_tilde / sigma   N×T×(d*h)
    A = g1 * X_hat + c1                               # A = g1 ⊙ X_hat + c1   N×T×(d*h)
    # Q = transpose(reshape(A W_q, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    Q = (A.reshape(N * T, d * h) @ W_q).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    # K = transpose(reshape(A W_k, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    K = (A.reshape(N * T, d * h) @ W_k).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    # V = transpose(reshape(A W_v, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    V = (A.reshape(N * T, d * h) @ W_v).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    t1 = np.arange(T)[:, None] >= np.arange(T)[None, :]  # t1 = causal_mask(T)   T×T
    S = Q @ K.swapaxes(-1, -2) / d ** 0.5             # S = Q Kᵀ / sqrt(d)   N×h×T×T
    S_mask = np.where(t1, S, -np.inf)                 # S_mask = where(t1, S, -inf)   N×h×T×T
    P = softmax(S_mask, axis=3)                       # P = softmax(S_mask)   N×h×T×T
    O = P @ V                                         # O = P V   N×h×T×d
    # a = reshape(transpose(O, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    a = O.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    X1 = X + (a.reshape(N * T, d * h) @ W_o).reshape(N, T, d * h)  # X1 = X + a W_o   N×T×(d*h)
    mu_2 = X1.sum(axis=2, keepdims=True) / (d * h)    # mu_2 = mean(X1, axis=-1, keepdims=True)   N×T×1
    X1_tilde = X1 - mu_2                              # X1_tilde = X1 − mu_2   N×T×(d*h)
    # v_2 = mean(X1_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v_2 = np.einsum("abc,abc->ab", X1_tilde, X1_tilde)[:, :, None] / (d * h) + 1e-05
    sigma_2 = np.sqrt(v_2)                            # sigma_2 = sqrt(v_2)   N×T×1
    X1_hat = X1_tilde / sigma_2                       # X1_hat = X1_tilde / sigma_2   N×T×(d*h)
    M = g2 * X1_hat + c2                              # M = g2 ⊙ X1_hat + c2   N×T×(d*h)
    U = (M.reshape(N * T, d * h) @ W1).reshape(N, T, F) + b1  # U = M W1 + b1   N×T×F
    p = normal_cdf(U)                                 # p = normal_cdf(U)   N×T×F
    G = gated(U, p)                                   # G = U ⊙ p   N×T×F
    Y = X1 + (G.reshape(N * T, F) @ W2).reshape(N, T, d * h) + b2  # Y = X1 + G W2 + b2   N×T×(d*h)
    return {"A": A, "Q": Q, "K": K, "V": V, "O": O, "X1": X1, "M": M, "U": U, "G": G, "Y": Y}


def init_params(rng: np.random.Generator | int, **dims: int) -> dict[str, np.ndarray]:
    """Initial parameters drawn from a numpy.random.Generator, or a seed; sizes as in init_params(rng, D=4)."""
    h, d, F = chosen(dims, DIMS, ("h", "d", "F"), ("h",))
    rng = generator(rng)
    params = {
        "g1": np.ones(d * h),
        "c1": np.zeros(d * h),
        "W_q": rng.standard_normal((d * h, d * h)) / (d * h) ** 0.5,
        "W_k": rng.standard_normal((d * h, d * h)) / (d * h) ** 0.5,
        "W_v": rng.standard_normal((d * h, d * h)) / (d * h) ** 0.5,
        "W_o": rng.standard_normal((d * h, d * h)) / (d * h) ** 0.5,
        "g2": np.ones(d * h),
        "c2": np.zeros(d * h),
        "W1": rng.standard_normal((d * h, F)) / (d * h) ** 0.5,
        "b1": np.zeros(F),
        "W2": rng.standard_normal((F, d * h)) / F ** 0.5,
        "b2": np.zeros(d * h),
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
    sizes = {"F": arrays["W1"].shape[1], "N": arrays["X"].shape[0], "T": arrays["X"].shape[1]}
    if dims is not None:
        add_sizes(sizes, dims, DIMS, arrays, shapes)
    if "d" in sizes:
        sizes.setdefault("h", arrays["g1"].shape[0] // max(sizes["d"], 1))
    sizes.setdefault("h", 2)
    sizes.setdefault("d", arrays["g1"].shape[0] // max(sizes["h"], 1))
    sizes["d*h"] = sizes["d"] * sizes["h"]
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


ERFC_SCALED = (
    1.1775789345674017541, -0.0045900545806464773309, -0.084249133366517915584, 0.059209939998191890498,
    -0.026658668435305752277, 0.0090749976707052650939, -0.0024131635404176081909, 0.00049077583652580863229,
    -6.9169733025012063671e-05, 4.1390279860730101675e-06, 7.7403830661984906686e-07, -2.1886401049234395661e-07,
    1.0764999465670910377e-08, 4.5219598112182868979e-09, -7.7544002088313511065e-10, -6.3180883408866844944e-11,
    2.8687950109306698981e-11, 1.945586854577734723e-13, -9.6546967484334389059e-13, 3.2525481481487398415e-14,
    3.3478119482868053878e-14, -1.8645628804193131015e-15, -1.2507950530688647085e-15, 7.418235256624043463e-17,
)


def gated(x: np.ndarray, gate: np.ndarray) -> np.ndarray:
    """x * gate, and 0 where the gate is 0, even at an infinite x."""
    product = x * gate
    return product if np.isfinite(np.vdot(product, product)) else np.where(gate == 0, 0, x) * gate


def limited(x: np.ndarray) -> np.ndarray:
    """x, no further from 0 than 1e100, 1e12 in float32: a factor beside gates such as sigmoid', which are 0 beyond."""
    square = np.vdot(x, x)
    bound = 1e100 if square.dtype == np.float64 else 1e12
    return x if square <= bound**2 else np.clip(x, -bound, bound)


def chebyshev(coefficients: tuple, t: np.ndarray) -> np.ndarray:
    """The Chebyshev series with these coefficients at t, by Clenshaw's recurrence."""
    last = before = 0 * t
    for c in coefficients[:0:-1]:
        last, before = 2 * t * last - before + c, last
    return t * last - before + coefficients[0]


def erfc_times_exp(x: np.ndarray) -> np.ndarray:
    """e^(x²) erfc(x) for x >= 0."""
    return chebyshev(ERFC_SCALED, (x - 3.75) / (x + 3.75)) / (1 + 2 * x)


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """The standard normal distribution function, to rounding error in both tails."""
    size = np.minimum(np.abs(x), 40)
    half = np.trunc(16 * size) / 16
    gauss = np.exp(-0.5 * half * half) * np.exp(0.5 * (half - size) * (half + size))
    tail = 0.5 * gauss * erfc_times_exp(0.7071067811865476 * size)
    return np.where(x < 0, tail, 1 - tail)


def normal_pdf(x: np.ndarray) -> np.ndarray:
    """e^(-x²/2) / sqrt(2 pi)."""
    return 0.3989422804014327 * np.exp(-0.5 * x * x)


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
