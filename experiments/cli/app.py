"""Define the `asara` command. Each subcommand imports its own modules, so that `asara --help` answers at once."""
# ruff: noqa: PLC0415

from __future__ import annotations

import os
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

import typer

from experiments.cli.interrupts import SignalsAsInterrupt
from experiments.cli.options import (
    AsJson,
    Goal,
    New,
    PictureFormat,
    PictureShape,
    ScenarioName,
    Seed,
    Settings,
    path_argument,
    write_new,
)
from experiments.cli.replay_command import replay
from experiments.cli.streams import quiet_libraries, safe_streams
from experiments.cli.typed_numbers import read_typed_numbers
from experiments.errors import InputError, require_own_agents
from experiments.estimation.command import fit
from experiments.kernels.cli import app as kernels
from experiments.solve.command import solve
from experiments.sweep.analysis.command import analyse
from experiments.sweep.cli import results, sweep
from experiments.window.command import show

if TYPE_CHECKING:
    from experiments.text.scenario_changes import Change
    from sim.runner import RunResult
    from sim.scenario.model import Scenario
    from sim.world import World

BAD_INPUT = 2
"""Exit code of a command that could not do its work."""
_RENAMED_OPTIONS: Final = {"--until-researchers": "--stop-at-researchers"}
"""Present name of an option by its name in the release before; the old names go with the next release."""
_ABORTED = 130
"""Exit code that typer returns after an unhandled Ctrl-C."""
_UsageError: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""Exception that typer raises for an invalid command line.

typer has a private copy of click, so the class is looked up by its name.
"""

app = typer.Typer(
    name="asara",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Simulate AI systems that do AI research: researchers, a fixed GPU cluster and retraining on one clock.",
)


app.add_typer(kernels)
app.command()(fit)
app.command()(solve)
app.command()(replay)
app.command()(sweep)
app.command()(results)
app.command()(analyse)
app.command()(show)

EngineName = Annotated[
    Literal["world", "fluid"],
    typer.Option(
        "--engine",
        help="world: individual agents with randomness. fluid: the same law as equations, without a seed.",
    ),
]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; print an error as one sentence on stderr."""
    with safe_streams() as output, SignalsAsInterrupt():
        code = _run(arguments)
        sys.stdout.flush()
        if code == 0 and output.failure is not None:
            reason = output.failure.strerror or output.failure
            code = _report_error(f"the output cannot be printed ({reason}); the requested files are written")
    return code


def _run(arguments: list[str] | None) -> int:
    try:
        with quiet_libraries():
            given = sys.argv[1:] if arguments is None else arguments
            code = command()(list(map(_current_option, given)), prog_name="asara", standalone_mode=False)
    except KeyboardInterrupt:
        code = _ABORTED
    except Exception as error:
        sentence = _describe_error(error)
        if sentence is None:
            raise
        return _report_error(sentence)
    return _report_error("stopped; nothing more was written") if code == _ABORTED else int(code or 0)


def _current_option(argument: str) -> str:
    """Return an argument with the present name of its option; an old name is translated with a FutureWarning."""
    name, equals, value = argument.partition("=")
    present = _RENAMED_OPTIONS.get(name)
    if present is None:
        return argument
    warnings.warn(f"{name} is deprecated; use {present}", FutureWarning, stacklevel=2)
    return f"{present}{equals}{value}"


@cache
def command() -> Any:
    """Return the whole command; its numbers may be written as 1,024 or 1e3."""
    built = typer.main.get_command(app)
    read_typed_numbers(built)
    return built


def _report_error(sentence: str) -> int:
    print(f"asara: {' '.join(sentence.split())}", file=sys.stderr)
    return BAD_INPUT


def _describe_error(error: Exception) -> str | None:
    """Describe an error that the input caused; return None for a defect of asara."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, _UsageError):
        usage: Any = error
        context = getattr(usage, "ctx", None)
        path = context.command_path if context is not None else "asara"
        return f"{usage.format_message().rstrip('.')} (`{path} --help` lists what is allowed)"
    if isinstance(error, OSError):
        reason = os.strerror(error.errno) if error.errno else str(error)
        return f"{error.filename or 'a required file'}: cannot be read or written ({reason})"
    from sim.scenario.model import ScenarioError

    return str(error) if isinstance(error, ScenarioError) else None


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"asara {version('asara')}")
        raise typer.Exit


@app.callback()
def before_every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Simulate AI systems that do AI research: researchers, a fixed GPU cluster and retraining on one clock."""
    require_own_agents()


