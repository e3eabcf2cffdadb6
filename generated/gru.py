"""gru: gated recurrent unit over T steps with a language-model head

Written by symbackprop 0.1.0 from the model text MODEL; `symbackprop verify FILE` checks it, edited or not.
The code is yours: use it, change it, pass it on as you like.
PARAMS and DATA say which arrays forward takes, by name, and their shapes.
"""

# mypy: disable-error-code="no-any-return, type-arg"
# ruff: noqa: E501, RUF100
import numpy as np

NAME = "gru"
MODEL = """\
# name: gru
# summary: gated recurrent unit over T steps with a language-model head
# source: Cho et al. 2014
# tags: architecture, recurrent, language
dim T, N, V, E, H
data words: T x N int < V, target: T x N int < V, h[0]: N x H
param C: V x E, W_r: E x H, U_r: H x H, b_r: H, W_u: E x H, U_u: H x H, b_u: H, W_n: E x H
param U_n: H x H, b_n: H, V_o: H x V, b_v: V
x = C[words]
for t in 1..T:
    r[t] = sigmoid(x[t] @ W_r + h[t-1] @ U_r + b_r)
    u[t] = sigmoid(x[t] @ W_u + h[t-1] @ U_u + b_u)
    n[t] = tanh(x[t] @ W_n + r[t] * (h[t-1] @ U_n) + b_n)
    h[t] = (1 - u[t]) * n[t] + u[t] * h[t-1]
z = h @ V_o + b_v
loss L = mean(cross_entropy(z, target))
"""
PARAMS = {
    "C": ("V", "E"), "W_r": ("E", "H"), "U_r": ("H", "H"), "b_r": ("H",), "W_u": ("E", "H"),
    "U_u": ("H", "H"), "b_u": ("H",), "W_n": ("E", "H"), "U_n": ("H", "H"), "b_n": ("H",), "V_o": ("H", "V"),
    "b_v": ("V",),
}
DATA = {"words": ("T", "N"), "target": ("T", "N"), "h0": ("N", "H")}
DIMS = {"T": None, "N": None, "V": None, "E": None, "H": None}
LOSS = "L"
INTEGERS = {"words": "V", "target": "V"}
DTYPE = np.float64


