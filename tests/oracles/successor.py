"""The successor study's recursion, restated step by step: nothing here is imported from the code under test.

``S_{i+1} = 2 S_i; t_{i+1} = t_i + D_i; r_{i+1} = r_i - r_0/(8L); D_{i+1} = D_i 2^x`` with ``x = p(1/r - 1)``, where r
is the one that has fallen already, ``D_0 = 3/f`` months, until r is 0 or t beyond 48 months.
"""

import numpy as np

HORIZON = 48.0
PUBLISHED = {(24, 12): 0.57, (26, 4): 0.41, (80, 12): 0.18, (80, 4): 0.12}
PUBLISHED_WITH_RETRAINING = {(24, 12): 0.57, (26, 4): 0.41, (80, 12): 0.19, (80, 4): 0.14}
RECOMPUTED = {(24, 12): 0.563, (26, 4): 0.409, (24, 4): 0.423, (80, 12): 0.167, (80, 4): 0.124}
RECOMPUTED_WITH_RETRAINING = {(24, 12): 0.570, (26, 4): 0.401, (80, 12): 0.175, (80, 4): 0.122}
RECOMPUTED_DRAWS = 20_000
"""Published probabilities by (doublings, months)."""


def plain(x):
    return x


def by_its_text(x):
    return x / (1 + abs(x))


def by_its_code(x):
    """The defect: for r > 1, where -1 < x < 0, this is below x, so that retraining speeds an explosion up."""
    return x / abs(1 + x)


def times(f, r0, years, p, rule=plain, falls_first=True):
    """Return the months at which software has doubled 0, 1, 2, ... times, up to the horizon."""
    found, duration, r = [0.0], 3 / f, r0
    while r > 0 and found[-1] + duration <= HORIZON:
        found.append(found[-1] + duration)
        used, r = r, r - r0 / (8 * years)
        used = r if falls_first else used
        if r > 0:
            duration *= 2.0 ** min(1000.0, rule(p * (1 / used - 1)))
    return found


def shortest(found, doublings):
    """Return the shortest time with this many doublings [months]; infinite if there is none."""
    return min((end - start for start, end in zip(found, found[doublings:], strict=False)), default=np.inf)


def shares(f, r0, years, p, asked, rule=plain, falls_first=True, any_stretch=True):
    """Return the share of worlds with at least this many doublings within a time, for each (doublings, months)."""
    rows, duration, r = [np.zeros_like(r0)], 3 / f, r0.copy()
    with np.errstate(all="ignore"):
        while np.isfinite(rows[-1]).any():
            now = rows[-1] + np.where(r > 0, duration, np.inf)
            rows.append(np.where(now <= HORIZON, now, np.inf))
            used, r = r, r - r0 / (8 * years)
            duration = duration * 2.0 ** rule(p * (1 / (r if falls_first else used) - 1))
        table, found = np.array(rows), {}
        for doublings, months in asked:
            gone = table[doublings:] - table[:-doublings]
            best = np.fmin.reduce(gone, axis=0) if any_stretch else gone[0]
            found[doublings, months] = float(np.mean(best <= months))
    return found


def draws(n, seed):
    """Draws from the study's priors: f, r_0, L and p."""
    chance = np.random.default_rng(seed)

    def log_uniform(low, high):
        return np.exp(chance.uniform(np.log(low), np.log(high), n))

    return log_uniform(2, 32), log_uniform(0.4, 3.6), chance.uniform(6, 16, n), log_uniform(0.15, 0.6)
