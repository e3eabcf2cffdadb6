"""What the playground asks of the library: one message, one answer, both plain data.

A message is ``{"job": …, "text": …, "options": {…}}``: a job of `JOBS`, model text, and words for the job. The answer
is ``{"ok": True, "result": {…}}``, with the ``name``, ``summary`` and ``source`` of the model, or
``{"ok": False, "error": {…}}``; an error says its ``kind`` and ``message``, the ``line`` and the columns from
``column`` up to ``end`` that it is about (from 1; 0 where there are none), in ``shown`` what a terminal shows below it,
in ``told`` all of it as text, and in ``others`` the further errors of the text. NumPy is not needed, so that it runs in
a browser.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any

from symbackprop.codegen import codegen
from symbackprop.derive import derive
from symbackprop.errors import MOST, ModelError, SymbackpropError, UsageError, did_you_mean
from symbackprop.files import file_stem
from symbackprop.model import zoo
from symbackprop.model.model import nesting_told
from symbackprop.model.text import parse
from symbackprop.render.board import build_document
from symbackprop.render.gallery import GROUPS, group_of
from symbackprop.render.graph import picture_of, runs_down, svg_fragment
from symbackprop.render.html import to_live
from symbackprop.render.moving import Moving, moving, sweep
from symbackprop.render.numbers import outside_loops
from symbackprop.render.options import Options
from symbackprop.targets import LEVELS

Words = Mapping[str, Any]  # options of a job, as the page has them
CALLED = "model.sbp"  # what errors call the text
SMALL = 64  # rows: graphs of so many have numbers at once


def reply(message: str) -> str:
    """The answer to a message, both as JSON."""
    return json.dumps(answer(json.loads(message)), ensure_ascii=False)


def answer(message: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a message: a result, or what is wrong with the text."""
    try:
        return {"ok": True, "result": _result(message["job"], message["text"], message.get("options", {}))}
    except SymbackpropError as error:
        return {"ok": False, "error": _error(error)}
    except RecursionError:
        return {"ok": False, "error": _error(ModelError("the input is nested too deeply"))}
    except MemoryError:
        return {"ok": False, "error": _error(ModelError("there is not enough memory for this"))}


def _result(job: str, text: str, options: Words) -> dict[str, Any]:
    if job not in JOBS:
        raise UsageError(f"no job is called {job!r}.{did_you_mean(job, JOBS)}")
    asked = _asked(text)
    model = asked.derived.model
    return {"name": model.name, "summary": model.summary, "source": model.source} | JOBS[job](asked, options)


class Asked:
    """The text that something is asked of; what shows it in another way does not derive it again."""

    def __init__(self, text: str) -> None:
        self.derived = derive(parse(text, path=CALLED))

    @cached_property
    def moving(self) -> Moving | None:
        return moving(self.derived)

    def has_numbers(self, wanted: bool | None) -> bool:
        """Whether the graph has numbers: of a small model without loops also where nobody says."""
        rows = outside_loops(self.derived)
        small = len(rows) <= SMALL and not any(row.is_result for row in rows)
        return bool(small if wanted is None else wanted) and self.moving is not None


_asked = lru_cache(maxsize=1)(Asked)


def _error(error: SymbackpropError) -> dict[str, Any]:
    found = _described(error)
    others = error.others[: MOST - 1] if isinstance(error, ModelError) else ()
    return found | {"told": error.told(), "others": [_described(other) for other in others]}


def _described(error: SymbackpropError) -> dict[str, Any]:
    """One error as data."""
    if not isinstance(error, ModelError):
        return {"kind": "error", "message": str(error), "line": 0, "column": 0, "end": 0, "shown": []}
    line, start, end = error.place or (error.line, 0, 0)
    return {"kind": error.kind, "message": error.message, "line": line, "column": start, "end": end,
            "shown": [*error.shown]}


# -- jobs
Job = Callable[[Asked, Words], dict[str, Any]]
JOBS: dict[str, Job] = {}


def job(do: Job) -> Job:
    """Makes a function a job of its name."""
    JOBS[do.__name__] = do
    return do


@job
def derivation(asked: Asked, options: Words) -> dict[str, Any]:
    """The derivation as HTML; ``detail`` is board, brief or full."""
    derived = asked.derived
    with nesting_told(derived.model):
        html = to_live(build_document(derived, Options(detail=options.get("detail", "full"))))
    return {"html": html, "remarks": [*derived.model.remarks]}


@job
def printed(asked: Asked, options: Words) -> dict[str, Any]:
    """The derivation in a format of `render.formats`, as ``form`` says; ``detail`` is board, brief or full."""
    return {"text": asked.derived.printed(options.get("form", "text"), detail=options.get("detail", "full"))}


@job
def graph(asked: Asked, options: Words) -> dict[str, Any]:
    """The graph as an SVG element that takes the colours of the page. With ``numbers`` it is that of a point, where the
    model is small enough: ``leaves`` have a shape, the entries that ``values`` gives or some, and what integers are
    ``below``; ``sweep`` says how all is found; dimensions have ``sizes``."""
    derived = asked.derived
    with nesting_told(derived.model):
        if not asked.has_numbers(options.get("numbers")):
            return {"html": svg_fragment(picture_of(derived), down=True), "leaves": {}, "sweep": [], "sizes": {}}
        moved = asked.moving
        assert moved is not None
        given = {n: x for n, x in options.get("values", {}).items() if n in moved.shapes and moved.allowed(n, x)}
        values = moved.start() | given
        picture = moved.picture(values)
        leaves = {n: {"shape": shape, "entries": values[n], "below": moved.below.get(n)} for n, shape in
                  moved.shapes.items()}
        return {"html": svg_fragment(picture, runs_down(picture)), "leaves": leaves,
                "sizes": {**moved.fixed, **moved.sizes}, "sweep": [stop._asdict() for stop in sweep(moved, picture)]}


@job
def module(asked: Asked, options: Words) -> dict[str, Any]:
    """The module for ``target``, and what its file is called. ``functions`` are the abstract ones by what ``define``
    says of them; there is no text as long as it says nothing of one."""
    model = asked.derived.model
    functions = {name: str(options.get("define", {}).get(name, "")).strip() for name in model.functions}
    found = {"file": f"{file_stem(model.name)}.py", "functions": functions}
    if not all(functions.values()):
        return found | {"text": ""}
    level = {str(level): level for level in LEVELS}.get(options.get("level", "1"), -1)
    model = model.define(**functions) if functions else model
    return found | {"text": codegen(model, target=options.get("target", "numpy"), level=level)}


# -- examples
def examples() -> list[dict[str, Any]]:
    """The built-in models by their headings: ``{"title", "models": [{"name", "summary", "text"}]}``."""
    groups: dict[str, list[dict[str, str]]] = {title: [] for _, title in GROUPS}
    for entry in zoo.entries():
        model = {"name": entry.name, "summary": entry.summary, "text": example(entry.name)}
        groups[group_of(entry.tags)].append(model)
    return [{"title": title, "models": models} for title, models in groups.items() if models]


def example(name: str) -> str:
    """The text of a built-in model, which says its name."""
    return f"# name: {name}\n{zoo.text(name)}"
