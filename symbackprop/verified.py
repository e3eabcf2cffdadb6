"""`verify` and `codegen`: a model's emitted module, written to a file, run from there, checked against the model.

The only place where emission and verification meet; neither knows the other. Models are compared here too, by the
numbers that they give.
"""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from symbackprop.apart import random_seed
from symbackprop.apart.process import CodeEnded, Process
from symbackprop.apart.source import is_emitted
from symbackprop.core.graph import Leaf, Node, key_of
from symbackprop.core.loops import Loop
from symbackprop.errors import CheckFailed, ModelError
from symbackprop.model.load import as_model
from symbackprop.model.model import Model
from symbackprop.model.names import listed
from symbackprop.scratch import scratch_folder
from symbackprop.targets import ALONG, WHOLE
from symbackprop.verify import Report, load_module, model_of, verify_file, verify_module
from symbackprop.verify.module import module_apart

COMPILING = 600.0, 16.0  # seconds a call, and GiB: large models take JAX long to compile


# -- whether two models are the same: what they declare, and rows that compute the same from the same
def first_difference(model: Model, other: Model, written: bool = False) -> str | None:
    """The first declared name that says other things in two models, or ``conventions``; None if they are the same.
    Where the other is one ``written`` as text, it may name what has no name in the model: long formulas are cut."""
    known: dict[Any, int] = {}
    more = {s.name for s in other.statements if s.keyword == "let"} - {s.name for s in model.statements}
    one, two = (_declared(m, known, more if written else ()) for m in (model, other))
    return next((name for name in {**one, **two} if one.get(name) != two.get(name)), None)


def _declared(model: Model, known: dict[Any, int], unnamed: Container[str]) -> dict[str, Any]:
    said = [s for s in model.statements if s.name not in unnamed]
    rows = {s.name: model.graph.names[s.name] for s in said if s.name in model.graph.names}
    numbers = dict(zip(rows, Numbers(known, unnamed).of(list(rows.values())), strict=True))
    found = {s.name: (s.keyword, numbers.get(s.name), model.notation_of.get(s.name)) for s in said}
    return found | {"conventions": (model.graph.relu0, model.sizes)}


class Numbers:
    """Numbers of rows: two rows, of other graphs too, have one number where they compute the same from the same, under
    the same name; ``unnamed`` are names that do not count."""

    def __init__(self, known: dict[Any, int], unnamed: Container[str] = ()) -> None:
        self.known, self.unnamed, self.found = known, unnamed, dict[int, int]()

    def of(self, rows: Sequence[Node], stop: frozenset[int] = frozenset()) -> list[int]:
        for row in rows[0].graph.topological(rows, stop) if rows else ():
            if row.id not in self.found:
                name = None if row.name in self.unnamed else row.name
                self.found[row.id] = self._number(name, row.shape, row.kind, self._key(row))
        return [self.found[row.id] for row in rows]

    def _number(self, *key: Any) -> int:
        return self.known.setdefault(key, len(self.known))

    def _key(self, row: Node) -> Any:
        if isinstance(row.attr, Leaf):
            return row.attr.role, row.attr.below, row.attr.value, row.attr.stated
        attr = self._loop(row.attr) if isinstance(row.attr, Loop) else self._place(row) if row.is_result else row.attr
        return key_of(row.op.name, tuple([self.found[a.id] for a in row.args]), attr)

    def _loop(self, loop: Loop) -> Any:
        for leaf in loop.leaves():
            self.found[leaf.id] = self._number(leaf.name, leaf.shape)
        numbers = self.of(loop.results(), loop.stop)
        declared = [k for k, row in zip(numbers, loop.results(), strict=True) if row.name is not None]
        sizes = loop.length, loop.reverse, len(loop.carry), len(loop.sequences)
        return *sizes, *numbers[: len(loop.carry)], frozenset(declared)

    def _place(self, result: Node) -> Any:
        """Which result of a loop a row is: the last value of a carry by its place, a stack by what it is of."""
        loop: Loop = result.args[0].attr
        number = self.found[loop.results()[result.attr].id]
        return result.attr if result.attr < len(loop.carry) else ("stack", number)


