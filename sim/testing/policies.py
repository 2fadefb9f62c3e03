"""Check the conformance of a lab's policy: the properties on which a lab relies."""

import math

from agents.lab_policy import LabPolicy
from hardware.uses import Use
from sim.lab import Lab
from sim.lab_factory import LabFactory
from sim.testing.lab_runs import check_lab_runs
from sim.world import World

_CLOSE = 1e-9
"""Tolerance for rounding, of shares and of doublings."""


def check_policy(policy: type[LabPolicy], examples: int = 30, **fixed: object) -> None:
    """Check the conformance of a policy in small labs, which run to their ends.

    The properties are:

    - The shares of the GPUs are not negative and add up to at most 1, and every job can still start.
    - The delay of publications is not negative.
    - The share of safety is at least 0 and below 1.
    - No generation begins while no software waits, and the next one begins above what is consumed.
    - A generation takes up at most what waits, and its parts add up to at most what it takes up.
    - A training run has from 1 GPU to as many as one job can have.
    - A query changes nothing: the run is the same if no decision is queried between its events.
    - A run that is saved and restored goes on alike. :func:`check_invariants` passes after every frame.

    Arguments
    ---------
    policy
        The class, defined in a module so that a snapshot can store it.
    examples
        Number of labs, at least 1.
    fixed
        Parameters that all labs have, by flat name.

    Raises AssertionError with the violated property, the seed and the scenario, also if the policy itself raises an
    error. Raises ValueError if ``examples`` is below 1.
    """
    check_lab_runs(LabFactory(policy=policy), _check_running_lab, examples, "policy", **fixed)


def _check_running_lab(world: World) -> None:
    if world.running:
        check_decisions(world.lab)


def check_decisions(lab: Lab) -> None:
    """Assert the properties of the present decisions of a lab's policy.

    Raises AssertionError with the first property that is violated.
    """
    policy, training, params = lab.policy, lab.training, lab.settings.training
    split = policy.gpu_split()
    shares = (split.inference, split.training)
    assert all(math.isfinite(share) and share >= 0 for share in shares), f"gpu_split() = {split}: a share is negative"
    assert sum(shares) <= 1 + _CLOSE, f"gpu_split() = {split}: the shares add up to {sum(shares):g}, more than 1"
    days = policy.review_days
    assert math.isfinite(days) and days >= 0, f"review_days = {days:g}: must be at least 0 and finite"
    delay = policy.publication_delay_days
    assert delay >= 0, f"publication_delay_days = {delay:g}: must be from 0 to math.inf"
    safety = policy.safety_share
    assert 0 <= safety < 1, f"safety_share = {safety:g}: must be at least 0 and below 1"
    consumed = training.consumed_doublings
    following = policy.next_generation_at(consumed)
    assert following > consumed, f"next_generation_at({consumed:g}) = {following:g}: must be above {consumed:g}"
    assert not policy.begins_generation(consumed, consumed), (
        f"begins_generation({consumed:g}, {consumed:g}) is true: no software waits, so that generations would begin "
        "without end"
    )
    for waiting in (params.gain_doublings, 2 * params.gain_doublings):
        plan = policy.plan_generation(waiting, 10.0)
        assert 0 < plan.taken <= waiting + _CLOSE, f"plan_generation({waiting:g}, 10) = {plan}: takes up too much"
        parts = plan.better + plan.shorter
        assert min(plan.better, plan.shorter) >= 0 and parts <= plan.taken + _CLOSE, (
            f"plan_generation({waiting:g}, 10) = {plan}: the parts are negative or add up to {parts:g}"
        )
    if params.required:
        largest = lab.compute.largest_gang(Use.TRAINING)
        gpus = policy.gpus_of_run(params.first_run_work)
        assert isinstance(gpus, int) and 1 <= gpus <= largest, (
            f"gpus_of_run({params.first_run_work:g}) = {gpus}: must be a whole number from 1 to {largest}"
        )
