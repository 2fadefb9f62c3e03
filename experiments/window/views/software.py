"""Software against time: what was found, what is at work, and what the law alone would give, for every future."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from experiments.plotting.run_figure import closed_form
from experiments.window.number_format import format_factor
from experiments.window.session import ViewState
from experiments.window.timeline import TimelineView
from experiments.window.views.axes import Option, chart, day_axis, end_of_axis, line, points, value_axis
from sim.scenario.model import Scenario

MAX_LABELS = 7
MIN_DAYS = 26.0
AHEAD = 1.12
"""How much further than the run the axis goes, at least."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Names of futures, in the order in which they came about."""


def software(shown: ViewState) -> dict[str, Any]:
    """Return the chart of software as its component takes it."""
    frame = shown.frame
    several = len(shown.futures) > 1
    return {
        "name": "software",
        "title": "Software",
        "told": f"{format_factor(frame.discovered)} discovered, {format_factor(frame.deployed)} at work; log scale",
        "legend": [
            {"label": "discovered", "colour": "blue", "kind": "line"},
            {"label": "at work (deployed)", "colour": "orange", "kind": "line"},
            {"label": alone_label(shown.first), "colour": "ink", "kind": "dash"},
            *([{"label": "other futures, fainter", "colour": "faint", "kind": "line"}] if several else []),
        ],
        "option": option(shown),
        "height": 268,
        "wide": True,
        "choices": [choice(future) for future in shown.futures],
    }


def choice(future: TimelineView) -> dict[str, Any]:
    """Return a future as something to choose."""
    return {
        "index": future.index,
        "letter": letter(future),
        "label": future.label,
        "chosen": future.chosen,
        "why": f"Go on along this future: {future.label}",
    }


def letter(future: TimelineView) -> str:
    """Return the name of a future."""
    return LETTERS[future.index % len(LETTERS)]


def option(shown: ViewState) -> Option:
    """Return software against days, as doublings on an axis that is labelled with factors: a log scale."""
    days = [future.columns["day"][-1] for future in shown.futures if future.columns["day"]]
    end = end_of_axis(max([*days, shown.frame.day, MIN_DAYS]) * AHEAD)
    tops = [max(future.columns["discovered"], default=0.0) for future in shown.futures]
    step = math.ceil((max([*tops, 2.0]) + 0.6) / MAX_LABELS)
    top = step * math.ceil((max([*tops, 2.0]) + 0.6) / step)
    series = [each for future in shown.futures for each in lines(future, len(shown.futures) > 1)]
    series += [alone(shown.first, end), here(shown)]
    return chart(day_axis(end), value_axis(float(top), step, "@factor"), series, "@day factor")


def lines(future: TimelineView, several: bool) -> list[Option]:
    """Return what was discovered and what is at work in a future; the one that is gone along is drawn strongly."""
    days = future.columns["day"]
    name = f" ({letter(future)})" if several else ""
    look: dict[str, Any] = {"opacity": 1 if future.chosen else 0.7, "z": 4 if future.chosen else 3}
    width = 2.6 if future.chosen else 1.6
    end = {"show": several, "formatter": letter(future), "color": "$ink", "fontWeight": "bold", "distance": 4}
    return [
        line(
            f"at work{name}", "orange", points(days, future.columns["deployed"]), width=width - 0.6, step="end", **look
        ),
        line(
            f"discovered{name}", "blue", points(days, future.columns["discovered"]), width=width, endLabel=end, **look
        ),
    ]


def alone(scenario: Scenario, end: float) -> Option:
    """Return what the law alone would give, as far as the axis goes."""
    curve = _alone(scenario, end)
    return line(
        alone_label(scenario), "ink", [list(point) for point in curve], width=1.3, kind="dashed", z=2, clip=True
    )


@lru_cache(maxsize=64)
def _alone(scenario: Scenario, end: float) -> tuple[tuple[float, float], ...]:
    curve = closed_form(scenario, end)
    return tuple((day, level) for day, level in points(curve.days, curve.doublings))


def alone_label(scenario: Scenario) -> str:
    """Return what the dashed line is."""
    held_up = scenario.training.needed or scenario.researcher.experiment_gpu_days > 0
    return "the law alone: no queue, no retraining" if held_up else "closed form"


def here(shown: ViewState) -> Option:
    """Return the moment on which the page stands."""
    frame = shown.frame
    spot = [[round(frame.day, 2), round(frame.discovered, 4)]]
    return {
        "type": "scatter",
        "name": "here",
        "data": spot,
        "symbolSize": 9,
        "silent": True,
        "z": 6,
        "itemStyle": {"color": "$blue", "borderColor": "$card", "borderWidth": 2},
        "tooltip": {"show": False},
    }
