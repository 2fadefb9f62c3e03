import pytest

from hardware.cluster.placement import PLACEMENTS
from hardware.cluster.queues import QUEUES


@pytest.fixture(params=sorted(QUEUES))
def queue(request: pytest.FixtureRequest) -> str:
    """Return the name of each discipline in turn."""
    return str(request.param)


@pytest.fixture(params=sorted(PLACEMENTS))
def placement(request: pytest.FixtureRequest) -> str:
    """Return the name of each placement in turn."""
    return str(request.param)
