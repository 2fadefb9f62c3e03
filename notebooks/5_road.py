# %% [markdown]
"""
# 5. The road to ASARA

The other notebooks begin on the day on which AIs do all AI research (ASARA). How does a lab get there? At first humans
do everything. AIs then take over one kind of task after another, and humans do the rest. This notebook follows one lab
from its first day to ASARA and beyond. It shows why a lab with 95% of its tasks automated is only 20 times as fast.

The lab is the shipped scenario `road-to-asara`, at 1:100: 15 humans stand for 1,488. A paper consists of ten kinds of
tasks. AIs can do the easiest kind once deployed software has doubled once, and the hardest after five doublings. These
thresholds are our choice.
"""

# %%
import numpy as np

from experiments.plotting.slides import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    RED,
    SKY,
    format_factor_axis,
    label_line_end,
    slide,
    slides,
    table,
)
from sim.ai_path import multipliers_on_path
from sim.multiplier import AiLevel, multipliers
from sim.runner import run
from sim.scenario.model import Scenario

road = Scenario.load("road-to-asara").replace(run__max_doublings=10)
result = run(road, seed=0)
day_of_asara = result.road.asara_day
for sentence in result.road.sentences:
    print(sentence)

# %% [markdown]
"""
## Software and automation

Papers improve *discovered* software at once. AIs get better only when a training run has *deployed* it. Deployed
software therefore rises in steps, and with it the share of tasks that AIs can do.
"""

# %%
series = {name: np.array(values) for name, values in result.series.items()}
with slides(
    "Software doubles within weeks after ASARA",
    f"software and the tasks that AIs can do, over days; dotted: ASARA, day {day_of_asara:,.0f}",
    rows=2,
    sharex=True,
    height_ratios=[1.6, 1.0],
) as panels:
    software, share = panels
    software.plot(series["day"], series["discovered"], color=BLUE)
    software.step(series["day"], series["deployed"], where="post", color=ORANGE)
    label_line_end(software, series["day"][-1], series["discovered"][-1], "discovered", BLUE)
    label_line_end(software, series["day"][-1], series["deployed"][-1], "deployed", ORANGE)
    software.set(ylim=(0, 11))
    software.set_title("software")
    format_factor_axis(software)
    share.step(series["day"], 100 * series["share_automated"], where="post", color=GREEN)
    share.set(xlabel="days", xlim=(0, 1650), ylim=(-3, 106))
    share.set_title("% of the tasks of a paper that AIs can do")
    for axes in panels:
        axes.axvline(day_of_asara, color=BLACK, linestyle=":", linewidth=1.4)

durations = [doubling.duration_days for doubling in result.doublings]
table(("doubling of software", "days"), [(number, f"{days:.0f}") for number, days in enumerate(durations, start=1)])
assert durations[2] > durations[0] > 5 * durations[-1]

# %% [markdown]
"""
The first three doublings take longer each time, as in a lab of humans alone. Each needs more papers than the one
before, and hiring does not keep up. Then AIs do part of each paper, and doublings get shorter. After ASARA they take
one to three weeks.

## Who does the work

Humans write papers together with AIs until ASARA. The AIs of that time are *assistants*: they do their tasks of each
paper and cannot write one on their own. On the day of ASARA they become *researchers*, which do.
"""

# %%
names = {"humans": BLUE, "assistants": ORANGE, "researchers": GREEN}
with slide(
    "AIs assist humans before ASARA, and are researchers after it",
    f"humans and AIs of the lab over days; dotted: ASARA, day {day_of_asara:,.0f}",
) as axes:
    for name, colour in names.items():
        shown = series[name] > 0
        axes.step(series["day"][shown], series[name][shown], where="post", color=colour)
    axes.set(yscale="log", xlabel="days", xlim=(0, 1650), ylim=(8, 90_000))
    label_line_end(axes, series["day"][-1], series["humans"][-1], "humans", BLUE)
    label_line_end(axes, series["day"][-1], series["researchers"][-1], "AI researchers", GREEN)
    before = series["assistants"] > 0
    label_line_end(axes, 500, series["assistants"][before][0] * 5, "AI assistants", ORANGE, xytext=(0, 0), ha="right")
    axes.axvline(day_of_asara, color=BLACK, linestyle=":", linewidth=1.4)
    format_factor_axis(axes, "")
