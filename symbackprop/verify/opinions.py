"""Whether the complex step is to be believed: an op whose reference is not analytic gives a slope that is wrong in
silence (never one that is right by accident), so a failure by the complex step is looked at again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from symbackprop.verify.differences import CENTRAL
from symbackprop.verify.gradient import TOLERANCE
from symbackprop.verify.interpreter import Array
from symbackprop.verify.numeric import Prober, Slopes


def methods_agree(prober: Prober, rng: Any) -> bool:
    """Whether central differences give what the prober's method gives, along a random direction."""
    everywhere, direction = np.arange(prober.x.size), rng.choice([-1.0, 1.0], prober.x.size) * prober.scales
    ours = prober.along(everywhere, direction)
    theirs = Prober(prober.objective, prober.leaf, CENTRAL).along(everywhere, direction)
    if ours.kink or theirs.kink:
        return False
    return abs(ours.slope - theirs.slope) <= max(theirs.noise, TOLERANCE * abs(ours.slope))


def second_opinion(slopes: Slopes, where: Array, prober: Prober) -> Slopes:
    """The slopes with those at ``where`` taken again by central differences, where these are certain."""
    new = Prober(prober.objective, prober.leaf, CENTRAL, prober.tick).entries(where)
    values, noise = slopes.values.copy(), slopes.noise.copy()
    places: Array = np.searchsorted(slopes.where, where)
    sure = ~new.kink & np.isfinite(new.values)
    values[places[sure]], noise[places[sure]] = new.values[sure], new.noise[sure]
    return replace(slopes, values=values, noise=noise, method=CENTRAL)


def a_few(where: Array, count: int = 4) -> Array:
    """Some of the places, spread evenly."""
    return where[:: max(1, len(where) // count)]
