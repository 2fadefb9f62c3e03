"""The cluster: its GPUs as a grid of nodes, and who waits for them."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from experiments.window.gpu_grid import GpuCell, PlacedGpus
from experiments.window.number_format import format_count, pluralize
from experiments.window.queue_view import Waiting
from experiments.window.session import ViewState
from experiments.window.views.axes import (
    Option,
    chart,
    day_axis,
    end_of_axis,
    largest,
    line,
    points,
    round_up,
    value_axis,
)
from experiments.window.views.team import standing
from experiments.window.views.timeline import columns
from sim.background import NO_BACKGROUND

USES = ("inference", "experiment", "training", "background", "failed", "idle")
COLOURS = dict(zip(USES, ("sky", "orange", "pink", "green", "red", "grey"), strict=True))
LABELS = {"experiment": "experiments", "failed": "failed, starting again"}
JOBS = {"experiment": "experiment", "background": "background job"}
LISTED = 2
"""Jobs of a node that are told."""


def gpus(shown: ViewState) -> dict[str, Any]:
    """Return the grid as its component takes it: for each node its GPUs, and how many of them do what."""
    grid = shown.frame.grid
    counts = {use: getattr(grid, use) for use in USES}
    return {
        "note": grid.note,
        "legend": [
            {
                "label": LABELS.get(use, use),
                "colour": COLOURS[use],
                "told": f"{counts[use]:,}",
                "cross": use == "failed",
            }
            for use in USES
            if use != "background" or shown.scenario.cluster.background != NO_BACKGROUND
        ],
        "pools": [
            {"name": pool, "cells": len(list(cells))} for pool, cells in groupby(grid.cells, key=lambda c: c.pool)
        ],
        "cells": [[cell.gpus, *(getattr(cell, use) for use in USES)] for cell in grid.cells],
        "summary": f"{grid.gpus:,} GPUs: "
        + ", ".join(f"{number:,} {use}" for use, number in counts.items() if number or use != "background"),
        "hint": "Point at a node to see the jobs on it.",
        "stamp": shown.stamp,
    }


def cell_told(cell: GpuCell) -> str:
    """Return a node and the jobs on it, in words."""
    uses = [f"{getattr(cell, use)} {LABELS.get(use, use)}" for use in USES if getattr(cell, use)]
    name = cell.name[:1].upper() + cell.name[1:]
    jobs = [job_told(job) for job in cell.jobs[:LISTED]]
    more = len(cell.jobs) + cell.more_jobs - len(jobs)
    lines = [f"{name}: {cell.gpus:,} GPUs, {', '.join(uses)}", *jobs]
    return "\n".join(lines) + (f" · and {more} more" if more else "")


def job_told(job: PlacedGpus) -> str:
    """Return a job in words."""
    what = f"{job.tasks:,} experiments" if job.tasks > 1 else JOBS.get(job.use, "training run")
    until = f" until day {job.until:,.1f}" if job.until is not None else ""
    again = f", failed {job.failures}×" if job.failures else ""
    again += f", pushed out {job.preemptions}×" if job.preemptions else ""
    return f"Job {job.number:,}: {what} of {job.owner}, {job.gpus:,} GPUs since day {job.since:,.1f}{until}{again}"


def waits(shown: ViewState) -> dict[str, Any]:
    """Return the chart of those who wait as its component takes it."""
    queue, rows = shown.frame.queue, columns(shown)
    return {
        "name": "queue",
        "title": "Waiting for GPUs",
        "told": "jobs that wait, day by day",
        "legend": [
            {
                "label": "experiments",
                "colour": "red",
                "kind": "line",
                "told": format_count(_waiting(shown, "experiment")),
            },
            {
                "label": "training runs",
                "colour": "pink",
                "kind": "line",
                "told": format_count(_waiting(shown, "training")),
            },
        ],
        "option": waits_option(rows, shown.frame.day),
        "height": 216,
        "wide": False,
        "empty": "" if queue.jobs or _ever(rows) else nobody_waits(shown, "Nobody has waited for GPUs yet."),
    }


def nobody_waits(shown: ViewState, now: str) -> str:
    """Return what to do where nobody waits: ``now`` is how it stands."""
    if shown.scenario.researcher.experiment_gpu_days == 0:
        return f"{now} Papers take no experiments here: choose the scenario “lab”, whose papers do."
    if shown.frame.ending is not None:
        return f"{now} The run is over: rewind, or begin another one."
    return f"{now} Press “queue” to go on until somebody does."


def _waiting(shown: ViewState, use: str) -> int:
    return next((each.waiting for each in shown.frame.queue.uses if each.use == use), 0)


def _ever(rows: dict[str, list[float]]) -> bool:
    return any(rows["experiments_waiting"]) or any(rows["training_waiting"])


def waits_option(rows: dict[str, list[float]], day: float) -> Option:
    """Return the jobs that wait, against days."""
    known = rows["day"][-1] if rows["day"] else 0.0
    top = round_up(max(4.0, largest([rows["experiments_waiting"], rows["training_waiting"]], 1.0) * 1.04))
    area = {"color": "$red", "opacity": 0.18}
    series = [
        line("experiments", "red", points(rows["day"], rows["experiments_waiting"]), step="end", areaStyle=area),
        line("training runs", "pink", points(rows["day"], rows["training_waiting"]), step="end"),
        standing(day, top),
    ]
    return chart(day_axis(end_of_axis(max(known, day, 1.0))), value_axis(top), series, "@day count")


def queue(shown: ViewState) -> dict[str, Any]:
    """Return who is next in the queue as its component takes it."""
    found = shown.frame.queue
    return {
        "note": found.note,
        "uses": [
            {
                "use": LABELS.get(use.use, use.use),
                "waiting": format_count(use.waiting),
                "gpus": format_count(use.gpus) + " and more" * bool(use.sizes_unknown),
                "mean": "–" if use.mean_wait_days is None else f"{use.mean_wait_days:.2f} days",
            }
            for use in found.uses
        ],
        "first": [[_asked(job), f"since day {job.since:,.1f}"] for job in found.first],
        "empty": nobody_waits(shown, "Nobody waits for GPUs."),
    }


def _asked(job: Waiting) -> str:
    size = "size not drawn yet" if job.gpus is None else pluralize(job.gpus, "GPU")
    these = f" for {format_count(job.tasks)} experiments" if job.tasks > 1 else ""
    owner = job.owner[:1].upper() + job.owner[1:]
    return f"{owner}{these}: {size}"
