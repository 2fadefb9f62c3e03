from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.window_kit import Reader, chromium, served


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def address(browser: Any) -> Iterator[str]:
    """The window of the lab, on a server of its own."""
    with served() as found:
        yield found


@pytest.fixture
def reader(browser: Any, address: str) -> Iterator[Callable[..., Reader]]:
    """Opens pages, each in a browser profile of its own; at the end each must be sound."""
    opened: list[Reader] = []

    def open_page(query: str = "", **options: Any) -> Reader:
        opened.append(Reader(browser, address, **options))
        return opened[-1].open(query)

    yield open_page
    for each in opened:
        each.sound()
        each.close()
