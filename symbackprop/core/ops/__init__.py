"""The structural ops, one record each; importing this package fills the table `registry.OPS` from all modules in it."""

from importlib import import_module
from pkgutil import iter_modules

from symbackprop.core.registry import OPS

for _module in sorted(m.name for m in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")

__all__ = ["OPS"]
