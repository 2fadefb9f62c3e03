"""What limits progress now, in one sentence, by a rule on the state of this moment.

Experiments that queue at full GPUs: more researchers would only lengthen the queue, so GPUs limit. Otherwise discovered
software that waits for a training run: a faster run would add researchers. Otherwise the researchers themselves. The
rule names what binds now; :mod:`sim.margins` measures what 1% more of each input brings over a whole run.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from agents.phases import Phase
from experiments.window.words import count, times
from sim import observe

if TYPE_CHECKING:
    from sim.model import World

STRETCH_DAYS = 30.0
LEAST_GAP = 0.5
"""Doublings of software that are discovered and not at work, from which on they are told of."""
MOST_ROWS = 64
"""Frames of the stretch that are looked at; of more every k-th."""
COLUMNS = (
    "day", "researchers_think", "researchers_write", "researchers_queue", "researchers_run", "researchers_paused",
)  # fmt: skip


class Limit(NamedTuple):
    """What limits progress, over the last stretch of a run."""

    part: str
    """researchers, queue, paused or training; nothing, if nobody has done anything yet."""
    sentence: str
    also: str
    """What else holds it back; empty if nothing does."""
    shares: tuple[tuple[str, float], ...]
    """Of the researcher-days since then: name and share; they add up to 1."""
    since: float
    """The day on which the stretch began."""


class _Row(NamedTuple):
    day: float
    think: float
    write: float
    queue: float
    run: float
    paused: float


def limit_of(world: World) -> Limit:
    """Return what limits a world's progress now, and where its researchers' time of the last 30 days went.

    The shares are those of :func:`sim.observe.time_shares`, whose experiments are told apart here: those that wait for
    GPUs (queue), and those that run. They are an accounting; the rule is about this moment.
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
        return Limit("nothing", "Nobody has done anything yet: press Step, or Play.", "", (), rows[0].day)
    shares = tuple((name, part / total) for name, part in days.items())
    part = _binds(world)
    also = _not_at_work(world) if part != "training" else ""
    return Limit(part, _SENTENCES[part](world), also, shares, rows[0].day)


def _binds(world: World) -> str:
    """What binds at this moment."""
    census, datacenter = world.census.count, world.datacenter
    free = world.scenario.cluster.gpus - sum(datacenter.gpus_in_use(use) for use in observe.USES)
    if world.scenario.cluster.sharing == "shares":
        pool = datacenter.pool("experiment")
        free = 0 if pool is None else pool.capacity - datacenter.gpus_in_use("experiment")
    if census[Phase.QUEUE] and free < world.scenario.cluster.gpus_per_node:
        return "queue"
    if census[Phase.PAUSED] > world.at_work:
        return "paused"
    return "training" if world.trainer.lacking >= LEAST_GAP else "researchers"


def _rows(world: World) -> list[_Row]:
    """What was seen in the last stretch, and what there is now."""
    columns: Sequence[Sequence[float]] = [world.datacollector.model_vars[name] for name in COLUMNS]
    days = columns[0]
    first = min(bisect_left(days, world.now - STRETCH_DAYS), len(days) - 1)
    stride = max(1, (len(days) - first) // MOST_ROWS)
    rows = [_Row(*(float(column[at]) for column in columns)) for at in range(len(days) - 1, first - 1, -stride)]
    return rows[::-1]


def _researchers(world: World) -> str:
    return f"The researchers themselves: no experiment waits for GPUs, so more of {count(world.at_work)} would do more."


def _queue(world: World) -> str:
    waiting = world.census.count[Phase.QUEUE]
    return (
        f"GPUs for experiments: {count(waiting)} experiments wait and the GPUs are full, so more researchers would "
        "only lengthen the queue."
    )


def _paused(world: World) -> str:
    return f"Inference: {count(world.census.count[Phase.PAUSED])} researchers have no GPU to run on."


def _training(world: World) -> str:
    found, working = times(observe.discovered(world)), times(world.frontier.deployed)
    return f"Training runs: software {found} is discovered and {working} is at work; {_run(world)}."


def _not_at_work(world: World) -> str:
    """What became of the software that was discovered and is not at work, if there is any to speak of."""
    found, working = observe.discovered(world), world.frontier.deployed
    if not world.scenario.training.needed or found - working < LEAST_GAP:
        return ""
    shorter = "made training runs shorter, or " if world.scenario.training.speed_share else ""
    return f"Software {times(found)} is discovered and {times(working)} at work: the difference {shorter}waits for one."


def _run(world: World) -> str:
    pool = world.datacenter.pool("training")
    jobs = [job for job in pool.jobs() if job.use == "training"] if pool is not None else []
    if not jobs:
        return "no run is under way until enough waits to be taken up"
    if not jobs[0].seats:
        return f"the next run waits for {jobs[0].gpus:,} GPUs"
    return f"the run on {jobs[0].gpus:,} GPUs goes on until day {count(round(jobs[0].begun + jobs[0].remaining))}"


_SENTENCES = {"researchers": _researchers, "queue": _queue, "paused": _paused, "training": _training}
