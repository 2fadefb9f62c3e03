"""Generate the pages of docs/ on parameters and commands from the code.

Run as ``python -m experiments.docs_build.cli_reference docs``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from sim.scenario.model import Parameter, parameters

INTRODUCTION = """# Parameters and their sources

Every parameter with its default, its allowed values, its meaning, and the source of the default. The defaults are those
of the scenario `lab`. `asara explain NAME` prints the same for one parameter. `make docs` generates this page from the
declarations in the code. Each parameter is declared once, beside the part that uses it.
"""

COMMANDS = """# Every command

`make docs` writes this page from the commands; `asara COMMAND --help` prints the same for one of them. The
[README](../../README.md) describes their purpose.

A command that fails or is interrupted prints one sentence on stderr and exits with 2. `asara reproduce` exits with 1 if
a row is refuted, `asara solve` if no value meets the goal, and `asara kernels` if a valid request gave no result.

Ctrl-C, SIGTERM and SIGHUP stop a command after the current event, and a second one stops it at once. The message names
the files that are kept. Files are written before anything is printed. So results are kept if a reader such as `head`
stops, and if the output is closed, full (exit code 2) or without Unicode.

Whole numbers may be written as `1024`, `1,024` or `1e3`, and answers as `true`, `yes`, `on`, `false`, `no` or `off`.
`--stop-at-researchers` beyond a million is compared with the equations first, and refused if it is far out of reach.
"""


def parameters_page() -> str:
    """Return the page of parameters as Markdown, with one section for each block."""
    blocks = groupby(parameters().values(), key=lambda parameter: parameter.block)
    return "\n".join([INTRODUCTION, *(_section(block, list(entries)) for block, entries in blocks)])


def _section(block: str, entries: list[Parameter]) -> str:
    return f"## {block}\n\n" + "\n".join(_entry(parameter) for parameter in entries)


def _entry(parameter: Parameter) -> str:
    default = str(parameter.default).lower() if isinstance(parameter.default, bool) else f"{parameter.default}"
    return (
        f"**`{parameter.flat_name}`** = {default} ({parameter.allowed})\n\n"
        f"- {parameter.meaning}\n"
        f"- *Source:* {parameter.source}\n"
    )


# --- commands -------------------------------------------------------------------------------------------------------


def commands() -> dict[str, Any]:
    """Return every command by its full name (``asara kernels tune``), in alphabetical order, without groups."""
    from typer.main import get_command  # noqa: PLC0415 - only this function needs it

    from experiments.cli.app import app  # noqa: PLC0415

    return dict(sorted(_leaves("asara", get_command(app))))


def _leaves(typed: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    if not inner:
        yield typed, command
    for name, each in inner.items():
        yield from _leaves(f"{typed} {name}", each)


def commands_page() -> str:
    """Return the page of commands as Markdown, with one section for each command."""
    return "\n".join([COMMANDS, *(_command(typed, command) for typed, command in commands().items())])


def _command(typed: str, command: Any) -> str:
    arguments = [each for each in command.params if not each.opts[0].startswith("-")]
    usage = " ".join([typed, "[OPTIONS]", *(_format_argument(each) for each in arguments)])
    rows = [f"| `{_format_option(each)}` | {_meaning(each)} |" for each in command.params if not each.hidden]
    table = ["| | |", "|---|---|", *rows, ""] if rows else []
    return "\n".join([f"## `{typed}`", "", f"    {usage}", "", " ".join(command.help.split()), "", *table])


def _format_argument(argument: Any) -> str:
    name = _format_option(argument)
    return name if argument.required else f"[{name}]"


def _format_option(option: Any) -> str:
    """Format an option with its placeholder, or an argument by its name."""
    if not option.opts[0].startswith("-"):
        return str(option.metavar or option.name).strip("[]").upper()
    name = " / ".join([*option.opts, *option.secondary_opts])
    return name if option.is_flag else f"{name} {_placeholder(option)}"


def _placeholder(option: Any) -> str:
    if option.metavar:
        return str(option.metavar).replace("|", "\\|")
    wanted = option.type_descriptor.annotation
    if get_origin(wanted) is Literal:
        return "\\|".join(str(each) for each in get_args(wanted))
    return {int: "N", float: "X", Path: "PATH"}.get(wanted, "TEXT")


def _meaning(option: Any) -> str:
    allowed = [_bounds(option)] if _bounds(option) else []
    default = option.default
    if default is not None and not callable(default) and not getattr(option, "is_flag", False):
        allowed.append(f"default {default:,}" if isinstance(default, int) else f"default {default}")
    if option.required:
        allowed.append("must be given")
    text = str(option.help or "").replace("|", "\\|")
    return f"{text} ({'; '.join(allowed)})" if allowed else text


def _bounds(option: Any) -> str:
    low, high = (None if end is None else f"{end:,}" for end in (option.min, option.max))
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"at least {low}" if low is not None else f"at most {high}" if high is not None else ""


# --- both -----------------------------------------------------------------------------------------------------------

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "reference/parameter-sources.md": parameters_page,
    "reference/commands.md": commands_page,
}
"""Function that returns the text of each page, by the path in docs/."""


def write(folder: Path) -> None:
    """Write every page into a folder of documentation."""
    for name, make in PAGES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
