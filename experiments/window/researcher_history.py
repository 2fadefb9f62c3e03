"""The life of one researcher so far, from what the run has written down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agents.phases import Phase
from experiments.window.number_format import format_count, format_factor, pluralize
from hardware.cluster.jobs import JobRecord
from sim.events import CohortFormed, PaperPublished, ResearchersHoused

if TYPE_CHECKING:
    from agents.researcher import Researcher
    from sim.world import World

MAX_LINES = 500
"""Of a life; a longer one is told from its beginning and its end."""

Line = tuple[float, str]

_DOES = {
    Phase.THINK: "thinks about its next paper",
    Phase.QUEUE: "waits for GPUs for its experiment",
    Phase.RUN: "runs its experiment",
    Phase.WRITE: "writes up its paper",
    Phase.PAUSED: "rests: no inference GPU houses it",
}


def life_of(world: World, number: int) -> list[Line]:
    """Return what a researcher has done: days and sentences, the oldest first.

    For a member of a cohort these are its days before it joined: a cohort has only counts of its members.
    """
    if not 1 <= number <= world.population.size:
        return [(world.now, f"There is no researcher {number:,}: there are {world.population.size:,}.")]
    joined = _joined(world, number)
    lines = [*_came(world, number, joined), *_papers(world, number), *_experiments(world, number, joined)]
    lines.sort(key=lambda line: line[0])
    return [*_shortened(lines), (world.now, _now(world, number))]


def _came(world: World, number: int, joined: CohortFormed | None) -> Iterator[Line]:
    """How it went to work, and became one of a cohort."""
    came = 0.0
    for event in world.ledger:
        if isinstance(event, ResearchersHoused) and event.researchers >= number:
            came = event.day
            break
    alone = joined is None or came < joined.day
    yield came, "It goes to work." if alone else "It goes to work in a cohort, in which nobody is followed alone."
    if joined is not None and alone:
        yield joined.day, f"It becomes one of a cohort of {joined.researchers:,}, in which nobody is followed alone."


def _joined(world: World, number: int) -> CohortFormed | None:
    """When it became part of a cohort, if it did; who came later did at once."""
    if any(each.unique_id == number for each in world.population.researchers):
        return None
    return next((event for event in world.ledger if isinstance(event, CohortFormed)), None)


def _papers(world: World, number: int) -> list[Line]:
    """Its own papers; a cohort, whose number is that of its first researcher, hands its papers in as many."""
    lines = []
    field = world.scenario.literature.open_questions
    for event in world.ledger:
        if isinstance(event, PaperPublished) and event.researcher == number and event.authors == 1 and event.paper:
            became = "a duplicate of what others found meanwhile" if event.duplicates else "and it was new"
            says = f"It publishes paper {event.paper - field:,}, {became}; software {format_factor(event.discovered)}."
            lines.append((event.day, says))
    return lines


def _experiments(world: World, number: int, joined: CohortFormed | None) -> Iterator[Line]:
    """Its experiments that are over; later ones under this number are those of the whole cohort."""
    for record in world.datacenter.records:
        own = joined is None or record.submitted <= joined.day
        if own and record.owner == number and record.use == "experiment":
            yield from _experiment(record)


def _experiment(record: JobRecord) -> list[Line]:
    lines = [
        (
            record.submitted,
            f"It asks for {pluralize(record.gpus, 'GPU')} for an experiment of {pluralize(record.length, 'day')}.",
        )
    ]
    if record.started is None:
        return [*lines, (record.ended, "Its experiment is withdrawn.")]
    waited = record.started - record.submitted
    after = f"after {pluralize(waited, 'day')}" if waited else "at once"
    them = "GPU" if record.gpus == 1 else f"{format_count(record.gpus)} GPUs"
    lines.append((record.started, f"It gets the {them} {after}."))
    broken = [pluralize(n, what) for n, what in ((record.failures, "failure"), (record.preemptions, "preemption")) if n]
    lines.append((record.ended, "Its experiment is over" + (f", after {' and '.join(broken)}." if broken else ".")))
    return lines


def _now(world: World, number: int) -> str:
    one = next((each for each in world.population.researchers if each.unique_id == number), None)
    if one is not None:
        return _does(one)
    if world.population.cohorts:
        size = world.population.in_cohorts
        return f"Now it is one of {size:,} researchers of a cohort, all alike: only how many do what is known, not who."
    return "Now it thinks, in a pool in which nobody has a life of its own."


def _does(one: Researcher) -> str:
    return f"Now it {_DOES[one.phase]}; {pluralize(one.papers, 'paper')} so far."


def _shortened(lines: list[Line]) -> list[Line]:
    if len(lines) <= MAX_LINES:
        return lines
    half = MAX_LINES // 2
    left_out = (lines[half][0], f"({len(lines) - 2 * half:,} more lines are left out.)")
    return [*lines[:half], left_out, *lines[-half:]]
