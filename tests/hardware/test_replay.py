import math

import pytest

from hardware.job_logs.log import LoggedJob
from hardware.job_logs.registry import read_job_log
from hardware.replay import replay
from tests.support.clusters import NASA, params, trace


@pytest.mark.slow
@pytest.mark.parametrize(("queue", "printed"), [("fcfs", "8.00466"), ("priority", "8.00466"), ("easy", "4.02807")])
def test_replay_nasa_log_waits_equal_two_independent_simulators(queue: str, printed: str) -> None:
    log = read_job_log(trace(NASA), "swf")
    result = replay(log.jobs, params(gpus=128, queue=queue))
    assert f"{result.mean_wait:.5f}" == printed
    assert len(result.waits) == 18_239 and result.jobs == tuple(log.jobs)


@pytest.mark.slow
def test_replay_with_consolidation_increases_waits_of_the_nasa_log() -> None:
    log = read_job_log(trace(NASA), "swf")
    flat = replay(log.jobs, params(gpus=128))
    nodes = replay(log.jobs, params(gpus=128, placement="consolidated"))
    assert nodes.mean_wait > flat.mean_wait


def jobs(*rows: tuple[float, float, int]) -> list[LoggedJob]:
    return [LoggedJob(f"j{number}", *row) for number, row in enumerate(rows)]


def test_replay_of_a_small_log_has_waits_in_log_order() -> None:
    result = replay(jobs((4, 6, 1), (0, 10, 2), (0, 0, 1), (20, 0, 2)), params(gpu_hours_between_failures=3.0), gpus=2)
    assert result.waits.tolist() == [6, 0, 10, 0]
    assert [record.owner for record in result.records] == [0, 1, 2, 3]
    assert (result.mean_wait, result.median_wait) == (4, 3)
    assert result.p99_wait == pytest.approx(6 + 0.97 * 4)
    assert result.utilisation == (20 + 6) / (2 * 20)
    assert result.gpus == 2


def test_replay_of_a_log_without_duration_has_no_utilisation() -> None:
    assert replay(jobs((5, 0, 1)), params()).utilisation == 0


def test_replay_with_a_job_larger_than_the_cluster_names_it() -> None:
    with pytest.raises(ValueError, match="job j1 asks for 9 GPUs, and a cluster of 8 can give at most 8 at once"):
        replay(jobs((0, 1, 1), (1, 1, 9)), params(gpus=8))
    with pytest.raises(ValueError, match="job j0 asks for 17 GPUs, and a cluster of 20 can give at most 16"):
        replay(jobs((0, 1, 17)), params(placement="consolidated"), gpus=20)


def test_replay_without_jobs_or_gpus_raises() -> None:
    with pytest.raises(ValueError, match="holds no jobs"):
        replay([], params())
    with pytest.raises(ValueError, match="at least one GPU, not 0"):
        replay(jobs((0, 1, 1)), params(), gpus=0)


@pytest.mark.parametrize("origin", [0, 1_700_000_000_000_000_000, 2**60 + 1, 1e6])
@pytest.mark.parametrize("queue", ["fcfs", "sjf", "easy"])
def test_replay_with_any_time_origin_gives_the_same_waits(queue: str, origin: float) -> None:
    log = jobs(*((origin + at, run, 1) for at, run in [(0, 100), (1, 50), (2, 25), (300, 7)]))
    assert (
        replay(log, params(queue=queue), gpus=1).waits.tolist()
        == {"fcfs": [0, 99, 148, 0], "easy": [0, 99, 148, 0], "sjf": [0, 124, 98, 0]}[queue]
    )


def test_replay_priorities_order_the_queue_without_preemption() -> None:
    log = [LoggedJob("low", 0, 100, 2, 0), LoggedJob("mid", 1, 10, 2, 1), LoggedJob("high", 2, 10, 2, 9)]
    assert replay(log, params(gpus=2, queue="fcfs")).waits.tolist() == [0, 99, 108]
    assert replay(log, params(gpus=2, queue="priority", preemption=True)).waits.tolist() == [0, 109, 98]


def test_replay_easy_with_too_short_requested_times_completes_all_jobs() -> None:
    log = [
        LoggedJob("a", 0, 50, 3, requested_s=10),
        LoggedJob("b", 1, 10, 4, requested_s=10),
        LoggedJob("c", 2, 0, 1, requested_s=0),
        LoggedJob("d", 20, 1, 1, requested_s=1),
        LoggedJob("e", 30, 0, 1, requested_s=0),
    ]
    assert replay(log, params(gpus=4, queue="easy"), estimates="requested").waits.tolist() == [0, 49, 0, 40, 0]
    assert replay(log, params(gpus=4, queue="easy")).waits.tolist() == [0, 49, 0, 0, 0]


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (LoggedJob("x", 0, 1, 1.5), "job x: gpus = 1.5 is not a whole number"),  # type: ignore[arg-type]
        (LoggedJob("x", -1, 1, 1), "job x: submit_s = -1 is not a time"),
        (LoggedJob("x", 0, math.nan, 1), "run_s = nan"),
        (LoggedJob("x", math.inf, 1, 1), "submit_s = inf"),
        (LoggedJob("x", 0, 1e308, 1), "Are these nanoseconds"),
    ],
)
def test_replay_with_impossible_jobs_raises_before_the_run(job: LoggedJob, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        replay([LoggedJob("y", 0, 1e308, 1), job], params())
