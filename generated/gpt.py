"""gpt: a small GPT: token and place embeddings, transformer blocks, tied output head

Written by symbackprop 0.1.0 from the model text MODEL; `symbackprop verify FILE` checks it, edited or not.
The code is yours: use it, change it, pass it on as you like.
PARAMS and DATA say which arrays forward takes, by name, and their shapes.
"""

# mypy: disable-error-code="no-any-return, type-arg"
# ruff: noqa: E501, E741, RUF100
import numpy as np

NAME = "gpt"
MODEL = """\
# name: gpt
# summary: a small GPT: token and place embeddings, transformer blocks, tied output head
# source: Radford et al. 2019
# tags: architecture, attention, language
dim N, T, V, h = 2, d = 4, F
data words: N x T int < V, target: N x T int < V
param E: V x d*h, P: T x d*h, ga1: d*h, ga2: d*h, ca1: d*h, ca2: d*h, W_q1: d*h x d*h
param W_q2: d*h x d*h, W_k1: d*h x d*h, W_k2: d*h x d*h, W_v1: d*h x d*h, W_v2: d*h x d*h
param W_o1: d*h x d*h, W_o2: d*h x d*h, gb1: d*h, gb2: d*h, cb1: d*h, cb2: d*h, W_u1: d*h x F
param W_u2: d*h x F, b_u1: F, b_u2: F, W_d1: F x d*h, W_d2: F x d*h, b_d1: d*h, b_d2: d*h, g: d*h
param c: d*h
X0 = E[words] + P
A1 = ga1 * layer_norm(X0) + ca1
Q1 = transpose(reshape(A1 @ W_q1, (N, T, h, d)), (0, 2, 1, 3))
K1 = transpose(reshape(A1 @ W_k1, (N, T, h, d)), (0, 2, 1, 3))
S1 = transpose(reshape(A1 @ W_v1, (N, T, h, d)), (0, 2, 1, 3))
Y1 = X0 + reshape(transpose(attention(Q1, K1, S1, causal=True), (0, 2, 1, 3)), (N, T, d*h)) @ W_o1
M1 = gb1 * layer_norm(Y1) + cb1
X1 = Y1 + gelu(M1 @ W_u1 + b_u1) @ W_d1 + b_d1
A2 = ga2 * layer_norm(X1) + ca2
Q2 = transpose(reshape(A2 @ W_q2, (N, T, h, d)), (0, 2, 1, 3))
K2 = transpose(reshape(A2 @ W_k2, (N, T, h, d)), (0, 2, 1, 3))
S2 = transpose(reshape(A2 @ W_v2, (N, T, h, d)), (0, 2, 1, 3))
Y2 = X1 + reshape(transpose(attention(Q2, K2, S2, causal=True), (0, 2, 1, 3)), (N, T, d*h)) @ W_o2
M2 = gb2 * layer_norm(Y2) + cb2
X2 = Y2 + gelu(M2 @ W_u2 + b_u2) @ W_d2 + b_d2
O = g * layer_norm(X2) + c
Z = O @ E.T
loss L = mean(cross_entropy(Z, target))
"""
PARAMS = {
    "E": ("V", "d*h"), "P": ("T", "d*h"), "ga1": ("d*h",), "ga2": ("d*h",), "ca1": ("d*h",), "ca2": ("d*h",),
    "W_q1": ("d*h", "d*h"), "W_q2": ("d*h", "d*h"), "W_k1": ("d*h", "d*h"), "W_k2": ("d*h", "d*h"),
    "W_v1": ("d*h", "d*h"), "W_v2": ("d*h", "d*h"), "W_o1": ("d*h", "d*h"), "W_o2": ("d*h", "d*h"),
    "gb1": ("d*h",), "gb2": ("d*h",), "cb1": ("d*h",), "cb2": ("d*h",), "W_u1": ("d*h", "F"),
    "W_u2": ("d*h", "F"), "b_u1": ("F",), "b_u2": ("F",), "W_d1": ("F", "d*h"), "W_d2": ("F", "d*h"),
    "b_d1": ("d*h",), "b_d2": ("d*h",), "g": ("d*h",), "c": ("d*h",),
}
DATA = {"words": ("N", "T"), "target": ("N", "T")}
DIMS = {"N": None, "T": None, "V": None, "h": 2, "d": 4, "F": None}
LOSS = "L"
INTEGERS = {"words": "V", "target": "V"}
DTYPE = np.float64


