"""Draw figures for slides and print tables in notebooks. Needs IPython, which every notebook has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter

from experiments.plotting.frame import picture_bytes
from experiments.plotting.style import BLUE, GREEN, ORANGE, PINK, SKY, STYLE, label_factors
from experiments.text.number_format import round_to_100_percent

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "ORANGE",
    "PINK",
    "RED",
    "SKY",
    "SOFT",
    "darken_for_contrast",
    "format_factor_axis",
    "hide_frame",
    "label_line_end",
    "round_to_100_percent",
    "slide",
    "slides",
    "table",
]

RED, BLACK, SOFT = "#D55E00", "#1b1b1c", "#6a6a6b"
"""Vermilion of the Okabe-Ito palette, the colour of text, and the grey of side notes."""
SIZE: Final = (9.6, 5.4)
"""Size of a slide [inches]."""
DOTS: Final = 150
CONTRAST: Final = 4.5
"""Between text and the white below it, at least: what WCAG 2 asks of text."""
_STYLE: Final[Any] = STYLE | {
    "font.size": 13,
    "legend.fontsize": 11.5,
    "axes.labelsize": 12.5,
    "text.color": BLACK,
    "axes.labelcolor": BLACK,
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlepad": 10,
}


@contextmanager
def slide(title: str, note: str = "", size: tuple[float, float] = SIZE) -> Iterator[Axes]:
    """Yield axes to draw on, and show them as one figure with its title.

    ``note``: a line below the title, in grey. The same drawing gives the same bytes for any matplotlibrc.
    """
    with slides(title, note, size=size) as panels:
        yield panels[0]


@contextmanager
def slides(
    title: str, note: str = "", rows: int = 1, columns: int = 1, size: tuple[float, float] = SIZE, **how: Any
) -> Iterator[list[Axes]]:
    """Yield several axes of one figure, row by row; ``how``: as for matplotlib's ``Figure.subplots``."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08, wspace=0.04))
        panels = list(figure.subplots(rows, columns, squeeze=False, **how).ravel())
        yield panels
        _set_title(figure, title, note)
        _show(picture_bytes(figure, dpi=DOTS), title)


def _set_title(figure: Figure, title: str, note: str) -> None:
    """Write the title and its note above all panels, at the left edge."""
    height = figure.get_size_inches()[1]
    top = 1 - 0.16 / height
    figure.text(0.018, top, title, fontsize=17, fontweight="bold", va="top", ha="left")
    room = 0.62
    if note:
        figure.text(0.018, top - 0.36 / height, note, fontsize=12, color=SOFT, va="top", ha="left")
        room = 0.86
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=(0, 0, 1, 1 - room / height))


def _show(png: bytes, alt: str) -> None:
    shown = _ipython()
    shown.display(shown.Image(data=png, format="png", alt=alt), metadata={"image/png": {"alt": alt}})


def _ipython() -> Any:
    """Return the display module of IPython, which has no types."""
    import IPython.display  # noqa: PLC0415 - notebooks have it, asara need not

    return IPython.display


def label_line_end(axes: Axes, x: float, y: float, text: str, colour: str = BLACK, **how: Any) -> None:
    """Write the label of a line at its end, in its colour darkened for contrast, instead of a legend."""
    placed: dict[str, Any] = {
        "xytext": (7, 0),
        "textcoords": "offset points",
        "va": "center",
        "annotation_clip": False,
    } | how
    axes.annotate(text, (x, y), color=darken_for_contrast(colour), **placed)


def darken_for_contrast(colour: str) -> str:
    """Darken a colour for text on white, with the same hue, until its contrast is at least 4.5."""
    shade: Any = np.array(to_rgb(colour))
    while 1.05 / (_luminance(shade) + 0.05) < CONTRAST:
        shade *= 0.97
    return to_hex(shade)


def _luminance(shade: Any) -> float:
    """Return the relative luminance of WCAG 2, from 0 to 1."""
    linear = np.where(shade <= 0.04045, shade / 12.92, ((shade + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def hide_frame(axes: Axes) -> None:
    """Hide the grid, ticks and spines of a panel."""
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def format_factor_axis(axes: Axes, unit: str = "×") -> None:
    """Label the upward scale with factors, 1×, 2×, 4×: a scale of doublings, or a logarithmic one of whole numbers."""
    if axes.get_yscale() == "linear":
        label_factors(axes, axes.get_ylim()[1])
    else:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}{unit}"))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show a table; values are converted to text with ``str``."""
    lines = [header, ["---"] * len(header), *rows]
    shown = _ipython()
    shown.display(shown.Markdown("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)))
