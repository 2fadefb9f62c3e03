"""Test kernels in the World: measurements speed up the cluster, and the result reports their source."""

import json
import math
import shutil
from hashlib import sha256
from itertools import pairwise

import pytest

from agents.kernel_model import amdahl
from hardware.kernels.speedup_curve import curve_of, digest_of, read_measurements
from sim import reporters
from sim.events import KernelCurveLoaded, KernelsDeployed, TrainingRequested
from sim.runner import run
from sim.scenario.model import LATER_BLOCKS, Scenario, ScenarioError, shipped_scenarios
from sim.testing.invariants import check_invariants
from sim.world import World
from tests.support.known_speedup_curve import FILE, WORKLOAD, search, session_of, write
from tests.support.lab_jobs import submit_job

MEASURED = {"kernels__measurements": str(FILE)}
LAB = {
    "researcher__initial": 60,
    "growth__calibrated_for": 0,
    "training__first_run_gpus": 16,
    "cluster__gpus": 64,
    "training__first_run_days": 10.0,
    "run__horizon_days": 60.0,
    "run__max_doublings": 3,
    "kernels__attention_share": 0.5,
    "kernels__candidates_per_day": 1.0,
    "kernels__candidate_researcher_hours": 0.0,
    "kernels__candidate_gpu_hours": 0.0,
}
"""Candidates cost nothing here; tests/sim/test_kernel_costs.py has what they cost."""


def lab(**changes) -> Scenario:
    return Scenario().replace(**(LAB | MEASURED)).replace(**changes)


def finish(world: World) -> World:
    while world.running:
        world.step()
    return world


def deployments(world: World) -> list[KernelsDeployed]:
    return [event for event in world.ledger if isinstance(event, KernelsDeployed)]


@pytest.fixture
def double(tmp_path):
    """A search in which every candidate is twice as fast as the library."""
    return write(tmp_path / "double.jsonl", search(session_of("double"), [math.log(2)] * 8, winner=math.log(2)))


@pytest.fixture
def flat(tmp_path):
    """A search that found nothing."""
    return write(tmp_path / "flat.jsonl", search(session_of("flat"), [-0.1] * 8, winner=-0.1))


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_pooled_researchers_finish_sooner_by_the_work_rate(double, share):
    """Researchers without other limits: with kernels from day 0 on, all days shrink by Amdahl's rate."""
    rate = amdahl(share, 2.0)
    plain = Scenario.load("returns-0.7").replace(
        researcher__initial=700_000, run__max_doublings=6, run__horizon_days=1e4, run__sample_days=100.0
    )
    fast = plain.replace(
        kernels__measurements=str(double),
        kernels__attention_share=share,
        kernels__candidates_per_day=1e9,
        kernels__candidate_researcher_hours=0.0,
        kernels__candidate_gpu_hours=0.0,
    )
    without, with_kernels = run(plain), run(fast)
    for slow, quick in zip(without.doublings, with_kernels.doublings, strict=True):
        assert quick.day == pytest.approx(slow.day / rate, rel=1e-5)
    assert with_kernels.kernels.work_rate == pytest.approx(rate)


def test_deployments_follow_the_speedup_curve():
    """One candidate a day for each 60 researchers: each deployment comes when its candidates have been tried."""
    world = finish(World(lab(run__max_doublings=5), 1))
    curve = curve_of(read_measurements(FILE)[1], WORKLOAD)
    done = deployments(world)
    assert len(done) > 5
    for event in done:
        assert event.speedup == pytest.approx(curve.speedup_after(event.candidates), rel=1e-9)
        assert event.work_rate == amdahl(0.5, event.speedup)
    for earlier, later in pairwise(done):
        assert later.speedup >= earlier.speedup * 1.02 * (1 - 1e-9) or later.speedup == curve.largest
    effort = sum((event.researchers / 60) * (until - event.day) for event, until in team_until(world, done[-1].day))
    assert done[-1].candidates == pytest.approx(effort, rel=1e-9)


def team_until(world, day):
    """The teams up to a day, each with the day on which it ended."""
    housed = [event for event in world.ledger if type(event).__name__ == "ActiveResearchersChanged" and event.day < day]
    return zip(housed, [*(event.day for event in housed[1:]), day], strict=True)


def test_faster_kernels_shorten_only_jobs_submitted_later(double):
    quick = {"kernels__measurements": str(double), "kernels__attention_share": 1.0}
    world = World(lab(**quick, cluster__gpu_hours_between_failures=0.0, kernels__candidates_per_day=0.5), 0)
    before = submit_job(world, "training", 8, 4.0)
    while world.lab.compute.work_rate == 1:
        world.step()
    assert [event.day for event in deployments(world)] == [2.0]
    after = submit_job(world, "training", 8, 4.0)
    assert (before.length, after.length) == (4.0, pytest.approx(2.0))
    finish(world)
    started = {event.day: event.run_days for event in world.ledger if isinstance(event, TrainingRequested)}
    jobs = {job.submitted: job.length for job in world.lab.compute.datacenter.records if job.use == "training"}
    known = started.keys() & jobs.keys()
    assert known
    assert {day: jobs[day] for day in known} == {day: started[day] for day in known}


