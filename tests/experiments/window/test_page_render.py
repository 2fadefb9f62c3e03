"""The page as Solara builds it, without a browser: components, values and events."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.window import server

server.configure_solara()
solara: Any = pytest.importorskip("solara")

from solara.server import kernel_context  # noqa: E402

from experiments.window import page  # noqa: E402
from experiments.window.app import Page  # noqa: E402
from experiments.window.session import WindowSession  # noqa: E402
from sim.scenario.model import Scenario  # noqa: E402
from tests.support.window_runs import captured_log  # noqa: E402


class RenderedPage:
    """A page, its session and its components."""

    def __init__(self) -> None:
        before = set(page.open_sessions)
        self.box, self.context = solara.render(Page(), handle_error=False)
        (self.session,) = page.open_sessions - before or {None}
        self._news = threading.Condition()
        if self.session is not None:
            self.with_trait("digest").observe(self._drawn, "stamp")

    def _drawn(self, _: Any) -> None:
        with self._news:
            self._news.notify_all()

    def until(self, condition: Any) -> None:
        """Wait until all components, of which the footer is the last, show a state that meets the condition."""
        foot = self.with_trait("digest")

        def drawn() -> bool:
            shown = self.session.view_state
            return condition(shown) and foot.stamp == shown.stamp

        with self._news:
            assert self._news.wait_for(drawn, timeout=30), self.session.view_state.message

    def widgets(self, within: Any = None) -> list[Any]:
        found = [within or self.box]
        for child in getattr(found[0], "children", ()):
            found += self.widgets(child) if hasattr(child, "comm") else []
        return found

    def part(self, **traits: Any) -> Any:
        """Return the only component with these values."""
        (found,) = [
            each
            for each in self.widgets()
            if all(each.has_trait(name) and getattr(each, name) == value for name, value in traits.items())
        ]
        return found

    def with_trait(self, name: str) -> Any:
        (found,) = [each for each in self.widgets() if each.has_trait(name)]
        return found

    def ask(self, trait: str, event: str, data: Any) -> None:
        """Send an event of the component that has a trait, as the browser would."""
        getattr(self.with_trait(trait), f"vue_{event}")(data)

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def rendered() -> Iterator[RenderedPage]:
    found = RenderedPage()
    yield found
    found.close()


def test_page_contains_all_panels(rendered: RenderedPage) -> None:
    for name in ("software", "team", "queue", "kernels"):
        assert rendered.part(name=name).option is not None
    for trait in ("cells", "papers", "people", "lines", "uses", "marks", "sentence", "digest", "files", "scenarios"):
        assert rendered.with_trait(trait)


def test_page_shows_a_run_whose_policy_moves_gpus(rendered: RenderedPage) -> None:
    rendered.session.reset(Scenario.load("lab").replace(policy__name="adaptive"), 1)
    for _ in range(4):
        rendered.session.step()
    rendered.until(lambda shown: shown.initial_scenario.policy.name == "adaptive" and shown.frame.number == 4)
    assert rendered.session.view_state.message == ""


def test_page_step_updates_the_components(rendered: RenderedPage) -> None:
    rendered.ask("paces", "act", {"what": "step"})
    rendered.until(lambda shown: shown.frame.number == 1)
    assert rendered.with_trait("paces").at == 1
    assert rendered.with_trait("figures").figures.value[0]["value"] == "1.0"


UNTRUSTED_EVENTS = (
    None,
    3,
    "x",
    [],
    {},
    {"what": []},
    {"frame": "a"},
    {"frame": -1},
    {"stamp": 1e300},
    {"cell": [1]},
    {"number": True},
    {"name": {}, "text": []},
    {"scenario": "/etc/passwd"},
    {"kind": "../x"},
    {"what": "__class__"},
)


@pytest.mark.parametrize(
    ("trait", "event"),
    [
        ("paces", "act"),
        ("paces", "rewind"),
        ("paces", "seen"),
        ("cells", "point"),
        ("people", "pick"),
        ("scenarios", "typed"),
        ("scenarios", "chose"),
        ("scenarios", "back"),
        ("files", "wanted"),
        ("digest", "want"),
    ],
)
def test_page_survives_untrusted_events(
    rendered: RenderedPage, trait: str, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = captured_log(monkeypatch, "experiments.window.page")
    for data in UNTRUSTED_EVENTS:
        rendered.ask(trait, event, data)
    rendered.session.step()
    rendered.until(lambda shown: shown.frame.number >= 1)
    assert not failures


def test_page_stops_following_a_researcher_on_a_second_click(rendered: RenderedPage) -> None:
    rendered.ask("people", "pick", {"number": 5})
    rendered.until(lambda shown: shown.followed_researcher == 5)
    rendered.ask("people", "pick", {"number": 5})
    rendered.until(lambda shown: shown.followed_researcher == 0)


def test_page_applies_a_selected_scenario_at_the_start_only(rendered: RenderedPage) -> None:
    rendered.session.step()
    rendered.until(lambda shown: shown.frame.number == 1)
    rendered.ask("scenarios", "chose", {"scenario": "toy-explosion"})
    form = rendered.with_trait("scenarios")
    assert (form.scenario, form.can_branch, form.has_earlier) == ("toy-explosion", False, False)
    assert rendered.session.view_state.initial_scenario.name == "lab"
    assert rendered.session.view_state.frame.number == 1
    rendered.ask("scenarios", "start", None)
    rendered.until(lambda shown: shown.initial_scenario.name == "toy-explosion")
    rendered.ask("scenarios", "back", None)
    rendered.until(lambda shown: shown.initial_scenario.name == "lab" and shown.frame.number == 1)


def test_page_keeps_the_last_view_if_a_frame_cannot_be_drawn(
    rendered: RenderedPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(shown: Any) -> Any:
        raise ZeroDivisionError

    log = captured_log(monkeypatch, "experiments.window.page")
    monkeypatch.setattr(page, "build_props", broken)
    rendered.session.step()
    rendered.until(lambda shown: shown.frame.number == 1)
    controls = rendered.with_trait("paces")
    assert controls.said == "This frame could not be drawn (ZeroDivisionError). Step or rewind."
    assert controls.at == 0
    monkeypatch.undo()
    rendered.session.step()
    rendered.until(lambda shown: shown.frame.number == 2)
    assert controls.at == 2
    assert any("could not be drawn" in line for line in log)


def test_closed_page_releases_its_session() -> None:
    rendered = RenderedPage()
    session = rendered.session
    assert session in page.open_sessions
    rendered.close()
    assert session not in page.open_sessions
    assert session.freed.wait(30)


def test_pages_are_independent(rendered: RenderedPage) -> None:
    other = RenderedPage()
    other.ask("paces", "act", {"what": "step"})
    other.until(lambda shown: shown.frame.number == 1)
    assert rendered.session.view_state.frame.number == 0
    other.close()


def test_page_beyond_the_limit_is_refused_until_another_disconnects(
    rendered: RenderedPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MAX_WINDOWS", 1)
    refused = RenderedPage()
    assert refused.session is None
    assert any(getattr(each, "children", None) == [page.TOO_MANY_WINDOWS] for each in refused.widgets())
    refused.close()
    left = SimpleNamespace(
        page_status={"1": kernel_context.PageStatus.DISCONNECTED},
        close=lambda why: page.close_session(rendered.session),
    )
    monkeypatch.setitem(kernel_context.contexts, "left", left)
    welcome = RenderedPage()
    assert isinstance(welcome.session, WindowSession)
    welcome.close()
