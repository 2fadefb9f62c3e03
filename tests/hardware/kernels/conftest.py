import pytest

from hardware.kernels.machine import Machine, survey
from hardware.kernels.registry import NAMES


@pytest.fixture(scope="session")
def machine() -> Machine:
    """This machine, its roofline not measured."""
    return survey(roofline=False)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Every family."""
    return str(request.param)
