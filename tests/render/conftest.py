"""Every built-in model, one test each."""

from __future__ import annotations

import pytest

from symbackprop.model import zoo


@pytest.fixture(params=zoo.names())
def any_model(request: pytest.FixtureRequest) -> str:
    return str(request.param)
