# %% [markdown]
"""
# 6. When does the leader run away?

Two labs do the same research, and one begins a month before the other. Does the second lab catch up, does it stay a
month behind, or does the first lab get out of reach? This notebook simulates such races and compares them with
formulas. At the end, one table has the condition under which a leader runs away.

The *software* of a lab measures how good its AIs are on fixed hardware. When software doubles, the same GPUs run twice
as many AI researchers. The *returns* r are the doublings of software for each doubling of all research done so far.
Above r = 1 each doubling takes less time than the one before, and below 1 it takes more. Published estimates lie on
both sides of 1. Here the ratio of software is that of the leader over that of the follower. The leader *runs away* if
this ratio grows and never falls again.

The labs of this notebook only think. They need no GPUs for experiments and no training runs, so that theory has
formulas for them. The first doubling takes a month, as in the report of Eth and Davidson. Nothing is random before the
section on chance.
"""

# %%
import numpy as np
from scipy.optimize import brentq

from experiments.plotting.slides import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    RED,
    SKY,
    label_line_end,
    slide,
    table,
)
from experiments.race.study import study
from sim.events import PaperPublished, PapersReceived, SoftwareReceived
from sim.growth import DAYS_PER_MONTH
from sim.race import run_race
from sim.racing.leads import software_ratio
from sim.racing.paper_races import probability_first_to
from sim.scenario.model import Scenario

IMPROVEMENTS = (PaperPublished, PapersReceived, SoftwareReceived)
THINKERS = {
    "cluster__gpus": 256,
    "cluster__inference_share": 1.0,
    "cluster__training_share": 0.0,
    "researcher__experiment_gpu_days": 0.0,
    "researcher__writing_share": 0.0,
    "training__required": False,
    "kernels__measurements": "none",
    "growth__calibrated_for": 0,
}


def first_doubling(r, gain):
    """Return the first doubling time with the AIs of day 0, such that it takes a month with each gain deployed."""
    starts = np.arange(0, 0.999, np.log2(gain))
    parts = 2 ** (starts * (1 / r - 1)) * (gain ** (1 / r) - 1) / (2 ** (1 / r) - 1)
    return DAYS_PER_MONTH / float(parts.sum())


def two_labs(r, steps=8, **changes):
    """Return two equal labs that deploy a number of steps in each doubling; ``leader__NAME`` changes one of them."""
    gain = 2 ** (1 / steps)
    labs = Scenario(name="two equal labs", labs=("leader", "follower")).replace(**THINKERS)
    return labs.replace(
        researcher__timing="pooled",
        training__gain=gain,
        growth__r=r,
        growth__first_doubling_days=first_doubling(r, gain),
        run__max_doublings=16,
    ).replace(
        **{name.replace("leader__", "leader.").replace("follower__", "follower."): changes[name] for name in changes}
    )


def curve(result, lab):
    """Return the days and levels [doublings] of the steps of a lab's software."""
    entry = result.labs[lab].scenario.entry
    steps = [event for event in result.labs[lab].events if isinstance(event, IMPROVEMENTS)]
    days = [entry.day, *(event.day for event in steps)]
    return days, [entry.software_doublings, *(event.discovered for event in steps)]


def ratio_on(result, days):
    """Return the software of the leader over that of the follower on some days, interpolated between steps."""
    return 2 ** (np.interp(days, *curve(result, "leader")) - np.interp(days, *curve(result, "follower")))


def ratio_at(result, levels):
    """Return the same ratio on the days on which the leader reaches some levels [doublings]."""
    days, reached = curve(result, "leader")
    return ratio_on(result, np.interp(levels, reached, days))


def format_ratio_axis(axes, ticks, top=1.08):
    """Make a logarithmic axis of ratios that ends at a multiple of the last tick."""
    axes.set(yscale="log", ylim=(0.93 * ticks[0], top * ticks[-1]), ylabel="software, leader / follower")
    axes.set_yticks(ticks, [f"{tick:g}×" for tick in ticks], minor=False)
    axes.set_yticks([], minor=True)


# %% [markdown]
"""
## A head start of a month

The leader begins on day 0 and the follower on day 30. Nothing is shared. Lines are the formula $S(t)/S(t - 30)$ with
the growth law S, and dots are simulated labs.
"""

