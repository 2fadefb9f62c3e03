"""Define the look that all figures share: colours, matplotlib settings, and axes of factors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, GREEN, ORANGE, PINK, SKY, GREY = "#0072B2", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#D9D9D9"
"""Palette of Okabe and Ito, which colour-blind readers can distinguish, and a grey for idle time."""
MAX_TICKS: Final = 9
"""Greatest number of labels on an axis of factors."""

STYLE: Any = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "butt",
}
"""Settings of matplotlib."""


def label_factors(axes: Axes, top: float) -> None:
    """Label an axis of doublings with factors: powers of two, or of ten if powers of two would be too many."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: PLC0415 - colours load without it

    per_ten = math.log2(10)
    if top <= MAX_TICKS + 4:
        step = math.ceil(top / MAX_TICKS)
        ticks = [float(n) for n in range(0, math.floor(top) + 1, step)]
    else:
        step = math.ceil(top / per_ten / MAX_TICKS)
        ticks = [power * per_ten for power in range(0, math.floor(top / per_ten) + 1, step)]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda level, _: _factor(level, top)))


def _factor(level: float, top: float) -> str:
    """Return a level as a factor, in powers of ten if the axis reaches a million."""
    per_ten = math.log2(10)
    long = top >= 6 * per_ten and level > 0
    return f"$10^{{{level / per_ten:.0f}}}$×" if long else f"{round(2**level):,}×"
