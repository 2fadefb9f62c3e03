"""The page in browsers: steps, rewinds, branches and links equal headless runs."""

from collections.abc import Callable
from typing import Any

import pytest

from sim.events import SoftwareDoubled, TrainingRequested
from sim.scenario.model import Scenario
from sim.world import World
from tests.support.browser_pages import Reader

Open = Callable[..., Reader]


def headless(frames: int, seed: int = 0, scenario: str = "lab", **changes: Any) -> World:
    """Return the World of a headless run after a number of frames."""
    world = World(Scenario.load(scenario).replace(**changes), seed)
    for _ in range(frames):
        world.step()
    return world


def test_page_steps_equal_a_headless_run(reader: Open) -> None:
    page = reader()
    assert page.frame() == 0
    page.step(4)
    world = headless(4)
    assert page.day() == world.now
    assert page.digest() == world.digest()
    page.step()
    assert page.digest() == headless(5).digest()


def test_page_events_lead_to_the_same_frame(reader: Open) -> None:
    page = reader()
    page.step()
    page.step_event()
    assert 1 < page.day() <= 2
    page.step_event()
    page.press("step")  # ends the current frame
    page.until_frame(2)
    assert page.day() == 2
    assert page.digest() == headless(2).digest()


def test_page_rewound_and_stepped_again_equals_a_headless_run(reader: Open) -> None:
    page = reader()
    page.step(5)
    before = page.digest()
    page.rewind(2)
    assert page.digest() == headless(2).digest()
    page.step(3)
    assert page.digest() == before == headless(5).digest()
    page.press("first")
    page.until_frame(0)
    assert page.day() == 0
    page.rewind(5)  # forwards, to the latest known frame
    assert page.digest() == before
    page.press("back")
    page.until_frame(4)


def test_page_branch_without_changes_equals_the_first_run(reader: Open) -> None:
    page = reader()
    page.step(3)
    page.press("branch")
    page.page.wait_for_selector('[data-future="1"][aria-pressed="true"]')
    page.step(2)
    assert page.digest() == headless(5).digest()


def test_page_branch_shares_randomness_with_the_first_run(reader: Open) -> None:
    page = reader()
    page.step(5)
    first = page.digest()
    page.rewind(3)
    page.type("training__gain", "1.5")
    page.press("branch")
    page.page.wait_for_selector('[data-future="1"][aria-pressed="true"]')
    assert "training__gain = 1.5" in page.text('[data-future="1"]')
    points = int(page.page.get_attribute('[data-view="software"]', "data-points"))
    page.step(2)
    world = headless(3).branch(training__gain=1.5)
    for _ in range(2):
        world.step()
    assert page.digest() == world.digest()
    assert int(page.page.get_attribute('[data-view="software"]', "data-points")) > points
    page.page.click('[data-future="0"]')
    page.page.wait_for_selector('[data-future="0"][aria-pressed="true"]')
    page.until_frame(5)
    assert page.digest() == first


def test_page_of_two_labs_picks_a_lab_and_branches_it_alone(reader: Open) -> None:
    page = reader("?scenario=two-labs", width=390)
    page.step(2)
    page.page.click('[data-lab="follower"]')
    page.page.wait_for_selector('[data-lab="follower"][aria-pressed="true"]')
    page.until("() => window.location.search.includes('lab=follower')")
    assert page.text(".asara-details") == "Details of follower"
    assert page.digest() == headless(2, scenario="two-labs").digest()
    page.page.click('[data-do="settings"]')
    page.page.select_option('[data-do="target"]', "follower")
    page.page.wait_for_selector('[data-do="target"][data-target="follower"]')  # the fields now show its values
    page.type("researcher__papers_per_month", "2")
    page.press("branch")
    page.page.wait_for_selector('[data-future="1"][aria-pressed="true"]')
    page.step(2)
    world = headless(2, scenario="two-labs").branch(**{"follower.researcher__papers_per_month": 2.0})
    for _ in range(2):
        world.step()
    assert page.digest() == world.digest()
    assert page.page.evaluate("() => document.documentElement.scrollWidth") <= 390


def test_page_compares_two_policies_from_one_frame(reader: Open) -> None:
    regulated = "scenario=toy-explosion&regulator__policy=five-times-pause&regulator__reading_days=10"
    page = reader(f"?{regulated}&frame=150", width=390)
    page.until_frame(150)
    assert page.page.get_attribute('[data-rule="five-times"]', "data-state") == "quiet"
    page.page.press('[data-do="compare"]', "Enter")
    page.until_said("Compared two branches")
    assert "doubling 8 comes 182.5 days later than with none (B)" in page.text("[data-compared]")
    page.page.click('[data-future="2"]')
    page.until("() => document.querySelector('[data-rule]').dataset.state === 'in force'")
    assert page.page.locator(".mark.alarm").count() == 1
    page.page.click('[data-rule="five-times"] [data-do="switch-rule"]')
    page.until("() => document.querySelector('[data-rule]').dataset.state === 'off'")
    assert page.page.evaluate("() => document.documentElement.scrollWidth") <= 390


def test_browsers_are_independent(reader: Open) -> None:
    one, other = reader(), reader("?scenario=lab&seed=7")
    one.step(2)
    other.step(1)
    one.step(1)
    other.step(3)
    assert one.digest() == headless(3).digest()
    assert other.digest() == headless(4, seed=7).digest()
    assert (one.frame(), other.frame()) == (3, 4)


def test_link_opens_the_same_frame(reader: Open) -> None:
    page = reader("?scenario=lab&seed=3&cluster__gpus=512")
    page.step(3)
    page.type("training__gain", "1.5")
    page.press("branch")
    page.page.wait_for_selector('[data-future="1"][aria-pressed="true"]')
    page.step(2)
    page.press("share")
    link = page.page.input_value(".asara-head .link")
    other = reader(link.removeprefix(page.address))
    other.until_frame(5)
    assert other.digest() == page.digest()
    assert other.page.input_value('[data-field="cluster__gpus"]') == "512"


def test_reloaded_page_restores_its_frame(reader: Open) -> None:
    page = reader()
    page.step(4)
    page.until("() => window.location.search.endsWith('frame=4')")
    page.page.reload()
    page.until("() => document.querySelector('.asara-controls')?.dataset.frame === '4'")
    assert page.day() == 4


@pytest.mark.parametrize(
    ("goal", "kind", "frames"), [("doubling", SoftwareDoubled, 60), ("retraining", TrainingRequested, 60)]
)
def test_advance_to_next_goal_equals_a_headless_run(reader: Open, goal: str, kind: type, frames: int) -> None:
    page = reader()
    page.press(goal)
    page.until_said("Day")
    world = headless(page.frame())
    assert any(isinstance(event, kind) for event in world.ledger)
    assert not any(isinstance(event, kind) for event in headless(page.frame() - 1).ledger)
    assert page.digest() == world.digest()
    assert page.frame() <= frames


def test_advance_to_next_queue_shows_waiting_jobs(reader: Open) -> None:
    page = reader("?scenario=lab-frontier-experiments&cluster__gpus=384")
    page.press("queue")
    page.until_said("Day")
    assert page.text('[data-figure="waiting"]') != "0"
    waiting = headless(page.frame(), scenario="lab-frontier-experiments", cluster__gpus=384).lab.compute.datacenter
    assert page.text('[data-waiting="experiments"]') == f"{waiting.jobs_waiting('experiment'):,}"