def forward(params: dict, data: dict, dims: dict | None = None) -> tuple[float, dict]:
    """Computes L, and the cache that backward reads. ValueError for arrays that are not as PARAMS and DATA say."""
    arrays, sizes, dtype, dtypes = read(params, data, dims)
    C = arrays["C"]                                   # V×E
    W_r = arrays["W_r"]                               # E×H
    U_r = arrays["U_r"]                               # H×H
    b_r = arrays["b_r"]                               # H
    W_u = arrays["W_u"]                               # E×H
    U_u = arrays["U_u"]                               # H×H
    b_u = arrays["b_u"]                               # H
    W_n = arrays["W_n"]                               # E×H
    U_n = arrays["U_n"]                               # H×H
    b_n = arrays["b_n"]                               # H
    V_o = arrays["V_o"]                               # H×V
    b_v = arrays["b_v"]                               # V
    words = arrays["words"]                           # T×N
    target = arrays["target"]                         # T×N
    h0 = arrays["h0"]                                 # N×H
    T, N, V, E, H = sizes["T"], sizes["N"], sizes["V"], sizes["E"], sizes["H"]
    x = C[words]                                      # x = C[words]   T×N×E
    t1 = (x.reshape(N * T, E) @ W_u).reshape(T, N, H)  # t1 = x W_u   T×N×H
    t2 = (x.reshape(N * T, E) @ W_n).reshape(T, N, H)  # t2 = x W_n   T×N×H
    t3 = (x.reshape(N * T, E) @ W_r).reshape(T, N, H)  # t3 = x W_r   T×N×H
    h_prev = h0                                       # h_prev = h0   N×H
    h_states = np.empty((T + 1, N, H), dtype)         # (T + 1)×N×H
    h_states[0] = h_prev
    h_before, h = h_states[:-1], h_states[1:]         # before and after every step   T×N×H
    u = np.empty((T, N, H), dtype)                    # T×N×H
    n = np.empty((T, N, H), dtype)                    # T×N×H
    r = np.empty((T, N, H), dtype)                    # T×N×H
    a = np.empty((T, N, H), dtype)                    # T×N×H
    for t in range(T):
        z_u_t = t1[t] + h_prev @ U_u + b_u            # z_u[t] = t1[t] + h[t-1] U_u + b_u   N×H
        u_t = u[t] = sigmoid(z_u_t)                   # u[t] = sigmoid(z_u[t])   N×H
        z_r_t = t3[t] + h_prev @ U_r + b_r            # z_r[t] = t3[t] + h[t-1] U_r + b_r   N×H
        r_t = r[t] = sigmoid(z_r_t)                   # r[t] = sigmoid(z_r[t])   N×H
        a_t = a[t] = h_prev @ U_n                     # a[t] = h[t-1] U_n   N×H
        z_n_t = t2[t] + r_t * a_t + b_n               # z_n[t] = t2[t] + r[t] ⊙ a[t] + b_n   N×H
        n_t = n[t] = np.tanh(z_n_t)                   # n[t] = tanh(z_n[t])   N×H
        h_t = h[t] = (1 - u_t) * n_t + u_t * h_prev   # h[t] = (1 − u[t]) ⊙ n[t] + u[t] ⊙ h[t-1]   N×H
        h_prev = h_t
    z = (h.reshape(N * T, H) @ V_o).reshape(T, N, V) + b_v  # z = h V_o + b_v   T×N×V
    p, top, log_total = softmax_parts(z, axis=2)      # p = softmax(z)   T×N×V
    # losses = cross_entropy(z, target) = reshape(top, (T, N)) − pick(z, target) + log_total   T×N
    losses = top[:, :, 0] - np.take_along_axis(z, target[:, :, None], axis=2)[:, :, 0] + log_total
    L = losses.sum() / (N * T)                        # L = mean(losses)
    cache = {
        "p": p, "target": target, "V_o": V_o, "u": u, "n": n, "r": r, "a": a, "h_before": h_before,
        "W_u": W_u, "U_u": U_u, "W_n": W_n, "W_r": W_r, "U_r": U_r, "U_n": U_n, "words": words, "x": x,
        "h": h, "T": T, "N": N, "V": V, "E": E, "H": H, "dtype": dtype, "dtypes": dtypes,
    }
    return dtype.type(L), cache


