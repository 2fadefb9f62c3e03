"""The page: one journey for each browser, drawn from what its session last showed."""
# ruff: noqa: N802 - components are named as Solara names its own

from __future__ import annotations

import logging
import threading
from typing import Any, NamedTuple, cast, get_args

import solara

from experiments.window.cells import Cell
from experiments.window.journey import Goal, Journey
from experiments.window.opening import Opening, given
from experiments.window.session import Session, Shown
from experiments.window.views import cluster, components, findings, path, software, team

MOST_WINDOWS = 32
"""Pages that are open at a time on one server."""
FULL = f"{MOST_WINDOWS} windows are open on this server: close one, and load this page again."

_log = logging.getLogger("asara.window")
_open: set[Session] = set()
"""Sessions that are open. Nothing else is shared between browsers."""
_counting = threading.Lock()


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


def draw(shown: Shown) -> Drawing:
    """Return what the components show of a session."""
    return Drawing(
        limit=findings.limit(shown),
        controls=path.controls(shown),
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


def open_session(opening: Opening, publish: Any) -> Session | None:
    """Return a session of its own for a browser, or None if too many are open."""
    with _counting:
        if len(_open) >= MOST_WINDOWS:
            return None
        session = Session(Journey(opening.scenario, opening.seed), publish)
        _open.add(session)
    if opening.frame:
        session.go_to(opening.frame)
    if opening.wrong:
        session.complain(opening.wrong)
    return session


def close_session(session: Session | None) -> None:
    """Let go of a session whose browser went away."""
    if session is not None:
        session.close()
        with _counting:
            _open.discard(session)


@solara.component
def Page() -> None:
    """The window: the journey of one browser."""
    stamp = solara.use_reactive(-1)
    session = solara.use_memo(lambda: open_session(given(), stamp.set), [])
    solara.use_effect(lambda: lambda: close_session(session), [])
    if session is None:
        solara.v.Html(tag="p", class_="asara-full", children=[FULL])
        return
    Window(session, stamp.value)


@solara.component
def Window(session: Session, stamp: int) -> None:
    """All components, drawn from what the session last showed."""
    last = solara.use_ref(cast("tuple[Shown, Drawing] | None", None))
    shown, drawing = drawn(session, last)
    View(session, shown, drawing)


def drawn(session: Session, last: Any) -> tuple[Shown, Drawing]:
    """Return what to show; of what cannot be drawn the last that could, and a sentence."""
    shown = session.shown
    try:
        last.current = (shown, draw(shown))
    except Exception as error:
        if last.current is None:
            raise
        _log.exception("a frame could not be drawn")
        before, drawing = last.current
        said = f"This frame could not be drawn ({type(error).__name__}). Step on, or rewind."
        controls = path.controls(before) | {"said": said, "wrong": True, "stamp": shown.stamp}
        last.current = (before, drawing._replace(controls=controls))
    return cast("tuple[Shown, Drawing]", last.current)


@solara.component
def View(session: Session, shown: Shown, drawing: Drawing) -> None:
    """The components of the page, in their order."""
    pointed = solara.use_reactive(cast("int | None", None))
    cell = cell_at(shown, pointed.value)
    components.Limit(**drawing.limit)
    components.Controls(
        **drawing.controls,
        event_act=lambda asked: act(session, asked),
        event_rewind=lambda asked: session.rewind(number(asked, "frame")),
        event_seen=lambda asked: session.seen(number(asked, "stamp")),
    )
    with solara.v.Html(tag="div", class_="asara-body"):
        solara.v.Html(tag="div")
        with solara.v.Html(tag="div", class_="asara-views"):
            components.Chart(**drawing.software, event_choose=lambda asked: session.choose(number(asked, "index")))
            components.Chart(**drawing.team)
            components.Chart(**drawing.waits)
            components.Grid(
                **drawing.gpus,
                cell=cluster.cell_told(cell) if cell is not None else "",
                event_looked=lambda asked: pointed.set(asked.get("cell")),
            )
            components.Queue(**drawing.queue)
            components.Network(**drawing.literature)
            components.Chart(**drawing.kernels)
            components.People(**drawing.people, event_pick=lambda asked: session.follow(number(asked, "number")))
            components.Events(**drawing.events)
    components.Foot(
        digest=shown.digest, wanted=False, event_want=lambda asked: session.want_digest(bool(asked.get("wanted")))
    )


def act(session: Session, asked: dict[str, Any]) -> None:
    """Do what a button asks for; what no button asks for is ignored."""
    what = asked.get("what")
    moves = {"play": session.play, "pause": session.pause, "step": session.step, "event": session.step_event}
    if what == "pace":
        session.set_pace(str(asked.get("pace")))
    elif what in get_args(Goal):
        session.to_next(cast(Goal, what))
    elif isinstance(what, str) and what in moves:
        moves[what]()


def number(asked: dict[str, Any], name: str) -> int:
    """Return a whole number that a browser sent; 0 for anything else."""
    value = asked.get(name)
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0


def cell_at(shown: Shown, place: Any) -> Cell | None:
    """Return the cell of the grid to which somebody points, if there is one."""
    cells = shown.frame.grid.cells
    return cells[place] if isinstance(place, int) and 0 <= place < len(cells) else None
