"""Writes the pages of `docs/` that are lists or printed: ops.md, models.md, derivations/, gallery/. With --check it
only fails on drift."""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from symbackprop.codegen import codegen
from symbackprop.core.listing import Entry, entries
from symbackprop.derive import derive
from symbackprop.model import Model, load, zoo
from symbackprop.targets import TARGETS

DOCS = Path(__file__).resolve().parent.parent / "docs"
DERIVATIONS, GALLERY = "derivations", "gallery"
BRIEF = "architecture"  # derivations of models with this tag are printed in brief

OPS = """\
# Ops and functions

What `symbackprop ops` lists. A model is made of rows; a row is an *op* or a *scalar function* applied to every entry.
Everything else, listed last, is a composition of these, and its derivative follows from theirs.

This page is written by `scripts/docs.py` from the records that the program itself uses.
"""

ENTRYWISE = """\
Applied to every entry, with NumPy's broadcasting; gradients are summed over the axes that were broadcast.
"""

ERRATA = """\
Each is printed at the end of the model's derivation. Where a lecture prints something else, the right form stands.
"""

MODELS = """\
# Built-in models

`symbackprop models` lists them; every command takes their names. A name below leads to the model's text.

This page is written by `scripts/docs.py`.
"""

LOOKED_UP = """\
# Backward passes that people look up

Each page has the gradients in closed form, their derivation, the code for every target, and how to check your own.

These pages are written by `scripts/docs.py` from the model texts beside them.
"""

DERIVED = """\
## Closed form

{board}

## Derivation

{derivation}"""

LOOKED_UP_PAGE = """\
# {title}: forward and backward

{summary}.

```
{text}
```

{derived}

## Code

Both passes of the modules that `symbackprop codegen {name}.sbp` writes, with `--target` one of these.

{modules}

## Is yours right?

With the model above as `{name}.sbp`, write your gradients in `mine.py` as a function of any names of the
model{upstream}:

```python
def backward({arguments}):
    ...
    return {{{returns}}}
```

and run `symbackprop check {name}.sbp mine.py:backward`: it says of each gradient whether it is right, and of a wrong
one which factor is wrong. Modules as above, classes with `forward` and `backward` and functions of `torch.autograd` are
[checked](../check.md) too. `symbackprop exercise {name}.sbp -o page.html` makes an [exercise](../exercises.md) of it.
"""

GROUPS = (
    ("Scalar graphs", "every quantity is a number: circuits, chains, one step at a time", ("scalar",)),
    ("Vectors, matrices and batches", "layers, classifiers and language models", ()),
    ("Architectures", "what these are for; their derivations are printed in brief", ("architecture", "recurrent")),
)


def pages() -> dict[str, str]:
    """Every generated page by its path in `docs/`."""
    listed = [zoo.build(name) for name in zoo.names()]
    found = {"ops.md": ops_page(entries()), "models.md": models_page(listed)}
    return found | {f"{DERIVATIONS}/{model.name}.md": derivation_page(model) for model in listed} | gallery_pages()


# -- the gallery
def gallery_pages() -> dict[str, str]:
    """A page for every model text of the gallery, and their list."""
    listed = [load(str(path)) for path in sorted((DOCS / GALLERY).glob("*.sbp"))]
    rows = [(f"[{title_of(model)}]({model.name}.md)", cell(model.summary)) for model in listed]
    pages = {f"{GALLERY}/README.md": f"{LOOKED_UP}\n{table(('page', ''), rows)}"}
    return pages | {f"{GALLERY}/{model.name}.md": gallery_page(model, derived(model)) for model in listed}


def derived(model: Model) -> str:
    """The gradients in closed form and the derivation of them."""
    board, brief = (derive(model).markdown(detail=detail) for detail in ("board", "brief"))
    return DERIVED.format(board=under(board, model), derivation=under(brief, model))


def gallery_page(model: Model, derived: str) -> str:
    """A page; ``derived`` is what it shows between the model and the code."""
    upstream = [f"d{name}" for name in model.upstream]
    asked = [*model.inputs, *model.params]
    return LOOKED_UP_PAGE.format(
        title=title_of(model), summary=model.summary[:1].upper() + model.summary[1:], name=model.name,
        text=(DOCS / GALLERY / f"{model.name}.sbp").read_text(encoding="utf-8").partition("\n")[2].strip(),
        derived=derived,
        modules="\n\n".join([folded(target, codegen(model, target=target)) for target in TARGETS]),
        upstream=f"; `{', '.join(upstream)}` is the upstream gradient" if upstream else "",
        arguments=", ".join([*asked, *model.data_rows, *upstream]),
        returns=", ".join([f'"{name}": d{name}' for name in asked]),
    )


def title_of(model: Model) -> str:
    return f"{model.name[:1].upper()}{model.name[1:]}".replace("-", " ")


def under(text: str, model: Model) -> str:
    """A printed derivation without its title and summary, its headings a level further down."""
    whole = re.sub(r"\A# .*\n+", "", text.strip()).removeprefix(model.summary)
    return re.sub(r"^(?=#+ )", "#", whole, flags=re.MULTILINE).strip()


