import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.datacenter import Datacenter, inference_node_sizes, pool_sizes
from hardware.uses import Use
from sim.clock import Clock
from tests.support.clusters import NotificationRecorder, ScriptedStreams, SeededStreams, params
from tests.support.properties import examples


def datacenter(**changes: object) -> tuple[Clock, Datacenter]:
    clock = Clock()
    return clock, Datacenter(
        clock, params(**{"gpus": 64, "placement": "consolidated", **changes}), SeededStreams(1), hour=1
    )


@examples(300)
@given(
    gpus=st.integers(1, 300),
    size=st.integers(1, 16),
    inference=st.floats(0, 1),
    rest=st.floats(0, 1),
    placement=st.sampled_from(["flat", "consolidated"]),
)
def test_datacenter_shares_add_up_to_the_cluster(
    gpus: int, size: int, inference: float, rest: float, placement: str
) -> None:
    training = (1 - inference) * rest
    chosen = params(
        gpus=gpus, gpus_per_node=size, inference_share=inference, training_share=training, placement=placement
    )
    sizes = pool_sizes(chosen)
    assert sum(sizes.values()) == gpus and min(sizes.values()) > 0 and set(sizes) <= set(Use)
    unit = size if placement == "consolidated" else 1
    shares = {"inference": inference, "training": training, "experiment": 1 - inference - training}
    for use, share in shares.items():
        assert abs(sizes.get(use, 0) - share * gpus) <= unit + 1e-6
    assert sum(count % unit != 0 for count in sizes.values()) <= 1  # one smaller last node at most
    assert sum(inference_node_sizes(chosen)) == sizes.get("inference", 0)


def test_datacenter_hour_is_a_24th_of_a_day() -> None:
    """Parameters are in hours and the clock in days: mean life, checkpoint and restart of a gang of 2 GPUs."""
    lives, clock = ScriptedStreams(1.0), Clock()
    quiet = params(gpus=8, gpu_hours_between_failures=48.0, checkpoint_hours=12.0, restart_hours=6.0)
    center = Datacenter(clock, quiet, lives)
    center.submit("experiment", 2, 1.25)
    clock.advance(10)
    assert lives.scales[0] == 1.0
    (record,) = center.records
    assert (record.started, record.ended) == (0, 1 + 0.25 + 0.25)
    assert (record.restarts, record.lost) == (2 * 0.25, 0)


def test_datacenter_default_shares_are_as_documented() -> None:
    assert pool_sizes(params(gpus=1024, placement="consolidated")) == {
        "inference": 512,
        "training": 256,
        "experiment": 256,
    }
    assert pool_sizes(params(gpus=64, partitioning="priority")) == {"shared": 64}
    nothing_left = params(gpus=9, gpus_per_node=4, inference_share=0.4, training_share=0.6, placement="consolidated")
    assert pool_sizes(nothing_left) == {"inference": 4, "training": 5}


def test_datacenter_submit_for_a_use_without_gpus_raises() -> None:
    _, center = datacenter(inference_share=1.0, training_share=0.0)
    assert center.pool("training") is None and center.largest_gang("training") == 0
    assert center.gpus_in_use("training") == center.jobs_waiting("training") == center.gpu_time("training") == 0
    with pytest.raises(ValueError, match="no GPUs for training: its share of 64 comes to none"):
        center.submit("training", 1, 1.0)
    with pytest.raises(ValueError, match="no use 'mining'"):
        center.submit("mining", 1, 1.0)


def test_datacenter_with_shares_uses_do_not_wait_for_each_other() -> None:
    clock, center = datacenter()
    center.start_inference()
    training, experiment = center.submit("training", 16, 5.0), center.submit("experiment", 16, 5.0, owner=3)
    clock.advance(1)
    assert [center.gpus_in_use(use) for use in Use] == [32, 16, 16]
    assert training.started == experiment.started == 0
    assert (training.number, experiment.number) == (5, 6)  # numbers run through all pools
    with pytest.raises(ValueError, match="a job of 17 GPUs"):
        center.submit("experiment", 17, 1.0)
    assert center.largest_gang("experiment") == 16
    clock.advance(10)
    assert [record.use for record in center.records] == ["training", "experiment"]
    assert [center.gpu_time(use) for use in Use] == [320, 80, 80]


def test_datacenter_with_priority_training_preempts_experiments_then_inference() -> None:
    clock, center = datacenter(partitioning="priority", queue="priority", restart_hours=0.0)
    recorder = NotificationRecorder()
    center.start_inference(recorder)
    experiments = [center.submit("experiment", 8, 10.0) for _ in range(4)]
    clock.advance(1)
    assert [center.gpus_in_use(use) for use in Use] == [32, 32, 0]
    assert (center.inference_gpus, center.inference_gpus_wanted) == (32, 32)
    training = center.submit("training", 48, 2.0)
    clock.advance(2)
    assert [center.gpus_in_use(use) for use in Use] == [16, 0, 48]
    assert [job.state for job in experiments] == ["waiting"] * 4
    assert (center.inference_gpus, center.inference_gpus_wanted) == (16, 32)
    assert (center.jobs_waiting("experiment"), center.jobs_waiting("inference")) == (4, 2)
    clock.advance(100)
    assert training.value.ended == 3 and center.inference_gpus == 32
    assert [(at, what) for at, what, _ in recorder.notifications] == [
        *[(0, "started")] * 4,
        *[(1, "stopped")] * 2,
        *[(3, "started")] * 2,
    ]
    assert all(job.value.done == 80 for job in experiments)
    assert center.cancel(center.submit("experiment", 1, 5.0))


