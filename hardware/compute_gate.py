"""Hold, cap and resume the uses of a datacenter."""

from typing import Final, Literal, get_args

from hardware.cluster.validation import whole_count
from hardware.datacenter import Datacenter

Running = Literal["continue", "preempt"]
"""What happens to running jobs beyond a limit: they continue, or they are preempted to a checkpoint."""

HOLD: Final = 0
"""Limit of a use that is held [GPUs]."""


class ComputeGate:
    """Let the jobs of each use of a datacenter pass to its queues, or hold them.

    Every job and job array that is submitted to the datacenter passes this gate. A held job counts as waiting. It keeps
    its place in the order of submission, can be cancelled, and has the usual record at its end. Held jobs block no
    other use. Orders take effect at the end of the instant, and the last order of an instant for a use counts.

    A job that has passed may start again after a failure, a preemption or the retirement of its node.
    """

    def __init__(self, datacenter: Datacenter) -> None:
        self._datacenter = datacenter

    def hold(self, use: str, running: Running = "continue") -> None:
        """Start no further job of a use; with ``running`` = preempt also stop those that run, without loss.

        A preempted job continues from its checkpoint after a restart. Raises ValueError for an unknown use and for
        another value of ``running``.
        """
        self.cap(use, HOLD, running)

    def cap(self, use: str, gpus: int, running: Running = "continue") -> None:
        """Let jobs of a use pass as long as those that have passed have at most ``gpus`` GPUs together.

        A job that is larger than the cap waits until the cap is raised, and later jobs pass it. Jobs of arrays are
        drawn for at most ``gpus`` GPUs. With ``running`` = preempt, jobs beyond the cap are stopped, the latest start
        first.

        Raises ValueError for an unknown use, a cap that is not a whole number of at least 0, and another value of
        ``running``.
        """
        gpus = whole_count(gpus, "gpus")
        if gpus < 0:
            raise ValueError(f"gpus = {gpus} is not a cap; allowed: 0 or more GPUs. 0 holds the use")
        if running not in get_args(Running):
            raise ValueError(
                f"running = {running!r} is unknown; allowed: {', '.join(get_args(Running))}. Choose one of them"
            )
        self._datacenter.limit_use(use, gpus, preempt=running == "preempt")

    def resume(self, use: str) -> None:
        """Let all jobs of a use pass again; a use without a hold or cap stays as it is.

        Raises ValueError for an unknown use.
        """
        self._datacenter.limit_use(use, None)

    def limit(self, use: str) -> int | None:
        """Return the limit of a use [GPUs]: 0 if it is held, None if it has no limit.

        Raises ValueError for an unknown use.
        """
        return self._datacenter.limit_of(use)
