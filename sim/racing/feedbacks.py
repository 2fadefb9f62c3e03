"""Compute whether sectors that improve each other explode, and when.

AIs that are better automate research on software, hardware and technology, which makes better AIs. A loop gain above 1
is explosive, below 1 it is not. Loop gains of different models are different numbers: none of them is the r of
`sim.growth`. A loop gain above 1 says nothing on the date, which the slowest link decides (`explosion_date`).
"""

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from sim.racing.arguments import check_count, check_number

Floats = NDArray[np.float64]

MAX_SECTORS: Final = 100
MAX_RUNS: Final = 1_000_000
MAX_PAPERS: Final = 1_000_000
_TAIL: Final = 1e-11
"""Estimated share of the date that is left when the integration ends."""


class SectorReturns(NamedTuple):
    """Returns to research by sector, and the share of labour in production."""

    software: float = 1.0
    """r_S, doublings of software per doubling of research on it."""
    hardware: float = 5.0
    """r_H. Estimates from Moore's law include spending that grew."""
    technology: float = 1 / 3.1
    """r_A, for general technology; the source prints 0.32."""
    labour_share: float = 0.6
    """1 - alpha: technology works through capital as well, so that r_A counts 1/(1 - alpha) times."""

    def weights(self) -> dict[str, float]:
        """Return the weight of each automated share in the loop gain."""
        return {
            "production": 1.0,
            "software": self.software,
            "hardware": self.hardware,
            "technology": self.technology / self.labour_share,
        }


PUBLISHED_RETURNS: Final = SectorReturns()
"""Returns of Davidson, Halperin, Houlden and Korinek, NBER w35155, Table 3."""


def loop_gain(
    production: float,
    software: float,
    hardware: float,
    technology: float,
    returns: SectorReturns = PUBLISHED_RETURNS,
) -> float:
    """Return the loop gain of four automated shares, ``f_Y + r_S f_S + r_H f_H + r_A/(1 - alpha) f_A``.

    Growth is explosive if it is above 1. With the published returns that is ``f_Y + f_S + 5 f_H + .53 f_A > 1``. Each
    share (0 to 1) is the part of the work of its sector that AIs do. The sectors are the production of goods, and
    research on software, on hardware and on general technology. A share is not a level of capability. Source: Davidson
    et al., NBER w35155, eq. 60.
    """
    _check_returns(returns)
    shares = {"production": production, "software": software, "hardware": hardware, "technology": technology}
    for name, share in shares.items():
        check_number(name, share, 0, 1, "Use the automated share of the work.")
    weights = returns.weights()
    return sum(weights[name] * share for name, share in shares.items())


def equal_share_at_threshold(sectors: Sequence[str], returns: SectorReturns = PUBLISHED_RETURNS) -> float:
    """Return the automated share at which the loop gain is 1, if it is the same in some sectors and 0 in the others.

    ``sectors`` are different names out of production, software, hardware and technology. A result above 1 cannot be
    reached.
    """
    _check_returns(returns)
    weights = returns.weights()
    if not sectors or len(set(sectors)) < len(sectors) or not set(sectors) <= set(weights):
        raise ValueError(
            f"sectors = {', '.join(sectors) or '(none)'} is not a choice of sectors; allowed: {', '.join(weights)}. "
            "Name each sector at most once"
        )
    return 1 / sum(weights[name] for name in sectors)


def loop_matrix(automated: Sequence[float], returns: Sequence[float]) -> Floats:
    """Return the matrix of growth passed on between sectors whose product is the input of AIs: ``L_ij = r_i f_i``.

    A rate of growth g_j of sector j becomes ``r_i f_i g_j`` in sector i. ``automated`` are shares f from 0 to 1,
    ``returns`` are r, 0.01 to 100. Growth is explosive if the Perron root (`perron_root`) is above 1.
    """
    shares, exponents = _checked_sectors(automated, returns)
    return np.tile((shares * exponents)[:, None], (1, len(shares)))


