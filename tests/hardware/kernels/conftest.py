import pytest

from hardware.kernels.machine import Machine, detect_machine
from hardware.kernels.registry import NAMES


@pytest.fixture(scope="session")
def machine() -> Machine:
    """Return the description of this machine, without its roofline."""
    return detect_machine(roofline=False)


@pytest.fixture(params=[name for name in NAMES if name != "foreign"])
def name(request: pytest.FixtureRequest) -> str:
    """Return each family that is called in this process; untrusted source runs only in the sandbox."""
    return str(request.param)
