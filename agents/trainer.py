"""The trainer: it decides when to retrain, and how large and how long each run is."""

import math
from typing import Annotated

import mesa
from annotated_types import Interval
from pydantic import BaseModel
from simpy import Event

from agents.ports import Lab

ENOUGH = 1e-9
"""Doublings: a gain that is short by rounding alone is a gain."""


class TrainingParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """How a lab turns discovered software into deployed software."""

    needed: bool = True
    """Whether a new generation needs a training run. Without, software is deployed as soon as it has gained
    enough. Source: the report examines both (from p. 36)."""
    first_run_days: Annotated[float, Interval(ge=1e-3, le=10_000), "days"] = 2 * 365 / 12
    """How long the first training run takes. Source: the report's example, two months (p. 38, footnote 43)."""
    gain: Annotated[float, Interval(ge=1.01, le=1e6), "times"] = 2.0
    """The gain of discovered software that one generation takes up: a run starts, or without runs a generation
    is deployed, as soon as so much is waiting. Source: 2, the toy model's doublings; near 1 software is deployed
    almost continuously, and the report's example of a training run takes 30 at once."""
    speed_share: Annotated[float, Interval(ge=0, le=1), "exponent"] = 0.323
    """phi: of a gain g, g^phi makes the run shorter and g^(1-phi) the model better, so that each run takes
    k = g^-phi of the one before. Source: the report's example, 30x = 3x shorter and 10x better: log 3/log 30."""
    gpus: Annotated[int, Interval(ge=0, le=1_000_000), "GPUs"] = 0
    """GPUs that a run holds; 0 is all that the cluster's training share has. Source: our choice; the length of
    a run is what `first_run_days` says, on however many GPUs."""

    @property
    def gain_doublings(self) -> float:
        """The gain of a generation as doublings."""
        return math.log2(self.gain)


class Trainer(mesa.Agent):
    """The agent that brings discovered software to the researchers, a generation of one gain at a time."""

    def __init__(self, model: mesa.Model, lab: Lab) -> None:
        super().__init__(model)
        self.unique_id = 0
        self.lab = lab
        self.generation = 0
        """The latest generation that was deployed or is being trained."""
        self.taken_up = 0.0
        """Discovered doublings that the generations so far have taken up."""
        self.run_days = lab.training_params.first_run_days
        """How long the next training run takes."""
        self._training = False
        self._brings = 0.0
        """Doublings by which the run under way makes deployed software better, whatever is changed meanwhile."""

    @property
    def next_gain_at(self) -> float:
        """The discovered doublings at which the next generation can begin."""
        return self.taken_up + self.lab.training_params.gain_doublings

    def consider(self) -> None:
        """Begin the generations for which a whole gain of discovered software waits, one run at a time."""
        while not self._training and self.lab.discovered_doublings() >= self.next_gain_at - ENOUGH:
            self.taken_up = self.next_gain_at
            self.generation += 1
            if self.lab.training_params.needed:
                self._train()
            else:
                self.lab.deploy(self.generation, self.lab.training_params.gain_doublings)

    def _train(self) -> None:
        self._training = True
        params = self.lab.training_params
        self._brings = (1 - params.speed_share) * params.gain_doublings
        gpus = params.gpus or self.lab.gpus_for_training()
        run = self.lab.ask_gpus("training", gpus, self.run_days, self.unique_id)
        run.callbacks.append(self._trained)
        self.lab.training_started(self.generation, gpus, self.run_days)
        self.run_days *= 2.0 ** (-params.speed_share * params.gain_doublings)

    def _trained(self, run: Event) -> None:
        self._training = False
        self.lab.deploy(self.generation, self._brings)
        self.consider()
