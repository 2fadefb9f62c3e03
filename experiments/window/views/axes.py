"""What the charts of the window have in common: axes that move in steps, lines, and short figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

Option = dict[str, Any]
"""As ECharts reads it. "$blue" is a colour of the scheme that the page uses, "@count" a way to write a figure."""

_ENDS = (10, 20, 30, 40, 60, 90, 120, 180, 240, 300, 360, 480, 600, 750)
"""Days at which the axes of time may end, so that they rarely move."""


def end_of_axis(day: float) -> float:
    """Return where an axis of time ends that shows this day."""
    return next((float(end) for end in _ENDS if day <= end), round_up(day))


def round_up(value: float) -> float:
    """Return the next of 1, 1.5, 2, 3, 4, 5, 6, 8 and 10 times a power of ten; 1 for less."""
    if value <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    for head in (1, 1.5, 2, 3, 4, 5, 6, 8):
        if value <= head * power:
            return head * power
    return 10 * power


def day_axis(end: float) -> Option:
    """Return the axis of days."""
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


def value_axis(top: float, interval: float | None = None, write: str = "@count", name: str = "") -> Option:
    """Return an axis from 0 to ``top``, with a label at each ``interval``."""
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
        "axisLabel": {"color": "$soft", "formatter": write},
    }


def chart(x: Option, y: Option, series: list[Option], told: str, right: int = 34) -> Option:
    """Return a chart; ``told``: how what lies under the pointer is written, such as "@day count"."""
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
            "formatter": told,
            "backgroundColor": "$raised",
            "borderColor": "$line",
            "textStyle": {"color": "$ink", "fontSize": 12},
            "axisPointer": {"lineStyle": {"color": "$faint"}},
        },
    }


def line(name: str, colour: str, points: list[list[float]], **more: Any) -> Option:
    """Return a line through points. ``more``: width, kind (such as "dashed"), opacity, options of ECharts."""
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


def points(days: Iterable[float], values: Iterable[float]) -> list[list[float]]:
    """Return points with as many digits as anybody can see."""
    return [[round(day, 2), short(value)] for day, value in zip(days, values, strict=True)]


def short(value: float) -> float:
    """Return a number with five digits: enough for a pixel, and quick to send."""
    return float(f"{value:.5g}")


def largest(columns: Iterable[Sequence[float]], least: float = 0.0) -> float:
    """Return the largest of all numbers, or ``least``."""
    return max((max(column) for column in columns if column), default=least)
