"""What `asara fit` finds: r with its interval, what it depends on, and what it would mean with hardware fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from experiments.errors import InputError
from experiments.fit_data import Data
from sim.returns import (
    DRAWS,
    LUCKS,
    Falling,
    Fit,
    Luck,
    Period,
    falling,
    fit,
    gain_from_before,
    periods,
    persistence,
    residuals,
)

Verdict = Literal["explosion", "fizzle", "undecided"]

FEW_ROWS: Final = 15
"""Rows below which a warning is due."""
SHARES: Final = (0.5, 0.8, 0.9, 0.95)
TOLD: Final = 0.95
"""Of the bootstrap lies in the interval that is told, and that the verdict is taken from."""
SIGNIFICANT: Final = 0.05
UNBENT: Final = 0.05
_R_BOUNDS: Final = (0.01, 100.0)
"""What growth__r may be."""


class Options(NamedTuple):
    """How a series is fitted."""

    luck: Luck = "row"
    before: float | None = 0.0
    """Effort before the first row; None to find it."""
    sub_periods: int = 3
    draws: int = DRAWS
    seed: int = 0


class Found(NamedTuple):
    """What was found in a series."""

    data: Data
    options: Options
    main: Fit
    others: list[Fit]
    """The same series under the other assumptions about luck and the effort before."""
    advised: Fit
    """What to draw r from: luck that lasts where the residuals of neighbouring rows go together, else `main`."""
    falling: Falling
    """Under the luck of `advised`."""
    periods: list[Period]
    residuals: Any
    neighbours: float
    """The correlation of residuals with their neighbours."""
    warnings: list[str]


def study(data: Data, options: Options) -> Found:
    """Fit a series, and look at all that the answer depends on. Raises InputError where it cannot be fitted."""

    def fitted(luck: Luck, before: float | None) -> Fit:
        return fit(data.series, luck, before, draws=options.draws, seed=options.seed)

    try:
        main = fitted(options.luck, options.before)
    except ValueError as error:
        raise InputError(f"{data.path}: {error}") from None
    given = options.before if options.before is not None else 0.0 if data.series.effort[0] > 0 else None
    kinds: list[tuple[Luck, float | None]] = [(luck, before) for before in {given: 0, None: 0} for luck in LUCKS]
    others = [fitted(*kind) for kind in kinds if kind != (options.luck, options.before)]
    missed = residuals(data.series, main)
    neighbours, together = persistence(missed)
    advised = fitted("lasting", options.before) if together else main
    found = Found(
        data, options, main, others, advised,
        falling(data.series, advised, draws=options.draws, seed=options.seed),
        periods(data.series, advised, options.sub_periods, draws=options.draws, seed=options.seed),
        missed, neighbours, [],
    )  # fmt: skip
    return found._replace(warnings=warnings(found))


def verdict(low: float, high: float) -> Verdict:
    """Return what an interval of r means with hardware fixed: above 1 explosion, below 1 fizzle."""
    return "explosion" if low > 1 else "fizzle" if high < 1 else "undecided"


MEANING: Final[Mapping[Verdict, str]] = {
    "explosion": "each doubling of software would take less time than the one before: an explosion",
    "fizzle": "each doubling of software would take longer than the one before: a fizzle",
    "undecided": "either is possible: an explosion where r is above 1, a fizzle where it is below",
}


def sentence(found: Found) -> str:
    """Return in plain words what r is and means, under the fit asked for and under the one that is advised."""
    low, high = found.main.interval(TOLD)
    said = (
        f"Performance doubled {found.main.r:.2f} times for each doubling of cumulative effort (95% interval {low:.2f} "
        f"to {high:.2f}). If AI did this research on hardware that stays as it is, {MEANING[verdict(low, high)]}."
    )
    if found.advised is found.main:
        return said
    low, high = found.advised.interval(TOLD)
    return said + (
        f" But rows share their luck with their neighbours (residuals correlate {found.neighbours:.2f}), so this "
        f"interval is too narrow; allowing for luck that lasts, r = {found.advised.r:.2f} ({low:.2f} to {high:.2f}), "
        f"and {MEANING[verdict(low, high)]}."
    )


def label(fitted: Fit) -> str:
    """Return the assumptions of a fit in words."""
    luck = "luck of each row" if fitted.luck == "row" else "luck that lasts"
    before = "found" if fitted.before_found else "none" if fitted.before == 0 else f"{fitted.before:g}"
    return f"{luck}, before: {before}"


def warnings(found: Found) -> list[str]:
    """Return what to bear in mind, in words: what the series shows first, then what no series can show."""
    rows = len(found.data.lines)
    said = []
    if rows < FEW_ROWS:
        said.append(f"Few points: {rows} rows; with less than {FEW_ROWS} intervals are rough, often too narrow.")
    said += _about_before(found)
    if found.falling.p_value < SIGNIFICANT:
        word = "falls" if found.falling.change < 0 else "rises"
        said.append(
            f"r is not constant: it {word} by {abs(found.falling.change):.2f} with each doubling of effort (p = "
            f"{found.falling.p_value:.3f}); one r for the whole series is an average."
        )
    said += _about_rules(found.data)
    if found.data.columns.lower_is_better:
        said.append(
            "Fixed target: what is needed to reach one goal has a floor, and what is tuned to the goal may not carry "
            "over to others; returns towards it are bound to fall."
        )
    said.append(
        "Imported ideas: only effort in the file counts. Where progress made elsewhere was taken over, effort is "
        "undercounted, and r is overstated if that grew faster than the effort in the file, understated if slower."
    )
    return said


def _about_before(found: Found) -> list[str]:
    said = []
    if max(each.unbent for each in (found.main, found.advised)) > UNBENT:
        said.append(
            "The series does not bend enough to tell how much effort came before it: r has no upper bound from it. "
            "Name the effort with --before."
        )
    if found.options.before == 0:
        _, p_value = gain_from_before(found.data.series, found.advised.luck)
        if p_value < SIGNIFICANT:
            other = next(each for each in found.others if each.luck == found.advised.luck and each.before_found)
            said.append(
                f"Effort before the first row is taken as none, and {other.before:.3g} would fit better "
                f"(p = {p_value:.3f}), with r = {other.r:.2f}: see --before found."
            )
    return said


def _about_rules(data: Data) -> list[str]:
    worse = [line for line, (one, other) in zip(data.lines[1:], pairwise(data.series.performance), strict=True)
             if other < one]  # fmt: skip
    if not worse:
        return []
    shown = ", ".join(map(str, worse[:5])) + (" ..." if len(worse) > 5 else "")
    return [
        f"Rules may have changed: {len(worse)} of {len(data.lines)} rows are worse than the one above (lines {shown}), "
        "as after a new timing or a new rule; fit the parts on either side of it by themselves to see what it does."
    ]


def uncertainty(fitted: Fit) -> dict[str, Any]:
    """Return r as a design states an uncertainty: the 80% interval of the bootstrap as a lognormal distribution.

    Normal where the interval reaches down to 0; bounded to what growth__r may be.
    """
    low, high = fitted.interval(0.8)
    low, high = (low, high) if high > low else (fitted.r * 0.999, fitted.r * 1.001)
    bounds = {"min": _R_BOUNDS[0], "max": _R_BOUNDS[1]}
    return {"distribution": "lognormal" if low > 0 else "normal", "ci80": [low, high]} | bounds


def content(found: Found) -> dict[str, Any]:
    """Return what was found as plain values, in the order in which fit.json has them."""
    data, low_high = found.data, found.main.interval(TOLD)
    return {
        "file": data.path.name, "input": data.columns.effort, "output": data.columns.performance,
        "lower_is_better": data.columns.lower_is_better, "rows": len(data.lines),
        "from": None if data.dates is None else data.dates[0].isoformat(),
        "to": None if data.dates is None else data.dates[-1].isoformat(),
        "effort": float(data.series.total[-1]),
        "times_better": float(data.series.performance[-1] / data.series.performance[0]),
        "draws": found.options.draws, "seed": found.options.seed,
        **_plain(found.main), "verdict": verdict(*low_high), "sentence": sentence(found),
        "other_assumptions": [_plain(each) for each in found.others],
        "neighbours": found.neighbours, "advised": _plain(found.advised),
        "falling": found.falling._asdict(),
        "sub_periods": [_period(data, each) for each in found.periods],
        "warnings": found.warnings, "uncertainty": {"growth__r": uncertainty(found.advised)},
        "residuals": [float(each) for each in found.residuals],
    }  # fmt: skip


def _plain(fitted: Fit) -> dict[str, Any]:
    return {
        "assumptions": label(fitted), "luck": fitted.luck, "r": fitted.r, "before": fitted.before,
        "scatter": fitted.scatter, "above_one": float(np.mean(fitted.draws > 1)),
        "intervals": {f"{share:g}": list(fitted.interval(share)) for share in SHARES},
    }  # fmt: skip


def _period(data: Data, period: Period) -> dict[str, Any]:
    ends = (period.first, period.last)
    dates: Sequence[str | None] = [None if data.dates is None else data.dates[each].isoformat() for each in ends]
    return {
        "first_line": data.lines[ends[0]], "last_line": data.lines[ends[1]], "from": dates[0], "to": dates[1],
        "r": period.fit.r, "interval": list(period.fit.interval(TOLD)),
    }  # fmt: skip


def toml(found: Found) -> str:
    """Return r as the part of a design file that states it as an uncertainty."""
    import tomli_w  # noqa: PLC0415 - only who writes it needs it

    what = f"# r of {found.data.path.name}: {label(found.advised)}, {len(found.data.lines)} rows.\n"
    return what + tomli_w.dumps({"uncertainties": {"growth__r": uncertainty(found.advised)}})
