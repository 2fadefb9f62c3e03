"""The page as Solara builds it, without a browser: which components it has, what they are given, and what they ask."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.window import server

server.prepare()
solara: Any = pytest.importorskip("solara")

from solara.server import kernel_context  # noqa: E402

from experiments.window import page  # noqa: E402
from experiments.window.app import Page  # noqa: E402
from experiments.window.session import WindowSession  # noqa: E402
from tests.support.window_runs import logged  # noqa: E402


class Rendered:
    """A page, its session and its components."""

    def __init__(self) -> None:
        before = set(page._open)
        self.box, self.context = solara.render(Page(), handle_error=False)
        (self.session,) = page._open - before or {None}
        self._news = threading.Condition()
        if self.session is not None:
            self.with_trait("digest").observe(self._drawn, "stamp")

    def _drawn(self, _: Any) -> None:
        with self._news:
            self._news.notify_all()

    def until(self, condition: Any) -> None:
        """Wait until all components, the foot as the last, show what holds."""
        foot = self.with_trait("digest")

        def drawn() -> bool:
            shown = self.session.shown
            return condition(shown) and foot.stamp == shown.stamp

        with self._news:
            assert self._news.wait_for(drawn, timeout=30), self.session.shown.said

    def widgets(self, within: Any = None) -> list[Any]:
        found = [within or self.box]
        for child in getattr(found[0], "children", ()):
            found += self.widgets(child) if hasattr(child, "comm") else []
        return found

    def part(self, **traits: Any) -> Any:
        """The one component that has these values."""
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
        """Do what the browser would: send an event of the component that has a trait."""
        getattr(self.with_trait(trait), f"vue_{event}")(data)

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def rendered() -> Iterator[Rendered]:
    found = Rendered()
    yield found
    found.close()


def test_all_views_are_there(rendered: Rendered) -> None:
    for name in ("software", "team", "queue", "kernels"):
        assert rendered.part(name=name).option is not None
    for trait in ("cells", "papers", "people", "lines", "uses", "marks", "sentence", "digest", "files", "scenarios"):
        assert rendered.with_trait(trait)


def test_a_step_reaches_every_component(rendered: Rendered) -> None:
    rendered.ask("paces", "act", {"what": "step"})
    rendered.until(lambda shown: shown.frame.number == 1)
    assert rendered.with_trait("paces").at == 1
    assert rendered.with_trait("figures").figures.value[0]["value"] == "1.0"


MADE_UP = (
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
        ("cells", "looked"),
        ("people", "pick"),
        ("scenarios", "typed"),
        ("scenarios", "chose"),
        ("scenarios", "back"),
        ("files", "wanted"),
        ("digest", "want"),
    ],
)
def test_whatever_a_browser_sends_is_answered_by_a_sentence_at_most(
    rendered: Rendered, trait: str, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = logged(monkeypatch, "experiments.window.page")
    for data in MADE_UP:
        rendered.ask(trait, event, data)
    rendered.session.step()
    rendered.until(lambda shown: shown.frame.number >= 1)
    assert not failures


def test_researcher_that_is_picked_again_is_followed_no_more(rendered: Rendered) -> None:
    rendered.ask("people", "pick", {"number": 5})
    rendered.until(lambda shown: shown.followed == 5)
    rendered.ask("people", "pick", {"number": 5})
    rendered.until(lambda shown: shown.followed == 0)


def test_scenario_that_is_selected_is_applied_by_a_new_start_alone(rendered: Rendered) -> None:
    rendered.session.step()
    rendered.until(lambda shown: shown.frame.number == 1)
    rendered.ask("scenarios", "chose", {"scenario": "toy-explosion"})
    form = rendered.with_trait("scenarios")
    assert (form.scenario, form.can_branch, form.has_earlier) == ("toy-explosion", False, False)
    assert rendered.session.shown.first.name == "lab"
    assert rendered.session.shown.frame.number == 1
    rendered.ask("scenarios", "start", None)
    rendered.until(lambda shown: shown.first.name == "toy-explosion")
    rendered.ask("scenarios", "back", None)
    rendered.until(lambda shown: shown.first.name == "lab" and shown.frame.number == 1)


def test_what_cannot_be_drawn_is_said_and_what_was_drawn_stays(
    rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(shown: Any) -> Any:
        raise ZeroDivisionError

    log = logged(monkeypatch, "experiments.window.page")
    monkeypatch.setattr(page, "draw", broken)
    rendered.session.step()
    rendered.until(lambda shown: shown.frame.number == 1)
    controls = rendered.with_trait("paces")
    assert controls.said == "This frame could not be drawn (ZeroDivisionError). Step on, or rewind."
    assert controls.at == 0
    monkeypatch.undo()
    rendered.session.step()
    rendered.until(lambda shown: shown.frame.number == 2)
    assert controls.at == 2
    assert any("could not be drawn" in line for line in log)


def test_a_page_that_is_left_frees_its_session() -> None:
    rendered = Rendered()
    session = rendered.session
    assert session in page._open
    rendered.close()
    assert session not in page._open
    assert session.freed.wait(30)


def test_two_pages_share_nothing(rendered: Rendered) -> None:
    other = Rendered()
    other.ask("paces", "act", {"what": "step"})
    other.until(lambda shown: shown.frame.number == 1)
    assert rendered.session.shown.frame.number == 0
    assert rendered.session._journey is not other.session._journey
    other.close()


def test_too_many_windows_are_refused_and_those_left_make_room(
    rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MAX_WINDOWS", 1)
    refused = Rendered()
    assert refused.session is None
    assert any(getattr(each, "children", None) == [page.FULL] for each in refused.widgets())
    refused.close()
    left = SimpleNamespace(
        page_status={"1": kernel_context.PageStatus.DISCONNECTED},
        close=lambda why: page.close_session(rendered.session),
    )
    monkeypatch.setitem(kernel_context.contexts, "left", left)
    welcome = Rendered()
    assert isinstance(welcome.session, WindowSession)
    welcome.close()
