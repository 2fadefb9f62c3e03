"""AccaSim from PyPI (Galleguillos et al. 2020, MIT), installed into a folder of its own and run on a log.

It is from 2021 and imports ``collections.Mapping``, which Python has not had since 3.10: it is put back first.
"""

import collections
import collections.abc
import gzip
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

VERSION = "1.1.3"
NEEDS = (f"accasim=={VERSION}", "sortedcontainers", "psutil")
"""The rest of what it needs (NumPy, SciPy, Matplotlib) comes with asara."""

Dispatcher = Literal["FirstInFirstOut", "EASYBackfilling"]
Started = dict[str, int]
"""When each job started, by its number in the log."""


class NoAccaSimError(Exception):
    """AccaSim is not there and could not be installed; says so in a sentence."""


class Machine(NamedTuple):
    """Description of the processors of a log for AccaSim."""

    processors: int
    one_by_one: bool
    """Whether each processor is a node, as in the machine of the NASA log, and jobs request nodes.

    AccaSim's own reader of the Standard Workload Format does the same. Otherwise there is one large node, and a job
    requests a part of it: the least work for AccaSim.
    """

    def written(self, folder: Path) -> Path:
        """Write the description that AccaSim reads."""
        nodes = self.processors if self.one_by_one else 1
        described = {
            "groups": {"node": {"core": self.processors // nodes}},
            "resources": {"node": nodes},
            "equivalence": {"processor": {"core": 1}},
            "start_time": 0,
        }
        path = folder / "machine.json"
        path.write_text(json.dumps(described))
        return path


def install(folder: Path) -> None:
    """Make AccaSim importable from a folder, with pip if it is not there yet; raises NoAccaSimError."""
    if not (folder / "accasim").is_dir():
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *NEEDS]
        if subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode:
            raise NoAccaSimError(f"AccaSim {VERSION} cannot be installed from PyPI into {folder}")
    collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined]
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def unpacked(log: Path, folder: Path) -> Path:
    """Return a log as a plain file, the only format that AccaSim reads."""
    plain = folder / log.name.removesuffix(".gz")
    with gzip.open(log) if log.suffix == ".gz" else log.open("rb") as file:
        plain.write_bytes(file.read())
    return plain


def simulation(log: Path, machine: Machine, dispatcher: Dispatcher, ahead: bool) -> Callable[[], Started]:
    """Return a run of a log that is still to be started; it gives when each job started.

    ``ahead``: the log's lines are read and parsed before, else as the simulation comes to them. Nothing is written
    to files. A job's run time is known to the dispatcher, as it is to ours: the log has no requested times.
    """
    base = importlib.import_module("accasim.base.simulator_class")
    dispatchers = importlib.import_module("accasim.base.scheduler_class")
    allocators = importlib.import_module("accasim.base.allocator_class")
    jobs: list[Any] = []
    options = {"tweak_function": _tweaker(machine), "job_class": _noted(jobs), "LOG_LEVEL": "WARNING"}
    simulator = base.Simulator(
        str(log),
        str(machine.written(log.parent)),
        getattr(dispatchers, dispatcher)(allocators.FirstFit()),
        scheduling_output=False,
        statistics_output=False,
        show_statistics=False,
        RESULTS_FOLDER_PATH=str(log.parent),
        **options,
    )
    if ahead:
        _read_ahead(simulator.reader)

    def run() -> Started:
        simulator.start_simulation()
        return {job.id: job.start_time for job in jobs}

    return run


def _noted(jobs: list[Any]) -> type:
    """Return AccaSim's class of jobs, which notes each in a list."""
    event = importlib.import_module("accasim.base.event_class").Event

    class Noted(event):  # type: ignore[misc]
        def __init__(
            self, job_id: Any, queued_time: Any, duration: Any, requested_nodes: Any, requested_resources: Any
        ) -> None:
            event.__init__(self, job_id, queued_time, duration, requested_nodes, requested_resources)
            jobs.append(self)

    return Noted


def _tweaker(machine: Machine) -> Any:
    """Return what AccaSim's reader does to each line, with the run time as the expected duration."""
    reader = importlib.import_module("accasim.utils.reader_class")

    class Tweaker(reader.Tweaker):  # type: ignore[misc]
        def tweak_function(self, job: dict[str, Any]) -> dict[str, Any]:
            processors = job["total_processors"]
            job["core"] = processors
            job["requested_nodes"] = processors if machine.one_by_one else 1
            job["requested_resources"] = {"core": 1 if machine.one_by_one else processors}
            job["queue"] = job.pop("queue_number")
            job["requested_time"] = job["duration"]
            return job

    return Tweaker()


def _read_ahead(reader: Any) -> None:
    """Read the whole log now, and hand out its jobs later."""
    parsed = []
    while not reader.EOF:
        if (job := reader._read()) is not None:
            parsed.append(job)
    reader.submission_enabled = True
    parsed.reverse()

    def following(_: int) -> dict[str, Any] | None:
        if not parsed:
            reader.stop_submission()
            return None
        return parsed.pop()

    reader._read = following
