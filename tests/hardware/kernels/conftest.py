import pytest

from hardware.kernels.machine import Machine, survey
from hardware.kernels.registry import NAMES


@pytest.fixture(scope="session")
def machine() -> Machine:
    """This machine, its roofline not measured."""
    return survey(roofline=False)


@pytest.fixture(params=[name for name in NAMES if name != "foreign"])
def name(request: pytest.FixtureRequest) -> str:
    """Every family that is called in this process; foreign source is called in the sandbox alone."""
    return str(request.param)
