"""Which boxes, frames and wires a model's picture has."""

from __future__ import annotations

import pytest

from symbackprop import load, relu, tanh
from symbackprop.core import functions as F
from symbackprop.core.maths import Rounded, Sym
from symbackprop.core.printer import Text
from symbackprop.derive import derive
from symbackprop.model import Model
from symbackprop.render.graph import picture_of
from symbackprop.render.graph.picture import Box, Frame, Picture
from symbackprop.render.graph.typesetting import line
from symbackprop.render.print.text import text


def picture(model: Model | str, expand: bool = False) -> Picture:
    return picture_of(derive(load(model) if isinstance(model, str) else model), expand=expand)


def wires(p: Picture) -> set[tuple[str, str]]:
    return {(w.source, w.target) for w in p.wires}


def box(p: Picture, key: str) -> Box:
    return next(b for b in p.boxes() if b.key == key)


def said(line: Text | None) -> str:
    return line.text if line else ""


def deep(layers: int, *, odd: int = 0) -> Model:
    """X_l = relu(X_{l-1} W_l + b_l) + X_{l-1}; the block ``odd`` uses tanh."""
    model = Model("deep")
    n, d = model.dims("N D")
    x = model.data("X0", (n, d))
    for k in range(1, layers + 1):
        w, b = model.param(f"W{k}", (d, d)), model.param(f"b{k}", (d,))
        h = model.let(f"block{k}_h", x @ w + b)
        x = model.let(f"X{k}", (tanh(h) if k == odd else relu(h)) + x)
    model.loss("L", F.mean(x**2))
    return model


def test_sum_times_z() -> None:
    p = picture("sum-times-z")
    assert [(i.key, i.kind, said(i.symbol)) for i in p.boxes()] == [
        ("x", "input", ""), ("y", "input", ""), ("q", "gate", "+"), ("z", "input", ""), ("f", "loss", "∗"),
    ]
    assert wires(p) == {("x", "q"), ("y", "q"), ("q", "f"), ("z", "f")}


def test_gates_of_the_sigmoid_circuit() -> None:
    p = picture("sigmoid-circuit")
    assert [b.symbol.text for b in p.boxes() if b.symbol] == ["∗", "∗", "+", "+", "∗−1", "exp", "+1", "1/x"]
    assert [b.symbol.text for b in picture("sigmoid-circuit-gate").boxes() if b.symbol] == ["σ"]


@pytest.mark.parametrize(("write", "symbol"), [
    (lambda a, b: a - b, "−"), (lambda a, b: a / b, "/"), (lambda a, b: F.maximum(a, b), "max"),
    (lambda a, b: 2 * a, "∗2"), (lambda a, b: a**2, "x²"), (lambda a, b: 1 - a, "1−x"), (lambda a, b: a - 3, "−3"),
    (lambda a, b: relu(a), "ReLU"), (lambda a, b: a * b + a, ""), (lambda a, b: a * tanh(b), ""),
])
def test_signs_of_gates(write: object, symbol: str) -> None:
    model = Model("gate")
    model.loss("f", write(model.param("a"), model.param("b")))  # type: ignore[operator]
    assert said(box(picture(model), "f").symbol) == symbol


def test_arrays_are_boxes_with_equation_and_shape() -> None:
    b = box(picture("squared-norm"), "q")
    assert (b.kind, *map(said, (b.symbol, b.formula, b.shape))) == ("row", "", "W x", "M")
    assert b.spoken == "q = W x, M"


def test_rows_that_the_tool_named_are_drawn_and_library_innards_are_not() -> None:
    model = Model("one-line")
    x, w1, w2 = model.data("x", (3,)), model.param("w1", (3, 3)), model.param("w2", (3, 3))
    model.let("o", F.layer_norm(tanh(w1 @ x) @ w2))
    model.loss("L", F.sum(model.equations["o"]))
    keys = [b.key for b in picture(model).boxes()]
    assert "o" in keys and "L" in keys
    named = [k for k in keys if k not in ("x", "w1", "w2", "o", "L")]
    assert 1 <= len(named) <= 3, "tanh's argument and value, the argument of layer_norm; not its mean and variance"


