# %% [markdown]
"""
# 1. The report's figures from simulated runs

Suppose AI systems do all AI research, and the stock of hardware is fixed. Better software means more AI researchers
on the same machines, and more researchers find the next improvement sooner. But each improvement is also harder to
find than the last. Which effect is stronger?

Eth and Davidson (*Will AI R&D Automation Cause a Software Intelligence Explosion?*, 2025: *the report* from here on)
answer with arithmetic. This notebook draws their figures and tables from runs, in which researchers write papers one
by one, and compares them with the arithmetic.
"""

# %%
from itertools import pairwise

import numpy as np

from experiments.estimation.published_estimates import content
from experiments.plotting.run_figure import unconstrained_curve
from experiments.plotting.slides import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    RED,
    SKY,
    SOFT,
    darken_for_contrast,
    format_factor_axis,
    hide_frame,
    label_line_end,
    slide,
    slides,
    table,
)
from experiments.reproduction.report_claims import with_first_doubling
from sim.growth import (
    DAYS_PER_MONTH,
    doubling_ratio,
    explosion_time,
    returns_from_difficulty,
    software_at,
    time_of_doubling,
)
from sim.runner import run
from sim.scenario.model import Scenario

# %% [markdown]
"""
## Fizzle and explosion from the same start (Figures 6 and 7)

One AI researcher writes a paper a month. Two papers double its efficiency, so that the same hardware runs two
researchers. In the *fizzle* each doubling takes three times as many papers as the one before. In the *explosion* it
takes one and a half times as many. Work is `pooled` here: as in the report, half a paper counts half.
"""


# %%
def toy(name, seed=0, **changes):
    """Run one of the report's three toy worlds to its end."""
    return run(Scenario.load(f"toy-{name}").replace(**changes), seed)


def months(result):
    """Return the length of each doubling in months."""
    return [doubling.duration_days / DAYS_PER_MONTH for doubling in result.doublings]


exact = {name: toy(name, researcher__timing="pooled") for name in ("fizzle", "explosion", "exponential")}
assert np.allclose(months(exact["fizzle"])[:4], [2, 3, 4.5, 6.75])  # the report: 2, 3, 4.5
assert np.allclose(months(exact["explosion"])[:4], [2, 1.5, 1.125, 0.84375])  # the report: 2, 1.5, 1.1
COLOURS = {"fizzle": BLUE, "explosion": RED, "exponential": ORANGE}

