# mypy: disable-error-code="no-any-return, type-arg"
"""Helpers of modules for JAX that are not NumPy's with another name: arrays are never changed, Python decides nothing
by the value of an array, and what is no array passes through ``jit`` beside the arrays."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from symbackprop.codegen.helpers.checks import check_mapping

# -- what forward is given


@jax.tree_util.register_pytree_node_class
class Static:
    """Sizes and dtypes in a cache: no values that jit could trace, but part of how the cache is built."""

    def __init__(self, sizes: dict, dtype: jnp.dtype, dtypes: dict) -> None:
        self.sizes, self.dtype, self.dtypes = sizes, dtype, dtypes

    def tree_flatten(self) -> tuple:
        return (), (tuple(self.sizes.items()), self.dtype, tuple(self.dtypes.items()))

    @classmethod
    def tree_unflatten(cls, known: dict, arrays: dict) -> "Static":
        return cls(dict(known[0]), known[1], dict(known[2]))


def as_array(name: str, value: jax.Array | float) -> jax.Array:
    """The value as an array of real numbers; ValueError naming it for anything else."""
    try:
        array = jnp.asarray(value)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{name} is not an array: {error}") from None
    cut = jnp.issubdtype(array.dtype, jnp.integer) and array.dtype != getattr(value, "dtype", array.dtype)
    if cut and not isinstance(value, float):
        check_bits(name, value, jnp.iinfo(array.dtype))
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise ValueError(f"{name} is not an array of real numbers: its dtype is {array.dtype}")
    return array


def check_bits(name: str, value: jax.Array, limits: jnp.iinfo) -> None:
    """ValueError for integers that JAX would cut off: it has 32 bits for them unless jax_enable_x64 is on."""
    if value.size and (value.min() < limits.min or value.max() > limits.max):
        raise ValueError(f"{name} holds integers that {limits.dtype} does not: give floats, or set jax_enable_x64")


def as_integers(name: str, array: jax.Array) -> jax.Array:
    """Integer data; an empty list is fine, floats are not."""
    if jnp.issubdtype(array.dtype, jnp.floating) and array.size:
        raise ValueError(f"{name} has to hold integers, not {array.dtype}")
    return array.astype(int)


def float_dtypes(given: dict) -> dict:
    """The precisions asked for, by name: of what has a dtype of floats; lists and plain numbers follow the others."""
    dtypes = {name: value.dtype for name, value in given.items() if hasattr(value, "dtype")}
    return {name: at_hand(dtype) for name, dtype in dtypes.items() if jnp.issubdtype(dtype, jnp.floating)}


def computing_dtype(dtypes: dict, default: "jax.typing.DTypeLike") -> jnp.dtype:
    """The dtype to compute in: what the given ones have in common, at least float32, or the default."""
    return jnp.result_type(jnp.float32, *set(dtypes.values())) if dtypes else at_hand(default)


def as_floats(params: dict, default: "jax.typing.DTypeLike") -> dict[str, jnp.ndarray]:
    """The parameters as arrays of floats, in the dtypes that forward takes them to have."""
    check_mapping(params, "params")
    dtypes = float_dtypes(params)
    dtype = computing_dtype(dtypes, default)
    return {name: as_array(name, value).astype(dtypes.get(name, dtype)) for name, value in params.items()}


def at_hand(dtype: "jax.typing.DTypeLike") -> jnp.dtype:
    """The dtype, or float32 for float64 where JAX has that switched off (jax_enable_x64)."""
    return jax.dtypes.canonicalize_dtype(dtype)


def check_range(name: str, array: jax.Array, bound: str | int, sizes: dict) -> None:
    """ValueError unless 0 <= array < bound everywhere; under jit the values are not known and nothing is checked."""
    if isinstance(array, jax.core.Tracer) or not array.size:
        return
    if array.min() < 0 or array.max() >= sizes.get(bound, bound):
        wrong = array.min() if array.min() < 0 else array.max()
        limit = f"{bound} = {sizes[bound]}" if bound in sizes else bound
        raise ValueError(f"{name} holds {wrong}, outside 0 <= {name} < {limit}")


class Draws:
    """Standard normal numbers from a jax.random key."""

    def __init__(self, key: jax.Array) -> None:
        self.key = key

    def standard_normal(self, shape: tuple | int = ()) -> jax.Array:
        self.key, key = jax.random.split(self.key)
        return jax.random.normal(key, (shape,) if isinstance(shape, int) else shape)


def generator(rng: "jax.Array | int | Draws") -> "Draws":
    """What draws: a numpy.random.Generator itself, else a jax.random key or a seed, which may be a 0-d array."""
    if isinstance(rng, Draws):
        return rng
    if hasattr(rng, "standard_normal"):
        return rng.standard_normal.__self__
    dtype, axes = getattr(rng, "dtype", type(rng)), getattr(rng, "ndim", 0)
    if isinstance(rng, int) or (axes == 0 and jnp.issubdtype(dtype, jnp.integer)):
        try:
            return Draws(jax.random.key(rng))
        except OverflowError as error:
            raise ValueError(f"the seed {rng} has more bits than JAX takes: {error}") from None
    if (axes == 0 and jnp.issubdtype(dtype, jax.dtypes.prng_key)) or (axes == 1 and dtype == jnp.uint32):
        return Draws(rng)
    raise ValueError(f"rng has to be a jax.random key, or a whole number as a seed, not {rng!r}")


# -- what is returned


def scaled(grads: dict, dtypes: dict, upstream: jax.Array | float) -> dict[str, jax.Array]:
    """The gradients of a loss times its upstream gradient, a number; each in the dtype of its array."""
    factor = as_array("the upstream gradient", upstream)
    if factor.ndim:
        raise ValueError(f"upstream has to be a number, the gradient of the loss; its shape is {factor.shape}")
    return returned({name: grad * factor for name, grad in grads.items()}, dtypes)


def returned(arrays: dict, dtypes: dict) -> dict[str, jax.Array]:
    """The arrays in the dtypes to return them in."""
    return {name: jnp.asarray(array, dtypes.get(name)) for name, array in arrays.items()}


def compiled(product: object) -> object:
    """A product that is taken many times, compiled once: its loops would be compiled anew at every call."""
    return jax.jit(lambda v: product(v))  # type: ignore[operator]


def upstream_array(name: str, value: jax.Array | float, shape: tuple, dtype: jnp.dtype) -> jax.Array:
    """The upstream gradient of an output, checked against the output's shape."""
    array = as_array(f"the upstream gradient of {name}", value)
    if array.shape != shape:
        raise ValueError(f"the upstream gradient of {name} has shape {array.shape}, expected {shape}")
    return array.astype(dtype)