def test_waiting_job_keeps_the_kernels_of_its_submission(double):
    quick = {"kernels__measurements": str(double), "kernels__attention_share": 1.0, "kernels__candidates_per_day": 0.5}
    world = World(lab(**quick, cluster__gpu_hours_between_failures=0.0, training__required=False), 0)
    all_gpus = world.lab.compute.largest_gang("training")
    for _ in range(2):
        submit_job(world, "training", all_gpus, 4.0)
    finish(world)
    assert deployments(world)[0].day == 2.0
    jobs = [job for job in world.lab.compute.datacenter.records if job.use == "training"]
    assert [(job.submitted, job.started, job.length) for job in jobs] == [(0.0, 0.0, 4.0), (0.0, 4.0, 4.0)]


@pytest.mark.parametrize("frame", [0.7, 5e4])
@pytest.mark.parametrize("per_day", [24.0, 1e-3, 1e-6])
def test_pending_candidates_do_not_prevent_a_stall(per_day, frame):
    """All researchers wait for an experiment that never ends; later kernels would activate more of them."""
    stuck = {
        "researcher__initial": 4,
        "growth__calibrated_for": 0,
        "cluster__gpus": 16,
        "researcher__experiment_gpus": 8,
        "training__required": False,
        "cluster__inference_share": 0.5,
        "cluster__training_share": 0.0,
        "run__horizon_days": 1e6,
        "run__sample_days": frame,
    }

    def stalled(**kernels) -> World:
        world = World(Scenario().replace(**stuck, **kernels), 1)
        world.lab.compute.datacenter.submit("experiment", 8, math.inf, owner=0)
        return finish(world)

    plain = stalled(kernels__measurements="none")
    free = {"kernels__candidate_researcher_hours": 0.0, "kernels__candidate_gpu_hours": 0.0}
    world = stalled(**MEASURED, **free, kernels__candidates_per_day=per_day, kernels__attention_share=0.9)
    assert world.ending.ending == plain.ending.ending == "stalled"
    assert world.ending.day == world.now == world.clock.last_event
    assert world.ending.day >= max(event.day for event in world.ledger)
    if per_day < 1:
        assert (world.ending.day, deployments(world)) == (plain.ending.day, [])


def test_faster_kernels_activate_more_researchers(tmp_path):
    path = write(tmp_path / "mine.jsonl", search(session_of("one"), [0.7] * 8, winner=math.log(2.01)))
    world = World(lab(kernels__measurements=str(path), kernels__attention_share=1.0), 0)
    assert world.lab.workforce.active_researchers == 60
    world.step()
    assert world.lab.workforce.active_researchers == 120


def test_result_reports_the_measurements_of_its_kernels():
    result = run(lab(), 2)
    first = result.events[0]
    assert first == KernelCurveLoaded(0.0, digest_of(FILE), WORKLOAD, "imagined", "imagined", 3)
    kernels = result.kernels
    assert (kernels.calibrated, kernels.digest, kernels.workload) == (True, digest_of(FILE), WORKLOAD)
    assert kernels.speedup == result.series["kernel_speedup"][-1] > 1
    assert kernels.work_rate == result.series["work_rate"][-1] == amdahl(0.5, kernels.speedup)
    assert result.series["kernel_speedup"][0] == 1
    assert kernels[4:8] == ("imagined", "imagined", 3, 0)


def test_result_without_measurements_reports_none():
    result = run(lab(kernels__measurements="none"), 2)
    assert result.kernels[:3] == (False, "none", "")
    assert not [event for event in result.events if isinstance(event, KernelCurveLoaded | KernelsDeployed)]


def test_search_without_a_gain_changes_only_the_reported_source(flat):
    found = run(lab(kernels__measurements=str(flat)), 2)
    plain = run(lab(kernels__measurements="none"), 2)
    assert found.events[1:] == plain.events
    assert found.jobs == plain.jobs
    assert found.digest != plain.digest
    assert (found.kernels.speedup, found.kernels.candidates) == (1.0, 0)


def test_digest_depends_on_the_content_of_the_measurements(tmp_path):
    """The same name with other content is another scenario and another run; the same content elsewhere is not."""
    path = tmp_path / "mine.jsonl"
    shutil.copy(FILE, path)
    scenario = lab(kernels__measurements=str(path), run__horizon_days=5.0)
    here, first = scenario.digest(), run(scenario, 0).digest
    assert run(lab(run__horizon_days=5.0), 0).digest == first
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0].replace("2000-01-01", "2001-01-01"), *lines[1:]]))
    assert scenario.digest() != here
    assert run(scenario, 0).digest != first
    path.unlink()
    with pytest.raises(ScenarioError, match=r"mine\.jsonl': cannot be read"):
        scenario.digest()
    with pytest.raises(ScenarioError, match="cannot be read"):
        run(scenario)


