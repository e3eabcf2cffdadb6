"""ONNX's node tests of its differentiable operators: the values that they expect, and gradients against central
differences of ONNX's reference evaluator, along random directions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from symbackprop.errors import ModelError
from tests.conformance.expressed import Differs, Session, agree
from tests.conformance.frame import Case, NotApplicable, NotExpressible, Suite

WITHOUT_MODULI = ("test_l1normalization_axis_last",)  # the evaluator adds up x, not |x|: another slope at 0
INTEGERS = ("Trilu",)  # which are only tested with integers: taken as floats
DIRECTIONS = 3


def _schemas() -> list[str]:
    from onnx import defs

    newest: dict[str, Any] = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "" and (schema.name not in newest or
                                    newest[schema.name].since_version < schema.since_version):
            newest[schema.name] = schema
    wanted = defs.OpSchema.DifferentiationCategory.Differentiable
    return sorted(n for n, s in newest.items() if any(i.differentiation_category == wanted for i in s.inputs))


def _tests() -> dict[str, list[Any]]:
    from onnx.backend.test.loader import load_model_tests

    found: dict[str, list[Any]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the casts that the data is made by
        tests = load_model_tests(kind="node")
    for test in tests:
        graph = test.model.graph
        if len(graph.node) == 1 and not graph.node[0].domain and not test.name.endswith("_expanded"):
            found.setdefault(graph.node[0].op_type, []).append(test)
    return found


def _attributes(node: Any) -> dict[str, Any]:
    from onnx.helper import get_attribute_value

    found = {a.name: get_attribute_value(a) for a in node.attribute}
    return {k: v.decode() if isinstance(v, bytes) else v if np.ndim(v) == 0 else list(v) for k, v in found.items()}


def _is_plain(array: np.ndarray) -> bool:
    return array.dtype.kind in "bui" or array.dtype in (np.float32, np.float64)


def _differentiable(node: Any, place: int) -> bool:
    from onnx import defs

    inputs = defs.get_schema(node.op_type).inputs
    category = inputs[min(place, len(inputs) - 1)].differentiation_category
    return bool(category == defs.OpSchema.DifferentiationCategory.Differentiable)


def check(test: Any) -> None:
    """Values and gradients of one node test."""
    from symbackprop.imported.onnx_operators import OPERATORS

    node = test.model.graph.node[0]
    given, expected = test.data_sets[0]
    if any(isinstance(v, (list, type(None))) for v in [*given, *expected]):
        raise NotApplicable("no arrays")
    given, expected = [np.asarray(v) for v in given], [np.asarray(v) for v in expected]
    if not all(_is_plain(v) for v in [*given, *expected]):
        raise NotApplicable("another precision")
    if expected[0].dtype.kind != "f" and node.op_type not in INTEGERS:
        raise NotApplicable("integers")
    session = Session()
    session.name, session.outputs = test.name, len(node.output)
    values, rows, floats = iter(given), [], {}
    for k, name in enumerate(node.input):
        array = next(values) if name else None
        differs = array is not None and (array.dtype.kind == "f" or (_differentiable(node, k) and array.dtype != bool))
        rows.append(None if array is None else session.leaf(array.astype(float) if differs else array, differs))
        floats |= {name: f"x{len(session.arrays) - 1}"} if differs else {}
    if node.op_type not in OPERATORS:
        raise NotExpressible("no composition of functions")
    try:
        result = OPERATORS[node.op_type](session, rows, _attributes(node))
    except ModelError as error:
        raise NotExpressible(error.message) from None
    outputs = list(result) if isinstance(result, (list, tuple)) else [result]
    outputs = [row for row, name in zip(outputs, node.output, strict=False) if name][: len(expected)]
    places = [k for k, e in enumerate(expected[: len(outputs)]) if e.dtype.kind == "f" or k == 0]
    graph, draw = session.model.graph, np.random.default_rng(0)
    upstream = [draw.uniform(0.5, 1.5, expected[k].shape) for k in places]
    ours, slopes = session.run([graph.lift(outputs[k]) for k in places], upstream)
    for k, y in zip(places, ours, strict=True):
        agree(f"value {k}", y, expected[k], max(test.rtol, 1e-5) if test.rtol else 1e-5)
    _compare_slopes(test, given, floats, slopes, list(zip(places, upstream, strict=True)), draw)


def _compare_slopes(test: Any, given: Any, floats: dict[str, str], slopes: Any, seeds: Any, draw: Any) -> None:
    from onnx.reference import ReferenceEvaluator

    if test.name in WITHOUT_MODULI:
        return
    try:
        evaluator = ReferenceEvaluator(test.model)
    except NotImplementedError:
        return  # operators that ONNX has given up have no evaluator: their values are checked
    names = [i.name for i in test.model.graph.input]
    base = {n: v.astype(np.float64) if n in floats else v for n, v in zip(names, given, strict=True)}

    def total(point: dict[str, Any]) -> float:
        try:
            found = evaluator.run(None, point)
        except RuntimeError:  # an operator made of others, with constants in float32
            single = {n: v.astype(np.float32) if n in floats else v for n, v in point.items()}
            found = evaluator.run(None, single)
        return float(sum(np.sum(u * np.asarray(found[k], float)) for k, u in seeds))

    for name, own in floats.items():
        if base[name].size and name not in _numbers(test.model.graph.node[0]):
            for _ in range(DIRECTIONS):
                way = draw.uniform(-1, 1, base[name].shape)
                _compare_along(lambda h, n=name, w=way: total({**base, n: base[n] + h * w}), np.sum(slopes[own] * way),
                               f"gradient of {name}")


def _compare_along(total: Callable[[float], float], ours: float, what: str) -> None:
    """A slope against central differences; where the evaluator computes in float32, of a longer step and fewer digits;
    where there is a kink between those of both sides. What is no number says nothing."""
    found = ""
    for step, tolerance in ((1e-6, 1e-4), (1e-3, 1e-2)):
        behind, here, ahead = total(-step), total(0.0), total(step)
        sides = sorted(((here - behind) / step, (ahead - here) / step))
        slope, room = sum(sides) / 2, tolerance * max(1.0, abs(ours))
        if not np.isfinite(slope) or abs(slope - ours) <= room:
            return
        if step < 1e-5 and max(map(abs, sides)) > 1e4 * max(1.0, abs(ours)):
            return  # a jump: there is no slope
        if sides[1] - sides[0] > 10 * room and sides[0] - room <= ours <= sides[1] + room:
            return
        found = f"{what}: {ours:.8g}, not {slope:.8g}"
    raise Differs(found)


def _numbers(node: Any) -> tuple[str, ...]:
    """Inputs of which no gradient is taken: numbers that decide about sizes and the like."""
    return tuple(node.input[{"Resize": 1, "Pad": 2, "Dropout": 1}.get(node.op_type, len(node.input)) :])


def _of_schema(name: str, tests: list[Any]) -> Case:
    """All node tests of an operator as one check."""
    def check_all() -> str:
        passed, skipped = 0, dict[str, Exception]()
        for test in tests:
            try:
                with np.errstate(all="ignore"):
                    check(test)
                passed += 1
            except (NotApplicable, NotExpressible) as reason:
                skipped[str(reason)] = reason
            except Exception as error:
                raise Differs(f"{test.name}: {type(error).__name__}: {error}") from error
        if not passed:
            raise next(iter(skipped.values()), NotApplicable("ONNX has no node test of it"))
        return "; ".join([f"but not expressible: {r}" for r, e in skipped.items() if isinstance(e, NotExpressible)])

    return Case(name, check_all)


def cases() -> list[Case]:
    """A check for every operator that ONNX calls differentiable."""
    tests = _tests()
    return [_of_schema(name, tests.get(name, [])) for name in _schemas()]


SUITE = Suite(
    title="ONNX: node tests",
    source=(
        "The operators with an input that their schema calls differentiable, by their node tests: values of an emitted "
        "module of the same composition against the data, gradients along random directions against central "
        "differences of `onnx.reference`. Tests in integers or another precision do not apply; where the evaluator "
        "computes in float32 the slopes are compared to two digits."
    ),
    cases=cases,
    sample=6,
    needs=("onnx",),
)
