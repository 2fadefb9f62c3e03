"""Print the milestones of a scenario beside the published medians."""

from __future__ import annotations

import math
from typing import Final

from agents.params import DAYS_PER_YEAR
from experiments.cli.terminal import make_table, print_table, print_text
from experiments.milestones.study import MilestoneStudy
from experiments.text.number_format import format_number
from sim.ai_path import limit_phrase
from sim.milestones import AIFM, RESEARCHER_MILESTONES

NOT_REACHED: Final = "-"


def show(study: MilestoneStudy) -> None:
    """Print the table of milestones and the sentences below it."""
    count = len(study.paths)
    print_text(f"{study.scenario}: milestones over {count} seed{'s' if count > 1 else ''}, in days since day 0.")
    print_text()
    table = make_table(
        ("milestone", "left"),
        ("p10", "right"),
        ("p50", "right"),
        ("p90", "right"),
        ("seeds", "right"),
        ("years after AC", "right"),
        ("published", "right"),
        ("share", "right"),
    )
    for row, since in zip(study.rows, study.rows_since_coder, strict=True):
        table.add_row(
            row.milestone.name,
            *(_day(each) for each in (row.p10, row.p50, row.p90)),
            f"{row.share:.0%}",
            _years(since.p50_if_reached),
            _years(row.published_days),
            NOT_REACHED if math.isnan(row.published_share) else f"{row.published_share:.0%}",
        )
    print_table(table)
    for sentence in sentences(study):
        print_text(sentence)


def sentences(study: MilestoneStudy) -> list[str]:
    """Return the sentences on the milestones: ASARA, what limits the multiplier, and how to read the columns."""
    found = [asara_sentence(study), limit_sentence(study)]
    if study.horizon_reading:
        found.append(study.horizon_reading)
    return [
        *found,
        f"AC, the automated coder, is the day on which AIs can do {study.coder_share:.0%} of the tasks of a paper.",
        researcher_sentence(study),
        f"Published: medians in years after AC, over the futures that get there, for AC in {study.coder_year}, and "
        f"their share ({AIFM}). Medians of these futures are biased early.",
        f"{NOT_REACHED}: not reached, or not published.",
    ]


def asara_sentence(study: MilestoneStudy) -> str:
    """Return the sentence on the day of ASARA."""
    days = sorted(path.asara_day for path in study.paths)
    reached = sum(day < math.inf for day in days)
    if reached == 0:
        return "ASARA: AIs do not come to do all research in any seed."
    if study.asara is None:
        shown = f"; its earliest day is {days[0]:,.0f}" if len(days) > 1 else f" on day {days[0]:,.0f}"
        return f"ASARA: {reached} of {len(days)} seeds reach it{shown}."
    mean, low, high = study.asara
    return (
        f"ASARA: day {mean:,.0f} on average (95% interval {low:,.0f} to {high:,.0f} over {len(days)} seeds); seeds lie "
        f"between {days[0]:,.0f} and {days[-1]:,.0f}."
    )


def limit_sentence(study: MilestoneStudy) -> str:
    """Return the sentence on the multiplier of the best AIs, and on what keeps it below that of free progress."""
    best = study.measured[-1]
    waiting = sum(path.waiting for path in study.paths) / len(study.paths)
    limits = limit_phrase(best, waiting, study.parallel_penalty)
    return f"The best AIs of the runs have a multiplier of {format_number(best.value)}{limits}."


def researcher_sentence(study: MilestoneStudy) -> str:
    """Return the sentence on the milestones by the productivity of AIs."""
    names = " and ".join(f"{each.name} at {each.productivity:.3g}" for each in RESEARCHER_MILESTONES)
    at_threshold, slope = study.productivity
    growth = f"grows with the exponent {slope:g} above it" if slope else "does not grow above it"
    return (
        f"{names}: productivity of an AI on the hardest kind of task, in median humans. Here it is {at_threshold:g} at "
        f"its threshold and {growth} (automation__ai_productivity, automation__productivity_slope)."
    )


def _day(day: float) -> str:
    return f"{day:,.0f}" if day < math.inf else NOT_REACHED


def _years(days: float) -> str:
    return f"{days / DAYS_PER_YEAR:.2f}" if math.isfinite(days) else NOT_REACHED
