# %% [markdown]
"""
# 2. Where does it stall?

In the [report's arithmetic](1_report.md) researchers do nothing but think. A real lab also tries things out: papers
need experiments, experiments need GPUs, and what is found helps nobody before a new model has been trained. All of
it shares one cluster that does not grow. Where would an explosion get stuck?

Here is a lab with 1,024 GPUs: half of them house the researchers, a quarter trains, the rest runs experiments. Its
returns to research are r = 1.4, the report's figure for image recognition, so the law alone would explode.
"""

# %%
import numpy as np

from experiments.analysis import alone_curve
from experiments.slides import BLACK, BLUE, GREEN, ORANGE, PINK, RED, SKY, bare, end, factors, slide, slides, table
from sim.fluid import run_fluid
from sim.run import run
from sim.scenario import Scenario

lab = Scenario.load("lab").replace(run__max_doublings=8, run__horizon_days=1500.0, run__individuals_up_to=300)

# %% [markdown]
"""
## Four labs

Two questions make four labs. Must a discovery wait for a *training run*? And do *experiments* get cheaper as
algorithms improve, or must they keep up with the frontier? Here the first is answered no and yes; for the second
take both extremes.
"""

# %%
CHEAP, COSTLY = {"researcher__experiment_scaling": 0.0}, {"researcher__experiment_scaling": 1.0}
FREE, TRAINED = {"training__needed": False}, {"training__needed": True}
LABS = {
    "cheap experiments, no training": CHEAP | FREE,
    "cheap experiments, training": CHEAP | TRAINED,
    "frontier experiments, no training": COSTLY | FREE,
    "frontier experiments, training": COSTLY | TRAINED,
}
COLOURS = dict(zip(LABS, (RED, PINK, SKY, BLUE), strict=True))
runs = {name: run(lab.replace(**changes), seed=1) for name, changes in LABS.items()}

# %%
with slide("The same law, four futures", "growth of software; dashed: the law alone, which nothing holds up") as axes:
    law = alone_curve(runs["cheap experiments, no training"], 200)
    axes.plot(*law, color=BLACK, linestyle=(0, (4, 3)), linewidth=1.4)
    for name, result in runs.items():
        days = [0.0, *(doubling.day for doubling in result.doublings)]
        axes.plot(days, range(len(days)), "o-", color=COLOURS[name], markersize=5)
    for name, x, y in zip(runs, (152, 240, 388, 385), (8, 8.4, 8.5, 6.5), strict=True):
        label = name.replace(", ", ",\n") if x > 300 else name
        end(axes, x, y, label, COLOURS[name], fontsize=11.5)
    axes.set(xlim=(0, 500), ylim=(0, 9), xlabel="days")
    factors(axes)
assert runs["cheap experiments, no training"].verdict.name == "explosion"
assert runs["frontier experiments, no training"].verdict.name == "fizzle"

# %% [markdown]
"""
With cheap experiments and no training the run stays close to the law. Training runs cost much of the speed;
experiments that must stay at the frontier turn the explosion into a fizzle.

## Where the time goes

Every researcher-day that the discovered software could have given is counted once: spent thinking and writing,
waiting for experiments, or not there because of training.
"""

# %%
PARTS = {
    "researchers": (GREEN, "thinking and writing"),
    "experiments": (ORANGE, "experiments"),
    "training": (PINK, "training"),
}
with slide("What holds the lab up", "share of the researchers' time, by what it goes into") as axes:
    for row, result in enumerate(runs.values()):
        left = 0.0
        for part, (colour, label) in PARTS.items():
            share = result.time_shares[part]
            axes.barh(-row, share, left=left, color=colour, height=0.62)
            if share > 0.06:
                axes.text(left + share / 2, -row, f"{share:.0%}", ha="center", va="center", color=BLACK, fontsize=15)
            if row == 3:
                axes.text(left + share / 2, -3.56, label, ha="center", color=colour, fontsize=12.5)
            left += share
    axes.set_yticks([0, -1, -2, -3], [name.replace(", ", ",\n") for name in runs])
    axes.set_xticks([])
    bare(axes)

