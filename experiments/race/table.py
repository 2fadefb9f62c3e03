"""Print who leads in a race: the labs, the levels, and both definitions of "winner takes all"."""

from __future__ import annotations

import math
from typing import Final

from experiments.cli.terminal import make_table, print_table, print_text
from experiments.race.study import RaceStudy
from experiments.statistics.intervals import Share
from experiments.text.number_format import format_count, format_factor, format_number, pluralize

NOT_REACHED: Final = "-"


def show(found: RaceStudy) -> None:
    """Print the table of labs, the table of levels and the sentences below them."""
    print_text(
        f"{found.scenario}: a race of {len(found.labs)} labs to {level_text(found.level)}, over "
        f"{pluralize(len(found.outcomes), 'seed')}."
    )
    print_text()
    _show_labs(found)
    _show_levels(found)
    for sentence in sentences(found):
        print_text(sentence)


def level_text(level: float) -> str:
    """Describe a level of software: the doublings, and the factor that they are."""
    return f"{pluralize(level, 'doubling')} of software ({format_factor(level)})"


def _show_labs(found: RaceStudy) -> None:
    table = make_table(
        ("lab", "left"),
        ("GPUs", "right"),
        ("first", "right"),
        ("95% interval", "right"),
        ("over half", "right"),
        ("compute share", "right"),
        ("software share", "right"),
        fixed=("lab", "compute share", "software share"),
    )
    for lab, gpus in found.labs.items():
        first = found.levels[-1].first[lab]
        table.add_row(
            lab,
            format_number(gpus),
            f"{first.share:.0%}",
            _interval(first),
            f"{found.majority[lab].share:.0%}",
            _change(found.compute[lab].at_start, found.compute[lab].at_end.p50),
            _change(found.software[lab].at_start, found.software[lab].at_end.p50),
        )
    print_table(table)


def _show_levels(found: RaceStudy) -> None:
    titles = ["level", "lead p10", "lead p50", "lead p90", *(f"day of {lab}" for lab in found.labs)]
    if found.one_lab:
        titles.append("one lab")
    table = make_table(*((title, "right") for title in titles))
    for row in found.levels:
        cells = [*(_days(each, 3) for each in row.lead), *(_days(row.days[lab].p50) for lab in found.labs)]
        if row.one_lab is not None:
            cells.append(_days(row.one_lab.p50))
        table.add_row(format_factor(row.level), *cells)
    print_table(table)


def sentences(found: RaceStudy) -> list[str]:
    """Return the sentences below the tables, from both definitions of winning to how to read the numbers."""
    return [
        level_sentence(found),
        software_sentence(found),
        lead_sentence(found),
        *filter(None, [early_end_sentence(found), safety_sentence(found)]),
        concentration_sentence(found),
        repeated_sentence(found),
        one_lab_sentence(found),
        "Days are medians over seeds, and leads also 10% and 90% points. Shares change from day 0 to the median when "
        f"the first lab reaches the level. {NOT_REACHED}: not reached.",
    ]


def level_sentence(found: RaceStudy) -> str:
    """Return the sentence on the lab that most often reaches the level first."""
    row = found.levels[-1]
    lab = max(row.first, key=lambda each: row.first[each].number)
    text = f"Winner takes all, by level (first to reach {level_text(found.level)}): "
    if found.undecided == len(found.outcomes):
        return f"{text}no lab in any seed."
    if row.first[lab].number == 0:
        return f"{text}no lab alone in any seed."
    return f"{text}{_most_often(found, lab, row.first[lab])}{_exceptions(found)}."


def software_sentence(found: RaceStudy) -> str:
    """Return the sentence on the lab that most often has more than half of the software."""
    lab = max(found.majority, key=lambda each: found.majority[each].number)
    text = "Winner takes all, by software (then more than half of the software of all labs): "
    if found.majority[lab].number == 0:
        return f"{text}no lab in any seed."
    return f"{text}{_most_often(found, lab, found.majority[lab])}."


def _most_often(found: RaceStudy, lab: str, likely: Share) -> str:
    return f"{lab} in {likely.number} of {pluralize(len(found.outcomes), 'seed')}, 95% interval {_interval(likely)}"


