"""Analyse a series for `asara fit`: r with its interval, its dependence on assumptions, and a prior for designs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from experiments.errors import InputError
from experiments.estimation.averaged_fit import AveragedFit, Period, Recommendation, average, periods, recommend
from experiments.estimation.growth_fit import (
    DRAWS,
    NOISES,
    GrowthFit,
    Noise,
    Series,
    TrendTest,
    fit,
    lag1_autocorrelation,
    trend_test,
)
from experiments.estimation.series import Data, SeriesColumns, read

Side = Literal["above 1", "below 1", "either side of 1"]
Hardware = Literal["unknown", "fixed", "grew"]
AnyFit = AveragedFit | GrowthFit

FEW_ROWS: Final = 15
"""Number of rows below which a warning is given."""
SHARES: Final = (0.5, 0.8, 0.9, 0.95)
REPORTED_INTERVAL: Final = 0.95
"""Share of the interval in the headline."""
SIGNIFICANT: Final = 0.05
UNBOUNDED: Final = 0.05
"""Posterior weight of a very large effort before the first row above which r counts as unbounded [1]."""
NOT_GROWING: Final = 0.05
"""P(r <= 0) above which the series does not constrain r, and no prior is written [1]."""
HALVED: Final = 0.5
"""r with hardware fixed over r estimated while hardware grew [1].

