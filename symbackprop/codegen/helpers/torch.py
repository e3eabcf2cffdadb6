# mypy: disable-error-code="no-any-return, type-arg"
"""Helpers of modules for PyTorch that are not NumPy's with another name: tensors are on any device, and Python decides
nothing by their values. What is called as a function of NumPy is what PyTorch has not, or not for plain numbers."""

from __future__ import annotations

from functools import reduce

import torch

from symbackprop.codegen.helpers.checks import check_directions, check_mapping, misfit
from symbackprop.codegen.helpers.unchanging import gated

# -- what forward is given


def as_array(name: str, value: object) -> torch.Tensor:
    """The value as a tensor of real numbers, detached; ValueError naming it for anything else."""
    try:
        own = value.copy() if hasattr(value, "dtype") and hasattr(value, "copy") else value  # strides may be negative
        tensor = value.detach() if isinstance(value, torch.Tensor) else torch.tensor(own)
        if tensor.is_floating_point() and not hasattr(value, "dtype"):
            tensor = torch.tensor(value, dtype=torch.float64)
    except (OverflowError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{name} is not an array: {error}") from None
    if tensor.is_complex():
        raise ValueError(f"{name} is not an array of real numbers: its dtype is {tensor.dtype}")
    return tensor


def device_of(given: dict) -> torch.device:
    """Where the first tensor is; lists and arrays of NumPy follow."""
    return next((value.device for value in given.values() if isinstance(value, torch.Tensor)), torch.device("cpu"))


def as_integers(name: str, tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Integer data; an empty list is fine, floats are not."""
    if tensor.is_floating_point() and tensor.numel():
        raise ValueError(f"{name} has to hold integers, not {tensor.dtype}")
    return tensor.to(device, torch.long)


def float_dtypes(given: dict) -> dict:
    """The precisions asked for, by name: of what has a dtype of floats; lists and plain numbers follow the others."""
    dtypes = {name: as_array(name, value).dtype for name, value in given.items() if hasattr(value, "dtype")}
    return {name: dtype for name, dtype in dtypes.items() if dtype.is_floating_point}


def computing_dtype(dtypes: dict, default: torch.dtype) -> torch.dtype:
    """The dtype to compute in: what the given ones have in common, at least float32, or the default."""
    return reduce(torch.promote_types, dtypes.values(), torch.float32) if dtypes else default


def as_floats(params: dict, default: torch.dtype) -> dict[str, torch.Tensor]:
    """The parameters as tensors of floats, in the dtypes that forward takes them to have."""
    check_mapping(params, "params")
    dtypes = float_dtypes(params)
    dtype, device = computing_dtype(dtypes, default), device_of(params)
    return {name: as_array(name, value).to(device, dtypes.get(name, dtype)) for name, value in params.items()}


def directions(
    v: dict, needed: dict, perhaps: dict, arrays: dict, sizes: dict, dtype: torch.dtype, device: torch.device
) -> dict:
    """The arrays in v, by the names of those along which they point and in their shapes; ValueError for others. Of the
    inputs, which come ``perhaps``, one that is left out is 0."""
    check_directions(v, needed, perhaps)
    found = {}
    for name, shape in {**needed, **perhaps}.items():
        array = as_array(f"v[{name!r}]", v[name]) if name in v else torch.zeros_like(arrays[name])
        if array.shape != arrays[name].shape:
            raise misfit(f"v[{name!r}]", array, shape, sizes)
        found[name] = array.to(device, dtype)
    return found


def check_range(name: str, array: torch.Tensor, bound: str | int, sizes: dict) -> None:
    """ValueError unless 0 <= array < bound everywhere; on the device meta there are no values to look at."""
    if array.is_meta or not array.numel():
        return
    low, high = torch.stack(torch.aminmax(array)).tolist()
    if low < 0 or high >= sizes.get(bound, bound):
        limit = f"{bound} = {sizes[bound]}" if bound in sizes else bound
        raise ValueError(f"{name} holds {low if low < 0 else high}, outside 0 <= {name} < {limit}")


class Draws:
    """Standard normal numbers from a torch.Generator, on its device."""

    def __init__(self, source: torch.Generator) -> None:
        self.source = source

    def standard_normal(self, shape: tuple | int = ()) -> torch.Tensor:
        size = (shape,) if isinstance(shape, int) else shape
        return torch.randn(size, generator=self.source, dtype=torch.float64, device=self.source.device)


def signs(draws: "Draws", name: str, given: dict) -> torch.Tensor:
    """Random signs of the shape of one of the arrays, where these are."""
    drawn = torch.as_tensor(draws.standard_normal(shape_of(given[name])), device=device_of(given))
    return torch.where(drawn < 0, -1.0, 1.0)


def generator(rng: "torch.Generator | int | Draws") -> "Draws":
    """What draws: a numpy.random.Generator itself, else a torch.Generator or a seed."""
    if isinstance(rng, torch.Generator):
        return Draws(rng)
    if isinstance(rng, Draws) or (not isinstance(rng, int) and hasattr(rng, "standard_normal")):
        return rng
    try:
        return Draws(torch.Generator().manual_seed(rng.__index__()))
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"rng has to be a torch.Generator, or a whole number as a seed: {error}") from None


# -- what is returned


def scaled(grads: dict, dtypes: dict, upstream: torch.Tensor | float) -> dict[str, torch.Tensor]:
    """The gradients of a loss times its upstream gradient, a number; each in the dtype of its array."""
    factor = as_array("the upstream gradient", upstream)
    if factor.ndim:
        raise ValueError(f"upstream has to be a number, the gradient of the loss; its shape is {tuple(factor.shape)}")
    plain = isinstance(upstream, (int, float))
    return returned({name: grad * (upstream if plain else factor) for name, grad in grads.items()}, dtypes)


def returned(arrays: dict, dtypes: dict) -> dict[str, torch.Tensor]:
    """The tensors in the dtypes to return them in."""
    return {name: torch.as_tensor(array, dtype=dtypes.get(name)) for name, array in arrays.items()}


def in_dtype(array: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A tensor in a dtype."""
    return torch.as_tensor(array, dtype=dtype)


def upstream_array(
    name: str, value: object, shape: tuple, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """The upstream gradient of an output, checked against the output's shape."""
    array = as_array(f"the upstream gradient of {name}", value)
    if array.shape != shape:
        raise ValueError(f"the upstream gradient of {name} has shape {tuple(array.shape)}, expected {shape}")
    return array.to(device, dtype)


def upstream_arrays(
    values: dict, shapes: dict, dtype: torch.dtype, device: torch.device
) -> dict[str, torch.Tensor]:
    """The upstream gradients of several outputs, by name; one that is left out is zero."""
    if not hasattr(values, "keys") or not {*values} <= {*shapes}:
        raise ValueError(f"upstream has to be a dict with gradients of {', '.join(shapes)}")
    zeros = {name: torch.zeros(shape, dtype=dtype, device=device) for name, shape in shapes.items()}
    given = {name: upstream_array(name, values[name], shapes[name], dtype, device) for name in values}
    return {name: given.get(name, zero) for name, zero in zeros.items()}


# -- plain numbers beside tensors


def counted(size: int) -> float:
    """A product of sizes beside tensors: a float where their integers do not hold it."""
    return size if abs(size) < 2**53 else float(size)


def log_of(size: float) -> float:
    """The logarithm of a plain number."""
    return torch.tensor(size, dtype=torch.float64).log().item()


def like(tensor: torch.Tensor, value: torch.Tensor | float) -> torch.Tensor:
    """A value as a tensor; a plain number in the dtype of another one."""
    if isinstance(value, torch.Tensor):
        return value
    counts = isinstance(value, int) and tensor.dtype != torch.bool
    kind = tensor.dtype if tensor.is_floating_point() or counts else None if isinstance(value, int) else torch.float64
    return torch.full((), value, dtype=torch.bool if isinstance(value, bool) else kind, device=tensor.device)


def both(a: torch.Tensor | float, b: torch.Tensor | float) -> tuple[torch.Tensor, torch.Tensor]:
    """Two values as tensors, of which one may be a plain number."""
    if isinstance(a, torch.Tensor):
        return a, like(a, b)
    return (like(b, a), b) if isinstance(b, torch.Tensor) else (torch.as_tensor(a), torch.as_tensor(b))


def maximum(a: torch.Tensor | float, b: torch.Tensor | float) -> torch.Tensor:
    """The larger one; a number may be plain."""
    return torch.maximum(*both(a, b))


def minimum(a: torch.Tensor | float, b: torch.Tensor | float) -> torch.Tensor:
    """The smaller one; a number may be plain."""
    return torch.minimum(*both(a, b))


def where(condition: torch.Tensor | bool, a: torch.Tensor | float, b: torch.Tensor | float) -> torch.Tensor:
    """a where the condition holds, or is not 0, else b; numbers may be plain."""
    kind = next(x for x in (a, b, condition) if isinstance(x, torch.Tensor))
    return torch.where(like(kind, condition).to(torch.bool), like(kind, a), like(kind, b))


def vdot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The sum of the products of all entries."""
    return torch.dot(a.reshape(-1), b.reshape(-1))


def indices(sizes: tuple, sparse: bool, device: torch.device) -> list[torch.Tensor]:
    """The places along every axis, to be broadcast against each other."""
    rank = len(sizes)
    places = [torch.arange(size, device=device) for size in sizes]
    return [p.reshape([-1 if j == k else 1 for j in range(rank)]) for k, p in enumerate(places)]


# -- scalar functions


def sigmoid(x: torch.Tensor) -> torch.Tensor:
    """1 / (1 + e^(-x))."""
    return torch.sigmoid(x)


def sign(x: torch.Tensor) -> torch.Tensor:
    """-1, 0 or 1, and nan of nan."""
    return torch.where(torch.isnan(x), x, torch.sign(x))


def heaviside(a: torch.Tensor | float, b: torch.Tensor | float) -> torch.Tensor:
    """1 where a > b, 1/2 where they are equal, else 0."""
    size, (left, right) = torch.result_type(a, b), both(a, b)
    return torch.gt(left, right).to(size) / 2 + torch.ge(left, right).to(size) / 2


def logit_loss(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """softplus(z) - y * z without cancellation: -(y log p + (1 - y) log(1 - p)) for p = sigmoid(z)."""
    return gated(z, (z > 0).to(z.dtype) - y) + torch.log1p(torch.exp(-torch.abs(z)))


def erfinv(x: torch.Tensor) -> torch.Tensor:
    """The number whose erf is x."""
    return torch.special.erfinv(x)


def ndtri(x: torch.Tensor) -> torch.Tensor:
    """The number that a standard normal variable is below with probability x."""
    return torch.special.ndtri(x)


# -- reductions


def largest(a: torch.Tensor, axis: int | tuple) -> torch.Tensor:
    """The largest entry along an axis, which stays with size 1; 0 where that is infinite or there is none."""
    if not a.numel():
        return torch.zeros_like(a.sum(dim=axis, keepdim=True))
    top = a.amax(dim=axis, keepdim=True)
    return where(torch.isfinite(top), top, 0)


def total_of(e: torch.Tensor, axis: int | tuple) -> torch.Tensor:
    """The sum along an axis, which stays with size 1."""
    return e.sum(dim=axis, keepdim=True)


# -- adjoints of indexing, which add


def scatter_add(g: torch.Tensor, index: torch.Tensor, rows: int) -> torch.Tensor:
    """Rows of g added up in the rows of a zero array that index names: the adjoint of table[index]."""
    rest = g.shape[index.ndim :]
    places = where(index < 0, index + rows, index).reshape(-1)
    return g.new_zeros((rows, *rest)).index_add(0, places, g.reshape(places.numel(), *rest))


def take_along_axis(a: torch.Tensor, index: torch.Tensor, axis: int) -> torch.Tensor:
    """Entries of a where the index points along the axis."""
    return torch.take_along_dim(a, where(index < 0, index + a.shape[axis], index), dim=axis)


def put_along_axis(g: torch.Tensor, index: torch.Tensor, axis: int, size: int) -> torch.Tensor:
    """Entries of g added where the index points along the axis, zero elsewhere: the adjoint of take_along_axis."""
    places = indices(tuple(index.shape), True, g.device)
    places[axis] = index
    out = g.new_zeros((*g.shape[:axis], size, *g.shape[axis + 1 :]))
    return out.index_put(tuple(places), g.broadcast_to(torch.broadcast_shapes(g.shape, index.shape)), accumulate=True)


def pad(a: torch.Tensor, axis: int, start: int, size: int, step: int = 1) -> torch.Tensor:
    """Zeros with a at start, start + step, ... of an axis of that size: the adjoint of a slice."""
    places = start + step * torch.arange(a.shape[axis], device=a.device)
    return a.new_zeros((*a.shape[:axis], size, *a.shape[axis + 1 :])).index_copy(axis, places, a)


# -- windows and convolution


def unfold(a: torch.Tensor, axis: int, width: int, stride: int) -> torch.Tensor:
    """All windows along an axis, which becomes (window, place in the window); a view."""
    if width - stride <= a.shape[axis] < width:  # no window fits
        return a.new_zeros((*a.shape[:axis], 0, width, *a.shape[axis + 1 :]))
    return a.unfold(axis, width, stride).moveaxis(-1, axis + 1)


def fold(a: torch.Tensor, axis: int, size: int, stride: int) -> torch.Tensor:
    """Overlapping windows added up into an axis of that size: the adjoint of unfold."""
    count, width = a.shape[axis], a.shape[axis + 1]
    places = stride * torch.arange(count, device=a.device)[:, None] + torch.arange(width, device=a.device)
    out = a.new_zeros((*a.shape[:axis], size, *a.shape[axis + 2 :]))
    return out.index_add(axis, places.reshape(-1), a.flatten(axis, axis + 1))


def conv2d(x: torch.Tensor, w: torch.Tensor, stride: tuple, padding: tuple, size: tuple) -> torch.Tensor:
    """Cross-correlation: every window of x times the kernel."""
    if 0 in (*x.shape, *w.shape, *size):
        return x.new_zeros((x.shape[0], *size, w.shape[3]))
    found = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), None, stride, padding)
    return found[:, :, : size[0], : size[1]].permute(0, 2, 3, 1)


def conv2d_input(y: torch.Tensor, w: torch.Tensor, stride: tuple, padding: tuple, size: tuple) -> torch.Tensor:
    """The adjoint of conv2d in x: every entry of y spread over the window it came from."""
    if 0 in (*y.shape, *w.shape, *size):
        return y.new_zeros((y.shape[0], *size, w.shape[2]))
    spread = torch.nn.functional.conv_transpose2d(y.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), None, stride)
    rows, columns = (size[k] + 2 * padding[k] - spread.shape[2 + k] for k in (0, 1))
    whole = torch.nn.functional.pad(spread, (0, columns, 0, rows)).permute(0, 2, 3, 1)
    return whole[:, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]


def conv2d_kernel(x: torch.Tensor, y: torch.Tensor, stride: tuple, padding: tuple, size: tuple) -> torch.Tensor:
    """The adjoint of conv2d in w: x correlated with y, whose entries are a stride apart, over all images."""
    if 0 in (*x.shape, *y.shape, *size):
        return x.new_zeros((*size, x.shape[3], y.shape[3]))
    images, windows = x.permute(3, 0, 1, 2), y.permute(3, 0, 1, 2)
    found = torch.nn.functional.conv2d(images, windows, None, 1, padding, stride)
    return found[:, :, : size[0], : size[1]].permute(2, 3, 0, 1)


# -- recurrences and matrices


def recurrence(a: torch.Tensor, b: torch.Tensor, axis: int) -> torch.Tensor:
    """s with s_t = a_t * s_(t-1) + b_t along an axis, from 0."""
    out = b.broadcast_to(a.shape).clone()
    states, factors = out.moveaxis(axis, 0), a.moveaxis(axis, 0)
    for t in range(1, states.shape[0]):
        states[t] += factors[t] * states[t - 1]
    return out


def matrix_exp(a: torch.Tensor) -> torch.Tensor:
    """e^a of square matrices."""
    return torch.linalg.matrix_exp(a)


def lu_factors(a: torch.Tensor) -> torch.Tensor:
    """The order of the rows of square matrices, by partial pivoting, in a first row; below it L and U in one matrix."""
    if 0 in a.shape:
        return a.reshape(*a.shape[:-2], a.shape[-2] + 1, a.shape[-1])
    factors, pivots = torch.linalg.lu_factor(a)
    places = torch.lu_unpack(factors, pivots, unpack_data=False)[0].argmax(dim=-2)
    return torch.concatenate([places[..., None, :].to(a.dtype), factors], dim=-2)


# -- blocks


def shape_of(value: object) -> tuple:
    """The shape of what may be a list or a number."""
    return tuple(as_array("an array", value).shape)


def size_of(value: object) -> int:
    """How many entries what may be a list or a number has."""
    return as_array("an array", value).numel()


class Block:
    """A block of a Jacobian or Hessian, kept compressed: a sum of products of arrays at letters, some of them equal.

    ``structure`` says what it looks like, ``arrays`` are what it is made of; ``dense()`` is all of it, with the axes of
    the array that is differentiated and then those of the one by which. ``parts`` are (arrays, letters, ties); the
    device is that of the arrays, if there are any.
    """

    def __init__(
        self, structure: str, letters: str, shape: tuple, parts: tuple, device: torch.device | None = None
    ) -> None:
        self.structure, self.letters, self.shape, self.parts = structure, letters, shape, parts
        self.arrays = tuple(as_array("an array", array) for arrays, _, _ in parts for array in arrays)
        self.device = device or device_of(dict(enumerate(self.arrays)))

    def __repr__(self) -> str:
        return f"Block({self.structure!r}, {self.shape})"

    def dense(self) -> torch.Tensor:
        """All entries."""
        sizes = dict(zip(self.letters, self.shape, strict=True))
        dtype = reduce(torch.promote_types, [array.dtype for array in self.arrays], torch.float32)
        device = self.device
        whole = torch.zeros(self.shape, dtype=dtype if self.arrays else torch.float64, device=device)
        for arrays, letters, ties in self.parts:
            factors = [as_array("an array", array).to(device, dtype) for array in arrays]
            factors += [torch.eye(sizes[tie[0]], dtype=dtype, device=device) for tie in ties]
            kept = "".join(c for c in self.letters if any(c in at for at in (*letters, *ties)))
            array = torch.einsum(f"{','.join([*letters, *ties])}->{kept}", *factors)
            whole = whole + array.reshape([sizes[c] if c in kept else 1 for c in self.letters])
        return whole


# -- what NumPy calls otherwise
ndarray = torch.Tensor
integer = torch.SymInt
shape = shape_of
size = size_of
