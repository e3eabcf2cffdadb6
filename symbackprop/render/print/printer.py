"""What printers have in common: a method for every kind of node, and how strongly what is printed binds."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import sympy as sp

from symbackprop.core import maths
from symbackprop.core.maths import Math

SUM, TERM, QUOTIENT, PRODUCT, MATRIX, SIGN, POWER, ATOM = 10, 18, 19, 20, 22, 25, 30, 100
HALF = sp.Rational(1, 2)

FUNCTION_NAMES = {
    "cross_entropy": "CE", "binary_cross_entropy_with_logits": "BCEwithLogits", "layer_norm": "LayerNorm",
    "rms_norm": "RMSNorm", "gelu": "GELU", "gelu_tanh": "GELU", "gelu_sigmoid": "GELU", "silu": "SiLU",
    "swish": "Swish", "mish": "Mish", "one_hot": "onehot", "var": "Var", "trace": "tr", "scatter_add": "scatter",
    "put_along_axis": "scatter", "causal_mask": "mask", "leaky": "LeakyReLU", "elu_unit": "ELU",
    "log_softmax": "logsoftmax", "conv2d": "conv", "conv2d_kernel": "convKernel", "conv2d_input": "convInput",
    "max_pool2d": "maxpool", "avg_pool2d": "avgpool",
}


class Levelled(Protocol):
    """Something printed that binds more or less strongly."""

    @property
    def level(self) -> int: ...


P = TypeVar("P", bound=Levelled)


class Printer(Generic[P]):
    """Prints a tree by the method that is named like its node, in lower case."""

    def __call__(self, m: Math) -> P:
        printed: P = getattr(self, _METHODS[type(m)])(m)
        return printed

    def shaped(self, m: maths.Shaped) -> P:
        return self(m.body)

    def fenced(self, p: P) -> P:
        """In parentheses."""
        raise NotImplementedError

    def wrapped(self, m: Math, level: int) -> P:
        """In parentheses where it binds more weakly than ``level``."""
        p = self(m)
        return p if p.level >= level else self.fenced(p)

    def factors(self, m: maths.Prod) -> list[tuple[P, bool]]:
        """Factors in parentheses where they need them, and whether ⊙ stands before each."""
        arrays = [x.rank > 0 for x in m.factors]
        entrywise = sum(arrays) > 1
        found = []
        for k, x in enumerate(m.factors):
            p = self(x)
            needs = POWER if entrywise and arrays[k] and p.level == MATRIX else PRODUCT + 1 if k else PRODUCT
            found.append((p if p.level >= needs else self.fenced(p), arrays[k] and any(arrays[:k])))
        return found


_METHODS = {c: c.__name__.lower() for c in vars(maths).values() if isinstance(c, type) and issubclass(c, Math)}