# -- scalar functions


def sigmoid(x: jax.Array) -> jax.Array:
    """1 / (1 + e^(-x)); an overflowing e^(-x) gives the right 0."""
    return 1 / (1 + jnp.exp(-x))


def quotient(a: float, b: float) -> float:
    """a / b of plain numbers, or b the logarithm of one; where b is 0 what it is of arrays, not an exception."""
    return a / b if hasattr(b, "dtype") or b else a * float("inf")


def counted(size: int) -> float:
    """A product of sizes beside arrays: a float where the integers of JAX do not hold it."""
    return size if size <= jnp.iinfo(at_hand(int)).max else float(size)


def bessel_scaled(n: jax.Array | float, x: jax.Array | float) -> jax.Array:
    """e^-|x| I_n(x) / x**n for the modified Bessel function, by its power series and, far out, by Hankel's."""
    n, size = jnp.round(n * jnp.ones_like(x)), jnp.abs(x)
    small, far = jnp.minimum(size, 20), jnp.maximum(size, 20)

    def near_term(k: jax.Array, found: jax.Array) -> tuple:
        term = found[0] * jnp.square(small) / (4 * k * (n + k))
        return term, found[1] + term

    def far_term(k: jax.Array, found: jax.Array) -> tuple:
        term = -found[0] * (4 * n * n - (2 * k - 1) ** 2) / (8 * k * far)
        return term, found[1] + term

    first, one = jnp.exp(-jax.scipy.special.gammaln(n + 1)) * 0.5**n, jnp.ones_like(size)
    near = jax.lax.fori_loop(1, 46, near_term, (first, first))[1]
    wave = jax.lax.fori_loop(1, 26, far_term, (one, one))[1]
    return jnp.where(size < 20, jnp.exp(-small) * near, wave / (2.5066282746310002 * jnp.sqrt(far) * far**n))


# -- reductions


def largest(a: jax.Array, axis: int | tuple) -> jax.Array:
    """The largest entry along an axis, which stays with size 1; 0 where that is infinite or there is none."""
    top = a.max(axis=axis, keepdims=True, initial=-jnp.inf)
    return jnp.where(jnp.isfinite(top), top, 0)


# -- adjoints of indexing, which add


def scatter_add(g: jax.Array, index: jax.Array, rows: int) -> jax.Array:
    """Rows of g added up in the rows of a zero array that index names: the adjoint of table[index]."""
    return jnp.zeros((rows, *g.shape[index.ndim :]), g.dtype).at[index].add(g)


def put_along_axis(g: jax.Array, index: jax.Array, axis: int, size: int) -> jax.Array:
    """Entries of g added where the index points along the axis, zero elsewhere: the adjoint of take_along_axis."""
    places = list(jnp.ogrid[tuple(slice(n) for n in index.shape)])
    places[axis] = index
    return jnp.zeros((*g.shape[:axis], size, *g.shape[axis + 1 :]), g.dtype).at[tuple(places)].add(g)


