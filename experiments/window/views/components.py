"""Declare the components of the page: each takes plain values, is drawn by the browser and sends events."""
# ruff: noqa: N802 - components are named as Solara names its own

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec

import solara

Props = ParamSpec("Props")
PropList = list[Any]
EventCallback = Callable[[Any], None]
"""Receives an event of the browser; the values are untrusted."""


class _Opaque:
    """A list or dictionary that Solara treats as one value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Opaque) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]  # as of what is in it


def component(template: str) -> Callable[[Callable[Props, None]], Callable[Props, Any]]:
    """Create a component from a Vue template; the parameters of the function are its values."""

    def decorate(function: Callable[Props, None]) -> Callable[Props, Any]:
        names = [name for name in signature(function).parameters if not name.startswith("event_")]
        made: Any = solara.component_vue(template, to_json=dict.fromkeys(names, _unwrap))(function)

        @wraps(function)
        def element(*args: Props.args, **values: Props.kwargs) -> Any:
            assert not args, "components take their values by name"
            return made(**{name: _wrap(value) for name, value in values.items()})

        return element

    return decorate


def _wrap(value: Any) -> Any:
    """Wrap lists and dictionaries: a search for components in each number of a chart would dominate the run time."""
    return _Opaque(value) if isinstance(value, list | dict) else value


def _unwrap(value: Any, widget: Any) -> Any:
    return value.value if isinstance(value, _Opaque) else value


@component("head.vue")
def HeaderPanel(
    title: str,
    seed: str,
    changes: PropList,
    about: str,
    link: str,
    still: bool,
    link_note: str,
    files: PropList,
    file: Any,
    event_wanted: EventCallback,
    event_taken: Callable[..., None],
) -> None:
    """Show the name of the run, its link and the downloads."""


@component("labs.vue")
def LabsPanel(labs: PropList, event_show: EventCallback) -> None:
    """Show the labs, of which one is shown in detail."""


@component("limit.vue")
def LimitPanel(
    part: str,
    sentence: str,
    measured: str,
    also: str,
    ending: str,
    did: str,
    leads: str,
    shares: PropList,
    since: str,
    bar_label: str,
    figures: PropList,
    lab: str = "",
) -> None:
    """Show what limits progress now, and the key figures."""


@component("controls.vue")
def ControlsPanel(
    stamp: int,
    at: int,
    last: int,
    between: bool,
    day: float,
    days: PropList,
    marks: PropList,
    tasks: bool,
    playing: bool,
    busy: bool,
    over: bool,
    pace: str,
    paces: PropList,
    said: str,
    wrong: bool,
    event_act: EventCallback,
    event_rewind: EventCallback,
    event_seen: EventCallback,
    regulated: bool = False,
) -> None:
    """Show the buttons and the timeline."""


@component("settings.vue")
def SettingsPanel(
    scenario: str,
    scenarios: PropList,
    seed: str,
    seed_wrong: str,
    groups: PropList,
    note: str,
    can_branch: bool,
    wrong: bool,
    edits: int,
    has_earlier: bool,
    event_target_lab: EventCallback,
    event_chose: EventCallback,
    event_back: Callable[..., None],
    event_typed: EventCallback,
    event_branch: Callable[..., None],
    event_start: Callable[..., None],
    event_undo: Callable[..., None],
    labs: PropList = [],  # noqa: B006 - a default that nobody changes
    target: str = "",
) -> None:
    """Show scenario, seed and parameters as a form."""


@component("chart.vue")
def ChartPanel(
    name: str,
    title: str,
    summary: str,
    legend: PropList,
    option: dict[str, Any],
    height: int,
    wide: bool,
    empty: str = "",
    choices: PropList = [],  # noqa: B006 - a default that nobody changes
    event_choose: EventCallback | None = None,
) -> None:
    """Show lines over an axis."""


@component("policy.vue")
def PolicyPanel(
    note: str,
    warning: str,
    figures: PropList,
    rules: PropList,
    policies: PropList,
    first: str,
    second: str,
    still: bool,
    day: str,
    compared: Any,
    event_compare: EventCallback,
    event_switch_rule: EventCallback,
) -> None:
    """Show the rules of the regulator's policy with their switches, and compare two policies."""


@component("tasks.vue")
def TasksPanel(note: str, numbers: PropList, tasks: PropList, whole: dict[str, Any], unit: str) -> None:
    """Show humans and AIs by task."""


@component("grid.vue")
def GridPanel(
    note: str,
    legend: PropList,
    pools: PropList,
    cells: PropList,
    summary: str,
    hint: str,
    stamp: int,
    cell: str,
    event_point: EventCallback,
) -> None:
    """Show the GPUs of each node."""


@component("queue.vue")
def QueuePanel(note: str, uses: PropList, first: PropList, empty: str) -> None:
    """Show the jobs that wait for GPUs."""


@component("network.vue")
def NetworkPanel(note: str, papers: PropList, edges: PropList, legend: PropList, hint: str, empty: str) -> None:
    """Show papers and the papers they build on."""


@component("people.vue")
def PeoplePanel(
    note: str,
    people: PropList,
    colours: PropList,
    words: PropList,
    groups: PropList,
    chosen: int,
    life: PropList,
    empty: str,
    event_pick: EventCallback,
) -> None:
    """Show individual researchers, and the history of one."""


@component("events.vue")
def EventsPanel(lines: PropList, empty: str) -> None:
    """Show the latest events."""


@component("foot.vue")
def FooterPanel(stamp: int, digest: str, wanted: bool, event_want: EventCallback) -> None:
    """Show the digest of the run."""
