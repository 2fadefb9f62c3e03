"""Build axes, lines and rounded numbers for the charts of the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

Option = dict[str, Any]
"""Options of an ECharts chart. "$blue" is a colour of the current scheme, "@count" a number format."""

_AXIS_ENDS = (10, 20, 30, 40, 60, 90, 120, 180, 240, 300, 360, 480, 600, 750)
"""Ends of time axes [days]; steps keep the axes from moving often."""


def axis_end(day: float) -> float:
    """Return the end of a time axis that shows a day."""
    return next((float(end) for end in _AXIS_ENDS if day <= end), round_up(day))


def round_up(value: float) -> float:
    """Round up to the next of 1, 1.5, 2, 3, 4, 5, 6, 8 and 10 times a power of ten; to 1 for less."""
    if value <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    for head in (1, 1.5, 2, 3, 4, 5, 6, 8):
        if value <= head * power:
            return head * power
    return 10 * power


def day_axis(end: float) -> Option:
    """Build the axis of days."""
    return {
        "type": "value",
        "min": 0,
        "max": end,
        "name": "day",
        "nameLocation": "end",
        "nameGap": 6,
        "nameTextStyle": {"color": "$soft", "verticalAlign": "middle"},
        "interval": end / (5 if end % 6 else 6),
        "axisLine": {"lineStyle": {"color": "$line"}},
        "axisTick": {"show": False},
        "splitLine": {"show": False},
        "axisLabel": {"color": "$soft", "formatter": "@count", "hideOverlap": True},
    }


def value_axis(top: float, interval: float | None = None, formatter: str = "@count", name: str = "") -> Option:
    """Build an axis from 0 to ``top`` with a label at each ``interval``."""
    return {
        "type": "value",
        "min": 0,
        "max": top,
        "interval": interval or top / 4,
        "name": name,
        "nameTextStyle": {"color": "$soft", "align": "left"},
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        "splitLine": {"lineStyle": {"color": "$line"}},
        "axisLabel": {"color": "$soft", "formatter": formatter},
    }


def chart_option(x: Option, y: Option, series: list[Option], tooltip: str, right: int = 34) -> Option:
    """Build a chart; ``tooltip`` is the format of the values under the pointer, such as "@day count"."""
    return {
        "animation": False,
        "textStyle": {"fontFamily": "system-ui, 'Segoe UI', Roboto, Arial, sans-serif"},
        "grid": {"left": 80, "right": right, "top": 12, "bottom": 26},
        "xAxis": x,
        "yAxis": y,
        "series": series,
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "formatter": tooltip,
            "backgroundColor": "$raised",
            "borderColor": "$line",
            "textStyle": {"color": "$ink", "fontSize": 12},
            "axisPointer": {"lineStyle": {"color": "$faint"}},
        },
    }


def line_series(name: str, colour: str, points: Sequence[Sequence[float | None]], **more: Any) -> Option:
    """Build a line through points; ``more`` gives width, kind (such as "dashed"), opacity and options of ECharts."""
    look = {
        "color": f"${colour}",
        "width": more.pop("width", 2),
        "type": more.pop("kind", "solid"),
        "opacity": more.pop("opacity", 1),
    }
    return {
        "type": "line",
        "name": name,
        "data": points,
        "symbol": "none",
        "lineStyle": look,
        "itemStyle": {"color": f"${colour}"},
        "silent": True,
        **more,
    }


def plot_points(days: Iterable[float], values: Iterable[float]) -> list[list[float]]:
    """Return points, rounded to the resolution of a chart."""
    return [[round(day, 2), round_for_plot(value)] for day, value in zip(days, values, strict=True)]


def round_for_plot(value: float) -> float:
    """Round to five digits: enough for a pixel, and quick to send."""
    return float(f"{value:.5g}")


def max_value(columns: Iterable[Sequence[float]], least: float = 0.0) -> float:
    """Return the maximum over all columns, or ``least`` if they are empty."""
    return max((max(column) for column in columns if column), default=least)
