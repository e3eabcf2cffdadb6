"""`symbackprop codegen` and `symbackprop ops` as commands."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from symbackprop.__main__ import load_cli
from symbackprop.core.registry import OPS
from symbackprop.core.scalars import TABLE

TEXT = "dim N\ndata x: N\nparam w: N\nz = w * x\nloss L = sum(tanh(z))\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.sbp").write_text(TEXT)
    return tmp_path


NEW = "note: the folder generated is new\nwrote generated/net.py\n"


def run(*args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(load_cli().cli, args, input=stdin)


def test_writes_a_verified_module(folder: Path) -> None:
    result = run("codegen", "net.sbp")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", NEW)
    assert (folder / "generated" / "net.py").read_text().startswith('"""net\n')
    assert run("verify", "generated/net.py").exit_code == 0


@pytest.mark.parametrize("output", ["out.py", ".", "new/"])
def test_output(folder: Path, output: str) -> None:
    assert run("codegen", "net.sbp", "-o", output).exit_code == 0
    assert len([*folder.rglob("*.py")]) == 1


def test_several_models_are_written_into_a_folder_and_verified_at_once(folder: Path) -> None:
    Path("two.sbp").write_text("param q\nloss L = q^2")
    assert run("codegen", "net.sbp", "two.sbp", "-o", "new/").exit_code == 0
    assert run("codegen", "net.sbp", "two.sbp", "-o", "new", "--check").exit_code == 0
    found = run("verify", "new/net.py", "new/two.py", "--seed", "1")
    assert found.exit_code == 0 and found.stdout.count(": pass") == 2
    text = Path("new/two.py").read_text()
    Path("new/two.py").write_text(text.replace("dq = 2 * q", "dq = 3 * q"))
    assert run("verify", "new/two.py", "new/net.py").exit_code == 1
    assert run("codegen", "new", "net.sbp", "--check", "-o", "new").exit_code == 2
    told = run("codegen", "net.sbp", "two.sbp", "-o", "a.py").stderr
    assert "several models are written into a folder, and a.py is none; for one: -o a/" in told


def test_stdout_has_the_module_and_nothing_else() -> None:
    result = run("codegen", "-", "-o", "-", stdin=TEXT)
    assert result.exit_code == 0
    compile(result.stdout, "stdout", "exec")
    assert result.stderr == ""


def test_a_module_for_jax(folder: Path) -> None:
    pytest.importorskip("jax")
    result = run("codegen", "net.sbp", "--target", "jax", "-o", "net.py")
    assert (result.exit_code, result.stdout, result.stderr.splitlines()[-1]) == (0, "", "wrote net.py")
    assert run("verify", "net.py").exit_code == 0
    assert run("codegen", "net.sbp", "--target", "jax", "-o", "net.py", "--check").exit_code == 0
    assert run("codegen", "net.sbp", "-o", "net.py", "--check").exit_code == 1
    refused = run("codegen", "net.sbp", "--target", "jax", "-O2")
    assert refused.exit_code == 2 and "error: -O2 is not for jax" in refused.stderr


def test_a_module_for_another_target_is_not_replaced_silently(folder: Path) -> None:
    def written(*options: str) -> str:
        return run("codegen", "net.sbp", "--no-verify", *options).stderr

    path = Path("generated", "net.py")
    note = f"note: {path} was a module for {{}}, and is one for {{}} now; -o {path.parent / 'net_{}.py'} keeps both\n"
    assert [written(), written()] == [NEW, f"wrote {path}\n"]
    assert written("--target", "jax") == note.format("numpy", "jax", "jax") + f"wrote {path}\n"
    assert written() == note.format("jax", "numpy", "numpy") + f"wrote {path}\n"
    path.write_text("what is no module\n")
    assert written("--target", "jax") == f"wrote {path}\n"