at_asara = int(np.searchsorted(series["day"], day_of_asara))
assert series["researchers"][at_asara - 2] == 0 < series["researchers"][-1]
assert (series["assistants"] > series["humans"])[: at_asara - 1].all()
print(f"on the last day: {result.road.humans:,} humans and {result.road.researchers:,} AI researchers")

# %% [markdown]
"""
On every day before ASARA there are more assistants than humans. Progress still depends on the humans, because each
paper waits for the tasks that only they can do.

## The AI research multiplier

How much do the AIs of a day speed up research? Put them into the lab of day 0, keep everything else, and compare the
pace with that of the lab's own AIs. The equations give it on each day on which AIs learn a kind of task.
"""

# %%
dated = multipliers_on_path(road, result.ai_path)
days = [0.0, *(each.day for each in dated)]
values = [1.0, *(each.multiplier.value for each in dated)]
with slide(
    "The multiplier is about 10 before ASARA, and 388 on its day",
    "pace of the lab of day 0 with the AIs of the day, relative to its own",
) as axes:
    axes.step(days, values, where="post", color=ORANGE)
    axes.plot(days[1:-1], values[1:-1], "o", color=ORANGE)
    axes.set(yscale="log", xlabel="days", xlim=(0, 1650), ylim=(0.8, 1000))
    axes.set_yticks([1, 2, 5, 10, 100], minor=False)
    axes.set_yticks([], minor=True)
    format_factor_axis(axes)
    for day, value in list(zip(days, values, strict=True))[1:-1]:
        side = {"xytext": (-7, 9), "ha": "right"}
        label_line_end(axes, day, value, f"{value:.3g}×", ORANGE, **side)
assert values[-2] > 100 and 9 < values[-3] <= 10

# %% [markdown]
"""
## The squeeze

Tasks are in series: a paper needs the same work on each. Suppose AIs can do a share f. A human then spends 1 − f of the
former time on a paper, so the lab writes 1/(1 − f) times as many papers. More AIs do not change that. At f = 95% it is
20 times.

The picture compares this law with labs that are frozen at a share f. The lab has 20 kinds of tasks here. Each human
keeps 40 papers in progress. Diamonds are simulated worlds of agents, dots are the equations. On the lowest line each
human keeps ten papers in progress, as in the scenario. They then wait for AIs, which need days for their part.
"""

# %%
KINDS = 20
fine = road.replace(automation__kinds=KINDS, humans__papers_in_progress=40.0)
thresholds = fine.automation.thresholds()
levels = [AiLevel(0.0, 0.0), *(AiLevel.of_software(float(each)) for each in thresholds[: KINDS - 1])]
shares = np.arange(KINDS) / KINDS
equations = [each.value for each in multipliers(fine, levels, engine="fluid")]
waiting = [each.value for each in multipliers(fine.replace(humans__papers_in_progress=10.0), levels, engine="fluid")]
AT = (10, 16, 19)
worlds = multipliers(fine, [levels[number] for number in AT], seeds=(0, 1), papers=200)
with slide(
    "At 95% automation a lab is 20 times as fast, and not more",
    "pace of a frozen lab relative to humans alone, over the share of tasks automated",
) as axes:
    smooth = np.linspace(0, 0.955, 400)
    axes.plot(100 * smooth, 1 / (1 - smooth), color=BLACK, linestyle=(0, (4, 3)), linewidth=1.4)
    axes.plot(100 * shares, equations, "o", color=SKY, markersize=6)
    axes.plot(100 * shares, waiting, "o-", color=RED, markersize=4, linewidth=1.2)
    axes.plot(100 * shares[list(AT)], [each.value for each in worlds], "D", color=BLUE, markersize=11, fillstyle="none")
    axes.set(xlim=(0, 109), ylim=(0, 23), xlabel="% of the tasks of a paper that AIs can do")
    axes.set_xticks([0, 20, 40, 60, 80, 95])
    label_line_end(axes, 93, 17.5, "1/(1 − f)", BLACK, xytext=(-12, 0), ha="right")
    label_line_end(axes, 40, 12.5, "◇ simulated worlds", BLUE, xytext=(0, 0), ha="right")
    label_line_end(axes, 40, 10.8, "● equations", SKY, xytext=(0, 0), ha="right")
    label_line_end(axes, 95, waiting[-1], "ten papers\nin progress", RED, va="top", fontsize=11.5)
    axes.set_yticks([1, 5, 10, 15, 20], ["1×", "5×", "10×", "15×", "20×"])