def test_datacenter_inference_runs_on_nodes_and_never_fails() -> None:
    chosen = params(gpus=20, gpus_per_node=8, partitioning="priority", inference_share=0.55, placement="consolidated")
    assert inference_node_sizes(chosen) == [8, 3]
    clock, center = datacenter(gpu_hours_between_failures=0.5)
    center.start_inference()
    clock.advance(100)
    assert center.inference_gpus == 32 and center.gpu_time("inference") == 3200


def test_reconfigure_changes_pool_sizes_and_inference_jobs() -> None:
    clock, center = datacenter()
    center.start_inference()
    experiments = [center.submit("experiment", 8, 10.0) for _ in range(4)]
    clock.advance(4)
    center.reconfigure(params(gpus=64, placement="consolidated", inference_share=0.25))
    clock.advance(5)
    assert [center.gpus_in_use(use) for use in Use] == [16, 32, 0]
    assert center.inference_gpus_wanted == 16
    clock.advance(100)
    assert [job.value.ended for job in experiments] == [10, 10, 14, 14]
    assert sum(record.use == "inference" for record in center.records) == 2
    assert center.gpu_time("inference") == 4 * 32 + 96 * 16
    center.reconfigure(params(gpus=64, placement="consolidated", inference_share=0.75))
    clock.advance(101)
    assert center.inference_gpus == 48


def test_datacenter_inference_can_be_removed_and_restored() -> None:
    clock, center = datacenter()
    center.start_inference()
    clock.advance(1)
    center.reconfigure(params(gpus=64, placement="consolidated", inference_share=0.0))
    clock.advance(2)
    assert center.inference_gpus == center.inference_gpus_wanted == 0 and center.pool("inference") is None
    center.reconfigure(params(gpus=64, placement="consolidated"))
    clock.advance(3)
    assert center.inference_gpus == center.inference_gpus_wanted == 32
    assert center.gpu_time("inference") == 64


def test_datacenter_cancelled_inference_node_returns_at_the_next_change() -> None:
    clock, center = datacenter()
    recorder = NotificationRecorder()
    center.start_inference(recorder)
    clock.advance(1)
    pool = center.pool("inference")
    assert pool is not None and center.cancel(pool.jobs()[0])
    clock.advance(2)
    assert center.inference_gpus == 24
    center.reconfigure(params(gpus=64, placement="consolidated", queue="easy"))
    clock.advance(3)
    assert center.inference_gpus == center.inference_gpus_wanted == 32


def test_reconfigure_between_shares_and_priority_keeps_every_job() -> None:
    clock, center = datacenter()
    center.start_inference()
    jobs = [center.submit("experiment", 16, 10.0), center.submit("training", 16, 10.0)]
    clock.advance(3)
    for sharing in ("priority", "static", "priority"):
        center.reconfigure(params(gpus=64, placement="consolidated", partitioning=sharing))
        clock.advance(clock.now + 1)
        assert [center.gpus_in_use(use) for use in Use] == [32, 16, 16]
    clock.advance(50)
    assert [job.value.ended for job in jobs] == [10, 10]
    assert [center.gpu_time(use) for use in Use] == [50 * 32, 160, 160]
    assert [job.value.held for job in jobs] == [160, 160]


def test_reconfigure_with_invalid_params_raises_and_changes_nothing() -> None:
    clock, center = datacenter()
    center.start_inference()
    job = center.submit("training", 16, 10.0)
    clock.advance(1)
    with pytest.raises(ValueError, match=f"job {job.number} asks for 16 GPUs at once, and no more than 0"):
        center.reconfigure(params(gpus=64, placement="consolidated", training_share=0.0))
    assert [center.gpus_in_use(use) for use in Use] == [32, 0, 16]
    center.reconfigure(center.params)
    clock.advance(50)
    assert job.value.ended == 10


def test_datacenter_unpickled_with_its_clock_continues_identically() -> None:
    clock, center = datacenter(partitioning="priority", gpu_hours_between_failures=30.0, queue="easy")
    center.start_inference()
    for owner in range(12):
        center.submit("training" if owner % 3 == 0 else "experiment", 1 + owner, 5.0, owner=owner)
    clock.advance(3)
    again, copy = pickle.loads(pickle.dumps((clock, center)))
    for each in (clock, again):
        each.advance(math.nextafter(60, 61))
    assert copy.records == center.records and len(copy.records) == 12
    assert copy.gpu_time("inference") == center.gpu_time("inference")
