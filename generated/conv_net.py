"""conv-net: convolutional classifier of 8 x 8 images: two times conv, ReLU, max-pool, then fully connected

Written by symbackprop 0.1.0 from the model text MODEL; `symbackprop verify FILE` checks it, edited or not.
The code is yours: use it, change it, pass it on as you like.
PARAMS and DATA say which arrays forward takes, by name, and their shapes.
"""

# mypy: disable-error-code="no-any-return, type-arg"
# ruff: noqa: E501, RUF100
import numpy as np

NAME = "conv-net"
MODEL = """\
# name: conv-net
# summary: convolutional classifier of 8 x 8 images: two times conv, ReLU, max-pool, then fully connected
# source: Stanford CS231n, lecture 4 (LeNet's plan)
# tags: architecture, convolution
dim N, K = 8, M = 16, H = 64, C = 10
data X: N x 8 x 8 x 1, y: N int < C
param W1: 3 x 3 x 1 x K, b1: K, W2: 3 x 3 x K x M, b2: M, W3: 4*M x H, b3: H, W4: H x C, b4: C
Z1 = conv2d(X, W1, padding=1) + b1
A1 = relu(Z1)
P1 = max_pool2d(A1, 2)
Z2 = conv2d(P1, W2, padding=1) + b2
A2 = relu(Z2)
P2 = max_pool2d(A2, 2)
F = reshape(P2, (N, 4*M))
Z3 = F @ W3 + b3
A3 = relu(Z3)
Z4 = A3 @ W4 + b4
loss L = mean(cross_entropy(Z4, y))
"""
PARAMS = {
    "W1": (3, 3, 1, "K"), "b1": ("K",), "W2": (3, 3, "K", "M"), "b2": ("M",), "W3": ("4*M", "H"),
    "b3": ("H",), "W4": ("H", "C"), "b4": ("C",),
}
DATA = {"X": ("N", 8, 8, 1), "y": ("N",)}
DIMS = {"N": None, "K": 8, "M": 16, "H": 64, "C": 10}
LOSS = "L"
INTEGERS = {"y": "C"}
DTYPE = np.float64


def forward(params: dict, data: dict, dims: dict | None = None) -> tuple[float, dict]:
    """Computes L, and the cache that backward reads. ValueError for arrays that are not as PARAMS and DATA say."""
    arrays, sizes, dtype, dtypes = read(params, data, dims)
    W1 = arrays["W1"]                                 # 3×3×1×K
    b1 = arrays["b1"]                                 # K
    W2 = arrays["W2"]                                 # 3×3×K×M
    b2 = arrays["b2"]                                 # M
    W3 = arrays["W3"]                                 # 4M×H
    b3 = arrays["b3"]                                 # H
    W4 = arrays["W4"]                                 # H×C
    b4 = arrays["b4"]                                 # C
    X = arrays["X"]                                   # N×8×8×1
    y = arrays["y"]                                   # N
    N, M = sizes["N"], sizes["M"]
    Z1 = conv2d(X, W1, (1, 1), (1, 1), (8, 8)) + b1   # Z1 = conv2d(X, W1, padding=1) + b1   N×8×8×K
    A1 = np.maximum(Z1, 0)                            # A1 = relu(Z1)   N×8×8×K
    a = unfold(A1, 1, 2, 2)                           # a = unfold(A1, 2, axis=1, stride=2)   N×4×2×8×K
    b = unfold(a, 3, 2, 2)                            # b = unfold(a, 2, axis=3, stride=2)   N×4×2×4×2×K
    P1 = over_short_axes(np.maximum, b, (2, 4))       # P1 = max(b, axis=(2, 4))   N×4×4×K
    Z2 = conv2d(P1, W2, (1, 1), (1, 1), (4, 4)) + b2  # Z2 = conv2d(P1, W2, padding=1) + b2   N×4×4×M
    A2 = np.maximum(Z2, 0)                            # A2 = relu(Z2)   N×4×4×M
    c = unfold(A2, 1, 2, 2)                           # c = unfold(A2, 2, axis=1, stride=2)   N×2×2×4×M
    g = unfold(c, 3, 2, 2)                            # g = unfold(c, 2, axis=3, stride=2)   N×2×2×2×2×M
    P2 = over_short_axes(np.maximum, g, (2, 4))       # P2 = max(g, axis=(2, 4))   N×2×2×M
    F = P2.reshape(N, 4 * M)                          # F = reshape(P2, (N, 4*M))   N×4M
    Z3 = F @ W3 + b3                                  # Z3 = F W3 + b3   N×H
    A3 = np.maximum(Z3, 0)                            # A3 = relu(Z3)   N×H
    Z4 = A3 @ W4 + b4                                 # Z4 = A3 W4 + b4   N×C
    p, top, log_total = softmax_parts(Z4, axis=1)     # p = softmax(Z4)   N×C
    # losses = cross_entropy(Z4, y) = reshape(top, (N,)) − pick(Z4, y) + log_total   N
    losses = top[:, 0] - Z4[np.arange(N), y] + log_total
    L = losses.sum() / N                              # L = mean(losses)
    cache = {
        "X": X, "p": p, "y": y, "W4": W4, "Z3": Z3, "W3": W3, "g": g, "P2": P2, "Z2": Z2, "W2": W2, "b": b,
        "P1": P1, "Z1": Z1, "F": F, "A3": A3, "N": N, "M": M, "dtypes": dtypes,
    }
    return dtype.type(L), cache


