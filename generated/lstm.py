"""lstm: long short-term memory over T steps with a language-model head

Written by symbackprop 0.1.0 from the model text MODEL; `symbackprop verify FILE` checks it, edited or not.
The code is yours: use it, change it, pass it on as you like.
PARAMS and DATA say which arrays forward takes, by name, and their shapes.
"""

# mypy: disable-error-code="no-any-return, type-arg"
# ruff: noqa: E501, RUF100
import numpy as np

NAME = "lstm"
MODEL = """\
# name: lstm
# summary: long short-term memory over T steps with a language-model head
# source: named in UMass CS685 and Stanford CS224N; Hochreiter and Schmidhuber 1997
# tags: architecture, recurrent, language
dim T, N, V, E, H
data words: T x N int < V, target: T x N int < V, h[0]: N x H, s[0]: N x H
param C: V x E, W_i: E x H, U_i: H x H, b_i: H, W_f: E x H, U_f: H x H, b_f: H, W_g: E x H
param U_g: H x H, b_g: H, W_o: E x H, U_o: H x H, b_o: H, V_o: H x V, b_v: V
x = C[words]
for t in 1..T:
    i[t] = sigmoid(x[t] @ W_i + h[t-1] @ U_i + b_i)
    f[t] = sigmoid(x[t] @ W_f + h[t-1] @ U_f + b_f)
    g[t] = tanh(x[t] @ W_g + h[t-1] @ U_g + b_g)
    o[t] = sigmoid(x[t] @ W_o + h[t-1] @ U_o + b_o)
    s[t] = f[t] * s[t-1] + i[t] * g[t]
    h[t] = o[t] * tanh(s[t])
z = h @ V_o + b_v
loss L = mean(cross_entropy(z, target))
"""
PARAMS = {
    "C": ("V", "E"), "W_i": ("E", "H"), "U_i": ("H", "H"), "b_i": ("H",), "W_f": ("E", "H"),
    "U_f": ("H", "H"), "b_f": ("H",), "W_g": ("E", "H"), "U_g": ("H", "H"), "b_g": ("H",), "W_o": ("E", "H"),
    "U_o": ("H", "H"), "b_o": ("H",), "V_o": ("H", "V"), "b_v": ("V",),
}
DATA = {"words": ("T", "N"), "target": ("T", "N"), "h0": ("N", "H"), "s0": ("N", "H")}
DIMS = {"T": None, "N": None, "V": None, "E": None, "H": None}
LOSS = "L"
INTEGERS = {"words": "V", "target": "V"}
DTYPE = np.float64


