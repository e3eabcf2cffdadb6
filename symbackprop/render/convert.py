"""What the name of a file to write says: a format, and for pictures and pages the program that makes them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from symbackprop.errors import MissingExtra, UsageError
from symbackprop.scratch import scratch_folder

ENDINGS = {".txt": "text", ".tex": "latex", ".md": "markdown", ".html": "html", ".htm": "html", ".json": "json",
           ".ipynb": "ipynb", ".svg": "svg", ".dot": "dot", ".gv": "dot", ".pdf": "pdf", ".png": "png"}
MADE_OF = {"latex": ("pdf",), "svg": ("pdf", "png")}  # what a program makes of a format
_SECONDS = 120
_PROGRAMS = {
    "latex": (("pdflatex", "-interaction=batchmode", "-halt-on-error", "-no-shell-escape", "page.tex"),),
    "svg": (("rsvg-convert", "-f", "KIND", "-o", "page.KIND", "page.svg"),
            ("inkscape", "--export-type=KIND", "--export-filename=page.KIND", "page.svg")),
}


def by_name(output: str, formats: tuple[str, ...]) -> tuple[str, str]:
    """The format that a file's name asks for, and what is to be made of it; the first format where it asks for none.
    Raises `UsageError` for the name of what is none of these formats."""
    ending = Path(output).suffix.lower()
    kind = ENDINGS.get(ending, "")
    for form, kinds in MADE_OF.items():
        if form in formats and kind in kinds:
            return form, kind
    if kind and kind not in formats:
        other = "graph" if kind in ("svg", "dot", "png") else "derive"
        raise UsageError(f"cannot write {output}: a {Path(output).suffix} is none of {', '.join(formats)}; "
                         f"`symbackprop {other}` can write one")
    if ending and not kind:
        made = [kind for form in formats for kind in MADE_OF.get(form, ())]
        known = [x for x, kind in ENDINGS.items() if kind in (*formats, *made)]
        raise UsageError(f"cannot write {output}: {ending} is no known ending; the known ones are {', '.join(known)}, "
                         "and --format says it for any name")
    return kind or formats[0], ""


def made(text: str, form: str, kind: str) -> bytes:
    """The PDF or PNG of a page in LaTeX or a picture in SVG. Raises `MissingExtra` where no program can make it."""
    programs = [p for p in _PROGRAMS[form] if shutil.which(p[0])]
    if not programs:
        names = " or ".join(p[0] for p in _PROGRAMS[form])
        raise MissingExtra(f"a .{kind} is made by {names}, which is not installed; -o can write {form} instead")
    command = [part.replace("KIND", kind) for part in programs[0]]
    with scratch_folder() as folder:
        (folder / {"latex": "page.tex", "svg": "page.svg"}[form]).write_text(text, encoding="utf-8")
        for _ in range(2 if form == "latex" else 1):  # the second run knows the references
            ran = subprocess.run(command, cwd=folder, capture_output=True, timeout=_SECONDS, check=False)
        result = folder / f"page.{kind}"
        if ran.returncode or not result.is_file():
            raise UsageError(f"{command[0]} could not make the .{kind}: exit code {ran.returncode}")
        return result.read_bytes()
