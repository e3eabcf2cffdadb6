"""What modules can be emitted for, and how: data, for the emitter, the check and the command line alike."""

from __future__ import annotations

from typing import NamedTuple

ALONG = ("hvp", "jvp", "ggn")  # functions that a module has where they are asked for: derivatives along a direction
WHOLE = ("hessian", "jacobian", "hessian_diagonal")  # and whole ones, in blocks, or a diagonal
DTYPES = ("float64", "float32")
LEVELS = (0, 1, 2)
WRAPS = ("torch", "jax")  # the libraries that a module can be made a part of, which it computes with


class Target(NamedTuple):
    """``module`` is where the ``PRINTER`` stands that writes a program. What is emitted imports NumPy, or the
    ``packages``, which come with what ``install`` gives to pip."""

    module: str
    packages: tuple[str, ...] = ()
    install: str = ""


TARGETS = {
    "numpy": Target("symbackprop.codegen.numpy"),
    "jax": Target("symbackprop.codegen.jax", ("jax", "jaxlib"), "symbackprop[jax]"),
    "torch": Target("symbackprop.codegen.torch", ("torch",), "symbackprop[torch]"),
}


def installed_by(package: str) -> str:
    """What to give to pip for a package that a checked file may import; empty for others."""
    return next((t.install for t in TARGETS.values() if package in t.packages), "")
