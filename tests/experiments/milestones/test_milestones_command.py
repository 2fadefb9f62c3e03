"""Test `asara milestones`: days over seeds, the table, the files, interruption and bad input."""

import json
import math
import signal

import numpy as np
import pytest

from experiments.milestones import study as milestones_study
from experiments.milestones.figure import milestones_figure, milestones_picture
from experiments.milestones.study import levels_to_measure, milestone_days, multiplier_over_time, study
from experiments.milestones.table import asara_sentence, limit_sentence, sentences
from sim.ai_path import AiPath
from sim.multiplier import AiLevel, Multiplier
from sim.runner import run
from sim.scenario.model import Scenario

VALUES = {
    "humans__initial": 4,
    "humans__growth_per_year": 1.0,
    "growth__calibrated_for": 4,
    "growth__first_doubling_days": 20.0,
    "automation__kinds": 2,
    "automation__first_threshold": 1.0,
    "automation__last_threshold": 2.0,
    "researcher__initial": 40,
    "researcher__experiment_gpu_days": 0.0,
    "training__required": False,
    "kernels__measurements": "none",
    "run__max_doublings": 4,
}
SMALL = Scenario(name="small").replace(**VALUES)
ARGUMENTS = [word for name, value in VALUES.items() for word in ("--set", f"{name}={str(value).lower()}")]


@pytest.fixture(scope="module")
def found():
    return study(SMALL, [3, 4])


def test_study_dates_the_milestones_in_order(found):
    days = {row.milestone.name: row for row in found.rows}
    assert list(days) == ["AIR-5x", "AIR-25x", "AIR-250x", "AIR-2000x", "AC", "SAR", "SIAR", "ASARA"]
    assert days["AC"].p50 < days["ASARA"].p50 == days["AIR-25x"].p50
    assert days["AIR-2000x"].p50 == math.inf and days["AIR-2000x"].share == 0.0
    assert found.asara.low < found.asara.mean < found.asara.high
    since = {row.milestone.name: row for row in found.rows_since_coder}
    assert since["AC"].p50_if_reached == 0
    assert since["AIR-25x"].published_days == pytest.approx(0.98 * 365)


def test_study_measures_the_multiplier_of_full_automation(found):
    complete = [each for each in found.measured if each.level.capability >= 2]
    for each in complete:
        assert each.value == pytest.approx(10 * 2**each.level.doublings, rel=0.35)
    assert found.measured[-1].bottlenecks()["tasks of humans"] == pytest.approx(0, abs=1e-9)


def test_study_is_the_same_for_the_same_seeds(found):
    assert study(SMALL, [3, 4]) == found
    assert milestones_picture(found) == milestones_picture(found)


def test_time_horizon_moves_the_capability_and_not_the_number():
    clock = SMALL.replace(horizon__law="exponential", horizon__doubling_days=15.0, growth__law="frozen")
    path = run(clock.replace(run__horizon_days=40.0)).ai_path
    assert path.asara_day == 30.0
    assert path.levels[-1].doublings == 0.0
    assert path.levels[-1].capability == pytest.approx(40 / 15)
    levels = levels_to_measure(clock, [path])
    assert AiLevel(0.0, pytest.approx(1.999)) in levels
    assert [each.capability for each in levels] == sorted(each.capability for each in levels)


def test_levels_are_thresholds_and_just_below_and_whole_doublings():
    path = AiPath(0, (0.0, 9.0), (AiLevel(0.0, 0.0), AiLevel.of_software(3.5)), (0.0, 1.0), 9.0, 0.0)
    found = [each.doublings for each in levels_to_measure(SMALL, [path])]
    assert found == pytest.approx([0.999, 1.0, 1.999, 2.0, 3.0, 3.5])


def test_milestone_comes_on_the_day_of_the_deployment_that_reaches_it():
    path = AiPath(0, (0.0, 10.0, 30.0), tuple(map(AiLevel.of_software, (0.0, 1.0, 3.0))), (0.0, 0.5, 1.0), 30.0, 0.0)
    scenario = SMALL.replace(automation__productivity_slope=2.0)
    days = milestone_days(scenario, [path], [np.array([1.0, 6.0, 300.0])], 0.5)
    assert days == {
        "AIR-5x": [10],
        "AIR-25x": [30],
        "AIR-250x": [30],
        "AIR-2000x": [math.inf],
        "AC": [10],
        "SAR": [30],
        "SIAR": [math.inf],
        "ASARA": [30],
    }


