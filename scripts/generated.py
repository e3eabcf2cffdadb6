"""Writes `generated/`: one module per built-in model. With --check it only fails on any drift."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from symbackprop.__main__ import load_cli

GENERATED = Path(__file__).resolve().parent.parent / "generated"


def symbackprop(*args: str) -> Result:
    """Run one command of the command line in this process."""
    return CliRunner().invoke(load_cli().cli, args)


def model_names() -> list[str]:
    """The names of the built-in models."""
    result = symbackprop("models", "--json")
    if result.exit_code:
        sys.exit(f"symbackprop models --json: exit code {result.exit_code}\n{result.output}")
    return [model["name"] for model in json.loads(result.stdout)]


def failure(name: str, options: list[str]) -> str:
    """What went wrong when one model's module was written or checked; empty when nothing did."""
    result = symbackprop("codegen", name, "-o", str(GENERATED), *options)
    if not result.exit_code:
        return ""
    error = result.exception
    reason = "" if error is None or isinstance(error, SystemExit) else f"{error!r}\n"
    return f"{name}: exit code {result.exit_code}\n{result.output}{reason}"


def strays(names: list[str]) -> list[str]:
    """Modules in `generated/` that belong to no model."""
    known = {name.replace("-", "_") for name in names} | {"__init__"}
    return sorted(path.name for path in GENERATED.glob("*.py") if path.stem not in known)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift")
    options = ["--check"] if parser.parse_args().check else []
    GENERATED.mkdir(exist_ok=True)
    names = model_names()
    problems = [text for name in names if (text := failure(name, options))]
    problems += [f"{stray}: no built-in model has this module\n" for stray in strays(names)]
    print("".join(problems), end="", file=sys.stderr)
    print(f"generated/: {len(names)} models, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
