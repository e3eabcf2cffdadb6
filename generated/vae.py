"""vae: variational autoencoder, reparameterised: the noise is data

Written by symbackprop 0.1.0 from the model text MODEL; `symbackprop verify FILE` checks it, edited or not.
The code is yours: use it, change it, pass it on as you like.
PARAMS and DATA say which arrays forward takes, by name, and their shapes.
"""

# mypy: disable-error-code="no-any-return, type-arg"
# ruff: noqa: E501, RUF100
import numpy as np

NAME = "vae"
MODEL = """\
# name: vae
# summary: variational autoencoder, reparameterised: the noise is data
# source: Kingma and Welling 2014
# tags: architecture
dim N, D, H, Z
data X: N x D, eps: N x Z
param W1: D x H, b1: H, W_m: H x Z, b_m: Z, W_s: H x Z, b_s: Z, W2: Z x H, b2: H, W3: H x D, b3: D
a1 = X @ W1 + b1
h1 = tanh(a1)
mu = h1 @ W_m + b_m
s = h1 @ W_s + b_s
z = mu + exp(s / 2) * eps
a2 = z @ W2 + b2
h2 = tanh(a2)
r = h2 @ W3 + b3
R = mean(sum(binary_cross_entropy_with_logits(r, X), axis=-1))
K = mean(sum(mu**2 + exp(s) - 1 - s, axis=-1)) / 2
loss L = R + K
notation mu = "\\mu"
notation eps = "\\varepsilon"
"""
PARAMS = {
    "W1": ("D", "H"), "b1": ("H",), "W_m": ("H", "Z"), "b_m": ("Z",), "W_s": ("H", "Z"), "b_s": ("Z",),
    "W2": ("Z", "H"), "b2": ("H",), "W3": ("H", "D"), "b3": ("D",),
}
DATA = {"X": ("N", "D"), "eps": ("N", "Z")}
DIMS = {"N": None, "D": None, "H": None, "Z": None}
LOSS = "L"
INTEGERS: dict = {}
DTYPE = np.float64


def forward(params: dict, data: dict, dims: dict | None = None) -> tuple[float, dict]:
    """Computes L, and the cache that backward reads. ValueError for arrays that are not as PARAMS and DATA say."""
    arrays, sizes, dtype, dtypes = read(params, data, dims)
    W1 = arrays["W1"]                                 # D×H
    b1 = arrays["b1"]                                 # H
    W_m = arrays["W_m"]                               # H×Z
    b_m = arrays["b_m"]                               # Z
    W_s = arrays["W_s"]                               # H×Z
    b_s = arrays["b_s"]                               # Z
    W2 = arrays["W2"]                                 # Z×H
    b2 = arrays["b2"]                                 # H
    W3 = arrays["W3"]                                 # H×D
    b3 = arrays["b3"]                                 # D
    X = arrays["X"]                                   # N×D
    eps = arrays["eps"]                               # N×Z
    N = sizes["N"]
    a1 = X @ W1 + b1                                  # a1 = X W1 + b1   N×H
    h1 = np.tanh(a1)                                  # h1 = tanh(a1)   N×H
    mu = h1 @ W_m + b_m                               # mu = h1 W_m + b_m   N×Z
    s = h1 @ W_s + b_s                                # s = h1 W_s + b_s   N×Z
    a = s / 2                                         # a = s / 2   N×Z
    b = np.exp(a)                                     # b = exp(a)   N×Z
    z = mu + b * eps                                  # z = mu + b ⊙ eps   N×Z
    a2 = z @ W2 + b2                                  # a2 = z W2 + b2   N×H
    h2 = np.tanh(a2)                                  # h2 = tanh(a2)   N×H
    r = h2 @ W3 + b3                                  # r = h2 W3 + b3   N×D
    # R = mean(sum(binary_cross_entropy_with_logits(r, X), axis=-1))
    R = logit_loss(r, X).sum(axis=1).sum() / N
    term = mu ** 2 + np.expm1(s) - s                  # term = mu² + exp(s) − 1 − s = mu² + expm1(s) − s   N×Z
    K = term.sum(axis=1).sum() / N / 2                # K = sum(sum(term, axis=-1)) / N / 2
    L = R + K
    cache = {
        "r": r, "X": X, "W3": W3, "h2": h2, "W2": W2, "eps": eps, "b": b, "s": s, "W_s": W_s, "mu": mu,
        "W_m": W_m, "h1": h1, "z": z, "N": N, "dtypes": dtypes,
    }
    return dtype.type(L), cache


