from typing import NamedTuple

import pytest

from experiments.kernels import command
from tests.support.kernel_fakes import World


class Answer(NamedTuple):
    """Output of a command; progress on stderr is separated from the error message."""

    code: int
    out: str
    err: str
    progress: list[str]


@pytest.fixture
def world(monkeypatch):
    found = World()
    monkeypatch.setattr(command, "kernel_environment", found.environment)
    return found


@pytest.fixture
def asara(asara):
    def call(*arguments):
        code, out, err = asara(*arguments)
        lines = err.splitlines(keepends=True)
        begins = next((at for at, line in enumerate(lines) if line.startswith("asara: ")), len(lines))
        return Answer(code, out, "".join(lines[begins:]), [line.strip() for line in lines[:begins]])

    return call
