"""What the command shows on a terminal: live progress, tables, sentences."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from rich import box
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from experiments.cli.terminal import console, is_live, live_console, print_table
from experiments.reproduction.comparison import MEANINGS, Outcome
from experiments.text.scenario_changes import Change, changes_of, changes_text
from sim.notebook_display import factor
from sim.reporters import REPORTERS, gpus_idle

if TYPE_CHECKING:
    from experiments.reproduction.comparison import Comparison
    from experiments.text.explain import Meanings
    from sim.reporters import Doubling
    from sim.runner import KernelSummary, RunResult
    from sim.scenario.model import Parameter
    from sim.world import World

MAX_ROWS = 40
"""Doublings that a table shows; of more it shows the first and the last."""

SECONDS_BETWEEN_LINES = 30.0
"""Between lines about a run that goes on, if stderr is not a terminal."""

SHARES = {
    "researchers": "thinking and writing",
    "experiments": "waiting for GPUs and for results",
    "paused": "without a GPU",
}
"""What researchers' time goes into."""


class Show(Protocol):
    """Shows a world after a frame."""

    def __call__(self, world: World) -> None:
        """Show it."""


def print_text(text: str = "") -> None:
    """Print a line of plain text, wrapped to the terminal; nothing in it is markup."""
    console().print(text, markup=False, highlight=False)