def backward(cache: dict, upstream: float = 1.0) -> dict[str, np.ndarray]:
    """The gradient of L, times upstream, with respect to every parameter and input."""
    check_cache(cache, "dtypes")
    X = cache["X"]                                    # N×8×8×1
    p = cache["p"]                                    # N×C
    y = cache["y"]                                    # N
    W4 = cache["W4"]                                  # H×C
    Z3 = cache["Z3"]                                  # N×H
    W3 = cache["W3"]                                  # 4M×H
    g = cache["g"]                                    # N×2×2×2×2×M
    P2 = cache["P2"]                                  # N×2×2×M
    Z2 = cache["Z2"]                                  # N×4×4×M
    W2 = cache["W2"]                                  # 3×3×K×M
    b = cache["b"]                                    # N×4×2×4×2×K
    P1 = cache["P1"]                                  # N×4×4×K
    Z1 = cache["Z1"]                                  # N×8×8×K
    F = cache["F"]                                    # N×4M
    A3 = cache["A3"]                                  # N×H
    N, M = cache["N"], cache["M"]
    dZ4 = p / N                                       # dZ4 = (p − one_hot(y, C)) / N   N×C
    at = np.arange(N), y                              # the entry of every row that the one-hot array marks
    dZ4[at] = (p[at] - 1) / N
    dW4 = A3.T @ dZ4                                  # dW4 = A3ᵀ dZ4   H×C
    db4 = dZ4.sum(axis=0)                             # db4 = sum(dZ4, axis=0)   C
    dA3 = dZ4 @ W4.T                                  # dA3 = dZ4 W4ᵀ   N×H
    dZ3 = dA3 * (Z3 > 0)                              # dZ3 = dA3 ⊙ (Z3 > 0)   N×H
    dW3 = F.T @ dZ3                                   # dW3 = Fᵀ dZ3   4M×H
    db3 = dZ3.sum(axis=0)                             # db3 = sum(dZ3, axis=0)   H
    dF = dZ3 @ W3.T                                   # dF = dZ3 W3ᵀ   N×4M
    dP2 = dF.reshape(N, 2, 2, M)                      # dP2 = reshape(dF, (N, 2, 2, M))   N×2×2×M
    # dg = reshape(dP2, (N, 2, 1, 2, 1, M)) ⊙ (g == reshape(P2, (N, 2, 1, 2, 1, M))) / sum(g == reshape(P2,
    #   (N, 2, 1, 2, 1, M)), axis=(2, 4), keepdims=True)   N×2×2×2×2×M
    dg = to_largest(dP2, g, P2, (2, 4))
    dc = fold(dg, 3, 4, 2)                            # dc = fold(dg, 4, axis=3, stride=2)   N×2×2×4×M
    dA2 = fold(dc, 1, 4, 2)                           # dA2 = fold(dc, 4, axis=1, stride=2)   N×4×4×M
    dZ2 = dA2 * (Z2 > 0)                              # dZ2 = dA2 ⊙ (Z2 > 0)   N×4×4×M
    # dW2 = conv2d_kernel(P1, dZ2, (3, 3), padding=1)   3×3×K×M
    dW2 = conv2d_kernel(P1, dZ2, (1, 1), (1, 1), (3, 3))
    db2 = np.einsum("abcd->d", dZ2)                   # db2 = sum(dZ2, axis=(0, 1, 2))   M
    # dP1 = conv2d_input(dZ2, W2, (4, 4), padding=1)   N×4×4×K
    dP1 = conv2d_input(dZ2, W2, (1, 1), (1, 1), (4, 4))
    # db = reshape(dP1, (N, 4, 1, 4, 1, K)) ⊙ (b == reshape(P1, (N, 4, 1, 4, 1, K))) / sum(b == reshape(P1,
    #   (N, 4, 1, 4, 1, K)), axis=(2, 4), keepdims=True)   N×4×2×4×2×K
    db = to_largest(dP1, b, P1, (2, 4))
    da = fold(db, 3, 8, 2)                            # da = fold(db, 8, axis=3, stride=2)   N×4×2×8×K
    dA1 = fold(da, 1, 8, 2)                           # dA1 = fold(da, 8, axis=1, stride=2)   N×8×8×K
    dZ1 = dA1 * (Z1 > 0)                              # dZ1 = dA1 ⊙ (Z1 > 0)   N×8×8×K
    # dW1 = conv2d_kernel(X, dZ1, (3, 3), padding=1)   3×3×1×K
    dW1 = conv2d_kernel(X, dZ1, (1, 1), (1, 1), (3, 3))
    db1 = np.einsum("abcd->d", dZ1)                   # db1 = sum(dZ1, axis=(0, 1, 2))   K
    grads = {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3, "W4": dW4, "b4": db4}
    return scaled(grads, cache["dtypes"], upstream)


