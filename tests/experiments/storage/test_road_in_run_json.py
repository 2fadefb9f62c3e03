"""Test that the files and the output of a run contain the road to full automation."""

from experiments.storage.run_store import summary
from sim.runner import run
from sim.scenario.model import Scenario

ROAD = {
    "humans__initial": 3,
    "growth__calibrated_for": 3,
    "growth__first_doubling_days": 20.0,
    "automation__last_threshold": 1.0,
    "training__required": False,
    "researcher__experiment_gpu_days": 0.0,
    "kernels__measurements": "none",
    "run__max_doublings": 2,
}


def test_summary_contains_the_road_only_if_there_is_one():
    result = run(Scenario().replace(**ROAD))
    found = summary(result)["road"]
    assert found["task_days"] == list(result.road.task_days)
    assert found["asara_day"] == result.road.asara_day
    assert found["sentences"] == result.road_sentences
    assert "road" not in summary(result._replace(road=None))


def test_command_prints_the_road_of_a_lab_with_humans(asara):
    settings = [word for name, value in ROAD.items() for word in ("--set", f"{name}={str(value).lower()}")]
    out = " ".join(asara("run", "lab", *settings).out.split())
    assert "The road to ASARA: AIs can do 100% of the tasks of a paper (1 of 1 kinds); automated on day" in out
    assert "The road to ASARA" not in asara("run", "toy-fizzle").out
