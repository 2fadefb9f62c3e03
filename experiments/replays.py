"""A real job log through the cluster: its format, the size of the cluster, and how long its jobs waited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.errors import InputError
from hardware.job_logs.log import JobLog, JobLogError
from hardware.job_logs.registry import FORMATS, guess_format, read_job_log
from hardware.params import ClusterParams
from hardware.replay import ReplayResult, replay
from sim.scenario import Scenario, nearest


def read_log(path: Path, format_name: str | None, skip_bad: bool) -> tuple[str, JobLog]:
    """Read a log and return it with the name of its format, guessed from the file's name if none is given.

    Raises InputError for an unknown format, and for a log that cannot be read.
    """
    name = format_name or guess_format(path)
    if name not in FORMATS:
        raise InputError(f"--format = {name} is unknown; allowed: {', '.join(FORMATS)}{nearest(name, FORMATS)}")
    try:
        return name, read_job_log(path, name, skip_bad=skip_bad)
    except JobLogError as error:
        raise InputError(str(error)) from None


def cluster_for(path: Path, log: JobLog, changes: Mapping[str, Any]) -> ClusterParams:
    """Return the cluster for a log: as large as asked for, or as the log states.

    ``changes``: parameters of the cluster by name, None for what was not asked for. GPUs are a mere count
    unless nodes are asked for, since a log does not describe any. Raises InputError if the size is unknown,
    ScenarioError for a value that is not allowed.
    """
    asked = {f"cluster__{name}": value for name, value in changes.items() if value is not None}
    if "cluster__gpus_per_node" not in asked:
        asked.setdefault("cluster__placement", "flat")
    if "cluster__gpus" not in asked:
        if log.size is None:
            raise InputError(f"{path} does not state the size of its cluster. Give it with --gpus")
        asked["cluster__gpus"] = log.size.gpus
    return Scenario().replace(**asked, cluster__gpu_hours_between_failures=0.0, cluster__preemption=False).cluster


def replay_log(path: Path, log: JobLog, params: ClusterParams) -> ReplayResult:
    """Run a log through a cluster. Raises InputError if it has no jobs, or one that the cluster can never run."""
    try:
        return replay(log.jobs, params)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def summary(path: Path, format_name: str, log: JobLog, params: ClusterParams, result: ReplayResult) -> dict[str, Any]:
    """Return how the jobs of a log waited, as plain values."""
    return {
        "log": path.name,
        "format": format_name,
        "gpus": result.gpus,
        "gpus_per_node": params.gpus_per_node if params.placement == "consolidated" else None,
        "queue": params.queue,
        "placement": params.placement,
        "jobs": len(result.jobs),
        "skipped": log.skipped,
        "left_out": log.left_out,
        "changed": log.changed,
        "notes": list(log.notes),
        "mean_wait_s": result.mean_wait,
        "median_wait_s": result.median_wait,
        "p99_wait_s": result.p99_wait,
        "utilisation": result.utilisation,
    }


def wait_rows(result: ReplayResult) -> Iterator[tuple[Any, ...]]:
    """Yield job, submission, start, wait, run time and GPUs of every job, in the order of the log."""
    for job, record in zip(result.jobs, result.records, strict=True):
        start = record.started if record.started is not None else record.ended
        times = (job.submit_s, start, start - job.submit_s, job.run_s)
        yield (job.job, *(int(time) if time.is_integer() else time for time in times), job.gpus)
