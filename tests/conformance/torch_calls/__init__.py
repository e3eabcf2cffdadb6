"""PyTorch's functions as compositions of symbackprop's: by the same name where there is one, or in the modules here."""

from __future__ import annotations

from typing import Any

from symbackprop.core.functions import FUNCTIONS
from symbackprop.core.functions.words import ARGUMENTS, meant
from symbackprop.core.numpy_calls import TABLE
from tests.conformance.expressed import Composition
from tests.conformance.frame import NotExpressible
from tests.conformance.torch_calls import arrange, choose, fourier, layers, linear, losses, pointwise, reduce, windows
from tests.conformance.torch_calls.table import CALLS

RANDOM = "its result is drawn at random"
SPARSE = "sparse arrays"
CAST = "another precision"
NOT_APPLICABLE = {
    **dict.fromkeys(("normal", "bernoulli", "svd_lowrank", "pca_lowrank", "nn.functional.rrelu",
                     "nn.functional.fractional_max_pool2d", "nn.functional.fractional_max_pool3d"), RANDOM),
    "as_strided_scatter": "PyTorch 2.13 hands the gradient to the entries written over, not to those that stay",
    **dict.fromkeys(("sparse.sampled_addmm", "sparse.mm", "to_sparse"), SPARSE),
    **dict.fromkeys(("bfloat16", "half", "float", "cfloat", "chalf"), CAST),
}


def not_applicable(name: str) -> str:
    """Why a function is nothing for models of real numbers; empty for most."""
    return NOT_APPLICABLE.get(name, "")


def composition(op: Any, sample: Any) -> Composition:
    """What a function of PyTorch is here."""
    name = op.name
    if name in CALLS:
        return CALLS[name]
    own = name.removeprefix("nn.functional.").removeprefix("linalg.").removeprefix("special.").removeprefix("_")
    word = own if own in FUNCTIONS else meant(own, tuple(FUNCTIONS))
    if word:
        return lambda s, /, *args, **options: FUNCTIONS[word](
            *args, **{ARGUMENTS.get(k, k): v for k, v in options.items()})
    if own in TABLE:
        return lambda s, /, *args, **options: TABLE[own](*args, **options)
    raise NotExpressible("no composition is written")


__all__ = ["arrange", "choose", "composition", "fourier", "layers", "linear", "losses", "not_applicable", "pointwise",
           "reduce", "windows"]
