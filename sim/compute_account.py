"""Account for the GPUs of one lab: the rate of their work, the sizes that jobs may have, and submissions."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import cast

from agents.identity import AgentId
from agents.kernel_model import amdahl
from agents.ports.compute import ArrayTaskSource, JobHandle, JobListener
from hardware.cluster.jobs import Job, SupportsStreams
from hardware.compute_gate import ComputeGate
from hardware.datacenter import Datacenter
from hardware.uses import Use
from sim.clock import Clock
from sim.feasibility import check_failure_rate, check_jobs_end, check_jobs_fit, fastest_run_gpus, training_gpus
from sim.lab_settings import LabSettings
from sim.scenario.model import Scenario
from sim.time_weighted import TimeWeighted


class ImpossibleJobError(Exception):
    """Report that a submitted job can never run on the cluster of a lab."""

    def __init__(self, problem: str, lab: str = "") -> None:
        super().__init__(problem)
        self.lab = lab


class ComputeAccount:
    """Submit the jobs of a lab to its cluster, and report what the cluster can do.

    Raises ScenarioError if the cluster cannot run the jobs of the scenario.
    """

    def __init__(self, clock: Clock, streams: SupportsStreams, settings: LabSettings, lab: str = "") -> None:
        self._clock = clock
        self._lab = lab
        self._settings = settings
        self.datacenter = Datacenter(clock, settings.cluster, streams)
        self.gate = ComputeGate(self.datacenter)
        """Gate that holds, caps and resumes a use."""
        self.check_feasibility()
        self.gpus = TimeWeighted()
        """Number of GPUs of the cluster over time."""
        self.gpus_for: dict[str, TimeWeighted] = {use: TimeWeighted() for use in Use}
        """Number of GPUs that each use can have over time."""
        self.record_capacities()
        self.datacenter.call_on_nodes_changed(self.record_capacities)
        self._kernel_speedup = 1.0
        self.work_rate = 1.0
        """Work of the cluster per day, relative to its work with the kernels of day 0."""

    # --- Compute and ClusterStatus, in agents.ports.compute -----------------------------------------------

    def largest_gang(self, use: str) -> int:
        """Return the largest number of GPUs that one job of this use can have."""
        return self.datacenter.largest_gang(use)

    def gpus_for_experiments(self) -> int:
        """Return the number of GPUs that all experiments can have together."""
        pool = self.datacenter.pool(Use.EXPERIMENT)
        others = self.datacenter.inference_gpus_wanted if self._settings.cluster.partitioning == "priority" else 0
        return max(1, pool.capacity - others) if pool is not None else 1

    def submit_job(
        self,
        use: str,
        gpus: int,
        days: float,
        owner: AgentId,
        on_done: Callable[[JobHandle], None],
        listener: JobListener | None = None,
    ) -> JobHandle:
        """Submit a job that needs ``gpus`` GPUs at once, for ``days`` of work with the kernels of day 0.

        The job runs with the kernels of the time of its submission. ``on_done`` is called with it when it is over.
        Raises ImpossibleJobError if it can never run.
        """
        try:
            job = self.datacenter.submit(use, gpus, days / self.work_rate, owner=owner.number, watcher=listener)
        except ValueError as error:
            raise ImpossibleJobError(str(error), self._lab) from None
        job.callbacks.append(on_done)  # SimPy calls it with the event, which is the job
        return job

    def submit_job_array(self, use: str, number: int, source: ArrayTaskSource, payload: object, owner: AgentId) -> None:
        """Submit an array of ``number`` jobs; each is drawn from ``source`` when it is about to start.

        Raises ImpossibleJobError if there are no GPUs for them.
        """
        try:
            self.datacenter.submit_array(use, number, source, payload, owner=owner.number)  # type: ignore[arg-type]
        except ValueError as error:
            raise ImpossibleJobError(str(error), self._lab) from None

    def withdraw(self, job: JobHandle) -> None:
        """Cancel a submitted job."""
        self.datacenter.cancel(cast(Job, job))

    def fastest_training_gpus(self, one_gpu_days: float) -> int:
        """Return the number of GPUs, within its limits, on which a training run ends soonest; at least 1."""
        scenario = self._present_scenario()
        most = max(1, training_gpus(scenario, self.datacenter))
        return int(fastest_run_gpus(scenario, most, one_gpu_days / self.work_rate))

    def jobs_waiting(self, use: str) -> int:
        """Return the number of jobs of a use that wait for GPUs."""
        return self.datacenter.jobs_waiting(use)

    def gpus_in_use(self, use: str) -> int:
        """Return the number of GPUs that jobs of a use hold."""
        return self.datacenter.gpus_in_use(use)

    # --- Changes, for the lab ----------------------------------------------------------------------------

    def use_kernels(self, speedup: float) -> None:
        """Use attention kernels of this speed-up for later jobs."""
        self._kernel_speedup = speedup
        self.update_work_rate()

    def update_work_rate(self) -> None:
        """Compute the work rate, after a change of the kernels or of the share of attention."""
        self.work_rate = amdahl(self._settings.kernels.attention_share, self._kernel_speedup)

    def check_feasibility(self, uses: Collection[str] = tuple(Use)) -> None:
        """Raise ScenarioError if the cluster cannot run the jobs of the scenario for ``uses``."""
        scenario = self._present_scenario()
        check_jobs_fit(scenario, self.datacenter, uses)
        check_jobs_end(scenario, self.datacenter)
        self.check_failure_rate()

    def check_failure_rate(self, more: int = 0) -> None:
        """Raise ScenarioError if GPUs fail too often; ``more``: additional GPUs for experiments and training."""
        gpus = self.datacenter.gpus_by_use()
        check_failure_rate(self._settings.scenario, gpus[Use.EXPERIMENT] + gpus[Use.TRAINING] + more)

    def _present_scenario(self) -> Scenario:
        """Return the scenario with the present cluster, which the policy may divide in another way."""
        scenario, cluster = self._settings.scenario, self.datacenter.params
        return scenario if scenario.cluster is cluster else scenario.model_copy(update={"cluster": cluster})

    def record_capacities(self) -> None:
        """Record the number of GPUs of the cluster and of each use from now on."""
        self.gpus.set(self.datacenter.capacity, self._clock.now)
        for use, meter in self.gpus_for.items():
            pool = self.datacenter.pool(use)
            meter.set(pool.capacity if pool is not None else 0, self._clock.now)