def format_number(value: float | None) -> str:
    """Return a number for reading: four digits, thousands apart, no powers of ten where they can be helped."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-3:
        return f"{value:.3g}"
    return f"{value:,.0f}" if size >= 1000 or value == int(value) else f"{value:.4g}"


@contextmanager
def progress(clock: Callable[[], float] = time.monotonic) -> Iterator[Show]:
    """Show a run while it goes, on stderr: a bar on a terminal, else a line after every half minute.

    ``clock``: returns seconds.
    """
    if not is_live(sys.stderr):
        yield _lines(clock)
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        console=live_console(),
        transient=True,
    )
    with bar:
        task = bar.add_task("day 0", total=1.0)

        def show(world: World) -> None:
            days, doublings = world.scenario.run.horizon_days, world.scenario.run.max_doublings
            done = max(world.now / days, world.doublings / doublings)
            bar.update(task, completed=done, description=_moment(world))

        yield show


def _lines(clock: Callable[[], float]) -> Show:
    shown_at = clock()

    def show(world: World) -> None:
        nonlocal shown_at
        if clock() - shown_at >= SECONDS_BETWEEN_LINES:
            shown_at = clock()
            print(
                f"of {world.scenario.run.horizon_days:,.0f} days at most: {_moment(world)}", file=sys.stderr, flush=True
            )

    return show


def _moment(world: World) -> str:
    total = world.scenario.cluster.gpus
    queue = sum(REPORTERS[f"{use}_waiting"](world) for use in ("experiments", "training"))
    return (
        f"day {world.now:,.0f} · {world.doublings} doublings · {world.active_researchers:,} researchers · "
        f"{total - gpus_idle(world):,}/{total:,} GPUs busy · {queue:,} jobs queue"
    )


def show_result(result: RunResult, changes: list[Change] | None = None) -> None:
    """Print a run: its doublings, what it did, where it leads, why it stopped, and where time and GPUs went.

    ``changes``: what was changed of its scenario, by default of the shipped one of the same name.
    """
    print_text(_heading(result, changes_of(result.scenario) if changes is None else changes))
    print_text()
    if result.doublings:
        print_table(_doublings_table(result.doublings))
    print_text(f"What this run did: {_within(result.pace.sentence)}")
    print_text(f"Where it leads: {_within(result.long_run.sentence)}")
    print_text(result.sentence)
    print_text(
        f"After {format_number(result.day)} days (ending: {result.ending}): software "
        f"{factor(result.software_doublings)} "
        f"discovered, {factor(result.deployed_doublings)} deployed; {format_number(result.researchers)} researchers, "
        f"{format_number(result.papers)} papers."
    )
    print_text(result.margins.sentence)
    if result.margins.training_sentence:
        print_text(result.margins.training_sentence)
    shares = ", ".join(f"{SHARES[part]} {share:.0%}" for part, share in result.time_shares.items())
    print_text(f"Researchers' time: {shares}.")
    if duplicates := _duplicates(result):
        print_text(duplicates)
    print_text(kernels_line(result.kernels))
    print_table(_cluster_table(result))


def _duplicates(result: RunResult) -> str:
    """What duplicates cost, in a sentence; nothing where a duplicate counts as much as any other paper."""
    weight = result.scenario.literature.duplicate_weight
    if weight == 1 or not result.duplicate_share:
        return ""
    said = f"Duplicates: {result.duplicate_share:.1%} of the papers, each of which counts {weight:g} of a paper."
    if result.toes_exponent is None:
        return said
    return f"{said} As the team changed, n researchers found as much that was new as n^{result.toes_exponent:.3f}."


def _heading(result: RunResult, changes: list[Change]) -> str:
    """The scenario, its changes, and its description, which holds for it without them."""
    scenario = result.scenario
    luck = "engine: fluid, no chance and so no seed" if result.engine == "fluid" else f"seed {result.seed}"
    head = f"{scenario.name} ({luck})"
    if not changes:
        return f"{head}: {scenario.description}" if scenario.description else f"{head}."
    without = f" {scenario.name} without changes: {scenario.description}" if scenario.description else ""
    return f"{head}, changed: {changes_text(changes)}.{without}"


def _within(sentence: str) -> str:
    """A sentence after a colon."""
    return sentence[:1].lower() + sentence[1:]


def kernels_line(kernels: KernelSummary) -> str:
    """Return in one sentence what became of attention, and what it was worth."""
    if not kernels.calibrated:
        return "Kernels: uncalibrated, speed-up 1."
    return (
        f"Kernels: {kernels.speedup:.3g}x attention after {format_number(round(kernels.candidates))} "
        "candidates (measured, "
        f"{kernels.workload}, {kernels.description}) → work rate {kernels.work_rate:.3g}x."
    )


def _doublings_table(doublings: Sequence[Doubling]) -> Table:
    table = _table(
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
    table = _table(
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


def show_scenarios(rows: Sequence[dict[str, str]]) -> None:
    """Print the shipped scenarios: name, sentence, source."""
    table = _table(("scenario", "left"), ("what it is", "left"), ("source", "left"), lines=True)
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(row["name"], row["description"], row["source"])
    print_table(table)


def show_parameters(parameters: Sequence[Parameter]) -> None:
    """Print all parameters, a table for each block."""
    for block in dict.fromkeys(parameter.block for parameter in parameters):
        table = _table(("parameter", "left"), ("default", "right"), ("allowed", "left"))
        table.columns[0].no_wrap = True
        for parameter in parameters:
            if parameter.block == block:
                table.add_row(parameter.flat_name, _abbreviated(parameter.default), parameter.allowed)
        print_table(table)
    print_text("`asara explain NAME` tells what one of them means and where its default comes from.")


def show_meanings(found: Meanings) -> None:
    """Print what a word means: terms of the glossary, parameters in full if they are few, others by name."""
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
    table = _table(("other parameters" if in_full or found.terms else "parameters", "left"), ("meaning", "left"))
    table.columns[0].no_wrap = True
    for parameter in listed[:MAX_LISTED]:
        table.add_row(parameter.flat_name, parameter.meaning.partition(". ")[0].rstrip("."))
    print_table(table)
    more = len(listed) - MAX_LISTED
    print_text(
        f"{f'{more} more have the word. ' if more > 0 else ''}`asara explain NAME` explains one of them in full."
    )


MAX_IN_FULL = 3
"""Parameters that are explained in full when a word names them."""
MAX_LISTED = 12


def show_parameter(parameter: Parameter) -> None:
    """Print one parameter: meaning, unit, bounds, default, source."""
    print_text(parameter.flat_name)
    print_text(parameter.meaning)
    print_text()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("default", _abbreviated(parameter.default))
    table.add_row("unit", parameter.unit or "-")
    table.add_row("allowed", parameter.allowed)
    table.add_row("source", parameter.source or "-")
    table.add_row("in a file", f"[{parameter.block}] {parameter.name} = {toml(parameter.default)}")
    table.add_row("for a run", f"--set {parameter.flat_name}={_plain_value(parameter.default)}")
    print_table(table)
    print_text()


def show_rows(rows: Iterable[Comparison], false_alarm: float) -> Counter[Outcome]:
    """Print the rows of a comparison as they come, then the number of rows of each outcome, which is returned.

    ``false_alarm``: probability that any row of a right simulator is called refuted.
    """
    outcomes: Counter[Outcome] = Counter()
    for row in rows:
        outcomes[row.outcome] += 1
        print_text(f"{row.row}: {row.outcome}")
        lines = {"says": row.says, "exact": row.exact, "simulated": row.simulated, "note": row.note}
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
        for name, text in lines.items():
            if text:
                table.add_row(name, text)
        print_table(table)
    print_text()
    print_text(", ".join(f"{number} {outcome}" for outcome, number in outcomes.items()))
    print_text()
    for outcome in outcomes:
        print_text(f"{outcome}: {MEANINGS[outcome]}")
    print_text(f"All intervals together miss a right figure with a probability of at most {false_alarm:.0%}.")
    return outcomes


def toml(value: Any) -> str:
    """Return a value as a scenario file would say it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value!r}"


def _abbreviated(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else toml(value)


def _plain_value(value: Any) -> str:
    return value if isinstance(value, str) else toml(value)


def _table(*columns: tuple[str, str], lines: bool = False) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_lines=lines, pad_edge=False)
    for title, justify in columns:
        table.add_column(title, justify=justify)  # type: ignore[arg-type]  # rich spells the four words out
    return table