def backward(cache: dict, upstream: float = 1.0) -> dict[str, np.ndarray]:
    """The gradient of L, times upstream, with respect to every parameter and input."""
    check_cache(cache, "dtypes")
    r = cache["r"]                                    # N×D
    X = cache["X"]                                    # N×D
    W3 = cache["W3"]                                  # H×D
    h2 = cache["h2"]                                  # N×H
    W2 = cache["W2"]                                  # Z×H
    eps = cache["eps"]                                # N×Z
    b = cache["b"]                                    # N×Z
    s = cache["s"]                                    # N×Z
    W_s = cache["W_s"]                                # H×Z
    mu = cache["mu"]                                  # N×Z
    W_m = cache["W_m"]                                # H×Z
    h1 = cache["h1"]                                  # N×H
    z = cache["z"]                                    # N×Z
    N = cache["N"]
    dr = (sigmoid(r) - X) / N                         # dr = (sigmoid(r) − X) / N   N×D
    dW3 = h2.T @ dr                                   # dW3 = h2ᵀ dr   H×D
    db3 = dr.sum(axis=0)                              # db3 = sum(dr, axis=0)   D
    dh2 = dr @ W3.T                                   # dh2 = dr W3ᵀ   N×H
    da2 = dh2 * (1 - h2 ** 2)                         # da2 = dh2 ⊙ (1 − h2²)   N×H
    dW2 = z.T @ da2                                   # dW2 = zᵀ da2   Z×H
    db2 = da2.sum(axis=0)                             # db2 = sum(da2, axis=0)   H
    dz = da2 @ W2.T                                   # dz = da2 W2ᵀ   N×Z
    db = dz * eps                                     # db = dz ⊙ eps   N×Z
    da = db * b                                       # da = db ⊙ b   N×Z
    ds = da / 2 - quotient(1, 2 * N) + np.exp(s) / (2 * N)  # ds = da / 2 − 1/(2*N) + exp(s) / (2*N)   N×Z
    dW_s = h1.T @ ds                                  # dW_s = h1ᵀ ds   H×Z
    db_s = ds.sum(axis=0)                             # db_s = sum(ds, axis=0)   Z
    dmu = dz + mu / N                                 # dmu = dz + mu / N   N×Z
    dW_m = h1.T @ dmu                                 # dW_m = h1ᵀ dmu   H×Z
    db_m = dmu.sum(axis=0)                            # db_m = sum(dmu, axis=0)   Z
    dh1 = ds @ W_s.T + dmu @ W_m.T                    # dh1 = ds W_sᵀ + dmu W_mᵀ   N×H
    da1 = dh1 * (1 - h1 ** 2)                         # da1 = dh1 ⊙ (1 − h1²)   N×H
    dW1 = X.T @ da1                                   # dW1 = Xᵀ da1   D×H
    db1 = da1.sum(axis=0)                             # db1 = sum(da1, axis=0)   H
    grads = {
        "W1": dW1, "b1": db1, "W_m": dW_m, "b_m": db_m, "W_s": dW_s, "b_s": db_s, "W2": dW2, "b2": db2,
        "W3": dW3, "b3": db3,
    }
    return scaled(grads, cache["dtypes"], upstream)


def loss_and_grads(params: dict, data: dict, dims: dict | None = None) -> tuple[float, dict]:
    """L and its gradients."""
    loss, cache = forward(params, data, dims=dims)
    return loss, backward(cache)


