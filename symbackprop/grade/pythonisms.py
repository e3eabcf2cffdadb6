"""Python's ways of writing a formula: modules, methods, sizes read off an array."""

from __future__ import annotations

import sympy as sp

from symbackprop.core.shapes import dim_text
from symbackprop.errors import SyntaxProblem
from symbackprop.grade.marks import NAME, Mark, closing, ends_value, marks, name, sign
from symbackprop.grade.passes import Passes, value_start

_MODULES = ("np", "numpy", "torch", "jnp", "math", "F", "tf", "sp")
_METHODS = ("sum", "mean", "dot", "max", "min", "transpose", "reshape", "exp", "log", "sqrt", "abs")
_IGNORED_METHODS = ("astype", "float", "copy", "double")


class Pythonisms(Passes):
    """Passes that turn Python into model text."""

    def modules(self, items: list[Mark]) -> list[Mark]:
        """``np.exp`` is exp."""
        result: list[Mark] = []
        k = 0
        while k < len(items):
            dotted = k + 2 < len(items) and items[k + 1].is_sign(".") and items[k + 2].kind == NAME
            if (
                items[k].kind == NAME
                and items[k].text in _MODULES
                and dotted
                and items[k].text not in self.dictionary.known
            ):
                self.note(f"{items[k].text}. is not needed: functions go by their own names")
                k += 2
            else:
                result.append(items[k])
                k += 1
        return result

    def methods(self, items: list[Mark]) -> list[Mark]:
        """``X.sum(axis=0)`` is sum(X, axis=0)."""
        for k in range(1, len(items) - 2):
            if (
                items[k].is_sign(".")
                and items[k + 1].kind == NAME
                and items[k + 2].is_sign("(")
                and ends_value(items[k - 1])
            ):
                return self.methods(self._method(items, k))
        return items

    def _method(self, items: list[Mark], dot: int) -> list[Mark]:
        method, start, end = items[dot + 1].text, value_start(items, dot - 1), closing(items, dot + 2)
        subject, args = items[start:dot], items[dot + 3 : end]
        if method in _IGNORED_METHODS:
            return [*items[:start], *subject, *items[end + 1 :]]
        if method not in _METHODS:
            raise SyntaxProblem(f".{method}(…) cannot be read; functions are written {method}(array, …)")
        self.note(f".{method}(…) is written {method}(array, …)")
        inside = [*subject, sign(","), *args] if args else subject
        return [*items[:start], name(method), sign("("), *inside, sign(")"), *items[end + 1 :]]

    def sizes(self, items: list[Mark]) -> list[Mark]:
        """``X.shape[0]`` and ``len(X)`` are dimensions."""
        for k, mark in enumerate(items):
            rest = [x.text for x in items[k + 1 : k + 6]]
            row = self.dictionary.reference.rows.get(mark.text)
            if (
                row is not None
                and rest[:3] == [".", "shape", "["]
                and rest[4:5] == ["]"]
                and rest[3] in "0123"[: row.ndim]
            ):
                return self.sizes([*items[:k], *self._size(row.shape[int(rest[3])]), *items[k + 6 :]])
            inner = self.dictionary.reference.rows.get(rest[1]) if len(rest) > 2 else None
            if mark.text == "len" and rest[0] == "(" and rest[2] == ")" and inner is not None and inner.ndim:
                return self.sizes([*items[:k], *self._size(inner.shape[0]), *items[k + 4 :]])
        return items

    def _size(self, size: sp.Expr) -> list[Mark]:
        self.note(f"a size goes by its name: {size}")
        return [sign("("), *marks(dim_text(size)), sign(")")]
