"""Sizes written out: ``N·D·H + D``, factors in the order in which the model declares its dimensions."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp


def size_terms(size: sp.Expr, order: Mapping[str, int]) -> list[tuple[int, list[tuple[sp.Symbol, int]]]] | None:
    """A polynomial in the dimensions as (coefficient, [(dimension, power)]), highest degree first; None for others."""
    terms = [_monomial(t, order) for t in sp.Add.make_args(sp.expand(size))]
    known = [t for t in terms if t is not None]
    if len(known) < len(terms):
        return None
    return sorted(known, key=lambda t: (-sum(p for _, p in t[1]), [_rank(s, order) for s, _ in t[1]], -t[0]))


def _monomial(term: sp.Expr, order: Mapping[str, int]) -> tuple[int, list[tuple[sp.Symbol, int]]] | None:
    coefficient, powers = term.as_coeff_Mul()
    factors = sorted(powers.as_powers_dict().items(), key=lambda item: _rank(item[0], order)) if powers != 1 else []
    plain = all(base.is_Symbol and power.is_Integer and power > 0 for base, power in factors)
    if not coefficient.is_Integer or not plain:
        return None
    return int(coefficient), [(base, int(power)) for base, power in factors]


def _rank(symbol: sp.Expr, order: Mapping[str, int]) -> tuple[int, str]:
    name = symbol.name if symbol.is_Symbol else str(symbol)
    return order.get(name, len(order)), name
