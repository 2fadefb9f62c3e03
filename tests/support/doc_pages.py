"""Read, execute and check the pages of the documentation."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
NOTEBOOK_PAGES = "docs/notebooks"
"""Folder of the pages that are made from notebooks; tests/notebooks executes these."""
PAGES = [path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]]
DRAWN = ("docs/how-to/property-test-your-policy.md",)
"""Pages that are executed in a process of their own. Hypothesis draws examples by the modules that are loaded."""
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"(?:#|//) ([\w-]+\.\w+)\n")


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str
    line: int
    """Line of the page on which the text begins."""

    @property
    def file(self) -> str:
        """Name of the file, if the first line is a comment that contains a file name only; else empty."""
        named = _FILE.match(self.text)
        return named.group(1) if named else ""


def text_of(page: str) -> str:
    """Return the text of a page, given its path from the root."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    found = _FENCE.finditer(text)
    return [Block(each.group(1), each.group(2), text[: each.start(2)].count("\n") + 1) for each in found]


def execute_page(page: str, text: str, folder: Path) -> str:
    """Execute the blocks of a page in order, and return the page with the output of today.

    A block whose first line names a file is written into the folder, from which Python imports. All other Python runs
    in one namespace; a ```text block directly after it has its output. In a ```console block the lines with $ are
    commands, and the other lines are their output.
    """
    if page not in DRAWN:
        return _execute_here(page, text, folder)
    with get_context("spawn").Pool(1) as processes:
        return processes.apply(_execute_in_folder, (page, text, folder))


def _execute_here(page: str, text: str, folder: Path) -> str:
    sys.path.insert(0, str(folder))
    known = set(sys.modules)
    try:
        return _execute(page, text, folder)
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def _execute_in_folder(page: str, text: str, folder: Path) -> str:
    os.chdir(folder)
    return _execute_here(page, text, folder)


def _execute(page: str, text: str, folder: Path) -> str:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed, after, made = "", 0, []
    end = 0
    for found in _FENCE.finditer(text):
        block = Block(found.group(1), found.group(2), text[: found.start(2)].count("\n") + 1)
        content = block.text
        write_block(block, folder)
        if block.language == "python" and not block.file:
            printed, after = run_block(block, page, namespace), found.end()
        elif block.language == "text" and after and not text[after : found.start()].strip():
            content = printed
        elif block.language == "console":
            content = "".join(run_command(line) for line in block.text.splitlines() if line.startswith("$ "))
        made += [text[end : found.start(2)], content]
        end = found.end(2)
    return "".join([*made, text[end:]])


def write_block(block: Block, folder: Path) -> None:
    """Write a block that is a file into the folder."""
    if block.file:
        (folder / block.file).write_text(block.text, encoding="utf-8")


def run_block(block: Block, page: str, namespace: dict[str, Any]) -> str:
    """Run a block of Python and return its output; the traceback of an error has the line of the page."""
    with redirect_stdout(StringIO()) as output:
        exec(compile("\n" * (block.line - 1) + block.text, str(ROOT / page), "exec"), namespace)
    return _strip_lines(output.getvalue())


def run_command(line: str) -> str:
    """Run a line of a terminal, and return the line with its output."""
    from experiments.cli.app import main

    output = StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        main(shlex.split(line, comments=True)[2:])
    return f"{line}\n{_strip_lines(output.getvalue())}"


def _strip_lines(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines())


def command_lines(text: str) -> list[str]:
    """Return the lines of blocks that begin with `asara`, without comments and redirections."""
    indented = re.findall(r"^    (asara .*)$", text, re.MULTILINE)
    inside = [line for block in blocks(text) for line in block.text.splitlines()]
    fenced = [line.removeprefix("$ ") for line in inside if line.startswith(("asara ", "$ asara "))]
    return [_without_comment(line) for line in dict.fromkeys([*indented, *fenced])]


def _without_comment(line: str) -> str:
    """Return the part to type: a comment follows #, or two blanks in a table of commands."""
    return re.split(r"\s+#|\s{2,}|\s>", line)[0].strip()


def is_synopsis(line: str) -> bool:
    """Return whether a line describes the arguments of a command, and is not itself a command."""
    return bool(re.search(r"[\[\]|]", re.sub(r'"[^"]*"', "", line)))


def check_command(line: str) -> None:
    """Parse a command line as the command does; check only the names in a synopsis.

    Raises AssertionError or the parser's own error for a command, argument or option that does not exist.
    """
    from experiments.cli.app import command as asara

    words = shlex.split(re.sub(r"[\[\]|]", " ", line) if is_synopsis(line) else line)[1:]
    command: Any = asara()
    context = command.make_context("asara", words[:0], resilient_parsing=True)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name = words.pop(0)
        assert name in command.commands, f"there is no command '{name}': {line}"
        command = command.commands[name]
    if is_synopsis(line):
        known = {name for each in command.params for name in each.opts}
        assert not [word for word in words if word.startswith("--") and word not in known], line
    elif words != ["--help"]:
        command.make_context(line, words, parent=context)


def link_targets(text: str) -> Iterator[str]:
    """Yield the files and headings of this repository to which a page links."""
    bare = _FENCE.sub("", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", bare):
        if "://" not in target:
            yield target
