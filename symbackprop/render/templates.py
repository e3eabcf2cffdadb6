"""The Jinja environment of the printed formats: strict, and fed with finished lines only."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from symbackprop.resources import templates


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(templates()), undefined=StrictUndefined, autoescape=False, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, block_start_string="<%", block_end_string="%>",
        variable_start_string="<<", variable_end_string=">>", comment_start_string="<#", comment_end_string="#>",
    )


def render(name: str, **parts: object) -> str:
    """A template of that name filled in. LaTeX is full of braces, so templates use ``<% %>`` and ``<< >>``."""
    return _environment().get_template(f"{name}.j2").render(**parts)
