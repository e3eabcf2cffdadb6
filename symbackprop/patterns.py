"""Patterns of texts: a start defines hundreds, and a text asks some twenty of them."""

from __future__ import annotations

import re
from typing import Any, cast

_ASKED = [name for name in dir(re.Pattern) if not name.startswith("_")]


class _Lazy:
    def __init__(self, *given: Any) -> None:
        self._given = given

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(*self._given)
        vars(self).update({asked: getattr(compiled, asked) for asked in _ASKED})
        return getattr(compiled, name)


def lazy(pattern: str, flags: int | re.RegexFlag = 0) -> re.Pattern[str]:
    """A pattern that is compiled where it is first asked something; functions of ``re`` do not take it."""
    return cast("re.Pattern[str]", _Lazy(pattern, flags))
