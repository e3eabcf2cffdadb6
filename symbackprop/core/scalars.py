"""The scalar functions: one record each, from which printing, code, reference values, tests and docs follow.

To add an elementwise function, add one `Scalar` below. Its derivative may be left out: SymPy's ``diff`` of the head is
then used, rewritten over the row's own output where the head reappears.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symbackprop.core import heads
from symbackprop.core.formula import OUT, ZERO, Arg, Formula, call

X, Y, Z, M = Arg(0), Arg(1), Arg(2), Arg(3)
Numpy = Any


@dataclass(frozen=True)
class Scalar:
    """One elementwise function.

    ``partials`` are the derivatives by each argument over `Arg` and `OUT` (None: by SymPy's ``diff``). ``shown`` is how
    many arguments print; the rest are conventions. ``latex`` and ``text`` are templates over the printed arguments
    (None: ``name(args)``); ``numpy`` is code, naming a stable helper where plain NumPy is unstable. ``reference(np,
    *arrays)`` is written independently of ``numpy`` and is what `verify` trusts. ``domain`` is where random inputs are
    drawn, one interval per argument; ``defined`` says where the function is. ``log`` is log f and ``complement`` 1 − f,
    of a function of one argument, where these have a form that neither overflows nor cancels; ``odd``: f(−x) = −f(x);
    ``power``: f(x) is x to that power.
    """

    name: str
    head: Callable[..., sp.Expr]
    reference: Callable[..., Any]
    numpy: str
    partials: tuple[Formula | None, ...] = (None,)
    domain: tuple[tuple[float, float], ...] = ((-2.0, 2.0),)
    shown: int = 0
    latex: str | None = None
    text: str | None = None
    precedence: int = 100
    public: bool = True
    boolean: bool = False
    note: str = ""
    defined: str = "any floats"
    log: Formula | None = None
    complement: Formula | None = None
    odd: bool = False
    power: sp.Expr | None = None

    @property
    def arity(self) -> int:
        return self.shown or len(self.domain)


TABLE: dict[str, Scalar] = {}
BY_HEAD: dict[Any, Scalar] = {}


def register(record: Scalar) -> Scalar:
    """Add a record, refusing one that is incomplete or already there."""
    if record.name in TABLE:
        raise ValueError(f"the scalar function {record.name!r} is registered twice")
    if len(record.partials) < record.arity:
        raise ValueError(f"{record.name}: {record.arity} arguments but {len(record.partials)} derivatives")
    if not callable(record.reference) or not record.numpy or len(record.domain) < record.arity:
        raise ValueError(f"{record.name}: reference, numpy code and one domain per argument are required")
    TABLE[record.name] = record
    BY_HEAD[record.head] = record
    return record


def _sigmoid(np: Numpy, x: Any) -> Any:
    e = np.exp(-_abs(np, x))
    return np.where(np.real(x) >= 0, 1 / (1 + e), e / (1 + e))


def _softplus(np: Numpy, x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-_abs(np, x)))


def _abs(np: Numpy, x: Any) -> Any:
    """|x|; over complex numbers ±x by the sign of the real part, so that a complex step differentiates it."""
    return np.where(np.real(x) < 0, -x, x) if np.iscomplexobj(x) else np.abs(x)


def _erf(np: Numpy, x: Any) -> Any:
    from math import erf

    return _integral(np, erf, lambda v: 2 * np.exp(-v * v) / np.sqrt(np.pi), x)


def _normal_cdf(np: Numpy, x: Any) -> Any:
    from math import erfc

    return _integral(np, lambda v: 0.5 * erfc(-v / 2**0.5), lambda v: np.exp(-v * v / 2) / np.sqrt(2 * np.pi), x)


def _integral(np: Numpy, function: Callable[[float], float], density: Callable[[Any], Any], x: Any) -> Any:
    """A function that is defined as the integral of a density; over complex numbers its continuation to first order,
    which is exact for the tiny imaginary parts of a complex step."""
    real = np.vectorize(function, otypes=[float])(np.real(x))
    return real + 1j * np.imag(x) * density(np.real(x)) if np.iscomplexobj(x) else real


def _above(np: Numpy, a: Any, b: Any, tie: Any) -> Any:
    return np.where(np.asarray(a) == b, tie, np.where(np.asarray(a) > b, 1.0, 0.0))


def _reciprocal(np: Numpy, x: Any) -> Any:
    return np.where(np.asarray(x) == 0, 0.0, 1 / np.where(np.asarray(x) == 0, 1.0, x))


def _ratio(np: Numpy, a: Any, b: Any) -> Any:
    none = (np.asarray(a) == 0) & (np.asarray(b) == 0)
    return np.where(none, 0.0, a / np.where(none, 1.0, b))


def _flat_power(np: Numpy, x: Any, c: Any) -> Any:
    return np.where(np.asarray(x) == 0, 0.0, np.power(np.where(np.asarray(x) == 0, 1.0, x), c))


def _monomial(np: Numpy, c: Any, a: Any, b: Any, m: Any) -> Any:
    none = np.asarray(c) == 0
    power = np.power(a * 1.0, np.where(none, 1.0, b))
    logs = np.log(np.where(power == 0, 1.0, a)) ** m
    return np.where(none, 0.0, c * power * logs)


def _bernoulli_loss(np: Numpy, p: Any, y: Any) -> Any:
    def term(weight: Any, q: Any) -> Any:
        return np.where(np.asarray(weight) == 0, 0.0, weight * np.log(np.where(np.asarray(weight) == 0, 1.0, q)))

    return -(term(y, p) + term(1 - y, 1 - p))


POSITIVE = ((0.3, 3.0),)
ANY = (-2.0, 2.0)
TWO = (ANY, ANY)
NO = ZERO  # the derivative is 0 almost everywhere
HALF = sp.Rational(1, 2)

register(Scalar("exp", sp.exp, lambda np, x: np.exp(x), "np.exp({0})", (OUT,), latex=r"e^{{{0}}}", precedence=80,
                log=X))
register(Scalar("log", sp.log, lambda np, x: np.log(x), "np.log({0})", (1 / X,), POSITIVE, latex=r"\log {0}",
                defined="x > 0"))
register(Scalar("log1p", heads.log1p, lambda np, x: np.log1p(x), "np.log1p({0})", (1 / (1 + X),), ((-0.5, 2.0),),
                latex=r"\log\left(1 + {0}\right)", defined="x > -1"))
register(Scalar("expm1", heads.expm1, lambda np, x: np.expm1(x), "np.expm1({0})", (OUT + 1,),
                latex=r"\left(e^{{{0}}} - 1\right)"))
register(Scalar("sqrt", sp.sqrt, lambda np, x: np.sqrt(x), "np.sqrt({0})", (1 / (2 * OUT),), POSITIVE,
                defined="x >= 0", latex=r"\sqrt{{{0}}}", power=HALF))
register(Scalar("abs", heads.magnitude, _abs, "np.abs({0})", (call("sign", X),),
                latex=r"\left|{0}\right|", text="|{0}|", note="derivative 0 at 0"))
register(Scalar("sign", heads.signum, lambda np, x: np.sign(np.real(x)), "np.sign({0})", (NO,),
                latex=r"\operatorname{{sign}}{0}", note="derivative 0 everywhere"))
register(Scalar("sin", sp.sin, lambda np, x: np.sin(x), "np.sin({0})", (call("cos", X),), latex=r"\sin {0}"))
register(Scalar("cos", sp.cos, lambda np, x: np.cos(x), "np.cos({0})", (-call("sin", X),), latex=r"\cos {0}"))
register(Scalar("tanh", sp.tanh, lambda np, x: np.tanh(x), "np.tanh({0})", (1 - OUT**2,), latex=r"\tanh {0}",
                complement=2 * call("sigmoid", -2 * X), odd=True))
register(Scalar("sigmoid", heads.sigmoid, _sigmoid, "sigmoid({0})", (OUT * (1 - OUT),), latex=r"\sigma{0}",
                text="σ{0}", log=-call("softplus", -X), complement=call("sigmoid", -X)))
register(Scalar("softplus", heads.softplus, _softplus, "softplus({0})", (call("sigmoid", X),),
                latex=r"\operatorname{{softplus}}{0}"))
register(Scalar("erf", sp.erf, _erf, "erf({0})", (call("exp", -(X**2)) * (2 / sp.sqrt(sp.pi)),),
                latex=r"\operatorname{{erf}}{0}", complement=2 * call("normal_cdf", -sp.sqrt(2) * X), odd=True))
register(Scalar("normal_cdf", heads.normal_cdf, _normal_cdf, "normal_cdf({0})", (call("normal_pdf", X),),
                latex=r"\Phi{0}", text="Φ{0}", complement=call("normal_cdf", -X)))
register(Scalar("normal_pdf", heads.normal_pdf, lambda np, x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
                "normal_pdf({0})", (-X * OUT,), latex=r"\varphi{0}", text="φ{0}"))
register(Scalar("relu", heads.relu, lambda np, x, tie: np.where(x != x, x, np.maximum(x, 0)), "np.maximum({0}, 0)",
                (call("above", X, 0, Y),), (ANY, (0.0, 0.0)), shown=1, latex=r"\operatorname{{ReLU}}{0}",
                text="ReLU{0}", note="derivative at 0: the relu0 convention"))
register(Scalar("leaky", heads.leaky, lambda np, x, a, tie: np.where(x > 0, x, a * x),
                "leaky_relu({0}, {1})", (None, None), (ANY, (0.1, 0.4), (0.0, 0.0)), shown=2,
                latex=r"\operatorname{{LeakyReLU}}\left({0}, {1}\right)", text="LeakyReLU({0}, {1})", public=False,
                note="derivative at 0: the relu0 convention"))
register(Scalar("elu_unit", heads.elu, lambda np, x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
                "elu({0}, {1})", (None, None), (ANY, (0.5, 1.5)),
                latex=r"\operatorname{{ELU}}\left({0}, {1}\right)", text="ELU({0}, {1})", public=False))
register(Scalar("negexpm1", heads.negexpm1, lambda np, x: np.expm1(np.minimum(x, 0)),
                "np.expm1(np.minimum({0}, 0))", (None,), latex=r"\left(e^{{\min({0}, 0)}} - 1\right)",
                text="(exp(min({0}, 0)) - 1)", public=False))
register(Scalar("maximum", heads.maximum, lambda np, a, b: np.maximum(a, b), "np.maximum({0}, {1})",
                (call("above", X, Y, HALF), call("above", Y, X, HALF)), TWO,
                latex=r"\max\left({0}, {1}\right)", text="max({0}, {1})", note="ties share the gradient equally"))
register(Scalar("minimum", heads.minimum, lambda np, a, b: np.minimum(a, b), "np.minimum({0}, {1})",
                (call("above", Y, X, HALF), call("above", X, Y, HALF)), TWO,
                latex=r"\min\left({0}, {1}\right)", text="min({0}, {1})", note="ties share the gradient equally"))
register(Scalar("where", heads.where, lambda np, c, a, b: np.where(c, a, b), "np.where({0}, {1}, {2})",
                (NO, call("truth", X), 1 - call("truth", X)), ((0.0, 1.0), ANY, ANY),
                latex=r"\operatorname{{where}}\left({0}, {1}, {2}\right)", text="where({0}, {1}, {2})"))
register(Scalar("truth", heads.truth, lambda np, c: np.where(c, 1.0, 0.0), "({0} != 0)", (NO,),
                ((0.0, 1.0),), latex=r"\mathbf{{1}}\!\left[{0}\right]", text="1[{0}]", public=False, boolean=True))
register(Scalar("above", heads.above, _above, "heaviside({0}, {1})", (NO, NO), (ANY, ANY, (0.0, 0.0)),
                shown=2, latex=r"\mathbf{{1}}\!\left[{0} > {1}\right]", text="1[{0} > {1}]", public=False,
                boolean=True))

register(Scalar("root", heads.root, lambda np, x: np.sqrt(x), "np.sqrt({0})", (call("reciprocal", 2 * OUT),), POSITIVE,
                latex=r"\sqrt{{{0}}}", text="sqrt({0})", public=False, defined="x >= 0", power=HALF,
                note="derivative 0 at 0"))
register(Scalar("reciprocal", heads.reciprocal, _reciprocal, "reciprocal({0})", (-(OUT**2),), POSITIVE,
                latex=r"\frac{{1}}{{{0}}}", text="1/{0}", public=False, note="0 at 0"))
register(Scalar("ratio", heads.ratio, _ratio, "ratio({0}, {1})", (call("reciprocal", Y), -call("ratio", OUT, Y)),
                (ANY, (0.3, 3.0)), latex=r"\frac{{{0}}}{{{1}}}", text="{0} / {1}", precedence=20, public=False,
                note="0 where both are 0"))
register(Scalar("flat_power", heads.flat_power, _flat_power, "flat_power({0}, {1})",
                (Y * call("flat_power", X, Y - 1), None), ((0.3, 3.0), (0.2, 0.8)), shown=1,
                latex=r"{0}^{{{1}}}", text="{0}^{1}", precedence=30, public=False, note="0 at 0"))
register(Scalar("monomial", heads.monomial, _monomial, "power_term({0}, {1}, {2}, {3})",
                (call("monomial", 1, Y, Z, M),
                 call("monomial", X * Z, Y, Z - 1, M) + M * call("monomial", X, Y, Z - 1, M - 1),
                 call("monomial", X, Y, Z, M + 1)),
                (ANY, (0.3, 3.0), ANY, (0.0, 0.0)), shown=3, latex=r"{0} {1}^{{{2}}}", text="{0} {1}^{2}",
                precedence=20, public=False, note="0 where the coefficient or the power is 0"))
register(Scalar("bernoulli_loss", heads.bernoulli_loss, _bernoulli_loss, "bernoulli_loss({0}, {1})",
                (-(call("ratio", Y, X) + call("ratio", Y - 1, 1 - X)), call("log", 1 - X) - call("log", X)),
                ((0.1, 0.9), (0.1, 0.9)),
                latex=r"-\left[{1} \log {0} + (1-{1}) \log (1-{0})\right]",
                text="-[{1} log {0} + (1-{1}) log(1-{0})]", precedence=10, public=False,
                defined="0 <= x <= 1"))

_RELATIONS = (("greater", heads.greater, ">", ">"), ("greater_equal", heads.greater_equal, ">=", r"\ge"),
              ("less", heads.less, "<", "<"), ("less_equal", heads.less_equal, "<=", r"\le"),
              ("equal", heads.equal, "==", "="), ("not_equal", heads.not_equal, "!=", r"\ne"))


def _relation(name: str) -> Callable[..., Any]:
    return lambda np, a, b: getattr(np, name)(a, b) * 1.0


for _name, _head, _sign, _tex in _RELATIONS:
    register(Scalar(_name, _head, _relation(_name), f"({{0}} {_sign} {{1}})", (NO, NO), TWO,
                    latex=rf"\mathbf{{{{1}}}}\!\left[{{0}} {_tex} {{1}}\right]", text=f"1[{{0}} {_sign} {{1}}]",
                    boolean=True))
BY_HEAD |= {sp.Abs: TABLE["abs"], sp.sign: TABLE["sign"]}  # SymPy's own, which it makes of roots of squares
RELATIONS = {sign: name for name, _, sign, _ in _RELATIONS}
