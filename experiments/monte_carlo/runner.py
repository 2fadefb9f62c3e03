"""Draw and run many worlds under the deterministic growth law. Pure.

Worlds are run on threads in chunks of a fixed size, which fit into the cache of a processor. NumPy releases the
interpreter lock while it computes. The random stream of a chunk depends only on its number, so the number of threads
does not change the result.
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
from experiments.progress import OnProgress, count_progress, ignore_progress
from experiments.statistics.intervals import wilson
from experiments.uncertainty.distributions import Array
from sim import growth

CHUNK: Final = 16_384
"""Worlds that are drawn and run together; another number would change every random draw."""


class SampledWorlds(NamedTuple):
    """Results of n worlds."""

    shortest_months: dict[int, Array]
    """For each window of k doublings, the shortest time in which software doubled k times [months].

    ``inf`` if software did not double k times within the horizon.
    """
    explodes: NDArray[np.bool_]
    """Whether doublings get faster at the start: r > 1, or r (1 - phi) > 1 if training runs take a share phi."""
    explosion_months: Array
    """Time at which the fastest doubling is complete, when r or r (1 - phi) has fallen to 1 [months].

    Without a limit, the time at which infinitely many doublings are complete. ``inf`` if that is beyond the horizon, or
    if the world does not explode.
    """
    explosion_doublings: Array
    """Doublings of software by then [1]; ``inf`` without a limit."""
    cut: NDArray[np.bool_]
    """Whether `most_doublings` ended the world before it exploded, while its doublings still got faster."""


class Probability(NamedTuple):
    """Number of worlds in which an event happened, and its probability with Wilson's 95% interval."""

    worlds: int
    probability: float
    low: float
    high: float


class _Law(NamedTuple):
    """Settings that all worlds share."""

    windows: tuple[int, ...]
    horizon_months: float
    damped: bool
    speed_share: float
    """Share phi of each doubling that training runs take [1]; 0 unless they take their share."""
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
    """Run one world for each entry of the inputs, and return the results.

    ``windows``: numbers of doublings whose shortest time is wanted. ``speed_share``: phi from 0 to 1, used only with
    ``retraining = "share"``. ``workers``: number of threads, by default the number of processors. All inputs are
    above 0; a limit may be ``inf``. Raises ValueError for inputs of different lengths.
    """
    if len({len(each) for each in inputs}) > 1:
        raise ValueError("the inputs differ in length; allowed: one entry for each world")
    law, count = _law(tuple(windows), horizon_months, retraining, speed_share, most_doublings), len(inputs.r)
    found = _empty(law, count)

    def run(part: slice, rows: Array) -> None:
        _run(law, Inputs(*(each[part] for each in inputs)), _part(found, part), rows)

    _run_chunks(count, most_doublings, run, workers, ignore_progress)
    return found


def run_study(
    study: MonteCarloSpec, n: int, seed: int = 0, workers: int | None = None, on_progress: OnProgress = ignore_progress
) -> tuple[dict[str, Array], SampledWorlds]:
    """Draw n worlds from the priors of a study, run them, and return the inputs and the results.

    The same study and seed give the same worlds for any number of ``workers``. A smaller n gives the first worlds of a
    larger n.
    """
    law = _law(study.doubling_counts, study.horizon_months, study.retraining, study.speed_share, study.most_doublings)
    found = _empty(law, n)
    drawn = {name: np.empty(n) for name in study.inputs}

    def run(part: slice, rows: Array) -> None:
        values = study.draw(seed, part.start // CHUNK, part.stop - part.start)
        for name, column in drawn.items():
            column[part] = values[name]
        _run(law, study.inputs_of(values), _part(found, part), rows)

    _run_chunks(n, study.most_doublings, run, workers, on_progress)
    return drawn, found


def explodes(r: Array, retraining: Retraining, speed_share: float = SPEED_SHARE) -> NDArray[np.bool_]:
    """Return whether doublings get faster at the start under a rule of retraining.

    The condition is ``r > 1`` without retraining. The damping x/(1 + |x|) keeps the sign of x, and so this condition.
    If training runs take a share phi of each doubling, it is ``r (1 - phi) > 1``.
    """
    return np.asarray(r * (1 - _share_taken(retraining, speed_share)) > 1)


def estimate_probability(happened: NDArray[np.bool_]) -> Probability:
    """Estimate the probability of an event from its occurrence in each world, with Wilson's 95% interval."""
    n, hits = len(happened), int(np.count_nonzero(happened))
    return Probability(hits, hits / n, *wilson(hits / n, n))


def quantiles(values: Array, levels: Sequence[float]) -> list[float]:
    """Return for each level the smallest value that this share of the values does not exceed; nan if there are none.

    The result is always one of the values, because interpolation with ``inf`` is not defined.
    """
    if len(values) == 0:
        return [math.nan] * len(levels)
    return [float(value) for value in np.quantile(values, levels, method="inverted_cdf")]


def median(values: Sequence[float]) -> float:
    """Return the median by :func:`quantiles`."""
    return quantiles(np.asarray(values, dtype=float), (0.5,))[0]


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
    """Return views of one slice of the results."""
    shortest = {window: months[part] for window, months in worlds.shortest_months.items()}
    return SampledWorlds(shortest, *(each[part] for each in worlds[1:]))  # type: ignore[arg-type]  # the rest are arrays


def _run_chunks(
    n: int,
    most_doublings: int,
    run: Callable[[slice, Array], None],
    workers: int | None,
    on_progress: OnProgress,
) -> None:
    """Call ``run`` for each chunk, on threads with one buffer of rows each; stop after a chunk if interrupted."""
    parts = iter([slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)])
    threads = max(1, min(workers or os.cpu_count() or 1, math.ceil(n / CHUNK)))
    halted, done, lock = threading.Event(), 0, threading.Lock()

    def work() -> None:
        nonlocal done
        rows = np.empty((most_doublings, min(CHUNK, n)))
        for part in _take_parts(halted, parts, lock):
            run(part, rows)
            with lock:
                done += part.stop - part.start

    with ThreadPoolExecutor(threads) as pool:
        working = [pool.submit(work) for _ in range(threads)]
        try:
            while wait(working, timeout=_UPDATE_INTERVAL_SECONDS).not_done:
                on_progress(count_progress(done, n, "worlds"))
            for each in working:
                each.result()
        finally:
            halted.set()
    on_progress(count_progress(done, n, "worlds"))


