import pytest

from hardware.job_logs.log import LoggedJob
from hardware.job_logs.registry import read_job_log
from hardware.replay import replay
from tests.hardware.helpers import NASA, params, trace


@pytest.mark.parametrize(("queue", "printed"), [("fcfs", "8.00466"), ("priority", "8.00466"), ("easy", "4.02807")])
def test_the_nasa_log_waits_as_two_independent_simulators_found(queue: str, printed: str) -> None:
    log = read_job_log(trace(NASA), "swf")
    result = replay(log.jobs, params(gpus=128, queue=queue))
    assert f"{result.mean_wait:.5f}" == printed
    assert len(result.waits) == 18_239 and result.jobs == tuple(log.jobs)


def test_consolidation_costs_the_nasa_log_some_wait() -> None:
    log = read_job_log(trace(NASA), "swf")
    flat = replay(log.jobs, params(gpus=128))
    nodes = replay(log.jobs, params(gpus=128, placement="consolidated"))
    assert nodes.mean_wait > flat.mean_wait


def jobs(*rows: tuple[float, float, int]) -> list[LoggedJob]:
    return [LoggedJob(f"j{number}", *row) for number, row in enumerate(rows)]


def test_figures_of_a_small_log_in_the_order_of_the_log() -> None:
    result = replay(jobs((4, 6, 1), (0, 10, 2), (0, 0, 1), (20, 0, 2)), params(gpu_hours_between_failures=3.0), gpus=2)
    assert result.waits.tolist() == [6, 0, 10, 0]
    assert [record.owner for record in result.records] == [0, 1, 2, 3]
    assert (result.mean_wait, result.median_wait) == (4, 3)
    assert result.p99_wait == pytest.approx(6 + 0.97 * 4)
    assert result.utilisation == (20 + 6) / (2 * 20)
    assert result.gpus == 2


def test_a_log_of_no_time_has_no_utilisation() -> None:
    assert replay(jobs((5, 0, 1)), params()).utilisation == 0


def test_a_job_larger_than_the_cluster_is_named_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="job j1 asks for 9 GPUs, and a cluster of 8 can give at most 8 at once"):
        replay(jobs((0, 1, 1), (1, 1, 9)), params(gpus=8))
    with pytest.raises(ValueError, match="job j0 asks for 17 GPUs, and a cluster of 20 can give at most 16"):
        replay(jobs((0, 1, 17)), params(placement="consolidated"), gpus=20)


def test_no_jobs_and_no_gpus_are_errors() -> None:
    with pytest.raises(ValueError, match="holds no jobs"):
        replay([], params())
    with pytest.raises(ValueError, match="at least one GPU, not 0"):
        replay(jobs((0, 1, 1)), params(), gpus=0)
