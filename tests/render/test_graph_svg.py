"""The drawn graph: well-formed, nothing overlaps or sticks out, numbers where they belong, the same every time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations

import numpy as np
import pytest
import sympy as sp

from symbackprop import Model
from symbackprop.core import functions as F
from symbackprop.core.maths import (
    Entry,
    Fill,
    Fn,
    Letter,
    Math,
    MatMul,
    Pow,
    Rounded,
    Shape,
    Sym,
    Transpose,
    plain,
)
from symbackprop.core.printer import Text
from symbackprop.derive import derive
from symbackprop.render.graph import draw, picture_of, svg_fragment
from symbackprop.render.graph.layout import Curve, PlacedBox, PlacedFrame, Scene, lay_out
from symbackprop.render.graph.picture import Picture, Wire
from symbackprop.render.graph.sizes import FACTOR, factor_text, width, wrapped
from symbackprop.render.graph.svg import runs_down
from symbackprop.render.graph.typesetting import line
from symbackprop.resources import templates
from symbackprop.verify.sampling import choose_sizes
from symbackprop.verify.sampling import draw as draw_sample
from tests.render.helpers import derivation

SVG = "{http://www.w3.org/2000/svg}"
Rectangle = tuple[float, float, float, float]


def numbered(name: str, digits: int = 2) -> Picture:
    d = derivation(name)
    return picture_of(d, d.model.example or None, {}, digits)


def sampled(name: str) -> Picture:
    """The picture with the numbers that a model carries, or any that it takes."""
    d, rng = derivation(name), np.random.default_rng(0)
    if d.model.example:
        return numbered(name, 4)
    sample = draw_sample(d.model, choose_sizes(d.model, rng, {}), rng)
    upstream = {row.name or "": sample.upstream[output] for output, row in d.model.upstream.items()}
    return picture_of(d, {**sample.values, **upstream}, sample.sizes)


def rectangle(b: PlacedBox) -> Rectangle:
    return b.start, b.axis - b.size.before, b.start + b.size.length, b.axis + b.size.after


def apart(a: Rectangle, b: Rectangle) -> bool:
    return a[2] <= b[0] + 0.01 or b[2] <= a[0] + 0.01 or a[3] <= b[1] + 0.01 or b[3] <= a[1] + 0.01


@pytest.mark.parametrize("down", [True, False], ids=["down", "right"])
def test_nothing_overlaps(any_model: str, down: bool) -> None:
    scene = lay_out(numbered(any_model), down)
    for a, b in combinations(scene.boxes, 2):
        assert apart(rectangle(a), rectangle(b)), f"{a.box.key} and {b.box.key}"
    for left, low, right, high in map(rectangle, scene.boxes):
        assert left >= -0.01 and low >= -0.01 and right <= scene.along + 0.01 and high <= scene.across + 0.01


@pytest.mark.parametrize("down", [True, False], ids=["down", "right"])
def test_local_gradients_overlap_nothing(any_model: str, down: bool) -> None:
    picture = sampled(any_model)
    scene = lay_out(picture, down)
    labels = {c.wire: (*c.label[0], *c.label[1]) for c in scene.curves if c.label}
    assert list(labels) == [c.wire for c in scene.curves if c.wire.local]
    assert len(labels) == len(list(picture.factors()))
    for (one, a), (other, b) in combinations(labels.items(), 2):
        assert apart(a, b), f"{one.spoken} and {other.spoken}"
    for wire, label in labels.items():
        assert not [b.box.key for b in scene.boxes if not apart(rectangle(b), label)], wire.spoken
        assert min(label) >= -0.01 and label[2] <= scene.along + 0.01 and label[3] <= scene.across + 0.01
        along, across = label[2] - label[0], label[3] - label[1]
        assert (across if down else along) >= width(factor_text(wire), FACTOR), "wide enough"
        assert (along if down else across) >= FACTOR, "high enough"
        assert not through(scene, wire, label), "wires run beside, not through"


def through(scene: Scene, wire: Wire, label: Rectangle) -> list[str]:
    """The other wires that have a straight piece inside a label."""
    left, low, right, high = label
    return [
        c.wire.spoken for c in scene.curves if c.wire is not wire
        for p, q in list(zip(c.points, c.points[1:], strict=False))[::2]
        if p[0] < right - 0.01 and q[0] > left + 0.01 and low < p[1] < high
    ]


@pytest.mark.parametrize("down", [True, False], ids=["down", "right"])
def test_wires_meet_their_boxes_and_cross_no_other(any_model: str, down: bool) -> None:
    scene = lay_out(numbered(any_model), down)
    ends = {b.box.key: b for b in scene.boxes} | {f.frame.key: f for f in scene.frames}
    for curve in scene.curves:
        source, target = ends[curve.wire.source], ends[curve.wire.target]
        assert curve.points[0][0] == pytest.approx(end_of(source))
        assert 0 <= curve.points[-1][0] - start_of(target) <= 22
        if not curve.wire.back:
            assert all(a[0] <= b[0] + 0.01 for a, b in zip(curve.points, curve.points[1:], strict=False))
            assert not crossed(scene, curve), f"{curve.wire} runs through {crossed(scene, curve)}"


def start_of(item: PlacedBox | PlacedFrame) -> float:
    return item.start + item.size.slack if isinstance(item, PlacedBox) else item.start[0]


def end_of(item: PlacedBox | PlacedFrame) -> float:
    return item.start + item.size.length - item.size.slack if isinstance(item, PlacedBox) else item.end[0]


def crossed(scene: Scene, curve: Curve) -> list[str]:
    """Boxes that a straight piece of the wire (those with even numbers) runs through."""
    pieces = [(a, b) for k, (a, b) in enumerate(zip(curve.points, curve.points[1:], strict=False)) if k % 2 == 0]
    found = []
    for b in scene.boxes:
        if b.box.key not in (curve.wire.source, curve.wire.target):
            left, low, right, high = rectangle(b)
            found += [b.box.key for p, q in pieces if p[0] < right - 0.01 and q[0] > left + 0.01 and low < p[1] < high]
    return found


def test_documents_are_well_formed(any_model: str) -> None:
    root = ET.fromstring(draw(derivation(any_model).model, "svg"))
    assert root.tag == f"{SVG}svg" and root.get("role") == "img"
    assert (root.findtext(f"{SVG}title") or "").endswith(any_model)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x", -1)) <= width and 0 <= float(text.get("y", -1)) <= height


def texts(svg: str, kind: str) -> list[tuple[float, float, str]]:
    root = ET.fromstring(svg)
    return [(float(t.get("x", 0)), float(t.get("y", 0)), "".join(t.itertext()))
            for t in root.iter(f"{SVG}text") if t.get("class") == kind]


@pytest.mark.parametrize("name", ["sum-times-z", "sum-times-max", "sigmoid-circuit", "linear-chain-graph"])
def test_values_stand_above_the_wire_and_gradients_below(name: str) -> None:
    model = derivation(name).model
    svg = draw(model, "svg", model.example, digits=2)
    stubs = [tuple(map(float, m)) for m in re.findall(r'class="g-wire" d="M([\d.]+) ([\d.]+)h[\d.]+"', svg)]
    values, gradients = texts(svg, "g-value"), texts(svg, "g-gradient")
    boxes = len(list(picture_of(derivation(name)).boxes()))
    assert len(stubs) == boxes
    for x, y in stubs:
        above = [t for a, b, t in values if x < a < x + 60 and 0 < y - b < 20]
        below = [t for a, b, t in gradients if x < a < x + 60 and 0 < b - y < 20]
        assert len(above) == len(below) == 1, "one number above each wire, one below"


def test_numbers_of_the_lecture() -> None:
    model = derivation("sum-times-z").model
    svg = draw(model, "svg", model.example)
    assert sorted(t for _, _, t in texts(svg, "g-value")) == sorted(["−2", "5", "−4", "3", "−12", "value"])
    assert sorted(t for _, _, t in texts(svg, "g-gradient")) == sorted(["−4", "−4", "3", "−4", "1", "gradient"])


def test_values_and_gradients_differ_in_more_than_colour() -> None:
    svg = draw(derivation("sum-times-z").model, "svg", {"x": 1, "y": 2, "z": 3})
    style = re.search(r"<style>(.*?)</style>", svg, re.S)
    assert style is not None
    assert re.search(r"\.g-gradient\{[^}]*font-style:italic", style[1])
    assert not re.search(r"\.g-value\{[^}]*font-style:italic", style[1])
    legend = " ".join(t for _, _, t in texts(svg, "g-note"))
    assert "above: forward" in legend and "below: backward" in legend


def test_local_gradients_stand_on_the_wires_of_the_lecture() -> None:
    model = derivation("sum-times-z").model
    svg = draw(model, "svg", model.example)
    assert sorted(t for _, _, t in texts(svg, "g-local")) == sorted(["× 1", "× 1", "× −4", "× 3", "× local"])
    notes = [t for _, _, t in texts(svg, "g-note")]
    assert notes[-2:] == ["on edges: local gradient", "below a node: upstream × local, summed over its consumers"]
    spoken = ["local gradient ∂q/∂x = 1", "local gradient ∂f/∂z = 3"]
    assert all(f"<title>{s}</title>" in svg and s in (ET.fromstring(svg).findtext(f"{SVG}desc") or "") for s in spoken)
    assert "local" not in re.sub(r"<style>.*</style>", "", draw(model, "svg"), flags=re.S), "formulas have none"


def test_matrices_are_drawn_as_matrices() -> None:
    model = derivation("squared-norm").model
    svg = draw(model, "svg", model.example, digits=3)
    assert "g-value-line" in svg and "⎡" not in svg
    assert "value [0.100 0.500; −0.300 0.800], gradient [0.088 0.176; 0.104 0.208]" in svg
    rows = [t.split() for _, _, t in texts(svg, "g-gradient")]
    assert ["0.088", "0.176"] in rows and ["0.104", "0.208"] in rows


def test_kinds_have_shapes_of_their_own() -> None:
    svg = svg_fragment(numbered("two-weight-tanh"))
    root = ET.fromstring(svg)
    shapes = {}
    for g in root.iter():
        kind = (g.get("class") or "").removeprefix("g-node g-")
        if g.tag in ("g", "a") and kind in ("param", "data", "gate", "loss"):
            shape = next(e for e in g if e.get("class") == "g-shape")
            shapes[kind] = (shape.tag, float(shape.get("rx") or 0) > 10)
    assert shapes.pop("param") == ("rect", True), "round at the ends"
    assert shapes == {"data": ("path", False), "gate": ("circle", False), "loss": ("rect", False)}


def test_circuits_run_to_the_right_and_networks_down() -> None:
    assert not runs_down(numbered("sigmoid-circuit"))
    assert runs_down(numbered("ffnn-softmax")) and runs_down(numbered("rnn-lm"))


def test_unconnected_parts_stand_in_rows() -> None:
    picture = numbered("activations")
    assert lay_out(picture, True, 1100.0).across <= 1100.0 < lay_out(picture, True).across


def test_a_deep_model_stays_small() -> None:
    model = Model("deep")
    n, d = model.dims("N D")
    x = model.data("X0", (n, d))
    for k in range(1, 13):
        w, v = model.param(f"W{k}", (d, d)), model.param(f"V{k}", (d, d))
        x = model.let(f"X{k}", x + model.let(f"H{k}", x @ w) @ v)
    model.loss("L", F.sum(x * x))
    scene = lay_out(picture_of(derive(model)), True)
    assert scene.along < 700 and scene.across < 700


def test_text_is_escaped() -> None:
    model = Model('<script>"&')
    model.loss("L", model.param("w") ** 2)
    for svg in (draw(model, "svg"), svg_fragment(picture_of(derive(model)), anchors={"w": 'a"b<'})):
        assert "<script>" not in svg
        ET.fromstring(svg)


def test_fragment_links_boxes_and_has_no_colours() -> None:
    picture = picture_of(derivation("two-weight-tanh"))
    svg = svg_fragment(picture, anchors={"h": "eq-2"}, steps={"h": "step-5"})
    assert '<a class="g-node g-gate" href="#eq-2" data-step="step-5" aria-label="h = tanh(b)">' in svg
    assert "<style" not in svg and "#0a" not in svg
    assert "g-legend" not in svg_fragment(picture, key=False)


def test_subscripts_and_variables_are_set_as_mathematics() -> None:
    h, x = Transpose(Sym("h2")), Fn("tanh", (Pow(Sym("x"), plain(2)),))
    assert [tuple(run)[:3] for run in line(MatMul(MatMul(Sym("W_e"), h), x)).runs] == [
        ("W", 0, True), ("e", 1, True), (" ", 0, False), ("h", 0, True), ("2", 1, False), ("⊤", -1, False),
        (" ", 0, False), ("tanh", 0, False), ("(", 0, False), ("x", 0, True), ("2", -1, False), (")", 0, False),
    ]
    assert scripts(Fill(sp.S.One, Shape(sp.symbols("N E")))) == [("N", 1), ("×", 1), ("E", 1)]
    assert scripts(Entry(Sym("K_q"), (Letter("ℓ"),))) == [("q", 1), (",", 1), ("ℓ", 1)]
    assert scripts(Sym("h[t-1]")) == [("t", 1), ("−1", 1)]
    assert scripts(Sym("W_a_b1")) == [("a", 1), (",", 1), ("b1", 1)]
    assert scripts(Rounded(1.5e-7, 2)) == [("−7", -1)]
    assert width(line(Sym("W_e")), 10) < width(line(Sym("We", verbatim=True)), 10) < width(line(Sym("WW")), 10)


def scripts(m: Math) -> list[tuple[str, int]]:
    return [(run.text, run.level) for run in line(m).runs if run.level]


def test_a_root_has_a_bar_over_what_it_is_taken_of() -> None:
    picture = draw(Model.parse("param a, b\nloss L = sqrt(a) + b"))
    assert picture.count('<path class="g-root"') == picture.count("√</tspan>x") + picture.count("√</tspan><tspan") == 1


def test_a_page_styles_all_that_a_picture_does() -> None:
    """In a page the picture has no styles of its own: a root without them was a black patch."""
    picture, page = (set(re.findall(r"\.(g-[a-z-]+)", (templates() / f"{name}.css").read_text(encoding="utf-8")))
                     for name in ("graph", "page"))
    assert picture - page == {"g-bg"}


def test_long_formulas_are_wrapped() -> None:
    assert broken("a + b + c", 5, 3) == ["a + b", "+ c"]
    assert broken("one two three four five", 8, 2) == ["one two", "three …"]
    assert broken("abcdefghij", 3, 2) == ["abcdef…"]
    product = wrapped(line(MatMul(Sym("W_e"), Sym("x"))), 2, 2)
    assert [x.runs for x in product] == [line(Sym("W_e")).runs, line(Sym("x")).runs], "scripts stay scripts"


def broken(words: str, limit: int, rows: int) -> list[str]:
    return [x.text for x in wrapped(Text(words), limit, rows)]


def test_same_picture_in_every_process() -> None:
    code = (
        "from symbackprop import load; from symbackprop.render.graph import draw\n"
        "for name in ('two-step-rnn', 'lstm'): print(draw(load(name)))"
    )
    made = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=120,
                       env={**os.environ, "PYTHONHASHSEED": seed}).stdout
        for seed in ("0", "1")
    ]
    assert made[0] == made[1]
