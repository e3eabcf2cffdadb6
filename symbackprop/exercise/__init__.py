"""Exercises: a derivation with steps left out, as a page that checks what is typed, and as a sheet with its key."""

from symbackprop.exercise.blanks import Blank, Exercise, exercise

__all__ = ["Blank", "Exercise", "exercise"]
