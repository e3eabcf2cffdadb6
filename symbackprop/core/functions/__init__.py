"""What users call: compositions of rows. Their backward is derived, never written here.

Every function takes rows (or numbers and SymPy expressions where a row is among the arguments) and returns a row. Names
are NumPy's where NumPy has them.
"""

from symbackprop.core.functions import arrange, constants, layers, losses, matrices, pointwise, reductions, windows
from symbackprop.core.functions.calls import FUNCTIONS, function, graph_of, hint, plain, whole
from symbackprop.core.functions.constants import CONSTANTS, causal_mask_of


def __getattr__(name: str) -> object:
    """Every function of the model language, by its name."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    raise AttributeError(f"no function {name!r}")


__all__ = [
    "CONSTANTS",
    "FUNCTIONS",
    "arrange",
    "causal_mask_of",
    "constants",
    "function",
    "graph_of",
    "hint",
    "layers",
    "losses",
    "matrices",
    "plain",
    "pointwise",
    "reductions",
    "whole",
    "windows",
]
