import pytest

from experiments.kernels import cli
from tests.experiments.kernels.fakes import World


@pytest.fixture
def world(monkeypatch):
    found = World()
    monkeypatch.setattr(cli, "lab", found.lab)
    return found
