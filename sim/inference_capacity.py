"""Set the number of active researchers by the capacity of the inference GPUs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from simpy import Event

from sim.events import ActiveResearchersChanged
from sim.software import LEVEL_TOLERANCE

if TYPE_CHECKING:
    from sim.world import World


class InferenceCapacity:
    """Keep as many researchers active as the inference GPUs can run, ``N0 2^deployed hardware``.

    N0 is the team of day 0 and ``deployed`` the doublings of deployed software. ``hardware`` is the number of running
    inference GPUs relative to day 0, times the work rate of the kernels. The cluster reports each inference job that
    starts or stops.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._is_scheduled = False
        world.datacenter.start_inference(self)
        self.gpus_at_start = world.datacenter.inference_gpus_wanted

    def job_started(self, job: Any) -> None:
        """Schedule an update: an inference job has started."""
        self._schedule_update()

    def job_stopped(self, job: Any) -> None:
        """Schedule an update: an inference job has lost its GPUs to another use."""
        self._schedule_update()

    def update(self) -> None:
        """Activate or deactivate researchers, so that their number matches the capacity."""
        world = self._world
        hardware = world.datacenter.inference_gpus / self.gpus_at_start * world.work_rate
        target = int(world.own_team.researchers * 2.0**world.software.deployed * hardware * (1 + LEVEL_TOLERANCE))
        if target != world.active_researchers:
            world.population.set_active(target)
            world.ledger.append(ActiveResearchersChanged(world.now, target))
            world.kernel_engineer.schedule_next()
        if world.pool is not None:
            world.pool.schedule_next()
        if target >= (world.scenario.run.stop_at_researchers or math.inf):
            world.at_end_of_instant(world.end_at_researcher_target)

    def _schedule_update(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._world.at_end_of_instant(self._on_end_of_instant)

    def _on_end_of_instant(self, _: Event) -> None:
        self._is_scheduled = False
        if self._world.pool is not None:
            self._world.pool.flush()
        if self._world.ending is None:
            self.update()
