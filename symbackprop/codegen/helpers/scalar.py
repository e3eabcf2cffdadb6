# mypy: disable-error-code="no-untyped-def, no-untyped-call"
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


def sigmoid(x):
    """1 / (1 + e^(-x)); an overflowing e^(-x) gives the right 0."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def softplus(x):
    """log(1 + e^x), without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def hardtanh(x):
    """x between -1 and 1, else the nearer of them."""
    return np.clip(x, -1, 1)


def logit(x):
    """log(x / (1 - x)), exact near 0."""
    return np.log(x) - np.log1p(-x)


def leaky_relu(x, slope):
    """x where x > 0, else slope * x."""
    return np.where(x > 0, x, slope * x)


def elu(x, alpha):
    """x where x > 0, else alpha * (e^x - 1)."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def heaviside(a, b):
    """1 where a > b, 1/2 where they are equal, else 0."""
    return (0.5 * np.greater(a, b) + 0.5 * np.greater_equal(a, b)).astype(np.result_type(a, b))


def reciprocal(x):
    """1 / x, and 0 where x is 0."""
    zero = x == 0
    return np.where(zero, 0, 1 / np.where(zero, 1, x))


def quotient(a, b):
    """a / b of plain numbers; where b is 0 what it is of arrays, not an exception."""
    return a / b if b else a * float("inf")


def ratio(a, b):
    """a / b, and 0 where both are 0."""
    if np.all(b):
        return a / b
    none = (a == 0) & (b == 0)
    return np.where(none, 0, a / np.where(none, 1, b))


def flat_power(x, c):
    """x**c, and 0 where x is 0."""
    zero = x == 0
    return np.where(zero, 0, np.where(zero, 1, x) ** c)


def power_term(c, a, b, m):
    """c * a**b * log(a)**m, and 0 where c or a**b is 0."""
    none = c == 0
    power = a ** np.where(none, 1, b)
    logs = np.log(np.where(power == 0, 1, a)) ** m if m else 1
    return np.where(none, 0, c * power * logs)


def is_selected(a, s):
    """Where a is finite, or s is not 0."""
    return np.isfinite(a) | np.not_equal(s, 0)


def where_selected(a, s):
    """a, and 0 where it is infinite or NaN but s is 0: nothing that counts reads it there."""
    return np.where(is_selected(a, s), a, 0)


def gated(x, gate):
    """x * gate, and 0 where the gate is 0, even at an infinite x."""
    product = x * gate
    return product if np.isfinite(product).all() else np.where(gate == 0, 0, x) * gate


def limited(x):
    """x, no further from 0 than 1e12: a factor beside gates such as sigmoid', which are 0 beyond."""
    return np.clip(x, -1e12, 1e12)


def times_log(weight, p):
    """weight * log(p), and 0 where the weight is 0."""
    zero = weight == 0
    return np.where(zero, 0, weight * np.log(np.where(zero, 1, p)))


def logit_loss(z, y):
    """softplus(z) - y * z without cancellation: -(y log p + (1 - y) log(1 - p)) for p = sigmoid(z)."""
    return gated(z, (z > 0) - y) + np.log1p(np.exp(-np.abs(z)))


def bernoulli_loss(p, y):
    """-(y log p + (1 - y) log(1 - p)), where 0 log 0 is 0."""
    return -(times_log(y, p) + times_log(1 - y, 1 - p))


def chebyshev(coefficients, t):
    """The Chebyshev series with these coefficients at t, by Clenshaw's recurrence."""
    last = before = 0 * t
    for c in coefficients[:0:-1]:
        last, before = 2 * t * last - before + c, last
    return t * last - before + coefficients[0]


def erfc_times_exp(x):
    """e^(x²) erfc(x) for x >= 0."""
    return chebyshev(ERFC_SCALED, (x - 3.75) / (x + 3.75)) / (1 + 2 * x)


def exp_square(x):
    """e^(-x²); the square is split so that its rounding does not reach the exponential."""
    near = np.trunc(16 * x) / 16
    return np.exp(-near * near) * np.exp((near - x) * (near + x))


def erf(x):
    """The error function, to rounding error."""
    size = np.minimum(np.abs(x), 30)
    small = np.minimum(size, 1)
    far = np.sign(x) * (1 - exp_square(size) * erfc_times_exp(size))
    return np.where(size < 1, x * chebyshev(ERF_SMALL, 2 * small * small - 1), far)


def normal_cdf(x):
    """The standard normal distribution function, to rounding error in both tails."""
    size = np.minimum(np.abs(x), 40)
    half = np.trunc(16 * size) / 16
    gauss = np.exp(-0.5 * half * half) * np.exp(0.5 * (half - size) * (half + size))
    tail = 0.5 * gauss * erfc_times_exp(0.7071067811865476 * size)
    return np.where(x < 0, tail, 1 - tail)


def log_normal_cdf(x):
    """log of normal_cdf(x), finite far to the left."""
    left = 0.5 * erfc_times_exp(0.7071067811865476 * np.minimum(np.abs(x), 1e30))
    right = np.log1p(-normal_cdf(-np.maximum(x, -1)))
    return np.where(x < -1, np.log(left) - 0.5 * x * x, right)


def inverse_mills(x):
    """normal_pdf(x) / normal_cdf(x), which is -x far to the left."""
    left = 0.7978845608028654 / erfc_times_exp(0.7071067811865476 * np.minimum(np.abs(x), 1e8))
    right = normal_pdf(x) / normal_cdf(np.maximum(x, 0))
    return np.where(x < -1e8, -x, np.where(x < 0, left, right))


def inverse_mills_fall(x):
    """m * (x + m) for m = inverse_mills(x); as a series in y = 1/x² far to the left, where x + m is about -1/x."""
    near = np.minimum(np.maximum(x, -50), 1e8)
    m = inverse_mills(near)
    y = 1 / np.square(np.minimum(x, -50))
    over = 1 + y * (1 + y * (-2 + y * (10 + y * (-74 + y * 706))))
    rest = 1 + y * (-2 + y * (10 + y * (-74 + y * (706 - 8162 * y))))
    return np.where(x < -50, over * rest, m * (near + m))


def normal_pdf(x):
    """e^(-x²/2) / sqrt(2 pi)."""
    return 0.3989422804014327 * np.exp(-0.5 * x * x)
