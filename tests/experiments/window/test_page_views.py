"""Values of the components: plain, bounded and equal to the frame."""

import json
from typing import Any

import pytest

from experiments.text.number_format import pluralize
from experiments.window.page import PageProps, build_props, cell_at
from experiments.window.player import RunPlayer
from experiments.window.session import ViewState, view_state
from experiments.window.timeline import TimelineView
from experiments.window.views import cluster, header, settings, software, team, timeline
from experiments.window.views.axes import axis_end, round_up
from sim.scenario.model import Scenario, shipped_scenarios

MAX_PROPS_BYTES = 400_000
"""Maximum size of the values of one page as JSON [bytes]."""


def shown_of(player: RunPlayer) -> ViewState:
    """Return the state that a page shows of a player, which is closed then."""
    state = view_state(player)
    player.close()
    return state


def after(scenario: Scenario, frames: int, seed: int = 0) -> ViewState:
    player = RunPlayer(scenario, seed)
    player.step(frames)
    return shown_of(player)


@pytest.fixture(scope="module")
def lab() -> ViewState:
    return after(Scenario.load("lab-frontier-experiments"), 120)


def test_page_props_are_plain_and_small(lab: ViewState) -> None:
    sent = json.dumps(build_props(lab)._asdict(), allow_nan=False)
    assert len(sent) < MAX_PROPS_BYTES


@pytest.mark.parametrize("name", shipped_scenarios())
def test_page_props_of_every_shipped_scenario_are_plain(name: str) -> None:
    for frames in (0, 3):
        drawing = build_props(after(Scenario.load(name), frames))
        json.dumps(drawing._asdict(), allow_nan=False)


def test_page_props_of_a_million_researchers_show_a_cohort() -> None:
    drawing = build_props(after(Scenario.load("lab").replace(researcher__initial=1_000_000), 2))
    assert len(json.dumps(drawing._asdict(), allow_nan=False)) < MAX_PROPS_BYTES
    (group,) = drawing.people["groups"]
    assert "cohort of" in group["text"]
    assert drawing.people["people"] == []


def test_gpu_grid_props_contain_all_gpus(lab: ViewState) -> None:
    drawn = cluster.gpu_grid_props(lab)
    assert sum(cell[0] for cell in drawn["cells"]) == lab.frame.grid.gpus
    assert all(cell[0] == sum(cell[1:]) for cell in drawn["cells"])
    assert sum(pool["cells"] for pool in drawn["pools"]) == len(drawn["cells"])


def test_describe_cell_lists_its_jobs(lab: ViewState) -> None:
    busy = next(cell for cell in lab.frame.grid.cells if cell.jobs)
    text = cluster.describe_cell(busy)
    assert f"Job {busy.jobs[0].number:,}" in text
    assert f"{busy.gpus:,} GPUs" in text
    assert len(text.splitlines()) <= 1 + cluster.MAX_DESCRIBED_JOBS


@pytest.mark.parametrize("place", [None, -1, 10**9, "3", 2.5, {}])
def test_cell_at_an_invalid_position_is_none(lab: ViewState, place: Any) -> None:
    assert cell_at(lab, place) is None


def test_team_layers_add_up(lab: ViewState) -> None:
    option = team.team_option(timeline.path_columns(lab), lab.frame.day)
    top = next(each for each in option["series"] if each["name"] == team.SHORT_PHASE_WORDS["paused"])
    everybody = sum(each.total for each in lab.frame.team.phases)
    assert top["data"][-1][1] == pytest.approx(everybody)
    own = [each["data"][-1][2] for each in option["series"] if each["name"] in team.SHORT_PHASE_WORDS.values()]
    assert sum(own) == pytest.approx(everybody)


def test_software_chart_shows_doublings_and_the_unconstrained_curve(lab: ViewState) -> None:
    option = software.software_option(lab)
    lines = {each["name"]: each["data"] for each in option["series"]}
    assert lines["discovered"][-1] == [lab.frame.day, pytest.approx(lab.frame.discovered, rel=1e-4)]
    assert lines[software.unconstrained_label(lab.initial_scenario)][0] == [0.0, 0.0]
    assert option["yAxis"]["max"] > lab.frame.discovered
    assert option["xAxis"]["max"] > lab.frame.day


def branched() -> ViewState:
    player = RunPlayer(Scenario.load("lab"), 0)
    player.step(10)
    player.branch(6, {"training__required": False})
    player.step(3)
    return shown_of(player)


def test_software_chart_shows_all_branches() -> None:
    shown = branched()
    drawn = software.software_props(shown)
    assert [each["chosen"] for each in drawn["choices"]] == [False, True]
    assert "training__required = false" in drawn["choices"][1]["label"]
    names = [each["name"] for each in drawn["option"]["series"]]
    assert {"discovered (A)", "discovered (B)"} <= set(names)


def test_path_columns_join_the_first_run_and_the_branch() -> None:
    shown = branched()
    first, branch = shown.timelines
    rows = timeline.path_columns(shown)
    assert rows["frame"] == [float(frame) for frame in range(10)]
    assert rows["discovered"][:6] == first.columns["discovered"][:6]
    assert rows["discovered"][6:] == branch.columns["discovered"]


def test_controls_mark_doublings_retrainings_and_branches(lab: ViewState) -> None:
    drawn = timeline.controls_props(lab)
    kinds = {mark["kind"] for mark in drawn["marks"]}
    assert {"doubling", "retraining"} <= kinds
    assert all(0 <= mark["frame"] <= lab.last_frame for mark in drawn["marks"])
    assert drawn["days"][0] == [0, 0.0]
    assert drawn["days"][-1] == [lab.frame.number, lab.frame.day]
    shown = branched()
    assert {"frame": 6, "kind": "branch"}.items() <= timeline.controls_props(shown)["marks"][-1].items()


