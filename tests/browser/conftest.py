import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.browser_pages import Reader, chromium, served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start Chromium for one file of tests; the event loop of playwright must not run during other files."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def address(browser: Any) -> Iterator[str]:
    """Serve the page of the lab and return its address."""
    with served() as found:
        yield found


@pytest.fixture(scope="module")
def shared_page(browser: Any, address: str) -> Iterator[Reader]:
    """Keep one page open for all tests of a file, because later pages load faster."""
    with contextlib.closing(Reader(browser, address)) as found:
        yield found


@pytest.fixture
def reader(browser: Any, address: str, shared_page: Reader) -> Iterator[Callable[..., Reader]]:
    """Return a function that opens pages; further pages and pages with options use new browser profiles."""
    opened: list[Reader] = []

    def open_page(query: str = "", width: int = 1280, **options: Any) -> Reader:
        new = bool(opened or options)
        opened.append(Reader(browser, address, **options) if new else shared_page)
        opened[-1].page.set_viewport_size({"width": width, "height": 900})
        return opened[-1].open(query)

    yield open_page
    for each in opened:
        each.sound()
        if each is not shared_page:
            each.close()
