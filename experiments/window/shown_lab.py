"""Read the part of a World that belongs to one lab: the lab that a page shows in detail."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sim.events import RunEnded
from sim.world import series_name

if TYPE_CHECKING:
    from sim.events import Event
    from sim.lab import Lab
    from sim.scenario.model import Scenario
    from sim.world import World


class ShownLab:
    """One lab of a World with its part of the record. The World is not changed.

    Arguments
    ---------
    world
        World with one or several labs.
    name
        Name of the lab, by default the first.
    """

    def __init__(self, world: World, name: str | None = None) -> None:
        self.world = world
        self.name = next(iter(world.labs)) if name is None else name
        """Name of the lab; empty for the only lab of a World."""
        self.lab: Lab = world.labs[self.name]

    @property
    def scenario(self) -> Scenario:
        """Scenario as the lab reads it."""
        return self.lab.settings.scenario

    @property
    def now(self) -> float:
        """Time since the start of the run [days]."""
        return self.world.now

    def series(self, reporter: str) -> Sequence[float]:
        """Return the recorded values of a reporter, one a frame."""
        values: Sequence[float] = self.world.datacollector.model_vars[series_name(self.name, reporter)]
        return values

    def events(self) -> Iterator[Event]:
        """Return the events of the lab and the end of the run, oldest first."""
        return (event for event in self.world.ledger if self._is_own(event))

    def latest_events(self, most: int) -> Iterator[Event]:
        """Return the latest events of the lab, newest first, from the last ``most`` events for each lab of the run."""
        searched = itertools.islice(reversed(self.world.ledger), most * len(self.world.labs))
        return (event for event in searched if self._is_own(event))

    def _is_own(self, event: Event) -> bool:
        return isinstance(event, RunEnded) or event.lab == self.name
