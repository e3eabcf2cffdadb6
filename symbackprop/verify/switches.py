"""What a row with pieces compares, as its record says, and what its relations mean in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.scalars import TABLE, Switch
from symbackprop.verify.interpreter import Step

HOLDS = {
    "<": np.less, ">": np.greater, "<=": np.less_equal, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
}

def switches_of(row: Node) -> tuple[Switch, ...]:
    """Where an elementwise row passes from one piece to another; none where it has no pieces."""
    head = row.attr.head if isinstance(row.attr, Kernel) else None
    return TABLE[head].switches if head is not None else ()


def operands_of(kernel: Kernel, switch: Switch) -> tuple[f.Formula, f.Formula]:
    """What a kernel with a switch compares: each is an argument or a number."""
    assert isinstance(kernel.form, f.Call)
    given = kernel.form.args
    left, right = (given[p.index] if isinstance(p, f.Arg) else p for p in (switch.left, switch.right))
    return left, right


def operands_in(step: Step, switch: Switch, args: Sequence[Any]) -> tuple[Any, Any]:
    """The same of a step in numbers, given the values of its arguments."""
    left, right = operands_of(step.attr, switch)
    return operand_in(left, args), operand_in(right, args)


def operand_in(operand: f.Formula, args: Sequence[Any]) -> Any:
    """The value of an operand of a call: an argument of its row or a number."""
    if isinstance(operand, f.Arg):
        return args[operand.index]
    assert isinstance(operand, f.Num)
    return float(operand.value)