def outputs(params: dict, data: dict, dims: dict | None = None) -> dict[str, np.ndarray]:
    """Every named intermediate, by its name."""
    arrays, sizes, _, _ = read(params, data, dims)
    W1 = arrays["W1"]                                 # D×H
    b1 = arrays["b1"]                                 # H
    W_m = arrays["W_m"]                               # H×Z
    b_m = arrays["b_m"]                               # Z
    W_s = arrays["W_s"]                               # H×Z
    b_s = arrays["b_s"]                               # Z
    W2 = arrays["W2"]                                 # Z×H
    b2 = arrays["b2"]                                 # H
    W3 = arrays["W3"]                                 # H×D
    b3 = arrays["b3"]                                 # D
    X = arrays["X"]                                   # N×D
    eps = arrays["eps"]                               # N×Z
    N = sizes["N"]
    a1 = X @ W1 + b1                                  # a1 = X W1 + b1   N×H
    h1 = np.tanh(a1)                                  # h1 = tanh(a1)   N×H
    mu = h1 @ W_m + b_m                               # mu = h1 W_m + b_m   N×Z
    s = h1 @ W_s + b_s                                # s = h1 W_s + b_s   N×Z
    a = s / 2                                         # a = s / 2   N×Z
    b = np.exp(a)                                     # b = exp(a)   N×Z
    z = mu + b * eps                                  # z = mu + b ⊙ eps   N×Z
    a2 = z @ W2 + b2                                  # a2 = z W2 + b2   N×H
    h2 = np.tanh(a2)                                  # h2 = tanh(a2)   N×H
    r = h2 @ W3 + b3                                  # r = h2 W3 + b3   N×D
    # R = mean(sum(binary_cross_entropy_with_logits(r, X), axis=-1))
    R = logit_loss(r, X).sum(axis=1).sum() / N
    term = mu ** 2 + np.expm1(s) - s                  # term = mu² + exp(s) − 1 − s = mu² + expm1(s) − s   N×Z
    K = term.sum(axis=1).sum() / N / 2                # K = sum(sum(term, axis=-1)) / N / 2
    L = R + K
    return {"a1": a1, "h1": h1, "mu": mu, "s": s, "z": z, "a2": a2, "h2": h2, "r": r, "R": R, "K": K, "L": L}


def init_params(rng: np.random.Generator | int, **dims: int) -> dict[str, np.ndarray]:
    """Initial parameters drawn from a numpy.random.Generator, or a seed; sizes as in init_params(rng, D=4)."""
    D, H, Z = chosen(dims, DIMS, ("D", "H", "Z"))
    rng = generator(rng)
    params = {
        "W1": rng.standard_normal((D, H)) / D ** 0.5,
        "b1": np.zeros(H),
        "W_m": rng.standard_normal((H, Z)) / H ** 0.5,
        "b_m": np.zeros(Z),
        "W_s": rng.standard_normal((H, Z)) / H ** 0.5,
        "b_s": np.zeros(Z),
        "W2": rng.standard_normal((Z, H)) / Z ** 0.5,
        "b2": np.zeros(H),
        "W3": rng.standard_normal((H, D)) / H ** 0.5,
        "b3": np.zeros(D),
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
        "D": arrays["W1"].shape[0], "H": arrays["W1"].shape[1], "Z": arrays["W_m"].shape[1],
        "N": arrays["X"].shape[0],
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


def quotient(a: float, b: float) -> float:
    """a / b of plain numbers; where b is 0 what it is of arrays, not an exception."""
    return a / b if b else a * float("inf")


def gated(x: np.ndarray, gate: np.ndarray) -> np.ndarray:
    """x * gate, and 0 where the gate is 0, even at an infinite x."""
    product = x * gate
    return product if np.isfinite(np.vdot(product, product)) else np.where(gate == 0, 0, x) * gate


def logit_loss(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """softplus(z) - y * z without cancellation: -(y log p + (1 - y) log(1 - p)) for p = sigmoid(z)."""
    return gated(z, (z > 0) - y) + np.log1p(np.exp(-np.abs(z)))


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
