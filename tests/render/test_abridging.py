"""What is too long to be read is printed by its ends: what is left out is said, what is there stays true."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest

from symbackprop.core.maths import anchors
from symbackprop.derive import derive
from symbackprop.derive.closing import Closing, Region, Trial, closed_forms
from symbackprop.derive.steps import Derivation
from symbackprop.grade import grade
from symbackprop.model import Model
from symbackprop.render.board import build_document
from symbackprop.render.document import Document, Ref
from symbackprop.render.formats import FORMATS
from symbackprop.render.options import Options
from symbackprop.render.print.text import text

LAYERS = 501


@cache
def layers(count: int = LAYERS) -> Derivation:
    lines = "".join([f"h{k + 1} = tanh(w{k + 1}*h{k})\n" for k in range(count)])
    weights = ", ".join([f"w{k + 1}" for k in range(count)])
    return derive(Model.parse(f"data h0\nparam {weights}\n{lines}loss L = h{count}**2"))


def terms(of: str, count: int = 300, declared: str = "data x\nparam w\n") -> Derivation:
    return derive(Model.parse(f"{declared}loss L = {' + '.join(of.format(k + 2) for k in range(count))}"))


def document(d: Derivation, **options: object) -> Document:
    return build_document(d, Options(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("view", ["scalar", "index", "matrix"])
@pytest.mark.parametrize("detail", ["full", "brief"])
def test_of_many_steps_the_first_and_the_last_are_those_of_the_whole(view: str, detail: str) -> None:
    d = layers()
    few, whole = (document(d, view=view, detail=detail, whole=x) for x in (False, True))
    assert [s.number for s in whole.steps] == [*range(1, 3 * LAYERS + 2)]
    assert [s.number for s in few.steps] == [*range(1, 52), *range(3 * LAYERS - 48, 3 * LAYERS + 2)]
    assert few.steps[:50] == whole.steps[:50]
    assert [s.role for s in few.steps].index("omitted") == 50
    ends = {s.number: s for s in whole.steps}
    there = [s for s in few.steps if s.role != "omitted"]
    assert all(s.title == ends[s.number].title and s.path == ends[s.number].path for s in there)
    assert few.forward[:50] + few.forward[51:] == (*whole.forward[:50], *whole.forward[-50:])
    assert few.forward[50].line.kind == "omitted"
    anchors_there = {s.anchor for s in there}
    assert [r.name for r in few.table if r.name] == [r.name for r in whole.table if r.anchor in anchors_there]


def test_closed_forms_of_what_is_printed_are_those_of_the_whole() -> None:
    """A normalisation in front of the layers and a cross-entropy behind them."""
    params = "".join([f"param b{k + 1}: D\n" for k in range(LAYERS)])
    lines = "".join([f"h{k + 1} = tanh(h{k} + b{k + 1})\n" for k in range(LAYERS)])
    d = derive(Model.parse(
        f"dim D\ndata x, y: D\nparam g: D\nu = x*g - mean(x*g)\nh0 = u/sqrt(mean(u**2) + 1e-5)\n{params}{lines}"
        f"P = exp(h{LAYERS})/sum(exp(h{LAYERS}))\nloss L = -sum(y*log(P))"))
    few, whole = (document(d, whole=x).steps for x in (False, True))
    assert few[:50] + few[51:] == (*whole[:50], *whole[-50:])
    assert sum("closed" in [x.kind for x in s.lines] for s in few) == 2


@pytest.mark.parametrize("layer", ["tanh(h{} + b)", "tanh(h{})"])
def test_closed_forms_are_sought_of_gradients_that_only_steps_left_out_read(layer: str) -> None:
    """One parameter for all layers, or in front of them: of the first steps no gradient is asked for."""
    count = 2 * LAYERS
    lines = "".join([f"h{k + 1} = {layer.format(k)}\n" for k in range(count)])
    d = derive(Model.parse(f"dim D\ndata y: D\nparam b: D\nh0 = 2*b\n{lines}P = exp(h{count})/sum(exp(h{count}))\n"
                           "loss L = -sum(y*log(P))"))
    few, whole = (document(d, whole=x).steps for x in (False, True))
    assert few[:50] == whole[:50]
    assert sum("closed" in [x.kind for x in s.lines] for s in few) == 1


def _has_gaps(page: str) -> bool:
    """Whether it is said where equations and steps are left out which these are."""
    bare = re.sub(r"<[^>]*>|text|enspace|quad|bf|[\\\\{}*\s]", "", page)
    gaps = "(⋮|vdots)equations51to953areleftout", "((⋮|vdots)steps51to1454areleftout|51\\.?tostep1454:leftout)"
    return all(re.search(gap, bare) for gap in gaps)


def test_what_is_left_out_is_said_in_every_format() -> None:
    d = layers()
    for form in FORMATS.keys() - {"json"}:
        page = re.sub(r"\s+|\\allowbreak|\{\}", " ", d.printed(form))
        assert "equations 51 to 953 and steps 51 to 1454 are left out here" in page, form
        assert _has_gaps(page), form
    assert _has_gaps(d.text(detail="board"))
    assert "are left out here" not in d.text(whole=True)
    assert '"number": 200' in d.to_json()


def test_what_is_left_out_of_the_arrays_is_of_their_roles() -> None:
    lines = "".join([f"h{k + 1} = tanh(w{k}*h{k} + x{k})\n" for k in range(600)])
    d = derive(Model.parse(f"data {', '.join(f'x{k}' for k in range(600))}\nparam h0, "
                           f"{', '.join(f'w{k}' for k in range(600))}\n{lines}loss L = h600"))
    gaps = [(x.role, x.note) for x in document(d).declarations if not x.name]
    assert gaps == [("data", ("550 more",)), ("param", ("551 more",))]


def test_dots_stand_where_arrays_and_gradients_are_left_out() -> None:
    names = [f"w{k}" for k in range(1100)]
    for loss, said, count in ((" + ".join(names), r"\n  … +(\d+) more +…", "1001"),
                              ("x", r"… (\d+) more gradients are 0\.", "1000")):
        page = derive(Model.parse(f"data x\nparam {', '.join(names)}\nloss L = {loss}")).text()
        assert re.findall(said, page) == [count], "one place for all"
        assert re.search(r"…\s+\(1001\s+more\)", page)


def test_a_short_derivation_is_whole() -> None:
    d = layers(60)
    for form in FORMATS:
        assert d.printed(form) == d.printed(form, whole=True)


def sums(count: int, width: int) -> Derivation:
    """Equations one after the other, each the square of a sum of so many terms."""
    lines = "".join([f"h{k + 1} = (h{k} + {' + '.join([f'x**{j + 2}' for j in range(width)])})**2\n"
                     for k in range(count)])
    return derive(Model.parse(f"data x\nparam h0\n{lines}loss L = h{count}"))


def test_a_long_formula_counts_as_several_short_ones() -> None:
    """Of 300 short equations all are printed; of as many, half of which take several lines each, the ends, and of these
    so much less. What is found of them is short."""
    short, long = sums(150, 1), sums(150, 20)
    for form in FORMATS.keys() - {"json"}:
        assert short.printed(form) == short.printed(form, whole=True)
        page = re.sub(r"\s+|\\allowbreak|\{\}", " ", long.printed(form))
        assert "equations 15 to 286 are left out here" in page, form
    assert [e.number for e in document(long).forward] == [*range(1, 16), *range(287, 302)]
    assert len(document(long).steps) == 302
    assert document(long).forward[:14] == document(long, whole=True).forward[:14]
    assert '"number": 200' in long.to_json()


def test_a_step_behind_the_gap_begins_with_a_gradient_by_its_name() -> None:
    first = document(layers()).steps[51]
    consumer = f"dL/d{text(first.path[2])}"  # type: ignore[arg-type]
    assert [x.kind for x in first.lines] == ["chain", "local", "result"]
    assert all(text(x.right).startswith(f"{consumer}·") for x in (first.lines[0], first.lines[-1]))


def test_nothing_refers_to_what_is_not_there() -> None:
    """In LaTeX a link needs its target."""
    page = layers().latex(standalone=True)
    assert set(re.findall(r"\\hyperlink\{([^}]+)\}", page)) <= set(re.findall(r"\\hypertarget\{([^}]+)\}", page))


@pytest.mark.parametrize("of", ["(w*x)**{}", "exp(w*x*{})", "x/(w + {})", "where(w > {}, w*x, w)", "tanh(w*x + {})"])
def test_of_a_long_sum_the_first_terms_and_the_last_are_printed(of: str) -> None:
    d = terms(of)
    page, whole = d.text(), d.text(whole=True)
    assert "…" in page and "…" not in whole.split("Forward pass")[1]
    assert len(page) < 60_000
    assert re.search(r"…\s+\+ ", page)


def test_a_long_stack_and_its_gradient_have_dots() -> None:
    parts = ", ".join([f"w*x**{k}" for k in range(300)])
    d = derive(Model.parse(f"data x\nparam w\nv = stack({parts})\nloss L = sum(v**2)"))
    page = d.text()
    assert len(page) < 9_000 and page.count("…") >= 2
    assert len(d.text(whole=True)) > 3 * len(page)


def test_a_deep_formula_ends_in_dots() -> None:
    d = terms("(w*x)**{}", 210)
    assert all(len(line) < 140 for line in d.text().splitlines())


def test_a_reference_to_what_is_left_out_is_text() -> None:
    """The weight is read by every step, so that the gradient cites many; the page has no link without its target."""
    d = derive(Model.parse("data x\nparam w\n" + "".join(
        f"h{k + 1} = tanh(w*{'x' if not k else f'h{k}'})\n" for k in range(LAYERS)) + f"loss L = h{LAYERS}**2"))
    page = document(d)
    cited = {r.anchor for s in page.steps for x in (*s.cached, *[r for y in s.lines for r in y.reason])
             for r in [x] if isinstance(r, Ref)}
    assert cited - {*page.anchors()}, sorted(cited)
    html = d.html()
    assert {*re.findall(r'href="#([^"]+)"', html)} <= {*re.findall(r'id="([^"]+)"', html)}


@pytest.mark.parametrize("view", ["scalar", "index", "matrix"])
def test_of_many_branches_the_first_and_the_last_are_printed(view: str) -> None:
    d = terms("tanh(w*x + {})")
    last = document(d, view=view).steps[-1]
    assert len(last.lines) < 40
    assert "…" in text(next(x.right for x in last.lines if x.kind == "chain"))
    assert len(document(d, view=view, whole=True).steps[-1].lines) > 300


def test_the_ends_of_a_long_board_are_printed() -> None:
    d = layers()
    few, whole = (document(d, detail="board", whole=x) for x in (False, True))
    assert 60 < len(few.steps) < len(whole.steps)
    assert {s.anchor for s in few.steps if s.role != "omitted"} <= {s.anchor for s in document(d).steps}
    assert [s.role for s in few.steps].count("omitted") == 2  # among the δ's and among what is asked for
    links = {a for s in few.steps for x in s.lines for a in anchors(x.right)}
    assert {a for a in links if a.startswith("step-")} <= {s.anchor for s in few.steps}


def test_lines_of_an_abridged_derivation_are_right() -> None:
    """Each is told from others by its left side, so that what is left out changes nothing."""
    d = layers()
    ends = [s.lines[-1] for s in document(d).steps[-3:]]
    said = "\n".join([f"{text(x.left)} = {text(x.right)}" for x in ends if x.left is not None])
    found = [x for x in grade(d.model, said).items if x.line is not None]
    assert len(found) == 3
    assert {x.verdict for x in found} == {"right"}


def solved(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> int:
    """How many regions of gradients closed forms are looked for of, meanwhile."""
    found: list[object] = []
    best = Closing._best

    def counting(closing: Closing, region: Region) -> Trial | None:
        found.append(region)
        return best(closing, region)

    monkeypatch.setattr(Closing, "_best", counting)
    action()
    return len(found)


def loops(count: int, step: str) -> Derivation:
    """Loops one after the other."""
    lines = "".join([f"h{k}x[0] = w{k}\nfor t in 1..T: h{k}x[t] = {step.format(k=k)}\n" for k in range(count)])
    weights, added = ", ".join([f"w{k}" for k in range(count)]), " + ".join([f"h{k}x[T]" for k in range(count)])
    return derive(Model.parse(f"dim T\ndata x: T\nparam {weights}\n{lines}loss L = {added}"))


@pytest.mark.parametrize("detail", ["brief", "board"])
def test_headings_of_loops_are_left_out_with_their_steps(detail: str) -> None:
    """All but that of a loop of which some steps are printed."""
    d = loops(130, "tanh(w{k}*h{k}x[t-1] + {k}*x[t])")
    few, whole = (document(d, detail=detail, whole=x).steps for x in (False, True))
    counts = [[s.role for s in steps].count("loop") for steps in (few, whole)]
    assert 10 < counts[0] < 15 and counts[1] == 130
    for k, s in enumerate(few):
        below = [x for x in few[:k] if x.depth < s.depth]
        assert not s.depth or below[-1].role == "loop"


def test_only_what_is_printed_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    d = loops(60, "tanh(w{k}*h{k}x[t-1] + {k}*x[t])")
    assert solved(monkeypatch, lambda: document(d)) < 100


@pytest.mark.parametrize("of", ["x/(w + {})", "exp(w*x*{})", "where(w > {}, w*x, w)"])
def test_of_what_is_abridged_no_closed_form_is_sought(monkeypatch: pytest.MonkeyPatch, of: str) -> None:
    """It would be one sum more of which nobody sees but the ends."""
    few, many = terms(of, 30), terms(of)
    assert not solved(monkeypatch, lambda: document(many))
    assert solved(monkeypatch, lambda: document(few)) and solved(monkeypatch, lambda: document(many, whole=True))
    assert not any(x.kind in ("closed", "part") for s in document(many).steps for x in s.lines)


def test_of_a_long_stack_no_closed_form_is_sought(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only of the stack itself."""
    parts = ", ".join([f"w*x**{k}" for k in range(300)])
    d = derive(Model.parse(f"data x\nparam w\nv = stack({parts})\nloss L = sum(v**2)"))
    assert solved(monkeypatch, lambda: document(d)) == 1


def test_loops_whose_bodies_are_alike_are_closed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    d = loops(20, "tanh(w{k}*h{k}x[t-1] + x[t])")
    assert solved(monkeypatch, lambda: closed_forms(d)) < 5
