"""Simulate kernel engineers: candidates become faster attention, as measured in a real search.

A candidate costs researchers' time while it is written, and GPU time while it is built, validated and timed.
"""

import mesa
from simpy import Event

from agents.identity import AgentId
from agents.kernel_model import candidates_per_day, research_pace
from agents.lab_agent import LabAgent
from agents.ports.bundles import KernelEngineerPorts
from agents.ports.compute import JobHandle
from agents.ports.kernels import SpeedupCurve
from agents.work_model import gang_size


class KernelEngineer(LabAgent):
    """Try candidates as fast as the team allows, and deploy each sufficient speed-up.

    The rate follows the number of active researchers. It is 0 until AIs do all research, because AIs that assist humans
    try no candidates. Candidates for the next deployment are written while the previous ones are timed. Without a curve
    the agent does nothing. At the end of the curve it stops, and candidates no longer cost researchers' time.
    """

    def __init__(
        self, model: mesa.Model, identity: AgentId, ports: KernelEngineerPorts, curve: SpeedupCurve | None
    ) -> None:
        super().__init__(model, identity)
        self.time, self.compute, self.research_time, self.deployment, self.settings = ports
        self.curve = curve
        self.speedup = 1.0
        """Deployed speed-up of attention."""
        self._found = 1.0
        """Speed-up of attention by all candidates that are written, deployed or not."""
        self._tried = 0.0
        self._per_day = 0.0
        self._since = self.time.now
        self._goal = (0.0, 1.0)
        """Number of candidates and speed-up at the next deployment."""
        self._timer: Event | None = None
        self._timed: dict[JobHandle, tuple[float, float]] = {}
        """Timing jobs, with the number of candidates and the speed-up at submission."""
        self._sent = 0.0
        """Number of candidates that were submitted for timing."""
        self._set_pace()

    @property
    def candidates(self) -> float:
        """Number of candidates written so far."""
        return self._tried + self._per_day * (self.time.now - self._since)

    @property
    def _searching(self) -> bool:
        return self.curve is not None and self._found < self.curve.largest

    def schedule_next(self) -> None:
        """Schedule the next deployment; call this after each change of the team or its policy."""
        self._tried, self._since = self.candidates, self.time.now
        self._timer, self._per_day = None, 0.0
        self._set_pace()
        if not self._searching:
            return
        assert self.curve is not None, "a search needs a curve"
        params = self.settings.kernels
        self._per_day = (
            candidates_per_day(params, self.research_time.reference_researchers) * self.research_time.team_growth()
        )
        if self._per_day > 0:
            speedup = min(self._found * (1 + params.deploy_step), self.curve.largest)
            self._goal = (max(self._tried, self.curve.candidates_to_reach(speedup)), speedup)
            self._timer = self.time.after_in_background(
                (self._goal[0] - self._tried) / self._per_day, self._on_deployment_due
            )

    def _set_pace(self) -> None:
        team = self.research_time.reference_researchers
        self.research_time.set_research_pace(research_pace(self.settings.kernels, team) if self._searching else 1.0)

    def _on_deployment_due(self, timer: Event) -> None:
        if timer is not self._timer:
            return  # the team has changed since the timer was set
        assert self.curve is not None, "a deployment needs a curve"
        self._tried, speedup = self._goal
        self._since = self.time.now
        self._found = max(speedup, self.curve.speedup_after(self._tried))
        hours = self.settings.kernels.candidate_gpu_hours * (self._tried - self._sent)
        self._sent = self._tried
        if hours > 0 and self.compute.largest_gang("experiment") > 0:
            self._submit_timing(hours / 24)
        else:
            self._deploy(self._tried, self._found)
        self.schedule_next()

    def _submit_timing(self, gpu_days: float) -> None:
        """Submit the timing of candidates as an experiment of this cost [GPU-days]."""
        gpus = gang_size(self.settings.researcher, gpu_days, self.compute.largest_gang("experiment"))
        job = self.compute.submit_job("experiment", gpus, gpu_days / gpus, self.identity, self._on_timed)
        self._timed[job] = self._tried, self._found

    def _on_timed(self, job: JobHandle) -> None:
        tried, speedup = self._timed.pop(job)
        if speedup > self.speedup:
            self._deploy(tried, speedup)

    def _deploy(self, tried: float, speedup: float) -> None:
        self.speedup = speedup
        self.deployment.deploy_kernels(tried, speedup)
