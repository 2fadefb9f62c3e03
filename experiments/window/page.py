"""The page: one journey for each browser, drawn from what its session last showed."""
# ruff: noqa: N802 - components are named as Solara names its own

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast, get_args

import solara
from solara.server import kernel_context

from experiments.errors import InputError
from experiments.window.default_link import DefaultLink, opened, scenario_named
from experiments.window.downloads import KINDS, download
from experiments.window.form_fields import differences, fields, scenario_from_form
from experiments.window.gpu_grid import GpuCell
from experiments.window.measuring import Measurer
from experiments.window.player import Goal, RunPlayer
from experiments.window.session import ViewState, WindowSession
from experiments.window.views import cluster, components, findings, header, settings, software, team, timeline
from sim.scenario.model import Scenario, ScenarioError

MAX_TYPED = 200
"""Characters of a value that are read."""
MAX_WINDOWS = 32
"""Pages that are open at a time on one server."""
FULL = f"{MAX_WINDOWS} windows are open on this server: close one, and load this page again."

_log = logging.getLogger("asara.window")
_open: set[WindowSession] = set()
"""Sessions that are open. Nothing else is shared between browsers."""
_counting = threading.Lock()
_measurer = Measurer()
"""Measures for all pages what limits progress."""


class Drawing(NamedTuple):
    """What every component of the page is given, by its name."""

    limit: dict[str, Any]
    controls: dict[str, Any]
    software: dict[str, Any]
    team: dict[str, Any]
    waits: dict[str, Any]
    gpus: dict[str, Any]
    queue: dict[str, Any]
    literature: dict[str, Any]
    kernels: dict[str, Any]
    people: dict[str, Any]
    events: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Sight:
    """What a page shows at a time. No tuple: Solara would look for components in each of its numbers."""

    shown: ViewState
    drawing: Drawing


def draw(shown: ViewState) -> Drawing:
    """Return what the components show of a session."""
    return Drawing(
        limit=findings.limit(shown),
        controls=timeline.controls(shown),
        software=software.software(shown),
        team=team.team(shown),
        waits=cluster.waits(shown),
        gpus=cluster.gpus(shown),
        queue=cluster.queue(shown),
        literature=findings.literature(shown),
        kernels=findings.kernels(shown),
        people=team.people(shown),
        events=findings.events(shown),
    )


def open_session(opening: DefaultLink, publish: Callable[[int], None]) -> WindowSession | None:
    """Return a session of its own for a browser, or None if too many are open."""
    if len(_open) >= MAX_WINDOWS:
        close_left_windows()
    with _counting:
        if len(_open) >= MAX_WINDOWS:
            return None
        session = WindowSession(RunPlayer(opening.link.scenario, opening.link.seed), publish, _measurer)
        _open.add(session)
    if opening.link.frame or opening.link.branches:
        session.travel(opening.link)
    if opening.wrong:
        session.complain(opening.wrong)
    return session


def close_session(session: WindowSession | None) -> None:
    """Let go of a session whose browser went away."""
    if session is not None:
        session.close()
        with _counting:
            _open.discard(session)


def close_left_windows() -> None:
    """Close the windows of browsers that went away without saying so, instead of waiting for them to come back."""
    for context in list(kernel_context.contexts.values()):
        if context.page_status and kernel_context.PageStatus.CONNECTED not in context.page_status.values():
            context.close("cull")


@solara.component
def Page() -> None:
    """The window: the journey of one browser."""
    router = solara.use_router()
    stamp = solara.use_reactive(-1)
    session = solara.use_memo(lambda: open_session(opened(router.search or ""), stamp.set), [])
    solara.use_effect(lambda: lambda: close_session(session), [])
    if session is None:
        solara.v.Html(tag="p", class_="asara-full", children=[FULL])
        return
    Window(session, stamp.value)


@solara.component
def Window(session: WindowSession, stamp: int) -> None:
    """All components, drawn from what the session last showed."""
    last = solara.use_ref(cast("Sight | None", None))
    last.current = seen(session.shown, last.current)
    View(session, last.current)


def seen(shown: ViewState, before: Sight | None) -> Sight:
    """Return what to show; of what cannot be drawn the last that could, and a sentence."""
    try:
        return Sight(shown, draw(shown))
    except Exception as error:
        if before is None:
            raise
        _log.exception("a frame could not be drawn")
        said = f"This frame could not be drawn ({type(error).__name__}). Step on, or rewind."
        now: dict[str, Any] = {
            "stamp": shown.stamp,
            "playing": shown.playing,
            "busy": shown.busy,
            "said": said,
            "wrong": True,
        }
        controls = before.drawing.controls | now
        return Sight(before.shown._replace(**now), before.drawing._replace(controls=controls))


@solara.component
def View(session: WindowSession, sight: Sight) -> None:
    """The components of the page, in their order."""
    drawing = sight.drawing
    Head(session, sight)
    components.Limit(**drawing.limit)
    components.Controls(
        **drawing.controls,
        event_act=asked(session, lambda event: act(session, event)),
        event_rewind=asked(session, lambda event: session.rewind(number(event, "frame"))),
        event_seen=asked(session, lambda event: session.seen(number(event, "stamp"))),
    )
    with solara.v.Html(tag="div", class_="asara-body"):
        Form(session, sight)
        Views(session, sight)
    Foot(session, sight)


