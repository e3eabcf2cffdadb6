"""LaTeX mathematics as MathML Core, by latex2mathml, made fit for browsers and screen readers.

What MathML Core does not know is replaced: ``mathvariant`` by the letters themselves, named spaces by lengths. Names of
several letters become one identifier, so that they are read as a word. References become HTML links inside ``mi``,
which browsers and readers follow without a script. latex2mathml is the extra ``html``, imported when it is used.
"""

from __future__ import annotations

import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from html import unescape
from typing import Any

from markupsafe import Markup

from symbackprop.errors import MissingExtra
from symbackprop.render.document import BREAK, LINK_CLOSE, LINK_MID, LINK_OPEN, Math

VARIANTS = {"bold": "BOLD", "italic": "ITALIC", "bold-italic": "BOLD ITALIC", "double-struck": "DOUBLE-STRUCK",
            "script": "SCRIPT", "fraktur": "FRAKTUR", "sans-serif": "SANS-SERIF", "monospace": "MONOSPACE"}
SPACES = {"negativethinmathspace": "-0.167em", "thinmathspace": "0.167em", "mediummathspace": "0.222em"}
LIMITS = {"∑", "∏", "max", "min"}  # what runs over something says so below it in a display
FENCES = set("⌊⌋⌈⌉|‖")
_BREAKS = re.compile(rf"\\[{{}}]|[{{}}()\[\]]|\\left(?![A-Za-z])|\\right(?![A-Za-z])|[{LINK_OPEN}{LINK_CLOSE}]|{BREAK}")


def mathml(math: Math, titles: Mapping[str, str] | None = None, display: bool = False) -> Markup:
    """Mathematics as MathML. A reference to an anchor in ``titles`` becomes a link with that title; other references
    are plain. ``display`` sets fractions large and makes several formulas of a long one, between which a line may
    break.

    Raises `MissingExtra` where latex2mathml is not installed.
    """
    known = tuple(sorted((a, t) for a, t in (titles or {}).items() if a in math.anchors))
    pieces = breakable(math.marked) if display else [math.marked.replace(BREAK, "")]
    return Markup("<wbr>").join(_converted(piece, known, display, bool(k)) for k, piece in enumerate(pieces))


def breakable(marked: str) -> list[str]:
    """The parts of a formula between the marks at which a line may break: those outside all brackets."""
    pieces, depth, start = [], 0, 0
    for match in _BREAKS.finditer(marked):
        token = match[0]
        if token == BREAK and not depth:
            pieces.append(marked[start : match.start()])
            start = match.end()
        opening = token in ("{", "(", "[", LINK_OPEN, "\\left")
        depth += opening - (token in ("}", ")", "]", LINK_CLOSE, "\\right"))
    return [p.replace(BREAK, "") for p in (*pieces, marked[start:]) if p.strip()]


@lru_cache(maxsize=4096)
def _converted(marked: str, titles: tuple[tuple[str, str], ...], display: bool, goes_on: bool) -> Markup:
    """One ``math`` element; ``goes_on`` says that it continues the one before, with a sign between two terms."""
    links: list[str] = []
    root = _library().convert_to_element(_numbered(marked, links), xmlns="")
    root.attrib.clear()
    if display:
        root.set("displaystyle", "true")
    Tidy(links, dict(titles), display).tidy(root)
    if goes_on:
        _set_infix(root)
    return Markup(ET.tostring(root, encoding="unicode", short_empty_elements=False))


def _library() -> Any:
    try:
        from latex2mathml import converter
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "HTML needs the package latex2mathml for its mathematics: pip install 'symbackprop[html]'"
        ) from error
    return converter


def _numbered(marked: str, links: list[str]) -> str:
    """Every reference as ``\\href{its number}{…}``, so that no name of an anchor has to pass through LaTeX."""
    pattern = re.compile(f"{LINK_OPEN}([^{LINK_MID}]*){LINK_MID}([^{LINK_OPEN}{LINK_CLOSE}]*){LINK_CLOSE}")

    def number(m: re.Match[str]) -> str:
        links.append(m[1])
        return rf"\href{{{len(links) - 1}}}{{{m[2]}}}"

    count = 1
    while count:
        marked, count = pattern.subn(number, marked)
    return marked


