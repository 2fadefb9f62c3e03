"""What the components of the page are given: plain, bounded, and what the frame says."""

import json
from typing import Any

import pytest

from experiments.window.number_format import format_count, format_factor, pluralize
from experiments.window.page import Drawing, cell_at, draw
from experiments.window.player import RunPlayer
from experiments.window.session import ViewState, WindowSession
from experiments.window.timeline import TimelineView
from experiments.window.views import cluster, header, settings, software, team, timeline
from experiments.window.views.axes import end_of_axis, round_up
from sim.scenario.model import Scenario, shipped_scenarios

MOST_BYTES = 400_000
"""Of one drawing, as it is sent."""


def shown_of(journey: RunPlayer) -> ViewState:
    """What a session would show of a journey that somebody else moves."""
    session = WindowSession(journey, lambda stamp: None)
    session.close()
    return session.shown


def after(scenario: Scenario, frames: int, seed: int = 0) -> ViewState:
    journey = RunPlayer(scenario, seed)
    journey.step(frames)
    return shown_of(journey)


@pytest.fixture(scope="module")
def lab() -> ViewState:
    return after(Scenario.load("lab-frontier-experiments"), 120)


def test_a_drawing_is_plain_and_small(lab: ViewState) -> None:
    sent = json.dumps(draw(lab)._asdict(), allow_nan=False)
    assert len(sent) < MOST_BYTES


@pytest.mark.parametrize("name", shipped_scenarios())
def test_every_scenario_can_be_drawn_on_day_0_and_later(name: str) -> None:
    for frames in (0, 3):
        drawing = draw(after(Scenario.load(name), frames))
        json.dumps(drawing._asdict(), allow_nan=False)


def test_a_million_researchers_are_drawn_as_what_they_are() -> None:
    drawing = draw(after(Scenario.load("lab").replace(researcher__initial=1_000_000), 2))
    assert len(json.dumps(drawing._asdict(), allow_nan=False)) < MOST_BYTES
    (group,) = drawing.people["groups"]
    assert "cohort of" in group["told"]
    assert drawing.people["people"] == []


def test_the_grid_has_all_gpus(lab: ViewState) -> None:
    drawn = cluster.gpus(lab)
    assert sum(cell[0] for cell in drawn["cells"]) == lab.frame.grid.gpus
    assert all(cell[0] == sum(cell[1:]) for cell in drawn["cells"])
    assert sum(pool["cells"] for pool in drawn["pools"]) == len(drawn["cells"])


def test_a_node_is_told_with_its_jobs(lab: ViewState) -> None:
    busy = next(cell for cell in lab.frame.grid.cells if cell.jobs)
    told = cluster.cell_told(busy)
    assert f"Job {busy.jobs[0].number:,}" in told
    assert f"{busy.gpus:,} GPUs" in told
    assert len(told.splitlines()) <= 1 + cluster.LISTED


@pytest.mark.parametrize("place", [None, -1, 10**9, "3", 2.5, {}])
def test_a_place_that_is_none_is_no_cell(lab: ViewState, place: Any) -> None:
    assert cell_at(lab, place) is None


def test_layers_of_the_team_add_up(lab: ViewState) -> None:
    option = team.option(timeline.columns(lab), lab.frame.day)
    top = next(each for each in option["series"] if each["name"] == team.SHORT["paused"])
    everybody = sum(each.all for each in lab.frame.team.phases)
    assert top["data"][-1][1] == pytest.approx(everybody)
    own = [each["data"][-1][2] for each in option["series"] if each["name"] in team.SHORT.values()]
    assert sum(own) == pytest.approx(everybody)


def test_software_is_drawn_as_doublings_beside_the_law_alone(lab: ViewState) -> None:
    option = software.option(lab)
    lines = {each["name"]: each["data"] for each in option["series"]}
    assert lines["discovered"][-1] == [lab.frame.day, pytest.approx(lab.frame.discovered, rel=1e-4)]
    assert lines[software.alone_label(lab.first)][0] == [0.0, 0.0]
    assert option["yAxis"]["max"] > lab.frame.discovered
    assert option["xAxis"]["max"] > lab.frame.day


