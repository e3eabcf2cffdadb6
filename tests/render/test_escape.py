"""What a user writes cannot break out of LaTeX or Markdown."""

from __future__ import annotations

import string

import pytest

from symbackprop.derive import derive
from symbackprop.errors import ModelError
from symbackprop.model import Model
from symbackprop.model.names import check_notation
from symbackprop.render.escape import latex_text
from symbackprop.render.markdown import escaped

HOSTILE = r"\input{/etc/passwd} \write18{ls} $x$ 50% #1 a_b^c {{7*7}} <b> ~ & \end{document}"


def test_every_special_character_is_escaped() -> None:
    text = latex_text(HOSTILE)
    plain = text.replace(r"\textbackslash{}", "").replace(r"\textless{}", "").replace(r"\textgreater{}", "")
    for escape in (r"\{", r"\}", r"\$", r"\%", r"\#", r"\_", r"\^{}", r"\~{}", r"\&"):
        plain = plain.replace(escape, "")
    assert not set(plain) & set(r"\{}$%#_^~&<>")


@pytest.mark.parametrize("character", ["∂", "ᵀ", "λ", "₂", "…", "ŷ"])
def test_mathematics_in_text_is_translated(character: str) -> None:
    assert latex_text(character) != "?"
    assert latex_text(character).isascii()


def test_characters_that_latex_does_not_know_are_replaced() -> None:
    assert latex_text("a\u202eb\u4e2d\x07") == "a?b? "


def test_titles_and_notes_are_escaped_everywhere() -> None:
    model = Model("evil", summary=HOSTILE, source=HOSTILE)
    w = model.param("w")
    model.loss("L", w**2)
    model.notes.append(HOSTILE)
    derivation = derive(model)
    assert r"\input{" not in derivation.latex()
    assert r"\write18" not in derivation.latex()
    assert "<b>" not in derivation.markdown()
    assert escaped("a*b_c`<d>") == r"a\*b\_c\`\<d\>"


@pytest.mark.parametrize("notation", ["w{}", "w^{}", "w_{{{}}}"])
def test_whatever_a_notation_may_hold_is_printed(notation: str) -> None:
    printed = ""
    for sign in string.punctuation:
        model = Model("net")
        model.loss("L", model.param("w") ** 2)
        try:
            model.notation_of["w"] = check_notation(notation.format(sign))
        except ModelError:
            continue
        found = derive(model)
        assert all([found.text(), found.latex(), found.markdown(), found.html()])
        printed += sign
    assert {*"*+-"} <= {*printed}


def test_a_notation_put_in_by_hand_is_checked_before_it_is_printed() -> None:
    model = Model("evil")
    model.loss("L", model.param("w") ** 2)
    model.notation_of["w"] = r"\input{x}"
    with pytest.raises(ModelError, match="input"):
        derive(model).latex()
