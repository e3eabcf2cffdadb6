"""What one call owes the others: it changes nothing that it is given, a cache may be used again, upstream gradients may
be of any size and layout, calls in between change nothing, and a workspace gives what is had without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from symbackprop.apart.wire import scattered
from symbackprop.errors import ShapeError
from symbackprop.verify.interpreter import magnitude
from symbackprop.verify.lines import shown
from symbackprop.verify.module import Candidate, Outcome, arrays_of, between, numbers, refused
from symbackprop.verify.sampling import Sample, choose_sizes, draw, in_single

SAME, SAME_SINGLE = 1e-9, 1e-4
UPSTREAMS = (-1.75, -3e6, 2e-6, 0.0)
CONSTANT = 0.75


def unchanged(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """No function changes what it is given."""
    for function in ("forward", "loss_and_grads", "outputs", "make_workspace"):
        if candidate.has(function):
            params, data = candidate.inputs(sample)
            found, given = candidate.ask(function, params, data, sample), {**params, **data}
            yield from _changes(function, given, sample.values)
            if function == "forward":
                before, seed = {n: np.array(v) for n, v in given.items()}, candidate.seed(sample)
                candidate.backward(candidate.pair(found)[1], *seed)
                yield from _changes("backward", given | candidate.by_output(seed), before | sample.upstream)


def _changes(function: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    yield from differences(now, {n: before[n] for n in now}, f"{function} changes {{}}, which it is given", 0.0)


def one_cache(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """backward is linear in its upstream gradient, however that lies in memory, and may be called again."""
    cache = candidate.pair(candidate.ask("forward", *candidate.inputs(sample), sample))[1]
    given = candidate.seed(sample)
    for factor in UPSTREAMS:
        found = candidate.backward(cache, *candidate.scaled(given, factor))
        upstream = f"upstream={factor}" if candidate.is_loss else f"{factor} * upstream"
        message = f"backward(cache, {upstream}) is not {factor} times the gradient of {{}}"
        yield from differences(found, _times(factor, outcome.gradients), message)
    if candidate.is_loss:
        found, right = candidate.backward(cache, np.asarray(2.5)), _times(2.5, outcome.gradients)
        yield from differences(found, right, "with an upstream gradient that is a 0-d array, {} differs")
    else:
        yield from _laid_out(candidate, sample, cache)
    found = candidate.backward(cache, *given)
    yield from differences(found, outcome.gradients, "backward, again with one cache, gives another gradient of {}")


def _times(factor: float, gradients: Mapping[str, Any]) -> dict[str, Any]:
    return {n: factor * array for n, array in arrays_of(gradients).items()}


def _laid_out(candidate: Candidate, sample: Sample, cache: Any) -> Iterator[str]:
    """Upstream gradients of a layer that are views: of a larger array, backwards, and of a single number."""
    for what, upstream in (
        ("not contiguous", {n: scattered(u) for n, u in sample.upstream.items()}),
        ("a number broadcast", {n: np.broadcast_to(CONSTANT, u.shape) for n, u in sample.upstream.items()}),
    ):
        plain = {n: np.ascontiguousarray(u).reshape(u.shape) for n, u in upstream.items()}
        found, right = (candidate.backward(cache, candidate.as_upstream(u)) for u in (upstream, plain))
        yield from differences(found, right, f"with an upstream gradient that is {what} in memory, {{}} differs")


def layouts(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """Arrays may be views of others, and scalars 0-d arrays."""
    for what, change in (("arrays that are not contiguous", spread), ("scalars as 0-d arrays", np.asarray)):
        found = candidate.run_on(*candidate.inputs(sample, change), sample)
        yield from differences(found.results, outcome.results, f"for {what} {{}} differs")
        yield from differences(found.gradients, outcome.gradients, f"for {what} the gradient of {{}} differs")


def spread(value: Any) -> Any:
    return scattered(value) if isinstance(value, np.ndarray) else value


def other_arrays(candidate: Candidate, sample: Sample) -> Sample:
    """Another sample of the same sizes."""
    return draw(candidate.model, sample.sizes, np.random.default_rng(1))


def independent(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """A call in between changes nothing."""
    other = other_arrays(candidate, sample)
    alone = candidate.run(other)
    caches = [candidate.pair(candidate.ask("forward", *candidate.inputs(s), s))[1] for s in (sample, other)]
    for cache, s, right in zip(caches, (sample, other), (outcome, alone), strict=True):
        found, message = candidate.backward(cache, *candidate.seed(s)), "the gradient of {} differs"
        yield from differences(found, right.gradients, f"with another forward before backward, {message}")


def threads(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """Calls of another thread change nothing: a module keeps what it computes with to itself."""
    if candidate.compiles or candidate.path is None:
        return
    other = other_arrays(candidate, sample)
    number = between(candidate.module, *[candidate.whole(s) for s in (sample, other)])
    if number is not None:
        yield ("forward and backward of two threads at a time disturb each other: what the one computes is another "
               f"number where the other's calls come before {shown(candidate.path, number)}")


def workspaces(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """With a workspace the results are the same: in the first call and in later ones, for other arrays, for other
    sizes in one of their own, and in loss_and_grads."""
    if not candidate.has("make_workspace"):
        return
    other = other_arrays(candidate, sample)
    yield from _in_workspace(candidate, [sample, sample, other, sample])
    yield from _not_its_own(candidate, in_single(sample), sample, "of another precision")
    rng = np.random.default_rng(2)
    try:
        chosen = [choose_sizes(candidate.model, rng, candidate.given, trial) for trial in (1, 2, 3, 4)]
    except ShapeError:
        return
    sizes = max(chosen, key=lambda s: sum(s[n] != sample.sizes[n] for n in s))
    drawn = draw(candidate.model, sizes, rng)
    yield from _in_workspace(candidate, [drawn])
    if sizes != sample.sizes:
        yield from _not_its_own(candidate, drawn, sample, "of other sizes")


def _not_its_own(candidate: Candidate, made: Sample, sample: Sample, what: str) -> Iterator[str]:
    """A workspace that was made for something else is refused."""
    if not candidate.states_arrays:
        return
    workspace = candidate.ask("make_workspace", *candidate.inputs(made), made)
    cache = candidate.pair(candidate.ask("forward", *candidate.inputs(sample), sample))[1]
    takes = {
        "forward": partial(candidate.ask, "forward", *candidate.inputs(sample), sample),
        "backward": partial(candidate.backward, cache, *candidate.seed(sample)),
    }
    for function, called in takes.items():
        if not refused({"workspace"}, called, workspace=workspace):
            yield f"{function} does not refuse a workspace that was made for arrays {what} with a ValueError"


def _in_workspace(candidate: Candidate, samples: list[Sample]) -> Iterator[str]:
    workspace = candidate.ask("make_workspace", *candidate.inputs(samples[0]), samples[0])
    for k, sample in enumerate(samples):
        time = "a used" if k else "a fresh"
        alone = candidate.run(sample)
        found = candidate.run(sample, workspace=workspace)
        yield from differences(found.gradients, alone.gradients, f"with {time} workspace the gradient of {{}} differs")
        yield from differences(found.results, alone.results, f"with {time} workspace {{}} differs")
        cache = candidate.pair(candidate.ask("forward", *candidate.inputs(sample), sample, workspace=workspace))[1]
        twice = [candidate.backward(cache, *candidate.seed(sample), workspace=workspace) for _ in range(2)][1]
        message = f"with {time} workspace backward, again with one cache, gives another gradient of {{}}"
        yield from differences(twice, alone.gradients, message)
        if candidate.is_loss and candidate.has("loss_and_grads"):
            both = candidate.ask("loss_and_grads", *candidate.inputs(sample), sample, workspace=workspace)
            loss, gradients = candidate.pair(both, "loss_and_grads")
            given = {**candidate.named(loss), **candidate.mapping("loss_and_grads", gradients)}
            right = {**alone.results, **alone.gradients}
            yield from differences(given, right, f"with {time} workspace loss_and_grads gives another {{}}")


# -- comparing arrays
def differences(
    found: Mapping[str, Any], right: Mapping[str, Any], message: str, within: float = SAME
) -> Iterator[str]:
    """A sentence, with an entry and both values, for each that is another one. Where nothing comparable is ``right``,
    nothing is said."""
    for name, value in right.items():
        said = gap(found.get(name), value, within)
        if said:
            yield f"{message.format(name)}: {said}"


def gap(found: Any, right: Any, within: float = SAME) -> str:
    """Where two arrays differ, in shape or, beyond rounding, in value, in words; samples are of size 1 or so."""
    if isinstance(right, np.generic) and isinstance(found, np.generic) and found == right:
        return ""
    ours, theirs = numbers(found), numbers(right)
    if theirs is None:
        return ""
    if ours is None:
        return "it is missing" if found is None else "it is no array of numbers"
    if ours.shape != theirs.shape:
        return f"its shape is {ours.shape}, expected {theirs.shape}"
    with np.errstate(all="ignore"):
        off = np.abs(ours - theirs)
        scale = magnitude(theirs, np.isfinite(theirs)) if within else 0.0
    wrong = ~((ours == theirs) | (off <= within * scale) | (np.isnan(ours) & np.isnan(theirs)))
    if not np.any(wrong):
        return ""
    index = np.unravel_index(int(np.argmax(np.where(wrong, np.nan_to_num(off, nan=np.inf), -1.0))), ours.shape)
    place = f"{[int(i) for i in index]} " if index else "it "
    return f"{place}is {ours[index]:.8g}, expected {theirs[index]:.8g}"
