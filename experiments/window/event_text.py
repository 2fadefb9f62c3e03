"""Events of the ledger in words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.window.number_format import format_count, format_factor, pluralize
from sim import events

if TYPE_CHECKING:
    from sim.world import World

LINES = 20
"""Events that are told."""
ONE_BY_ONE = 5
"""Of a row of papers so many, the latest, are told one by one."""
MAX_EVENTS = 20_000
"""Of the ledger that are looked at."""


class EventText(NamedTuple):
    """Something that happened, in words."""

    day: float
    kind: str
    """The name of the event's type, for a colour or a sign."""
    sentence: str


def last_events(world: World) -> tuple[EventText, ...]:
    """Return the latest events of a world, the newest first; papers in a row are told together."""
    lines: list[EventText] = []
    run: list[events.PaperPublished] = []
    field, tried = world.scenario.literature.open_questions, math.inf
    for event in itertools.islice(reversed(world.ledger), MAX_EVENTS):
        if isinstance(event, events.PaperPublished):
            if len(lines) < ONE_BY_ONE and not run:
                lines.append(describe_events(event, field))
            else:
                run.append(event)
            continue
        if isinstance(event, events.KernelsDeployed):
            same, tried = math.floor(event.candidates) == tried, math.floor(event.candidates)
            if same:
                continue  # of the kernels after as many whole candidates the fastest is told
        lines += _together(run, field)
        run = []
        if len(lines) >= LINES:
            break
        lines.append(describe_events(event, field))
    return tuple([*lines, *_together(run, field)][:LINES])


def describe_events(event: events.Event, field: int) -> EventText:
    """Return an event in words; ``field``: the papers before day 0, after which those of the run are numbered."""
    if isinstance(event, events.PaperPublished):
        return EventText(event.day, type(event).__name__, _paper(event, field))
    return EventText(event.day, type(event).__name__, _WORDS[type(event)](event))


def _together(run: list[events.PaperPublished], field: int) -> Iterable[EventText]:
    """A row of papers, newest first, in one line."""
    if len(run) == 1:
        return [describe_events(run[0], field)]
    if not run:
        return []
    papers, duplicates = sum(each.papers for each in run), sum(each.duplicates for each in run)
    since = f"{pluralize(papers, 'paper')} since day {run[-1].day:,.1f}{_duplicates(duplicates)}"
    return [
        EventText(run[0].day, events.PaperPublished.__name__, f"{since}; software {format_factor(run[0].discovered)}.")
    ]


def _duplicates(number: int) -> str:
    return f", {format_count(number)} of them duplicates" if number else ""


def _paper(event: events.PaperPublished, field: int) -> str:
    reached = f"software {format_factor(event.discovered)}"
    if not event.paper:
        return f"Pooled work that is worth {pluralize(event.papers, 'paper')} counts: {reached}."
    if event.papers > 1:
        papers = f"{pluralize(event.papers, 'paper')}{_duplicates(event.duplicates)}"
        return f"A cohort of {format_count(event.authors)} published {papers}: {reached}."
    who = f"Researcher {event.researcher}" if event.authors == 1 else f"One of a cohort of {event.authors:,}"
    if event.duplicates:
        return f"{who} published paper {event.paper - field:,}, a duplicate: others had found it meanwhile."
    return f"{who} published paper {event.paper - field:,}: {reached}."


def _doubled(event: events.SoftwareDoubled) -> str:
    return (
        f"Software doubled for the {_ordinal(event.n)} time, after {pluralize(event.papers, 'paper')}, "
        f"with {pluralize(event.researchers, 'researcher')} at work."
    )


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"


def _measured(event: events.KernelsMeasured) -> str:
    searches = pluralize(event.searches, "measured search", "measured searches")
    return f"Kernels follow {searches} ({event.proposer}) of {event.workload}."


_WORDS: dict[type, Callable[[Any], str]] = {
    events.SoftwareDoubled: _doubled,
    events.TrainingStarted: lambda event: (
        f"Training of generation {event.generation} was asked for: "
        f"{pluralize(event.gpus, 'GPU')} for {pluralize(event.run_days, 'day')}."
    ),
    events.Deployed: lambda event: (
        f"Generation {event.generation} went to work: deployed software is {format_factor(event.deployed)}."
    ),
    events.ResearchersHoused: lambda event: (
        f"{pluralize(event.researchers, 'researcher is', 'researchers are')} at work."
    ),
    events.BackgroundLoaded: lambda event: (
        f"A log of {pluralize(event.jobs, 'job')} loads the GPUs for experiments: "
        f"{event.mean_gpus:,.3g} GPUs in the mean."
    ),
    events.CohortFormed: lambda event: (
        f"{format_count(event.researchers)} researchers are a cohort: counted, and not followed one by one."
    ),
    events.KernelsMeasured: _measured,
    events.KernelsDeployed: lambda event: (
        f"Attention is {event.speedup:.3g} times as fast after {pluralize(math.floor(event.candidates), 'candidate')}: "
        f"the cluster does {event.work_rate:.3g} times as much."
    ),
    events.Ended: lambda event: event.sentence,
}
