"""Print a run, the scenarios, the parameters and the comparisons of `asara reproduce` as tables and sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from experiments.cli.terminal import make_table, make_value_table, print_table, print_text
from experiments.governance.summary import governance_sentence
from experiments.reproduction.comparison import MEANINGS, Outcome
from experiments.text.number_format import format_number, plain_value, short_toml_value, toml_value
from experiments.text.scenario_changes import Change, changes_of, changes_text
from sim.notebook_display import factor

if TYPE_CHECKING:
    from experiments.reproduction.comparison import Comparison
    from experiments.text.explain import Meanings
    from sim.run_statistics import Doubling
    from sim.runner import KernelSummary, RunResult
    from sim.scenario.model import Parameter

MAX_ROWS = 40
"""Doublings that a table shows; from a longer list it shows the first and the last."""
MAX_IN_FULL = 3
"""Parameters that are explained in full if a word names them."""
MAX_LISTED = 12
"""Parameters that are listed by name if a word occurs in their meaning."""
TIME_SHARE_LABELS = {
    "researchers": "thinking and writing",
    "experiments": "waiting for GPUs and for results",
    "paused": "without a GPU",
}
"""What researchers spend their time on, by the key of the share."""
PAUSED_BY_ORDERS = "without a GPU or held by orders"
"""Label of the time of AIs that do no research, in a run with a regulator."""


def show_result(result: RunResult, changes: list[Change] | None = None) -> None:
    """Print a run: its doublings, its pace, its long run, why it stopped, and how time and GPUs were used.

    ``changes``: changed parameters; by default the differences from the shipped scenario of the same name.
    """
    print_text(_format_heading(result, changes_of(result.scenario) if changes is None else changes))
    print_text()
    if result.doublings:
        print_table(_doublings_table(result.doublings))
    print_text(f"What this run did: {_lower_first(result.pace.sentence)}")
    print_text(f"Where it leads: {_lower_first(result.long_run.sentence)}")
    print_text(result.sentence)
    if result.road is not None:
        print_text(f"The road to ASARA: {' '.join(result.road_sentences)}")
    if result.governance is not None:
        print_text(governance_sentence(result))
    print_text(
        f"After {format_number(result.day)} days (ending: {result.ending}): software "
        f"{factor(result.software_doublings)} discovered, {factor(result.deployed_doublings)} deployed; "
        f"{format_number(result.researchers)} researchers, {_describe_humans(result)}"
        f"{format_number(result.papers)} papers."
    )
    margins = result.margins
    print_text(margins.sentence)
    if margins.training_sentence:
        print_text(margins.training_sentence)
    labels = TIME_SHARE_LABELS | ({"paused": PAUSED_BY_ORDERS} if result.governance is not None else {})
    shares = ", ".join(f"{labels[part]} {share:.0%}" for part, share in result.time_shares.items())
    if any(result.time_shares.values()):
        print_text(f"Researchers' time: {shares}.")
    if duplicates := _describe_duplicates(result):
        print_text(duplicates)
    print_text(kernels_line(result.kernels))
    print_table(_cluster_table(result))


def _describe_humans(result: RunResult) -> str:
    """Describe the humans at the end and the AIs that assist them, for an enumeration; empty without humans."""
    names = ("humans", "assistants", "share_automated")
    humans, ais, share = (result.series[name][-1] if result.series.get(name) else 0 for name in names)
    if not humans:
        return ""
    assisting = f" with {format_number(ais)} assisting AIs" if ais and share else ""
    return f"{format_number(humans)} humans{assisting}, "


def _describe_duplicates(result: RunResult) -> str:
    """Describe the cost of duplicates; return nothing if a duplicate counts as much as any other paper."""
    weight = result.scenario.literature.duplicate_weight
    if weight == 1 or not result.duplicate_share:
        return ""
    text = f"Duplicates: {result.duplicate_share:.1%} of the papers, each of which counts as {weight:g} of a paper."
    if result.toes_exponent is None:
        return text
    return f"{text} As the team changed, the new findings of n researchers grew as n^{result.toes_exponent:.3f}."


def _format_heading(result: RunResult, changes: list[Change]) -> str:
    """Name the scenario, its seed and its changes, and describe the scenario as it is without them."""
    scenario = result.scenario
    seed = "engine: fluid, no randomness and so no seed" if result.engine == "fluid" else f"seed {result.seed}"
    head = f"{scenario.name} ({seed})"
    if not changes:
        return f"{head}: {scenario.description}" if scenario.description else f"{head}."
    without = f" {scenario.name} without changes: {scenario.description}" if scenario.description else ""
    return f"{head}, changed: {changes_text(changes)}.{without}"


def _lower_first(sentence: str) -> str:
    """Begin a sentence with a small letter, for use after a colon."""
    return sentence[:1].lower() + sentence[1:]


def kernels_line(kernels: KernelSummary) -> str:
    """Describe in one sentence the speed-up of the attention kernel and its effect on the work rate."""
    if not kernels.calibrated:
        return "Kernels: uncalibrated, speed-up 1."
    return (
        f"Kernels: {kernels.speedup:.3g}x attention after {format_number(round(kernels.candidates))} "
        f"candidates (measured, {kernels.workload}, {kernels.description}) → work rate {kernels.work_rate:.3g}x."
    )


def _doublings_table(doublings: Sequence[Doubling]) -> Table:
    table = make_table(
        ("doubling", "right"), ("day", "right"), ("took days", "right"), ("papers", "right"), ("researchers", "right")
    )
    half = MAX_ROWS // 2
    cut = len(doublings) > MAX_ROWS
    shown = [*doublings[:half], *doublings[-half:]] if cut else doublings
    for row, doubling in enumerate(shown):
        if cut and row == half:
            table.add_row("...", "", "", "", "")
        table.add_row(
            *(
                format_number(value)
                for value in (doubling.n, doubling.day, doubling.duration_days, doubling.papers, doubling.researchers)
            )
        )
    return table


def _cluster_table(result: RunResult) -> Table:
    table = make_table(
        ("GPUs for", "left"),
        ("jobs over", "right"),
        ("GPU-days", "right"),
        ("in use", "right"),
        ("mean wait, days", "right"),
    )
    for use, kind in result.cluster.items():
        table.add_row(
            use,
            format_number(kind.jobs),
            format_number(kind.gpu_days),
            f"{kind.utilisation:.1%}",
            format_number(kind.mean_wait_days) if kind.jobs else "-",
        )
    return table


def show_scenarios(rows: Sequence[dict[str, str]], title: str = "scenario") -> None:
    """Print shipped scenarios: name, description, source. ``title``: that of the column of names."""
    table = make_table((title, "left"), ("description", "left"), ("source", "left"), lines=True)
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(row["name"], row["description"], row["source"])
    print_table(table)


def show_parameters(parameters: Sequence[Parameter]) -> None:
    """Print all parameters, with one table for each block."""
    for block in dict.fromkeys(parameter.block for parameter in parameters):
        table = make_table(("parameter", "left"), ("default", "right"), ("allowed", "left"))
        table.columns[0].no_wrap = True
        for parameter in parameters:
            if parameter.block == block:
                table.add_row(parameter.flat_name, short_toml_value(parameter.default), parameter.allowed)
        print_table(table)
    print_text("`asara explain NAME` explains one of them: its meaning, default and source.")


def show_meanings(found: Meanings) -> None:
    """Print the meanings of a word: glossary terms, parameters in full if they are few, other parameters by name."""
    for term in found.terms:
        print_text(f"{term.name}: {term.meaning}.")
        print_text()
    every = [*found.parameters, *found.mentioned]
    in_full = every if len(every) == 1 else found.parameters if len(found.parameters) <= MAX_IN_FULL else []
    for parameter in in_full:
        show_parameter(parameter)
    listed = [parameter for parameter in every if parameter not in in_full]
    if not listed:
        return
    table = make_table(("other parameters" if in_full or found.terms else "parameters", "left"), ("meaning", "left"))
    table.columns[0].no_wrap = True
    for parameter in listed[:MAX_LISTED]:
        table.add_row(parameter.flat_name, parameter.meaning.partition(". ")[0].rstrip("."))
    print_table(table)
    more = len(listed) - MAX_LISTED
    print_text(
        f"{f'{more} more contain the word. ' if more > 0 else ''}`asara explain NAME` explains one of them in full."
    )


def show_parameter(parameter: Parameter) -> None:
    """Print one parameter: meaning, unit, bounds, default, source."""
    print_text(parameter.flat_name)
    print_text(parameter.meaning)
    print_text()
    table = make_value_table()
    table.add_row("default", short_toml_value(parameter.default))
    table.add_row("unit", parameter.unit or "-")
    table.add_row("allowed", parameter.allowed)
    table.add_row("source", parameter.source or "-")
    table.add_row("in a file", f"[{parameter.block}] {parameter.name} = {toml_value(parameter.default)}")
    table.add_row("for a run", f"--set {parameter.flat_name}={plain_value(parameter.default)}")
    print_table(table)
    print_text()


def show_rows(rows: Iterable[Comparison], false_alarm: float) -> Counter[Outcome]:
    """Print the rows of a comparison one by one, then count the outcomes, and return the counts.

    ``false_alarm``: probability that any row of a correct simulator is reported as refuted.
    """
    outcomes: Counter[Outcome] = Counter()
    for row in rows:
        outcomes[row.outcome] += 1
        print_text(f"{row.row}: {row.outcome}")
        lines = {"says": row.says, "exact": row.exact, "simulated": row.simulated, "note": row.note}
        table = make_value_table(indent=2)
        for name, text in lines.items():
            if text:
                table.add_row(name, text)
        print_table(table)
    print_text()
    print_text(", ".join(f"{number} {outcome}" for outcome, number in outcomes.items()))
    print_text()
    for outcome in outcomes:
        print_text(f"{outcome}: {MEANINGS[outcome]}")
    print_text(f"The probability that any of the intervals misses a correct value is at most {false_alarm:.0%}.")
    return outcomes