@app.command()
def run(
    scenario: ScenarioName = "lab",
    settings: Settings = None,
    seed: Seed = 0,
    until: Annotated[
        float | None, typer.Option(metavar="DAYS", help="Last day of the run (run__horizon_days).")
    ] = None,
    stop_at_researchers: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="Stop at N active researchers, such as 1e9, within ten years (run__stop_at_researchers)."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_argument, metavar="DIR", help="Write tables, run.json and a figure into this folder."),
    ] = None,
    goal: Goal = None,
    picture: PictureFormat = None,
    shape: PictureShape = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Also write the tables in --out as CSV files.")] = False,
    as_xlsx: Annotated[bool, typer.Option("--xlsx", help="Also write the tables as an Excel workbook.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace a run that --out already contains.")] = False,
    engine: EngineName = "world",
    new: New = None,
    as_json: AsJson = False,
) -> None:
    """Run a scenario and print its growth and its use of GPUs."""
    if new is not None:
        write_new("run", new, "" if scenario == "lab" else scenario)
    from experiments.cli.arguments import load_scenario
    from experiments.cli.terminal import print_text
    from experiments.gains import parse_goal
    from experiments.text.scenario_changes import changes_of

    multiple = None if goal is None else parse_goal(goal)
    chosen = load_scenario(scenario, settings or [], until, stop_at_researchers, multiple)
    used = {"--format": picture, "--shape": shape, "--csv": as_csv, "--xlsx": as_xlsx, "--fresh": fresh}
    _check_out(out, next((name for name, value in used.items() if value), ""), fresh, as_xlsx)
    base = load_scenario(scenario, [])
    changes = changes_of(chosen, base)
    requested = RequestedSettings(out, picture or "png", shape or "page", as_csv, as_xlsx, as_json, multiple, changes)
    if not as_json and (note := chosen.recalibration_since(base)):
        print_text(note)
    if engine == "fluid":
        from sim.fluid.api import run_fluid

        _report(run_fluid(chosen), requested)
        return
    from experiments.cli.expected_length import note_on_length, refuse_out_of_reach

    refuse_out_of_reach(chosen)
    if note := note_on_length(chosen):
        print(f"asara: {note}", file=sys.stderr, flush=True)
    _run_world(chosen, seed, requested)


def _run_world(chosen: Scenario, seed: int, requested: RequestedSettings) -> None:
    """Run a scenario with agents, show its progress, and report it. Raises InputError if it was interrupted."""
    from experiments.cli.interrupts import GracefulInterrupt
    from experiments.cli.progress import run_progress
    from sim.runner import run as run_scenario

    with GracefulInterrupt() as interrupt:
        with run_progress() as on_frame:

            def is_interrupted(world: World) -> bool:
                interrupt.clock = world.clock
                on_frame(world)
                return interrupt.happened

            result = run_scenario(chosen, seed, is_interrupted)
        _report(result, requested)
    if result.ending == "interrupted":
        kept = f"the run so far is in {requested.out}" if requested.out else "nothing was written without --out"
        raise InputError(f"interrupted at day {result.day:g}; {kept}")


def _check_out(out: Path | None, needs_out: str, fresh: bool, as_xlsx: bool) -> None:
    """Refuse a folder that is not writable or contains a run, and an option (``needs_out``) that needs a folder."""
    from experiments.cli.arguments import check_folder, refuse_stored_run
    from experiments.workbook import require_openpyxl

    if as_xlsx:
        require_openpyxl()
    if out is not None:
        check_folder(out)
        if not fresh:
            refuse_stored_run(out)
    elif needs_out:
        raise InputError(_NEEDS_OUT.format(needs_out))


_NEEDS_OUT = "{} applies to the files in --out; allowed: together with --out. Add --out DIR."


class RequestedSettings(NamedTuple):
    """Output that `asara run` is to print and to write."""

    out: Path | None
    picture: Literal["png", "svg", "pdf"]
    shape: Literal["page", "wide"]
    as_csv: bool
    as_xlsx: bool
    as_json: bool
    goal: float | None
    """Multiple of the software level of day 0 [1]; None if there is no goal."""
    changes: list[Change]
    """Parameters that differ from the named scenario."""


def _report(result: RunResult, requested: RequestedSettings) -> None:
    """Write a run if a folder is named, then print it; files are complete even if printing fails."""
    from experiments.cli.run_table import show_result
    from experiments.cli.terminal import print_text
    from experiments.gains import day_of_gain, goal_sentence
    from experiments.storage.run_store import ended, summary

    days, out = [doubling.day for doubling in result.doublings], requested.out
    goal_text = "" if requested.goal is None else goal_sentence(requested.goal, days, ended(result))
    names: list[str] = []
    if out is not None:
        from experiments.plotting.run_figure import run_picture
        from experiments.storage.atomic import report_write_errors
        from experiments.storage.run_store import write_run

        figure = run_picture(result, requested.picture, requested.shape, requested.changes)
        with report_write_errors(out):
            names = write_run(out, result, figure, requested.picture, requested.as_csv, requested.as_xlsx)
    if requested.as_json:
        from experiments.cli.terminal import print_json

        goal = requested.goal and {
            "multiple": requested.goal,
            "day": day_of_gain(requested.goal, days),
            "sentence": goal_text,
        }
        print_json(summary(result) | ({"goal": goal} if goal else {}))
        return
    show_result(result, requested.changes)
    if goal_text:
        print_text(goal_text)
    if out is not None:
        print_text(f"Written to {out}: {', '.join(names)}.")


