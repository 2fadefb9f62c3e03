"""The components of the page: each takes plain values, is drawn by the browser, and says what was done to it."""
# ruff: noqa: N802 - components are named as Solara names its own

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import solara

Values = list[Any]
Event = Callable[[dict[str, Any]], None]
"""Is told what was done, in plain values that somebody may have made up."""


@solara.component_vue("head.vue")
def Head(
    title: str, seed: int, about: str, link: str, link_note: str, files: Values, file: Any,
    event_wanted: Event, event_taken: Callable[..., None],
) -> None:  # fmt: skip
    """Which run it is, its link, and what can be downloaded."""


@solara.component_vue("limit.vue")
def Limit(part: str, sentence: str, shares: Values, bar_label: str, figures: Values) -> None:
    """What limits progress now, and the key figures."""


@solara.component_vue("controls.vue")
def Controls(
    stamp: int, at: int, last: int, between: bool, day: float, days: Values, marks: Values, playing: bool, busy: bool,
    over: bool, pace: str, paces: Values, said: str, wrong: bool, event_act: Event, event_rewind: Event,
    event_seen: Event,
) -> None:  # fmt: skip
    """Play, step, go on, and the timeline."""


@solara.component_vue("settings.vue")
def Settings(
    scenario: str, scenarios: Values, seed: str, seed_wrong: str, groups: Values, note: str, can_branch: bool,
    wrong: bool, edits: int, event_chose: Event, event_typed: Event, event_branch: Callable[..., None],
    event_start: Callable[..., None], event_undo: Callable[..., None],
) -> None:  # fmt: skip
    """Scenario, seed and parameters."""


@solara.component_vue("chart.vue")
def Chart(
    name: str, title: str, told: str, legend: Values, option: dict[str, Any], height: int, wide: bool,
    empty: str = "", choices: Values = [],  # noqa: B006 - a default that nobody changes
    event_choose: Event | None = None,
) -> None:  # fmt: skip
    """Lines against an axis."""


@solara.component_vue("grid.vue")
def Grid(
    note: str, legend: Values, pools: Values, cells: Values, summary: str, hint: str, stamp: int, cell: str,
    event_looked: Event,
) -> None:  # fmt: skip
    """GPUs, node by node."""


@solara.component_vue("queue.vue")
def Queue(note: str, uses: Values, first: Values, empty: str) -> None:
    """Who waits for GPUs."""


@solara.component_vue("network.vue")
def Network(note: str, papers: Values, edges: Values, legend: Values, empty: str) -> None:
    """Papers and what they build on."""


@solara.component_vue("people.vue")
def People(
    note: str, people: Values, colours: Values, words: Values, groups: Values, chosen: int, life: Values, empty: str,
    event_pick: Event,
) -> None:  # fmt: skip
    """Researchers one by one, and the life of one."""


@solara.component_vue("events.vue")
def Events(lines: Values, empty: str) -> None:
    """What happened last."""


@solara.component_vue("foot.vue")
def Foot(digest: str, wanted: bool, event_want: Event) -> None:
    """The digest of the run, for those who want to compare."""