def exponent_matrix(automated: Sequence[float], returns: Sequence[float]) -> Floats:
    """Return the exponents M of ``d ln A_i/dt = c_i prod_j A_j^(M_ij)``: ``M_ij = f_i - delta_ij/r_i``.

    Research of sector i is the product of all levels to the power f_i; ``A_i^(-1/r_i)`` is the growing difficulty.
    Arguments are those of `loop_matrix`, whose Perron root is above 1 exactly if M has a positive eigenvalue.
    """
    shares, exponents = _checked_sectors(automated, returns)
    return np.asarray(np.tile(shares[:, None], (1, len(shares))) - np.diag(1 / exponents))


def perron_root(matrix: ArrayLike) -> float:
    """Return the largest eigenvalue of a square matrix with elements of 0 or more."""
    square = _checked_matrix(matrix)
    check_number("matrix", square, 0, 1e100, "Use the loop matrix, not the matrix of exponents.")
    return float(np.abs(np.linalg.eigvals(square)).max())


def explosion_exponents(matrix: ArrayLike) -> Floats:
    """Return the exponents gamma with which levels explode, ``A_i ~ (t* - t)^(-gamma_i)``: ``M gamma = 1``.

    A sector whose exponent would be negative has a finite level at t*. Its exponent is 0, and the equations hold for
    the other sectors alone. ``matrix`` is that of `exponent_matrix`: elements off the diagonal are 0 or more. Each
    sector depends on each other one, if only through others; call the function once for each independent group. Raises
    ValueError if nothing explodes (no positive eigenvalue), or if the equations have no unique solution.
    """
    square = _checked_exponents(matrix)
    exponents = np.zeros(len(square))
    explosive = np.ones(len(square), dtype=bool)
    while explosive.any():
        try:
            solved = np.linalg.solve(square[np.ix_(explosive, explosive)], np.ones(explosive.sum()))
        except np.linalg.LinAlgError:
            break
        exponents[:] = 0.0
        exponents[explosive] = solved
        if np.all(solved > 0):
            return exponents
        explosive = exponents > 0
    raise ValueError(
        f"matrix = {square.tolist()} has no unique exponents; allowed: a matrix without proportional rows. Change a "
        "return a little"
    )


def explosion_date(matrix: ArrayLike, rates: Sequence[float]) -> float:
    """Return the date t* at which all levels become infinite, from A = 1, in the unit of time of ``rates``.

    ``rates`` are the growth rates c_i on day 0, above 0. ``matrix`` is that of `explosion_exponents`, with the same
    errors. The equations are integrated in a time in which total growth is constant. Near the end total growth is
    ``sum gamma/(t* - t)``, which gives the rest. The relative error is about 1e-9.
    """
    square = _checked_exponents(matrix)
    log_rates = np.log(_checked_rates(rates, len(square)))
    return float(_explosion_dates(square, log_rates[:, None])[0])


