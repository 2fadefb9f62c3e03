# %% [markdown]
"""
# 4. A sweep, from design to answer

A single run is not evidence. How probable is an explosion if its main inputs are uncertain? One input is the returns
to research. Another is the *parallelization penalty* ("stepping on toes"). Many researchers at once find less than
the same number one after the other, because they find the same things. And which decisions of a lab would change the
answer?

A *design* lists what is uncertain and what can be chosen. A *sweep* runs the design. The analysis reports the
results. This is a small example, on a lab of 8 researchers and 32 GPUs.

## The design

A design is a file. `[uncertainties]` contains the prior of each uncertain parameter, `[levers]` the values between
which a lab could choose. Three parameters are uncertain here:

- the returns to research r (`growth__r`), as in [notebook 1](1_report.md);
- the parallelization penalty p (`growth__parallel_penalty`): n researchers at once find as much as n^p one after the
  other. 1 means that there is no penalty; a smaller p means a larger penalty;
- how closely experiments must follow the frontier, s (`researcher__experiment_scaling`), as in [notebook
  2](2_stalls.md).

The lever is whether a new generation needs a training run (`training__required`).
"""

# %%
from pathlib import Path

from experiments.cli.app import main
from experiments.design.design import load_design
from experiments.plotting.slides import BLUE, RED, SKY, label_line_end, slide, table
from experiments.sweep import query
from experiments.sweep.analysis import explosion_probability, lever_effects, report, scenario_discovery, sensitivity
from experiments.sweep.analysis.combinations import combinations
from experiments.sweep.analysis.sweep_data import load
from sim.fluid.api import run_fluid

Path("mine.toml").write_text("""
description = "Does a small lab explode, with and without training runs?"
base = "lab"
sampling = "sobol"
n = 64

[set]
researcher__initial = 8
growth__calibrated_for = 8
training__first_run_gpus = 8
cluster__gpus = 32
run__max_doublings = 5
run__horizon_days = 400.0
run__sample_days = 10.0
run__max_individuals = 32

[uncertainties.growth__r]
distribution = "lognormal"
ci80 = [0.5, 2.0]

[uncertainties.growth__parallel_penalty]
distribution = "uniform"
low = 0.4
high = 1.0

[uncertainties.researcher__experiment_scaling]
distribution = "uniform"
low = 0.0
high = 1.0

[levers]
training__required = [true, false]
""")
design = load_design("mine.toml")
print(f"{len(design)} runs: {design.points} points, {design.combinations} choices at each")

# %% [markdown]
"""
The range of r is the report's best guess with hardware fixed: 0.5 to 2, used as an 80% interval (`ci80`: one draw in
ten lies below, one in ten above). Half of it is below 1, the threshold of an explosion. For p the report's figures
use 1, and a later study (Davidson and Houlden, 2025) 0.15 to 0.6. Here it is between 0.4 and 1. The range of s
covers both views of notebook 2.

*Sobol'* points are spread more evenly over these ranges than random draws. Every run is a world of agents with its
own random seed; `engine = "fluid"` would use the equations instead.

## The sweep

This is what `asara sweep mine.toml` does. You can stop it at any moment; the same command continues it.
"""

# %%
assert main(["sweep", "mine.toml", "--out", "mine", "--workers", "1"]) == 0

# %% [markdown]
"""
Every run is a row of one table, with all its parameters and results. SQL queries can be run on it:
"""

# %%
counts = query.query(
    Path("mine"),
    """select training__required, long_run, pace, count(*) as runs, avg(day) as days
       from runs group by all order by training__required, runs desc, long_run, pace""",
)
table(
    ("training needed", "long run", "pace", "runs", "mean day of the end"),
    [
        (str(row["training__required"]).lower(), row["long_run"], row["pace"], row["runs"], f"{row['days']:.0f}")
        for row in counts.to_pylist()
    ],
)

# %% [markdown]
"""
The pace of a run may be *undecided*: in a lab as small as this one, five doublings often vary too much by chance.
The long run follows from the parameters of the row. It does not depend on chance or on when the run stops.

## How probable is an explosion?

An explosion means that doubling times shrink without limit (long_run = singular).
"""

# %%
sweep = load(Path("mine"))
chances = explosion_probability.plane_table(sweep, "growth__r", "training__required").to_pylist()
with slide(
    "Explosions need high returns, and are rarer with training runs",
    "probability that doubling times shrink without limit, by quarter of r, with 95% intervals",
) as axes:
    for needed, name, colour, shift in (
        ("no", "without training runs", RED, -0.03),
        ("yes", "with training runs", BLUE, 0.03),
    ):
        cells = [cell for cell in chances if cell["training__required"] == needed]
        middle = [cell["p_long_run_singular"] for cell in cells]
        reach = [
            [m - c["low"] for m, c in zip(middle, cells, strict=True)],
            [c["high"] - m for m, c in zip(middle, cells, strict=True)],
        ]
        axes.errorbar([at + shift for at in range(len(cells))], middle, reach, fmt="o-", color=colour, capsize=5)
        label_line_end(axes, len(cells) - 1, middle[-1], name, colour, xytext=(12, 0))
    axes.set_xticks(range(len(cells)), [f"r {cell['growth__r']}" for cell in cells])
    axes.set(ylim=(-0.03, 1.05))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