def loss_and_grads(params: dict, data: dict, dims: dict | None = None) -> tuple[float, dict]:
    """L and its gradients."""
    loss, cache = forward(params, data, dims=dims)
    return loss, backward(cache)


def outputs(params: dict, data: dict, dims: dict | None = None) -> dict[str, np.ndarray]:
    """Every named intermediate, by its name."""
    arrays, sizes, _, _ = read(params, data, dims)
    W1 = arrays["W1"]                                 # 3×3×1×K
    b1 = arrays["b1"]                                 # K
    W2 = arrays["W2"]                                 # 3×3×K×M
    b2 = arrays["b2"]                                 # M
    W3 = arrays["W3"]                                 # 4M×H
    b3 = arrays["b3"]                                 # H
    W4 = arrays["W4"]                                 # H×C
    b4 = arrays["b4"]                                 # C
    X = arrays["X"]                                   # N×8×8×1
    y = arrays["y"]                                   # N
    N, M = sizes["N"], sizes["M"]
    Z1 = conv2d(X, W1, (1, 1), (1, 1), (8, 8)) + b1   # Z1 = conv2d(X, W1, padding=1) + b1   N×8×8×K
    A1 = np.maximum(Z1, 0)                            # A1 = relu(Z1)   N×8×8×K
    a = unfold(A1, 1, 2, 2)                           # a = unfold(A1, 2, axis=1, stride=2)   N×4×2×8×K
    b = unfold(a, 3, 2, 2)                            # b = unfold(a, 2, axis=3, stride=2)   N×4×2×4×2×K
    P1 = over_short_axes(np.maximum, b, (2, 4))       # P1 = max(b, axis=(2, 4))   N×4×4×K
    Z2 = conv2d(P1, W2, (1, 1), (1, 1), (4, 4)) + b2  # Z2 = conv2d(P1, W2, padding=1) + b2   N×4×4×M
    A2 = np.maximum(Z2, 0)                            # A2 = relu(Z2)   N×4×4×M
    c = unfold(A2, 1, 2, 2)                           # c = unfold(A2, 2, axis=1, stride=2)   N×2×2×4×M
    g = unfold(c, 3, 2, 2)                            # g = unfold(c, 2, axis=3, stride=2)   N×2×2×2×2×M
    P2 = over_short_axes(np.maximum, g, (2, 4))       # P2 = max(g, axis=(2, 4))   N×2×2×M
    F = P2.reshape(N, 4 * M)                          # F = reshape(P2, (N, 4*M))   N×4M
    Z3 = F @ W3 + b3                                  # Z3 = F W3 + b3   N×H
    A3 = np.maximum(Z3, 0)                            # A3 = relu(Z3)   N×H
    Z4 = A3 @ W4 + b4                                 # Z4 = A3 W4 + b4   N×C
    top = largest(Z4, axis=1)                         # top = shift(Z4, axis=-1)   N×1
    # losses = cross_entropy(Z4, y) = reshape(top, (N,)) − pick(Z4, y) + logsumexp(Z4 − top, axis=-1)   N
    losses = top[:, 0] - Z4[np.arange(N), y] + shifted_logsumexp(Z4, top, axis=1)
    L = losses.sum() / N                              # L = mean(losses)
    return {
        "Z1": Z1, "A1": A1, "P1": P1, "Z2": Z2, "A2": A2, "P2": P2, "F": F, "Z3": Z3, "A3": A3, "Z4": Z4,
        "L": L,
    }


