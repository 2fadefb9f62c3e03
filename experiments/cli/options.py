"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from experiments.errors import InputError

Command = Literal["mc", "sweep", "run"]
"""Commands that read a file of one's own, for which there is a template."""

ScenarioName = Annotated[str, typer.Argument(help="A shipped scenario (see `asara scenarios`) or a TOML file.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter: cluster__gpus=64. May be repeated."),
]
Seed = Annotated[int, typer.Option(min=0, help="Names all luck of the run.")]
Goal = Annotated[
    str | None,
    typer.Option(
        metavar="MULTIPLE",
        help="Run until software is so many times that of day 0: 1000x, 30x, 1e6x. Sets run__max_doublings, and a "
        "horizon of ten years unless one is set.",
    ),
]
PictureFormat = Annotated[
    Literal["png", "svg", "pdf"] | None, typer.Option("--format", help="Format of the picture in --out.")
]
PictureShape = Annotated[
    Literal["page", "wide"] | None,
    typer.Option("--shape", help="Shape of the picture in --out: for a page, or wide (16:9) for a slide."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def path_argument(text: str) -> Path:
    """Return a path that somebody named. Raises BadParameter for the empty one: this folder, which nobody meant."""
    if not text.strip():
        raise typer.BadParameter("the name is empty")
    return Path(text)


New = Annotated[
    Path | None,
    typer.Option(
        "--new", parser=path_argument, metavar="FILE", help="Write a commented file to start from, and run nothing."
    ),
]


def write_new(command: Command, path: Path, others: str = "") -> NoReturn:
    """Write the template of a command, print what to do with it, and end.

    Raises InputError if ``others``, the name of a file to run, was typed too.
    """
    from experiments.cli.run_table import print_text  # noqa: PLC0415
    from experiments.storage.templates import write_template  # noqa: PLC0415

    if others:
        raise InputError(f"--new = {path} writes a file and runs nothing; allowed: without '{others}'. Leave that out.")
    print_text(write_template(command, path))
    raise typer.Exit
