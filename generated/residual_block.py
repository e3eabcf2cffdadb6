"""residual-block: residual block of two convolutions with batch normalisation

Written by symbackprop 0.1.0 from the model text MODEL; `symbackprop verify FILE` checks it, edited or not.
The code is yours: use it, change it, pass it on as you like.
PARAMS and DATA say which arrays forward takes, by name, and their shapes.
"""

# mypy: disable-error-code="no-any-return, type-arg"
# ruff: noqa: E501, RUF100
import numpy as np

NAME = "residual-block"
MODEL = """\
# name: residual-block
# summary: residual block of two convolutions with batch normalisation
# source: He et al. 2015
# tags: architecture, convolution
dim N, S, K
input X: N x S x S x K
param W1: 3 x 3 x K x K, g1: K, c1: K, W2: 3 x 3 x K x K, g2: K, c2: K
Z1 = conv2d(X, W1, padding=1)
B1 = g1 * batch_norm(Z1) + c1
A1 = relu(B1)
Z2 = conv2d(A1, W2, padding=1)
B2 = g2 * batch_norm(Z2) + c2
R = X + B2
output Y = relu(R)
"""
PARAMS = {
    "W1": (3, 3, "K", "K"), "g1": ("K",), "c1": ("K",), "W2": (3, 3, "K", "K"), "g2": ("K",), "c2": ("K",),
}
DATA = {"X": ("N", "S", "S", "K")}
DIMS = {"N": None, "S": None, "K": None}
LOSS = None
OUTPUTS = ("Y",)
INTEGERS: dict = {}
DTYPE = np.float64


def forward(params: dict, data: dict, dims: dict | None = None) -> tuple[np.ndarray, dict]:
    """Computes Y, and the cache that backward reads. ValueError for arrays that are not as PARAMS and DATA say."""
    arrays, sizes, dtype, dtypes = read(params, data, dims)
    W1 = arrays["W1"]                                 # 3×3×K×K
    g1 = arrays["g1"]                                 # K
    c1 = arrays["c1"]                                 # K
    W2 = arrays["W2"]                                 # 3×3×K×K
    g2 = arrays["g2"]                                 # K
    c2 = arrays["c2"]                                 # K
    X = arrays["X"]                                   # N×S×S×K
    N, S, K = sizes["N"], sizes["S"], sizes["K"]
    Z1 = conv2d(X, W1, (1, 1), (1, 1), (S, S))        # Z1 = conv2d(X, W1, padding=1)   N×S×S×K
    # mu = mean(Z1, axis=(0, 1, 2), keepdims=True)   1×1×1×K
    mu = np.einsum("abcd->d", Z1)[None, None, None, :] / (N * S ** 2)
    Z1_tilde = Z1 - mu                                # Z1_tilde = Z1 − mu   N×S×S×K
    # v = mean(Z1_tilde², axis=(0, 1, 2), keepdims=True) + 1e-5   1×1×1×K
    v = np.einsum("abcd,abcd->d", Z1_tilde, Z1_tilde)[None, None, None, :] / (N * S ** 2) + 1e-05
    sigma = np.sqrt(v)                                # sigma = sqrt(v)   1×1×1×K
    Z1_hat = Z1_tilde / sigma                         # Z1_hat = Z1_tilde / sigma   N×S×S×K
    B1 = g1 * Z1_hat + c1                             # B1 = g1 ⊙ Z1_hat + c1   N×S×S×K
    A1 = np.maximum(B1, 0)                            # A1 = relu(B1)   N×S×S×K
    Z2 = conv2d(A1, W2, (1, 1), (1, 1), (S, S))       # Z2 = conv2d(A1, W2, padding=1)   N×S×S×K
    # mu_2 = mean(Z2, axis=(0, 1, 2), keepdims=True)   1×1×1×K
    mu_2 = np.einsum("abcd->d", Z2)[None, None, None, :] / (N * S ** 2)
    Z2_tilde = Z2 - mu_2                              # Z2_tilde = Z2 − mu_2   N×S×S×K
    # v_2 = mean(Z2_tilde², axis=(0, 1, 2), keepdims=True) + 1e-5   1×1×1×K
    v_2 = np.einsum("abcd,abcd->d", Z2_tilde, Z2_tilde)[None, None, None, :] / (N * S ** 2) + 1e-05
    sigma_2 = np.sqrt(v_2)                            # sigma_2 = sqrt(v_2)   1×1×1×K
    Z2_hat = Z2_tilde / sigma_2                       # Z2_hat = Z2_tilde / sigma_2   N×S×S×K
    B2 = g2 * Z2_hat + c2                             # B2 = g2 ⊙ Z2_hat + c2   N×S×S×K
    R = X + B2                                        # R = X + B2   N×S×S×K
    Y = np.maximum(R, 0)                              # Y = relu(R)   N×S×S×K
    cache = {
        "R": R, "g1": g1, "sigma": sigma, "g2": g2, "sigma_2": sigma_2, "Z2_hat": Z2_hat, "W2": W2, "B1": B1,
        "Z1_hat": Z1_hat, "W1": W1, "X": X, "A1": A1, "N": N, "S": S, "K": K, "dtype": dtype,
        "dtypes": dtypes,
    }
    return Y, cache


