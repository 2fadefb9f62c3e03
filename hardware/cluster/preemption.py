"""Choose the running jobs that are preempted for a waiting job."""

from collections.abc import Iterable

from hardware.cluster.jobs import Job, JobClass
from hardware.cluster.placement import Placement


def preemption_order(job: Job) -> tuple[int, float, int]:
    """Return the sort key of running jobs that are preempted: lowest priority first, then the latest start."""
    return job.priority, -job.started_at, -job.number


def victims(head: Job, job_classes: Iterable[JobClass], placement: Placement) -> list[Job]:
    """Return the running jobs that must go so that ``head``, which does not fit, can start; none if none suffice.

    Only jobs of strictly lower priority are chosen: the lowest priority first, then the latest start. A chosen job is
    spared if its GPUs turn out not to be needed.
    """
    lower = [job_class for job_class in job_classes if job_class.gpus and job_class.priority < head.priority]
    if not lower or head.gpus > placement.free + sum(job_class.gpus for job_class in lower):
        return []
    candidates = [job for job_class in lower for job in job_class.jobs]
    candidates.sort(key=preemption_order)
    probe = placement.fit_probe(head.gpus)
    chosen: list[Job] = []
    while not probe.fits:
        if len(chosen) == len(candidates):
            return []
        chosen.append(candidates[len(chosen)])
        probe.release(chosen[-1].allocation)
    needed: list[Job] = []
    for job in reversed(chosen):  # spare the highest priority and the longest running first
        probe.occupy(job.allocation)
        if not probe.fits:
            probe.release(job.allocation)
            needed.append(job)
    return needed[::-1]
