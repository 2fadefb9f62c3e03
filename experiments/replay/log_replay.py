"""Replay a real job log on the cluster: read it, choose the cluster, and summarize the waiting times."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from experiments.errors import InputError
from hardware.cluster.params import ClusterParams
from hardware.cluster.placement import largest_gang
from hardware.cluster.queues import QUEUES
from hardware.job_logs.log import EXACT, JobLog, JobLogError
from hardware.job_logs.registry import FORMATS, guess_format, read_job_log
from hardware.replay import Estimates, ReplayResult, replay
from sim.scenario.model import Scenario, did_you_mean

TOO_LARGE: Final = "larger than the cluster can give"


def read_log(path: Path, format_name: str | None, skip_bad: bool) -> tuple[str, JobLog]:
    """Read a log and return it with the name of its format, guessed from the name of the file if not given.

    Raises InputError for an unknown format, and for a log that cannot be read.
    """
    name = format_name or guess_format(path)
    if name not in FORMATS:
        raise InputError(f"--format = {name} is unknown; allowed: {', '.join(FORMATS)}{did_you_mean(name, FORMATS)}")
    try:
        return name, read_job_log(path, name, skip_bad=skip_bad)
    except JobLogError as error:
        raise InputError(str(error)) from None


def cluster_for(path: Path, log: JobLog, changes: Mapping[str, Any]) -> ClusterParams:
    """Return the cluster for a log, with the requested size or the size that the log states.

    ``changes``: parameters of the cluster by name, None for the default. Placement is flat unless nodes are requested,
    because a log does not describe nodes. Raises InputError if the size is unknown, ScenarioError for a value that is
    not allowed.
    """
    requested = {f"cluster__{name}": value for name, value in changes.items() if value is not None}
    if "cluster__gpus_per_node" not in requested:
        requested.setdefault("cluster__placement", "flat")
    if "cluster__gpus" not in requested:
        if log.size is None:
            raise InputError(
                f"{path} does not state the size of its cluster; allowed: a log that does, or --gpus. Add --gpus N."
            )
        requested["cluster__gpus"] = log.size.gpus
    return Scenario().replace(**requested, cluster__gpu_hours_between_failures=0.0, cluster__preemption=False).cluster


def without_large_jobs(log: JobLog, params: ClusterParams) -> JobLog:
    """Return a log without the jobs that are larger than the cluster; they are counted as left out."""
    most = largest_gang(params.placement, params.gpus, params.gpus_per_node)
    jobs = [job for job in log.jobs if job.gpus <= most]
    large = len(log.jobs) - len(jobs)
    return log._replace(jobs=jobs, left_out=log.left_out | {TOO_LARGE: large}) if large else log


def replay_log(path: Path, log: JobLog, params: ClusterParams, estimates: Estimates) -> ReplayResult:
    """Replay a log on a cluster. Raises InputError if it has no jobs, or one that the cluster can never run."""
    if estimates == "requested" and _reads_times(params) and not log.has_requested_times:
        raise InputError(
            f"--estimates = requested needs requested run times, and {path} has none; allowed: exact. Leave it out."
        )
    try:
        return replay(log.jobs, params, estimates=estimates)
    except ValueError as error:
        large = any(job.gpus > params.gpus for job in log.jobs)
        hint = ". Add --skip-bad to leave out jobs that are too large." if large else ""
        raise InputError(f"{path}: {error}{hint}") from None


def _reads_times(params: ClusterParams) -> bool:
    """Return whether the queue discipline uses the run times of waiting jobs."""
    return bool(getattr(QUEUES[params.queue], "orders_by_length", True))


def _reads_priorities(params: ClusterParams) -> bool:
    return bool(getattr(QUEUES[params.queue], "reads_priorities", False))


def _notes(log: JobLog, params: ClusterParams, estimates: Estimates | None, size_is_stated: bool) -> list[str]:
    """Return notes on the whole log, and on fields and options that were not used."""
    notes = list(log.notes)
    queue = params.queue
    if size_is_stated and log.size is not None and log.size.note is not None:
        notes.append(log.size.note)
    if queue == "priority" and not log.has_priorities:
        notes.append("the log has no priorities, so --queue priority equals fcfs")
    if log.has_priorities and not _reads_priorities(params):
        notes.append(f"--queue {queue} does not use the priorities of the log")
    if estimates is not None and not _reads_times(params):
        notes.append(f"--estimates has no effect: --queue {queue} does not use run times")
    if log.has_requested_times and estimates != "requested" and _reads_times(params):
        notes.append("the requested run times of the log are not used; --estimates requested uses them")
    return notes


def _changed(log: JobLog, params: ClusterParams, estimates: Estimates | None) -> dict[str, int]:
    changed = dict(log.changed)
    if estimates == "requested" and _reads_times(params):
        counts = {
            "has no requested run time: its actual run time is used": sum(job.requested_s is None for job in log.jobs),
            "ran for longer than requested": sum(job.run_s > (job.requested_s or math.inf) for job in log.jobs),
        }
        changed |= {reason: number for reason, number in counts.items() if number}
    return changed


def summary(
    path: Path,
    format_name: str,
    log: JobLog,
    params: ClusterParams,
    result: ReplayResult,
    estimates: Estimates | None = None,
    size_is_stated: bool = False,
) -> dict[str, Any]:
    """Return the waiting times of a log and the settings of its replay as plain values.

    ``estimates``: None for the default. ``size_is_stated``: whether the size of the cluster is that of the log.
    """
    return {
        "log": path.name,
        "format": format_name,
        "gpus": result.gpus,
        "gpus_per_node": params.gpus_per_node if params.placement == "consolidated" else None,
        "queue": params.queue,
        "placement": params.placement,
        "estimates": (estimates or "exact") if _reads_times(params) else None,
        "priorities": ("from the log" if log.has_priorities else "none") if _reads_priorities(params) else None,
        "jobs": len(result.jobs),
        "skipped": log.skipped,
        "left_out": log.left_out,
        "changed": _changed(log, params, estimates),
        "notes": _notes(log, params, estimates, size_is_stated),
        "mean_wait_s": result.mean_wait,
        "median_wait_s": result.median_wait,
        "p99_wait_s": result.p99_wait,
        "utilisation": result.utilisation,
    }


def optional_columns(log: JobLog) -> list[str]:
    """Return the optional columns of the CSV format for which a log has values."""
    has = {"priority": log.has_priorities, "requested_s": log.has_requested_times}
    return [name for name, exists in has.items() if exists]


def wait_rows(log: JobLog, result: ReplayResult) -> Iterator[tuple[Any, ...]]:
    """Yield job, submission, start, wait, run time, GPUs and `optional_columns` of each job, in the order of the log.

    Submissions and starts are times on the clock of the log, without rounding.
    """
    more = optional_columns(log)
    for job, wait in zip(result.jobs, result.waits.tolist(), strict=True):
        submit = _format_seconds(job.submit_s)
        start = EXACT.add(Decimal(submit), Decimal(_format_seconds(wait)))
        times = (
            _on_log_clock(log, submit),
            _on_log_clock(log, start),
            _format_seconds(wait),
            _format_seconds(job.run_s),
        )
        read = {
            "priority": job.priority,
            "requested_s": "" if job.requested_s is None else _format_seconds(job.requested_s),
        }
        yield job.job, *times, job.gpus, *(read[name] for name in more)


def _format_seconds(time: float) -> str:
    return str(int(time)) if float(time).is_integer() else repr(float(time))


def _on_log_clock(log: JobLog, time: Decimal | str) -> str:
    """Format a time since the first submission [s] on the clock of the log."""
    moment = EXACT.add(Decimal(log.origin_s), Decimal(time))
    return f"{moment.normalize(EXACT):f}"