def backward(cache: dict, upstream: float = 1.0) -> dict[str, np.ndarray]:
    """The gradient of L, times upstream, with respect to every parameter and input."""
    check_cache(cache, "dtypes")
    p = cache["p"]                                    # T×N×V
    target = cache["target"]                          # T×N
    V_o = cache["V_o"]                                # H×V
    u = cache["u"]                                    # T×N×H
    n = cache["n"]                                    # T×N×H
    r = cache["r"]                                    # T×N×H
    a = cache["a"]                                    # T×N×H
    h_before = cache["h_before"]                      # T×N×H
    W_u = cache["W_u"]                                # E×H
    U_u = cache["U_u"]                                # H×H
    W_n = cache["W_n"]                                # E×H
    W_r = cache["W_r"]                                # E×H
    U_r = cache["U_r"]                                # H×H
    U_n = cache["U_n"]                                # H×H
    words = cache["words"]                            # T×N
    x = cache["x"]                                    # T×N×E
    h = cache["h"]                                    # T×N×H
    T, N, V, E, H, dtype = cache["T"], cache["N"], cache["V"], cache["E"], cache["H"], cache["dtype"]
    dz = p / (N * T)                                  # dz = (p − one_hot(target, V)) / (N*T)   T×N×V
    at = *np.indices((T, N), sparse=True), target     # the entry of every row that the one-hot array marks
    dz[at] = (p[at] - 1) / (N * T)
    dV_o = h.reshape(N * T, H).T @ dz.reshape(N * T, V)  # dV_o = sum(hᵀ dz, axis=0)   H×V
    db_v = dz.sum(axis=(0, 1))                        # db_v = sum(dz, axis=(0, 1))   V
    dh_out = (dz.reshape(N * T, V) @ V_o.T).reshape(T, N, H)  # dh_out = dz V_oᵀ   T×N×H
    dh_next = np.zeros((N, H), dtype)                 # dh_next = broadcast(0, (N, H))   N×H
    dz_u = np.empty((T, N, H), dtype)                 # T×N×H
    dz_n = np.empty((T, N, H), dtype)                 # T×N×H
    dz_r = np.empty((T, N, H), dtype)                 # T×N×H
    da = np.empty((T, N, H), dtype)                   # T×N×H
    U_u_T = U_u.T.copy()                              # a copy, since every step reads it
    U_r_T = U_r.T.copy()                              # a copy, since every step reads it
    U_n_T = U_n.T.copy()                              # a copy, since every step reads it
    for t in reversed(range(T)):
        u_t = u[t]
        dh_t = dh_next + dh_out[t]                    # dh_t = dh_next + dh_out[t]   N×H
        # dz_n_t = dh_t ⊙ (1 − u[t]) ⊙ (1 − n[t]²)   N×H
        dz_n_t = dz_n[t] = dh_t * (1 - u_t) * (1 - n[t] ** 2)
        da_t = da[t] = dz_n_t * r[t]                  # da_t = dz_n_t ⊙ r[t]   N×H
        # dz_r_t = dz_n_t ⊙ a[t] ⊙ r[t] ⊙ (1 − r[t])   N×H
        dz_r_t = dz_r[t] = dz_n_t * a[t] * r[t] * (1 - r[t])
        # dz_u_t = dh_t ⊙ (h[t-1] − n[t]) ⊙ u[t] ⊙ (1 − u[t])   N×H
        dz_u_t = dz_u[t] = dh_t * (h_before[t] - n[t]) * u_t * (1 - u_t)
        # dh_next = dh_t ⊙ u[t] + da_t U_nᵀ + dz_r_t U_rᵀ + dz_u_t U_uᵀ   N×H
        dh_next = dh_t * u_t + da_t @ U_n_T + dz_r_t @ U_r_T + dz_u_t @ U_u_T
    dW_u = x.reshape(N * T, E).T @ dz_u.reshape(N * T, H)  # dW_u = sum(xᵀ dz_u, axis=0)   E×H
    dU_u = h_before.reshape(N * T, H).T @ dz_u.reshape(N * T, H)  # dU_u = sum(h_beforeᵀ dz_u, axis=0)   H×H
    db_u = dz_u.sum(axis=(0, 1))                      # db_u = sum(dz_u, axis=(0, 1))   H
    dW_n = x.reshape(N * T, E).T @ dz_n.reshape(N * T, H)  # dW_n = sum(xᵀ dz_n, axis=0)   E×H
    dW_r = x.reshape(N * T, E).T @ dz_r.reshape(N * T, H)  # dW_r = sum(xᵀ dz_r, axis=0)   E×H
    dU_r = h_before.reshape(N * T, H).T @ dz_r.reshape(N * T, H)  # dU_r = sum(h_beforeᵀ dz_r, axis=0)   H×H
    db_r = dz_r.sum(axis=(0, 1))                      # db_r = sum(dz_r, axis=(0, 1))   H
    dU_n = h_before.reshape(N * T, H).T @ da.reshape(N * T, H)  # dU_n = sum(h_beforeᵀ da, axis=0)   H×H
    db_n = dz_n.sum(axis=(0, 1))                      # db_n = sum(dz_n, axis=(0, 1))   H
    # dx = dz_r W_rᵀ + dz_n W_nᵀ + dz_u W_uᵀ   T×N×E
    dx = (
        (dz_r.reshape(N * T, H) @ W_r.T).reshape(T, N, E)
        + (dz_n.reshape(N * T, H) @ W_n.T).reshape(T, N, E)
        + (dz_u.reshape(N * T, H) @ W_u.T).reshape(T, N, E)
    )
    dC = scatter_add(dx, words, V)                    # dC = scatter_add(dx, words, V)   V×E
    grads = {
        "C": dC, "W_r": dW_r, "U_r": dU_r, "b_r": db_r, "W_u": dW_u, "U_u": dU_u, "b_u": db_u, "W_n": dW_n,
        "U_n": dU_n, "b_n": db_n, "V_o": dV_o, "b_v": db_v,
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
    W_r = arrays["W_r"]                               # E×H
    U_r = arrays["U_r"]                               # H×H
    b_r = arrays["b_r"]                               # H
    W_u = arrays["W_u"]                               # E×H
    U_u = arrays["U_u"]                               # H×H
    b_u = arrays["b_u"]                               # H
    W_n = arrays["W_n"]                               # E×H
    U_n = arrays["U_n"]                               # H×H
    b_n = arrays["b_n"]                               # H
    V_o = arrays["V_o"]                               # H×V
    b_v = arrays["b_v"]                               # V
    words = arrays["words"]                           # T×N
    target = arrays["target"]                         # T×N
    h0 = arrays["h0"]                                 # N×H
    T, N, V, E, H = sizes["T"], sizes["N"], sizes["V"], sizes["E"], sizes["H"]
    x = C[words]                                      # x = C[words]   T×N×E
    t1 = (x.reshape(N * T, E) @ W_u).reshape(T, N, H)  # t1 = x W_u   T×N×H
    t2 = (x.reshape(N * T, E) @ W_n).reshape(T, N, H)  # t2 = x W_n   T×N×H
    t3 = (x.reshape(N * T, E) @ W_r).reshape(T, N, H)  # t3 = x W_r   T×N×H
    h_prev = h0                                       # h_prev = h0   N×H
    h = np.empty((T, N, H), dtype)                    # T×N×H
    r = np.empty((T, N, H), dtype)                    # T×N×H
    u = np.empty((T, N, H), dtype)                    # T×N×H
    n = np.empty((T, N, H), dtype)                    # T×N×H
    for t in range(T):
        z_u_t = t1[t] + h_prev @ U_u + b_u            # z_u[t] = t1[t] + h[t-1] U_u + b_u   N×H
        u_t = u[t] = sigmoid(z_u_t)                   # u[t] = sigmoid(z_u[t])   N×H
        z_r_t = t3[t] + h_prev @ U_r + b_r            # z_r[t] = t3[t] + h[t-1] U_r + b_r   N×H
        r_t = r[t] = sigmoid(z_r_t)                   # r[t] = sigmoid(z_r[t])   N×H
        a_t = h_prev @ U_n                            # a[t] = h[t-1] U_n   N×H
        z_n_t = t2[t] + r_t * a_t + b_n               # z_n[t] = t2[t] + r[t] ⊙ a[t] + b_n   N×H
        n_t = n[t] = np.tanh(z_n_t)                   # n[t] = tanh(z_n[t])   N×H
        h_t = h[t] = (1 - u_t) * n_t + u_t * h_prev   # h[t] = (1 − u[t]) ⊙ n[t] + u[t] ⊙ h[t-1]   N×H
        h_prev = h_t
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
    return {"x": x, "h": h, "z": z, "L": L, "r": r, "u": u, "n": n}


def init_params(rng: np.random.Generator | int, **dims: int) -> dict[str, np.ndarray]:
    """Initial parameters drawn from a numpy.random.Generator, or a seed; sizes as in init_params(rng, D=4)."""
    V, E, H = chosen(dims, DIMS, ("V", "E", "H"))
    rng = generator(rng)
    params = {
        "C": rng.standard_normal((V, E)) * 0.1,
        "W_r": rng.standard_normal((E, H)) / E ** 0.5,
        "U_r": rng.standard_normal((H, H)) / H ** 0.5,
        "b_r": np.zeros(H),
        "W_u": rng.standard_normal((E, H)) / E ** 0.5,
        "U_u": rng.standard_normal((H, H)) / H ** 0.5,
        "b_u": np.zeros(H),
        "W_n": rng.standard_normal((E, H)) / E ** 0.5,
        "U_n": rng.standard_normal((H, H)) / H ** 0.5,
        "b_n": np.zeros(H),
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
        "V": arrays["C"].shape[0], "E": arrays["C"].shape[1], "H": arrays["W_r"].shape[1],
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
