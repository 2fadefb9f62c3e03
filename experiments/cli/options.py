"""Define the options that several commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from experiments.errors import InputError
from experiments.storage.templates import TemplateCommand, write_template

ScenarioName = Annotated[str, typer.Argument(help="A shipped scenario (see `asara scenarios`) or a TOML file.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter, such as cluster__gpus=64. May be repeated."),
]
Seed = Annotated[int, typer.Option(min=0, help="Random seed.")]
Goal = Annotated[
    str | None,
    typer.Option(
        metavar="MULTIPLE",
        help="Stop when software is this many times better than on day 0, such as 1000x. Sets run__max_doublings, "
        "and a horizon of ten years unless one is set.",
    ),
]
PictureFormat = Annotated[
    Literal["png", "svg", "pdf"] | None, typer.Option("--format", help="Format of the figure in --out.")
]
PictureShape = Annotated[
    Literal["page", "wide"] | None,
    typer.Option("--shape", help="Shape of the figure in --out: page, or wide (16:9) for a slide."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def path_argument(text: str) -> Path:
    """Return the path that a text names. Raises BadParameter for an empty text, which would mean the current folder."""
    if not text.strip():
        raise typer.BadParameter("the name is empty; allowed: the path of a file or folder")
    return Path(text)


New = Annotated[
    Path | None,
    typer.Option(
        "--new",
        parser=path_argument,
        metavar="FILE",
        help="Write a commented template file to start from, and run nothing.",
    ),
]


def write_new(command: TemplateCommand, path: Path, others: str = "") -> NoReturn:
    """Write the template of a command, print the next step, and exit.

    Raises InputError if ``others``, the name of a file to run, is given too.
    """
    from experiments.cli.terminal import print_text  # noqa: PLC0415

    if others:
        raise InputError(
            f"--new = {path} writes a file and runs nothing; allowed: without '{others}'. Leave out '{others}'."
        )
    print_text(write_template(command, path))
    raise typer.Exit