def _exceptions(found: RaceStudy) -> str:
    """Describe the seeds without a first lab."""
    parts = []
    if found.ties:
        parts.append(f"several labs reach it together in {found.ties}")
    if found.undecided:
        parts.append(f"none reaches it in {found.undecided}")
    return f"; {' and '.join(parts)}" if parts else ""


def early_end_sentence(found: RaceStudy) -> str:
    """Return the sentence on leaders that ended while others still gained from them; empty if there were none."""
    if not found.ended_early:
        return ""
    return (
        f"In {found.ended_early} of {pluralize(len(found.outcomes), 'seed')} the first lab ended before the second "
        "reached the level, so that the second could gain no more from it. Lower --level, or raise run__max_doublings."
    )


def lead_sentence(found: RaceStudy) -> str:
    """Return the sentence on the time from the first lab to the second."""
    lead = found.levels[-1].lead
    if math.isnan(lead.p50):
        return "Lead: none, because no lab reaches the level."
    if lead.p50 == math.inf:
        return "Lead: in half of the seeds or more, no second lab reaches the level before the run ends."
    latest = f"{lead.p90:,.3g}" if lead.p90 < math.inf else "not reached by the second"
    return (
        f"Lead: the second lab follows after {lead.p50:,.3g} days (median over seeds; 10% point {lead.p10:,.3g}, 90% "
        f"point {latest})."
    )


def safety_sentence(found: RaceStudy) -> str:
    """Return the sentence on the safety of the first lab; empty if no lab spends research on safety."""
    if found.safety is None:
        return ""
    share, probability, low, high = found.safety
    interval = "" if math.isnan(low) else f" (95% interval {max(0.0, low):.1%} to {min(1.0, high):.1%})"
    return (
        f"Safety: the first lab has spent {share:.1%} of its papers on safety. In the game of Armstrong, Bostrom and "
        f"Shulman it is safe with probability {probability:.1%}{interval}."
    )


def concentration_sentence(found: RaceStudy) -> str:
    """Return the sentence on the Herfindahl indices."""
    software, compute = found.concentration["software"], found.concentration["compute"]
    count = len(found.labs)
    return (
        f"Herfindahl index: software from {software.at_start:.3f} to {software.at_end.p50:.3f}, compute from "
        f"{compute.at_start:.3f} to {compute.at_end.p50:.3f} (medians). {count} equal labs have {1 / count:.3f}, and "
        "one lab with all has 1."
    )


def repeated_sentence(found: RaceStudy) -> str:
    """Return the sentence on research that was done more than once."""
    low, median, high = found.repeated
    return (
        f"Done twice: {median:.0%} of the research of all labs (median over seeds; 10% point {low:.0%}, 90% point "
        f"{high:.0%}). The other {1 - median:.0%} is known in one lab."
    )


def one_lab_sentence(found: RaceStudy) -> str:
    """Return the sentence on one lab with the GPUs of all labs."""
    if found.why_no_one_lab:
        return f"One lab with all GPUs is not compared: {found.why_no_one_lab.rstrip('.')}."
    days = found.levels[-1].one_lab
    if days is None:
        return "One lab with all GPUs is not compared: none of its seeds is complete."
    gpus = format_count(sum(found.labs.values()))
    if days.p50 == math.inf:
        return f"One lab with all {gpus} GPUs does not reach the level in half of the seeds or more."
    text = f"One lab with all {gpus} GPUs and the staff of all labs reaches the level on day {days.p50:,.0f} (median)"
    if found.earlier is None:
        return f"{text}."
    mean, low, high = found.earlier
    word = "earlier" if mean >= 0 else "later"
    ends = sorted((abs(low), abs(high))) if low * high > 0 else (low, high)
    return (
        f"{text}, {abs(mean):,.3g} days {word} than the first lab of the race on average (95% interval {ends[0]:,.3g} "
        f"to {ends[1]:,.3g})."
    )


def _interval(likely: Share) -> str:
    return f"{likely.low:.0%} to {likely.high:.0%}"


def _change(before: float, after: float) -> str:
    return f"{before:.1%} to {after:.1%}"


def _days(days: float, digits: int = 0) -> str:
    """Format a number of days: whole, or with some digits."""
    if not math.isfinite(days):
        return NOT_REACHED
    return f"{days:,.{digits}g}" if digits and days < 100 else f"{days:,.0f}"