def forward(params: dict, data: dict, dims: dict | None = None) -> tuple[float, dict]:
    """Computes L, and the cache that backward reads. ValueError for arrays that are not as PARAMS and DATA say.

    dims gives what no array shows: h (else 2).
    """
    arrays, sizes, dtype, dtypes = read(params, data, dims)
    E = arrays["E"]                                   # V×(d*h)
    P = arrays["P"]                                   # T×(d*h)
    ga1 = arrays["ga1"]                               # (d*h)
    ga2 = arrays["ga2"]                               # (d*h)
    ca1 = arrays["ca1"]                               # (d*h)
    ca2 = arrays["ca2"]                               # (d*h)
    W_q1 = arrays["W_q1"]                             # (d*h)×(d*h)
    W_q2 = arrays["W_q2"]                             # (d*h)×(d*h)
    W_k1 = arrays["W_k1"]                             # (d*h)×(d*h)
    W_k2 = arrays["W_k2"]                             # (d*h)×(d*h)
    W_v1 = arrays["W_v1"]                             # (d*h)×(d*h)
    W_v2 = arrays["W_v2"]                             # (d*h)×(d*h)
    W_o1 = arrays["W_o1"]                             # (d*h)×(d*h)
    W_o2 = arrays["W_o2"]                             # (d*h)×(d*h)
    gb1 = arrays["gb1"]                               # (d*h)
    gb2 = arrays["gb2"]                               # (d*h)
    cb1 = arrays["cb1"]                               # (d*h)
    cb2 = arrays["cb2"]                               # (d*h)
    W_u1 = arrays["W_u1"]                             # (d*h)×F
    W_u2 = arrays["W_u2"]                             # (d*h)×F
    b_u1 = arrays["b_u1"]                             # F
    b_u2 = arrays["b_u2"]                             # F
    W_d1 = arrays["W_d1"]                             # F×(d*h)
    W_d2 = arrays["W_d2"]                             # F×(d*h)
    b_d1 = arrays["b_d1"]                             # (d*h)
    b_d2 = arrays["b_d2"]                             # (d*h)
    g = arrays["g"]                                   # (d*h)
    c = arrays["c"]                                   # (d*h)
    words = arrays["words"]                           # N×T
    target = arrays["target"]                         # N×T
    N, T, V, h, d, F = sizes["N"], sizes["T"], sizes["V"], sizes["h"], sizes["d"], sizes["F"]
    X0 = E[words] + P                                 # X0 = E[words] + P   N×T×(d*h)
    t1 = np.arange(T)[:, None] >= np.arange(T)[None, :]  # t1 = causal_mask(T)   T×T
    mu = X0.sum(axis=2, keepdims=True) / (d * h)      # mu = mean(X0, axis=-1, keepdims=True)   N×T×1
    X0_tilde = X0 - mu                                # X0_tilde = X0 − mu   N×T×(d*h)
    # v = mean(X0_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v = np.einsum("abc,abc->ab", X0_tilde, X0_tilde)[:, :, None] / (d * h) + 1e-05
    sigma = np.sqrt(v)                                # sigma = sqrt(v)   N×T×1
    X0_hat = X0_tilde / sigma                         # X0_hat = X0_tilde / sigma   N×T×(d*h)
    A1 = ga1 * X0_hat + ca1                           # A1 = ga1 ⊙ X0_hat + ca1   N×T×(d*h)
    # Q1 = transpose(reshape(A1 W_q1, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    Q1 = (A1.reshape(N * T, d * h) @ W_q1).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    # K1 = transpose(reshape(A1 W_k1, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    K1 = (A1.reshape(N * T, d * h) @ W_k1).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    S_att = Q1 @ K1.swapaxes(-1, -2) / d ** 0.5       # S_att = Q1 K1ᵀ / sqrt(d)   N×h×T×T
    S_mask = np.where(t1, S_att, -np.inf)             # S_mask = where(t1, S_att, -inf)   N×h×T×T
    P_att = softmax(S_mask, axis=3)                   # P_att = softmax(S_mask)   N×h×T×T
    # S1 = transpose(reshape(A1 W_v1, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    S1 = (A1.reshape(N * T, d * h) @ W_v1).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    t2 = (P_att @ S1).transpose(0, 2, 1, 3)           # t2 = transpose(P_att S1, (0, 2, 1, 3))   N×T×h×d
    a = t2.reshape(N, T, d * h)                       # a = reshape(t2, (N, T, d*h))   N×T×(d*h)
    Y1 = X0 + (a.reshape(N * T, d * h) @ W_o1).reshape(N, T, d * h)  # Y1 = X0 + a W_o1   N×T×(d*h)
    mu_2 = Y1.sum(axis=2, keepdims=True) / (d * h)    # mu_2 = mean(Y1, axis=-1, keepdims=True)   N×T×1
    Y1_tilde = Y1 - mu_2                              # Y1_tilde = Y1 − mu_2   N×T×(d*h)
    # v_2 = mean(Y1_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v_2 = np.einsum("abc,abc->ab", Y1_tilde, Y1_tilde)[:, :, None] / (d * h) + 1e-05
    sigma_2 = np.sqrt(v_2)                            # sigma_2 = sqrt(v_2)   N×T×1
    Y1_hat = Y1_tilde / sigma_2                       # Y1_hat = Y1_tilde / sigma_2   N×T×(d*h)
    M1 = gb1 * Y1_hat + cb1                           # M1 = gb1 ⊙ Y1_hat + cb1   N×T×(d*h)
    z = (M1.reshape(N * T, d * h) @ W_u1).reshape(N, T, F) + b_u1  # z = M1 W_u1 + b_u1   N×T×F
    p = normal_cdf(z)                                 # p = normal_cdf(z)   N×T×F
    a_2 = gated(z, p)                                 # a_2 = z ⊙ p   N×T×F
    # X1 = Y1 + a_2 W_d1 + b_d1   N×T×(d*h)
    X1 = Y1 + (a_2.reshape(N * T, F) @ W_d1).reshape(N, T, d * h) + b_d1
    mu_3 = X1.sum(axis=2, keepdims=True) / (d * h)    # mu_3 = mean(X1, axis=-1, keepdims=True)   N×T×1
    X1_tilde = X1 - mu_3                              # X1_tilde = X1 − mu_3   N×T×(d*h)
    # v_3 = mean(X1_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v_3 = np.einsum("abc,abc->ab", X1_tilde, X1_tilde)[:, :, None] / (d * h) + 1e-05
    sigma_3 = np.sqrt(v_3)                            # sigma_3 = sqrt(v_3)   N×T×1
    X1_hat = X1_tilde / sigma_3                       # X1_hat = X1_tilde / sigma_3   N×T×(d*h)
    A2 = ga2 * X1_hat + ca2                           # A2 = ga2 ⊙ X1_hat + ca2   N×T×(d*h)
    # Q2 = transpose(reshape(A2 W_q2, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    Q2 = (A2.reshape(N * T, d * h) @ W_q2).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    # K2 = transpose(reshape(A2 W_k2, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    K2 = (A2.reshape(N * T, d * h) @ W_k2).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    S_att_2 = Q2 @ K2.swapaxes(-1, -2) / d ** 0.5     # S_att_2 = Q2 K2ᵀ / sqrt(d)   N×h×T×T
    S_mask_2 = np.where(t1, S_att_2, -np.inf)         # S_mask_2 = where(t1, S_att_2, -inf)   N×h×T×T
    P_att_2 = softmax(S_mask_2, axis=3)               # P_att_2 = softmax(S_mask_2)   N×h×T×T
    # S2 = transpose(reshape(A2 W_v2, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    S2 = (A2.reshape(N * T, d * h) @ W_v2).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    t3 = (P_att_2 @ S2).transpose(0, 2, 1, 3)         # t3 = transpose(P_att_2 S2, (0, 2, 1, 3))   N×T×h×d
    b = t3.reshape(N, T, d * h)                       # b = reshape(t3, (N, T, d*h))   N×T×(d*h)
    Y2 = X1 + (b.reshape(N * T, d * h) @ W_o2).reshape(N, T, d * h)  # Y2 = X1 + b W_o2   N×T×(d*h)
    mu_4 = Y2.sum(axis=2, keepdims=True) / (d * h)    # mu_4 = mean(Y2, axis=-1, keepdims=True)   N×T×1
    Y2_tilde = Y2 - mu_4                              # Y2_tilde = Y2 − mu_4   N×T×(d*h)
    # v_4 = mean(Y2_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v_4 = np.einsum("abc,abc->ab", Y2_tilde, Y2_tilde)[:, :, None] / (d * h) + 1e-05
    sigma_4 = np.sqrt(v_4)                            # sigma_4 = sqrt(v_4)   N×T×1
    Y2_hat = Y2_tilde / sigma_4                       # Y2_hat = Y2_tilde / sigma_4   N×T×(d*h)
    M2 = gb2 * Y2_hat + cb2                           # M2 = gb2 ⊙ Y2_hat + cb2   N×T×(d*h)
    z_2 = (M2.reshape(N * T, d * h) @ W_u2).reshape(N, T, F) + b_u2  # z_2 = M2 W_u2 + b_u2   N×T×F
    p_2 = normal_cdf(z_2)                             # p_2 = normal_cdf(z_2)   N×T×F
    a_3 = gated(z_2, p_2)                             # a_3 = z_2 ⊙ p_2   N×T×F
    # X2 = Y2 + a_3 W_d2 + b_d2   N×T×(d*h)
    X2 = Y2 + (a_3.reshape(N * T, F) @ W_d2).reshape(N, T, d * h) + b_d2
    mu_5 = X2.sum(axis=2, keepdims=True) / (d * h)    # mu_5 = mean(X2, axis=-1, keepdims=True)   N×T×1
    X2_tilde = X2 - mu_5                              # X2_tilde = X2 − mu_5   N×T×(d*h)
    # v_5 = mean(X2_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v_5 = np.einsum("abc,abc->ab", X2_tilde, X2_tilde)[:, :, None] / (d * h) + 1e-05
    sigma_5 = np.sqrt(v_5)                            # sigma_5 = sqrt(v_5)   N×T×1
    X2_hat = X2_tilde / sigma_5                       # X2_hat = X2_tilde / sigma_5   N×T×(d*h)
    O = g * X2_hat + c                                # O = g ⊙ X2_hat + c   N×T×(d*h)
    Z = (O.reshape(N * T, d * h) @ E.T).reshape(N, T, V)  # Z = O Eᵀ   N×T×V
    p_3, top, log_total = softmax_parts(Z, axis=2)    # p_3 = softmax(Z)   N×T×V
    # losses = cross_entropy(Z, target) = reshape(top, (N, T)) − pick(Z, target) + log_total   N×T
    losses = top[:, :, 0] - np.take_along_axis(Z, target[:, :, None], axis=2)[:, :, 0] + log_total
    L = losses.sum() / (N * T)                        # L = mean(losses)
    cache = {
        "p_3": p_3, "target": target, "E": E, "g": g, "X2_hat": X2_hat, "sigma_5": sigma_5, "W_d2": W_d2,
        "p_2": p_2, "z_2": z_2, "W_u2": W_u2, "gb2": gb2, "Y2_hat": Y2_hat, "sigma_4": sigma_4, "W_o2": W_o2,
        "P_att_2": P_att_2, "W_v2": W_v2, "S2": S2, "t3": t3, "Q2": Q2, "W_k2": W_k2, "K2": K2, "W_q2": W_q2,
        "ga2": ga2, "X1_hat": X1_hat, "sigma_3": sigma_3, "W_d1": W_d1, "p": p, "z": z, "W_u1": W_u1,
        "gb1": gb1, "Y1_hat": Y1_hat, "sigma_2": sigma_2, "W_o1": W_o1, "P_att": P_att, "W_v1": W_v1,
        "S1": S1, "t2": t2, "Q1": Q1, "W_k1": W_k1, "K1": K1, "W_q1": W_q1, "ga1": ga1, "X0_hat": X0_hat,
        "sigma": sigma, "words": words, "O": O, "A1": A1, "A2": A2, "a": a, "b": b, "M1": M1, "M2": M2,
        "a_2": a_2, "a_3": a_3, "N": N, "T": T, "V": V, "h": h, "d": d, "F": F, "dtypes": dtypes,
    }
    return dtype.type(L), cache


