"""Measure how many worlds a second the growth law runs, against the same recursion in plain Python and in NumPy.

The law and the priors are those of the successor study (Davidson and Houlden, *How quick and big would a software
intelligence explosion be?*, 2025). Each world has doubling times until the returns are used up or 48 months
have passed. It also has the shortest times with three and with ten years of progress. All three sides give the same
numbers, to rounding.

Wall time, because threads are part of it; sides take turns, with the same inputs. The limit of a million runs a second
applies to the best turn, which other programs disturbed least. Exits with 1 if a limit is missed or the sides differ.
"""

import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from benchmarks.ratio_table import Row, at_least, show, take_turns, wall_seconds
from experiments.monte_carlo.runner import simulate
from experiments.monte_carlo.spec import Inputs

TURNS = 5
HORIZON = 48.0
"""Months."""
WINDOWS = (24, 80)
"""Three and ten years of progress, at 8 doublings a year."""
WORLDS, NUMPY_WORLDS, PYTHON_WORLDS = 1_000_000, 100_000, 5_000
WANTED = 1_000_000
"""Worlds a second."""

Array = NDArray[np.float64]
Law = Callable[[Inputs], Array]
"""The shortest stretches of each world, in months, one row a window; inf where there is none."""


def drawn(worlds: int) -> Inputs:
    """Return inputs from the study's priors."""
    rng = np.random.default_rng(8)

    def log_uniform(low: float, high: float) -> Array:
        return np.exp(rng.uniform(math.log(low), math.log(high), worlds))

    first, r = 3 / log_uniform(2, 32), log_uniform(0.4, 3.6)
    return Inputs(first, r, log_uniform(0.15, 0.6), 8 * rng.uniform(6, 16, worlds))


def ours(inputs: Inputs) -> Array:
    """Run the worlds as `asara mc` does."""
    shortest = simulate(inputs, WINDOWS, HORIZON).shortest_months
    return np.array([shortest[window] for window in WINDOWS])


def in_numpy(inputs: Inputs) -> Array:
    """Run the worlds as one would write it first with arrays: all of them, a doubling at a time."""
    duration, r, p, limit = inputs
    fall = r / limit
    times = [np.zeros_like(r)]
    with np.errstate(all="ignore"):
        while len(times) <= limit.max():
            time = times[-1] + duration
            time[time > HORIZON] = np.inf
            times.append(time)
            r = r - fall
            duration = np.where(r > 1e-9, duration * 2 ** (p * (1 / r - 1)), np.inf)
        dates = np.array(times)
        stretches = [dates[window:] - dates[:-window] for window in WINDOWS]
    return np.array([np.nanmin(np.where(np.isnan(each), np.inf, each), axis=0) for each in stretches])


def in_python(inputs: Inputs) -> Array:
    """Run the worlds one by one, in a loop."""
    return np.array([one_world(*world) for world in zip(*(each.tolist() for each in inputs), strict=True)]).T


def one_world(duration: float, r: float, p: float, limit: float) -> Sequence[float]:
    """Run one world."""
    fall = r / limit
    time, times = 0.0, [0.0]
    while (time := time + duration) <= HORIZON:
        times.append(time)
        r -= fall
        if r <= 1e-9:
            break
        exponent = p * (1 / r - 1)
        if exponent > 1000:
            break
        duration *= 2**exponent
    return [
        min((end - start for start, end in zip(times, times[window:], strict=False)), default=math.inf)
        for window in WINDOWS
    ]


def differ(law: Law, other: Law, worlds: int) -> str:
    """Return how the answers of two laws differ beyond rounding; empty if they do not."""
    inputs = drawn(worlds)
    far = ~np.isclose(law(inputs), other(inputs), rtol=1e-9, atol=1e-9)
    return f"{int(far.sum())} of {far.size} stretches differ" if far.any() else ""


def compare(name: str, law: Law, worlds: int, best: list[float], limit: float) -> Row:
    """Measure ours against another; note the seconds of our best turn."""
    mine, others = drawn(WORLDS), drawn(worlds)

    def our_turn() -> float:
        best.append(wall_seconds(lambda: ours(mine)) / WORLDS)
        return best[-1]

    pair = take_turns(our_turn, lambda: wall_seconds(lambda: law(others)) / worlds, TURNS)
    rates = f"{1 / pair.ours:,.0f}/s", f"{1 / pair.other:,.0f}/s"
    what = f"{os.cpu_count()} cores: faster than {name}"
    return Row(what, *rates, pair.faster, at_least(limit), wrong=differ(ours, law, worlds))


def rows() -> Iterator[Row]:
    """Measure."""
    best: list[float] = []
    cases = (
        ("plain Python", in_python, PYTHON_WORLDS, 10.0),
        ("NumPy, all at once", in_numpy, NUMPY_WORLDS, 3.0),
    )
    for name, law, worlds, limit in track(cases, "measuring", transient=True):
        yield compare(name, law, worlds, best, limit)
    rate = 1 / min(best)
    yield Row(f"{os.cpu_count()} cores: of a million a second", f"{rate:,.0f}/s", "", rate / WANTED, at_least(1))


def main() -> int:
    """Print the table; return 1 if a limit is missed."""
    return int(show("the deterministic law, worlds a second", rows()) > 0)


if __name__ == "__main__":
    sys.exit(main())