# %%
with slides(
    "Fizzle and explosion from the same start", "months that each doubling takes; a dot is an active researcher", rows=2
) as panels:
    for axes, name in zip(panels, ("fizzle", "explosion"), strict=True):
        ends = np.cumsum([0, *months(exact[name])[:4]])
        for n, (left, right) in enumerate(pairwise(ends)):
            axes.barh(0, right - left - 0.06, left=left + 0.03, color=COLOURS[name], alpha=0.18)
            took = f"{right - left:.{2 + (right > left + 1)}g}"
            axes.text((left + right) / 2, 0.52, took, ha="center", color=darken_for_contrast(COLOURS[name]))
            places = 0.17 * np.array([(i % 4, i // 4 - n // 3 / 2) for i in range(2**n)])
            axes.plot((left + right) / 2 + places[:, 0] - places[:, 0].mean(), places[:, 1], "o", color=COLOURS[name])
        axes.set(xlim=(0, 16.3), ylim=(-0.5, 0.8), yticks=[])
        axes.set_title(name, color=darken_for_contrast(COLOURS[name]))
        hide_frame(axes)
    panels[1].set_xlabel("months")

# %% [markdown]
"""
The result depends on two rates: how fast papers get harder, and how fast the team grows. A team that doubles keeps
its pace if the next doubling takes exactly twice the papers (Table 2). The report combines both in one number, the
*returns to research* r (Table 3). It is the number of doublings of software for each doubling of all research so
far. With r above 1 doublings get faster.
"""

# %%
rows = []
for name, difficulty, printed in (("fizzle", 3.0, 0.63), ("explosion", 1.5, 1.72), ("exponential", 2.0, 1.0)):
    measured = exact[name].pace.r_implied
    assert np.isclose(measured, returns_from_difficulty(difficulty))
    first, second = (doubling.papers for doubling in exact[name].doublings[:2])
    rows.append((name, f"{first:.3g}", f"{second:.3g}", f"{second / first:.3g}×", printed, f"{measured:.4f}"))
table(("scenario", "papers of doubling 1", "of doubling 2", "ratio", "r in the report", "r measured in the run"), rows)

# %% [markdown]
"""
The second r is 1.7095; the report's 1.72 is due to rounding of 1/0.58.

## Run-to-run variability (Figure 8)

The report's curve for the explosion has a vertical asymptote after eight months. Real papers come at random. Each
thin line is one of a hundred worlds with `poisson` papers: the same law with another random seed.
"""

# %%
worlds = {
    name: [toy(name, seed, run__sample_days=730.0, run__max_doublings=most) for seed in range(100)]
    for name, most in (("fizzle", 5), ("explosion", 10))
}
tenth = np.array([result.doublings[9].day / DAYS_PER_MONTH for result in worlds["explosion"]])
spread = tenth.std(ddof=1)
assert round(spread) == 2
with slide(
    "The explosion comes after eight months, give or take two",
    f"researchers; thin: worlds with different random seeds; standard deviation of doubling 10: {spread:.1f} months",
) as axes:
    for name, results in worlds.items():
        for result in results:
            days = [0.0, *(doubling.day / DAYS_PER_MONTH for doubling in result.doublings)]
            axes.plot(days, np.exp2(range(len(days))), color=COLOURS[name], linewidth=0.7, alpha=0.25)
        days = np.cumsum([0, *months(exact[name])])
        axes.plot(days, np.exp2(range(len(days))), color=COLOURS[name], linewidth=3.4)
    axes.axvline(explosion_time(2.0, 0.75), color=BLACK, linestyle=(0, (4, 3)), linewidth=1.3)
    label_line_end(axes, 13, 380, "dashed: month 8,\nthe report's asymptote", BLACK)
    label_line_end(axes, 13, 140, "explosion", RED, fontsize=16)
    label_line_end(axes, 13, 5, "fizzle", BLUE, fontsize=16)
    axes.set(xlim=(0, 20), ylim=(1, 2**10), xlabel="months", xticks=range(0, 21, 2))
    axes.set_yscale("log", base=2)
    format_factor_axis(axes, "")

# %% [markdown]
"""
The mean of the thin lines is the report's thick one. A single world can be months early or late. Most of that
variability comes from the first two doublings, when few researchers are active. So the first months of a lab may
reflect chance. `asara reproduce` compares both the mean and the spread with theory.
"""

# %%
first = np.array([result.doublings[0].day / DAYS_PER_MONTH for result in worlds["explosion"]])
for n, found, theory in ((1, first, 2.0), (10, tenth, 8 * (1 - 0.75**10))):
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean() - theory) < 4 * error
    print(f"doubling {n:2}: month {found.mean():.1f} ± {error:.1f} over 100 worlds, {theory:.1f} by arithmetic")

# %% [markdown]
"""
## The first year for six values of r (Figure 9)

Now software grows continuously, and the first doubling takes a month. Dots are the doublings of runs with 100,000
researchers who get every gain of 1% at once. Dashed lines are the arithmetic.
"""


# %%
def first_year(r):
    """Run a year, or 13 doublings, in which only the law limits software."""
    return run(
        with_first_doubling(
            Scenario.load("returns-0.9").replace(
                growth__r=r,
                run__max_doublings=13,
                researcher__initial=100_000,
                growth__calibrated_for=100_000,
                training__gain=1.01,
            ),
            DAYS_PER_MONTH,
        )
    )


years = {r: first_year(r) for r in (0.5, 0.7, 0.9, 1.0, 1.4, 3.0)}
with slide(
    "Growth slows down if r is below 1 and speeds up if it is above",
    "growth of software; dashed: arithmetic, dots: doublings of runs",
) as axes:
    for (r, result), colour in zip(years.items(), (BLUE, GREEN, SKY, ORANGE, RED, PINK), strict=True):
        ratio = doubling_ratio(r)
        found = np.array([doubling.day / DAYS_PER_MONTH for doubling in result.doublings])
        numbers = np.arange(1, len(found) + 1)
        assert np.allclose(found, time_of_doubling(numbers, 1.0, ratio), rtol=0.01), r
        curve = np.linspace(0, min(12, explosion_time(1.0, ratio)), 2000)[:-1]
        axes.plot(curve, software_at(curve, 1.0, ratio), color=colour, linestyle=(0, (4, 2)))
        axes.plot(found, numbers, "o", color=colour, markersize=5.5)
        if r > 1:
            label_line_end(axes, found[-1], 12.6, f"r = {r:g}", colour)
        else:
            year = software_at(12, 1.0, ratio)
            assert np.isclose(result.series["discovered"][-1], year, atol=0.01), r
            label_line_end(axes, 12, year, f"r = {r:g}: {2**year:,.0f}×", colour)
    axes.set(xlim=(0, 12), ylim=(0, 13.4), xlabel="months")
    format_factor_axis(axes)
slow = years[0.7]
assert round(2 ** slow.series["discovered"][-1]) == 46
assert round(slow.doublings[4].day / DAYS_PER_MONTH) == 10  # 32-fold

# %% [markdown]
"""
In the report r = 0.7 brings about 30-fold growth in a bit under a year. The runs give 46-fold growth after a year,
and 32-fold two months earlier. So a fizzle can be fast for a while.

## Hardware limits end an explosion (Figure 10)

Fixed hardware has a limit. Let r start at 3 and fall to 0 over 16 doublings:
"""

# %%
limited, endless = (run(Scenario.load(name).replace(run__sample_days=1.0)) for name in ("limits", "returns-3"))
with slide(
    "A hardware limit ends an explosion", "growth of software, with r = 3 on the first day; dotted: arithmetic"
) as axes:
    axes.plot(endless.series["day"], endless.series["discovered"], color=PINK)
    axes.plot(limited.series["day"], limited.series["discovered"], color=BLUE, linewidth=3)
    for result in (limited, endless):
        axes.plot(*unconstrained_curve(result, 170), color=BLACK, linestyle=(0, (2, 2)), linewidth=1)
    axes.axhline(16, color=SOFT, linestyle=(0, (4, 2)), linewidth=1.3)
    label_line_end(axes, 170, 16, "the hardware's\nlimit", SOFT)
    label_line_end(axes, 79, 11, "no limit", PINK, ha="right", xytext=(-14, 0))
    label_line_end(axes, 112, 11, "r falls towards the limit", BLUE)
    axes.set(xlim=(0, 170), ylim=(0, 17.5), xlabel="days")
    format_factor_axis(axes)
assert limited.ending == "limit reached"

# %% [markdown]
"""
## Estimates of the returns (Table 4)

The returns to AI research are not known. The report collects estimates from neighbouring fields, made while hardware
grew, and guesses 1 to 4 from them. With hardware fixed it lowers its guess to half of that, 0.5 to 2. The right part
of the table halves every row that was measured while hardware grew: its r, or its range if the report gives one. The
last column but one gives the side of 1 on which the halved range lies.

For a range `asara` adds the probability that r is above 1. It treats r as lognormal, with the share inside the range
that the table gives. The 90% interval of image recognition, 0.8 to 2.4, becomes 0.4 to 1.2, and 14% lies above 1.
The report does not state which share its best guesses contain; 80% is our reading.
"""


# %%
def spanned(ends, factor=1.0):
    """Format one figure, or the ends of a range."""
    return " to ".join(f"{factor * value:.3g}" for value in ends)


rows = []
for row in content()["returns"]["rows"]:
    inside = f"{spanned(row['range'])} ({row['share']:.0%})" if row["range"] else "–"
    means = row["halved"] or row["as_seen"]
    fixed, likely = (means["side_of_one"], means["above_one"]) if means else ("not applicable", None)
    half = spanned(row["range"] or row["r"], 0.5) if row["halved"] else "–"
    chance = f"{likely:.0%}" if likely is not None else "–"
    rows.append((row["domain"], row["hardware"], spanned(row["r"]), inside, half, fixed, chance))
table(
    (
        "where",
        "hardware",
        "r",
        "range (share inside)",
        "half of that",
        "side of 1 with hardware fixed",
        "P(r > 1) then",
    ),
    rows,
)
assert [row[-1] for row in rows if row[0] == "image recognition"] == ["14%"]

# %% [markdown]
"""
**In short.** Software explodes if r is above 1 with hardware fixed, and the best guesses lie on both sides of 1.
This notebook leaves out two other needs of a lab: GPUs for experiments, and training runs. [The next
notebook](2_stalls.md) adds them.
"""
