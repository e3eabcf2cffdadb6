"""ONNX networks as models: every node by its operator's composition, sizes and other whole numbers worked out on the
way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.loops import scan
from symbackprop.errors import MissingExtra, ModelError, UsageError, did_you_mean
from symbackprop.imported.naming import Names, numbered, short_name
from symbackprop.imported.onnx_operators import NUMBERS, OPERATORS
from symbackprop.imported.reading import SIZES, Imported, Reading
from symbackprop.model.model import Model

VIEWS = ("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Expand", "Split", "Slice", "Cast",
         "Gather", "Neg")
HERE = ("Constant", "Shape", "Size", "Scan", "Loop", "If")
CHOOSING = {"Gather": 1, "GatherElements": 1, "SoftmaxCrossEntropyLoss": 1, "NegativeLogLikelihoodLoss": 1}
STATISTICS = {"BatchNormalization": (3, 4)}  # arrays of floats that no gradient is taken of
UNREAD = "no operator here gives such a result"
LARGEST = 2**31 - 1  # below which integers are that choose from nothing
INSTEAD = (
    ("Random|Bernoulli|Multinomial", "it is random: draw the numbers outside, and give them as an input"),
    ("If$", "values decide here: write Where"),
    ("NonZero|Unique|NonMaxSuppression", "what it gives depends on values: write Where, or take it out of the network"),
    ("Sequence|Optional|SplitToSequence|ConcatFromSequence", "write single tensors in place of sequences"),
    ("DFT|STFT|MelWeightMatrix", "there are no complex numbers here: write real and imaginary parts"),
    ("Quantize|Integer$|QLinear", "write the network in floats: rounding has no gradient"),
    ("String|Regex|Tfidf|TfIdf|LabelEncoder", "strings are no numbers: take it out of the network"),
)


def needed() -> Any:
    """The library onnx; raises `MissingExtra` where it is not installed."""
    try:
        return import_module("onnx")
    except ImportError:
        raise MissingExtra("reading an ONNX network needs onnx: pip install 'symbackprop[onnx]'") from None


def from_onnx(source: Any, *, rename: Mapping[str, str] | None = None, name: str = "") -> Imported:
    """The model of an ONNX network, a file or a ModelProto.

    Arrays of floats that are stored with it are parameters, its inputs are data. An output that is one number, and the
    only one, is the loss. ``rename`` has names for parameters, by those of the network. Raises `ModelError` for what no
    model can say, `MissingExtra` without onnx.
    """
    return read(source, rename=rename, name=name).required()


def read(source: Any, *, rename: Mapping[str, str] | None = None, name: str = "", wanted: Sequence[str] = ()
         ) -> Reading:
    """As `from_onnx`, with all that cannot be read in place of an error; inputs that are ``wanted`` have gradients."""
    onnx = needed()
    if isinstance(source, (str, Path)):
        name = name or Path(source).stem
        if not Path(source).is_file():
            raise UsageError(f"there is no file {source}")
        try:
            source = onnx.load(str(source))
        except Exception as error:
            raise UsageError(f"{source} cannot be read as an ONNX network: {error}") from error
    if not source.graph.output:
        raise UsageError(f"{name or 'the network'} has no outputs: the file may be empty, or cut off")
    source = _with_parts(source)
    for has_steps in (True, False):
        reader = _Reader(onnx, source, rename or {}, name or source.graph.name, wanted, has_steps)
        found = reader.read()
        if found.imported is not None or not reader.counted:
            break
    return found


def _with_parts(source: Any) -> Any:
    """The network with functions of its own, and operators that are none here, as ONNX itself has them made of
    others."""
    from onnx import inliner

    source = inliner.inline_local_functions(source) if source.functions else source
    unknown = {(n.domain, n.op_type) for n in source.graph.node} - {("", op) for op in (*OPERATORS, *HERE, *FOLDED)}
    if not unknown or not hasattr(inliner, "inline_selected_functions"):
        return source
    try:
        return inliner.inline_selected_functions(source, [*unknown], inline_schema_functions=True)
    except (TypeError, ValueError, RuntimeError):  # an older library, or an operator that it has no parts of
        return source


class _Known:
    """Numbers that are known, perhaps with symbolic sizes among them: no row until one is asked for."""

    def __init__(self, array: Any) -> None:
        self.array = array if isinstance(array, np.ndarray) else np.asarray(array)
        self.row: Node | None = None

    @property
    def is_numeric(self) -> bool:
        return bool(self.array.dtype != object)


class _Reader:
    """One network on its way to a model, and what its operators ask for (see `onnx_operators`)."""

    def __init__(self, onnx: Any, source: Any, rename: Mapping[str, str], name: str, wanted: Sequence[str],
                 has_steps: bool) -> None:
        """``has_steps`` says whether a number of steps that is stored with the network becomes a dimension, so that
        the loop is one in model text."""
        self.onnx, self.source, self.graph, self.wanted = onnx, source, source.graph, wanted
        self.names, self.model = Names(), Model(name)
        self.values: dict[str, Any] = {}
        self.known: dict[int, Any] = {}
        self.arrays: dict[str, Any] = {}  # those of the network, by our names
        self.weights: dict[str, str] = {}  # our names of its parameters
        self.rename = dict(rename)
        self.problems: list[ModelError] = []
        self.dims: dict[str, Any] = {}
        self.has_steps, self.counted = has_steps, 0  # loops whose number of steps is stored with the network
        self.outputs = 1  # of the node that is read
        self.depth = 0  # of the loops around it
        self.read_again = {name for node in source.graph.node for name in node.input}

    # -- what operators ask for
    def has(self, row: Any) -> bool:
        return isinstance(row, _Known) or (isinstance(row, Node) and row.id in self.known)

    def value(self, row: Any) -> Any:
        if isinstance(row, _Known):
            return row.array
        if isinstance(row, Node) and row.id in self.known:
            return self.known[row.id]
        raise ModelError("a size or a place depends on what is given to the network: make it a number of the network")

    def leaf(self, array: Any, wanted: bool) -> Node:
        """A row for numbers that are no parameters."""
        return self._stored(np.asarray(array), self.names.free("c"))

    def given(self, array: Any) -> Node:
        return self.leaf(array, False)

    def fresh(self, word: str) -> str:
        """A name that is indexed."""
        return self.names.indexed(word)

    def called(self, word: str, row: Node) -> Node:
        """A row under a name, where it has none."""
        return row if row.name is not None or self.depth else self.model.let(self.names.free(word), row)

    def _stored(self, array: Any, name: str, param: bool = False) -> Node:
        if array.dtype.kind in "bui" and (array.size == 0 or array.min() >= 0):
            array = array.astype(np.int64)
            row = self.model.data(name, array.shape, below=int(array.max(initial=0)) + 1)
        else:
            array = array.astype(array.dtype if array.dtype in (np.float32, np.float64) else np.float64)
            row = (self.model.param if param else self.model.data)(name, array.shape)
        self.arrays[name], self.known[row.id] = array, array
        return row

    # -- declarations
    def read(self) -> Reading:
        stored = {i.name: self._array(i) for i in self.graph.initializer}
        for unknown in self.rename.keys() - set(stored):
            raise UsageError(f"the network has no array {unknown!r} to rename.{did_you_mean(unknown, stored)}")
        for given in self.graph.input:
            if given.name not in stored:
                self._input(given)
        self._initializers(stored)
        counts = Counter(node.op_type for node in self.graph.node)
        self._nodes(self.graph.node)
        if not self.problems:
            self._results()
        return Reading(counts, self.problems, None if self.problems else self._imported())

    def _input(self, given: Any) -> None:
        kind = given.type.tensor_type
        if not kind.elem_type:
            self.problems.append(ModelError(f"the input {given.name} is no tensor: write single tensors", near="input"))
            return
        shape = [self._size(d) for d in kind.shape.dim]
        name = self.names.free(given.name)
        floats = kind.elem_type in (1, 10, 11, 16)
        if given.name in self.wanted:
            self.values[given.name] = self.model.input(name, shape)
        elif floats:
            self.values[given.name] = self.model.data(name, shape)
        else:
            below = 2 if kind.elem_type == self.onnx.TensorProto.BOOL else self._below(given.name)
            self.values[given.name] = self.model.data(name, shape, below=below)

    def _size(self, dim: Any) -> Any:
        """A size: a number, or a dimension under its own name."""
        if dim.HasField("dim_value"):
            return dim.dim_value
        word = dim.dim_param if dim.dim_param.isidentifier() else ""
        key = dim.dim_param or f"?{len(self.dims)}"
        if key not in self.dims:
            name = self.names.free(word or next(n for n in SIZES if n not in self.names.taken))
            self.dims[key] = self.model.dim(name)
        return self.dims[key]

    def _below(self, name: str) -> Any:
        """The bound of integers: the size of the axis that they choose from, where that can be seen."""
        shapes = {i.name: [*i.dims] for i in self.graph.initializer}
        for node in self.graph.node:
            place = CHOOSING.get(node.op_type)
            if place is not None and len(node.input) > place and node.input[place] == name:
                axis = next((a.i for a in node.attribute if a.name == "axis"), 0) if "Gather" in node.op_type else 1
                weights = [(n, 0) for n in node.input[2:3] if "Loss" in node.op_type]
                for source, k in [(node.input[0], axis), *weights]:
                    found = shapes.get(source) or self._inferred.get(source)
                    if found and found[k]:
                        return found[k]
            if node.op_type in ("Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape") and node.input[0] == name:
                found = self._below(node.output[0])
                if found != LARGEST:
                    return found
        return LARGEST

    @property
    def _inferred(self) -> dict[str, list[Any]]:
        """Shapes that ONNX itself infers; an axis that is symbolic is no number."""
        if not hasattr(self, "_shapes"):
            inferred = self.onnx.shape_inference.infer_shapes(self.source).graph
            self._shapes = {v.name: [d.dim_value or None for d in v.type.tensor_type.shape.dim]
                            for v in chain(inferred.value_info, inferred.input, inferred.output)}
        return self._shapes

    def _initializers(self, stored: Mapping[str, Any]) -> None:
        """Arrays of floats are parameters, where their gradients are asked for; numbers and integers are constants."""
        users: dict[str, tuple[str, int]] = {}
        for node in _every(self.graph):
            for place, name in enumerate(node.input):
                users.setdefault(name, (node.op_type, place))
        params = {n: a for n, a in stored.items() if a.dtype.kind == "f" and a.ndim and n in users
                  and users[n][1] not in (*STATISTICS.get(users[n][0], ()), *NUMBERS.get(users[n][0], ()))}
        owners = [*dict.fromkeys(n.rpartition(".")[0] for n in params if "." in n)]
        for name, array in stored.items():
            op, place = users.get(name, ("", 0))
            number = numbered(name.rpartition(".")[0], owners)
            kind = "Embedding" if (op, place) == ("Gather", 0) else "Norm" if "Normalization" in op else ""
            if name in params or (place in STATISTICS.get(op, ()) and array.ndim):
                ours = self.names.claim(self.rename[name]) if name in self.rename else \
                    self.names.free(short_name(name.rpartition(".")[2], kind, number))
                self.values[name] = self._stored(array, ours, name in params)
                self.known.pop(self.values[name].id)
                if name in params:
                    self.weights[name] = ours
            else:
                self.values[name] = _Known(array)

    # -- nodes
    def _nodes(self, nodes: Sequence[Any]) -> None:
        for node in nodes:
            given = [self.values.get(name) if name else None for name in node.input]
            if any(name and value is None for name, value in zip(node.input, given, strict=True)):
                self._miss(node)
                continue
            try:
                results = self._read_node(node, given)
            except ModelError as error:
                where = f"{node.op_type}{f' ({node.name})' if node.name else ''}"
                self.problems.append(type(error)(f"{where}: {error.message}", near=node.op_type))
                continue
            self.values |= {name: value for name, value in zip(node.output, results, strict=False) if name}

    def _miss(self, node: Any) -> None:
        """What is made of results that an operator has not is told, unless something was before."""
        if not self.problems:
            missing = next(name for name in node.input if name and name not in self.values)
            self.problems.append(ModelError(f"{node.op_type}: {missing} cannot be read: {UNREAD}", near=node.op_type))

    def _read_node(self, node: Any, given: list[Any]) -> list[Any]:
        attributes = {a.name: self._attribute(a) for a in node.attribute}
        if node.op_type == "Constant" and attributes:
            return [_Known(np.asarray(next(iter(attributes.values()))))]
        known = self._folded(node, given, attributes)
        if known is not None:
            return [_Known(array) for array in known]
        if node.op_type in ("Scan", "Loop"):
            return self._loop(node, given, attributes)
        if node.op_type == "If" and isinstance(given[0], _Known):
            return self._chosen(attributes["then_branch" if bool(given[0].array.any()) else "else_branch"])
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            raise ModelError(_instead(node.op_type))
        rows = [value if value is None or k in NUMBERS.get(node.op_type, ()) else self._row(value)
                for k, value in enumerate(given)]
        self.outputs = len(node.output)
        try:
            found = OPERATORS[node.op_type](self, rows, attributes)
        except (TypeError, KeyError, IndexError, OverflowError, AttributeError) as error:
            raise ModelError(f"it cannot be read with these inputs ({error}): its axes may need fixed sizes") from error
        results = [*found] if isinstance(found, (list, tuple)) else [found]
        return [self._named(node, name, row) for name, row in zip(node.output, results, strict=False)]

    def _array(self, tensor: Any) -> Any:
        """A stored array; what its file holds may not be what it declares."""
        try:
            if min(tensor.dims, default=0) < 0:
                raise ValueError(f"its shape is {tuple(tensor.dims)}")
            return self.onnx.numpy_helper.to_array(tensor)
        except (ValueError, TypeError, OverflowError, MemoryError, OSError) as error:
            raise UsageError(f"the array {tensor.name!r} of the network cannot be read: {error}") from error

    def _attribute(self, attribute: Any) -> Any:
        found = self.onnx.helper.get_attribute_value(attribute)
        if isinstance(found, self.onnx.TensorProto):
            return self._array(found)
        if isinstance(found, bytes):
            return found.decode()
        if isinstance(found, float):
            return _exact(found)
        if isinstance(found, self.onnx.GraphProto) or not hasattr(found, "__iter__") or isinstance(found, str):
            return found
        return [v.decode() if isinstance(v, bytes) else v for v in found]

    def _row(self, value: Any) -> Node:
        """A value as a row: a number by itself, an array as data."""
        if isinstance(value, Node):
            return value
        assert isinstance(value, _Known)
        if value.row is None:
            array = value.array
            if not value.is_numeric and array.ndim:
                raise ModelError("an array of symbolic sizes cannot be computed with: give those axes fixed sizes")
            if array.ndim == 0:
                number = array.item()
                value.row = self.model.graph.const(number if isinstance(number, sp.Expr) else _exact(number))
                self.known[value.row.id] = array
            elif array.dtype.kind == "f" and array.size and (array == array.flat[0]).all():
                value.row = self.model.graph.full(_exact(array.flat[0].item()), array.shape)
            else:
                value.row = self.leaf(array, False)
        return value.row

    def _named(self, node: Any, name: str, found: Any) -> Node:
        """The row under a name, unless it is a view, a number or has one."""
        row: Node = self.model.graph.lift(found)
        last = [o.name for o in self.graph.output].count(name) and name not in self.read_again
        if self.depth or last or row.name is not None or not row.args or node.op_type in VIEWS or not name:
            return row
        return self.model.let(self.names.free(_called(name, node)), row)

    # -- numbers that are known
    def _folded(self, node: Any, given: list[Any], attributes: dict[str, Any]) -> list[Any] | None:
        """The results where all that is given is known, or only shapes are asked for; None for any other node."""
        if node.op_type in ("Shape", "Size") and given[0] is not None:
            own = given[0].array.shape if isinstance(given[0], _Known) else given[0].shape
            own = [int(d) if getattr(d, "is_Integer", True) else d for d in own]
            if node.op_type == "Size":
                return [_numbers(sp.Mul(*own))]
            return [_numbers(own[attributes.get("start", 0) : attributes.get("end", len(own))])]
        if not given or not all(value is None or isinstance(value, _Known) for value in given):
            return None
        if all(value is None or value.is_numeric for value in given):
            return self._evaluated(node, given)
        rule = FOLDED.get(node.op_type)
        try:
            arrays = [None if value is None else value.array for value in given]
            return None if rule is None else [_numbers(rule(arrays, attributes))]
        except (TypeError, ValueError):  # sizes that are no numbers decide how large the result is
            return None

    def _evaluated(self, node: Any, given: list[Any]) -> list[Any] | None:
        from onnx.reference import ReferenceEvaluator

        if node.op_type.startswith("Random") or node.op_type in ("Loop", "Scan", "If"):
            return None
        helper, arrays = self.onnx.helper, dict(zip(node.input, given, strict=True))
        inputs = {name: value.array for name, value in arrays.items() if value is not None}
        graph = helper.make_graph(
            [node], "constant",
            [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
             for n, a in inputs.items()],
            [helper.make_tensor_value_info(n, 0, None) for n in node.output if n])
        model = helper.make_model(graph, opset_imports=self.source.opset_import, functions=self.source.functions)
        try:
            return [*ReferenceEvaluator(model).run(None, inputs)]
        except Exception:  # what the evaluator has not is read as any other node
            return None

    # -- loops
    def _loop(self, node: Any, given: list[Any], attributes: dict[str, Any]) -> list[Any]:
        """Scan, and a Loop whose number of steps is known and that does not end before."""
        body, is_scan = attributes["body"], node.op_type == "Scan"
        ways = ("scan_input_axes", "scan_output_axes", "scan_input_directions", "scan_output_directions")
        if any(any(attributes.get(word, ())) for word in ways) or (is_scan and (not given or given[0] is None)):
            raise ModelError("loops run forward along the first axis here: transpose what they run over before")
        if is_scan:
            carries = len(given) - attributes["num_scan_inputs"]
            first, sequences = [self._row(v) for v in given[:carries]], [self._row(v) for v in given[carries:]]
        else:
            sequences = [self.model.constant("arange", self._steps(given))]
            first = [self._row(v) for v in given[2:]]

        def step(carry: Any, now: Any) -> Any:
            results = self._step(body, [*carry, *now] if is_scan else [now[0], _Known(np.asarray(True)), *carry])
            if not is_scan and not (isinstance(results[0], _Known) and bool(results[0].array)):
                raise ModelError("a loop that values end cannot be read: let it run to its end, and choose by Where")
            rows = [self._row(v) for v in (results if is_scan else results[1:])]
            return tuple(rows[: len(first)]), tuple(rows[len(first) :])

        outer = dict(self.values)
        try:
            carried = body.input[: len(first)] if is_scan else body.input[2:]
            names = [self.fresh(re.sub(r"\d+$", "", i.name) or "s") for i in carried]
            last, stacks = scan(step, first, sequences, index=self.fresh("t"), names=names)
        finally:
            self.values = outer
        return [*last, *stacks]

    def _step(self, body: Any, given: Sequence[Any]) -> list[Any]:
        """What one step of a loop gives."""
        problems = len(self.problems)
        self.values |= dict(zip([i.name for i in body.input], given, strict=True))
        self.values |= {i.name: _Known(self._array(i)) for i in body.initializer}
        self.depth += 1
        self._nodes(body.node)
        self.depth -= 1
        if len(self.problems) > problems:
            raise ModelError("its body cannot be read")
        return [self.values[o.name] for o in body.output]

    def _chosen(self, branch: Any) -> list[Any]:
        """The results of one side of a choice that is known."""
        self.values |= {i.name: _Known(self._array(i)) for i in branch.initializer}
        self._nodes(branch.node)
        if any(o.name not in self.values for o in branch.output):
            raise ModelError("its side that is taken cannot be read")
        return [self.values[o.name] for o in branch.output]

    def _steps(self, given: list[Any]) -> Any:
        if given[0] is None or not isinstance(given[0], _Known):
            raise ModelError("how many steps a loop has needs to be known: make it a number of the network, or a size")
        if given[1] is not None and not (isinstance(given[1], _Known) and bool(given[1].array)):
            raise ModelError("a loop that values end cannot be read: let it run to its end, and choose by Where")
        count = given[0].array.reshape(-1)[0]
        if isinstance(count, sp.Expr):
            return count
        self.counted += 1
        return self.model.dim(self.names.free("T"), int(count)) if self.has_steps and count > 1 else int(count)

    # -- results
    def _results(self) -> None:
        outputs = [o.name for o in self.graph.output]
        missing = [name for name in outputs if self.values.get(name) is None]
        if missing:
            self.problems.append(ModelError(f"the output {missing[0]} cannot be read: {UNREAD}", near="output"))
            return
        rows = [self._row(self.values[name]) for name in outputs]
        if len(rows) == 1 and not rows[0].ndim:
            self.model.loss(self.names.free("L"), rows[0])
            return
        for name, row in zip(outputs, rows, strict=True):
            self.model.output(self.names.free(_called(name, None) if name.isidentifier() else "Y"), row)

    def _imported(self) -> Imported:
        kinds = (self.model.params, self.model.data_rows)
        params, data = ({n: self.arrays[n] for n in rows if n in self.arrays} for rows in kinds)
        return Imported(self.model, params, data, self.weights, dict(self.arrays))


def _every(graph: Any) -> Iterator[Any]:
    """The nodes of a graph and of those inside of it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield from _every(attribute.g) if attribute.HasField("g") else ()


