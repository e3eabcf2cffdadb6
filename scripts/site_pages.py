"""What is on the site besides docs/, for MkDocs: a page for every built-in model, exercises, the playground where it is
built (build/playground), and the files of the repository that pages lead to, at their own places.

mkdocs.yml names this file as its hooks; `scripts/site` builds the site.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs import GALLERY, gallery_page
from symbackprop.codegen import codegen
from symbackprop.codegen.report import report
from symbackprop.derive import derive
from symbackprop.exercise import exercise
from symbackprop.model import Model, load, zoo
from symbackprop.playground import example, examples
from symbackprop.render.html import STYLES, asset, derivation_section
from symbackprop.render.options import Options
from symbackprop.targets import TARGETS

ROOT = Path(__file__).resolve().parents[1]
WEB, PLAYGROUND = ROOT / "web", ROOT / "build" / "playground"
COPIED = ("*.md", "LICENSE", "docs/**/*", "generated/*.py", "symbackprop/model/zoo/*.sbp", "examples/**/*.py")
LOOKED_UP = sorted((ROOT / "docs" / GALLERY).glob("*.sbp"))
DERIVED = "<!-- derived -->"  # where the template of a page puts the derivation
SHOWN = {f"docs/derivations/{name}.md": (name, "full") for name in zoo.names()} | {
    f"docs/{GALLERY}/{path.stem}.md": (str(path), "board") for path in LOOKED_UP}  # models and details, by their pages


# -- what MkDocs calls
def on_config(config: MkDocsConfig) -> None:
    config.extra["playground"] = PLAYGROUND.exists()
    learn = next(part["Learn"] for part in config.nav or () if "Learn" in part)
    below = {"Built-in models": [*models_by_group()], "Looked up": [f"docs/{GALLERY}/{x.stem}.md" for x in LOOKED_UP]}
    for entry in learn:  # a page in mkdocs.yml, here with those that it lists
        for title in below.keys() & entry.keys():
            entry[title] = [entry[title], *below[title]]


def models_by_group() -> Iterator[dict[str, list[str]]]:
    """The pages of the built-in models for the navigation, by their headings."""
    for group in examples():
        yield {group["title"]: [f"docs/derivations/{model['name']}.md" for model in group["models"]]}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """All files of the site, at the places that they have in the repository."""
    written = dict(texts())
    found = [file for file in files if file.src_dir != config.docs_dir]
    found += [File.generated(config, place, content=content) for place, content in written.items()]
    found += [File.generated(config, place, abs_src_path=str(path)) for place, path in copied() if place not in written]
    return Files(found)


def on_page_context(context: dict[str, Any], page: Page, **_: Any) -> None:
    """A model's derivation, for the template of its page."""
    if page.file.src_uri in SHOWN:
        name, detail = SHOWN[page.file.src_uri]
        context["derived"] = derivation_section(derive(load(name)), Options(detail=detail))


def on_post_page(output: str, **_: Any) -> str:
    """What Material leaves out for those who read with their ears or go by keys: the name of the search, and code that
    scrolls as a stop of Tab."""
    output = output.replace('data-md-component="search" role="dialog"',
                            'data-md-component="search" role="dialog" aria-label="Search"')
    return output.replace("<pre><span></span><code>", '<pre tabindex="0"><span></span><code>')


# -- the files
def copied() -> Iterator[tuple[str, Path]]:
    """Files of the repository and of the playground, by their places."""
    for path in sorted({path for pattern in COPIED for path in ROOT.glob(pattern) if path.is_file()}):
        yield path.relative_to(ROOT).as_posix(), path
    for path in sorted(path for path in PLAYGROUND.rglob("*") if path.is_file()):
        yield f"playground/{path.relative_to(PLAYGROUND).as_posix()}", path


def texts() -> Iterator[tuple[str, str]]:
    """What is written here, by its place."""
    yield "site.css", style()
    for name in zoo.names():
        yield f"docs/derivations/{name}.md", model_page(name)
        yield f"exercises/{name}.html", exercise_page(load(name), f"../docs/derivations/{name}/", example(name))
    for path in LOOKED_UP:
        yield f"docs/{GALLERY}/{path.stem}.md", looked_up_page(path)
        yield f"exercises/{path.stem}.html", exercise_page(load(str(path)), f"../docs/{GALLERY}/{path.stem}/",
                                                           looked_up_text(path))
    looked_up = {path.stem: load(str(path)).summary for path in LOOKED_UP}
    yield "exercises/README.md", filled("site-exercises.md.j2", models=zoo.entries(), looked_up=looked_up)


def style() -> str:
    """The style of derivations applies to them alone; colours are those of the whole site."""
    own = (WEB / "site.css").read_text(encoding="utf-8")
    colours, page = map(asset, STYLES)
    return f"{colours}\n@scope (.derived) {{\n{page}}}\n{own}"


def model_page(name: str) -> str:
    model = load(name)
    modules = {target: codegen(model, target=target) for target in TARGETS}
    return filled("site-model.md.j2", model=model, text=zoo.text(name).strip(), modules=modules, derived=DERIVED,
                  costs=report(model).text(), link=link(example(name)))


def looked_up_page(path: Path) -> str:
    """The page that docs/ has, with the derivation as on the other pages."""
    links = [x for x in (link(looked_up_text(path)), f"[Exercise](../../exercises/{path.stem}.html)") if x]
    return filled("site-looked-up.md.j2", page=gallery_page(load(str(path)), f"{' · '.join(links)}\n\n{DERIVED}"))


def looked_up_text(path: Path) -> str:
    return f"# name: {path.stem}\n{path.read_text(encoding='utf-8')}"


def exercise_page(model: Model, derivation: str, text: str) -> str:
    """An exercise of a model, with links to the rest of the site."""
    links = {"All exercises": "./", "The whole derivation": derivation}
    return exercise(model).html(links | ({"Playground": f"../{in_playground(text)}"} if PLAYGROUND.exists() else {}))


def link(text: str) -> str:
    """A link by which the playground shows a model text, where there is a playground."""
    return f"[Open it in the playground](../../{in_playground(text)})" if PLAYGROUND.exists() else ""


def in_playground(text: str) -> str:
    """The address of a model text in the playground, from the root of the site."""
    packed = zlib.compress(text.encode(), 9, wbits=-zlib.MAX_WBITS)
    return f"playground/index.html#m={base64.urlsafe_b64encode(packed).decode().rstrip('=')}"


def filled(template: str, **parts: Any) -> str:
    environment = Environment(loader=FileSystemLoader(WEB), undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)
    return environment.get_template(template).render(**parts)