def forward(params: dict, data: dict, dims: dict | None = None) -> tuple[float, dict]:
    """Computes L, and the cache that backward reads. ValueError for arrays that are not as PARAMS and DATA say."""
    arrays, sizes, dtype, dtypes = read(params, data, dims)
    C = arrays["C"]                                   # V×E
    W_i = arrays["W_i"]                               # E×H
    U_i = arrays["U_i"]                               # H×H
    b_i = arrays["b_i"]                               # H
    W_f = arrays["W_f"]                               # E×H
    U_f = arrays["U_f"]                               # H×H
    b_f = arrays["b_f"]                               # H
    W_g = arrays["W_g"]                               # E×H
    U_g = arrays["U_g"]                               # H×H
    b_g = arrays["b_g"]                               # H
    W_o = arrays["W_o"]                               # E×H
    U_o = arrays["U_o"]                               # H×H
    b_o = arrays["b_o"]                               # H
    V_o = arrays["V_o"]                               # H×V
    b_v = arrays["b_v"]                               # V
    words = arrays["words"]                           # T×N
    target = arrays["target"]                         # T×N
    h0 = arrays["h0"]                                 # N×H
    s0 = arrays["s0"]                                 # N×H
    T, N, V, E, H = sizes["T"], sizes["N"], sizes["V"], sizes["E"], sizes["H"]
    x = C[words]                                      # x = C[words]   T×N×E
    t1 = (x.reshape(N * T, E) @ W_o).reshape(T, N, H)  # t1 = x W_o   T×N×H
    t2 = (x.reshape(N * T, E) @ W_f).reshape(T, N, H)  # t2 = x W_f   T×N×H
    t3 = (x.reshape(N * T, E) @ W_i).reshape(T, N, H)  # t3 = x W_i   T×N×H
    t4 = (x.reshape(N * T, E) @ W_g).reshape(T, N, H)  # t4 = x W_g   T×N×H
    h_prev = h0                                       # h_prev = h0   N×H
    s_prev = s0                                       # s_prev = s0   N×H
    h_states = np.empty((T + 1, N, H), dtype)         # (T + 1)×N×H
    h_states[0] = h_prev
    h_before, h = h_states[:-1], h_states[1:]         # before and after every step   T×N×H
    o = np.empty((T, N, H), dtype)                    # T×N×H
    a = np.empty((T, N, H), dtype)                    # T×N×H
    i = np.empty((T, N, H), dtype)                    # T×N×H
    g = np.empty((T, N, H), dtype)                    # T×N×H
    s_states = np.empty((T + 1, N, H), dtype)         # (T + 1)×N×H
    s_states[0] = s_prev
    s_before, s = s_states[:-1], s_states[1:]         # before and after every step   T×N×H
    f = np.empty((T, N, H), dtype)                    # T×N×H
    for t in range(T):
        z_o_t = t1[t] + h_prev @ U_o + b_o            # z_o[t] = t1[t] + h[t-1] U_o + b_o   N×H
        o_t = o[t] = sigmoid(z_o_t)                   # o[t] = sigmoid(z_o[t])   N×H
        z_f_t = t2[t] + h_prev @ U_f + b_f            # z_f[t] = t2[t] + h[t-1] U_f + b_f   N×H
        f_t = f[t] = sigmoid(z_f_t)                   # f[t] = sigmoid(z_f[t])   N×H
        z_i_t = t3[t] + h_prev @ U_i + b_i            # z_i[t] = t3[t] + h[t-1] U_i + b_i   N×H
        i_t = i[t] = sigmoid(z_i_t)                   # i[t] = sigmoid(z_i[t])   N×H
        z_g_t = t4[t] + h_prev @ U_g + b_g            # z_g[t] = t4[t] + h[t-1] U_g + b_g   N×H
        g_t = g[t] = np.tanh(z_g_t)                   # g[t] = tanh(z_g[t])   N×H
        s_t = s[t] = f_t * s_prev + i_t * g_t         # s[t] = f[t] ⊙ s[t-1] + i[t] ⊙ g[t]   N×H
        a_t = a[t] = np.tanh(s_t)                     # a[t] = tanh(s[t])   N×H
        h_t = h[t] = o_t * a_t                        # h[t] = o[t] ⊙ a[t]   N×H
        h_prev, s_prev = h_t, s_t
    z = (h.reshape(N * T, H) @ V_o).reshape(T, N, V) + b_v  # z = h V_o + b_v   T×N×V
    p, top, log_total = softmax_parts(z, axis=2)      # p = softmax(z)   T×N×V
    # losses = cross_entropy(z, target) = reshape(top, (T, N)) − pick(z, target) + log_total   T×N
    losses = top[:, :, 0] - np.take_along_axis(z, target[:, :, None], axis=2)[:, :, 0] + log_total
    L = losses.sum() / (N * T)                        # L = mean(losses)
    cache = {
        "p": p, "target": target, "V_o": V_o, "o": o, "a": a, "i": i, "g": g, "s_before": s_before, "f": f,
        "W_o": W_o, "U_o": U_o, "W_f": W_f, "U_f": U_f, "W_i": W_i, "U_i": U_i, "W_g": W_g, "U_g": U_g,
        "words": words, "x": x, "h_before": h_before, "h": h, "T": T, "N": N, "V": V, "E": E, "H": H,
        "dtype": dtype, "dtypes": dtypes,
    }
    return dtype.type(L), cache


