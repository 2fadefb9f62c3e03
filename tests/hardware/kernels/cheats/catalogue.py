"""Every cheat, with what must come of it.

A source file holds one after another. Each begins with a line ``//// its name -> statuses``, or ``honest`` where the
trick is harmless and must be measured as what it is. A name can begin with what it is about: ``backward:`` and
``causal:`` are asked of these problems, ``bubblewrap:`` needs that.
"""

from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
HEADERS = ("python.h", "honest.h")
FILES = ("honest", "numerics", "memory", "time", "escape", "ending", "harness", "build")


class Cheat(NamedTuple):
    name: str
    file: str
    expected: tuple[str, ...]
    source: str

    @property
    def honest(self) -> bool:
        return self.expected == ("honest",)

    @property
    def statuses(self) -> tuple[str, ...]:
        return ("passed",) if self.honest else self.expected

    def is_about(self, subject: str) -> bool:
        return self.name.startswith(f"{subject}:")


def _read(file: str) -> list[Cheat]:
    _, *blocks = (HERE / f"{file}.cpp").read_text(encoding="utf-8").split("//// ")
    return [_cheat(file, *block.split("\n", 1)) for block in blocks]


def _cheat(file: str, title: str, text: str) -> Cheat:
    name, expected = title.split(" -> ")
    return Cheat(name, file, tuple(expected.split(", ")), _with_headers(text))


def _with_headers(text: str) -> str:
    """Inline the headers, because untrusted source is one file."""
    for header in HEADERS:
        text = text.replace(f'#include "{header}"\n', (HERE / header).read_text(encoding="utf-8"))
    return text


CHEATS = [cheat for file in FILES for cheat in _read(file)]
