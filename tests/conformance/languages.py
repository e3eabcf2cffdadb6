"""The functions of expressions in the table of stability, as NumPy-like libraries have them, written as their users
would, and as mpmath does with any number of digits."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np


def _derived(m: Any, special: Any) -> dict[str, Any]:
    """What a library like NumPy has under NumPy's names, and what its users write themselves."""
    names = ["exp", "log", "log1p", "expm1", "sqrt", "tanh", "cosh", "sinh", "sum", "mean", "var", "std", "abs",
             "sin", "cos", "hypot", "logaddexp", "prod", "where", "maximum", "minimum"]
    found = {name: getattr(m, name) for name in names}

    def layer_norm(x: Any) -> Any:
        return (x - m.mean(x)) / m.sqrt(m.var(x) + 1e-5)

    return found | {
        "asinh": m.arcsinh, "acosh": m.arccosh, "atanh": m.arctanh, "atan": m.arctan, "atan2": m.arctan2,
        "asin": m.arcsin, "acos": m.arccos, "normal_cdf": lambda x: special.erfc(-x / 2**0.5) / 2,
        "normal_pdf": lambda x: m.exp(-(x**2) / 2) / (2 * m.pi) ** 0.5,
        "erf": special.erf, "erfc": special.erfc, "logsumexp": special.logsumexp, "sigmoid": special.expit,
        "logit": special.logit, "lgamma": special.gammaln, "i0": special.i0, "norm": m.linalg.norm,
        "softplus": lambda x: m.logaddexp(x, 0), "softmax": lambda x: m.exp(x - special.logsumexp(x)),
        "layer_norm": layer_norm, "xlogy": lambda x, y: x * m.log(y),
    }


@cache
def jax_language() -> dict[str, Any]:
    import jax

    return _derived(jax.numpy, jax.scipy.special) | {
        "softplus": jax.nn.softplus, "softmax": jax.nn.softmax, "sigmoid": jax.nn.sigmoid,
        "xlogy": jax.scipy.special.xlogy,
    }


@cache
def autograd_language() -> dict[str, Any]:
    from autograd import numpy as m
    from autograd.scipy import special

    return _derived(m, special) | {"hypot": lambda x, y: m.sqrt(x**2 + y**2), "xlogy": lambda x, y: x * m.log(y)}


def _torch() -> dict[str, Any]:
    import torch
    from torch.nn import functional as F

    names = ["exp", "log", "log1p", "expm1", "sqrt", "tanh", "cosh", "sinh", "sum", "mean", "abs", "sin", "cos",
             "hypot", "logaddexp", "prod", "where", "erf", "erfc"]
    return {name: getattr(torch, name) for name in names} | {
        "var": lambda x: torch.var(x, correction=0), "std": lambda x: torch.std(x, correction=0),
        "asinh": torch.asinh, "acosh": torch.acosh, "atanh": torch.atanh, "atan": torch.atan, "atan2": torch.atan2,
        "asin": torch.asin, "acos": torch.acos, "normal_cdf": torch.special.ndtr,
        "normal_pdf": lambda x: torch.exp(-(x**2) / 2) / (2 * torch.pi) ** 0.5,
        "logsumexp": lambda x: torch.logsumexp(x, 0), "sigmoid": torch.sigmoid, "logit": torch.logit,
        "lgamma": torch.lgamma, "i0": torch.i0, "norm": torch.linalg.vector_norm, "softplus": F.softplus,
        "softmax": lambda x: torch.softmax(x, 0), "layer_norm": lambda x: F.layer_norm(x, x.shape),
        "xlogy": torch.xlogy, "sqrt": lambda x: torch.sqrt(torch.as_tensor(x)),
    }


@cache
def torch_language() -> dict[str, Any]:
    return _torch()


@cache
def mpmath_language() -> dict[str, Any]:
    """Over arrays of mpmath's numbers, of which exponents have no bounds: nothing overflows."""
    from mpmath import mp

    def entrywise(function: Any) -> Any:
        return np.vectorize(function, otypes=[object])

    def log(x: Any) -> Any:
        return mp.log(x) if x else mp.ninf

    def mean(x: Any) -> Any:
        return np.sum(x) / np.size(x)

    def var(x: Any) -> Any:
        return mean((x - mean(x)) ** 2)

    exp, ln, root = entrywise(mp.exp), entrywise(log), entrywise(mp.sqrt)
    return {
        "exp": exp, "log": ln, "log1p": lambda x: ln(1 + x), "expm1": lambda x: exp(x) - 1, "sqrt": root,
        "tanh": entrywise(mp.tanh), "cosh": entrywise(mp.cosh), "sinh": entrywise(mp.sinh), "sum": np.sum,
        "mean": mean, "var": var, "std": lambda x: root(var(x)), "abs": abs, "sin": entrywise(mp.sin),
        "cos": entrywise(mp.cos), "hypot": entrywise(mp.hypot), "logaddexp": lambda x, y: ln(exp(x) + exp(y)),
        "prod": np.prod, "asinh": entrywise(mp.asinh), "acosh": entrywise(mp.acosh), "atanh": entrywise(mp.atanh),
        "asin": entrywise(mp.asin), "acos": entrywise(mp.acos),
        "normal_cdf": entrywise(lambda x: mp.erfc(-x / mp.sqrt(2)) / 2),
        "normal_pdf": lambda x: exp(-(x**2) / 2) / mp.sqrt(2 * mp.pi),
        "atan": entrywise(mp.atan), "atan2": entrywise(mp.atan2), "erf": entrywise(mp.erf), "erfc": entrywise(mp.erfc),
        "logsumexp": lambda x: ln(np.sum(exp(x))), "sigmoid": lambda x: 1 / (1 + exp(-x)),
        "logit": lambda x: ln(x / (1 - x)), "lgamma": entrywise(mp.loggamma),
        "i0": entrywise(lambda x: mp.besseli(0, x)), "norm": lambda x: root(np.sum(x**2)),
        "softplus": lambda x: ln(1 + exp(x)), "softmax": lambda x: exp(x) / np.sum(exp(x)),
        "layer_norm": lambda x: (x - mean(x)) / root(var(x) + mp.mpf(1e-5)),
        "xlogy": lambda x, y: x * ln(y) if np.all(x != 0) else 0 * y,
    }
