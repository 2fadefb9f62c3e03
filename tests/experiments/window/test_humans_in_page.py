"""Test the page of a lab whose humans do the research until AIs do all of it."""

import json
import re

import pytest

from experiments.errors import InputError
from experiments.window.frame import Frame, frame_of
from experiments.window.gpu_grid import owner_of
from experiments.window.page import build_props
from experiments.window.player import RunPlayer
from experiments.window.session import view_state
from experiments.window.visitor_limits import check_bounds
from sim.events import ResearchAutomated
from sim.scenario.model import Scenario
from sim.world import World
from tests.support.window_runs import small_lab

HUMANS = {
    "humans__initial": 8,
    "humans__papers_per_month": 6.0,
    "automation__kinds": 4,
    "automation__last_threshold": 1.0,
    "researcher__experiment_gpu_days": 8.0,
    "training__gain": 1.2,
}


@pytest.fixture(scope="module")
def road() -> tuple[World, list[Frame]]:
    """Return a world that has run through both regimes, and its frames."""
    world = World(small_lab(**HUMANS), 1)
    frames = [frame_of(world)]
    while world.running:
        world.step()
        frames.append(frame_of(world))
    return world, frames


def frames_before_and_after(road: tuple[World, list[Frame]]) -> tuple[list[Frame], list[Frame]]:
    world, frames = road
    (asara,) = (event for event in world.ledger if isinstance(event, ResearchAutomated))
    return [each for each in frames if each.day < asara.day], [each for each in frames if each.day >= asara.day]


def test_frames_show_humans_and_assistants_before_and_researchers_after(road):
    before, after = frames_before_and_after(road)
    assert all(each.team.active_researchers == 0 < each.team.assistants for each in before)
    assert all(each.team.active_researchers > 0 == each.team.assistants for each in after)
    assert all(each.team.humans >= 8 for each in (*before, *after))
    assert "8 humans and 6 AIs that assist them write papers." in before[0].team.note
    assert not after[-1].team.note


def test_limit_names_humans_assistants_or_gpus_before_asara(road):
    before, after = frames_before_and_after(road)
    parts = {each.limit.part for each in before[1:]}
    assert parts <= {"humans", "assistants", "queue"}
    assert "humans" in parts
    assert not any(each.limit.shares for each in before)
    assert {each.limit.part for each in after} <= {"researchers", "queue", "paused", "training"}


def test_experiment_of_a_human_paper_has_its_owner_in_words():
    world = World(small_lab(**(HUMANS | {"automation__last_threshold": 4.0})), 2)
    owners = set[str]()
    while world.running and world.now < 30:
        world.step()
        pool = world.lab.compute.datacenter.pool("experiment")
        owners |= {owner_of(job) for job in pool.jobs() if job.use == "experiment"}
        assert all(" -" not in job.owner for job in frame_of(world).queue.first)
    assert owners == {"a paper of humans"}


def test_timing_of_candidates_is_owned_by_the_kernel_engineer():
    world = World(small_lab(kernels__candidate_gpu_hours=200.0), 2)
    owners = set[str]()
    while world.running:
        world.step()
        pool = world.lab.compute.datacenter.pool("experiment")
        owners |= {owner_of(job) for job in pool.jobs() if job.use == "experiment"}
    assert "the kernel engineer" in owners
    assert not any("-" in owner for owner in owners)


def test_events_are_described_in_sentences(road):
    _, frames = road
    sentences = {event.sentence for frame in frames for event in frame.events}
    assert "8 humans work in the lab." in sentences
    assert "6 AIs assist humans." in sentences
    assert "AIs no longer assist humans." in sentences
    automated = re.compile(r"AIs can do tasks? \d.* of a paper, at a capability of \d+\.\d\d doublings\.")
    assert any(automated.fullmatch(each) for each in sentences)
    assert any(each.startswith("ASARA: AIs can do all tasks of a paper and research") for each in sentences)
    assert any(each.startswith("The team of humans published paper") for each in sentences)
    assert not any("Researcher 0" in each for each in sentences)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"humans__initial": 3000},
            "humans__initial = 3,000 people is too large for the page; allowed: at most 2,000.",
        ),
        (
            {"humans__initial": 2000, "run__horizon_days": 3650.0},
            "humans__initial = 2,000 and humans__growth_per_year = 1.8 make too many humans for the page by day 3,650",
        ),
        (
            {"automation__kinds": 1000},
            "automation__kinds = 1,000 kinds is too large for the page; allowed: at most 100",
        ),
    ],
)
def test_page_refuses_more_humans_or_kinds_than_its_server_can_hold(changes, message):
    with pytest.raises(InputError, match=re.escape(message)):
        check_bounds(Scenario().replace(**changes))


def test_page_of_the_road_is_plain_and_names_humans():
    player = RunPlayer(small_lab(**HUMANS), 1)
    seen = []
    for _ in range(20):
        player.step(3)
        props = build_props(view_state(player))
        json.dumps(props._asdict(), allow_nan=False)
        seen.append((props.limit["sentence"], props.limit["figures"]))
    player.close()
    sentence, figures = seen[0]
    assert sentence.startswith(("Humans: ", "AIs that assist humans: ", "GPUs for experiments: "))
    researchers = next(each for each in figures if each["key"] == "researchers")
    assert (researchers["value"], researchers["why"][:6]) == ("0", "Active")
    assert "humans" in researchers["why"]