def test_digest_does_not_depend_on_the_path_of_the_measurements(tmp_path):
    copy = tmp_path / "copy.jsonl"
    shutil.copy(FILE, copy)
    assert lab(kernels__measurements=str(copy)).digest() == lab().digest()
    assert lab(kernels__measurements=str(copy), kernels__workload="short/fp32/forward").digest() != lab().digest()


def test_digest_without_measurements_is_that_of_earlier_versions():
    """Made before measurements were part of it by content; parameters that come later will change it."""
    scenario = lab(kernels__measurements="none")
    content = scenario.flat() | {"digest of kernels__measurements": ""}
    later = (*(f"{block}__" for block in LATER_BLOCKS), "growth__ai_doublings")
    content = {name: value for name, value in content.items() if not name.startswith(later)}
    assert scenario.digest() == sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@pytest.mark.parametrize(
    ("name", "value"),
    [("workload", "short/fp32/forward"), ("attention_share", 0.9), ("candidates_per_day", 1.0), ("deploy_step", 0.5)],
)
def test_kernel_parameters_without_measurements_are_refused(name, value):
    change, without = {f"kernels__{name}": value}, Scenario().replace(kernels__measurements="none")
    message = rf"kernels__{name} is not read under kernels__measurements = 'none'; it is read under any other "
    with pytest.raises(ScenarioError, match=message):
        without.replace(**change)
    with pytest.raises(ScenarioError, match=message):
        World(without, 0).branch(**change)
    with pytest.raises(ScenarioError, match=message):
        Scenario().replace(**change, kernels__measurements="none")
    switched_off = lab(kernels__measurements="none").flat()
    assert switched_off[f"kernels__{name}"] == Scenario().flat()[f"kernels__{name}"]


@pytest.mark.parametrize("name", shipped_scenarios())
def test_shipped_scenario_sets_only_parameters_in_use(name):
    assert Scenario.load(name).digest() == Scenario.load(name).digest()


def test_world_does_not_reread_its_measurements(tmp_path):
    path = tmp_path / "mine.jsonl"
    shutil.copy(FILE, path)
    world = World(lab(kernels__measurements=str(path)), 0)
    path.unlink()
    copy = world.branch(kernels__attention_share=0.1)
    assert finish(copy).lab.calibration.digest == digest_of(FILE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernels__workload": "causal/fp32/both"}, "available: causal/bf16/both, short/fp32/forward; did you mean"),
        ({"kernels__workload": "causal bf16"}, "written as short/bf16/both"),
        ({"kernels__measurements": "nome"}, "did you mean 'none'?"),
        ({"kernels__measurements": "no/such.jsonl"}, "cannot be read"),
        ({"kernels__measurements": "traces/mine.csv"}, "any file that ends in .jsonl"),
    ],
)
def test_unmeasured_workload_is_refused_before_the_run(changes, message):
    with pytest.raises(ScenarioError) as caught:
        lab(**changes)
    assert message in str(caught.value)
    assert "kernels__measurements = " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_measurements_file_that_is_not_a_trace_is_refused(tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text("job,submit\n")
    with pytest.raises(ScenarioError, match=r"odd\.jsonl, line 1"):
        lab(kernels__measurements=str(path))
    path.write_text("")
    with pytest.raises(ScenarioError, match="was not measured; available: none"):
        lab(kernels__measurements=str(path))


def test_researcher_limit_includes_the_gain_of_kernels(double):
    fits = {"researcher__initial": 50_000, "run__max_doublings": 34}
    World(lab(**fits, kernels__measurements="none"))
    with pytest.raises(ScenarioError, match="set run__max_doublings to at most 33"):
        World(lab(**fits, kernels__measurements=str(double)))


@pytest.mark.parametrize("change", [{"kernels__measurements": "none"}, {"kernels__workload": "short/fp32/forward"}])
def test_branch_with_other_measurements_is_refused(change):
    with pytest.raises(ScenarioError, match=next(iter(change))):
        World(lab(), 0).branch(**change)


def test_branch_can_change_attention_share_and_candidate_rate():
    world = World(lab(), 0)
    for _ in range(10):
        world.step()
    rate, speedup = world.lab.compute.work_rate, world.lab.kernels.speedup
    assert speedup > 1
    worth_more = world.branch(kernels__attention_share=0.9)
    assert worth_more.lab.compute.work_rate == amdahl(0.9, speedup) > rate
    assert worth_more.lab.workforce.active_researchers > world.lab.workforce.active_researchers
    assert deployments(worth_more)[-1][2:4] == (speedup, worth_more.lab.compute.work_rate)
    faster = world.branch(kernels__candidates_per_day=100.0)
    assert faster.lab.kernels.candidates == pytest.approx(world.lab.kernels.candidates)
    faster.step()
    world.step()
    assert faster.lab.kernels.speedup > world.lab.kernels.speedup
    coarser = world.branch(kernels__deploy_step=10.0)
    for branch in (worth_more, faster, coarser):
        check_invariants(finish(branch))
    assert len(deployments(coarser)) == len(deployments(world)) + 1


def test_kernel_reporters_on_day_0_return_1():
    world = World(lab(), 0)
    assert (reporters.kernel_speedup(world.lab), reporters.work_rate(world.lab)) == (1.0, 1.0)