def backward(cache: dict, upstream: float = 1.0) -> dict[str, np.ndarray]:
    """The gradient of L, times upstream, with respect to every parameter and input."""
    check_cache(cache, "dtypes")
    p_3 = cache["p_3"]                                # N×T×V
    target = cache["target"]                          # N×T
    E = cache["E"]                                    # V×(d*h)
    g = cache["g"]                                    # (d*h)
    X2_hat = cache["X2_hat"]                          # N×T×(d*h)
    sigma_5 = cache["sigma_5"]                        # N×T×1
    W_d2 = cache["W_d2"]                              # F×(d*h)
    p_2 = cache["p_2"]                                # N×T×F
    z_2 = cache["z_2"]                                # N×T×F
    W_u2 = cache["W_u2"]                              # (d*h)×F
    gb2 = cache["gb2"]                                # (d*h)
    Y2_hat = cache["Y2_hat"]                          # N×T×(d*h)
    sigma_4 = cache["sigma_4"]                        # N×T×1
    W_o2 = cache["W_o2"]                              # (d*h)×(d*h)
    P_att_2 = cache["P_att_2"]                        # N×h×T×T
    W_v2 = cache["W_v2"]                              # (d*h)×(d*h)
    S2 = cache["S2"]                                  # N×h×T×d
    t3 = cache["t3"]                                  # N×T×h×d
    Q2 = cache["Q2"]                                  # N×h×T×d
    W_k2 = cache["W_k2"]                              # (d*h)×(d*h)
    K2 = cache["K2"]                                  # N×h×T×d
    W_q2 = cache["W_q2"]                              # (d*h)×(d*h)
    ga2 = cache["ga2"]                                # (d*h)
    X1_hat = cache["X1_hat"]                          # N×T×(d*h)
    sigma_3 = cache["sigma_3"]                        # N×T×1
    W_d1 = cache["W_d1"]                              # F×(d*h)
    p = cache["p"]                                    # N×T×F
    z = cache["z"]                                    # N×T×F
    W_u1 = cache["W_u1"]                              # (d*h)×F
    gb1 = cache["gb1"]                                # (d*h)
    Y1_hat = cache["Y1_hat"]                          # N×T×(d*h)
    sigma_2 = cache["sigma_2"]                        # N×T×1
    W_o1 = cache["W_o1"]                              # (d*h)×(d*h)
    P_att = cache["P_att"]                            # N×h×T×T
    W_v1 = cache["W_v1"]                              # (d*h)×(d*h)
    S1 = cache["S1"]                                  # N×h×T×d
    t2 = cache["t2"]                                  # N×T×h×d
    Q1 = cache["Q1"]                                  # N×h×T×d
    W_k1 = cache["W_k1"]                              # (d*h)×(d*h)
    K1 = cache["K1"]                                  # N×h×T×d
    W_q1 = cache["W_q1"]                              # (d*h)×(d*h)
    ga1 = cache["ga1"]                                # (d*h)
    X0_hat = cache["X0_hat"]                          # N×T×(d*h)
    sigma = cache["sigma"]                            # N×T×1
    words = cache["words"]                            # N×T
    O = cache["O"]                                    # N×T×(d*h)
    A1 = cache["A1"]                                  # N×T×(d*h)
    A2 = cache["A2"]                                  # N×T×(d*h)
    a = cache["a"]                                    # N×T×(d*h)
    b = cache["b"]                                    # N×T×(d*h)
    M1 = cache["M1"]                                  # N×T×(d*h)
    M2 = cache["M2"]                                  # N×T×(d*h)
    a_2 = cache["a_2"]                                # N×T×F
    a_3 = cache["a_3"]                                # N×T×F
    N, T, V, h, d, F = cache["N"], cache["T"], cache["V"], cache["h"], cache["d"], cache["F"]
    dZ = p_3 / (N * T)                                # dZ = (p_3 − one_hot(target, V)) / (N*T)   N×T×V
    at = *np.indices((N, T), sparse=True), target     # the entry of every row that the one-hot array marks
    dZ[at] = (p_3[at] - 1) / (N * T)
    dO = (dZ.reshape(N * T, V) @ E).reshape(N, T, d * h)  # dO = dZ E   N×T×(d*h)
    dg = np.einsum("abc,abc->c", dO, X2_hat)          # dg = sum(dO ⊙ X2_hat, axis=(0, 1))   (d*h)
    dc = dO.sum(axis=(0, 1))                          # dc = sum(dO, axis=(0, 1))   (d*h)
    dX2_hat = dO * g                                  # dX2_hat = dO ⊙ g   N×T×(d*h)
    # t4 = sum(dX2_hat ⊙ X2_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t4 = np.einsum("abc,abc->ab", dX2_hat, X2_hat)[:, :, None] / (d * h)
    # t5 = sum(dX2_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t5 = dX2_hat.sum(axis=2, keepdims=True) / (d * h)
    # dX2 = (dX2_hat − t4 ⊙ X2_hat − t5) / sigma_5   N×T×(d*h)
    dX2 = (dX2_hat - t4 * X2_hat - t5) / sigma_5
    dW_d2 = a_3.reshape(N * T, F).T @ dX2.reshape(N * T, d * h)  # dW_d2 = sum(a_3ᵀ dX2, axis=0)   F×(d*h)
    db_d2 = dX2.sum(axis=(0, 1))                      # db_d2 = sum(dX2, axis=(0, 1))   (d*h)
    da_3 = (dX2.reshape(N * T, d * h) @ W_d2.T).reshape(N, T, F)  # da_3 = dX2 W_d2ᵀ   N×T×F
    # dz_2 = da_3 ⊙ (p_2 + z_2 ⊙ normal_pdf(z_2))   N×T×F
    dz_2 = da_3 * (p_2 + limited(z_2) * normal_pdf(z_2))
    dW_u2 = M2.reshape(N * T, d * h).T @ dz_2.reshape(N * T, F)  # dW_u2 = sum(M2ᵀ dz_2, axis=0)   (d*h)×F
    db_u2 = dz_2.sum(axis=(0, 1))                     # db_u2 = sum(dz_2, axis=(0, 1))   F
    dM2 = (dz_2.reshape(N * T, F) @ W_u2.T).reshape(N, T, d * h)  # dM2 = dz_2 W_u2ᵀ   N×T×(d*h)
    dgb2 = np.einsum("abc,abc->c", dM2, Y2_hat)       # dgb2 = sum(dM2 ⊙ Y2_hat, axis=(0, 1))   (d*h)
    dcb2 = dM2.sum(axis=(0, 1))                       # dcb2 = sum(dM2, axis=(0, 1))   (d*h)
    dY2_hat = dM2 * gb2                               # dY2_hat = dM2 ⊙ gb2   N×T×(d*h)
    # t6 = sum(dY2_hat ⊙ Y2_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t6 = np.einsum("abc,abc->ab", dY2_hat, Y2_hat)[:, :, None] / (d * h)
    # t7 = sum(dY2_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t7 = dY2_hat.sum(axis=2, keepdims=True) / (d * h)
    # dY2 = dX2 + (dY2_hat − t6 ⊙ Y2_hat − t7) / sigma_4   N×T×(d*h)
    dY2 = dX2 + (dY2_hat - t6 * Y2_hat - t7) / sigma_4
    dW_o2 = b.reshape(N * T, d * h).T @ dY2.reshape(N * T, d * h)  # dW_o2 = sum(bᵀ dY2, axis=0)   (d*h)×(d*h)
    db = (dY2.reshape(N * T, d * h) @ W_o2.T).reshape(N, T, d * h)  # db = dY2 W_o2ᵀ   N×T×(d*h)
    # dS2 = einsum(abcd,acbe→aced, reshape(db, (N, T, h, d)), P_att_2)   N×h×T×d
    dS2 = P_att_2.swapaxes(-1, -2) @ db.reshape(N, T, h, d).transpose(0, 2, 1, 3)
    # t8 = reshape(transpose(dS2, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    t8 = dS2.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    dW_v2 = A2.reshape(N * T, d * h).T @ t8.reshape(N * T, d * h)  # dW_v2 = sum(A2ᵀ t8, axis=0)   (d*h)×(d*h)
    # dP_att_2 = einsum(abcd,aced→acbe, reshape(db, (N, T, h, d)), S2)   N×h×T×T
    dP_att_2 = db.reshape(N, T, h, d).transpose(0, 2, 1, 3) @ S2.swapaxes(-1, -2)
    # t9 = P_att_2 ⊙ (dP_att_2 − reshape(transpose(sum(reshape(db, (N, T, h, d)) ⊙ t3, axis=-1), (0, 2, 1)),
    #   (N, h, T, 1))) / sqrt(d)   N×h×T×T
    t9 = (
        P_att_2
        * (
            dP_att_2
            - np.einsum("abcd,abcd->abc", db.reshape(N, T, h, d), t3).transpose(0, 2, 1)[:, :, :, None]
        )
        / d ** 0.5
    )
    dK2 = t9.swapaxes(-1, -2) @ Q2                    # dK2 = t9ᵀ Q2   N×h×T×d
    # t10 = reshape(transpose(dK2, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    t10 = dK2.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    # dW_k2 = sum(A2ᵀ t10, axis=0)   (d*h)×(d*h)
    dW_k2 = A2.reshape(N * T, d * h).T @ t10.reshape(N * T, d * h)
    dQ2 = t9 @ K2                                     # dQ2 = t9 K2   N×h×T×d
    # t11 = reshape(transpose(dQ2, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    t11 = dQ2.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    # dW_q2 = sum(A2ᵀ t11, axis=0)   (d*h)×(d*h)
    dW_q2 = A2.reshape(N * T, d * h).T @ t11.reshape(N * T, d * h)
    # dA2 = t8 W_v2ᵀ + t10 W_k2ᵀ + t11 W_q2ᵀ   N×T×(d*h)
    dA2 = (
        (t8.reshape(N * T, d * h) @ W_v2.T).reshape(N, T, d * h)
        + (t10.reshape(N * T, d * h) @ W_k2.T).reshape(N, T, d * h)
        + (t11.reshape(N * T, d * h) @ W_q2.T).reshape(N, T, d * h)
    )
    dga2 = np.einsum("abc,abc->c", dA2, X1_hat)       # dga2 = sum(dA2 ⊙ X1_hat, axis=(0, 1))   (d*h)
    dca2 = dA2.sum(axis=(0, 1))                       # dca2 = sum(dA2, axis=(0, 1))   (d*h)
    dX1_hat = dA2 * ga2                               # dX1_hat = dA2 ⊙ ga2   N×T×(d*h)
    # t12 = sum(dX1_hat ⊙ X1_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t12 = np.einsum("abc,abc->ab", dX1_hat, X1_hat)[:, :, None] / (d * h)
    # t13 = sum(dX1_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t13 = dX1_hat.sum(axis=2, keepdims=True) / (d * h)
    # dX1 = dY2 + (dX1_hat − t12 ⊙ X1_hat − t13) / sigma_3   N×T×(d*h)
    dX1 = dY2 + (dX1_hat - t12 * X1_hat - t13) / sigma_3
    dW_d1 = a_2.reshape(N * T, F).T @ dX1.reshape(N * T, d * h)  # dW_d1 = sum(a_2ᵀ dX1, axis=0)   F×(d*h)
    db_d1 = dX1.sum(axis=(0, 1))                      # db_d1 = sum(dX1, axis=(0, 1))   (d*h)
    da_2 = (dX1.reshape(N * T, d * h) @ W_d1.T).reshape(N, T, F)  # da_2 = dX1 W_d1ᵀ   N×T×F
    dz = da_2 * (p + limited(z) * normal_pdf(z))      # dz = da_2 ⊙ (p + z ⊙ normal_pdf(z))   N×T×F
    dW_u1 = M1.reshape(N * T, d * h).T @ dz.reshape(N * T, F)  # dW_u1 = sum(M1ᵀ dz, axis=0)   (d*h)×F
    db_u1 = dz.sum(axis=(0, 1))                       # db_u1 = sum(dz, axis=(0, 1))   F
    dM1 = (dz.reshape(N * T, F) @ W_u1.T).reshape(N, T, d * h)  # dM1 = dz W_u1ᵀ   N×T×(d*h)
    dgb1 = np.einsum("abc,abc->c", dM1, Y1_hat)       # dgb1 = sum(dM1 ⊙ Y1_hat, axis=(0, 1))   (d*h)
    dcb1 = dM1.sum(axis=(0, 1))                       # dcb1 = sum(dM1, axis=(0, 1))   (d*h)
    dY1_hat = dM1 * gb1                               # dY1_hat = dM1 ⊙ gb1   N×T×(d*h)
    # t14 = sum(dY1_hat ⊙ Y1_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t14 = np.einsum("abc,abc->ab", dY1_hat, Y1_hat)[:, :, None] / (d * h)
    # t15 = sum(dY1_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t15 = dY1_hat.sum(axis=2, keepdims=True) / (d * h)
    # dY1 = dX1 + (dY1_hat − t14 ⊙ Y1_hat − t15) / sigma_2   N×T×(d*h)
    dY1 = dX1 + (dY1_hat - t14 * Y1_hat - t15) / sigma_2
    dW_o1 = a.reshape(N * T, d * h).T @ dY1.reshape(N * T, d * h)  # dW_o1 = sum(aᵀ dY1, axis=0)   (d*h)×(d*h)
    da = (dY1.reshape(N * T, d * h) @ W_o1.T).reshape(N, T, d * h)  # da = dY1 W_o1ᵀ   N×T×(d*h)
    # dS1 = einsum(abcd,acbe→aced, reshape(da, (N, T, h, d)), P_att)   N×h×T×d
    dS1 = P_att.swapaxes(-1, -2) @ da.reshape(N, T, h, d).transpose(0, 2, 1, 3)
    # t16 = reshape(transpose(dS1, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    t16 = dS1.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    # dW_v1 = sum(A1ᵀ t16, axis=0)   (d*h)×(d*h)
    dW_v1 = A1.reshape(N * T, d * h).T @ t16.reshape(N * T, d * h)
    # dP_att = einsum(abcd,aced→acbe, reshape(da, (N, T, h, d)), S1)   N×h×T×T
    dP_att = da.reshape(N, T, h, d).transpose(0, 2, 1, 3) @ S1.swapaxes(-1, -2)
    # t17 = P_att ⊙ (dP_att − reshape(transpose(sum(reshape(da, (N, T, h, d)) ⊙ t2, axis=-1), (0, 2, 1)), (N,
    #   h, T, 1))) / sqrt(d)   N×h×T×T
    t17 = (
        P_att
        * (dP_att - np.einsum("abcd,abcd->abc", da.reshape(N, T, h, d), t2).transpose(0, 2, 1)[:, :, :, None])
        / d ** 0.5
    )
    dK1 = t17.swapaxes(-1, -2) @ Q1                   # dK1 = t17ᵀ Q1   N×h×T×d
    # t18 = reshape(transpose(dK1, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    t18 = dK1.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    # dW_k1 = sum(A1ᵀ t18, axis=0)   (d*h)×(d*h)
    dW_k1 = A1.reshape(N * T, d * h).T @ t18.reshape(N * T, d * h)
    dQ1 = t17 @ K1                                    # dQ1 = t17 K1   N×h×T×d
    # t19 = reshape(transpose(dQ1, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    t19 = dQ1.transpose(0, 2, 1, 3).reshape(N, T, d * h)
    # dW_q1 = sum(A1ᵀ t19, axis=0)   (d*h)×(d*h)
    dW_q1 = A1.reshape(N * T, d * h).T @ t19.reshape(N * T, d * h)
    # dA1 = t16 W_v1ᵀ + t18 W_k1ᵀ + t19 W_q1ᵀ   N×T×(d*h)
    dA1 = (
        (t16.reshape(N * T, d * h) @ W_v1.T).reshape(N, T, d * h)
        + (t18.reshape(N * T, d * h) @ W_k1.T).reshape(N, T, d * h)
        + (t19.reshape(N * T, d * h) @ W_q1.T).reshape(N, T, d * h)
    )
    dga1 = np.einsum("abc,abc->c", dA1, X0_hat)       # dga1 = sum(dA1 ⊙ X0_hat, axis=(0, 1))   (d*h)
    dca1 = dA1.sum(axis=(0, 1))                       # dca1 = sum(dA1, axis=(0, 1))   (d*h)
    dX0_hat = dA1 * ga1                               # dX0_hat = dA1 ⊙ ga1   N×T×(d*h)
    # t20 = sum(dX0_hat ⊙ X0_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t20 = np.einsum("abc,abc->ab", dX0_hat, X0_hat)[:, :, None] / (d * h)
    # t21 = sum(dX0_hat, axis=-1, keepdims=True) / (d*h)   N×T×1
    t21 = dX0_hat.sum(axis=2, keepdims=True) / (d * h)
    # dX0 = dY1 + (dX0_hat − t20 ⊙ X0_hat − t21) / sigma   N×T×(d*h)
    dX0 = dY1 + (dX0_hat - t20 * X0_hat - t21) / sigma
    dP = dX0.sum(axis=0)                              # dP = sum(dX0, axis=0)   T×(d*h)
    # dE = scatter_add(dX0, words, V) + sum(dZᵀ O, axis=0)   V×(d*h)
    dE = scatter_add(dX0, words, V) + dZ.reshape(N * T, V).T @ O.reshape(N * T, d * h)
    grads = {
        "E": dE, "P": dP, "ga1": dga1, "ga2": dga2, "ca1": dca1, "ca2": dca2, "W_q1": dW_q1, "W_q2": dW_q2,
        "W_k1": dW_k1, "W_k2": dW_k2, "W_v1": dW_v1, "W_v2": dW_v2, "W_o1": dW_o1, "W_o2": dW_o2, "gb1": dgb1,
        "gb2": dgb2, "cb1": dcb1, "cb2": dcb2, "W_u1": dW_u1, "W_u2": dW_u2, "b_u1": db_u1, "b_u2": db_u2,
        "W_d1": dW_d1, "W_d2": dW_d2, "b_d1": db_d1, "b_d2": db_d2, "g": dg, "c": dc,
    }
    return scaled(grads, cache["dtypes"], upstream)


