"""The documentation is tried out: every Python block, every command, every excerpt of output, every link."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from symbackprop.__main__ import load_cli
from symbackprop.model.text.calls import function_names
from tests.docs.pages import PAGES, ROOT, Block, Edit, Span, anchors, commands, items, links, read

GENERATED = ("docs/ops.md", "docs/models.md")


@pytest.fixture(autouse=True)
def jax_as_it_comes() -> Iterator[None]:
    """Readers have JAX in its default mode, whatever other tests of this process have switched on."""
    if importlib.util.find_spec("jax") is None:
        yield
        return
    import jax

    with jax.enable_x64(False):
        yield


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty directory to work in; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [n for n, m in sys.modules.items() if str(getattr(m, "__file__", None)).startswith(str(tmp_path))]:
        del sys.modules[name]


def run(command: str) -> Result:
    """One command line, which may read standard input from a file, and have what is in one for an argument."""
    command, _, source = command.partition(" < ")
    stdin = Path(source).read_text(encoding="utf-8") if source else None
    words = [_CAT.sub(lambda file: Path(file[1]).read_text(encoding="utf-8"), word) for word in shlex.split(command)]
    return CliRunner().invoke(load_cli().cli, words[1:], input=stdin, prog_name="symbackprop")


_CAT = re.compile(r"\$\(cat ([\w.]+)\)")


class Reader:
    """Does what a page says, from top to bottom."""

    def __init__(self, page: str) -> None:
        self.page, self.names, self.printed = page, {"__name__": "__main__"}, ""

    def read(self) -> None:
        for item in items(read(self.page)):
            self.where = f"{self.page}:{item.line}"
            if isinstance(item, Span):
                self.span(item)
            elif isinstance(item, Edit):
                self.edit(item)
            elif item.role:
                self.marked(item)
            elif item.language == "python":
                self.python(item)
            else:
                for command in commands(item.text):
                    self.command(command)

    def span(self, span: Span) -> None:
        if span.text.startswith("symbackprop ") and not span.is_mention:
            self.command(span.text)

    def edit(self, edit: Edit) -> None:
        text = Path(edit.file).read_text(encoding="utf-8")
        assert edit.old in text, f"{self.where}: {edit.old!r} is not in {edit.file}"
        Path(edit.file).write_text(text.replace(edit.old, edit.new), encoding="utf-8")

    def command(self, command: str, code: int = 0) -> Result:
        result = run(command)
        if result.exit_code == 4 != code:
            pytest.skip(result.output)  # an extra is not installed
        crashed = result.exception is not None and not isinstance(result.exception, SystemExit)
        assert result.exit_code == code and not crashed, f"{self.where}: {command}\n{result.output}{result.exception!r}"
        return result

    def marked(self, block: Block) -> None:
        if block.role == "file":
            Path(block.argument).write_text(block.text, encoding="utf-8")
        elif block.argument:
            code = int(block.role.removeprefix("fails")) if block.role != "output" else 0
            self.compare(block.text, self.command(block.argument, code).output)
        else:
            self.compare(block.text, self.printed)

    def python(self, block: Block) -> None:
        source = "\n" * block.line + block.text  # so that a traceback names the line of the page
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(source, str(ROOT / self.page), "exec", dont_inherit=True), self.names)
        self.printed = printed.getvalue()

    def compare(self, excerpt: str, output: str) -> None:
        assert re.search(pattern(excerpt), output, re.MULTILINE), f"{self.where}: not in\n{output}"


def pattern(excerpt: str) -> str:
    """A regular expression for an excerpt: whole lines as they stand; a line … stands for any lines."""
    lines = excerpt.rstrip().split("\n")
    return "".join(
        "(?:.*\n)*?" if line.strip() == "…" else f"^{re.escape(line.rstrip())}[ ]*(?:\n|\\Z)" for line in lines
    )


@pytest.mark.parametrize("page", [p for p in PAGES if p not in GENERATED])
def test_page(page: str, folder: Path) -> None:
    Reader(page).read()


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md"])
def test_links_lead_somewhere(page: str) -> None:
    for target in links(read(page)):
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_that_are_named_exist(page: str) -> None:
    known = load_cli().cli.commands
    options = {name for command in known.values() for name in long_options(command)} | {"--help", "--version"}
    for item in items(read(page)):
        if isinstance(item, Span) and item.text.startswith("symbackprop "):
            assert item.text.split()[1] in known or item.text.split()[1].startswith("-"), f"{page}:{item.line}"
        if isinstance(item, Span) and item.text.startswith("--"):
            assert re.split(r"[ =\[]", item.text)[0] in options, f"{page}:{item.line}: {item.text}"


def long_options(command: click.Command) -> list[str]:
    return [name for p in command.params if isinstance(p, click.Option) for name in (*p.opts, *p.secondary_opts)]


FOLDERS = "symbackprop|tests|scripts|examples|benchmarks|generated|templates|docs"
NAMED = re.compile(rf"(?<![\w/.])(?:\./)?(?:{FOLDERS})/[\w/.\-]*[\w/]")


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page: str) -> None:
    for item in items(read(page)):
        for path in NAMED.findall("" if isinstance(item, Edit) else item.text):
            assert (ROOT / path).exists() or path.isupper() or "/AREA/" in path, f"{page}:{item.line}: {path}"


def test_variables_of_long_suites_are_read() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    named = re.findall(r"`([A-Z_]+)=\w+ ", read("CONTRIBUTING.md"))
    assert named and all(f'environ.get("{name}"' in tests for name in named)


def test_every_function_is_in_the_table_of_functions() -> None:
    section = read("docs/model-text.md").split("\n## Functions\n")[1].split("\n- ")[0]
    listed = [name for row in section.splitlines() if row.startswith("| ") for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == function_names()


ERRORS = re.findall(r"^\| `(.*?)` \| (\w+ error: .*) \|$", read("docs/model-text.md"), re.MULTILINE)


@pytest.mark.parametrize(("line", "message"), ERRORS)
def test_errors_read_as_documented(line: str, message: str, folder: Path) -> None:
    example = next(i for i in items(read("docs/model-text.md")) if isinstance(i, Block) and i.argument == "net1.sbp")
    text = example.text.splitlines()
    text[3] = line
    Path("net1.sbp").write_text("\n".join(text), encoding="utf-8")
    result = run("symbackprop show net1.sbp")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (3, f"error: net1.sbp:4: {message}")


def script() -> ModuleType:
    """`scripts/docs.py` as a module."""
    spec = importlib.util.spec_from_file_location("docs_script", ROOT / "scripts" / "docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_what_the_script_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert script().main(["--check"]) == 0, capsys.readouterr().err


def test_the_script_tells_drift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module: Any = script()
    pages = {"ops.md": "# Ops\n", "derivations/net.md": "# net\n"}
    assert module.drift(tmp_path, pages) == ["ops.md: missing", "derivations/net.md: missing"]
    module.write(tmp_path, pages)
    assert module.drift(tmp_path, pages) == []
    (tmp_path / "ops.md").write_text("# Operations\n", encoding="utf-8")
    (tmp_path / "derivations" / "old.md").write_text("# old\n", encoding="utf-8")
    assert module.drift(tmp_path, pages) == ["ops.md: differs", "derivations/old.md: no model has this page"]
    module.write(tmp_path, pages)
    assert module.drift(tmp_path, pages) == []
