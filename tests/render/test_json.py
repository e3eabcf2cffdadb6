"""The JSON of every built-in model's derivation follows its schema, and the schema is the documented one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from symbackprop.model import zoo
from symbackprop.render.json import SCHEMA, to_json
from tests.render.helpers import VIEWED, document, document_with_numbers
from tests.render.json_schema import DERIVATION, NODES, Schema, problems, tree_problems
from tests.sweeps import few_in_ci, sample

DOCUMENTED = Path(__file__).parents[2] / "docs" / "derivation-json.md"


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 6))
def test_every_model_follows_the_schema(name: str) -> None:
    check(to_json(document_with_numbers(name)))


@pytest.mark.parametrize(("name", "view"), VIEWED.items())
def test_every_view_follows_the_schema(name: str, view: str) -> None:
    check(to_json(document(name, view=view)))


def check(text: str) -> None:
    """It follows the schema, and what it cites are anchors of its own, each once."""
    data = json.loads(text)
    assert not list(problems(data))
    anchors = [one["anchor"] for key in ("declarations", "forward", "steps", "rules") for one in data[key]]
    assert len(set(anchors)) == len(anchors)
    assert set(cited(data)) <= set(anchors)


def cited(value: object) -> Iterator[str]:
    """Every anchor that mathematics or a reference names."""
    if isinstance(value, dict):
        yield from value.get("cites", ())
        if value.keys() == {"anchor", "text"}:
            yield value["anchor"]
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from cited(one)


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every key of every object."""
    if isinstance(value, dict):
        yield from ((*path, key) for key in value)
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(one, (*path, key))


def test_a_text_without_one_of_its_keys_does_not_follow_it() -> None:
    """One place of each kind: what stands elsewhere in a list has the same keys."""
    data = with_short_trees(json.loads(to_json(document_with_numbers("two-weight-tanh"))))
    kinds = {tuple("*" if isinstance(k, int) else k for k in path): path for path in places(data) if "tree" not in path}
    for *path, key in sample(kinds.values(), 2):
        inside = reduce(lambda value, k: value[k], path, data)
        taken = inside.pop(key)
        assert any(True for _ in problems(data)), (path, key)
        inside[key] = taken


def with_short_trees(value: Any) -> Any:
    """The same with one symbol for all mathematics: what is inside of it is checked by itself."""
    if isinstance(value, dict):
        return {k: {"node": "Sym", "name": "x"} if k == "tree" else with_short_trees(v) for k, v in value.items()}
    return [with_short_trees(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("value", [7, True, "elsewhere", {"text": "x"}, [7]])
def test_a_text_with_something_else_in_a_place_does_not_follow_it(value: object) -> None:
    data = json.loads(to_json(document("cube")))
    for key in ("view", "steps", "heading", "total_cost", "glossary"):
        assert list(problems(data | {key: value}))
    assert list(problems(data | {"more": value}))


TREE = {"node": "Sum", "terms": [[False, {"node": "Sym", "name": "y"}], [True, {"node": "Sym", "name": "o", "row": 3}]]}


def test_trees_are_checked_against_their_nodes() -> None:
    assert not list(tree_problems(TREE, "$"))
    (_, y), (_, o) = TREE["terms"]
    for wrong in (7, {}, {"node": "Sun"}, {"node": "Sum"}, TREE | {"more": 1}, TREE | {"terms": [[y, False]]},
                  TREE | {"terms": [[True, o | {"row": "3"}]]}, TREE | {"terms": y}):
        assert list(tree_problems(wrong, "$")), wrong


def test_the_documentation_names_every_node_and_its_fields() -> None:
    described = DOCUMENTED.read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in described.splitlines() if line.startswith("| `")}
    for name, node in NODES.items():
        told = {f.name for f in fields(node) if f"`{f.name}`" in rows.get(name, "")}
        assert told == {f.name for f in fields(node)} and name in rows, name


def test_the_documentation_names_every_key_and_the_number() -> None:
    described = DOCUMENTED.read_text(encoding="utf-8")
    assert {key for key in keys(DERIVATION) if f"`{key}`" not in described} == set()
    assert f"schema {SCHEMA}" in described


def keys(schema: Schema) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema
    for one in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, (list, tuple)) else ():
        yield from keys(one)


def test_numbers_are_exact() -> None:
    data = json.loads(to_json(document_with_numbers("sigmoid-circuit")))
    steps = {s["name"]: s for s in data["steps"]}
    assert steps["s"]["value"]["data"] == pytest.approx(0.19661193324148185, rel=1e-15)
    assert steps["s"]["value"]["shown"]["text"] == "0.197"