def backward(cache: dict, upstream: np.ndarray) -> dict[str, np.ndarray]:
    """The gradients with respect to every parameter and input, given upstream, the gradient of Y."""
    check_cache(cache, "dtypes")
    R = cache["R"]                                    # N×S×S×K
    g1 = cache["g1"]                                  # K
    sigma = cache["sigma"]                            # 1×1×1×K
    g2 = cache["g2"]                                  # K
    sigma_2 = cache["sigma_2"]                        # 1×1×1×K
    Z2_hat = cache["Z2_hat"]                          # N×S×S×K
    W2 = cache["W2"]                                  # 3×3×K×K
    B1 = cache["B1"]                                  # N×S×S×K
    Z1_hat = cache["Z1_hat"]                          # N×S×S×K
    W1 = cache["W1"]                                  # 3×3×K×K
    X = cache["X"]                                    # N×S×S×K
    A1 = cache["A1"]                                  # N×S×S×K
    N, S, K, dtype = cache["N"], cache["S"], cache["K"], cache["dtype"]
    dY = upstream_array("Y", upstream, (N, S, S, K), dtype)
    dR = dY * (R > 0)                                 # dR = dY ⊙ (R > 0)   N×S×S×K
    dg2 = np.einsum("abcd,abcd->d", dR, Z2_hat)       # dg2 = sum(dR ⊙ Z2_hat, axis=(0, 1, 2))   K
    dc2 = np.einsum("abcd->d", dR)                    # dc2 = sum(dR, axis=(0, 1, 2))   K
    # dZ2 = (g2 / reshape(sigma_2, (K,))) ⊙ (dR − (dg2 / (N*S**2)) ⊙ Z2_hat − dc2 / (N*S**2))   N×S×S×K
    dZ2 = g2 / sigma_2[0, 0, 0, :] * (dR - dg2 / (N * S ** 2) * Z2_hat - dc2 / (N * S ** 2))
    # dW2 = conv2d_kernel(A1, dZ2, (3, 3), padding=1)   3×3×K×K
    dW2 = conv2d_kernel(A1, dZ2, (1, 1), (1, 1), (3, 3))
    # dA1 = conv2d_input(dZ2, W2, (S, S), padding=1)   N×S×S×K
    dA1 = conv2d_input(dZ2, W2, (1, 1), (1, 1), (S, S))
    dB1 = dA1 * (B1 > 0)                              # dB1 = dA1 ⊙ (B1 > 0)   N×S×S×K
    dg1 = np.einsum("abcd,abcd->d", dB1, Z1_hat)      # dg1 = sum(dB1 ⊙ Z1_hat, axis=(0, 1, 2))   K
    dc1 = np.einsum("abcd->d", dB1)                   # dc1 = sum(dB1, axis=(0, 1, 2))   K
    # dZ1 = (g1 / reshape(sigma, (K,))) ⊙ (dB1 − (dg1 / (N*S**2)) ⊙ Z1_hat − dc1 / (N*S**2))   N×S×S×K
    dZ1 = g1 / sigma[0, 0, 0, :] * (dB1 - dg1 / (N * S ** 2) * Z1_hat - dc1 / (N * S ** 2))
    # dX = dR + conv2d_input(dZ1, W1, (S, S), padding=1)   N×S×S×K
    dX = dR + conv2d_input(dZ1, W1, (1, 1), (1, 1), (S, S))
    # dW1 = conv2d_kernel(X, dZ1, (3, 3), padding=1)   3×3×K×K
    dW1 = conv2d_kernel(X, dZ1, (1, 1), (1, 1), (3, 3))
    grads = {"X": dX, "W1": dW1, "g1": dg1, "c1": dc1, "W2": dW2, "g2": dg2, "c2": dc2}
    return returned(grads, cache["dtypes"])