def loss_and_grads(params: dict, data: dict, dims: dict | None = None) -> tuple[float, dict]:
    """L and its gradients."""
    loss, cache = forward(params, data, dims=dims)
    return loss, backward(cache)


def outputs(params: dict, data: dict, dims: dict | None = None) -> dict[str, np.ndarray]:
    """Every named intermediate, by its name."""
    arrays, sizes, _, _ = read(params, data, dims)
    E = arrays["E"]                                   # V×(d*h)
    P = arrays["P"]                                   # T×(d*h)
    ga1 = arrays["ga1"]                               # (d*h)
    ga2 = arrays["ga2"]                               # (d*h)
    ca1 = arrays["ca1"]                               # (d*h)
    ca2 = arrays["ca2"]                               # (d*h)
    W_q1 = arrays["W_q1"]                             # (d*h)×(d*h)
    W_q2 = arrays["W_q2"]                             # (d*h)×(d*h)
    W_k1 = arrays["W_k1"]                             # (d*h)×(d*h)
    W_k2 = arrays["W_k2"]                             # (d*h)×(d*h)
    W_v1 = arrays["W_v1"]                             # (d*h)×(d*h)
    W_v2 = arrays["W_v2"]                             # (d*h)×(d*h)
    W_o1 = arrays["W_o1"]                             # (d*h)×(d*h)
    W_o2 = arrays["W_o2"]                             # (d*h)×(d*h)
    gb1 = arrays["gb1"]                               # (d*h)
    gb2 = arrays["gb2"]                               # (d*h)
    cb1 = arrays["cb1"]                               # (d*h)
    cb2 = arrays["cb2"]                               # (d*h)
    W_u1 = arrays["W_u1"]                             # (d*h)×F
    W_u2 = arrays["W_u2"]                             # (d*h)×F
    b_u1 = arrays["b_u1"]                             # F
    b_u2 = arrays["b_u2"]                             # F
    W_d1 = arrays["W_d1"]                             # F×(d*h)
    W_d2 = arrays["W_d2"]                             # F×(d*h)
    b_d1 = arrays["b_d1"]                             # (d*h)
    b_d2 = arrays["b_d2"]                             # (d*h)
    g = arrays["g"]                                   # (d*h)
    c = arrays["c"]                                   # (d*h)
    words = arrays["words"]                           # N×T
    target = arrays["target"]                         # N×T
    N, T, V, h, d, F = sizes["N"], sizes["T"], sizes["V"], sizes["h"], sizes["d"], sizes["F"]
    X0 = E[words] + P                                 # X0 = E[words] + P   N×T×(d*h)
    mu = X0.sum(axis=2, keepdims=True) / (d * h)      # mu = mean(X0, axis=-1, keepdims=True)   N×T×1
    X0_tilde = X0 - mu                                # X0_tilde = X0 − mu   N×T×(d*h)
    # v = mean(X0_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v = np.einsum("abc,abc->ab", X0_tilde, X0_tilde)[:, :, None] / (d * h) + 1e-05
    sigma = np.sqrt(v)                                # sigma = sqrt(v)   N×T×1
    X0_hat = X0_tilde / sigma                         # X0_hat = X0_tilde / sigma   N×T×(d*h)
    A1 = ga1 * X0_hat + ca1                           # A1 = ga1 ⊙ X0_hat + ca1   N×T×(d*h)
    # Q1 = transpose(reshape(A1 W_q1, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    Q1 = (A1.reshape(N * T, d * h) @ W_q1).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    # K1 = transpose(reshape(A1 W_k1, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    K1 = (A1.reshape(N * T, d * h) @ W_k1).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    # S1 = transpose(reshape(A1 W_v1, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    S1 = (A1.reshape(N * T, d * h) @ W_v1).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    t1 = np.arange(T)[:, None] >= np.arange(T)[None, :]  # t1 = causal_mask(T)   T×T
    S_att = Q1 @ K1.swapaxes(-1, -2) / d ** 0.5       # S_att = Q1 K1ᵀ / sqrt(d)   N×h×T×T
    S_mask = np.where(t1, S_att, -np.inf)             # S_mask = where(t1, S_att, -inf)   N×h×T×T
    P_att = softmax(S_mask, axis=3)                   # P_att = softmax(S_mask)   N×h×T×T
    # a = reshape(transpose(P_att S1, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    a = (P_att @ S1).transpose(0, 2, 1, 3).reshape(N, T, d * h)
    Y1 = X0 + (a.reshape(N * T, d * h) @ W_o1).reshape(N, T, d * h)  # Y1 = X0 + a W_o1   N×T×(d*h)
    mu_2 = Y1.sum(axis=2, keepdims=True) / (d * h)    # mu_2 = mean(Y1, axis=-1, keepdims=True)   N×T×1
    Y1_tilde = Y1 - mu_2                              # Y1_tilde = Y1 − mu_2   N×T×(d*h)
    # v_2 = mean(Y1_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v_2 = np.einsum("abc,abc->ab", Y1_tilde, Y1_tilde)[:, :, None] / (d * h) + 1e-05
    sigma_2 = np.sqrt(v_2)                            # sigma_2 = sqrt(v_2)   N×T×1
    Y1_hat = Y1_tilde / sigma_2                       # Y1_hat = Y1_tilde / sigma_2   N×T×(d*h)
    M1 = gb1 * Y1_hat + cb1                           # M1 = gb1 ⊙ Y1_hat + cb1   N×T×(d*h)
    z = (M1.reshape(N * T, d * h) @ W_u1).reshape(N, T, F) + b_u1  # z = M1 W_u1 + b_u1   N×T×F
    p = normal_cdf(z)                                 # p = normal_cdf(z)   N×T×F
    a_2 = gated(z, p)                                 # a_2 = z ⊙ p   N×T×F
    # X1 = Y1 + a_2 W_d1 + b_d1   N×T×(d*h)
    X1 = Y1 + (a_2.reshape(N * T, F) @ W_d1).reshape(N, T, d * h) + b_d1
    mu_3 = X1.sum(axis=2, keepdims=True) / (d * h)    # mu_3 = mean(X1, axis=-1, keepdims=True)   N×T×1
    X1_tilde = X1 - mu_3                              # X1_tilde = X1 − mu_3   N×T×(d*h)
    # v_3 = mean(X1_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v_3 = np.einsum("abc,abc->ab", X1_tilde, X1_tilde)[:, :, None] / (d * h) + 1e-05
    sigma_3 = np.sqrt(v_3)                            # sigma_3 = sqrt(v_3)   N×T×1
    X1_hat = X1_tilde / sigma_3                       # X1_hat = X1_tilde / sigma_3   N×T×(d*h)
    A2 = ga2 * X1_hat + ca2                           # A2 = ga2 ⊙ X1_hat + ca2   N×T×(d*h)
    # Q2 = transpose(reshape(A2 W_q2, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    Q2 = (A2.reshape(N * T, d * h) @ W_q2).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    # K2 = transpose(reshape(A2 W_k2, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    K2 = (A2.reshape(N * T, d * h) @ W_k2).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    # S2 = transpose(reshape(A2 W_v2, (N, T, h, d)), (0, 2, 1, 3))   N×h×T×d
    S2 = (A2.reshape(N * T, d * h) @ W_v2).reshape(N, T, h, d).transpose(0, 2, 1, 3)
    S_att_2 = Q2 @ K2.swapaxes(-1, -2) / d ** 0.5     # S_att_2 = Q2 K2ᵀ / sqrt(d)   N×h×T×T
    S_mask_2 = np.where(t1, S_att_2, -np.inf)         # S_mask_2 = where(t1, S_att_2, -inf)   N×h×T×T
    P_att_2 = softmax(S_mask_2, axis=3)               # P_att_2 = softmax(S_mask_2)   N×h×T×T
    # b = reshape(transpose(P_att_2 S2, (0, 2, 1, 3)), (N, T, d*h))   N×T×(d*h)
    b = (P_att_2 @ S2).transpose(0, 2, 1, 3).reshape(N, T, d * h)
    Y2 = X1 + (b.reshape(N * T, d * h) @ W_o2).reshape(N, T, d * h)  # Y2 = X1 + b W_o2   N×T×(d*h)
    mu_4 = Y2.sum(axis=2, keepdims=True) / (d * h)    # mu_4 = mean(Y2, axis=-1, keepdims=True)   N×T×1
    Y2_tilde = Y2 - mu_4                              # Y2_tilde = Y2 − mu_4   N×T×(d*h)
    # v_4 = mean(Y2_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v_4 = np.einsum("abc,abc->ab", Y2_tilde, Y2_tilde)[:, :, None] / (d * h) + 1e-05
    sigma_4 = np.sqrt(v_4)                            # sigma_4 = sqrt(v_4)   N×T×1
    Y2_hat = Y2_tilde / sigma_4                       # Y2_hat = Y2_tilde / sigma_4   N×T×(d*h)
    M2 = gb2 * Y2_hat + cb2                           # M2 = gb2 ⊙ Y2_hat + cb2   N×T×(d*h)
    z_2 = (M2.reshape(N * T, d * h) @ W_u2).reshape(N, T, F) + b_u2  # z_2 = M2 W_u2 + b_u2   N×T×F
    p_2 = normal_cdf(z_2)                             # p_2 = normal_cdf(z_2)   N×T×F
    a_3 = gated(z_2, p_2)                             # a_3 = z_2 ⊙ p_2   N×T×F
    # X2 = Y2 + a_3 W_d2 + b_d2   N×T×(d*h)
    X2 = Y2 + (a_3.reshape(N * T, F) @ W_d2).reshape(N, T, d * h) + b_d2
    mu_5 = X2.sum(axis=2, keepdims=True) / (d * h)    # mu_5 = mean(X2, axis=-1, keepdims=True)   N×T×1
    X2_tilde = X2 - mu_5                              # X2_tilde = X2 − mu_5   N×T×(d*h)
    # v_5 = mean(X2_tilde², axis=-1, keepdims=True) + 1e-5   N×T×1
    v_5 = np.einsum("abc,abc->ab", X2_tilde, X2_tilde)[:, :, None] / (d * h) + 1e-05
    sigma_5 = np.sqrt(v_5)                            # sigma_5 = sqrt(v_5)   N×T×1
    X2_hat = X2_tilde / sigma_5                       # X2_hat = X2_tilde / sigma_5   N×T×(d*h)
    O = g * X2_hat + c                                # O = g ⊙ X2_hat + c   N×T×(d*h)
    Z = (O.reshape(N * T, d * h) @ E.T).reshape(N, T, V)  # Z = O Eᵀ   N×T×V
    top = largest(Z, axis=2)                          # top = shift(Z, axis=-1)   N×T×1
    # losses = cross_entropy(Z, target) = reshape(top, (N, T)) − pick(Z, target) + logsumexp(Z − top, axis=-1)
    #     N×T
    losses = (
        top[:, :, 0]
        - np.take_along_axis(Z, target[:, :, None], axis=2)[:, :, 0]
        + shifted_logsumexp(Z, top, axis=2)
    )
    L = losses.sum() / (N * T)                        # L = mean(losses)
    return {
        "X0": X0, "A1": A1, "Q1": Q1, "K1": K1, "S1": S1, "Y1": Y1, "M1": M1, "X1": X1, "A2": A2, "Q2": Q2,
        "K2": K2, "S2": S2, "Y2": Y2, "M2": M2, "X2": X2, "O": O, "Z": Z, "L": L,
    }