@app.command()
def scenarios(as_json: AsJson = False) -> None:
    """List the shipped scenarios."""
    from experiments.cli.run_table import show_scenarios
    from sim.scenario.model import Scenario, shipped_scenarios

    loaded = [Scenario.load(name) for name in shipped_scenarios()]
    rows = [{"name": each.name, "description": each.description, "source": each.source} for each in loaded]
    if as_json:
        from experiments.cli.terminal import print_json

        print_json({"scenarios": rows})
    else:
        show_scenarios(rows)


@app.command()
def explain(
    word: Annotated[
        list[str] | None,
        typer.Argument(
            help="A parameter, the end of its name, a symbol (p, s, r) or a word; lists all parameters if left out."
        ),
    ] = None,
) -> None:
    """Explain a parameter or a word of the glossary.

    A parameter has its meaning, its allowed values, its default and the source of the default.
    """
    from experiments.cli.run_table import show_meanings, show_parameters
    from experiments.text.explain import find_meanings
    from sim.scenario.model import parameters

    if not word:
        show_parameters(list(parameters().values()))
    else:
        show_meanings(find_meanings(" ".join(word)))


@app.command()
def mc(
    priors: Annotated[
        str | None,
        typer.Argument(help="Priors: successor, successor-retraining, report, report-fixed-hardware, or a TOML file."),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, max=10_000_000, help="Number of worlds to draw.")] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_argument, metavar="DIR", help="Write mc.json, mc.csv and a figure into this folder."),
    ] = None,
    picture: PictureFormat = None,
    shape: PictureShape = None,
    new: New = None,
    as_json: AsJson = False,
) -> None:
    """Estimate the probability of each outcome from priors.

    The command runs a Monte Carlo analysis over uncertain inputs, which a TOML file describes.
    """
    if new is not None:
        write_new("mc", new, priors or "")
    if priors is None:
        raise InputError("PRIORS is missing; allowed: a name or a TOML file. `asara mc --new my.toml` writes one.")
    from experiments.cli.progress import count_progress
    from experiments.cli.terminal import print_json, print_text
    from experiments.monte_carlo.loading import load_priors, summarize, write
    from experiments.monte_carlo.runner import run_study
    from experiments.monte_carlo.table import show_outcome

    chosen = load_priors(priors)
    if out is not None:
        from experiments.cli.arguments import check_folder

        check_folder(out)
    elif needs_out := "--format" * (picture is not None) or "--shape" * (shape is not None):
        raise InputError(_NEEDS_OUT.format(needs_out))
    with count_progress(n, "worlds") as on_count:
        drawn, worlds = run_study(chosen.study, n, seed, on_count=on_count)
    found = summarize(chosen, n, seed, drawn, worlds)
    if out is not None:
        from experiments.monte_carlo.figure import mc_picture

        form = picture or "png"
        names = write(out, found, mc_picture(found, chosen.study, drawn, worlds, form, shape or "page"), form)
    if as_json:
        print_json(found)
        return
    show_outcome(found)
    if out is not None:
        print_text(f"Written to {out}: {', '.join(names)}.")


@app.command()
def bottleneck(
    scenario: Annotated[
        str, typer.Argument(help="A shipped scenario or a TOML file whose researchers run experiments.")
    ] = "lab",
    settings: Settings = None,
    doublings: Annotated[
        str,
        typer.Option(metavar="N,N,...", help="Software levels at which the lab is fixed and measured, in doublings."),
    ] = "0,2,4,6,8",
    seeds: Annotated[int, typer.Option(min=1, max=100_000, help="Runs of each lab; more runs are more precise.")] = 4,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_argument, metavar="DIR", help="Write bottleneck.json and bottleneck.png into this folder."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure whether researchers or GPUs limit progress.

    The command measures the effect of more researchers or more GPUs on output, and how well one substitutes for the
    other.
    """
    from experiments.bottleneck.command import measure

    measure(scenario, settings or [], doublings, seeds, out, as_json)


@app.command()
def reproduce(
    seeds: Annotated[int, typer.Option(min=2, max=1_000_000, help="Runs of each row that is random.")] = 1000,
    data: Annotated[
        Path | None,
        typer.Option(
            parser=path_argument, metavar="DIR", help="Folder of the real job logs; the default is ASARA_DATA."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the simulator with theory and published numbers.

    The rows compare it with published numbers, queueing theory and real logs. Exits with 1 if a row is refuted.
    """
    from experiments.cli.run_table import show_rows
    from experiments.cli.terminal import print_json
    from experiments.reproduction.intervals import FALSE_ALARM
    from experiments.reproduction.report_claims import find_data, rows

    found = rows(seeds, find_data(data))
    if as_json:
        listed = [row._asdict() for row in found]
        print_json({"rows": listed, "false_alarm_rate": FALSE_ALARM})
        outcomes = {row["outcome"] for row in listed}
    else:
        outcomes = set(show_rows(found, FALSE_ALARM))
    if "refuted" in outcomes:
        raise typer.Exit(1)


if __name__ == "__main__":
    sys.exit(main())