def test_frame_at_interpolates_days() -> None:
    rows = {"day": [0.0, 5.0, 10.0], "frame": [0.0, 10.0, 20.0]}
    assert [timeline.frame_at(day, rows) for day in (0.0, 2.5, 5.0, 9.9, 10.0, 99.0)] == [0, 5, 10, 20, 20, 20]


def test_empty_panels_give_a_hint() -> None:
    drawing: PageProps = build_props(after(Scenario.load("toy-explosion"), 0))
    empty = [drawing.waits["empty"], drawing.queue["empty"], drawing.kernels["empty"], drawing.literature["empty"]]
    assert all(text.strip() for text in empty)
    assert "need no experiments here" in drawing.waits["empty"]
    assert "need no experiments here" in drawing.queue["empty"]
    lab = build_props(after(Scenario.load("lab"), 0))
    assert "Press “queue”" in lab.waits["empty"]
    assert "Press “queue”" in lab.queue["empty"]


def test_literature_hint_explains_the_dots(lab: ViewState) -> None:
    few, cohort = Scenario.load("lab"), Scenario.load("toy-explosion").replace(run__max_individuals=16)
    assert "Each dot is a paper" in build_props(after(few, 0)).literature["hint"]
    assert "Each dot is a paper" in build_props(after(few, 3)).literature["hint"]
    assert "a cohort may publish many" in build_props(after(cohort, 1000)).literature["hint"]


def test_settings_with_a_new_seed_cannot_branch(lab: ViewState) -> None:
    form = settings.settings_props(lab, {}, "7")
    assert not form["can_branch"]
    assert form["note"].startswith("The seed is fixed on day 0")
    assert settings.settings_props(lab, {}, str(lab.seed))["can_branch"]


@pytest.mark.parametrize(
    ("day", "end"), [(0, 10), (10, 10), (10.5, 20), (364, 480), (730, 750), (751, 800), (1e5, 1e5)]
)
def test_axis_end_is_a_round_day(day: float, end: float) -> None:
    assert axis_end(day) == end


@pytest.mark.parametrize(("value", "above"), [(0, 1), (1, 1), (1.01, 1.5), (7, 8), (900, 1000), (1001, 1500)])
def test_round_up_returns_round_numbers(value: float, above: float) -> None:
    assert round_up(value) == above


def test_branch_name_is_a_letter() -> None:
    view = TimelineView(27, "x", True, None, 0, {}, 0, {}, ())
    assert software.branch_name(view) == "B"


@pytest.mark.slow
def test_key_figures_report_experiments_behind_their_cohort() -> None:
    few = build_props(after(Scenario.load("lab"), 3)).limit["figures"][-1]
    assert few["why"] == "For GPUs"
    many_short = Scenario.load("lab").replace(
        researcher__initial=200_000, growth__calibrated_for=200_000, researcher__experiment_gpu_days=0.1
    )
    shown = after(many_short, 1)
    behind = shown.frame.value("researchers_queue") - shown.frame.value("experiments_waiting")
    assert behind > 100
    assert (
        build_props(shown).limit["figures"][-1]["why"].startswith(f"For GPUs; {pluralize(behind, 'experiment')} more")
    )


def test_header_of_a_changed_run_lists_the_changes() -> None:
    changed = Scenario.load("lab").replace(cluster__gpus=512, training__required=False)
    chips = header.header_props(after(changed, 0))["changes"]
    assert [chip["text"] for chip in chips] == ["GPUs 512 (1,024)", "Required off (on)"]
    assert header.header_props(after(Scenario.load("lab"), 0))["changes"] == []


def test_header_of_a_branch_lists_the_changes_and_their_day() -> None:
    shown = branched()
    assert [chip["text"] for chip in header.header_props(shown)["changes"]] == ["Required off (on) since day 6"]


def test_header_of_a_changed_run_hides_a_description_with_numbers() -> None:
    limits = Scenario.load("limits")
    assert "16 doublings" in header.header_props(after(limits, 0))["about"]
    assert header.header_props(after(limits.replace(growth__limit_doublings=8.0), 0))["about"] == ""
    lab = Scenario.load("lab")
    assert header.header_props(after(lab.replace(cluster__gpus=512), 0))["about"] == lab.description


def test_paper_numbers_of_a_run_start_at_1() -> None:
    shown = after(Scenario.load("lab"), 3)
    sentences = [event.sentence for event in shown.frame.events if "published paper" in event.sentence]
    assert len(sentences) >= 1
    numbers = [number for number, day, *_ in build_props(shown).literature["papers"] if day is not None]
    assert numbers == list(range(1, shown.frame.network.published + 1))
    assert f"published paper {numbers[-1]:,}" in sentences[0]


def test_kernel_events_show_each_whole_candidate_once() -> None:
    shown = after(Scenario.load("lab"), 1)
    sentences = [event.sentence for event in shown.frame.events if event.kind == "KernelsDeployed"]
    after_each = [sentence.partition(" after ")[2].partition(":")[0] for sentence in sentences]
    assert len(after_each) == len(set(after_each)) > 3
    assert all(each.split()[0].isdigit() for each in after_each)
    assert all(at == int(at) for at, _ in shown.frame.kernels.curve)
