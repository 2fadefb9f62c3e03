"""Build the chart of the measured speed-up of attention kernels."""

from __future__ import annotations

import math
from typing import Any

from experiments.text.number_format import pluralize
from experiments.window.session import ViewState
from experiments.window.views.axes import Option, chart_option, line_series, round_for_plot, value_axis


def kernel_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the chart of measured kernels."""
    found = state.frame.kernels
    work_rate = f"work rate of the cluster: ×{found.work_rate:.3g}"
    position = f"×{found.speedup:.3g} after {pluralize(math.floor(found.candidates), 'candidate')}"
    return {
        "name": "kernels",
        "title": "Attention kernels, as measured",
        "summary": work_rate if found.calibrated else "",
        "legend": []
        if not found.calibrated
        else [
            {"label": "speed-up over the library", "colour": "blue", "kind": "line"},
            {"label": "the lab's engineer", "colour": "ink", "text": position},
        ],
        "option": kernel_option(state) if found.calibrated else {},
        "height": 216,
        "wide": False,
        "empty": "" if found.calibrated else NO_MEASUREMENTS_HINT,
    }


NO_MEASUREMENTS_HINT = (
    "This run uses no measurements, so kernels have no effect. Choose the scenario “lab”, "
    "or set kernels: measurements to a shipped name."
)


def kernel_option(state: ViewState) -> Option:
    """Build the chart of speed-up over the number of candidates, with the current position of the engineer."""
    found = state.frame.kernels
    step = 0.5 if found.largest <= 3 else math.ceil(found.largest / 4)
    top = step * math.ceil((found.largest + 0.05) / step)
    axis = {
        "type": "log",
        "min": 1,
        "max": max(10, found.tried),
        "name": "tried",
        "nameLocation": "end",
        "nameGap": 6,
        "nameTextStyle": {"color": "$soft", "verticalAlign": "middle"},
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": {"color": "$line"}},
        "splitLine": {"show": False},
        "axisLabel": {"color": "$soft", "formatter": "@count"},
    }
    curve = [[round_for_plot(candidates), round_for_plot(speedup)] for candidates, speedup in found.curve]
    at = [
        [round_for_plot(min(max(1, math.floor(found.candidates)), max(10, found.tried))), round_for_plot(found.speedup)]
    ]
    engineer = {
        "type": "scatter",
        "name": "the lab's engineer",
        "data": at,
        "symbolSize": 12,
        "silent": True,
        "z": 5,
        "itemStyle": {"color": "$ink", "borderColor": "$card", "borderWidth": 2},
    }
    series = [line_series("speed-up", "blue", curve, width=2.4), engineer]
    return chart_option(axis, value_axis(top, step, "@times"), series, "@candidate times")
