# mypy: disable-error-code="no-any-return, type-arg"
"""Scalar functions that plain NumPy lacks, or that overflow when written naively. Elementwise; NaN stays NaN."""

from __future__ import annotations

import numpy as np

# erf(x)/x over 2x² − 1 for |x| < 1, and e^(x²)·erfc(x)·(1 + 2x) over (x − 3.75)/(x + 3.75), as Chebyshev series.
ERF_SMALL = (
    0.97547693938265409598, -0.14226120510371364238, 0.010035582187599795576, -0.00057687646997674847651,
    2.7419931252196061034e-05, -1.1043175507344507604e-06, 3.848875542034503695e-08, -1.180858253387546697e-09,
    3.2334215826050909646e-11, -7.9910159470045487582e-13, 1.7990725113961455612e-14, -3.7186354878186926382e-16,
)
ERFC_SCALED = (
    1.1775789345674017541, -0.0045900545806464773309, -0.084249133366517915584, 0.059209939998191890498,
    -0.026658668435305752277, 0.0090749976707052650939, -0.0024131635404176081909, 0.00049077583652580863229,
    -6.9169733025012063671e-05, 4.1390279860730101675e-06, 7.7403830661984906686e-07, -2.1886401049234395661e-07,
    1.0764999465670910377e-08, 4.5219598112182868979e-09, -7.7544002088313511065e-10, -6.3180883408866844944e-11,
    2.8687950109306698981e-11, 1.945586854577734723e-13, -9.6546967484334389059e-13, 3.2525481481487398415e-14,
    3.3478119482868053878e-14, -1.8645628804193131015e-15, -1.2507950530688647085e-15, 7.418235256624043463e-17,
)
# lgamma(x)/((x − 1)·(x − 2)) over x − 2 for 1 < x < 3, as a Chebyshev series; the Bernoulli numbers B₂, B₄, …
LGAMMA = (
    0.44148902545501420802, -0.11119580321752522305, 0.019510448260688840516, -0.0039224614630252639868,
    0.00084789898959538574021, -0.00019153855341365592266, 0.000044544701849756063756, -0.000010572874373594299644,
    2.5474336873408414892e-6, -6.2085358807763160364e-7, 1.5268677399071546601e-7, -3.7826376602913261471e-8,
    9.4281008236242844044e-9, -2.3619997021846449367e-9, 5.9435419058175460746e-10, -1.5013129770728669448e-10,
    3.8050196458110536946e-11, -9.6724852996563246068e-12, 2.4653481983556609269e-12, -6.2988681407917114834e-13,
    1.6128460030283786455e-13, -4.1379492068140420876e-14, 1.0635701227757898417e-14, -2.7382420786652824822e-15,
    7.0606705072148924822e-16, -1.8232177141662118691e-16, 4.7141690067562715939e-17,
)
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^(-x)); an overflowing e^(-x) gives the right 0."""
    e = np.negative(x)
    out = e if e.ndim else None
    with np.errstate(over="ignore"):
        return np.divide(1, np.add(1, np.exp(e, out=out), out=out), out=out)


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + e^x), without overflow."""
    e = np.abs(x)
    out = e if np.ndim(e) else None
    e = np.log1p(np.exp(np.negative(e, out=out), out=out), out=out)
    return np.add(e, np.maximum(x, 0), out=out)


def hardtanh(x: np.ndarray) -> np.ndarray:
    """x between -1 and 1, else the nearer of them."""
    return np.clip(x, -1, 1)


def logit(x: np.ndarray) -> np.ndarray:
    """log(x / (1 - x)), exact near 0."""
    return np.log(x) - np.log1p(-x)


def leaky_relu(x: np.ndarray | float, slope: float) -> np.ndarray:
    """x where x > 0, else slope * x."""
    return np.where(x > 0, x, slope * x)


