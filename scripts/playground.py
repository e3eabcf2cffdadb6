"""Writes the playground: one folder of static files that any server can serve, and that needs no other.

    python scripts/playground.py [FOLDER]

It takes node and npm. Pyodide, Python for browsers, is fetched once as a package of npm, its version and checksum as
below; it compiles SymPy, mpmath, Jinja, MarkupSafe and symbackprop as they are installed here, and its answers for
every built-in model are compared with those of this Python, byte by byte; the numbers that move in the page with those
of the modules for NumPy.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from symbackprop import __version__
from symbackprop.core.plain_arrays import Array
from symbackprop.derive import derive
from symbackprop.files import file_stem
from symbackprop.model import load, zoo
from symbackprop.playground import answer, example, examples
from symbackprop.render.html import STYLES
from symbackprop.render.moving import Moving, moving

VERSION = "314.0.7"
CHECKSUM = "0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="  # SHA-512
RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
LIBRARIES = ("sympy", "mpmath", "jinja2", "markupsafe", "symbackprop")
NOT_NEEDED = {"tests", "benchmarks", "__pycache__", "verify", "grade", "own", "exercise", "imported", "apart",
              "physics", "stats", "autolev", "_antlr"}  # folders: of tests, of what needs NumPy, of other sciences
FIRST = "two-weight-tanh"
ROOT = Path(__file__).resolve().parents[1]
WEB, TEMPLATES, BUILD = ROOT / "web", ROOT / "templates", ROOT / "build"
POLICY = ("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; "
          "connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'")


# -- Pyodide
def pyodide() -> Path:
    """The folder of the package, which npm fetches where it is not there yet."""
    folder = BUILD / f"pyodide-{VERSION}"
    if not folder.exists():
        BUILD.mkdir(exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", f"pyodide@{VERSION}"], cwd=BUILD, check=True,
                       stdout=subprocess.DEVNULL)
        archive = BUILD / f"pyodide-{VERSION}.tgz"
        found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != CHECKSUM:
            sys.exit(f"error: {archive} is not the package that was pinned: its SHA-512 is {found}")
        with tarfile.open(archive) as members:
            members.extractall(BUILD / "unpacked", filter="data")
        (BUILD / "unpacked" / "package").rename(folder)
    return folder


# -- what Python needs
def stage(folder: Path) -> None:
    """The sources that are compiled, and what is asked of them with the answers of this Python."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in LIBRARIES:
        home = Path(str(import_module(name).__file__)).parent
        for path in sorted(home.rglob("*")):
            inside = path.relative_to(home)
            if path.is_file() and not NOT_NEEDED & {*inside.parts} and is_needed(path):
                copied(path, folder / "lib" / name / inside)
    for path in sorted(TEMPLATES.iterdir()):
        copied(path, folder / "lib" / "symbackprop" / "templates" / path.name)
    (folder / "cases.json").write_text(json.dumps([*cases()]), encoding="utf-8")


def is_needed(path: Path) -> bool:
    """Python alone; sources of SymPy that are themselves tests stand beside others."""
    return path.suffix == ".py" and not path.name.startswith(("test_", "conftest"))


