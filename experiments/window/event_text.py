"""Describe events of the event log (ledger) in sentences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.text.number_format import format_count, format_factor, pluralize
from experiments.window.task_view import format_tasks
from sim import events

if TYPE_CHECKING:
    from sim.world import World

MAX_LINES = 20
"""Maximum number of events that are described."""
MAX_SINGLE_PAPERS = 5
"""Maximum number of the latest papers in a row that are described one by one."""
MAX_EVENTS = 20_000
"""Maximum number of events of the ledger that are read."""


class EventText(NamedTuple):
    """An event as a sentence."""

    day: float
    kind: str
    """Name of the type of the event; selects its colour."""
    sentence: str


def last_events(world: World) -> tuple[EventText, ...]:
    """Return the latest events of a world, newest first; consecutive papers, and tasks of one day, are grouped."""
    lines: list[EventText] = []
    run: list[events.PaperPublished] = []
    tasks: list[events.TaskAutomated] = []
    field, tried = world.scenario.literature.open_questions, math.inf
    for event in itertools.islice(reversed(world.ledger), MAX_EVENTS):
        if isinstance(event, events.PaperPublished):
            if len(lines) < MAX_SINGLE_PAPERS and not run:
                lines.append(describe_event(event, field))
            else:
                run.append(event)
            continue
        if isinstance(event, events.KernelsDeployed):
            same, tried = math.floor(event.candidates) == tried, math.floor(event.candidates)
            if same:
                continue  # only the fastest kernels after the same whole number of candidates are described
        lines += _group_papers(run, field)
        run = []
        if isinstance(event, events.TaskAutomated) and tasks and tasks[0].day == event.day:
            tasks.append(event)
            lines[-1] = _describe_tasks(tasks)
            continue
        tasks = [event] if isinstance(event, events.TaskAutomated) else []
        if len(lines) >= MAX_LINES:
            break
        lines.append(describe_event(event, field))
    return tuple([*lines, *_group_papers(run, field)][:MAX_LINES])


def describe_event(event: events.Event, field: int) -> EventText:
    """Describe one event; ``field`` is the number of papers before day 0, which is subtracted from paper numbers."""
    if isinstance(event, events.PaperPublished):
        return EventText(event.day, type(event).__name__, _describe_paper(event, field))
    return EventText(event.day, type(event).__name__, _DESCRIPTIONS[type(event)](event))


def _group_papers(run: list[events.PaperPublished], field: int) -> Iterable[EventText]:
    """Describe consecutive papers, given newest first, in one line."""
    if len(run) == 1:
        return [describe_event(run[0], field)]
    if not run:
        return []
    papers, duplicates = sum(each.papers for each in run), sum(each.duplicates for each in run)
    since = f"{pluralize(papers, 'paper')} since day {run[-1].day:,.1f}{_format_duplicates(duplicates)}"
    return [
        EventText(run[0].day, events.PaperPublished.__name__, f"{since}; software {format_factor(run[0].discovered)}.")
    ]


def _describe_tasks(tasks: list[events.TaskAutomated]) -> EventText:
    """Describe the tasks that were automated on one day, given newest first."""
    last, first = tasks[0], tasks[-1]
    which = format_tasks(first.kind, last.kind)
    sentence = f"AIs can do {which} of a paper, at a capability of {last.capability:,.2f} doublings."
    return EventText(last.day, events.TaskAutomated.__name__, sentence)


def _format_duplicates(number: int) -> str:
    return f", {format_count(number)} of them duplicates" if number else ""


def _describe_paper(event: events.PaperPublished, field: int) -> str:
    reached = f"software {format_factor(event.discovered)}"
    if not event.paper:
        return f"Pooled work equal to {pluralize(event.papers, 'paper')} is published: {reached}."
    if event.papers > 1:
        papers = f"{pluralize(event.papers, 'paper')}{_format_duplicates(event.duplicates)}"
        return f"A cohort of {format_count(event.team_size)} published {papers}: {reached}."
    who = f"Researcher {event.researcher}" if event.team_size == 1 else f"A member of a cohort of {event.team_size:,}"
    if event.researcher == 0:
        who = "The team of humans"
    if event.duplicates:
        return f"{who} published paper {event.paper - field:,}, a duplicate of an earlier result."
    return f"{who} published paper {event.paper - field:,}: {reached}."


def _describe_doubling(event: events.SoftwareDoubled) -> str:
    return (
        f"Software doubled for the {_format_ordinal(event.n)} time, after {pluralize(event.papers, 'paper')}, "
        f"with {pluralize(event.researchers, 'active researcher')}."
    )


def _format_ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"


def _describe_measurement(event: events.KernelCurveLoaded) -> str:
    searches = pluralize(event.searches, "measured search", "measured searches")
    return f"Kernels follow {searches} ({event.proposer}) of {event.workload}."


_DESCRIPTIONS: dict[type, Callable[[Any], str]] = {
    events.SoftwareDoubled: _describe_doubling,
    events.TrainingRequested: lambda event: (
        f"Training of generation {event.generation} was requested: "
        f"{pluralize(event.gpus, 'GPU')} for {pluralize(event.run_days, 'day')}."
    ),
    events.Deployed: lambda event: (
        f"Generation {event.generation} was deployed: software {format_factor(event.deployed)}."
    ),
    events.ActiveResearchersChanged: lambda event: (
        f"{pluralize(event.researchers, 'researcher is', 'researchers are')} active."
    ),
    events.BackgroundLoaded: lambda event: (
        f"A log of {pluralize(event.jobs, 'job')} loads the GPUs for experiments: "
        f"{event.mean_gpus:,.3g} GPUs on average."
    ),
    events.GpusDivided: lambda event: (
        f"The GPUs are divided again: {event.inference:,} for inference, {event.experiment:,} for experiments and "
        f"{event.training:,} for training."
    ),
    events.HumansHired: lambda event: f"{pluralize(event.humans, 'human works', 'humans work')} in the lab.",
    events.AssistantsChanged: lambda event: (
        f"{pluralize(event.ais, 'AI assists', 'AIs assist')} humans." if event.ais else "AIs no longer assist humans."
    ),
    events.TaskAutomated: lambda event: _describe_tasks([event]).sentence,
    events.ResearchAutomated: lambda event: (
        "ASARA: AIs can do all tasks of a paper and research on their own, at a capability of "
        f"{event.capability:,.2f} doublings."
    ),
    events.CohortFormed: lambda event: (
        f"{format_count(event.researchers)} researchers form a cohort, which is counted by phase."
    ),
    events.KernelCurveLoaded: _describe_measurement,
    events.KernelsDeployed: lambda event: (
        f"Attention is {event.speedup:.3g} times as fast after {pluralize(math.floor(event.candidates), 'candidate')}: "
        f"the work rate of the cluster is ×{event.work_rate:.3g}."
    ),
    events.RunEnded: lambda event: event.sentence,
}