def _set_infix(root: ET.Element) -> None:
    """A sign at the beginning of a continued formula stands between two terms, not before one."""
    first = next((e for e in root.iter() if not len(e) and e.tag != "mspace"), None)
    if first is not None and first.tag == "mo":
        first.set("form", "infix")


class Tidy:
    """Puts a tree from latex2mathml in order, in place."""

    def __init__(self, links: Sequence[str], titles: Mapping[str, str], display: bool) -> None:
        self.links, self.titles = links, titles
        self.display = display

    def tidy(self, element: ET.Element) -> None:
        if element.text:
            element.text = unescape(element.text)
        merge_letters(element)
        for child in list(element):
            self.tidy(child)
        _identify(element)
        _unvary(element)
        _space(element)
        if self.display and element.tag == "msub" and (element[0].text or "") in LIMITS:
            element.tag = "munder"
        self._link(element)

    def _link(self, element: ET.Element) -> None:
        """``<mrow href="2">`` becomes a link in text, or a plain row where there is nothing to refer to."""
        if element.tag != "mrow" or "href" not in element.attrib:
            return
        anchor = self.links[int(element.attrib.pop("href"))]
        if anchor not in self.titles:
            return
        inside = list(element)
        for child in inside:
            element.remove(child)
        holder = ET.SubElement(element, "mi")  # not mtext, which counts as a space beside an operator
        title = self.titles[anchor]
        label = f"{spoken(inside)}, {title}"
        link = ET.SubElement(holder, "a", {"href": f"#{anchor}", "class": "ref", "title": title, "aria-label": label})
        ET.SubElement(link, "math", {"displaystyle": "true"} if self.display else {}).extend(inside)


def spoken(elements: Iterable[ET.Element]) -> str:
    """Short mathematics as text, for those who hear it: links are read by their name, not by what is in them."""
    words = []
    for e in elements:
        parts = [spoken([child]) for child in e] or [e.text or ""]
        words.append((" over " if e.tag == "mfrac" else " ").join(p for p in parts if p))
    return " ".join(words)


def merge_letters(row: ET.Element) -> None:
    """Letters of one upright or slanted word, which stand one by one, become one identifier."""
    if row.tag != "mrow" or len(row) < 2:
        return
    variants = {child.get("mathvariant") for child in row}
    variant = variants.pop() if len(variants) == 1 else None
    if variant in ("normal", "italic") and all(c.tag in ("mi", "mn") and len(c.text or "") == 1 for c in row):
        word = "".join(c.text or "" for c in row)
        for child in list(row):
            row.remove(child)
        ET.SubElement(row, "mi", {"class": "word"} if variant == "italic" else {}).text = word


def _identify(element: ET.Element) -> None:
    """Names of functions, ∂ and ⊤ are identifiers, fences are operators."""
    text = element.text or ""
    if element.tag == "mo" and (text in "∂⊤⋮" or (len(text) > 1 and text.isalpha())) and text:
        element.tag = "mi"
        element.attrib.clear()
        if text == "⊤":
            element.set("mathvariant", "normal")
    elif element.tag == "mi" and text in FENCES and text:
        element.tag = "mo"
        element.set("stretchy", "false")


def _unvary(element: ET.Element) -> None:
    """The letters of a style in place of ``mathvariant``; browsers know only ``normal``, for single letters."""
    variant = element.get("mathvariant")
    if variant is None or (variant == "normal" and len(element.text or "") == 1):
        return
    del element.attrib["mathvariant"]
    if variant in VARIANTS and element.tag in ("mi", "mn", "mo") and variant != "italic":
        element.text = "".join(styled(c, VARIANTS[variant]) for c in element.text or "")


def styled(character: str, style: str) -> str:
    """A letter or digit in a mathematical style, or itself where Unicode has none."""
    name = unicodedata.name(character, "")
    name = name.replace("LATIN ", "").replace("GREEK ", "").replace(" LETTER", "")
    for wanted in (f"MATHEMATICAL {style} {name}", f"{style} {name}"):
        try:
            return unicodedata.lookup(wanted)
        except KeyError:
            continue
    return character


def _space(element: ET.Element) -> None:
    if element.tag == "mspace":
        element.set("width", SPACES.get(element.get("width", ""), element.get("width", "")))

