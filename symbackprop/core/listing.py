"""The ops and functions of the language as a list, for `symbackprop ops` and the documentation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from symbackprop.core import formula as f
from symbackprop.core.functions import CONSTANTS, FUNCTIONS
from symbackprop.core.kernel import Kernel
from symbackprop.core.maths import Sym
from symbackprop.core.notation import Notation
from symbackprop.core.registry import OPS, Op
from symbackprop.core.scalars import TABLE, Scalar

Entry = dict[str, str]
VARIABLES = "xyz"


def entries() -> list[Entry]:
    """One entry for every op, scalar function and composition: name, kind, signature, shape, derivative, domain,
    convention."""
    return [*map(_op, _listed_ops()), *map(_scalar, TABLE.values()), *_compositions()]


def _listed_ops() -> Iterator[Op]:
    return (op for op in OPS.values() if not op.is_leaf)


def _entry(name: str, kind: str, signature: str, shape: str, derivative: str, domain: str, convention: str) -> Entry:
    return {"name": name, "kind": kind, "signature": signature, "shape": shape, "derivative": derivative,
            "domain": domain, "convention": convention}


def _op(op: Op) -> Entry:
    return _entry(op.name, "op", op.signature, op.shape_rule, op.derivative, op.domain, op.convention)


def _scalar(record: Scalar) -> Entry:
    variables = ", ".join(VARIABLES[: record.arity])
    intervals = zip(VARIABLES, record.domain[: record.arity], strict=False)
    domain = ", ".join(f"{v} in [{low:g}, {high:g}]" for v, (low, high) in intervals)
    derivative = "; ".join(f"d/d{VARIABLES[i]} = {_partial(record, i)}" for i in range(record.arity))
    signature = f"{record.name}({variables})"
    shape = "NumPy broadcast of the arguments"
    domain = f"{record.defined}; tested on {domain}"
    return _entry(record.name, "function", signature, shape, derivative, domain, record.note)


def _partial(record: Scalar, index: int) -> str:
    """∂/∂argument as text, f being the function's own value."""
    conventions = [f.lift(0)] * (len(record.domain) - record.arity)
    kernel = Kernel(f.call(record.name, *[f.Arg(i) for i in range(record.arity)], *conventions))
    notation = Notation()
    return notation.text(notation.formula(kernel.partial(index), [Sym(v) for v in VARIABLES], Sym("f")))


def _compositions() -> Iterator[Entry]:
    """What users call and ops express: the derivative follows from theirs."""
    known = {op.name for op in _listed_ops()} | set(TABLE)
    for name, call in {**FUNCTIONS, **CONSTANTS}.items():
        if name not in known:
            says = " ".join((inspect.getdoc(call) or "").partition("\n\n")[0].split())
            yield _entry(name, "composition", _signature(name, call), "follows from its parts",
                         "follows from its parts", says, "")


def _signature(name: str, call: Callable[..., Any]) -> str:
    shown = [_parameter(p) for k, p in inspect.signature(call).parameters.items() if k != "graph"]
    return f"{name}({', '.join(shown)})"


def _parameter(p: inspect.Parameter) -> str:
    if p.kind is inspect.Parameter.VAR_POSITIONAL:
        return f"{p.name}, …"
    return p.name if p.default is inspect.Parameter.empty else f"{p.name}={p.default!r}".replace("'", '"')


def listing_text(listed: list[Entry]) -> str:
    """The entries for reading: the signature, what is known about it below."""
    blocks = []
    for entry in listed:
        facts = [(k, entry[k]) for k in ("shape", "derivative", "domain", "convention") if entry[k]]
        if entry["kind"] == "composition":
            facts = [("means", entry["domain"])] if entry["domain"] else []
        heading = entry["signature"]
        if not heading.startswith(entry["name"]):
            heading = f"{entry['name']}: {heading}"
        blocks.append("\n".join([heading, *[f"    {k:<11} {v}" for k, v in facts]]))
    return "\n\n".join(blocks)
