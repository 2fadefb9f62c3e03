"""Print how detectors do: by scenario, and against both truths, with sentences on the report's threshold."""

from __future__ import annotations

import math
from typing import Final

from experiments.cli.terminal import make_table, print_table, print_text
from experiments.detection.detectors import WINDOW_RULE, NamedDetector
from experiments.detection.scores import Days, Estimate
from experiments.detection.study import DetectionStudy
from experiments.statistics.intervals import Share
from experiments.text.number_format import format_count, format_factor, pluralize

NONE: Final = "-"
IN_HINDSIGHT: Final = "in hindsight"
"""Name of the row that dates the change of pace by all readings of a run."""
_LONG: Final = 13.0
"""Doublings above which a multiple is written as a power of ten if it is long."""


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
        (f"day of {level_text(found.truths.level)}", "right"),
        ("days before", "right"),
        fixed=("scenario", "detector"),
    )
    in_hindsight = {row.scenario: row for row in found.hindsight}
    last, last_detector = "", found.detectors[-1].name
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
        if row.detector == last_detector:
            dated = in_hindsight[row.scenario]
            table.add_row("", "", IN_HINDSIGHT, f"{dated.fast.share:.0%}", days_text(dated.day), NONE, NONE, NONE)
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
        fixed=("detector", false, "missed", "delay", "in time", "lead", "precision", "ROC area"),
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
    return [
        *verdict_sentences(found),
        hindsight_sentence(found),
        "Below each value is its 95% interval. Delay and lead are mean days over the runs with an alarm. Times of +n "
        "runs, which end without one, are censored. Days by scenario are medians.",
        f"Lead is the time before {level_text(found.truths.level)} ({found.truths.level:.3g} doublings). Precision "
        f"assumes {found.base_rate:g} true events a year for 'pace', and that {found.singular_probability:.0%} of runs "
        "are singular for 'singular'.",
        f"Before day 0, software grows at the reference pace and is read for {found.truths.days_before / 365:.3g} "
        "years.",
    ]


def verdict_sentences(found: DetectionStudy) -> list[str]:
    """Return what the runs show about the threshold of the report, for each of its windows."""
    rules = [each for each in found.detectors if each.kind == WINDOW_RULE]
    if not rules:
        return []
    rows = [row for row in found.rows if row.detector == rules[0].name]
    fast, runs = sum(row.fast_on_day_0.number for row in rows), sum(row.fast_on_day_0.of for row in rows)
    return [
        f"In {fast} of {pluralize(runs, 'run')} the pace is {found.truths.times:g} times the reference from day 0 on.",
        *(_alarm_sentence(found, rule) for rule in rules),
    ]


def hindsight_sentence(found: DetectionStudy) -> str:
    """Return from when on each scenario is fast if all readings of a run are known."""
    parts = []
    for row in found.hindsight:
        day = f", day {row.day:,.0f}" if row.day < math.inf else ""
        truth = f" (truth: day {row.true_day:,.0f})" if row.true_day < math.inf else ""
        interval = f"({row.fast.low:.0%} to {row.fast.high:.0%})"
        parts.append(f"{row.scenario} {row.fast.number} of {row.fast.of} {interval}{day}{truth}")
    return (
        f"In hindsight, with all readings of a run in segments of constant pace, a segment has {found.truths.times:g} "
        f"times the reference pace in: {'; '.join(parts)}."
    )


def _alarm_sentence(found: DetectionStudy, rule: NamedDetector) -> str:
    parts = [
        f"{row.scenario} ({row.long_run}) {row.alarm.number} of {row.alarm.of}"
        + (f", day {row.alarm_day:,.0f}" if row.alarm_day < math.inf else "")
        for row in found.rows
        if row.detector == rule.name
    ]
    rings = f"{rule.threshold:g} times over {rule.settings.window_days:g} days rings in: {'; '.join(parts)}."
    return f"{rings}{_lead(found, rule.name)}"


def _lead(found: DetectionStudy, rule: str) -> str:
    score = found.score(rule, "singular")
    if math.isnan(score.lead.mean):
        return ""
    side = "before" if score.lead.mean >= 0 else "after"
    level = level_text(found.truths.level)
    return f" In singular runs that is on average {abs(score.lead.mean):,.0f} days {side} {level}."


def days_text(days: float) -> str:
    """Format a number of days, or a dash for one that is not reached."""
    return f"{days:,.0f}" if math.isfinite(days) else NONE


def level_text(level: float) -> str:
    """Format a level in doublings as a multiple of the software of day 0."""
    return format_factor(level) if level > _LONG else f"×{format_count(float(f'{2**level:.4g}'))}"


def _rate(rate: Estimate) -> str:
    return NONE if math.isnan(rate.value) else f"{rate.value:.2g}\n({rate.low:.2g} to {rate.high:.2g})"


def _share(each: Share) -> str:
    return f"{each.share:.0%}\n({each.low:.0%} to {each.high:.0%})" if each.of else NONE


def _estimate(each: Estimate) -> str:
    if math.isnan(each.value):
        return NONE
    return f"{each.value:.2f}" + ("" if math.isnan(each.low) else f"\n({each.low:.2f} to {each.high:.2f})")


def _days(each: Days) -> str:
    """Format a mean time, with the number of censored runs after a plus sign, and its interval below."""
    more = f" +{each.censored}" if each.censored else ""
    if not each.runs:
        return f"{NONE}{more}"
    return f"{each.mean:,.0f}{more}" + ("" if math.isnan(each.low) else f"\n({each.low:,.0f} to {each.high:,.0f})")
