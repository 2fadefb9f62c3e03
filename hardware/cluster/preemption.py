"""Which running jobs make room for a waiting one."""

from collections.abc import Iterable

from hardware.cluster.jobs import Job, JobClass
from hardware.cluster.placement import Placement


def victims(head: Job, shares: Iterable[JobClass], placement: Placement) -> list[Job]:
    """Return the running jobs that must go so that ``head``, which does not fit, can start; none if none suffice.

    Only jobs of strictly lower priority: the lowest first, of these the one that began last, and of those chosen
    only the ones whose GPUs are needed.
    """
    lower = [share for share in shares if share.gpus and share.priority < head.priority]
    if not lower or head.gpus > placement.free + sum(share.gpus for share in lower):
        return []
    candidates = [job for share in lower for job in share.jobs]
    candidates.sort(key=lambda job: (job.priority, -job.started_at, -job.number))
    vacancy = placement.vacancy(head.gpus)
    chosen: list[Job] = []
    while not vacancy.fits:
        if len(chosen) == len(candidates):
            return []
        chosen.append(candidates[len(chosen)])
        vacancy.leave(chosen[-1].seats)
    needed: list[Job] = []
    for job in reversed(chosen):  # spare the highest priority and the longest running, if one can
        vacancy.come(job.seats)
        if not vacancy.fits:
            vacancy.leave(job.seats)
            needed.append(job)
    return needed[::-1]
