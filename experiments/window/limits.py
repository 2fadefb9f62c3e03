"""What limits progress now, in one sentence: where the researchers' time of the last stretch went."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from agents.phases import Phase
from experiments.window.words import count, times
from sim import observe
from sim.housing import lacking

if TYPE_CHECKING:
    from sim.model import World

STRETCH_DAYS = 30.0
LEAST_GAP = 0.5
"""Doublings of software that are discovered and not at work, from which on they are told of."""
MOST_ROWS = 64
"""Frames of the stretch that are looked at; of more every k-th."""
COLUMNS = (
    "day", "researchers", "discovered", "deployed", "researchers_think", "researchers_write", "researchers_queue",
    "researchers_run", "researchers_paused",
)  # fmt: skip


class Limit(NamedTuple):
    """What limits progress, over the last stretch of a run."""

    part: str
    """researchers, queue, experiments or training; nothing, if nobody has done anything yet."""
    sentence: str
    also: str
    """What else holds it back; empty if nothing does."""
    shares: tuple[tuple[str, float], ...]
    """Of the researcher-days that the discovered software could have given: name and share; they add up to 1."""
    since: float
    """The day on which the stretch began."""


class _Row(NamedTuple):
    day: float
    team: float
    discovered: float
    deployed: float
    think: float
    write: float
    queue: float
    run: float
    paused: float


def limit_of(world: World) -> Limit:
    """Return what limits a world's progress over the last 30 days, as its frames show them.

    The parts are those of :func:`sim.observe.time_shares`, whose experiments are told apart here: those that wait for
    GPUs (queue), and those that run.
    """
    rows = _rows(world)
    days = dict.fromkeys(("researchers", "queue", "experiments", "training"), 0.0)
    before = rows[0].day
    for row in rows:
        weight = row.day - before
        before = row.day
        missing = lacking(world.scenario.training, row.discovered, row.deployed)
        days["researchers"] += weight * (row.think + row.write)
        days["queue"] += weight * row.queue
        days["experiments"] += weight * row.run
        days["training"] += weight * (row.paused + row.team * (2.0**missing - 1))
    total = sum(days.values())
    if total <= 0:
        return Limit("nothing", "Nobody has done anything yet: press Step, or Play.", "", (), rows[0].day)
    shares = {name: part / total for name, part in days.items()}
    part = _largest(shares)
    # What is not retrained yet is nobody's time: a sentence about theirs leaves it out.
    theirs = (
        shares if part == "training" else {name: share / (1 - shares["training"]) for name, share in shares.items()}
    )
    also = _not_at_work(world, shares["training"]) if part != "training" else ""
    return Limit(part, _SENTENCES[part](world, theirs, rows[0].day), also, tuple(shares.items()), rows[0].day)


def _rows(world: World) -> list[_Row]:
    """What was seen in the last stretch, and what there is now."""
    columns: Sequence[Sequence[float]] = [world.datacollector.model_vars[name] for name in COLUMNS]
    days = columns[0]
    first = min(bisect_left(days, world.now - STRETCH_DAYS), len(days) - 1)
    stride = max(1, (len(days) - first) // MOST_ROWS)
    rows = [_Row(*(float(column[at]) for column in columns)) for at in range(len(days) - 1, first - 1, -stride)]
    return rows[::-1]


def _largest(shares: dict[str, float]) -> str:
    """The part that limits: experiments as a whole against the others, then which of their two halves."""
    both = shares["queue"] + shares["experiments"]
    part = max(("researchers", "training"), key=lambda name: shares[name])
    if shares[part] >= both:
        return part
    return "queue" if shares["queue"] >= shares["experiments"] else "experiments"


def _of(share: float, since: float, what: str) -> str:
    return f"{share:.0%} of the researchers' time since day {count(round(since))} went into {what}"


def _researchers(world: World, shares: dict[str, float], since: float) -> str:
    return f"The researchers themselves: {_of(shares['researchers'], since, 'thinking and writing')}."


def _queue(world: World, shares: dict[str, float], since: float) -> str:
    waiting = world.census.count[Phase.QUEUE]
    return (
        f"The queue for GPUs: {_of(shares['queue'], since, 'waiting for GPUs')}; "
        f"{count(waiting)} experiments wait for {world.datacenter.capacity('experiment'):,} GPUs."
    )


def _experiments(world: World, shares: dict[str, float], since: float) -> str:
    return f"Experiments: {_of(shares['experiments'], since, 'experiments that run')}."


def _training(world: World, shares: dict[str, float], since: float) -> str:
    if not world.scenario.training.needed:
        return f"Inference: {_of(shares['training'], since, 'rest: their GPUs were taken')}."
    found, working = times(observe.discovered(world)), times(world.frontier.deployed)
    cost = f"{shares['training']:.0%} of what could have been done since day {count(round(since))}"
    return f"Retraining: software {found} is discovered and {working} is at work, which cost {cost}; {_run(world)}."


def _not_at_work(world: World, share: float) -> str:
    """What became of the software that was discovered and is not at work, if there is any to speak of."""
    found, working = observe.discovered(world), world.frontier.deployed
    if not world.scenario.training.needed or found - working < LEAST_GAP:
        return ""
    shorter = "made training runs shorter, or " if world.scenario.training.speed_share else ""
    return (
        f"Software {times(found)} is discovered and {times(working)} at work: the difference {shorter}waits for one, "
        f"which costs {share:.0%} of what could be done."
    )


def _run(world: World) -> str:
    pool = world.datacenter.pool("training")
    jobs = [job for job in pool.jobs() if job.use == "training"] if pool is not None else []
    if not jobs:
        return "no run is under way until enough waits to be taken up"
    if not jobs[0].seats:
        return f"the next run waits for {jobs[0].gpus:,} GPUs"
    return f"the run on {jobs[0].gpus:,} GPUs goes on until day {count(round(jobs[0].begun + jobs[0].remaining))}"


_SENTENCES = {"researchers": _researchers, "queue": _queue, "experiments": _experiments, "training": _training}
