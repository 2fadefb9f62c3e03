"""Check the arguments of a cluster and explain rejections."""

import math
import operator
from collections.abc import Iterable
from typing import Any

from hardware.cluster.job_arrays import JobArray
from hardware.cluster.jobs import Job, SupportsStreams
from hardware.cluster.params import ClusterParams
from hardware.cluster.placement import largest_gang
from hardware.cluster.state import ClusterState


def whole_count(value: Any, name: str) -> int:
    """Return a count as an int; 2.0 counts as 2. Raises ValueError for everything that is not a whole number."""
    try:
        return operator.index(value)
    except TypeError:
        if isinstance(value, float) and value.is_integer():
            return int(value)
    raise ValueError(f"{name} = {value!r} is not a whole number; allowed: 1, 2, 3 and so on")


def explain_rejection(cluster: ClusterState, gpus: int, length: float) -> str:
    """Return the reason why a cluster can never run a job of this size and length."""
    if gpus < 1:
        return f"a job needs at least one GPU, not {gpus}"
    if not length >= 0:
        return f"the length of a job cannot be {length}"
    most, size = cluster.largest_gang, cluster.params.gpus_per_node
    whole = f" in whole nodes of {size}" if most < cluster.capacity else ""
    return f"a job of {gpus} GPUs cannot start: at most {most} GPUs can be had at once{whole}"


def check_streams(params: ClusterParams, streams: SupportsStreams | None) -> None:
    """Raise ValueError if GPUs can fail and there are no random streams."""
    if params.gpu_hours_between_failures and streams is None:
        raise ValueError(
            "GPUs that fail need streams of random numbers: give streams, or set gpu_hours_between_failures to 0"
        )


def check_queue_class(discipline: object) -> None:
    """Raise TypeError if the argument cannot create a queue, such as an existing queue."""
    if not callable(discipline):
        name = type(discipline).__name__
        raise TypeError(f"a discipline makes queues: give the class itself, not {name}(), which is one {name}")


def check_jobs_fit(jobs: Iterable[Job], params: ClusterParams, gpus: int) -> None:
    """Raise ValueError if one of these jobs could never start in a pool of ``gpus`` GPUs."""
    largest = largest_gang(params.placement, gpus, params.gpus_per_node)
    for job in jobs:
        if job.gpus > largest:
            raise ValueError(
                f"job {job.number} asks for {job.gpus} GPUs at once, and no more than {largest} could be given"
            )


def check_arrays_fit(arrays: Iterable[JobArray], gpus: int) -> None:
    """Raise ValueError if job arrays wait and their pool would have no GPUs."""
    for array in arrays:
        if gpus < 1:
            raise ValueError(
                f"jobs for {array.job_class.use} wait, first job {array.number}, and there would be no GPUs for them"
            )


def check_node_count(number: Any) -> int:
    """Return a number of nodes as an int. Raises ValueError if it is not a whole number of at least 1."""
    number = whole_count(number, "number")
    if number < 1:
        raise ValueError(f"number = {number} is too small for a change of nodes; allowed: 1 or more. Give at least one")
    return int(number)


def check_node_speed(speed: float) -> float:
    """Return the speed of nodes as a float. Raises ValueError if it is not a finite number above 0."""
    if not 0 < speed < math.inf:
        raise ValueError(
            f"speed = {speed} is not a speed of nodes; allowed: above 0 and finite. The nodes of day 0 have speed 1"
        )
    return float(speed)
