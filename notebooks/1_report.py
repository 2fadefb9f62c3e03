# %% [markdown]
"""
# 1. The report in ten minutes

Suppose AI systems do all of AI research, and the stock of hardware stays as it is. Better software means more AI
researchers on the same machines, and more researchers find the next improvement sooner. But each improvement is
also harder to find than the last. Which of the two wins?

Eth and Davidson (*Will AI R&D Automation Cause a Software Intelligence Explosion?*, 2025: *the report* from here on)
answer with arithmetic. Here their figures and tables are drawn from runs, in which researchers write papers one by
one, with the arithmetic beside them.
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
## One beginning, two fates (Figures 6 and 7)

One AI researcher writes a paper a month. Two papers double its efficiency, so that the same hardware houses two. In
the *fizzle* each doubling takes three times as many papers as the one before, in the *explosion* one and a half
times as many. Work is `pooled` here: as in the report, half a paper counts half.
"""


# %%
def toy(name, seed=0, **changes):
    """Run one of the report's three toy worlds to its end."""
    return run(Scenario.load(f"toy-{name}").replace(**changes), seed)


def months(result):
    """Tell how many months each doubling took."""
    return [doubling.duration_days / DAYS_PER_MONTH for doubling in result.doublings]


exact = {name: toy(name, researcher__timing="pooled") for name in ("fizzle", "explosion", "exponential")}
assert np.allclose(months(exact["fizzle"])[:4], [2, 3, 4.5, 6.75])  # the report: 2, 3, 4.5
assert np.allclose(months(exact["explosion"])[:4], [2, 1.5, 1.125, 0.84375])  # the report: 2, 1.5, 1.1
COLOURS = {"fizzle": BLUE, "explosion": RED, "exponential": ORANGE}

# %%
with slides(
    "One beginning, two fates", "months that each doubling takes; a dot is a researcher at work", rows=2
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
What decides is how fast papers get harder, against how fast the team grows. A team that doubles keeps its pace if
the next doubling takes exactly twice the papers (Table 2). The report puts that into one number, the *returns to
research* r: how often software doubles each time that all research ever done doubles (Table 3). Above 1 doublings
get faster.
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
The second r is 1.7095; the report's 1.72 comes of rounding 1/0.58.

## Luck (Figure 8)

The report's curve for the explosion goes through the roof after eight months. Real papers come at random. Each thin
line is one of a hundred worlds with `poisson` papers: the same law, other luck.
"""

# %%
worlds = {
    name: [toy(name, seed, run__frame_days=730.0, run__max_doublings=most) for seed in range(100)]
    for name, most in (("fizzle", 5), ("explosion", 10))
}
tenth = np.array([result.doublings[9].day / DAYS_PER_MONTH for result in worlds["explosion"]])
spread = tenth.std(ddof=1)
assert round(spread) == 2
with slide(
    "Through the roof in eight months, give or take two",
    f"researchers; thin: worlds with luck of their own, which spread by {spread:.1f} months (one standard deviation)",
) as axes:
    for name, lucky in worlds.items():
        for result in lucky:
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
The mean of the thin lines is the report's thick one; any single world can be months early or late, and most of that
luck falls on the first two doublings, when few are at work. What a lab sees in its first months may be chance.
`asara reproduce` holds both the mean and the spread against theory.
"""

# %%
first = np.array([result.doublings[0].day / DAYS_PER_MONTH for result in worlds["explosion"]])
for n, found, theory in ((1, first, 2.0), (10, tenth, 8 * (1 - 0.75**10))):
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean() - theory) < 4 * error
    print(f"doubling {n:2}: month {found.mean():.1f} ± {error:.1f} over 100 worlds, {theory:.1f} by arithmetic")

# %% [markdown]
"""
## The first year, whatever the returns (Figure 9)

Now software grows continuously, and the first doubling takes a month. Dots are the doublings of runs with 100,000
researchers who get every gain of 1% at once; dashed lines are the arithmetic.
"""


# %%
def first_year(r):
    """Run a year, or 13 doublings, in which nothing but the law holds software up."""
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
    "Below r = 1 growth slows down, above it growth runs away",
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
By the report r = 0.7 brings about 30-fold growth in a bit under a year. The runs say 46-fold after
a year, and 32-fold two months earlier. A fizzle is fast for a while.

## Even an explosion ends (Figure 10)

Fixed hardware can do only so much. Let r start at 3 and fall to nothing over 16 doublings:
"""

# %%
limited, endless = (run(Scenario.load(name).replace(run__frame_days=1.0)) for name in ("limits", "returns-3"))
with slide("Limits bend an explosion", "growth of software, with r = 3 on the first day; dotted: arithmetic") as axes:
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
## What are the returns, really? (Table 4)

Nobody knows. The report gathers what was seen in neighbouring fields while hardware grew, and guesses 1 to 4 from
that. With hardware fixed it lowers its guess to 0.5 to 2, which is half. The right part of the table does the same to
every row that was seen while hardware grew: it halves r, or its range where the report gives one. The last column but
one says on which side of 1 all of that half lies. For a range `asara` adds the probability that r is above 1: it takes
r to be lognormal, with as much of it inside as the range holds. So the 90% interval of image recognition, 0.8 to 2.4,
becomes 0.4 to 1.2, and 14% lies above 1. That the best guesses hold 80% is our reading; the report does not say.
"""


# %%
def spanned(ends, factor=1.0):
    """Write one figure, or the ends of a range."""
    return " to ".join(f"{factor * value:.3g}" for value in ends)


rows = []
for row in content()["returns"]["rows"]:
    inside = f"{spanned(row['range'])} ({row['share']:.0%})" if row["range"] else "–"
    means = row["halved"] or row["as_seen"]
    fixed, likely = (means["side_of_one"], means["above_one"]) if means else ("not asked", None)
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
**In short.** Whether software explodes hangs on whether r is above 1 with hardware fixed, and the best guesses lie
on both sides. All of this leaves out what a lab also needs: GPUs for experiments, and training runs. That is [the
next notebook](2_stalls.md).
"""
