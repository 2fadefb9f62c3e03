"""Check the conformance of a trainer: the properties on which a lab relies."""

import math
from itertools import pairwise

from agents.trainer import Trainer
from sim.events import Deployed, TrainingRequested
from sim.lab import Lab
from sim.lab_factory import LabFactory
from sim.software import SUM_TOLERANCE
from sim.testing.lab_runs import check_lab_runs
from sim.world import World

_ROUNDING = 1e-9
"""Relative tolerance for rounding of times."""


def check_trainer(trainer: type[Trainer], examples: int = 30, **fixed: object) -> None:
    """Check the conformance of a trainer in small labs, which run to their ends.

    The properties are:

    - Generations are numbered 1, 2, 3 and so on, and each is deployed once. Its training run is requested after the
      generation before is deployed.
    - No generation is deployed before its training run can have ended. Without training runs none is requested.
    - Deployed software and the gain of the present run are together at most what the generations have consumed.
    - What the generations have consumed is at most what is discovered.
    - No generation that is due by the policy waits while no run is under way.
    - A run that is interrupted and resumed has at most the work that was left.
    - A query changes nothing, and a run that is saved and restored goes on alike. :func:`check_invariants` passes after
      every frame.

    Arguments
    ---------
    trainer
        The class, defined in a module so that a snapshot can store it.
    examples
        Number of labs, at least 1.
    fixed
        Parameters that all labs have, by flat name.

    Raises AssertionError with the violated property, the seed and the scenario, also if the trainer itself raises an
    error. Raises ValueError if ``examples`` is below 1.
    """
    check_lab_runs(LabFactory(trainer=trainer), _check_world, examples, "trainer", **fixed)


def _check_world(world: World) -> None:
    check_generations(world)
    check_accounting(world.lab)
    if world.running and _is_power_of_two(world.steps):
        _check_interruption(world)


def _is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def check_generations(world: World) -> None:
    """Assert the order and the times of the training runs and deployments of a World so far.

    Raises AssertionError with the first property that is violated.
    """
    is_required, deployed = world.lab.settings.training.required, 0
    requested: TrainingRequested | None = None
    fastest = world.lab.compute.datacenter.speed_range[1]
    for event in world.ledger:
        if isinstance(event, TrainingRequested):
            assert is_required, f"a training run was requested on day {event.day:g}, and the scenario needs none"
            assert event.generation == deployed + 1, (
                f"the training run of generation {event.generation} was requested on day {event.day:g}, when "
                f"generation {deployed} was the latest that was deployed; must be {deployed + 1}"
            )
            requested = event
        elif isinstance(event, Deployed):
            assert event.generation == deployed + 1, (
                f"generation {event.generation} was deployed after generation {deployed}; must be {deployed + 1}"
            )
            deployed = event.generation
            if is_required:
                assert requested is not None and requested.generation == deployed, (
                    f"generation {deployed} was deployed without a training run"
                )
                soonest = requested.day + requested.run_days / fastest
                assert event.day >= soonest * (1 - _ROUNDING), (
                    f"generation {deployed} was deployed on day {event.day:g}; its training run could not end before "
                    f"day {soonest:g}"
                )
    levels = [event.deployed for event in world.ledger if isinstance(event, Deployed)]
    assert all(one <= other for one, other in pairwise(levels)), "deployed software fell"


def check_accounting(lab: Lab) -> None:
    """Assert the accounting of a lab's trainer now.

    Raises AssertionError with the first property that is violated.
    """
    trainer, software = lab.training, lab.knowledge.software
    consumed, pending = trainer.consumed_doublings, trainer.pending_gain
    assert 0 <= consumed <= software.discovered + SUM_TOLERANCE, (
        f"{consumed:g} doublings are consumed, and {software.discovered:g} are discovered"
    )
    assert pending >= 0, f"pending_gain = {pending:g}: must not be negative"
    assert pending == 0 or trainer.run is not None, f"pending_gain = {pending:g} without a training run; must be 0"
    assert software.deployed + pending <= consumed + SUM_TOLERANCE, (
        f"{software.deployed:g} doublings are deployed and {pending:g} in training, more than the {consumed:g} consumed"
    )
    gap, days = trainer.deployment_gap_doublings, trainer.run_days
    assert math.isfinite(gap) and gap >= 0, f"deployment_gap_doublings = {gap:g}: must be at least 0 and finite"
    assert math.isfinite(days) and days >= 0, f"run_days = {days:g}: must be at least 0 and finite"
    if trainer.run is None and not lab.knowledge.is_complete:
        assert not lab.policy.begins_generation(lab.knowledge.discovered, consumed), (
            f"a generation is due at {lab.knowledge.discovered:g} doublings with {consumed:g} consumed, "
            "no run is under way, and none begins"
        )


def _check_interruption(world: World) -> None:
    """Interrupt and resume the present run in a copy of a world, and run the copy on."""
    if world.lab.training.run is None:
        return
    with World.restore(world.snapshot()) as copy:
        trainer = copy.lab.training
        assert trainer.run is not None, "a restored trainer has no training run"
        gpus, days, consumed = trainer.run.gpus, trainer.run_days, trainer.consumed_doublings
        trainer.interrupt()
        assert trainer.run is None, "interrupt() leaves a training run under way"
        trainer.resume()
        assert trainer.run is not None, "resume() begins no training run"
        if trainer.run.gpus == gpus:
            assert trainer.run_days <= days * (1 + _ROUNDING), (
                f"a run of {days:g} days has {trainer.run_days:g} days after an interruption"
            )
        assert trainer.consumed_doublings == consumed, (
            f"an interruption changed consumed_doublings from {consumed:g} to {trainer.consumed_doublings:g}"
        )
        copy.step()
        check_generations(copy)
        check_accounting(copy.lab)