# %%
COLOURS = {0.7: BLUE, 1.0: GREEN, 1.4: ORANGE}
AT = {0.7: np.arange(45, 241, 15.0), 1.0: np.arange(45, 241, 15.0), 1.4: np.array([45, 60, 75, 90, 105, 120, 135, 143])}
SEEN = {0.7: 240.0, 1.0: 240.0, 1.4: 147.5}
BRIEF = {"run__horizon_days": 270.0, "run__max_doublings": 13}
heads = {r: run_race(two_labs(r, follower__entry__day=DAYS_PER_MONTH, **BRIEF)) for r in COLOURS}
with slide(
    "Returns decide whether a head start shrinks, stays or explodes",
    "ratio of software after a head start of a month; lines: formula, dots: simulation",
) as axes:
    for r, colour in COLOURS.items():
        days = np.linspace(DAYS_PER_MONTH, SEEN[r], 300)
        axes.plot(days, [software_ratio(day, DAYS_PER_MONTH, r) for day in days], color=colour)
        axes.plot(AT[r], ratio_on(heads[r], AT[r]), "o", color=colour, markersize=7)
    axes.set(xlim=(25, 270), xlabel="days since the start of the leader")
    format_ratio_axis(axes, [1, 2, 4, 8, 16])
    label_line_end(axes, 240, software_ratio(240, DAYS_PER_MONTH, 0.7), "r = 0.7", BLUE)
    label_line_end(axes, 240, 2, "r = 1", GREEN)
    label_line_end(axes, 143, 13, "r = 1.4: software is\nunlimited on day 169", ORANGE, xytext=(12, 0))
for r, result in heads.items():
    theory = np.array([software_ratio(day, DAYS_PER_MONTH, r) for day in AT[r]])
    assert np.allclose(ratio_on(result, AT[r]), theory, rtol=0.02)
rows = [
    (
        f"{r:g}",
        *(f"{result.lead(level):.1f}" for level in (1, 2, 4)),
        f"{software_ratio(SEEN[r], DAYS_PER_MONTH, r):.2f}",
    )
    for r, result in heads.items()
]
table(("r", "lead at 2× [days]", "lead at 4× [days]", "lead at 16× [days]", "ratio on the last day shown"), rows)
leads = [result.lead(level) for result in heads.values() for level in (1, 2, 4)]
assert np.allclose(leads, DAYS_PER_MONTH)

# %% [markdown]
"""
The lead in days is the same in each race, at each level: the follower does what the leader did a month before. What a
month is worth depends on r. At r = 0.7 doublings take longer and longer, so that a month is a smaller part of one. At
r = 1.4 they take less and less, so that a month becomes more and more doublings. Without exchange between labs, **a
leader runs away if r is above 1**.

## Leaks

Now a share σ of each lab's research reaches the other lab at once, by publications or spies. The leader begins with
twice the software, which is a month. Returns are r = 1.4, so that it would run away without leaks.
"""

# %%
LEAKS = {0.0: RED, 0.05: ORANGE, 0.1: PINK, 1 / 6: GREEN, 0.5: BLUE}
HEAD = {"leader__entry__software_doublings": 1.0}
leaks = {share: run_race(two_labs(1.4, commons__publication_share=share, **HEAD)) for share in LEAKS}


def final_ratio(share, r):
    """Return the ratio of software to which the leader's tends, by the equations below."""
    behind = brentq(lambda x: x**r + share - x - share * x ** (1 + r), 1e-6, 0.95)
    return behind**-r


