"""What travels arrives as it was, and what is no message is refused as that."""

from __future__ import annotations

import ast
import io
from collections import namedtuple
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from symbackprop.apart import wire
from symbackprop.apart.libraries import Foreign
from symbackprop.apart.process import Process, RemoteModule, restore

QUICK = settings(max_examples=60)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)
NUMBERS = arrays.arrays(st.sampled_from(["f8", "f4", "f2", "i8", "i4", "u1", "bool", "c16", ">f8"]),
                        arrays.array_shapes(min_dims=0, min_side=0, max_dims=4))


def sent(value: Any) -> Any:
    return wire.read(io.BytesIO(wire.message(value)))


def same(a: Any, b: Any) -> bool:
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and (a == b or a != a)


@QUICK
@given(PLAIN)
def test_plain_values_arrive_as_they_were(value: Any) -> None:
    assert same(value, sent(value))


@QUICK
@given(NUMBERS)
def test_arrays_arrive_as_they_were(array: Any) -> None:
    for value in (array, array.T, array[::-1] if array.ndim else array[()]):
        found = sent({"x": value})["x"]
        assert type(found) is type(value) and found.dtype == value.dtype and found.shape == value.shape
        assert np.array_equal(np.asarray(found), np.asarray(value), equal_nan=value.dtype.kind in "fc")
        assert not isinstance(found, np.ndarray) or found.flags.writeable


@QUICK
@given(st.dictionaries(st.text(), NUMBERS | st.floats(width=32).map(np.float64)))
def test_dicts_of_arrays_arrive_as_they_were(values: Any) -> None:
    with np.errstate(over="ignore"):
        singles = {n: v.astype(np.float32) for n, v in values.items() if v.dtype.kind == "f"}
    for some in (values, singles):
        found = sent(some)
        assert list(found) == list(some)
        for name, value in some.items():
            ours = found[name]
            assert type(ours) is type(value) and (ours.dtype, ours.shape) == (value.dtype, value.shape)
            assert np.array_equal(ours, value, equal_nan=value.dtype.kind in "fc")
            assert not isinstance(ours, np.ndarray) or ours.flags.writeable


def test_thousands_of_arrays_travel_together() -> None:
    """Said of each: its name and its shape."""
    arrays_ = {f"w{k}": np.float64(k) if k % 2 else np.ones((2, 3)) for k in range(1000)}
    assert len(wire.message(arrays_)) < sum(v.nbytes + len(n) + 20 for n, v in arrays_.items())


def test_arrays_of_a_dict_lie_in_memory_as_they_did() -> None:
    """Else no module in a process of its own is seen to rely on how they lie."""
    repeated, backwards = sent({"a": np.broadcast_to(2.0, (3, 2))})["a"], sent({"a": np.arange(4.0)[::-1]})["a"]
    assert repeated.strides == (0, 0) and backwards.strides[0] < 0
    assert repeated.tolist() == [[2.0, 2.0]] * 3 and backwards.tolist() == [3.0, 2.0, 1.0, 0.0]


def test_what_stays_here_stays_in_a_dict_too() -> None:
    cache = np.ones(3)
    found = wire.read(io.BytesIO(wire.message({"cache": cache, "w": np.ones(3)}, lambda v: wire.Thing("it", 1)
                                              if v is cache else None)))
    assert found["cache"] == wire.Thing("it", 1) and found["w"].tolist() == [1.0, 1.0, 1.0]


def test_what_else_is_known() -> None:
    found = sent([np.float32, np.dtype("f4"), np.random.default_rng(3), object(), namedtuple("Pair", "a b")(1, 2)])
    assert found[:2] == [np.float32, np.float32] and found[2].random() == np.random.default_rng(3).random()
    assert found[3] == wire.Thing("object") and found[4] == (1, 2)


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_other_arrays_arrive_as_numpys(library: str) -> None:
    module = pytest.importorskip(library if library == "torch" else "jax.numpy")
    made = module.ones((2, 3), dtype=module.float32)
    assert sent(made).dtype == np.float32 and sent(made).shape == (2, 3)
    half = sent(module.ones(2, dtype=module.bfloat16))
    assert isinstance(half, Foreign) and half.precision == "bfloat16" and np.asarray(half).tolist() == [1.0, 1.0]
    assert sent(module.float32) == np.dtype("f4") or library == "torch"