_UPDATE_INTERVAL_SECONDS: Final = 0.05


def _take_parts(halted: threading.Event, parts: Iterator[slice], lock: threading.Lock) -> Iterator[slice]:
    while not halted.is_set():
        with lock:
            part = next(parts, None)
        if part is None:
            return
        yield part


def _run(law: _Law, inputs: Inputs, found: SampledWorlds, rows: Array) -> None:
    """Run worlds and write the results into ``found``; ``rows`` is a buffer for the times of doublings.

    Worlds are sorted by their largest possible number of doublings, so that finished worlds can be left out. A world
    ends at its limit, and not later than it would with constant returns.
    """
    exponent = growth.ratio_exponent(inputs.r, inputs.p, law.damped, law.speed_share)
    life = np.minimum(inputs.limit_doublings, growth.doublings_by(law.horizon_months, inputs.first_months, exponent))
    order = np.argsort(-life)
    sorted_inputs = Inputs(*(each[order] for each in inputs))
    shortest = {window: np.full(len(order), np.inf) for window in law.windows}
    lengths = _fastest_windows(law, sorted_inputs, shortest, rows[:, : len(order)])
    for window, months in shortest.items():
        found.shortest_months[window][order] = months
    returns = sorted_inputs.r * (1 - law.speed_share)
    faster = returns > 1
    doublings = growth.doublings_to_fastest(returns, sorted_inputs.limit_doublings)
    months = _explosion_months(law, sorted_inputs, exponent[order], doublings, rows, lengths)
    found.explodes[order] = faster
    found.explosion_months[order] = months
    found.explosion_doublings[order] = np.where(faster, doublings, np.inf)
    found.cut[order] = faster & (lengths == law.most_doublings) & (doublings > lengths) & ~np.isfinite(months)


def _fastest_windows(law: _Law, inputs: Inputs, shortest: Mapping[int, Array], rows: Array) -> NDArray[np.intp]:
    """Run the recursion, record the shortest time of each window, and return the number of rows of each world."""
    first, r, p, limit = inputs
    stretch, start, lengths = np.empty_like(r), np.zeros_like(r), []
    times = growth.doubling_times(
        first, r, p, limit, law.horizon_months, retraining=law.damped, speedup_exponent=law.speed_share, rows=rows
    )
    with np.errstate(invalid="ignore"):  # times beyond the horizon are infinite, and fmin ignores inf - inf
        for n, time in enumerate(times, start=1):
            worlds = len(time)
            lengths.append(worlds)
            for window, months in shortest.items():
                if n >= window:
                    before = rows[n - 1 - window] if n > window else start
                    elapsed = np.subtract(time, before[:worlds], out=stretch[:worlds])
                    np.fmin(months[:worlds], elapsed, out=months[:worlds])
    # Rows get shorter, so the number of rows of world j is the number of rows that are longer than j.
    return np.searchsorted(-np.array(lengths), -np.arange(len(r)), side="left")


def _explosion_months(
    law: _Law, inputs: Inputs, exponent: Array, doublings: Array, rows: Array, lengths: NDArray[np.intp]
) -> Array:
    """Return the time at which the fastest doubling is complete [months]; ``inf`` if beyond the horizon."""
    reached = (doublings >= 1) & (doublings <= lengths)
    last = np.where(reached, doublings, 1).astype(np.intp) - 1
    months = np.where(reached, rows[last, np.arange(len(last))], np.inf)
    endless = np.isinf(inputs.limit_doublings)
    if endless.any():
        months = np.where(endless, growth.explosion_times(inputs.first_months, exponent), months)
    return np.where(months <= law.horizon_months, months, np.inf)
