"""Build the page of one browser from the last state that its session published."""
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
from experiments.window.default_link import PageLink, link_from_query, scenario_named
from experiments.window.downloads import DOWNLOADS, download
from experiments.window.form_fields import differences, fields, scenario_from_form
from experiments.window.gpu_grid import GpuCell
from experiments.window.measuring import MarginsWorker
from experiments.window.player import Goal, PlayedRun, RunPlayer
from experiments.window.session import ViewState, WindowSession
from experiments.window.views import (
    cluster,
    components,
    events,
    header,
    kernels,
    labs,
    limiting_factor,
    literature,
    policy,
    settings,
    software,
    tasks,
    team,
    timeline,
)
from experiments.window.visitor_limits import check_policy
from sim.governance.params import RegulatorParams
from sim.runner import RunResult
from sim.scenario.model import Scenario, ScenarioError

MAX_INPUT_LENGTH = 200
"""Maximum length of a typed value that is read [characters]."""
MAX_WINDOWS = 32
"""Maximum number of pages that are open on one server."""
TOO_MANY_WINDOWS = f"{MAX_WINDOWS} pages are open on this server. Close one, then load this page again."

_log = logging.getLogger("asara.window")
open_sessions: set[WindowSession] = set()
"""Open sessions. Browsers share nothing else but the measurer."""
_sessions_lock = threading.Lock()
_measurer = MarginsWorker()
"""Measures what limits progress, for all pages."""


class PageProps(NamedTuple):
    """The values of each component of the page, by name."""

    labs: dict[str, Any] | None
    """None for one lab."""
    limit: dict[str, Any]
    controls: dict[str, Any]
    software: dict[str, Any]
    lead: dict[str, Any] | None
    """None for one lab."""
    policy: dict[str, Any] | None
    """None without a regulator."""
    pace: dict[str, Any] | None
    """None without a regulator."""
    tasks: dict[str, Any] | None
    """None if the panel is not shown."""
    team: dict[str, Any]
    waits: dict[str, Any]
    gpus: dict[str, Any]
    queue: dict[str, Any]
    literature: dict[str, Any]
    kernels: dict[str, Any]
    people: dict[str, Any]
    events: dict[str, Any]


@dataclass(frozen=True, eq=False)
class ReactiveView:
    """A state and the values drawn from it. Not a tuple: Solara would search each of its numbers for components."""

    state: ViewState
    props: PageProps


def build_props(state: ViewState) -> PageProps:
    """Return the values of all components for a state."""
    return PageProps(
        labs=labs.labs_props(state),
        limit=limiting_factor.limit_props(state),
        controls=timeline.controls_props(state),
        software=software.software_props(state),
        lead=labs.lead_props(state, software.software_axis_end(state)),
        policy=policy.policy_props(state),
        pace=policy.pace_props(state, software.software_axis_end(state)),
        tasks=tasks.task_props(state),
        team=team.team_props(state),
        waits=cluster.waiting_props(state),
        gpus=cluster.gpu_grid_props(state),
        queue=cluster.queue_props(state),
        literature=literature.literature_props(state),
        kernels=kernels.kernel_props(state),
        people=team.people_props(state),
        events=events.event_props(state),
    )


def open_session(opening: PageLink, publish: Callable[[int], None]) -> WindowSession | None:
    """Open a session for a browser; return None if too many are open."""
    if len(open_sessions) >= MAX_WINDOWS:
        close_disconnected_pages()
    with _sessions_lock:
        if len(open_sessions) >= MAX_WINDOWS:
            return None
        session = WindowSession(RunPlayer(opening.link.scenario, opening.link.seed), publish, _measurer)
        open_sessions.add(session)
    if opening.link.frame or opening.link.branches or opening.link.lab:
        session.open_link(opening.link)
    if opening.error:
        session.report_error(opening.error)
    return session


def close_session(session: WindowSession | None) -> None:
    """Close a session after its browser has left."""
    if session is not None:
        session.close()
        with _sessions_lock:
            open_sessions.discard(session)


def close_disconnected_pages() -> None:
    """Close pages whose browsers have disconnected, without waiting for them to reconnect."""
    for context in list(kernel_context.contexts.values()):
        if context.page_status and kernel_context.PageStatus.CONNECTED not in context.page_status.values():
            context.close("cull")


@solara.component
def Page() -> None:
    """Show the page of one browser."""
    router = solara.use_router()
    stamp = solara.use_reactive(-1)
    session = solara.use_memo(lambda: open_session(link_from_query(router.search or ""), stamp.set), [])
    solara.use_effect(lambda: lambda: close_session(session), [])
    if session is None:
        solara.v.Html(tag="p", class_="asara-full", children=[TOO_MANY_WINDOWS])
        return
    Window(session, stamp.value)


