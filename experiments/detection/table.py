"""Print how detectors do: by scenario, and against both truths, with sentences on the report's threshold."""

from __future__ import annotations

import math
from typing import Final

from experiments.cli.terminal import make_table, print_table, print_text
from experiments.detection.scores import Days, Estimate, Score, Share
from experiments.detection.study import DetectionStudy, ScenarioRow
from experiments.text.number_format import format_factor, format_number, pluralize

NONE: Final = "-"
REPORT_RULE: Final = "pace"
"""Detector that is the threshold of the report."""


def show(found: DetectionStudy) -> None:
    """Print the tables and the sentences below them."""
    count, names = len(found.seeds), ", ".join(each.name for each in found.scenarios)
    print_text(f"{names}: {pluralize(len(found.detectors), 'detector')} judged over {pluralize(count, 'seed')} each.")
    print_text()
    _show_scenarios(found)
    for truth in ("pace", "singular"):
        print_text(truth_sentence(found, truth))
        _show_scores(found, truth)
    for sentence in sentences(found):
        print_text(sentence)


def _show_scenarios(found: DetectionStudy) -> None:
    table = make_table(
        ("scenario", "left"),
        ("long run", "left"),
        ("detector", "left"),
        ("rings", "right"),
        ("day", "right"),
        ("software read", "right"),
        (f"day of {format_factor(found.truths.level)}", "right"),
        ("days before", "right"),
        fixed=("scenario", "detector"),
    )
    last = ""
    for row in found.rows:
        table.add_row(
            row.scenario if row.scenario != last else "",
            row.long_run if row.scenario != last else "",
            row.detector,
            f"{row.alarm.share:.0%}",
            days_text(row.alarm_day),
            NONE if math.isnan(row.software) else format_factor(row.software),
            days_text(row.level_day),
            days_text(row.lead),
        )
        last = row.scenario
    print_table(table)


def _show_scores(found: DetectionStudy, truth: str) -> None:
    false = "false alarms a year" if truth == "pace" else "rings in other runs"
    table = make_table(
        ("detector", "left"),
        (false, "right"),
        ("missed", "right"),
        ("delay", "right"),
        ("in time", "right"),
        ("lead", "right"),
        ("precision", "right"),
        ("ROC area", "right"),
        fixed=("detector",),
    )
    for each in found.scores:
        if each.truth == truth:
            table.add_row(
                each.detector,
                _rate(each.false_alarms_per_year) if each.false_share is None else _share(each.false_share),
                _share(each.missed),
                _days(each.delay),
                _share(each.in_time),
                _days(each.lead),
                _estimate(each.precision),
                _estimate(each.roc.area) if each.roc else NONE,
            )
    print_table(table)


def truth_sentence(found: DetectionStudy, truth: str) -> str:
    """Return the sentence that defines a truth, with the number of runs in which it holds."""
    runs = found.runs
    if truth == "pace":
        number = sum(each.fast_from < math.inf for each in runs)
        days = found.truths.reference_doubling_days / found.truths.times
        return (
            f"Truth 'pace': a doubling takes {days:.3g} days or less, {found.truths.times:g} times the reference. It "
            f"holds in {number} of {pluralize(len(runs), 'run')}."
        )
    number = sum(each.is_singular for each in runs)
    return (
        "Truth 'singular': doubling times shrink without limit in the long run. It holds in "
        f"{number} of {pluralize(len(runs), 'run')}, from day 0 on."
    )


def sentences(found: DetectionStudy) -> list[str]:
    """Return the sentences on the report's threshold, and on how to read the tables."""
    first = found.scores[0]
    return [
        *verdict_sentences(found),
        "Intervals have 95%. Delay and lead are mean days over runs with an alarm; the number after the plus sign is "
        "of runs that end without one, so that their times are censored.",
        f"Lead is the time before {format_factor(found.truths.level)} ({found.truths.level:.3g} doublings). Precision "
        f"assumes {found.base_rate:g} true events a year for 'pace', and that {found.singular_probability:.0%} of runs "
        "are singular for 'singular'.",
        f"Before day 0, {found.truths.days_before / 365:.3g} years of readings at the reference pace are read. "
        f"{first.detector} and the other detectors never see the truth or the level.",
    ]


def verdict_sentences(found: DetectionStudy) -> list[str]:
    """Return what the runs show about the report's threshold; nothing if that was not judged."""
    rule = next((each for each in found.detectors if each.kind == REPORT_RULE), None)
    if rule is None:
        return []
    rows = [row for row in found.rows if row.detector == rule.name]
    return [_day_0_sentence(found, rows), _alarm_sentence(found, rows, f"{rule.threshold:g}"), *_lead(found, rule.name)]


def _day_0_sentence(found: DetectionStudy, rows: list[ScenarioRow]) -> str:
    fast, runs = sum(row.fast_on_day_0.count for row in rows), sum(row.fast_on_day_0.of for row in rows)
    return (
        f"In {fast} of {pluralize(runs, 'run')} the pace is {found.truths.times:g} times the reference from day 0 on."
    )


def _alarm_sentence(found: DetectionStudy, rows: list[ScenarioRow], times: str) -> str:
    parts = [
        f"in {row.alarm.count} of {row.alarm.of} runs of {row.scenario} ({row.long_run})"
        + (f" by day {row.alarm_day:,.0f}" if row.alarm_day < math.inf else "")
        for row in rows
    ]
    return (
        f"The {times}-times rule over {found.detectors[0].settings.window_days:g} days rings {', '.join(parts)}. Days are "
        "medians."
    )


def _lead(found: DetectionStudy, rule: str) -> list[str]:
    score = found.score(rule, "singular")
    if not score.in_time.of:
        return []
    text = f"In singular runs it comes before the level in {score.in_time.count} of {score.in_time.of}"
    if math.isnan(score.lead.mean):
        return [f"{text}."]
    side = "before" if score.lead.mean >= 0 else "after"
    return [f"{text}, on average {abs(score.lead.mean):,.0f} days {side} it."]


def days_text(days: float) -> str:
    """Format a number of days, or a dash for one that is not reached."""
    return f"{days:,.0f}" if math.isfinite(days) else NONE


def _rate(rate: Estimate) -> str:
    if math.isnan(rate.value):
        return NONE
    return f"{format_number(_rounded(rate.value))} ({format_number(_rounded(rate.low))} to {_rounded(rate.high):.2g})"


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def _share(each: Share) -> str:
    return f"{each.share:.0%} ({each.low:.0%} to {each.high:.0%})" if each.of else NONE


def _estimate(each: Estimate) -> str:
    if math.isnan(each.value):
        return NONE
    interval = f" ({each.low:.2f} to {each.high:.2f})" if not math.isnan(each.low) else ""
    return f"{each.value:.2f}{interval}"


def _days(each: Days) -> str:
    if not each.runs:
        return NONE if not each.censored else f"- +{each.censored}"
    interval = f" ({each.low:,.0f} to {each.high:,.0f})" if not math.isnan(each.low) else ""
    return f"{each.mean:,.0f}{interval}" + (f" +{each.censored}" if each.censored else "")


def score_title(score: Score) -> str:
    """Return a detector with the area under its ROC curve."""
    return f"{score.detector} ({score.roc.area.value:.2f})" if score.roc else score.detector
