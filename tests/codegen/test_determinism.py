"""The same model gives the same bytes: in any process, under any hash seed, however often it is emitted."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from symbackprop.codegen import codegen
from symbackprop.model import zoo
from symbackprop.model.text import parse
from tests.codegen.test_models import ALL
from tests.sweeps import few_in_ci

SCRIPT = """
import sys
from symbackprop.codegen import codegen
from symbackprop.model.text import parse
from tests.codegen.test_models import ALL
for name, text in ALL.items():
    for level in (0, 1, 2):
        sys.stdout.buffer.write(codegen(parse(text, name=name), level=level).encode())
"""


def emitted(seed: str) -> bytes:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, check=True).stdout


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    first = emitted("0")
    assert len(first) > 10_000
    assert emitted("1") == first


@pytest.mark.parametrize("name", ALL)
def test_emitting_again_gives_the_same_text(name: str) -> None:
    model = parse(ALL[name], name=name)
    first = codegen(model)
    codegen(model, level=0)
    assert codegen(model) == first == codegen(parse(ALL[name], name=name))


@pytest.mark.parametrize("name", ALL)
def test_the_text_of_the_model_in_a_module_emits_the_same_module(name: str) -> None:
    """MODEL is what the module came from, to the last byte of what follows from it."""
    text = codegen(parse(ALL[name], name=name))
    namespace: dict[str, str] = {}
    start, end = text.index('MODEL = """'), text.index("PARAMS = ")
    import ast

    namespace["MODEL"] = ast.literal_eval(text[start:end].split("=", 1)[1].strip())
    assert codegen(parse(namespace["MODEL"], name=name)) == text


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3, 1))
def test_emitting_adds_no_row_to_the_table(name: str) -> None:
    model = zoo.build(name)
    rows = dict(model.graph.nodes)
    for target, levels in (("numpy", (0, 1, 2)), ("jax", (0, 1))):
        for level in levels:
            codegen(model, target=target, level=level)
            assert model.graph.nodes == rows, (target, level)
