"""Put the comparison of governance policies into tables and sentences, for the terminal and for the page."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from experiments.cli.terminal import make_table, print_table, print_text
from experiments.governance.study import GovernanceStudy, LevelEffect
from experiments.statistics.intervals import MeanInterval, Share
from experiments.text.number_format import format_factor, pluralize

NOTHING: Final = "-"


class TextTable(NamedTuple):
    """A table of text."""

    title: str
    columns: tuple[str, ...]
    """Titles of the columns; the first one is that of the policies."""
    rows: tuple[tuple[str, ...], ...]


def show(found: GovernanceStudy) -> None:
    """Print the tables and the sentences below them."""
    print_text(f"{headline(found)}.")
    for table in tables(found):
        print_text()
        print_text(table.title)
        printed = make_table(
            (table.columns[0], "left"), *((title, "right") for title in table.columns[1:]), fixed=table.columns[:1]
        )
        for row in table.rows:
            printed.add_row(*row)
        print_table(printed)
    for sentence in sentences(found):
        print_text(sentence)


def headline(found: GovernanceStudy) -> str:
    """Return the number of policies and seeds, as a phrase."""
    labs = f", {len(found.labs)} labs" if found.labs else ""
    policies = pluralize(len(found.policies) - 1, "governance policy", "governance policies")
    return f"{found.scenario}{labs}: {policies} compared with none, over {pluralize(len(found.seeds), 'seed')}"


def tables(found: GovernanceStudy) -> list[TextTable]:
    """Return the tables: days gained, warnings, cost, and the first lab if there are several."""
    levels = tuple(format_factor(level) for level in found.levels)
    policies = found.policies
    what = "of the first lab " if found.labs else ""
    result = [
        TextTable(
            f"Days gained to each level {what}(without a regulator: the median day)",
            ("policy", *levels),
            tuple((each.name, *(_gained(row, at == 0) for row in each.levels)) for at, each in enumerate(policies)),
        ),
        TextTable(
            "Seeds with a warning before the level, and median lead time",
            ("policy", *levels),
            tuple((each.name, *map(_warned, each.levels)) for each in policies if each.has_warnings),
        ),
        TextTable(
            "Cost and pace",
            ("policy", "software", "papers", f"below {found.limit.times:g}× the pace", "days under orders"),
            tuple(
                (
                    each.name,
                    NOTHING if at == 0 else interval_text(each.software, 2),
                    NOTHING if at == 0 else interval_text(each.papers, 0),
                    share_text(each.below_pace),
                    interval_text(each.days_restricted, 0),
                )
                for at, each in enumerate(policies)
            ),
        ),
    ]
    if found.labs:
        rows = tuple((each.name, *(share_text(each.first[lab]) for lab in found.labs)) for each in policies)
        result.append(TextTable(f"First lab at {levels[-1]}", ("policy", *found.labs), rows))
    return [table for table in result if table.rows]


def sentences(found: GovernanceStudy) -> list[str]:
    """Return the sentences on how to read the tables, and what is missing in them."""
    limit = found.limit
    return [
        *filter(None, [longest_sentence(found), censored_sentence(found)]),
        found.readings,
        "Days gained: mean over pairs of runs with the same seed, with and without the policy. Cost: the same for "
        "software [doublings] and papers, on the last day of the run without a regulator.",
        "A warning is an alarm of a rule with a condition. Its lead time is that to the level in the same run, which "
        "its own orders delay.",
        f"Below {limit.times:g}× the pace: seeds in which software never grows {limit.times:g} times as fast as one "
        f"doubling in {limit.reference_doubling_days:g} days, over {limit.window_days:g} days.",
        f"Intervals: 95%, Student's for means and Wilson's for shares. {NOTHING}: none.",
        *([] if len(found.seeds) > 1 else ["One seed gives no intervals of means; add --seeds 20."]),
    ]


def longest_sentence(found: GovernanceStudy) -> str:
    """Return the sentence on the policy that delays the highest level most; empty if none delays it."""
    candidates = [(each, each.levels[-1].gained) for each in found.policies[1:]]
    delays = [(each, gained) for each, gained in candidates if gained is not None and gained.mean > 0]
    if not delays:
        return f"No policy delays {format_factor(found.levels[-1])} on average."
    policy, gained = max(delays, key=lambda each: each[1].mean)
    least = "at least " if policy.levels[-1].not_reached else ""
    return (
        f"The policy {policy.name} delays {format_factor(found.levels[-1])} most, by {least}{gained.mean:,.0f} days on "
        f"average, and costs {-policy.software.mean:,.1f} doublings of software."
    )


def censored_sentence(found: GovernanceStudy) -> str:
    """Return the sentence on levels that are not reached; empty if all are."""
    missing = any(row.not_reached for each in found.policies for row in each.levels)
    without = [row for row in found.policies[0].levels if row.pairs < len(found.seeds)]
    parts = []
    if missing:
        parts.append(
            "≥: some runs end before the level. They count with their last day, so that the mean is a lower bound; "
            "raise run__horizon_days."
        )
    if without:
        parts.append(
            f"Without a regulator, {format_factor(without[0].level)} is reached in {without[0].pairs} of "
            f"{pluralize(len(found.seeds), 'seed')}; the means are over these."
        )
    return " ".join(parts)


def _gained(row: LevelEffect, is_base: bool) -> str:
    if is_base:
        return f"day {row.day:,.0f}" if math.isfinite(row.day) else "not reached"
    if row.gained is None:
        return NOTHING
    if not row.not_reached:
        return interval_text(row.gained, 0)
    return f"≥ {row.gained.mean:,.0f} ({row.not_reached} of {row.pairs} not reached)"


def _warned(row: LevelEffect) -> str:
    if row.warned is None:
        return NOTHING
    lead = "" if math.isnan(row.lead_days) else f"; {row.lead_days:,.0f} days"
    return f"{share_text(row.warned)}{lead}"


def interval_text(value: MeanInterval, digits: int) -> str:
    """Return a mean with its interval: 12 (10 to 14)."""
    mean, low, high = (f"{round(each, digits) + 0.0:,.{digits}f}" for each in value)
    return mean if math.isnan(value.low) or low == high else f"{mean} ({low} to {high})"


def share_text(share: Share) -> str:
    """Return a share with its interval: 40% (12% to 77%)."""
    return f"{share.share:.0%} ({share.low:.0%} to {share.high:.0%})"
