"""The built-in models, one test each."""

from __future__ import annotations

import pytest

from symbackprop.model import zoo
from tests.sweeps import few_in_ci


@pytest.fixture(params=few_in_ci(zoo.names(), 3, 2))
def any_model(request: pytest.FixtureRequest) -> str:
    return str(request.param)
