"""Find what limits progress at a frame, by a rule on the state of a lab.

If experiments wait and no whole node is free, GPUs for experiments are the limit: more researchers would only lengthen
the queue. Otherwise researchers are the limit, or training runs if discovered software waits for them. The rule cannot
separate these two. The rule gives an answer at once. The elasticities of the same frame are measured by
:mod:`experiments.window.moment_margins`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from agents.phases import Phase
from experiments.text.number_format import format_count, format_factor, pluralize
from sim import reporters

if TYPE_CHECKING:
    from experiments.window.shown_lab import ShownLab

WINDOW_DAYS = 30.0
MIN_GAP_DOUBLINGS = 0.5
"""Discovered but not deployed software that is worth reporting [doublings]."""
MAX_ROWS = 64
"""Maximum number of frames of the window that are read; of more frames, every k-th is read."""
MIN_DUPLICATE_SHARE = 0.05
"""Share of duplicates among the papers of the window above which it is reported."""
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


class LimitingFactor(NamedTuple):
    """The limit on progress, and the researchers' time over the last ``WINDOW_DAYS``."""

    part: str
    """Name of the limit: researchers, queue, paused, training (training runs or researchers) or nothing (no work so
    far). Until AIs do all research also humans, or assistants (the AIs that assist humans)."""
    state: str
    """State of the lab at this frame, as a sentence that follows the name of the limit."""
    also: str
    """Second limit, as a sentence; empty if there is none."""
    shares: tuple[tuple[str, float], ...]
    """Name and share of each use of the researcher-days since then; the shares add up to 1."""
    since: float
    """First day of the window."""
    waiting: str
    """Share of the researchers that wait for GPUs now, as a sentence; empty if papers need no experiments."""
    duplicates: str
    """Share of duplicates among the papers of the window, as a sentence; empty if it is small."""


class _Row(NamedTuple):
    day: float
    papers: float
    duplicates: float
    think: float
    write: float
    queue: float
    run: float
    paused: float


def limiting_factor_of(shown: ShownLab) -> LimitingFactor:
    """Return what limits the progress of a lab, and the use of its researchers' time over the last 30 days.

    The shares are those of :func:`sim.run_statistics.time_shares`, with experiments split into those that wait for GPUs
    (queue) and those that run. The shares are an accounting of the window; the rule uses the current state only.
    """
    rows = _recent_rows(shown)
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
    if state := _describe_absence(shown):
        return LimitingFactor("nothing", state, "", (), rows[0].day, "", "")
    if not shown.lab.automation.is_complete and shown.now > 0:
        return _limiting_factor_of_humans(shown, rows[0])
    if total <= 0:
        return LimitingFactor("nothing", "no work has been done yet. Press Step or Play.", "", (), rows[0].day, "", "")
    shares = tuple((name, part / total) for name, part in days.items())
    part = _limiting_part(shown)
    also = _describe_deployment_gap(shown) if part != "training" else ""
    return LimitingFactor(
        part,
        _DESCRIPTIONS[part](shown),
        also,
        shares,
        rows[0].day,
        _describe_waiting(shown),
        _describe_duplicates(shown, rows[0]),
    )


def _describe_absence(shown: ShownLab) -> str:
    """Describe why a lab does no research; empty if it does."""
    if shown.lab.has_ended:
        return "the lab has ended. Its panels show its last state."
    if not shown.lab.has_entered:
        return f"the lab begins its research on day {shown.scenario.entry.day:,.6g}."
    return ""


def _limiting_factor_of_humans(shown: ShownLab, start: _Row) -> LimitingFactor:
    """Return what limits the progress of humans and of the AIs that assist them; there are no researchers yet."""
    waiting = 0 if _is_node_free(shown) else shown.lab.compute.datacenter.jobs_waiting("experiment")
    drafts = shown.lab.line.drafts_waiting
    if drafts > waiting:
        part = "humans"
        state = (
            f"{pluralize(drafts, 'paper waits', 'papers wait')} for a human, so more humans would increase progress."
        )
    elif waiting:
        part = "queue"
        state = f"{pluralize(waiting, 'experiment waits', 'experiments wait')} and no GPU node is free."
    else:
        part = "assistants" if shown.lab.line.ais.tasks else "humans"
        state = "no paper waits for a human or for GPUs."
    also, duplicates = _describe_deployment_gap(shown), _describe_duplicates(shown, start)
    return LimitingFactor(part, state, also, (), start.day, "", duplicates)


def _is_node_free(shown: ShownLab) -> bool:
    """Return whether the GPUs for experiments have a whole node free."""
    free = reporters.gpus_idle(shown.lab)
    if shown.scenario.cluster.partitioning == "static":
        pool = shown.lab.compute.datacenter.pool("experiment")
        free = 0 if pool is None else pool.capacity - pool.in_use
    return free >= shown.scenario.cluster.gpus_per_node