def backward(cache: dict, upstream: float = 1.0) -> dict[str, np.ndarray]:
    """The gradient of L, times upstream, with respect to every parameter and input."""
    check_cache(cache, "dtypes")
    p = cache["p"]                                    # T×N×V
    target = cache["target"]                          # T×N
    V_o = cache["V_o"]                                # H×V
    o = cache["o"]                                    # T×N×H
    a = cache["a"]                                    # T×N×H
    i = cache["i"]                                    # T×N×H
    g = cache["g"]                                    # T×N×H
    s_before = cache["s_before"]                      # T×N×H
    f = cache["f"]                                    # T×N×H
    W_o = cache["W_o"]                                # E×H
    U_o = cache["U_o"]                                # H×H
    W_f = cache["W_f"]                                # E×H
    U_f = cache["U_f"]                                # H×H
    W_i = cache["W_i"]                                # E×H
    U_i = cache["U_i"]                                # H×H
    W_g = cache["W_g"]                                # E×H
    U_g = cache["U_g"]                                # H×H
    words = cache["words"]                            # T×N
    x = cache["x"]                                    # T×N×E
    h_before = cache["h_before"]                      # T×N×H
    h = cache["h"]                                    # T×N×H
    T, N, V, E, H, dtype = cache["T"], cache["N"], cache["V"], cache["E"], cache["H"], cache["dtype"]
    dz = p / (N * T)                                  # dz = (p − one_hot(target, V)) / (N*T)   T×N×V
    at = *np.indices((T, N), sparse=True), target     # the entry of every row that the one-hot array marks
    dz[at] = (p[at] - 1) / (N * T)
    dV_o = h.reshape(N * T, H).T @ dz.reshape(N * T, V)  # dV_o = sum(hᵀ dz, axis=0)   H×V
    db_v = dz.sum(axis=(0, 1))                        # db_v = sum(dz, axis=(0, 1))   V
    dh_out = (dz.reshape(N * T, V) @ V_o.T).reshape(T, N, H)  # dh_out = dz V_oᵀ   T×N×H
    dh_next = ds_next = np.zeros((N, H), dtype)       # dh_next = ds_next = broadcast(0, (N, H))   N×H
    dz_o = np.empty((T, N, H), dtype)                 # T×N×H
    dz_f = np.empty((T, N, H), dtype)                 # T×N×H
    dz_i = np.empty((T, N, H), dtype)                 # T×N×H
    dz_g = np.empty((T, N, H), dtype)                 # T×N×H
    U_o_T = U_o.T.copy()                              # a copy, since every step reads it
    U_f_T = U_f.T.copy()                              # a copy, since every step reads it
    U_i_T = U_i.T.copy()                              # a copy, since every step reads it
    U_g_T = U_g.T.copy()                              # a copy, since every step reads it
    for t in reversed(range(T)):
        dh_t = dh_next + dh_out[t]                    # dh_t = dh_next + dh_out[t]   N×H
        ds_t = ds_next + dh_t * o[t] * (1 - a[t] ** 2)  # ds_t = ds_next + dh_t ⊙ o[t] ⊙ (1 − a[t]²)   N×H
        dz_g_t = dz_g[t] = ds_t * i[t] * (1 - g[t] ** 2)  # dz_g_t = ds_t ⊙ i[t] ⊙ (1 − g[t]²)   N×H
        dz_i_t = dz_i[t] = ds_t * g[t] * i[t] * (1 - i[t])  # dz_i_t = ds_t ⊙ g[t] ⊙ i[t] ⊙ (1 − i[t])   N×H
        # dz_f_t = ds_t ⊙ s[t-1] ⊙ f[t] ⊙ (1 − f[t])   N×H
        dz_f_t = dz_f[t] = ds_t * s_before[t] * f[t] * (1 - f[t])
        dz_o_t = dz_o[t] = dh_t * a[t] * o[t] * (1 - o[t])  # dz_o_t = dh_t ⊙ a[t] ⊙ o[t] ⊙ (1 − o[t])   N×H
        # dh_next = dz_g_t U_gᵀ + dz_i_t U_iᵀ + dz_f_t U_fᵀ + dz_o_t U_oᵀ   N×H
        dh_next = dz_g_t @ U_g_T + dz_i_t @ U_i_T + dz_f_t @ U_f_T + dz_o_t @ U_o_T
        ds_next = ds_t * f[t]                         # ds_next = ds_t ⊙ f[t]   N×H
    dW_o = x.reshape(N * T, E).T @ dz_o.reshape(N * T, H)  # dW_o = sum(xᵀ dz_o, axis=0)   E×H
    dU_o = h_before.reshape(N * T, H).T @ dz_o.reshape(N * T, H)  # dU_o = sum(h_beforeᵀ dz_o, axis=0)   H×H
    db_o = dz_o.sum(axis=(0, 1))                      # db_o = sum(dz_o, axis=(0, 1))   H
    dW_f = x.reshape(N * T, E).T @ dz_f.reshape(N * T, H)  # dW_f = sum(xᵀ dz_f, axis=0)   E×H
    dU_f = h_before.reshape(N * T, H).T @ dz_f.reshape(N * T, H)  # dU_f = sum(h_beforeᵀ dz_f, axis=0)   H×H
    db_f = dz_f.sum(axis=(0, 1))                      # db_f = sum(dz_f, axis=(0, 1))   H
    dW_i = x.reshape(N * T, E).T @ dz_i.reshape(N * T, H)  # dW_i = sum(xᵀ dz_i, axis=0)   E×H
    dU_i = h_before.reshape(N * T, H).T @ dz_i.reshape(N * T, H)  # dU_i = sum(h_beforeᵀ dz_i, axis=0)   H×H
    db_i = dz_i.sum(axis=(0, 1))                      # db_i = sum(dz_i, axis=(0, 1))   H
    dW_g = x.reshape(N * T, E).T @ dz_g.reshape(N * T, H)  # dW_g = sum(xᵀ dz_g, axis=0)   E×H
    dU_g = h_before.reshape(N * T, H).T @ dz_g.reshape(N * T, H)  # dU_g = sum(h_beforeᵀ dz_g, axis=0)   H×H
    db_g = dz_g.sum(axis=(0, 1))                      # db_g = sum(dz_g, axis=(0, 1))   H
    # dx = dz_g W_gᵀ + dz_i W_iᵀ + dz_f W_fᵀ + dz_o W_oᵀ   T×N×E
    dx = (
        (dz_g.reshape(N * T, H) @ W_g.T).reshape(T, N, E)
        + (dz_i.reshape(N * T, H) @ W_i.T).reshape(T, N, E)
        + (dz_f.reshape(N * T, H) @ W_f.T).reshape(T, N, E)
        + (dz_o.reshape(N * T, H) @ W_o.T).reshape(T, N, E)
    )
    dC = scatter_add(dx, words, V)                    # dC = scatter_add(dx, words, V)   V×E
    grads = {
        "C": dC, "W_i": dW_i, "U_i": dU_i, "b_i": db_i, "W_f": dW_f, "U_f": dU_f, "b_f": db_f, "W_g": dW_g,
        "U_g": dU_g, "b_g": db_g, "W_o": dW_o, "U_o": dU_o, "b_o": db_o, "V_o": dV_o, "b_v": db_v,
    }
    return scaled(grads, cache["dtypes"], upstream)


