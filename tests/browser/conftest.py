"""One browser and one set of pages for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from symbackprop.derive import derive
from symbackprop.model import Model
from symbackprop.render.gallery import pages
from tests.browser.chromium import Chromium, executable

MODELS = ("two-weight-tanh", "squared-norm", "rnn-lm", "transformer-block")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pages: some built-in models with their index, and a model that tries to break out of the page."""
    folder = tmp_path_factory.mktemp("site")
    for name, page in pages(MODELS):
        (folder / name).write_text(page, encoding="utf-8")
    (folder / "hostile.html").write_text(hostile(), encoding="utf-8")
    return folder


def hostile() -> str:
    model = Model("<script>alert(1)</script>", summary='"><img src=x onerror=alert(2)>', source="</style><b>&amp;")
    model.notes.append("{{ 7 * 7 }} <svg/onload=alert(3)>")
    model.loss("L", model.param("w") * model.data("onload"))
    return derive(model).html(values={"w": 1.0, "onload": 2.0})


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    if executable() is None:
        pytest.skip("no Chromium is installed")
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(shared: Chromium) -> Iterator[Chromium]:
    """The browser; whatever the console complains about fails the test."""
    shared.problems.clear()
    shared.requests.clear()
    shared.prefer("light")
    shared.resize(1300)
    yield shared
    shared.js("1")  # events that are still on their way
    assert shared.problems == []
