"""The report of a check: data first, then as a table, as JSON, as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import Any

from symbackprop.verify.coverage import Unseen

PASS, FAIL, KINK, INCONCLUSIVE = "pass", "fail", "kink", "inconclusive"
METHODS = {"central": "central differences", "complex": "complex step"}
MARKS = {PASS: "ok", FAIL: "FAIL", KINK: "kink", INCONCLUSIVE: "?"}
HEADER = ("gradient", "shape", "", "error", "worst entry", "module", "numeric")
SHOWN_PLACES = 5


class Told:
    """Findings as plain data."""

    def to_json(self) -> dict[str, Any]:
        return {k: _plain(v) for k, v in vars(self).items()}


@dataclass(frozen=True)
class GradientReport(Told):
    """One gradient: its verdict (pass, fail, kink, inconclusive) and the entry that decided it.

    ``shape`` is that of the trial with this entry, ``dims`` the symbolic one.

    ``analytic`` is what the module says at ``worst_index``, ``numeric`` the slope there. ``checked`` entries of
    ``total`` were compared one by one, the rest along random directions; ``kinks`` lists entries at a kink, neither
    right nor wrong. ``cause`` says on failure what is probably the mistake.
    """

    name: str
    shape: tuple[int, ...]
    verdict: str
    max_relative_error: float | None = None
    worst_index: tuple[int, ...] | None = None
    analytic: float | None = None
    numeric: float | None = None
    cause: str = ""
    method: str = ""
    checked: int = 0
    total: int = 0
    kinks: tuple[tuple[int, ...], ...] = ()
    dims: str = ""

    def cells(self) -> tuple[str, ...]:
        index = "" if not self.worst_index else str(list(self.worst_index))
        numbers = (_digits(self.analytic), _digits(self.numeric))
        return (self.name, self.dims, MARKS[self.verdict], _error(self.max_relative_error), index, *numbers)

    def remark(self) -> str:
        """What the table does not say."""
        said = [self.cause] if self.cause else []
        if self.kinks:
            said.append(f"{len(self.kinks)} entries at a kink, not judged: {_places(self.kinks)}")
        return "; ".join(said)


@dataclass(frozen=True)
class ResultReport(Told):
    """The loss or an output as the module computes it against the interpreter, at the worst entry."""

    name: str
    verdict: str
    max_relative_error: float | None
    module: float | None = None
    interpreter: float | None = None


@dataclass(frozen=True)
class ProductReport(Told):
    """A derivative along a direction that the module has, by name and array, as it gives it and as the slope of its
    gradients or results is, or two numbers that have to be equal, at the worst entry."""

    name: str
    verdict: str
    max_relative_error: float | None
    worst_index: tuple[int, ...] = ()
    module: float | None = None
    numeric: float | None = None


@dataclass(frozen=True)
class Report:
    """What `verify` found. True in a condition when everything passed.

    ``problems`` are failures that belong to no single gradient (a function that raises, an input that was changed);
    ``notes`` are remarks that decide nothing. ``sizes`` holds the dimensions of every trial. ``unseen`` are the sides
    of conditions that no point reached, ``line`` is the first line of the module that is wrong, where that was found,
    and ``unchecked`` what was not compared, in words. ``rate`` is the power of h as which the module's own remainder
    |f(x + hv) − f(x) − h⟨g, v⟩| falls, 2 for a gradient; None where kinks or rounding hide it. ``products`` are
    derivatives along a direction, where the module has any.
    """

    model: str
    gradients: tuple[GradientReport, ...]
    results: tuple[ResultReport, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    method: str = ""
    seed: int = 0
    trials: int = 0
    sizes: tuple[dict[str, int], ...] = ()
    unsampled: str = ""
    unseen: tuple[Unseen, ...] = ()
    line: str = ""
    unchecked: tuple[str, ...] = ()
    rate: float | None = None
    products: tuple[ProductReport, ...] = ()

    @property
    def verdict(self) -> str:
        """fail where anything failed; inconclusive where something could not be decided; else pass."""
        parts = [r.verdict for r in self.results] + [g.verdict for g in self.gradients]
        parts += [p.verdict for p in self.products]
        if self.problems or FAIL in parts:
            return FAIL
        undecided = self.unsampled or self.unseen or INCONCLUSIVE in parts or KINK in parts
        return INCONCLUSIVE if undecided else PASS

    @property
    def passed(self) -> bool:
        return self.verdict == PASS

    def __bool__(self) -> bool:
        return self.passed

    def to_json(self) -> dict[str, Any]:
        """Plain data for ``json.dumps``; numbers that are not finite become None."""
        problems = self.problems + ((self.unsampled,) if self.unsampled else ())
        found = {k: v for k, v in vars(self).items() if k != "unsampled"}
        return {"verdict": self.verdict, **_plain({**found, "problems": problems})}

    def text(self) -> str:
        """The table and every remark, as the command line prints it."""
        lines = [self._headline()]
        lines += [f"  {line}" for line in _table([g.cells() for g in self.gradients])]
        lines += [f"  {line}" for line in self._remarks()]
        return "\n".join(lines)

    def _headline(self) -> str:
        what = {
            PASS: f"all {len(self.gradients)} gradients agree" if len(self.gradients) != 1 else "the gradient agrees",
            FAIL: "the check failed",
            INCONCLUSIVE: "not everything could be decided",
        }[self.verdict]
        how = " and ".join(METHODS[m] for m in self.method.split("+") if m) or "results only"
        by = f" ({how}, {_counted(self.trials, 'random point')}, seed {self.seed})" if self.trials else ""
        return f"{self.model}: {self.verdict} – {what}{by}"

    def _remarks(self) -> list[str]:
        lines = [self.unsampled] if self.unsampled else []
        lines += [f"problem: {p}" for p in self.problems]
        lines += [
            f"{r.name}: the module computes {_digits(r.module)}, the model {_digits(r.interpreter)}"
            for r in self.results
            if r.verdict != PASS
        ]
        lines += [_of_product(p) for p in self.products if p.verdict != PASS]
        right = dict.fromkeys(p.name.partition(":")[0] for p in self.products)
        if right and all(p.verdict == PASS for p in self.products):
            worst = max(p.max_relative_error or 0.0 for p in self.products)
            lines.append(f"{', '.join(right)}: as the slopes of what the module gives near by, to {worst:.1e}")
        remarks: dict[str, list[str]] = {}
        for g in self.gradients:
            remarks.setdefault(g.remark(), []).append(g.name)
        lines += [f"{', '.join(names)}: {said}" for said, names in remarks.items() if said]
        lines += [f"the first line that is wrong: {self.line}"] if self.line else []
        lines += [f"unseen: {u}" for u in self.unseen]
        lines += [f"not checked: {u}" for u in self.unchecked]
        return lines + [f"note: {n}" for n in self.notes]

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(h)}</th>" for h in HEADER)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in g.cells()) + "</tr>" for g in self.gradients
        )
        remarks = "".join(f"<p>{escape(line)}</p>" for line in self._remarks())
        return f"<p>{escape(self._headline())}</p><table><tr>{head}</tr>{body}</table>{remarks}"

    def _repr_latex_(self) -> str:
        rows = [" & ".join(map(_latex, cells)) for cells in (HEADER, *[g.cells() for g in self.gradients])]
        rows[1:2] = [r"\hline " + row for row in rows[1:2]]
        body = " \\\\\n".join(rows)
        return f"$$\\begin{{array}}{{{'l' * len(HEADER)}}}\n{body}\n\\end{{array}}$$"


def _of_product(product: ProductReport) -> str:
    """What is wrong with a derivative along a direction, or could not be decided."""
    if product.verdict != FAIL:
        return f"{product.name} could not be compared at any point"
    what, numbers = product.name, f"{_digits(product.module)} and {_digits(product.numeric)}"
    if "⟨" in what:
        return f"{what} differ: {numbers}"
    index = str(list(product.worst_index)) if product.worst_index else ""
    return f"{what}{index} is {_digits(product.module)} in the module, and {_digits(product.numeric)} by differences"


def _latex(cell: str) -> str:
    """A cell as text inside mathematics."""
    return r"\text{" + re.sub(r"([_&%#$])", r"\\\1", cell) + "}" if cell else ""


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(row[k]) for row in (HEADER, *rows)) for k in range(len(HEADER))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in (HEADER, *rows)]


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "to_json"):
        return value.to_json()
    return None if isinstance(value, float) and not isfinite(value) else value


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value + 0.0:.8g}"


def _error(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _places(places: Sequence[tuple[int, ...]]) -> str:
    more = ", …" if len(places) > SHOWN_PLACES else ""
    return ", ".join(str(list(p)) for p in places[:SHOWN_PLACES]) + more


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def joined(methods: Iterable[str]) -> str:
    """One name for the methods that were used."""
    return "+".join(sorted({m for m in methods if m}))
