"""Foreign source: C++ by somebody else with the one fixed symbol, compiled and called in the sandbox only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hardware.kernels import compiler, sandbox
from hardware.kernels.candidate import Candidate, ParameterSpace
from hardware.kernels.compiler import BuildError

if TYPE_CHECKING:
    from hardware.kernels.family import Kernel
    from hardware.kernels.machine import Machine
    from hardware.kernels.problem import Problem


class UntrustedFamily:
    """C++ that came from outside."""

    name = "foreign"
    summary = "C++ source from outside, in the sandbox"
    host: Literal["torch", "native"] = "native"
    lines = 0
    """Each source has its own; see ``report``."""

    def missing(self, machine: Machine, problem: Problem) -> str | None:
        """Return what this machine lacks to run it safely, in words; None if all is there."""
        isolation = sandbox.detect_isolation()
        if not isolation.foreign_allowed:
            return isolation.detail
        return None if compiler.compiler() else "there is no C++ compiler: install g++, or name one in CXX"

    def space(self, machine: Machine, problem: Problem) -> ParameterSpace:
        """Return no choices: the source is what there is."""
        return ParameterSpace({}, {})

    def library(self, candidate: Candidate, problem: Problem) -> str:
        """Return the path of the compiled object. Raises BuildError."""
        if not candidate.source.strip():
            raise BuildError("there is no source")
        return str(sandbox.compile_foreign(candidate.source))

    def kernel(self, candidate: Candidate, problem: Problem) -> Kernel:
        """Raise BuildError: foreign code is never loaded into this process."""
        raise BuildError("foreign source runs in the sandbox only")


FAMILY = UntrustedFamily()