MESSAGE = wire.message({"x": np.arange(6.0).reshape(2, 3), "y": [1, "two", None]})


@QUICK
@given(st.integers(0, len(MESSAGE) - 1), st.binary(min_size=1, max_size=4))
def test_what_is_no_message_is_refused(place: int, noise: bytes) -> None:
    spoiled = MESSAGE[:place] + noise + MESSAGE[place + len(noise) :]
    with suppress(wire.WireError, EOFError):
        wire.read(io.BytesIO(spoiled), largest=10**6)


@pytest.mark.parametrize("tree", [
    ["array", "<f8", [2], 3, ""], ["array", "O8", [1], 0, ""], ["array", "<f8", [-1, -1], 0, ""],
    ["array", "<f8", [9], 0], ["arrays", "<f8", ["a"], [[-1, -1]], 0], ["arrays", "<f8", ["a", "b"], [None], 0],
    ["arrays", "O8", ["a"], [None], 0], ["arrays", "<f8", ["a", "b"], [None, None], 0], ["arrays", "<f8", [], [], 0],
    ["arrays", "<f8", ["a"], [["2"]], 0], ["arrays", "<f8", ["a"], [[3]], 0],
    ["call", "os.system"], ["dict", [[[], 1]]], ["dict", 3], ["generator", ["dict", []]], ["dtype", "nothing"], [[]],
])
def test_values_of_no_known_kind_are_refused(tree: Any) -> None:
    import json

    text = json.dumps([tree, [8]]).encode()
    with pytest.raises(wire.WireError):
        wire.read(io.BytesIO(b"sbp1" + len(text).to_bytes(8, "big") + text + bytes(8)))


def test_a_message_longer_than_allowed_is_refused_before_it_is_read() -> None:
    with pytest.raises(wire.WireError):
        wire.read(io.BytesIO(MESSAGE), largest=10)
    with pytest.raises(wire.WireError):
        wire.read(io.BytesIO(b"sbp1" + (1 << 60).to_bytes(8, "big")))


def test_nothing_is_unpickled() -> None:
    for path in Path(wire.__file__).parent.glob("*.py"):
        names = {n.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import)
                 for n in node.names}
        assert not names & {"pickle", "marshal", "shelve", "multiprocessing"}, path.name


# -- a module over there


MODULE = """
import sys
import numpy as np
from beside import THREE

DTYPE = np.float32
NAMES = {"W": ("D", 2)}

def forward(x, *, dims=None):
    x["X"] += 1
    return 5.0, [x]

def backward(cache, upstream=2.5):
    return cache[0]["X"] * upstream

def heavy():
    return [m for m in ("sympy", "torch", "jax", "symbackprop.core") if m in sys.modules]

def same(cache, other):
    return cache is other
"""


def test_a_module_is_seen_through_its_process(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("THREE = 3\n")
    path = tmp_path / "m.py"
    path.write_text(MODULE)
    with Process(path) as process:
        module = RemoteModule(process)
        assert (3, np.float32, {"W": ("D", 2)}) == (module.THREE, module.DTYPE, module.NAMES)
        assert not hasattr(module, "nothing") and module.heavy() == []
        given_ = {"X": np.zeros(2)}
        value, cache = module.forward(given_)
        assert value == 5.0 and isinstance(cache, wire.Thing) and given_["X"].tolist() == [1.0, 1.0]
        assert module.backward(cache).tolist() == [2.5, 2.5] and module.same(cache, cache)
        other = module.forward(given_)[1]
        assert not module.same(cache, other)
        del cache
        assert module.backward(other).tolist() == [5.0, 5.0]


def test_what_a_call_does_to_its_arguments_is_done_here() -> None:
    array = np.zeros(3)
    value = {"a": array, "b": 1, "c": (array,)}
    restore(value, {"a": np.ones(3), "c": (np.ones(3),), "d": np.ones(2)})
    assert value["a"] is array and array.tolist() == [1, 1, 1] and list(value) == ["a", "c", "d"]
    rng, other = np.random.default_rng(0), np.random.default_rng(1)
    restore(rng, other)
    assert rng.random() == other.random()