def _instead(op: str) -> str:
    """What to write in place of an operator that is none here."""
    told = next((says for pattern, says in INSTEAD if re.search(pattern, op)), "")
    return told or "there is no such operator here: write it out of others"


def _exact(value: Any) -> Any:
    """A number, one of float32 as the shortest decimal that it is."""
    if isinstance(value, (bool, int)):
        return int(value)
    short = float(str(np.float32(value)))
    return short if np.float32(value) == value else float(value)


def _called(name: str, node: Any) -> str:
    """What is computed is called as the layer that the network's name of it says, else as that name."""
    parts = [p for p in re.sub(r"_output_\d+$", "", name).split("/") if p]
    word = parts[-2] if len(parts) > 1 else parts[0] if parts else ""
    return word if re.match(r"[A-Za-z]", word) else node.op_type.lower() if node is not None else "h"


def _numbers(found: Any) -> Any:
    """An array of whole numbers as such; with symbolic sizes one of expressions."""
    array = np.array(found, dtype=object)
    flat = [sp.sympify(v) for v in array.reshape(-1).tolist()]
    if all(v.is_Integer for v in flat):
        return np.array([int(v) for v in flat], np.int64).reshape(array.shape)
    return np.array([*flat, None], dtype=object)[:-1].reshape(array.shape)


