"""Graders and reports that several tests look at."""

from __future__ import annotations

from functools import cache

from symbackprop import Model
from symbackprop.grade import Grader, Item, Report
from symbackprop.grade.reference import Reference
from symbackprop.model.copying import copied, loop_counters, loop_dimensions
from symbackprop.model.zoo import build

SMALL = [
    "two-step-rnn",
    "sigmoid-circuit",
    "mlp-relu-sigmoid",
    "ffnn-softmax-batch",
    "svm-hinge",
    "window-lm",
    "rnn-lm",
]


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


def reference(name: str) -> Reference:
    """The right gradients of a built-in model, its loops written out for three steps."""
    model = build(name)
    return Reference(copied(model, dict.fromkeys(loop_dimensions(model), 3)), loop_counters(model))