def branched() -> tuple[RunPlayer, ViewState]:
    journey = RunPlayer(Scenario.load("lab"), 0)
    journey.step(10)
    journey.branch(6, {"training__needed": False})
    journey.step(3)
    return journey, shown_of(journey)


def test_both_futures_are_drawn_and_can_be_chosen() -> None:
    _, shown = branched()
    drawn = software.software(shown)
    assert [each["chosen"] for each in drawn["choices"]] == [False, True]
    assert "training__needed = false" in drawn["choices"][1]["label"]
    names = [each["name"] for each in drawn["option"]["series"]]
    assert {"discovered (A)", "discovered (B)"} <= set(names)


def test_the_way_is_the_past_of_the_first_future_and_then_the_chosen_one() -> None:
    _, shown = branched()
    first, branch = shown.futures
    rows = timeline.columns(shown)
    assert rows["frame"] == [float(frame) for frame in range(10)]
    assert rows["discovered"][:6] == first.columns["discovered"][:6]
    assert rows["discovered"][6:] == branch.columns["discovered"]


def test_the_timeline_marks_doublings_retrainings_and_branches(lab: ViewState) -> None:
    drawn = timeline.controls(lab)
    kinds = {mark["kind"] for mark in drawn["marks"]}
    assert {"doubling", "retraining"} <= kinds
    assert all(0 <= mark["frame"] <= lab.last for mark in drawn["marks"])
    assert drawn["days"][0] == [0, 0.0]
    assert drawn["days"][-1] == [lab.frame.number, lab.frame.day]
    _, shown = branched()
    assert {"frame": 6, "kind": "branch"}.items() <= timeline.controls(shown)["marks"][-1].items()


def test_a_day_lies_on_its_frame() -> None:
    rows = {"day": [0.0, 5.0, 10.0], "frame": [0.0, 10.0, 20.0]}
    assert [timeline.frame_at(day, rows) for day in (0.0, 2.5, 5.0, 9.9, 10.0, 99.0)] == [0, 5, 10, 20, 20, 20]


def test_empty_views_say_what_to_do() -> None:
    drawing: Drawing = draw(after(Scenario.load("toy-explosion"), 0))
    empty = [drawing.waits["empty"], drawing.queue["empty"], drawing.kernels["empty"], drawing.literature["empty"]]
    assert all(text.strip() for text in empty)
    assert "no experiments here" in drawing.waits["empty"]
    assert "no experiments here" in drawing.queue["empty"]
    lab = draw(after(Scenario.load("lab"), 0))
    assert "Press “queue”" in lab.waits["empty"]
    assert "Press “queue”" in lab.queue["empty"]


def test_dots_are_told_as_what_they_are(lab: ViewState) -> None:
    few, cohort = Scenario.load("lab"), Scenario.load("toy-explosion").replace(run__individuals_up_to=16)
    assert "Each dot is a paper" in draw(after(few, 0)).literature["hint"]
    assert "Each dot is a paper" in draw(after(few, 3)).literature["hint"]
    assert "a cohort may publish many" in draw(after(cohort, 1000)).literature["hint"]


def test_a_new_seed_is_for_a_new_run(lab: ViewState) -> None:
    form = settings.settings(lab, {}, "7")
    assert not form["can_branch"]
    assert form["note"].startswith("The seed is decided on day 0")
    assert settings.settings(lab, {}, str(lab.seed))["can_branch"]


@pytest.mark.parametrize(
    ("day", "end"), [(0, 10), (10, 10), (10.5, 20), (364, 480), (730, 750), (751, 800), (1e5, 1e5)]
)
def test_axes_of_time_end_at_round_days(day: float, end: float) -> None:
    assert end_of_axis(day) == end