def loss_and_grads(params: dict, data: dict, dims: dict | None = None) -> tuple[float, dict]:
    """L and its gradients."""
    loss, cache = forward(params, data, dims=dims)
    return loss, backward(cache)


def outputs(params: dict, data: dict, dims: dict | None = None) -> dict[str, np.ndarray]:
    """Every named intermediate, by its name."""
    arrays, sizes, dtype, _ = read(params, data, dims)
    C = arrays["C"]                                   # V×E
    W_i = arrays["W_i"]                               # E×H
    U_i = arrays["U_i"]                               # H×H
    b_i = arrays["b_i"]                               # H
    W_f = arrays["W_f"]                               # E×H
    U_f = arrays["U_f"]                               # H×H
    b_f = arrays["b_f"]                               # H
    W_g = arrays["W_g"]                               # E×H
    U_g = arrays["U_g"]                               # H×H
    b_g = arrays["b_g"]                               # H
    W_o = arrays["W_o"]                               # E×H
    U_o = arrays["U_o"]                               # H×H
    b_o = arrays["b_o"]                               # H
    V_o = arrays["V_o"]                               # H×V
    b_v = arrays["b_v"]                               # V
    words = arrays["words"]                           # T×N
    target = arrays["target"]                         # T×N
    h0 = arrays["h0"]                                 # N×H
    s0 = arrays["s0"]                                 # N×H
    T, N, V, E, H = sizes["T"], sizes["N"], sizes["V"], sizes["E"], sizes["H"]
    x = C[words]                                      # x = C[words]   T×N×E
    t1 = (x.reshape(N * T, E) @ W_o).reshape(T, N, H)  # t1 = x W_o   T×N×H
    t2 = (x.reshape(N * T, E) @ W_f).reshape(T, N, H)  # t2 = x W_f   T×N×H
    t3 = (x.reshape(N * T, E) @ W_i).reshape(T, N, H)  # t3 = x W_i   T×N×H
    t4 = (x.reshape(N * T, E) @ W_g).reshape(T, N, H)  # t4 = x W_g   T×N×H
    h_prev = h0                                       # h_prev = h0   N×H
    s_prev = s0                                       # s_prev = s0   N×H
    h = np.empty((T, N, H), dtype)                    # T×N×H
    i = np.empty((T, N, H), dtype)                    # T×N×H
    f = np.empty((T, N, H), dtype)                    # T×N×H
    g = np.empty((T, N, H), dtype)                    # T×N×H
    o = np.empty((T, N, H), dtype)                    # T×N×H
    s = np.empty((T, N, H), dtype)                    # T×N×H
    for t in range(T):
        z_o_t = t1[t] + h_prev @ U_o + b_o            # z_o[t] = t1[t] + h[t-1] U_o + b_o   N×H
        o_t = o[t] = sigmoid(z_o_t)                   # o[t] = sigmoid(z_o[t])   N×H
        z_f_t = t2[t] + h_prev @ U_f + b_f            # z_f[t] = t2[t] + h[t-1] U_f + b_f   N×H
        f_t = f[t] = sigmoid(z_f_t)                   # f[t] = sigmoid(z_f[t])   N×H
        z_i_t = t3[t] + h_prev @ U_i + b_i            # z_i[t] = t3[t] + h[t-1] U_i + b_i   N×H
        i_t = i[t] = sigmoid(z_i_t)                   # i[t] = sigmoid(z_i[t])   N×H
        z_g_t = t4[t] + h_prev @ U_g + b_g            # z_g[t] = t4[t] + h[t-1] U_g + b_g   N×H
        g_t = g[t] = np.tanh(z_g_t)                   # g[t] = tanh(z_g[t])   N×H
        s_t = s[t] = f_t * s_prev + i_t * g_t         # s[t] = f[t] ⊙ s[t-1] + i[t] ⊙ g[t]   N×H
        a_t = np.tanh(s_t)                            # a[t] = tanh(s[t])   N×H
        h_t = h[t] = o_t * a_t                        # h[t] = o[t] ⊙ a[t]   N×H
        h_prev, s_prev = h_t, s_t
    z = (h.reshape(N * T, H) @ V_o).reshape(T, N, V) + b_v  # z = h V_o + b_v   T×N×V
    top = largest(z, axis=2)                          # top = shift(z, axis=-1)   T×N×1
    # losses = cross_entropy(z, target) = reshape(top, (T, N)) − pick(z, target) + logsumexp(z − top, axis=-1)
    #     T×N
    losses = (
        top[:, :, 0]
        - np.take_along_axis(z, target[:, :, None], axis=2)[:, :, 0]
        + shifted_logsumexp(z, top, axis=2)
    )
    L = losses.sum() / (N * T)                        # L = mean(losses)
    return {"x": x, "h": h, "z": z, "L": L, "i": i, "f": f, "g": g, "o": o, "s": s}