def test_multiplier_is_interpolated_in_its_logarithm():
    measured = [Multiplier(AiLevel.of_software(2.0), 16.0, None, None)]
    path = AiPath(0, (0.0, 1.0), (AiLevel(0.0, 0.0), AiLevel.of_software(1.0)), (0.0, 0.0), math.inf, 0.0)
    assert multiplier_over_time(SMALL, measured, path) == pytest.approx([1.0, 4.0])


def test_sentences_name_asara_and_the_limits(found):
    assert asara_sentence(found).startswith("ASARA: day ")
    one, none = (
        found._replace(paths=found.paths[:1], asara=None),
        [each._replace(asara_day=math.inf) for each in found.paths],
    )
    assert "1 of 1 seeds reach it on day" in asara_sentence(one)
    assert asara_sentence(found._replace(paths=tuple(none), asara=None)).endswith("in any seed.")
    limited = found.measured[-1]._replace(value=10.0, without_experiments=40.0, unlimited=80.0)
    waiting = tuple(each._replace(waiting=1.0) for each in found.paths)
    assert limit_sentence(found._replace(measured=(limited,), paths=waiting)) == (
        "The best AIs of the runs have a multiplier of 10. What keeps it lower, in doublings: GPUs for experiments 2.0 "
        "(50%), tasks of humans 1.0 (25%), training runs 1.0 (25%)."
    )
    assert "superexponential" not in " ".join(sentences(found))


def test_figure_has_three_panels(found):
    figure = milestones_figure(found)
    assert [axes.get_title(loc="left").partition(" ")[0] for axes in figure.axes] == ["Share", "AI", "Day"]


@pytest.fixture
def brief(monkeypatch):
    """Measure the multiplier with few papers, which are enough to test the output."""
    monkeypatch.setattr(milestones_study, "MULTIPLIER_SEEDS", 1)


def test_command_prints_the_table_and_writes_files(asara, tmp_path, brief):
    answer = asara("milestones", "lab", *ARGUMENTS, "--seeds", 2, "--out", "kept")
    assert answer.code == 0
    for words in ("AIR-5x", "AC", "ASARA: day", "95% interval", "published", "AI Futures Model"):
        assert words in answer.out
    assert sorted(each.name for each in (tmp_path / "kept").iterdir()) == ["milestones.json", "milestones.png"]
    assert (tmp_path / "kept" / "milestones.png").read_bytes().startswith(b"\x89PNG")
    written = (tmp_path / "kept" / "milestones.json").read_text()
    assert asara("milestones", "lab", *ARGUMENTS, "--seeds", 2, "--json").out == written
    content = json.loads(written)
    assert [row["milestone"] for row in content["rows"]][-1] == "ASARA"
    assert content["rows"][3]["p50"] is None
    assert len(content["paths"]) == 2


BAD = {
    "share": ("lab --coder-share 0", ["--coder-share = 0 is not a share", "above 0, up to 1"]),
    "year": ("lab --coder-year 2031", ["--coder-year"]),
    "seeds": ("lab --seeds 0", ["--seeds"]),
    "unknown": ("road-to-azara", ["did you mean 'road-to-asara'"]),
    "no humans": ("road-to-asara --set humans__initial=0", ["humans__initial = 0 leaves the tasks undone"]),
    "crossed": ("road-to-asara --set automation__first_threshold=9", ["first_threshold = 9 is above"]),
}


@pytest.mark.parametrize("case", BAD)
def test_command_with_bad_input_prints_one_error_and_writes_nothing(asara, tmp_path, case):
    command, words = BAD[case]
    answer = asara("milestones", *command.split(), "--out", "kept")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines()[-1].startswith("asara: ")
    for word in words:
        assert word in answer.err
    assert list(tmp_path.iterdir()) == []


def test_command_interrupted_reports_completed_seeds(asara, tmp_path, monkeypatch, brief):
    calls = []

    def stopping(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return run(*arguments)

    monkeypatch.setattr(milestones_study, "run", stopping)
    answer = asara("milestones", "lab", *ARGUMENTS, "--seeds", 3)
    assert answer.code == 2
    assert "milestones over 1 seed, in days" in answer.out
    assert "interrupted after 1 of 3 seeds" in answer.err
    calls.append(None)
    calls[:] = calls[:1]
    answer = asara("milestones", "lab", *ARGUMENTS, "--seeds", 1, "--out", "kept")
    assert (answer.code, answer.out) == (2, "")
    assert "interrupted before the first results were complete" in answer.err
    assert list(tmp_path.iterdir()) == []