for part in combinations(sweep):
    share = explosion_probability.probability(part.sweep)
    print(f"{part.text}: {share.share:.0%} [{share.low:.0%}, {share.high:.0%}]")

# %% [markdown]
"""
## Which inputs matter most?

Each run with training has a twin without, at the same point and with the same random seed. The difference between
twins is therefore due to training alone. For the uncertainties the picture compares the worlds without training runs
in the lowest and in the highest tenth of each.
"""

# %%
for effect in lever_effects.lever_effects(sweep):
    if effect.outcome == "explosion":
        interval = f"[{100 * effect.low:+.0f}, {100 * effect.high:+.0f}]"
        print(f"training needed instead of not: {100 * effect.difference:+.0f} points {interval}")
        print("in the probability that long_run = singular")
        assert effect.high < 0

# %%
NAMES = {
    "growth__r": "returns to research",
    "growth__parallel_penalty": "parallelization penalty",
    "researcher__experiment_scaling": "experiments at the frontier",
}
without = combinations(sweep)[0]
assert without.values == {"training__required": "no"}
bars = sensitivity.tornado_table(without.sweep, "explosion").to_pylist()
with slide(
    "Frontier experiments and low returns prevent most explosions",
    "share with long_run = singular, without training runs, in the lowest (low) and highest (high) tenth of each",
) as axes:
    for row, bar in enumerate(bars):
        low, high = bar["at_low"], bar["at_high"]
        if bar["parameter"] == "growth__parallel_penalty":  # a larger p is a smaller penalty
            low, high = high, low
        axes.plot([low, high], [-row, -row], color=BLUE, linewidth=9, alpha=0.3)
        axes.plot(low, -row, "o", color=SKY, markersize=11)
        axes.plot(high, -row, "o", color=BLUE, markersize=11)
    label_line_end(axes, bars[0]["at_high"], 0.36, "high", BLUE, xytext=(0, 0), ha="center")
    label_line_end(axes, bars[0]["at_low"], 0.36, "low", SKY, xytext=(0, 0), ha="center")
    axes.set_yticks([-row for row in range(len(bars))], [NAMES[bar["parameter"]] for bar in bars])
    axes.set(xlim=(-0.03, None), ylim=(0.5 - len(bars), 0.6))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")

# %% [markdown]
"""
## Which combinations lead to explosions?

PRIM, the *patient rule induction method*, looks for a box of parameters in which explosions are frequent. It removes
thin slices from the whole range, each time the one that leaves the highest share of explosions. It stops when the
box has a high share and still contains most explosions. From 200 points on it searches on one half of them and
counts on the other. This sweep has fewer points. It counts on the points on which it searched, so the share in the
box is biased upwards.
"""

# %%
box = scenario_discovery.find_explosion_box(sweep)
print(scenario_discovery.box_sentence(sweep, box))
assert not box.held_out
assert "training__required" not in box.bounds and "growth__parallel_penalty" not in box.bounds
assert box.bounds["growth__r"][0] > 1 and box.bounds["researcher__experiment_scaling"][1] < 0.5

# %% [markdown]
"""
The box has r above 1 and experiments that get cheaper as software improves. It contains runs with training runs and
without them. It is not bounded by the parallelization penalty either, because of `growth__returns_to = "inputs"`: r
then includes the penalty. Three runs of one lab that differ only in p and in this reading show it, by the equations
and without training runs:
"""

# %%
lab = design.scenario(design.planned(0)).replace(
    growth__r=1.5, researcher__experiment_scaling=0.0, training__required=False, run__horizon_days=1000.0
)
READINGS = [("inputs", 1.0), ("inputs", 0.4), ("effort", 0.4)]
twins = [run_fluid(lab.replace(growth__returns_to=to, growth__parallel_penalty=p)) for to, p in READINGS]
table(
    ("r is returns to", "p", "each doubling over the one before", "pace", "long run"),
    [
        (to, f"{p:g}", f"{twin.pace.ratio:.2f}", twin.pace.name, twin.long_run.kind)
        for (to, p), twin in zip(READINGS, twins, strict=True)
    ],
)
assert [twin.long_run.kind for twin in twins] == ["singular", "singular", "fizzle"]
assert [twin.pace.name for twin in twins] == ["speeding up", "speeding up", "slowing down"]

# %% [markdown]
"""
With returns to inputs a smaller p makes the explosion slower but does not prevent it. With returns to effort the
same p turns it into a fizzle, because an explosion then needs r p > 1.

## The answer

`asara analyse mine` writes all of this and more as one page. It begins with the paragraph below, which compares the
lowest and the highest *quarter* of r, with training and without. The picture above used tenths, so its ends lie
farther apart.
"""

# %%
print(report.summary_paragraph(sweep))
