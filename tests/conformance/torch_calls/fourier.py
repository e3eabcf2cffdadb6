"""Discrete Fourier transforms, as products with cosines and sines of a real and an imaginary part."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.numpy_calls import TABLE as NP
from tests.conformance.torch_calls.table import of, shape


class Complex(NamedTuple):
    """Two arrays of one shape."""

    re: Node
    im: Node


def fitted(x: Node, n: int, dim: int) -> Node:
    """n entries along an axis: cut off, or 0 behind."""
    have = shape(x)[dim]
    return build.slice_axis(x, dim, 0, n) if n <= have else build.pad_axis(x, dim, 0, n)


def along(weights: Node, x: Node, dim: int) -> Node:
    return NP["moveaxis"](F.einsum("ij,j...->i...", weights, NP["moveaxis"](x, dim, 0)), 0, dim)


def waves(x: Node, out: int, into: int, n: int) -> tuple[Node, Node]:
    """cos and sin of 2π·j·k/n, whole turns left out."""
    rows, columns = build.expand(build.arange(x.graph, out), 1), build.expand(build.arange(x.graph, into), 0)
    angle = F.remainder(rows * columns, n) * (2 * sp.pi / n)
    return F.cos(angle), F.sin(angle)


def scale(norm: str | None, n: int, inverse: bool) -> Any:
    if norm == "ortho":
        return 1 / sp.sqrt(n)
    return sp.Rational(1, n) if inverse == (norm in (None, "backward")) else 1


def turned(z: Complex, n: Any, dim: int, norm: str | None, inverse: bool, keep: int | None = None) -> Complex:
    """One transform along an axis, of which the first ``keep`` results are wanted."""
    n = shape(z.re)[dim] if n is None else n
    re, im = (fitted(a, n, dim) for a in z)
    cos, sin = waves(re, n if keep is None else keep, n, n)
    factor, sign = scale(norm, n, inverse), 1 if inverse else -1
    return Complex((along(cos, re, dim) - sign * along(sin, im, dim)) * factor,
                   (along(cos, im, dim) + sign * along(sin, re, dim)) * factor)


def real_of_half(z: Complex, n: Any, dim: int, norm: str | None, inverse: bool) -> Node:
    """The real array whose first half of a transform is given."""
    n = 2 * (shape(z.re)[dim] - 1) if n is None else n
    m = n // 2 + 1
    re, im = (fitted(a, m, dim) for a in z)
    cos, sin = waves(re, n, m, n)
    place = build.arange(re.graph, m)
    twice = 2 - F.equal(place, 0) - (F.equal(place, n // 2) if n % 2 == 0 else 0)
    sign = -1 if inverse else 1
    return (along(cos * twice, re, dim) + sign * along(sin * twice, im, dim)) * scale(norm, n, inverse)


def real(x: Node) -> Complex:
    return Complex(x, x.graph.full(0, x.shape))


def one(x: Node, dim: int) -> int:
    return dim % x.ndim


for _inverse in (False, True):
    def _fft(x: Node, n: Any = None, dim: int = -1, norm: Any = None, _inverse: bool = _inverse) -> Any:
        return turned(real(x), n, one(x, dim), norm, _inverse)

    of("fft.ifft" if _inverse else "fft.fft")(_fft)


@of("fft.rfft")
def rfft(x: Node, n: Any = None, dim: int = -1, norm: Any = None) -> Any:
    n = shape(x)[dim] if n is None else n
    return turned(real(x), n, one(x, dim), norm, False, n // 2 + 1)


@of("fft.ihfft")
def ihfft(x: Node, n: Any = None, dim: int = -1, norm: Any = None) -> Any:
    n = shape(x)[dim] if n is None else n
    return turned(real(x), n, one(x, dim), norm, True, n // 2 + 1)


@of("fft.irfft")
def irfft(x: Node, n: Any = None, dim: int = -1, norm: Any = None) -> Any:
    return real_of_half(real(x), n, one(x, dim), norm, True)


@of("fft.hfft")
def hfft(x: Node, n: Any = None, dim: int = -1, norm: Any = None) -> Any:
    return real_of_half(real(x), n, one(x, dim), norm, False)


def places(x: Node, s: Any, dim: Any, two: bool) -> list[tuple[int, Any]]:
    """The axes of a transform along several, with the sizes wanted."""
    if dim is None:
        dim = (-2, -1) if two else range(-len(s), 0) if s is not None else range(x.ndim)
    dim = [dim] if isinstance(dim, int) else list(dim)
    sizes = [None] * len(dim) if s is None else [None if v == -1 else v for v in s]
    return [(one(x, d), v) for d, v in zip(dim, sizes, strict=True)]


for _two in (True, False):
    _end = "2" if _two else "n"
    for _inverse in (False, True):
        def _several(x: Node, s: Any = None, dim: Any = None, norm: Any = None, _two: bool = _two,
                     _inverse: bool = _inverse) -> Any:
            z = real(x)
            for d, n in places(x, s, dim, _two):
                z = turned(z, n, d, norm, _inverse)
            return z

        of(f"fft.{'i' * _inverse}fft{_end}")(_several)

        def _to_half(x: Node, s: Any = None, dim: Any = None, norm: Any = None, _two: bool = _two,
                     _inverse: bool = _inverse) -> Any:
            *others, (last, n) = places(x, s, dim, _two)
            n = shape(x)[last] if n is None else n
            z = turned(real(x), n, last, norm, _inverse, n // 2 + 1)
            for d, m in others:
                z = turned(z, m, d, norm, _inverse)
            return z

        of(f"fft.{'ihfft' if _inverse else 'rfft'}{_end}")(_to_half)

        def _from_half(x: Node, s: Any = None, dim: Any = None, norm: Any = None, _two: bool = _two,
                       _inverse: bool = _inverse) -> Any:
            *others, (last, n) = places(x, s, dim, _two)
            z = real(x)
            for d, m in others:
                z = turned(z, m, d, norm, _inverse)
            return real_of_half(z, n, last, norm, _inverse)

        of(f"fft.{'irfft' if _inverse else 'hfft'}{_end}")(_from_half)


@of("stft")
def stft(s: Any, x: Node, n_fft: int, hop_length: Any = None, win_length: Any = None, window: Any = None,
         center: bool = True, pad_mode: str = "reflect", normalized: bool = False, onesided: Any = None,
         return_complex: Any = None) -> Any:
    hop, n = n_fft // 4 if hop_length is None else hop_length, shape(x)[-1]
    if center:
        around = np.arange(-(n_fft // 2), n + n_fft // 2)
        x = F.take(x, s.given(np.abs(n - 1 - np.abs(n - 1 - around))), -1)
    frames = F.unfold(x, n_fft, -1, hop)
    frames = frames if window is None else frames * window
    keep = n_fft if onesided is False else n_fft // 2 + 1
    z = turned(real(frames), n_fft, frames.ndim - 1, "ortho" if normalized else None, False, keep)
    z = Complex(*[F.swapaxes(a, -1, -2) for a in z])
    return z if return_complex else F.stack(*z, axis=-1)


# -- numbers of two parts
@of("complex")
def complex_of(re: Node, im: Node) -> Any:
    whole = np.broadcast_shapes(shape(re), shape(im))
    return F.broadcast(re, whole), F.broadcast(im, whole)


@of("polar")
def polar(size: Node, angle: Node) -> Any:
    return size * F.cos(angle), size * F.sin(angle)


@of("view_as_complex")
def view_as_complex(x: Node) -> Any:
    return x[..., 0], x[..., 1]


@of("cdouble")
def cdouble(x: Node, **_: Any) -> Any:
    return real(x)