@pytest.mark.parametrize(("value", "above"), [(0, 1), (1, 1), (1.01, 1.5), (7, 8), (900, 1000), (1001, 1500)])
def test_round_figures(value: float, above: float) -> None:
    assert round_up(value) == above


@pytest.mark.parametrize(
    ("doublings", "told"), [(0, "×1"), (2.02, "×4.06"), (13, "×8,192"), (30, "×1.1×10⁹"), (300, "×2×10⁹⁰")]
)
def test_factors_are_told_for_reading(doublings: float, told: str) -> None:
    assert format_factor(doublings) == told


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0"),
        (12.5, "12.5"),
        (8192, "8,192"),
        (9_999_999, "9,999,999"),
        (1e7, "10⁷"),
        (1_548_139_829, "1.5×10⁹"),
        (9.96e9, "10¹⁰"),
    ],
)
def test_numbers_are_told_for_reading(number: float, told: str) -> None:
    assert format_count(number) == told


def test_one_of_a_thing_is_told_as_one() -> None:
    assert [pluralize(number, "paper") for number in (0, 1, 2, 1e9)] == [
        "0 papers",
        "1 paper",
        "2 papers",
        "10⁹ papers",
    ]
    assert pluralize(2, "search", "searches") == "2 searches"


def test_letters_name_futures() -> None:
    view = TimelineView(27, "x", True, None, 0, {}, 0, {}, ())
    assert software.letter(view) == "B"


def test_experiments_behind_others_on_their_gang_are_told() -> None:
    few = draw(after(Scenario.load("lab"), 3)).limit["figures"][-1]
    assert few["why"] == "For GPUs"
    many_short = Scenario.load("lab").replace(
        researcher__initial=200_000, growth__calibrated_for=200_000, researcher__experiment_gpu_days=0.1
    )
    shown = after(many_short, 1)
    behind = shown.frame.value("researchers_queue") - shown.frame.value("experiments_waiting")
    assert behind > 100
    assert draw(shown).limit["figures"][-1]["why"].startswith(f"For GPUs; {pluralize(behind, 'experiment')} more")


def test_head_of_a_changed_run_names_what_differs() -> None:
    changed = Scenario.load("lab").replace(cluster__gpus=512, training__needed=False)
    chips = header.head(after(changed, 0))["changes"]
    assert [chip["told"] for chip in chips] == ["GPUs 512 (1,024)", "Needed off (on)"]
    assert header.head(after(Scenario.load("lab"), 0))["changes"] == []


def test_head_of_a_branch_names_what_differs_and_since_when() -> None:
    _, shown = branched()
    assert [chip["told"] for chip in header.head(shown)["changes"]] == ["Needed off (on) since day 6"]


def test_head_of_a_changed_run_shows_no_description_with_a_number() -> None:
    limits = Scenario.load("limits")
    assert "16 doublings" in header.head(after(limits, 0))["about"]
    assert header.head(after(limits.replace(growth__limit_doublings=8.0), 0))["about"] == ""
    lab = Scenario.load("lab")
    assert header.head(after(lab.replace(cluster__gpus=512), 0))["about"] == lab.description


def test_papers_of_a_run_are_numbered_from_1() -> None:
    shown = after(Scenario.load("lab"), 3)
    told = [event.sentence for event in shown.frame.events if "published paper" in event.sentence]
    assert len(told) >= 1
    numbers = [number for number, day, *_ in draw(shown).literature["papers"] if day is not None]
    assert numbers == list(range(1, shown.frame.network.published + 1))
    assert f"published paper {numbers[-1]:,}" in told[0]


def test_candidates_are_whole_and_each_number_is_told_once() -> None:
    shown = after(Scenario.load("lab"), 1)
    told = [event.sentence for event in shown.frame.events if event.kind == "KernelsDeployed"]
    after_each = [sentence.partition(" after ")[2].partition(":")[0] for sentence in told]
    assert len(after_each) == len(set(after_each)) > 3
    assert all(each.split()[0].isdigit() for each in after_each)
    assert all(at == int(at) for at, _ in shown.frame.kernels.curve)
