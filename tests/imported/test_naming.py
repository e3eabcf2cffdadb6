"""Names of imported models, which need no PyTorch."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from symbackprop.errors import UsageError
from symbackprop.imported.naming import Names, assigned, place_of


@pytest.mark.parametrize(("wanted", "found"), [
    ("h", "h"), ("layers.0.attn", "layers_0_attn"), ("exp", "exp1"), ("3x", "x"), ("", "h"),
    ("for", "for_"), ("größe", "gre"), ("θ", "h"),
])
def test_names_are_such_of_model_text(wanted: str, found: str) -> None:
    assert Names().free(wanted) == found


def test_names_that_are_taken_are_numbered() -> None:
    names = Names()
    assert [names.free(w) for w in ("x", "x", "x1", "W2", "W2")] == ["x", "x1", "x1_1", "W2", "W2_1"]


@pytest.mark.parametrize("wanted", ["exp", "2a", "for", "W"])
def test_names_that_are_asked_for_are_given_or_refused(wanted: str) -> None:
    names = Names()
    names.free("W")
    with pytest.raises(UsageError, match=f"{wanted!r} cannot be the name of a parameter"):
        names.claim(wanted)


def test_a_node_is_from_the_innermost_line_of_the_users(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text("q, k, v = f(x)\nh = g(q)\nreturn h\nh = (\n", encoding="utf-8")
    trace = f'File "{file}", line 1, in forward\nFile "/lib/torch/nn/functional.py", line 7, in f\n'
    assert place_of(SimpleNamespace(meta={"stack_trace": trace})) == (str(file), 1)
    assert place_of(SimpleNamespace(meta={})) == ("", 0)
    assert [assigned((str(file), line)) for line in (1, 2, 3, 4)] == [["q", "k", "v"], ["h"], (), ()]
