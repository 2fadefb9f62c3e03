"""Format the results of `asara bottleneck`: tables, a sentence for each s, and a conclusion."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from rich import box
from rich.table import Table

from experiments.bottleneck.steady_state import NEAR_BALANCE_LOADS
from experiments.bottleneck.study import BottleneckStudy, OutputEstimate, OutputPoint, ScalingCase
from experiments.cli.terminal import print_table, print_text
from experiments.text.number_format import format_number
from sim import ces

WIDE_TERMINAL_COLUMNS: Final = 140
EQUAL_SHARES: Final = 0.5
"""Compute's share in the CES for which ceilings are shown: labour and compute have equal weight."""


class PublishedElasticity(NamedTuple):
    """An elasticity of substitution from the literature, or one for comparison."""

    what: str
    sigma: float
    source: str

    @property
    def rho(self) -> float:
        """Parameter of the CES; -inf if sigma is 0 or below, for which no CES exists."""
        return ces.rho_from_sigma(self.sigma)


PUBLISHED: Final = (
    PublishedElasticity("published: raw compute", 2.58, "Whitfill and Wu, arXiv 2507.23181"),
    PublishedElasticity("published: near the frontier", -0.10, "Whitfill and Wu, arXiv 2507.23181"),
    PublishedElasticity("a CES with rho = -0.1", ces.sigma_from_rho(-0.1), "for comparison"),
    PublishedElasticity("a CES with rho = -0.5", ces.sigma_from_rho(-0.5), "for comparison"),
    PublishedElasticity("a CES with rho = -1", ces.sigma_from_rho(-1.0), "for comparison"),
)


def show(study: BottleneckStudy) -> None:
    """Print a study."""
    seeds = f"{len(study.seeds)} seed{'s' if len(study.seeds) > 1 else ''}"
    print_text(
        f"{study.scenario} as a quasi-static lab at points of its growth path: {study.runs} runs over {seeds}, "
        f"{study.counted}. Elasticities are measured between 1/{study.step:.3g} and {study.step:.3g} times an input."
    )
    print_text()
    _print_wide(_points_table(study))
    print_text(
        "D: doublings of software. L: researchers. K: GPUs for experiments. Y: output, in effective papers a day. "
        "Ceiling: maximum factor on Y that additional researchers can bring; at it no GPU is idle."
    )
    if study.penalty < 1:
        print_text(
            f"Parallelization penalty p = {study.penalty:g}: with n researchers who think, run experiments or write, "
            "a paper counts n^(p - 1). So Y is proportional to papers^p, and the two elasticities add up to p. "
            f"{study.reading}"
        )
    _print_wide(_fits_table(study))
    print_text(
        "Ceiling in this table: for equal weights of labour and compute in the CES. A sigma below 0 is in effect 0."
    )
    print_text()
    for case in study.cases:
        print_text(sentence(case, study.penalty))
    print_text()
    print_text(conclusion(study))
    if study.pairing is not None and study.taken_out is not None:
        print_text(
            f"Common random numbers make the variance of a difference {study.pairing:.3g} times smaller. Correcting "
            f"for the random costs of experiments makes it {study.taken_out:.3g} times smaller."
        )


def sentence(case: ScalingCase, penalty: float = 1.0) -> str:
    """Return the results for one s as sentences."""
    last = case.points[-1]
    return (
        f"s = {case.scaling:g}: at {last.doublings:g} doublings of software, {last.researchers:,} researchers on "
        f"{last.gpus:,} GPUs keep {last.utilisation:.0%} of them busy. 1% more researchers bring "
        f"{_format_percent(last.labour)} more output, and 1% more GPUs {_format_percent(last.compute)}. "
        f"{_ceiling_sentence(last)} {_balance_sentence(case, penalty)}"
    )


def _format_percent(value: OutputEstimate) -> str:
    return f"{round(value.value, 2) + 0.0:.2f}%"


def _ceiling_sentence(point: OutputPoint) -> str:
    if point.ceiling < 1.01:
        return "More researchers alone cannot raise output, because no GPU is idle."
    return f"More researchers alone can multiply output by at most {point.ceiling:.2f}, because then no GPU is idle."


