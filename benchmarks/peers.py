"""The workloads in other libraries, and by hand. A peer is made by `build(library, name, params, data, wanted)`, which
returns a function of no arguments that computes the loss and its gradients by name.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

Arrays = dict[str, Any]
Step = Callable[[], tuple[Any, Arrays]]

MODULES = {"torch": "peers_torch", "jax": "peers_jax", "autograd": "peers_autograd"}
ASKED = {"hand": "peers_hand", "nn": "peers_nn", "compile": "peers_compile"}  # take part where they are named
ONLY = {"nn": ("rnn", "lstm")}  # the workloads of those that do not have all


def installed() -> list[str]:
    """The libraries that can take part."""
    return [name for name in MODULES if find_spec(name) is not None]


def covers(library: str, name: str) -> bool:
    """Whether a library has a workload."""
    return name in ONLY.get(library, (name,))


def build(library: str, name: str, params: Arrays, data: Arrays, wanted: list[str]) -> Step:
    """One training step of the workload ``name``: loss, and gradients of the ``wanted`` arrays."""
    step: Step = import_module((MODULES | ASKED)[library]).build(name, params, data, wanted)
    return step
