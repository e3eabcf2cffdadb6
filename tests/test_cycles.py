"""The collector of cycles stands still inside, and goes on as it did behind, whatever happens."""

from __future__ import annotations

import gc

import pytest

from symbackprop import Model, derive
from symbackprop.cycles import kept, uncollected


def test_cycles_are_looked_for_again_behind_the_outermost_call_and_behind_an_error() -> None:
    assert gc.isenabled()
    with uncollected():
        derive(Model.parse("param w\nloss L = w^2", name="m")).text()
        assert not gc.isenabled()
    with pytest.raises(ZeroDivisionError), uncollected():
        assert 1 / 0
    assert gc.isenabled()


def test_who_has_switched_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        Model.parse("param w\nloss L = w^2", name="m")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_nothing_is_collected_while_a_model_is_printed() -> None:
    seen: list[bool] = []

    def looked(phase: str, info: object) -> None:
        seen.append(gc.isenabled())

    text = "param x\nloss L = " + " + ".join(f"tanh({k} * x)" for k in range(60))
    gc.collect()
    gc.callbacks.append(looked)
    try:
        with uncollected():
            derive(Model.parse(text, name="m")).text()
            assert not seen
    finally:
        gc.callbacks.remove(looked)


def test_what_a_process_has_loaded_and_what_is_left_at_its_end_are_not_looked_through() -> None:
    try:
        with kept():
            loaded = gc.get_freeze_count()
            made = [[k] for k in range(2000)]
        assert loaded and gc.get_freeze_count() > loaded + len(made) / 2
    finally:
        gc.unfreeze()


def test_a_process_looks_through_what_it_makes_only_where_there_is_much_of_it() -> None:
    usual, seen = gc.get_threshold(), list[str]()

    def looked(phase: str, info: object) -> None:
        seen.append(phase)

    gc.callbacks.append(looked)
    try:
        with kept():
            seen.clear()
            made = [[k] for k in range(100 * usual[0])]
            assert made and not seen
        assert gc.get_threshold() == usual
    finally:
        gc.callbacks.remove(looked)
        gc.unfreeze()
