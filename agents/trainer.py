"""Train and deploy generations of software, one at a time."""

from __future__ import annotations

import math

import mesa

from agents.generations import LEVEL_TOLERANCE, plan_generation
from agents.identity import AgentId
from agents.lab_agent import LabAgent
from agents.ports.bundles import TrainerPorts
from agents.ports.compute import JobHandle


class Trainer(LabAgent):
    """Deploy discovered software to the researchers, one generation at a time.

    The policy of the lab decides when a generation begins, what it takes up, and on how many GPUs it runs.
    """

    def __init__(self, model: mesa.Model, identity: AgentId, ports: TrainerPorts) -> None:
        super().__init__(model, identity)
        self.compute, self.deployment, self.policy, self.settings = ports
        self.generation = 0
        """Number of the latest generation that is deployed or in training."""
        self.consumed_doublings = 0.0
        """Discovered doublings that the generations so far have consumed."""
        self.shorter = 0.0
        """Doublings by which the next training run is shorter than the first on the same GPUs."""
        self._run: JobHandle | None = None
        """Job of the present training run."""
        self._one_gpu_days = 0.0
        """Length of the present run on one GPU [days]."""
        self._pending_gain = 0.0
        """Doublings that the present run adds to deployed software; fixed at its start."""

    @property
    def pending_gain(self) -> float:
        """Doublings that the present run adds to deployed software; 0 without a run."""
        return self._pending_gain if self._run is not None else 0.0

    @property
    def next_gain_at(self) -> float:
        """Discovered doublings at which the next generation can begin."""
        return self.policy.next_generation_at(self.consumed_doublings)

    @property
    def deployment_gap_doublings(self) -> float:
        """Doublings that deployed software lacks because of training: those of the present run, and those that wait."""
        params = self.settings.training
        if not params.required:
            return 0.0
        waiting = max(0.0, self.deployment.discovered - self.consumed_doublings)
        later = plan_generation(
            waiting, waiting, True, self._length(), params.speedup_exponent, params.shortest_run_days
        ).better
        return float(later) + self.pending_gain

    def start_due_generations(self) -> None:
        """Begin each generation that is due by the policy, one run at a time.

        The lab calls this at the end of each instant with publications or deployments.
        """
        while self._run is None and self.policy.begins_generation(self.deployment.discovered, self.consumed_doublings):
            self.generation += 1
            params = self.settings.training
            if params.required:
                self._start_run()
            else:
                self.consumed_doublings = self.next_gain_at
                self.deployment.deploy(self.generation, params.gain_doublings)

    @property
    def run(self) -> JobHandle | None:
        """Job of the present training run; None without a run."""
        return self._run

    @property
    def run_days(self) -> float:
        """Length of the present training run, or of the next one, without failures [days]; 0 if none is needed."""
        if not self.settings.training.required:
            return 0.0
        if self._run is None:
            return self._length()
        return float(self._one_gpu_days / self._run.gpus**self.settings.training.scaling)

    def interrupt(self) -> None:
        """Stop the present run at its checkpoint; :meth:`resume` continues it."""
        run, self._run = self._run, None
        assert run is not None, "there is a run to interrupt"
        self.compute.withdraw(run)
        self._one_gpu_days *= run.unfinished

    def resume(self) -> None:
        """Continue an interrupted run on the GPUs that are available now."""
        self._request_run(self._one_gpu_days)

    def _length(self) -> float:
        """Return the length of the next run on the lab's GPUs without failures [days]."""
        work = self._work()
        return float(work / self.policy.gpus_of_run(work) ** self.settings.training.scaling)

    def _work(self) -> float:
        return float(self.settings.training.first_run_work * 2.0**-self.shorter)

    def _start_run(self) -> None:
        waiting, gain = self.deployment.discovered - self.consumed_doublings, self.settings.training.gain_doublings
        if math.isclose(waiting, gain, rel_tol=0.0, abs_tol=2 * LEVEL_TOLERANCE):
            waiting = max(waiting, gain)
        plan = self.policy.plan_generation(waiting, self._length())
        self.consumed_doublings += plan.taken
        self._pending_gain = plan.better
        self._request_run(self._work())
        self.shorter += plan.shorter

    def _request_run(self, one_gpu_days: float) -> None:
        """Submit a run of this length on one GPU [days]."""
        self._one_gpu_days = one_gpu_days
        gpus = self.policy.gpus_of_run(one_gpu_days)
        days = one_gpu_days / gpus**self.settings.training.scaling
        self._run = self.compute.submit_job("training", gpus, days, self.identity, self.on_trained)
        self.deployment.record_request(self.generation, gpus, days)

    def on_trained(self, run: JobHandle) -> None:
        """Deploy the software of a training run that is over."""
        if run is not self._run:
            return  # the run was interrupted, and continues as another job
        self._run = None
        self.deployment.deploy(self.generation, self._pending_gain)
