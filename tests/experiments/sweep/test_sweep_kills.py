"""Test sweeps that are killed: each run is stored once, and the table equals that of an undisturbed sweep."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from experiments.errors import InputError
from experiments.sweep.query import read, series
from experiments.sweep.runner import manifest_of, model_identity, sweep
from experiments.sweep.storage import write_manifest, write_part
from experiments.sweep.workers import local
from experiments.sweep.workers.dask import DaskWorkers, do_task
from experiments.sweep.workers.local import LocalWorkerPool
from experiments.sweep.workers.process import do_runs
from tests.support.sweep_runs import command_for, kill_at_random, kill_dask_process, quietly, toy, without_scheduler
from tests.support.sweep_tables import as_bytes

TIMES_KILLED = (20, 75)
"""Runs after which the command itself is killed."""


def serially(design, folder: Path) -> Path:
    """Run a design without workers, one run after the other in this process, into a single part."""
    folder.mkdir()
    write_manifest(folder, manifest_of(design))
    write_part(folder, do_runs(design, list(range(len(design)))))
    return folder


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_sweep_whose_workers_and_command_are_killed_has_each_run_once(tmp_path):
    design, folder = toy(tmp_path, 32, replications=2), tmp_path / "rough"
    command = command_for(kill_at_random, tmp_path / "toy.toml", folder, *TIMES_KILLED)
    subprocess.run(command, env=environment(), check=True, stdin=subprocess.DEVNULL)
    found, expected = read(folder), serially(design, tmp_path / "serial")
    assert found["run"].to_pylist() == list(range(128))
    assert as_bytes(found) == as_bytes(read(expected))
    assert as_bytes(series(folder)) == as_bytes(series(expected))


class DaskCluster(NamedTuple):
    """A Dask scheduler with two nodes of one and two threads."""

    address: str
    scheduler: subprocess.Popen[str]
    nodes: list[subprocess.Popen[str]]

    def live_nodes(self) -> int:
        """Return the number of nodes that can still be used; 0 without a scheduler."""
        return sum(each.poll() is None for each in self.nodes) if self.scheduler.poll() is None else 0

    def close(self) -> None:
        for process in (*self.nodes, self.scheduler):
            process.kill()
            process.wait()
            process.stderr.close()  # its own workers may still hold the other end


def start_cluster() -> DaskCluster:
    dask = [sys.executable, "-m", "dask"]
    loopback = ["--host", "127.0.0.1", "--no-dashboard"]
    scheduler = subprocess.Popen(
        [*dask, "scheduler", *loopback, "--port", "0"], stderr=subprocess.PIPE, text=True, env=environment()
    )
    address = first_line(scheduler, "Scheduler at:").split()[-1]
    options = ["--no-nanny", *loopback, "--nthreads"]
    nodes = [
        subprocess.Popen(
            [*dask, "worker", address, *options, threads], stderr=subprocess.PIPE, text=True, env=environment()
        )
        for threads in ("1", "2")
    ]
    for node in nodes:
        first_line(node, "Registered to:")
    return DaskCluster(address, scheduler, nodes)


def first_line(process, words: str) -> str:
    """Wait for the first line of stderr that contains some words, and return it."""
    return next(line for line in process.stderr if words in line)


@pytest.fixture(scope="module")
def clusters() -> Iterator[list[DaskCluster]]:
    """Yield the clusters that were started; the last may still be in use."""
    found: list[DaskCluster] = []
    yield found
    for each in found:
        each.close()


def cluster_of(clusters: list[DaskCluster], nodes: int) -> DaskCluster:
    """Return the cluster of the test before, or a new one if too few nodes of it are left."""
    if not clusters or clusters[-1].live_nodes() < nodes:
        clusters.append(start_cluster())
    return clusters[-1]


def workers_of(process: int) -> list[psutil.Process]:
    """Return the worker processes of a node."""
    found = []
    for child in psutil.Process(process).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended since the list was made
            if "experiments.sweep.workers.process" in child.cmdline():
                found.append(child)
    return found


def test_dask_workers_end_after_a_sweep(tmp_path, clusters):
    cluster = cluster_of(clusters, 2)
    one, two = (node.pid for node in cluster.nodes)
    design = toy(tmp_path, 24)
    with DaskWorkers(design, cluster.address) as nodes:
        found = [each for each in nodes.run(range(len(design))) if each is not None]
        assert workers_of(one) or workers_of(two)
    assert len(found) == 48
    assert not workers_of(one) and not workers_of(two)


def test_dask_cluster_that_loses_a_worker_writes_the_same_table(tmp_path, clusters):
    cluster = cluster_of(clusters, 2)
    design, folder = toy(tmp_path, 96), tmp_path / "nodes"
    command = command_for(kill_dask_process, tmp_path / "toy.toml", folder, cluster.address, cluster.nodes[0].pid)
    subprocess.run(command, env=environment(), check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert as_bytes(read(folder)) == as_bytes(read(serially(design, tmp_path / "serial")))


def test_sweep_whose_dask_scheduler_is_killed_keeps_its_runs_and_continues(tmp_path, clusters):
    cluster = cluster_of(clusters, 1)
    design, folder = toy(tmp_path, 120), tmp_path / "nodes"
    scheduler = cluster.scheduler.pid
    command = command_for(without_scheduler, tmp_path / "toy.toml", folder, cluster.address, scheduler, 30)
    ended = subprocess.run(
        command, env=environment(), check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    said = " ".join(ended.stderr.split())
    assert ended.returncode == 2
    assert "the connection to the scheduler is lost. Finished runs are kept; run the same command again" in said
    assert "Traceback" not in said and "workers" not in said
    assert 30 <= len(read(folder)) < 240
    assert sweep(design, folder, lambda: LocalWorkerPool(design, 1), False, quietly, quietly).done == 240


def test_do_task_with_another_model_raises_error():
    with pytest.raises(InputError, match="another version of asara's model"):
        do_task(None, [0], None, model_identity() | {"numpy": "1.0"})


STILLBORN = """
import os, sys
if "experiments.sweep.workers.process" in sys.orig_argv:
    os._exit(7)
