"""Declare the parameters of the simulated cluster."""

from typing import Annotated, Literal

from annotated_types import Interval
from pydantic import BaseModel, model_validator


class ClusterParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Size, queue, placement, failures and partitions of the fixed GPU cluster."""

    gpus: Annotated[int, Interval(ge=1, le=1_000_000), "GPUs"] = 1024
    """Number of GPUs on day 0. Source: ours, a small lab: 128 nodes of 8."""

    gpus_per_node: Annotated[int, Interval(ge=1, le=1024), "GPUs"] = 8
    """Number of GPUs per node; under consolidated placement a gang that fits one node gets one. Source: Llama
    3 (arXiv 2407.21783), section 3.3.1: 8 GPUs and two CPUs a server."""

    queue: Annotated[Literal["fcfs", "priority", "sjf", "easy"], "name"] = "easy"
    """Order of waiting jobs: first come, first served; highest priority first; shortest remaining time first; or
    priority with EASY backfill. In the first three the head of the queue blocks the rest. With EASY a later job may
    start if it does not delay the head. Source: ours; EASY is the common default of batch schedulers."""

    placement: Annotated[Literal["flat", "consolidated"], "name"] = "consolidated"
    """Nodes that a gang may use: any free GPUs (flat), or nodes (consolidated). Under consolidated placement a gang
    that fits one node gets one; a larger gang gets wholly free nodes. Source: ours; gangs that train together need the
    links within a node."""

    preemption: bool = True
    """Whether a waiting job may preempt running jobs of strictly lower priority, at a checkpoint. Source: ours."""

    restart_hours: Annotated[float, Interval(ge=0, le=168), "hours"] = 0.28
    """Time added to a job's work each time that it resumes after a preemption or a failure. Source: Llama 3 (arXiv
    2407.21783), section 3.3.4: over 90% effective training time in 54 days with 466 interruptions, so at most
    54 · 24 · 0.1 / 466 hours each."""

    checkpoint_hours: Annotated[float, Interval(ge=0, le=720), "hours"] = 0.0
    """Work between two periodic checkpoints; a failure undoes the work since the last one. 0: the interval that loses
    least, sqrt(2 · cost of a checkpoint · GPU-hours between failures / GPUs of the job). Source: Young (Comm. ACM 17,
    530, 1974) and Daly (Future Generation Computer Systems 22, 303, 2006)."""

    checkpoint_seconds: Annotated[float, Interval(ge=0, le=86_400), "seconds"] = 60.0
    """Time that a job stands still to write a checkpoint; read if GPUs can fail. Source: our choice. Storage as in
    Llama 3 (arXiv 2407.21783, section 3.3.1: 2 TB/s) takes the 5 TB of a 405B model and its optimizer in 3 s."""

    gpu_hours_between_failures: Annotated[float, Interval(ge=0, le=1e12), "GPU-hours"] = 50_700.0
    """Mean GPU-hours of running jobs between two failures; 0: nothing ever fails. Source: Llama 3 (arXiv
    2407.21783), table 5: 419 unexpected interruptions in 54 days on 16,384 GPUs."""

    partitioning: Annotated[Literal["static", "priority"], "name"] = "static"
    """Partition of the cluster: each use has GPUs of its own (shares), or all uses share one pool (priority). In one
    pool training goes before inference, and inference before experiments. Source: ours."""

    inference_share: Annotated[float, Interval(ge=0, le=1), "share"] = 0.5
    """Share of the GPUs for inference, on which researchers run. Source: ours."""

    training_share: Annotated[float, Interval(ge=0, le=1), "share"] = 0.25
    """Share of the GPUs for training runs; what inference and training leave runs experiments. Source: ours."""

    background: Annotated[str, "the path of a job log, or none"] = "none"
    """A job log whose jobs share the GPUs for experiments with the lab, repeated until the run ends; formats as for
    `asara replay`. Jobs that ask for more GPUs than one job can have here are left out, and counted. Source: ours."""

    background_gpus: Annotated[float, Interval(ge=0, le=1e6), "GPUs"] = 0.0
    """Mean number of GPUs that the background jobs need. One factor scales the times between submissions to reach it;
    run times are kept. 0: as in the log. Read if there is a background. Source: ours."""

    @model_validator(mode="after")
    def _shares_fit(self) -> "ClusterParams":
        total = self.inference_share + self.training_share
        if total > 1 + 1e-9:
            raise ValueError(
                f"inference_share {self.inference_share:g} and training_share {self.training_share:g} "
                f"add up to {total:g}: more than the whole cluster"
            )
        return self
