"""Define how agents draw random numbers."""

from typing import Protocol

from numpy.random import Generator


class Randomness(Protocol):
    """Random generators, one for each decision of each agent."""

    def get(self, decision: str, agent: int | str) -> Generator:
        """Return the generator of a decision, such as ``"thinking"``. ``agent``: key of `AgentId.stream_key`."""
