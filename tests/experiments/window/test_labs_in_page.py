"""Several labs on the page: frames, lead, lines, marks, links and downloads of a race of two small labs."""

import io
import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from experiments.errors import InputError
from experiments.window.downloads import download
from experiments.window.form_fields import scenario_with_changes
from experiments.window.frame import frame_of
from experiments.window.moment_margins import moment_margins
from experiments.window.page import build_props, downloaded_values
from experiments.window.permalink import decode, encode, link_of, restore
from experiments.window.player import RunPlayer
from experiments.window.session import ViewState, view_state
from experiments.window.views import events, labs, settings, software
from sim.events import GpusDelivered, SoftwareDoubled
from sim.race import summarise_race
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World
from tests.support.window_runs import small_lab

FRAMES = 40
GPUS = {"near": 64, "far": 32}


def small_race(**changes: object) -> Scenario:
    """Return a race of two small labs: `near` is ahead; `far` gains from it, gets GPUs and closes on day 35."""
    own = {f"{lab}.cluster__gpus": gpus for lab, gpus in GPUS.items()}
    other = {
        "near.entry__software_doublings": 1.0,
        "far.commons__publication_share": 0.1,
        "far.supply__growth_per_year": 1000.0,
        "far.supply__lot_days": 10.0,
        "far.exit__kind": "closes",
        "far.exit__day": 35.0,
    }
    return small_lab(run__max_doublings=30).replace(**(own | other | changes))


RACE = small_race()


@pytest.fixture(scope="module")
def world() -> World:
    found = World(RACE, 3)
    for _ in range(FRAMES):
        found.step()
    return found


@pytest.fixture
def player() -> RunPlayer:
    found = RunPlayer(RACE, 3)
    found.step(FRAMES)
    return found


def test_player_shows_each_lab_as_a_headless_run_has_it(player, world):
    assert player.labs == ("near", "far")
    assert player.current_frame == frame_of(world) == frame_of(world, lab="near")
    shown = player.show_lab("far").frame
    assert shown == frame_of(world, lab="far") != player.show_lab("near").frame
    assert shown.team.active_researchers == world.labs["far"].workforce.active_researchers
    assert shown.grid.gpus == world.labs["far"].compute.datacenter.capacity != GPUS["far"]
    assert [lab.discovered for lab in shown.labs] == [
        world.datacollector.model_vars[f"{lab}.discovered"][-1] for lab in player.labs
    ]
    assert player.digest() == world.digest()
    with pytest.raises(ScenarioError, match="there is no lab 'other'; allowed: near, far"):
        player.show_lab("other")


def test_player_rewound_after_a_change_of_the_lab_shows_that_lab(player):
    player.rewind(12)
    player.show_lab("far")
    at_12 = player.current_frame
    player.rewind(5)
    assert player.rewind(12).frame == at_12
    with World(RACE, 3) as headless:
        for _ in range(12):
            headless.step()
        assert at_12 == frame_of(headless, lab="far")


def test_lead_equals_that_of_the_race(player, world):
    lead, race = labs.lead_of(view_state(player)), summarise_race(world)
    days = [race.day_of(lab, lead.common_doubling) for lab in (lead.leader, lead.second)]
    assert (lead.leader, lead.common_doubling) == ("near", world.labs["far"].knowledge.doublings)
    assert lead.days == days[1] - days[0] > 0
    best, other = (race.labs[lab].series["discovered"][-1] for lab in (lead.leader, lead.second))
    assert lead.doublings == best - other
    text = labs.describe_lead(lead)
    assert text.startswith(f"near leads far by {round(best - other, 2)} doublings.")
    assert text.endswith(f"It was {lead.days:,.1f} days ahead at doubling {lead.common_doubling}.")


def test_lead_chart_gives_each_frame_to_the_lab_with_more_software(player):
    state = view_state(player)
    near, far = (state.timelines[0].software[lab] for lab in player.labs)
    crossing = {"near": near[:20] + far[20:], "far": far[:20] + near[20:]}
    state = state._replace(timelines=(replace(state.timelines[0], software=crossing),))
    drawn = [
        {day: lead for day, lead in line["data"] if lead is not None}
        for line in labs.lead_option(state, 60.0)["series"]
    ]
    for day, (a, b) in enumerate(zip(*crossing.values(), strict=True)):
        assert drawn[a < b][day] == pytest.approx(abs(a - b), rel=1e-4)
    assert max(drawn[0]) == min(drawn[1]) == 20


def test_labels_are_spread_as_little_as_their_gap_needs():
    assert labs.spread_labels([50.0, 90.0, 20.0], 13) == [50.0, 90.0, 20.0]
    assert labs.spread_labels([50.0, 52.0, 90.0, 51.0], 10) == [41.0, 61.0, 90.0, 51.0]
    assert labs.spread_labels([0.0, 0.0, 3.0], 10) == [5.0, 15.0, 25.0], "all above the axis"