@solara.component
def Head(session: WindowSession, sight: Sight) -> None:
    """Which run it is, its link, and what can be downloaded."""
    file = solara.use_reactive(cast("dict[str, Any] | None", None))

    def make(event: dict[str, Any]) -> None:
        kind = str(event.get("kind"))
        if kind in KINDS:
            made = session.answer(lambda journey: download(kind, journey.result(), journey.turns))
            file.set({"name": made.name, "mime": made.mime, "content": made.content})

    components.Head(
        **header.head(sight.shown),
        file=file.value,
        event_wanted=asked(session, make),
        event_taken=asked(session, lambda event: file.set(None)),
    )


@solara.component
def Form(session: WindowSession, sight: Sight) -> None:
    """Scenario, seed and parameters; what was typed is kept until it is in use."""
    shown = sight.shown
    typed = solara.use_reactive(cast("dict[str, str]", {}))
    seed = solara.use_reactive("")
    chosen = solara.use_reactive("")

    def forget() -> None:
        typed.set({})
        seed.set("")
        chosen.set("")

    def choose(event: dict[str, Any]) -> None:
        name = str(event.get("scenario"))
        scenario_named(name)
        typed.set({})
        chosen.set("" if name == shown.first.name else name)

    def base() -> Scenario:
        return scenario_named(chosen.value) if chosen.value else shown.scenario

    def note(event: dict[str, Any]) -> None:
        name, text = str(event.get("name")), str(event.get("text"))[:MAX_TYPED]
        if name == "seed":
            seed.set(text)
        elif name in fields():
            typed.set(typed.value | {name: text})

    def in_use() -> Scenario:
        filled = scenario_from_form(base(), typed.value)
        if filled.scenario is None:
            raise InputError(next(iter(filled.wrong.values())))
        return filled.scenario

    solara.use_effect(forget, [shown.scenario, shown.seed])
    components.Settings(
        **settings.settings(shown, typed.value, seed.value, chosen.value),
        event_typed=asked(session, note),
        event_undo=asked(session, lambda event: forget()),
        event_chose=asked(session, choose),
        event_back=asked(session, lambda event: session.bring_back()),
        event_branch=asked(session, lambda event: session.branch(differences(shown.scenario, in_use()))),
        event_start=asked(
            session, lambda event: session.reset(in_use(), settings.seed_of(seed.value or str(shown.seed)))
        ),
    )


@solara.component
def Views(session: WindowSession, sight: Sight) -> None:
    """All that there is to see of a moment and of the way to it."""
    drawing = sight.drawing
    pointed = solara.use_reactive(cast("int | None", None))
    cell = cell_at(sight.shown, pointed.value)

    def pick(event: dict[str, Any]) -> None:
        session.follow(picked(sight.shown, number(event, "number")))

    with solara.v.Html(tag="div", class_="asara-views"):
        components.Chart(
            **drawing.software, event_choose=asked(session, lambda event: session.choose(number(event, "index")))
        )
        components.Chart(**drawing.team)
        components.Chart(**drawing.waits)
        components.Grid(
            **drawing.gpus,
            cell=cluster.cell_told(cell) if cell is not None else "",
            event_looked=asked(session, lambda event: pointed.set(event.get("cell"))),
        )
        components.Queue(**drawing.queue)
        components.Network(**drawing.literature)
        components.Chart(**drawing.kernels)
        components.People(**drawing.people, event_pick=asked(session, pick))
        components.Events(**drawing.events)


@solara.component
def Foot(session: WindowSession, sight: Sight) -> None:
    """The digest of the run, for those who want to compare."""
    wanted = solara.use_reactive(False)

    def want(event: dict[str, Any]) -> None:
        wanted.set(bool(event.get("wanted")))
        session.want_digest(wanted.value)

    components.Foot(
        stamp=sight.shown.stamp, digest=sight.shown.digest, wanted=wanted.value, event_want=asked(session, want)
    )


def asked(session: WindowSession, do: Callable[[dict[str, Any]], None]) -> Callable[..., None]:
    """Return ``do`` for what a browser sends, whoever made that up: what cannot be done is said on the page."""

    def told(event: Any = None, *_: Any) -> None:
        try:
            do(event if isinstance(event, dict) else {})
        except (InputError, ScenarioError) as error:
            session.complain(str(error))
        except Exception as error:
            _log.exception("what the page asked for failed")
            session.complain(f"This could not be done ({type(error).__name__}).")

    return told


def act(session: WindowSession, event: dict[str, Any]) -> None:
    """Do what a button asks for; what no button asks for is ignored."""
    what = event.get("what")
    moves = {"play": session.play, "pause": session.pause, "step": session.step, "event": session.step_event}
    if what == "pace":
        session.set_pace(str(event.get("pace")))
    elif what in get_args(Goal):
        session.to_next(cast(Goal, what))
    elif isinstance(what, str) and what in moves:
        moves[what]()


def number(event: dict[str, Any], name: str) -> int:
    """Return a whole number that a browser sent; 0 for anything else."""
    value = event.get(name)
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0


def picked(shown: ViewState, researcher: int) -> int:
    """Return the researcher to follow when one is picked: none if it is followed already."""
    return 0 if researcher == shown.followed else researcher


def cell_at(shown: ViewState, place: Any) -> GpuCell | None:
    """Return the cell of the grid to which somebody points, if there is one."""
    cells = shown.frame.grid.cells
    return cells[place] if isinstance(place, int) and 0 <= place < len(cells) else None