def simulate_sector_dates(
    generator: np.random.Generator,
    automated: Sequence[float],
    returns: Sequence[float],
    effort: float,
    rates: Sequence[float],
    papers: int,
    runs: int,
) -> Floats:
    """Draw explosion dates of sectors in which each paper adds 1 to the effort of its sector, one element a run.

    A level is ``A_i = (E_i/effort)^(r_i)``, and the papers of sector i come at the rate ``effort c_i/r_i prod_j
    A_j^(f_i)``. Without randomness (``effort`` large) the date is that of `explosion_date` with `exponent_matrix`.
    ``papers`` are drawn one by one; the rest of the date is that of `explosion_date` from there. ``effort`` is 1 to
    a million and the same in all sectors, ``papers`` 1 to a million. Ranges of shares, returns and rates as there.
    """
    shares, exponents = _checked_sectors(automated, returns)
    square = _checked_exponents(exponent_matrix(automated, returns))
    speeds = _checked_rates(rates, len(shares))
    check_number("effort", effort, 1, 1e6, "Use the number of papers on day 0.")
    check_count("papers", papers, 1, MAX_PAPERS, "Draw fewer papers one by one.")
    check_count("runs", runs, 1, MAX_RUNS, "Draw at least one run.")
    efforts = np.full((runs, len(shares)), float(effort))
    dates = np.zeros(runs)
    rows = np.arange(runs)
    for _ in range(papers):
        log_levels = (exponents * np.log(efforts / effort)).sum(axis=1)
        paces = effort * speeds / exponents * np.exp(np.outer(log_levels, shares))
        cumulative = np.cumsum(paces, axis=1)
        dates += generator.standard_exponential(runs) / cumulative[:, -1]
        drawn = generator.random(runs) * cumulative[:, -1]
        efforts[rows, (drawn[:, None] >= cumulative[:, :-1]).sum(axis=1)] += 1
    log_levels = exponents * np.log(efforts / effort)
    return dates + _explosion_dates(square, (np.log(speeds) + log_levels @ square.T).T)


def capability_loop_gain(gain_per_point: float, points_per_efold: float = 6.5) -> float:
    """Return the loop gain of a capability index that raises the productivity of its own research.

    A point of the index raises the productivity of research by ``gain_per_point`` (0.09 is 9%; 0 to 100). Productivity
    times e raises the index by ``points_per_efold`` points (above 0). The gain is ``points ln(1 + gain)``; above 1 the
    loop explodes. Source: Cunningham et al., arXiv 2609.15802, for the Epoch Capabilities Index: 6.5 points.
    """
    check_number("gain_per_point", gain_per_point, 0, 100, "Write 9% as 0.09.")
    check_number("points_per_efold", points_per_efold, 0, 1e6, "Use a positive number of points.", above=True)
    return points_per_efold * math.log1p(gain_per_point)


def gain_per_point_at_threshold(points_per_efold: float = 6.5) -> float:
    """Return the gain of research productivity per point at which `capability_loop_gain` is 1: ``e^(1/points) - 1``.

    ``points_per_efold`` is 0.01 to a million.
    """
    check_number("points_per_efold", points_per_efold, 0.01, 1e6, "Use a positive number of points.")
    return math.expm1(1 / points_per_efold)


def efforts_by_generation(generations: int, effort: int = 1, r: int = 2) -> list[int]:
    """Return effort on day 0 and after each generation, if software changes only between generations: ``E + E^r``.

    All generations take the same time, in which a lab at software E^r adds E^r papers. Whatever r, effort is finite
    after any number of generations: there is no explosion in finite time. The result is exact. ``generations`` is 0 to
    15, ``effort`` 1 to 1000, ``r`` a whole number from 1 to 3.
    """
    check_count("generations", generations, 0, 15, "The number of digits doubles with each generation.")
    check_count("r", r, 1, 3, "Use whole returns.")
    efforts = [check_count("effort", effort, 1, 1000, "Use the number of papers on day 0.")]
    for _ in range(generations):
        efforts.append(efforts[-1] + efforts[-1] ** r)
    return efforts


def shortest_doubling(generation_days: float, largest_gain: float) -> float:
    """Return the shortest possible doubling time [days] if a generation multiplies software by at most a gain.

    It is ``generation_days/log2(gain)``: growth is then exponential at most. ``generation_days`` is above 0;
    ``largest_gain`` is above 1.
    """
    check_number("generation_days", generation_days, 0, 1e9, "Use a positive time.", above=True)
    check_number("largest_gain", largest_gain, 1, 1e300, "Use the factor of a generation.", above=True)
    return generation_days / math.log2(largest_gain)


