"""The components of the page: each takes plain values, is drawn by the browser, and says what was done to it."""
# ruff: noqa: N802 - components are named as Solara names its own

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec

import solara

P = ParamSpec("P")
Values = list[Any]
Event = Callable[[Any], None]
"""Is told what was done, in plain values that somebody may have made up."""


class _Closed:
    """A list or dictionary that is passed on as one thing."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Closed) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]  # as of what is in it


def component(template: str) -> Callable[[Callable[P, None]], Callable[P, Any]]:
    """Make a component of a Vue template; the parameters of the function are what it takes."""

    def decorate(function: Callable[P, None]) -> Callable[P, Any]:
        names = [name for name in signature(function).parameters if not name.startswith("event_")]
        made: Any = solara.component_vue(template, to_json=dict.fromkeys(names, _opened))(function)

        @wraps(function)
        def element(*args: P.args, **values: P.kwargs) -> Any:
            assert not args, "components take their values by name"
            return made(**{name: _closed(value) for name, value in values.items()})

        return element

    return decorate


def _closed(value: Any) -> Any:
    """Close what has many values: to look for components in each number of a chart takes longer than all else."""
    return _Closed(value) if isinstance(value, list | dict) else value


def _opened(value: Any, widget: Any) -> Any:
    return value.value if isinstance(value, _Closed) else value


@component("head.vue")
def Head(
    title: str,
    seed: str,
    changes: Values,
    about: str,
    link: str,
    still: bool,
    link_note: str,
    files: Values,
    file: Any,
    event_wanted: Event,
    event_taken: Callable[..., None],
) -> None:
    """Which run it is, its link, and what can be downloaded."""


@component("limit.vue")
def Limit(
    part: str,
    sentence: str,
    measured: str,
    also: str,
    ending: str,
    did: str,
    leads: str,
    shares: Values,
    since: str,
    bar_label: str,
    figures: Values,
) -> None:
    """What limits progress now, and the key figures."""


@component("controls.vue")
def Controls(
    stamp: int,
    at: int,
    last: int,
    between: bool,
    day: float,
    days: Values,
    marks: Values,
    playing: bool,
    busy: bool,
    over: bool,
    pace: str,
    paces: Values,
    said: str,
    wrong: bool,
    event_act: Event,
    event_rewind: Event,
    event_seen: Event,
) -> None:
    """Play, step, go on, and the timeline."""


@component("settings.vue")
def Settings(
    scenario: str,
    scenarios: Values,
    seed: str,
    seed_wrong: str,
    groups: Values,
    note: str,
    can_branch: bool,
    wrong: bool,
    edits: int,
    has_earlier: bool,
    event_chose: Event,
    event_back: Callable[..., None],
    event_typed: Event,
    event_branch: Callable[..., None],
    event_start: Callable[..., None],
    event_undo: Callable[..., None],
) -> None:
    """Scenario, seed and parameters."""


@component("chart.vue")
def Chart(
    name: str,
    title: str,
    told: str,
    legend: Values,
    option: dict[str, Any],
    height: int,
    wide: bool,
    empty: str = "",
    choices: Values = [],  # noqa: B006 - a default that nobody changes
    event_choose: Event | None = None,
) -> None:
    """Lines against an axis."""


@component("grid.vue")
def Grid(
    note: str,
    legend: Values,
    pools: Values,
    cells: Values,
    summary: str,
    hint: str,
    stamp: int,
    cell: str,
    event_looked: Event,
) -> None:
    """GPUs, node by node."""


@component("queue.vue")
def Queue(note: str, uses: Values, first: Values, empty: str) -> None:
    """Who waits for GPUs."""


@component("network.vue")
def Network(note: str, papers: Values, edges: Values, legend: Values, hint: str, empty: str) -> None:
    """Papers and what they build on."""


@component("people.vue")
def People(
    note: str,
    people: Values,
    colours: Values,
    words: Values,
    groups: Values,
    chosen: int,
    life: Values,
    empty: str,
    event_pick: Event,
) -> None:
    """Researchers one by one, and the life of one."""


@component("events.vue")
def Events(lines: Values, empty: str) -> None:
    """What happened last."""


@component("foot.vue")
def Foot(stamp: int, digest: str, wanted: bool, event_want: Event) -> None:
    """The digest of the run, for those who want to compare."""