levels = np.arange(1, 16.1, 0.5)
with slide(
    "A leak of a sixth is enough to stop a leader at r = 1.4",
    "ratio of software, by the share of each lab's research that leaks to the other one; dashed: where it ends",
) as axes:
    for share, colour in LEAKS.items():
        axes.plot(levels, ratio_at(leaks[share], levels), color=colour)
        name = {1 / 6: "a sixth leaks", 0.0: "no leak"}.get(share, f"{share:.0%} leak")
        end = min(ratio_at(leaks[share], [16])[0], 60)
        if share:
            label_line_end(axes, 16, end, name, colour)
    for share in (0.05, 0.1):
        axes.axhline(final_ratio(share, 1.4), color=LEAKS[share], linestyle=(0, (4, 3)), linewidth=1.3)
    label_line_end(axes, 12.0, 46, "no leak", RED, xytext=(-12, 3), ha="right")
    axes.set(xlim=(0.8, 19), xlabel="software of the leader [doublings since day 0]")
    axes.set_xticks(range(2, 17, 2))
    format_ratio_axis(axes, [1, 2, 4, 8, 16, 32, 64])
ends = {share: ratio_at(result, [8, 16]) for share, result in leaks.items()}
assert ends[0.05][1] > ends[0.05][0] > 2 and ends[0.1][1] > ends[0.1][0] > 2
assert 1.8 < ends[1 / 6][1] < 2 and ends[0.5][1] < 1.05
print(f"The ratio tends to {final_ratio(0.05, 1.4):.1f} at a leak of 5%, and to {final_ratio(0.1, 1.4):.1f} at 10%.")
alone, shared = (leaks[share].day_of("leader", 16) for share in (0.0, 0.5))
print(f"The leader reaches 16 doublings on day {alone:.0f} without leaks, and on day {shared:.0f} if half leaks.")
assert shared < 0.8 * alone

# %% [markdown]
"""
Any leak limits the ratio, because the follower always gets a share of the leader's research. Whether it *closes* the
gap has a threshold. Let $x$ be the follower's research relative to the leader's. Software is $S = E^r$, and the two
labs do $E_1^r + σE_2^r$ and $E_2^r + σE_1^r$ of research a day. Then $x$ stays the same if $x^r + σ = x + σx^{1+r}$.
Near $x = 1$ the gap closes if

$$σ > \\frac{r - 1}{r + 1}.$$

At r = 1.4 that is a sixth. At r = 1.1 it is 5%, and at r = 2 it is a third. Leaks also make both labs faster.

## Leaks that take time

A paper is not read on the day on which it is written, and a stolen model must first be used. Here half of the research
of each lab leaks, but later: after 10, 30 or 60 days. A lab that publishes late has the same effect.
"""

# %%
LAGS = {0: BLUE, 10: GREEN, 30: ORANGE, 60: RED}
late = {
    days: run_race(two_labs(1.4, commons__publication_share=0.5, commons__lag_days=float(days), **HEAD))
    for days in LAGS
}
with slide(
    "A leak that arrives a month late does not stop the leader",
    "ratio of software at r = 1.4, if half of each lab's research leaks to the other one after a lag",
) as axes:
    for days, colour in LAGS.items():
        found = ratio_at(late[days], levels)
        axes.plot(levels, found, color=colour)
        if found[-1] < 20:
            label_line_end(axes, 16, found[-1], "no lag" if days == 0 else f"{days} days late", colour)
    label_line_end(axes, 15.0, 13.5, "30 days late", ORANGE, xytext=(10, 0))
    label_line_end(axes, 10.3, 14.5, "60 days late", RED, xytext=(-9, 0), ha="right")
    axes.set(xlim=(0.8, 19), xlabel="software of the leader [doublings since day 0]")
    axes.set_xticks(range(2, 17, 2))
    format_ratio_axis(axes, [1, 2, 4, 8, 16])
grown = {days: ratio_at(result, [8, 12, 16]) for days, result in late.items()}
assert grown[0][0] > grown[0][2] and all(grown[days][2] > grown[days][1] for days in (10, 30, 60))
rows = [
    (
        days,
        *(f"{grown[days][at]:.2f}" for at in range(3)),
        f"{late[days].day_of('leader', 16) - late[days].day_of('leader', 15):.1f}",
    )
    for days in LAGS
]
table(("lag [days]", "ratio at 8 doublings", "at 12", "at 16", "leader's 16th doubling [days]"), rows)

