"""Closed forms: the shortest exact form of each gradient that the sweep has found.

Products of several arrays are put in their cheapest order first (`ordering`). Every gradient row is flattened into one
normal form, a sum of products of rows at indices (`terms`, `flatten`); what cancels does so there, and what the forward
pass has computed is read (`facts`, `rules`). The terms are then factored (`factoring`), priced, and the cheaper of both
forms is written as rows (`writing`, `closing`).
"""

from symbackprop.derive.closed.closing import ClosedForms, Shown, closed, closed_forms, closed_rows
from symbackprop.derive.closed.terms import FACTOR

__all__ = ["FACTOR", "ClosedForms", "Shown", "closed", "closed_forms", "closed_rows"]
