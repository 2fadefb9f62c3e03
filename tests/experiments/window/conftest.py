import pytest

from tests.support.window_runs import HeadlessRun, run_headless, small_lab


@pytest.fixture(scope="session")
def walked() -> HeadlessRun:
    """Return the headless run of the small lab under seed 0, frame by frame."""
    return run_headless(small_lab())