# %% [markdown]
"""
## The two camps

How much do experiments matter? One camp says that better algorithms make experiments cheaper, so that compute
hardly binds. The other says that only experiments near the size of the frontier teach anything, and those never get
cheaper. Both are one number here, s: an experiment costs 2^(-(1 - s)) of what it did before each doubling of
software. The equations (`--engine fluid`) give the mean path in a second, so we can turn s as we like.
"""

# %%
SCALINGS = (0.0, 0.25, 0.5, 0.75, 1.0)
longer = lab.replace(run__max_doublings=9)
camps = [run_fluid(longer.replace(researcher__experiment_scaling=s, **FREE)) for s in SCALINGS]
with slides(
    "One number separates the camps", "s: how closely experiments must follow the frontier; no training runs", columns=2
) as panels:
    for s, result, colour in zip(SCALINGS, camps, (RED, ORANGE, GREEN, SKY, BLUE), strict=True):
        numbers, lengths = zip(*((each.n, each.duration_days) for each in result.doublings), strict=True)
        panels[0].plot(numbers, lengths, "o-", color=colour, markersize=5)
        if s > 0:
            name = f"s = {s:g}" if s > 0.25 else "s ≤ 0.25"
            end(panels[0], numbers[-1], lengths[-1], name, colour, xytext=(7, 24 * (s - 0.45) if s < 0.75 else 0))
    panels[0].set(xlabel="doubling of software", ylim=(0, None), xlim=(0.8, 9.2))
    panels[0].set_title("days that a doubling takes")
    panels[1].bar([f"{s:g}" for s in SCALINGS], [100 * each.time_shares["experiments"] for each in camps], color=ORANGE)
    panels[1].set(xlabel="s", ylim=(0, 100))
    panels[1].set_title("% of time in experiments")

rows = []
for s, result in zip(SCALINGS, camps, strict=True):
    lengths = [each.duration_days for each in result.doublings]
    fastest = int(np.argmin(lengths))
    after = f"{lengths[-1] / lengths[fastest]:.1f} times as long" if fastest + 1 < len(lengths) else "it is the ninth"
    rows.append((f"{s:g}", f"number {fastest + 1}: {lengths[fastest]:.0f} days", after, result.limited_by))
table(("s", "fastest doubling", "the ninth, beside it", "limited by"), rows)

# %% [markdown]
"""
With s up to a quarter each doubling is faster than the one before, all the way. From a half on the lab speeds up as
well, and then turns round: the GPUs are full. The larger s, the sooner.

## Would more GPUs help?

At s = 1 a lab wants twice the GPUs for experiments with each doubling of software, so more GPUs only put the day
off:
"""

# %%
rows = []
for gpus in (512, 1024, 4096, 16384):
    size = {"cluster__gpus": gpus, "researcher__initial": lab.researcher.initial}
    result = run_fluid(longer.replace(**size, **COSTLY, **FREE))
    lengths = [doubling.duration_days for doubling in result.doublings]
    turn = int(np.argmin(lengths)) + 1
    rows.append((f"{gpus:,}", turn, f"{lengths[0]:.0f}", f"{lengths[-1]:.0f}", result.limited_by))
table(("GPUs", "fastest doubling", "days of the first", "days of the ninth", "limited by"), rows)

# %% [markdown]
"""
**In short.** In this lab it is neither ideas nor GPUs alone. Training runs cost a steady share of the pace;
experiments that must stay at the frontier decide whether there is an explosion at all, and more GPUs move the
moment when they bind. Whoever wants to know whether to expect an explosion should ask what experiments will cost
ten doublings from now. Try it: `asara run lab-frontier-experiments`, `asara bottleneck`. [The next
notebook](3_kernels.md) asks whether better software for the GPUs themselves gets a lab out of this.
"""