@pytest.mark.parametrize("library", ["jax", "torch"])
def test_without_a_library_its_modules_are_written_unchecked_or_not_at_all(
    library: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    for command in (f"codegen net.sbp --target {library} -o net.py", f"codegen net.sbp --target {library} -o -"):
        result = run(*command.split())
        assert (result.exit_code, result.stdout) == (4, "") and not (folder / "net.py").exists()
        assert f"{library} is not installed: pip install 'symbackprop[{library}]'" in result.stderr
    assert run("codegen", "net.sbp", "--target", library, "-o", "net.py", "--no-verify").exit_code == 0
    (folder / f"{library}.py").write_text(f"raise ModuleNotFoundError(name='{library}')\n")
    assert run("verify", "net.py").exit_code == 4


def test_check(folder: Path) -> None:
    missing = run("codegen", "net.sbp", "--check")
    assert (missing.exit_code, missing.stdout) == (1, "") and "there is no generated/net.py" in missing.stderr
    assert not (folder / "generated").exists()
    run("codegen", "net.sbp")
    assert run("codegen", "net.sbp", "--check").exit_code == 0
    path = folder / "generated" / "net.py"
    path.write_text(path.read_text().replace("dz = ", "dz = -"))
    changed = run("codegen", "net.sbp", "--check")
    assert changed.exit_code == 1
    assert "-    dz = -" in changed.stdout and "+    dz = " in changed.stdout
    assert "is not what would be written" in changed.stderr
    assert "dz = -" in path.read_text()


def test_a_module_that_fails_its_check_is_not_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("symbackprop.codegen")
    emit = module.codegen
    monkeypatch.setattr(module, "codegen", lambda *a, **k: emit(*a, **k).replace("dw = dz", "dw = -dz"))
    result = run("codegen", "net.sbp")
    assert result.exit_code == 1
    assert "the module failed its check and was not written" in result.stderr
    assert "sign is flipped" in result.stderr
    assert not (folder / "generated" / "net.py").exists()
    assert run("codegen", "net.sbp", "-o", "-").stdout == ""
    assert run("codegen", "net.sbp", "--no-verify").exit_code == 0
    assert (folder / "generated" / "net.py").exists()


@pytest.mark.parametrize(("old", "new", "said"), [
    ("loss L = ", "loss L = 2 * ", "from L on it says another model"),
    ("loss L = ", "loss L = nothing + ", "it cannot be read"),
])
def test_a_module_with_the_text_of_another_model_is_not_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    module = import_module("symbackprop.codegen")
    emit = module.codegen
    monkeypatch.setattr(module, "codegen", lambda *a, **k: emit(*a, **k).replace(old, new))
    result = run("codegen", "net.sbp")
    assert result.exit_code == 1
    assert f"the model text of the module is wrong, and it was not written: {said}" in result.stderr
    assert not (folder / "generated" / "net.py").exists()


def test_a_module_whose_text_spells_its_model_otherwise_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("symbackprop.codegen")
    emit = module.codegen
    monkeypatch.setattr(module, "codegen", lambda *a, **k: emit(*a, **k).replace("loss L = ", "loss L = 0.5 * 2 * "))
    assert run("codegen", "net.sbp").exit_code == 0


def test_levels_and_precision() -> None:
    assert "DTYPE = np.float32" in run("codegen", "net.sbp", "-o", "-", "--dtype", "float32").stdout
    assert run("codegen", "net.sbp", "-o", "-", "-O0").exit_code == 0
    assert "def make_workspace(" in run("codegen", "net.sbp", "-o", "-", "-O2").stdout
    assert "workspace" not in run("codegen", "net.sbp", "-o", "-", "-O1").stdout


def test_an_unreached_parameter_is_told(folder: Path) -> None:
    (folder / "net.sbp").write_text("param w, v\nloss L = w**2\n")
    result = run("codegen", "net.sbp")
    assert "note: no result depends on v; its gradient is zero" in result.stderr


def test_errors_have_their_exit_codes(folder: Path) -> None:
    (folder / "bad.sbp").write_text("param w\nloss L = v**2\n")
    assert run("codegen", "bad.sbp").exit_code == 3
    assert run("codegen", "nothing-of-that-name").exit_code == 2
    (folder / "ro.py").write_text("")
    (folder / "ro.py").chmod(0o444)
    result = run("codegen", "net.sbp", "-o", "ro.py")
    assert result.exit_code == 2 and "the file is read-only" in result.stderr


# -- ops


def test_ops_lists_everything_in_the_tables() -> None:
    listed = json.loads(run("ops", "--json").stdout)
    names = {e["name"] for e in listed}
    assert {name for name, op in OPS.items() if not op.is_leaf} <= names and set(TABLE) <= names
    assert {"layer_norm", "cross_entropy", "gelu", "conv2d", "causal_mask"} <= names
    keys = {"name", "kind", "signature", "shape", "derivative", "domain", "convention"}
    assert all(e.keys() == keys for e in listed)
    assert len(names) == len(listed)


def test_ops_state_derivatives_and_conventions() -> None:
    listed = {e["name"]: e for e in json.loads(run("ops", "--json").stdout)}
    assert listed["tanh"]["derivative"] == "d/dx = 1 - f**2"
    assert listed["relu"]["derivative"] == "d/dx = x > 0"
    assert listed["relu"]["convention"] == "derivative at 0: the relu0 convention"
    assert listed["max"]["convention"] == "equal largest entries share the gradient equally"
    assert all(e["signature"] and e["derivative"] for e in listed.values())


def test_ops_as_text() -> None:
    text = run("ops").stdout
    assert "softmax(a, axis=-1)\n    shape       the shape of a\n" in text
    assert 'conv2d(x, w, stride=1, padding=0)' in text