def init_params(rng: np.random.Generator | int, **dims: int) -> dict[str, np.ndarray]:
    """Initial parameters drawn from a numpy.random.Generator, or a seed; sizes as in init_params(rng, D=4)."""
    K, M, H, C = chosen(dims, DIMS, ("K", "M", "H", "C"))
    rng = generator(rng)
    params = {
        "W1": rng.standard_normal((3, 3, 1, K)) * 0.471405,
        "b1": np.zeros(K),
        "W2": rng.standard_normal((3, 3, K, M)) / (9 * K / 2) ** 0.5,
        "b2": np.zeros(M),
        "W3": rng.standard_normal((4 * M, H)) / (2 * M) ** 0.5,
        "b3": np.zeros(H),
        "W4": rng.standard_normal((H, C)) / H ** 0.5,
        "b4": np.zeros(C),
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
        "K": arrays["W1"].shape[3], "M": arrays["W2"].shape[3], "H": arrays["W3"].shape[1],
        "C": arrays["W4"].shape[1], "N": arrays["X"].shape[0],
    }
    if dims is not None:
        add_sizes(sizes, dims, DIMS, arrays, shapes)
    sizes["4*M"] = 4 * sizes["M"]
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


def over_short_axes(combine: np.ufunc, a: np.ndarray, axes: tuple) -> np.ndarray:
    """combine.reduce over short axes, one by one and slice by slice: long runs of memory instead of a few entries."""
    for gone, axis in enumerate(sorted(axes)):
        first, *others = np.moveaxis(a, axis - gone, 0)
        a = first
        for part in others:
            a = combine(a, part)
    return a


def to_largest(g: np.ndarray, a: np.ndarray, top: np.ndarray, axes: tuple) -> np.ndarray:
    """g, in equal parts, at the entries of a that equal top, the largest ones over short axes; 0 at others."""
    *outer, inner = sorted(axes)
    place, width, out = inner - len(outer), a.shape[inner], np.empty(a.shape, np.result_type(g, a))
    slices, parts = (np.moveaxis(x, outer, range(len(outer))) for x in (a, out))
    g, spread = np.expand_dims(g, place), np.repeat(np.expand_dims(top, place), width, axis=place)
    hits = {at: slices[at] == spread for at in np.ndindex(*slices.shape[: len(outer)])}
    if sum(map(np.count_nonzero, hits.values())) != top.size or np.isnan(top).any():  # there are ties
        first, *others = (hit.view(np.int8) for hit in hits.values())
        ties = over_short_axes(np.add, sum(others, first), (place,))
        g = g / np.expand_dims(ties, place)
    g = np.repeat(g, width, axis=place)
    for at, hit in hits.items():
        np.multiply(g, hit, out=parts[at])
    return out


