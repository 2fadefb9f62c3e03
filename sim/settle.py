"""Settle what happened in an instant, in fixed stages.

Agents and jobs only hand in what they did: papers, deployments, changes of the inference GPUs. The clock calls
:func:`settle` once no event of the instant is left. A stage may schedule an event at the same time; that event is
processed next, and another settlement follows.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple

from sim.lab import Lab


class Stage(NamedTuple):
    """A stage of the settlement of one lab."""

    name: str
    run: Callable[[Lab], None]


REPEATED_STAGES: Final = (
    Stage("publications", Lab.count_publications),
    Stage("software", Lab.update_software),
    Stage("compute", Lab.divide_gpus),
    Stage("workforce", Lab.update_workforce),
)
"""Stages that are repeated until every inbox is empty.

1. Publications are counted up to the next step of software.
2. Doublings are recorded, software and kernels are deployed, and training runs start.
3. The policy reviews its decisions if that is due, and divides the GPUs.
4. When all papers are counted, the number of active researchers changes.
"""

FINAL_STAGES: Final = (Stage("endings", Lab.check_endings),)
"""Stages that follow when every inbox is empty: a lab ends if a goal is reached."""

MAX_ROUNDS: Final = 100_000
"""Largest number of rounds in one instant; each round counts papers up to one step of software."""


class SettlementError(RuntimeError):
    """Report that the effects of an instant cause further effects without end."""


def settle(labs: Collection[Lab]) -> None:
    """Run each stage for the labs in which something happened, until nothing is left.

    What a lab hands to another lab in a stage lets that lab take part from then on.

    Raises SettlementError if the inboxes do not become empty.
    """
    for _ in range(MAX_ROUNDS):
        _run_stages(REPEATED_STAGES, labs)
        if _is_settled(labs):
            _run_stages(FINAL_STAGES, labs)
            if _is_settled(labs):  # a lab that ends while others go on still deactivates its researchers
                for lab in labs:
                    lab.is_settlement_due = False
                return
    inbox = next(lab.full_inbox for lab in labs if lab.is_settlement_due and lab.is_unsettled)
    raise SettlementError(
        f"The inbox of {inbox} is not empty after {MAX_ROUNDS:,} rounds in one instant; allowed: an empty one. "
        "Let the agent that hands in wait for some time in between."
    )


def _run_stages(stages: Sequence[Stage], labs: Collection[Lab]) -> None:
    for _, run in stages:
        for lab in labs:
            if lab.is_settlement_due:
                run(lab)


def _is_settled(labs: Collection[Lab]) -> bool:
    return not any(lab.is_settlement_due and lab.is_unsettled for lab in labs)
