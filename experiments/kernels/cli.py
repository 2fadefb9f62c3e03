"""`asara kernels`: measure, tune, report and verify attention kernels. Each command loads what it needs itself."""
# ruff: noqa: PLC0415

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
    help="Really propose, validate and time attention kernels on this machine.",
)

DEFAULT = Path("kernels.jsonl")


Workloads = Annotated[
    list[str] | None,
    typer.Option("--workload", metavar="NAME", help="short, long, causal, wide or decode. May be repeated."),
]
DtypeName = Annotated[str | None, typer.Option("--dtype", metavar="fp32|bf16|fp16", help="The numbers.")]
Pass = Annotated[str, typer.Option("--pass", metavar="forward|backward|both", help="Which pass of training.")]


def lab() -> KernelEnvironment:
    """Return this machine and its families; tests put others in their place."""
    from experiments.kernels.measurement_sessions import real_lab

    return real_lab()


def _end(code: int) -> None:
    if code:
        raise typer.Exit(code)


@app.command()
def machine(as_json: AsJson = False) -> None:
    """Say what this machine has: its roofline, the families that can run here, and what isolates foreign source."""
    from experiments.kernels import commands

    _end(commands.machine(lab(), as_json))


@app.command()
def measure(
    workload: Workloads = None,
    dtype: DtypeName = None,
    direction: Pass = "forward",
    out: Annotated[
        Path | None,
        typer.Option(parser=path_argument, metavar="TRACE", help="Write what was measured into this new file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Time every family that can run here against eager attention and torch's SDPA; exit 1 if it is too noisy."""
    from experiments.kernels import commands

    asked = commands.named(workload or [], dtype, direction)
    commands.check_new_file(out)
    _end(commands.measure(lab(), asked, out, as_json))


@app.command()
def tune(
    workload: Workloads = None,
    dtype: DtypeName = None,
    direction: Pass = "forward",
    family: Annotated[
        str | None, typer.Option(metavar="NAME", help="See `asara kernels machine`; the best it has if left out.")
    ] = None,
    proposer: Annotated[
        str, typer.Option(metavar="NAME", help="naive, random, hill-climb, evolve, autotune or llm.")
    ] = "hill-climb",
    budget: Annotated[int, typer.Option(min=1, max=100_000, help="Candidates that each search tries.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Names the luck of the first search; the next has the next.")] = 0,
    searches: Annotated[int, typer.Option(min=1, max=1000, help="Repeated searches; an interval needs three.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_argument, metavar="TRACE", help=f"The file of what was tried; {DEFAULT} if left out."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the searches that are in the trace.")] = False,
    mode: Annotated[str, typer.Option(metavar="live|record|replay|scripted", help="Of the llm proposer.")] = "live",
    tape: Annotated[
        Path | None,
        typer.Option(
            parser=path_argument, metavar="FILE", help="Of the llm proposer; ready replies are one JSON a line."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search for a faster kernel, measure the winner afresh, and say what is proved; Ctrl-C loses nothing."""
    from experiments.kernels import commands

    search = commands.SearchOptions(
        workload or [], dtype, direction, family, proposer, mode, tape, budget, seed, searches
    )
    _end(commands.tune(lab(), search, out or DEFAULT, resume, as_json))


@app.command()
def report(
    trace: Annotated[list[Path] | None, typer.Argument(help="Traces; those that come with asara if left out.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="WORKLOAD/DTYPE/PASS", help="Nothing but causal/bf16/both. May be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(parser=path_argument, metavar="DIR", help="Write report.json and searches.png here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was measured: each way of getting a kernel, the Kernel Gap, searches and what effort buys."""
    from experiments.kernels import commands

    _end(commands.report(trace or [], only or [], out, as_json))


@app.command()
def verify(
    source: Annotated[
        Path, typer.Argument(help="A C++ file with one function, `attention`; see docs/explanation/kernels.md.")
    ],
    workload: Workloads = None,
    dtype: DtypeName = None,
    direction: Pass = "forward",
    as_json: AsJson = False,
) -> None:
    """Try one foreign kernel in the sandbox: right? safe? how fast? Exit 1 if it did not pass, or it is too noisy."""
    from experiments.kernels import commands

    asked = commands.named(workload or ["causal"], dtype, direction)
    _end(commands.verify(lab(), source, asked, as_json))


@app.command()
def worth(
    scenario: Annotated[str, typer.Option(help="A shipped scenario or a TOML file, with measured kernels.")] = "lab",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter of it. May be repeated."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100_000, help="Pairs of runs, with and without kernels.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Say by how many days measured kernels bring a simulated lab forward: the same luck with and without them."""
    from experiments.kernels import commands

    _end(commands.worth(scenario, settings or [], seeds, as_json))