# %% [markdown]
"""
A leak helps the follower only if it arrives before the leader has doubled again. With a lag of ten days the gap closes
at first. After eight doublings the leader doubles within days. Papers that are ten days old then help the follower
little, and the gap opens. **Any lag lets a leader with r above 1 run away in the end**; if it is short, that is later.

## Imitation

A lab can also imitate products or hire people. The gap then closes at a constant rate. A rate of 3 a year stands for a
follower that is four months behind, as open models are behind the best closed ones (Epoch AI). At r = 1 there is a
formula: the gap in doublings falls as $e^{-3t}$ with t in years.
"""

# %%
IMITATE = {"follower__commons__diffusion_per_year": 3.0, "follower__commons__diffusion_of": "discovered"}
imitated = {r: run_race(two_labs(r, 64, **IMITATE, **HEAD, **BRIEF)) for r in COLOURS}
with slide(
    "Imitation stops a leader at r = 1, but not at r = 1.4",
    "ratio of software, if the gap closes at a rate of 3 a year; black dots: formula at r = 1",
) as axes:
    for r, colour in COLOURS.items():
        days = np.linspace(0, min(240.0, imitated[r].day_of("leader", 12.9)), 80)
        axes.plot(days, ratio_on(imitated[r], days), color=colour)
    days = np.arange(0, 241, 8.0)
    axes.plot(days, 2 ** np.exp(-3 * days / 365), ".", color=BLACK, markersize=5)
    axes.set(xlim=(0, 270), xlabel="days since the start of the follower")
    format_ratio_axis(axes, [1, 2, 4, 8])
    label_line_end(axes, 240, ratio_on(imitated[0.7], 240), "r = 0.7", BLUE, va="top")
    label_line_end(axes, 240, ratio_on(imitated[1.0], 240), "r = 1", GREEN, va="bottom")
    label_line_end(axes, 127, 6, "r = 1.4", ORANGE, xytext=(12, 0))
days = np.array([30.0, 60, 100, 150])
assert np.allclose(ratio_on(imitated[1.0], days), 2 ** np.exp(-3 * days / 365), rtol=0.02)
held, lost = ratio_at(imitated[1.4], [3, 12])
assert held < 2.1 and lost > 4

# %% [markdown]
"""
At r = 1.4 imitation holds the ratio near 2 for two months. Then the leader doubles faster than any constant rate. This
is why a lag of four months today does not mean a lag of four months in an explosion.

## Compute that follows success

Better software earns money, which buys GPUs. Suppose that the GPUs of all labs grow threefold a year. A share s of all
orders goes to a pot, which the labs divide in proportion to their software. Returns are r = 0.7, at which a head start
shrinks if nothing else happens.
"""

# %%
SHARES = {0.0: BLUE, 0.4: SKY, 0.7: ORANGE, 1.0: RED}
GROWTH = {
    "supply__growth_per_year": 3.0,
    "supply__lot_days": 10.0,
    "run__max_doublings": 50,
    "run__horizon_days": 1095.0,
}
bought = {
    share: run_race(two_labs(0.7, supply__success_share=share, run__sample_days=30.0, **GROWTH, **HEAD))
    for share in SHARES
}
with slide(
    "If compute follows success, a leader runs away even at r = 0.7",
    "ratio of software, by the share of new GPUs that labs divide in proportion to their software",
) as axes:
    for share, colour in SHARES.items():
        days = np.linspace(0, 1080, 250)
        axes.plot(days / 365, ratio_on(bought[share], days), color=colour)
        label_line_end(axes, 1080 / 365, float(ratio_on(bought[share], 1080)), f"s = {share:.0%}", colour)
    axes.set(xlim=(0, 3.4), xlabel="years since the start of the follower")
    format_ratio_axis(axes, [1, 2, 4], top=1.3)
year_ends = {share: ratio_on(result, [365, 1080]) for share, result in bought.items()}
assert year_ends[0.0][1] < 1.05 and abs(year_ends[0.4][1] / year_ends[0.4][0] - 1) < 0.1
assert year_ends[0.7][1] > 1.15 * year_ends[0.7][0] and year_ends[1.0][1] > 2 * year_ends[1.0][0]
compute = bought[1.0].gpu_shares()["leader"]
print(f"At s = 100% the leader has {compute[0]:.0%} of the GPUs on day 0, and {compute[-1]:.0%} after three years.")