@solara.component
def Window(session: WindowSession, stamp: int) -> None:
    """Draw all components from the state of a session."""
    last = solara.use_ref(cast("ReactiveView | None", None))
    last.current = last_drawable(session.view_state, last.current)
    View(session, last.current)


def last_drawable(state: ViewState, before: ReactiveView | None) -> ReactiveView:
    """Return the view of a state; if it cannot be drawn, the last view with an error message."""
    try:
        return ReactiveView(state, build_props(state))
    except Exception as error:
        if before is None:
            raise
        _log.exception("a frame could not be drawn")
        message = f"This frame could not be drawn ({type(error).__name__}). Step or rewind."
        shown = before.state._replace(
            stamp=state.stamp, is_playing=state.is_playing, is_busy=state.is_busy, message=message, is_error=True
        )
        controls = before.props.controls | {
            "stamp": state.stamp,
            "playing": state.is_playing,
            "busy": state.is_busy,
            "said": message,
            "wrong": True,
        }
        return ReactiveView(shown, before.props._replace(controls=controls))


@solara.component
def View(session: WindowSession, view: ReactiveView) -> None:
    """Show the components of the page in order."""
    props = view.props
    Header(session, view)
    if props.labs is not None:
        components.LabsPanel(
            **props.labs, event_show=guarded_handler(session, lambda event: session.show_lab(str(event.get("lab"))))
        )
    components.LimitPanel(**props.limit)
    components.ControlsPanel(
        **props.controls,
        event_act=guarded_handler(session, lambda event: dispatch(session, event)),
        event_rewind=guarded_handler(session, lambda event: session.rewind(whole_number(event, "frame"))),
        event_seen=guarded_handler(session, lambda event: session.acknowledge(whole_number(event, "stamp"))),
    )
    with solara.v.Html(tag="div", class_="asara-body"):
        SettingsForm(session, view)
        ViewPanels(session, view)
    Footer(session, view)


@solara.component
def Header(session: WindowSession, view: ReactiveView) -> None:
    """Show the name of the run, its link and the downloads."""
    file = solara.use_reactive(cast("dict[str, Any] | None", None))

    def make(event: dict[str, Any]) -> None:
        kind = str(event.get("kind"))
        if kind in DOWNLOADS:
            made_file = download(kind, *session.query(downloaded_values))
            file.set({"name": made_file.name, "mime": made_file.mime, "content": made_file.content})

    components.HeaderPanel(
        **header.header_props(view.state),
        file=file.value,
        event_wanted=guarded_handler(session, make),
        event_taken=guarded_handler(session, lambda event: file.set(None)),
    )


def downloaded_values(player: RunPlayer) -> tuple[RunResult, str, PlayedRun | None, str]:
    """Return what :func:`download` takes of the run of a player."""
    record = player.record() if len(player.labs) > 1 else None
    return player.result(), player.changes_text, record, player.shown_lab


@solara.component
def SettingsForm(session: WindowSession, view: ReactiveView) -> None:
    """Show scenario, seed and parameters; typed values are kept until they are applied."""
    state = view.state
    typed = solara.use_reactive(cast("dict[str, str]", {}))
    seed = solara.use_reactive("")
    chosen = solara.use_reactive("")
    target = solara.use_reactive("")

    def discard_edits() -> None:
        typed.set({})
        seed.set("")
        chosen.set("")

    def choose(event: dict[str, Any]) -> None:
        name = str(event.get("scenario"))
        scenario_named(name)
        typed.set({})
        target.set("")
        chosen.set("" if name == state.initial_scenario.name else name)

    def base() -> Scenario:
        return scenario_named(chosen.value) if chosen.value else state.scenario

    def store_value(event: dict[str, Any]) -> None:
        name, text = str(event.get("name")), str(event.get("text"))[:MAX_INPUT_LENGTH]
        if name == "seed":
            seed.set(text)
        elif name in fields():
            typed.set(typed.value | {settings.name_for(settings.valid_target(target.value, base()), name): text})

    def edited_scenario() -> Scenario:
        filled = scenario_from_form(base(), typed.value)
        if filled.scenario is None:
            raise InputError(next(iter(filled.errors.values())))
        return filled.scenario

    solara.use_effect(discard_edits, [state.scenario, state.seed])
    components.SettingsPanel(
        **settings.settings_props(state, typed.value, seed.value, chosen.value, target.value),
        event_target_lab=guarded_handler(session, lambda event: target.set(str(event.get("lab")))),
        event_typed=guarded_handler(session, store_value),
        event_undo=guarded_handler(session, lambda event: discard_edits()),
        event_chose=guarded_handler(session, choose),
        event_back=guarded_handler(session, lambda event: session.restore_earlier()),
        event_branch=guarded_handler(
            session, lambda event: session.branch(differences(state.scenario, edited_scenario()))
        ),
        event_start=guarded_handler(
            session, lambda event: session.reset(edited_scenario(), settings.parse_seed(seed.value or str(state.seed)))
        ),
    )


