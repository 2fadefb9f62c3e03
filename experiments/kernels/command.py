"""Declare `asara kernels`: measure, tune, report and verify attention kernels."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.options import AsJson, path_argument

if TYPE_CHECKING:
    from experiments.kernels.measurement_sessions import KernelEnvironment

app = typer.Typer(
    name="kernels",
    add_completion=False,
    rich_markup_mode=None,
    help="Search for fast attention kernels; validate and time them on this machine.",
)

DEFAULT_TRACE = Path("kernels.jsonl")
"""Trace file that `asara kernels tune` writes by default."""


Workloads = Annotated[
    list[str] | None,
    typer.Option("--workload", metavar="NAME", help="Workload: short, long, causal, wide or decode. May be repeated."),
]
DtypeName = Annotated[str | None, typer.Option("--dtype", metavar="fp32|bf16|fp16", help="Data type of the inputs.")]
Direction = Annotated[str, typer.Option("--pass", metavar="forward|backward|both", help="Pass of the attention layer.")]


def kernel_environment() -> KernelEnvironment:
    """Return this machine and its kernel families; tests replace this function."""
    from experiments.kernels.measurement_sessions import local_environment

    return local_environment()


def _exit_with(code: int) -> None:
    if code:
        raise typer.Exit(code)


@app.command()
def machine(as_json: AsJson = False) -> None:
    """Show the roofline of this machine, the kernel families that run on it, and the isolation of untrusted source."""
    from experiments.kernels import actions

    _exit_with(actions.machine(kernel_environment(), as_json))


@app.command()
def measure(
    workload: Workloads = None,
    dtype: DtypeName = None,
    direction: Direction = "forward",
    out: Annotated[
        Path | None,
        typer.Option(parser=path_argument, metavar="TRACE", help="Write the measurements to this new file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Time each available family against eager attention and torch's SDPA; exit 1 if the machine is too noisy."""
    from experiments.kernels import actions

    workloads = actions.resolve_workloads(workload or [], dtype, direction)
    actions.check_new_file(out)
    _exit_with(actions.measure(kernel_environment(), workloads, out, as_json))


@app.command()
def tune(
    workload: Workloads = None,
    dtype: DtypeName = None,
    direction: Direction = "forward",
    family: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Kernel family, see `asara kernels machine`. Default: the fastest available."
        ),
    ] = None,
    proposer: Annotated[
        str, typer.Option(metavar="NAME", help="Search strategy: naive, random, hill-climb, evolve, autotune or llm.")
    ] = "hill-climb",
    budget: Annotated[int, typer.Option(min=1, max=100_000, help="Number of candidates that each search tries.")] = 100,
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed of the first search; each further search uses the next seed.")
    ] = 0,
    searches: Annotated[
        int, typer.Option(min=1, max=1000, help="Number of repeated searches; a confidence interval needs three.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_argument, metavar="TRACE", help=f"The file of what was tried; {DEFAULT_TRACE} if left out."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the searches in the trace.")] = False,
    mode: Annotated[
        str, typer.Option(metavar="live|record|replay|scripted", help="Source of the replies of the llm proposer.")
    ] = "live",
    tape: Annotated[
        Path | None,
        typer.Option(
            parser=path_argument,
            metavar="FILE",
            help="Recorded replies of the llm proposer; for --mode scripted, one JSON object a line.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search for a faster kernel, re-measure the winner and report its speed-up; Ctrl-C keeps all finished trials."""
    from experiments.kernels import actions

    search = actions.SearchOptions(
        workload or [], dtype, direction, family, proposer, mode, tape, budget, seed, searches
    )
    _exit_with(actions.tune(kernel_environment(), search, out or DEFAULT_TRACE, resume, as_json))


@app.command()
def report(
    trace: Annotated[
        list[Path] | None, typer.Argument(help="Trace files. Default: the measurements that come with asara.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="WORKLOAD/DTYPE/PASS",
            help="Report only this workload, such as causal/bf16/both. May be repeated.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_argument, metavar="DIR", help="Write report.json and searches.png to this folder."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Report measurements: speed-up by method, Kernel Gap, searches, and speed-up by number of candidates."""
    from experiments.kernels import actions

    _exit_with(actions.report(trace or [], only or [], out, as_json))


@app.command()
def verify(
    source: Annotated[
        Path, typer.Argument(help="C++ file that defines the function `attention`; see docs/explanation/kernels.md.")
    ],
    workload: Workloads = None,
    dtype: DtypeName = None,
    direction: Direction = "forward",
    as_json: AsJson = False,
) -> None:
    """Check one untrusted kernel in the sandbox: correctness, safety and speed.

    Exit 1 if the kernel does not pass or the machine is too noisy.
    """
    from experiments.kernels import actions

    workloads = actions.resolve_workloads(workload or ["causal"], dtype, direction)
    _exit_with(actions.verify(kernel_environment(), source, workloads, as_json))


@app.command()
def worth(
    scenario: Annotated[
        str, typer.Option(help="Shipped scenario or TOML file that names kernel measurements.")
    ] = "lab",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter of the scenario. May be repeated."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=100_000, help="Number of pairs of runs, with and without kernels.")
    ] = 8,
    as_json: AsJson = False,
) -> None:
    """Estimate how many days measured kernels save a simulated lab, from runs with and without them on equal seeds."""
    from experiments.kernels import actions

    _exit_with(actions.worth(scenario, settings or [], seeds, as_json))