# %% [markdown]
"""
Growing hardware makes software grow exponentially at r = 0.7. A leader with slightly more software gets slightly more
GPUs, which give it more software. After a while, a small gap $l$ in log software gives a gap $s\\,l$ in log GPUs. That
one gives a gap $s\\,l\\,r/(1 - r)$ in log software. The leader therefore runs away if $s\\,r/(1 - r) > 1$, which is

$$r > \\frac{1}{1 + s}.$$

At r = 0.7 the threshold is s = 43%, just above the 40% of the Good Ancestors Project's tabletop exercise. If all orders
follow success, r above 0.5 is enough. Running away this way takes years. At r = 1.4 a leader is out of reach within
five months, so that orders hardly matter.

## Chance

Small labs publish few papers, at random times. Two labs share 40 GPUs, on which 20 researchers work. The curve is the
probability that one lab writes its first 10 papers, a doubling of software, before the other. The formula is that of
the problem of points by Pascal and Fermat. Dots are simulated races at r = 1.4, 40 for each share of the GPUs, and bars
are 95% intervals.
"""

# %%
small = Scenario(name="two small labs", labs=("large", "small")).replace(  # teams of one cohort each, for speed
    **THINKERS
    | {"cluster__gpus": 40, "cluster__gpus_per_node": 2, "growth__calibrated_for": 10, "growth__r": 1.4}
    | {"run__max_doublings": 4, "run__horizon_days": 3000.0, "run__max_individuals": 0}
)
SEEDS = range(40)
races = {
    share: study(small.replace(**{"large.entry__gpu_share": share}), SEEDS, level=2, compare=share == 0.6)
    for share in (0.5, 0.6, 0.7)
}
SHOWN = {1.0: (BLUE, -0.25, "2× first"), 2.0: (ORANGE, 0.25, "4× first")}
with slide(
    "60% of the GPUs make it likely to be first, but not certain",
    "probability that the larger lab is first; curve: formula for 2×, dots: 40 simulated races, bars: 95% intervals",
) as axes:
    parts = np.linspace(0.5, 0.75, 100)
    axes.plot(100 * parts, [100 * probability_first_to(10, part) for part in parts], color=BLUE)
    for share, race in races.items():
        for row in race.levels:
            if row.level in SHOWN:
                colour, aside, _ = SHOWN[row.level]
                won = row.first["large"]
                place = 100 * share + aside
                axes.plot([place] * 2, [100 * won.low, 100 * won.high], color=colour, linewidth=2)
                axes.plot(place, 100 * won.share, "o", color=colour, markersize=9, clip_on=False)
    for level, (colour, aside, text) in SHOWN.items():
        row = next(row for row in races[0.5].levels if row.level == level)
        side = {"xytext": (-9, 0), "ha": "right"} if aside < 0 else {}
        label_line_end(axes, 50 + aside, 100 * row.first["large"].low + 4, text, colour, **side)
    axes.set(
        xlim=(46, 76), ylim=(0, 103), xlabel="share of the GPUs that the larger lab has [%]", ylabel="probability [%]"
    )
for share, race in races.items():
    won = race.levels[0].first["large"]
    assert won.low < probability_first_to(10, share) < won.high
rows = []
for share, race in races.items():
    won, over, lead = race.levels[-1].first["large"], race.majority["large"], race.levels[-1].lead
    rows.append(
        (
            f"{share:.0%}",
            f"{won.share:.0%} ({won.low:.0%} to {won.high:.0%})",
            f"{over.share:.0%} ({over.low:.0%} to {over.high:.0%})",
            f"{lead.p50:.0f} ({lead.p10:.0f} to {lead.p90:.0f})",
        )
    )
table(
    ("GPUs", "larger lab first at 4×", "then more than half of the software", "lead [days], median (10% to 90%)"), rows
)

# %% [markdown]
"""
The intervals contain the formula. They are wide, because 40 races are few.

Chance matters most at the first papers. Later, labs have more researchers and papers average out, and at r = 1.4 an
early lead grows. *Winner takes all* can mean two things: a lab is the first at a level, or it then has more than half
of all software. With two labs both are nearly the same. With several labs they differ: the first lab often has the
largest share and less than half ([the tutorial](../tutorials/6-when-does-the-leader-run-away.md) has an example).

## One lab with everything

What if one lab had all 40 GPUs and all researchers, instead of two labs with 60% and 40% of them?
"""