def unfold(a: np.ndarray, axis: int, width: int, stride: int) -> np.ndarray:
    """All windows along an axis, which becomes (window, place in the window); a view."""
    if width - stride <= a.shape[axis] < width:  # no window fits
        return np.zeros((*a.shape[:axis], 0, width, *a.shape[axis + 1 :]), a.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(a, width, axis=axis)
    return np.moveaxis(windows[(slice(None),) * axis + (slice(None, None, stride),)], -1, axis + 1)


def fold(a: np.ndarray, axis: int, size: int, stride: int) -> np.ndarray:
    """Overlapping windows added up into an axis of that size: the adjoint of unfold."""
    count, width = a.shape[axis], a.shape[axis + 1]
    if stride == width and size == count * width:
        return a.reshape(*a.shape[:axis], size, *a.shape[axis + 2 :])
    out = np.zeros((*a.shape[:axis], size, *a.shape[axis + 2 :]), a.dtype)
    lead = (slice(None),) * axis
    for k in range(width):
        covered = (*lead, slice(k, k + stride * count, stride))
        out[covered] += a.take(k, axis=axis + 1)
    return out


def patches(x: np.ndarray, kernel: tuple, stride: tuple, padding: tuple, size: tuple) -> np.ndarray:
    """The windows of images as rows of a matrix: (N·H'·W') × (kh·kw·C)."""
    (kh, kw), (ph, pw), (sh, sw), (rows, columns) = kernel, padding, stride, size
    if ph or pw:
        padded = np.zeros((x.shape[0], x.shape[1] + 2 * ph, x.shape[2] + 2 * pw, x.shape[3]), x.dtype)
        padded[:, ph : ph + x.shape[1], pw : pw + x.shape[2]] = x
        x = padded
    if kw * x.shape[3] < 16:  # too few entries at a time: place by place in the windows
        found = np.empty((x.shape[0], rows, columns, kh, kw, x.shape[3]), x.dtype)
        for i, j in np.ndindex(kh, kw):
            found[:, :, :, i, j] = x[:, i : i + sh * rows : sh, j : j + sw * columns : sw]
        return found.reshape(x.shape[0] * rows * columns, kh * kw * x.shape[3])
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))
    windows = windows[:, ::sh, ::sw][:, :rows, :columns].transpose(0, 1, 2, 4, 5, 3)
    return windows.reshape(x.shape[0] * rows * columns, kh * kw * x.shape[3])


def conv2d(x: np.ndarray, w: np.ndarray, stride: tuple, padding: tuple, size: tuple) -> np.ndarray:
    """Cross-correlation: every window of x times the kernel, as one matrix product."""
    kh, kw, c, k = w.shape
    rows = patches(x, (kh, kw), stride, padding, size)
    return (rows @ w.reshape(kh * kw * c, k)).reshape(x.shape[0], *size, k)


def conv2d_input(y: np.ndarray, w: np.ndarray, stride: tuple, padding: tuple, size: tuple) -> np.ndarray:
    """The adjoint of conv2d in x: every entry of y spread over the window it came from."""
    kh, kw, c, k = w.shape
    (sh, sw), (ph, pw), (n, rows, columns, _) = stride, padding, y.shape
    if (sh, sw) == (1, 1) and ph < kh and pw < kw and k < c:
        flipped = w[::-1, ::-1].transpose(0, 1, 3, 2)
        return conv2d(y, flipped, (1, 1), (kh - 1 - ph, kw - 1 - pw), size)
    out, y = np.zeros((n, size[0] + 2 * ph, size[1] + 2 * pw, c), y.dtype), y.reshape(n * rows * columns, k)
    for i, j in np.ndindex(kh, kw):
        out[:, i : i + sh * rows : sh, j : j + sw * columns : sw] += (y @ w[i, j].T).reshape(n, rows, columns, c)
    return out[:, ph : ph + size[0], pw : pw + size[1]]


def conv2d_kernel(x: np.ndarray, y: np.ndarray, stride: tuple, padding: tuple, size: tuple) -> np.ndarray:
    """The adjoint of conv2d in w: windows of x correlated with y, as one matrix product."""
    n, rows, columns, k = y.shape
    windows = patches(x, size, stride, padding, (rows, columns))
    return (windows.T @ y.reshape(n * rows * columns, k)).reshape(*size, x.shape[3], k)


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
