"""An emitted module seen through its contract: given a sample, its results and gradients as arrays."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from symbackprop.model.model import Model
from symbackprop.verify.module import CallFailed, as_given, call
from symbackprop.verify.sampling import Sample, hidden_dims
from symbackprop.verify.targets import chosen, promised_rows


@dataclass(frozen=True)
class Outcome:
    """The loss or the outputs by name, and the gradients by name as the module returned them."""

    results: dict[str, Any]
    gradients: dict[str, Any]


class Candidate:
    """The module under test. ``targets`` are the rows that it promises the gradients of, ``chosen`` their names if it
    says so itself. Calls raise `CallFailed` where its functions raise or return something else than told."""

    def __init__(self, module: ModuleType, model: Model) -> None:
        self.module, self.model = module, model
        self.chosen, self.targets = chosen(module), promised_rows(module, model)
        self.results = [model.loss_row.name or ""] if model.loss_row is not None else list(model.output_rows)
        self._hidden: dict[tuple[tuple[str, int], ...], dict[str, int]] = {}

    def has(self, name: str) -> bool:
        return callable(getattr(self.module, name, None))

    def takes_dims(self, name: str) -> bool:
        """Whether a function of the module can be told the sizes that no array shows."""
        try:
            return "dims" in inspect.signature(getattr(self.module, name)).parameters
        except (TypeError, ValueError):
            return False

    def hidden(self, sample: Sample) -> dict[str, int]:
        """The sizes of a sample that its arrays do not show."""
        key = tuple(sample.sizes.items())
        if key not in self._hidden:
            self._hidden[key] = {n: sample.sizes[n] for n in hidden_dims(self.model, sample.sizes)}
        return self._hidden[key]

    def ask(self, name: str, params: dict[str, Any], data: dict[str, Any], sample: Sample, **options: Any) -> Any:
        """What a function of arrays returns; it is told the sizes that they do not show."""
        dims = self.hidden(sample)
        if dims and self.takes_dims(name):
            options["dims"] = dims
        return call(self.module, name, params, data, **options)

    def inputs(self, sample: Sample) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fresh (params, data) for the module; inputs whose gradient is wanted are in data."""
        data = [n for n in self.model.leaves() if n not in self.model.params]
        return as_given(sample.values, self.model.params), as_given(sample.values, dict.fromkeys(data))

    def run(self, sample: Sample, **options: Any) -> Outcome:
        """forward, then backward with the sample's upstream gradient (1 for a loss)."""
        return self.run_on(*self.inputs(sample), sample, **options)

    def run_on(self, params: dict[str, Any], data: dict[str, Any], sample: Sample, upstream: Any = None,
               **options: Any) -> Outcome:
        found = self.ask("forward", params, data, sample, **options)
        if not isinstance(found, tuple) or len(found) != 2:
            first = "loss" if self.is_loss else "output"
            raise CallFailed(f"forward returned {kind(found)}, expected ({first}, cache)")
        results, cache = found
        gradients = call(self.module, "backward", cache, *self.seed(sample, upstream), **options)
        return Outcome(self.named(results), self.mapping("backward", gradients))

    @property
    def is_loss(self) -> bool:
        return self.model.loss_row is not None

    def seed(self, sample: Sample, upstream: Any = None) -> tuple[Any, ...]:
        """The arguments of backward after the cache."""
        if self.is_loss:
            return () if upstream is None else (upstream,)
        given = as_given(sample.upstream, sample.upstream)
        return (given if len(given) > 1 else given[self.results[0]],)

    def named(self, results: Any) -> dict[str, Any]:
        """The loss or outputs by name."""
        if len(self.results) == 1:
            return {self.results[0]: results}
        found = self.mapping("forward", results, "a dict of outputs")
        missing = [n for n in self.results if n not in found]
        if missing:
            raise CallFailed(f"forward returned no output {missing[0]!r}")
        return found

    def mapping(self, name: str, value: Any, what: str = "a dict of gradients") -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise CallFailed(f"{name} returned {kind(value)}, expected {what}")
        return dict(value)


def kind(value: Any) -> str:
    """What a value is, for a message."""
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return "nothing" if value is None else f"a {type(value).__name__}"


def numbers(value: Any) -> Any:
    """A returned value as a float64 array; None when it is none."""
    try:
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype.kind in "fiub" else None
    except (TypeError, ValueError):
        return None
