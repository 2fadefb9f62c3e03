"""How many researchers the inference GPUs house."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from simpy import Event

from sim.events import ResearchersHoused
from sim.software import LEVEL_TOLERANCE

if TYPE_CHECKING:
    from sim.world import World


class InferenceCapacity:
    """The number of researchers at work: as many as the inference GPUs run, ``N0 2^deployed hardware``.

    ``hardware``: the GPUs at work over those of day 0, times what kernels let them do. It is told of each inference
    node that starts or stops.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._due = False
        world.datacenter.start_inference(self)
        self.gpus_at_start = world.datacenter.inference_gpus_wanted

    def job_started(self, job: Any) -> None:
        """An inference node is up: once the instant is settled, see how many researchers it houses."""
        self._soon()

    def job_stopped(self, job: Any) -> None:
        """An inference node has lost its GPUs to another use."""
        self._soon()

    def settle(self) -> None:
        """Have as many researchers at work as there is room for now."""
        world = self._world
        hardware = world.datacenter.inference_gpus / self.gpus_at_start * world.work_rate
        room = int(world.own_team.researchers * 2.0**world.frontier.deployed * hardware * (1 + LEVEL_TOLERANCE))
        if room != world.active_researchers:
            world.population.set_active(room)
            world.ledger.append(ResearchersHoused(world.now, room))
            world.kernel_engineer.schedule_next()
        if world.pool is not None:
            world.pool.schedule_next()
        if room >= (world.scenario.run.until_researchers or math.inf):
            world.at_end_of_instant(world.enough_researchers)

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            self._world.at_end_of_instant(self._settle)

    def _settle(self, _: Event) -> None:
        self._due = False
        if self._world.pool is not None:
            self._world.pool.flush()
        if self._world.ending is None:
            self.settle()
