"""Many worlds under the deterministic law: draw them, run them, say what happened. Pure.

Worlds are run in chunks of a fixed size, which fit into a processor's cache, on threads, as NumPy lets others run while
it computes. A chunk's luck is named by its number, so no result depends on how many threads there were.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.monte_carlo.spec import MAX_DOUBLINGS, SPEED_SHARE, Inputs, MonteCarloSpec, Retraining
from experiments.statistics.intervals import wilson
from experiments.uncertainty.distributions import Array
from sim import growth

CHUNK: Final = 16_384
"""Worlds that are drawn and run together. Another number would be other luck."""

Tell = Callable[[int], None]
"""Shown how many worlds are over."""


class SampledWorlds(NamedTuple):
    """What happened in each of n worlds."""

    shortest_months: dict[int, Array]
    """For each window of k doublings: the shortest stretch of the world in which software doubled k times; ``inf``
    where it did not within the horizon."""
    explodes: NDArray[np.bool_]
    """Whether doublings get faster at the start: r > 1, or r (1 - phi) > 1 where training runs take a share phi."""
    explosion_months: Array
    """When the fastest doubling is done, which is when r, or r (1 - phi), has fallen to 1; without a limit, when
    infinitely many are.
    ``inf`` where that is beyond the horizon, or where nothing explodes."""
    explosion_doublings: Array
    """Doublings of software by then; ``inf`` without a limit."""
    cut: NDArray[np.bool_]
    """Whether `most_doublings` ended the world while its doublings still got faster, and before it exploded."""


class Probability(NamedTuple):
    """How many of n worlds did something, and Wilson's 95% interval of the probability."""

    worlds: int
    probability: float
    low: float
    high: float


class _Law(NamedTuple):
    """What is the same in all worlds."""

    windows: tuple[int, ...]
    horizon_months: float
    damped: bool
    speed_share: float
    """phi; 0 unless training runs take their share."""
    most_doublings: int


def simulate(
    inputs: Inputs,
    windows: Sequence[int],
    horizon_months: float,
    *,
    retraining: Retraining = "none",
    speed_share: float = SPEED_SHARE,
    most_doublings: int = MAX_DOUBLINGS,
    workers: int | None = None,
) -> SampledWorlds:
    """Run a world for each entry of the inputs, and return what happened.

    ``windows``: doublings whose shortest stretch is wanted. ``speed_share``: phi from 0 to 1, which ``retraining =
    "share"`` alone reads. ``workers``: threads, as many as there are processors if
    left out. All inputs are above 0; a limit may be ``inf``. Raises ValueError for inputs of different lengths.
    """
    if len({len(each) for each in inputs}) > 1:
        raise ValueError("the inputs differ in length, and each needs one entry a world")
    law, count = _law(tuple(windows), horizon_months, retraining, speed_share, most_doublings), len(inputs.r)
    found = _empty(law, count)

    def run(part: slice, rows: Array) -> None:
        _run(law, Inputs(*(each[part] for each in inputs)), _part(found, part), rows)

    _in_chunks(count, most_doublings, run, workers, None)
    return found


def run_study(
    study: MonteCarloSpec, n: int, seed: int = 0, workers: int | None = None, tell: Tell | None = None
) -> tuple[dict[str, Array], SampledWorlds]:
    """Draw n worlds from the priors of a study, run them, and return the inputs and what happened.

    The same study and seed give the same worlds, whatever ``workers``; fewer worlds are the first of more.
    """
    law = _law(study.windows, study.horizon_months, study.retraining, study.speed_share, study.most_doublings)
    found = _empty(law, n)
    drawn = {name: np.empty(n) for name in study.inputs}

    def run(part: slice, rows: Array) -> None:
        values = study.draw(seed, part.start // CHUNK, part.stop - part.start)
        for name, column in drawn.items():
            column[part] = values[name]
        _run(law, study.inputs_of(values), _part(found, part), rows)

    _in_chunks(n, study.most_doublings, run, workers, tell)
    return drawn, found


def explodes(r: Array, retraining: Retraining, speed_share: float = SPEED_SHARE) -> NDArray[np.bool_]:
    """Return whether doublings get faster at the start under a rule of retraining.

    ``r > 1`` without retraining. The damping x/(1 + |x|) keeps the sign of x, and so this condition. Where training
    runs take a share phi of each doubling, ``r (1 - phi) > 1``.
    """
    return np.asarray(r * (1 - _share_taken(retraining, speed_share)) > 1)


def share(happened: NDArray[np.bool_]) -> Probability:
    """Return how often something happened, with Wilson's 95% interval."""
    n, hits = len(happened), int(np.count_nonzero(happened))
    return Probability(hits, hits / n, *wilson(hits / n, n))


def quantiles(values: Array, levels: Sequence[float]) -> list[float]:
    """Return the smallest value that at least such a share of the values does not exceed; nan of none.

    It is one of the values, so that ``inf`` stands beside none that it could be mixed with.
    """
    if len(values) == 0:
        return [math.nan] * len(levels)
    return [float(value) for value in np.quantile(values, levels, method="inverted_cdf")]


def _law(
    windows: tuple[int, ...], horizon_months: float, retraining: Retraining, speed_share: float, most_doublings: int
) -> _Law:
    taken = _share_taken(retraining, speed_share)
    return _Law(windows, horizon_months, retraining == "damped", taken, most_doublings)


def _share_taken(retraining: Retraining, speed_share: float) -> float:
    return speed_share if retraining == "share" else 0.0


def _empty(law: _Law, n: int) -> SampledWorlds:
    return SampledWorlds(
        {window: np.full(n, np.inf) for window in law.windows},
        np.empty(n, bool),
        np.empty(n),
        np.empty(n),
        np.empty(n, bool),
    )


def _part(worlds: SampledWorlds, part: slice) -> SampledWorlds:
    """The same arrays, seen through a slice."""
    shortest = {window: months[part] for window, months in worlds.shortest_months.items()}
    return SampledWorlds(shortest, *(each[part] for each in worlds[1:]))  # type: ignore[arg-type]  # the rest are arrays


def _in_chunks(
    n: int, most_doublings: int, run: Callable[[slice, Array], None], workers: int | None, tell: Tell | None
) -> None:
    """Call run for each chunk, on threads with one buffer of rows each; stop after a chunk if this is broken off."""
    parts = iter([slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)])
    threads = max(1, min(workers or os.cpu_count() or 1, math.ceil(n / CHUNK)))
    halted, done, lock = threading.Event(), 0, threading.Lock()

    def work() -> None:
        nonlocal done
        rows = np.empty((most_doublings, min(CHUNK, n)))
        for part in _until(halted, parts, lock):
            run(part, rows)
            with lock:
                done += part.stop - part.start

    with ThreadPoolExecutor(threads) as pool:
        working = [pool.submit(work) for _ in range(threads)]
        try:
            while wait(working, timeout=_TELL_EVERY_SECONDS).not_done:
                if tell is not None:
                    tell(done)
            for each in working:
                each.result()
        finally:
            halted.set()
    if tell is not None:
        tell(done)