def folded(target: str, code: str) -> str:
    """The two passes of a module; what checks arguments around them is the same in all."""
    found = {x.name: ast.get_source_segment(code, x) for x in ast.parse(code).body if isinstance(x, ast.FunctionDef)}
    passes = "\n\n\n".join([found[name] or "" for name in ("forward", "backward")])
    return f"<details>\n<summary>{target}</summary>\n\n```python\n{passes}\n```\n\n</details>"


# -- ops
def ops_page(listed: Sequence[Entry]) -> str:
    """The registries as tables: ops, scalar functions, compositions."""
    kinds = {kind: [e for e in listed if e["kind"] == kind] for kind in ("op", "function", "composition")}
    ops = table(
        ("op", "shape", "derivative", "domain and convention"),
        [(code(e), cell(e["shape"]), cell(e["derivative"]), joined(e, "domain", "convention")) for e in kinds["op"]],
    )
    functions = table(
        ("function", "derivative, where f is the value", "convention", "domain"),
        [
            (code(e), cell(e["derivative"]), cell(e["convention"]), cell(e["domain"].partition(";")[0]))
            for e in kinds["function"]
        ],
    )
    compositions = table(("function", "meaning"), [(code(e), cell(e["domain"])) for e in kinds["composition"]])
    return "\n".join(
        [
            OPS,
            "## Ops\n",
            ops,
            "## Scalar functions\n",
            ENTRYWISE,
            functions,
            "## Compositions\n",
            compositions,
        ]
    )


def code(entry: Entry) -> str:
    """The signature, behind the op's name where it does not begin with it."""
    shown = f"`{cell(entry['signature'])}`"
    return shown if entry["signature"].startswith(entry["name"]) else f"{entry['name']}: {shown}"


def joined(entry: Entry, *keys: str) -> str:
    return "; ".join(cell(entry[key]) for key in keys if entry[key])


# -- models
def models_page(listed: Iterable[Model]) -> str:
    """A table of every model for each group, then notes and errata."""
    models, parts = list(listed), [MODELS]
    for number, (title, about, _) in enumerate(GROUPS):
        members = [m for m in models if group_of(m) == number]
        header = ("model", "", "source", "derivation", "module")
        parts += [f"## {title}\n", f"{about[0].upper()}{about[1:]}.\n", table(header, map(model_row, members))]
    notes = [f"- `{m.name}`: {cell(note)}" for m in models for note in m.notes]
    return "\n".join([*parts, "## Notes and errata\n", ERRATA, "\n".join(notes) + "\n"])


def group_of(model: Model) -> int:
    """The last group that claims one of the model's tags; the second is for all others. A scalar model stays one."""
    claimed = [k for k, (_, _, tags) in enumerate(GROUPS) if set(tags) & set(model.tags)]
    return 0 if 0 in claimed else claimed[-1] if claimed else 1


def model_row(model: Model) -> tuple[str, ...]:
    name = model.name
    module = name.replace("-", "_")
    return (
        f"[{name}](../symbackprop/model/zoo/{name}.sbp)", cell(model.summary), cell(model.source),
        f"[derivation]({DERIVATIONS}/{name}.md)", f"[module](../generated/{module}.py)",
    )


def derivation_page(model: Model) -> str:
    """What `symbackprop derive NAME --format markdown` prints, in brief for the large ones."""
    return derive(model).markdown(detail="brief" if BRIEF in model.tags else "full").rstrip("\n") + "\n"


# -- Markdown
def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, with an empty line behind it."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(text: str) -> str:
    """Text that stays in its cell; docstrings' double backquotes become single ones."""
    return re.sub(r"\s+", " ", text).replace("``", "`").replace("|", "\\|").strip()


# -- writing and checking
def write(folder: Path, wanted: Mapping[str, str]) -> None:
    """Write every page; remove derivations of models that are gone."""
    for path, text in wanted.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8", newline="\n")
    for stray in strays(folder, wanted):
        (folder / stray).unlink()


def drift(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """Every page that is not what would be written."""
    found = []
    for path, text in wanted.items():
        file = folder / path
        if not file.exists():
            found.append(f"{path}: missing")
        elif file.read_text(encoding="utf-8") != text:
            found.append(f"{path}: differs")
    return found + [f"{path}: no model has this page" for path in strays(folder, wanted)]


def strays(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    places = (DERIVATIONS, GALLERY)
    paths = sorted(f"{place}/{path.name}" for place in places for path in (folder / place).glob("*.md"))
    return [path for path in paths if path not in wanted]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift")
    wanted = pages()
    if not parser.parse_args(arguments).check:
        write(DOCS, wanted)
    problems = drift(DOCS, wanted)
    print("".join(f"docs/{problem}\n" for problem in problems), end="", file=sys.stderr)
    print(f"docs/: {len(wanted)} generated pages, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