It is the share of labour in an even Cobb-Douglas mix of labour and hardware. Source:
experiments/published/returns.toml, the best guesses of the report, 1 to 4 and 0.5 to 2.
"""
AHEAD: Final = (1.5, 2.0, 4.0)
"""Cumulative effort of the forecasts, in multiples of that at the last row [1]."""
_R_BOUNDS: Final = (0.01, 100.0)
"""Bounds of growth__r."""
_PRIOR_SHARES: Final = np.array([0.0005, 0.005, 0.025, 0.05, *np.arange(0.1, 0.91, 0.05), 0.95, 0.975, 0.995, 0.9995])
"""Shares at which a prior states its quantiles; the first and the last are its ends."""


class Options(NamedTuple):
    """Options of a fit."""

    before: float | None = None
    """Effort before the first row; None if unknown."""
    sub_periods: int = 3
    draws: int = DRAWS
    seed: int = 0
    hardware: Hardware = "unknown"
    """Whether the hardware that the research used grew within the series."""
    hardware_input: str | None = None
    """Column with the hardware used in each row; None without one."""


class FitReport(NamedTuple):
    """Results of the analysis of a series."""

    data: Data
    options: Options
    recommendation: Recommendation
    others: list[AnyFit]
    """Fits under other assumptions about noise and the effort before the first row."""
    falling: TrendTest
    """Test of constant r with the effort before of the recommended fit and the noise model of larger weight."""
    periods: list[Period]
    residuals: Any
    neighbours: float
    """Correlation of residuals with their neighbours (lag 1) [1]."""
    warnings: list[str]

    @property
    def recommended(self) -> AveragedFit:
        """The fit to rely on."""
        return self.recommendation.fit

    @property
    def factor(self) -> float:
        """Factor from r to r with hardware fixed [1]."""
        return HALVED if self.options.hardware == "grew" else 1.0


def analyse_series(data: Data, options: Options) -> FitReport:
    """Fit a series under each assumption, and test them. Raises InputError if it cannot be fitted."""
    if options.hardware_input is not None:
        data, options = _mix_hardware(data, options.hardware_input), options._replace(hardware="grew")
    series = data.series
    try:
        recommendation = recommend(series, options.before)
        others = _fit_alternatives(series, options, recommendation)
    except ValueError as error:
        raise InputError(f"{data.path}: {error}") from None
    recommended = recommendation.fit
    noise: Noise = "lasting" if recommended.persistent >= 0.5 else "row"
    plain = fit(series, noise, recommended.before, draws=options.draws, seed=options.seed)
    missed = series.log_performance - recommended.at(series.total)
    found = FitReport(
        data,
        options,
        recommendation,
        others,
        trend_test(series, plain, draws=options.draws, seed=options.seed),
        periods(series, recommended.before, options.sub_periods),
        missed,
        lag1_autocorrelation(missed)[0],
        [],
    )
    return found._replace(warnings=caveats(found))


def _fit_alternatives(series: Series, options: Options, recommendation: Recommendation) -> list[AnyFit]:
    """Return fits to compare: the average over noise models, then each noise model, for each effort before."""
    least = 0.0 if series.effort[0] > 0 else None
    befores = list({options.before: 0, least: 0, None: 0})
    averaged: list[AnyFit] = [
        average(series, each) for each in befores if (each is None) != recommendation.fit.before_found
    ]
    kinds = [(noise, each) for each in befores for noise in NOISES]
    return averaged + [fit(series, *each, draws=options.draws, seed=options.seed) for each in kinds]


def _mix_hardware(data: Data, column: str) -> Data:
    """Replace effort by an even Cobb-Douglas mix of the input and the hardware used in each row."""
    hardware = read(data.path, SeriesColumns(column, data.columns.performance)).series.effort
    effort = np.sqrt(data.series.effort * hardware)
    if np.count_nonzero(effort) < np.count_nonzero(data.series.effort):
        raise InputError(f"{data.path}: {column} is 0 in a row with effort; allowed: above 0. Correct the row.")
    columns = data.columns._replace(effort=f"sqrt({data.columns.effort} x {column})")
    return data._replace(columns=columns, series=Series(effort, data.series.performance))


def side_of_one(low: float, high: float) -> Side:
    """Return on which side of 1 an interval of r lies."""
    return "above 1" if low > 1 else "below 1" if high < 1 else "either side of 1"


MEANING: Final[Mapping[Side, str]] = {
    "above 1": "each doubling of software would take less time than the one before",
    "below 1": "each doubling of software would take longer than the one before",
    "either side of 1": "successive doublings of software could get faster (r above 1) or slower (r below 1)",
}


def refusal(found: FitReport) -> str | None:
    """Explain in one sentence why the series gives no prior of r; return None if it gives one."""
    recommended = found.recommended
    if recommended.r <= 0:
        return "Performance did not grow with cumulative effort, and the law of returns needs an r above 0."
    if (share := recommended.cdf(0.0)) > NOT_GROWING:
        return f"The data do not constrain r: P(r <= 0) = {share:.0%}, so the growth may be noise."
    if recommended.unbounded > UNBOUNDED or recommended.above(_R_BOUNDS[1]) > UNBOUNDED:
        return "The data do not bound r from above, because the effort before the first row is unknown. Give --before."
    return None


def sentence(found: FitReport) -> str:
    """Summarize the fit: r, its dependence on assumptions, and its meaning for AI on fixed hardware."""
    return " ".join(each for each in (*_headline(found), *_describe_hardware(found)) if each)


def _headline(found: FitReport) -> list[str]:
    recommended, why = found.recommended, refusal(found)
    low, high = recommended.interval(REPORTED_INTERVAL)
    measured = f"r = {recommended.r:.2f} (95% interval {low:.2f} to {high:.2f})"
    parts = []
    if why is not None and (recommended.r <= 0 or recommended.cdf(0.0) > NOT_GROWING):
        parts.append(f"{why} {measured}; there is no doubling time to compare.")
    elif why is not None:
        parts.append(f"r is above {recommended.ppf(np.array([0.05]))[0]:.2f} with probability 95%. {why}")
    elif ends := r_range_over_effort_before(found):
        parts.append(
            f"r is between {ends[0]:.2f} and {ends[1]:.2f}, depending on the effort before the first row, which the "
            f"file does not state. Give it with --before. Averaged over the effort before, {measured}."
        )
    else:
        parts.append(
            f"Performance doubled {recommended.r:.2f} times for each doubling of cumulative effort: {measured}."
        )
    if found.recommendation.rejected and found.recommendation.stated is not None:
        stated = found.recommendation.stated
        parts.append(
            f"The series contradicts --before {stated.before:g} ({_format_p_value(stated.p_before_given)}; it would "
            "give r = "
            f"{stated.r:.2f}), so the recommended fit averages over the effort before; {recommended.before:.3g} fits "
            "best."
        )
    return parts


def r_range_over_effort_before(found: FitReport) -> tuple[float, float] | None:
    """Return the lowest and the highest r over efforts before the first row; None if they agree or it is known.

    They disagree unless r with an effort of 0 before and averaged r each lie in the 80% interval of the other.
    """
    recommended = found.recommended
    if not recommended.before_found:
        return None
    none = [each for each in found.others if isinstance(each, AveragedFit) and each.before == 0]
    if not none or found.recommendation.stated is not None:
        return None
    low, high = recommended.interval(0.8)
    lowest, highest = none[0].interval(0.8)
    if low <= none[0].r <= high and lowest <= recommended.r <= highest:
        return None
    estimates = [recommended.r, *(each.r for each in found.others)]
    return min(estimates), max(estimates)


def _describe_hardware(found: FitReport) -> list[str]:
    if refusal(found) is not None:
        return []
    low, high = (found.factor * end for end in found.recommended.interval(REPORTED_INTERVAL))
    above = found.recommended.above(1 / found.factor)
    chance = f"P(r > 1) is {_format_percent(above)} under this fit"
    meaning = MEANING[side_of_one(low, high)]
    if found.options.hardware == "fixed":
        return [f"If AI did this research on fixed hardware, {meaning}; {chance}."]
    if found.options.hardware == "grew":
        return [
            "Hardware grew, so r on fixed hardware is half of that, as in the published estimates: "
            f"{HALVED * found.recommended.r:.2f} (95% interval {low:.2f} to {high:.2f}). If AI did this research on "
            f"fixed hardware, {meaning}; P(r > 1) is {_format_percent(above)} for the halved r."
        ]
    return [
        f"{chance}. It is not stated whether hardware grew, so r may include better hardware. State it with "
        "--hardware fixed or --hardware grew. Published estimates are from times of growing hardware, and are halved "
        "for fixed hardware (asara fit --published)."
    ]


def _format_p_value(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _format_percent(share: float) -> str:
    return "below 0.5%" if share < 0.005 else "above 99.5%" if share > 0.995 else f"{share:.0%}"


def label(fitted: AnyFit) -> str:
    """Describe the assumptions of a fit."""
    noise = "averaged noise" if isinstance(fitted, AveragedFit) else f"{_NOISE[fitted.noise]} noise"
    before = f"{fitted.before:g}"
    if fitted.before_found:
        before = "averaged" if isinstance(fitted, AveragedFit) else "best fit"
    return f"{noise}; effort before: {before}"


_NOISE: Final[Mapping[Noise, str]] = {"row": "independent", "lasting": "cumulative"}


def caveats(found: FitReport) -> list[str]:
    """Describe the limits of a fit: first those that the series shows, then those that no series can show."""
    rows = len(found.data.lines)
    texts = []
    if rows < FEW_ROWS:
        texts.append(
            f"Few points: {rows} rows cannot show which noise model holds, so the interval covers all of them and is "
            "wide."
        )
    if found.falling.p_value < SIGNIFICANT:
        word = "falls" if found.falling.change < 0 else "rises"
        texts.append(
            f"r is not constant: it {word} by {abs(found.falling.change):.2f} with each doubling of effort (p = "
            f"{found.falling.p_value:.3f}); one r for the whole series is an average."
        )
    texts += _bounds_caveat(found)
    texts += _rules_caveat(found.data)
    if found.data.columns.lower_is_better:
        texts.append(
            "Fixed target: the cost or time of one goal has a lower limit, so its returns must fall. Methods tuned "
            "to the "
            "goal may not work for others."
        )
    texts.append(
        "Imported ideas: only the effort in the file counts. Progress from outside makes r too high if outside effort "
        "grew faster than the effort in the file. It makes r too low if outside effort grew more slowly."
    )
    return texts


def _bounds_caveat(found: FitReport) -> list[str]:
    """Describe the part of the posterior that lies outside the bounds of growth__r."""
    if refusal(found) is not None:
        return []
    low, high = (bound / found.factor for bound in _R_BOUNDS)
    below, above = found.recommended.cdf(low), found.recommended.above(high)
    parts = [f"{below:.1%} below {_R_BOUNDS[0]:g}"] if below > 0.0005 else []
    parts += [f"{above:.1%} above {_R_BOUNDS[1]:g}"] if above > 0.0005 else []
    if not parts:
        return []
    return [f"Prior truncated at the bounds of growth__r: {' and '.join(parts)} left out of fit.toml."]


def _rules_caveat(data: Data) -> list[str]:
    worse = [
        line
        for line, (one, other) in zip(data.lines[1:], pairwise(data.series.performance), strict=True)
        if other < one
    ]
    if not worse:
        return []
    shown = ", ".join(map(str, worse[:5])) + (" ..." if len(worse) > 5 else "")
    return [
        f"Rules may have changed: {len(worse)} of {len(data.lines)} rows are worse than the row above (lines {shown}), "
        "as after a new rule or a new way of timing. Fit the parts before and after it separately to see its effect."
    ]


def uncertainty(found: FitReport) -> dict[str, Any] | None:
    """Return r with hardware as stated as a `quantiles` distribution of a design; None if `refusal` gives a reason.

    It is the posterior of the recommended fit, truncated to the bounds of growth__r, and halved if hardware grew.
    """
    if refusal(found) is not None:
        return None
    recommended = found.recommended
    low, high = (recommended.cdf(bound / found.factor) for bound in _R_BOUNDS)
    values = found.factor * recommended.ppf(low + _PRIOR_SHARES * (high - low))
    values = np.clip(values, *_R_BOUNDS)
    for place in range(1, len(values)):  # a series without noise has equal quantiles, which a distribution may not have
        values[place] = max(values[place], values[place - 1] * (1 + 1e-9))
    shares = np.round([0.0, *_PRIOR_SHARES[1:-1], 1.0], 4)
    return {"distribution": "quantiles", "shares": shares.tolist(), "values": [float(f"{v:.10g}") for v in values]}


def forecast(found: FitReport) -> list[dict[str, Any]]:
    """Forecast the growth from the last row, at each multiple of its cumulative effort in `AHEAD`.

    Each entry has ``effort`` (a multiple), ``times_better`` and its ``interval`` (80%). It is of the trend;
    rows scatter about it. The list is empty if `refusal` gives a reason.
    """
    if refusal(found) is not None:
        return []
    r, before = found.recommended.draw(_FORECAST_DRAWS, found.options.seed)
    total = found.data.series.total[-1]
    rows = []
    for multiple in AHEAD:
        better = ((before + multiple * total) / (before + total)) ** r
        low, middle, high = np.quantile(better, [0.1, 0.5, 0.9])
        rows.append({"effort": multiple, "times_better": float(middle), "interval": [float(low), float(high)]})
    return rows


_FORECAST_DRAWS: Final = 20_000


def content(found: FitReport) -> dict[str, Any]:
    """Return the results as plain values, in the order of fit.json."""
    data, recommended = found.data, found.recommended
    low, high = recommended.interval(REPORTED_INTERVAL)
    return {
        "file": data.file,
        "input": data.columns.effort,
        "output": data.columns.performance,
        "lower_is_better": data.columns.lower_is_better,
        "rows": len(data.lines),
        "from": None if data.dates is None else data.dates[0].isoformat(),
        "to": None if data.dates is None else data.dates[-1].isoformat(),
        "effort": float(data.series.total[-1]),
        "times_better": float(data.series.performance[-1] / data.series.performance[0]),
        "draws": found.options.draws,
        "seed": found.options.seed,
        **_fit_values(recommended),
        "hardware": found.options.hardware,
        "r_hardware_fixed": _r_hardware_fixed(found),
        "side_of_one": side_of_one(low, high),
        "refusal": refusal(found),
        "sentence": sentence(found),
        "before_rejected": found.recommendation.rejected,
        "depends_on_before": r_range_over_effort_before(found),
        "other_assumptions": [_fit_values(each) for each in found.others],
        "neighbours": found.neighbours,
        "falling": found.falling._asdict(),
        "sub_periods": [_period_values(data, each) for each in found.periods],
        "forecast": forecast(found),
        "warnings": found.warnings,
        "uncertainty": {"growth__r": uncertainty(found)},
        "residuals": [float(each) for each in found.residuals],
    }


def _r_hardware_fixed(found: FitReport) -> dict[str, Any] | None:
    """Return r with hardware fixed; None if it is not stated whether hardware grew."""
    if found.options.hardware == "unknown":
        return None
    low, high = (found.factor * end for end in found.recommended.interval(REPORTED_INTERVAL))
    return {
        "r": found.factor * found.recommended.r,
        "interval": [low, high],
        "above_one": found.recommended.above(1 / found.factor),
        "side_of_one": side_of_one(low, high),
    }


def _fit_values(fitted: AnyFit) -> dict[str, Any]:
    p_value = fitted.p_before_given if isinstance(fitted, AveragedFit) and not fitted.before_found else None
    return {
        "assumptions": label(fitted),
        "noise": "averaged" if isinstance(fitted, AveragedFit) else fitted.noise,
        "r": fitted.r,
        "before": fitted.before,
        "before_found": fitted.before_found,
        "above_one": fitted.above(1.0),
        "p_before": p_value,
        "intervals": {f"{share:g}": list(fitted.interval(share)) for share in SHARES},
    }


def _period_values(data: Data, period: Period) -> dict[str, Any]:
    ends = (period.first, period.last)
    dates: Sequence[str | None] = [None if data.dates is None else data.dates[each].isoformat() for each in ends]
    return {
        "first_line": data.lines[ends[0]],
        "last_line": data.lines[ends[1]],
        "from": dates[0],
        "to": dates[1],
        "r": period.fit.r,
        "interval": list(period.fit.interval(REPORTED_INTERVAL)),
    }


def toml(found: FitReport) -> str:
    """Format the prior of r as part of a design file; return only the reason if there is no prior."""
    import tomli_w  # noqa: PLC0415 - loaded only to write a file

    table = uncertainty(found)
    if table is None:
        return f"# No prior of r from {found.data.file}. {refusal(found)}\n"
    what = f"# r of {found.data.file}: {label(found.recommended)}, {len(found.data.lines)} rows.\n"
    what += f"# {_HARDWARE[found.options.hardware]}\n"
    return what + tomli_w.dumps({"uncertainties": {"growth__r": table}})


_HARDWARE: Final[Mapping[Hardware, str]] = {
    "unknown": "r may include better hardware. If hardware grew, run it again with --hardware grew, which halves r.",
    "fixed": "Hardware was fixed.",
    "grew": "Hardware grew, so r is halved to give r on fixed hardware.",
}