def elu(x: np.ndarray | float, alpha: float) -> np.ndarray:
    """x where x > 0, else alpha * (e^x - 1)."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def heaviside(a: np.ndarray | float, b: np.ndarray | float) -> np.ndarray:
    """1 where a > b, 1/2 where they are equal, else 0."""
    return (0.5 * np.greater(a, b) + 0.5 * np.greater_equal(a, b)).astype(np.result_type(a, b))


def reciprocal(x: np.ndarray) -> np.ndarray:
    """1 / x, and 0 where x is 0."""
    zero = x == 0
    return np.where(zero, 0, 1 / np.where(zero, 1, x))


def quotient(a: float, b: float) -> float:
    """a / b of plain numbers; where b is 0 what it is of arrays, not an exception."""
    return a / b if b else a * float("inf")


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where both are 0."""
    if np.all(b):
        return a / b
    none = (a == 0) & (b == 0)
    return np.where(none, 0, a / np.where(none, 1, b))


def flat_power(x: np.ndarray | float, c: np.ndarray | float) -> np.ndarray:
    """x**c, and 0 where x is 0."""
    zero = x == 0
    return np.where(zero, 0, np.where(zero, 1, x) ** c)


def power_term(c: np.ndarray | float, a: np.ndarray | float, b: np.ndarray | float, m: int) -> np.ndarray:
    """c * a**b * log(a)**m, and 0 where c or a**b is 0."""
    none = c == 0
    power = a ** np.where(none, 1, b)
    logs = np.log(np.where(power == 0, 1, a)) ** m if m else 1
    return np.where(none, 0, c * power * logs)


def is_selected(a: np.ndarray | float, s: np.ndarray | float) -> np.ndarray:
    """Where a is finite, or s is not 0."""
    return np.isfinite(a) | np.not_equal(s, 0)


def where_selected(a: np.ndarray | float, s: np.ndarray | float) -> np.ndarray:
    """a, and 0 where it is infinite or NaN but s is 0: nothing that counts reads it there."""
    finite = np.isfinite(a)
    if finite.all() and np.broadcast(a, s).shape == np.shape(a):
        return np.asarray(a)[()]
    return np.where(finite | np.not_equal(s, 0), a, 0)


def sum_selected(a: np.ndarray, s: np.ndarray, axis: int | tuple | None = None) -> np.ndarray | np.number:
    """The sum along axes of a, guarded as where_selected does it where it is not finite."""
    total = a.sum(axis)
    return total if np.isfinite(total).all() else where_selected(a, s).sum(axis)


def dot_selected(s: np.ndarray, a: np.ndarray, axis: int | tuple | None = None) -> np.ndarray | np.number:
    """The sum along axes of s * a, guarded as where_selected does it where it is not finite."""
    if axis is None:
        total = np.vdot(s, a)
    elif axis == s.ndim - 1:
        total = row_dots(s, a)
    else:
        return sum_selected(s * a, s, axis)
    return total if np.isfinite(total).all() else where_selected(s * a, s).sum(axis)


def row_dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sum along the last axis of a * b; BLAS is faster than einsum on long rows only."""
    if a.shape[-1] < 64:
        return np.einsum("...a,...a->...", a, b)
    return np.matmul(a[..., None, :], b[..., None])[..., 0, 0]


def gated(x: np.ndarray, gate: np.ndarray) -> np.ndarray:
    """x * gate, and 0 where the gate is 0, even at an infinite x."""
    product = x * gate
    return product if np.isfinite(np.vdot(product, product)) else np.where(gate == 0, 0, x) * gate


def limited(x: np.ndarray) -> np.ndarray:
    """x, no further from 0 than 1e100, 1e12 in float32: a factor beside gates such as sigmoid', which are 0 beyond."""
    square = np.vdot(x, x)
    bound = 1e100 if square.dtype == np.float64 else 1e12
    return x if square <= bound**2 else np.clip(x, -bound, bound)


def beyond(x: np.ndarray) -> np.ndarray:
    """What an exponent x is beyond ±300, in float32 beyond ±40: e^(x - beyond(x)) and its square are floats."""
    bound = 300 if np.asarray(x).dtype == np.float64 else 40
    return x - np.clip(x, -bound, bound)


