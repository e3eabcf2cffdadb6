"""Arrays under two names, of which an answer changes one in place: the other one changes with it, as in NumPy."""

from __future__ import annotations

import pytest

from symbackprop.grade import grade
from symbackprop.model.text import parse
from tests.grade.test_python_loops import CLASSES, NET, RIDGE

ROUNDS = "dw = 2*X.T @ r/N\n"
SPOILED = [  # what the line that changes another name makes of dw
    "a = dw\na *= 2",
    "a = dw\na[0] = 0",
    "a = dw\na[:1] -= 1",
    "a = dw.T\na /= N",
    "a = dw.reshape(-1)\na += 1",
    "a = np.asarray(dw)\na += 1",
    "a = dw[:]\na += 1",
    "a = dw\nb = a\nb += 1",
    "for i in range(N):\n    a = dw\n    a[0] = 0",
    "a = 2*r\na = dw\na *= 2",
]
KEPT = [
    "a = dw.copy()\na *= 2",
    "a = np.array(dw)\na *= 2",
    "a = 1*dw\na *= 2",
    "a = dw\na = 2*a",
    "a = dw\na = a + 1\na *= 2",
    "a = dw\na *= 2\ndw = 2*X.T @ r/N",
    "a = dw\na = r\na = a*2",
]


@pytest.mark.parametrize("lines", SPOILED)
def test_what_another_name_changes_is_not_called_right(lines: str) -> None:
    (item,) = grade(parse(RIDGE), ROUNDS + lines).items
    assert item.verdict == "unreadable"
    assert "changes dw too" in item.hint(2)


@pytest.mark.parametrize("lines", KEPT)
def test_what_has_an_array_of_its_own_stays(lines: str) -> None:
    items = grade(parse(RIDGE), ROUNDS + lines).items
    assert [item.verdict for item in items if item.name == "dw"] == ["right"]


def test_what_was_right_and_is_read_no_more_stays_right() -> None:
    """dZ = dA; dZ[Z <= 0] = 0 is how many write it."""
    lines = "dh = outer((p - y)/N, v)\nda = dh\nda *= 1 - h**2\ndW = X.T @ da\ndb = da.sum(0)\ndv = h.T @ (p - y)/N"
    assert {item.name: item.verdict for item in grade(parse(NET), lines).items} == dict.fromkeys(
        ("dv", "db", "dW", "da", "dh"), "right")


def test_an_array_of_the_model_that_is_changed_and_read_again() -> None:
    """The scores of a softmax become their own gradient in place."""
    lines = "dz = P\ndz -= Y\ndz /= N\ndW = X.T @ dz\ndb = {}.sum(axis=0)"
    right = grade(parse(CLASSES), lines.format("dz"))
    assert {item.name: item.verdict for item in right.items} == dict.fromkeys(("dW", "db", "dz"), "right")
    again = {item.name: item for item in grade(parse(CLASSES), lines.format("((P - Y)/N)")).items}
    assert again["dW"].verdict == "right" and again["db"].verdict == "unreadable"
    assert "changes P too" in again["db"].hint(2)


def test_numbers_have_no_second_name() -> None:
    lines = ("dw = np.zeros(D)\nfor j in range(D):\n    s = 0\n    for i in range(N):\n        s += r[i]*X[i, j]\n"
             "    t = s\n    t *= 2\n    dw[j] = (s + s)/N")
    assert [item.verdict for item in grade(parse(RIDGE), lines).items if item.name == "dw"] == ["right"]
