"""The gallery: a page for every built-in model and an index of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from symbackprop.derive import derive
from symbackprop.model import load, zoo
from symbackprop.render.graph import picture_of, runs_down, svg_fragment
from symbackprop.render.html import STYLES, derivation_html, render
from symbackprop.render.options import Options

GROUPS = (
    ("lecture-a", "UMass CS685: backpropagation"),
    ("lecture-b", "USC CSCI 544: feed-forward neural nets"),
    ("lecture-c", "Stanford CS224N: neural network foundations"),
    ("lecture-d", "Stanford CS231n: backpropagation"),
    ("", "Architectures"),
)


@dataclass(frozen=True)
class Card:
    """A model on the index page, its graph as a small picture."""

    name: str
    summary: str
    source: str
    graph: Markup


def pages(names: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """(file name, HTML) of every built-in model, or of those named (as `load` finds them), and at last of the index."""
    groups: dict[str, list[Card]] = {title: [] for _, title in GROUPS}
    for name in tuple(names) or zoo.names():
        model = load(name)
        derivation = derive(model)
        yield f"{model.name}.html", derivation_html(derivation, Options(values=model.example or None))
        picture = picture_of(derivation)
        graph = Markup(svg_fragment(picture, runs_down(picture), key=False))
        groups[group_of(model.tags)].append(Card(model.name, model.summary, model.source, graph))
    shown = [(title, cards) for title, cards in groups.items() if cards]
    yield "index.html", render("gallery.html", (*STYLES, "gallery.css"), groups=shown)


def group_of(tags: Collection[str]) -> str:
    """The heading under which a model with these tags stands: its first lecture, else the last heading."""
    return next(title for tag, title in GROUPS if not tag or tag in tags)
