"""Graders and reports that several tests look at."""

from __future__ import annotations

from functools import cache

from symbackprop import Model
from symbackprop.grade import Grader, Item, Report
from symbackprop.model.zoo import build


@cache
def grader(model: str) -> Grader:
    return Grader(Model.parse(model) if "\n" in model else build(model))


@cache
def report(model: str, lines: str) -> Report:
    return grader(model).grade(lines)


def item(model: str, lines: str, name: str) -> Item:
    """The item of that name in the report on some lines."""
    found = report(model, lines)
    return next(i for i in found.items if i.name == name)
