"""What limits progress now: a rule on the state of this moment, and the facts beside it.

Experiments that queue at full GPUs: more researchers would only lengthen the queue, so GPUs limit. Otherwise
researchers limit, or training runs if discovered software waits for them: the rule cannot tell which of these two. It
names a limit at once; :mod:`experiments.window.moment_margins` measures the elasticities of the same moment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from agents.phases import Phase
from experiments.window.number_format import format_count, format_factor, pluralize
from sim import reporters

if TYPE_CHECKING:
    from sim.world import World

STRETCH_DAYS = 30.0
MIN_GAP = 0.5
"""Doublings of software that are discovered and not at work, from which on they are told of."""
MAX_ROWS = 64
"""Frames of the stretch that are looked at; of more every k-th."""
MIN_DUPLICATES = 0.05
"""Share of duplicates among the papers of the stretch from which on it is reported."""
COLUMNS = (
    "day",
    "papers",
    "duplicates",
    "researchers_think",
    "researchers_write",
    "researchers_queue",
    "researchers_run",
    "researchers_paused",
)


class Limit(NamedTuple):
    """What limits progress, over the last stretch of a run."""

    part: str
    """researchers, queue, paused or training (training runs or researchers); nothing before any work was done."""
    state: str
    """What is so at this moment, as half a sentence that follows the name of the limit."""
    also: str
    """What else holds it back; empty if nothing does."""
    shares: tuple[tuple[str, float], ...]
    """Of the researcher-days since then: name and share; they add up to 1."""
    since: float
    """The day on which the stretch began."""
    waiting: str
    """The share of the researchers that wait for GPUs now, in words; empty if papers take no experiments."""
    duplicates: str
    """The share of the papers of the stretch that are duplicates, in words; empty if it is small."""


class _Row(NamedTuple):
    day: float
    papers: float
    duplicates: float
    think: float
    write: float
    queue: float
    run: float
    paused: float


def limit_of(world: World) -> Limit:
    """Return what limits a world's progress now, and where its researchers' time of the last 30 days went.

    The shares are those of :func:`sim.reporters.time_shares`, whose experiments are told apart here: those that wait
    for GPUs (queue), and those that run. They are an accounting; the rule is about this moment.
    """
    rows = _rows(world)
    days = dict.fromkeys(("researchers", "queue", "experiments", "paused"), 0.0)
    before = rows[0].day
    for row in rows:
        weight = row.day - before
        before = row.day
        days["researchers"] += weight * (row.think + row.write)
        days["queue"] += weight * row.queue
        days["experiments"] += weight * row.run
        days["paused"] += weight * row.paused
    total = sum(days.values())
    if total <= 0:
        return Limit("nothing", "no work has been done yet: press Step, or Play.", "", (), rows[0].day, "", "")
    shares = tuple((name, part / total) for name, part in days.items())
    part = _binds(world)
    also = _not_at_work(world) if part != "training" else ""
    return Limit(
        part, _STATES[part](world), also, shares, rows[0].day, _waiting_now(world), _duplicates(world, rows[0])
    )


def _binds(world: World) -> str:
    """What binds at this moment."""
    census = world.census.count
    free = reporters.gpus_idle(world)
    if world.scenario.cluster.sharing == "shares":
        pool = world.datacenter.pool("experiment")
        free = 0 if pool is None else pool.capacity - pool.in_use
    if census[Phase.QUEUE] and free < world.scenario.cluster.gpus_per_node:
        return "queue"
    if census[Phase.PAUSED] > world.active_researchers:
        return "paused"
    return "training" if world.trainer.deployment_gap_doublings >= MIN_GAP else "researchers"


def _rows(world: World) -> list[_Row]:
    """What was seen in the last stretch, and what there is now."""
    columns: Sequence[Sequence[float]] = [world.datacollector.model_vars[name] for name in COLUMNS]
    days = columns[0]
    first = min(bisect_left(days, world.now - STRETCH_DAYS), len(days) - 1)
    stride = max(1, (len(days) - first) // MAX_ROWS)
    rows = [_Row(*(float(column[at]) for column in columns)) for at in range(len(days) - 1, first - 1, -stride)]
    return rows[::-1]


def _researchers(world: World) -> str:
    return f"no experiment waits for GPUs, so more than {format_count(world.active_researchers)} would do more."


def _queue(world: World) -> str:
    waiting = world.census.count[Phase.QUEUE]
    return (
        f"{pluralize(waiting, 'experiment waits', 'experiments wait')} and the GPUs are full, so more "
        "researchers would "
        "only lengthen the queue."
    )


def _waiting_now(world: World) -> str:
    """The share of the researchers that wait at this moment, and GPUs of other uses that are idle meanwhile."""
    if not world.scenario.researcher.experiment_gpu_days:
        return ""
    waiting, active = world.census.count[Phase.QUEUE], max(1, world.active_researchers)
    told = (
        f"{waiting / active:.0%} of the researchers wait for GPUs now ({format_count(waiting)} of "
        f"{format_count(active)})"
    )
    idle = _idle_elsewhere(world) if waiting else ""
    return f"{told}{f', while {idle}' if idle else ''}."


def _idle_elsewhere(world: World) -> str:
    """GPUs that experiments cannot have and that no job holds; empty if there are none."""
    if world.scenario.cluster.sharing != "shares":
        return ""
    pool, uses = world.datacenter, []
    for use in ("training", "inference"):
        there = pool.pool(use)
        idle = 0 if there is None else there.capacity - pool.gpus_in_use(use)
        if idle > 0:
            uses.append(f"{pluralize(idle, 'GPU')} for {use} {'is' if idle == 1 else 'are'} idle")
    return " and ".join(uses)


def _duplicates(world: World, start: _Row) -> str:
    """The share of duplicates among the papers since a moment, and what they count."""
    papers = world.papers - start.papers
    share = (world.literature.duplicates - start.duplicates) / papers if papers > 0 else 0.0
    if share < MIN_DUPLICATES:
        return ""
    weight = world.scenario.literature.duplicate_weight
    told = f"{share:.0%} of the papers since day {start.day:.0f} are duplicates"
    if weight == 1:
        return f"{told}; they count in full here."
    lost = share * (1 - weight)
    return f"{told}; each counts {weight:.3g} of a paper, which takes {lost:.0%} of the effort."


def _paused(world: World) -> str:
    return f"{format_count(world.census.count[Phase.PAUSED])} researchers have no GPU to run on."


def _training(world: World) -> str:
    found, working = format_factor(reporters.discovered(world)), format_factor(world.frontier.deployed)
    return f"software {found} is discovered and {working} is at work; {_run(world)}."


def _not_at_work(world: World) -> str:
    """What became of the software that was discovered and is not at work, if there is any to speak of."""
    found, working = reporters.discovered(world), world.frontier.deployed
    if not world.scenario.training.needed or found - working < MIN_GAP:
        return ""
    shorter = "made training runs shorter, or " if world.scenario.training.speed_share else ""
    return (
        f"Software {format_factor(found)} is discovered and {format_factor(working)} at work: the "
        f"difference {shorter}waits for one."
    )


def _run(world: World) -> str:
    pool = world.datacenter.pool("training")
    jobs = [job for job in pool.jobs() if job.use == "training"] if pool is not None else []
    if not jobs:
        return "no run is under way until enough waits to be taken up"
    if not jobs[0].allocation:
        return f"the next run waits for {jobs[0].gpus:,} GPUs"
    return (
        f"the run on {jobs[0].gpus:,} GPUs goes on until day "
        f"{format_count(round(jobs[0].started_at + jobs[0].remaining))}"
    )


_STATES = {"researchers": _researchers, "queue": _queue, "paused": _paused, "training": _training}
