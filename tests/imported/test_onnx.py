"""ONNX networks as models: the node tests of ONNX, networks of several nodes, loops, what is refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.model.model import Model
from tests.imported.test_command import run
from tests.sweeps import ALL as WHOLE

onnx = pytest.importorskip("onnx.reference", reason="onnx is not installed") and pytest.importorskip("onnx")
pytestmark = pytest.mark.oracle

from symbackprop import from_onnx  # noqa: E402
from symbackprop.errors import ModelError, UsageError  # noqa: E402
from symbackprop.imported.onnx import read  # noqa: E402
from symbackprop.imported.onnx_operators import NUMBERS  # noqa: E402

helper, FLOAT, INT = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
RNG = np.random.default_rng(0)


def forward(model: Model, params: Any, data: Any) -> list[Any]:
    names: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(codegen(model), "emitted", "exec"), names)
    with np.errstate(all="ignore"):
        found = names["forward"](params, data)[0]
    return [*found.values()] if isinstance(found, dict) else [found]


def network(nodes: list[Any], inputs: dict[str, tuple[int, list[Any]]], outputs: dict[str, list[Any]],
            arrays: dict[str, Any] | None = None, opset: int = 21) -> Any:
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(n, FLOAT, shape) for n, shape in outputs.items()],
        [onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in (arrays or {}).items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    onnx.checker.check_model(model)
    return model


def evaluated(model: Any, **given: Any) -> list[Any]:
    return list(onnx.reference.ReferenceEvaluator(model).run(None, given))


# -- ONNX's own tests
KNOWN = {**NUMBERS, "Gather": (1,), "GatherElements": (1,), "Loop": (0, 1)}  # inputs that are stored with the network
ENTRIES = ("float32", "float64", "int32", "int64", "bool", "uint8", "int8")


def node_tests() -> list[Any]:
    import warnings

    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(load_model_tests(kind="node"))


def applicable(test: Any) -> bool:
    """Whether it is of arrays of usual numbers, and gives floats."""
    given, expected = test.data_sets[0]
    if any(isinstance(v, (list, type(None))) for v in (*given, *expected)):
        return False
    kinds = [str(np.asarray(v).dtype) for v in (*given, *expected)]
    return set(kinds) <= {*ENTRIES} and any(np.asarray(e).dtype.kind == "f" for e in expected)


def outcome(test: Any) -> str:
    """passed, refused, or the input that no model takes."""
    source = onnx.ModelProto()
    source.CopyFrom(test.model)
    graph = source.graph
    arrays = dict(zip([i.name for i in graph.input], map(np.asarray, test.data_sets[0][0]), strict=True))
    fixed = {n.input[k] for n in graph.node for k in KNOWN.get(n.op_type, ()) if k < len(n.input)} & arrays.keys()
    graph.initializer.extend(onnx.numpy_helper.from_array(arrays[n], n) for n in fixed)
    kept = [i for i in graph.input if i.name not in fixed]
    del graph.input[:]
    graph.input.extend(kept)
    reading = read(source)
    if reading.imported is None:
        assert all(p.message for p in reading.problems)
        return "refused"
    found = reading.imported
    ours = [n for n in found.model.data_rows if n not in found.data]
    given = {n: arrays[i.name].astype(float if arrays[i.name].dtype.kind == "f" else int)
             for n, i in zip(ours, kept, strict=True)}
    try:
        results = forward(found.model, found.params, found.data | given)
    except ValueError as error:
        if "outside 0 <=" in str(error):  # integers are 0 or more, and below a bound
            return "not taken"
        raise
    for result, expected in zip(results, test.data_sets[0][1], strict=True):
        expected = np.asarray(expected)
        assert np.shape(result) == expected.shape
        np.testing.assert_allclose(np.asarray(result, float), expected.astype(float), rtol=max(1e-4, test.rtol),
                                   atol=5e-5)
    return "passed"


@pytest.mark.filterwarnings("ignore")
def test_the_node_tests_of_onnx() -> None:
    """Every 25th of them; with SWEEP=all each one, and how many there are of each kind."""
    tests = [t for t in node_tests() if applicable(t)]
    counts = Counter(outcome(test) for test in tests[:: 1 if WHOLE else 25])
    assert counts["passed"] > 0.8 * counts.total(), counts
    if WHOLE:
        assert counts["passed"] >= 1095 and counts.total() >= 1255, counts


# -- networks
def classifier() -> tuple[Any, dict[str, Any]]:
    arrays = {"fc1.weight": RNG.normal(size=(8, 4)), "fc1.bias": RNG.normal(size=8),
              "fc2.weight": RNG.normal(size=(3, 8)), "scale": np.float32(0.5)}
    arrays = {n: np.asarray(a, np.float32) for n, a in arrays.items()}
    nodes = [helper.make_node("Gemm", ["x", "fc1.weight", "fc1.bias"], ["/fc1/Gemm_output_0"], transB=1),
             helper.make_node("Relu", ["/fc1/Gemm_output_0"], ["h"]),
             helper.make_node("Mul", ["h", "scale"], ["s"]),
             helper.make_node("Gemm", ["s", "fc2.weight"], ["z"], transB=1),
             helper.make_node("SoftmaxCrossEntropyLoss", ["z", "y"], ["loss"])]
    return network(nodes, {"x": (FLOAT, ["batch", 4]), "y": (INT, ["batch"])}, {"loss": []}, arrays), arrays


def test_a_classifier_with_its_names() -> None:
    source, arrays = classifier()
    found = from_onnx(source)
    text = found.model.text()
    assert Model.parse(text).text() == text
    assert found.names == {"fc1.weight": "W1", "fc1.bias": "b1", "fc2.weight": "W2"}
    assert [*found.model.sizes] == ["batch"] and "y: batch int < 3" in text and "fc1 = x @ W1.T + b1" in text
    x, y = RNG.normal(size=(5, 4)), np.array([0, 1, 2, 1, 0])
    (ours,) = forward(found.model, found.params, {"x": x, "y": y})
    (theirs,) = evaluated(source, x=x.astype(np.float32), y=y)
    assert ours == pytest.approx(float(theirs), rel=1e-5)
    assert np.array_equal(found.weights["W1"], arrays["fc1.weight"])


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(classifier()[0], "net.onnx")
    assert run("net.onnx", "-o", "net.sbp", "--weights", "net.npz", "--rename", "fc2.weight=A").exit_code == 0
    assert {"W1", "b1", "A"} <= {*np.load("net.npz").files}
    assert "W1: 8 x 4" in Path("net.sbp").read_text()
    assert "2  Gemm" in run("net.onnx", "--report").stdout
    assert run("none.onnx").exit_code == 2
    with pytest.raises(UsageError, match=r"no array 'fc2.weigth' to rename\..*fc2\.weight"):
        from_onnx("net.onnx", rename={"fc2.weigth": "A"})


def test_sizes_that_are_worked_out() -> None:
    """What exporters write for a view: a shape is taken apart and put together."""
    nodes = [helper.make_node("Shape", ["x"], ["s"]),
             helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
             helper.make_node("Concat", ["n", "rest"], ["wanted"], axis=0),
             helper.make_node("Reshape", ["x", "wanted"], ["y"]),
             helper.make_node("ReduceMean", ["y", "axes"], ["r"], keepdims=0)]
    arrays = {"zero": np.array([0]), "rest": np.array([2, -1]), "axes": np.array([2])}
    source = network(nodes, {"x": (FLOAT, ["N", 6])}, {"r": ["N", 2]}, arrays)
    found, x = from_onnx(source), RNG.normal(size=(3, 6))
    (ours,) = forward(found.model, {}, {"x": x})
    np.testing.assert_allclose(ours, x.reshape(3, 2, 3).mean(2))


def loop(op: str) -> Any:
    """s_k = tanh(s_(k-1) * w + x_k), and all of them."""
    names = ["s_in"] if op == "Scan" else ["i", "go", "s_in"]
    kinds = {"i": (INT, []), "go": (onnx.TensorProto.BOOL, []), "s_in": (FLOAT, [3]), "row": (FLOAT, [3])}
    inner = [helper.make_node("Mul", ["s_in", "w"], ["a"])]
    if op == "Loop":
        inner.append(helper.make_node("Gather", ["x", "i"], ["row"], axis=0))
    inner += [helper.make_node("Add", ["a", "row"], ["b"]), helper.make_node("Tanh", ["b"], ["s_out"]),
              helper.make_node("Identity", ["s_out"], ["stack"])]
    given = [*names, *(["row"] if op == "Scan" else [])]
    results = [*(["go_on"] if op == "Loop" else []), "s_out", "stack"]
    if op == "Loop":
        inner.append(helper.make_node("Identity", ["go"], ["go_on"]))
    body = helper.make_graph(
        inner, "body", [helper.make_tensor_value_info(n, *kinds[n]) for n in given],
        [helper.make_tensor_value_info(n, onnx.TensorProto.BOOL if n == "go_on" else FLOAT, [] if n == "go_on" else [3])
         for n in results])
    if op == "Scan":
        node = helper.make_node("Scan", ["s0", "x"], ["last", "all"], body=body, num_scan_inputs=1)
    else:
        node = helper.make_node("Loop", ["steps", "true", "s0"], ["last", "all"], body=body)
    arrays = {"w": np.array([0.5, -1, 2], np.float32), "s0": np.array([0.25, -0.5, 1], np.float32)}
    arrays |= {"steps": np.array(4), "true": np.array(True)} if op == "Loop" else {}
    return network([node], {"x": (FLOAT, [4 if op == "Loop" else "T", 3])}, {"last": [3], "all": ["T", 3]}, arrays)


@pytest.mark.parametrize("op", ["Scan", "Loop"])
def test_loops(op: str) -> None:
    source, x = loop(op), RNG.normal(size=(4, 3)).astype(np.float32)
    found = from_onnx(source)
    text = found.model.text()
    assert "for t in 1..T:" in text and Model.parse(text).text() == text, "a loop when it is read again"
    results = forward(found.model, found.params, found.data | {"x": x})
    for ours, theirs in zip(results, evaluated(source, x=x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_all_that_is_refused_is_told_with_node_and_what_to_write() -> None:
    nodes = [helper.make_node("RandomNormalLike", ["x"], ["n"], name="noise"),
             helper.make_node("NonZero", ["x"], ["k"], name="places"), helper.make_node("Neg", ["x"], ["y"])]
    with pytest.raises(ModelError) as found:
        from_onnx(network(nodes, {"x": (FLOAT, [3])}, {"y": [3]}))
    told = found.value.told()
    assert "RandomNormalLike (noise): it is random: draw the numbers outside" in told
    assert "NonZero (places): what it gives depends on values: write Where" in told


def test_a_missing_file_is_told_in_a_line() -> None:
    with pytest.raises(UsageError, match=r"^there is no file nowhere\.onnx$"):
        from_onnx("nowhere.onnx")


def stored(weight: onnx.TensorProto) -> bytes:
    """A network of one product with a stored array."""
    node = helper.make_node("MatMul", ["x", weight.name], ["y"])
    ends = [helper.make_tensor_value_info(n, FLOAT, shape) for n, shape in (("x", [3, 4]), ("y", [3, 2]))]
    return bytes(helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:], [weight])).SerializeToString())


def test_a_file_that_is_cut_off_anywhere(tmp_path: Path) -> None:
    """None of it, and its first field alone, are valid to ONNX."""
    path, whole = tmp_path / "net.onnx", stored(onnx.numpy_helper.from_array(np.ones((4, 2), np.float32), "w"))
    path.write_bytes(whole)
    assert from_onnx(path).model.loss_row is None
    graph = max(range(len(whole)), key=lambda k: whole[k:].startswith(b"\n\x01g"))
    for length in [0, 2, *range(3, graph, 7), *range(graph, len(whole) - 10, 29)]:
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError, match=r"has no outputs|cannot be read as an ONNX network"):
            from_onnx(path)


@pytest.mark.parametrize("place", ["../outside.bin", "{folder}/outside.bin", "link.bin", "", "missing.bin", "."])
def test_arrays_in_other_files_than_those_beside_the_network(tmp_path: Path, place: str) -> None:
    (tmp_path / "outside.bin").write_bytes(bytes(32))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.bin").symlink_to("../outside.bin")
    weight = onnx.TensorProto(name="w", data_type=FLOAT, dims=[4, 2], data_location=onnx.TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value=place.format(folder=tmp_path))
    (folder / "net.onnx").write_bytes(stored(weight))
    with pytest.raises(UsageError, match=r"net\.onnx cannot be read as an ONNX network: "):
        from_onnx(folder / "net.onnx")


@pytest.mark.parametrize("dims", [[10**9, 10**9], [2**62, 2**62], [-4, 2], [4, 3]])
def test_a_stored_array_that_is_not_what_it_declares(tmp_path: Path, dims: list[int]) -> None:
    weight = onnx.TensorProto(name="w", data_type=FLOAT, dims=dims, raw_data=bytes(32))
    (tmp_path / "net.onnx").write_bytes(stored(weight))
    with pytest.raises(UsageError, match="the array 'w' of the network cannot be read"):
        from_onnx(tmp_path / "net.onnx")