def within(x: np.ndarray) -> np.ndarray:
    """x, no further from 0 than 150, in float32 20: in front of an exponential whose rest is held constant."""
    bound = 150 if np.asarray(x).dtype == np.float64 else 20
    return np.clip(x, -bound, bound)


def times_log(weight: np.ndarray | float, p: np.ndarray | float) -> np.ndarray:
    """weight * log(p), and 0 where the weight is 0."""
    zero = weight == 0
    return np.where(zero, 0, weight * np.log(np.where(zero, 1, p)))


def logit_loss(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """softplus(z) - y * z without cancellation: -(y log p + (1 - y) log(1 - p)) for p = sigmoid(z)."""
    return gated(z, (z > 0) - y) + np.log1p(np.exp(-np.abs(z)))


def bernoulli_loss(p: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """-(y log p + (1 - y) log(1 - p)), where 0 log 0 is 0."""
    return -(times_log(y, p) + times_log(1 - y, 1 - p))


def chebyshev(coefficients: tuple, t: np.ndarray) -> np.ndarray:
    """The Chebyshev series with these coefficients at t, by Clenshaw's recurrence."""
    last = before = 0 * t
    for c in coefficients[:0:-1]:
        last, before = 2 * t * last - before + c, last
    return t * last - before + coefficients[0]


def erfc_times_exp(x: np.ndarray) -> np.ndarray:
    """e^(x²) erfc(x) for x >= 0."""
    return chebyshev(ERFC_SCALED, (x - 3.75) / (x + 3.75)) / (1 + 2 * x)


def exp_square(x: np.ndarray) -> np.ndarray:
    """e^(-x²); the square is split so that its rounding does not reach the exponential."""
    near = np.trunc(16 * x) / 16
    return np.exp(-near * near) * np.exp((near - x) * (near + x))


def erf(x: np.ndarray) -> np.ndarray:
    """The error function, to rounding error."""
    size = np.minimum(np.abs(x), 30)
    small = np.minimum(size, 1)
    far = np.sign(x) * (1 - exp_square(size) * erfc_times_exp(size))
    return np.where(size < 1, x * chebyshev(ERF_SMALL, 2 * small * small - 1), far)


def erfc(x: np.ndarray) -> np.ndarray:
    """1 - erf(x), to rounding error in both tails."""
    size = np.minimum(np.abs(x), 30)
    tail = exp_square(size) * erfc_times_exp(size)
    return np.where(x < 0, 2 - tail, np.where(x < 0.5, 1 - erf(x), tail))


def erf_inverse(size: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """The number >= 0 whose erf is size and whose erfc is rest: a first guess (Winitzki), and Halley's steps."""
    logs = np.log(rest)
    log = logs + np.log1p(size)
    middle = 4.3307467508 + 0.5 * log
    y = np.sqrt(np.sqrt(middle * middle - log / 0.147) - middle)
    for _ in range(4):
        near, far = (erf(y) - size) * np.exp(np.square(np.minimum(y, 1))), np.exp(y * y + logs) - erfc_times_exp(y)
        off = 0.8862269254527580 * np.where(size < 0.5, near, far)
        y = y - off / (1 + y * off)
    return y


def erfinv(x: np.ndarray) -> np.ndarray:
    """The number whose erf is x."""
    size = np.minimum(np.abs(x), 1 - np.finfo(np.asarray(x).dtype).epsneg)
    y = np.sign(x) * erf_inverse(size, 1 - size)
    return np.where(np.abs(x) < 1, y, np.where(np.abs(x) == 1, np.copysign(np.inf, x), np.nan))


def ndtri(x: np.ndarray) -> np.ndarray:
    """The number that a standard normal variable is below with probability x, to rounding error in both tails."""
    inside = (x > 0) & (x < 1)
    rest = 2 * np.where(inside, np.minimum(x, 1 - x), 0.5)
    y = 1.4142135623730951 * erf_inverse(1 - rest, rest)
    ends = np.where((x == 0) | (x == 1), np.copysign(np.inf, x - 0.5), np.nan)
    return np.where(inside, np.where(x < 0.5, -y, y), ends)


def erfcx(x: np.ndarray) -> np.ndarray:
    """e^(x²) erfc(x), as a series far to the right."""
    size = np.minimum(np.abs(x), 1e8)
    near = np.where(x > 1e8, 0.5641895835477563 / np.maximum(x, 1), erfc_times_exp(size))
    return np.where(x < 0, 2 * np.exp(np.square(np.minimum(x, 0))) - near, near)


def erfcx_fall(x: np.ndarray) -> np.ndarray:
    """How fast erfcx falls: 2 / sqrt(pi) - 2 x erfcx(x), without cancellation."""
    right = 1.7724538509055159 * np.square(erfcx(np.maximum(x, 0)))
    right = right * inverse_mills_fall(-1.4142135623730951 * np.maximum(x, 0))
    return np.where(x < 0, 1.1283791670955126 - 2 * np.minimum(x, 0) * erfcx(x), right)


def log_cosh(x: np.ndarray) -> np.ndarray:
    """log(cosh(x)), without overflow, exact near 0."""
    size = np.abs(x)
    near = np.log1p(2 * np.square(np.sinh(np.minimum(size, 1) / 2)))
    return np.where(size < 1, near, size + np.log1p(np.exp(-2 * size)) - 0.6931471805599453)


def over_hypot(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """x / sqrt(x² + y²), without over- or underflow; 0 where both are 0."""
    size = np.hypot(x, y)
    return x / np.where(size == 0, 1, size)


def over_squares(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """x / (x² + y²), without over- or underflow on the way; 0 where both are 0."""
    size = np.hypot(x, y)
    size = np.where(size == 0, 1, size)
    return x / size / size


def atan_quotient(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """arctan(x / y)."""
    return np.arctan(np.divide(x, y))


def moderate(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """Where neither the product nor the quotient of both can over- or underflow."""
    a, b = np.abs(x), np.abs(y)
    return (a > 1e-18) & (a < 1e18) & (b > 1e-18) & (b < 1e18)


def is_moderate(x: np.ndarray | float) -> bool:
    """Whether all are positive, neither close to 0 nor very large."""
    return bool(np.min(x, initial=1) > 1e-18 and np.max(x, initial=1) < 1e18)


def log_product(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """log(x * y); of the signs, and by the logarithms of both, where the product over- or underflows."""
    with np.errstate(all="ignore"):
        product = np.asarray(np.multiply(x, y))
    if is_moderate(product):
        return np.log(product, out=product)[()]
    near = moderate(x, y)
    product = np.where(near, x, np.sign(x)) * np.where(near, y, np.sign(y))
    return np.log(product) + (np.log(np.where(near, 1, np.abs(x))) + np.log(np.where(near, 1, np.abs(y))))


def log_quotient(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """log(x / y); of the signs, and by the logarithms of both, where the quotient over- or underflows."""
    with np.errstate(all="ignore"):
        over = np.asarray(np.divide(x, y))
    if is_moderate(over):
        return np.log(over, out=over)[()]
    near = moderate(x, y)
    over = np.where(near, x, np.sign(x)) / np.where(near, y, np.sign(y))
    return np.log(over) + (np.log(np.where(near, 1, np.abs(x))) - np.log(np.where(near, 1, np.abs(y))))


def log_one_minus_exp(x: np.ndarray) -> np.ndarray:
    """log(1 - e^x) for x < 0, exact near 0 and far from it."""
    near = x > -0.6931471805599453
    return np.where(near, np.log(-np.expm1(np.where(near, x, -1))), np.log1p(-np.exp(np.where(near, -1, x))))


def twice_sigmoid(x: np.ndarray) -> np.ndarray:
    """2 / (1 + e^(-x))."""
    return 2 * sigmoid(x)


def log_twice_sigmoid(x: np.ndarray) -> np.ndarray:
    """log(2 / (1 + e^(-x))), exact near 0."""
    near = np.abs(x) < 1
    return np.where(near, np.log1p(np.tanh(0.5 * np.where(near, x, 0))), 0.6931471805599453 - softplus(-x))


def log_softplus(x: np.ndarray) -> np.ndarray:
    """log(log(1 + e^x)), which is x far out on the left."""
    far = x < -37
    return np.where(far, x, np.log(softplus(np.where(far, 0, x))))


def softplus_share(x: np.ndarray) -> np.ndarray:
    """sigmoid(x)/softplus(x), which is 1 far out on the left."""
    near = np.where(x < -37, 0, x)
    return np.where(x < -37, 1, sigmoid(near) / softplus(near))


def log1p_excess(x: np.ndarray) -> np.ndarray:
    """x - log(1 + x), exact near 0: over r = x/(2 + x), of which log(1 + x) is 2 artanh(r)."""
    near = np.abs(x) < 0.5
    r = np.where(near, x, 0) / (2 + np.where(near, x, 0))
    series = sum(r ** (2 * k) / (2 * k + 3) for k in range(18))
    return np.where(near, r * (x - 2 * r * r * series), x - np.log1p(np.where(near, 0, x)))


def log_exp_mean(x: np.ndarray) -> np.ndarray:
    """log((e^x - 1) / x), without overflow, exact near 0."""
    near = np.where(np.abs(x) < 1, x, 0)
    series = 1 + near / 22
    for k in range(21, 2, -1):
        series = 1 + near / k * series
    size = np.maximum(np.abs(x), 1)
    far = np.log(-np.expm1(-size) / size) + np.maximum(x, 0)
    return np.where(np.abs(x) < 1, np.log1p(0.5 * near * series), far)


def exp_share(n: float | np.ndarray, x: np.ndarray | float) -> np.ndarray:
    """The mean of t**n over 0 < t < 1 with weights e^(tx), by series and, far out, by recurrence over e^x or 1."""
    n, near = np.round(n * np.ones_like(x)), np.where(np.abs(x) < 2, x, 0)
    over, under = 1 / (n + 30), np.ones_like(n) / 30
    for k in range(29, 0, -1):
        over, under = 1 / (n + k) + near / k * over, 1 / k + near / k * under
    far = np.where(np.abs(x) < 2, 2, x)
    top = np.exp(np.minimum(far, 0))
    first = found = (top - np.exp(-np.maximum(far, 0))) / far
    for k in range(1, 9):
        found = np.where(k <= n, (top - k * found) / far, found)
    return np.where(np.abs(x) < 2, over / under, found / first)


def log_mean(n: float | np.ndarray, x: np.ndarray | float) -> np.ndarray:
    """The derivative of order n of log(1 + x)/x, by series near 0 and by recurrence elsewhere."""
    n, near = np.round(n * np.ones_like(x)), (x > -0.3) & (x < 0.6)
    z = np.where(near, x, 0) / (1 + np.where(near, x, 0))
    series = sum(z**k / (n + 1 + k) for k in range(45)) * (1 + np.where(near, x, 0)) ** -(n + 1)
    far, factor = np.where(near, 1, x), np.ones_like(n)
    found = np.log1p(far) / far
    for k in range(1, 9):
        found = np.where(k <= n, (found - (1 + far) ** -k / k) / far, found)
        factor = np.where(k <= n, -k * factor, factor)
    return factor * np.where(near, series, found)


def sine_mean(n: float | np.ndarray, x: np.ndarray | float) -> np.ndarray:
    """The spherical Bessel function of order n over x**n: sin(x)/x for n = 0."""
    n, near = np.round(n * np.ones_like(x)), np.where(np.abs(x) < 3, x, 0)
    first = np.ones_like(n)
    for k in range(1, 9):
        first = np.where(k <= n, first / (2 * k + 1), first)
    series = np.ones_like(n)
    for k in range(24, 0, -1):
        series = 1 - 0.5 * near * near / (k * (2 * (n + k) + 1)) * series
    far = np.where(np.abs(x) < 3, 3, x)
    before, found = np.cos(far), np.sin(far) / far
    for k in range(8):
        following = ((2 * k + 1) * found - before) / (far * far)
        before, found = np.where(k < n, found, before), np.where(k < n, following, found)
    return np.where(np.abs(x) < 3, first * series, found)


def tanh_mean(n: float | np.ndarray, x: np.ndarray | float) -> np.ndarray:
    """1 / (2n + 1 + x² tanh_mean(n + 1, x)), Lambert's continued fraction: tanh(x)/x for n = 0."""
    n, near = np.round(n * np.ones_like(x)), np.where(np.abs(x) < 4, x, 0)
    fraction = 1 / (2 * n + 61)
    for k in range(29, -1, -1):
        fraction = 1 / (2 * (n + k) + 1 + near * near * fraction)
    far = np.where((np.abs(x) < 4) | np.isinf(x), 4, np.abs(x))
    found = np.tanh(far) / far
    for k in range(8):
        found = np.where(k < n, (1 / found - (2 * k + 1)) / far / far, found)
    return np.where(np.abs(x) < 4, fraction, np.where(np.isinf(x), 0, found))


def gauss_mean(n: float | np.ndarray, x: np.ndarray | float) -> np.ndarray:
    """The integral of t**(2n) e^(-x²t²) over 0 < t < 1, by series near 0 and by recurrence elsewhere."""
    n, near = np.round(n * np.ones_like(x)), np.where(np.abs(x) < 1.5, x, 0)
    series = np.ones_like(n)
    for k in range(30, 0, -1):
        series = 1 + near * near / (n + k + 0.5) * series
    far = np.where(np.abs(x) < 1.5, 1.5, np.abs(x))
    found, last = 0.886226925452758 * erf(far) / far, np.exp(-far * far)
    for k in range(8):
        found = np.where(k < n, ((2 * k + 1) * found - last) / 2 / far / far, found)
    return np.where(np.abs(x) < 1.5, np.exp(-near * near) / (2 * n + 1) * series, found)


def arc_mean(n: float | np.ndarray, x: np.ndarray | float, c: float, p: float) -> np.ndarray:
    """The integral of p (p + 1) .. (p + n - 1) t**(2n) (1 - c x²t²)**-(p + n) over 0 < t < 1, by series near 0 and by
    recurrence elsewhere: for n = 0 that of asin, atanh (c = 1; p = 0.5, 1), asinh and atan (c = -1) at x over x."""
    n, near = np.round(n * np.ones_like(x)), np.where(np.abs(x) < 0.5, x, 0)
    far = np.where(np.abs(x) < 0.5, 0.5, np.abs(x))
    first = (np.arcsin(far) if p < 1 else np.arctanh(far)) if c > 0 else np.arcsinh(far) if p < 1 else np.arctan(far)
    factor, found = np.ones_like(n), np.where(np.isinf(far) & (c < 0), 0, first / far)
    for k in range(8):
        last = factor * (1 - c * far * far) ** -(p + k)
        found = np.where(k < n, c * (last - (2 * k + 1) * found) / 2 / far / far, found)
        factor = np.where(k < n, factor * (p + k), factor)
    term, series = factor, factor / (2 * n + 1)
    for k in range(1, 40):
        term = term * (p + n + k - 1) / k * c * near * near
        series = series + term / (2 * n + 2 * k + 1)
    return np.where(np.abs(x) < 0.5, series, found)


def lgamma(x: np.ndarray) -> np.ndarray:
    """log of |the gamma function|, by its series near 1 and 2 and by Stirling's; by Euler's reflection below 0."""
    y = np.where(x > 0, x, 1 - x)
    small = np.where(y < 1, y + 1, np.minimum(y, 3))
    near = (small - 1) * (small - 2) * chebyshev(LGAMMA, small - 2) - np.where(y < 1, np.log(y), 0)
    z, product = np.maximum(y, 3), np.ones_like(y)
    for _ in range(6):
        z, product = np.where(z < 9, z + 1, z), product * np.where(z < 9, z, 1)
    far = (z - 0.5) * (np.log(z) - 1) + 0.4189385332046727 - np.log(product)
    for k, b in enumerate(BERNOULLI[:8], 1):
        far = far + b / (2 * k * (2 * k - 1)) * z ** (1 - 2 * k)
    found = np.where(y < 3, near, far)
    size = np.abs(np.sin(3.141592653589793 * (x - np.round(x))))
    at_pole = (x <= 0) & (size == 0)
    mirror = np.where(at_pole, np.inf, 1.1447298858494002 - np.log(np.where((x > 0) | at_pole, 1, size)))
    return np.where(x > 0, found, mirror - found)


def digamma(x: np.ndarray) -> np.ndarray:
    """The derivative of lgamma, by its series behind x + 10, and by reflection below 0; NaN at 0, -1, -2, ..."""
    y = np.where(x > 0, x, 1 - x)
    z = y + 10
    found = np.log(z) - 0.5 / z - sum(1 / (y + k) for k in range(10))
    for k, b in enumerate(BERNOULLI[:8], 1):
        found = found - b / (2 * k) * z ** (-2 * k)
    off = np.where(x > 0, 0.25, np.where(x == np.round(x), np.nan, x - np.round(x)))
    return np.where(x > 0, found, found - 3.141592653589793 / np.tan(3.141592653589793 * off))


def hurwitz(s: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The sum of (x + k)**-s over k = 0, 1, ... for x > 0, by Euler and Maclaurin."""
    z = x + 20
    total = z ** (1 - s) / np.maximum(s - 1, 1) + 0.5 * z**-s + sum((x + k) ** -s for k in range(20))
    factor = 0.5 * s * z ** -(s + 1)
    for k, b in enumerate(BERNOULLI, 1):
        total = total + b * factor
        factor = factor * (s + 2 * k - 1) * (s + 2 * k) / ((2 * k + 1) * (2 * k + 2) * z * z)
    return total


def polygamma(n: float | np.ndarray, x: np.ndarray | float) -> np.ndarray:
    """The n-th derivative of digamma: (-1)^(n + 1) n! times the sum of (x + k)**-(n + 1) over k = 0, 1, ..., which is
    over all whole numbers k without those below 0 where x is negative; NaN at 0, -1, -2, ..."""
    n = np.round(n * np.ones_like(x))
    x = np.where((x <= 0) & (x == np.round(x)), np.nan, x * np.ones_like(n))
    below, signed = x < 0, 2 * (n % 2) - 1
    part = np.where(below, x - np.floor(x), 0.5)
    total = hurwitz(n + 1, np.where(below, part, x))
    mirror = total + signed * (hurwitz(n + 1, 1 - part) - hurwitz(n + 1, np.where(below, 1 - x, 1)))
    return np.where(n < 1, digamma(x), signed * np.exp(lgamma(n + 1)) * np.where(below, mirror, total))


def bessel_scaled(n: float | np.ndarray, x: np.ndarray | float) -> np.ndarray:
    """e^-|x| I_n(x) / x**n for the modified Bessel function, by its power series and, far out, by Hankel's."""
    n, size = np.round(n * np.ones_like(x)), np.abs(x)
    near = np.minimum(size, 20)
    term = total = np.exp(-lgamma(n + 1)) * 0.5**n
    for k in range(1, 46):
        term = term * np.square(near) / (4 * k * (n + k))
        total = total + term
    size = np.maximum(size, 20)
    wave = far = np.ones_like(size)
    for k in range(1, 26):
        wave = -wave * (4 * n * n - (2 * k - 1) ** 2) / (8 * k * size)
        far = far + wave
    return np.where(np.abs(x) < 20, np.exp(-near) * total, far / (2.5066282746310002 * np.sqrt(size) * size**n))


def bessel_slope(n: float | np.ndarray, x: np.ndarray | float) -> np.ndarray:
    """The derivative of bessel_scaled, far out by the difference of two of Hankel's series; 0 at 0."""
    n, size = np.round(n * np.ones_like(x)), np.maximum(np.abs(x), 20)
    wave = other = np.ones_like(size)
    far = np.zeros_like(size)
    for k in range(1, 26):
        wave = -wave * (4 * n * n - (2 * k - 1) ** 2) / (8 * k * size)
        other = -other * (4 * (n + 1) ** 2 - (2 * k - 1) ** 2) / (8 * k * size)
        far = far + (wave - other)
    near = np.minimum(np.abs(x), 20)
    found = bessel_scaled(n, near) - near * bessel_scaled(n + 1, near)
    far = far / (2.5066282746310002 * np.sqrt(size) * size**n)
    return -np.sign(x) * np.where(np.abs(x) < 20, found, far)


def bessel_ratio(n: float | np.ndarray, x: np.ndarray | float) -> np.ndarray:
    """I_n(x) / x**n for the modified Bessel function."""
    size = np.minimum(np.abs(x), 1e4)
    root = np.exp(0.5 * size)
    return root * bessel_scaled(n, size) * root


def bessel_share(n: float | np.ndarray, x: np.ndarray | float) -> np.ndarray:
    """I_n(x) / x**n over I_0(x), without overflow."""
    return bessel_scaled(n, x) / bessel_scaled(0, x)


def log_i0(x: np.ndarray) -> np.ndarray:
    """log of the modified Bessel function of order 0, without overflow, exact near 0."""
    square = 0.25 * np.square(np.minimum(np.abs(x), 20))
    series = 1 + square / 3600
    for k in range(59, 1, -1):
        series = 1 + square / (k * k) * series
    return np.where(np.abs(x) < 20, np.log1p(square * series), np.abs(x) + np.log(bessel_scaled(0, x)))


def i0(x: np.ndarray) -> np.ndarray:
    """The modified Bessel function of order 0."""
    return bessel_ratio(0, x)


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """The standard normal distribution function, to rounding error in both tails."""
    size = np.minimum(np.abs(x), 40)
    half = np.trunc(16 * size) / 16
    gauss = np.exp(-0.5 * half * half) * np.exp(0.5 * (half - size) * (half + size))
    tail = 0.5 * gauss * erfc_times_exp(0.7071067811865476 * size)
    return np.where(x < 0, tail, 1 - tail)


def log_normal_cdf(x: np.ndarray) -> np.ndarray:
    """log of normal_cdf(x), finite far to the left."""
    left = 0.5 * erfc_times_exp(0.7071067811865476 * np.minimum(np.abs(x), 1e30))
    right = np.log1p(-normal_cdf(-np.maximum(x, -1)))
    return np.where(x < -1, np.log(left) - 0.5 * x * x, right)


def inverse_mills(x: np.ndarray) -> np.ndarray:
    """normal_pdf(x) / normal_cdf(x), which is -x far to the left."""
    left = 0.7978845608028654 / erfc_times_exp(0.7071067811865476 * np.minimum(np.abs(x), 1e8))
    right = normal_pdf(x) / normal_cdf(np.maximum(x, 0))
    return np.where(x < -1e8, -x, np.where(x < 0, left, right))


def inverse_mills_fall(x: np.ndarray) -> np.ndarray:
    """m * (x + m) for m = inverse_mills(x); as a series in y = 1/x² far to the left, where x + m is about -1/x."""
    near = np.minimum(np.maximum(x, -50), 1e8)
    m = inverse_mills(near)
    y = 1 / np.square(np.minimum(x, -50))
    over = 1 + y * (1 + y * (-2 + y * (10 + y * (-74 + y * 706))))
    rest = 1 + y * (-2 + y * (10 + y * (-74 + y * (706 - 8162 * y))))
    return np.where(x < -50, over * rest, m * (near + m))


def normal_pdf(x: np.ndarray) -> np.ndarray:
    """e^(-x²/2) / sqrt(2 pi)."""
    return 0.3989422804014327 * np.exp(-0.5 * x * x)
