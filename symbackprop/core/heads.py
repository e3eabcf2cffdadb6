"""SymPy heads of the scalar functions that SymPy would rewrite, evaluate or print in an unstable form.

Each is opaque except for ``fdiff``, which states the derivative in terms of other heads: the derivative of softplus is
then the very sigmoid that another row may already hold.
"""

from __future__ import annotations

import sympy as sp


class Opaque(sp.Function):  # type: ignore[misc]
    """A real function that SymPy never evaluates or rewrites."""

    is_real = True
    is_commutative = True


class Constant(Opaque):
    """Constant almost everywhere."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.S.Zero


class sigmoid(Opaque):
    """σ(x) = 1/(1+e^(−x)); σ' = σ(1−σ)."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return self * (1 - self)


class softplus(Opaque):
    """log(1+e^x); softplus' = σ."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sigmoid(self.args[0])


class normal_cdf(Opaque):
    """Φ(x), the standard normal distribution function; Φ' = φ."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return normal_pdf(self.args[0])


class normal_pdf(Opaque):
    """φ(x) = e^(−x²/2)/√(2π); φ' = −x·φ."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return -limited(self.args[0]) * self


class log_normal_cdf(Opaque):
    """log Φ(x), finite far to the left; its derivative is φ/Φ."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return inverse_mills(self.args[0])


class inverse_mills(Opaque):
    """φ(x)/Φ(x), the inverse of Mills' ratio at −x; it falls with the slope m·(x + m)."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return -inverse_mills_fall(self.args[0])


class inverse_mills_fall(Opaque):
    """m·(x + m) with m = φ(x)/Φ(x), between 0 and 1."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x = self.args[0]
        return inverse_mills(x) * (1 - self) - self * (x + inverse_mills(x))


class logit_loss(Opaque):
    """softplus(z) − y·z, which is −(y log σ(z) + (1 − y) log(1 − σ(z))); its derivative in z is σ(z) − y."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        z, y = self.args
        return sigmoid(z) - y if argindex == 1 else -z


class logaddexp(Opaque):
    """log(e^a + e^b); each argument's derivative is its share e^(a − logaddexp) of the sum."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.exp(self.args[argindex - 1] - self)


class log1p(Opaque):
    """log(1+x), exact near 0."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return 1 / (1 + self.args[0])


class expm1(Opaque):
    """e^x − 1, exact near 0."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return self + 1


class above(Constant):
    """1 where a > b, ``tie`` where a = b, else 0; constant almost everywhere."""



class relu(Opaque):
    """max(0, x); relu' = above(x, 0, tie), where tie is the stated convention at 0."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return above(self.args[0], 0, self.args[1])


class leaky(Opaque):
    """x where x > 0, else slope·x."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x, slope, tie = self.args
        step = above(x, 0, tie)
        return step + slope * (1 - step) if argindex == 1 else where(greater(x, 0), 0, x)


class elu(Opaque):
    """x where x > 0, else alpha·(e^x − 1)."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x, alpha = self.args
        return where(greater(x, 0), 1, self + alpha) if argindex == 1 else negexpm1(x)


class negexpm1(Opaque):
    """e^min(x,0) − 1: zero for x ≥ 0; the derivative of elu in its alpha."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return where(greater(self.args[0], 0), 0, self + 1)


class magnitude(Opaque):
    """|x|; its derivative is sign(x), 0 at 0."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return signum(self.args[0])


class signum(Constant):
    """sign(x), 0 at 0; constant almost everywhere."""



class maximum(Opaque):
    """The larger of two; equal arguments share the gradient."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        a, b = self.args if argindex == 1 else reversed(self.args)
        return above(a, b, sp.Rational(1, 2))


class minimum(Opaque):
    """The smaller of two; equal arguments share the gradient."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        a, b = self.args if argindex == 1 else reversed(self.args)
        return above(b, a, sp.Rational(1, 2))


class root(Opaque):
    """√x whose derivative at 0 is taken as 0: the shortest subgradient of a norm."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return reciprocal(2 * self)


class reciprocal(Opaque):
    """1/x, and 0 at 0."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return -(self**2)


class ratio(Opaque):
    """a/b, and 0 where both are 0."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return reciprocal(self.args[1]) if argindex == 1 else -ratio(self, self.args[1])


class nought(Opaque):
    """a, and 0 where the weight b is 0 and a infinite or nan."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return nought(sp.S.One, self.args[1]) if argindex == 1 else sp.S.Zero


class gated(Opaque):
    """a·b, and 0 where the gate b is 0: b vanishes faster than a grows."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return self.args[1] if argindex == 1 else limited(self.args[0])


class limited(Opaque):
    """a as a factor beside a gate: kept within bounds outside of which the gate is constant."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.S.One


class flat_power(Opaque):
    """x^c, and 0 at 0: a power of a sum of squares, whose derivative at 0 is taken as 0."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x, c = self.args
        return c * flat_power(x, c - 1)


class monomial(Opaque):
    """c·a^b·(log a)^m, and 0 where c or a^b is 0: what a power with a variable exponent has as derivatives."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        c, a, b, m = self.args
        if argindex == 1:
            return monomial(1, a, b, m)
        if argindex == 3:
            return monomial(c, a, b, m + 1)
        return monomial(c * b, a, b - 1, m) + m * monomial(c, a, b - 1, m - 1)


class bernoulli_loss(Opaque):
    """−(y log p + (1 − y) log(1 − p)) with 0·log 0 = 0."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        p, y = self.args
        return -(ratio(y, p) + ratio(y - 1, 1 - p)) if argindex == 1 else sp.log(1 - p) - sp.log(p)


class where(Opaque):
    """a where the condition is not 0, else b."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        condition = self.args[0]
        return (sp.S.Zero, truth(condition), 1 - truth(condition))[argindex - 1]


class truth(Constant):
    """1 where the condition is not 0, else 0."""



class where_selected(Opaque):
    """a; 0 where a is infinite or NaN and s, which says what selects it, is 0."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return is_selected(*self.args) if argindex == 1 else sp.S.Zero


class is_selected(Constant):
    """1 where a is finite or s is not 0, else 0."""



class compare(Constant):
    """1 where the relation holds, else 0. The relation is the class."""



class greater(compare):
    """a > b."""


class greater_equal(compare):
    """a >= b."""


class less(compare):
    """a < b."""


class less_equal(compare):
    """a <= b."""


class equal(compare):
    """a == b."""


class not_equal(compare):
    """a != b."""