def init_params(rng: np.random.Generator | int, **dims: int) -> dict[str, np.ndarray]:
    """Initial parameters drawn from a numpy.random.Generator, or a seed; sizes as in init_params(rng, D=4)."""
    V, E, H = chosen(dims, DIMS, ("V", "E", "H"))
    rng = generator(rng)
    params = {
        "C": rng.standard_normal((V, E)) * 0.1,
        "W_i": rng.standard_normal((E, H)) / E ** 0.5,
        "U_i": rng.standard_normal((H, H)) / H ** 0.5,
        "b_i": np.zeros(H),
        "W_f": rng.standard_normal((E, H)) / E ** 0.5,
        "U_f": rng.standard_normal((H, H)) / H ** 0.5,
        "b_f": np.zeros(H),
        "W_g": rng.standard_normal((E, H)) / E ** 0.5,
        "U_g": rng.standard_normal((H, H)) / H ** 0.5,
        "b_g": np.zeros(H),
        "W_o": rng.standard_normal((E, H)) / E ** 0.5,
        "U_o": rng.standard_normal((H, H)) / H ** 0.5,
        "b_o": np.zeros(H),
        "V_o": rng.standard_normal((H, V)) / H ** 0.5,
        "b_v": np.zeros(V),
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
        "V": arrays["C"].shape[0], "E": arrays["C"].shape[1], "H": arrays["W_i"].shape[1],
        "T": arrays["words"].shape[0], "N": arrays["words"].shape[1],
    }
    if dims is not None:
        add_sizes(sizes, dims, DIMS, arrays, shapes)
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


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^(-x)); an overflowing e^(-x) gives the right 0."""
    e = np.negative(x)
    out = e if e.ndim else None
    with np.errstate(over="ignore"):
        return np.divide(1, np.add(1, np.exp(e, out=out), out=out), out=out)


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