"""


def test_pool_whose_workers_cannot_start_raises_error(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(STILLBORN)
    monkeypatch.syspath_prepend(tmp_path)
    with (
        LocalWorkerPool(toy(tmp_path, 4), 2) as pool,
        pytest.raises(InputError, match=r"ended before they were ready, the last with exit code 7"),
    ):
        list(pool.run(range(8)))


def test_worker_pool_that_cannot_start_workers_raises_one_sentence(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    design = toy(tmp_path, 1)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(InputError, match=r"no worker process can be started \(Resource temporarily unavailable\)"):
        LocalWorkerPool(design, 2)


BAD_RUNS = """
import os, signal, sys
if sys.argv[1:] and sys.orig_argv[1:4] == ["-P", "-m", "experiments.sweep.workers.process"]:
    import sim.margins, sim.runner
    run, margins = sim.runner.run, sim.margins.margins
    def run_badly(scenario, seed):
        if scenario.researcher.initial == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if scenario.researcher.initial == 4:
            signal.pause()
        if scenario.researcher.initial == 5:
            raise RuntimeError("an unexpected error")
        return run(scenario, seed)
    def margins_badly(scenarios, doublings):
        if any(scenario.researcher.initial == 6 for scenario in scenarios):
            os.kill(os.getpid(), signal.SIGKILL)
        if any(scenario.researcher.initial == 7 for scenario in scenarios):
            raise RuntimeError("no margins")
        return margins(scenarios, doublings)
    sim.runner.run, sim.margins.margins = run_badly, margins_badly
"""


def test_sweep_with_runs_that_kill_hang_or_fail_records_them_and_keeps_others(tmp_path, monkeypatch):
    """Runs end their workers while they run, or later, while the records of several runs are completed."""
    (tmp_path / "sitecustomize.py").write_text(BAD_RUNS)  # every Python that is started from here on loads it
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(local, "MAX_ATTEMPTS", 2)
    design = toy(tmp_path, 1)
    design.levers["researcher__initial"] = (1, 2, 3, 4, 5, 6, 7, 8)  # type: ignore[index]
    done = sweep(design, tmp_path / "bad", lambda: LocalWorkerPool(design, 2, timeout=3.0), False, quietly, quietly)
    rows = read(tmp_path / "bad").to_pylist()
    found = {row["researcher__initial"]: (row["status"], row["message"]) for row in rows}
    assert done.done == len(rows) == 8
    killed = ("killed", "2 workers died of it, the last by signal 9")
    assert found == {
        **dict.fromkeys((1, 2, 8), ("ok", "")),
        **dict.fromkeys((3, 6), killed),
        4: ("timeout", "was not over after 3 s"),
        5: ("failed", "RuntimeError: an unexpected error"),
        7: ("failed", "RuntimeError: no margins"),
    }
    undisturbed = do_runs(design, [row["run"] for row in rows if row["status"] == "ok"])
    assert [each.row for each in undisturbed] == [row for row in rows if row["status"] == "ok"]
