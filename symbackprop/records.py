"""Records: frozen dataclasses of which a start defines a hundred and a model makes a hundred thousand.

What `dataclasses` compiles for a frozen one takes four times as long, and as long again for every object. That nobody
sets a field of a record is seen by the types alone; equality, hash and text are written once for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from dataclasses import dataclass, fields
    from functools import partial
    from operator import attrgetter

    def record(*, frozen, eq=True):
        assert frozen
        return partial(_made, eq=eq)

    def _made(kind, eq):
        kind.__doc__ = kind.__doc__ or kind.__name__  # else the signature is written out, which takes long
        kind = dataclass(init=kind.__new__ is object.__new__, repr=False, eq=False)(kind)
        kind.__repr__ = _said
        if eq and "__eq__" not in vars(kind):
            compared = [f.name for f in fields(kind) if f.compare]
            kind.__eq__, kind.__hash__ = _comparing(attrgetter(*compared) if compared else _nothing)
        return kind

    def _comparing(key):
        def is_equal(a, b):
            return key(a) == key(b) if a.__class__ is b.__class__ else NotImplemented

        return is_equal, lambda a: hash(key(a))

    def _nothing(a):
        return ()

    def _said(a):
        return f"{type(a).__qualname__}({', '.join([f'{f.name}={getattr(a, f.name)!r}' for f in fields(a) if f.repr])})"
