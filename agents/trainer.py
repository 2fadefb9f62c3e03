"""Decide when to retrain, on how many GPUs, and how a generation divides its gain."""

from typing import Any, NamedTuple

import mesa
import numpy as np
from simpy import Event

from agents.ports import Lab

LEVEL_TOLERANCE = 1e-9
"""Tolerance of gains, for rounding errors [doublings]."""
Array = Any
"""A float or a NumPy array of floats."""


class TrainingGeneration(NamedTuple):
    """The doublings that a training run consumes, and their division."""

    taken: Array
    better: Array
    """Doublings by which deployed software gets better."""
    shorter: Array
    """Doublings by which the next run is shorter."""


def plan_generation(
    waiting: Array, gain: Array, takes_all: Array, length: Array, speedup_exponent: Array, shortest: Array
) -> TrainingGeneration:
    """Return the plan of a generation, for numbers or arrays of them: the one rule of the agents and the equations.

    ``waiting``: discovered doublings that no generation has taken up. ``length``: days of its run on the lab's GPUs
    without failures. A share phi = ``speedup_exponent`` goes into shorter runs, but no more than makes the next one as
    short as ``shortest`` days (0: no such length).
    """
    taken = np.where(takes_all, waiting, np.minimum(gain, waiting))
    with np.errstate(divide="ignore"):
        room = np.where(
            shortest > 0, np.maximum(0.0, np.log2(length) - np.log2(np.where(shortest > 0, shortest, 1.0))), np.inf
        )
    shorter = np.minimum(speedup_exponent * taken, room)
    return TrainingGeneration(taken, taken - shorter, shorter)


class Trainer(mesa.Agent):
    """Deploy discovered software to the researchers, one generation at a time."""

    def __init__(self, model: mesa.Model, lab: Lab) -> None:
        super().__init__(model)
        self.unique_id = 0
        self.lab = lab
        self.generation = 0
        """Number of the latest generation that is deployed or in training."""
        self.consumed_doublings = 0.0
        """Discovered doublings that the generations so far have consumed."""
        self.shorter = 0.0
        """Doublings by which the next training run is shorter than the first on the same GPUs."""
        self._run: Any = None
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
        return self.consumed_doublings + self.lab.training_params.gain_doublings

    @property
    def deployment_gap_doublings(self) -> float:
        """Doublings that deployed software lacks because of training: those of the present run, and those that wait."""
        if not self.lab.training_params.required:
            return 0.0
        waiting = max(0.0, self.lab.discovered_doublings() - self.consumed_doublings)
        params = self.lab.training_params
        later = plan_generation(
            waiting, waiting, True, self._length(), params.speedup_exponent, params.shortest_run_days
        ).better
        return float(later) + self.pending_gain

    def start_due_generations(self) -> None:
        """Begin each generation for which a whole gain of discovered software waits, one run at a time."""
        while self._run is None and self.lab.discovered_doublings() >= self.next_gain_at - LEVEL_TOLERANCE:
            self.generation += 1
            params = self.lab.training_params
            if params.required:
                self._start_run()
            else:
                self.consumed_doublings = self.next_gain_at
                self.lab.deploy(self.generation, params.gain_doublings)

    @property
    def run(self) -> Any:
        """Job of the present training run; None without a run."""
        return self._run

    def interrupt(self) -> None:
        """Stop the present run at its checkpoint; :meth:`resume` continues it."""
        run = self._run
        run.callbacks.remove(self._on_trained)
        self.lab.withdraw(run)
        self._one_gpu_days *= run.unfinished

    def resume(self) -> None:
        """Continue an interrupted run on the GPUs that are available now."""
        self._request_run(self._one_gpu_days)

    def _length(self) -> float:
        """Return the length of the next run on the lab's GPUs without failures [days]."""
        work = self._work()
        return float(work / self.lab.gpus_for_training(work) ** self.lab.training_params.scaling)

    def _work(self) -> float:
        return float(self.lab.training_params.first_run_work * 2.0**-self.shorter)

    def _start_run(self) -> None:
        params = self.lab.training_params
        waiting = max(self.lab.discovered_doublings() - self.consumed_doublings, params.gain_doublings)
        plan = plan_generation(
            waiting,
            params.gain_doublings,
            params.takes_up == "all",
            self._length(),
            params.speedup_exponent,
            params.shortest_run_days,
        )
        self.consumed_doublings += float(plan.taken)
        self._pending_gain = float(plan.better)
        self._request_run(self._work())
        self.shorter += float(plan.shorter)

    def _request_run(self, one_gpu_days: float) -> None:
        """Submit a run of this length on one GPU [days]."""
        self._one_gpu_days = one_gpu_days
        gpus = self.lab.gpus_for_training(one_gpu_days)
        days = one_gpu_days / gpus**self.lab.training_params.scaling
        self._run = self.lab.submit_job("training", gpus, days, self.unique_id)
        self._run.callbacks.append(self._on_trained)
        self.lab.training_requested(self.generation, gpus, days)

    def _on_trained(self, run: Event) -> None:
        self._run = None
        self.lab.deploy(self.generation, self._pending_gain)
        self.start_due_generations()
