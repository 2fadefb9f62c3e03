"""Measure run-to-run variability: the tables and the picture of docs/explanation/simulation-vs-theory.md.

Run as ``python -m experiments.docs_build.variability_page PAGE PICTURE``; the page's text around the tables stays.
Only the times of papers are random in these Worlds (the report's toy model with Poisson papers). They are compared
with Gamma distributions. Each run gives the same numbers.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plotting.frame import picture_bytes
from experiments.plotting.style import BLUE, GREY, ORANGE, STYLE
from sim.growth import DAYS_PER_MONTH, difficulty_from_returns, returns_from_difficulty
from sim.long_run import long_run
from sim.pace import Pace, pace_of
from sim.runner import run
from sim.scenario.model import Scenario

TEAMS = {1: 200, 4: 200, 16: 100, 64: 30}
"""Researchers on day 0, and the number of Worlds: a larger team writes more papers and varies less."""
NEAR_ONE = (0.9, 0.95, 1.05, 1.1)
"""Returns at which randomness can decide the pace."""
EXPLOSION = float(returns_from_difficulty(1.5))
"""Returns of the report's explosion."""
DOUBLINGS = 6
FIRST_PAPERS = 2
"""Papers of the first doubling per researcher."""
DRAWS = 2000
"""Histories drawn from the theory for each row."""


class VariabilityCell(NamedTuple):
    """Shares of runs by their pace, and the days on which the runs ended, for one team at one r."""

    r: float
    team: int
    speeding_up: float
    slowing_down: float
    wrong_side: float
    """Share of runs whose estimated ratio of doubling times is on the wrong side of 1 for their r."""
    ends: list[float]

    @property
    def spread(self) -> float:
        """Standard deviation of the last days over their mean."""
        return float(np.std(self.ends, ddof=1) / np.mean(self.ends))


class VariabilityRow(NamedTuple):
    """One team at one r, by Worlds and by theory."""

    worlds: VariabilityCell
    theory: VariabilityCell


def scenario(r: float, team: int) -> Scenario:
    """Return the toy model with these returns, a team of this size, and papers in proportion to it."""
    return Scenario.load("toy-explosion").replace(
        growth__difficulty_growth=float(difficulty_from_returns(r)),
        researcher__initial=team,
        growth__papers_first_doubling=float(FIRST_PAPERS * team),
        run__max_doublings=DOUBLINGS,
        run__horizon_days=1e6,
        run__sample_days=1e6,
        run__max_individuals=1_000_000,
    )


def simulated_cell(r: float, team: int, runs: int) -> VariabilityCell:
    """Run Worlds with the seeds 0, 1, ... and return their paces and last days."""
    results = [run(scenario(r, team), seed) for seed in range(runs)]
    return _cell(r, team, [result.pace for result in results], [result.day for result in results])


def theoretical_cell(r: float, team: int, draws: int = DRAWS) -> VariabilityCell:
    """Return the same for histories in which the n papers of a doubling take Gamma(n)/team months (F1)."""
    papers, teams = papers_of(r, team), team * 2.0 ** np.arange(DOUBLINGS)
    chance = np.random.default_rng(team)
    days = chance.standard_gamma(papers, size=(draws, DOUBLINGS)) / teams * DAYS_PER_MONTH
    return _cell(r, team, [pace_of(row, papers.tolist()) for row in days.tolist()], days.sum(axis=1).tolist())


def papers_of(r: float, team: int) -> Any:
    """Return the whole number of papers of each doubling: the last one begins the next doubling."""
    growth = float(difficulty_from_returns(r))
    sums = [FIRST_PAPERS * team * (growth**n - 1) / (growth - 1) for n in range(DOUBLINGS + 1)]
    return np.diff([math.ceil(each - 1e-9) for each in sums]).astype(float)


def coefficient_of_variation(team: int, r: float = EXPLOSION, doublings: float = DOUBLINGS) -> float:
    """Return the standard deviation over the mean of the day on which a doubling is complete, in closed form.

    Doubling i takes ``P m^i`` papers by ``N 2^i`` researchers: mean ``P m^i/(N 2^i)`` months and variance that over
    ``N 2^i`` (F1), so the sums are geometric, of m/2 and of m/4. ``inf`` doublings are those of a whole explosion.
    """
    growth = float(difficulty_from_returns(r))

    def total(ratio: float) -> float:
        done = 0.0 if math.isinf(doublings) else ratio**doublings
        return (1 - done) / (1 - ratio)

    papers = FIRST_PAPERS * team
    return math.sqrt(papers * total(growth / 4)) / (papers * total(growth / 2))


def _cell(r: float, team: int, paces: Sequence[Pace], ends: list[float]) -> VariabilityCell:
    names = [pace.name for pace in paces]
    wrong = sum(pace.ratio is not None and (pace.ratio < 1) == (r < 1) for pace in paces)
    share = {name: names.count(name) / len(names) for name in ("speeding up", "slowing down")}
    return VariabilityCell(r, team, share["speeding up"], share["slowing down"], wrong / len(names), ends)


def rows(teams: dict[int, int], draws: int = DRAWS) -> Iterator[VariabilityRow]:
    """Yield a row for each r and team as soon as it is ready; ``teams`` maps a team to its number of Worlds."""
    for r in (*NEAR_ONE, EXPLOSION):
        for team, runs in teams.items():
            yield VariabilityRow(simulated_cell(r, team, runs), theoretical_cell(r, team, draws))


