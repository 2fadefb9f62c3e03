"""Test `asara race`: who is first over seeds, lead and shares, one lab, files, interruption and bad input."""

import json
import math
import signal

import pytest

from experiments.errors import InputError
from experiments.race import seed_runs
from experiments.race.figure import race_figure, race_picture
from experiments.race.levels import check_level, default_level, levels_of
from experiments.race.one_lab import merge_labs
from experiments.race.seed_runs import RacePlan
from experiments.race.study import race_curves, study
from experiments.race.table import lead_sentence, level_sentence, one_lab_sentence, repeated_sentence, sentences
from experiments.sweep.workers.process import do_runs
from sim.race import run_race
from sim.scenario.loading import shipped_races
from sim.scenario.model import Scenario

VALUES = {
    "growth__calibrated_for": 8,
    "growth__first_doubling_days": 20.0,
    "cluster__gpus": 64,
    "cluster__inference_share": 0.5,
    "cluster__training_share": 0.25,
    "researcher__gpus_each": 4.0,
    "researcher__experiment_gpu_days": 0.0,
    "training__required": False,
    "kernels__measurements": "none",
    "run__max_doublings": 4,
    "run__horizon_days": 200.0,
    "ada.cluster__gpus": 80,
    "bob.policy__name": "fixed",
}
SMALL = Scenario(name="small").replace(**VALUES)
SEEDS = (0, 1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def found():
    return study(SMALL, SEEDS)


def test_study_counts_the_first_lab_and_the_lead_of_each_run(found):
    results = [run_race(SMALL, seed) for seed in SEEDS]
    for row in found.levels:
        firsts = [result.order(row.level)[0].lab for result in results]
        assert {lab: row.first[lab].number for lab in row.first} == {lab: firsts.count(lab) for lab in ("ada", "bob")}
        leads = sorted(result.lead(row.level) for result in results)
        assert tuple(row.lead) == (leads[0], leads[2], leads[5])
        days = sorted(result.day_of("bob", row.level) for result in results)
        assert row.days["bob"].p50 == days[2]
    assert [row.level for row in found.levels] == [1, 2, 3, 4]
    assert 0 < found.levels[0].first["bob"].number < len(SEEDS), "the small lead in compute does not decide each seed"


def test_study_gives_shares_on_the_day_that_decides(found):
    result = run_race(SMALL, 0)
    place = result.order(4)[0]
    outcome = found.outcomes[0]
    assert outcome.decided == place.day
    assert outcome.software[place.lab] == pytest.approx(4, abs=0.05)
    other = "bob" if place.lab == "ada" else "ada"
    assert outcome.software[other] < 4
    assert found.compute["ada"] == (pytest.approx(80 / 144), tuple(pytest.approx(80 / 144) for _ in range(3)))
    assert found.software["ada"].at_start == 0.5
    assert sum(each.number for each in found.majority.values()) == len(SEEDS)
    assert found.concentration["compute"].at_start == pytest.approx((80**2 + 64**2) / 144**2)


def test_study_gives_the_research_done_twice_until_a_lab_reaches_the_level(found):
    shares = []
    for seed in SEEDS:
        result = run_race(SMALL, seed)
        shares.append(result.repeated_share_on(result.order(4)[0].day))
    shares.sort()
    assert tuple(found.repeated) == (shares[0], shares[2], shares[5])
    assert f"Done twice: {shares[2]:.0%} of the research of all labs" in repeated_sentence(found)


def test_curves_begin_equal_and_end_with_the_shares_of_compute(found):
    curves = race_curves(found)
    assert curves.days[0] == 0
    assert curves.software["ada"][1][0] == curves.software["bob"][1][0] == 0
    assert curves.software_share["ada"][0] == 0.5
    assert curves.software_concentration[0] == 0.5
    assert curves.compute_share["bob"][-1] == pytest.approx(64 / 144)
    middle_of_race = len(curves.days) // 2
    for low, middle, high in curves.software.values():
        assert low[middle_of_race] < high[middle_of_race], "seeds differ"
        assert all(a <= b <= c for a, b, c in zip(low, middle, high, strict=True))


def test_one_lab_has_all_gpus_and_the_best_start():
    race = SMALL.replace(**{"bob.entry__software_doublings": 0.5, "ada.humans__initial": 0, "ada.entry__day": 3.0})
    merged = merge_labs(race)
    assert (merged.cluster.gpus, merged.growth.calibrated_for, merged.labs) == (144, 8, ())
    assert merged.entry.software_doublings == 0.5 and merged.entry.day == 0
    assert merge_labs(SMALL.replace(growth__calibrated_for=0)).growth.calibrated_for == 10, "the team of ada"
    staffed = SMALL.replace(**{"ada.researcher__initial": 3})
    assert merge_labs(staffed).initial_researchers == 3 + 8
    humans = SMALL.replace(**{"ada.humans__initial": 3, "bob.humans__initial": 4})
    assert merge_labs(humans).humans.initial == 7


def test_one_lab_is_earlier_than_the_first_of_the_race(found):
    there = {each.seed: each.level_days[-1] for each in found.one_lab}
    firsts = [min(days[-1] for days in each.level_days.values()) for each in found.outcomes]
    mean = sum(first - there[each.seed] for first, each in zip(firsts, found.outcomes, strict=True)) / len(SEEDS)
    assert found.earlier.mean == pytest.approx(mean)
    assert 0 < found.earlier.low < mean < found.earlier.high
    assert f"{mean:,.3g} days earlier" in one_lab_sentence(found)
    too_large = study(SMALL.replace(**{"ada.cluster__gpus": 999_992}), [0], level=1)
    assert too_large.why_no_one_lab and "One lab with all GPUs is not compared: " in one_lab_sentence(too_large)


def test_labs_that_share_all_at_once_tie():
    shared = SMALL.replace(commons__publication_share=1.0)
    assert default_level(shared) == 2
    there = study(shared, [0, 1], compare=False)
    assert (there.ties, there.undecided, there.levels[-1].first["ada"].number) == (2, 0, 0)
    assert there.levels[-1].lead.p50 == 0
    assert level_sentence(there).endswith("no lab alone in any seed.")


def test_leader_that_ends_before_an_imitator_is_reported():
    follows = SMALL.replace(**{"bob.commons__diffusion_per_year": 5.0, "bob.cluster__gpus": 16})
    there = study(follows, [0], level=4, compare=False)
    assert there.ended_early == 1
    assert any("Lower --level, or raise run__max_doublings" in each for each in sentences(there))
    assert study(follows, [0], level=1, compare=False).ended_early == 0


def test_first_lab_is_safe_with_the_probability_of_its_share_of_safety(found):
    assert found.safety is None and not any(each.startswith("Safety") for each in sentences(found))
    careful = study(SMALL.replace(**{"ada.policy__safety_share": 0.05}), SEEDS, level=2, compare=False)
    wins = careful.levels[-1].first["ada"].number
    assert 0 < wins < len(SEEDS)
    share, probability, low, high = careful.safety
    assert share == pytest.approx(0.05 * wins / len(SEEDS))
    assert probability == pytest.approx(-math.log(0.95) * wins / len(SEEDS))
    assert low < probability < high
    (sentence,) = (each for each in sentences(careful) if each.startswith("Safety"))
    assert f"safe with probability {probability:.1%} (95% interval {low:.1%} to {high:.1%})" in sentence
    one = study(SMALL.replace(policy__safety_share=0.05), [0], level=1, compare=False)
    assert any("safe with probability 5.1%." in each for each in sentences(one))


def test_level_that_no_lab_reaches_is_undecided():
    short = study(SMALL.replace(run__horizon_days=3.0), [0, 1], compare=False)
    assert (short.undecided, short.levels[-1].lead.p50) == (2, pytest.approx(math.nan, nan_ok=True))
    assert level_sentence(short).endswith("no lab in any seed.")
    assert lead_sentence(short) == "Lead: none, because no lab reaches the level."
    assert len(race_figure(short).axes[1].lines) == 0


def test_levels_are_whole_doublings_and_the_deciding_one():
    assert levels_of(2.5) == (1.0, 2.0, 2.5)
    assert levels_of(3.0, lowest=1.0) == (2.0, 3.0)
    assert levels_of(40.0) == (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0)
    with pytest.raises(InputError, match="growth__law = 'frozen' lets no lab reach a level"):
        check_level(
            Scenario().replace(growth__law="frozen", **{"ada.policy__name": "fixed", "bob.entry__day": 1.0}), None
        )


def test_figure_has_three_panels_and_the_same_bytes(found):
    figure = race_figure(found)
    titles = [axes.get_title(loc="left").partition(" ")[0] for axes in figure.axes]
    assert titles == ["Software", "Lead", "Shares"]
    assert len(figure.axes[1].lines) == len(SEEDS)
    assert race_picture(found) == race_picture(found)


# --- Scenarios that ship ---------------------------------------------------------------------------------------------


def test_five_labs_have_the_published_shares_of_compute():
    scenario = Scenario.load("leader-and-followers")
    gpus = [scenario.lab_scenario(lab).cluster.gpus for lab in scenario.labs]
    published = (0.284, 0.258, 0.194, 0.162, 0.103)
    for own, share in zip(gpus, published, strict=True):
        assert own / sum(gpus) == pytest.approx(share, abs=1e-3)


@pytest.mark.parametrize(("name", "months"), [("open-follower", 4), ("distant-follower", 7)])
def test_follower_trails_by_the_inverse_of_its_rate(name, months):
    follower = Scenario.load(name).lab_scenario("follower").commons
    assert 12 / follower.diffusion_per_year == pytest.approx(months)


@pytest.mark.parametrize("name", shipped_races())
def test_shipped_race_begins(name):
    result = run_race(Scenario.load(name).replace(run__horizon_days=4.0), 0)
    assert result.ending == "horizon"
    assert all(len(each.events) > 1 for each in result.labs.values())


# --- The command -----------------------------------------------------------------------------------------------------


def test_command_prints_who_wins_and_writes_files(asara, tmp_path):
    arguments = ("race", "two-labs", *_as_two_labs(), "--seeds", 3)
    answer = asara(*arguments, "--workers", 1, "--out", "kept")
    assert answer.code == 0
    for words in ("a race of 2 labs to 4 doublings", "95% interval", "over half", "lead p50", "Herfindahl", "one lab"):
        assert words in answer.out
    assert sorted(each.name for each in (tmp_path / "kept").iterdir()) == ["race.json", "race.png"]
    written = (tmp_path / "kept" / "race.json").read_text()
    assert asara(*arguments, "--workers", 1, "--json").out == written
    content = json.loads(written)
    assert [each["seed"] for each in content["seeds"]] == [0, 1, 2]
    assert set(content["levels"][-1]["first"]) == {"leader", "follower"}
    assert content["over_time"]["compute_share"]["leader"][0] == 0.5


def _as_two_labs() -> list[str]:
    """Return settings that make two-labs small."""
    return [
        word for name, value in VALUES.items() if "." not in name for word in ("--set", f"{name}={str(value).lower()}")
    ]


BAD = {
    "one lab": ("race lab", ["'lab' has no named labs; allowed in a race: two or more", "two-labs"]),
    "unknown": ("race two-lab", ["did you mean 'two-labs'?"]),
    "high": ("race two-labs --level 10", ["--level = 10 doublings is not a level", "above the 0.5", "up to 9"]),
    "low": ("race two-labs --level 0.5", ["--level = 0.5 doublings", "Write --level 9"]),
    "lab": ("race two-labs --set leadr.cluster__gpus=8", ["no lab 'leadr'; did you mean 'leader'?"]),
    "infeasible": ("race two-labs --workers 1 --set follower.cluster__gpus=8", ["lab 'follower'"]),
    "run": ("run two-labs", ["'two-labs' has 2 labs (leader, follower)", "`asara race two-labs`"]),
    "run fluid": ("run two-labs --engine fluid", ["allowed here: one"]),
}


@pytest.mark.parametrize("case", BAD)
def test_command_with_bad_input_prints_one_error_and_writes_nothing(asara, tmp_path, case):
    command, words = BAD[case]
    answer = asara(*command.split(), "--out", "kept")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines()[-1].startswith("asara: ")
    for word in words:
        assert word in answer.err
    assert list(tmp_path.iterdir()) == []


def test_scenarios_lists_races_apart(asara):
    content = json.loads(asara("scenarios", "--json").out)
    assert [each["name"] for each in content["races"]] == shipped_races()
    assert not {each["name"] for each in content["scenarios"]} & set(shipped_races())
    printed = asara("scenarios").out
    assert printed.index("several labs") < printed.index("leader-and-followers")


def test_command_interrupted_reports_completed_seeds(asara, tmp_path, monkeypatch):
    calls = []

    def stopping(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return run_race(*arguments)

    monkeypatch.setattr(seed_runs, "run_race", stopping)
    arguments = ("race", "two-labs", *_as_two_labs(), "--workers", 1, "--without-one-lab")
    answer = asara(*arguments, "--seeds", 3)
    assert answer.code == 2
    assert "over 1 seed." in answer.out
    assert "interrupted after 1 of 3 seeds" in answer.err
    calls[:] = calls[:1]
    answer = asara(*arguments, "--seeds", 1, "--out", "kept")
    assert (answer.code, answer.out) == (2, "")
    assert "interrupted before the first results were complete" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_workers_give_the_same_outcomes_and_stop_with_the_completed_seeds():
    progress = []

    def stop(world):
        return world is None and bool(progress and progress[-1].done >= 2)

    there = study(SMALL, range(40), workers=2, on_progress=progress.append, should_stop=stop, compare=False)
    assert 2 <= len(there.outcomes) < 40
    assert there.outcomes == study(SMALL, [each.seed for each in there.outcomes], compare=False).outcomes


def test_record_of_a_run_in_a_worker_holds_its_outcome_or_the_error(found):
    levels = tuple(row.level for row in found.levels)
    plan = RacePlan(SMALL, merge_labs(SMALL), SEEDS, levels)
    records = do_runs(plan, [0, 1])
    assert [each.row["outcome"] for each in records] == [found.outcomes[0], found.one_lab[0]]
    wrong = SMALL.replace(**{"ada.exit__kind": "merges", "ada.exit__into": "cy"})
    row = do_runs(RacePlan(wrong, None, SEEDS, levels), [0])[0].row
    assert row["status"] == "invalid" and row["message"].startswith("lab 'ada': exit__into = 'cy' is not a lab")
