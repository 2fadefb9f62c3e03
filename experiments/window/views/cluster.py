"""Build the panels of the cluster: the GPU grid, the chart of waiting jobs and the queue."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from experiments.text.number_format import format_count, pluralize
from experiments.window.gpu_grid import GpuCell, PlacedGpus
from experiments.window.queue_view import WaitingJob
from experiments.window.session import ViewState
from experiments.window.views.axes import (
    Option,
    axis_end,
    chart_option,
    day_axis,
    line_series,
    max_value,
    plot_points,
    round_up,
    value_axis,
)
from experiments.window.views.team import day_marker
from experiments.window.views.timeline import path_columns
from hardware.uses import BACKGROUND, Use
from sim.background import NO_BACKGROUND

USES = (*Use, BACKGROUND, "failed", "idle")
USE_COLOURS = dict(zip(USES, ("sky", "orange", "pink", "green", "red", "grey"), strict=True))
USE_LABELS = {"experiment": "experiments", "failed": "failed, restarting"}
JOB_NAMES = {"experiment": "experiment", "background": "background job"}
MAX_DESCRIBED_JOBS = 2
"""Maximum number of jobs that are described for a node."""


def gpu_grid_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the GPU grid: the GPUs of each node by use."""
    grid = state.frame.grid
    counts = {use: getattr(grid, use) for use in USES}
    return {
        "note": grid.note,
        "legend": [
            {
                "label": USE_LABELS.get(use, use),
                "colour": USE_COLOURS[use],
                "text": f"{counts[use]:,}",
                "cross": use == "failed",
            }
            for use in USES
            if use != "background" or state.lab_scenario.cluster.background != NO_BACKGROUND
        ],
        "pools": [
            {"name": pool, "cells": len(list(cells))} for pool, cells in groupby(grid.cells, key=lambda c: c.pool)
        ],
        "cells": [[cell.gpus, *(getattr(cell, use) for use in USES)] for cell in grid.cells],
        "summary": f"{grid.gpus:,} GPUs: "
        + ", ".join(f"{number:,} {use}" for use, number in counts.items() if number or use != "background"),
        "hint": "Point at a node to see the jobs on it.",
        "stamp": state.stamp,
    }


def describe_cell(cell: GpuCell) -> str:
    """Describe a node and the jobs on it."""
    uses = [f"{getattr(cell, use)} {USE_LABELS.get(use, use)}" for use in USES if getattr(cell, use)]
    name = cell.name[:1].upper() + cell.name[1:]
    jobs = [describe_job(job) for job in cell.jobs[:MAX_DESCRIBED_JOBS]]
    more = len(cell.jobs) + cell.more_jobs - len(jobs)
    lines = [f"{name}: {cell.gpus:,} GPUs, {', '.join(uses)}", *jobs]
    return "\n".join(lines) + (f" · and {more} more" if more else "")


def describe_job(job: PlacedGpus) -> str:
    """Describe a job that holds GPUs."""
    what = f"{job.tasks:,} experiments" if job.tasks > 1 else JOB_NAMES.get(job.use, "training run")
    until = f" until day {job.until:,.1f}" if job.until is not None else ""
    interruptions = f", failed {job.failures}×" if job.failures else ""
    interruptions += f", preempted {job.preemptions}×" if job.preemptions else ""
    return (
        f"Job {job.number:,}: {what} of {job.owner}, {job.gpus:,} GPUs since day {job.since:,.1f}{until}{interruptions}"
    )


def waiting_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the chart of waiting jobs."""
    queue, rows = state.frame.queue, path_columns(state)
    return {
        "name": "queue",
        "title": "Waiting for GPUs",
        "summary": "waiting jobs by day",
        "legend": [
            {
                "label": "experiments",
                "colour": "red",
                "kind": "line",
                "text": format_count(_waiting_jobs(state, "experiment")),
            },
            {
                "label": "training runs",
                "colour": "pink",
                "kind": "line",
                "text": format_count(_waiting_jobs(state, "training")),
            },
        ],
        "option": waiting_option(rows, state.frame.day),
        "height": 216,
        "wide": False,
        "empty": "" if queue.jobs or _has_waited(rows) else empty_queue_hint(state, "No job has waited for GPUs yet."),
    }


def empty_queue_hint(state: ViewState, now: str) -> str:
    """Return ``now`` and a hint on how to find a frame with waiting jobs."""
    if state.lab_scenario.researcher.experiment_gpu_days == 0:
        return f"{now} Papers need no experiments here. Choose the scenario “lab”, in which they do."
    if state.frame.ending is not None:
        return f"{now} The run is over. Rewind or start anew."
    return f"{now} Press “queue” to advance until a job waits."


def _waiting_jobs(state: ViewState, use: str) -> int:
    return next((each.waiting for each in state.frame.queue.uses if each.use == use), 0)


def _has_waited(rows: dict[str, list[float]]) -> bool:
    return any(rows["experiments_waiting"]) or any(rows["training_waiting"])


def waiting_option(rows: dict[str, list[float]], day: float) -> Option:
    """Build the chart of waiting jobs over days."""
    known = rows["day"][-1] if rows["day"] else 0.0
    top = round_up(max(4.0, max_value([rows["experiments_waiting"], rows["training_waiting"]], 1.0) * 1.04))
    area = {"color": "$red", "opacity": 0.18}
    series = [
        line_series(
            "experiments", "red", plot_points(rows["day"], rows["experiments_waiting"]), step="end", areaStyle=area
        ),
        line_series("training runs", "pink", plot_points(rows["day"], rows["training_waiting"]), step="end"),
        day_marker(day, top),
    ]
    return chart_option(day_axis(axis_end(max(known, day, 1.0))), value_axis(top), series, "@day count")


def queue_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the list of waiting jobs."""
    found = state.frame.queue
    return {
        "note": found.note,
        "uses": [
            {
                "use": USE_LABELS.get(use.use, use.use),
                "waiting": format_count(use.waiting),
                "gpus": format_count(use.gpus) + " and more" * bool(use.sizes_unknown),
                "mean": "–" if use.mean_wait_days is None else f"{use.mean_wait_days:.2f} days",
            }
            for use in found.uses
        ],
        "first": [[_describe_request(job), f"since day {job.since:,.1f}"] for job in found.first],
        "empty": empty_queue_hint(state, "No job waits for GPUs."),
    }


def _describe_request(job: WaitingJob) -> str:
    size = "size not drawn yet" if job.gpus is None else pluralize(job.gpus, "GPU")
    experiments = f" for {format_count(job.tasks)} experiments" if job.tasks > 1 else ""
    owner = job.owner[:1].upper() + job.owner[1:]
    return f"{owner}{experiments}: {size}"
