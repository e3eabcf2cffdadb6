"""`symbackprop` and `python -m symbackprop`: finds the commands and runs them."""

from __future__ import annotations

import sys
from types import ModuleType

CLI_MODULE = "symbackprop.cli"


def load_cli() -> ModuleType:
    """The module `cli.py`, from beside the package in a checkout, from inside it in a wheel."""
    if CLI_MODULE in sys.modules:
        return sys.modules[CLI_MODULE]
    from importlib.util import module_from_spec, spec_from_file_location

    from symbackprop.resources import resource

    path = resource("cli.py")
    spec = spec_from_file_location(CLI_MODULE, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = module_from_spec(spec)
    sys.modules[CLI_MODULE] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Run the command line and exit with its code. Nearly all imports happen in here, so that Ctrl-C is met in them."""
    from symbackprop.cycles import kept, uncollected

    try:
        with uncollected():
            cli = load_cli()
        with kept():
            cli.main()
    except KeyboardInterrupt:
        from symbackprop.terminal import end_interrupted

        end_interrupted()


if __name__ == "__main__":
    main()