_TELL_EVERY_SECONDS: Final = 0.05


def _until(halted: threading.Event, parts: Iterator[slice], lock: threading.Lock) -> Iterator[slice]:
    while not halted.is_set():
        with lock:
            part = next(parts, None)
        if part is None:
            return
        yield part


def _run(law: _Law, inputs: Inputs, found: SampledWorlds, rows: Array) -> None:
    """Run worlds and write what happened into ``found``; ``rows`` is where the times are kept meanwhile.

    Those that may live longest go first, so that the others can be left out when they are over. None lives longer than
    to its limit, nor longer than it would if its returns never fell.
    """
    exponent = growth.ratio_exponent(inputs.r, inputs.p, law.damped, law.speed_share)
    life = np.minimum(inputs.limit_doublings, growth.doublings_by(law.horizon_months, inputs.first_months, exponent))
    order = np.argsort(-life)
    sorted_inputs = Inputs(*(each[order] for each in inputs))
    shortest = {window: np.full(len(order), np.inf) for window in law.windows}
    lengths = _shortest_stretches(law, sorted_inputs, shortest, rows[:, : len(order)])
    for window, months in shortest.items():
        found.shortest_months[window][order] = months
    returns = sorted_inputs.r * (1 - law.speed_share)
    faster = returns > 1
    doublings = growth.doublings_to_fastest(returns, sorted_inputs.limit_doublings)
    months = _explosions(law, sorted_inputs, exponent[order], doublings, rows, lengths)
    found.explodes[order] = faster
    found.explosion_months[order] = months
    found.explosion_doublings[order] = np.where(faster, doublings, np.inf)
    found.cut[order] = faster & (lengths == law.most_doublings) & (doublings > lengths) & ~np.isfinite(months)


def _shortest_stretches(law: _Law, inputs: Inputs, shortest: Mapping[int, Array], rows: Array) -> NDArray[np.intp]:
    """Run the recursion, keep the shortest stretch of each window, and return how many rows each world has."""
    first, r, p, limit = inputs
    stretch, start, lengths = np.empty_like(r), np.zeros_like(r), []
    times = growth.doubling_times(
        first, r, p, limit, law.horizon_months, retraining=law.damped, speedup_exponent=law.speed_share, rows=rows
    )
    with np.errstate(invalid="ignore"):  # beyond the horizon all is infinite, and fmin passes over inf - inf
        for n, time in enumerate(times, start=1):
            worlds = len(time)
            lengths.append(worlds)
            for window, months in shortest.items():
                if n >= window:
                    before = rows[n - 1 - window] if n > window else start
                    gone = np.subtract(time, before[:worlds], out=stretch[:worlds])
                    np.fmin(months[:worlds], gone, out=months[:worlds])
    # Rows get shorter, so that world j has as many as there are rows longer than j.
    return np.searchsorted(-np.array(lengths), -np.arange(len(r)), side="left")


def _explosions(
    law: _Law, inputs: Inputs, exponent: Array, doublings: Array, rows: Array, lengths: NDArray[np.intp]
) -> Array:
    """When the fastest doubling is done; ``inf`` where it is not, within the horizon."""
    reached = (doublings >= 1) & (doublings <= lengths)
    last = np.where(reached, doublings, 1).astype(np.intp) - 1
    months = np.where(reached, rows[last, np.arange(len(last))], np.inf)
    endless = np.isinf(inputs.limit_doublings)
    if endless.any():
        months = np.where(endless, growth.explosion_times(inputs.first_months, exponent), months)
    return np.where(months <= law.horizon_months, months, np.inf)