# %%
race = races[0.6]
days = {
    "large lab, 60%": ([row.days["large"] for row in race.levels], ORANGE),
    "small lab, 40%": ([row.days["small"] for row in race.levels], BLUE),
    "one lab": ([row.one_lab for row in race.levels], BLACK),
}
heights = [1.0, *(2.0**row.level for row in race.levels)]
with slide(
    "One lab with all GPUs is faster than the leader of a race",
    f"software over days; line: median of {len(SEEDS)} seeds, band: 10% to 90% of them",
) as axes:
    for text, (found, colour) in days.items():
        low, middle, high = ([0.0, *(getattr(each, part) for each in found)] for part in ("p10", "p50", "p90"))
        axes.fill_betweenx(heights, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(middle, heights, "o-", color=colour, markersize=6)
        label_line_end(axes, middle[-1], heights[-1], text, colour, xytext=(0, 10), ha="center", va="bottom")
    axes.set(yscale="log", ylim=(0.97, 4.6), xlabel="days", ylabel="software (day 0: 1×)")
    axes.set_xlim(0, 1.15 * race.levels[-1].days["small"].p90)
    axes.set_yticks([1, 2, 4], ["1×", "2×", "4×"], minor=False)
    axes.set_yticks([], minor=True)
first, alone = race.levels[-1].days["large"].p50, race.levels[-1].one_lab.p50
earlier = race.earlier
assert earlier.low > 0 and alone < first
print(f"One lab reaches 4x on day {alone:.0f}, the first of two labs {earlier.mean:.0f} days later on average")
print(f"(95% interval {earlier.low:.0f} to {earlier.high:.0f} over {len(SEEDS)} seeds).")

# %% [markdown]
"""
A race is slower than one lab, because both labs do the same research. Here researchers who work at the same time do not
disturb each other. With a parallelization penalty ([Several labs](../explanation/several-labs.md)) one lab gains less.

## The answer

A leader runs away under these conditions, if nothing else limits software. The second and the last hold for two equal
labs that are close together.
"""

# %%
CONDITIONS = {
    "nothing": "r > 1",
    "a share σ of research, at once": "r > (1 + σ)/(1 − σ), and then to a limited ratio",
    "a share of research after a lag": "r > 1, but later",
    "imitation at a constant rate": "r > 1, but later",
    "nothing, and a share s of new GPUs follows success": "r > 1/(1 + s)",
}
table(("what labs exchange", "the leader runs away if"), CONDITIONS.items())

# %% [markdown]
"""
## Exercise

Returns are r = 1.2. Each lab reads 5% of the other's research at once. Does the leader run away? And at 15%? Decide
before you read on.

**Answer.** The threshold is σ = 0.2/2.2, which is 9%. At 5% the ratio grows to a limit, and at 15% the gap closes:
"""

# %%
rows = []
for share in (0.05, 0.15):
    found = ratio_at(
        run_race(two_labs(1.2, commons__publication_share=share, **HEAD, run__max_doublings=14)), [2, 8, 14]
    )
    rows.append((f"{share:.0%}", *(f"{value:.2f}" for value in found)))
    assert (found[2] > found[1] > found[0]) == (share < 0.2 / 2.2)
table(("leak", "ratio at 2 doublings", "at 8", "at 14"), rows)

# %% [markdown]
"""
**In short.** Without exchange, returns above 1 let a leader run away, and a month's lead becomes everything. Leaks stop
that only if they are large and quick. Compute that follows success lets a leader run away at lower returns.

**What is not simulated.** The labs here need no experiments and no training runs. Experiments wait for GPUs, and
deployment waits for training: both slow a leader, as in [notebook 2](2_stalls.md). Labs do not choose what to publish
in response to the others, humans do not move between labs, and no state intervenes. The races are a reference, not a
forecast. [Several labs](../explanation/several-labs.md) has the model and its limits, and [Compare labs in a
race](../how-to/compare-labs-in-a-race.md) the command for labs with a cluster.
"""
