"""The HTML page as text: whole, sound, self-contained, escaped; the browser's view of it is in tests/browser."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

from click.testing import CliRunner

from symbackprop import Model
from symbackprop.__main__ import load_cli
from symbackprop.derive import derive
from symbackprop.render.gallery import pages
from symbackprop.render.html import derivation_html
from symbackprop.render.options import Options
from tests.render.helpers import derivation, document

ROOT = Path(__file__).parents[2]
VOID = {"meta", "br", "wbr", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Tags that are closed in order, ids, links, texts by class."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()


@cache
def page(name: str) -> str:
    """The page of a model with the numbers of its example."""
    return derivation_html(derivation(name), Options(values=derivation(name).model.example or None))


def test_every_model_has_a_sound_page(any_model: str) -> None:
    text = page(any_model)
    found = Page(text)
    assert [i for i, n in Counter(found.ids).items() if n > 1] == [], "ids are unique"
    assert {link.removeprefix("#") for link in found.links} <= set(found.ids), "links lead somewhere"
    assert set(document(any_model).anchors()) <= set(found.ids), "everything that can be referred to is there"
    assert "\\frac" not in re.sub(r'data-latex="[^"]*"', "", text), "all mathematics is converted"


def test_page_is_self_contained(any_model: str) -> None:
    text = page(any_model)
    found = Page(text)
    assert not re.search(r"(?:src|href|action|data|poster)=[\"']?(?:https?:)?//", text)
    assert not re.search(r"@import|url\(|@font-face", text)
    assert not {"img", "link", "iframe", "object", "embed", "form"} & set(found.tags)
    assert not [a for a in found.attributes if a[1].startswith("on") or a[1] == "style"]


def test_policy_allows_exactly_this_style_and_script() -> None:
    text = page("cube")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    allowed = policy[1].replace("&#39;", "'")
    assert allowed.startswith("default-src 'none';")
    for tag, source in (("style", "style-src"), ("script", "script-src")):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{source} 'sha256-{digest}'" in allowed


def test_what_a_model_says_is_escaped() -> None:
    model = Model("<script>alert(1)</script>", summary='"><img src=x onerror=alert(2)>', source="</style><b>&amp;")
    model.notes.append("{{ 7 * 7 }} {% raw %} <svg/onload=alert(3)>")
    model.loss("L", model.param("w") * model.data("onload"))
    found = Page(text := derivation_html(derive(model)))
    assert found.tags["script"] == 1 and not {"img", "b"} & set(found.tags)
    assert "&lt;script&gt;alert(1)" in text and "{{ 7 * 7 }}" in text and "<li>49" not in text


def test_landmarks_language_and_steps() -> None:
    found = Page(page("two-weight-tanh"))
    assert ("html", "lang", "en") in found.attributes
    assert found.tags["main"] == found.tags["h1"] == found.tags["aside"] == 1
    steps = len(document("two-weight-tanh").steps)
    assert found.tags["h3"] == steps
    assert sum(a == ("details", "class", "step target role-result depth-0") for a in found.attributes) == 2
    labels = [value for tag, name, value in found.attributes if (tag, name) == ("summary", "aria-label")]
    assert "Step 4: dL/dw₂" in labels and len(labels) == steps


def test_references_are_links_with_names() -> None:
    text = page("two-weight-tanh")
    assert ('<a href="#step-3" class="ref" title="computed in step 3" aria-label="d L over d a, computed in step 3">'
            in text)
    assert re.search(r'<a class="ref" href="#step-3" title="computed in step 3">step 3</a>', text)


def test_numbers_are_in_place() -> None:
    text = page("squared-norm")
    assert "<mn>0.1760</mn>" in text and '<th scope="col">Value</th>' in text
    assert '<th scope="col">Value</th>' not in page("linear-layer")


def test_copied_latex_is_that_of_the_step() -> None:
    copied = [v for t, n, v in Page(page("two-weight-tanh")).attributes if (t, n) == ("button", "data-latex")]
    step = next(c for c in copied if c.startswith("\\begin{align*}\n  \\frac{dL}{dw_{2}} &= "))
    assert step.endswith("\\end{align*}") and "\\tanh" not in step
    assert "b = w_{1} \\, x" in copied


def test_the_graph_stands_in_the_page_and_links_to_its_lines() -> None:
    text = page("two-weight-tanh")
    assert '<a class="g-node g-gate" href="#eq-2" data-step="step-5" aria-label="h = tanh(b), value' in text


def test_command(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    args = ["derive", "two-weight-tanh", "--format", "html", "--at", "x=.5,y=1,w1=.8,w2=-.4", "-o", str(target)]
    result = CliRunner().invoke(load_cli().cli, args)
    assert result.exit_code == 0, result.output
    assert Page(target.read_text(encoding="utf-8")).tags["math"] > 60


# ---------------------------------------------------------------- gallery


def test_gallery_has_a_card_for_every_page() -> None:
    made = dict(pages(["cube", "two-weight-tanh", "gru"]))
    assert set(made) == {"cube.html", "two-weight-tanh.html", "gru.html", "index.html"}
    index = Page(made["index.html"])
    assert {link for link in index.links if link.endswith(".html")} == set(made) - {"index.html"}
    assert {link.removeprefix("#") for link in index.links if link.startswith("#")} <= set(index.ids)
    assert index.tags["script"] == 0 and index.tags["svg"] == 3
    headings = re.findall(r'<h2 id="group-\d">([^<]*)</h2>', made["index.html"])
    assert headings[0] == "UMass CS685: backpropagation" and headings[-1] == "Architectures"


def test_gallery_command(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "gallery.py"), str(tmp_path / "out"), "cube", "square-of-three"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(tmp_path / "out" / "index.html")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"cube.html", "square-of-three.html", "index.html"}


def test_gallery_command_names_the_nearest_model(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "gallery.py"), str(tmp_path), "cubes"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert run.returncode == 2 and "Did you mean 'cube'?" in run.stderr and "Traceback" not in run.stderr