def outputs(params: dict, data: dict, dims: dict | None = None) -> dict[str, np.ndarray]:
    """Every named intermediate, by its name."""
    arrays, sizes, _, _ = read(params, data, dims)
    W1 = arrays["W1"]                                 # 3×3×K×K
    g1 = arrays["g1"]                                 # K
    c1 = arrays["c1"]                                 # K
    W2 = arrays["W2"]                                 # 3×3×K×K
    g2 = arrays["g2"]                                 # K
    c2 = arrays["c2"]                                 # K
    X = arrays["X"]                                   # N×S×S×K
    N, S = sizes["N"], sizes["S"]
    Z1 = conv2d(X, W1, (1, 1), (1, 1), (S, S))        # Z1 = conv2d(X, W1, padding=1)   N×S×S×K
    # mu = mean(Z1, axis=(0, 1, 2), keepdims=True)   1×1×1×K
    mu = np.einsum("abcd->d", Z1)[None, None, None, :] / (N * S ** 2)
    Z1_tilde = Z1 - mu                                # Z1_tilde = Z1 − mu   N×S×S×K
    # v = mean(Z1_tilde², axis=(0, 1, 2), keepdims=True) + 1e-5   1×1×1×K
    v = np.einsum("abcd,abcd->d", Z1_tilde, Z1_tilde)[None, None, None, :] / (N * S ** 2) + 1e-05
    sigma = np.sqrt(v)                                # sigma = sqrt(v)   1×1×1×K
    Z1_hat = Z1_tilde / sigma                         # Z1_hat = Z1_tilde / sigma   N×S×S×K
    B1 = g1 * Z1_hat + c1                             # B1 = g1 ⊙ Z1_hat + c1   N×S×S×K
    A1 = np.maximum(B1, 0)                            # A1 = relu(B1)   N×S×S×K
    Z2 = conv2d(A1, W2, (1, 1), (1, 1), (S, S))       # Z2 = conv2d(A1, W2, padding=1)   N×S×S×K
    # mu_2 = mean(Z2, axis=(0, 1, 2), keepdims=True)   1×1×1×K
    mu_2 = np.einsum("abcd->d", Z2)[None, None, None, :] / (N * S ** 2)
    Z2_tilde = Z2 - mu_2                              # Z2_tilde = Z2 − mu_2   N×S×S×K
    # v_2 = mean(Z2_tilde², axis=(0, 1, 2), keepdims=True) + 1e-5   1×1×1×K
    v_2 = np.einsum("abcd,abcd->d", Z2_tilde, Z2_tilde)[None, None, None, :] / (N * S ** 2) + 1e-05
    sigma_2 = np.sqrt(v_2)                            # sigma_2 = sqrt(v_2)   1×1×1×K
    Z2_hat = Z2_tilde / sigma_2                       # Z2_hat = Z2_tilde / sigma_2   N×S×S×K
    B2 = g2 * Z2_hat + c2                             # B2 = g2 ⊙ Z2_hat + c2   N×S×S×K
    R = X + B2                                        # R = X + B2   N×S×S×K
    Y = np.maximum(R, 0)                              # Y = relu(R)   N×S×S×K
    return {"Z1": Z1, "B1": B1, "A1": A1, "Z2": Z2, "B2": B2, "R": R, "Y": Y}


def init_params(rng: np.random.Generator | int, **dims: int) -> dict[str, np.ndarray]:
    """Initial parameters drawn from a numpy.random.Generator, or a seed; sizes as in init_params(rng, D=4)."""
    K, = chosen(dims, DIMS, ("K",))
    rng = generator(rng)
    params = {
        "W1": rng.standard_normal((3, 3, K, K)) / (9 * K) ** 0.5,
        "g1": np.ones(K),
        "c1": np.zeros(K),
        "W2": rng.standard_normal((3, 3, K, K)) / (9 * K) ** 0.5,
        "g2": np.ones(K),
        "c2": np.zeros(K),
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
    sizes = {"K": arrays["W1"].shape[2], "N": arrays["X"].shape[0], "S": arrays["X"].shape[1]}
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


def returned(arrays: dict, dtypes: dict) -> dict[str, np.ndarray]:
    """The arrays in the dtypes to return them in; those of intermediates stay as they are."""
    return {n: in_dtype(a, dtypes[n]) if n in dtypes else np.asarray(a)[()] for n, a in arrays.items()}


def upstream_array(name: str, value: object, shape: tuple, dtype: np.dtype) -> np.ndarray:
    """The upstream gradient of an output, checked against the output's shape."""
    array = as_array(f"the upstream gradient of {name}", value)
    if array.shape != shape:
        raise ValueError(f"the upstream gradient of {name} has shape {array.shape}, expected {shape}")
    return array.astype(dtype, copy=False)[()]
