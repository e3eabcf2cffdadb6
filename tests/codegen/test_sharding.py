"""Training steps over many devices: what is split, what is refused, and that a step is that of one device."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from symbackprop import Model
from symbackprop.codegen import codegen
from symbackprop.codegen.wrapping import read_sharding
from symbackprop.errors import UsageError
from tests.codegen.test_models import MLP, RNN

SQUARE = "dim N, D\ndata X: N x D\nparam W: D x D, b: D\nloss L = mean((tanh(X @ W) + b)^2)\n"


@pytest.mark.parametrize(("text", "said", "lines"), [
    (MLP, {}, ['"X": jax.sharding.PartitionSpec("data", None)', '"W1": jax.sharding.PartitionSpec(None, None)']),
    (MLP, {"N": "data", "H": "model"}, ['"W1": jax.sharding.PartitionSpec(None, "model")',
                                        '"W2": jax.sharding.PartitionSpec("model", None)']),
    (SQUARE, {"D": "model", "W.1": "model"}, ['"W": jax.sharding.PartitionSpec(None, "model")',
                                              '"b": jax.sharding.PartitionSpec("model")']),
    (RNN, {}, ['jax.sharding.PartitionSpec(None, "data", None)']),
])
def test_what_is_split(text: str, said: dict[str, str], lines: list[str]) -> None:
    module = codegen(Model.parse(text), shard=said)
    assert all(line in module for line in lines) and "def update" in module


@pytest.mark.parametrize(("text", "said", "told"), [
    (MLP, {"M": "data"}, "M is no dimension of"),
    (MLP, {"W1": "model"}, "W1 is an array: say W1.0 for its first axis"),
    (MLP, {"W9.0": "model"}, "no parameter or datum 'W9' to split. Did you mean 'W2'"),
    (MLP, {"W1.2": "model"}, "W1 has 2 axes"),
    (SQUARE, {"D": "model"}, "W: D x D would be split along model twice: say of one axis, as in --shard W.0=model"),
    ("dim N\nparam w: N\nloss L = sum(w^2)", {}, "say it, as in --shard N=data"),
    ("dim N\ndata x: N\nparam w\noutput y = w * x", {}, "needs a loss"),
    ("dim K\nparam w\ndata x\nloss L = sum(w * x * arange(K))", {"K": "data"}, "no array shows K"),
])
def test_what_cannot_be_split_is_told(text: str, said: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        codegen(Model.parse(text), shard=said)


def test_options_that_do_not_fit_are_told() -> None:
    with pytest.raises(UsageError, match="written for jax, not for torch"):
        codegen(Model.parse(MLP), target="torch", shard={})
    with pytest.raises(UsageError, match="leave out wrt"):
        codegen(Model.parse(MLP), wrt=["W1"], shard={})
    with pytest.raises(UsageError, match=r"--shard takes N=data.* 'mlp' says no axis"):
        read_sharding("N=data,mlp")
    with pytest.raises(UsageError, match="N is split along data and along model: say one"):
        read_sharding("N=data,H=model,N=model")
    assert read_sharding("N = data, W.1=model") == {"N": "data", "W.1": "model"}


EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RUN = """
import json, sys
sys.path.insert(0, {examples!r})
import many_devices
found = many_devices.main(*sys.argv[1:])
print(json.dumps({{way: [max(a, b), dict(c)] for way, (a, b, c) in found.items()}}))
"""
COUNTED = {"data parallel": {"all-reduce": 1}, "tensor parallel": {"all-reduce": 2}}


def started(program: str, *args: str) -> subprocess.Popen[str]:
    """A Python process of its own, as the number of devices is fixed when JAX starts."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))}
    return subprocess.Popen([sys.executable, "-c", program, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env=env)


def ended(process: subprocess.Popen[str]) -> Any:
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return json.loads(out.splitlines()[-1])


def agrees(found: dict[str, Any]) -> None:
    assert all(difference < 1e-6 for difference, _ in found.values()), found
    assert {way: counted for way, (_, counted) in found.items()} == COUNTED


@pytest.mark.oracle
def test_a_step_on_eight_devices_is_that_of_one() -> None:
    pytest.importorskip("jax", minversion="0.7")
    agrees(ended(started(RUN.format(examples=str(EXAMPLES)))))


@pytest.mark.oracle
@pytest.mark.slow
def test_a_step_of_two_processes_is_that_of_one_device() -> None:
    pytest.importorskip("jax", minversion="0.7")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    both = [started(RUN.format(examples=str(EXAMPLES)), address, number, "2") for number in "01"]
    for process in both:
        agrees(ended(process))


MODELS = """
import json, sys, tempfile, types
import jax
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_disable_most_optimizations", True)
import numpy as np
from symbackprop.model import zoo
from symbackprop.model.text import parse
from symbackprop.codegen import codegen
from tests.codegen.test_models import RNN
from tests.codegen.test_sharding import SQUARE

def run(net_model, shard, sizes, **meshes):
    net = types.ModuleType("net")
    exec(codegen(net_model, shard=shard, dtype="float32"), vars(net))
    rng = np.random.default_rng(0)
    shape = lambda s: [sizes.get(d, d) for d in s]
    draw = lambda n, s: rng.integers(0, sizes.get(net.INTEGERS[n], net.INTEGERS[n]), shape(s)) \\
        if n in net.INTEGERS else rng.normal(size=shape(s)).astype("float32")
    params, data = ({{n: draw(n, s) for n, s in table.items()}} for table in (net.PARAMS, net.DATA))
    mesh = jax.make_mesh(tuple(meshes.values()), tuple(meshes))
    split, batch = net.sharded(mesh, params), net.sharded(mesh, data)
    one, grads = net.loss_and_grads(params, data)
    loss, found = jax.jit(net.loss_and_grads)(split, batch)
    off = max(float(np.abs(np.asarray(found[n]) - np.asarray(grads[n])).max()) for n in grads)
    new, state, step = net.train_step(mesh, split, net.init_state(split), batch, eta=0.5)
    after, _ = net.update(params, grads, net.init_state(params), eta=0.5)
    off = max([off, abs(float(step) - float(one)), *[float(np.abs(np.asarray(new[n]) - after[n]).max()) for n in new]])
    assert all(new[n].sharding.is_equivalent_to(split[n].sharding, new[n].ndim) for n in new), {{
        n: (new[n].sharding, split[n].sharding) for n in new}}
    return net, mesh, params, off

found = [run(parse(RNN), {{}}, {{"T": 3, "N": 8, "E": 4, "H": 4}}, data=8)[3]]
net, mesh, params, off = run(parse(SQUARE), {{"N": "data", "W.1": "model"}}, {{"N": 8, "D": 4}}, data=4, model=2)
found.append(off)
told = []
for call in (lambda: net.sharded(mesh, {{"W": np.ones((4, 3))}}), lambda: net.sharded(mesh, {{"w": 1.0}}),
             lambda: net.sharded(jax.make_mesh((8,), ("batch",)), params)):
    try:
        call()
    except ValueError as error:
        told.append(str(error))
print(json.dumps([found, told]))
"""


@pytest.mark.oracle
@pytest.mark.slow
def test_loops_axes_and_what_a_mesh_cannot_hold() -> None:
    pytest.importorskip("jax", minversion="0.7")
    found, told = ended(started(MODELS.format()))
    assert max(found) < 1e-6
    assert told == [
        "W has shape (4, 3): axis 1, D = 3, cannot be split into 2 equal parts along 'model'",
        "no array is called 'w'; there are W, b, X",
        "W is split along 'model', and the mesh has the axes batch",
    ]


@pytest.mark.oracle
@pytest.mark.slow
def test_verify_takes_the_file() -> None:
    pytest.importorskip("jax")
    from symbackprop.verified import verify_source

    model = Model.parse(MLP)
    report = verify_source(codegen(model, shard={}), model)
    assert report.passed, report.text()