def codegen(
    model: Model | str, *, dtype: str = "float64", level: int = 1, wrt: Iterable[str] | str | None = None,
    optimizer: str | None = None, target: str | None = None, hvp: bool = False, jvp: bool = False, ggn: bool = False,
    hessian: bool = False, jacobian: bool = False, hessian_diagonal: bool = False, wrap: str | None = None,
    shard: Mapping[str, str] | None = None, checkpoint: str | None = None, verify: bool = True,
) -> str:
    """The text of a module that computes a model (also by name, path or as model text) and its gradients.

    ``target`` is what it computes with, numpy, jax or torch. ``dtype`` is what init_params makes and what plain numbers
    are computed in, ``level`` the optimisation level (0, 1, or 2: with a workspace), ``wrt`` the names whose gradients
    backward returns (default: every parameter and input). ``optimizer`` (sgd, momentum, adagrad, adam, adamw) adds
    ``init_state`` and ``update``; ``hvp``, ``jvp`` and ``ggn`` add the functions of those names, derivatives along a
    direction, ``hessian`` (with ``hessian_dense``), ``jacobian`` and ``hessian_diagonal`` those of whole ones. ``wrap``
    makes it a part of another library too: "torch" adds operators and an nn.Module, "jax" a function under custom_vjp.
    ``shard`` adds a training step over the devices of a mesh of JAX; it says along which of the mesh's axes a dimension
    is split ({"N": "data"}) or an axis of one array ({"W.1": "model"}); {} splits a batch. ``checkpoint`` ("every:16",
    "sqrt") has loops keep what they carry once in so many steps, and backward compute the steps between again.
    Raises `UsageError` for anything else, `ModelError` where the model cannot be emitted.

    The module is verified first, as the command line does: `CheckFailed` names the gradients that are wrong, a warning
    says what could not be decided; `MissingExtra` where JAX is asked for and not installed. ``verify=False`` leaves the
    check out.
    """
    from symbackprop.codegen import codegen as emit

    model = as_model(model)
    names = None if wrt is None else listed(wrt)
    along = [name for name, wanted in zip(ALONG, (hvp, jvp, ggn), strict=True) if wanted]
    whole = [name for name, wanted in zip(WHOLE, (hessian, jacobian, hessian_diagonal), strict=True) if wanted]
    source = emit(model, dtype=dtype, level=level, wrt=names, optimizer=optimizer, target=target, along=along,
                  whole=whole, wrap=wrap, shard=shard, checkpoint=checkpoint)
    for remark in require_verified(source, model) if verify else ():
        warnings.warn(remark, stacklevel=2)
    return source


def verify(model: Model | str | Path, **options: Any) -> Report:
    """Check the gradients that would be emitted for a model (also by name, path or as model text), or those of a file
    that is a module, which is then executed in a process of its own, at points of a random seed.

    Options: ``seed``, ``trials`` (random points; chosen by size when left out), ``method`` (auto, central, complex),
    ``sizes`` of dimensions, ``progress``; of a file also ``timeout``, the seconds that each call may take, and
    ``memory``, the GiB for all of it. The report is true in a condition when everything passed.
    """
    from symbackprop.codegen import codegen as emit

    if isinstance(model, (str, Path)) and is_emitted(str(model)):
        return verify_file(str(model), **{"seed": random_seed(), **options})
    model = as_model(model)
    return verify_source(emit(model), model, **options)


def verify_source(source: str, model: Model, **options: Any) -> Report:
    """Check the text of a module against a model, as a file loaded from disk."""
    with _loaded(source, model) as module:
        return verify_module(module, model, **options)


@contextmanager
def _loaded(module: Path | str, model: Model) -> Iterator[ModuleType]:
    """A module of a file, or of a text as a file. One for JAX with loops runs in a process of its own, where these are
    compiled once for equal shapes and forgotten in time: JAX compiles them anew in every call, and keeps that."""
    from symbackprop.files import computes_with, file_stem

    if isinstance(module, str):
        with scratch_folder() as folder:
            path = folder / f"{file_stem(model.name)}.py"
            path.write_text(module, encoding="utf-8")
            with _loaded(path, model) as loaded:
                yield loaded
    elif computes_with(module.read_text(encoding="utf-8")) == "jax" and _has_loops(model):
        with Process(module, *COMPILING) as process:
            try:
                loaded = module_apart(process)
            except CodeEnded as end:
                raise CheckFailed(f"the module could not be checked: {end}") from None
            yield loaded
    else:
        yield load_module(module)


def _has_loops(model: Model) -> bool:
    return any(isinstance(row.attr, Loop) for row in model.graph.topological(model.results()))


def require_verified(module: Path | str, model: Model, **options: Any) -> list[str]:
    """Check a module, a file or its text, against the model it was emitted from, and its MODEL text; what to tell the
    user about an undecided check.

    Raises `CheckFailed` with the whole report when it fails.
    """
    with _loaded(module, model) as loaded:
        report = verify_module(loaded, model, **options)
        if report.verdict == "fail":
            wrong = ", ".join(g.name for g in report.gradients if g.verdict == "fail")
            which = f": the gradient of {wrong} is wrong" if wrong else ""
            raise CheckFailed(f"the module failed its check and was not written{which}\n{report.text()}")
        _require_model_text(loaded, model, options)
    return [] if report.passed else [f"the check could not decide everything\n{report.text()}"]


def _require_model_text(module: ModuleType, model: Model, options: Mapping[str, Any]) -> None:
    """Whether the text that says which model a module is of reads back to the same rows, or at least to a model whose
    gradients these are. Raises `CheckFailed` where it does not."""
    wrong = "the model text of the module is wrong, and it was not written"
    try:
        again = model_of(module, Path("the module"))
    except ModelError as error:
        raise CheckFailed(f"{wrong}: it cannot be read\n{error}") from None
    place = first_difference(model, again, written=True)
    report = None if place is None else verify_module(module, again, **options)
    if report is not None and report.verdict == "fail":
        raise CheckFailed(f"{wrong}: from {place} on it says another model\n{report.text()}")
