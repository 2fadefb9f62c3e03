"""Test the conformance suite for trainers: a correct trainer passes, and each plausible mistake is found."""

import pytest

from agents.trainer import Trainer
from sim.testing import check_trainer

BUSY = {
    "growth__law": "returns",
    "growth__first_doubling_days": 5.0,
    "growth__calibrated_for": 0,
    "growth__limit_doublings": 0.0,
    "humans__initial": 0,
    "researcher__experiment_gpu_days": 0.0,
    "training__required": True,
    "training__gain": 1.2,
    "run__horizon_days": 60.0,
    "run__sample_days": 1.0,
    "run__max_doublings": 3,
}
"""Labs that discover software all the time, whatever else is drawn."""
TRAINED = BUSY | {"training__first_run_days": 2.0}
LONG_RUNS = BUSY | {"training__first_run_days": 20.0, "policy__name": "fixed"}
"""Labs in which a training run is under way at most moments, and stays on its GPUs."""


class ShippedTrainer(Trainer):
    """The trainer of asara."""


class DeploysAtTheStart(Trainer):
    """A generation that is deployed when its run begins."""

    def start_due_generations(self):
        before = self.generation
        super().start_due_generations()
        if self.run is not None and self.generation > before:
            self.deployment.deploy(self.generation, self.pending_gain)


class TrainsTwoAtOnce(Trainer):
    """A second run beside the first."""

    def start_due_generations(self):
        super().start_due_generations()
        if self.run is not None and self.generation == 1:
            self.generation += 1
            self.deployment.record_request(self.generation, 1, 1.0)


class NeverTrains(Trainer):
    """No generation begins."""

    def start_due_generations(self):
        pass


class SkipsGeneration(Trainer):
    """Numbers of generations with gaps."""

    def start_due_generations(self):
        if self.run is None and self.policy.begins_generation(self.deployment.discovered, self.consumed_doublings):
            self.generation += 1
        super().start_due_generations()


class DeploysMore(Trainer):
    """A pending gain above what is consumed."""

    @property
    def pending_gain(self):
        return 2 * super().pending_gain + 1.0 if self.run is not None else 0.0


class KeepsPendingGain(Trainer):
    """A pending gain without a run."""

    @property
    def pending_gain(self):
        return super().pending_gain or 1e-3


class ConsumesMore(Trainer):
    """More is consumed than is discovered."""

    def start_due_generations(self):
        before = self.generation
        super().start_due_generations()
        if self.generation > before:
            self.consumed_doublings += 5.0


class AddsWork(Trainer):
    """An interruption that makes the run longer."""

    interruptions = 0

    def interrupt(self):
        super().interrupt()
        self.interruptions += 1

    @property
    def run_days(self):
        return super().run_days * (1 + self.interruptions)


class ForgetsToResume(Trainer):
    """An interrupted run that does not continue."""

    def resume(self):
        pass


class TrainsWithoutNeed(Trainer):
    """A training run in a lab that needs none."""

    def start_due_generations(self):
        if self.generation == 0:
            self.deployment.record_request(1, 1, 1.0)
        super().start_due_generations()


class CountsQueries(Trainer):
    """A query that changes the next run."""

    @property
    def deployment_gap_doublings(self):
        self.shorter += 0.01
        return super().deployment_gap_doublings


class Unsaved(Trainer):
    """State that a snapshot cannot contain."""

    def start_due_generations(self):
        super().start_due_generations()
        self.rule = lambda: 1


@pytest.mark.slow
def test_check_trainer_shipped_trainer_conforms():
    check_trainer(ShippedTrainer, examples=20)


@pytest.mark.slow
def test_check_trainer_conforms_if_its_runs_move_often():
    moving = {"policy__name": "adaptive", "policy__review_days": 0.5, "policy__step_share": 0.5}
    check_trainer(ShippedTrainer, 8, **TRAINED, **moving)


@pytest.mark.parametrize(
    ("trainer", "fixed", "problem"),
    [
        (DeploysAtTheStart, LONG_RUNS, "could not end before day"),
        (TrainsTwoAtOnce, TRAINED, "the training run of generation 2 was requested"),
        (NeverTrains, TRAINED, "no run is under way, and none begins"),
        (SkipsGeneration, TRAINED, "the training run of generation 2 was requested"),
        (DeploysMore, TRAINED, "more than the .* consumed"),
        (KeepsPendingGain, TRAINED, "without a training run; must be 0"),
        (ConsumesMore, TRAINED, "doublings are consumed, and"),
        (AddsWork, LONG_RUNS, "days after an interruption"),
        (ForgetsToResume, LONG_RUNS, r"resume\(\) begins no training run"),
        (TrainsWithoutNeed, {"training__required": False}, "and the scenario needs none"),
        (CountsQueries, TRAINED, "a query changed the trainer"),
        (Unsaved, TRAINED, "lambda"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_check_trainer_finds_the_mistake(trainer, fixed, problem):
    with pytest.raises(AssertionError, match=problem) as found:
        check_trainer(trainer, examples=15, **fixed)
    assert "Scenario().replace(" in str(found.value)


def test_check_trainer_without_examples_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        check_trainer(Trainer, examples=0)
