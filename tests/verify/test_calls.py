"""Modules that are right when they are called once, and do not keep what one call owes the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from symbackprop import codegen
from symbackprop.model.text import parse
from symbackprop.verify.calls import gap
from tests.sweeps import few_in_ci
from tests.verify.helpers import check
from tests.verify.test_further import NET

LAYER = "dim N, D, M\ninput X: N x D\nparam W: D x M\noutput Y = tanh(X @ W)"
TWO = "dim N, D, M\ninput X: N x D\nparam W: D x M\noutput Y = tanh(X @ W)\noutput S = sum(Y, axis=1)"
PICK = "dim N\ndata y: N int < 3\nparam w: 3\nloss L = sum(w[y]^2)"
LOOP = "dim T, N\ndata x: T x N, h[0]: N\nparam w: N\nfor t in 1..T:\n    g[t] = sigmoid(w * h[t-1])\n"
LOOP += "    h[t] = g[t] * x[t]\nloss L = sum(h[T]^2)"
SCALE = "dim N\ndata x: N\nparam w\nloss L = sum((w * x)^2)"

CUT, FLAT = "upstream = np.clip(upstream, -99, 99)", "upstream = upstream.ravel('K').reshape(upstream.shape)"
TWICE = '2 * params["w"] if type(params["w"]) is np.ndarray else arrays["w"]'
STALE = '    if len(kept) > 99 or "old" in kept:\n        db = kept["old"]\n    kept["old"] = db.copy()\n    grads = {'
WIDE = '    db = db * (1 + (workspace is not None and cache["N"] > 3))\n    grads = {'
GROWS = ('    seen = globals().setdefault("seen", {})\n'
         '    dw = dw * (1 + (len(seen) - seen.setdefault(x.tobytes(), len(seen)) > 9))\n')  # arrays after many others
LOST = '    dW = dW * upstream["Y"].any()\n    grads = {'
CASES = [
    # (id, model, level, (function, old, new) …, words of what is said)
    ("backward changes its cache", NET, 1, [("backward", "    da = 2 * (a - t)", "    a -= t\n    da = 2 * a")],
     "is not -3000000.0 times the gradient of W: "),
    ("backward changes its upstream gradient", LAYER, 1,
     [("backward", "    grads = {", "    upstream *= 2\n    grads = {")], "backward changes Y, which it is given: ["),
    ("outputs changes an input", NET, 1, [("outputs", "    return {", "    X *= 2\n    return {")],
     "outputs changes X, which it is given: ["),
    ("an upstream gradient cut off", LAYER, 1, [("backward", "    W = ", f"    {CUT}\n    W = ")],
     "backward(cache, -3000000.0 * upstream) is not -3000000.0 times the gradient of "),
    ("an upstream gradient taken for contiguous", LAYER, 1, [("backward", "    W = ", f"    {FLAT}\n    W = ")],
     "with an upstream gradient that is not contiguous in memory, "),
    ("an upstream gradient that is written to", LAYER, 1,
     [("backward", "    grads = {", "    upstream += 0\n    grads = {")],
     "with an upstream gradient: backward raised ValueError"),
    ("an upstream gradient that is no float", NET, 1,
     [("scaled", "    if upstream != 1:", "    if type(upstream) is float and upstream != 1:")],
     "with an upstream gradient that is a 0-d array, W differs: ["),
    ("an input taken for contiguous", NET, 1,
     [("forward", "    z = X @ W + b", "    z = X.ravel('K').reshape(X.shape) @ W + b")],
     "for arrays that are not contiguous L differs: it is "),
    ("a scalar that is no 0-d array", SCALE, 1, [("forward", 'arrays["w"]', TWICE)],
     "for scalars as 0-d arrays L differs: it is "),
    ("something kept between calls", NET, 1,
     [("forward", "    cache = {", "    global kept\n    kept = a\n    cache = {"), ("backward", 'cache["a"]', "kept")],
     "with another forward before backward, the gradient of W differs: ["),
    ("a workspace in which backward writes over its cache", NET, 2,
     [("backward", 'kept["da"]', 'kept["a"]'), ("backward", 'kept.get("da")', 'kept.get("a")')],
     "with a fresh workspace backward, again with one cache, gives another gradient of W: ["),
    ("a table that two threads write into", NET, 1,
     [("forward", "    z = X @ W + b", "    global room\n    room = X @ W\n    room += b\n    z = room.copy()")],
     "two threads at a time disturb each other: what the one computes is another number where the other's calls come "
     "before module.py:"),
    ("one workspace for all", NET, 2,
     [("make_workspace", 'return {"sizes": sizes, "dtype": dtype, "arrays": {}}',
       'return {"sizes": sizes, "dtype": dtype, "arrays": globals().setdefault(str((sizes, dtype)), {})}')],
     "two threads at a time disturb each other: what the one computes is another number where the other's calls come "
     "before module.py:"),
    ("an upstream gradient of another shape", NET, 1, [("scaled", 'as_array("upstream", upstream).ndim != 0', "False")],
     "backward does not refuse an upstream gradient of L with an axis too many with a ValueError that says so"),
    ("a workspace that is not written again", NET, 2, [("backward", "    grads = {", STALE)],
     "with a used workspace the gradient of b differs: ["),
    ("a workspace of other sizes", NET, 2, [("backward", "    grads = {", WIDE)],
     "with a fresh workspace the gradient of b differs: ["),
    ("loss_and_grads with a workspace", NET, 2,
     [("loss_and_grads", "return loss,", "return loss * (1 if workspace is None else 2),")],
     "with a fresh workspace loss_and_grads gives another L: it is "),
    ("a workspace of other sizes taken", NET, 2, [("buffers", '!= sizes', '!= workspace["sizes"]')],
     "forward does not refuse a workspace that was made for arrays of other sizes"),
    ("a workspace of another precision taken", SCALE, 2, [("backward", "buffers(workspace,", "{} or (")],
     "backward does not refuse a workspace that was made for arrays of another precision"),
    ("sizes that are not looked at", SCALE, 1, [("loss_and_grads", "dims=dims", "dims=None")],
     "loss_and_grads does not refuse a size that the model does not have"),
    ("truth values", PICK, 1, [("as_integers", ".astype(np.intp, copy=False)", "")],
     "on truth values: backward raised ValueError"),
    ("a state that many calls leave", SCALE, 1, [("backward", "    grads = {", f"{GROWS}    grads = {{")],
     "after many other calls w is another one: it is "),
    ("one output lost where another has no upstream gradient", TWO, 1, [("backward", "    grads = {", LOST)],
     "with an upstream gradient of S alone: W["),
    ("an intermediate", NET, 1, [("outputs", "a = np.maximum(z, 0)", "a = np.maximum(z, 0.01)")],
     "outputs()['a'] differs from what the model says it is: ["),
    ("what stands only inside a loop", LOOP, 1, [("outputs", "h_t = h[t] =", "h_t = h[t] = g[t] =")],
     "outputs()['g'] differs from what the model says it is: ["),
]


def changed(source: str, function: str, old: str, new: str) -> str:
    """The source with the first old text of a function replaced."""
    start = source.index(f"def {function}(")
    assert old in source[start : f"{source}\n\n".index("\n\n\n", start)]
    return source[:start] + source[start:].replace(old, new, 1)


@pytest.mark.parametrize(("text", "level", "changes", "words"),
                         few_in_ci([pytest.param(*c[1:], id=c[0]) for c in CASES], 2))
def test_a_call_that_does_not_keep_its_promise_is_told(
    tmp_path: Path, text: str, level: int, changes: list[tuple[str, str, str]], words: str
) -> None:
    source = codegen(parse(text, name="net"), level=level)
    for change in changes:
        source = changed(source, *change)
    report = check(tmp_path, source)
    assert report.verdict == "fail" and any(words in p for p in report.problems), report.text()


def test_a_gap_between_arrays_in_words() -> None:
    right = np.array([[1.0, 2.0]])
    assert gap(right, right) == "" and gap(right + 1e-12, right) == ""
    assert gap(np.array([[1.0, 3.0]]), right) == "[0, 1] is 3, expected 2"
    assert gap(right[0], right) == "its shape is (2,), expected (1, 2)"
    assert gap(None, right) == "it is missing" and gap("x", right) == "it is no array of numbers"
    assert gap(np.float64(np.nan), 1.0) == "it is nan, expected 1"


def test_a_module_that_has_its_functions_from_another_one(tmp_path: Path) -> None:
    """No line of the file itself is run."""
    (tmp_path / "other.py").write_text(codegen(parse(SCALE, name="net")))
    source = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nfrom other import *\nfrom other import MODEL\n"
    report = check(tmp_path, source)
    assert report.verdict == "pass", report.text()