def init_params(rng: np.random.Generator | int, **dims: int) -> dict[str, np.ndarray]:
    """Initial parameters drawn from a numpy.random.Generator, or a seed; sizes as in init_params(rng, D=4)."""
    T, V, h, d, F = chosen(dims, DIMS, ("T", "V", "h", "d", "F"), ("h",))
    rng = generator(rng)
    params = {
        "E": rng.standard_normal((V, d * h)) * 0.1,
        "P": np.zeros((T, d * h)),
        "ga1": np.ones(d * h),
        "ga2": np.ones(d * h),
        "ca1": np.zeros(d * h),
        "ca2": np.zeros(d * h),
        "W_q1": rng.standard_normal((d * h, d * h)) / (d * h) ** 0.5,
        "W_q2": rng.standard_normal((d * h, d * h)) / (d * h) ** 0.5,
        "W_k1": rng.standard_normal((d * h, d * h)) / (d * h) ** 0.5,
        "W_k2": rng.standard_normal((d * h, d * h)) / (d * h) ** 0.5,
        "W_v1": rng.standard_normal((d * h, d * h)) / (d * h) ** 0.5,
        "W_v2": rng.standard_normal((d * h, d * h)) / (d * h) ** 0.5,
        "W_o1": rng.standard_normal((d * h, d * h)) / (d * h) ** 0.5,
        "W_o2": rng.standard_normal((d * h, d * h)) / (d * h) ** 0.5,
        "gb1": np.ones(d * h),
        "gb2": np.ones(d * h),
        "cb1": np.zeros(d * h),
        "cb2": np.zeros(d * h),
        "W_u1": rng.standard_normal((d * h, F)) / (d * h) ** 0.5,
        "W_u2": rng.standard_normal((d * h, F)) / (d * h) ** 0.5,
        "b_u1": np.zeros(F),
        "b_u2": np.zeros(F),
        "W_d1": rng.standard_normal((F, d * h)) / F ** 0.5,
        "W_d2": rng.standard_normal((F, d * h)) / F ** 0.5,
        "b_d1": np.zeros(d * h),
        "b_d2": np.zeros(d * h),
        "g": np.ones(d * h),
        "c": np.zeros(d * h),
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
    sizes = {
        "V": arrays["E"].shape[0], "T": arrays["P"].shape[0], "F": arrays["W_u1"].shape[1],
        "N": arrays["words"].shape[0],
    }
    if dims is not None:
        add_sizes(sizes, dims, DIMS, arrays, shapes)
    if "d" in sizes:
        sizes.setdefault("h", arrays["E"].shape[1] // max(sizes["d"], 1))
    sizes.setdefault("h", 2)
    sizes.setdefault("d", arrays["E"].shape[1] // max(sizes["h"], 1))
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


def shifted_logsumexp(a: np.ndarray, s: np.ndarray, axis: int | tuple, keepdims: bool = False) -> np.ndarray:
    """log(sum(e^(a - s))) along an axis."""
    total = np.log(total_of(np.exp(a - s), axis))
    return total if keepdims else total.squeeze(axis)


def softmax_parts(
    a: np.ndarray, axis: int | tuple, keepdims: bool = False, out: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """softmax(a), into out where that is given, the largest entry of a, which stays with size 1, and logsumexp of what
    a has less than that, from the same exponentials."""
    top = largest(a, axis)
    e = np.subtract(a, top, out=out)
    np.exp(e, out=e)
    total = total_of(e, axis)
    e /= unless_zero(total)
    total = np.log(total)
    return e, top, total if keepdims else total.squeeze(axis)


def scatter_add(g: np.ndarray, index: np.ndarray, rows: int) -> np.ndarray:
    """Rows of g added up in the rows of a zero array that index names: the adjoint of table[index]."""
    out = np.zeros((rows, *g.shape[index.ndim :]), g.dtype)
    index = np.where(index < 0, index + rows, index).reshape(-1)  # -1 and rows - 1 are one row
    order = np.argsort(index, kind="stable")
    if order.size:
        places = index[order]
        starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
        flat = g.reshape(order.size, *out.shape[1:])
        out[places[starts]] = np.add.reduceat(flat[order], starts, axis=0)
    return out


def check_cache(cache: dict, mark: str) -> None:
    """ValueError for what forward did not return."""
    if not isinstance(cache, dict) or mark not in cache:
        raise ValueError("backward takes the cache, which is the second of the two that forward returns")


def scaled(grads: dict, dtypes: dict, upstream: np.ndarray | float) -> dict[str, np.ndarray]:
    """The gradients of a loss times its upstream gradient, a number; each in the dtype of its array."""
    if not isinstance(upstream, float) and as_array("upstream", upstream).ndim != 0:
        raise ValueError(f"upstream has to be a number, the gradient of the loss; its shape is {np.shape(upstream)}")
    if upstream != 1:
        grads = {name: grad * upstream for name, grad in grads.items()}
    return returned(grads, dtypes)


def returned(arrays: dict, dtypes: dict) -> dict[str, np.ndarray]:
    """The arrays in the dtypes to return them in; those of intermediates stay as they are."""
    return {n: in_dtype(a, dtypes[n]) if n in dtypes else np.asarray(a)[()] for n, a in arrays.items()}