@solara.component
def ViewPanels(session: WindowSession, view: ReactiveView) -> None:
    """Show all panels of a frame."""
    props = view.props
    pointed = solara.use_reactive(cast("int | None", None))
    cell = cell_at(view.state, pointed.value)

    def pick(event: dict[str, Any]) -> None:
        session.follow(toggled_researcher(view.state, whole_number(event, "number")))

    with solara.v.Html(tag="div", class_="asara-views"):
        components.ChartPanel(
            **props.software,
            event_choose=guarded_handler(session, lambda event: session.choose(whole_number(event, "index"))),
        )
        if props.lead is not None:
            components.ChartPanel(**props.lead)
            solara.v.Html(tag="h2", class_="wide asara-details", children=[f"Details of {view.state.frame.lab}"])
        if props.policy is not None:
            regulator = view.state.scenario.regulator
            components.PolicyPanel(
                **props.policy,
                event_compare=guarded_handler(session, lambda event: compare_policies(session, event, regulator)),
                event_switch_rule=guarded_handler(session, lambda event: switch_rule(session, event, regulator)),
            )
        if props.pace is not None:
            components.ChartPanel(**props.pace)
        if props.tasks is not None:
            components.TasksPanel(**props.tasks)
        components.ChartPanel(**props.team)
        components.ChartPanel(**props.waits)
        components.GridPanel(
            **props.gpus,
            cell=cluster.describe_cell(cell) if cell is not None else "",
            event_point=guarded_handler(session, lambda event: pointed.set(event.get("cell"))),
        )
        components.QueuePanel(**props.queue)
        components.NetworkPanel(**props.literature)
        components.ChartPanel(**props.kernels)
        components.PeoplePanel(**props.people, event_pick=guarded_handler(session, pick))
        components.EventsPanel(**props.events)


@solara.component
def Footer(session: WindowSession, view: ReactiveView) -> None:
    """Show the digest of the run."""
    wanted = solara.use_reactive(False)

    def want(event: dict[str, Any]) -> None:
        wanted.set(bool(event.get("wanted")))
        session.want_digest(wanted.value)

    components.FooterPanel(
        stamp=view.state.stamp, digest=view.state.digest, wanted=wanted.value, event_want=guarded_handler(session, want)
    )


def guarded_handler(session: WindowSession, do: Callable[[dict[str, Any]], None]) -> Callable[..., None]:
    """Return a handler of untrusted browser events that shows errors on the page instead of raising them."""

    def handle(event: Any = None, *_: Any) -> None:
        try:
            do(event if isinstance(event, dict) else {})
        except (InputError, ScenarioError) as error:
            session.report_error(str(error))
        except Exception as error:
            _log.exception("an action of the page failed")
            session.report_error(f"The action failed ({type(error).__name__}). Try again, or start anew.")

    return handle


def dispatch(session: WindowSession, event: dict[str, Any]) -> None:
    """Execute the action of a button; unknown actions are ignored."""
    what = event.get("what")
    moves = {"play": session.play, "pause": session.pause, "step": session.step, "event": session.step_event}
    if what == "pace":
        session.set_pace(str(event.get("pace")))
    elif what in get_args(Goal):
        session.advance_to_next(cast(Goal, what))
    elif isinstance(what, str) and what in moves:
        moves[what]()


def compare_policies(session: WindowSession, event: dict[str, Any], regulator: RegulatorParams) -> None:
    """Compare the two policies that a browser sent, with all rules. Raises InputError for one that is not shipped."""
    first, second = (
        {policy.POLICY_PARAMETER: str(event.get(which))[:MAX_INPUT_LENGTH]} for which in ("first", "second")
    )
    for changes in (first, second):
        check_policy(changes[policy.POLICY_PARAMETER])
        if regulator.rules_off:
            changes[policy.OFF_PARAMETER] = ""
    session.compare(first, second)


def switch_rule(session: WindowSession, event: dict[str, Any], regulator: RegulatorParams) -> None:
    """Start a branch in which the rule that a browser sent is switched on or off."""
    name = str(event.get("name"))[:MAX_INPUT_LENGTH]
    off = [each for each in regulator.off if each != name]
    session.branch({policy.OFF_PARAMETER: ", ".join(off if event.get("on") else [*off, name])})


def whole_number(event: dict[str, Any], name: str) -> int:
    """Return a whole number that a browser sent; 0 for any other value."""
    value = event.get(name)
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0


def toggled_researcher(state: ViewState, researcher: int) -> int:
    """Return the researcher to follow after a click; 0 if the researcher is followed already."""
    return 0 if researcher == state.followed_researcher else researcher


def cell_at(state: ViewState, place: Any) -> GpuCell | None:
    """Return the cell of the GPU grid at a position; None if there is none."""
    cells = state.frame.grid.cells
    return cells[place] if isinstance(place, int) and 0 <= place < len(cells) else None
