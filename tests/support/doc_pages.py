"""What the tests of the pages share: the code and the command lines that stand in them."""

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
SHOWN = "docs/notebooks"
"""Pages of notebooks, which tests/notebooks executes whole."""
PAGES = [path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"(?:#|//) ([\w-]+\.\w+)\n")


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str
    line: int
    """Of the page, on which its text begins."""

    @property
    def file(self) -> str:
        """The file that it is, if its first line is a comment with nothing but a name; else nothing."""
        named = _FILE.match(self.text)
        return named.group(1) if named else ""


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = _FENCE.finditer(text)
    return [Block(each.group(1), each.group(2), text[: each.start(2)].count("\n") + 1) for each in found]


def followed(page: str, text: str, folder: Path) -> str:
    """Do what a page says in its order, and return it with what came of it where it shows that.

    A block whose first line names a file is written into the folder, from which Python imports. All other Python runs
    in one session; a ```text block right behind it is what it printed. In a ```console block lines with $ are typed,
    the others are what they answered.
    """
    sys.path.insert(0, str(folder))
    known = set(sys.modules)
    try:
        return _followed(page, text, folder)
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def _followed(page: str, text: str, folder: Path) -> str:
    session: dict[str, Any] = {"__name__": "__main__"}
    printed, after, made = "", 0, []
    end = 0
    for found in _FENCE.finditer(text):
        block = Block(found.group(1), found.group(2), text[: found.start(2)].count("\n") + 1)
        content = block.text
        keep(block, folder)
        if block.language == "python" and not block.file:
            printed, after = run(block, page, session), found.end()
        elif block.language == "text" and after and not text[after : found.start()].strip():
            content = printed
        elif block.language == "console":
            content = "".join(answered(line) for line in block.text.splitlines() if line.startswith("$ "))
        made += [text[end : found.start(2)], content]
        end = found.end(2)
    return "".join([*made, text[end:]])


def keep(block: Block, folder: Path) -> None:
    """Write a block that is a file."""
    if block.file:
        (folder / block.file).write_text(block.text, encoding="utf-8")


def run(block: Block, page: str, session: dict[str, Any]) -> str:
    """Run a block of Python, and return what it printed; an error names the line of the page."""
    with redirect_stdout(StringIO()) as said:
        exec(compile("\n" * (block.line - 1) + block.text, str(ROOT / page), "exec"), session)
    return _tidy(said.getvalue())


def answered(line: str) -> str:
    """A line of a terminal, and what the command answers."""
    from experiments.cli.app import main

    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        main(shlex.split(line, comments=True)[2:])
    return f"{line}\n{_tidy(said.getvalue())}"


def _tidy(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines())


def command_lines(text: str) -> list[str]:
    """The lines of indented and fenced blocks that begin with the command, without comments and redirections."""
    indented = re.findall(r"^    (asara .*)$", text, re.MULTILINE)
    inside = [line for block in blocks(text) for line in block.text.splitlines()]
    fenced = [line.removeprefix("$ ") for line in inside if line.startswith(("asara ", "$ asara "))]
    return [_bare(line) for line in dict.fromkeys([*indented, *fenced])]


def _bare(line: str) -> str:
    """What would be typed: a comment is behind # or, in a table of commands, behind two blanks."""
    return re.split(r"\s+#|\s{2,}|\s>", line)[0].strip()


def is_synopsis(line: str) -> bool:
    """True if it says what may be typed, and is nothing that anybody types."""
    return bool(re.search(r"[\[\]|]", re.sub(r'"[^"]*"', "", line)))


def parse(line: str) -> None:
    """Parse a command line as the command does; a synopsis is only looked up. Raises where it cannot be."""
    from typer.main import get_command

    from experiments.cli.app import app

    words = shlex.split(re.sub(r"[\[\]|]", " ", line) if is_synopsis(line) else line)[1:]
    command: Any = get_command(app)
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


def links(text: str) -> Iterator[str]:
    """The places of this repository that a page points at."""
    bare = _FENCE.sub("", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", bare):
        if "://" not in target:
            yield target
