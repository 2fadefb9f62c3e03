"""Describe events of the event log (ledger) in sentences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
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


_Research = events.PaperPublished | events.PapersReceived | events.SoftwareReceived
"""Events that add to software; consecutive ones are grouped."""


class EventText(NamedTuple):
    """An event as a sentence."""

    day: float
    kind: str
    """Name of the type of the event; selects its colour."""
    sentence: str
    lab: str = ""
    """Lab of the event; empty for the only lab of a World, and for the end of the run."""

    @property
    def labelled(self) -> str:
        """The sentence after the name of the lab, if it has one."""
        return label_sentence(self.lab, self.sentence)


def label_sentence(lab: str, sentence: str) -> str:
    """Return a sentence after the name of a lab; unchanged for an empty name."""
    return f"{lab}: {sentence}" if lab else sentence


def last_events(world: World) -> tuple[EventText, ...]:
    """Return the latest events of all labs, newest first.

    Consecutive papers of a lab are grouped with what it gains from other labs, and tasks of one day are grouped.
    """
    lines: list[EventText] = []
    run: list[_Research] = []
    tasks: list[events.TaskAutomated] = []
    fields, tried = papers_before_start(world), dict.fromkeys(world.labs, math.inf)
    for event in itertools.islice(reversed(world.ledger), MAX_EVENTS):
        if isinstance(event, events.PaperPublished) and len(lines) < MAX_SINGLE_PAPERS and not run:
            lines.append(describe_event(event, fields))
            continue
        if isinstance(event, _Research):
            run.append(event)
            continue
        if isinstance(event, events.KernelsDeployed):
            same, tried[event.lab] = math.floor(event.candidates) == tried[event.lab], math.floor(event.candidates)
            if same:
                continue  # only the fastest kernels after the same whole number of candidates are described
        lines += _group_research(run, fields)
        run = []
        if isinstance(event, events.TaskAutomated) and tasks and (tasks[0].day, tasks[0].lab) == (event.day, event.lab):
            tasks.append(event)
            lines[-1] = _describe_tasks(tasks)
            continue
        tasks = [event] if isinstance(event, events.TaskAutomated) else []
        if len(lines) >= MAX_LINES:
            break
        lines.append(describe_event(event, fields))
    return tuple([*lines, *_group_research(run, fields)][:MAX_LINES])


def papers_before_start(world: World) -> dict[str, int]:
    """Return the number of papers before day 0 of each lab; they are subtracted from the numbers of papers."""
    return {name: lab.settings.scenario.literature.open_questions for name, lab in world.labs.items()}


def describe_event(event: events.Event, before_start: Mapping[str, int]) -> EventText:
    """Describe one event; ``before_start`` is the result of :func:`papers_before_start`."""
    if isinstance(event, events.RunEnded):
        return EventText(event.day, type(event).__name__, event.sentence)
    if isinstance(event, events.PaperPublished):
        sentence = _describe_paper(event, before_start[event.lab])
    else:
        sentence = _DESCRIPTIONS[type(event)](event)
    return EventText(event.day, type(event).__name__, sentence, event.lab)


def _group_research(run: list[_Research], before_start: Mapping[str, int]) -> Iterator[EventText]:
    """Describe consecutive papers and gains from other labs, given newest first, in a line for each lab."""
    groups: dict[str, list[_Research]] = {}
    for event in run:
        groups.setdefault(event.lab, []).append(event)
    for lab, group in groups.items():
        latest = group[0]
        if len(group) == 1:
            yield describe_event(latest, before_start)
        else:
            sentence = f"{_describe_total(group)}; software {format_factor(latest.discovered)}."
            yield EventText(latest.day, type(latest).__name__, sentence, lab)


def _describe_total(group: list[_Research]) -> str:
    """Describe the papers of a lab, and what it has gained from other labs, over a time."""
    since = f"since day {group[-1].day:,.1f}"
    published = [each for each in group if isinstance(each, events.PaperPublished)]
    papers = sum(each.effective_papers for each in group if isinstance(each, events.PapersReceived))
    doublings = sum(each.gained for each in group if isinstance(each, events.SoftwareReceived))
    received = [f"what counts as {pluralize(papers, 'paper')}"] if papers else []
    received += [f"{doublings:,.3g} doublings"] if doublings else []
    from_others = f"from other labs: {' and '.join(received)}"
    if not published:
        return f"{since[0].upper()}{since[1:]} {from_others}"
    duplicates = _format_duplicates(sum(each.duplicates for each in published))
    own = f"{pluralize(sum(each.papers for each in published), 'paper')} {since}{duplicates}"
    return f"{own}; {from_others}" if received else own


def _format_received(author: str, effective_papers: float) -> str:
    return f"Papers of {author} that count as {pluralize(effective_papers, 'paper')} came into use"


def _describe_tasks(tasks: list[events.TaskAutomated]) -> EventText:
    """Describe the tasks that were automated on one day, given newest first."""
    last, first = tasks[0], tasks[-1]
    which = format_tasks(first.kind, last.kind)
    sentence = f"AIs can do {which} of a paper, at a capability of {last.capability:,.2f} doublings."
    return EventText(last.day, events.TaskAutomated.__name__, sentence, last.lab)


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


def _describe_delivery(event: events.GpusDelivered) -> str:
    """Describe new nodes in a sentence."""
    numbers = {"inference": event.inference, "experiments": event.experiment, "training": event.training}
    uses = ", ".join(f"{number:,} for {use}" for use, number in numbers.items() if number)
    nodes = pluralize(sum(numbers.values()), "new node starts", "new nodes start")
    speed = "" if event.speed == 1 else f", at {event.speed:.3g} times the speed of day 0"
    return f"{nodes} to work{speed}: {uses}."


def _describe_restrictions(event: events.RestrictionsChanged) -> str:
    """Describe the orders in force in a sentence."""
    found = {
        f"{event.effort_share:.0%} of the AIs can do research": event.effort_share < 1,
        f"at most {format_count(event.most_copies)} AIs can do research": event.most_copies < math.inf,
        f"experiments can use {event.experiment_share:.0%} of their GPUs": event.experiment_share < 1,
        "training is paused": event.is_training_paused,
        f"training on more than {event.licence_gpus:,.6g} GPUs needs a licence": event.licence_gpus < math.inf,
        f"new software waits {pluralize(event.release_days, 'day')}": event.release_days > 0,
    }
    in_force = ", ".join(text for text, holds in found.items() if holds)
    return f"Orders in force ({event.rules}): {in_force}." if in_force else "All orders have ended."


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
    events.SafetyShareChanged: lambda event: f"{event.share:.0%} of research goes to safety.",
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
    events.PapersReceived: lambda event: (
        f"{_format_received(event.author, event.effective_papers)}: software {format_factor(event.discovered)}."
    ),
    events.SoftwareReceived: lambda event: (
        f"{event.gained:,.3g} doublings came from {event.source}: software {format_factor(event.discovered)}."
    ),
    events.GpusDelivered: _describe_delivery,
    events.RestrictionsChanged: _describe_restrictions,
    events.LabEnded: lambda event: event.sentence,
}