def test_software_chart_has_a_labelled_line_for_each_lab_of_each_branch(player):
    player.branch(20, {"far.training__gain": 1.5})
    player.step(2)
    option = software.software_option(view_state(player))
    lines = {each["name"]: each for each in option["series"]}
    names = [f"{lab} ({branch})" for branch in "AB" for lab in ("near", "far")]
    assert set(lines) == {*names, "near, deployed (A)", "near, deployed (B)", "current frame"}
    labels = [lines[name]["endLabel"]["formatter"] for name in names]
    assert labels == ["A", "", "near", "far"], "the chosen branch names the labs"
    assert lines["far (B)"]["data"][-1] == [22, pytest.approx(player.current_frame.labs[1].discovered, rel=1e-4)]
    looks = {labs.look_of([str(n) for n in range(30)], str(n)) for n in range(30)}
    assert len(looks) == 30


def test_timeline_marks_events_of_all_labs_with_their_names(player, world):
    marks = build_props(view_state(player)).controls["marks"]
    assert len({(mark["frame"], mark["kind"]) for mark in marks}) == len(marks)
    delivered = [event for event in world.ledger if isinstance(event, GpusDelivered)]
    assert [mark["what"].partition(":")[0] for mark in marks if mark["kind"] == "delivery"] == ["far"] * len(delivered)
    (end,) = [mark for mark in marks if mark["kind"] == "end"]
    assert (end["what"], end["frame"], end["other"]) == ("far: Day 35.0: the lab ended", 35, True)
    doublings = [event for event in world.ledger if isinstance(event, SoftwareDoubled) and event.day]
    text = " ".join(mark["what"] for mark in marks if mark["kind"] == "doubling")
    assert {lab: text.count(f"{lab}: Day") for lab in GPUS} == {
        lab: sum(event.lab == lab for event in doublings) for lab in GPUS
    }
    lines = events.event_props(view_state(player))["lines"]
    assert all(line[1].startswith(("near: ", "far: ")) for line in lines)


def test_link_restores_the_lab_and_values_of_one_lab(player):
    player.rewind(10)
    player.branch(10, {"far.training__gain": 1.5})
    player.step(3)
    player.show_lab("far")
    link = link_of("race", player.initial_scenario, 3, 13, player.timelines(), player.shown_lab)
    query = encode(link, lambda name: RACE)
    found = decode(query, lambda name: RACE)
    assert found == link
    assert "far.training__gain=1.5" in query
    again = RunPlayer(found.scenario, found.seed)
    assert restore(found, again).frame == player.current_frame
    assert again.digest() == player.digest()
    with pytest.raises(InputError, match="lab = 'other' is not a lab of the link; allowed: leader, follower"):
        decode("scenario=two-labs&lab=other")


def test_form_changes_values_of_one_lab():
    player = RunPlayer(RACE, 3)
    state: ViewState = view_state(player)
    typed = {"far.training__gain": "1.5", "near.training__gain": "0"}
    props = settings.settings_props(state, typed, "", "", "far")
    shown = {field["name"]: field for group in props["groups"] for field in group["fields"]}
    assert (shown["cluster__gpus"]["text"], shown["training__gain"]["text"]) == ("32", "1.5")
    assert shown["exit__into"]["choices"][1:] == ["near", "far"]
    assert (props["labs"], props["target"], props["edits"]) == (["near", "far"], "far", 2)
    assert "training__gain = 0" in props["note"], "an error of the other lab"
    with pytest.raises(InputError, match="too large for the page"):
        scenario_with_changes(RACE, {"far.cluster__gpus": 200_000})


def test_branch_of_an_ended_race_needs_an_earlier_frame():
    player = RunPlayer(RACE.replace(run__horizon_days=3.0), 3)
    player.seek(10)
    with pytest.raises(ScenarioError, match="this run of several labs is over"):
        player.branch(3, {"run__horizon_days": 9.0})
    assert player.branch(2, {"run__horizon_days": 9.0}).done


def test_panels_of_an_ended_lab_are_plain_and_state_the_end(player):
    player.show_lab("far")
    props = build_props(view_state(player))
    json.dumps(props._asdict(), allow_nan=False)
    assert props.limit["sentence"].startswith("The lab has ended.")
    assert props.limit["lab"] == "far"
    chips = {lab["name"]: (lab["shown"], lab["state"]) for lab in props.labs["labs"]}
    assert chips == {"near": (False, ""), "far": (True, "ended")}


def test_margins_of_a_lab_do_not_depend_on_a_lab_that_shares_nothing():
    found = []
    for gpus in (64, 128):
        scenario = small_race(**{"far.commons__publication_share": 0.0, "near.cluster__gpus": gpus})
        with World(scenario, 3) as race:
            for _ in range(12):
                race.step()
            found.append([moment_margins(race.snapshot(), lab=lab) for lab in GPUS])
    assert found[0][1] == found[1][1]
    assert found[0][0] != found[1][0]
    assert found[0][1].limited_by == "researchers"


def test_downloads_contain_all_labs(player, world):
    values = downloaded_values(player)
    ledger = pq.read_table(io.BytesIO(download("ledger parquet", *values).content))
    assert ledger.num_rows == len(world.ledger)
    series = pq.read_table(io.BytesIO(download("series parquet", *values).content)).to_pydict()
    assert series["lab"] == ["near"] * (FRAMES + 1) + ["far"] * (FRAMES + 1)
    assert series["discovered"][-1] == world.datacollector.model_vars["far.discovered"][-1]
    assert b"[labs.far.exit]" in download("scenario", *values).content