for number, world in zip(AT, worlds, strict=True):
    assert abs(world.value * (1 - shares[number]) - 1) < 0.06
assert np.allclose(equations, 1 / (1 - shares), rtol=0.02) and waiting[-1] < 10

# %% [markdown]
"""
At 100% the humans no longer limit the lab. It is then 388 times as fast, and GPUs for experiments are the limit. The
day of ASARA is therefore the day on which AIs can do the last kind of task.

## Three thresholds

Here are three labs that differ only in the capability at which AIs can do the hardest kind: 3, 4 or 5 doublings of
software.
"""

# %%
LAST = {3.0: SKY, 4.0: GREEN, 5.0: BLUE}
labs = {last: run(road.replace(automation__last_threshold=last), seed=0) for last in LAST if last < 5} | {5.0: result}
with slide(
    "The last threshold sets the day of ASARA",
    "discovered software over days; dots: ASARA, if AIs can do the hardest kind of task at 3, 4 or 5 doublings",
) as axes:
    for last, lab in labs.items():
        day, software = lab.road.asara_day, np.array(lab.series["discovered"])
        axes.plot(lab.series["day"], software, color=LAST[last])
        height = float(np.interp(day, lab.series["day"], software))
        axes.plot(day, height, "o", color=LAST[last], markersize=9)
        label_line_end(
            axes,
            lab.series["day"][-1],
            software[-1],
            f"at {last:g}:\nday {day:,.0f}",
            LAST[last],
            xytext=(0, 8),
            ha="center",
            va="bottom",
            fontsize=12,
        )
    axes.set(xlim=(0, 1650), ylim=(0, 11.9), xlabel="days")
    format_factor_axis(axes)
rows = []
for last, lab in labs.items():
    day = lab.road.asara_day
    before = [each.duration_days for each in lab.doublings if each.day <= day]
    after = [each.duration_days for each in lab.doublings if each.day > day]
    rows.append((f"{last:g}", f"{day:,.0f}", f"{before[-1]:.0f}", f"{min(after):.1f}"))
table(("last threshold", "day of ASARA", "last doubling before it [days]", "fastest after it [days]"), rows)
found = [lab.road.asara_day for lab in labs.values()]
assert found == sorted(found) and found[2] - found[0] > 365

# %% [markdown]
"""
## Exercise

Suppose that one kind of task in ten remains with humans for ever (`automation__never_share`). What is the largest
multiplier that the lab can reach? What would you need to change so that it is 20? Decide before you read on.

**Answer.** With f at most 90% the multiplier is at most 10, with any software. For 20, the share that remains must be
half as large: one kind in twenty. Humans must also keep enough papers in progress. Twice the papers in progress alone
change nothing, because the humans are the limit. By the equations, with the software of eight and of twelve doublings:
"""

# %%
ends = [AiLevel.of_software(8.0), AiLevel.of_software(12.0)]
LABS = {
    "1 in 10": {"automation__kinds": 10, "automation__never_share": 0.1},
    "1 in 20": {"automation__kinds": 20, "automation__never_share": 0.05},
}
rows = []
for name, changes in LABS.items():
    for papers in (20.0, 40.0):
        lab = road.replace(humans__papers_in_progress=papers, **changes)
        answers = [each.value for each in multipliers(lab, ends, engine="fluid")]
        rows.append((name, f"{papers:g}", *(f"{value:.1f}" for value in answers)))
        assert abs(answers[0] / answers[1] - 1) < 0.01
table(("kinds left to humans", "papers in progress", "8 doublings", "12 doublings"), rows)
assert float(rows[0][2]) <= 10 and 19 < float(rows[-1][2]) <= 20

# %% [markdown]
"""
**In short.** Before ASARA the tasks that remain with humans are the limit, so half of the tasks automated make a lab
only twice as fast. ASARA is the day on which no task remains. From then on GPUs decide, as in [notebook
2](2_stalls.md). To try another road, type `asara milestones road-to-asara --set automation__last_threshold=4`. [Before
full automation](../explanation/before-full-automation.md) has the sources of the inputs and the traps.
"""