def copied(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def cases() -> Iterator[dict[str, Any]]:
    """Messages and their answers: every built-in model in every way, and texts that are wrong."""
    for name in zoo.names():
        for job, options in asked():
            message = {"job": job, "text": example(name), "options": options}
            yield {"message": message, "answer": answer(message)}
    for text in ("", "data x\nparam w\nloss L = wx\n", "loss L = (1", "param w: D\nloss L = w\n", "data x\nx = x @\n"):
        message = {"job": "derivation", "text": text, "options": {}}
        yield {"message": message, "answer": answer(message)}


def asked() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from (("derivation", {"detail": detail}) for detail in ("full", "brief", "board"))
    yield from (("printed", {"form": form, "detail": "full"}) for form in ("text", "latex", "markdown"))
    yield "graph", {}
    yield "graph", {"numbers": True, "values": {"x": [0.3], "y": [-0.7], "z": [1.5]}}
    yield from (("module", {"target": target}) for target in ("numpy", "jax", "torch"))
    yield from (("module", {"level": level}) for level in "02")


# -- the numbers that move
def compare_numbers() -> list[str]:
    """What models compute and their gradients, as they move in the page, are those of the modules for NumPy. The names
    of those that do not move."""
    still = []
    for name in zoo.names():
        moved = moving(derive(load(name)))
        if moved is None:
            still.append(name)
            continue
        unlike = [what for what, (here, there) in both(name, moved).items() if not is_same(here, there)]
        if unlike:
            sys.exit(f"error: {name}: {', '.join(unlike)} differs from what the module computes")
    return still


def both(name: str, moved: Moving) -> dict[str, tuple[Array, Any]]:
    """The results and the gradients of a built-in model where its numbers begin, as they move and by its module."""
    values, model = moved.start(), moved.derivation.model
    arrays = {n: np.array(values[n], int if n in moved.below else float).reshape(s) for n, s in moved.shapes.items()}
    module = run_path(str(ROOT / "generated" / f"{file_stem(name)}.py"))
    results, cache = module["forward"](*[{n: arrays[n] for n in module[kind]} for kind in ("PARAMS", "DATA")])
    upstream = {n: arrays[row.name or n] for n, row in model.upstream.items()}
    seed = upstream if len(upstream) > 1 else next(iter(upstream.values()), 1.0)
    gradients, rows = module["backward"](cache, seed), model.results()
    found = moved.at(values).found
    there = [results[n] for n in model.output_rows] if len(rows) > 1 else [results]
    pairs = {row.name or "the result": (found[row.id], x) for row, x in zip(rows, there, strict=True)}
    return pairs | {n: (found[row.id], gradients[n]) for n, row in moved.derivation.gradients.items()}


def is_same(here: Array, there: Any) -> bool:
    """Whether no entry differs by more than a part in 10¹² of the largest."""
    entries = np.array(here.entries).reshape(here.shape)
    return here.shape == np.shape(there) and bool(np.all(abs(entries - there) <= 1e-12 * np.max(abs(there), initial=0)))


# -- the site
class Site:
    """A folder of files whose names carry a hash of what is in them, so that they can be kept for ever."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.names = folder, dict[str, str]()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def add(self, name: str, content: bytes | str) -> None:
        """A file; what it calls ``./NAME`` of those added before is called by its name here."""
        data = self.named(content) if isinstance(content, str) else content
        path = Path(name)
        self.names[name] = f"{path.stem}-{hashlib.sha256(data).hexdigest()[:10]}{path.suffix}"
        (self.folder / self.names[name]).write_bytes(data)

    def keep(self, called: str, path: Path) -> None:
        """A file under its own name, in a folder whose name has the version of what is in it."""
        place = f"{called}-{VERSION}/{path.name}"
        (self.folder / place).parent.mkdir(exist_ok=True)
        shutil.copyfile(path, self.folder / place)
        self.names |= {f"{called}/{path.name}": place, f"{called}/": f"{called}-{VERSION}/"}

    def named(self, text: str) -> bytes:
        for name, real in self.names.items():
            text = text.replace(f'"./{name}"', f'"./{real}"')
        return text.encode()

    def write(self, name: str, text: str) -> None:
        """A file that is found by its own name."""
        (self.folder / name).write_bytes(self.named(text))


def source(folder: Path, *names: str) -> str:
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def build(folder: Path, is_on_site: bool) -> None:
    compare_numbers()
    runtime, staged, packs = pyodide(), BUILD / "stage", BUILD / "packs"
    stage(staged)
    subprocess.run(["node", WEB / "compile.mjs", runtime, staged, packs], check=True)
    site = Site(folder)
    for name in RUNTIME:
        site.keep("pyodide", runtime / name)
    for name in ("python_stdlib.zip", "core.pack", "rest.pack"):
        site.add(name, (packs / name).read_bytes())
    info = json.loads(source(runtime, "pyodide-lock.json"))["info"]
    lock = json.dumps({"info": info, "packages": {}})
    site.add("worker.js", source(WEB, "worker.js").replace('"LOCK"', lock))
    site.add("page.js", source(TEMPLATES, "page.js"))
    site.add("examples.json", json.dumps(examples(), ensure_ascii=False))
    site.add("playground.js", source(WEB, "playground.js"))
    site.add("playground.css", source(TEMPLATES, *STYLES) + source(WEB, "playground.css"))
    html = page(is_on_site)
    site.write("index.html", html)
    kept = json.dumps(["./", *[f"./{name}" for name in sorted(site.names.values()) if is_kept(name)]])
    version = hashlib.sha256((kept + html).encode()).hexdigest()[:10]
    site.write("sw.js", source(WEB, "sw.js").replace('"VERSION"', f'"{version}"').replace('["FILES"]', kept))


def is_kept(name: str) -> bool:
    """Whether a file is there without a network from the first visit on: all but what hardly any model needs."""
    return not name.endswith("/") and not name.startswith("rest-")


def page(is_on_site: bool) -> str:
    """The page as it is first seen: the first model's derivation, graph and module are in it; links to the site around
    it, if there is one."""
    environment = Environment(loader=FileSystemLoader(WEB), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    text = example(FIRST)
    shown = {job: answer({"job": job, "text": text, "options": options})["result"]
             for job, options in (("derivation", {"detail": "full"}), ("graph", {}), ("module", {}))}
    html = {job: Markup(shown[job]["html"]) for job in ("derivation", "graph")}
    return environment.get_template("index.html.j2").render(
        policy=POLICY, version=__version__, text=text, shown=shown["derivation"], html=html, module=shown["module"],
        examples=examples(), first=FIRST, is_on_site=is_on_site,
    )


def weight(folder: Path) -> str:
    """How much there is to load, compressed as servers do it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in files}
    rows = [f"{size / 1e6:7.2f} MB  {name}" for name, size in sorted(sizes.items(), key=lambda item: -item[1])]
    later = sum(size for name, size in sizes.items() if name.startswith("rest-"))
    return "\n".join([*rows, f"{sum(sizes.values()) / 1e6:7.2f} MB in all, gzipped, {later / 1e6:.2f} MB of it later"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="[default: build/playground, for the site]")
    given = parser.parse_args().folder
    folder = given or BUILD / "playground"
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        sys.exit(f"error: {' and '.join(missing)} must be installed to build the playground")
    build(folder, is_on_site=given is None)
    print(weight(folder))
    print(folder / "index.html")


if __name__ == "__main__":
    main()
