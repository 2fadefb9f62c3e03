import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.browser_pages import Reader, chromium, served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium for one file of tests: playwright keeps an event loop running, which other files must not meet."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def address(browser: Any) -> Iterator[str]:
    """The window of the lab, on a server of its own."""
    with served() as found:
        yield found


@pytest.fixture(scope="module")
def at_home(browser: Any, address: str) -> Iterator[Reader]:
    """A page that stays open for all tests of a file: the second page loads faster than the first."""
    with contextlib.closing(Reader(browser, address)) as found:
        yield found


@pytest.fixture
def reader(browser: Any, address: str, at_home: Reader) -> Iterator[Callable[..., Reader]]:
    """Opens pages; the second of a test, and one with options, in a browser profile of its own. All must be sound."""
    opened: list[Reader] = []

    def open_page(query: str = "", width: int = 1280, **options: Any) -> Reader:
        new = bool(opened or options)
        opened.append(Reader(browser, address, **options) if new else at_home)
        opened[-1].page.set_viewport_size({"width": width, "height": 900})
        return opened[-1].open(query)

    yield open_page
    for each in opened:
        each.sound()
        if each is not at_home:
            each.close()
