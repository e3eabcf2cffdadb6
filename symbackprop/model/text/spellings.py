"""What calls of other libraries mean: which name or order arguments in their own way, and what each is in model text,
and which are called as here.

One line of the table is ``where: names (parameters) -> formula``. ``where`` says whose call it is: n NumPy, SciPy and
JAX, j JAX alone, o optax, k Keras, s SciPy's distributions and what only its path tells apart, p and P Python, f
TensorFlow, v the values that PyTorch gives with their places, r R, t PyTorch, l a linalg, m a method, whose array is
the first parameter; in texts of theirs alone R R, M Matlab, J Julia, D either of these. A parameter is ``a``, or
``a|b`` with another word for it, ``a$`` one array by its form;
``a=value`` may be left out, ``a:value`` has to have that value, ``a~value`` may be left out or has it; ``a#`` is a
number written out, ``a##`` a whole one, ``a-#`` none, ``a(1)`` a shape of one axis, ``!a`` is given by its word alone,
``*a`` what is left; ``a(2)`` is a tuple of two, ``a(2,2)`` one of two pairs.
``reduction`` is PyTorch's: the formula is the loss of every entry, and a mean is taken per what follows that word if
anything does. In a formula ``@`` is the name that was called. Braces hold what lines that are alike differ in, the same
number everywhere: ``row{Sums|Means} (x) -> {sum|mean}(x, axis=1)`` stands for two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain
from typing import NamedTuple

import sympy as sp

from symbackprop.core.functions.words import IDLE_OPTIONS
from symbackprop.model.text import tree
from symbackprop.model.text.expressions import one_formula
from symbackprop.model.text.known_numbers import of_whole
from symbackprop.patterns import lazy

_TABLE = """
n t m: clip clamp (x, low|min|a_min=None, high|max|a_max=None) -> clip(x, low, high)
t m: clamp_min (x, min) -> clip(x, min)
t m: clamp_max (x, max) -> clip(x, None, max)
n: concatenate concat (arrays$, axis:None) -> arrays.reshape(-1)
n: concatenate concat (arrays(2), axis:None) -> np.append(arrays[0], arrays[1])
n t: cat concat concatenate (arrays|tensors$, axis|dim~0) -> flatten(arrays, 0, 1)
n t: cat concat concatenate (arrays|tensors$, axis|dim:{-1|-2|-3}) -> flatten(np.moveaxis(arrays, 0, {-2|-3|-4}), \
{-2|-3|-4}, {-1|-2|-3})
n t: cat concat concatenate (arrays|tensors$, axis|dim) -> flatten(np.moveaxis(arrays, 0, axis), axis, axis + 1)
n t: cat concat concatenate (arrays|tensors, axis|dim=0) -> concat(arrays, axis=axis)
n t: stack (arrays|tensors$, axis|dim~0) -> arrays
n t: stack (arrays|tensors$, axis|dim) -> np.moveaxis(arrays, 0, axis)
n t: stack (arrays|tensors, axis|dim=0) -> stack(arrays, axis=axis)
t: transpose (x, first#, second#) -> swapaxes(x, first, second)
t m: {max|min} (a|input, b|other-#) -> {maximum|minimum}(a, b)
m: expand (x, *sizes) -> broadcast(x, sizes)
n: average (x, !weights) -> sum(weights * x) / sum(weights)
n: average (x, axis:{0|1}, weights) -> einsum("{i,i|j,ij}...->{|i}...", weights, x) / sum(weights)
n t: cov (x, rowvar~True) -> (x - mean(x, axis=1, keepdims=True)) @ (x - mean(x, axis=1, \
keepdims=True)).T / (x.shape[1] - 1)
n: cov (x, rowvar:False{|, bias:True}) -> (x - mean(x, axis=0)).T @ (x - mean(x, axis=0)) / {(x.shape[0] - \
1)|x.shape[0]}
n: copy (x) -> x
n: insert (x, i##, v, axis=None) -> insert(x, i, v + zeros(1), axis)
n: delete (x, i|obj, axis=None) -> delete(x, i, axis)
n: rollaxis (x, axis#) -> np.moveaxis(x, axis, 0)
n: diagflat (x) -> diag(flatten(x))
n t: real conj conjugate (x) -> x
n t: imag (x) -> zeros_like(x)
n t: corrcoef (x) -> cosines(x - mean(x, axis=1, keepdims=True))
n: corrcoef (x, rowvar:False) -> corrcoef(x.T)
p: cosines (x) -> (x / norm(x, axis=1, keepdims=True)) @ (x / norm(x, axis=1, keepdims=True)).T
t m: split (x, sizes|split_size|split_size_or_sections, dim=0) -> pieces(x, sizes, dim)
f: split (x, parts|num_or_size_splits##, axis=0) -> split(x, parts, axis)
f: split (x, sizes|num_or_size_splits, axis=0) -> pieces(x, sizes, axis)
t: unbind (x, dim=0) -> np.moveaxis(x, dim, 0)
n f: unstack (x, axis=0) -> np.moveaxis(x, axis, 0)
m: unfold (x, dim|dimension:{0|1|2}, size, step) -> np.moveaxis(unfold(x, size, axis={0|1|2}, stride=step), {1|2|3}, -1)
m: unfold (x, dim|dimension:-1, size, step) -> unfold(x, size, axis=-1, stride=step)
t: unfold (x, k|kernel_size##, dilation~1, padding=0, stride=1) -> reshape(transpose(unfold(unfold(pad(pad(x, 2, \
padding, x.shape[2] + 2 * padding), 3, padding, x.shape[3] + 2 * padding), k, axis=2, stride=stride), k, axis=4, \
stride=stride), (0, 1, 3, 5, 2, 4)), (x.shape[0], x.shape[1] * k * k, -1))
t: unflatten (x, dim, sizes) -> unflatten(x, dim, sizes)
t: bilinear (a, b, w|weight, bias=0) -> einsum("...i,oij,...j->...o", a, w, b) + bias
m: where (x, condition, other) -> where(condition, x, other)
t: diff (x, n=1, dim=-1) -> np.diff(x, n, dim)
n t: cumulative_trapezoid (y) -> cumsum((y[..., 1:] + y[..., :-1]) / 2, axis=-1)
n: toeplitz (c) -> c[abs(arange(c.shape[0])[:, None] - arange(c.shape[0]))]
n: circulant (c) -> concat(c, c)[c.shape[0] + arange(c.shape[0])[:, None] - arange(c.shape[0])]
n: cov (x, y) -> stack(stack(covariance(x, x), covariance(x, y)), stack(covariance(x, y), covariance(y, y)))
p: covariance (x, y) -> einsum("i,i->", x - mean(x), y - mean(y)) / (x.shape[0] - 1)
n t f: tile (x, reps|dims|multiples) -> tile(x, reps)
m: repeat (x, n, !axis#) -> repeat(x, n, axis=axis)
m: repeat (x, a, b, c{|, d}) -> tile(x, (a, b, c{|, d}))
t m: repeat_interleave (x, n, dim#) -> repeat(x, n, axis=dim)
t m: repeat_interleave (x, n) -> repeat(flatten(x), n)
n: cross (a, b, axisa~-1, axisb~-1, axisc~-1, axis=-1) -> cross(a, b, axis=axis)
t l: cross (a, b, dim=-1) -> cross(a, b, axis=dim)
t: repeat (x, *sizes) -> tile(x, sizes)
t: roll (x, shift|shifts) -> reshape(roll(flatten(x), shift), x.shape)
n t m: roll (x, shift|shifts, axis|dims#) -> roll(x, shift, axis=axis)
n t m: flip (x, axis|dims=None) -> flip(x, axis=axis)
n t: {fliplr|flipud} (x) -> flip(x, axis={1|0})
n: split (x, parts#, axis=0) -> split(x, parts, axis=axis)
t m: chunk (x, parts|chunks#, dim=0) -> split(x, parts, axis=dim, uneven=True)
n m: take (x, index|indices, axis#) -> take(x, index, axis=axis)
t m: index_select (x, dim#, index) -> take(x, index, axis=dim)
t m: index_add (x, dim#, index, source) -> index_add(x, index, source, axis=dim)
t m: gather (x, dim#, index) -> take_along_axis(x, index, axis=dim)
t: take_along_dim (x, indices, dim) -> take_along_axis(x, indices, axis=dim)
t m: scatter (x, dim#, index, value#) -> scatter(x, index, value * take_along_axis(ones_like(x), index, axis=dim), \
axis=dim)
t m: scatter (x, dim#, index, src) -> scatter(x, index, src, axis=dim)
t m: scatter_add (x, dim#, index, src) -> x + put_along_axis(src, index, dim, x.shape[dim])
n t: searchsorted (edges|a|sorted_sequence, x|v|input) -> searchsorted(edges, x)
t: bucketize (x, boundaries) -> searchsorted(boundaries, x)
n t m: argmax argmin (x, axis|dim=None, keepdims|keepdim=False) -> @(x, axis=axis, keepdims=keepdims)
t m: argsort (x, axis|dim=-1, descending:True) -> argsort(-x, axis=axis)
n t m: quantile (x, q, axis|dim=None, keepdims|keepdim=False) -> quantile(x, q, axis=axis, keepdims=keepdims)
n: percentile (x, q, axis=None, keepdims=False) -> quantile(x, q / 100, axis=axis, keepdims=keepdims)
t m: var std (x, axis|dim=None, unbiased:{False|True}, keepdims|keepdim=False) -> @(x, axis=axis, keepdims=keepdims{|, \
ddof=1})
t m: var std (x, axis|dim=None, correction, keepdims|keepdim=False) -> @(x, axis=axis, keepdims=keepdims, \
ddof=correction)
m: var std (x, !dim, keepdim=False) -> @(x, axis=dim, keepdims=keepdim, ddof=1)
t: var std (x, axis|dim=None, unbiased~True, keepdims|keepdim=False) -> @(x, axis=axis, keepdims=keepdims, ddof=1)
n l: norm (x, order|ord|p:"fro", axis|dim~None, keepdims|keepdim=False) -> norm(x, keepdims=keepdims)
t m: norm (x, order|p:"fro", axis|dim=None, keepdims|keepdim=False) -> norm(x, axis=axis, keepdims=keepdims)
n l t m: norm (x, order|ord|p:"nuc") -> sum(svdvals(x))
n l: norm (x, order|ord, axis|dim~None) -> norm(x, order=order)
n l: norm (x, order|ord, axis|dim#, keepdims|keepdim=False) -> norm(x, axis=axis, keepdims=keepdims, order=order)
t m: norm (x, order|p, axis|dim=None, keepdims|keepdim=False) -> norm(x, axis=axis, keepdims=keepdims, order=order)
l: vector_norm (x, order|ord=2, axis|dim=None, keepdims|keepdim=False) -> norm(x, axis=axis, keepdims=keepdims, \
order=order)
l: solve_triangular (a, b, upper:{False|True}) -> solve_triangular(a, b{, lower=True|})
n: solve_triangular (a, b, lower=False) -> solve_triangular(a, b, lower=lower)
n l: lstsq (a, b, rcond~None) -> stack(lstsq(a, b))
n l: matrix_norm (x, order|ord:1, keepdims|keepdim~False) -> max(sum(abs(x), axis=-2), axis=-1)
n l: matrix_norm (x, order|ord~"fro", keepdims|keepdim=False) -> norm(x, axis=(-2, -1), keepdims=keepdims)
l: diagonal (x, offset=0, dim1=-2, dim2=-1) -> diagonal(x, offset, dim1, dim2)
l: trace (x, offset=0) -> trace(x, offset, -2, -1)
n l: vecdot (a, b, axis|dim=-1) -> sum(a * b, axis=axis)
n: astype (x, kind) -> x.astype(kind)
n l: svd (x, full_matrices:False) -> svd(x)
n: svd (x, full_matrices=True, compute_uv:False) -> svdvals(x)
n l: lu (x) -> lu(x)
t m: {amax|amin} (x, axis|dim=None, keepdims|keepdim=False) -> {max|min}(x, axis=axis, keepdims=keepdims)
t: rsub (x, y) -> y - x
t m: bmm (a|input, b|mat2) -> a[:, :, :] @ b[:, :, :]
t: addmm addmv baddbmm (x, a, b, beta~1, alpha~1) -> x + a @ b
t: addmm addmv baddbmm (x, a, b, beta=1, alpha=1) -> beta * x + alpha * (a @ b)
n t: hypot (a, b) -> sqrt(a**2 + b**2)
n: cbrt (x) -> sign(x) * abs(x)**(1/3)
n t: fmod (a, b) -> a - b * trunc(a / b)
t: frac (x) -> x - trunc(x)
t: pad (x, widths(2), mode~"constant", value~0) -> pad(x, -1, widths[0], widths[0] + x.shape[-1] + widths[1])
t: pad (x, widths(2), mode~"constant", value) -> where(pad(ones_like(x), -1, widths[0], widths[0] + x.shape[-1] + \
widths[1]) > 0, pad(x, -1, widths[0], widths[0] + x.shape[-1] + widths[1]), value)
t: pad (x, widths(4), mode~"constant", value~0) -> pad(pad(x, -1, widths[0], widths[0] + x.shape[-1] + widths[1]), -2, \
widths[2], widths[2] + x.shape[-2] + widths[3])
n: pad (x, widths(2,{2|1}), mode~"constant") -> pad(pad(x, 0, widths[0][0], widths[0][0] + x.shape[0] + \
widths[0][{1|0}]), 1, widths[1][0], widths[1][0] + x.shape[1] + widths[1][{1|0}])
n: pad (x, width#, mode~"constant") -> pad_all(x, width, width)
n: pad (x, widths(1,2), mode{~"constant"|}) -> pad_all(x, widths[0][0], widths[0][1]{|, mode})
n: pad (x, widths(1,1), mode~"constant") -> pad_all(x, widths[0][0], widths[0][0])
n: pad (x, widths(2), mode~"constant") -> pad_all(x, widths[0], widths[1])
n: pad (x, width##, mode) -> pad_all(x, width, width, mode)
n: pad (x, widths(2,2), mode) -> pad_all(x, (widths[0][0], widths[1][0]), (widths[0][1], widths[1][1]), mode)
n: pad (x, widths(3,2), mode="constant") -> pad_all(x, (widths[0][0], widths[1][0], widths[2][0]), \
(widths[0][1], widths[1][1], widths[2][1]), mode)
n: pad (x, widths(4,2), mode="constant") -> pad_all(x, (widths[0][0], widths[1][0], widths[2][0], widths[3][0]), \
(widths[0][1], widths[1][1], widths[2][1], widths[3][1]), mode)
n: pad (x, widths(2), mode) -> pad_all(x, widths[0], widths[1], mode)
t: pad (x, widths(2), mode:{"reflect"|"replicate"|"circular"}) -> extend(x, -1, widths[0], widths[1], \
{"reflect"|"edge"|"wrap"})
t: pad (x, widths(4), mode) -> F.pad(swapaxes(F.pad(swapaxes(x, -1, -2), (widths[2], widths[3]), mode), -1, -2), \
(widths[0], widths[1]), mode)
f: pad (x, widths(2,2), mode:{"REFLECT"|"SYMMETRIC"}) -> np.pad(x, widths, {"reflect"|"symmetric"})
n: interp (x, xp, fp) -> fp[0] + sum((fp[1:] - fp[:-1]) / (xp[1:] - xp[:-1]) * (clip(x[..., None], xp[:-1], xp[1:]) \
- xp[:-1]), axis=-1)
n t m: isnan (x) -> x != x
n t m: {isinf|isfinite} (x) -> abs(x) {>|<=} 1.7976931348623157e308
n t: nansum (x, axis|dim=None, keepdims|keepdim=False) -> sum(where(x == x, x, 0), axis=axis, keepdims=keepdims)
n t: nanmean (x, axis|dim=None, keepdims|keepdim=False) -> sum(where(x == x, x, 0), axis=axis, keepdims=keepdims) \
/ sum(x == x, axis=axis, keepdims=keepdims)
n: nanvar (x, axis=None, keepdims=False) -> nanmean((x - nanmean(x, axis=axis, keepdims=True))**2, axis=axis, \
keepdims=keepdims)
n: nanstd (x, axis=None, keepdims=False) -> sqrt(nanvar(x, axis=axis, keepdims=keepdims))
n: nanprod (x, axis=None, keepdims=False) -> prod(where(x == x, x, 1), axis=axis, keepdims=keepdims)
n: nan{max|min} (x, axis=None, keepdims=False) -> {max|min}(where(x == x, x, {-inf|inf}), axis=axis, keepdims=keepdims)
n t m: nan_to_num (x, nan=0) -> where(x == x, clip(x, -1.7976931348623157e308, 1.7976931348623157e308), nan)
n t m: nan_to_num (x, nan=0, posinf#, neginf#) -> where(x == x, where(isinf(x), where(x > 0, posinf, neginf), x), nan)
n t: {isclose|allclose} (a, b, rtol=1e-5, atol=1e-8) -> {|all(}abs(a - b) <= atol + rtol * abs(b){|)}
m: item (x) -> reshape(x, ())
m: item (x, i##) -> flatten(x)[i]
m: item (x, i##, j##) -> x[i, j]
m: {new_zeros|new_ones} (x, *sizes) -> {zeros|ones}(sizes)
m: new_full (x, sizes, value|fill_value) -> value * ones(sizes)
m: new_tensor (x, values) -> values
n: piecewise (x, conditions(1), values({1|2})) -> where(conditions[0], values[0], {0|values[1]})
n: piecewise (x, conditions(2), values({2|3})) -> where(conditions[1], values[1], where(conditions[0], values[0], \
{0|values[2]}))
n: piecewise (x, conditions(3), values({3|4})) -> where(conditions[2], values[2], where(conditions[1], values[1], \
where(conditions[0], values[0], {0|values[3]})))
s: {maximum|minimum}.reduce (x(2)) -> {maximum|minimum}(x[0], x[1])
s: {add|multiply}.reduce (x(2)) -> x[0] {+|*} x[1]
s: {add|multiply|maximum|minimum|logaddexp}.reduce (x, axis=0, keepdims=False) -> {sum|prod|max|min|logsumexp}(x, \
axis=axis, keepdims=keepdims)
s: {add|multiply|maximum|logaddexp}.accumulate (x, axis=0) -> {cumsum|cumprod|cummax|logcumsumexp}(x, axis=axis)
s: minimum.accumulate (x, axis=0) -> -cummax(-x, axis=axis)
n: cho_solve (c(2), b) -> solve_by_cholesky(c[0], c[1], b)
p: solve_by_cholesky (c, lower:{True|False}, b) -> solve_triangular(c{.T|}, solve_triangular(c{|.T}, b, lower=True))
t: cholesky_solve (b, c|L, upper{~False|:True}) -> solve_triangular(c{.mT|}, solve_triangular(c{|.mT}, b, lower=True))
t: cholesky_inverse (c|L, upper~False) -> solve_triangular(c.mT, solve_triangular(c, eye(c.shape[-1]), lower=True))
s: uniform.logpdf (x, loc=0, scale=1) -> zeros_like(x) - log(scale)
s: dirichlet.logpdf (x, alpha) -> einsum("i,i->", alpha - 1, log(x)) + lgamma(sum(alpha)) - sum(lgamma(alpha))
s: gumbel_{r|l}.logpdf (x, loc=0, scale=1) -> {-|}(x - loc) / scale - exp({-|}(x - loc) / scale) - log(scale)
s: pareto.logpdf (x, b, loc=0, scale=1) -> log(b) - (b + 1) * log((x - loc) / scale) - log(scale)
s: rayleigh.logpdf (x, loc=0, scale=1) -> log((x - loc) / scale) - ((x - loc) / scale)**2 / 2 - log(scale)
s: halfnorm.logpdf (x, loc=0, scale=1) -> log(2 / pi) / 2 - ((x - loc) / scale)**2 / 2 - log(scale)
s: truncnorm.logpdf (x, a, b, loc=0, scale=1) -> -((x - loc) / scale)**2 / 2 - log(2 * pi) / 2 - log(scale) \
- log(where(a > 0, normal_cdf(-a) - normal_cdf(-b), normal_cdf(b) - normal_cdf(a)))
s: skewnorm.logpdf (x, a, loc=0, scale=1) -> log(2) - ((x - loc) / scale)**2 / 2 - log(2 * pi) / 2 - log(scale) \
+ log(normal_cdf(a * (x - loc) / scale))
s: vonmises.logpdf (x, kappa, loc=0) -> kappa * (cos(x - loc) - 1) - log(2 * pi) - log(i0e(kappa))
s: expon.{cdf|sf} (x, loc=0, scale=1) -> {-expm1|exp}(-(x - loc) / scale)
s: {logistic|norm}.cdf (x, loc=0, scale=1) -> {sigmoid|normal_cdf}((x - loc) / scale)
s: weibull_min.{cdf|sf} (x, c, loc=0, scale=1) -> {-expm1|exp}(-((x - loc) / scale)**c)
s: norm.{ppf|isf} (q, loc=0, scale=1) -> loc {+|-} scale * ndtri(q)
s: lognorm.{cdf|sf} (x, s, loc=0, scale=1) -> normal_cdf({|-}log((x - loc) / scale) / s)
s: {logistic|norm}.sf (x, loc=0, scale=1) -> {sigmoid|normal_cdf}((loc - x) / scale)
s: fisk.logpdf (x, c, loc=0, scale=1) -> log(c) - log(x - loc) - softplus(-c * log((x - loc) / scale)) \
- softplus(c * log((x - loc) / scale))
s: fisk.{cdf|sf} (x, c, loc=0, scale=1) -> sigmoid({|-}c * log((x - loc) / scale))
s: gumbel_r.cdf (x, loc=0, scale=1) -> exp(-exp(-(x - loc) / scale))
s: betabinom.logpmf (k, n, a, b) -> lchoose(n, k) + betaln(k + a, n - k + b) - betaln(a, b)
s: stats.entropy (p, q) -> sum(rel_entr(p / sum(p, axis=0), q / sum(q, axis=0)), axis=0)
s: stats.zscore (x, axis=0, ddof=0) -> (x - mean(x, axis=axis, keepdims=True)) / std(x, axis=axis, keepdims=True, \
ddof=ddof)
s: stats.gmean (x, axis=0) -> exp(mean(log(x), axis=axis))
s: stats.hmean (x, axis=0) -> 1 / mean(1 / x, axis=axis)
s: stats.sem (x) -> std(x, axis=0, ddof=1) / sqrt(x.shape[0])
s: stats.skew (x, axis=0) -> mean((x - mean(x, axis=axis, keepdims=True))**3, axis=axis) / var(x, axis=axis)**1.5
s: stats.kurtosis (x, axis=0, fisher~True) -> mean((x - mean(x, axis=axis, keepdims=True))**4, axis=axis) \
/ var(x, axis=axis)**2 - 3
s: stats.iqr (x) -> quantile(x, 0.75) - quantile(x, 0.25)
s: stats.pearsonr (x, y) -> stack(pearson(x, y))
s: stats.ttest_1samp (x, m|popmean) -> stack((mean(x, axis=0) - m) / (std(x, axis=0, ddof=1) \
/ sqrt(x.shape[0])))
s: distance.cosine (u, v) -> 1 - sum(u * v) / (norm(u) * norm(v))
s: distance.euclidean (u, v) -> norm(u - v, axis=-1)
s: distance.sqeuclidean (u, v) -> sum((u - v)**2, axis=-1)
s: distance.{cityblock|chebyshev} (u, v) -> {sum|max}(abs(u - v))
s: distance.mahalanobis (u, v, VI) -> sqrt((u - v) @ VI @ (u - v))
s: Normal.cdf (x, loc, scale) -> normal_cdf((x - loc) / scale)
s: Normal.kl_divergence (m, s, mu, sigma) -> log(sigma / s) + (s**2 + (m - mu)**2) / (2 * sigma**2) - 1/2
s: LogNormal.log_prob (x, loc, scale) -> -((log(x) - loc) / scale)**2 / 2 - log(scale * x) - log(2 * pi) / 2
s: HalfNormal.log_prob (x, scale) -> log(2 / pi) / 2 - (x / scale)**2 / 2 - log(scale)
s: Uniform.log_prob (x, low, high) -> zeros_like(x) - log(high - low)
s: Dirichlet.log_prob (x, alpha|concentration) -> sum((alpha - 1) * log(x), axis=-1) + lgamma(sum(alpha, axis=-1)) \
- sum(lgamma(alpha), axis=-1)
n: cond (x) -> svdvals(x)[0] / svdvals(x)[-1]
n: meshgrid (x, y) -> stack(broadcast(x[None, :], (y.shape[0], x.shape[0])), broadcast(y[:, None], (y.shape[0], \
x.shape[0])))
t m: {addcmul|addcdiv} (x, a, b, !value=1) -> x + value * a {*|/} b
t: instance_norm (x, !eps=1e-5) -> instance_norm(x, eps=eps, axis=1)
t: instance_norm (x, running_mean~None, running_var~None, weight, bias, !eps=1e-5) -> swapaxes(swapaxes(\
instance_norm(x, eps=eps, axis=1), 1, -1) * weight + bias, 1, -1)
t: group_norm (x, groups|num_groups, weight{~None|}, bias{~None|}, eps=1e-5) -> {|swapaxes(swapaxes(}group_norm(x, \
groups, eps=eps, axis=1){|, 1, -1) * weight + bias, 1, -1)}
t: pixel_shuffle (x, factor|upscale_factor##) -> transpose(pixel_shuffle(transpose(x, (0, 2, 3, 1)), factor), \
(0, 3, 1, 2))
t: pixel_unshuffle (x, factor|downscale_factor##) -> flatten(transpose(reshape(x, (x.shape[0], x.shape[1], \
x.shape[2] / factor, factor, x.shape[3] / factor, factor)), (0, 1, 3, 5, 2, 4)), 1, 3)
t: interpolate (x, size~None, scale_factor, mode="nearest", align_corners=False, !antialias=False) -> np.moveaxis(\
interpolate(np.moveaxis(x, 1, -1), scale=scale_factor, mode=mode, align_corners=align_corners, antialias=antialias), \
-1, 1)
t: interpolate (x, size, !mode:"area") -> np.moveaxis(adaptive_avg_pool(np.moveaxis(x, 1, -1), size), -1, 1)
t: interpolate (x, size, !mode="nearest", !align_corners=False, !antialias=False) -> np.moveaxis(interpolate(\
np.moveaxis(x, 1, -1), size, mode=mode, align_corners=align_corners, antialias=antialias), -1, 1)
n m: ptp (x, axis=None, keepdims=False) -> max(x, axis=axis, keepdims=keepdims) - min(x, axis=axis, keepdims=keepdims)
n t f: eye (n) -> eye(n)
n: identity (n) -> eye(n)
n t f: zeros ones (*sizes|shape|size) -> @(sizes)
n t: empty (*sizes|shape|size) -> zeros(sizes)
n t: full (sizes, value|fill_value) -> value * ones(sizes)
n t: arange (start, stop|end, step~1) -> start + arange(stop - start)
n t: arange (start##, stop|end##, step##) -> start + step * arange(ceil((stop - start) / step))
n: sort (x, axis:None) -> sort(flatten(x))
m: reshape (x, n, !order~"C") -> reshape(x, n)
m: reshape (x, n, m, !order~"C") -> reshape(x, (n, m))
m: reshape (x, n(2), !order:"F") -> transpose(reshape(transpose(x), (n[1], n[0])))
m: reshape (x, n, m, !order:"F") -> transpose(reshape(transpose(x), (m, n)))
n: reshape (x, n(2), !order:"F") -> transpose(reshape(transpose(x), (n[1], n[0])))
n: cov (x, bias:True) -> (x - mean(x, axis=1, keepdims=True)) @ (x - mean(x, axis=1, keepdims=True)).T / x.shape[1]
n t m: logical_not (x) -> x == 0
n t: linspace (start, stop|end, n|num|steps) -> start + (stop - start) * arange(n) / (n - 1)
n t: array asarray tensor as_tensor float64 float32 (x) -> x
n t m: logdet (x) -> logdet(x)
m: tile (x, *reps) -> tile(x, reps)
t: cholesky (x, upper~False) -> cholesky(x)
s: cholesky (x, lower{:True|~False}) -> cholesky(x){|.T}
s: special.kl_div (x, y) -> xlogy(x, x) - xlogy(x, y) - x + y
s: {log_softmax|softmax} (x) -> {|exp(}x - logsumexp(x){|)}
n s: cdist distance.cdist (a, b, metric{~"euclidean"|:"sqeuclidean"}) -> cdist(a, b){|**2}
n s: cdist distance.cdist (a, b, metric:"cityblock") -> cdist(a, b, order=1)
f: clip_by_value (x, low|clip_value_min, high|clip_value_max) -> clip(x, low, high)
f: concat stack (arrays|values, axis=0) -> @(arrays, axis=axis)
f: gather (x, index|indices, axis=0) -> take(x, index, axis=axis)
f: one_hot (index, size|depth) -> one_hot(index, size)
f: cast (x, dtype:tf.float{32|64}) -> x
f: cumsum cumprod (x, axis=0, exclusive~False, reverse~False) -> @(x, axis=axis)
f: squared_difference (x, y) -> (x - y)**2
f: l2_normalize (x, axis, epsilon=1e-12) -> x / sqrt(maximum(sum(x**2, axis=axis, keepdims=True), epsilon))
f: matvec (a, b) -> einsum("...ij,...j->...i", a, b)
f: diag_part (x) -> diagonal(x, 0, -2, -1)
j: standardize (x, axis=-1, epsilon=1e-5) -> layer_norm(x, axis=axis, eps=epsilon)
f: constant convert_to_tensor (x) -> x
j: swish (x) -> silu(x)
j: clamp (low|min, x, high|max) -> clip(x, low, high)
j: select (pred, on_true, on_false) -> where(pred, on_true, on_false)
t: vstack row_stack hstack column_stack dstack (tensors) -> np.@(tensors)
t: inner vdot (a, b) -> np.@(a, b)
t f: tensordot (a, b, axes|dims=2) -> np.tensordot(a, b, axes)
t: moveaxis movedim (x, source, destination) -> np.moveaxis(x, source, destination)
n t: einsum (spec, arrays({2|3})) -> einsum(spec, arrays[0], arrays[1]{|, arrays[2]})
n l: multi_dot (arrays({2|3|4})) -> arrays[0] @ arrays[1]{| @ arrays[2]| @ arrays[2] @ arrays[3]}
f: matmul (a, b, transpose_a~False, transpose_b:True) -> a @ swapaxes(b, -1, -2)
f: matmul (a, b, transpose_a:True, transpose_b~False) -> swapaxes(a, -1, -2) @ b
f: matmul (a, b, transpose_a:True, transpose_b:True) -> swapaxes(a, -1, -2) @ swapaxes(b, -1, -2)
t m: masked_fill (x, mask, value) -> where(mask, value, x)
n t: xlogy (x, y) -> xlogy(x, y)
n t: entr (x) -> -xlogy(x, x)
n: rel_entr (x, y) -> xlogy(x, x) - xlogy(x, y)
n: gammasgn (x) -> 1 - 2 * remainder(floor(minimum(x, 0)), 2)
n: gamma (x) -> gammasgn(x) * exp(lgamma(x))
p: Gamma (x) -> gamma(x)
n: factorial (n) -> where(n >= 0, exp(lgamma(where(n >= 0, n, 0) + 1)), 0)
p: sinpi (x) -> (1 - 2 * remainder(round(x), 2)) * sin(pi * (x - round(x)))
p: log_gamma_below (x) -> where(x < 0.5, lgamma(where(x < 0.5, 1 - x, 1)), -lgamma(where(x < 0.5, 1, x)))
p: wave_below (x) -> where(x < 0.5, sinpi(x) / pi, 1)
n: rgamma (x) -> wave_below(x) * exp(log_gamma_below(x))
n: beta (a, b) -> gammasgn(a) * gammasgn(b) * wave_below(a + b) * exp(lgamma(a) + lgamma(b) + log_gamma_below(a + b))
p: choosable (n, k) -> (k <= n) * (n >= 0) * (k >= 0)
n: comb (n|N, k) -> where(choosable(n, k), exp(lchoose(where(choosable(n, k), n, 0), where(choosable(n, k), k, 0))), 0)
n: binom (n, k) -> gammasgn(n + 1) * wave_below(k + 1) * wave_below(n - k + 1) * exp(lgamma(n + 1) \
+ log_gamma_below(k + 1) + log_gamma_below(n - k + 1))
n: perm (n, k) -> where(choosable(n, k), exp(lgamma(where(choosable(n, k), n, 0) + 1) \
- lgamma(where(choosable(n, k), n - k, 0) + 1)), 0)
n: corrcoef (x, y) -> stack(stack(1, pearson(x, y)), stack(pearson(x, y), 1))
p: pearson (x, y) -> einsum("i,i->", x - mean(x), y - mean(y)) / (norm(x - mean(x)) * norm(y - mean(y)))
n t: trapz trapezoid (y{|, !dx}) -> {|dx * }sum(y[..., 1:] + y[..., :-1], axis=-1) / 2
n t: trapz trapezoid (y, !axis|dim) -> sum(np.moveaxis(y, axis, -1)[..., 1:] + np.moveaxis(y, axis, -1)[..., :-1], \
axis=-1) / 2
n t: trapz trapezoid (y, x) -> sum((y[..., 1:] + y[..., :-1]) * (x[..., 1:] - x[..., :-1]), axis=-1) / 2
n: append (a, values) -> concat(reshape(a, (-1,)), reshape(values, (-1,)))
n: append (a, values, axis#) -> concat(a, values, axis=axis)
n: polyval (p(2), x) -> p[0] * x + p[1]
n: polyval (p(3), x) -> (p[0] * x + p[1]) * x + p[2]
n: polyval (p(4), x) -> ((p[0] * x + p[1]) * x + p[2]) * x + p[3]
n: polyval (p(5), x) -> (((p[0] * x + p[1]) * x + p[2]) * x + p[3]) * x + p[4]
n: polyval (p, x) -> sum(moveaxis(p, 0, -1) * pow(x[..., None], p.shape[0] - 1 - arange(p.shape[0])), axis=-1)
s: polynomial.polyval (x, c) -> einsum("...k,k->...", pow(x[..., None], arange(c.shape[0])), c)
n t: sinc (x) -> where(abs(x) < 0.5, exp(-lgamma(1 + where(abs(x) < 0.5, x, 0)) - lgamma(1 - where(abs(x) < 0.5, x, \
0))), sinpi(x) / (pi * where(abs(x) < 0.5, 1, x)))
n: logsumexp (x, axis=None, !b, keepdims=False) -> log(sum(b * exp(x), axis=axis, keepdims=keepdims))
n: log_expit (x) -> -softplus(-x)
n: cosm1 (x) -> -2 * sin(x / 2)**2
n: pseudo_huber (delta, r) -> r**2 / (1 + sqrt(1 + (r / delta)**2))
n: boxcox (x, lmbda:0) -> log(x)
n: boxcox (x, lmbda#) -> expm1(lmbda * log(x)) / lmbda
n: inv_boxcox (x, lmbda:0) -> exp(x)
n: inv_boxcox (x, lmbda#) -> exp(log1p(lmbda * x) / lmbda)
n t: multigammaln (a, d|p##) -> d * (d - 1) / 4 * log(pi) + sum(lgamma(a[..., None] - arange(d) / 2), axis=-1)
s: {add|subtract}.outer (a, b) -> einsum("i,j->ij", a, ones_like(b)) {+|-} einsum("i->i", b)
s: multiply.outer (a, b) -> einsum("i,j->ij", a, b)
s: divide.outer (a, b) -> einsum("i,j->ij", a, 1 / b)
s: {maximum|minimum}.outer (a, b) -> {maximum|minimum}(einsum("i->i", a)[:, None], einsum("i->i", b))
n: tri (n##) -> tril(ones((n, n)))
n: {hsplit|vsplit} (x, parts#) -> split(x, parts, axis={1|0})
n: logspace (start, stop, n|num##) -> 10**(start + (stop - start) * arange(n) / (n - 1))
n m: ravel flatten (x, order:"F") -> flatten(transpose(x))
n: convolve (a, v, mode:"valid") -> conv1d(a[None, :, None], flip(v)[:, None, None])[0, :, 0]
n: convolve (a, v, mode~"full") -> convolve(pad(a, 0, v.shape[0] - 1, a.shape[0] + 2 * v.shape[0] - 2), v, "valid")
n: convolve (a, v, mode:"same") -> convolve(pad(pieces(a, (v.shape[0], a.shape[0] - v.shape[0]))[0], 0, \
v.shape[0] // 2, a.shape[0] + v.shape[0] - 1) + pad(a[v.shape[0]:], 0, v.shape[0] // 2 + v.shape[0], \
a.shape[0] + v.shape[0] - 1), v, "valid")
n: correlate (a, v, mode{~"valid"|:"full"|:"same"}) -> convolve(a, flip(v), {"valid"|"full"|"same"})
n: block (x(2,2)) -> concat(concat(x[0][0], x[0][1], axis=-1), concat(x[1][0], x[1][1], axis=-1), axis=-2)
n: select (conditions(1), choices(1), default=0) -> where(conditions[0], choices[0], default)
n: select (conditions(2), choices(2), default=0) -> where(conditions[0], choices[0], where(conditions[1], choices[1], \
default))
n: select (conditions(3), choices(3), default=0) -> where(conditions[0], choices[0], where(conditions[1], choices[1], \
where(conditions[2], choices[2], default)))
n: sum (x, axis=None, keepdims=False, !where) -> sum(where(where, x, 0), axis=axis, keepdims=keepdims)
n: mean (x, axis=None, keepdims=False, !where) -> sum(where(where, x, 0), axis=axis, keepdims=keepdims) / \
sum(where(where, ones_like(x), 0), axis=axis, keepdims=keepdims)
n t: {deg2rad radians|rad2deg degrees} (x) -> x * {pi|180} / {180|pi}
n t m: round around (x, decimals##) -> round(x * 10**decimals) / 10**decimals
n: log (x, base) -> log(x) / log(base)
t m: lerp (x, end, weight) -> x + weight * (end - x)
n: betaln (a, b) -> lgamma(a) + lgamma(b) - lgamma(a + b)
n t: ndtr (x) -> normal_cdf(x)
n t: log_ndtr (x) -> log(normal_cdf(x))
p: {mean_squared_error|mean_absolute_error} (y_true, y_pred) -> mean({(y_pred - y_true)**2|abs(y_pred - y_true)})
n p: log_loss (y_true, y_pred) -> mean(binary_cross_entropy(y_pred, y_true))
p: rmse root_mean_squared_error (y_true, y_pred) -> sqrt(mean((y_pred - y_true)**2))
p: {sec|csc|sech|csch} (x) -> 1 / {cos|sin|cosh|sinh}(x)
p: cot (x) -> cos(x) / sin(x)
p: coth (x) -> 1 / tanh(x)
p: {asec|acsc|acot|asech|acsch|acoth} (x) -> {acos|asin|atan|acosh|asinh|atanh}(1 / x)
p: fma (x, y, z) -> x * y + z
o: softmax_cross_entropy softmax_cross_entropy_with_integer_labels (logits, labels) -> cross_entropy(logits, labels)
o: sigmoid_binary_cross_entropy (logits, labels) -> binary_cross_entropy_with_logits(logits, labels)
o: squared_error (predictions, targets) -> (predictions - targets)**2
o: cosine_similarity (a|predictions, b|targets) -> sum(a * b, axis=-1) / (norm(a, axis=-1) * norm(b, axis=-1))
o: l2_loss (predictions, targets=0) -> (predictions - targets)**2 / 2
o: huber_loss (predictions, targets, delta=1) -> huber(predictions, targets, delta=delta)
p: float (x) -> x
p: int (n##) -> n
s: special.huber (delta, r) -> huber(r, 0, delta=delta)
s: norm.pdf (x, loc=0, scale=1) -> normal_pdf((x - loc) / scale) / scale
s: norm.logpdf Normal.log_prob (x, loc=0, scale=1) -> -((x - loc) / scale)**2 / 2 - log(scale) - log(2 * pi) / 2
s: poisson.logpmf Poisson.log_prob (k, mu|rate) -> xlogy(k, mu) - mu - lgamma(k + 1)
s: bernoulli.logpmf Bernoulli.log_prob (k, p|probs) -> xlogy(k, p) + xlogy(1 - k, 1 - p)
s: binom.logpmf Binomial.log_prob (k, n|total_count, p|probs) -> lchoose(n, k) + xlogy(k, p) + xlogy(n - k, 1 - p)
s: nbinom.logpmf (k, n, p) -> lgamma(k + n) - lgamma(k + 1) - lgamma(n) + n * log(p) + xlogy(k, 1 - p)
s: geom.logpmf (k, p) -> log(p) + xlogy(k - 1, 1 - p)
s: expon.logpdf (x, loc=0, scale=1) -> -(x - loc) / scale - log(scale)
s: laplace.logpdf Laplace.log_prob (x, loc=0, scale=1) -> -abs((x - loc) / scale) - log(2 * scale)
s: logistic.logpdf (x, loc=0, scale=1) -> -(x - loc) / scale - 2 * softplus(-(x - loc) / scale) - log(scale)
s: cauchy.logpdf (x, loc=0, scale=1) -> -log(pi * scale) - log1p(((x - loc) / scale)**2)
s: gamma.logpdf (x, a, loc=0, scale=1) -> (a - 1) * log((x - loc) / scale) - (x - loc) / scale - lgamma(a) - log(scale)
s: invgamma.logpdf (x, a, loc=0, scale=1) -> -(a + 1) * log((x - loc) / scale) - scale / (x - loc) - lgamma(a) \
- log(scale)
s: beta.logpdf Beta.log_prob (x, a|concentration1, b|concentration0) -> (a - 1) * log(x) + (b - 1) * log1p(-x) \
- betaln(a, b)
s: t.logpdf StudentT.log_prob (x, df, loc=0, scale=1) -> lgamma((df + 1) / 2) - lgamma(df / 2) - log(df * pi) / 2 \
- log(scale) - (df + 1) / 2 * log1p(((x - loc) / scale)**2 / df)
s: lognorm.logpdf (x, s, loc=0, scale=1) -> -(log((x - loc) / scale) / s)**2 / 2 - log(s * (x - loc)) - log(2 * pi) / 2
s: weibull_min.logpdf (x, c, loc=0, scale=1) -> log(c / scale) + (c - 1) * log((x - loc) / scale) \
- ((x - loc) / scale)**c
s: chi2.logpdf (x, df) -> (df / 2 - 1) * log(x) - x / 2 - lgamma(df / 2) - df / 2 * log(2)
s: multivariate_normal.logpdf MultivariateNormal.log_prob (x, mean|loc, cov|covariance_matrix) -> -(sum((x - mean) \
* transpose(solve(cov, transpose(x - mean))), axis=-1) + logdet(cov) + cov.shape[0] * log(2 * pi)) / 2
s: stats.entropy (p, axis=0) -> -sum(xlogy(p / sum(p, axis=axis, keepdims=True), p / sum(p, axis=axis, \
keepdims=True)), axis=axis)
s: Exponential.log_prob (x, rate) -> log(rate) - rate * x
s: Categorical.log_prob (x, probs) -> -nll(log(probs / sum(probs, axis=-1, keepdims=True)), x)
s: Categorical.entropy (!logits) -> -sum(softmax(logits) * log_softmax(logits), axis=-1)
s: Categorical.entropy (probs) -> -sum(xlogy(probs / sum(probs, axis=-1, keepdims=True), probs / sum(probs, axis=-1, \
keepdims=True)), axis=-1)
s: Bernoulli.entropy (!logits) -> binary_cross_entropy_with_logits(logits, sigmoid(logits))
s: Bernoulli.entropy (probs) -> -xlogy(probs, probs) - xlogy(1 - probs, 1 - probs)
s: Normal.entropy (loc, scale) -> log(scale) + log(2 * pi) / 2 + 1/2 + zeros_like(loc)
s: Normal.{mean|stddev|variance} (loc, scale) -> {loc + zeros_like(scale)|scale + zeros_like(loc)|scale**2 + \
zeros_like(loc)}
s: Laplace.{mean|variance} (loc, scale) -> {loc + zeros_like(scale)|2 * scale**2 + zeros_like(loc)}
s: Bernoulli.{mean|variance} (!logits) -> {sigmoid(logits)|sigmoid(logits) * sigmoid(-logits)}
s: Bernoulli.{mean|variance} (probs) -> {probs|probs * (1 - probs)}
s: Exponential.{mean|variance} (rate) -> 1 / rate{|**2}
s: Poisson.{mean|variance} (rate) -> {rate|rate}
s: Gamma.{mean|variance} (concentration, rate) -> concentration / rate{|**2}
s: Beta.{mean|variance} (a|concentration1, b|concentration0) -> {a / (a + b)|a * b / ((a + b)**2 * (a + b + 1))}
s: Uniform.{mean|variance} (low, high) -> {(low + high) / 2|(high - low)**2 / 12}
s: {Bernoulli|Categorical}.log_prob (x, !logits) -> -{binary_cross_entropy_with_logits(logits, x)|nll(log_softmax(\
logits), x)}
f: {Bernoulli|Categorical}.log_prob (x, logits) -> -{binary_cross_entropy_with_logits(logits, x)|nll(log_softmax(\
logits), x)}
f: Binomial.log_prob (x, n|total_count, logits) -> lchoose(n, x) + logits * x - n * softplus(logits)
s: Gamma.log_prob (x, concentration, rate) -> xlogy(concentration, rate) + (concentration - 1) * log(x) - rate * x \
- lgamma(concentration)
n t: logsigmoid (x) -> -softplus(-x)
j: log_sigmoid (x) -> -softplus(-x)
t: hardtanh (x, min_val=-1, max_val=1) -> clip(x, min_val, max_val)
n: relu6 (x) -> clip(x, 0, 6)
t: relu6 (x) -> minimum(relu(x), 6)
v: cummin (x, axis|dim) -> -cummax(-x, axis=axis)
t: hardsigmoid (x) -> clip(x / 6 + 1/2, 0, 1)
j: hard_sigmoid (x) -> clip(x / 6 + 1/2, 0, 1)
t: hardswish (x) -> x * clip(x / 6 + 1/2, 0, 1)
j: hard_swish (x) -> x * clip(x / 6 + 1/2, 0, 1)
t j: selu (x) -> 1.0507009873554805 * elu(x, 1.6732632423543772)
t j: celu (x, alpha=1) -> maximum(x, 0) + minimum(alpha * expm1(x / alpha), 0)
t: softsign (x) -> x / (1 + abs(x))
t: tanhshrink (x) -> x - tanh(x)
t: softshrink (x, lambd=1/2) -> x - clip(x, -lambd, lambd)
t: hardshrink (x, lambd=1/2) -> where(abs(x) > lambd, x, 0)
t: threshold (x, threshold, value) -> where(x > threshold, x, value)
t j: glu (x, axis|dim=-1) -> split(x, 2, axis=axis)[0] * sigmoid(split(x, 2, axis=axis)[1])
t: gelu (x, approximate{:"tanh"|~"none"}) -> gelu{_tanh|}(x)
n: gelu (x, approximate{~True|:False}) -> gelu{_tanh|}(x)
t: leaky_relu (x, negative_slope=0.01) -> leaky_relu(x, negative_slope)
f: leaky_relu (x, alpha=0.2) -> leaky_relu(x, alpha)
f: gelu (x, approximate{~False|:True}) -> gelu{|_tanh}(x)
f j: softmax log_softmax (x, axis=-1) -> @(x, axis=axis)
t: prelu (x, weight) -> np.moveaxis(prelu(np.moveaxis(x, 1 - floor(1 / x.ndim), -1), weight), -1, \
1 - floor(1 / x.ndim))
t: softplus (x, beta) -> softplus(beta * x) / beta
t: softplus (x, beta=1, threshold) -> where(beta * x > threshold, x, softplus(beta * x) / beta)
t: softmin (x, axis|dim) -> softmax(-x, axis=axis)
t: normalize (x, p=2, dim=1, eps=1e-12) -> x / maximum(norm(x, axis=dim, keepdims=True, order=p), eps)
t: linear (x, weight{|, bias}) -> x @ weight.T{| + bias}
t: embedding (index, weight) -> weight[index]
t: embedding (index, weight, padding_idx##) -> where(index[..., None] == remainder(padding_idx, weight.shape[0]), \
stop_gradient(weight[index]), weight[index])
t: embedding_bag (index, weight, mode="mean") -> embedding_bag(weight, index, mode=mode)
n t: one_hot (index, size|num_classes) -> one_hot(index, size)
t: scaled_dot_product_attention (q, k, v, attn_mask~None, dropout_p~0, is_causal=False{|, !scale}) -> attention(q, k, \
v, causal=is_causal{|, scale=scale})
t: scaled_dot_product_attention (q, k, v, attn_mask, dropout_p~0, is_causal~False{|, !scale}) -> attention(q, k, v, \
mask=attn_mask{|, scale=scale})
t: layer_norm (x, normalized_shape({2|3}), !eps=1e-5) -> layer_norm(last_axes(x, normalized_shape), \
axis=({|-3, }-2, -1), eps=eps)
p: last_axes (x, sizes(1)) -> unflatten(x, -1, sizes)
p: last_axes (x, sizes(2)) -> unflatten(unflatten(x, -1, (sizes[1],)), -2, (sizes[0],))
p: last_axes (x, sizes(3)) -> unflatten(last_axes(x, (sizes[1], sizes[2])), -3, (sizes[0],))
t: layer_norm (x, normalized_shape, weight, bias, eps=1e-5) -> F.layer_norm(x, normalized_shape, eps=eps) * weight \
+ bias
t: layer_norm (x, normalized_shape, weight, !eps=1e-5) -> F.layer_norm(x, normalized_shape, eps=eps) * weight
t: layer_norm (x, normalized_shape(1), !eps=1e-5) -> layer_norm(last_axes(x, normalized_shape), eps=eps)
t: rms_norm (x, normalized_shape(1), !eps) -> rms_norm(x, eps=eps)
t: rms_norm (x, normalized_shape(1), weight, eps) -> rms_norm(x, eps=eps) * weight
t: conv1d (x, w|weight, bias{~None|}, stride=1, padding=0, dilation=1, groups=1) -> swapaxes(conv1d(swapaxes(x, 1, 2), \
transpose(w, (2, 1, 0)), stride=stride, padding=padding, dilation=dilation, groups=groups){| + bias}, 1, 2)
t: conv2d (x, w|weight, bias{~None|}, stride=1, padding=0, dilation=1, groups=1) -> conv2d(x, w, stride=stride, \
padding=padding, layout="NCHW", dilation=dilation, groups=groups){| + bias[:, None, None]}
t: conv3d (x, w|weight, bias{~None|}, stride=1, padding=0, dilation=1, groups=1) -> np.moveaxis(conv3d(np.moveaxis(x, \
1, -1), transpose(w, (2, 3, 4, 1, 0)), stride=stride, padding=padding, dilation=dilation, groups=groups){| + bias}, \
-1, 1)
t: grid_sample (x, grid, mode="bilinear", padding_mode="zeros", align_corners=False) -> np.moveaxis(grid_sample(\
np.moveaxis(x, 1, -1), grid, mode=mode, padding=padding_mode, align_corners=align_corners), -1, 1)
t: max_pool2d (x, size|kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> max_pool2d(x, size, \
stride=stride, layout="NCHW", padding=padding, ceil=ceil_mode, dilation=dilation)
t: avg_pool2d (x, size|kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, \
divisor_override=None) -> avg_pool2d(x, size, stride=stride, layout="NCHW", padding=padding, ceil=ceil_mode, \
count_padding=count_include_pad, divisor=divisor_override)
t: max_pool1d max_pool3d (x, size|kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> np.moveaxis(@(\
np.moveaxis(x, 1, -1), size, stride=stride, padding=padding, ceil=ceil_mode, dilation=dilation), -1, 1)
t: avg_pool1d (x, size|kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True) -> swapaxes(\
avg_pool1d(swapaxes(x, 1, 2), size, stride=stride, padding=padding, ceil=ceil_mode, \
count_padding=count_include_pad), 1, 2)
t: avg_pool3d (x, size|kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, \
divisor_override=None) -> np.moveaxis(avg_pool3d(np.moveaxis(x, 1, -1), size, stride=stride, padding=padding, \
ceil=ceil_mode, count_padding=count_include_pad, divisor=divisor_override), -1, 1)
t: lp_pool1d (x, p|norm_type, size|kernel_size, stride=None) -> pow(swapaxes(avg_pool1d(swapaxes(pow(x, p), 1, 2), \
size, stride=stride, divisor=1), 1, 2), 1 / p)
t: lp_pool2d (x, p|norm_type, size|kernel_size, stride=None) -> pow(avg_pool2d(pow(x, p), size, stride=stride, \
layout="NCHW", divisor=1), 1 / p)
t: adaptive_{avg|max|avg|max|avg|max}_pool{1|1|2|2|3|3}d (x, s|output_size({1|1|2|2|3|3})) -> np.moveaxis(\
adaptive_{avg|max|avg|max|avg|max}_pool(np.moveaxis(x, 1, -1), s), -1, 1)
t: adaptive_{avg|max}_pool2d (x, s|output_size) -> np.moveaxis(adaptive_{avg|max}_pool(np.moveaxis(x, 1, -1), (s, s)), \
-1, 1)
t: adaptive_{avg|max}_pool3d (x, s|output_size) -> np.moveaxis(adaptive_{avg|max}_pool(np.moveaxis(x, 1, -1), \
(s, s, s)), -1, 1)
t: conv_transpose2d (x, w|weight, bias{~None|}, stride=1, padding=0, output_padding=0, groups~1, dilation=1) -> \
transpose(conv_transpose2d(transpose(x, (0, 2, 3, 1)), transpose(w, (2, 3, 1, 0)), stride=stride, padding=padding, \
output_padding=output_padding, dilation=dilation), (0, 3, 1, 2)){| + bias[:, None, None]}
t: conv_transpose1d (x, w|weight, bias{~None|}, stride=1, padding=0, output_padding=0, groups~1, dilation=1) -> \
swapaxes(conv_transpose1d(swapaxes(x, 1, 2), transpose(w, (2, 1, 0)), stride=stride, padding=padding, \
output_padding=output_padding, dilation=dilation), 1, 2){| + bias[:, None]}
n: cumsum cumprod (x) -> @(flatten(x))
t: dropout (x, p{:0|=1/2}, training{=True|:False}, inplace=False) -> x
t: dropout (x, p=1/2, training~True, inplace=False) -> dropout(x, rate=p)
n t m: diagonal (x, offset=0, axis1|dim1=0, axis2|dim2=1) -> diagonal(x, offset, axis1, axis2)
t: cosine_similarity (a, b, axis|dim=1, eps=1e-8) -> cosine_similarity(a, b, axis=axis, eps=eps)
t: pairwise_distance (a, b, p=2, eps=1e-6, keepdims|keepdim=False) -> norm(a - b + eps, axis=-1, order=p, \
keepdims=keepdims)
t: cdist (a, b, p=2) -> cdist(a, b, order=p)
t: cross_entropy (logits|input, target, weight, reduction) -> cross_entropy(logits, target, weights=weight) \
per weight[target]
t: cross_entropy (logits|input, target, !ignore_index#, reduction) -> cross_entropy(logits, target, \
ignore_index=ignore_index) per target != ignore_index
t: cross_entropy (logits|input, target, weight, !ignore_index#, reduction) -> cross_entropy(logits, target, \
weights=weight, ignore_index=ignore_index) per (target != ignore_index) * weight[target]
t: cross_entropy (logits|input, target, !ignore_index#, !label_smoothing, reduction) -> where(target != ignore_index, \
smoothed_cross_entropy(logits, target, smoothing=label_smoothing), 0) per target != ignore_index
t: cross_entropy (logits|input, target, weight, !label_smoothing, reduction) -> (1 - label_smoothing) * \
cross_entropy(logits, target, weights=weight) - label_smoothing * (log_softmax(logits) @ weight) / logits.shape[-1] \
per weight[target]
t: cross_entropy (logits|input, target, weight, !ignore_index#, !label_smoothing, reduction) -> \
where(target != ignore_index, (1 - label_smoothing) * cross_entropy(logits, target, weights=weight) - label_smoothing \
* (log_softmax(logits) @ weight) / logits.shape[-1], 0) per (target != ignore_index) * weight[target]
t: cross_entropy (logits|input, target, !label_smoothing, reduction) -> smoothed_cross_entropy(logits, target, \
smoothing=label_smoothing)
t: nll_loss (input, target, {|weight, }reduction) -> {|weight[target] * }nll(input, target){| per weight[target]}
t: nll_loss (input, target, {|weight, }!ignore_index#, reduction) -> where(target != ignore_index, {|weight[target] * \
}nll(input, target), 0) per {|(}target != ignore_index{|) * weight[target]}
t: ctc_loss (log_probs, targets, input_lengths, target_lengths, blank=0, reduction{~"mean"|:"sum"|:"none"}, \
zero_infinity=False) -> ctc(log_probs, targets, blank, input_lengths, target_lengths, {"mean"|"sum"|"none"}, \
zero_infinity)
t: kl_div (input, target, reduction, log_target~False) -> xlogy(target, target) - target * input
t: kl_div (input, target, reduction, log_target:True) -> exp(target) * (target - input)
t: margin_ranking_loss (a, b, target, margin=0, reduction) -> margin_ranking(a, b, target, margin=margin)
t: gaussian_nll_loss (input, target, var, full{~False|:True}, eps=1e-6, reduction) -> gaussian_nll(input, target, var, \
eps=eps){| + log(2 * pi) / 2}
t: poisson_nll_loss (input, target, log_input~True, full{~False|:True}, eps=1e-8, reduction) -> poisson_nll(input, \
target){| + stirling(target)}
t: poisson_nll_loss (input, target, log_input:False, full{~False|:True}, eps=1e-8, reduction) -> input - target * \
log(input + eps){| + stirling(target)}
p: stirling (n) -> where(n > 1, n * log(maximum(n, 1)) - n + log(2 * pi * maximum(n, 1)) / 2, 0)
t: smooth_l1_loss (input, target, reduction, beta:0) -> absolute_error(input, target)
t: huber_loss (input, target, reduction, delta=1) -> huber(input, target, delta=delta)
t: binary_cross_entropy binary_cross_entropy_with_logits (input, target, !weight, reduction) -> weight * @(input, \
target)
t: binary_cross_entropy_with_logits (input, target, !pos_weight, reduction) -> (1 - target) * input + (1 + (pos_weight \
- 1) * target) * softplus(-input)
t: cosine_embedding_loss (a|input1, b|input2, target, margin=0, reduction) -> cosine_embedding(a, b, target, \
margin=margin)
t: triplet_margin_loss (anchor, positive, negative, margin=1, p=2, eps=1e-6, swap~False, reduction) -> \
maximum(norm(anchor - positive + eps, axis=-1, order=p) - norm(anchor - negative + eps, axis=-1, order=p) + margin, 0)
t: soft_margin_loss (input, target, reduction) -> softplus(-target * input)
t: multi_margin_loss (input, target, p=1, margin=1, {|weight, }reduction) -> {|weight[target] * }(sum(maximum(margin + \
input - input[arange(input.shape[0]), target][:, None], 0)**p, axis=1) - maximum(margin, 0)**p) / input.shape[1]
t: multilabel_soft_margin_loss (input, target, reduction) -> mean(binary_cross_entropy_with_logits(input, target), \
axis=-1)
r: {dnorm|pnorm|plogis} (x) -> {normal_pdf|normal_cdf|sigmoid}(x)
r: dnorm (x, mean=0, sd=1, log:TRUE) -> -((x - mean) / sd)**2 / 2 - log(sd) - log(2 * pi) / 2
r: dnorm (x, mean=0, sd=1, log~FALSE) -> normal_pdf((x - mean) / sd) / sd
r: pnorm (x|q, mean=0, sd=1, lower.tail{~TRUE|:FALSE}, log.p~FALSE) -> normal_cdf(({x - mean|mean - x}) / sd)
r: plnorm (x|q, meanlog=0, sdlog=1, lower.tail{~TRUE|:FALSE}, log.p~FALSE) -> normal_cdf(({log(x) - meanlog|meanlog - \
log(x)}) / sdlog)
r: plogis (x|q, location=0, scale=1, lower.tail{~TRUE|:FALSE}, log.p~FALSE) -> sigmoid(({x - location|location - x}) / \
scale)
r: pexp (x|q, rate=1, lower.tail{~TRUE|:FALSE}, log.p~FALSE) -> {-expm1|exp}(-rate * x)
r: pweibull (x|q, shape, scale=1, lower.tail{~TRUE|:FALSE}, log.p~FALSE) -> {-expm1|exp}(-(x / scale)**shape)
r: dpois (x, rate|lambda, log{:TRUE|~FALSE}) -> {|exp(}xlogy(x, rate) - rate - lgamma(x + 1){|)}
r: dbinom (x, size, prob, log{:TRUE|~FALSE}) -> {|exp(}lchoose(size, x) + xlogy(x, prob) + xlogy(size - x, 1 - prob){|)}
r: dexp (x, rate=1, log:TRUE) -> log(rate) - rate * x
r: dexp (x, rate=1, log~FALSE) -> rate * exp(-rate * x)
r: dgamma (x, shape, rate=1, log{:TRUE|~FALSE}) -> {|exp(}shape * log(rate) + (shape - 1) * log(x) - rate * x - \
lgamma(shape){|)}
r: dbeta (x, a|shape1, b|shape2, log{:TRUE|~FALSE}) -> {|exp(}(a - 1) * log(x) + (b - 1) * log1p(-x) - betaln(a, b){|)}
r: lbeta (a, b) -> betaln(a, b)
r: dgamma (x, shape, !scale, log{:TRUE|~FALSE}) -> {|exp(}(shape - 1) * log(x) - x / scale - lgamma(shape) - shape * \
log(scale){|)}
R: var (x) -> var(x, axis="pairs", ddof=1)
P: sum (x$) -> sum(x, axis="rows")
R M J D: cov (x) -> (x - mean(x, axis=0, keepdims=True)).T @ (x - mean(x, axis=0, keepdims=True)) / (x.shape[0] - 1)
R: norm (x) -> max(sum(abs(x), axis=0))
R: norm (x, type:{"F"|"f"}) -> norm(x)
R: {max|min} (a, b) -> {max|min}({maximum|minimum}(a, b))
R: sum (a, b) -> sum(a) + sum(b)
R: cumsum cumprod (x) -> @(flatten(x.T), axis=0)
R M J D: diff (x) -> x[1:] - x[:-1]
J: diff (x, !dims:{1|2}) -> np.diff(x, axis={0|1})
M D: sum mean prod median any all logsumexp (x, k:{1|2}) -> @(x, axis={"down"|"across"}, keepdims=True)
M D: cumsum cumprod flip sort softmax (x, k:{1|2}) -> @(x, axis={"down"|"across"})
M: sum mean prod median any all logsumexp (x) -> @(x, axis="columns")
M D: max min (x) -> @(x, axis="columns")
D: sum mean prod median any all logsumexp (x) -> @(x, axis="either")
M J D: {max|min} (a, b) -> {maximum|minimum}(a, b)
M: var std (x) -> @(x, axis="columns", ddof=1)
M D: var std (x, w:{0|1}) -> @(x, axis="columns"{, ddof=1|})
M D: var std (x, w:1, k:{1|2}) -> @(x, axis={"down"|"across"}, keepdims=True)
M D: var std (x, w:0, k:{1|2}) -> @(x, axis={"down"|"across"}, keepdims=True, ddof=1)
M D: norm (x) -> np.linalg.norm(x, 2)
M D: norm (x, type:"fro") -> norm(x)
M D: norm (x, p##) -> np.linalg.norm(x, p)
M J D: reshape (x, m, n) -> transpose(reshape(transpose(x), (n, m)))
M: zeros ones (n) -> @(n, n)
J: zeros ones (n) -> @((n,))
M: vecnorm (x) -> norm(x, axis="columns")
M: vecnorm (x, p##, k:{1|2}) -> norm(x, axis={"down"|"across"}, keepdims=True, order=p)
M: var std (x, !axis, !keepdims) -> @(x, axis=axis, keepdims=keepdims, ddof=1)
M J D: size (x) -> x.shape
M J D: size (x, k:{1|2}) -> x.shape[{0|1}]
M: bsxfun (f:{minus|plus|times|rdivide}, x, y) -> x {-|+|*|/} y
M: bsxfun (f:power, x, y) -> x**y
M: bsxfun (f:{max|min}, x, y) -> {maximum|minimum}(x, y)
M D: sort flip softmax (x) -> @(x, axis=0)
D: dot (x, y) -> sum(x * y, axis="either")
J: dot (x, y) -> sum(x * y)
J: norm (x, p##) -> norm(flatten(x), order=p)
M D: repmat (x, m, n) -> tile(x, (m, n))
M: chol (x, type:"lower") -> cholesky(x)
M D: permute (x, places(2)) -> transpose(x)
M J D: mod (x, y) -> remainder(x, y)
M J: ndims (x) -> x.ndim
J D: reverse (x) -> flip(x)
J: reverse (x, !dims:{1|2}) -> flip(x, axis={"down"|"across"})
J: softmax logsoftmax (x, !dims:{1|2}) -> @(x, axis={"down"|"across"})
J: softmax logsoftmax (x) -> @(x, axis=0)
J D: ifelse (test, yes, no) -> where(test, yes, no)
J: Diagonal (x) -> diag(x)
J: abs2 (x) -> x**2
J: sum mean (f:abs2, x) -> @(x**2)
J: {maximum|minimum} (x) -> {max|min}(x)
J: sum mean prod (x, !dims:{1|2}) -> @(x, axis={"down"|"across"}, keepdims=True)
J: {maximum|minimum|maximum|minimum} (x, !dims:{1|1|2|2}) -> {max|min|max|min}(x, \
axis={"down"|"down"|"across"|"across"}, keepdims=True)
J: cumsum cumprod (x, !dims:{1|2}) -> @(x, axis={"down"|"across"})
J: var std (x, !dims:{1|2}) -> @(x, axis={"down"|"across"}, keepdims=True, ddof=1)
J: var std (x) -> @(x, ddof=1)
D: var std (x) -> @(x, axis="either", ddof=1)
R: outer (x, y, f|FUN~"*") -> einsum("i,j->ij", x, y)
R: outer (x, y, f|FUN:"{+|-|/}") -> einsum("i->i", x)[:, None] {+|-|/} einsum("i->i", y)[None, :]
R: outer (x, y, f|FUN:"^") -> einsum("i->i", x)[:, None] ** einsum("i->i", y)[None, :]
R: numeric (n) -> zeros(n)
R: diag (n##) -> eye(n)
R: scale (x, center~TRUE, scale:FALSE) -> x - mean(x, axis=0, keepdims=True)
R: scale (x, center~TRUE, scale~TRUE) -> (x - mean(x, axis=0, keepdims=True)) / std(x, axis=0, keepdims=True, ddof=1)
R: matrix (x, rows|nrow, columns|ncol:1) -> reshape(x, (rows, 1))
R: matrix (x, rows|nrow:1, columns|ncol) -> reshape(x, (1, columns))
R: backsolve (a, b) -> solve_triangular(a, b)
R: backsolve (a, b, transpose:TRUE) -> solve_triangular(a.T, b, lower=True)
R: forwardsolve (a, b) -> solve_triangular(a, b, lower=True)
r: solve (a) -> inv(a)
r: apply (x|X, margin|MARGIN:{1|1|1|2|2|2}, f|FUN:{sum|mean|max|sum|mean|max}) -> \
{sum|mean|max|sum|mean|max}(x, axis={1|1|1|0|0|0})
R: apply (x|X, margin|MARGIN:{1|1|2|2}, f|FUN:{sd|var|sd|var}) -> {std|var|std|var}(x, axis={1|1|0|0}, ddof=1)
R: apply (x|X, margin|MARGIN:{1|1|2|2}, f|FUN:{min|median|min|median}) -> {min|median|min|median}(x, axis={1|1|0|0})
r: sweep (x, margin|MARGIN:1, v|STATS, f|FUN{~"-"|:"+"|:"*"|:"/"}) -> x {-|+|*|/} v[:, None]
r: sweep (x, margin|MARGIN:2, v|STATS, f|FUN{~"-"|:"+"|:"*"|:"/"}) -> x {-|+|*|/} v[None, :]
r: lfactorial (x) -> lgamma(x + 1)
r: lchoose (n, k) -> lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
r: choose (n, k) -> binom(n, k)
r: ifelse (test, yes, no) -> where(test, yes, no)
r: {pmax|pmin} (a, b) -> {maximum|minimum}(a, b)
r: sd (x) -> std(x, ddof=1)
r: dunif (x, min=0, max=1) -> ones_like(x) / (max - min)
r: dweibull (x, shape, scale=1, log:TRUE) -> log(shape / scale) + (shape - 1) * log(x / scale) - (x / scale)**shape
r: dweibull (x, shape, scale=1, log~FALSE) -> shape / scale * (x / scale)**(shape - 1) * exp(-(x / scale)**shape)
r: dlnorm (x, meanlog=0, sdlog=1, log:TRUE) -> -((log(x) - meanlog) / sdlog)**2 / 2 - log(sdlog * x) - log(2 * pi) / 2
r: dlnorm (x, meanlog=0, sdlog=1, log~FALSE) -> normal_pdf((log(x) - meanlog) / sdlog) / (sdlog * x)
r: dnbinom (x, size, prob, log{:TRUE|~FALSE}) -> {|exp(}lgamma(x + size) - lgamma(x + 1) - lgamma(size) + size * \
log(prob) + xlogy(x, 1 - prob){|)}
r: dnbinom (x, size, !mu, log{:TRUE|~FALSE}) -> {|exp(}lgamma(x + size) - lgamma(x + 1) - lgamma(size) - size * \
log1p(mu / size) + xlogy(x, mu / (mu + size)){|)}
r: dt (x, df, log{:TRUE|~FALSE}) -> {|exp(}lgamma((df + 1) / 2) - lgamma(df / 2) - log(df * pi) / 2 - (df + 1) / 2 * \
log1p(x**2 / df){|)}
r: cor (x, y) -> pearson(x, y)
r: scale (x) -> (x - mean(x, axis=0, keepdims=True)) / std(x, axis=0, keepdims=True, ddof=1)
r: trigamma (x) -> polygamma(1, x)
r: rev (x) -> flip(x)
r: kronecker (a, b) -> kron(a, b)
r: chol (x) -> cholesky(x).T
r: besselI (x, nu:{0|1}) -> {i0|i1}(x)
r: {rowSums|rowMeans|colSums|colMeans} (x) -> {sum|mean|sum|mean}(x, axis={1|1|0|0})
r: {crossprod|tcrossprod} (x) -> {x.T @ x|x @ x.T}
r: {crossprod|tcrossprod} (x, y) -> {x.T @ y|x @ y.T}
r t: t (x) -> transpose(x)
r: {nrow|ncol} (x) -> x.shape[{0|1}]
r: length (x) -> x.size
M: length (x) -> len(x)
f: reduce_{sum|mean|max|min|prod|logsumexp|variance|std} (x, axis=None, keepdims=False) -> \
{sum|mean|max|min|prod|logsumexp|var|std}(x, axis=axis, keepdims=keepdims)
f: sigmoid_cross_entropy_with_logits (labels, logits) -> binary_cross_entropy_with_logits(logits, labels)
f: softmax_cross_entropy_with_logits sparse_softmax_cross_entropy_with_logits (labels, logits) -> cross_entropy(\
logits, labels)
k: sparse_categorical_crossentropy categorical_crossentropy (y_true, y_pred, from_logits{:True|~False}) -> \
{cross_entropy|nll}({y_pred|log(y_pred)}, y_true)
k: binary_crossentropy (y_true, y_pred, from_logits{:True|~False}) -> mean(binary_cross_entropy{_with_logits|}(y_pred, \
y_true), axis=-1)
k: {mse mean_squared_error|mae mean_absolute_error} (y_true, y_pred) -> mean({(y_pred - y_true)**2|abs(y_pred - \
y_true)}, axis=-1)
k: relu selu sigmoid tanh softplus softsign softmax silu swish (x) -> @(x)
f: bias_add (value, bias) -> value + bias
f: l2_loss (t) -> sum(t**2) / 2
n t: logaddexp2 (a, b|other) -> logaddexp(a * log(2), b * log(2)) / log(2)
n: exprel (x) -> where(x == 0, 1 + x / 2, expm1(x) / where(x == 0, 1, x))
n: ediff1d (x) -> flatten(x)[1:] - flatten(x)[:-1]
n: gradient (x, !axis:0) -> concat(x[1:2] - x[:1], (x[2:] - x[:-2]) / 2, x[-1:] - x[-2:-1])
n: gradient (x, h#=1) -> np.gradient(einsum("i->i", x), axis=0) / h
n t: vander (x) -> x[:, None]**(x.shape[0] - 1 - arange(x.shape[0]))
n t: vander (x, n|N##, increasing~False) -> x[:, None]**(n - 1 - arange(n))
n t: vander (x, n|N##, increasing:True) -> x[:, None]**arange(n)
n t: rot90 (x) -> flip(swapaxes(x, 0, 1), axis=0)
n: modf (x) -> stack((x - trunc(x), trunc(x)))
n: divmod (x, y) -> stack((floor_divide(x, y), remainder(x, y)))
n: choose (index, choices(2)) -> where(index == 0, choices[0], choices[1])
n: choose (index, choices(3)) -> where(index == 0, choices[0], where(index == 1, choices[1], choices[2]))
n t: block_diag (a, b) -> concat(concat(a, zeros((a.shape[0], b.shape[1])), axis=1), concat(zeros((b.shape[0], \
a.shape[1])), b, axis=1))
n: {max|min} (x, axis=None, keepdims=False, !initial) -> {maximum|minimum}({max|min}(x, axis=axis, keepdims=keepdims), \
initial)
n: sum (x, axis=None, keepdims=False, !initial) -> sum(x, axis=axis, keepdims=keepdims) + initial
n: eye (n, m|M) -> (arange(n)[:, None] == arange(m)) * 1
n: pad (x, width#, mode~"constant", value|constant_values) -> pad_all(x - value, width, width) + value
n: solve (a, b, assume_a~"pos", lower~False) -> solve(a, b)
n: apply_along_axis (f:np.{sum|mean}, axis, x) -> {sum|mean}(x, axis=axis)
n: bincount (i|x, w|weights, n|minlength##) -> scatter_add(w, i, n)
m: bool (x) -> x != 0
j: at.add (x, i##, v) -> x + pad(full_like(x[i], v)[None], 0, remainder(i, x.shape[0]), x.shape[0])
j: at.add (x, i, v) -> x + scatter_add(full_like(x[i], v), i, x.shape[0])
j: at.set (x, i##, v) -> where(pad(ones_like(x[i])[None], 0, remainder(i, x.shape[0]), x.shape[0]) > 0, \
full_like(x[i], v), x)
j: at.set (x, i, v##) -> where(scatter_add(ones_like(x[i]), i, x.shape[0]) > 0, v, x)
j: at.set (x, i, v) -> where(scatter_add(ones_like(x[i]), i, x.shape[0]) > 0, \
scatter_add(full_like(x[i], v), i, x.shape[0]) / maximum(scatter_add(ones_like(x[i]), i, x.shape[0]), 1), x)
j: part.set (x, v) -> full_like(x, v)
j: part.{add|multiply} (x, v) -> x {+|*} full_like(x, v)
j: at.multiply (x, i##, v) -> where(pad(ones_like(x[i])[None], 0, remainder(i, x.shape[0]), x.shape[0]) > 0, \
full_like(x[i], v) * x, x)
t: identity (x) -> x
t m: {add|sub subtract} (x, y, !alpha) -> x {+|-} alpha * y
t m: narrow (x, axis|dim:{0|1}, start, n|length) -> x[{|:, }start:start + n]
t m: select (x, axis|dim:{0|1}, i|index#) -> x[{|:, }i]
t m: diag_embed (x) -> x[..., None] * eye(x.shape[-1])
t: chain_matmul (a, b{|, c|, c, d}) -> a @ b{| @ c| @ c @ d}
t: heaviside (x, value) -> where(x > 0, 1, where(x < 0, 0, value))
t m: zero_ (x) -> zeros_like(x)
t m: {fill|copy}_ (x, v) -> full_like(x, v)
t m: count_nonzero (x) -> sum(x != 0)
t m: dist (a, b, p=2) -> norm(flatten(a - b), order=p)
t m: pinverse (x) -> pinv(x)
t: mvlgamma (a, p##) -> p * (p - 1) / 4 * log(pi) + sum(lgamma(a[..., None] - arange(p) / 2), axis=-1)
t: {var|std}_mean (x, unbiased~True) -> stack(({var|std}(x, ddof=1), mean(x)))
t: {var|std}_mean (x, axis|dim, unbiased~True, keepdims|keepdim=False) -> stack(({var|std}(x, axis=axis, ddof=1, \
keepdims=keepdims), mean(x, axis=axis, keepdims=keepdims)))
n t: meshgrid (x, y, !indexing:"ij") -> stack(broadcast(x[:, None], (x.shape[0], y.shape[0])), broadcast(y[None, :], \
(x.shape[0], y.shape[0])))
t: median (x) -> sort(flatten(x))[floor_divide(x.size - 1, 2)]
t m r: numel (x) -> x.size
m: dim (x) -> x.ndim
t: batch_norm (x, mean|running_mean=None, var|running_var=None, weight{~None|}, bias{~None|}, training:True, \
!eps=1e-5) -> {|swapaxes(swapaxes(}batch_norm(x, eps=eps, axis=1){|, 1, -1) * weight + bias, 1, -1)}
t: batch_norm (x, mean|running_mean, var|running_var, weight{~None|}, bias{~None|}, training~False, !eps=1e-5) -> \
{|swapaxes(swapaxes(}running_batch_norm(x, mean, var, eps=eps, axis=1){|, 1, -1) * weight + bias, 1, -1)}
t: rms_norm (x, normalized_shape(1)) -> rms_norm(x, eps=2.220446049250313e-16)
v: sort (x, axis|dim=-1, descending:True) -> flip(sort(x, axis=axis), axis=axis)
v: topk (x, k, axis|dim=-1, largest~True, sorted~True) -> topk(x, k, axis=axis)
v: topk (x, k, axis|dim=-1, largest:False, sorted~True) -> -topk(-x, k, axis=axis)
v t m: topk_places (x, k, axis|dim{~-1|:1|:0}, largest~True, sorted~True) -> argsort(-x, axis={-1|1|0})[{..., |:, |}:k]
v t m: topk_places (x, k, axis|dim{~-1|:1|:0}, largest:False, sorted~True) -> argsort(x, axis={-1|1|0})[{..., |:, |}:k]
v: kthvalue (x, k##) -> take(sort(x, axis=-1), k - 1, axis=-1)
v: median (x, axis|dim, keepdims|keepdim~False) -> take(sort(x, axis=axis), floor_divide(x.shape[axis] - 1, 2), \
axis=axis)
j: squareplus (x, b=4) -> (x + sqrt(x**2 + b)) / 2
j: softmax (x, axis=-1, !where) -> softmax(where(where, x, -inf), axis=axis)
j: soft_sign (x) -> softsign(x)
j: dynamic_slice (x, start(1), n(1)) -> x[start[0]:start[0] + n[0]]
j: dynamic_slice (x, start(2), n(2)) -> x[start[0]:start[0] + n[0], start[1]:start[1] + n[1]]
j: conv (x|lhs, w|rhs, stride|window_strides, padding:"{SAME|VALID}") -> conv2d(x, w, stride=stride{, \
padding="same"|}, layout="NCHW")
j: reduce_{max|min} (x, axes) -> {max|min}(x, axis=axes)
j: ops.segment_sum (data, segment_ids, n|num_segments) -> scatter_add(data, segment_ids, n)
f: conv2d (x|input, w|filters|filter, stride|strides=1, padding:"{SAME|VALID}") -> conv2d(x, w, stride=stride{, \
padding="same"|})
f: {max|avg}_pool2d (x|input, k|ksize, stride|strides, padding:"VALID") -> {max|avg}_pool2d(x, k, stride=stride)
f: moments (x, axes) -> stack((mean(x, axis=axes), var(x, axis=axes)))
f: reverse (x, axis) -> flip(x, axis=axis)
f: band_part (x, lower:{-1|0}, upper:{0|-1}) -> {tril|triu}(x)
f: band_part (x, lower:0, upper:0) -> x * eye(x.shape[-1])
f: cumsum (x, axis=0, exclusive:True, reverse~False) -> cumsum(x, axis=axis) - x
f: cumsum (x, axis=0, exclusive~False, reverse:True) -> flip(cumsum(flip(x, axis=axis), axis=axis), axis=axis)
f: unsorted_segment_sum (data, i|segment_ids, n|num_segments) -> scatter_add(data, i, n)
f: pad (x, widths(1,2), mode~"CONSTANT") -> pad_all(x, widths[0][0], widths[0][1])
f: pad (x, widths(2,2), mode~"CONSTANT") -> pad(pad(x, 0, widths[0][0], widths[0][0] + x.shape[0] + widths[0][1]), 1, \
widths[1][0], widths[1][0] + x.shape[1] + widths[1][1])
k: gelu (x) -> gelu(x)
r: qnorm (p) -> ndtri(p)
r: qnorm (p, mean=0, sd=1) -> mean + sd * ndtri(p)
r: {cbind|rbind} (a, b) -> np.{column_stack|vstack}((a, b))
r: seq_along (x) -> 1 + arange(x.shape[0])
r: seq_len (n) -> 1 + arange(n)
r: head (x, n##) -> x[:n]
r: tail (x, n:0) -> x[:0]
r: tail (x, n##) -> x[-n:]
r: drop (x) -> np.squeeze(x)
r: seq (start|from#, stop|to#, step|by#) -> start + step * arange(floor((stop - start) / step) + 1)
r: c (*x) -> np.hstack(x)
R: c (x$) -> flatten(x.T)
r: matrix (x, rows|nrow) -> transpose(reshape(x, (-1, rows)))
r: matrix (x, rows|nrow~None, columns|ncol) -> transpose(reshape(x, (columns, -1)))
r: matrix (x, rows|nrow, !byrow:TRUE) -> reshape(x, (rows, -1))
r: matrix (x, rows|nrow, columns|ncol, byrow:TRUE) -> reshape(x, (rows, columns))
r: seq (start|from, stop|to, !n|length.out) -> start + (stop - start) * arange(n) / (n - 1)
r: {horzcat|vertcat} (a, b) -> np.{hstack|vstack}((a, b))
r: cor (x) -> corrcoef(x.T)
r: rep (x, n|times) -> np.tile(x, n)
r: mean sum max min median sd (x, !na.rm:FALSE) -> @(x)
r: {mean|sum|max|min} (x, !na.rm:TRUE) -> nan{mean|sum|max|min}(x)
r: repmat (x, m##, n##) -> tile(x, (m, n))
t: hinge_embedding_loss (input, target, margin=1, reduction) -> where(target > 0, input, maximum(margin - input, 0))
"""
_SAME = """
    relu leaky_relu elu gelu silu mish square rsqrt expit where maximum minimum add subtract multiply divide
    negative pow sum mean prod logsumexp max min norm var std median dot outer einsum trace diag kron tril triu
    transpose swapaxes permute reshape flatten expand_dims squeeze concat stack broadcast flip sort argsort
    zeros_like ones_like full_like softmax log_softmax cumsum cumprod logcumsumexp inv det solve pinv slogdet
    eigh eigvalsh svd svdvals matrix_power cholesky matrix_exp squared_error absolute_error huber smooth_l1 topk cummax
    cross_entropy binary_cross_entropy binary_cross_entropy_with_logits stop_gradient arange log2 log10 exp2
    i0e i1 i1e xlog1py
"""
SAME = frozenset(_SAME.split())  # beside functions of every entry: what all libraries mean by these names
_PLACES = "max argmax, min argmin, sort argsort, topk topk_places"  # what gives the indices alone
_BY_RANK = "dot outer"
_OTHERWISE = "std var max min median sort roll repeat"
_ALONG, _WITH_PLACES = "softmax log_softmax cumsum cumprod logcumsumexp", "max min median sort topk cummax cummin"
_TENSORFLOW = """
    relu elu silu square rsqrt where maximum minimum add subtract multiply divide negative pow norm dot einsum transpose
    reshape squeeze expand_dims concat stack zeros_like ones_like inv det logdet trace solve stop_gradient
"""
TENSORFLOW = frozenset(_TENSORFLOW.split())  # beside functions of every entry: what TensorFlow means by them too
ALONG = frozenset(_ALONG.split())  # the same where the axis is given
WITH_PLACES = frozenset(_WITH_PLACES.split())  # of PyTorch's, along an axis, come with indices
OTHERWISE = frozenset(_OTHERWISE.split())  # methods that two libraries mean otherwise
PLACES = {words[0]: words[1] for words in map(str.split, _PLACES.split(","))}
BY_RANK = frozenset(_BY_RANK.split())  # what NumPy has otherwise for arrays of more axes
TORCH = ("torch", "F", "functional", "nn")
_PARAMETER = lazy(r"([*!]?)([\w.|]+)(##?|-#|\$|\([\d,]+\))?(?:([=:~])(.+))?")
_BRACES = lazy(r"\{([^{}]*)\}")
_LAYERS = """
    ReLU relu, LeakyReLU leaky_relu, ELU elu, SELU selu, CELU celu, GELU gelu, SiLU silu, Mish mish, ReLU6 relu6,
    Sigmoid sigmoid, Tanh tanh, Hardsigmoid hardsigmoid, Hardswish hardswish, LogSigmoid logsigmoid, Softplus softplus,
    Softsign softsign, Tanhshrink tanhshrink, Softshrink softshrink, Hardshrink hardshrink, Threshold threshold,
    Hardtanh hardtanh, TripletMarginLoss triplet_margin_loss, CosineEmbeddingLoss cosine_embedding_loss,
    Upsample interpolate, AdaptiveAvgPool1d adaptive_avg_pool1d, AdaptiveMaxPool1d adaptive_max_pool1d,
    GLU glu, Softmax softmax, LogSoftmax log_softmax, Softmin softmin, MSELoss mse_loss, L1Loss l1_loss,
    SmoothL1Loss smooth_l1_loss, HuberLoss huber_loss, CrossEntropyLoss cross_entropy, NLLLoss nll_loss,
    BCELoss binary_cross_entropy, BCEWithLogitsLoss binary_cross_entropy_with_logits, KLDivLoss kl_div,
    GaussianNLLLoss gaussian_nll_loss, PoissonNLLLoss poisson_nll_loss, SoftMarginLoss soft_margin_loss,
    HingeEmbeddingLoss hinge_embedding_loss, MarginRankingLoss margin_ranking_loss, CosineSimilarity cosine_similarity,
    PairwiseDistance pairwise_distance, MaxPool1d max_pool1d, MaxPool2d max_pool2d, AvgPool1d avg_pool1d,
    LPPool1d lp_pool1d, LPPool2d lp_pool2d, PixelShuffle pixel_shuffle, PixelUnshuffle pixel_unshuffle,
    AvgPool2d avg_pool2d, AdaptiveAvgPool2d adaptive_avg_pool2d, AdaptiveMaxPool2d adaptive_max_pool2d,
    Flatten flatten start_dim=1, Identity identity, Dropout dropout, CTCLoss ctc_loss
"""
_USUAL = {"start_dim=1": (("start_dim", tree.ONE),)}
LAYERS = {words[0]: (words[1], _USUAL[words[2]] if words[2:] else ())  # PyTorch's without parameters: their functions
          for words in map(str.split, _LAYERS.split(","))}
# layers with parameters of their own: how they are made, what these are, and what they compute of x
_MODULES = """
Linear (n|in_features, m|out_features, bias{~True|:False}) weight: m x n{, bias: m|} -> F.linear(x, weight{, bias|})
Embedding (n|num_embeddings, m|embedding_dim) weight: n x m -> weight[x]
LayerNorm (n|normalized_shape(1), eps=1e-5) weight: n[0], bias: n[0] -> layer_norm(x, eps=eps) * weight + bias
BatchNorm{1|2}d (n|num_features, eps=1e-5) weight: n, bias: n -> F.batch_norm(x, None, None, weight, bias, True, \
eps=eps)
Conv1d (n|in_channels, m|out_channels, k|kernel_size(1), stride=1, padding=0, dilation=1) weight: m x n x k[0], \
bias: m -> F.conv1d(x, weight, bias, stride, padding, dilation)
Conv2d (n|in_channels, m|out_channels, k|kernel_size{(2)|}, stride=1, padding=0, dilation=1, bias~True) \
weight: m x n x {k[0] x k[1]|k x k}, bias: m -> F.conv2d(x, weight, bias, stride, padding, dilation)
Conv2d (n|in_channels, m|out_channels, k|kernel_size{(2)|}, stride=1, padding=0, dilation=1, bias:False) \
weight: m x n x {k[0] x k[1]|k x k} -> F.conv2d(x, weight, None, stride, padding, dilation)
PReLU () weight: 1 -> F.prelu(x, weight)
PReLU (n|num_parameters) weight: n -> F.prelu(x, weight)
"""
# cells of recurrent networks, of x and of the state s before: their gates are the parts of two products
_CELLS = {
    "LSTMCell": (4, ("(sigmoid(IN[3] + BY[3]) * tanh(NEXT), NEXT)",
                     "(sigmoid(IN[1] + BY[1]) * s[1] + sigmoid(IN[0] + BY[0]) * tanh(IN[2] + BY[2]))"), "s[0]"),
    "GRUCell": (3, ("(1 - NEXT) * tanh(IN[2] + sigmoid(IN[0] + BY[0]) * BY[2]) + NEXT * s",
                    "sigmoid(IN[1] + BY[1])"), "s"),
    "RNNCell": (1, ("tanh(IN[0] + BY[0])", ""), "s"),
}


def _cell_lines() -> Iterator[str]:
    """The cells as lines of the table above."""
    for name, (gates, (formula, part), state) in _CELLS.items():
        both = [f"split(F.linear({of}, weight_{by}, bias_{by}), {gates}, axis=-1)"
                for of, by in (("x", "ih"), (state, "hh"))]
        whole = formula.replace("NEXT", part).replace("IN", both[0]).replace("BY", both[1])
        shapes = f"weight_ih: {gates}*m x n, weight_hh: {gates}*m x m, bias_ih: {gates}*m, bias_hh: {gates}*m"
        yield f"{name} (n|input_size, m|hidden_size, bias~True) {shapes} -> {whole}"
        layer = f"{shapes} -> {whole}".replace("_ih", "_ih_l0").replace("_hh", "_hh_l0")  # a step of it
        yield (f"{name.removesuffix('Cell')} (n|input_size, m|hidden_size, num_layers~1, bias~True, batch_first=False, "
               f'dropout=0, bidirectional~False, !nonlinearity~"tanh") {layer}')


_WITH_WEIGHTS = "has parameters of its own: declare them, and write"
NO_FUNCTIONS = {
    "Linear": f"{_WITH_WEIGHTS} F.linear(x, W, b)", "LayerNorm": f"{_WITH_WEIGHTS} F.layer_norm(x, (D,), w, b)",
    "RMSNorm": f"{_WITH_WEIGHTS} rms_norm(x) * w", "BatchNorm1d": f"{_WITH_WEIGHTS} batch_norm(x) * w + b",
    "Embedding": f"{_WITH_WEIGHTS} E[index]", "PReLU": f"{_WITH_WEIGHTS} F.prelu(x, w)",
    "Conv1d": f"{_WITH_WEIGHTS} F.conv1d(x, w, b)", "Conv2d": f"{_WITH_WEIGHTS} F.conv2d(x, w, b)",
    **{name: f"is a loop: write cell = nn.{name}Cell(…), and `for t in range(T):` with {state} = cell(x[:, t], {of})"
       for name, state, of in (("LSTM", "h, c", "(h, c)"), ("GRU", "h", "h"), ("RNN", "h", "h"))},
    "Sequential": "is several layers: write a line for each",
}


_BY_VALUES = "gives as many entries as the numbers say, and sizes are known before there are numbers"
_A_LOOP = "is a loop: write `for t in 1..T:`, h[t] = … of h[t-1] and x[t]"
_IN_PLACE = "changes an array in place: write what it becomes, with where(…) or concat(…)"
_COUNTS = "counts, and has no derivative: what it gives is data, `data k: N int < K`"
_REASONS = {
    _BY_VALUES: "unique nonzero argwhere flatnonzero masked_select boolean_mask compress extract union1d intersect1d",
    _A_LOOP: "scan fori_loop while_loop associative_scan map_fn foldl",
    _IN_PLACE: "fill_diagonal put place copyto index_put_ scatter_ index_fill_",
    _COUNTS: "histogram digitize matrix_rank lexsort bincount tabulate",
    "gives places: `triu(A)` and `tril(A)` have the same entries, and 0 beside them": "triu_indices tril_indices "
                                                                               "triu_indices_from tril_indices_from",
    "has every pair once; `cdist(A, A)` has every pair twice, and 0 for each with itself": "pdist",
    "is random: what is drawn is data, `data g: N x C`": "gumbel_softmax rrelu alpha_dropout feature_alpha_dropout "
                                                          "randn rand randi rnorm runif rbinom",
    "is what is derived here: write the formula alone": "grad jacobian hessian",
    "needs complex numbers, and numbers are real here": "fft rfft ifft irfft stft eig eigvals",
}
WHY_NOT = {name: why for why, names in _REASONS.items() for name in names.split()}  # functions that cannot be here


class _Parameter(NamedTuple):
    words: tuple[str, ...]
    star: str
    kind: str
    mark: str
    value: tree.Expr | None
    usual: str

    def shown(self) -> str:
        """As a call has it, with the value that it may have or has to have."""
        usual = "None" if self.words == ("reduction",) and not self.mark else self.usual
        return f"*{self.words[0]}" if self.star == "*" else self.words[0] + (f"={usual}" if usual else "=…" * (
            self.star == "!"))

    def takes(self, value: tree.Expr | None) -> bool:
        """Whether this may be the argument, or, of None, none be given."""
        if value is None:
            return self.mark in ("=", "~") or self.words == ("reduction",)
        number = value.body if isinstance(value, tree.Negative) else value
        if self.kind.startswith("#") and not (isinstance(number, tree.Number)
                                              and (self.kind == "#" or number.value.is_integer)):
            return False
        if (self.kind == "-#" and isinstance(number, tree.Number)) or (self.kind == "$" and not _is_array(value)):
            return False
        if self.kind.startswith("(") and not _has_items(value, *map(int, self.kind[1:-1].split(","))):
            return False
        return self.mark not in (":", "~") or value == self.value


def _has_items(value: tree.Expr, count: int, *each: int) -> bool:
    """Whether it is a tuple of so many, of which each again is one; one alone needs no brackets."""
    match value:
        case tree.Tuple():
            pass
        case tree.Index(tree.Member(_, "shape" | "size"), (tree.Slice(start, None, None),)):  # the last so many sizes
            last = start.body if isinstance(start, tree.Negative) else None
            return isinstance(last, tree.Number) and last.value == count and not each
        case tree.Member(_, "shape" | "size") | tree.Index(_, (tree.Slice(), *_)):
            return False
        case _:
            return count == 1 and not each
    return len(value.items) == count and all(
        isinstance(item, tree.Tuple) and _has_items(item, *each) for item in value.items if each)


def _one_by_one(value: tree.Expr) -> tree.Tuple:
    """What has items as a tuple of these."""
    match value:
        case tree.Tuple():
            return value
        case tree.Index(base, (tree.Slice(tree.Negative(tree.Number(count))),)):  # the last so many sizes
            return tree.Tuple(tuple([tree.Index(base, (tree.Negative(tree.Number(sp.Integer(k))),))
                                     for k in range(int(count), 0, -1)]))
    return tree.Tuple((value,))


def _is_array(value: tree.Expr) -> bool:
    """Whether what is joined is an array, along whose first axis its entries stand, and no list: neither one that is
    written out nor the parts that a function gives."""
    called = value.function if isinstance(value, tree.Call) else value.name if isinstance(value, tree.Member) else ""
    return not isinstance(value, tree.Tuple) and "split" not in called and called not in ("chunk", "meshgrid")


class _Spelling(NamedTuple):
    """One line of the table."""

    where: str
    parameters: tuple[_Parameter, ...]
    formula: tree.Expr
    text: str
    per: tree.Expr | None = None

    def called(self, name: str) -> str:
        """How it is called: ``convolve(a, v, mode="valid")``."""
        return f"{name}({', '.join(p.shown() for p in self.parameters)})"

    @property
    def reduces(self) -> bool:
        return any(p.words == ("reduction",) and not p.mark for p in self.parameters)

    def read(self, args: Sequence[tree.Expr], options: Mapping[str, tree.Expr]) -> dict[str, tree.Expr] | None:
        """What the parameters are, by their first word; None where the call is another one."""
        left, given = [*args], {k: v for k, v in options.items() if k not in IDLE_OPTIONS}
        found: dict[str, tree.Expr] = {}
        for p in self.parameters:
            word = next((w for w in p.words if w in given), None)
            if p.star == "*":
                found[p.words[0]], left = _tuple([given.pop(word)] if word is not None else left), []
                continue
            value = given.pop(word) if word is not None else left.pop(0) if left and not p.star else None
            if not p.takes(value):
                return None
            chosen = value or p.value
            chosen = _one_by_one(chosen) if p.kind.startswith("(") and chosen is not None else chosen
            found |= {} if chosen is None else {p.words[0]: chosen}
        return None if left or given else found


def _tuple(items: list[tree.Expr]) -> tree.Expr:
    """All of the items; one that is several, or a shape, is that."""
    match items:
        case [tree.Tuple() | tree.Member(_, "shape", None) | tree.Member(_, "size", ()) as several]:
            return several
    return tree.Tuple(tuple(items))


def _alike(line: str) -> list[str]:
    """The lines that one with braces stands for."""
    parts = _BRACES.split(line)  # at odd places what stands in braces
    each = [part.split("|") if k % 2 else [part] for k, part in enumerate(parts)]
    return ["".join([part[k % len(part)] for part in each]) for k in range(max(map(len, each)))]


@cache
def _lines() -> Mapping[str, Sequence[tuple[str, str, str]]]:
    """The lines of the table by the name that is called: where, the parameters and the formula."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for line in chain.from_iterable(map(_alike, _TABLE.strip().splitlines())):
        left, formula = line.split(" -> ")
        where, names, parameters = re.fullmatch(r"(.*): (.*) \((.*)\)", left).groups()  # type: ignore[union-attr]
        for name in names.split():
            found.setdefault(name, []).append((where, parameters, formula.replace("@(", name + "(")))
    return found


@cache
def _spellings(name: str) -> tuple[_Spelling, ...]:
    """How a function is called; only what is asked for is read, of over a thousand formulas."""
    return tuple([_spelling(*line) for line in _lines().get(name, ())])


def _spelling(where: str, parameters: str, formula: str) -> _Spelling:
    body, _, per = formula.partition(" per ")
    text, counts = (f"sum({body}) / sum({per})", one_formula(per)) if per else (body, None)
    return _Spelling(where, tuple(map(_parameter, parameters.split(", "))), _formula(body), text, counts)


def _formula(body: str) -> tree.Expr:
    """What a spelling means; pi in it is the number, whatever a text calls so."""
    return tree.put(one_formula(body), {"pi": tree.Number(sp.pi)})


def _parameter(text: str) -> _Parameter:
    star, words, kind, mark, value = _PARAMETER.fullmatch(text).groups()  # type: ignore[union-attr]
    return _Parameter(tuple(words.split("|")), star, kind or "", mark or "", one_formula(value) if value else None,
                      value or "")


def spelled(where: str, name: str, args: Sequence[tree.Expr], options: Mapping[str, tree.Expr]
            ) -> tuple[tree.Expr, str] | None:
    """What a library's call is in model text, and how the table has it; None where the table has no such call.
    ``where`` is empty for a call without a module."""
    for spelling in _spellings(name):
        found = spelling.read(args, options) if where in spelling.where else None
        formula = None if found is None else _filled(spelling, found, "mean" if where else "none")
        if isinstance(formula, tree.Tuple):  # array([[a, b], [c, d]])
            return stacked(formula), "stack(…)"
        if found is not None and formula is not None:
            known = of_whole(name, [a.value if isinstance(a, tree.Number) else None for a in found.values()])
            return formula if known is None else tree.Number(known), spelling.text
    return None


class Module(NamedTuple):
    """A layer with parameters: the shapes of these by their names, and what it computes of x."""

    parameters: Mapping[str, tuple[tree.Expr, ...]]
    formula: tree.Expr


@cache
def _modules() -> Mapping[str, Sequence[tuple[_Spelling, Mapping[str, Sequence[tree.Expr]]]]]:
    """How layers are made, each way with what its parameters are."""
    found: dict[str, list[tuple[_Spelling, Mapping[str, Sequence[tree.Expr]]]]] = {}
    for line in (*chain.from_iterable(map(_alike, _MODULES.strip().splitlines())), *_cell_lines()):
        made, formula = line.split(" -> ")
        name, takes, own = re.fullmatch(r"(\w+) \((.*?)\) (\w+: .*)", made).groups()  # type: ignore[union-attr]
        parameters = tuple(map(_parameter, takes.split(", "))) if takes else ()
        shapes = {of: [one_formula(size) for size in shape.split(" x ")]
                  for of, shape in (part.split(": ") for part in own.split(", "))}
        found.setdefault(name, []).append((_Spelling("t", parameters, one_formula(formula), formula), shapes))
    return found


def module(name: str, args: Sequence[tree.Expr], options: Mapping[str, tree.Expr], own: str) -> Module | None:
    """A layer that is called ``own``, whose name its parameters have in front of theirs; None where no layer is made
    so."""
    for spelling, shapes in _modules().get(name, ()):
        found = spelling.read(args, options)
        if found is not None:
            names = {parameter: tree.Name(f"{own}_{parameter}") for parameter in shapes}
            sizes = {names[p].name: tuple([_put(size, found) for size in shape]) for p, shape in shapes.items()}
            return Module(sizes, _put(spelling.formula, {**found, **names}))
    return None


def calls_of(where: str, name: str) -> str:
    """How a function of a library is called where it is read: ``pad(x, widths)``; nothing where it is not."""
    return " or ".join(dict.fromkeys(s.called(name) for s in _spellings(name) if {*where} & {*s.where}))


def spelled_names() -> Iterator[str]:
    """The functions of other libraries that are read, for suggestions."""
    return (name for name in _lines() if name.isidentifier())


def is_spelled(name: str) -> bool:
    """Whether other libraries have a function or method of that name which is read."""
    return name in _lines()


def is_distribution(name: str) -> bool:
    """Whether an object of that name has a log_prob which is read."""
    return f"{name}.log_prob" in _lines()


def distributions(function: str) -> Iterator[str]:
    """SciPy's distributions that have this function here."""
    return (name.removesuffix(f".{function}") for name in _lines() if name.endswith(f".{function}"))


def stacked(expr: tree.Expr) -> tree.Expr:
    """Lists in each other as the array that they are."""
    return tree.Call("stack", tuple(map(stacked, expr.items)), ()) if isinstance(expr, tree.Tuple) else expr


def _filled(spelling: _Spelling, found: Mapping[str, tree.Expr], usual: str) -> tree.Expr | None:
    """The formula with these arguments, and reduced as they say; ``usual``: where they say nothing."""
    formula = _put(spelling.formula, found)
    way = found.get("reduction", tree.String(usual)) if spelling.reduces else tree.String("none")
    name = way.value if isinstance(way, tree.String) else ""
    whole = _WAYS.get("mean per" if name == "mean" and spelling.per is not None else name)
    parts = {"each": formula, "first": next(iter(found.values()))}
    parts |= {} if spelling.per is None else {"per": _put(spelling.per, found)}
    return None if whole is None else _put(whole, parts)


_WAYS = {way: one_formula(whole) for way, whole in [line.split(": ") for line in (
    "none: each", "mean: mean(each)", "mean per: sum(each) / sum(per)", "sum: sum(each)",
    "batchmean: sum(each) / first.shape[0]")]}


def _put(formula: tree.Expr, found: Mapping[str, tree.Expr]) -> tree.Expr:
    """The formula with what the parameters are."""
    match formula:
        case tree.Name(name):
            return found.get(name, formula)
        case tree.Index(tree.Name(name), items) if isinstance(several := found.get(name), tree.Tuple) and not (
                isinstance(items[0], tree.Number)):
            return tree.Index(stacked(several), tuple([_put(item, found) for item in items]))
        case tree.Member(tree.Name(name), attribute, None) if isinstance(several := found.get(name), tree.Tuple):
            return tree.Member(stacked(several), attribute)
        case tree.Index(tree.Name(name), (tree.Number(place),)) if isinstance(several := found.get(name), tree.Tuple):
            return several.items[int(place)]
    return replace(tree.changed(formula, lambda part: _put(part, found)), place=None)
