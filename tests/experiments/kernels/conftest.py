from typing import NamedTuple

import pytest

from experiments.kernels import cli
from tests.support.kernel_fakes import World


class Answer(NamedTuple):
    """What a command said; progress goes to stderr too, and is kept apart from what is wrong."""

    code: int
    out: str
    err: str
    progress: list[str]


@pytest.fixture
def world(monkeypatch):
    found = World()
    monkeypatch.setattr(cli, "lab", found.lab)
    return found


@pytest.fixture
def asara(asara):
    def call(*arguments):
        code, out, err = asara(*arguments)
        lines = err.splitlines(keepends=True)
        begins = next((at for at, line in enumerate(lines) if line.startswith("asara: ")), len(lines))
        return Answer(code, out, "".join(lines[begins:]), [line.strip() for line in lines[:begins]])

    return call
