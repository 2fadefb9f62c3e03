"""A real job log through the cluster: which format, how large a cluster, and what its jobs met."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.errors import InputError
from hardware.params import ClusterParams
from hardware.replay import ReplayResult, replay
from hardware.traces import FORMATS, Log
from sim.scenario import Scenario, nearest

_MAX_PROCS = re.compile(r"^;\s*MaxProcs:\s*(\d+)\s*$")


def read_log(path: Path, format_name: str | None, skip_bad: bool) -> tuple[str, Log]:
    """Read a log and return it with the name of its format, guessed from the file's name if none is given.

    Raises InputError for a format that there is not, TraceError for a line that cannot be read.
    """
    name = format_name or _guess_format(path.name)
    if name not in FORMATS:
        raise InputError(f"no format '{name}' (there are {', '.join(FORMATS)}){nearest(name, FORMATS)}")
    return name, FORMATS[name](path, skip_bad=skip_bad)


def cluster_for(path: Path, format_name: str, changes: Mapping[str, Any]) -> ClusterParams:
    """Return the cluster for a log: as large as asked for, or as an SWF log says of itself.

    ``changes``: parameters of the cluster by name, None for what was not asked for. GPUs are a mere count
    unless nodes are asked for, since a log says nothing of any. Raises InputError if the size is known to
    nobody, ScenarioError for a value that is not allowed.
    """
    asked = {f"cluster__{name}": value for name, value in changes.items() if value is not None}
    if "cluster__gpus_per_node" not in asked:
        asked.setdefault("cluster__placement", "flat")
    if "cluster__gpus" not in asked:
        asked["cluster__gpus"] = _processors_of(path, format_name)
    return Scenario().replace(**asked, cluster__gpu_hours_between_failures=0.0, cluster__preemption=False).cluster


def replay_log(path: Path, log: Log, params: ClusterParams) -> ReplayResult:
    """Run a log through a cluster. Raises InputError if it has no jobs, or one that the cluster can never run."""
    try:
        return replay(log.jobs, params)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def summary(path: Path, format_name: str, log: Log, params: ClusterParams, result: ReplayResult) -> dict[str, Any]:
    """Return what the jobs of a log met, as plain values."""
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


def _guess_format(name: str) -> str:
    if name.removesuffix(".gz").endswith(".swf"):
        return "swf"
    return "alibaba" if "openb" in name else "csv"


def _processors_of(path: Path, format_name: str) -> int:
    """The processors that the head of an SWF log names."""
    if format_name == "swf":
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as file:
            for line in file:
                if not line.startswith(";"):
                    break
                if found := _MAX_PROCS.match(line):
                    return int(found[1])
    raise InputError(f"{path} does not say how large its cluster was: say it with --gpus")