def _sliced(xs: list[Any], a: dict[str, Any]) -> Any:
    starts, ends = xs[1].tolist(), xs[2].tolist()
    axes = xs[3].tolist() if len(xs) > 3 and xs[3] is not None else [*range(len(starts))]
    steps = xs[4].tolist() if len(xs) > 4 and xs[4] is not None else [1] * len(starts)
    found = xs[0]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        found = found[(slice(None),) * (axis % found.ndim) + (slice(start, end, step),)]
    return found


def _axes(xs: list[Any], a: dict[str, Any]) -> tuple[int, ...]:
    given = xs[1].tolist() if len(xs) > 1 and xs[1] is not None else a.get("axes", ())
    return tuple(int(k) for k in given)


FOLDED: dict[str, Callable[[list[Any], dict[str, Any]], Any]] = {  # of arrays with symbolic sizes in them
    "Identity": lambda xs, a: xs[0], "Cast": lambda xs, a: xs[0],
    "Gather": lambda xs, a: np.take(xs[0], xs[1].astype(int), axis=a.get("axis", 0)),
    "Concat": lambda xs, a: np.concatenate([x.astype(object) for x in xs], axis=a.get("axis", 0)),
    "Unsqueeze": lambda xs, a: np.expand_dims(xs[0], _axes(xs, a)),
    "Squeeze": lambda xs, a: np.squeeze(xs[0], _axes(xs, a) or None),
    "Reshape": lambda xs, a: xs[0].reshape([int(n) for n in xs[1]]), "Slice": _sliced,
    "Add": lambda xs, a: xs[0] + xs[1], "Sub": lambda xs, a: xs[0] - xs[1], "Mul": lambda xs, a: xs[0] * xs[1],
    "Div": lambda xs, a: xs[0] / xs[1], "Neg": lambda xs, a: -xs[0],
    "ReduceProd": lambda xs, a: [sp.Mul(*xs[0].tolist())] if a.get("keepdims", 1) else sp.Mul(*xs[0].tolist()),
    "Equal": lambda xs, a: np.vectorize(lambda x, y: int(x == y), otypes=[object])(xs[0], xs[1]),
    "Where": lambda xs, a: np.where(xs[0].astype(bool), xs[1].astype(object), xs[2].astype(object)),
    "Expand": lambda xs, a: np.broadcast_to(xs[0], [int(n) for n in xs[1]]),
}