def _explosion_dates(square: Floats, log_rates: Floats) -> Floats:
    """Return the date of each column of log growth rates (sectors by cases), all from A = 1."""
    sectors, cases = log_rates.shape
    log_total = math.log(float(explosion_exponents(square).sum()))
    scale = np.logaddexp.reduce(log_rates, axis=0)  # the unit of time of a case is 1/(sum of its rates)
    log_rates = log_rates - scale

    def slope(_: float, flat: Floats) -> Floats:
        pace = log_rates + square @ flat.reshape(sectors + 1, cases)[:-1]
        total = np.logaddexp.reduce(pace, axis=0)
        return np.concatenate((np.exp(pace - total), np.exp(-total)[None])).ravel()

    def rest(flat: Floats) -> Floats:
        state = flat.reshape(sectors + 1, cases)
        return np.asarray(np.exp(log_total - np.logaddexp.reduce(log_rates + square @ state[:-1], axis=0)))

    def unfinished(_: float, flat: Floats) -> float:
        return float((rest(flat) - _TAIL * (1e-3 + flat[-cases:])).max())

    unfinished.terminal = True  # type: ignore[attr-defined]
    start = np.zeros((sectors + 1) * cases)
    found: Any = solve_ivp(slope, (0.0, 1e7), start, "DOP853", events=unfinished, rtol=1e-11, atol=1e-14)
    if found.status != 1:
        raise ArithmeticError(
            f"the date for matrix = {square.tolist()} was not reached; allowed: a loop gain well above 1. Raise a share"
        )
    last = found.y[:, -1]
    return np.asarray((last[-cases:] + rest(last)) * np.exp(-scale))


def _checked_sectors(automated: Sequence[float], returns: Sequence[float]) -> tuple[Floats, Floats]:
    check_count("len(automated)", len(automated), 1, MAX_SECTORS, "Name at least one sector.")
    if len(automated) != len(returns):
        raise ValueError(
            f"returns has {len(returns)} elements; allowed: {len(automated)}, as in automated. Give one per sector"
        )
    check_number("automated", automated, 0, 1, "Use the automated shares of research.")
    check_number("returns", returns, 0.01, 100, "Use returns to research.")
    return np.asarray(automated, dtype=float), np.asarray(returns, dtype=float)


def _checked_matrix(matrix: ArrayLike) -> Floats:
    square = np.asarray(matrix, dtype=float)
    if square.ndim != 2 or square.shape[0] != square.shape[1] or not 1 <= len(square) <= MAX_SECTORS:
        raise ValueError(
            f"matrix of shape {square.shape} is not square; allowed: 1 to {MAX_SECTORS} rows and as many columns. Give "
            "a row and a column per sector"
        )
    check_number("matrix", square, -1e100, 1e100, "Use finite elements.")
    return square


def _checked_exponents(matrix: ArrayLike) -> Floats:
    square = _checked_matrix(matrix)
    others = square[~np.eye(len(square), dtype=bool)]
    if others.size:
        check_number("matrix off the diagonal", others, 0, 1e100, "Sectors do not slow each other.")
    largest = float(np.linalg.eigvals(square).real.max())
    if largest <= 0:
        raise ValueError(
            f"matrix = {square.tolist()} has the largest eigenvalue {largest:g}, so that nothing explodes; allowed: "
            "above 0. Raise a share or a return"
        )
    return square


def _checked_rates(rates: Sequence[float], sectors: int) -> Floats:
    if len(rates) != sectors:
        raise ValueError(f"rates has {len(rates)} elements; allowed: {sectors}. Give one per sector")
    check_number("rates", rates, 0, 1e100, "Use positive rates.", above=True)
    return np.asarray(rates, dtype=float)


def _check_returns(returns: SectorReturns) -> None:
    for name in ("software", "hardware", "technology"):
        check_number(f"returns.{name}", getattr(returns, name), 0, 100, "Use returns to research.")
    check_number("returns.labour_share", returns.labour_share, 0, 1, "Use a share of income.", above=True)