# --- the page --------------------------------------------------------------------------------------------


def pace_table(found: Sequence[VariabilityRow]) -> str:
    """Return the shares of runs by their pace as Markdown."""
    lines = [
        "| r | long run | researchers on day 0 | Worlds | speeding up | slowing down | wrong side "
        "| theory: speeding up | slowing down | wrong side |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for worlds, theory in found:
        leads = long_run(scenario(worlds.r, worlds.team)).kind
        lines.append(
            f"| {worlds.r:.3g} | {leads} | {worlds.team} | {len(worlds.ends)} | {_shares(worlds)} | {_shares(theory)} |"
        )
    return "\n".join(lines)


def _shares(cell: VariabilityCell) -> str:
    return " | ".join(f"{share:.1%}" for share in (cell.speeding_up, cell.slowing_down, cell.wrong_side))


def spread_table(found: Sequence[VariabilityRow]) -> str:
    """Return the spread of the day of the last doubling in the report's explosion as Markdown."""
    lines = [
        f"| researchers on day 0 | Worlds | mean day of doubling {DOUBLINGS} | spread | spread in closed form |",
        "|---|---|---|---|---|",
    ]
    for worlds, _ in found:
        if worlds.r == EXPLOSION:
            lines.append(
                f"| {worlds.team} | {len(worlds.ends)} | {np.mean(worlds.ends):.1f} | {worlds.spread:.1%} | "
                f"{coefficient_of_variation(worlds.team):.1%} |"
            )
    return "\n".join(lines)


def update_tables(page: str, found: Sequence[VariabilityRow]) -> str:
    """Return the page with its tables renewed. Raises ValueError if it lacks the markers of a table."""
    for name, table in (("paces", pace_table(found)), ("spread", spread_table(found))):
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not place.search(page):
            raise ValueError(f"the page lacks the markers of a table: add <!-- {name} --> and, below it, <!-- end -->")
        page = place.sub(rf"\g<1>{table}\n\g<2>", page)
    return page


# --- the picture -----------------------------------------------------------------------------------------


def variability_picture(found: Sequence[VariabilityRow]) -> bytes:
    """Return the picture as PNG; equal rows give equal bytes."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(9.0, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_paces(left, found)
        _draw_dates(right, found)
        return picture_bytes(figure)


def _draw_paces(axes: Axes, found: Sequence[VariabilityRow]) -> None:
    """Draw the share of runs whose pace agrees with their r, over the size of the team."""
    for r, colour, marker in zip(NEAR_ONE, (ORANGE, ORANGE, BLUE, BLUE), "s^^s", strict=True):
        mine = [row for row in found if row.worlds.r == r]
        name = "speeding up" if r > 1 else "slowing down"
        right = [(cell.speeding_up if r > 1 else cell.slowing_down) for row in mine for cell in row]
        teams = [row.worlds.team for row in mine]
        axes.plot(teams, right[1::2], color=colour, linewidth=1.4)
        axes.plot(teams, right[::2], marker, color=colour, markersize=7, label=f"r = {r:g}: {name}")
    _teams(axes)
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("share of runs with this pace")
    axes.set_title(f"Pace after {DOUBLINGS} doublings", fontsize=12, loc="left")
    axes.legend(title="points: Worlds, lines: theory", loc="upper left", fontsize=8.5, title_fontsize=9)


def _draw_dates(axes: Axes, found: Sequence[VariabilityRow]) -> None:
    """Draw the day of the last doubling over its mean, and two spreads of the closed form."""
    mine = [row.worlds for row in found if row.worlds.r == EXPLOSION]
    mean = DAYS_PER_MONTH * FIRST_PAPERS * (1 - 0.75**DOUBLINGS) / (1 - 0.75)
    for cell in mine:
        places = cell.team * 2 ** np.linspace(-0.35, 0.35, len(cell.ends))
        axes.plot(places, np.array(cell.ends) / mean, ".", color=BLUE, markersize=4, alpha=0.5)
    teams = np.geomspace(0.7, 90, 50)
    band = [2 * coefficient_of_variation(1) / math.sqrt(team) for team in teams]
    axes.fill_between(teams, [1 - b for b in band], [1 + b for b in band], color=GREY, alpha=0.6, zorder=0)
    _teams(axes)
    axes.set_ylabel(f"day of doubling {DOUBLINGS} over its mean")
    axes.set_title("r = 1.71, singular (grey: two spreads)", fontsize=12, loc="left")


def _teams(axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(TEAMS), [str(team) for team in TEAMS])
    axes.set_xlabel("researchers on day 0")


def main(page: Path, image: Path, teams: dict[int, int], draws: int = DRAWS) -> None:
    """Renew the tables of a page, and the picture."""
    text = page.read_text(encoding="utf-8")
    update_tables(text, [])  # before minutes of work
    found = []
    for row in rows(teams, draws):
        found.append(row)
        print(f"r = {row.worlds.r:.3g}, {row.worlds.team} researchers", file=sys.stderr, flush=True)
    page.write_text(update_tables(text, found), encoding="utf-8")
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(variability_picture(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), TEAMS)
