"""An exercise as one self-contained page, which checks what is typed by numbers that stand in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from markupsafe import Markup

from symbackprop.exercise.blanks import Exercise
from symbackprop.exercise.judging import Judging
from symbackprop.grade.results import FORMAT, VERSION
from symbackprop.render.html import STYLES, document_parts, render


def to_page(asked: Exercise, links: Mapping[str, str]) -> str:
    """The page; the same exercise gives the same bytes."""
    data = {"format": FORMAT, "version": VERSION, **Judging(asked).data()}
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return render(
        "exercise.html", (*STYLES, "exercise.css"), ("page.js", "exercise.js"), document=asked.document,
        links=links, cards=asked.cards, questions=len(asked.blanks), key=key, seed=asked.seed,
        loss=asked.reference.loss_word, data=Markup(text.replace("<", "\\u003c")), whole=True,
        **document_parts(asked.document),
    )