def pad(a: jax.Array, axis: int, start: int, size: int, step: int = 1) -> jax.Array:
    """Zeros with a at start, start + step, ... of an axis of that size: the adjoint of a slice."""
    places = start + step * jnp.arange(a.shape[axis])
    out = jnp.zeros((*a.shape[:axis], size, *a.shape[axis + 1 :]), a.dtype)
    return out.at[(slice(None),) * axis + (places,)].set(a)


# -- windows and convolution


def unfold(a: jax.Array, axis: int, width: int, stride: int) -> jax.Array:
    """All windows along an axis, which becomes (window, place in the window)."""
    if width - stride <= a.shape[axis] < width:  # no window fits
        return jnp.zeros((*a.shape[:axis], 0, width, *a.shape[axis + 1 :]), a.dtype)
    starts = stride * jnp.arange((a.shape[axis] - width) // stride + 1)
    return jnp.take(a, starts[:, None] + jnp.arange(width), axis=axis)


def fold(a: jax.Array, axis: int, size: int, stride: int) -> jax.Array:
    """Overlapping windows added up into an axis of that size: the adjoint of unfold."""
    places = stride * jnp.arange(a.shape[axis])[:, None] + jnp.arange(a.shape[axis + 1])
    out = jnp.zeros((*a.shape[:axis], size, *a.shape[axis + 2 :]), a.dtype)
    return out.at[(slice(None),) * axis + (places,)].add(a)


def correlated(
    x: jax.Array, w: jax.Array, layout: tuple, before: tuple, size: tuple,
    step: tuple = (1, 1), apart: tuple = (1, 1), spread: tuple = (1, 1),
) -> jax.Array:
    """Cross-correlation: windows step apart, x with its entries spread and those of w apart, and as much padding behind
    as gives that size; before is the padding in front."""
    if 0 in (*x.shape, *w.shape, *size):
        axes = {"N": x.shape[layout[0].index("N")], "H": size[0], "W": size[1], "C": w.shape[layout[1].index("O")]}
        return jnp.zeros([axes[letter] for letter in layout[2]], jnp.result_type(x, w))
    padding = []
    for k, letter in enumerate("HW"):
        long = spread[k] * (x.shape[layout[0].index(letter)] - 1) + 1
        window = apart[k] * (w.shape[layout[1].index(letter)] - 1) + 1
        padding.append((before[k], step[k] * (size[k] - 1) + window - long - before[k]))
    return jax.lax.conv_general_dilated(x, w, step, padding, spread, apart, layout)


def conv2d(x: jax.Array, w: jax.Array, stride: tuple, padding: tuple, size: tuple) -> jax.Array:
    """Cross-correlation: every window of x times the kernel."""
    return correlated(x, w, ("NHWC", "HWIO", "NHWC"), padding, size, step=stride)


def conv2d_input(y: jax.Array, w: jax.Array, stride: tuple, padding: tuple, size: tuple) -> jax.Array:
    """The adjoint of conv2d in x: y, spread by the stride, correlated with the flipped kernel."""
    before = w.shape[0] - 1 - padding[0], w.shape[1] - 1 - padding[1]
    return correlated(y, w[::-1, ::-1], ("NHWC", "HWOI", "NHWC"), before, size, spread=stride)


def conv2d_kernel(x: jax.Array, y: jax.Array, stride: tuple, padding: tuple, size: tuple) -> jax.Array:
    """The adjoint of conv2d in w: x correlated with y, whose entries are a stride apart, over all images."""
    return correlated(x, y, ("CHWN", "IHWO", "HWNC"), padding, size, apart=stride)


# -- recurrences and matrices


def recurrence(a: jax.Array, b: jax.Array, axis: int) -> jax.Array:
    """s with s_t = a_t * s_(t-1) + b_t along an axis, from 0."""

    def joined(first: jax.Array, second: jax.Array) -> tuple:
        return first[0] * second[0], second[0] * first[1] + second[1]

    return jax.lax.associative_scan(joined, (a, jnp.broadcast_to(b, a.shape)), axis=axis)[1]


def matrix_exp(a: jax.Array) -> jax.Array:
    """e^a of square matrices."""
    return jax.scipy.linalg.expm(a)


def lu_factors(a: jax.Array) -> jax.Array:
    """The order of the rows of square matrices, by partial pivoting, in a first row; below it L and U in one matrix."""
    if 0 in a.shape:
        return a.reshape(*a.shape[:-2], a.shape[-2] + 1, a.shape[-1])
    factors, _, order = jax.lax.linalg.lu(a)
    return jnp.concatenate([order[..., None, :].astype(a.dtype), factors], axis=-2)
