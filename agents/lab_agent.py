"""Register agents with Mesa, and name them within their lab."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import ClassVar
from weakref import WeakKeyDictionary

import mesa

from agents.identity import AgentId


class _UniqueIds:
    """Count the agents of each model, without keeping the model alive. A restored model continues its count."""

    def __init__(self) -> None:
        self._next: WeakKeyDictionary[mesa.Model, Iterator[int]] = WeakKeyDictionary()

    def __getitem__(self, model: mesa.Model) -> Iterator[int]:
        numbers = self._next.get(model)
        if numbers is None:
            numbers = self._next[model] = count(1 + max((agent.unique_id for agent in model.agents), default=0))
        return numbers


class LabAgent(mesa.Agent):
    """An agent of a lab. Mesa gives ``unique_id``; ``number`` is the number within its kind and lab."""

    # Mesa 3.3 counts the agents of all models in a class attribute that keeps every model alive.
    _ids: ClassVar[_UniqueIds] = _UniqueIds()  # type: ignore[assignment, misc]

    def __init__(self, model: mesa.Model, identity: AgentId) -> None:
        super().__init__(model)
        self.identity = identity

    @property
    def number(self) -> int:
        """Number within its kind and lab."""
        return self.identity.number
