"""Model text fuzzed under coverage: a short run of `scripts/fuzz.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz.py"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring")
def test_changed_texts_are_models_or_refused_and_some_reach_new_lines(tmp_path: Path) -> None:
    options = {"texts": "40", "seed": "5", "every": "9", "keep": str(tmp_path / "kept")}  # those texts are other tests'
    command = [sys.executable, str(SCRIPT), *[word for name, value in options.items() for word in (f"--{name}", value)]]
    done = subprocess.run(command, cwd=SCRIPT.parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("40 texts: ") and [*(tmp_path / "kept").iterdir()]
