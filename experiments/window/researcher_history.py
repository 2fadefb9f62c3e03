"""Describe the history of one researcher from the records of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agents.phases import Phase
from experiments.text.number_format import format_count, format_factor, pluralize
from hardware.cluster.jobs import JobRecord
from sim.events import ActiveResearchersChanged, CohortFormed, PaperPublished

if TYPE_CHECKING:
    from agents.researcher import Researcher
    from experiments.window.shown_lab import ShownLab

MAX_LINES = 500
"""Maximum number of lines; a longer history shows its beginning and end."""

HistoryLine = tuple[float, str]

_ACTIVITIES = {
    Phase.THINK: "thinks about its next paper",
    Phase.QUEUE: "waits for GPUs for its experiment",
    Phase.RUN: "runs its experiment",
    Phase.WRITE: "writes up its paper",
    Phase.PAUSED: "is paused: no inference GPU is available",
}


def history_of(shown: ShownLab, number: int) -> list[HistoryLine]:
    """Return the history of a researcher: days and sentences, oldest first.

    The history of a cohort member ends when it joins the cohort: a cohort has only counts of its members.
    """
    if not 1 <= number <= shown.lab.workforce.size:
        return [(shown.now, f"There is no researcher {number:,}; numbers go from 1 to {shown.lab.workforce.size:,}.")]
    joined = _cohort_joined(shown, number)
    lines = [
        *_arrival_line(shown, number, joined),
        *_paper_lines(shown, number),
        *_experiment_lines(shown, number, joined),
    ]
    lines.sort(key=lambda line: line[0])
    return [*_truncate_lines(lines), (shown.now, _current_line(shown, number))]


def _arrival_line(shown: ShownLab, number: int, joined: CohortFormed | None) -> Iterator[HistoryLine]:
    """Describe how the researcher became active, and how it joined a cohort."""
    arrived = 0.0
    for event in shown.events():
        if isinstance(event, ActiveResearchersChanged) and event.researchers >= number:
            arrived = event.day
            break
    is_individual = joined is None or arrived < joined.day
    yield (
        arrived,
        "It becomes active."
        if is_individual
        else "It becomes active in a cohort, whose members have no individual history.",
    )
    if joined is not None and is_individual:
        yield joined.day, f"It joins a cohort of {joined.researchers:,}, whose members have no individual history."


def _cohort_joined(shown: ShownLab, number: int) -> CohortFormed | None:
    """Return the event in which the researcher joined a cohort; None for an individual. Later arrivals join at once."""
    if any(each.number == number for each in shown.lab.workforce.researchers):
        return None
    return next((event for event in shown.events() if isinstance(event, CohortFormed)), None)


def _paper_lines(shown: ShownLab, number: int) -> list[HistoryLine]:
    """Describe the researcher's own papers; papers of a cohort have several authors and are left out."""
    lines = []
    field = shown.scenario.literature.open_questions
    for event in shown.events():
        if isinstance(event, PaperPublished) and event.researcher == number and event.team_size == 1 and event.paper:
            outcome = "a duplicate of an earlier result" if event.duplicates else "a new result"
            sentence = (
                f"It publishes paper {event.paper - field:,}, {outcome}; software {format_factor(event.discovered)}."
            )
            lines.append((event.day, sentence))
    return lines


def _experiment_lines(shown: ShownLab, number: int, joined: CohortFormed | None) -> Iterator[HistoryLine]:
    """Describe the finished experiments; later ones under this number belong to the whole cohort."""
    for record in shown.lab.compute.datacenter.records:
        own = joined is None or record.submitted <= joined.day
        if own and record.owner == number and record.use == "experiment":
            yield from _job_lines(record)


def _job_lines(record: JobRecord) -> list[HistoryLine]:
    lines = [
        (
            record.submitted,
            f"It requests {pluralize(record.gpus, 'GPU')} for an experiment of {pluralize(record.length, 'day')}.",
        )
    ]
    if record.started is None:
        return [*lines, (record.ended, "Its experiment is withdrawn.")]
    waited = record.started - record.submitted
    after = f"after {pluralize(waited, 'day')}" if waited else "at once"
    gpus = "GPU" if record.gpus == 1 else f"{format_count(record.gpus)} GPUs"
    lines.append((record.started, f"It receives the {gpus} {after}."))
    interruptions = [
        pluralize(n, what) for n, what in ((record.failures, "failure"), (record.preemptions, "preemption")) if n
    ]
    lines.append(
        (record.ended, "Its experiment ends" + (f", after {' and '.join(interruptions)}." if interruptions else "."))
    )
    return lines


def _current_line(shown: ShownLab, number: int) -> str:
    researcher = next((each for each in shown.lab.workforce.researchers if each.number == number), None)
    if researcher is not None:
        return _activity(researcher)
    if shown.lab.workforce.cohorts:
        size = shown.lab.workforce.in_cohorts
        return f"Now it is one of {size:,} researchers of a cohort. Only the number in each phase is known."
    return "Now it thinks in a pool, whose members have no individual history."


def _activity(researcher: Researcher) -> str:
    return f"Now it {_ACTIVITIES[researcher.phase]}; {pluralize(researcher.papers, 'paper')} so far."


def _truncate_lines(lines: list[HistoryLine]) -> list[HistoryLine]:
    if len(lines) <= MAX_LINES:
        return lines
    half = MAX_LINES // 2
    left_out = (lines[half][0], f"({len(lines) - 2 * half:,} more lines are left out.)")
    return [*lines[:half], left_out, *lines[-half:]]