def _limiting_part(shown: ShownLab) -> str:
    """Return the name of the limit at the current state."""
    census = shown.lab.workforce.census.count
    if census[Phase.QUEUE] and not _is_node_free(shown):
        return "queue"
    if census[Phase.PAUSED] > shown.lab.workforce.active_researchers:
        return "paused"
    return "training" if shown.lab.training.deployment_gap_doublings >= MIN_GAP_DOUBLINGS else "researchers"


def _recent_rows(shown: ShownLab) -> list[_Row]:
    """Return the recorded rows of the window, at most ``MAX_ROWS``, oldest first."""
    columns: Sequence[Sequence[float]] = [shown.series(name) for name in COLUMNS]
    days = columns[0]
    first = min(bisect_left(days, shown.now - WINDOW_DAYS), len(days) - 1)
    stride = max(1, (len(days) - first) // MAX_ROWS)
    rows = [_Row(*(float(column[at]) for column in columns)) for at in range(len(days) - 1, first - 1, -stride)]
    return rows[::-1]


def _describe_researchers(shown: ShownLab) -> str:
    number = format_count(shown.lab.workforce.active_researchers)
    return f"no experiment waits for GPUs, so more than {number} researchers would increase progress."


def _describe_queue(shown: ShownLab) -> str:
    waiting = shown.lab.workforce.census.count[Phase.QUEUE]
    return (
        f"{pluralize(waiting, 'experiment waits', 'experiments wait')} and no GPU node is free, so more "
        "researchers would only lengthen the queue."
    )


def _describe_waiting(shown: ShownLab) -> str:
    """Describe the share of researchers that wait now, and GPUs of other uses that are idle meanwhile."""
    if not shown.scenario.researcher.experiment_gpu_days:
        return ""
    waiting, active = shown.lab.workforce.census.count[Phase.QUEUE], max(1, shown.lab.workforce.active_researchers)
    sentence = (
        f"{waiting / active:.0%} of the researchers wait for GPUs now ({format_count(waiting)} of "
        f"{format_count(active)})"
    )
    idle = _describe_idle_gpus(shown) if waiting else ""
    return f"{sentence}{f', while {idle}' if idle else ''}."


def _describe_idle_gpus(shown: ShownLab) -> str:
    """Describe idle GPUs that are reserved for other uses than experiments; empty if there are none."""
    if shown.scenario.cluster.partitioning != "static":
        return ""
    pool, uses = shown.lab.compute.datacenter, []
    for use in ("training", "inference"):
        use_pool = pool.pool(use)
        idle = 0 if use_pool is None else use_pool.capacity - pool.gpus_in_use(use)
        if idle > 0:
            uses.append(f"{pluralize(idle, 'GPU')} for {use} {'is' if idle == 1 else 'are'} idle")
    return " and ".join(uses)


def _describe_duplicates(shown: ShownLab, start: _Row) -> str:
    """Describe the share of duplicates among the papers since a row, and the weight of a duplicate."""
    papers = shown.lab.knowledge.papers - start.papers
    share = (shown.lab.knowledge.literature.duplicates - start.duplicates) / papers if papers > 0 else 0.0
    if share < MIN_DUPLICATE_SHARE:
        return ""
    weight = shown.scenario.literature.duplicate_weight
    sentence = f"{share:.0%} of the papers since day {start.day:.0f} are duplicates"
    if weight == 1:
        return f"{sentence}; they count in full here."
    lost = share * (1 - weight)
    return f"{sentence}; each counts as {weight:.3g} papers, which costs {lost:.0%} of the effort."


def _describe_paused(shown: ShownLab) -> str:
    return f"{format_count(shown.lab.workforce.census.count[Phase.PAUSED])} researchers have no GPU for inference."


def _describe_training(shown: ShownLab) -> str:
    discovered, deployed = (
        format_factor(reporters.discovered(shown.lab)),
        format_factor(shown.lab.knowledge.software.deployed),
    )
    return f"software {discovered} is discovered and {deployed} is deployed; {_describe_training_run(shown)}."


def _describe_deployment_gap(shown: ShownLab) -> str:
    """Describe software that is discovered but not deployed; empty if the gap is small."""
    discovered, deployed = reporters.discovered(shown.lab), shown.lab.knowledge.software.deployed
    if not shown.scenario.training.required or discovered - deployed < MIN_GAP_DOUBLINGS:
        return ""
    shorter = "has shortened training runs or " if shown.scenario.training.speedup_exponent else ""
    return (
        f"Software {format_factor(discovered)} is discovered and {format_factor(deployed)} is "
        f"deployed. The difference {shorter}waits for the next training run."
    )


def _describe_training_run(shown: ShownLab) -> str:
    pool = shown.lab.compute.datacenter.pool("training")
    jobs = [job for job in pool.jobs() if job.use == "training"] if pool is not None else []
    if not jobs:
        return "the next run starts when enough software waits"
    if not jobs[0].allocation:
        return f"the next run waits for {jobs[0].gpus:,} GPUs"
    return f"the run on {jobs[0].gpus:,} GPUs ends on day {format_count(round(jobs[0].planned_end))}"


_DESCRIPTIONS = {
    "researchers": _describe_researchers,
    "queue": _describe_queue,
    "paused": _describe_paused,
    "training": _describe_training,
}
