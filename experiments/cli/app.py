"""Assemble the `asara` command from the commands of the packages, and turn errors into sentences and exit codes."""
# ruff: noqa: PLC0415

from __future__ import annotations

import os
import sys
import warnings
from functools import cache
from typing import Annotated, Any, Final

import typer

from experiments.bottleneck.command import bottleneck
from experiments.cli.command import explain, scenarios
from experiments.cli.interrupts import SignalsAsInterrupt
from experiments.cli.streams import quiet_libraries, safe_streams
from experiments.cli.typed_numbers import read_typed_numbers
from experiments.detection.command import detect
from experiments.errors import InputError, require_own_agents
from experiments.estimation.command import fit
from experiments.governance.command import policies
from experiments.kernels.command import app as kernels
from experiments.milestones.command import milestones
from experiments.monte_carlo.command import mc
from experiments.race.command import race
from experiments.replay.command import replay
from experiments.reproduction.command import reproduce
from experiments.run.command import run
from experiments.solve.command import solve
from experiments.sweep.analysis.command import analyse
from experiments.sweep.command import results, sweep
from experiments.window.command import show

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
_COMMANDS: Final = (
    fit,
    solve,
    replay,
    sweep,
    results,
    analyse,
    show,
    run,
    scenarios,
    explain,
    mc,
    bottleneck,
    milestones,
    race,
    policies,
    detect,
    reproduce,
)
for _command in _COMMANDS:
    app.command()(_command)


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


if __name__ == "__main__":
    sys.exit(main())