def test_numbers_stand_at_every_box() -> None:
    derivation = derive(load("sum-times-max"))
    p = picture_of(derivation, {"x": 1, "y": 2, "z": 0}, {}, 2)
    found = {b.key: (text(b.value), text(b.gradient)) for b in p.boxes() if b.value and b.gradient}
    assert found == {
        "x": ("1", "2"), "y": ("2", "5"), "z": ("0", "0"), "a": ("3", "2"), "b": ("2", "3"), "f": ("6", "1"),
    }


def test_catalogue_numbers_of_the_sigmoid_circuit() -> None:
    model = load("sigmoid-circuit")
    derivation = derive(model)
    p = picture_of(derivation, model.example, {}, 2)
    circuit = [b for b in p.boxes() if b.symbol][2:]
    assert [text(b.value) for b in circuit if b.value] == ["4", "1", "−1", "0.37", "1.37", "0.73"]
    assert [text(b.gradient) for b in circuit if b.gradient] == ["0.20", "0.20", "−0.20", "−0.53", "−0.53", "1"]
    assert {k: text(box(p, k).gradient) for k in ("w0", "x0", "w1", "x1", "w2")} == {
        "w0": "−0.20", "x0": "0.39", "w1": "−0.39", "x1": "−0.59", "w2": "0.20",
    }


LOCALS = """dim T = 4
data x
param a, b, c, s
p = a * a + sqrt(c)
q = p - (b - a - x) + silu(silu(s))
r = maximum(maximum(q, p), s) / c
h[0] = r
for t in 1..T:
    h[t] = h[t-1] + tanh(c)
loss L = r * h[T] - log(p)
"""


def test_gradients_are_upstream_times_local_summed_over_consumers() -> None:
    values = {"x": 0.3, "a": 1.25, "b": -0.4, "c": 0.7, "s": -9.0}
    p = picture_of(derive(Model.parse(LOCALS)), values)
    boxes = {b.key: b for b in p.boxes()}
    leaving = {k: [w for w in p.wires if w.source == k] for k in ("a", "b", "s", "p", "q")}
    for key, wires in leaving.items():
        assert wires and all(w.local for w in wires), key
        total = sum(number(w.local) * number(boxes[w.target].gradient) for w in wires)
        assert total == pytest.approx(number(boxes[key].gradient), rel=1e-12), key
    assert {w.local_name for w in leaving["a"]} == {"∂p/∂a", "∂q/∂a"}
    assert {(w.source, w.target) for w in p.wires if not w.local} >= {("x", "q")}, "no gradient goes to data"
    assert [w.target for w in p.wires if w.source == "r" and w.local] == ["h0", "L"]
    (frame,) = p.frames()
    assert not any(w.local for w in frame.inside.wires), "another number at every step"


def number(value: Rounded | None) -> float:
    assert value is not None and isinstance(value.values, float)
    return value.values


def test_arrays_and_formulas_have_no_local_gradients() -> None:
    model = load("squared-norm")
    assert not any(picture_of(derive(model), model.example).factors())
    assert not any(picture("sum-times-z").factors())


def test_no_local_gradient_through_many_rows_without_a_box() -> None:
    model = Model("many")
    x = model.param("x")
    total = model.let("first", 3 * x)
    for k in range(45):
        total = tanh(x * total) + k
    model.loss("L", total)
    p = picture_of(derive(model), {"x": 0.01})
    assert [b.key for b in p.boxes()] == ["x", "first", "L"]
    assert [w.local for w in p.wires] == [None] * 3


def test_a_local_gradient_may_be_infinite() -> None:
    model = Model("root")
    model.loss("f", F.sqrt(model.param("w")))
    (wire,) = picture_of(derive(model), {"w": 0.0}).wires
    assert number(wire.local) == float("inf")


