"""The pages of docs/gallery: their modules are right, and what they say of checking one's own works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from symbackprop import codegen, load
from symbackprop.__main__ import load_cli
from tests.docs.pages import ROOT
from tests.sweeps import few_in_ci

TEXTS = sorted((ROOT / "docs" / "gallery").glob("*.sbp"))


def check(text: Path, mine: str) -> Result:
    args = ["check", str(text), mine, "--seed", "0", "--json"]
    return CliRunner().invoke(load_cli().cli, args, prog_name="symbackprop")


def test_there_are_pages() -> None:
    assert len(TEXTS) >= 10 and all(text.with_suffix(".md").exists() for text in TEXTS)


@pytest.mark.parametrize("text", [pytest.param(t, id=t.stem) for t in TEXTS])
def test_a_page_begins_with_the_closed_form_and_names_every_gradient(text: Path) -> None:
    page = text.with_suffix(".md").read_text(encoding="utf-8")
    assert re.findall("^## (.*)", page, re.MULTILINE) == ["Closed form", "Derivation", "Code", "Is yours right?"]
    assert len(re.findall("^<summary>(numpy|jax|torch)</summary>$", page, re.MULTILINE)) == 3


@pytest.mark.parametrize("text", few_in_ci([pytest.param(t, id=t.stem) for t in TEXTS], 5, 3))
def test_the_module_passes_and_a_function_as_on_the_page_is_judged(text: Path, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(codegen(load(str(text))), encoding="utf-8")
    right = check(text, str(tmp_path / "module.py"))
    assert right.exit_code == 0, right.output
    page = text.with_suffix(".md").read_text(encoding="utf-8")
    own = page.split("## Is yours right?")[1].split("```python\n")[1].split("```")[0]
    names = re.findall(r'"(\w+)": d', own)
    body = "".join(f"    d{name} = np.ones_like({name})\n" for name in names)
    (tmp_path / "mine.py").write_text("import numpy as np\n\n\n" + own.replace("    ...\n", body), encoding="utf-8")
    wrong = check(text, f"{tmp_path / 'mine.py'}:backward")
    verdicts = {g["name"]: g["verdict"] for g in json.loads(wrong.stdout)["gradients"]}
    assert wrong.exit_code == 1 and verdicts == dict.fromkeys(names, "fail")
