"""Build clusters, random streams and listeners for tests, and find the real job logs."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from hardware.cluster.cluster import ClusterParams, GpuCluster, Job
from sim.clock import Clock
from tests.support.shared_data import shared_file

NASA = "NASA-iPSC-1993-3.1-cln.swf.gz"
PHILLY = "philly_runtime_gpus.csv"
ALIBABA = "openb_pod_list_default.csv"


def trace(name: str) -> Path:
    """Return a real log, or skip the test."""
    return shared_file(f"traces/{name}")


class SeededStreams:
    """Random streams by decision and owner, as in the simulator."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.generators: dict[tuple[str, Any], Generator] = {}

    def get(self, name: str, who: int | str = 0) -> Generator:
        key = (name, who)
        if key not in self.generators:
            self.generators[key] = np.random.default_rng([self.seed, len(name), int(who)])
        return self.generators[key]


class ScriptedStreams:
    """Random streams that give failures after the times of a list, then never again."""

    def __init__(self, *lives: float) -> None:
        self.lives = list(lives)
        self.requests: list[tuple[str, int | str]] = []
        self.scales: list[float] = []

    def get(self, name: str, who: int | str = 0) -> Any:
        self.requests.append((name, who))
        return self

    def exponential(self, scale: float) -> float:
        self.scales.append(scale)
        return self.lives.pop(0) if self.lives else float("inf")


class NotificationRecorder:
    """A listener that records its notifications."""

    def __init__(self) -> None:
        self.notifications: list[tuple[float, str, int]] = []

    def job_started(self, job: Job) -> None:
        self.notifications.append((job.env.now, "started", job.number))

    def job_stopped(self, job: Job) -> None:
        self.notifications.append((job.env.now, "stopped", job.number))


def params(**changes: Any) -> ClusterParams:
    """Return parameters of a reliable cluster in hours: no failures, restarts of one hour."""
    quiet: dict[str, Any] = {
        "gpus": 8,
        "queue": "fcfs",
        "placement": "flat",
        "restart_hours": 1.0,
        "checkpoint_hours": 1.0,
        "checkpoint_seconds": 0.0,
    }
    return ClusterParams(**{**quiet, "gpu_hours_between_failures": 0.0, **changes})


def cluster(streams: Any = None, **changes: Any) -> tuple[Clock, GpuCluster]:
    """Return a clock of hours and a cluster on it."""
    clock = Clock()
    return clock, GpuCluster(clock, params(**changes), streams, hour=1)