def test_a_loop_is_a_frame_with_a_carried_wire() -> None:
    p = picture("rnn-lm")
    (frame,) = p.frames()
    inside = {b.key.rpartition("/")[2]: b for b in frame.inside.boxes()}
    assert frame.title.text == "for t = 1, …, T"
    assert inside["h[t-1]"].kind == "carry" and inside["c[t]"].kind == "element"
    assert inside["W_h"].kind == "param", "weights that only the loop reads stand in it"
    assert "W_h" not in {i.key for i in p.items}
    backs = [(w.source.rpartition("/")[2], w.target.rpartition("/")[2]) for w in frame.inside.wires if w.back]
    assert backs == [("h[t]", "h[t-1]")]
    assert ("h0", frame.key) in wires(p) and (frame.key, "h") in wires(p)


def test_blocks_that_are_alike_are_drawn_once() -> None:
    p = picture(deep(12))
    (frame,) = p.frames()
    assert (frame.title.text, frame.note) == ("for ℓ = 1, …, 12", "12 blocks, built alike")
    assert [b.name.text for b in frame.inside.boxes()] == ["X[ℓ−1]", "W_ℓ", "b_ℓ", "block_h[ℓ]", "X_ℓ"]
    formulas = [said(b.formula) for b in frame.inside.boxes()][3:]
    assert formulas == ["X[ℓ−1] W_ℓ + 1_N b_ℓᵀ", "ReLU(block_h[ℓ]) + X[ℓ−1]"]
    assert [i.key for i in p.items] == ["X0", "blocks", "L"]
    assert [(w.source, w.target) for w in frame.inside.wires if w.back] == [("blocks/X12", "blocks/X11")]


def test_blocks_that_differ_become_one_box_each() -> None:
    p = picture(deep(12, odd=7))
    assert not list(p.frames())
    assert [i.key for i in p.items] == ["X0", *[f"block {k}" for k in range(1, 13)], "L"]
    assert ("block 6", "block 7") in wires(p)
    assert box(p, "block 7").spoken == "block 7: block₇_h, X₇, 2 rows"


def test_expanded_and_small_models_show_everything() -> None:
    assert len(list(picture(deep(12), expand=True).boxes())) == 50
    assert len(list(picture(deep(3)).boxes())) == 14


def test_every_builtin_picture_is_sound(any_model: str) -> None:
    p = picture(any_model)
    keys = [i.key for i in p.items] + [b.key for f in p.frames() for b in f.inside.boxes()]
    assert len(set(keys)) == len(keys)
    assert len(list(p.boxes())) <= 100, "a picture stays readable"

    def check(level: Picture) -> None:
        known = {i.key for i in level.items}
        assert all({w.source, w.target} <= known for w in level.wires)
        for item in level.items:
            if isinstance(item, Frame):
                check(item.inside)

    check(p)


@pytest.mark.parametrize(("latex", "shown"), [
    ("W^{[1]}", "W^[1]"), (r"\hat{y}", "ŷ"), (r"\alpha_t", "α_t"), ("W_{ab}^2", "W_ab^2"), (r"\mathbf{x}", "𝐱"),
    (r"x_{\mathrm{in}}", "x_in"), (r"\widehat{y}'", "ŷ′"), (r"\mathbb{E}\,\ell", "𝔼 ℓ"),
])
def test_notation_in_pictures(latex: str, shown: str) -> None:
    assert line(Sym("x", notation=latex)).text == shown


def test_what_a_loop_reads_and_gives_is_no_block_around_it() -> None:
    """A block that holds h_k[0] and h_k[T] but not the loop between them would be read by itself: no page was drawn."""
    loops = "".join([f"param w{k}\nh{k}x[0] = w{k}\nfor t in 1..T: h{k}x[t] = tanh(w{k}*h{k}x[t-1] + x[t])\n"
                     for k in range(12)])
    d = derive(Model.parse(f"dim T\ndata x: T\n{loops}loss L = {' + '.join(f'h{k}x[T]' for k in range(12))}"))
    assert not [i.key for i in picture_of(d).items if i.key.startswith("block")]
    assert "<svg" in d.graph().svg()