def _balance_sentence(case: ScalingCase, penalty: float) -> str:
    if case.corner_at is None:
        return "The load stays constant, because experiments get cheaper as fast as the researchers multiply."
    load = f"The load reaches 1 at {case.corner_at:.2f} doublings{_describe_near_balance(case)}. From there on,"
    if case.scaling == 1:
        return f"{load} more researchers do not raise output."
    exponent = f"{penalty * (1 - case.scaling):g}"
    return f"{load} output grows about as researchers^{exponent}, only because experiments get cheaper."


def _describe_near_balance(case: ScalingCase) -> str:
    near = [
        each
        for each in case.points
        if each.doublings == case.corner.doublings and NEAR_BALANCE_LOADS[0] < each.load < NEAR_BALANCE_LOADS[1]
    ]
    return "".join(
        f" (at {each.doublings:g}, 1% more researchers bring {_format_percent(each.labour)}, and 1% more GPUs "
        f"{_format_percent(each.compute)})"
        for each in near
        if each is not case.points[-1]
    )


def conclusion(study: BottleneckStudy) -> str:
    """Return how well labour and compute substitute for each other around the balance point."""
    sigmas = ", ".join(f"{case.corner.sigma.value:.2f} (s = {case.scaling:g})" for case in study.cases)
    rhos = [case.corner.rho.value for case in study.cases]
    if max(rhos) > -1:
        return f"Labour and compute substitute to some degree: sigma = {sigmas}."
    lost = [1 - 2 ** (1 / rho) for rho in rhos]
    return (
        f"Labour and compute hardly substitute: sigma = {sigmas}. At the balance point of researchers and GPUs, "
        f"queues cost {min(lost):.1%} to {max(lost):.1%} of output, and almost nothing away from it. "
        "Each rho is fitted around the balance point and is not valid far from it."
    )


def _points_table(study: BottleneckStudy) -> Table:
    effective = ["Y"] if study.penalty < 1 else []
    slopes = "dlnY/dlnL", "dlnY/dlnK", "sum"
    table = _new_table("s", "D", "L", "K", "load", "busy", "papers/day", *effective, *slopes, "ceiling")
    for case in study.cases:
        for point in case.points:
            table.add_row(
                f"{case.scaling:g}",
                f"{point.doublings:g}",
                f"{point.researchers:,}",
                f"{point.gpus:,}",
                f"{point.load:.2f}",
                f"{point.utilisation:.0%}",
                format_number(point.papers_per_day),
                *([format_number(point.effective_per_day)] if effective else []),
                format_interval(point.labour),
                format_interval(point.compute),
                format_interval(point.total),
                f"≤ {point.ceiling:.2f}×",
                end_section=point is case.points[-1],
            )
    return table


def _fits_table(study: BottleneckStudy) -> Table:
    table = _new_table("labour against compute", "sigma", "rho", "ceiling", "source")
    for place in (0, -1):
        table.columns[place].justify = "left"
    for case in study.cases:
        corner = case.corner
        gpus = f"{corner.researchers:,} researchers, {min(corner.gpus)}-{max(corner.gpus)} GPUs"
        numbers = format_interval(corner.sigma), format_interval(corner.rho, 1), _format_ceiling(corner.rho.value)
        table.add_row(f"this World, s = {case.scaling:g}", *numbers, gpus)
    for other in PUBLISHED:
        table.add_row(
            other.what, f"{other.sigma:.2f}", _format_rho(other.rho, 2), _format_ceiling(other.rho), other.source
        )
    return table


def format_interval(value: OutputEstimate, digits: int = 2) -> str:
    """Return an estimate with its interval as text: 0.42 [0.38, 0.46]."""
    if value.low is None or value.high is None:
        return _format_rho(value.value, digits)
    return f"{_format_rho(value.value, digits)} [{_format_rho(value.low, digits)}, {_format_rho(value.high, digits)}]"


def _format_rho(value: float, digits: int) -> str:
    return "-inf" if value == -math.inf else f"{round(value, digits) + 0.0:.{digits}f}"


def _format_ceiling(rho: float) -> str:
    ceiling = ces.max_output_gain(EQUAL_SHARES, rho)
    return "unbounded" if ceiling == math.inf else f"≤ {ceiling:,.2f}×" if ceiling < 100 else f"≤ {ceiling:,.0f}×"


def _new_table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in columns:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _print_wide(table: Table) -> None:
    print_table(table, at_least=WIDE_TERMINAL_COLUMNS)  # so that no row is broken into two lines
